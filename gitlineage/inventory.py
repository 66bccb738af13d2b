"""Which files in the work tree are known by content, and whether they are as they were recorded.

Knows the index and the work tree; must not know who made anything.
"""

from __future__ import annotations

import os

from gitlineage import artifacts, worktree
from gitlineage.fingerprints import Fingerprints
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gitlineage.index import Index
    from gitlineage.index.files import Known
    from gitlineage.records.artifact import Artifact
    from gitlineage.repository import Repository

TOGETHER = 5000
"""Paths that are looked up at once."""


class Here(Record):
    """A file or directory in the work tree, and how it stands to what is recorded."""

    path: str
    state: str
    """`recorded`: this content is known; `changed`: other content is, at this path; `unknown`."""
    digest: str
    size: int | None
    type: str
    known: Known | None = None
    """This content as it is known; where it was changed, what was last known at its path."""


def look(
    repository: Repository,
    index: Index,
    is_asked: Callable[[str], bool],
    roots: Sequence[str] = (),
) -> list[Here]:
    """Return the files that are here, by path: all that are known, and what git does not track.

    Without `roots`, as they are recorded, what git ignores counts only where it is known.
    """
    top = repository.work_tree()
    started = worktree.start_untracked(repository)
    reader = artifacts.Reader(top, Fingerprints(repository.lineage_dir))
    paths = [each for each in _paths(top, roots or (".",)) if is_asked(each)]
    known: dict[str, Known] = {}
    for start in range(0, len(paths), TOGETHER):
        known |= {each.path: each for each in index.files_at(paths[start : start + TOGETHER])}
    folders = {path for path, each in known.items() if each.type == "directory"}
    others = [
        each
        for each in worktree.untracked(repository, started)
        if each not in known and is_asked(each) and not _folders_of(each) & folders
    ]
    if not roots:
        others = worktree.not_ignored(others, worktree.start_ignored(repository, others))
    found = list(_read(reader, [*known, *(each for each in others if each[-1] != "/")]))
    contents: dict[str, dict[str, Known]] = {}
    for row in index.files_of({str(each.digest) for each in found}):
        contents.setdefault(row.digest, {})[row.path] = row
    stood = [
        _standing(each, contents.get(str(each.digest), {}), known.get(each.path)) for each in found
    ]
    return sorted(stood, key=lambda each: os.fsencode(each.path))


def _standing(found: Artifact, same: Mapping[str, Known], last: Known | None) -> Here:
    """Return how a file stands: this content is known, at its path or others, or other content."""
    row = same.get(found.path) or next(iter(same.values()), None)
    return Here(
        path=found.path,
        state="recorded" if row else "changed" if last else "unknown",
        digest=str(found.digest),
        size=found.size,
        type=found.type,
        known=row or last,
    )


def _paths(top: str, roots: Iterable[str]) -> Iterator[str]:
    """Yield the files and folders below some folders, but for other repositories in there."""
    waiting = [each for each in roots if os.path.lexists(os.path.join(top, each))]
    yield from (each for each in waiting if each != ".")
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(top, folder)) as found:
                members = list(found)
        except OSError:  # a file, or a folder that may not be read
            continue
        if folder != "." and any(each.name == ".git" for each in members):
            continue
        for each in members:
            if each.name == ".git":
                continue
            path = each.name if folder == "." else f"{folder}/{each.name}"
            yield path
            if each.is_dir(follow_symlinks=False):
                waiting.append(path)


def _folders_of(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}


def _read(reader: artifacts.Reader, paths: Iterable[str]) -> Iterator[Artifact]:
    """Yield what is at paths now, as far as it has content and can be read."""
    for each in paths:
        try:
            found = reader.read(each, how="declared")
        except OSError:
            continue
        if found.digest is not None:
            yield found
