"""Finds content by what it is: in the work tree, in git's objects, in the store of LFS.

Knows where content may lie on this machine; knows nothing of what it is for. What is found was
read and has the digest: a name or a size alone is never believed.
"""

from __future__ import annotations

import os

from gitlineage import scratch
from gitlineage.digest import of_bytes, of_pieces
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitlineage.fingerprints import Fingerprints
    from gitlineage.repository import Repository

EMPTY = of_bytes(b"")


class Wanted(Record):
    """Some content that is looked for."""

    digest: bytes
    """Its blake3."""
    size: int | None = None
    sha256: bytes | None = None
    paths: tuple[str, ...] = ()
    """Where it was once: relative to the top of the work tree, or absolute."""


class Source(Record):
    """Where some content is: one of these."""

    path: str | None = None
    """A file, absolute."""
    blob: str | None = None
    """An object of git; where both are None, the content is empty."""


class Contents:
    """The contents that are at hand in one repository and around it."""

    def __init__(self, repository: Repository, fingerprints: Fingerprints) -> None:
        self._repository = repository
        self._fingerprints = fingerprints
        self._found: dict[bytes, Source] = {EMPTY: Source()}

    def add(self, digest: bytes, path: str) -> None:
        """Say where some content is that was just made."""
        self._found.setdefault(digest, Source(path=path))

    def find(self, wanted: Sequence[Wanted]) -> dict[bytes, Source]:
        """Return where contents are, by digest; what is found nowhere is left out."""
        for each in wanted:
            if each.digest not in self._found and (path := self._nearby(each)) is not None:
                self._found[each.digest] = Source(path=path)
        # Two slow looks, each once for all that is still to be found.
        for look in (self._in_work_tree, self._in_objects):
            left = [e for e in wanted if e.digest not in self._found and e.size is not None]
            if left:
                look(left)
        return {e.digest: self._found[e.digest] for e in wanted if e.digest in self._found}

    def is_at(self, path: str, digest: bytes) -> bool:
        """Tell whether a file, outside of the work tree for instance, has some content."""
        return self._is(path, Wanted(digest=digest))

    def write(self, source: Source, path: str) -> None:
        """Write content to a file. Raises OSError, GitFailed."""
        if source.path is not None:
            scratch.copy(source.path, path)
            return
        with open(path, "wb") as file:
            for piece in self._pieces(source.blob) if source.blob else ():
                file.write(piece)

    def _nearby(self, wanted: Wanted) -> str | None:
        """Look where it was, and in the store of LFS, which calls content by its sha256."""
        paths = [os.path.join(self._repository.home, each) for each in wanted.paths]
        if wanted.sha256 is not None:
            name = wanted.sha256.hex()
            store = self._repository.config().get("lfs.storage", "lfs")
            folder = os.path.join(self._repository.common_dir, store, "objects")
            paths.append(os.path.join(folder, name[:2], name[2:4], name))
        return next((path for path in paths if self._is(path, wanted)), None)

    def _in_work_tree(self, wanted: Iterable[Wanted]) -> None:
        """Look at all files of the work tree that have the size."""
        sizes = _by_size(wanted)
        for path, size in _files(self._repository.top) if self._repository.top else ():
            for each in sizes.get(size, ()):
                if each.digest not in self._found and self._is(path, each):
                    self._found[each.digest] = Source(path=path)

    def _in_objects(self, wanted: Iterable[Wanted]) -> None:
        """Look at all objects of git that have the size, whatever reaches them or nothing."""
        sizes = _by_size(wanted)
        listed = self._repository.start(
            "cat-file",
            "--batch-check=%(objecttype) %(objectsize) %(objectname)",
            "--batch-all-objects",
            "--unordered",
            "--buffer",
        ).finish()
        for line in listed.split(b"\n"):
            kind, _, rest = line.partition(b" ")
            size, _, name = rest.partition(b" ")
            if kind != b"blob" or int(size) not in sizes:
                continue
            content = of_pieces(self._pieces(name.decode()))
            if any(each.digest == content for each in sizes[int(size)]):
                self._found.setdefault(content, Source(blob=name.decode()))

    def _pieces(self, blob: str) -> Iterator[bytes]:
        return self._repository.start("cat-file", "blob", blob, takes_input=True).stream(())

    def _is(self, path: str, wanted: Wanted) -> bool:
        """Tell whether a file has the content."""
        try:
            if not os.path.isfile(path):
                return False
            if wanted.size is not None and os.stat(path).st_size != wanted.size:
                return False
            return self._fingerprints.digests(path)[0]["blake3"] == wanted.digest
        except OSError:
            return False


def _by_size(wanted: Iterable[Wanted]) -> dict[int, list[Wanted]]:
    found: dict[int, list[Wanted]] = {}
    for each in wanted:
        if each.size is not None:
            found.setdefault(each.size, []).append(each)
    return found


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the regular files below a folder and their sizes; git's own are left out."""
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for member in found:
                    if member.is_dir(follow_symlinks=False):
                        if member.name != ".git":
                            waiting.append(member.path)
                    elif member.is_file(follow_symlinks=False):
                        yield member.path, member.stat().st_size
        except OSError:
            continue
