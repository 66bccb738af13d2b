"""One execution in the journal: its files, and the lock that says that it is alive.

Knows files and locks; knows nothing of git. `<id>` (the launch part; locked by its recorder to the
end), `<id>.log`, `<id>.printed` and `<id>.points` (what it printed, and of metadata printed and
logged, so far), `<id>.series-<n>` (that metadata as it is stored), `<id>.config` (the
configuration that its step came from), `<id>.notebook` (the cells of its kernel), `<id>.calls` (the
pipe through which a container tells what is observed there), `<id>.end` (the finished record,
before it is appended), `<id>.commit` (where it was appended). Alive means locked,
never a process id: ids are used again, and containers have their own.
"""

from __future__ import annotations

import errno
import fcntl
import os

from gitlineage import access, digest, encoding
from gitlineage.errors import InvalidRecord, ReadOnlyRepository
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Self

KEPT = ("config", "notebook")
"""Parts of the record that are known when it starts, beside the launch: the text that the step came
from, and the cells of the notebook's kernel."""

LARGEST_END = 256 << 20

RESERVED = 64 << 10
"""Bytes set aside on disk for the finished record, so that a disk that the command has filled up
still takes it."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What is said where a disk, or one's share of it, is full."""

_ENDINGS = (
    *(".log", ".printed", ".points", ".config", ".notebook", ".calls"),
    *(".end.part", ".end", ".commit", ""),
)


class Finished(Record):
    """A finished record, ready to be appended: enough to append it again."""

    parts: Mapping[str, bytes]
    message: str
    author: tuple[str, str, int, str]
    """Name, address, seconds, zone."""
    claims: tuple[str, ...]
    """Outputs of the work tree that are this execution's, relative to its top."""
    tags: tuple[str, ...] = ()
    file_tags: Mapping[str, Sequence[str]] = {}
    """Tags for content, and the digests that get them."""
    files: Mapping[str, str] = {}
    """Further parts, and the files beside the entry that hold them."""


