"""The work tree as git sees it: what differs from HEAD, what git does not track; and trees of it.

Each question to git is started, and finished when its answer is needed: several run at once.
"""

from __future__ import annotations

import os

from gitlineage import access
from gitlineage.errors import ReadOnlyRepository
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository

NOT_OUTPUTS = (
    "__pycache__/",
    "*.pyc",
    ".venv/",
    "venv/",
    "node_modules/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".ipynb_checkpoints/",
    ".tox/",
    ".nox/",
    ".cache/",
    ".git/",
    ".DS_Store",
    ".coverage",
    "*.swp",
)
"""What commands write on the side, in git's ignore patterns: never detected as outputs."""

SINGLY = 5000
"""Untracked files up to which git is asked of each whether it is ignored, at 3 us each."""

_PRIVATELY = (
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.splitIndex=false",
    "-c", "core.fsmonitor=false",
)  # fmt: skip
"""Settings for work on a staging area of our own.

Hooks would be told of a change to the user's, a split one would leave its larger part in the
user's git folder, and a monitor would be asked once more, for a few paths that we name.
"""


class WorkTree(Record):
    """How the work tree differs from HEAD; paths relative to its top."""

    commit: str | None
    branch: str | None
    changed: tuple[str, ...]
    """Tracked by HEAD or the staging area, and different from HEAD in the work tree."""
    submodules: Mapping[str, bool]
    """Changed submodules: path to whether their own work tree is dirty."""


def look_early(repository: Repository, *, at_all: bool) -> None:
    """Start what the next `start_status` would, which is about to come, and `start_others`.

    The latter not where there may be folders that it need not look into.
    """
    repository.early_status = start_status(repository)
    if at_all:
        repository.early_others = start_others(repository)


def start_status(repository: Repository) -> GitProcess:
    """Start looking at the work tree, for `status` to finish."""
    if repository.early_status is not None:
        started, repository.early_status = repository.early_status, None
        return started
    return repository.start(
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--no-renames",
        "--no-ahead-behind",
        "--untracked-files=no",
        "--ignore-submodules=none",  # else what is untracked in them would not count
    )


def status(repository: Repository, started: GitProcess | None = None) -> WorkTree:
    """Return how the work tree differs from HEAD."""
    commit = branch = None
    changed: list[str] = []
    submodules: dict[str, bool] = {}
    listed = (started or start_status(repository)).finish()
    for entry in os.fsdecode(listed).split("\0"):
        mark = entry[:2]
        if mark in ("1 ", "u "):
            fields = entry.split(" ", 8 if mark == "1 " else 10)
            if fields[2].startswith("S"):
                submodules[fields[-1]] = fields[2][2:] != ".."
            changed.append(fields[-1])
        elif entry.startswith("# branch.oid ") and not entry.endswith(" (initial)"):
            commit = entry[len("# branch.oid ") :]
        elif entry.startswith("# branch.head ") and not entry.endswith(" (detached)"):
            branch = entry[len("# branch.head ") :]
    return WorkTree(
        commit=commit,
        branch=branch,
        changed=tuple(changed),
        submodules=submodules,
    )


def start_others(repository: Repository, folders: Sequence[str] = ()) -> GitProcess:
    """Start listing the files that git does not track and that may be code or outputs.

    But for those in `folders`: of 100,000 names git's list and ours take half a second.
    """
    if repository.early_others is not None:
        started, repository.early_others = repository.early_others, None
        return started
    return start_untracked(repository, (*NOT_OUTPUTS, *map(folder_pattern, folders)))


def start_untracked(repository: Repository, excluded: Sequence[str] = ()) -> GitProcess:
    """Start listing the files that git does not track, but for those of the patterns."""
    # Not by `git status`: it would walk through all folders once more, 11 ms of 20,000 files.
    options = [option for pattern in excluded for option in ("-x", pattern)]
    return repository.start("ls-files", "--others", "-z", *options)


def folder_pattern(path: str) -> str:
    """Return the pattern that stands for one folder and all that is in it."""
    return "/" + "".join("\\" + each if each in "\\*?[" else each for each in path) + "/"


