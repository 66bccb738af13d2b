"""The journal of executions that have not ended, or whose record is not yet known to be safe.

Knows files and locks; knows nothing of git. In `<git common dir>/lineage/running/`, for each
execution: `<id>` (the launch part; locked by its recorder to the end), `<id>.log`,
`<id>.printed` and `<id>.points` (what it printed, and of metadata printed and logged, so far),
`<id>.series-<n>` (that metadata as it is stored), `<id>.config` (the configuration that its step
came from), `<id>.notebook` (the cells of its kernel), `<id>.end` (the finished record, before it
is appended), `<id>.commit` (where it was appended). Alive means locked, never a process id: ids are
used again, and containers have their own. Beside the folder, `own` lists the executions that were
recorded here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from gitlineage import digest, encoding
from gitlineage.errors import InvalidRecord, ReadOnlyRepository
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

KEPT = ("config", "notebook")
"""Parts of the record that are known when it starts, beside the launch: the text that the step came
from, and the cells of the notebook's kernel."""

LARGEST_END = 256 << 20

TICK = 20_000_000
"""Nanoseconds: file systems' clocks tick every 4 to 10 ms."""

RESERVED = 64 << 10
"""Bytes set aside on disk for the finished record, so that a disk that the command has filled up
still takes it."""

_ENDINGS = (
    *(".log", ".printed", ".points", ".config", ".notebook"),
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


class Other(Record):
    """Another execution of this machine, as far as it matters for whose a file is."""

    id: str
    top: str
    parent: str | None
    started: int
    """The file system's clock, nanoseconds."""
    finished: int | None
    """None while it runs."""
    claims: tuple[str, ...] = ()


class Entry:
    """The journal of one execution, held by whoever has locked it."""

    def __init__(self, path: str, descriptor: int, launch: bytes, top: str) -> None:
        self.path = path
        self.id = os.path.basename(path)
        self.launch = launch
        self.top = top
        self._descriptor = descriptor

    @property
    def started(self) -> int:
        """When it began, by the clock of the file system that the outputs are on, too."""
        return os.fstat(self._descriptor).st_ctime_ns

    @property
    def points_path(self) -> str:
        """Where the Python API puts metadata points, one JSON object a line."""
        return self.path + ".points"

    @property
    def log_path(self) -> str:
        """Where the beginning of what it printed is kept while it runs."""
        return self.path + ".log"

    def keep(self, part: str, content: bytes) -> None:
        """Keep a part of the record that is known now, one of `KEPT`. Raises OSError."""
        _write(f"{self.path}.{part}", content)

    def kept(self) -> dict[str, bytes]:
        """Return the parts that were kept."""
        found = {part: _read(f"{self.path}.{part}") for part in KEPT}
        return {part: content for part, content in found.items() if content is not None}

    def finish(self, finished: Finished) -> None:
        """Keep the finished record, flushed to disk: from here on it cannot be lost."""
        content = encoding.pack({name: getattr(finished, name) for name in finished._fields})
        _write(self.path + ".end", content)
        _discard(self.path + ".printed")

    def parts(self, finished: Finished) -> dict[str, bytes]:
        """Return the parts of a finished record that lie in files of their own. Raises OSError."""
        found = {}
        for part, name in finished.files.items():
            with open(os.path.join(os.path.dirname(self.path), name), "rb") as file:
                found[part] = file.read()
        return found

    def finished(self) -> Finished | None:
        """Return the finished record, if there is one."""
        return _finished(self.path)

    def set_commit(self, commit: str) -> None:
        """Remember where the record was appended, for a later command to check."""
        with open(self.path + ".commit", "w") as file:
            file.write(commit)

    def commit(self) -> str | None:
        """Return where the record was appended."""
        content = _read(self.path + ".commit")
        return content.decode(errors="replace").strip() or None if content else None

    def release(self) -> None:
        """Let go of the lock; the entry stays until `Running.sweep` finds that it may go."""
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


class Running:
    """The journal of one repository."""

    def __init__(self, lineage_dir: str) -> None:
        self._folder = os.path.join(lineage_dir, "running")
        self._own = os.path.join(lineage_dir, "own")

    def begin(self, launch: bytes, top: str, declared: Iterable[str] = ()) -> Entry:
        """Write an entry, locked and flushed to disk; `declared` are the outputs it will claim.

        Raises ReadOnlyRepository.
        """
        execution = digest.execution_id(launch)
        path = os.path.join(self._folder, execution)
        # Under its name only once it is locked and whole: whoever looks sees neither a dead nor
        # an empty entry. Killed before the rename, nothing was run and a `.new` file is left,
        # which `dead` removes.
        descriptor = None
        try:
            os.makedirs(self._folder, exist_ok=True)
            descriptor = os.open(path + ".new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = encoding.pack({"launch": launch, "top": top, "declared": list(declared)})
            if os.write(descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _reserve(path + ".end.part")
            os.fsync(descriptor)
            os.rename(path + ".new", path)
        except OSError as error:
            for leftover in (path + ".end.part", path + ".new"):
                if os.path.exists(leftover):
                    os.unlink(leftover)
            if descriptor is not None:
                os.close(descriptor)
            raise ReadOnlyRepository(path=self._folder, reason=error.strerror) from error
        return Entry(path, descriptor, launch, top)

    def ids(self) -> list[str]:
        """Return the ids of all entries."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if len(name) == digest.ID_LENGTH)

    def launch(self, execution: str) -> bytes | None:
        """Return the launch part of an entry, or None when it is gone or damaged."""
        read = _launch(os.path.join(self._folder, execution))
        return read[0] if read else None

    def points_path(self, execution: str) -> str:
        """Where the points of a running execution go."""
        return os.path.join(self._folder, execution + ".points")

    def set_own(self, execution: str) -> None:
        """Remember that an execution was recorded here, not fetched from others."""
        try:
            descriptor = os.open(self._own, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError:
            return  # whoever reproduces it is asked once more
        try:
            os.write(descriptor, execution.encode() + b"\n")
        except OSError:
            return
        finally:
            os.close(descriptor)

    def is_own(self, execution: str) -> bool:
        """Tell whether an execution surely was recorded here."""
        return execution.encode() in (_read(self._own) or b"").split(b"\n")

    def has_ended(self, execution: str) -> bool:
        """Tell whether an entry has a finished record."""
        return os.path.exists(os.path.join(self._folder, execution + ".end"))

    def dead(self) -> list[Entry]:
        """Return the entries that nobody holds any more, now held by the caller."""
        taken = [self._take(execution) for execution in self.ids()]
        self._clear_unborn()
        return [entry for entry in taken if entry is not None]

    def others(self, execution: str, top: str, since: int) -> list[Other]:
        """Return the other executions in the same work tree that had not ended by `since`."""
        found = []
        for each in self.ids():
            path = os.path.join(self._folder, each)
            if each == execution or (read := _launch(path)) is None or read[1] != top:
                continue
            try:
                started = os.stat(path).st_ctime_ns
            except FileNotFoundError:
                continue  # it went just now
            ended = _ended(path)
            if ended is not None and ended < since:
                continue
            end = _finished(path)
            parent = encoding.unpack(read[0]).get("parent")
            found.append(
                Other(
                    id=each,
                    top=top,
                    parent=parent,
                    started=started,
                    finished=ended,
                    claims=end.claims if end else read[2],
                )
            )
        return found

    def may_go(self, entry: Entry, oldest: int | None) -> bool:
        """Tell whether no older execution still runs that has to know what this one claimed.

        `oldest` is what the method of that name says.
        """
        if (ended := _ended(entry.path)) is None:
            return True
        # One that begins in this very tick of the file system's clock, and so is not listed yet,
        # cannot tell from a file's time that it was written before.
        if 0 <= time.time_ns() - ended < TICK:
            return False
        return oldest is None or oldest > ended

    def oldest(self) -> int | None:
        """Return when the oldest execution that has not ended began, or None."""
        found = None
        for each in self.ids():
            path = os.path.join(self._folder, each)
            if os.path.exists(path + ".end"):
                continue
            try:
                began = os.stat(path).st_ctime_ns
            except FileNotFoundError:
                continue
            found = began if found is None else min(found, began)
        return found

    def _take(self, execution: str) -> Entry | None:
        path = os.path.join(self._folder, execution)
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
        read = _launch(path)
        entry = Entry(path, descriptor, *(read[:2] if read else (b"", "")))
        if read is None:
            entry.remove()
            return None
        return entry

    def _clear_unborn(self) -> None:
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        for name in sorted(names, key=lambda name: not name.endswith(".new")):
            path = os.path.join(self._folder, name)
            entry = path[: len(self._folder) + 1 + digest.ID_LENGTH]
            if not name.endswith(".new"):
                # Left by a command that was killed in `remove`, or that logs after its end.
                if not os.path.exists(entry) and not os.path.exists(entry + ".new"):
                    _discard(path)
                continue
            try:
                with open(path, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # Not yet locked by the one that is just making it? Then it is newer than this.
                    if os.fstat(file.fileno()).st_size or _is_old(path):
                        os.unlink(path)
            except OSError:
                continue


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _is_old(path: str) -> bool:
    return time.time() - os.stat(path).st_mtime > 60


def _launch(path: str) -> tuple[bytes, str, tuple[str, ...]] | None:
    content = _read(path)
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


def _ended(path: str) -> int | None:
    """Return when an execution ended, by the file system's clock."""
    try:
        return os.stat(path + ".end").st_mtime_ns
    except FileNotFoundError:
        return None


def _finished(path: str) -> Finished | None:
    content = _read(path + ".end")
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


def _text(value: str | bytes) -> str:
    return os.fsdecode(value)


def _read(path: str) -> bytes | None:
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
        if error.errno == errno.ENOSPC:
            raise
    finally:
        os.close(descriptor)


def _write(path: str, content: bytes) -> None:
    """Write a file whole or not at all, flushed to disk; into what was reserved for it."""
    with open(os.open(path + ".part", os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
        file.write(content)
        file.flush()
        file.truncate()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)
