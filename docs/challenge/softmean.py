"""Average images of one size: softmean.py ATLAS y null IMAGE... HEADER..."""

import sys
from array import array
from pathlib import Path

atlas, _, _, *files = sys.argv[1:]
images = [array("H", Path(file).read_bytes()) for file in files if file.endswith(".img")]
(side,) = {Path(file).read_text().split()[0] for file in files if file.endswith(".hdr")}

mean = array("H", (sum(voxels) // len(images) for voxels in zip(*images, strict=True)))
Path(f"{atlas}.img").write_bytes(mean.tobytes())
Path(f"{atlas}.hdr").write_text(f"{side}\nglobal maximum={max(mean)}\nsum={sum(mean)}\n")
