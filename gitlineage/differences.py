"""How two trees of code differ, as git says it. Knows git's diff; nothing of executions."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.repository import Repository

INDENTED = (".py", ".pyi", ".pyx", ".yaml", ".yml", ".mk", "Makefile", ".hs", ".nim")
"""Ends of the names of files in which the space at the start of a line means something."""

_DIFF = ("--literal-pathspecs", "diff", "--no-ext-diff")


def files(
    repository: Repository, one: str, other: str, paths: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the files that differ between two trees: git's letter (`A`, `D`, `M`, `T`) and path.

    Paths are files or folders that it is limited to, relative to the top.
    """
    listed = repository.ask(*_DIFF, "--name-status", "--no-renames", "-z", one, other, "--", *paths)
    words = os.fsdecode(listed).split("\0")
    return list(zip(words[0:-1:2], words[1::2], strict=True))


def patch(
    repository: Repository,
    one: str,
    other: str,
    paths: Sequence[str] = (),
    options: Sequence[str] = (),
) -> bytes:
    """Return how two trees differ, as a patch or in the form that options of git's ask for."""
    return repository.ask(*_DIFF, "--no-color", *options, one, other, "--", *paths)


def notable(
    repository: Repository, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], set[str]]:
    """Return of each pair of trees the files of the first that are others in the second.

    Files in which only space differs do not count, nor those that the first tree does not have.
    """
    asked = list(dict.fromkeys(pairs))
    if not asked:
        return {}
    content = b"".join(f"{one} {other}\n".encode() for one, other in asked)
    options = ("--diff-filter=MDT", "--ignore-blank-lines", "--no-renames", "--no-ext-diff")
    started = [
        repository.start(
            "diff-tree", "--stdin", "-r", "-z", "--numstat", *options, space, content=content
        )
        for space in ("--ignore-all-space", "--ignore-space-at-eol")
    ]
    loose, strict = (_numbered(os.fsdecode(each.finish()), asked) for each in started)
    return {
        pair: {path for path in strict[pair] if path.endswith(INDENTED) or path in loose[pair]}
        for pair in asked
    }


def _numbered(listed: str, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """Return the paths that `git diff-tree --stdin --numstat -z` lists of each pair."""
    found: dict[tuple[str, str], set[str]] = {pair: set() for pair in asked}
    heads = [f"{one} {other}\n" for one, other in asked]
    at = -1
    for line in listed.split("\0"):
        while at + 1 < len(heads) and line.startswith(heads[at + 1]):
            at += 1
            line = line[len(heads[at]) :]
        if line:
            found[asked[at]].add(line.split("\t", 2)[2])
    return found
