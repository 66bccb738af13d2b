"""Find how an anatomy lies on the reference.

align_warp.py ANATOMY.img ANATOMY.hdr REFERENCE.img REFERENCE.hdr WARP -m MODEL -q

A stand-in: it moves the center of mass, and scales as the headers say.
"""

import json
import sys
from array import array
from itertools import product
from pathlib import Path


def center(image, side):
    """Return the center of mass of an image."""
    voxels = array("H", Path(image).read_bytes())
    places = list(product(range(side), repeat=3))
    return [sum(v * p[axis] for v, p in zip(voxels, places, strict=True)) / sum(voxels)
            for axis in range(3)]  # fmt: skip


def header(path):
    """Return the fields of a header."""
    fields = (line.split("=") for line in Path(path).read_text().splitlines())
    return {name: int(value) for name, value in fields}


anatomy, anatomy_header, reference, reference_header, warp, _, model, _ = sys.argv[1:]
own, other = header(anatomy_header), header(reference_header)
pairs = zip(center(anatomy, own["side"]), center(reference, other["side"]), strict=True)
found = {
    "anatomy": anatomy,
    "header": anatomy_header,
    "model": int(model),
    "shift": [round(there - here) for here, there in pairs],
    "scale": other["global maximum"] / own["global maximum"],
}
Path(warp).write_text(json.dumps(found) + "\n")
