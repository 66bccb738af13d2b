"""Cut a slice out of an image, as gray PGM: slicer.py IMAGE HEADER -x .5 SLICE"""

import sys
from array import array
from itertools import product
from pathlib import Path

image, header, axis, fraction, target = sys.argv[1:]
fields = dict(line.split("=") for line in Path(header).read_text().splitlines())
side, maximum = int(fields["side"]), int(fields["global maximum"])
voxels = array("H", Path(image).read_bytes())

depth = int(float(fraction) * side)
gray = bytearray()
for place in product(range(side), repeat=2):
    x, y, z = (*place[: "xyz".index(axis[1])], depth, *place["xyz".index(axis[1]) :])
    gray.append(min(255, voxels[(x * side + y) * side + z] * 255 // maximum))
Path(target).write_bytes(b"P5 %d %d 255\n" % (side, side) + gray)
