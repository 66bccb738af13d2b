"""Finds the repository that a folder is in, where it lies as nearly all do; else it finds none.

By git's own rules, without the 4 ms that a process takes; git itself is asked about all else:
bare repositories, linked work trees, submodules, other people's, variables and settings that say
where a repository is. Knows what git looks at first; reads no object and no ref.
"""

from __future__ import annotations

import os

from gitlineage.errors import NoRepository, RepositoryNotTrusted, RepositoryRefused

CEILINGS = "GIT_CEILING_DIRECTORIES"

NOT_ABOUT_PLACES = (
    "GIT_LINEAGE_", "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM", "GIT_ASKPASS", "GIT_EDITOR", "GIT_EXEC_PATH", "GIT_PAGER", "GIT_PREFIX",
    "GIT_SSH", "GIT_SSL_", "GIT_TERMINAL_PROMPT", CEILINGS,
)  # fmt: skip
"""Beginnings of variables of git's that do not change where a repository is; ceilings are heeded.
"""


def find(path: str) -> tuple[str, str] | None:
    """Return the top of the work tree that a folder is in, and the folder inside of it.

    None where only git can tell.
    """
    if any(
        each.startswith("GIT_") and not each.startswith(NOT_ABOUT_PLACES) for each in os.environ
    ):
        return None
    here = top = os.path.realpath(path)
    try:
        device = os.stat(os.path.join(here, "")).st_dev
        while not os.path.lexists(git_dir := os.path.join(top, ".git")):
            if os.path.lexists(os.path.join(top, "HEAD")):
                return None  # it may be a bare one
            above = os.path.dirname(top)
            if above == top or os.stat(above).st_dev != device:
                return None
            top = above
        for ceiling in os.environ.get(CEILINGS, "").split(os.pathsep):
            if ceiling and not top.startswith(os.path.realpath(ceiling).rstrip("/") + "/"):
                return None
        is_ours = all(os.lstat(each).st_uid == os.geteuid() for each in (top, git_dir))
        return (top, here[len(top) :].lstrip(os.sep)) if is_ours and _is_plain(git_dir) else None
    except (OSError, AttributeError):
        return None


def _is_plain(git_dir: str) -> bool:
    """Tell whether a folder is a repository of which nothing says that it is a special one."""
    if os.path.islink(git_dir) or os.path.lexists(os.path.join(git_dir, "commondir")):
        return False
    if not all(os.path.isdir(os.path.join(git_dir, each)) for each in ("objects", "refs")):
        return False
    with open(os.path.join(git_dir, "HEAD"), "rb") as file:
        head = file.read(300).strip()
    with open(os.path.join(git_dir, "config"), "rb") as file:
        config = b"".join(file.read().lower().split())
    return (
        (head.startswith(b"ref: refs/heads/") or not head.strip(b"0123456789abcdef"))
        and b"repositoryformatversion=0" in config
        and b"bare=false" in config
        and config.count(b"bare=") == config.count(b"repositoryformatversion=") == 1
        and not any(
            each in config for each in (b"worktree", b"[include", b"extensions", b"\\", b";")
        )
    )


def refusal(path: str, said: str) -> NoRepository:
    """Return the error for what git said when it was asked about a folder."""
    if said.startswith("not a git repository (or "):  # and not: `PATH`, where a `.git` file leads
        return NoRepository(path=path)
    if said.startswith("detected dubious ownership"):
        return RepositoryNotTrusted(path=path, reason=said, top=said.partition("'")[2].rstrip("'"))
    return RepositoryRefused(path=path, reason=said)
