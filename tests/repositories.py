"""Repositories to write to, and commits to write, for tests of what is asked of git."""

from __future__ import annotations

from pathlib import Path

from gitlineage import worktree
from gitlineage.commits import Identity, NewCommit
from gitlineage.library import Library
from gitlineage.repository import Repository

REF = "refs/lineage/ledger/2026-11"
ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_795_424_461)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ODD = b"caf\xe9 \n\t\xff".decode(errors="surrogateescape")

BACK_ENDS = ("executable", "library")


def commit_of(message: str = "one\n", **changes: object) -> NewCommit:
    files = {"record": message.encode(errors="surrogatepass")}
    made = NewCommit(files=files, message=message, author=ADA, committer=ADA)
    return made.replace(**changes)


def opened(path: Path, back_end: str) -> Repository:
    """Return a repository that appends by the executable, or by libgit2, for good."""
    found = Repository.discover(str(path))
    if back_end == "library":
        found.library = Library.of(found.git_dir, found.common_dir)
        assert found.library, "libgit2 refuses this repository"
    else:
        found.library = False
    return found


def untracked(repository: Repository) -> tuple[str, ...]:
    found = worktree.untracked(repository)
    return tuple(worktree.not_ignored(found, worktree.start_ignored(repository, found)))


def let_in(path: Path) -> None:
    """Let other users reach a path, which root's temporary folders do not."""
    for above in path.parents:
        if above.stat().st_mode & 0o055 != 0o055:
            above.chmod(above.stat().st_mode | 0o055)
