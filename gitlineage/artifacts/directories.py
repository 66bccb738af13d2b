"""What a directory holds, by content: one manifest for each folder in it. Knows the file system.

Links are not followed. What has no content (sockets, pipes, devices) is left out, and so is `.git`:
a repository inside is taken as the files that it has checked out. What vanishes while it is read
was not there; what cannot be read is an error that names it. Must not know what a record is.
"""

from __future__ import annotations

import errno
import os
import time

from gitlineage import digest, hashing, manifests
from gitlineage.fingerprints import WORTH_ASKING, tick_of
from gitlineage.manifests import FILE, FOLDER, LINK, Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.fingerprints import Fingerprints

    _Row = tuple[bytes, str, bytes]
    """A member of a folder as it was listed: name, type and stamp."""

TOGETHER = 1 << 15
"""Files whose folders are read together: enough to share the work, and 10 MB of memory."""

WORTH_REMEMBERING = 32
"""Members of a folder from which on asking what is remembered costs less than reading them."""

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
"""Errors that say that what was listed is not there any more, or something else is."""


class _Member:
    """A file, link or folder as it was listed."""

    __slots__ = ("digest", "is_executable", "name", "size", "stamp", "type")

    def __init__(self, name: bytes, type: str, stamp: bytes) -> None:
        self.name = name
        self.type = type
        self.stamp = stamp
        self.size = hashing.size_in(stamp)
        self.digest: bytes | None = None
        self.is_executable = type == FILE and hashing.is_executable_in(stamp)


class _Folder:
    """A folder as it was listed."""

    __slots__ = ("known", "members", "path", "rows", "size")

    def __init__(self, path: str, rows: list[_Row], size: int) -> None:
        self.path = path
        self.rows = rows
        self.size = size
        """Bytes of the files right in it."""
        self.known: tuple[bytes, bytes] | None = None
        """What folders in it were and its manifest, where nothing else in it has changed."""
        self.members: list[_Member] = []
        """What is to be found out; of a folder that is known, nothing."""

    def is_worth_remembering(self) -> bool:
        """Tell whether asking costs less than reading the files."""
        return len(self.rows) >= WORTH_REMEMBERING or any(
            type == FILE and hashing.size_in(stamp) >= WORTH_ASKING for _, type, stamp in self.rows
        )


class Directories:
    """Reads directories, and remembers what they held."""

    def __init__(self, fingerprints: Fingerprints, held: dict[str, bytes]) -> None:
        """`held` takes the manifests, by the hex of their digest."""
        self._fingerprints = fingerprints
        self._held = held
        self._done: dict[str, tuple[bytes, int]] = {}
        """Folders whose parent is still to come: digest, and size of all that is in them."""
        self.unsteady: list[str] = []
        """Files that changed each time that they were read."""

    def read(self, path: str) -> tuple[bytes, int]:
        """Return the digest of a directory and the size of all that it holds. Raises OSError."""
        waiting: list[_Folder] = []
        count = 0
        for folder in _folders(path):
            waiting.append(folder)
            count += len(folder.rows)
            if count >= TOGETHER:
                self._finish(waiting)
                waiting, count = [], 0
        self._finish(waiting)
        return self._done.pop(path)

    def _finish(self, folders: Sequence[_Folder]) -> None:
        """Make the manifests of some folders, of those inside before those around them."""
        for each in folders:
            was = self._fingerprints.folder(each.path) if each.is_worth_remembering() else None
            if was is not None and was[0] == _listing(each.rows):
                each.known = was[1], was[2]
                continue
            each.members = [_Member(*listed) for listed in each.rows]
            if was is not None:
                _recall(each.members, was[0], manifests.unpack(was[2]))
        self._read_files([each for each in folders if each.known is None])
        rows = [row for each in folders if (row := self._close(each))]
        if rows:
            self._fingerprints.set_folders(rows)

    def _read_files(self, folders: Sequence[_Folder]) -> None:
        """Read what is not known to be unchanged."""
        lacking = [
            (os.path.join(folder.path, os.fsdecode(member.name)), member)
            for folder in folders
            for member in folder.members
            if member.type != FOLDER and member.digest is None
        ]
        files = [
            (path, member)
            for path, member in lacking
            if member.type == FILE and not self._is_known(path, member)
        ]
        read_at = time.time_ns()
        for path, member in lacking:
            if member.type == LINK:
                _read_link(path, member, read_at)
        for (path, member), read in zip(
            files, hashing.read_all([path for path, _ in files]), strict=True
        ):
            if not isinstance(read, int):
                if not read.is_steady:
                    self.unsteady.append(path)
                member.digest, member.size = read.digest, hashing.size_in(read.stamp)
                member.is_executable = hashing.is_executable_in(read.stamp)
                member.stamp = read.stamp if read.is_steady else hashing.UNSETTLED
                _distrust(member, read_at)
            elif read not in _GONE:
                raise OSError(read, os.strerror(read), path)

    def _is_known(self, path: str, member: _Member) -> bool:
        """Tell whether a large file was read as one by itself; take its digest then."""
        if member.size < WORTH_ASKING:
            return False
        try:
            stat = os.lstat(path)
        except OSError:
            return False
        known = self._fingerprints.known(path, stat)
        if known is None or hashing.stamp(stat) != member.stamp:
            return False
        member.digest = known["blake3"]
        return True

    def _close(self, folder: _Folder) -> tuple[str, bytes, bytes, bytes] | None:
        """Make a folder's manifest; return what is to be remembered of it."""
        inside = [self._done.pop(path, (None, 0)) for path in _inside(folder)]
        held = b"".join([content or b"" for content, _ in inside])
        if folder.known is not None and folder.known[0] == held:
            self._add(folder, folder.known[1], folder.size + sum(size for _, size in inside))
            return None
        if folder.known is not None:
            folder.members = [_Member(*listed) for listed in folder.rows]
            _fill(folder.members, manifests.unpack(folder.known[1]))
        folders = (each for each in folder.members if each.type == FOLDER)
        for member, (content, size) in zip(folders, inside, strict=True):
            member.digest, member.size = content, size
        members = [each for each in folder.members if each.digest is not None]
        manifest = manifests.pack([_entry(each) for each in members])
        self._add(folder, manifest, sum(each.size for each in members if each.type != LINK))
        if not folder.is_worth_remembering():
            return None
        listing = _listing([(each.name, each.type, each.stamp) for each in members])
        return folder.path, listing, held, manifest

    def _add(self, folder: _Folder, manifest: bytes, size: int) -> None:
        content = digest.of_bytes(manifest)
        self._held[content.hex()] = manifest
        self._done[folder.path] = content, size


