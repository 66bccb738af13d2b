"""Make anatomies 1 to 6 and the reference: an egg in a cube, each another one at another place.

An image is a cube of 16-bit numbers; its header has the side, and what is most in it and in all.
"""

from array import array
from itertools import product
from pathlib import Path

SIDE = 12

for number in range(7):
    name = f"anatomy{number}" if number else "reference"
    center = [5 + (number >> axis & 1) for axis in range(3)]
    maximum = 4095 if number == 1 else 4000 + number
    image = array("H")
    for place in product(range(SIDE), repeat=3):
        distance = sum((place[axis] - center[axis]) ** 2 * (axis + 2) for axis in range(3))
        image.append(max(0, maximum - distance * (maximum + 99 * number) // 50))
    Path(f"{name}.img").write_bytes(image.tobytes())
    Path(f"{name}.hdr").write_text(f"side={SIDE}\nglobal maximum={maximum}\nsum={sum(image)}\n")
