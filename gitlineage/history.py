"""Which commits of branches and tags have which code, by root tree. Knows git's history only.

Commits are rewritten, by amending, rebasing and the like; a tree is the same wherever it stands.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from gitlineage.repository import Repository

NEWEST = 20_000
"""Commits that are looked at, of the newest: a tenth of a second."""

OURS = ("refs/lineage/*", "refs/lineage-remotes/*", "refs/lineage-scratch/*", "refs/notes/*")


def commits_of(
    repository: Repository, trees: Container[str], since: int = 0
) -> dict[str, list[str]]:
    """Return root trees to the commits that have them, newest first; `since` is in seconds."""
    listed = repository.start(
        "rev-list",
        "--no-commit-header",
        "--format=%H %T",
        f"--max-count={NEWEST}",
        f"--max-age={since}",
        *(f"--exclude={each}" for each in OURS),
        "--all",
    )
    found: dict[str, list[str]] = {}
    for line in listed.outcome()[1].decode().splitlines():
        commit, _, tree = line.partition(" ")
        if tree in trees:
            found.setdefault(tree, []).append(commit)
    return found
