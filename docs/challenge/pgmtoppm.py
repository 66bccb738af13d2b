"""Color a gray picture, from black to red: pgmtoppm.py PGM PPM"""

import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
head, _, gray = source.read_bytes().partition(b"\n")
red = b"".join(bytes((value, 0, 0)) for value in gray)
target.write_bytes(head.replace(b"P5", b"P6") + b"\n" + red)
