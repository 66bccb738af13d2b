"""Which records there are, by what people ask for: an SQLite file that can be thrown away.

Knows records as the ledger stores them and nothing of where they come from: it is fed, and never
reads the ledger or git. It answers *which*; the ledger answers *what*.

`schema` has the tables, `views` what others may ask of them and `asking` how, `file` what they
lie in, `feeding`, `entries`, `moves`, `columns`, `folders`, `parts` and `interned` the way in,
`questions`, `selecting`, `standing`, `holding`, `files`, `uses`, `bare` and `rows` the way out,
and `spelling` how ids and text stand there.
"""

from __future__ import annotations

import sqlite3

from gitlineage import digest
from gitlineage.index import codes, holding, mentions, questions, selecting, standing
from gitlineage.index.asking import Answer, ask
from gitlineage.index.bare import Bare
from gitlineage.index.feeding import BATCH, WORTH_COMPACTING, Feeding, set_tags
from gitlineage.index.file import File, Transaction
from gitlineage.index.parts import deployment_name
from gitlineage.index.rows import Filters, Held, Mention, Move, Problem, Row, values_of
from gitlineage.index.spelling import digest_of, digests_of, id_of, names_of, span_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.index.files import Known, Position
    from gitlineage.index.knowing import Look
    from gitlineage.ledger import Stored

__all__ = [
    "BATCH",
    "Answer",
    "Bare",
    "Filters",
    "Held",
    "Index",
    "Mention",
    "Move",
    "Problem",
    "Row",
    "deployment_name",
]


