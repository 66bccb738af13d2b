"""Lines of JSON as metadata points: from what a command printed or logged to blocks of a series.

Knows what is a point and what a record can hold of it; knows neither who printed nor git. Memory
is bounded by the longest line and by what is put into one block.
"""

from __future__ import annotations

import json
import os
from operator import attrgetter

from gitlineage import encoding, series, wording
from gitlineage.numerals import number
from gitlineage.records import LONGEST_POINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any


HEADER = 12
"""Bytes before each piece of what was printed: the time in 8, the length in 4."""

WAITING_AT_MOST = 8 << 20
"""Bytes of lines that wait to be put into a block."""

LAST_VALUES_AT_MOST = 256
"""Metadata keys whose last value stands in the record itself; the series has all."""

LONGEST_NAME = 200
LONGEST_VALUE = 4096
"""Bytes of a key and of a value that stand there."""

KEYS_AT_MOST = 10_000
"""Metadata keys of an execution that have columns in its series; a column takes memory."""

REST = "_more"
"""The key under which a series has the values of all later keys, as one object for each point."""

STEP = 1 << 20
"""Bytes that are read at once."""


ALIKE_AT_MOST = 64
"""Keys of points that are read as columns."""


class Alike:
    """Reads lines that all have the keys of the first one: four times as fast as one by one."""

    def __init__(self, line: bytes) -> None:
        """Take the keys of a line. Raises ValueError and others where there are none."""
        import msgspec

        self.keys = list(msgspec.json.decode(line, type=dict))
        if not 0 < len(self.keys) <= ALIKE_AT_MOST:
            raise ValueError("too many keys, or none")
        names = {f"key_{place}": key for place, key in enumerate(self.keys)}
        self._names = list(names)
        point = msgspec.defstruct(
            "Point",
            [(name, object) for name in names],
            rename=names,
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(list[point]).decode  # type: ignore[valid-type]

    def columns(self, lines: bytes, count: int) -> list[list[Any]]:
        """Return the values of each key. Raises ValueError where some lines are different.

        Each line begins an object and none has a list, so that none can end what another began.
        """
        found = self._decode(b"[" + lines.replace(b"\n", b",\n") + b"]")
        if len(found) != count:
            raise ValueError("several on one line")
        return [list(map(attrgetter(name), found)) for name in self._names]


class Gathering:
    """Points on their way from the files that they were written to into blocks."""

    def __init__(
        self,
        printed: str,
        logged: str,
        keep: Callable[[bytes], None],
        *,
        is_fast: bool = False,
        reads_text: bool = False,
    ) -> None:
        """`keep` takes each block; with `reads_text`, text that spells a number is one.

        Reading fast takes 30 ms of imports, and a tenth of the time for each line.
        """
        self._printed = printed
        self._logged = logged
        self._keep = keep
        self._is_fast = is_fast
        self._decode: Callable[[bytes], Any] = json.loads
        if is_fast:
            import msgspec

            self._decode = msgspec.json.Decoder().decode
        self._alike: Alike | None = None
        self._reads_text = reads_text
        self._place = 0
        self._unread = b""
        self._pieces: list[bytes] = []
        """Of a line whose end has not come yet."""
        self._at: list[int] = []
        self._points: list[Mapping[str, Any]] = []
        self._columns: list[list[Any]] = []
        """In the place of points: the values of each key that they are alike in."""
        self._waiting = 0
        self._latest = 0
        self._last: dict[str, tuple[int, Any]] = {}
        self._further: set[str] = set()
        self._keys: set[str] = set()
        self._left = 0
        """Values of keys that are too many."""
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
        pieces = []
        while len(content) - start >= HEADER:
            at = int.from_bytes(content[start : start + 8], "little")
            end = start + HEADER + int.from_bytes(content[start + 8 : start + HEADER], "little")
            if end > len(content):
                break
            pieces.append((at, content[start + HEADER : end]))
            start = end
        self._unread = content[start:]
        if not (self._is_fast and self._take_alike(pieces)):
            for at, piece in pieces:
                self._take(at, piece)

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
            said.append(f"{count} metadata keys are in the series only")
        if self._left:
            values = "1 value" if self._left == 1 else f"{self._left} values"
            said.append(
                f"metadata has more than {KEYS_AT_MOST} keys: {values} of later ones "
                f"{'is' if self._left == 1 else 'are'} in the series only, under {REST}"
            )
        return said

    def _take_alike(self, pieces: Sequence[tuple[int, bytes]]) -> bool:
        """Take what was printed, where all of it is alike; return whether it was."""
        if sum(map(len, self._pieces)) > STEP:
            return False
        content = b"".join([*self._pieces, *(piece for _, piece in pieces)])
        end = content.rfind(b"\n")
        count = content.count(b"\n")
        is_plain = content[:1] == b"{" and content.count(b"\n{", 0, end) == count - 1
        if end < 0 or not is_plain or b"[" in content:
            return False
        try:
            alike = self._alike or Alike(content[: content.find(b"\n")])
            if not self._has_room(alike.keys):
                raise ValueError("too many keys of all points")
            columns = alike.columns(content[:end], count)
        except Exception:  # noqa: BLE001 - something is another kind of point, or none
            self._use_points()
            self._alike = None
            return False
        self._alike = alike
        at = [when for when, piece in pieces for _ in range(piece.count(b"\n"))]
        for start in range(0, count, series.POINTS_AT_MOST):
            some = slice(start, start + series.POINTS_AT_MOST)
            self._make_room(len(at[some]))
            if self._points:
                self._points += _rows(alike.keys, [each[some] for each in columns])
            else:
                self._columns = self._columns or [[] for _ in columns]
                for column, values in zip(self._columns, columns, strict=True):
                    column += values[some]
            self._at += at[some]
        self._waiting += end
        self._pieces = [content[end + 1 :]] if content[end + 1 :] else []
        self._latest = pieces[-1][0]
        return True

    def _use_points(self) -> None:
        if self._columns and self._alike:
            self._points = _rows(self._alike.keys, self._columns)
            self._columns = []

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
        self._use_points()
        if not self._has_room(set().union(*points)):
            points = list(map(self._known, points))
        for start in range(0, len(points), series.POINTS_AT_MOST):
            some = points[start : start + series.POINTS_AT_MOST]
            self._make_room(len(some))
            self._at += at[start : start + len(some)]
            self._points += some
        self._waiting += size

    def _has_room(self, keys: Collection[str]) -> bool:
        """Tell whether a series may have all of these keys; then it is to have them."""
        new = set(keys) - self._keys
        if len(self._keys) + len(new) > KEYS_AT_MOST:
            return False
        self._keys |= new
        return True

    def _known(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a point as a series has it: with keys that are too many together in one value."""
        keys = self._keys
        if values.keys() <= keys:
            return values
        if room := KEYS_AT_MOST - len(keys):
            keys.update([name for name in values if name not in keys][:room])
        found = {name: value for name, value in values.items() if name in keys}
        rest = {name: value for name, value in values.items() if name not in keys}
        if not rest:
            return values
        self._left += len(rest)
        if REST in found:  # it has one itself
            rest[REST] = found[REST]
        return {**found, REST: rest}

    def _make_room(self, count: int) -> None:
        if len(self._at) + count > series.POINTS_AT_MOST or self._waiting > WAITING_AT_MOST:
            self._flush()

    def _flush(self) -> None:
        if not self._at:
            return
        at, self._at, self._waiting = self._at, [], 0
        if self._columns and self._alike:
            keys, columns = self._alike.keys, self._columns
            self._columns = []
            if self._reads_text:
                columns = [list(map(number, each)) for each in columns]
            try:
                content = series.block_of_columns(at, keys, columns)
            except (TypeError, ValueError):
                points: Sequence[Mapping[str, Any]] = _rows(keys, columns)
            else:
                self._store(at[-1:], _rows(keys, [each[-1:] for each in columns]), content, len(at))
                return
        else:
            points, self._points = self._points, []
            if self._reads_text:
                points = [{name: number(value) for name, value in each.items()} for each in points]
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
        self._store(at, points, content, len(at))

    def _store(
        self, at: Sequence[int], points: Sequence[Mapping[str, Any]], content: bytes, count: int
    ) -> None:
        self._count += count
        self._remember(at, points)
        self._keep(content)

    def _remember(self, at: Sequence[int], points: Sequence[Mapping[str, Any]]) -> None:
        if len(set(map(tuple, points))) == 1:
            at, points = at[-1:], points[-1:]  # which has the last value of each
        for when, each in zip(at, points, strict=True):
            for name, value in each.items():
                if name == REST and type(value) is dict:
                    continue
                if name in self._last:
                    if when >= self._last[name][0]:
                        self._last[name] = (when, value)
                elif len(self._last) < LAST_VALUES_AT_MOST and len(name) < LONGEST_NAME:
                    self._last[name] = (when, value)
                else:
                    self._further.add(name)


def _rows(keys: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Mapping[str, Any]]:
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


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
