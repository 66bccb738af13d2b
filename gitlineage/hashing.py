"""Reads many files at once, for their BLAKE3: in this process, and in others beside it.

Knows files and processes; knows nothing of manifests or git. Threads are no use for small files: of
the 12 us that one takes, most is held by the interpreter's lock, and two threads take twice as
long as one. Other interpreters cost 30 ms to start, so they are started for many files only. They
are started anew, not forked: what imports this program may have threads.
"""

from __future__ import annotations

import os
import select
import stat as modes
import struct
import sys
from collections import deque

from gitlineage import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MANY = 4000
"""Files from which on other processes help."""

PROCESSES_AT_MOST = 8

SHARE = 128
"""Files that are handed over together: their digests are what a pipe takes at once."""

SHARE_BYTES = 16 << 20
"""Bytes from which on a share takes no more files."""

AHEAD = 8
"""Shares that another process is given at once, so that it need not wait for us after each."""

SMALL = 1 << 20
"""Bytes up to which a file is read in one piece."""

ATTEMPTS = 3
"""How often a file is read that is written to meanwhile."""

_STAMP = struct.Struct("<QQQqqI")
_FRAME = struct.Struct("<III")
_SIZE = struct.Struct("<I")

# Not waiting: a pipe may have taken its place.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

UNSETTLED = bytes(_STAMP.size)
"""The stamp of what cannot be believed to be unchanged, whatever its stamp is later."""

STAMP_SIZE = _STAMP.size

_UNREAD = bytes(32)


class Read:
    """What a file held."""

    __slots__ = ("digest", "is_steady", "stamp")

    def __init__(self, digest: bytes, stamp: bytes, *, is_steady: bool = True) -> None:
        self.digest = digest
        self.stamp = stamp
        """Its stat before it was read."""
        self.is_steady = is_steady
        """It did not change while it was read."""


def stamp(stat: os.stat_result) -> bytes:
    """Return what changes, as the file system tells, when a file does."""
    return _STAMP.pack(
        stat.st_dev,
        stat.st_ino,
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
        stat.st_mode,
    )


def size_in(stamp: bytes) -> int:
    """Return the size that a stamp tells."""
    return int.from_bytes(stamp[16:24], "little")


def is_executable_in(stamp: bytes) -> bool:
    """Tell whether a stamp's owner may execute it."""
    return bool(stamp[40] & 0o100)


def changed_in(stamp: bytes) -> int:
    """Return the later of both times that a stamp tells, in nanoseconds."""
    _, _, _, modified, changed, _ = _STAMP.unpack(stamp)
    latest: int = max(modified, changed)
    return latest


def read_file(path: str | bytes) -> Read:
    """Return what a regular file holds. Raises OSError; FileNotFoundError for what is none."""
    descriptor = os.open(path, _FLAGS)
    try:
        for _ in range(ATTEMPTS):
            before = os.fstat(descriptor)
            if not modes.S_ISREG(before.st_mode):
                raise FileNotFoundError(2, os.strerror(2), path)
            if before.st_size <= SMALL:
                content = os.read(descriptor, before.st_size + 1)
                found, size = digest.of_bytes(content), len(content)
            else:
                found, size = digest.of_descriptor(descriptor)
            was = stamp(before)
            if size == before.st_size and stamp(os.fstat(descriptor)) == was:
                return Read(found, was)
            os.lseek(descriptor, 0, os.SEEK_SET)
        return Read(found, was[:16] + size.to_bytes(8, "little") + was[24:], is_steady=False)
    finally:
        os.close(descriptor)


class Share:
    """Files of one folder as they were listed, and what they held when they were read."""

    __slots__ = ("digests", "folder", "names", "stamps")

    def __init__(self, folder: bytes, names: Sequence[bytes], stamps: Sequence[bytes]) -> None:
        self.folder = folder
        self.names = names
        self.stamps = stamps
        self.digests: list[bytes | None] | None = None
        """None for a file that is not what it was when it was listed, or cannot be read."""

    def read(self) -> None:
        """Read all of them here."""
        self.digests = [found or None for found in _read(self.folder, self.names, self.stamps)]


def shares(folder: bytes, names: Sequence[bytes], stamps: Sequence[bytes]) -> Iterator[Share]:
    """Yield the files of one folder in parts that are worth handing over."""
    first = size = 0
    for place, each in enumerate(stamps):
        if place - first == SHARE or size >= SHARE_BYTES:
            yield Share(folder, names[first:place], stamps[first:place])
            first, size = place, 0
        size += size_in(each)
    if first < len(names):
        yield Share(folder, names[first:], stamps[first:])


