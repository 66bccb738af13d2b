"""Which files of the code that is kept seem to hold secrets. Knows git's objects and masking.

Code is kept as it is, as git keeps it: that cannot be masked, so it is said. Only files that differ
from the commit are looked at: what is committed was there before.
"""

from __future__ import annotations

import os

from gitlineage import differences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.masking import Masking
    from gitlineage.records.launch import Code
    from gitlineage.repository import Repository

AT_MOST = 16 << 20
"""Bytes that are looked at, in 0.2 s beside the command; the rest is not."""

AT_ONCE = 2 << 20

CODE = (
    ".c", ".cc", ".cpp", ".go", ".ipynb", ".java", ".jl", ".js", ".kt", ".lua", ".m", ".php",
    ".pl", ".py", ".pyx", ".r", ".rb", ".rs", ".scala", ".swift", ".ts",
)  # fmt: skip
"""Ends of names of files in which `password = read()` is no password."""

NAMED_AT_MOST = 5


def suspects(repository: Repository, code: Code, masking: Masking) -> list[str]:
    """Return a warning for each file of a snapshot that seems to hold a secret."""
    if code.tree is None or not code.is_adhoc:
        return []
    if code.commit is None:
        paths = list(repository.entries(code.tree))
    else:
        changed = differences.files(repository, f"{code.commit}^{{tree}}", code.tree)
        paths = [path for letter, path in changed if letter != "D"]
    found = []
    for path, content in _read(repository, code.tree, paths):
        masking.mask(content, path, is_code=path.lower().endswith(CODE))
        if kinds := [each.kind for each in masking.found()]:
            found.append(f"{path} is kept as code and seems to hold secrets ({', '.join(kinds)})")
    if len(found) > NAMED_AT_MOST:
        found[NAMED_AT_MOST:] = [f"{len(found) - NAMED_AT_MOST} more files seem to hold secrets"]
    return found


def _read(repository: Repository, tree: str, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield files of text of a tree, with what they hold, as far as there is time for it."""
    left, waiting, size = AT_MOST, [], 0
    for path in paths:
        try:
            # As it is now, most likely: of what is much larger, git need not be asked.
            large = os.lstat(os.path.join(repository.work_tree(), path)).st_size
        except OSError:
            large = 0
        if large > left:
            continue
        left -= large
        waiting.append(path)
        size += large
        if size >= AT_ONCE:
            yield from _contents(repository, tree, waiting)
            waiting, size = [], 0
    yield from _contents(repository, tree, waiting)


def _contents(
    repository: Repository, tree: str, paths: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    if not paths:
        return
    contents = repository.contents([f"{tree}:{path}" for path in paths])
    for path, content in zip(paths, contents, strict=True):
        if content and b"\0" not in content[:8192]:
            yield path, content
