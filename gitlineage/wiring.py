"""Wires a repository to its remotes: what `init` changes, and takes back. Knows hooks and config.

Recording works without it. Everything is idempotent, and each change is said.
"""

from __future__ import annotations

import os
import shutil
import sys

import gitlineage
from gitlineage.sync import NOTES, TRACKING, Sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.repository import Repository

HOOK = "pre-push"
BEFORE = "pre-push.before-lineage"
MARK = "# git-lineage: "


class Wiring:
    """The settings of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def connect(self, remote: str | None) -> list[str]:
        """Make plain fetches and pushes carry lineage; return what was changed."""
        said = []
        if remote is not None:
            for spec in self._refspecs(remote):
                if self._add(f"remote.{remote}.fetch", spec):
                    said.append(f"fetches of {remote} bring {spec.split(':')[0].lstrip('+')}")
            said += self._install()
        if self._add("notes.displayRef", NOTES):
            said.append("`git log` shows executions as notes on commits")
        return said

    def disconnect(self, remote: str | None) -> list[str]:
        """Take back what `connect` changed; return what that was. No record is touched."""
        said = []
        if remote is not None:
            for spec in self._refspecs(remote):
                if self._drop(f"remote.{remote}.fetch", spec):
                    said.append(f"fetches of {remote} bring no lineage")
        if self._drop("notes.displayRef", NOTES):
            said.append("`git log` shows no notes of executions")
        return said + self._uninstall()

    def _refspecs(self, remote: str) -> list[str]:
        # With wildcards: a refspec that names a ref which the remote lacks breaks every fetch.
        return [f"+refs/lineage/{kind}/*:{TRACKING}{remote}/{kind}/*" for kind in ("ledger", "tags")]

    def _values(self, name: str) -> list[str]:
        listed = self._repository.start("config", "--local", "-z", "--get-all", name).outcome()
        return os.fsdecode(listed[1]).split("\0")[:-1]

    def _add(self, name: str, value: str) -> bool:
        if value in self._values(name):
            return False
        self._repository.ask("config", "--local", "--add", name, value)
        return True

    def _drop(self, name: str, value: str) -> bool:
        if value not in self._values(name):
            return False
        self._repository.ask("config", "--local", "--fixed-value", "--unset-all", name, value)
        return True

    # -- the hook --------------------------------------------------------------------------

    def _folder(self) -> str:
        found = self._repository.ask("rev-parse", "--git-path", "hooks")
        return os.path.join(self._repository.home, os.fsdecode(found).rstrip("\n"))

    def _install(self) -> list[str]:
        folder = self._folder()
        hook = os.path.join(folder, HOOK)
        if self._is_in_work_tree(folder):
            # Installing there would change the user's tracked files.
            if _is_ours(hook):
                return []
            return [f"nothing in {folder}, which is part of the work tree: add the line "
                    '`git lineage pre-push "$@" </dev/null` to its pre-push hook yourself']
        text = _shim()
        if _is_ours(hook):
            with open(hook) as file:
                if file.read() == text:
                    return []
        elif os.path.lexists(hook):
            os.rename(hook, os.path.join(folder, BEFORE))
        os.makedirs(folder, exist_ok=True)
        with open(hook + ".new", "w") as file:
            file.write(text)
        os.chmod(hook + ".new", 0o755)
        os.rename(hook + ".new", hook)
        chained = os.path.exists(os.path.join(folder, BEFORE))
        return [f"pushes carry lineage ({hook}{', after your own hook' if chained else ''})"]

    def _uninstall(self) -> list[str]:
        folder = self._folder()
        hook, before = os.path.join(folder, HOOK), os.path.join(folder, BEFORE)
        if not _is_ours(hook) or self._is_in_work_tree(folder):
            return []
        if os.path.lexists(before):
            os.rename(before, hook)
        else:
            os.unlink(hook)
        return ["pushes carry no lineage"]

    def _is_in_work_tree(self, folder: str) -> bool:
        top, common = self._repository.top, self._repository.common_dir
        folder = os.path.realpath(folder)
        if top is None or folder.startswith(os.path.realpath(common) + os.sep):
            return False
        return folder.startswith(os.path.realpath(top) + os.sep)


def is_dry_run(parent: int) -> bool:
    """Tell whether the `git push` that called the hook sends nothing."""
    try:
        with open(f"/proc/{parent}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return any(word in (b"--dry-run", b"-n") for word in words)


def remote_to_send_to(repository: Repository, name: str) -> str | None:
    """Return the remote that a push to `name` should carry lineage to, or None."""
    if name not in repository.remotes() or not Sync(repository).is_shared(name):
        return None
    return name


def _is_ours(hook: str) -> bool:
    try:
        with open(hook, errors="replace") as file:
            return MARK in file.read(4096)
    except OSError:
        return False


def _shim() -> str:
    package = os.path.dirname(os.path.abspath(gitlineage.__file__))
    for folder in (os.path.join(package, "hooks"), os.path.join(package, "..", "hooks")):
        path = os.path.join(folder, HOOK)
        if os.path.exists(path):
            with open(path) as file:
                program = shutil.which("git-lineage") or os.path.abspath(sys.argv[0])
                return file.read().replace("@PROGRAM@", "'" + program.replace("'", "'\\''") + "'")
    raise AssertionError("the package holds its hooks")
