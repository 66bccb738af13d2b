"""What executions made and used as bare rows, in which numbers stand for records and content.

Knows the tables; knows nothing of what a trace is. A trace of 100,000 nodes reads 300,000 such
rows, in a fifth of the time that as many `Mention`s take. Numbers are good for one reading.
"""

from __future__ import annotations

# Statements are put together from constants of this package; every value is bound.
from gitlineage.errors import Damaged
from gitlineage.index.questions import numbers_of
from gitlineage.index.rows import Unread
from gitlineage.index.spelling import names_of, prefix_of, shown, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from typing import Any

    Has = tuple[int, int, int | None, int, int, int | None]
    """Record, direction, content, path, manner, size."""
    Ran = tuple[str, int | None, int | None, bool]
    """Id; when it started and ended, as far as known; whether it ran inside another."""
    Manner = tuple[str, str, str | None]
    """Type, how it is known, role."""
    Told = tuple[Any, ...]
    """Step, title, status, start, duration, agent, commit, is_adhoc; metadata and parameters,
    which are read when they are looked at."""

_HAS = "SELECT a.record, a.direction, a.content, a.path, a.manner, a.size FROM json_each(?) w"
_BY_RECORD = _HAS + " CROSS JOIN artifact a ON a.record = w.value AND a.direction = {}"
_BY_CONTENT = _HAS + " CROSS JOIN artifact a ON a.content = w.value AND a.direction {}"


