"""A bounded, readable summary of its executions on each commit, for readers with plain git.

Knows `refs/notes/lineage`; it is derived from the ledger and can be made again at any time. One
commit without history, in a tree that is fanned out: libgit2's own notes call writes a flat tree
(1,500 notes: 10.7 s, 30 MB).
"""

from __future__ import annotations

import fcntl
import os
import time

from gitlineage.repository import Identity, NewCommit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository

REF = "refs/notes/lineage"

SHOWN = 10
"""Executions that a note lists; of the others it tells the number."""

WRITER = Identity(name="git-lineage", email="notes@git-lineage.invalid", at=0)


class Notes:
    """The notes of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def read(self, commit: str) -> str:
        """Return the note on a commit, or nothing."""
        found = self._repository.contents([f"{REF}:{_path(commit)}"])[0]
        return found.decode(errors="replace") if found else ""

    def add(self, commit: str, line: str) -> None:
        """Put an execution on top of the note on a commit."""
        self.start(commit, line)()

    def start(self, commit: str, line: str) -> Callable[[], None]:
        """Begin to `add`; what is returned waits for its end."""
        lock, was_collecting = self._lock(), self._repository.is_collecting()
        asked = [f"{REF}^{{tree}}", f"{REF}:{_path(commit)}"]
        tree, before = self._repository.objects(asked)
        note = _note([line], before[1].decode(errors="replace") if before else "")
        process = self._start({_path(commit): note}, tree[0] if tree else None)

        def wait() -> None:
            try:
                self._finish(process, was_collecting)
            finally:
                os.close(lock)

        return wait

    def write(self, lines: Mapping[str, Sequence[str]]) -> None:
        """Write the notes of these commits anew, newest execution first."""
        lock, was_collecting = self._lock(), self._repository.is_collecting()
        try:
            held = self._repository.tip(REF)
            notes = {_path(commit): _note(each, "") for commit, each in lines.items()}
            self._finish(self._start(notes, held.tree if held else None), was_collecting)
        finally:
            os.close(lock)

    def _finish(self, process: GitProcess, was_collecting: bool) -> None:
        process.finish()
        if was_collecting or self._repository.is_collecting():
            tip = self._repository.tips(REF).get(REF)
            if tip and not self._repository.secure(tip):
                self._repository.set_ref(REF, None, tip)  # the next rebuild makes it again

    def _lock(self) -> int:
        # Only this machine writes the local ref, so a lock is enough; a remote's notes go to a
        # tracking ref. A note that a crash kept from being written is made by the next rebuild.
        os.makedirs(self._repository.lineage_dir, exist_ok=True)
        lock = os.open(
            os.path.join(self._repository.lineage_dir, "notes.lock"),
            os.O_WRONLY | os.O_CREAT,
            0o644,
        )
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def _start(self, notes: Mapping[str, str], tree: str | None) -> GitProcess:
        files: dict[str, bytes | str | None] = {} if tree is None else {"": tree}
        files.update((path, text.encode(errors="replace")) for path, text in notes.items())
        who = WRITER.replace(at=int(time.time()))
        commit = NewCommit(
            files=files, message="Executions of each commit\n", author=who, committer=who
        )
        return self._repository.start_replacing(REF, commit)


def _note(lines: Sequence[str], before: str) -> str:
    earlier = before.splitlines()[1:]
    count = len(lines) + _count(before)
    shown = [*lines, *(line for line in earlier if not line.startswith("and "))][:SHOWN]
    rest = [f"and {count - len(shown)} earlier"] if count > len(shown) else []
    word = "execution" if count == 1 else "executions"
    return "\n".join([f"{count} {word}", *shown, *rest]) + "\n"


def _count(note: str) -> int:
    first = note.split(" ", 1)[0]
    return int(first) if first.isdecimal() and len(first) < 10 else 0


def _path(commit: str) -> str:
    return f"{commit[:2]}/{commit[2:]}"