def _folders(top: str) -> Iterator[_Folder]:
    """Yield a directory and the folders in it, those inside before those around them."""
    waiting = [(folder := _listed(top), _inside(folder))]
    while waiting:
        folder, inside = waiting[-1]
        path = next(inside, None)
        if path is None:
            waiting.pop()
            yield folder
            continue
        try:
            below = _listed(path)
        except OSError as error:
            if error.errno in _GONE:
                continue
            raise
        waiting.append((below, _inside(below)))


def _inside(folder: _Folder) -> Iterator[str]:
    names = [name for name, type, _ in folder.rows if type == FOLDER]
    return (os.path.join(folder.path, os.fsdecode(each)) for each in names)


def _listed(path: str) -> _Folder:
    rows: list[_Row] = []
    total = 0
    stamp_of = hashing.stamp
    with os.scandir(os.fsencode(path)) as found:
        for each in found:
            name = each.name
            if each.is_dir(follow_symlinks=False):
                if name != b".git":
                    rows.append((name, FOLDER, hashing.UNSETTLED))
                continue
            is_file = each.is_file(follow_symlinks=False)
            if name == b".git" or not (is_file or each.is_symlink()):
                continue
            try:
                stat = each.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if is_file:
                total += stat.st_size
            rows.append((name, FILE if is_file else LINK, stamp_of(stat)))
    rows.sort()
    return _Folder(path, rows, total)


def _listing(rows: Sequence[_Row]) -> bytes:
    """Return what is the same as long as nothing has changed, but inside of folders in it."""
    names = [name + b"/" if type == FOLDER else name for name, type, _ in rows]
    return b"\0".join(names) + b"\0" + b"".join([stamp for _, _, stamp in rows])


def _recall(members: Sequence[_Member], listing: bytes, entries: Sequence[Entry]) -> None:
    """Give those members that are unchanged what was remembered of them."""
    stamps = listing[len(listing) - hashing.STAMP_SIZE * len(entries) :]
    was = {
        os.fsencode(entry.name): (entry, stamps[place : place + hashing.STAMP_SIZE])
        for place, entry in zip(range(0, len(stamps), hashing.STAMP_SIZE), entries, strict=True)
    }
    for member in members:
        entry, stamp = was.get(member.name, (None, b""))
        if entry and stamp == member.stamp and entry.type == member.type != FOLDER:
            member.digest, member.size = entry.digest, entry.size


def _read_link(path: str, member: _Member, read_at: int) -> None:
    try:
        target = os.fsencode(os.readlink(path))
    except OSError:  # gone, or no link any more
        return
    member.digest, member.size = digest.of_bytes(target), len(target)
    _distrust(member, read_at)


def _distrust(member: _Member, read_at: int) -> None:
    """Do not remember what could change within this tick of the file system's clock."""
    changed = hashing.changed_in(member.stamp)
    if read_at - changed < tick_of(changed):
        member.stamp = hashing.UNSETTLED


def _fill(members: Sequence[_Member], entries: Sequence[Entry]) -> None:
    """Give members what a manifest says of them, but for folders, which are read by themselves."""
    for member, entry in zip(members, entries, strict=True):
        if member.type != FOLDER:
            member.digest, member.size = entry.digest, entry.size


def _entry(member: _Member) -> Entry:
    assert member.digest is not None
    return Entry(
        os.fsdecode(member.name),
        member.type,
        member.size,
        member.digest,
        is_executable=member.is_executable,
    )
