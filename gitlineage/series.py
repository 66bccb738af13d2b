"""A series of metadata points as compact bytes, and back. Knows numbers; knows no file and no git.

A series is a list of blocks. A block holds its points by column: one for the times and one for
each key. What changes little between neighbors is stored as differences, decimals as integers, and
numbers byte by byte: all first bytes, then all second ones. Git's own compression does the rest.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate, compress, repeat
from operator import le, mul, sub, truediv

from gitlineage import encoding
from gitlineage.errors import InvalidRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

FORMAT = 1
"""The format of blocks that this version writes. 1: the first."""

POINTS_AT_MOST = 1 << 16
"""Points of one block."""

VALUES_AT_MOST = 1 << 23
"""Values of one block: a column of equal numbers takes no bytes, so bytes alone bound nothing."""

LARGEST = 64 << 20
"""Bytes of one block; nearly all are below 3 MiB, one point can be larger than that."""

SAMPLE = 64
"""Values that tell how many decimals a column has."""

FEW_DECIMALS = 12


class Block:
    """Points, in the order in which they came."""

    __slots__ = ("_columns", "_record", "_shape", "_shapes", "at", "keys")

    def __init__(self, content: bytes, record: str = "?") -> None:
        """Read a block; `record` names it in errors. Raises InvalidRecord."""
        self._record = record
        found = encoding.unpack(content, record, LARGEST)
        try:
            if found["format"] != FORMAT:
                raise ValueError("a series of a later version")
            count = found["count"]
            if type(count) is not int or not 0 <= count <= POINTS_AT_MOST:
                raise ValueError("a block of too many points")
            self.at: Sequence[int] = _ints(found["at"], count)
            """When each point was printed or logged, microseconds."""
            self.keys: list[str] = found["keys"]
            """What at least one point has."""
            self._shapes: list[list[int]] = found["shapes"]
            self._shape = _ints(found["shape"], count)
            counts = [0] * len(self._shapes)
            for shape in self._shape:
                if shape < 0:
                    raise ValueError("a point without a shape")
                counts[shape] += 1
            lengths = [0] * len(self.keys)
            for shape, times in zip(self._shapes, counts, strict=True):
                for key in shape:
                    if key < 0:
                        raise ValueError("a key that is not there")
                    lengths[key] += times
            if sum(lengths) > VALUES_AT_MOST:
                raise ValueError("a block of too many values")
            if not set(map(type, self.keys)) <= {str} or len(set(self.keys)) < len(self.keys):
                raise ValueError("keys are not different texts")
            self._columns = dict(
                zip(self.keys, zip(found["columns"], lengths, strict=True), strict=True)
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(error) from error

    def values(self, key: str) -> tuple[list[int], list[Any]]:
        """Return when a key had a value, and which. Raises InvalidRecord."""
        if key not in self._columns:
            return [], []
        column = self._column(key)
        place = self.keys.index(key)
        having = [place in shape for shape in self._shapes]
        if all(having):
            return list(self.at), column
        return list(compress(self.at, map(having.__getitem__, self._shape))), column

    def points(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each point: when, and its values. Raises InvalidRecord."""
        columns = {key: iter(self._column(key)) for key in self.keys}
        shapes = [
            ([self.keys[each] for each in shape], [columns[self.keys[each]] for each in shape])
            for shape in self._shapes
        ]
        for at, shape in zip(self.at, self._shape, strict=True):
            keys, sources = shapes[shape]
            yield at, dict(zip(keys, map(next, sources), strict=True))

    def _column(self, key: str) -> list[Any]:
        stored, length = self._columns[key]
        try:
            return _values(stored, length)
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> InvalidRecord:
        return InvalidRecord(record=self._record, reason=f"its series: {error}")


