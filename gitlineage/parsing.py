"""Lines of JSON as metadata points: from what a command printed or logged to blocks of a series.

Knows what is a point and what a record can hold of it; knows neither who printed nor git. Memory
is bounded by the longest line and by what is put into one block.
"""

from __future__ import annotations

import json
import os

from gitlineage import encoding, series, wording
from gitlineage.records import LONGEST_POINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Decode = Callable[[bytes], Any]

HEADER = 12
"""Bytes before each piece of what was printed: the time in 8, the length in 4."""

WAITING_AT_MOST = 8 << 20
"""Bytes of lines that wait to be put into a block."""

LAST_VALUES_AT_MOST = 256
"""Metadata keys whose last value stands in the record itself; the series has all."""

LONGEST_NAME = 200
LONGEST_VALUE = 4096
"""Bytes of a key and of a value that stand there."""

COUNTED_AT_MOST = 1 << 20
"""Keys that do not fit there and are told apart; beyond, they are only said to be more."""

STEP = 1 << 20
"""Bytes that are read at once."""


def fast() -> Decode:
    """Return what decodes a line in a tenth of the time, and 30 ms of imports."""
    import msgspec

    return msgspec.json.Decoder().decode


class Gathering:
    """Points on their way from the files that they were written to into blocks."""

    def __init__(
        self,
        printed: str,
        logged: str,
        keep: Callable[[bytes], None],
        decode: Decode = json.loads,
        *,
        reads_text: bool = False,
    ) -> None:
        """`keep` takes each block; with `reads_text`, text that spells a number is one."""
        self._printed = printed
        self._logged = logged
        self._keep = keep
        self._decode = decode
        self._reads_text = reads_text
        self._place = 0
        self._unread = b""
        self._pieces: list[bytes] = []
        """Of a line whose end has not come yet."""
        self._at: list[int] = []
        self._points: list[Mapping[str, Any]] = []
        self._waiting = 0
        self._latest = 0
        self._last: dict[str, tuple[int, Any]] = {}
        self._further: set[str] = set()
        self._count = 0
        self._too_long = 0
        self._not_stored = 0

    def step(self, least: int = 1) -> bool:
        """Read on, where there are so many bytes at least; return whether there were."""
        try:
            with open(self._printed, "rb") as file:
                file.seek(self._place)
                content = file.read(STEP)
        except FileNotFoundError:
            return False
        if len(content) < least:
            return False
        self._place += len(content)
        self.take(content)
        return True

    def take(self, content: bytes) -> None:
        """Take what follows of the lines that were printed, with their headers."""
        content = self._unread + content
        start = 0
        while len(content) - start >= HEADER:
            at = int.from_bytes(content[start : start + 8], "little")
            end = start + HEADER + int.from_bytes(content[start + 8 : start + HEADER], "little")
            if end > len(content):
                break
            self._take(at, content[start + HEADER : end])
            start = end
        self._unread = content[start:]

    def finish(self) -> tuple[int, Mapping[str, Any], tuple[str, ...]]:
        """Take what is left, and what was logged.

        Returns how many points there were, the last value of each key, as far as a small record
        holds them, and what to say of the rest.
        """
        if self._pieces:  # the last line may lack its end
            self._take(self._latest, b"\n")
        if os.path.exists(self._logged):
            with open(self._logged, "rb") as file:
                for line in file:
                    self._take_logged(line)
        self._flush()
        kept = {}
        for name, (_, value) in self._last.items():
            if _packed_size(value) <= LONGEST_VALUE:
                kept[name] = value
            else:
                self._further.add(name)
        return self._count, kept, tuple(self._warnings())

    def _warnings(self) -> list[str]:
        said = []
        if self._too_long:
            said.append(
                f"{_lines(self._too_long)} too long to be metadata: more than "
                f"{wording.size(LONGEST_POINT)}"
            )
        if self._not_stored:
            said.append(
                f"{_lines(self._not_stored)} nested too deeply to be stored as metadata, "
                "and in the log only"
            )
        if count := len(self._further):
            more = "more than " if count >= COUNTED_AT_MOST else ""
            said.append(f"{more}{count} metadata keys are in the series only")
        return said

    def _take(self, at: int, content: bytes) -> None:
        self._latest = at
        if b"\n" not in content:
            self._pieces.append(content)
            return
        lines = content.split(b"\n")
        if self._pieces:
            lines[0] = b"".join([*self._pieces, lines[0]])
            self._pieces.clear()
        if lines[-1]:
            self._pieces.append(lines[-1])
        del lines[-1]
        try:
            found = list(map(self._decode, lines))
            if set(map(type, found)) != {dict} or len(lines[0]) > LONGEST_POINT:
                found = [each for each in map(self._point, lines) if each is not None]
        except Exception:  # noqa: BLE001 - something is no point: one by one
            found = [each for each in map(self._point, lines) if each is not None]
        self._add([at] * len(found), found, sum(map(len, lines)))

    def _point(self, line: bytes) -> dict[str, Any] | None:
        """Return the values of one line, where it is a point."""
        if len(line) > LONGEST_POINT:
            self._too_long += 1
            return None
        line = line.strip()
        if not (line.startswith(b"{") and line.endswith(b"}")):
            return None
        try:
            value = json.loads(line)  # which knows NaN
        except RecursionError:
            self._not_stored += 1
            return None
        except ValueError:
            return None
        return value if type(value) is dict else None

    def _take_logged(self, line: bytes) -> None:
        try:
            value = json.loads(line)
            at, values = int(value["at"]), dict(value["values"])
        except (ValueError, KeyError, TypeError):
            return  # cut short by a crash
        except RecursionError:
            self._not_stored += 1
            return
        self._add([at], [values], len(line))

    def _add(self, at: list[int], points: Sequence[Mapping[str, Any]], size: int) -> None:
        for start in range(0, len(points), series.POINTS_AT_MOST):
            some = points[start : start + series.POINTS_AT_MOST]
            if (
                len(self._points) + len(some) > series.POINTS_AT_MOST
                or self._waiting > WAITING_AT_MOST
            ):
                self._flush()
            self._at += at[: len(some)]
            self._points += some
        self._waiting += size

    def _flush(self) -> None:
        if not self._points:
            return
        at, points = self._at, self._points
        self._at, self._points, self._waiting = [], [], 0
        if self._reads_text:
            points = [{name: _number(value) for name, value in each.items()} for each in points]
        try:
            content = series.block(at, points)
        except (TypeError, ValueError):
            kept = [(when, _storable(each)) for when, each in zip(at, points, strict=True)]
            at = [when for when, each in kept if each is not None]
            self._not_stored += len(points) - len(at)
            points = [each for _, each in kept if each is not None]
            if not points:
                return
            content = series.block(at, points)
        self._count += len(points)
        self._remember(at, points)
        self._keep(content)

    def _remember(self, at: Sequence[int], points: Sequence[Mapping[str, Any]]) -> None:
        if len(set(map(tuple, points))) == 1:
            at, points = at[-1:], points[-1:]  # which has the last value of each
        for when, each in zip(at, points, strict=True):
            for name, value in each.items():
                if name in self._last:
                    if when >= self._last[name][0]:
                        self._last[name] = (when, value)
                elif len(self._last) < LAST_VALUES_AT_MOST and len(name) < LONGEST_NAME:
                    self._last[name] = (when, value)
                elif len(self._further) < COUNTED_AT_MOST:
                    self._further.add(name)


def _lines(count: int) -> str:
    return "1 line was" if count == 1 else f"{count} lines were"


def _packed_size(value: Any) -> int:
    return len(encoding.pack([value]))


def _storable(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a point as it can be stored, or None: keys are UTF-8, lists end somewhere."""
    try:
        named = {
            name.encode("utf-8", "backslashreplace").decode(): value
            for name, value in values.items()
        }
        series.block([0], [named])
    except (ValueError, TypeError):
        return None
    return named


def _number(value: Any) -> Any:
    """Return the number that a text spells as JSON, NumPy or Python print it, else the value."""
    if type(value) is not str or value[-1:] not in _LAST or len(value) > 40 or "_" in value:
        return value
    if value.strip() != value or not value.isascii():
        return value
    digits = value.removeprefix("-")
    if digits[:1] == "0" and digits[1:2].isdigit():
        return value  # 00501 is a name
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


_LAST = frozenset("0123456789.nf")
"""How numbers end: 1, 1., nan, inf."""
