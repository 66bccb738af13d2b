"""Which files an input of a step has, and where each goes. Knows patterns, and nothing of steps."""

from __future__ import annotations

import glob
import os
import urllib.parse

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gitlineage.records.artifact import Artifact

    Fetch = Callable[[str], Sequence[tuple[Artifact, str]]]
    """Given a URI, returns the files that it stands for, and where they are here."""


class Placed(Record):
    """One input of a step."""

    name: str
    sources: tuple[str, ...]
    """The files and directories that are its content, absolute."""
    files: tuple[tuple[str, str], ...]
    """Each file: where it goes below the input's own folder, and where it is."""
    downloads: Mapping[str, Artifact] = {}
    """The files that were downloaded: where each goes, and what it is."""
    fetched: tuple[Artifact, ...] = ()
    """All that was downloaded: some of it may be the same, and go to one place."""


def collect(
    input: str,
    sources: Sequence[str],
    base: str,
    *,
    keep: str,
    name: str | None,
    fetch: Fetch | None = None,
) -> Placed:
    """Return the files that an input has.

    `keep` is what is kept of their folders: `none`, `suffix` (what a pattern stands for) or
    `full`; `name` is for a file that is the only one. A directory keeps what is in it as it is.
    What is elsewhere is fetched, or only named. Raises ValueError, with a sentence, for what
    cannot be an input.
    """
    found = _Collection(base, keep, fetch)
    for source in sources:
        found.add(source)
    files, downloads = found.files, found.downloads
    if name and len(files) == 1:
        files = {_inside(name): file for file in files.values()}
        downloads = {_inside(name): artifact for artifact in downloads.values()}
    return Placed(
        name=input,
        sources=tuple(dict.fromkeys(found.sources)),
        files=tuple(files.items()),
        downloads=downloads,
        fetched=tuple(found.fetched),
    )


class _Collection:
    """The files of one input, as they are found."""

    def __init__(self, base: str, keep: str, fetch: Fetch | None) -> None:
        self._base, self._keep, self._fetch = base, keep, fetch
        self.sources: list[str] = []
        self.files: dict[str, str] = {}
        self.downloads: dict[str, Artifact] = {}
        self.fetched: list[Artifact] = []

    def add(self, source: str) -> None:
        """Add what a path, a pattern or a URI stands for. Raises ValueError."""
        given = _local(source)
        if given is None:
            self._add_remote(source)
            return
        matches = self._matches(given)
        if not matches:
            raise ValueError(f"{source}: no such file or directory")
        for match in matches:
            path = os.path.normpath(os.path.join(self._base, match))
            self.sources.append(path)
            for file in _files(path):
                self._put(os.path.relpath(file, self._top(path, file, given)), file)

    def _add_remote(self, uri: str) -> None:
        if self._fetch is None:
            self.sources.append(uri)
            return
        for artifact, file in self._fetch(uri):
            place = _remote_place(artifact.path, uri, self._keep)
            self._put(place, file, artifact.path)
            self.downloads.setdefault(place, artifact)
            self.fetched.append(artifact)
            self.sources.append(artifact.path)

    def _matches(self, given: str) -> list[str]:
        if os.path.lexists(os.path.join(self._base, given)):
            return [given]
        matched = glob.glob(_pattern(given), root_dir=self._base, recursive=True)
        return sorted(each for each in matched if os.path.isfile(os.path.join(self._base, each)))

    def _top(self, path: str, file: str, given: str) -> str:
        """Return the folder below which a file keeps its place."""
        if self._keep == "full":
            return self._base if file.startswith(self._base + os.sep) else os.sep
        if os.path.isdir(path):
            return path
        if self._keep == "suffix":
            return os.path.join(self._base, _fixed_part(given))
        return os.path.dirname(path)

    def _put(self, place: str, file: str, called: str | None = None) -> None:
        other = self.files.setdefault(place, file)
        if other != file:
            artifact = self.downloads.get(place)
            raise ValueError(
                f"{called or file} and {artifact.path if artifact else other} would both be "
                f"{place}: set keep-directories to suffix or full"
            )


def _remote_place(uri: str, source: str, keep: str) -> str:
    """Return where a download goes below its input's folder."""
    path = _remote_path(uri)
    if keep == "full":
        return _inside(path)
    if keep == "suffix" and "*" in source:
        return _inside(os.path.relpath(path, _fixed_part(_remote_path(source))))
    return _inside(os.path.basename(path))


def _remote_path(uri: str) -> str:
    """Return the path that a URI has in its store."""
    return urllib.parse.unquote(uri.partition("://")[2].partition("/")[2].partition("?")[0])


def _local(source: str) -> str | None:
    """Return the path that a source is; none for what is somewhere else."""
    scheme, separator, rest = source.partition("://")
    if not separator:
        return source
    if scheme == "file":
        return urllib.parse.unquote(rest.removeprefix("localhost"))
    return None


def _pattern(path: str) -> str:
    """Return a pattern as Python has it: `**.csv` is `**/*.csv` there."""
    parts = path.split("/")
    return "/".join(
        "**/" + each.replace("**", "*") if "**" in each and each != "**" else each for each in parts
    )


def _fixed_part(path: str) -> str:
    """Return the folder that a pattern begins with."""
    folder = os.path.dirname(path)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder


def _files(path: str) -> Iterator[str]:
    """Yield a file, or the files in a directory."""
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise ValueError(f"{path}: no such file or directory")
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        if ".git" in folders:
            folders.remove(".git")
        paths = (os.path.join(folder, name) for name in sorted(names))
        yield from (path for path in paths if os.path.isfile(path))


def _inside(name: str) -> str:
    """Return a relative path that leads nowhere else."""
    parts = [each for each in name.split("/") if each not in ("", ".", "..")]
    if not parts:
        raise ValueError(f"{name!r} is not a file name")
    return os.path.join(*parts)
