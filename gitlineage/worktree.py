"""The work tree as git sees it: what differs from HEAD, what git does not track; and trees of it.

Each question to git is started, and finished when its answer is needed: several run at once.
"""

from __future__ import annotations

import fcntl
import os

from gitlineage import access
from gitlineage.errors import ReadOnlyRepository
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

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
    hidden: Mapping[str, str] = {}
    """What has changed and git is told not to look at, and by which bits: git's letters."""


def look_early(repository: Repository, *, at_all: bool) -> None:
    """Start what the next `start_status` would, which is about to come, and `start_listing`.

    The latter not where there may be folders that it need not look into.
    """
    repository.early_status = start_status(repository)
    if at_all:
        repository.early_others = start_listing(repository)


def start_status(
    repository: Repository, environment: Mapping[str, str] | None = None
) -> GitProcess:
    """Start looking at the work tree, for `status` to finish."""
    if repository.early_status is not None and environment is None:
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
        environment=environment,
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
    return start_untracked(repository, (*NOT_OUTPUTS, *map(folder_pattern, folders)))


def start_listing(repository: Repository, folders: Sequence[str] = ()) -> GitProcess:
    """Start listing those, and the tracked files that git is told not to look at, for `listing`.

    The latter cost 2 ms of 20,000 files here, and a process of their own would cost 6.
    """
    if repository.early_others is not None:
        started, repository.early_others = repository.early_others, None
        return started
    excluded = (*NOT_OUTPUTS, *map(folder_pattern, folders))
    started = start_untracked(repository, excluded, "--cached", "-v")
    started.widen()  # 0.5 MB of 20,000 files, which nobody reads until git has its status
    return started


def listing(started: GitProcess) -> tuple[list[str], dict[str, str]]:
    """Return the files that git does not track, and those that it is told not to look at.

    The latter with git's letter: `S` skips the work tree, a small one is assumed to be unchanged.
    """
    listed = b"\0" + started.finish()
    # Git lists the untracked ones first, each behind a question mark.
    last = listed.rfind(b"\0? ")
    end = listed.index(b"\0", last + 1) if last >= 0 else 0
    others = os.fsdecode(listed[:end].replace(b"\0? ", b"\0")).split("\0")[1:]
    tracked = listed[end:]
    if tracked.count(b"\0H ") == tracked.count(b"\0") - 1:
        return others, {}  # nearly always
    entries = (os.fsdecode(each).split(" ", 1) for each in tracked.split(b"\0")[1:-1])
    return others, {path: mark for mark, path in entries if mark == "S" or mark.islower()}


def start_untracked(
    repository: Repository, excluded: Sequence[str] = (), *options: str
) -> GitProcess:
    """Start listing the files that git does not track, but for those of the patterns."""
    # Not by `git status`: it would walk through all folders once more, 11 ms of 20,000 files.
    patterns = [option for pattern in excluded for option in ("-x", pattern)]
    return repository.start("ls-files", "--others", "-z", *options, *patterns)


def with_hidden(repository: Repository, tree: WorkTree, listed: Mapping[str, str]) -> WorkTree:
    """Return the work tree with the changes to files that git is told not to look at.

    `listed` is what `listing` tells. In a sparse checkout git itself looks at those that are there.
    """
    skips = not repository.is_set("core.sparsecheckout")
    marked = {
        path: letter
        for path, letter in listed.items()
        if letter.islower() or (skips and os.path.lexists(os.path.join(repository.home, path)))
    }
    if not marked:
        return tree
    try:
        with _Staging(repository) as staging:
            staging.copy()
            staging.reveal(marked)
            found = status(repository, start_status(repository, staging.environment))
    except OSError:
        return tree  # where nothing can be written nothing is recorded, either
    hidden = {path: marked[path] for path in found.changed if path in marked}
    return tree.replace(hidden=hidden)


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


def tree_with(
    repository: Repository, paths: Sequence[str], hidden: Mapping[str, str] | None = None
) -> str:
    """Return the id of the staging area's tree with `paths` as the work tree has them.

    The objects are written; the user's staging area is not: git works on a private copy of it,
    and runs the clean filters (LFS and others) that libgit2 does not. `hidden` are those of the
    paths that git is told not to look at, with its letters.
    """
    try:
        with _Staging(repository) as staging:
            staging.copy()
            staging.reveal(hidden or {})
            if paths:
                staging.update(paths, "--add", "--remove")
            return staging.ask("write-tree").decode().strip()
    except OSError as error:
        raise ReadOnlyRepository.of(repository.lineage_dir, error) from error


def check_out(repository: Repository, tree: str, folder: str) -> None:
    """Write a tree's files into a folder.

    By git itself, on a private staging area: it refuses paths that leave the folder, and runs the
    filters that the files were stored with.
    """
    os.makedirs(folder, exist_ok=True)
    with _Staging(repository) as staging:
        whole = ("-c", "core.sparseCheckout=false")
        staging.ask(*whole, "read-tree", tree)
        staging.ask(*whole, "checkout-index", "--all", f"--prefix={folder}/")


class _Staging:
    """A staging area of our own.

    Killed, it leaves files in the journal's folder that belong to no entry, which the next
    command removes there: it finds the one that ends in `.new`, and its lock free.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        folder = os.path.join(repository.lineage_dir, "running")
        self._path = os.path.join(folder, os.urandom(20).hex())
        self._private = self._path + ".index"
        self.environment = {"GIT_INDEX_FILE": self._private}

    def __enter__(self) -> Self:
        access.make_folder(os.path.dirname(self._path))
        self._lock = os.open(self._path + ".new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.write(self._lock, b"\0")
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for leftover in (self._private, self._private + ".lock", self._path + ".new"):
            if os.path.exists(leftover):
                os.unlink(leftover)
        os.close(self._lock)

    def copy(self) -> None:
        """Begin with the user's staging area. Raises OSError."""
        theirs = os.path.join(
            self._repository.home,
            os.environ.get("GIT_INDEX_FILE") or os.path.join(self._repository.git_dir, "index"),
        )
        if not os.path.exists(theirs):
            return
        # The entries' stat data come along, so that git reads only what has changed.
        with open(theirs, "rb") as source, open(self._private, "wb") as copy:
            while chunk := source.read(1 << 20):
                copy.write(chunk)
            before = os.fstat(source.fileno())
        # And its time: what was changed in the same second as the staging area is looked at
        # again, since its size and times do not tell.
        os.utime(self._private, ns=(before.st_atime_ns, before.st_mtime_ns))

    def reveal(self, hidden: Mapping[str, str]) -> None:
        """Have git look at files again."""
        for option, letters in (("--no-assume-unchanged", "hsm"), ("--no-skip-worktree", "Ss")):
            if paths := [path for path, letter in hidden.items() if letter in letters]:
                self.update(paths, option)

    def update(self, paths: Sequence[str], *options: str) -> None:
        """Change the entries of some paths."""
        content = b"".join(os.fsencode(path) + b"\0" for path in paths)
        # safecrlf would refuse what `git add` is to refuse, not a snapshot.
        asked = ("-c", "core.safecrlf=false", "update-index", "-z", *options, "--stdin")
        self.ask(*asked, content=content)

    def ask(self, *words: str, content: bytes = b"") -> bytes:
        """Run git on it."""
        asked = (*_PRIVATELY, *words)
        return self._repository.ask(*asked, content=content, environment=self.environment)
