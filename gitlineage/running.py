"""The journal of executions that have not ended, or whose record is not yet known to be safe.

Knows which there are, in `<git common dir>/lineage/running/`, and what they mean for each other;
knows nothing of git. Beside the folder, `own` lists the executions that were recorded here.
"""

from __future__ import annotations

import fcntl
import os
import time

from gitlineage import access, digest, encoding, entries
from gitlineage.entries import Entry
from gitlineage.errors import LineageError
from gitlineage.records import Record
from gitlineage.records.launch import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitlineage.records.execution import Execution

TICK = 20_000_000
"""Nanoseconds: file systems' clocks tick every 4 to 10 ms."""


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


class Running:
    """The journal of one repository."""

    def __init__(self, lineage_dir: str) -> None:
        self._folder = os.path.join(lineage_dir, "running")
        self._own = os.path.join(lineage_dir, "own")

    def begin(self, launch: bytes, top: str, declared: Iterable[str] = ()) -> Entry:
        """Write an entry, as `Entry.begin`. Raises ReadOnlyRepository."""
        return Entry.begin(self._folder, launch, top, declared)

    def ids(self) -> list[str]:
        """Return the ids of all entries."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if len(name) == digest.ID_LENGTH)

    def launch(self, execution: str) -> bytes | None:
        """Return the launch part of an entry, or None when it is gone or damaged."""
        found = entries.read(os.path.join(self._folder, execution))
        return found[0] if found else None

    def executions(self) -> list[Execution]:
        """Return the executions that are running on this machine, newest first."""
        from gitlineage.records.execution import Execution  # only to list them

        found = []
        for each in self.ids():
            launch = self.launch(each)
            if launch is None or self.has_ended(each):
                continue
            try:
                decoded = encoding.decode(Launch, launch)
            except LineageError:
                decoded = None  # of a newer version, which may well be running
            found.append(Execution(id=each, launch=decoded, end=None))
        return sorted(found, key=lambda e: e.launch.started_at if e.launch else 0, reverse=True)

    def ancestors(self, innermost: str | None) -> tuple[list[str], str | None]:
        """Return an execution and those that it runs inside of, outward, and the root of all."""
        found: list[str] = []
        root = None
        while innermost and innermost not in found and (content := self.launch(innermost)):
            found.append(innermost)
            launch = encoding.decode(Launch, content)
            innermost, root = launch.parent, launch.root or innermost
        return found, root

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
            access.share(self._own)
        except OSError:
            return
        finally:
            os.close(descriptor)

    def is_own(self, execution: str) -> bool:
        """Tell whether an execution surely was recorded here."""
        return execution.encode() in (entries.content_of(self._own) or b"").split(b"\n")

    def has_ended(self, execution: str) -> bool:
        """Tell whether an entry has a finished record."""
        return os.path.exists(os.path.join(self._folder, execution + ".end"))

    def dead(self) -> list[Entry]:
        """Return the entries that nobody holds any more, now held by the caller."""
        taken = [Entry.take(os.path.join(self._folder, each)) for each in self.ids()]
        self._clear_unborn()
        return [entry for entry in taken if entry is not None]

    def others(self, execution: str, top: str, since: int) -> list[Other]:
        """Return the other executions in the same work tree that had not ended by `since`."""
        found = []
        for each in self.ids():
            path = os.path.join(self._folder, each)
            if each == execution or (read := entries.read(path)) is None or read[1] != top:
                continue
            try:
                started = os.stat(path).st_ctime_ns
            except FileNotFoundError:
                continue  # it went just now
            ended = entries.ended(path)
            if ended is not None and ended < since:
                continue
            end = entries.finished(path)
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

    def declared(self, top: str) -> list[str]:
        """Return what executions that run in a work tree, or were killed, declare to be outputs."""
        found: list[str] = []
        for each in self.ids():
            path = os.path.join(self._folder, each)
            if not self.has_ended(each) and (read := entries.read(path)) and read[1] == top:
                found += read[2]
        return found

    def may_go(self, entry: Entry, oldest: int | None) -> bool:
        """Tell whether no older execution still runs that has to know what this one claimed.

        `oldest` is what the method of that name says.
        """
        if (ended := entries.ended(entry.path)) is None:
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

    def _clear_unborn(self) -> None:
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        for name in sorted(names, key=lambda name: not name.endswith(".new")):
            path = os.path.join(self._folder, name)
            entry = path[: len(self._folder) + 1 + digest.ID_LENGTH]
            if not name.endswith(".new"):
                # Left by a command that was killed in `remove`, or that logs after its end.
                if not os.path.exists(entry) and not os.path.exists(entry + ".new"):
                    entries.discard(path)
                continue
            try:
                with open(path, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # Not yet locked by the one that is just making it? Then it is newer than this.
                    if os.fstat(file.fileno()).st_size or _is_old(path):
                        os.unlink(path)
            except OSError:
                continue


def _is_old(path: str) -> bool:
    return time.time() - os.stat(path).st_mtime > 60
