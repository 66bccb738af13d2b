"""A bounded, readable summary of its executions on each commit, for readers with plain git.

Knows `refs/notes/lineage`; it is derived from the ledger and can be made again at any time. One
commit without history, in a tree that is fanned out: libgit2's own notes call writes a flat tree
(1,500 notes: 10.7 s, 30 MB).
"""

from __future__ import annotations

import fcntl
import os
import time

from gitlineage import access
from gitlineage.commits import Identity, NewCommit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitlineage.repository import Repository

REF = "refs/notes/lineage"

SHOWN = 10
"""Executions that a note lists; of the others it tells the number."""

WRITER = Identity(name="git-lineage", email="notes@git-lineage.invalid", at=0)


class Notes:
    """The notes of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._seen: list[tuple[str, bytes] | None] = []

    def read(self, commit: str) -> str:
        """Return the note on a commit, or nothing."""
        found = self._repository.contents([f"{REF}:{_path(commit)}"])[0]
        return found.decode(errors="replace") if found else ""

    def counts(self, commits: Iterable[str]) -> dict[str, int]:
        """Return of how many executions the notes on commits tell."""
        asked = list(commits)
        found = self._repository.contents([f"{REF}:{_path(each)}" for each in asked])
        told = [(content or b"").decode(errors="replace") for content in found]
        return dict(zip(asked, map(_count, told), strict=True))

    def add(self, commit: str, line: str) -> None:
        """Put an execution on top of the note on a commit."""
        with self.draft(commit, line) as draft:
            self._repository.writer.replace(REF, draft.commit)

    def look(self, commit: str) -> None:
        """Read what a `draft` begins with, while there is time."""
        names = ["", "^{tree}", f":{_folder(commit)}", f":{_path(commit)}", f":{commit}"]
        self._seen = self._repository.objects([REF + each for each in names])

    def draft(self, commit: str, line: str) -> Draft:
        """Return the notes with an execution on top of the one on a commit, not yet written."""
        draft = Draft(self._repository)
        try:
            if not (self._seen and self._seen[0] and self._repository.is_at(REF, self._seen[0][0])):
                self.look(commit)
            _, tree, folder, before, flat = self._seen
            before = before or flat
            note = _note([line], before[1].decode(errors="replace") if before else "")
            known = dict(each for each in (tree, folder) if each)
            draft.commit = _commit({_path(commit): note}, tree[0] if tree else None, known)
        except BaseException:
            draft.close()
            raise
        return draft

    def write(self, lines: Mapping[str, Sequence[str]]) -> None:
        """Write the notes of these commits anew, newest execution first."""
        with Draft(self._repository):
            held = self._repository.tip(REF)
            notes = {_path(commit): _note(each, "") for commit, each in lines.items()}
            self._repository.writer.replace(REF, _commit(notes, held.tree if held else None, {}))

    def forget(self, ids: Sequence[str]) -> None:
        """Take executions out of all notes."""
        if not (heads := tuple(f"{id[:8]} " for id in ids)) or not self._repository.tips(REF):
            return
        with Draft(self._repository):
            held = self._repository.tip(REF)
            paths = list(self._repository.entries(REF))
            notes: dict[str, bytes | str | None] = {}
            contents = self._repository.contents([f"{REF}:{each}" for each in paths])
            for path, found in zip(paths, contents, strict=True):
                text = (found or b"").decode(errors="replace")
                lines = [each for each in text.splitlines()[1:] if not each.startswith(heads)]
                gone = len(text.splitlines()) - 1 - len(lines)
                if gone:
                    count = max(_count(text) - gone, 0)
                    lines = [each for each in lines if not each.startswith("and ")]
                    notes[path] = _note(lines, "", count).encode() if count else None
            if notes and held:
                draft = _commit({}, held.tree, {})
                self._repository.writer.replace(REF, draft.replace(files={**draft.files, **notes}))

    def add_many(self, newest: Mapping[str, tuple[int, Sequence[str]]]) -> None:
        """Put executions on top of the notes on commits: how many, and the lines of the newest."""
        with Draft(self._repository):
            held = self._repository.tip(REF)
            before = self._repository.contents([f"{REF}:{_path(each)}" for each in newest])
            notes = {
                _path(commit): _note(lines, (there or b"").decode(errors="replace"), count)
                for (commit, (count, lines)), there in zip(newest.items(), before, strict=True)
            }
            self._repository.writer.replace(REF, _commit(notes, held.tree if held else None, {}))


class Draft:
    """Notes that are about to be written; nobody else here writes any until it is closed."""

    ref = REF
    commit: NewCommit
    """What the ref is to be moved to."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        # Only this machine writes the local ref, so a lock is enough; a remote's notes go to a
        # tracking ref. A note that a crash kept from being written is made by the next rebuild.
        access.make_folder(repository.lineage_dir)
        path = os.path.join(repository.lineage_dir, "notes.lock")
        self._lock = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        access.share(path)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._was_collecting = repository.writer.is_collecting()

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write; what a gc has taken of what was written is let go."""
        try:
            if self._was_collecting or self._repository.writer.is_collecting():
                tip = self._repository.tips(REF).get(REF)
                if tip and not self._repository.writer.secure(tip):
                    # The next rebuild makes it again.
                    self._repository.writer.set_ref(REF, None, tip)
        finally:
            os.close(self._lock)


def _commit(notes: Mapping[str, str], tree: str | None, known: Mapping[str, bytes]) -> NewCommit:
    files: dict[str, bytes | str | None] = {} if tree is None else {"": tree}
    for path, text in notes.items():
        # Git's own `notes` writes all of them anew, few without folders, many in two levels; and
        # where a commit has notes under two names it shows both.
        commit = path.replace("/", "")
        files[commit] = files[f"{commit[:2]}/{commit[2:4]}/{commit[4:]}"] = None
        files[path] = text.encode(errors="replace")
    who = WRITER.replace(at=int(time.time()))
    return NewCommit(
        files=files,
        trees=known,
        message="Executions of each commit\n",
        author=who,
        committer=who,
    )


def _note(lines: Sequence[str], before: str, count: int | None = None) -> str:
    earlier = before.splitlines()[1:]
    count = (len(lines) if count is None else count) + _count(before)
    shown = [*lines, *(line for line in earlier if not line.startswith("and "))][:SHOWN]
    rest = [f"and {count - len(shown)} earlier"] if count > len(shown) else []
    word = "execution" if count == 1 else "executions"
    return "\n".join([f"{count} {word}", *shown, *rest]) + "\n"


def _count(note: str) -> int:
    first = note.split(" ", 1)[0]
    return int(first) if first.isdecimal() and len(first) < 10 else 0


def _folder(commit: str) -> str:
    return commit[:2]


def _path(commit: str) -> str:
    return f"{_folder(commit)}/{commit[2:]}"
