"""What becomes of each file: whose content it holds, and when it was read. Knows no system calls.

A file is read when somebody opens it to read what was not written by the command itself, and
written when somebody opens it to write, or puts another in its place.
"""

from __future__ import annotations

import os
import stat as modes

from gitlineage import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.observation.rules import Rules

SMALL = 256 << 10
"""Up to this size a file is hashed as soon as it is seen to be read: it may be written next."""


class Seen:
    """What was seen of one file."""

    __slots__ = (
        "digest",
        "given",
        "is_appended",
        "is_gone",
        "is_own",
        "is_written",
        "may_be_new",
        "moved_to",
        "path",
        "read_at",
        "renamed_from",
        "stamp",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        given: str,
        read_at: float | None = None,
        stamp: tuple[int, int, int, int] | None = None,
        digest: bytes | None = None,
        is_written: bool = False,
        may_be_new: bool = False,
        moved_to: str | None = None,
        is_own: bool = False,
        is_appended: bool = False,
        is_gone: bool = False,
        renamed_from: str | None = None,
    ) -> None:
        self.path = path
        """Absolute, without links."""
        self.given = given
        """As it was spelled, made absolute."""
        self.read_at = read_at
        """When it was first opened to read what the command had not written; None for never."""
        self.stamp = stamp
        """Inode, size, and times of modification and change, just after."""
        self.digest = digest
        """blake3 of what it held then, of small files."""
        self.is_written = is_written
        """It was opened to be written, or something was put in its place."""
        self.may_be_new = may_be_new
        """It may have been made as it was opened: then nothing was read."""
        self.moved_to = moved_to
        """Where what was read has gone."""
        self.is_own = is_own
        """What it holds is the command's: it was made, emptied, or put in its place."""
        self.is_appended = is_appended
        """Whoever opened it to write could only append to it."""
        self.is_gone = is_gone
        """What was there before was removed, or has another name."""
        self.renamed_from = renamed_from
        """Where the file was before that was put here, which the command did not make."""

    def fields(self) -> tuple[object, ...]:
        """Return what makes an equal one."""
        return (
            self.path, self.given, self.read_at, self.stamp, self.digest, self.is_written,
            self.may_be_new, self.moved_to, self.is_own, self.is_appended, self.is_gone,
            self.renamed_from,
        )  # fmt: skip


