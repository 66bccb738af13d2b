"""What a name, a revision or a date stands for, in a repository that is open. Knows the index.

Knows nothing of what records hold; `naming` knows what names of files and contents mean.
"""

from __future__ import annotations

import os

from gitlineage import artifacts, wording
from gitlineage.errors import (
    AmbiguousId,
    IsFile,
    IsForgotten,
    NotFound,
    NotHereAnyMore,
    NothingRecorded,
    TooShort,
    UnknownId,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from gitlineage.index import Index
    from gitlineage.records.redaction import Redaction
    from gitlineage.repository import Repository
    from gitlineage.view import View

SHORTEST_PREFIX = 4
"""Characters of an id that are at least needed, as in git."""

_SPELLED = {"directory": "folder", "uri": "URI"}
"""Types of artifacts as people call them, where they are no files."""


class Resolving:
    """The part of `Lineage` that is open, and knows what names mean; the others build on it."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._view: View | None = None
        self._is_held = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the index."""
        if self._view is not None:
            self._view.index.close()
            self._view = None

    def hold(self) -> None:
        """Let all that is read from the next question on be of that moment.

        Git is asked once where its refs are: 20 ms where there are 2,000 of them.
        """
        self._is_held = True

    def view(self) -> View:
        """Return the current view: what is here and what was fetched."""
        if self._is_held and self._view is not None:
            return self._view
        if self._view is None:
            from gitlineage.recovery import recover
            from gitlineage.view import View

            recover(self.repository)
            if os.path.isdir(os.path.join(self.repository.lineage_dir, "scratch")):
                from gitlineage import scratch

                scratch.sweep(self.repository)
            self._view = View(self.repository)
        self._view.refresh()
        return self._view

    def _index(self) -> Index:
        """Return the index as the last look at the refs has left it."""
        return (self._view or self.view()).index

    def code_ids(self, revision: str) -> dict[str, str]:
        """Return the `Filters` for executions that ran the code of a commit, as whatever commit.

        One that is gone here, since history was rewritten, is known by the records.
        Raises UnknownId, AmbiguousId.
        """
        try:
            commit = self.repository.commit_id(revision)
        except UnknownId:
            found = self.view().index.codes_by_prefix(revision)
            if not found:
                raise
            if len(found) > 1:
                shown = " ".join(each[:12] for each, _ in found)
                raise AmbiguousId(asked=revision, count=len(found), candidates=shown) from None
            return {"commit": found[0][0], "tree": found[0][1]}
        tree = self.repository.ask("rev-parse", f"{commit}^{{tree}}")
        return {"commit": commit, "tree": tree.decode().strip()}

    def span(self, date: str) -> tuple[int, int]:
        """Return the first and the last moment of a date, in microseconds since 1970.

        Of a day, a month or a year, all of it; of anything else that git reads, that moment.
        Raises InvalidDate.
        """
        from gitlineage.periods import period

        if (found := period(date)) is not None:
            return found[0], found[1] - 1
        return (moment := self.repository.moment(date)), moment

    def resolve(self, name: str) -> str:
        """Return the id of the execution or deployment that a name stands for.

        `@` is the newest execution, `@~` the one before, `@~2` the third newest, `@train` the
        newest of a step, `@train~2` its third newest; a tag stands for the newest execution that
        has it; the name of a deployment for its newest; else an id or the beginning of one.
        Raises UnknownId, AmbiguousId.
        """
        index = self.view().index
        if name.startswith("@"):
            step, tilde, back = name[1:].partition("~")
            back = back or str(len(tilde))  # as git reads `HEAD~`
            if back.isdecimal():
                found = index.nth_newest(int(back), step or None)
                if found is not None:
                    return found
            raise self._unknown(name)
        tagged = index.newest_with_tag(name)
        if tagged is not None:
            return tagged
        if deployed := index.deployments(name):
            return deployed[0].id
        ids = index.by_prefix(name.lower()) if len(name) >= SHORTEST_PREFIX else []
        if len(ids) > 1:
            shown = " ".join(each[:12] for each in ids[:8]) + (" ..." if len(ids) > 8 else "")
            raise AmbiguousId(asked=name, count=len(ids), candidates=shown)
        if not ids:
            self._raise_forgotten(name)
            raise self._unknown(name)
        return ids[0]

    def _unknown(self, name: str) -> NotFound:
        """Return the error for a name that nothing here has; it may be a path, or in a file."""
        from gitlineage.sync.remotes import ARCHIVED

        if self._index().count() and (type_ := self._type_at(name)):
            return IsFile(asked=name, type=type_)
        for near in self._index().paths_ending(name, 1) if name.strip("@./") else ():
            return IsFile(asked=near, type=self._type_at(near) or "file")
        if months := self.repository.words(ARCHIVED):
            return NotHereAnyMore(asked=name, months=" ".join(months))
        if not self._index().count():
            return NothingRecorded()
        is_short = 0 < len(name) < SHORTEST_PREFIX and not name.lower().strip("0123456789abcdef")
        is_short = is_short and bool(self._index().by_prefix(name.lower()))
        return TooShort(asked=name, least=SHORTEST_PREFIX) if is_short else UnknownId(asked=name)

    def _type_at(self, name: str) -> str | None:
        """Return what is at a path in the work tree, or was when it was recorded."""
        if not name or name.startswith("@"):
            return None
        if self.repository.top is not None and os.path.lexists(name):
            return "folder" if os.path.isdir(name) else "file"
        met = self._index().mentions_of_path(self.recorded_name(name), 1)
        return _SPELLED.get(met[0].type, "file") if met else None

    def _raise_forgotten(self, name: str) -> None:
        """Raise IsForgotten where a name is of something that was here once."""
        from gitlineage.settling import Settling

        for each, _ in Settling(self.repository).redactions():
            if len(name) >= SHORTEST_PREFIX and any(id.startswith(name) for id in each.forgotten):
                raise forgotten(name, each)

    def recorded_name(self, given: str) -> str:
        """Return how a path is recorded; a digest stays what it is."""
        from gitlineage.fingerprints import Fingerprints

        if given.startswith("blake3:") or artifacts.is_uri(given) or self.repository.top is None:
            return given
        fingerprints = Fingerprints(self.repository.lineage_dir)
        return artifacts.Reader(self.repository.top, fingerprints).name(given)


def forgotten(asked: str, redaction: Redaction) -> IsForgotten:
    """Return the error for what a redaction is about."""
    day = wording.moment(redaction.forgotten_at)[:10]
    return IsForgotten(asked=asked, who=redaction.agent.name, day=day, why=redaction.message)