class Entry:
    """The journal of one execution, held by whoever has locked it."""

    def __init__(self, path: str, descriptor: int, launch: bytes, top: str) -> None:
        self.path = path
        self.id = os.path.basename(path)
        self.launch = launch
        self.top = top
        self._descriptor = descriptor

    @classmethod
    def begin(cls, folder: str, launch: bytes, top: str, declared: Iterable[str]) -> Self:
        """Write an entry, locked and flushed to disk; `declared` are the outputs it will claim.

        Raises ReadOnlyRepository.
        """
        path = os.path.join(folder, digest.execution_id(launch))
        # Under its name only once it is locked and whole: whoever looks sees neither a dead nor
        # an empty entry. Killed before the rename, nothing was run and a `.new` file is left,
        # which `Running.dead` removes.
        descriptor = None
        try:
            access.make_folder(folder)
            descriptor = os.open(path + ".new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = encoding.pack({"launch": launch, "top": top, "declared": list(declared)})
            if os.write(descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _reserve(path + ".end.part")
            os.fsync(descriptor)
            access.share(path + ".new")
            os.rename(path + ".new", path)
        except OSError as error:
            for leftover in (path + ".end.part", path + ".new"):
                if os.path.exists(leftover):
                    os.unlink(leftover)
            if descriptor is not None:
                os.close(descriptor)
            raise ReadOnlyRepository.of(folder, error) from error
        return cls(path, descriptor, launch, top)

    @classmethod
    def take(cls, path: str) -> Self | None:
        """Return an entry that nobody held any more, held now; None, too, where it was empty."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        # Between opening and locking, whoever held it may have removed it.
        found = read(path)
        entry = cls(path, descriptor, *(found[:2] if found else (b"", "")))
        if found is None:
            entry.remove()
            return None
        return entry

    @property
    def started(self) -> int:
        """When it began, by the clock of the file system that the outputs are on, too."""
        return os.fstat(self._descriptor).st_ctime_ns

    @property
    def points_path(self) -> str:
        """Where the Python API puts metadata points, one JSON object a line."""
        return self.path + ".points"

    @property
    def calls_path(self) -> str:
        """Where the pipe is through which a container tells what is observed there."""
        return self.path + ".calls"

    @property
    def log_path(self) -> str:
        """Where the beginning of what it printed is kept while it runs."""
        return self.path + ".log"

    def keep(self, part: str, content: bytes) -> None:
        """Keep a part of the record that is known now, one of `KEPT`. Raises OSError."""
        _write(f"{self.path}.{part}", content)

    def kept(self) -> dict[str, bytes]:
        """Return the parts that were kept."""
        found = {part: content_of(f"{self.path}.{part}") for part in KEPT}
        return {part: content for part, content in found.items() if content is not None}

    def finish(self, finished: Finished) -> None:
        """Keep the finished record, flushed to disk: from here on it cannot be lost."""
        content = encoding.pack({name: getattr(finished, name) for name in finished._fields})
        try:
            _write(self.path + ".end", content)
        except OSError:
            if self.finished() is None:
                raise
            # Whole, and no room was left for its name.
        discard(self.path + ".printed")

    def parts(self, finished: Finished) -> dict[str, bytes]:
        """Return the parts of a finished record that lie in files of their own. Raises OSError."""
        found = {}
        for part, name in finished.files.items():
            with open(os.path.join(os.path.dirname(self.path), name), "rb") as file:
                found[part] = file.read()
        return found

    def finished(self) -> Finished | None:
        """Return the finished record, if there is one."""
        return finished(self.path)

    def set_commit(self, commit: str) -> None:
        """Remember where the record was appended, for a later command to check."""
        with open(self.path + ".commit", "w") as file:
            file.write(commit)

    def commit(self) -> str | None:
        """Return where the record was appended."""
        content = content_of(self.path + ".commit")
        return content.decode(errors="replace").strip() or None if content else None

    def release(self) -> None:
        """Let go of the lock; the entry stays until a later command finds that it may go."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Remove the entry and all that belongs to it, the lock last."""
        folder, name = os.path.split(self.path)
        series = [each for each in os.listdir(folder) if each.startswith(name + ".series-")]
        for each in (*series, *(name + ending for ending in _ENDINGS)):
            try:
                os.unlink(os.path.join(folder, each))
            except FileNotFoundError:
                continue
        self.release()


def read(path: str) -> tuple[bytes, str, tuple[str, ...]] | None:
    """Return an entry's launch part, work tree and declared outputs, where they are whole."""
    content = content_of(path)
    if not content:
        return None
    try:
        value = encoding.unpack(content, largest=LARGEST_END)
        launch, top = value["launch"], os.fsdecode(value["top"])
        declared = tuple(map(os.fsdecode, value.get("declared", ())))
    except (InvalidRecord, KeyError, TypeError):
        return None
    is_whole = type(launch) is bytes and digest.execution_id(launch) == os.path.basename(path)
    return (launch, top, declared) if is_whole else None


def ended(path: str) -> int | None:
    """Return when an execution ended, by the file system's clock."""
    try:
        return os.stat(path + ".end").st_mtime_ns
    except FileNotFoundError:
        return None


def finished(path: str) -> Finished | None:
    """Return the finished record, if there is a whole one."""
    content = content_of(path + ".end") or content_of(path + ".end.part")
    if not content:
        return None
    try:
        value: dict[str, Any] = encoding.unpack(content, largest=LARGEST_END)
        name, email, at, zone = value["author"]
        return Finished(
            parts=value["parts"],
            message=_text(value["message"]),
            author=(_text(name), _text(email), at, zone),
            claims=tuple(map(_text, value["claims"])),
            tags=tuple(map(_text, value["tags"])),
            files=value.get("files", {}),
            file_tags=value.get("file_tags", {}),
        )
    except (InvalidRecord, KeyError, TypeError, ValueError):
        return None  # cut short by a crash before it was whole: it never counted as finished


def discard(path: str) -> None:
    """Remove a file, where it can be."""
    try:
        os.unlink(path)
    except OSError:
        return


def _text(value: str | bytes) -> str:
    return os.fsdecode(value)


def content_of(path: str) -> bytes | None:
    """Return what a file holds, if there is one."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _reserve(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.posix_fallocate(descriptor, 0, RESERVED)
    except OSError as error:
        if error.errno in FULL:  # and not: a file system without it
            raise
    finally:
        os.close(descriptor)
    access.share(path)


def _write(path: str, content: bytes) -> None:
    """Write a file whole or not at all, flushed to disk; into what was reserved for it."""
    try:
        _write_part(path, content)
    except OSError as error:
        if error.errno not in FULL:
            raise
        # Where what is written goes to a new place, as on btrfs, what is reserved makes room only
        # once it is given back, and that has reached the disk.
        discard(path + ".part")
        os.sync()
        _write_part(path, content)
    os.rename(path + ".part", path)


def _write_part(path: str, content: bytes) -> None:
    with open(os.open(path + ".part", os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
        file.write(content)
        file.flush()
        if os.fstat(file.fileno()).st_size > len(content):
            file.truncate()
        os.fsync(file.fileno())
    access.share(path + ".part")
