"""What was downloaded from URIs, kept by content for the next time.

Knows a folder below `lineage/` in the git directory, which may be removed at any time; knows no
order of records. `content/DIGEST` are whole files: each appears by a rename; `uris/` has what the
store said of each.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import contextmanager

from gitlineage import access, digest, encoding, identity, remote
from gitlineage.errors import LineageError, ReadOnlyRepository, RemoteFailed
from gitlineage.records import FORMAT, Record
from gitlineage.records.artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitlineage.remote import Facts

LIMIT = 10 << 30
"""Bytes that are kept (`lineage.downloadLimit` changes it)."""

UNTOUCHED = 1_000_000_000
"""When each kept file was last written, in seconds: another time tells that somebody wrote to it,
through a link, and its content need not be read to know that it is whole. Archives in zip know no
time before 1980."""

IN_USE = 3600
"""Seconds for which a file stays whatever the limit: somebody may be about to link to it."""


class Known(Record):
    """What a URI stood for when it was downloaded."""

    format: int = FORMAT
    """The format of this note."""
    artifact: Artifact


class Downloads:
    """The downloads of one repository."""

    def __init__(self, lineage_dir: str, limit: int = LIMIT) -> None:
        self._folder = os.path.join(lineage_dir, "downloads")
        self._limit = limit

    def fetch(
        self, uri: str, tell: Callable[[str, int, int], None] | None = None
    ) -> list[tuple[Artifact, str]]:
        """Return the files that a URI or a pattern stands for, and where they are here.

        What is here already, by what the store says, is not fetched again. `tell` is given the
        URI, the bytes that have come and how many there are. Raises RemoteFailed,
        RemoteLibraryMissing, ReadOnlyRepository.
        """
        uris = [uri]
        if "*" in uri.partition("?")[0]:
            uris = remote.matches(uri)
            if not uris:
                reason, hint = "no file there is like that", "check its spelling"
                raise RemoteFailed(uri=remote.safe(uri), reason=reason, hint=hint)
        with self._opened():
            return [self._one(each, tell or _unsaid) for each in uris]

    def again(self, artifact: Artifact, tell: Callable[[str, int, int], None] | None = None) -> str:
        """Return where the content of an earlier download is; it is fetched where it is not here.

        Raises RemoteFailed where the store has other content now, and as `fetch`.
        """
        wanted, remembered = artifact.digests["blake3"], artifact.remote
        path = self._place(wanted)
        with self._opened():
            if _touch(path, artifact.size):
                return path
            uri = artifact.path
            if remembered and remembered.version and uri.startswith("s3") and "?" not in uri:
                uri += "?versionId=" + remembered.version
            found, path = self._one(uri, tell or _unsaid)
        if found.digests["blake3"] != wanted:
            reason, hint = "it is not what it was then", "its former content can be had no more"
            raise RemoteFailed(uri=remote.safe(artifact.path), reason=reason, hint=hint)
        return path

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """Have the folders, without what is too much or left behind. Raises ReadOnlyRepository."""
        try:
            for name in ("content", "uris", "incoming"):
                access.make_folder(os.path.join(self._folder, name))
            self._sweep()
            yield
            self._evict()
        except OSError as error:
            raise ReadOnlyRepository.of(error.filename or self._folder, error) from error

    def _one(self, uri: str, tell: Callable[[str, int, int], None]) -> tuple[Artifact, str]:
        facts = remote.facts(uri)
        known = self._known(uri)
        if known is not None and _is_same(known, facts):
            path = self._place(known.digests["blake3"])
            if _touch(path, known.size):
                return known, path
        shown = remote.safe(uri)
        tell(shown, 0, facts.size or 0)
        descriptor, incoming = tempfile.mkstemp(dir=os.path.join(self._folder, "incoming"))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            remote.fetch(uri, incoming, lambda have, total: tell(shown, have, total))
            found, size = digest.of_file(incoming)
            tell(shown, size, size)
            if any(found.get(kind, value) != value for kind, value in facts.digests.items()):
                reason = "what came is not what the store says that it is"
                raise RemoteFailed(uri=shown, reason=reason, hint="try again")
            if not _is_same(_artifact(uri, facts), remote.facts(uri), is_sure=False):
                reason = "it changed while it was downloaded"
                raise RemoteFailed(uri=shown, reason=reason, hint="try again")
            artifact = _artifact(uri, facts).replace(digests={**facts.digests, **found}, size=size)
            path = self._place(found["blake3"])
            os.fsync(descriptor)
            os.chmod(incoming, 0o444)
            os.utime(incoming, (time.time(), UNTOUCHED))
            os.replace(incoming, path)
        except BaseException:
            if os.path.exists(incoming):
                os.unlink(incoming)
            raise
        finally:
            os.close(descriptor)
        self._remember(uri, artifact)
        return artifact, path

    def _place(self, content: bytes) -> str:
        return os.path.join(self._folder, "content", content.hex())

    def _entry(self, uri: str) -> str:
        name = digest.of_bytes(identity.address(uri).encode()).hex()
        return os.path.join(self._folder, "uris", name)

    def _known(self, uri: str) -> Artifact | None:
        try:
            with open(self._entry(uri), "rb") as file:
                found = encoding.decode(Known, file.read()).artifact
        except (OSError, LineageError):
            return None
        return found if "blake3" in found.digests else None

    def _remember(self, uri: str, artifact: Artifact) -> None:
        descriptor, incoming = tempfile.mkstemp(dir=os.path.join(self._folder, "incoming"))
        with open(descriptor, "wb") as file:
            file.write(encoding.encode(Known(artifact=artifact)))
        os.replace(incoming, self._entry(uri))

    def _sweep(self) -> None:
        """Remove what downloads that were killed have left."""
        with os.scandir(os.path.join(self._folder, "incoming")) as left:
            for each in left:
                try:
                    descriptor = os.open(each.path, os.O_RDWR)
                except OSError:
                    continue  # it has arrived
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.fstat(descriptor).st_mtime < time.time() - 60:  # else about to be locked
                        os.unlink(each.path)
                except OSError:
                    pass
                finally:
                    os.close(descriptor)

    def _evict(self) -> None:
        """Remove what was not used for longest, until the rest is within the limit."""
        with os.scandir(os.path.join(self._folder, "content")) as kept:
            files = []
            for each in kept:
                try:
                    stat = each.stat()
                except FileNotFoundError:
                    continue
                files.append((stat.st_atime, stat.st_size, each.path))
        total = sum(size for _, size, _ in files)
        for used_at, size, path in sorted(files):
            if total <= self._limit or used_at > time.time() - IN_USE:
                break
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            total -= size


def _unsaid(uri: str, have: int, total: int) -> None:
    """Tell nobody."""


def _artifact(uri: str, facts: Facts) -> Artifact:
    return Artifact(
        path=identity.address(uri),
        type="uri",
        how="declared",
        digests=facts.digests,
        size=facts.size,
        remote=facts.remote,
    )


def _is_same(known: Artifact, facts: Facts, *, is_sure: bool = True) -> bool:
    """Tell whether a store has what is known; where it says nothing of use, `is_sure` is not so."""
    if known.remote is None or facts.size not in (None, known.size):
        return False
    for name in ("version", "etag", "modified_at"):
        before, now = getattr(known.remote, name), getattr(facts.remote, name)
        if before is not None or now is not None:
            return bool(before == now)
    return not is_sure


def _touch(path: str, size: int | None) -> bool:
    """Note that a kept file is used, and tell whether it is there and as it was."""
    try:
        stat = os.stat(path)
        if stat.st_size != size or stat.st_mtime != UNTOUCHED:
            return False
        os.utime(path, (time.time(), UNTOUCHED))
    except FileNotFoundError:
        return False
    return True
