"""A throw-away work tree: files of a tree in a folder of their own, for git a work tree like any.

Knows the folder below `<git common dir>/lineage/scratch/` and how git finds its way from there;
knows nothing of executions. It has a HEAD and a staging area of its own and shares objects and
refs, as linked work trees do, but stands in no list of those: nobody else sees it. It is locked
while it is used; what a killed process has left is removed by `sweep`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from contextlib import contextmanager

from gitlineage import access
from gitlineage.errors import Refused
from gitlineage.repository import Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

NEW = ".new"
"""Ending of a folder that is not locked yet."""

ENVIRONMENTS = (".venv", "venv", "node_modules", ".tox", ".nox")
"""Folders of installed packages, which are neither code nor inputs: the user's own are used."""

_WITHOUT_HOOKS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.sparseCheckout=false")

_FICLONE = 0x40049409
"""Asks Linux for a copy that shares its blocks, where the file system can."""


class Scratch:
    """One throw-away work tree; use it with `with`, and it is gone afterwards."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._path = os.path.join(_base(repository), os.urandom(8).hex())
        # Some programs call a project by its folder.
        name = os.path.basename(repository.top or "") or "tree"
        self.top = os.path.join(self._path, "tree", name)
        self._git_dir = os.path.join(self._path, "git")
        access.make_folder(os.path.dirname(self._path))
        os.mkdir(self._path + NEW, 0o700)
        self._lock = os.open(self._path + NEW, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(self._path + NEW, self._path)
        os.makedirs(self.top)
        os.mkdir(self._git_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        _remove(self._path)
        os.close(self._lock)

    def check_out(self, tree: str, head: str | None) -> Repository:
        """Write a tree's files, on top of a commit, and return the repository as seen from there.

        What differs from the commit is so in the work tree, not in the staging area. Raises
        GitFailed.
        """
        # An unborn branch of this work tree alone: whatever is committed on it goes with it.
        _write(os.path.join(self._git_dir, "HEAD"), head or "ref: refs/worktree/head")
        _write(os.path.join(self._git_dir, "commondir"), self._repository.common_dir)
        _write(os.path.join(self._git_dir, "gitdir"), os.path.join(self.top, ".git"))
        _write(os.path.join(self.top, ".git"), f"gitdir: {self._git_dir}")
        inner = Repository(self._git_dir, self._repository.common_dir, self.top, "")
        inner.ask(*_WITHOUT_HOOKS, "read-tree", tree)
        inner.ask(*_WITHOUT_HOOKS, "checkout-index", "--all", "--index")
        # Entries that are the same keep their stat data, so that git reads no file again.
        onto = ("-m", head) if head else ("--empty",)
        inner.ask(*_WITHOUT_HOOKS, "read-tree", *onto)
        return inner

    def check_out_other(self, repository: Repository, tree: str, name: str) -> None:
        """Write a tree of another repository, a submodule's, into a folder."""
        folder = self.make_folder(name)
        environment = {"GIT_INDEX_FILE": os.path.join(self._git_dir, "other")}
        repository.ask(*_WITHOUT_HOOKS, "read-tree", tree, environment=environment)
        repository.ask(
            *_WITHOUT_HOOKS,
            "checkout-index",
            "--all",
            f"--prefix={folder}/",
            environment=environment,
        )

    # -- putting files there ---------------------------------------------------------------

    def room_for(self, name: str) -> str:
        """Return the absolute path for a recorded one, its folder made. Raises Refused.

        What is recorded may come from strangers: no path leaves the work tree, by itself or
        through a link that was checked out.
        """
        parts = name.split("/")
        if any(each in ("", "..") or each.lower() == ".git" for each in parts):
            raise Refused(reason=f"{name} is no path in a work tree")
        path = os.path.join(self.top, name)
        folder = self.top
        for part in parts[:-1]:
            folder = os.path.join(folder, part)
            if os.path.islink(folder) or (os.path.exists(folder) and not os.path.isdir(folder)):
                raise Refused(reason=f"{name} leads through a link")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def put(self, name: str, write: Callable[[str], None], *, is_executable: bool = False) -> str:
        """Write a file, in place of what is there, and return its absolute path."""
        path = self.room_for(name)
        if os.path.lexists(path):
            os.unlink(path)
        write(path)
        if is_executable:
            os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def make_folder(self, name: str) -> str:
        """Make sure that a folder is there, and return its absolute path."""
        path = self.top if name == "." else self.room_for(name)
        os.makedirs(path, exist_ok=True)
        if os.path.islink(path):
            raise Refused(reason=f"{name} is a link")
        return path

    def borrow(self, top: str, folders: Sequence[str]) -> None:
        """Link to what is installed in the user's work tree, in these of its folders."""
        for folder in dict.fromkeys(folders):
            for name in ENVIRONMENTS:
                theirs = os.path.join(top, folder, name)
                ours = os.path.join(self.top, folder, name)
                if os.path.isdir(theirs) and not os.path.lexists(ours):
                    os.makedirs(ours)
                    # A folder of links, since git's pattern `.venv/` means folders only.
                    for member in os.listdir(theirs):
                        os.symlink(os.path.join(theirs, member), os.path.join(ours, member))

    # -- being there -----------------------------------------------------------------------

    @contextmanager
    def entered(self, directory: str, stdin: str, stdout: str | None) -> Iterator[None]:
        """Be in a folder, with standard input from a file and standard output to one, or ours."""
        here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        kept = [(number, os.dup(number)) for number in (0, 1)]
        variables = dict(os.environ)
        try:
            os.chdir(directory)
            for name in [each for each in os.environ if each in _GIT_VARIABLES]:
                del os.environ[name]
            os.environ["PWD"] = directory
            _redirect(0, stdin, os.O_RDONLY)
            if stdout is not None:
                _redirect(1, stdout, os.O_WRONLY | os.O_CREAT)
            yield
        finally:
            os.fchdir(here)
            os.close(here)
            os.environ.clear()
            os.environ.update(variables)
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)

    def give_away(self, target: str) -> None:
        """Move the files to a folder that is new or empty; for git they are no work tree then."""
        os.unlink(os.path.join(self.top, ".git"))
        if os.path.isdir(target):
            os.rmdir(target)
        shutil.move(self.top, target)


