"""The pre-push hook of a repository: where git looks for it, and how it gets there and leaves.

Knows the hooks of others: it runs what was there before, and is found where they have put it; must
not know what a push sends.
"""

from __future__ import annotations

import os
import sys

import gitlineage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.repository import Repository
    from gitlineage.wiring.changes import Changes

HOOK = "pre-push"
BEFORE = "pre-push.before-lineage"

LEGACY = "pre-push.legacy"
"""Where pre-commit puts the hook that was there, which it runs first."""

MARK = "# git-lineage: "
CALL = "git lineage pre-push"
"""What a hook of the user's own says to send lineage."""

LINE = f'{CALL} "$@" </dev/null || true'

USED_BY = "# used by "
"""A hook outside of any repository serves several: one such line for each."""


class Hook:
    """The hook of one repository."""

    def __init__(self, repository: Repository, changes: Changes) -> None:
        self._repository = repository
        self._changes = changes

    # -- where it is -----------------------------------------------------------------------

    def folder(self) -> str:
        """Return the folder that git looks for hooks in."""
        found = self._repository.ask("rev-parse", "--git-path", "hooks")
        return os.path.join(self._repository.home, os.fsdecode(found).removesuffix("\n"))

    def path(self) -> str:
        """Return where ours is, or is to be: where others have put it, or run it from."""
        folder = self.folder()
        legacy, hook = os.path.join(folder, LEGACY), os.path.join(folder, HOOK)
        if is_ours(legacy) and "hook-impl" in content(hook):
            return legacy  # pre-commit was installed after us
        if is_huskys(folder):
            # It writes its own folder anew each time; what a user has beside that stays.
            own = os.path.join(os.path.dirname(folder), HOOK)
            if not os.path.lexists(own) or is_ours(own):
                return own
        return hook

    def has_own_call(self) -> bool:
        """Tell whether the user's own hook sends lineage."""
        folder = self.folder()
        own = [os.path.join(folder, HOOK)]
        if is_huskys(folder):
            own.append(os.path.join(os.path.dirname(folder), HOOK))
        return any(CALL in content(each) and not is_ours(each) for each in own)

    def places(self) -> list[str]:
        """Return where it was installed."""
        return self._changes.of("hook")

    def has_program(self, hook: str) -> bool:
        """Tell whether a hook of ours finds the program that it is to start."""
        if which("git-lineage"):
            return True
        named = [line for line in content(hook).splitlines() if "|| program=" in line]
        return any(os.access(each.partition("|| program='")[2][:-1], os.X_OK) for each in named)

    # -- putting it there ------------------------------------------------------------------

    def install(self) -> list[str]:
        """Put it where git finds it; return what was changed. Raises OSError."""
        if self.has_own_call():
            return []
        hook = self.path()
        if self.would_show(hook):
            return [f"left {hook} alone, which is part of the work tree: "
                    f"add the line `{LINE}` to it yourself"]  # fmt: skip
        said = []
        folder = os.path.dirname(hook)
        before = os.path.join(folder, BEFORE)
        users = self._users(hook)
        text = _shim() + "".join(f"{USED_BY}{each}\n" for each in users)
        if is_ours(hook):
            self._changes.add(f"hook {hook}")
            if content(hook) == text and os.access(hook, os.X_OK):
                return []
        elif os.path.lexists(hook):
            if _are_alike(hook, before):
                os.unlink(before)  # another program has put back its own
            elif os.path.lexists(before):
                # Another program has replaced ours. What it finds is not taken away from it.
                kept = next(_numbered(before))
                os.rename(before, kept)
                said.append(f"the hook that was before ours is now {kept}")
            os.rename(hook, before)
        if not os.path.isdir(folder):
            os.makedirs(folder)
            self._changes.add(f"folder {folder}")
        self._hide(hook)
        made = os.open(hook + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755)
        with open(made, "w", errors="surrogateescape") as file:
            file.write(text)
        os.rename(hook + ".new", hook)
        self._changes.add(f"hook {hook}")
        whose = ", after your own hook" if os.path.lexists(before) else ""
        whose += ", in all repositories that use that folder and have lineage" if users else ""
        said.append(f"pushes carry lineage ({hook}{whose})")
        if is_huskys(folder):
            own = os.path.join(os.path.dirname(folder), HOOK)
            said.append(f"husky writes that folder anew when it is installed; to stay, add the "
                        f"line `{LINE}` to {own}")  # fmt: skip
        return said

    def uninstall(self) -> list[str]:
        """Leave all hooks as they were without ours; return what was changed."""
        places = dict.fromkeys([self.path(), *self._changes.of("hook")])
        folders = {os.path.realpath(os.path.dirname(each)): os.path.dirname(each)
                   for each in places}  # fmt: skip
        said = []
        for folder in folders.values():
            said += self._leave(folder)
        for folder in self._changes.of("folder"):
            if os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
        self._show()
        return list(dict.fromkeys(said))

    def _leave(self, folder: str) -> list[str]:
        before = os.path.join(folder, BEFORE)
        mine = [each for name in (HOOK, LEGACY) if is_ours(each := os.path.join(folder, name))]
        if not mine:
            return self._leave_before(folder, before)
        for hook in mine:
            lines = content(hook).splitlines(keepends=True)
            ours = f"{USED_BY}{self._repository.common_dir}\n"
            if any(each.startswith(USED_BY) and each != ours for each in lines):
                with open(hook, "w", errors="surrogateescape") as file:
                    file.writelines(each for each in lines if each != ours)
                return [f"pushes from here carry no lineage; others use {hook}"]
            if os.path.lexists(before):
                os.rename(before, hook)
            else:
                os.unlink(hook)
        return ["pushes carry no lineage"]

    def _leave_before(self, folder: str, before: str) -> list[str]:
        """Bring back what was there before ours, where another program has taken its place."""
        hook = os.path.join(folder, HOOK)
        if not os.path.lexists(before):
            return []
        if not os.path.lexists(hook):
            os.rename(before, hook)
        elif _are_alike(hook, before):
            os.unlink(before)
        else:
            return [f"another program has replaced ours; the hook before it is still {before}"]
        return ["pushes carry no lineage"]

    def _users(self, hook: str) -> list[str]:
        """Return whose hook it is, when its folder is outside of the repository."""
        ours = self._repository.common_dir
        if self._is_inside(hook, ours) or self._is_in_work_tree(hook):
            return []
        found = [
            line.removeprefix(USED_BY)
            for line in content(hook).splitlines()
            if line.startswith(USED_BY)
        ]
        return sorted({*found, ours})

    # -- in the work tree ------------------------------------------------------------------

    def _is_in_work_tree(self, path: str) -> bool:
        top = self._repository.top
        if top is None or self._is_inside(path, self._repository.common_dir):
            return False
        return self._is_inside(path, top)

    @staticmethod
    def _is_inside(path: str, folder: str) -> bool:
        real = os.path.realpath(os.path.dirname(path))
        return (real + os.sep).startswith(os.path.realpath(folder) + os.sep)

    def would_show(self, hook: str) -> bool:
        """Tell whether installing would change files that git tracks, or offers to."""
        return (
            os.path.lexists(hook)
            and not is_ours(hook)
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
        held = content(path)
        line = ("" if not held or held.endswith("\n") else "\n") + f"/{name}\n"
        with open(path, "a", errors="surrogateescape") as file:
            file.write(line)
        self._changes.add(f"exclude {line!r}")

    def _show(self) -> None:
        import ast  # 4 ms, which no push is to wait for

        path = os.path.join(self._repository.common_dir, "info", "exclude")
        for each in self._changes.of("exclude"):
            held, added = content(path), ast.literal_eval(each)
            at = held.rfind(added)
            if at >= 0:
                with open(path, "w", errors="surrogateescape") as file:
                    file.write(held[:at] + held[at + len(added) :])


def is_ours(hook: str) -> bool:
    """Tell whether a file is our hook."""
    return MARK in content(hook)


def is_huskys(folder: str) -> bool:
    """Tell whether a folder is the one of husky's own hooks, which run those beside it."""
    return os.path.basename(folder) == "_" and os.path.isfile(os.path.join(folder, "h"))


def content(path: str) -> str:
    """Return what a file has; nothing where it cannot be read."""
    try:
        with open(path, errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return ""


def _are_alike(one: str, other: str) -> bool:
    if not (os.path.isfile(one) and os.path.isfile(other)):
        return False
    modes = {os.stat(each).st_mode for each in (one, other)}
    return len(modes) == 1 and content(one) == content(other)


def _numbered(path: str) -> Iterator[str]:
    number = 1
    while True:
        if not os.path.lexists(f"{path}.{number}"):
            yield f"{path}.{number}"
        number += 1


def which(program: str) -> str | None:
    """Return where a program is."""
    import shutil  # 15 ms, and the hook itself asks this room other things

    return shutil.which(program)


def _shim() -> str:
    package = os.path.dirname(os.path.abspath(gitlineage.__file__))
    for folder in (os.path.join(package, "hooks"), os.path.join(package, "..", "hooks")):
        path = os.path.join(folder, HOOK)
        if os.path.exists(path):
            program = which("git-lineage") or os.path.abspath(sys.argv[0])
            quoted = "'" + program.replace("'", "'\\''") + "'"
            return content(path).replace("@PROGRAM@", quoted)
    raise AssertionError("the package holds its hooks")