def start_changed(repository: Repository) -> GitProcess:
    """Start listing the tracked files that may have been written since git looked last.

    Git compares 20,000 files in 20 ms where Python takes 80.
    """
    return repository.start("diff-files", "--name-only", "-z", "--ignore-submodules=all")


def untracked(repository: Repository, started: GitProcess | None = None) -> list[str]:
    """Return the files that git does not track, ignored ones too; repositories end in `/`."""
    return os.fsdecode((started or start_untracked(repository)).finish()).split("\0")[:-1]


def start_ignored(
    repository: Repository, untracked: Sequence[str], folders: Sequence[str] = ()
) -> GitProcess | None:
    """Start asking which untracked files git ignores, for `not_ignored` to finish.

    What is in `folders` is not among them.
    """
    if not untracked:
        return None
    if len(untracked) > SINGLY:
        # Of the others: git does not look into a folder that it ignores.
        options = [option for each in folders for option in ("-x", folder_pattern(each))]
        return repository.start("ls-files", "--others", "--exclude-standard", "-z", *options)
    content = b"".join(os.fsencode(path) + b"\0" for path in untracked)
    return repository.start("check-ignore", "--no-index", "--stdin", "-z", content=content)


def not_ignored(untracked: Sequence[str], started: GitProcess | None) -> list[str]:
    """Return the untracked files but for those that git ignores."""
    if started is None:
        return []
    told = frozenset(os.fsdecode(started.finish(accept=(0, 1))).split("\0"))
    are_told = len(untracked) > SINGLY
    return [path for path in untracked if (path in told) is are_told]


def tree_with(repository: Repository, paths: Sequence[str]) -> str:
    """Return the id of the staging area's tree with `paths` as the work tree has them.

    The objects are written; the user's staging area is not: git works on a private copy of it,
    and runs the clean filters (LFS and others) that libgit2 does not.
    """
    private = os.path.join(repository.lineage_dir, f"index.{os.urandom(8).hex()}")
    environment = {"GIT_INDEX_FILE": private}
    theirs = os.path.join(
        repository.home,
        os.environ.get("GIT_INDEX_FILE") or os.path.join(repository.git_dir, "index"),
    )
    try:
        access.make_folder(repository.lineage_dir)
        if os.path.exists(theirs):
            # The entries' stat data come along, so that git reads only what has changed.
            with open(theirs, "rb") as source, open(private, "wb") as copy:
                while chunk := source.read(1 << 20):
                    copy.write(chunk)
                before = os.fstat(source.fileno())
            # And its time: what was changed in the same second as the staging area is looked at
            # again, since its size and times do not tell.
            os.utime(private, ns=(before.st_atime_ns, before.st_mtime_ns))
        content = b"".join(os.fsencode(path) + b"\0" for path in paths)
        if content:
            # safecrlf would refuse what `git add` is to refuse, not a snapshot.
            repository.ask(
                "-c",
                "core.safecrlf=false",
                *_PRIVATELY,
                "update-index",
                "-z",
                "--add",
                "--remove",
                "--stdin",
                content=content,
                environment=environment,
            )
        return repository.ask(*_PRIVATELY, "write-tree", environment=environment).decode().strip()
    except OSError as error:
        raise ReadOnlyRepository.of(repository.lineage_dir, error) from error
    finally:
        for leftover in (private, private + ".lock"):
            if os.path.exists(leftover):
                os.unlink(leftover)


def check_out(repository: Repository, tree: str, folder: str) -> None:
    """Write a tree's files into a folder.

    By git itself, on a private staging area: it refuses paths that leave the folder, and runs the
    filters that the files were stored with.
    """
    os.makedirs(folder, exist_ok=True)
    private = os.path.join(repository.lineage_dir, f"index.{os.urandom(8).hex()}")
    environment = {"GIT_INDEX_FILE": private}
    try:
        whole = (*_PRIVATELY, "-c", "core.sparseCheckout=false")
        repository.ask(*whole, "read-tree", tree, environment=environment)
        written = ("checkout-index", "--all", f"--prefix={folder}/")
        repository.ask(*whole, *written, environment=environment)
    finally:
        for leftover in (private, private + ".lock"):
            if os.path.exists(leftover):
                os.unlink(leftover)
