"""What a directory holds, by content: one manifest for each folder in it. Knows the file system.

Links are not followed. What has no content (sockets, pipes, devices) is left out, and so is `.git`:
a repository inside is taken as the files that it has checked out. What vanishes while it is read
was not there; what cannot be read is an error that names it. Must not know what a record is.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque

from gitlineage import digest, hashing, manifests
from gitlineage.fingerprints import COARSE_TICK, WORTH_ASKING, tick_of
from gitlineage.manifests import FILE, FOLDER, LINK, Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.fingerprints import Fingerprints

    _Row = tuple[bytes, str, bytes]
    """A member of a folder as it was listed: name, type and stamp."""

TOGETHER = 1 << 15
"""Members of folders from which on what is to be remembered is written, so that it needs no more
than 10 MB of memory."""

WORTH_REMEMBERING = 32
"""Members of a folder from which on asking what is remembered costs less than reading them."""

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
"""Errors that say that what was listed is not there any more, or something else is."""


class _Folder:
    """A folder as it was listed: its members by place, in the order of their names."""

    __slots__ = (
        "digests",
        "known",
        "lacking",
        "names",
        "newest",
        "path",
        "read_at",
        "shares",
        "size",
        "sizes",
        "stamps",
        "types",
        "unsettled",
    )

    def __init__(self, path: str, rows: Sequence[_Row], size: int, newest: int) -> None:
        self.path = path
        self.names = [name for name, _, _ in rows]
        self.types = [type for _, type, _ in rows]
        self.stamps = [stamp for _, _, stamp in rows]
        self.size = size
        """Bytes of the files right in it."""
        self.newest = newest
        """When one of its files and links changed last."""
        self.known: tuple[bytes, bytes] | None = None
        """What folders in it were and its manifest, where nothing else in it has changed."""
        self.digests: list[bytes | None] = []
        """By member, what is known; in the end None is what was not there any more."""
        self.sizes: list[int] = []
        self.lacking: list[int] = []
        """The files whose content is not known."""
        self.shares: list[hashing.Share] = []
        """The same, to be read."""
        self.read_at = 0
        """When reading began."""
        self.unsettled: set[int] = set()
        """Members whose stamps do not tell that they are unchanged."""

    def expand(self, entries: Sequence[Entry] = ()) -> None:
        """Make room for what is to be found out; `entries` are what is known of all."""
        self.digests = [None] * len(self.names)
        self.sizes = [hashing.size_in(each) for each in self.stamps]
        for place, entry in enumerate(entries):
            self.digests[place], self.sizes[place] = entry.digest, entry.size

    def recall(self, listing: bytes, entries: Sequence[Entry]) -> None:
        """Take what was remembered of members that are unchanged."""
        size = hashing.STAMP_SIZE
        stamps = listing[len(listing) - size * len(entries) :]
        was = {
            os.fsencode(entry.name): (entry, stamps[at : at + size])
            for at, entry in zip(range(0, len(stamps), size), entries, strict=True)
        }
        for place, name in enumerate(self.names):
            entry, stamp = was.get(name, (None, b""))
            if entry and stamp == self.stamps[place] and entry.type == self.types[place] != FOLDER:
                self.digests[place], self.sizes[place] = entry.digest, entry.size

    def inside(self) -> list[str]:
        """Return the paths of the folders in it."""
        return [self.path_of(at) for at, type in enumerate(self.types) if type == FOLDER]

    def path_of(self, place: int) -> str:
        """Return the path of a member."""
        return os.path.join(self.path, os.fsdecode(self.names[place]))

    def is_read(self) -> bool:
        """Tell whether all that was to be read has been."""
        return all(each.digests is not None for each in self.shares)

    def is_worth_remembering(self) -> bool:
        """Tell whether asking costs less than reading the files."""
        return len(self.names) >= WORTH_REMEMBERING or any(
            type == FILE and hashing.size_in(stamp) >= WORTH_ASKING
            for type, stamp in zip(self.types, self.stamps, strict=True)
        )

    def listing(self, places: Sequence[int] | None = None) -> bytes:
        """Return what is the same as long as nothing has changed, but inside of folders in it.

        That of some members only, where some were not there any more.
        """
        names, types, stamps = self.names, self.types, self.stamps
        if places is not None:
            names = [names[at] for at in places]
            types = [types[at] for at in places]
            unsettled = self.unsettled
            stamps = [hashing.UNSETTLED if at in unsettled else stamps[at] for at in places]
        if FOLDER in types:
            pairs = zip(names, types, strict=True)
            names = [name + b"/" if type == FOLDER else name for name, type in pairs]
        return b"\0".join(names) + b"\0" + b"".join(stamps)

    def entries(self, places: Sequence[int]) -> list[Entry]:
        """Return some members as a manifest lists them."""
        texts = os.fsdecode(b"\0".join(self.names)).split("\0")
        types, stamps, sizes = self.types, self.stamps, self.sizes
        return [
            Entry(
                texts[at],
                types[at],
                sizes[at],
                content,
                is_executable=types[at] == FILE and hashing.is_executable_in(stamps[at]),
            )
            for at in places
            if (content := self.digests[at]) is not None
        ]


class Directories:
    """Reads directories, and remembers what they held."""

    def __init__(self, fingerprints: Fingerprints, held: dict[str, bytes]) -> None:
        """`held` takes the manifests, by the hex of their digest."""
        self._fingerprints = fingerprints
        self._held = held
        self._done: dict[str, tuple[bytes, int]] = {}
        """Folders whose parent is still to come: digest, and size of all that is in them."""
        self._new: list[tuple[str, bytes, bytes, bytes]] = []
        """What is to be remembered."""
        self._count = 0
        """Members of those folders."""
        self.unsteady: list[str] = []
        """Files that changed each time that they were read."""

    def read(self, path: str) -> tuple[bytes, int]:
        """Return the digest of a directory and the size of all that it holds. Raises OSError."""
        waiting: deque[_Folder] = deque()
        readers = hashing.Readers()
        try:
            for folder in _folders(path):
                self._start(folder, readers)
                waiting.append(folder)
                while waiting and waiting[0].is_read():
                    self._finish(waiting.popleft())
            readers.finish()
            while waiting:
                self._finish(waiting.popleft())
        finally:
            readers.close()
        self._remember()
        return self._done.pop(path)

    def _start(self, folder: _Folder, readers: hashing.Readers) -> None:
        """Have what is not known to be unchanged read."""
        is_worth = folder.is_worth_remembering()
        was = self._fingerprints.folder(folder.path) if is_worth else None
        if was is not None and was[0] == folder.listing():
            folder.known = was[1], was[2]
            return
        folder.expand()
        if was is not None:
            folder.recall(was[0], manifests.unpack(was[2]))
        folder.read_at = time.time_ns()
        for place, type in enumerate(folder.types):
            if folder.digests[place] is not None or type == FOLDER:
                continue
            if type == LINK:
                self._read_link(folder, place)
            elif folder.sizes[place] < WORTH_ASKING or not self._is_known(folder, place):
                folder.lacking.append(place)
        names = [folder.names[place] for place in folder.lacking]
        stamps = [folder.stamps[place] for place in folder.lacking]
        folder.shares = list(hashing.shares(os.fsencode(folder.path), names, stamps))
        for share in folder.shares:
            readers.add(share)

    def _is_known(self, folder: _Folder, place: int) -> bool:
        """Tell whether a large file was read as one by itself; take its digest then."""
        path = folder.path_of(place)
        try:
            stat = os.lstat(path)
        except OSError:
            return False
        known = self._fingerprints.known(path, stat)
        if known is None or hashing.stamp(stat) != folder.stamps[place]:
            return False
        folder.digests[place] = known["blake3"]
        return True

    def _read_link(self, folder: _Folder, place: int) -> None:
        try:
            target = os.fsencode(os.readlink(folder.path_of(place)))
        except OSError:  # gone, or no link any more
            return
        folder.digests[place], folder.sizes[place] = digest.of_bytes(target), len(target)
        _distrust(folder, place, folder.read_at)

    def _finish(self, folder: _Folder) -> None:
        """Make a folder's manifest, after those of the folders in it; note what to remember."""
        self._take(folder)
        inside = [self._done.pop(path, (None, 0)) for path in folder.inside()]
        held = b"".join([content or b"" for content, _ in inside])
        if folder.known is not None:
            if folder.known[0] == held:
                self._add(folder, folder.known[1], folder.size + sum(size for _, size in inside))
                return
            folder.expand(manifests.unpack(folder.known[1]))
        folders = [place for place, type in enumerate(folder.types) if type == FOLDER]
        for place, (content, size) in zip(folders, inside, strict=True):
            folder.digests[place], folder.sizes[place] = content, size
        there = [place for place, content in enumerate(folder.digests) if content is not None]
        manifest = manifests.pack(folder.entries(there))
        links = folder.types.count(LINK)
        size = sum([folder.sizes[at] for at in there if not links or folder.types[at] != LINK])
        self._add(folder, manifest, size)
        if folder.is_worth_remembering():
            self._new.append((folder.path, folder.listing(there), held, manifest))
            self._count += len(there)
            if self._count >= TOGETHER:
                self._remember()

    def _take(self, folder: _Folder) -> None:
        """Take what was read of a folder's files; read again what was another file by then."""
        found = (content for share in folder.shares for content in share.digests or ())
        is_settled = folder.read_at - folder.newest >= COARSE_TICK
        for place, content in zip(folder.lacking, found, strict=True):
            if content is None:
                self._read_again(folder, place)
                continue
            folder.digests[place] = content
            if not is_settled:
                _distrust(folder, place, folder.read_at)

    def _read_again(self, folder: _Folder, place: int) -> None:
        path = folder.path_of(place)
        read_at = time.time_ns()
        try:
            read = hashing.read_file(path)
        except OSError as error:
            if error.errno in _GONE:
                return
            raise
        folder.digests[place], folder.stamps[place] = read.digest, read.stamp
        folder.sizes[place] = hashing.size_in(read.stamp)
        _distrust(folder, place, read_at)
        if not read.is_steady:
            folder.unsettled.add(place)
            self.unsteady.append(path)

    def _add(self, folder: _Folder, manifest: bytes, size: int) -> None:
        content = digest.of_bytes(manifest)
        self._held[content.hex()] = manifest
        self._done[folder.path] = content, size

    def _remember(self) -> None:
        if self._new:
            self._fingerprints.set_folders(self._new)
            self._new, self._count = [], 0


def _folders(top: str) -> Iterator[_Folder]:
    """Yield a directory and the folders in it, those inside before those around them."""
    waiting = [(folder := _listed(top), iter(folder.inside()))]
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
        waiting.append((below, iter(below.inside())))


def _listed(path: str) -> _Folder:
    rows: list[_Row] = []
    total = newest = 0
    pack = hashing.stamp
    # Open, so that the path to it is walked once and not for each member: a sixth of the time.
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(folder) as found:
            for each in found:
                name = os.fsencode(each.name)
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
                newest = max(newest, stat.st_mtime_ns, stat.st_ctime_ns)
                rows.append((name, FILE if is_file else LINK, pack(stat)))
    finally:
        os.close(folder)
    rows.sort()
    return _Folder(path, rows, total, newest)


def _distrust(folder: _Folder, place: int, read_at: int) -> None:
    """Do not remember what could change within this tick of the file system's clock."""
    changed = hashing.changed_in(folder.stamps[place])
    if read_at - changed < tick_of(changed):
        folder.unsettled.add(place)