def block(at: Sequence[int], points: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the bytes of a block. Raises TypeError and ValueError for what cannot be stored."""
    shapes: dict[tuple[str, ...], int] = {}
    if len(set(map(tuple, points))) == 1:
        names = list(points[0])
        return block_of_columns(at, names, [[each[name] for each in points] for name in names])
    columns: dict[str, list[Any]] = {}
    shape = [shapes.setdefault(tuple(each), len(shapes)) for each in points]
    for each in points:
        for key, value in each.items():
            columns.setdefault(key, []).append(value)
    return _block(at, shape, list(shapes), columns)


def block_of_columns(
    at: Sequence[int], keys: Sequence[str], columns: Sequence[Sequence[Any]]
) -> bytes:
    """Return the bytes of a block whose points all have the same keys; else as `block`."""
    named = dict(zip(keys, columns, strict=True))
    return _block(at, [0] * len(at), [tuple(keys)], named)


def _block(
    at: Sequence[int],
    shape: Sequence[int],
    shapes: Sequence[tuple[str, ...]],
    columns: Mapping[str, Sequence[Any]],
) -> bytes:
    keys = {key: place for place, key in enumerate(sorted(columns))}
    return encoding.pack(
        {
            "format": FORMAT,
            "count": len(at),
            "at": _as_ints(at),
            "keys": list(keys),
            "shapes": [[keys[key] for key in each] for each in shapes],
            "shape": _as_ints(shape),
            "columns": [_as_column(columns[key]) for key in keys],
        }
    )


class Series:
    """All points of one execution."""

    def __init__(self, contents: Iterable[bytes], record: str = "?") -> None:
        """Read blocks; `record` names them in errors. Raises InvalidRecord."""
        self._blocks = [Block(each, record) for each in contents]
        times = [at for each in self._blocks for at in each.at]
        self._is_sorted = all(map(le, times, times[1:]))

    @classmethod
    def first_form(cls, content: bytes, record: str = "?") -> Series:
        """Read the form that a series once had: a list of times and values."""
        found = encoding.unpack(content, record)
        if type(found) is not list or not all(
            type(each) is list and len(each) == 2 and type(each[0]) is int and type(each[1]) is dict
            for each in found
        ):
            raise InvalidRecord(record=record, reason="its series: not a list of points")
        return cls(
            block([at for at, _ in some], [values for _, values in some])
            for some in (
                found[start : start + POINTS_AT_MOST]
                for start in range(0, len(found), POINTS_AT_MOST)
            )
        )

    @classmethod
    def of_one(cls, at: int, values: Mapping[str, Any]) -> Series:
        """Return a series of a single point."""
        return cls([block([at], [values])])

    def __len__(self) -> int:
        return sum(len(each.at) for each in self._blocks)

    @property
    def keys(self) -> list[str]:
        """What at least one point has, in order of the alphabet."""
        return sorted({key for each in self._blocks for key in each.keys})

    def values(self, key: str) -> tuple[list[int], list[Any]]:
        """Return when a key had a value, and which, in order of time."""
        times: list[int] = []
        values: list[Any] = []
        for each in self._blocks:
            some = each.values(key)
            times += some[0]
            values += some[1]
        if not self._is_sorted:
            order = sorted(range(len(times)), key=times.__getitem__)
            times, values = [times[n] for n in order], [values[n] for n in order]
        return times, values

    def points(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each point in order of time: when, and its values."""
        found = (point for each in self._blocks for point in each.points())
        return found if self._is_sorted else iter(sorted(found, key=lambda point: point[0]))


# -- columns: what they hold, then how ---------------------------------------------------------


def _as_column(values: Sequence[Any]) -> list[Any]:
    if len(values) == 1:
        return ["any", list(values)]  # one of a million keys, perhaps
    kinds = set(map(type, values))
    if kinds == {float}:
        return _as_decimals(values) or ["float", _planes(array("d", values), 8)]
    if kinds == {int}:
        try:
            return ["int", *_as_ints(values)]
        except OverflowError:  # of more than 64 bits
            return ["any", list(values)]
    if kinds == {int, float}:
        is_float = bytes(type(each) is float for each in values)
        whole = [each for each in values if type(each) is int]
        return ["number", is_float, _as_column(whole), _as_column([*compress(values, is_float)])]
    return ["any", list(values)]


def _values(column: Any, count: int) -> list[Any]:
    kind, *stored = column
    if kind == "float":
        (content,) = stored
        return _from_planes("d", content, count, 8).tolist()
    if kind == "int":
        return list(_ints(stored, count))
    if kind == "decimal":
        decimals, *stored = stored
        if type(decimals) is not int or not 0 <= decimals <= FEW_DECIMALS:
            raise ValueError("too many decimals")
        return list(map(truediv, _ints(stored, count), repeat(float(10**decimals))))
    if kind == "number":
        is_float, whole, broken = stored
        if type(is_float) is not bytes or len(is_float) != count or max(is_float) > 1:
            raise ValueError("a column of another length")
        if whole[0] != "int" and whole[0] != "any":
            raise ValueError("integers are not")
        sources = (
            iter(_values(whole, is_float.count(0))),
            iter(_values(broken, is_float.count(1))),
        )
        return [next(sources[each]) for each in is_float]
    if kind == "any":
        (found,) = stored
        if type(found) is not list or len(found) != count:
            raise ValueError("a column of another length")
        return found
    raise ValueError("a column of a later version")


def _as_decimals(values: Sequence[float]) -> list[Any] | None:
    """Return numbers of few decimals as integers, where each comes back as it is to the bit."""
    decimals = 0
    for each in values[:: len(values) // SAMPLE + 1]:
        text = repr(each)
        _, point, fraction = text.partition(".")
        if not point or "e" in text or len(fraction) > FEW_DECIMALS:
            return None
        decimals = max(decimals, len(fraction))
    factor = float(10**decimals)
    try:
        whole_ones = list(map(float.__round__, map(mul, values, repeat(factor))))
    except (ValueError, OverflowError):  # not finite
        return None
    back = map(truediv, whole_ones, repeat(factor))
    if array("d", back).tobytes() != array("d", values).tobytes():
        return None
    try:
        stored = _as_ints(whole_ones)
    except OverflowError:
        return None
    width = stored[2]
    return ["decimal", decimals, *stored] if width < 7 else None


def _as_ints(values: Sequence[int]) -> list[Any]:
    """Return integers as their distances from the smallest, or the differences between them.

    Raises OverflowError where these need more than 64 bits.
    """
    if not values:
        return ["plain", 0, 0, b""]
    lowest = min(values)
    width = _width(max(values) - lowest)
    if _is_smooth(values[: 4 * SAMPLE]):
        differences = list(map(sub, values[1:], values))
        least = min(differences)
        narrower = _width(max(differences) - least)
        if narrower < width:
            further = array("Q", map(sub, differences, repeat(least)))
            return ["steps", [values[0], least], narrower, _planes(further, narrower)]
    if width > 8:
        raise OverflowError
    distances = array("Q", map(sub, values, repeat(lowest)))
    return ["plain", lowest, width, _planes(distances, width)]


def _ints(stored: Any, count: int) -> Sequence[int]:
    form, base, width, content = stored
    if type(width) is not int or not 0 <= width <= 8:
        raise ValueError("integers of an impossible width")
    if form == "plain" and type(base) is int:
        found = _from_planes("Q", content, count, width)
        return [base + each for each in found] if base else found.tolist()
    if form != "steps" or count < 2:
        raise ValueError("integers of a later version")
    first, least = base
    if type(first) is not int or type(least) is not int:
        raise ValueError("integers of a later version")
    steps = [least + each for each in _from_planes("Q", content, count - 1, width)]
    return list(accumulate(steps, initial=first))


def _is_smooth(values: Sequence[int]) -> bool:
    """Tell whether the differences of some integers are smaller than they are themselves."""
    differences = list(map(sub, values[1:], values)) or [0]
    narrow: bool = max(differences) - min(differences) < max(values) - min(values)
    return narrow


def _width(largest: int) -> int:
    return (largest.bit_length() + 7) // 8


def _planes(numbers: array[Any], width: int) -> bytes:
    """Return all first bytes, then all second ones and so on, the lowest first."""
    if sys.byteorder == "big":
        numbers.byteswap()
    content = numbers.tobytes()
    return b"".join(content[place::8] for place in range(width))


def _from_planes(kind: str, content: Any, count: int, width: int) -> array[Any]:
    if type(content) is not bytes or len(content) != count * width:
        raise ValueError("a column of another length")
    whole = bytearray(8 * count)
    for place in range(width):
        whole[place::8] = content[place * count : (place + 1) * count]
    numbers = array(kind)
    numbers.frombytes(whole)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
