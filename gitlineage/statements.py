"""What others state of inputs and outputs: pointers and keys beside a file, stores of URIs.

Knows where such statements stand, and believes a digest of content that is here only where it
fits; knows nothing of records' order.
"""

from __future__ import annotations

import hashlib
import os

from gitlineage import digest, pointers
from gitlineage.errors import LineageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitlineage.fingerprints import Fingerprints
    from gitlineage.pointers import Pointer
    from gitlineage.records.artifact import Artifact


class Statements:
    """What is stated of files in one work tree."""

    def __init__(self, top: str, lfs_store: str, fingerprints: Fingerprints) -> None:
        self._top = top
        self._lfs = lfs_store
        """The folder of LFS's objects."""
        self._fingerprints = fingerprints
        self._read: dict[str, dict[str, Pointer]] = {}
        """What files of DVC say, by their path."""

    def of(self, artifact: Artifact) -> Artifact:
        """Return an artifact with what others state of its content."""
        if artifact.type != "file":
            return artifact
        full = os.path.join(self._top, artifact.path)
        try:
            pointer = self._stands_for(full, artifact)
            if pointer is not None:
                return self._pointed(artifact, pointer)
            found = self._linked(full) or self._in_lfs(artifact) or self._in_dvc(full, artifact)
        except OSError:
            return artifact
        if found is None or found.size not in (None, artifact.size):
            return artifact
        digests = {found.algorithm: found.digest, **artifact.digests}
        return artifact.replace(digests=digests, kept_by=found.kept_by)

    def _stands_for(self, full: str, artifact: Artifact) -> Pointer | None:
        """Return what a file stands for that is a pointer itself."""
        if artifact.size is None or not 40 < artifact.size <= pointers.LARGEST:
            return None
        with open(full, "rb") as file:
            content = file.read(pointers.LARGEST + 1)
        if content.startswith(b"version https://"):
            return pointers.lfs(content)
        if content.startswith(b"/annex/objects/"):
            return pointers.annex(content.decode("utf-8", "replace"))
        return None

    def _pointed(self, artifact: Artifact, pointer: Pointer) -> Artifact:
        """Return the artifact that a pointer stands for; with our digest where the content is."""
        digests = {pointer.algorithm: pointer.digest}
        path = self._stored(pointer.digest) if pointer.kept_by == "git-lfs" else None
        if path is not None and os.path.isfile(path):
            found, stat = self._fingerprints.digests(path)
            if found.get("sha256", pointer.digest) == pointer.digest == digests["sha256"]:
                if stat.st_size == pointer.size:
                    digests = {**digests, **found}
        return artifact.replace(digests=digests, size=pointer.size, kept_by=pointer.kept_by)

    def _linked(self, full: str) -> Pointer | None:
        if not os.path.islink(full):
            return None
        return pointers.annex(os.readlink(full))

    def _in_lfs(self, artifact: Artifact) -> Pointer | None:
        sha256 = artifact.digests.get("sha256")
        if sha256 is None or not os.path.isfile(self._stored(sha256)):
            return None
        return pointers.Pointer(kept_by="git-lfs", algorithm="sha256", digest=sha256)

    def _stored(self, sha256: bytes) -> str:
        name = sha256.hex()
        return os.path.join(self._lfs, name[:2], name[2:4], name)

    def _in_dvc(self, full: str, artifact: Artifact) -> Pointer | None:
        """Return what DVC states of a file that is here, where that is so."""
        stated = self._from(full + ".dvc").get(os.path.basename(full))
        folder = os.path.dirname(full)
        while stated is None and (folder + os.sep).startswith(self._top + os.sep):
            name = os.path.relpath(full, folder)
            stated = self._from(os.path.join(folder, "dvc.lock")).get(name)
            folder = os.path.dirname(folder)
        if stated is None or stated.size not in (None, artifact.size):
            return None
        if (artifact.size or 0) > digest.SHA256_LIMIT:
            return None  # whether it is so would take longer than it is worth
        with open(full, "rb") as file:
            is_so = hashlib.file_digest(file, _md5).digest() == stated.digest
        return stated if is_so else None

    def _from(self, path: str) -> dict[str, Pointer]:
        if path not in self._read:
            try:
                with open(path, "rb") as file:
                    self._read[path] = pointers.dvc(file.read(16 << 20))
            except OSError:
                self._read[path] = {}
        return self._read[path]


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def look_up(inputs: Iterable[tuple[Artifact, str]]) -> tuple[tuple[Artifact, ...], list[str]]:
    """Return artifacts of URIs with what their stores say, and what to say where one does not.

    Beside each artifact is the URI as it was given: the artifact's own has no secrets.
    """
    from gitlineage import remote

    found, warnings = [], []
    for artifact, given in inputs:
        try:
            facts = remote.facts(given)
        except LineageError as error:
            warnings.append(str(error).replace(given, artifact.path))
            found.append(artifact)
            continue
        digests = {**facts.digests, **artifact.digests}
        found.append(artifact.replace(digests=digests, size=facts.size, remote=facts.remote))
    return tuple(found), warnings
