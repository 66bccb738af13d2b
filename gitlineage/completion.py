"""Takes a finished record from the disk to the ledger: the record, its tags and the note.

Done once more for a record that somebody was killed with, it adds what is lacking.
"""

from __future__ import annotations

import time

from gitlineage import encoding
from gitlineage.commits import Identity
from gitlineage.digest import execution_id
from gitlineage.errors import GitFailed, LineageError
from gitlineage.home import Home
from gitlineage.ledger import Ledger
from gitlineage.messages import summary
from gitlineage.notes import Notes
from gitlineage.records.end import End
from gitlineage.records.launch import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gitlineage.entries import Entry, Finished
    from gitlineage.notes import Draft
    from gitlineage.repository import Repository


class Completion:
    """The last steps of executions in one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._ledger = Ledger(repository)
        self._notes = Notes(repository)

    def look(self, launch: Launch) -> None:
        """Read what `append_noted` begins with, while there is time.

        Where it has moved by then, it is asked for again.
        """
        self._ledger.look()
        if launch.code.commit is not None:
            self._notes.look(launch.code.commit)

    def append_noted(
        self,
        entry: Entry,
        finished: Finished,
        launch: Launch,
        end: End,
        blobs: Mapping[str, str] | None = None,
    ) -> None:
        """Append a finished record with its tags, and the note on the execution's commit.

        `blobs` has the git ids of what lies in files beside the entry, where these are known. The
        note is derived, and written by the same git: alone it would take another 6 ms.
        """
        draft = self._draft(launch, end)
        try:
            self.append(entry, finished, draft=draft, blobs=blobs)
        finally:
            if draft is not None:
                draft.close()

    def append(
        self,
        entry: Entry,
        finished: Finished,
        *,
        is_new: bool = True,
        draft: Draft | None = None,
        blobs: Mapping[str, str] | None = None,
    ) -> None:
        """Append a finished record and its tags; of one that is not new, what is lacking."""
        name, email, at, zone = finished.author
        author = Identity(name=name, email=email, at=at, zone=zone)

        def found() -> list[str] | None:
            commit = self._appended(entry)
            return [commit] if commit and self._is_whole(commit, finished) else None

        # The git of a recorder that was killed may live, and move the ref at any moment.
        there = None if is_new else found
        derived = {draft.ref: draft.commit} if draft else {}
        try:
            further = entry.parts(finished) if blobs is None else blobs
            parts: dict[str, Any] = {**finished.parts, **further}
            commit = self._ledger.append(parts, finished.message, author, derived, there)
        except GitFailed:
            if not blobs:
                raise
            # A gc has taken the blobs, which no ref reached yet.
            parts = {**finished.parts, **entry.parts(finished)}
            commit = self._ledger.append(parts, finished.message, author)
        self._tag(entry, finished, author, is_again=not is_new)
        if not is_new:
            self._note(entry, finished)
        entry.set_commit(commit)  # last: it says that nothing more is to be done

    def _note(self, entry: Entry, finished: Finished) -> None:
        """Write the note on the execution's commit, unless it is there."""
        try:
            launch = encoding.decode(Launch, entry.launch)
            end = encoding.decode(End, finished.parts["record"])
            if launch.code.commit is None:
                return
            line = summary(launch, end, end.execution)
            notes = Notes(self._repository)
            if line not in notes.read(launch.code.commit).split("\n"):
                notes.add(launch.code.commit, line)
        except (LineageError, OSError):
            return  # derived: that it cannot be written is not worth a word

    def is_appended(self, entry: Entry) -> bool:
        """Tell whether the ledger has an end of an entry's execution."""
        return self._appended(entry) is not None

    def is_safe(self, commit: str, finished: Finished) -> bool:
        """Tell whether a record is all readable, and will stay."""
        # While a gc with --prune=now is under way, what is readable now may be gone in a moment.
        # And a ref may have been overtaken: git believes what it has read of `packed-refs` until
        # its second, size or inode change.
        return (
            not self._repository.writer.is_collecting()
            and self._is_whole(commit, finished)
            and self._ledger.has(commit)
        )

    def _draft(self, launch: Launch, end: End) -> Draft | None:
        """Return the notes with this execution; None where there is no commit to put it on."""
        if launch.code.commit is None:
            return None
        try:
            return self._notes.draft(launch.code.commit, summary(launch, end, end.execution))
        except (LineageError, OSError):
            return None  # derived, too

    def _is_whole(self, commit: str, finished: Finished) -> bool:
        parts: Iterable[str] = (*finished.parts, *finished.files)
        home = Home(self._repository.lineage_dir)
        if home.is_used():  # what was taken out before it was pushed is not lacking
            id = execution_id(finished.parts["launch"])
            parts = [each for each in parts if home.part(id, each) is None]
        names = [commit, f"{commit}^{{tree}}", *(f"{commit}:{name}" for name in parts)]
        return all(self._repository.are_readable(names))

    def _appended(self, entry: Entry) -> str | None:
        began = encoding.decode(Launch, entry.launch).started_at // 1_000_000
        return self._ledger.end_of(entry.id, began)

    def _tag(self, entry: Entry, finished: Finished, author: Identity, *, is_again: bool) -> None:
        if finished.tags or finished.file_tags:
            from gitlineage.tags import Tags

            who = author.replace(at=int(time.time()))
            for tag in finished.tags:
                Tags(self._repository).add(tag, [entry.id], who, is_again=is_again)
            for tag, contents in finished.file_tags.items():
                Tags(self._repository).add(tag, contents, who, is_again=is_again)