class Bare:
    """Bare rows, and what their numbers stand for."""

    def __init__(self, connection: sqlite3.Connection, ask: Callable[..., Any]) -> None:
        self._connection = connection
        self._ask = ask
        self.ran: dict[int, Ran | None] = {}
        """Executions and deployments by number; None for an end that is not shown."""
        self._numbers: dict[str, int] = {}
        self.digests: dict[int, str] = {}
        self.texts: dict[int, str] = {}
        """Paths, steps and so on."""
        self.manners: dict[int, Manner] = {}

    def numbers(self, ids: Iterable[str]) -> list[int]:
        """Return the records of executions, those that are known."""
        ids = list(ids)
        lacking = [each for each in ids if each not in self._numbers]
        if lacking:
            self._learn_records(self._ask(self._rows, numbers_of, names_of(lacking)))
        return [self._numbers[each] for each in ids if each in self._numbers]

    def outputs(self, numbers: Iterable[int]) -> list[Has]:
        """Return what executions made."""
        return self._having(_BY_RECORD.format(1), numbers)

    def inputs(self, numbers: Iterable[int]) -> list[Has]:
        """Return what executions used."""
        return self._having(_BY_RECORD.format(0), numbers)

    def makers(self, contents: Iterable[int]) -> list[Has]:
        """Return who made content as such, those that are not shown, too."""
        return self._having(_BY_CONTENT.format("= 1"), sorted(contents))

    def relying(self, contents: Iterable[int]) -> list[Has]:
        """Return who used or deployed content as such, those that are not shown, too."""
        return self._having(_BY_CONTENT.format("IN (0, 2)"), sorted(contents))

    def executions(self, ids: Iterable[str]) -> dict[str, Told]:
        """Return what is told of executions, but of those to which metadata was added later."""
        found = self._each(
            "SELECT r.id, r.step, r.title, r.status, r.started_at, r.duration, r.agent, r.code,"
            " r.is_adhoc, r.metadata, r.parameters"
            " FROM json_each(?) w CROSS JOIN record r ON r.id = w.value"
            " WHERE r.kind = 0 AND NOT EXISTS (SELECT 1 FROM said WHERE subject = r.name)",
            self.numbers(ids),
        )
        self._learn_texts({row[1] for row in found} | {row[3] for row in found})
        text = self.texts.get
        asked = "SELECT t.id, t.name FROM json_each(?) w CROSS JOIN agent t ON t.id = w.value"
        agents = self._each(asked, {row[6] for row in found} - {None})
        agent = {number: name and shown(name) for number, name in agents}.get
        asked = 'SELECT t.id, t."commit" FROM json_each(?) w CROSS JOIN code t ON t.id = w.value'
        codes = self._each(asked, {row[7] for row in found} - {None})
        code = {number: commit and commit.hex() for number, commit in codes}.get
        none: dict[str, Any] = {}
        ran = self.ran
        return {
            ran[number][0]: (  # type: ignore[index]
                text(step), title, text(status), started_at, duration, agent(who), code(what),
                is_adhoc == 1, none if metadata is None else Unread(metadata),
                none if parameters is None else Unread(parameters),
            )
            for number, step, title, status, started_at, duration, who, what, is_adhoc, metadata,
            parameters in found
        }  # fmt: skip

    def made_by_several(self, contents: Iterable[int]) -> set[int]:
        """Return the content that has several makers, or is in some directory."""
        contents = sorted(contents)
        found = self._each(
            "SELECT w.value FROM json_each(?) w WHERE (SELECT count(*) FROM artifact a"
            " WHERE a.content = w.value AND a.direction = 1) > 1",
            contents,
        )
        several = {content for (content,) in found}
        if self._each("SELECT 1 FROM folder, json_each(?) LIMIT 1", (1,)):
            several |= self._in_folders(contents)
        return several

    def _each(self, query: str, values: Iterable[object]) -> list[Any]:
        """Return what a query says of each number that `json_each(?)` gives it.

        Many are found in two thirds of the time where they are sorted as the table is.
        """
        return self._ask(self._rows, _each, query, values)  # type: ignore[no-any-return]

    def _rows(
        self, connection: sqlite3.Connection, question: Callable[..., Any], *asked: Any
    ) -> Any:
        if connection is not self._connection:
            # It was damaged, and numbers stand for something else in what took its place.
            raise Damaged(what="the index", reason="it was built anew while it was read")
        return question(connection, *asked)

    def _in_folders(self, contents: Iterable[int]) -> set[int]:
        self._learn_digests(contents)
        prefixes = {
            each: prefix_of(bytes.fromhex(self.digests[each][7:]))[0]
            for each in contents
            if self.digests[each].startswith("blake3:")
        }
        found = self._each(
            "SELECT h.content FROM json_each(?) w CROSS JOIN held h ON h.content = w.value",
            prefixes.values(),
        )
        held = {prefix for (prefix,) in found}
        return {each for each, prefix in prefixes.items() if prefix in held}

    def _having(self, query: str, numbers: Iterable[int]) -> list[Has]:
        rows = self._each(query, numbers)
        self._learn_records({row[0] for row in rows})
        self._learn_digests({row[2] for row in rows if row[2] is not None})
        self._learn_texts({row[3] for row in rows})
        if lacking := {row[4] for row in rows} - self.manners.keys():
            asked = "SELECT m.id, m.type, m.how, m.role FROM json_each(?) w CROSS JOIN manner m"
            for number, type_, how, role in self._each(asked + " ON m.id = w.value", lacking):
                self.manners[number] = (shown(type_), shown(how), role and shown(role))
        return rows

    def _learn_texts(self, numbers: set[int]) -> None:
        asked = "SELECT t.id, t.text FROM json_each(?) w CROSS JOIN text t ON t.id = w.value"
        for number, text in self._each(asked, numbers - self.texts.keys() - {None}):
            self.texts[number] = text if type(text) is str else shown(text)

    def _learn_records(self, numbers: Iterable[int]) -> None:
        lacking = [each for each in numbers if each not in self.ran]
        found = self._each(
            "SELECT r.id, lower(hex(r.name)), r.started_at, coalesce(r.finished_at, r.started_at),"
            " r.parent IS NOT NULL, r.is_shown AND r.kind < 2"
            " FROM json_each(?) w CROSS JOIN record r ON r.id = w.value",
            lacking,
        )
        for number, id, started, ended, is_nested, is_shown in found:
            self.ran[number] = (id, started, ended, is_nested == 1) if is_shown else None
            if is_shown:
                self._numbers[id] = number

    def _learn_digests(self, contents: Iterable[int]) -> None:
        lacking = sorted([each for each in contents if each not in self.digests])
        found = self._each(
            "SELECT c.id, c.digest FROM json_each(?) w CROSS JOIN content c ON c.id = w.value",
            lacking,
        )
        self.digests.update(
            [
                (number, "blake3:" + digest.hex() if len(digest) == 32 else text_of(digest))
                for number, digest in found
            ]
        )


def _each(connection: sqlite3.Connection, query: str, values: Iterable[object]) -> list[Any]:
    return connection.execute(query, (str(list(values)),)).fetchall()
