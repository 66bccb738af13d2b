"""One output of a command on its way to one of ours. Knows descriptors, not whose they are."""

from __future__ import annotations

import os
import stat

_CHUNK = 65536
"""Bytes that are read at once, and that a pipe holds unless it is told to hold more."""

_WIDE = 1 << 18
"""Bytes that a pipe is told to hold where the command is faster than us for a moment."""


class Channel:
    """Bytes from `source`, whose other end the command has as `theirs`, to a copy of `stream`."""

    __slots__ = (
        "copied_bytes",
        "has_terminal",
        "is_left",
        "is_open",
        "is_wide",
        "pending",
        "source",
        "stream",
        "target",
        "theirs",
    )

    def __init__(self, stream: int, source: int, theirs: int) -> None:
        os.set_blocking(source, False)  # asked whether there is something, it must not wait
        self.stream = stream
        self.source = source
        self.theirs = theirs
        self.target = _own_description(stream)
        self.has_terminal = os.isatty(theirs)
        self.pending = b""
        self.copied_bytes = 0
        self.is_open = True
        self.is_left = self.is_wide = False

    def read(self) -> bytes | None:
        """Read what there is; no bytes at the end, None when there is nothing after all."""
        try:
            self.pending = os.read(self.source, _CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            self.pending = b""  # EIO is how a terminal ends
        self.copied_bytes += len(self.pending)
        if len(self.pending) == _CHUNK and not (self.is_wide or self.has_terminal):
            self._widen()
        return self.pending

    def _widen(self) -> None:
        """Let the pipe hold more: it was full, so the command has had to wait for us."""
        import fcntl

        self.is_wide = True
        try:
            fcntl.fcntl(self.source, fcntl.F_SETPIPE_SZ, _WIDE)
        except (AttributeError, OSError):
            pass  # not Linux; or this user has as many large pipes as are allowed

    def write(self) -> bool:
        """Write as much as can be written now; return whether someone is there to take it."""
        try:
            self.pending = self.pending[os.write(self.target, self.pending) :]
        except BlockingIOError:
            pass
        except OSError:
            return False  # EPIPE, or ENOSPC and others that only the command could have handled
        return True

    def leave(self) -> None:
        """Stop copying, and keep everything open for a process that copies the rest."""
        self.is_open = False
        self.is_left = True

    def close_theirs(self) -> None:
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def close(self) -> None:
        self.close_theirs()
        if self.is_open or self.is_left:
            self.is_open = self.is_left = False
            os.close(self.source)
            os.close(self.target)


def _own_description(fd: int) -> int:
    """Open a pipe or a terminal again, so that it can be non-blocking for us alone.

    The flag belongs to the description, which other programs share: set there, it would make
    their writes fail. Unset, one blocked output would block the other and the keys. A terminal
    of another user (after `su`) cannot be opened again; then blocking is what there is.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode) or os.isatty(fd):
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
        try:
            return os.open(f"/proc/self/fd/{fd}", flags)
        except OSError:
            pass
    return os.dup(fd)
