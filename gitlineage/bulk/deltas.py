"""Objects that are much alike, as git's deltas on one of them. Knows bytes; knows no record.

What differs between two records of a sweep stands at the same places: digests, times, names of the
same length. Where those are is found out once for all objects of one size. From then on a delta is
the bytes at those places put into a pattern: two calls, in the time that it takes to deflate what
it leaves out. Git looks for deltas at 40 us an object when it sends them, and keeps ours.
"""

from __future__ import annotations

import re
import struct

from gitlineage import packing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlineage.packing import Made

SAME = re.compile(rb"\0{7,}")
"""Bytes that are worth being copied: to say so takes up to five, and two for what comes behind."""

LARGEST = 0xFFFF
"""Bytes of an object up to which one instruction copies any part of it."""

MOST_INSERTED = 127
"""Bytes that one instruction can insert."""

TRIES = 8
"""Objects that may be too different, of all that have one size, until no more places are added."""

MOST_SHAPES = 500
"""Sizes of which it is kept where their objects differ: some kilobytes each."""


class Deltas:
    """Objects of one kind on their way into one pack. A delta's base is whole, and in that pack."""

    def __init__(self, kind: str, algorithm: str) -> None:
        self._kind = kind
        self._algorithm = algorithm
        self._bases: dict[int, tuple[Made, int]] = {}
        """The first object of each size."""
        self._shapes: dict[int, _Shape] = {}

    def begin(self) -> None:
        """Rely on nothing that was made before: it may be in another pack."""
        self._bases.clear()
        if len(self._shapes) > MOST_SHAPES:
            self._shapes.clear()

    def packed(self, content: bytes) -> Made:
        """Return an object's name and how it stands in a pack."""
        size = len(content)
        if size > LARGEST:
            return packing.packed(self._kind, content, self._algorithm)
        number = int.from_bytes(content, "little")
        base = self._bases.get(size)
        if base is None:
            made = packing.packed(self._kind, content, self._algorithm)
            self._bases[size] = made, number
            return made
        differing = base[1] ^ number
        if not differing:
            return base[0]  # itself: nothing is a delta on itself
        shape = self._shapes.get(size)
        if shape is None:
            shape = self._shapes[size] = _Shape(size)
        if differing & shape.same and not shape.learn(differing):
            return packing.packed(self._kind, content, self._algorithm)
        delta = shape.pattern % shape.places(content)
        return packing.differing(self._kind, content, self._algorithm, base[0][0], delta)


class _Shape:
    """Where objects of one size differ, as far as was seen."""

    __slots__ = ("_differing", "_size", "_tries_left", "pattern", "places", "same")

    def __init__(self, size: int) -> None:
        self._size = size
        self._differing = 0
        self._tries_left = TRIES
        self.same = (1 << 8 * size) - 1
        """A number with ones where all of them are the same."""
        self.pattern = b""
        """The delta, but for what is at the places where they differ."""
        self.places: Callable[[bytes], tuple[bytes, ...]] = lambda content: ()

    def learn(self, differing: int) -> bool:
        """Add places; tell whether enough is the same still."""
        if not self._tries_left:
            return False
        size, at, inserted = self._size, 0, 0
        union = self._differing | differing
        form, pattern, same = ["="], [_escaped(2 * _length(size))], bytearray(size)

        def insert(end: int) -> None:
            nonlocal at, inserted
            inserted += end - at
            while at < end:
                some = min(end - at, MOST_INSERTED)
                form.append(f"{some}s")
                pattern.append(_escaped(bytes([some])) + b"%b")
                at += some

        for found in SAME.finditer(union.to_bytes(size, "little")):
            start, end = found.span()
            insert(start)
            form.append(f"{end - start}x")
            pattern.append(_escaped(_copying(start, end - start)))
            same[start:end] = b"\xff" * (end - start)
            at = end
        insert(size)
        if 2 * inserted > size:
            self._tries_left -= 1
            return False
        self._differing = union
        self.same = int.from_bytes(same, "little")
        self.places = struct.Struct("".join(form)).unpack
        self.pattern = b"".join(pattern)
        return True


def _length(size: int) -> bytes:
    """Return a size as it stands at the beginning of a delta, once for each of the two objects."""
    said = bytearray()
    while size > 127:
        said.append(size & 127 | 128)
        size >>= 7
    said.append(size)
    return bytes(said)


def _copying(start: int, size: int) -> bytes:
    """Return the instruction that copies a part of the base."""
    word, numbers = 128, bytearray()
    for place, byte in enumerate((*start.to_bytes(4, "little"), *size.to_bytes(2, "little"))):
        if byte:
            word |= 1 << place
            numbers.append(byte)
    return bytes([word]) + numbers


def _escaped(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
