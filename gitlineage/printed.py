"""What a command prints: the log that is kept, and the metadata points in it. Knows bytes only.

One JSON object on a line of standard output is one point (`valohai.logger()` prints them so, and
`NaN` and `Infinity` are accepted); other lines are only log. The log keeps its head and its tail.
"""

from __future__ import annotations

import os
import time

from gitlineage.records import Log, Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

HEAD = 512 << 10
"""Bytes kept from the beginning."""

TAIL = 512 << 10
"""Bytes kept from the end."""

LONGEST_LINE = 1 << 20
"""Bytes of a line that is still looked at as a point."""


class Printed:
    """Takes what a command prints, as it comes."""

    def __init__(self, spool: str | None = None) -> None:
        """`spool` gets the head at once, so that it outlives a recorder that is killed."""
        self._spool: int | None = None
        if spool is not None:
            try:
                self._spool = os.open(spool, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            except OSError:
                pass  # a full disk: what is printed is still in memory
        self._head = bytearray()
        self._tail = bytearray()
        self._line = bytearray()
        self._is_skipping = False
        self._lines: list[tuple[int, bytes]] = []
        self.size = 0

    def take(self, stream: int, content: bytes) -> None:
        """Take bytes of standard output (1) or standard error (2)."""
        self.size += len(content)
        room = HEAD - len(self._head)
        if room > 0:
            head = content[:room]
            self._head += head
            if self._spool is not None:
                try:
                    os.write(self._spool, head)
                except OSError:
                    self.close()  # the disk is full, and the command goes on
        if len(content) > room:
            self._keep_tail(content[max(room, 0) :])
        if stream == 1:
            self._find_lines(content)

    def close(self) -> None:
        """Let go of the spool; what it holds stays."""
        if self._spool is not None:
            os.close(self._spool)
            self._spool = None

    def log(self) -> tuple[bytes, Log]:
        """Return what is kept, the cut said in it, and how much it was."""
        tail = bytes(self._tail[-TAIL:])
        cut = self.size - len(self._head) - len(tail)
        said = b"\n[git-lineage: %d bytes are not kept]\n" % cut if cut else b""
        return bytes(self._head) + said + tail, Log(size=self.size, cut=cut)

    def points(self) -> list[Point]:
        """Return the points that were printed, in order."""
        self._end_line()  # the last line may lack its end
        if not self._lines:
            return []
        import json

        found = []
        for at, line in self._lines:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append(Point(at=at, values=value))
        return found

    def _keep_tail(self, content: bytes) -> None:
        self._tail += content
        if len(self._tail) > 2 * TAIL:  # not each time: a command may print byte by byte
            del self._tail[:-TAIL]

    def _find_lines(self, content: bytes) -> None:
        start = 0
        while start < len(content):
            end = content.find(b"\n", start)
            piece = content[start:] if end < 0 else content[start:end]
            if not self._line and piece.lstrip()[:1] not in (b"{", b""):
                self._is_skipping = True  # it does not begin as an object does
            if not self._is_skipping:
                self._line += piece
                self._is_skipping = len(self._line) > LONGEST_LINE
            if end < 0:
                return
            self._end_line()
            start = end + 1

    def _end_line(self) -> None:
        line = bytes(self._line).strip()
        if not self._is_skipping and line.startswith(b"{") and line.endswith(b"}"):
            self._lines.append((int(time.time() * 1_000_000), line))
        self._line.clear()
        self._is_skipping = False


def last_values(points: Sequence[Point]) -> Mapping[str, Any]:
    """Return the last value of each key."""
    last: dict[str, Any] = {}
    for point in points:
        last.update(point.values)
    return last
