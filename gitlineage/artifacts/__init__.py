"""Paths as artifacts: what a file or directory holds, by content. Knows the file system, not git.

A directory is the digest of its manifest: one canonical list of entries for each folder, nested,
so that one changed file in 100,000 rewrites a few manifests. `directories` reads them.
"""

from __future__ import annotations

import os
import stat as modes

from gitlineage.records.artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.fingerprints import Fingerprints


class Reader:
    """Reads paths of one work tree."""

    def __init__(self, top: str, fingerprints: Fingerprints) -> None:
        self._top = top
        self._real_top = os.path.realpath(top)
        self._fingerprints = fingerprints
        self.manifests: dict[str, bytes] = {}
        """Manifests of the directories that were read, by the hex of their digest."""
        self.unsteady: list[str] = []
        """Files in directories that changed each time that they were read."""
        self._roots: dict[str, bytes] = {}

    def name(self, given: str, directory: str | None = None) -> str:
        """Return how a path is recorded: relative to the top of the work tree, else absolute."""
        path = os.path.normpath(_without_parents(os.path.join(directory or os.getcwd(), given)))
        for top in (self._top, self._real_top):
            if path == top:
                return "."
            if path.startswith(top + os.sep):
                return path[len(top) + 1 :]
        # A link may lead to the work tree from outside; its folder decides, not the file itself.
        folder, base = os.path.split(path)
        real = os.path.join(os.path.realpath(folder), base)
        if real.startswith(self._real_top + os.sep):
            return real[len(self._real_top) + 1 :]
        return path

    def locate(self, name: str) -> str:
        """Return the absolute path of a recorded one."""
        return os.path.join(self._top, name)

    def read(
        self, name: str, *, how: str, role: str | None = None, given: str | None = None
    ) -> Artifact:
        """Return what a recorded path holds now. Raises OSError."""
        path = self.locate(name)
        stat = os.stat(path)
        spelled = given if given is not None and given != name else None
        host = os.uname().nodename if os.path.isabs(name) else None
        if modes.S_ISDIR(stat.st_mode):
            content, size = self._directory(name, path)
            return Artifact(
                path=name,
                type="directory",
                how=how,
                digests={"blake3": content},
                size=size,
                role=role,
                given=spelled,
                host=host,
            )
        if not modes.S_ISREG(stat.st_mode):
            return Artifact(path=name, type="special", how=how, role=role, given=spelled, host=host)
        digests, read = self._fingerprints.digests(path)
        return Artifact(
            path=name,
            type="file",
            how=how,
            digests=digests,
            size=read.st_size,
            role=role,
            given=spelled,
            host=host,
            is_executable=bool(read.st_mode & 0o100),
        )

    def members(self, name: str) -> list[str]:
        """Return all files and links in a directory that was read, as they are recorded."""
        from gitlineage import manifests

        root = self._roots.get(name)
        if root is None:
            return []
        folder = "" if name == "." else name + "/"
        return [
            folder + path
            for path, entry in manifests.walk(root, lambda each: self.manifests.get(each.hex()))
            if entry.type != manifests.FOLDER
        ]

    def held(self, name: str) -> dict[str, bytes]:
        """Return the blake3 of all files in a directory that was read, by absolute path."""
        from gitlineage import manifests

        root = self._roots.get(name)
        if root is None:
            return {}
        folder = self.locate(name)
        return {
            os.path.join(folder, path): entry.digest
            for path, entry in manifests.walk(root, lambda each: self.manifests.get(each.hex()))
            if entry.type == manifests.FILE
        }

    def _directory(self, name: str, path: str) -> tuple[bytes, int]:
        """Return the digest of a folder's manifest and the size of all that it holds."""
        from gitlineage.artifacts.directories import Directories  # 1 ms: where there is one

        directories = Directories(self._fingerprints, self.manifests)
        content, size = directories.read(path)
        self.unsteady += directories.unsteady
        self._roots[name] = content
        return content, size


def _without_parents(path: str) -> str:
    """Return a path without `..`: above a link to a folder is what is above its target."""
    parts = path.split(os.sep)
    if os.pardir not in parts:
        return path
    last = len(parts) - parts[::-1].index(os.pardir)
    return os.path.join(os.path.realpath(os.sep.join(parts[:last])), *parts[last:])


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a recorded path is a recorded folder or in it."""
    if folder == ".":
        return not os.path.isabs(path)
    return path == folder or path.startswith(folder + "/")


def why(error: OSError, path: str) -> str:
    """Return why a path cannot be read, and which file in it where that is another."""
    reason = (error.strerror or str(error)).lower()
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else path
    return f"{reason}: {os.path.relpath(name, path)}" if name.startswith(path + "/") else reason


def changed_at(folder: str) -> int:
    """Return when the newest change in a folder was: of a file, a link, or what it holds.

    Nanoseconds of the file system's clock; what cannot be read does not count.
    """
    newest = 0
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            # Open, so that the path to it is walked once and not for each member.
            opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            newest = max(newest, os.fstat(opened).st_ctime_ns)
            with os.scandir(opened) as found:
                for member in found:
                    if not member.is_dir(follow_symlinks=False):
                        changed = member.stat(follow_symlinks=False).st_ctime_ns
                        if changed > newest:
                            newest = changed
                    elif member.name != ".git":
                        waiting.append(os.path.join(path, member.name))
        except OSError:
            continue
        finally:
            os.close(opened)
    return newest


def is_uri(given: str) -> bool:
    """Tell whether an input is named by a URI instead of a path."""
    scheme, separator, rest = given.partition("://")
    return bool(
        separator
        and rest
        and scheme[:1].isalpha()
        and scheme.replace("+", "").replace("-", "").replace(".", "").isalnum()
    )
