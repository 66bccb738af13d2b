"""Move the anatomy that a warp names as the warp says: reslice.py WARP RESLICED"""

import json
import sys
from array import array
from itertools import product
from pathlib import Path

warp, resliced = sys.argv[1:]
found = json.loads(Path(warp).read_text())
side = int(Path(found["header"]).read_text().split("side=")[1].split()[0])
voxels = array("H", Path(found["anatomy"]).read_bytes())

moved = array("H")
for place in product(range(side), repeat=3):
    x, y, z = ((a - shift) % side for a, shift in zip(place, found["shift"], strict=True))
    moved.append(round(voxels[(x * side + y) * side + z] * found["scale"]))
Path(f"{resliced}.img").write_bytes(moved.tobytes())
Path(f"{resliced}.hdr").write_text(f"side={side}\nglobal maximum={max(moved)}\nsum={sum(moved)}\n")