class Files:
    """The files of one command."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.leave_out = rules.leave_out
        self._files: dict[bytes, Seen] = {}
        self._links: set[bytes] = set()
        self.folders: list[tuple[str, str]] = []
        """Folders that were renamed: path before, and after."""

    def open(
        self,
        path: bytes,
        given: bytes,
        at: float,
        *,
        is_read: bool,
        is_written: bool = False,
        is_emptied: bool = False,
        is_appended: bool = False,
        may_be_new: bool = False,
    ) -> None:
        """Note that a file was opened that is not left out."""
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _seen(path, given)
        if is_emptied:
            file.is_own, file.renamed_from = True, None
        elif may_be_new and not file.is_own and file.read_at is None:
            file.may_be_new = True
        if is_read and not file.is_own:
            self._note_read(path, file, at)
        if is_written:
            file.is_appended = is_appended and (file.is_appended or not file.is_written)
            file.is_written = True

    def execute(self, path: bytes, given: bytes, at: float) -> None:
        """Note that a program or a script was executed: outside of the work tree it is no data."""
        if self._rules.is_inside(path) and not self.leave_out(path):
            self.open(path, given, at, is_read=True)

    def rename(
        self, old: bytes, new: bytes, at: float, given: bytes, *, is_exchange: bool = False
    ) -> None:
        """Note that a file, a link or a folder is elsewhere now."""
        if old in self._links:
            self._links.remove(old)
            self._links.add(new)
            self.remove(new)
            return
        if is_exchange:
            self._take(old, at, new)
            self._take(new, at, old)
            self._put(new, given)
            self._put(old, old)
            return
        try:
            mode = os.lstat(new).st_mode
        except OSError:
            mode = 0  # it has gone on since
        if not modes.S_ISREG(mode):
            is_folder = self._move_below(old, new)
            if mode or is_folder:
                self.remove(old)
                self.folders.append((os.fsdecode(old), os.fsdecode(new)))
                return
        before = self._files.get(old)
        if before is None or not (before.is_own or before.may_be_new):
            source: str | None = os.fsdecode(old)
        else:
            source = before.renamed_from
        self._take(old, at, new)
        self._note_gone(old)
        self._put(new, given)
        if (after := self._files.get(new)) is not None and source != after.path:
            after.renamed_from = source

    def link(self, old: bytes | None, new: bytes, at: float, given: bytes) -> None:
        """Note that a file has another name; None for one that had none."""
        own = old is None or old in self._links
        if old is not None and not own:
            file = self._files.get(old)
            if file is None or not (file.is_own or file.is_written):
                self._read(old, at, new)
        self._put(new, given)

    def symlink(self, path: bytes) -> None:
        """Note that a path is a link now: it holds nothing."""
        self.remove(path)
        self._links.add(path)

    def delete(self, path: bytes) -> None:
        """Note that somebody has removed a file or a link."""
        file = self._files.get(path)
        is_ours = path in self._links or (file is not None and file.is_own)
        self.remove(path)
        if not is_ours:
            self._note_gone(path)

    def _note_gone(self, path: bytes) -> None:
        if not self.leave_out(path):
            self._files.setdefault(path, _seen(path, path)).is_gone = True

    def remove(self, path: bytes) -> None:
        """Note that there is nothing at a path any more."""
        self._links.discard(path)
        file = self._files.get(path)
        if file is None:
            return
        file.is_own = file.is_written = False
        file.renamed_from = None
        if file.read_at is None and not file.is_gone:
            del self._files[path]

    def found(self) -> list[tuple[object, ...]]:
        """Return the fields of what was seen of each file."""
        return [
            file.fields()
            for file in self._files.values()
            if file.is_written or file.is_gone or file.read_at is not None
        ]

    def _note_read(self, path: bytes, file: Seen, at: float, now: bytes | None = None) -> None:
        if file.read_at is not None:
            return
        if file.is_written:  # what it held before is not known any more
            file.read_at = at
            return
        try:
            stat = os.stat(now or path)
            if modes.S_ISDIR(stat.st_mode):
                self._files.pop(path, None)
                return
            file.read_at, file.stamp = at, _stamp(stat)
            if modes.S_ISREG(stat.st_mode) and stat.st_size < SMALL:
                with open(now or path, "rb") as opened:
                    content = digest.of_bytes(opened.read())
                if _stamp(os.stat(now or path)) == file.stamp:
                    file.digest = content
        except OSError:
            file.read_at = at

    def _read(self, path: bytes, at: float, now: bytes) -> None:
        """Note that the content of a file that was there has gone elsewhere."""
        if self.leave_out(path):
            return
        file = self._files.setdefault(path, _seen(path, path))
        self._note_read(path, file, at, now)
        file.moved_to = os.fsdecode(now)

    def _take(self, path: bytes, at: float, to: bytes) -> None:
        """Take what a path holds away from it, to another."""
        file = self._files.get(path)
        if file is None or not (file.is_own or file.is_written):
            self._read(path, at, to)
        if file is not None:
            self.remove(path)

    def _put(self, path: bytes, given: bytes) -> None:
        self._links.discard(path)
        if self.leave_out(path):
            return
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _seen(path, given)
        file.is_own = file.is_written = True
        file.renamed_from = None

    def _move_below(self, old: bytes, new: bytes) -> bool:
        """Move what is known below a folder; return whether there was anything."""
        start = old + b"/"
        inside = [path for path in self._files if path.startswith(start)]
        for path in inside:
            there = new + path[len(old) :]
            file = self._files.pop(path)
            if file.read_at is not None:
                kept = self._files[path] = Seen(file.path, file.given)
                kept.read_at, kept.stamp, kept.digest = file.read_at, file.stamp, file.digest
                kept.moved_to = None if file.is_written else os.fsdecode(there)
            if file.is_written:
                self._put(there, there)
        return bool(inside)


def _seen(path: bytes, given: bytes) -> Seen:
    return Seen(os.fsdecode(path), os.fsdecode(given))


def _stamp(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
