"""Folders that were read whole, to stand for all that they hold. Knows paths, not records."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Set


def fold(names: Iterable[str], locate: Callable[[str], str]) -> tuple[list[str], list[str]]:
    """Return the topmost folders that hold nothing but some of these files, and the other files.

    A folder of a single file is not worth one. Paths are recorded ones.
    """
    files = frozenset(names)
    counts: dict[str, int] = {}
    # The deepest first: what a folder holds is known before it is looked at.
    for folder in sorted(_folders(files), key=lambda each: -each.count("/")):
        counts[folder] = _count(locate(folder), folder, files, counts)
    folders = {
        each
        for each, count in counts.items()
        if count > 1 and not counts.get(os.path.dirname(each))
    }
    return sorted(folders), sorted(each for each in files if not folders & set(_above(each)))


def _count(path: str, name: str, files: Set[str], counts: Mapping[str, int]) -> int:
    """Return how many files a folder holds, 0 where any of them is not among those."""
    found = 0
    try:
        with os.scandir(path) as members:
            for each in members:
                inside = os.path.join(name, each.name)
                if each.is_dir(follow_symlinks=False):
                    count = counts.get(inside, 0)
                else:
                    count = int(inside in files and not each.is_symlink())
                if not count:
                    return 0
                found += count
    except OSError:
        return 0
    return found


def _folders(files: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for folder in {os.path.dirname(each) for each in files}:
        found.update((folder, *_above(folder)) if folder else ())
    return found


def _above(name: str) -> list[str]:
    """Return the folders that a path is in; neither the top of the work tree nor the root."""
    found = []
    while (name := os.path.dirname(name)) not in ("", "/"):
        found.append(name)
    return found
