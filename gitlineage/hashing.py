"""Reads many files at once, for their BLAKE3: in this process, and in others beside it.

Knows files and processes; knows nothing of folders or git. Threads are no use for small files: of
the 15 us that one takes, most is held by the interpreter's lock, and two threads take twice as
long as one. Other interpreters cost 30 ms to start, so they are started for many files only. They
are started anew, not forked: what imports this program may have threads.
"""

from __future__ import annotations

import os
import stat as modes
import struct
import sys

from gitlineage import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

MANY = 4000
"""Files from which on other processes help."""

PROCESSES_AT_MOST = 8

SMALL = 1 << 20
"""Bytes up to which a file is read in one piece."""

ATTEMPTS = 3
"""How often a file is read that is written to meanwhile."""

_STAMP = struct.Struct("<QQQqqI")
_ANSWER = struct.Struct(f"<i32s{_STAMP.size}s")

UNSETTLED = bytes(_STAMP.size)
"""The stamp of what cannot be believed to be unchanged, whatever its stamp is later."""

STAMP_SIZE = _STAMP.size


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
    # Not waiting: a pipe may have taken its place.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
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


def read_all(paths: Sequence[str]) -> list[Read | int]:
    """Return what regular files hold, or the number of the error that reading one led to."""
    count = min(_processors(), PROCESSES_AT_MOST, len(paths) // (MANY // 2))
    if count < 2 or not sys.executable:
        return [_attempt(each) for each in paths]
    shares = [paths[first::count] for first in range(count)]
    others = [_Other(share) for share in shares[1:]]
    found: list[list[Read | int]] = [[_attempt(each) for each in shares[0]]]
    found += [other.finish() for other in others]
    made: list[Read | int] = [0] * len(paths)
    for first, share in enumerate(found):
        made[first::count] = share
    return made


def serve() -> None:
    """Answer for the paths on standard input, which a NUL ends each, on standard output."""
    with open(0, "rb", closefd=False) as asked, open(1, "wb", closefd=False) as answers:
        for path in asked.read().split(b"\0")[:-1]:
            read = _attempt(path)
            if isinstance(read, int):
                answers.write(_ANSWER.pack(read, b"", b""))
            else:
                answers.write(_ANSWER.pack(0 if read.is_steady else -1, read.digest, read.stamp))


class _Other:
    """Another process that reads some of the files; both talk through files without a name."""

    def __init__(self, paths: Sequence[str]) -> None:
        import tempfile

        self._paths = paths
        self._answers: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - until `finish`
        self._pid = 0
        with tempfile.TemporaryFile() as asked:
            asked.write(b"".join(os.fsencode(each) + b"\0" for each in paths))
            asked.flush()
            asked.seek(0)
            start = f"import sys; sys.path[:] = {sys.path!r}; from gitlineage import hashing"
            command = [sys.executable, "-I", "-S", "-c", f"{start}; hashing.serve()"]
            try:
                self._pid = os.posix_spawn(
                    sys.executable,
                    command,
                    os.environ,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, asked.fileno(), 0),
                        (os.POSIX_SPAWN_DUP2, self._answers.fileno(), 1),
                        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                    ],
                )
            except OSError:
                return  # then all is read here

    def finish(self) -> list[Read | int]:
        """Wait, and return what it has read; what it did not get to is read now."""
        if self._pid:
            os.waitpid(self._pid, 0)
        with self._answers as file:
            file.seek(0)
            content = file.read()
        whole = len(content) - len(content) % _ANSWER.size
        found: list[Read | int] = [
            error if error > 0 else Read(content, stamp, is_steady=not error)
            for error, content, stamp in _ANSWER.iter_unpack(content[:whole])
        ]
        return found + [_attempt(each) for each in self._paths[len(found) :]]


def _attempt(path: str | bytes) -> Read | int:
    try:
        return read_file(path)
    except OSError as error:
        return error.errno or 5


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