class Readers:
    """Those who read: this process, and others once there is enough to do."""

    def __init__(self) -> None:
        self._waiting: deque[Share] = deque()
        self._count = 0
        """Files that there were so far."""
        self._others: list[_Other] = []
        self._has_started = False

    def add(self, share: Share) -> None:
        """Have some files read, now or later; some of all that waits is read here."""
        self._waiting.append(share)
        self._count += len(share.names)
        if not self._has_started and self._count >= MANY:
            self._has_started = True
            count = min(_processors(), PROCESSES_AT_MOST) - 1
            self._others = [_Other() for _ in range(count)] if sys.executable else []
        if self._has_started:
            self._hand_out()
            while len(self._waiting) > (AHEAD * (len(self._others) + 1) if self._others else 0):
                self._waiting.popleft().read()
                self._hand_out()

    def finish(self) -> None:
        """Read what still waits."""
        while self._waiting:
            self._hand_out()
            if self._waiting:
                self._waiting.popleft().read()
        for each in self._others:
            for share in each.finish():
                share.read()

    def close(self) -> None:
        """Let the others go."""
        for each in self._others:
            each.close()

    def _hand_out(self) -> None:
        """Take what the others have read, and give them more."""
        for each in self._others:
            if not each.is_done() or not self._waiting:
                continue
            # What is left is shared evenly, so that nobody is waited for in the end.
            count = min(AHEAD, len(self._waiting) // (len(self._others) + 1) or 1)
            given = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            self._waiting.extendleft(reversed(each.give(given)))


def serve() -> None:
    """Read the files that standard input names, and answer with their digests."""
    with open(0, "rb", closefd=False) as asked:
        while header := asked.read(_SIZE.size):
            # All of it is taken before anything is answered: both pipes may be short.
            for folder, names, stamps in _unpack(asked.read(*_SIZE.unpack(header))):
                found = b"".join([each or _UNREAD for each in _read(folder, names, stamps)])
                while found:
                    found = found[os.write(1, found) :]


def _pack(shares: Sequence[Share]) -> bytes:
    pieces = []
    for each in shares:
        names = b"\0".join(each.names)
        pieces += [_FRAME.pack(len(each.folder), len(names), len(each.names)), each.folder, names]
        pieces += each.stamps
    content = b"".join(pieces)
    return _SIZE.pack(len(content)) + content


def _unpack(content: bytes) -> Iterator[tuple[bytes, Sequence[bytes], Sequence[bytes]]]:
    at = 0
    while at < len(content):
        folder_size, names_size, count = _FRAME.unpack_from(content, at)
        names_at = at + _FRAME.size + folder_size
        stamps_at = names_at + names_size
        folder = content[at + _FRAME.size : names_at]
        at = stamps_at + count * STAMP_SIZE
        stamps = [content[each : each + STAMP_SIZE] for each in range(stamps_at, at, STAMP_SIZE)]
        yield folder, content[names_at:stamps_at].split(b"\0"), stamps


class _Other:
    """Another process that reads; both talk through pipes.

    It is given more only once it has answered for all that it has, so neither waits for the other
    to make room in a pipe.
    """

    def __init__(self) -> None:
        self._given: deque[Share] = deque()
        self._pid = 0
        asked, self._ask = os.pipe()
        self._answers, answer = os.pipe()
        start = f"import sys; sys.path[:] = {sys.path!r}; from gitlineage import hashing"
        command = [sys.executable, "-I", "-S", "-c", f"{start}; hashing.serve()"]
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, asked, 0),
                    (os.POSIX_SPAWN_DUP2, answer, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
            )
        except OSError:
            pass  # then all is read here
        os.close(asked)
        os.close(answer)
        self._poller = select.poll()
        self._poller.register(self._answers, select.POLLIN)

    def is_done(self) -> bool:
        """Take the answers that are there; tell whether it could be given more."""
        while self._given and self._poller.poll(0):
            if not self._take():
                return False
        return bool(self._pid) and not self._given

    def give(self, shares: Sequence[Share]) -> Sequence[Share]:
        """Have it read some; return those that it cannot be given."""
        content = memoryview(_pack(shares))
        try:
            while content:
                content = content[os.write(self._ask, content) :]
        except OSError:
            self._end()
            return shares
        self._given.extend(shares)
        return ()

    def finish(self) -> Sequence[Share]:
        """Wait for what it was given; return what it did not get to."""
        while self._given and self._pid and self._take():
            pass
        return self._given

    def close(self) -> None:
        """Let it go."""
        os.close(self._ask)
        os.close(self._answers)
        self._end()

    def _take(self) -> bool:
        """Take one answer; tell whether there was a whole one."""
        share = self._given[0]
        size = len(share.names) * 32
        content = b""
        while len(content) < size:
            piece = os.read(self._answers, size - len(content))
            if not piece:
                self._end()
                return False
            content += piece
        found = [content[at : at + 32] for at in range(0, size, 32)]
        share.digests = [None if each == _UNREAD else each for each in found]
        self._given.popleft()
        return True

    def _end(self) -> None:
        if self._pid:
            pid, self._pid = self._pid, 0
            os.waitpid(pid, 0)


def _read(folder: bytes, names: Sequence[bytes], stamps: Sequence[bytes]) -> list[bytes]:
    """Return the digests of files in a folder; nothing for one whose stamp is another now."""
    try:
        # The path to the folder is walked once; `fstat` afterwards tells whether the file is what
        # was listed, and did not change while it was read.
        parent = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError:
        return [b""] * len(names)
    found = []
    piece = memoryview(bytearray(SMALL))
    pieces = [piece]
    for name, expected in zip(names, stamps, strict=True):
        content = b""
        try:
            descriptor = os.open(name, _FLAGS, dir_fd=parent)
        except OSError:
            found.append(content)
            continue
        try:
            size = os.readv(descriptor, pieces)
            if size < SMALL:
                content = digest.of_bytes(piece[:size])
            else:
                os.lseek(descriptor, 0, os.SEEK_SET)
                content, size = digest.of_descriptor(descriptor)
            if size != size_in(expected) or stamp(os.fstat(descriptor)) != expected:
                content = b""
        except OSError:
            content = b""
        finally:
            os.close(descriptor)
        found.append(content)
    os.close(parent)
    return found


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