_GIT_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
)
"""What would lead git back to where we came from."""


def sweep(repository: Repository) -> None:
    """Remove the work trees that nobody uses any more."""
    base = _base(repository)
    for name in os.listdir(base) if os.path.isdir(base) else ():
        path = os.path.join(base, name)
        try:
            if name.endswith(NEW) and time.time() - os.stat(path).st_mtime < 60:
                continue  # about to be locked
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        except OSError:
            continue  # in use
        finally:
            os.close(lock)


def copy(source: str, target: str) -> None:
    """Copy a file with its times; its blocks are shared where the file system can."""
    with open(source, "rb") as theirs, open(target, "wb") as ours:
        try:
            fcntl.ioctl(ours, _FICLONE, theirs.fileno())
        except OSError:
            shutil.copyfileobj(theirs, ours, 1 << 20)
    found = os.stat(source)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _base(repository: Repository) -> str:
    return os.path.join(repository.lineage_dir, "scratch")


def _redirect(number: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o644)
    os.dup2(opened, number)
    os.close(opened)


def _remove(path: str) -> None:
    def again(function: Callable[[str], object], failed: str, _: object) -> None:
        """Make a folder writable that a command has made read-only."""
        try:
            for each in (os.path.dirname(failed), failed):
                if not os.path.islink(each):
                    os.chmod(each, stat.S_IRWXU)
            function(failed)
        except OSError:
            return  # what cannot be removed now is swept later

    shutil.rmtree(path, onerror=again)


def _write(path: str, text: str) -> None:
    with open(path, "w", errors="surrogateescape") as file:
        file.write(text + "\n")
