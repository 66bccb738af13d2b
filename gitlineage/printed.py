"""The log that is kept of what a command prints: its head and its tail. Knows bytes only."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.records.end import Log

HEAD = 512 << 10
"""Bytes kept from the beginning."""

TAIL = 512 << 10
"""Bytes kept from the end."""


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
        self.size = 0

    def take(self, content: bytes) -> None:
        """Take some bytes."""
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

    def close(self) -> None:
        """Let go of the spool; what it holds stays."""
        if self._spool is not None:
            os.close(self._spool)
            self._spool = None

    def log(self) -> tuple[bytes, Log]:
        """Return what is kept, the cut said in it, and how much it was."""
        from gitlineage.records.end import Log  # 0.3 ms, when the command has ended

        tail = bytes(self._tail[-TAIL:])
        cut = self.size - len(self._head) - len(tail)
        said = b"\n[git-lineage: %d bytes are not kept]\n" % cut if cut else b""
        return bytes(self._head) + said + tail, Log(size=self.size, cut=cut)

    def _keep_tail(self, content: bytes) -> None:
        self._tail += content
        if len(self._tail) > 2 * TAIL:  # not each time: a command may print byte by byte
            del self._tail[:-TAIL]