class Index(File):
    """The records of one repository, in one file."""

    # -- feeding ---------------------------------------------------------------------------

    def tips(self) -> dict[str, str]:
        """Return the refs that were fed, and up to which commit."""
        return self._ask(questions.tips)

    def update(
        self,
        tips: Mapping[str, str],
        *,
        expected: Mapping[str, str],
        added: Iterable[Stored],
        dropped: Iterable[str] = (),
        tags: Mapping[str, Mapping[str, int] | None] | None = None,
        look: Look | None = None,
    ) -> bool:
        """Feed what lies between two states of the refs, at once or not at all.

        `expected` is what `tips()` was when `added` and `dropped` (commits) were found; False
        means that it no longer is, or that the file had to be given up: compare again. `tags`
        gives tags their members, as `set_tags`; None drops one. `look` returns objects of git;
        without it, what directories hold stays unknown.
        """
        try:
            connection = self._open()
            with Transaction(connection):
                if questions.tips(connection) != dict(expected):
                    return False
                feeding = Feeding(connection)
                feeding.forget(dropped)
                feeding.add(added, look)
                feeding.reach(tips)
                for tag, members in (tags or {}).items():
                    set_tags(connection, tag, members)
            if feeding.was_empty and feeding.count >= WORTH_COMPACTING:
                self._compact()
            return True
        except sqlite3.DatabaseError as error:
            self._retreat(error)
            return False

    def set_tags(self, tag: str, members: Mapping[str, int]) -> None:
        """Give a tag its members: execution ids or digests, and when each got it."""
        self._ask(_set_tags, tag, members)

    def drop_tag(self, tag: str) -> None:
        """Forget a tag."""
        self._ask(_set_tags, tag, None)

    # -- executions and deployments --------------------------------------------------------

    def executions(self, filters: Filters | None = None, limit: int | None = None) -> list[Row]:
        """Return executions, newest first: by start, then by id."""
        return self._ask(selecting.executions, filters or Filters(), limit)

    def row(self, id: str) -> Row | None:
        """Return an execution or a deployment."""
        return self.rows([id]).get(id)

    def rows(self, ids: Iterable[str]) -> dict[str, Row]:
        """Return executions and deployments by id, those that are known."""
        return {row.id: row for row in self._ask(questions.rows, names_of(ids))}

    def costs_of(self, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return amount and currency of what executions cost, where that is known."""
        found = self._ask(questions.costs, names_of(ids))
        return {name.hex(): (amount, currency) for name, amount, currency in found}

    def by_prefix(self, prefix: str, limit: int = 20) -> list[str]:
        """Return ids of executions and deployments that start so."""
        span = span_of(prefix, digest.ID_LENGTH)
        found = [] if span is None else self._ask(questions.names_between, span, limit)
        return [each.hex() for each in found]

    def contents_by_prefix(self, prefix: str, limit: int = 20) -> list[str]:
        """Return digests of known content, as `blake3:<hex>`, that start so."""
        span = span_of(prefix.removeprefix("blake3:"), 64)
        found = [] if span is None else self._ask(questions.digests_between, span, limit)
        return [digest.of_text(each) for each in found]

    def codes_by_prefix(self, prefix: str) -> list[tuple[str, str]]:
        """Return commits whose ids start so, and the trees that ran as them."""
        return self._ask(codes.by_prefix, prefix.lower())

    def codes(self) -> list[tuple[str, str, int]]:
        """Return trees that ran, the commits that they ran as, and how many executions did."""
        return self._ask(codes.counted)

    def nth_newest(self, n: int, step: str | None = None) -> str | None:
        """Return the id of the newest execution (0), the one before it (1), and so on."""
        found = self._ask(questions.nth_newest, n, step)
        return None if found is None else found.hex()

    def newest_with_tag(self, tag: str) -> str | None:
        """Return the id of the newest execution that has the tag."""
        found = self.executions(Filters(tag=tag), 1)
        return found[0].id if found else None

    def children(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the executions that each execution started, oldest first."""
        made: dict[str, list[str]] = {}
        for parent, name in self._ask(questions.children, names_of(ids)):
            made.setdefault(parent.hex(), []).append(name.hex())
        return made

    def reproductions(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the executions that reproduce each execution, oldest first."""
        made: dict[str, list[str]] = {}
        for first, name in self._ask(questions.reproductions, names_of(ids)):
            made.setdefault(first.hex(), []).append(name.hex())
        return made

    def count(self) -> int:
        """Return how many executions there are."""
        return self._ask(questions.count)

    def records_count(self) -> int:
        """Return how many records there are, of all kinds."""
        return self._ask(questions.records_count)

    def problems(self) -> list[Problem]:
        """Return the records that could not be read."""
        return self._ask(questions.problems)

    def ask(self, query: str, seconds: float, memory: int | None = None) -> Answer:
        """Return what a query in SQL answers. Raises InvalidQuery, QueryTooLong, QueryTooLarge."""
        return ask(self._open(), query, seconds, memory)

    # -- tags ------------------------------------------------------------------------------

    def tags(self) -> dict[str, dict[str, int]]:
        """Return all tags and their members."""
        made: dict[str, dict[str, int]] = {}
        for tag, member, at in self._ask(questions.tags):
            made.setdefault(tag, {})[member] = at
        return made

    def tags_of(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the tags of executions or digests, those that have any."""
        made: dict[str, list[str]] = {}
        for id, tag in self._ask(questions.tags_of, ids if isinstance(ids, dict) else set(ids)):
            made.setdefault(id, []).append(tag)
        return made

    # -- deployments and aliases -----------------------------------------------------------

    def deployments(self, name: str | None = None) -> list[Row]:
        """Return the deployments of a name, or all, newest first."""
        return self._ask(standing.deployments, name)

    def retirement_of(self, id: str) -> tuple[str, str | None] | None:
        """Return who has ended a deployment first, and why."""
        return self._ask(standing.retirement, names_of([id]))

    def alias(self, name: str) -> Move | None:
        """Return the move that says what an alias stands for; its digest is None if deleted."""
        return self._ask(standing.last_move, name)

    def aliases(self) -> dict[str, Move]:
        """Return what aliases stand for now; those that were deleted are left out."""
        found = self._ask(standing.last_moves)
        return {each.alias: each for each in found if each.digest is not None}

    def moves_of(self, alias: str) -> list[Move]:
        """Return all moves of an alias, newest first."""
        return self._ask(standing.moves, alias)

    def aliases_of(self, digests: Iterable[str]) -> dict[str, list[str]]:
        """Return the aliases that stand for content now, of content that has any."""
        made: dict[str, list[str]] = {}
        for name in self._ask(standing.ever_of, digests):
            move = self.alias(name)
            if move is not None and move.digest is not None:
                made.setdefault(move.digest, []).append(name)
        return made

    # -- metadata --------------------------------------------------------------------------

    def said_of(self, subjects: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return what was said of executions later, and of content (`blake3:`), by subject."""
        wanted = {(digest_of(each) or id_of(each) or b""): each for each in subjects}
        made: dict[str, dict[str, Any]] = {}
        for subject, text in self._ask(questions.said, list(wanted)):
            made.setdefault(wanted[subject], {}).update(values_of(text))
        return made

    def bare(self) -> Bare:
        """Return bare rows, good until something is fed."""
        return Bare(self._open(), self._ask)

    # -- artifacts -------------------------------------------------------------------------

    def artifacts_of(self, ids: Iterable[str]) -> dict[str, list[Mention]]:
        """Return what executions and deployments have, inputs first, in the order recorded."""
        made: dict[str, list[Mention]] = {}
        for each in self._ask(mentions.artifacts_of, names_of(ids)):
            made.setdefault(each.id, []).append(each)
        return made

    def outputs_of(self, ids: Iterable[str]) -> dict[str, list[Mention]]:
        """Return what executions made, in the order recorded."""
        made: dict[str, list[Mention]] = {}
        for each in self._ask(mentions.artifacts_of, names_of(ids), "a.direction = 1"):
            made.setdefault(each.id, []).append(each)
        return made

    def known_as(self, name: str) -> str | None:
        """Return the digest of content that is known by another name, such as `sha256:<hex>`."""
        found = self._ask(mentions.known_as, name)
        return None if found is None else text_of(found)

    def makers_of(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest the executions that made that content, newest first.

        Those, too, that made a directory which holds it: such mentions have a `whole`.
        """
        wanted = list(digests)
        made = self._having(wanted, "a.direction = 1", "DESC")
        for each in self._ask(holding.made_inside, digests_of(wanted)):
            others = made.setdefault(each.digest or "", [])
            if (each.id, each.path) not in {(other.id, other.path) for other in others}:
                others.append(each)
        return made

    def made_by_several(self, digests: Iterable[str]) -> set[str]:
        """Return the content that several may have made, alone or in a directory."""
        if self._ask(holding.has_any):
            return set(digests)
        return set(map(text_of, self._ask(mentions.made_by_several, digests_of(digests))))

    def holders_of(self, digests: Iterable[str]) -> set[str]:
        """Return the directories that hold some content, at any depth."""
        if not self._ask(holding.has_any):
            return set()
        found = self._ask(holding.holders_of, digests_of(digests))
        return set(map(digest.of_text, found))

    def held_in(self, digests: Iterable[str]) -> dict[str, list[Held]]:
        """Return what directories hold, those that are known, one level deep."""
        found = self._ask(holding.held_in, digests_of(digests))
        return {digest.of_text(each): held for each, held in found.items()}

    def users_of(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest the executions that used that content, oldest first."""
        return self._having(digests, "a.direction = 0")

    def deployments_of(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest the deployments of that content, oldest first."""
        return self._having(digests, "a.direction = 2")

    def relying_on(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest who used or deployed that content, oldest first."""
        return self._having(digests, "a.direction IN (0, 2)")

    def first_use(self, digest: str, path: str) -> Mention | None:
        """Return the earliest use of content at a path, by start."""
        wanted = digest_of(digest)
        return None if wanted is None else self._ask(mentions.first_use, wanted, path)

    def made_last(self) -> list[Mention]:
        """Return of each path what was made there last."""
        return self._ask(mentions.made_last)

    def makers_of_path(self, path: str, limit: int | None = None) -> list[Mention]:
        """Return the executions that made something at that path, newest first."""
        return self._ask(mentions.mentions_of_path, path, "a.direction = 1", limit)

    def mentions_of_path(self, path: str, limit: int | None = None) -> list[Mention]:
        """Return all that anything used, made or deployed at that path, newest first."""
        return self._ask(mentions.mentions_of_path, path, "TRUE", limit)

    def paths_ending(self, name: str, limit: int = 3) -> list[str]:
        """Return paths that anything was had at and whose last names are these."""
        return self._ask(mentions.paths_ending, name, limit)

    # -- files -----------------------------------------------------------------------------

    def files_from(self, position: Position, count: int) -> list[Known]:
        """Return the next files from a position, which moves on; none at the end.

        By path, and at one path what was had last first.
        """
        from gitlineage.index import files  # 1 ms, which only some verbs need

        return self._ask(files.following, position, count)

    def files_at(self, paths: Iterable[str]) -> list[Known]:
        """Return what was known last at some paths."""
        from gitlineage.index import files

        return self._ask(files.newest, paths)

    def files_of(self, digests: Iterable[str]) -> list[Known]:
        """Return content at all paths where it is known, by path."""
        from gitlineage.index import files

        return self._ask(files.of_contents, digests)

    def files_had_by(self, id: str, direction: str) -> list[Known]:
        """Return what one had as `input`, `output` or `deployed`, by path."""
        from gitlineage.index import files

        return self._ask(files.had_by, id, direction)

    def files_deployed(self) -> list[Known]:
        """Return all that was ever deployed, by path."""
        from gitlineage.index import files

        return self._ask(files.deployed)

    def files_inside(self, path: str) -> list[Known]:
        """Return what is known at a path as a part of directories, the newest first."""
        from gitlineage.index import files

        return self._ask(files.inside, path)

    def described(self, rows: Sequence[Known], *, is_alone: bool = False) -> list[Known]:
        """Return files with who made, used and deployed them; maybe by themselves only.

        Else parts of directories count as what was made, used or deployed with these.
        """
        from gitlineage.index import uses

        return self._ask(uses.described, rows, is_alone=is_alone)

    def _having(
        self, digests: Iterable[str], which: str, order: str = ""
    ) -> dict[str, list[Mention]]:
        found = self._ask(mentions.mentions_of_content, digests_of(digests), which, order)
        made: dict[str, list[Mention]] = {}
        for each in found:
            made.setdefault(each.digest or "", []).append(each)
        return made


def _set_tags(connection: sqlite3.Connection, tag: str, members: Mapping[str, int] | None) -> None:
    with Transaction(connection):
        set_tags(connection, tag, members)
