"""Whether a push would carry lineage, by trying: git runs its hook, which is to come to us.

What answers is this very program, started by the hook, and it tries a push that sends nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile

from gitlineage.sync.remotes import OFFLINE, PROBE
from gitlineage.wiring.hook import HOOK, LINE, content, is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gitlineage.repository import Repository
    from gitlineage.wiring.hook import Hook

PATIENCE = 60
"""Seconds that hooks are given: others may run before ours."""


class Probe:
    """A try at the hook of one repository."""

    def __init__(self, repository: Repository, hook: Hook, *, is_offline: bool) -> None:
        self._repository = repository
        self._hook = hook
        self._is_offline = is_offline

    def findings(self, remote: str, url: str) -> Iterator[tuple[str, str, str, str]]:
        """Yield what keeps a push from carrying lineage: kind, level, message, remedy."""
        told, ended = self.ask(remote, url)
        if told is None:
            message, remedy = self._why(remote, ended.partition("\n")[0])
            yield "hook", "problem", f"pushes carry no lineage: {message}", remedy
            return
        if why := told.get("error"):
            yield "push", "problem", f"a push would not get there: {why}", ""
        for ref, why in told.get("refused", {}).items():
            yield "push", "problem", f"{ref} would be refused: {why}", ""

    def ask(self, remote: str, url: str) -> tuple[dict[str, Any] | None, str]:
        """Have git run its hook; return what ours said, and how it ended.

        None where ours was not reached.
        """
        with tempfile.TemporaryDirectory(prefix="git-lineage-") as folder:
            answer = os.path.join(folder, "answer")
            with open(answer, "w") as file:
                file.write(OFFLINE if self._is_offline else "")
            ended = self._run(["git", "hook", "run", HOOK, "--", remote, url], answer)
            if "is not a git command" in ended:  # before git 2.36
                ended = self._run([os.path.join(self._hook.folder(), HOOK), remote, url], answer)
            try:
                with open(answer) as file:
                    return json.load(file), ended
            except (OSError, ValueError):
                return None, ended

    def _run(self, words: list[str], answer: str) -> str:
        """Run a hook within its time, with what it starts; return how it ended."""
        try:
            process = subprocess.Popen(
                words,
                cwd=self._repository.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._repository._pinned(), PROBE: answer},
                start_new_session=True,
            )
        except OSError as error:
            return f"{words[0]}: {error.strerror}"
        try:
            output = process.communicate(timeout=PATIENCE)[0].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"no answer within {PATIENCE} s"
        return f"exit status {process.returncode}" + (f": {output}" if output else "")

    def _why(self, remote: str, ended: str) -> tuple[str, str]:
        """Return why the hook was not reached, and what to do."""
        again = f"git lineage init --remote {remote}"
        path, folder = self._hook.path(), self._hook.folder()
        own = os.path.join(folder, HOOK)
        elsewhere = [each for each in self._hook.places() if each != path and is_ours(each)]
        if not os.path.lexists(own) and not is_ours(path):
            if elsewhere:
                return f"git looks for hooks in {folder}, and ours is {elsewhere[0]}", again
            return f"there is no hook in {folder}", again
        if is_ours(path) and not os.access(path, os.X_OK):
            return f"{path} is not executable", again
        if not is_ours(path):
            if not os.access(own, os.X_OK):
                return f"{own} is another program's, and not executable", again
            whose = content(own)
            name = next(
                (n for n in ("pre-commit", "husky", "lfs") if n in whose), "another program"
            )
            if self._hook.would_show(own):
                return f"{own} is part of the work tree and does not call us", (
                    f"add the line `{LINE}` to it"
                )
            return f"{own} is {name}'s and does not come to ours ({ended})", again
        if not self._hook.has_program(path):
            return f"{path} finds no git-lineage on PATH, nor where it was installed from", again
        return f"{path} was not reached ({ended})", again
