"""Wires a repository to its remotes: what `init` changes, and takes back. Knows hooks and config.

Recording works without it. Everything is idempotent, each change is said, and what was changed
is remembered in `lineage/wired`, so that only that is taken back.
"""

from __future__ import annotations

import os
import sys

import gitlineage
from gitlineage.sync.remotes import NOTES, SHARED, TRACKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.repository import Repository

HOOK = "pre-push"
BEFORE = "pre-push.before-lineage"
MARK = "# git-lineage: "
CALL = "git lineage pre-push"
"""What a hook of the user's own says to send lineage."""

USED_BY = "# used by "
"""A hook outside of any repository serves several: one such line for each."""


class Wiring:
    """The settings of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def connect(self, remote: str | None) -> list[str]:
        """Make plain fetches and pushes carry lineage; return what was changed."""
        said = []
        if remote is not None:
            name = f"remote.{remote}.fetch"
            wanted = [f"+refs/lineage/{kind}/*:{TRACKING}{remote}/{kind}/*" for kind in SHARED]
            for spec in self._refspecs(remote):
                if spec not in wanted and self._drop(name, spec):
                    # Of before the remote was renamed; another may have its old name by now.
                    said.append(f"fetches of {remote} no longer write {spec.partition(':')[2]}")
            for spec in wanted:
                if self._add(name, spec):
                    said.append(f"fetches of {remote} bring {spec.split(':')[0].lstrip('+')}")
            try:
                said += self._install()
            except OSError as error:
                said.append(
                    f"no hook, so that a plain push sends nothing: {error.filename}: "
                    f"{error.strerror}"
                )
        if self._add("notes.displayRef", NOTES):
            said.append("`git log` shows executions as notes on commits")
        return said

    def disconnect(self, remote: str | None) -> list[str]:
        """Take back what `connect` changed, for one remote or for all; return what that was.

        No record is touched. The hook and the display setting go with the last remote.
        """
        said = []
        remotes = list(self._repository.remotes()) if remote is None else [remote]
        for each in remotes:
            dropped = [
                self._drop(f"remote.{each}.fetch", spec)
                for spec in self._refspecs(each)
                if self._was_added(f"remote.{each}.fetch {spec}")
            ]
            if any(dropped):
                said.append(f"fetches of {each} bring no lineage")
        if any(self._refspecs(each) for each in self._repository.remotes() if each not in remotes):
            return said
        if self._was_added(f"notes.displayRef {NOTES}") and self._drop("notes.displayRef", NOTES):
            said.append("`git log` shows no notes of executions")
        said += self._uninstall()
        self._write_wired([])
        return said

    def _refspecs(self, remote: str) -> list[str]:
        """Return the refspecs of a remote that are ours."""
        sources = tuple(f"refs/lineage/{kind}/*:{TRACKING}" for kind in SHARED)
        return [
            each
            for each in self._values(f"remote.{remote}.fetch")
            if each.lstrip("+").startswith(sources)
        ]

    def has_lost_refspecs(self, remote: str) -> bool:
        """Tell whether `init` was done for a remote and something has removed its refspecs since.

        `git remote set-branches` does, for instance.
        """
        return not self._refspecs(remote) and any(
            line.startswith(f"remote.{remote}.fetch ") for line in self._wired() or ()
        )

    # -- configuration ---------------------------------------------------------------------

    def _values(self, name: str) -> list[str]:
        listed = self._repository.start("config", "--local", "-z", "--get-all", name).outcome()
        return os.fsdecode(listed[1]).split("\0")[:-1]

    def _add(self, name: str, value: str) -> bool:
        if value in self._values(name):
            return False
        self._repository.ask("config", "--local", "--add", name, value)
        self._write_wired([*(self._wired() or ()), f"{name} {value}"])
        return True

    def _drop(self, name: str, value: str) -> bool:
        if value not in self._values(name):
            return False
        self._repository.ask("config", "--local", "--fixed-value", "--unset-all", name, value)
        return True

    # -- what was changed --------------------------------------------------------------------

    @property
    def _wired_path(self) -> str:
        return os.path.join(self._repository.lineage_dir, "wired")

    def _wired(self) -> list[str] | None:
        """Return what `connect` has changed, a line each; None when that is not known."""
        try:
            with open(self._wired_path, errors="surrogateescape") as file:
                return file.read().splitlines()
        except OSError:
            return None

    def _was_added(self, line: str) -> bool:
        """Tell whether something is of our making; where nothing is known, what looks like it."""
        wired = self._wired()
        return wired is None or line in wired

    def _write_wired(self, lines: list[str]) -> None:
        if lines:
            os.makedirs(self._repository.lineage_dir, exist_ok=True)
            with open(self._wired_path, "w", errors="surrogateescape") as file:
                file.writelines(each + "\n" for each in lines)
        elif os.path.exists(self._wired_path):
            os.unlink(self._wired_path)

    # -- the hook --------------------------------------------------------------------------

    def _folder(self) -> str:
        found = self._repository.ask("rev-parse", "--git-path", "hooks")
        return os.path.join(self._repository.home, os.fsdecode(found).removesuffix("\n"))

    def _install(self) -> list[str]:
        folder = self._folder()
        hook = os.path.join(folder, HOOK)
        before = os.path.join(folder, BEFORE)
        if CALL in _content(hook) and not _is_ours(hook):
            return []  # the user's own hook does it
        if self._would_show(hook):
            return [
                f"nothing in {hook}, which is part of the work tree: add the line "
                f'`{CALL} "$@" </dev/null || true` to it yourself'
            ]
        said = []
        users = self._users(hook)
        text = _shim() + "".join(f"{USED_BY}{each}\n" for each in users)
        if _is_ours(hook):
            if _content(hook) == text:
                return []
        elif os.path.lexists(hook):
            if os.path.lexists(before):
                # Another program has replaced ours. What it finds is not taken away from it.
                kept = next(_numbered(before))
                os.rename(before, kept)
                said.append(f"the hook that was before ours is now {kept}")
            os.rename(hook, before)
        if not os.path.isdir(folder):
            os.makedirs(folder)
            self._write_wired([*(self._wired() or ()), f"folder {folder}"])
        self._hide(hook)
        made = os.open(hook + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755)
        with open(made, "w", errors="surrogateescape") as file:
            file.write(text)
        os.rename(hook + ".new", hook)
        whose = ", after your own hook" if os.path.lexists(before) else ""
        whose += ", in all repositories that use that folder and have lineage" if users else ""
        return [*said, f"pushes carry lineage ({hook}{whose})"]

    def _uninstall(self) -> list[str]:
        folder = self._folder()
        hook, before = os.path.join(folder, HOOK), os.path.join(folder, BEFORE)
        if not _is_ours(hook):
            return []
        lines = _content(hook).splitlines(keepends=True)
        others = [
            each
            for each in lines
            if each.startswith(USED_BY) and each != f"{USED_BY}{self._repository.common_dir}\n"
        ]
        if others:
            with open(hook, "w", errors="surrogateescape") as file:
                file.writelines(
                    each for each in lines if not each.startswith(USED_BY) or each in others
                )
            return [f"pushes from here carry no lineage; others use {hook}"]
        if os.path.lexists(before):
            os.rename(before, hook)
        else:
            os.unlink(hook)
        if f"folder {folder}" in (self._wired() or ()) and not os.listdir(folder):
            os.rmdir(folder)
        self._show()
        return ["pushes carry no lineage"]

    def _users(self, hook: str) -> list[str]:
        """Return whose hook it is, when its folder is outside of the repository."""
        ours = self._repository.common_dir
        if self._is_inside(hook, ours) or self._is_in_work_tree(hook):
            return []
        found = [
            line.removeprefix(USED_BY)
            for line in _content(hook).splitlines()
            if line.startswith(USED_BY)
        ]
        return sorted({*found, ours})

    def _is_in_work_tree(self, path: str) -> bool:
        top = self._repository.top
        if top is None or self._is_inside(path, self._repository.common_dir):
            return False
        return self._is_inside(path, top)

    @staticmethod
    def _is_inside(path: str, folder: str) -> bool:
        real = os.path.realpath(os.path.dirname(path))
        return (real + os.sep).startswith(os.path.realpath(folder) + os.sep)

    def _would_show(self, hook: str) -> bool:
        """Tell whether installing would change files that git tracks, or offers to."""
        return (
            os.path.lexists(hook)
            and not _is_ours(hook)
            and self._is_in_work_tree(hook)
            and not self._is_ignored(hook)
        )

    def _is_ignored(self, path: str) -> bool:
        return self._repository.start("check-ignore", "--quiet", "--", path).outcome()[0] == 0

    def _hide(self, hook: str) -> None:
        """Keep git from offering a new hook in the work tree to be added."""
        if not self._is_in_work_tree(hook) or self._is_ignored(hook):
            return
        path = os.path.join(self._repository.common_dir, "info", "exclude")
        name = os.path.relpath(
            os.path.realpath(hook), os.path.realpath(self._repository.work_tree())
        )
        os.makedirs(os.path.dirname(path), exist_ok=True)
        content = _content(path)
        line = ("" if not content or content.endswith("\n") else "\n") + f"/{name}\n"
        with open(path, "a", errors="surrogateescape") as file:
            file.write(line)
        self._write_wired([*(self._wired() or ()), f"exclude {line!r}"])

    def _show(self) -> None:
        path = os.path.join(self._repository.common_dir, "info", "exclude")
        content = _content(path)
        for line in self._wired() or ():
            if line.startswith("exclude "):
                import ast

                added = ast.literal_eval(line.removeprefix("exclude "))
                at = content.rfind(added)
                if at >= 0:
                    with open(path, "w", errors="surrogateescape") as file:
                        file.write(content[:at] + content[at + len(added) :])


class Push:
    """The `git push` that has called a hook, as its command line tells."""

    def __init__(self, words: list[str]) -> None:
        self.is_dry_run = self.is_quiet = False
        for word in words:
            if word == "--":
                break
            if word.startswith("--"):
                # Git takes any beginning of an option that is unambiguous.
                self.is_dry_run |= len(word) > 4 and "--dry-run".startswith(word)
                self.is_quiet |= len(word) > 2 and "--quiet".startswith(word)
            elif word.startswith("-"):
                flags = word[1:].partition("o")[0]  # what follows -o is its value
                self.is_dry_run |= "n" in flags
                self.is_quiet |= "q" in flags

    @classmethod
    def of(cls, process: int) -> Push:
        """Return the push that a process was started by, however many hook runners between."""
        for _ in range(16):
            words, parent = _process(process)
            if (
                words
                and os.path.basename(words[0]) in ("git", "git-push")
                and "push" in (*words, os.path.basename(words[0]).removeprefix("git-"))
            ):
                return cls(words[words.index("push") + 1 :] if "push" in words else words[1:])
            if parent < 2:
                break
            process = parent
        return cls([])


def _process(process: int) -> tuple[list[str], int]:
    """Return a process' command line and parent."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
        with open(f"/proc/{process}/stat", "rb") as file:
            return words, int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        pass
    if os.path.exists("/proc/self/stat"):
        return [], 0
    import subprocess  # only where there is no /proc

    listed = subprocess.run(
        ["ps", "-o", "ppid=,command=", "-p", str(process)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return (listed[1:], int(listed[0])) if listed else ([], 0)


def _numbered(path: str) -> Iterator[str]:
    number = 1
    while True:
        if not os.path.lexists(f"{path}.{number}"):
            yield f"{path}.{number}"
        number += 1


def _content(path: str) -> str:
    try:
        with open(path, errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return ""


def _is_ours(hook: str) -> bool:
    return MARK in _content(hook)


def _shim() -> str:
    import shutil  # 15 ms, and the hook itself asks this room other things

    package = os.path.dirname(os.path.abspath(gitlineage.__file__))
    for folder in (os.path.join(package, "hooks"), os.path.join(package, "..", "hooks")):
        path = os.path.join(folder, HOOK)
        if os.path.exists(path):
            program = shutil.which("git-lineage") or os.path.abspath(sys.argv[0])
            quoted = "'" + program.replace("'", "'\\''") + "'"
            return _content(path).replace("@PROGRAM@", quoted)
    raise AssertionError("the package holds its hooks")
