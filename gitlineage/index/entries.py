"""What records say, as rows of the tables.

Knows the fields of each kind of record, and refuses what has another shape than it must have; must
not know of other records.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
import sqlite3

from gitlineage.errors import InvalidRecord
from gitlineage.index.columns import (
    LONGEST_TEXT,
    command,
    cost_of,
    encoder,
    git_id,
    readable,
    reproduced,
)
from gitlineage.index.interned import Interned
from gitlineage.index.knowing import Knowing
from gitlineage.index.moves import Moves
from gitlineage.index.parts import TooNew, Unreadable, checked, opened_in, reason
from gitlineage.index.questions import chunked
from gitlineage.index.schema import (
    DAMAGED,
    DEPLOYED,
    DEPLOYMENT,
    EXECUTION,
    INPUT,
    KINDS,
    OUTPUT,
    UNCHANGED,
)
from gitlineage.index.spelling import as_stored, content_key, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gitlineage.index.knowing import Look
    from gitlineage.ledger import Stored

LONGEST_VALUES = 4096
"""Characters kept of the last values of metadata, and of parameters."""


_ODD = (Unreadable, InvalidRecord, LookupError, TypeError, ValueError, AttributeError,
        OverflowError)  # fmt: skip
"""What a record of another shape than it must have leads to."""


class Entries:
    """Rows that are to be written together."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._texts = Interned(connection, "text", ("text",))
        self._agents = Interned(connection, "agent", ("name", "email"))
        self._codes = Interned(connection, "code", ("tree", "commit"))
        self._manners = Interned(connection, "manner", ("type", "how", "role", "change"))
        self._knowing = Knowing(connection)
        self._encode: Callable[[Any], str] | None = None
        self._records: list[tuple[Any, ...]] = []
        self._deployments: list[tuple[Any, ...]] = []
        self._artifacts: list[tuple[Any, ...]] = []
        """With digests in place of their keys."""
        self._said: list[tuple[int, bytes, int, str]] = []
        self._costs: list[tuple[int, str, str]] = []
        self._moves = Moves(connection, self._text_key)
        self.directories: dict[bytes, str] = {}
        """Digests of those that were named, and a commit that has their manifests."""
        self._named: list[bytes] = []
        """Those of the record that is being taken."""

    def add(
        self, id: int, name: bytes, tree: bytes, commit: bytes, stored: Stored, opened: Any
    ) -> None:
        """Take what a record holds; one that cannot be understood becomes a row that says so."""
        artifacts: list[tuple[Any, ...]] = []
        self._named = []
        said: list[tuple[int, bytes, int, str]] = []
        cost = None
        try:
            launch = None
            if stored.launch is not None:
                launch = checked(opened_in(stored, stored.launch))
                if launch["kind"] != "execution":
                    raise Unreadable("its launch part is of another kind")
            if opened is None:
                if stored.record is None:
                    raise Unreadable("it has no record part")
                opened = opened_in(stored, stored.record)
            record = checked(opened)
            kind = record["kind"]
            if kind == "execution":
                fields = self._execution(id, name, launch, record, artifacts)
                cost = cost_of(record.get("cost"))
                for each in record.get("file_metadata", ()):
                    at = record.get("finished_at") or 0
                    self._say(id, each["digest"], at, each, said)
                    if launch is not None and launch.get("reproduces") is None:
                        self._moves.say(id, each["digest"], at, each)
            elif kind == "deployment" and launch is None:
                fields = self._deployment(id, record, artifacts)
            elif kind == "metadata" and launch is None:
                subject, at = bytes.fromhex(record["subject"]), record["set_at"]
                self._say(id, subject, at, record, said)
                self._moves.say(id, subject, at, record)
                fields = self._event(record, at)
            elif kind == "alias" and launch is None:
                fields = self._event(record, record["moved_at"])
                self._moves.move(id, record)
            elif kind == "retirement" and launch is None:
                fields = self._event(record, record["retired_at"])
                self._moves.retire(id, record)
            elif kind == "redaction" and launch is None:
                fields = self._event(record, record["forgotten_at"])
            elif type(kind) is str and launch is None:
                raise TooNew(f"kind {kind[:40]}")
            else:
                raise Unreadable("its kind is unclear")
        except _ODD as error:
            self._moves.forget(id)
            self._records.append((
                id, getattr(error, "kind", DAMAGED), 0, name, tree, commit, None,
                reason(error), *[None] * 21, stored.launch is not None, 1))  # fmt: skip
            return
        number = _KINDS[kind]
        is_shown = int(number in (EXECUTION, DEPLOYMENT))
        self._records.append((id, number, is_shown, name, tree, commit, *fields))
        self._said += said
        self._artifacts += artifacts
        for each in self._named:
            self.directories.setdefault(each, stored.commit)
        if cost:
            self._costs.append((id, *cost))

    def write(self) -> None:
        """Write what was added."""
        connection = self._connection
        if became := self._knowing.became:
            self._artifacts = [
                (*row[:3], became.get(row[3], row[3]), *row[4:]) for row in self._artifacts
            ]
        keys: dict[bytes | None, int | None] = {
            found: key_of(found)
            for found in {row[3] for row in self._artifacts} | {row[7] for row in self._artifacts}
            if found is not None
        }
        try:
            connection.executemany(
                "INSERT INTO content VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET digest = NULL"
                " WHERE digest <> excluded.digest",
                [(key, found) for found, key in keys.items()],
            )
        except sqlite3.IntegrityError:  # NOT NULL: another digest has the key
            keys = self._settled([found for found in keys if found is not None])
        keys[None] = None
        for interned in (self._texts, self._agents, self._codes, self._manners):
            interned.write()
        connection.executemany(f"INSERT INTO record VALUES ({','.join('?' * 31)})", self._records)
        connection.executemany(
            "INSERT INTO artifact VALUES (?,?,?,?,?,?,?,?)",
            [
                (id, way, place, keys[content], path, size, manner, keys[previous])
                for id, way, place, content, path, size, manner, previous in self._artifacts
            ],
        )
        if self._deployments:
            connection.executemany("INSERT INTO deployment VALUES (?,?,?)", self._deployments)
        if self._costs:
            connection.executemany("INSERT INTO cost VALUES (?,?,?)", self._costs)
        if self._said:
            connection.executemany("INSERT INTO said VALUES (?,?,?,?)", self._said)
        self._moves.write()
        self._records.clear()
        self._artifacts.clear()
        self._deployments.clear()
        self._said.clear()
        self._costs.clear()

    def follow(self, look: Look | None) -> None:
        """Let artifacts have the content that is by now known to be theirs."""
        if look is not None:
            self._knowing.look_back(look)
        for before, now in self._knowing.became.items():
            if (key := content_key(self._connection, before)) is not None:
                self._connection.execute(
                    "UPDATE artifact SET content = ? WHERE content = ?", (self._settle(now), key)
                )

    def _settled(self, digests: list[bytes]) -> dict[bytes | None, int | None]:
        """Return the keys of digests of which some have the key of another one."""
        known: dict[int, bytes] = dict(
            chunked(
                self._connection,
                "SELECT id, digest FROM content WHERE id IN ({})",
                list({key_of(each) for each in digests}),
            )
        )
        return {
            each: key if known.get(key := key_of(each)) == each else self._settle(each)
            for each in digests
        }

    def _settle(self, found: bytes) -> int:
        """Return the key of a digest, one of its own when another has the one it should have."""
        key = content_key(self._connection, found)
        if key is not None:
            return key
        key = key_of(found)
        if self._connection.execute("SELECT 1 FROM content WHERE id = ?", (key,)).fetchone():
            highest = self._connection.execute("SELECT max(id) FROM content").fetchone()[0]
            key = max(highest + 1, 1 << 31)
            self._connection.execute("INSERT INTO collided VALUES (?, ?)", (found, key))
        self._connection.execute("INSERT INTO content VALUES (?, ?)", (key, found))
        return key

    # -- one record

    def _execution(
        self, id: int, name: bytes, launch: Any, record: Any, artifacts: list[tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        if record["execution"] != name.hex():
            raise Unreadable("its end is of another execution")
        texts = self._texts
        status = record["status"]
        if type(status) is not str:
            raise TypeError("status is not text")
        finished_at, duration = record.get("finished_at"), record.get("duration")
        exit_code = record.get("exit_code")
        for each in (finished_at, duration, exit_code):
            if each is not None and (type(each) is not int or not -_LARGEST < each < _LARGEST):
                raise TypeError("a number is not one")
        metadata, is_cut = self._kept(record.get("metadata"))
        warnings_count = len(record.get("warnings", ()))
        if launch is None:
            inputs_count = self._mentions(id, INPUT, record.get("inputs", ()), artifacts, 0)
            outputs_count = self._mentions(id, OUTPUT, record.get("outputs", ()), artifacts, 0)
            return (
                None, None, self._text_key(status), exit_code, None, finished_at, duration, None,
                None, None, None, None, None, None, metadata, None, is_cut, inputs_count,
                outputs_count, warnings_count,
                record.get("is_recovered") is True, None, None, 0, 1)  # fmt: skip
        step, title, started_at = launch["step"], launch.get("title"), launch["started_at"]
        if type(started_at) is not int or not -_LARGEST < started_at < _LARGEST:
            raise TypeError("started_at is not a moment")
        if title is not None:
            title = readable(title)[:LONGEST_TEXT]
        agent, place, code = launch["agent"], launch["place"], launch["code"]
        who = (agent["name"], agent["email"])
        agent_key = self._agents.known.get(who)
        if agent_key is None:
            agent_key = self._agents.key(who, (as_stored(who[0]), as_stored(who[1])))
        host, branch = place["host"], code.get("branch")
        which = (code.get("tree"), code.get("commit"))
        code_key = self._codes.known.get(which)
        if code_key is None:
            code_key = self._codes.key(which, (git_id(which[0]), git_id(which[1])))
        parent = launch.get("parent")
        if parent is not None:
            parent = bytes.fromhex(parent)
            if len(parent) != 20:
                raise ValueError("parent is no execution id")
        parameters, is_cut_too = self._kept(launch.get("parameters"))
        listed = launch.get("inputs", ())
        if learned := record.get("learned"):
            by_name = {(each["path"], each.get("role")): each for each in learned}
            listed = [by_name.get((each["path"], each.get("role")), each) for each in listed]
        declared = self._mentions(id, INPUT, listed, artifacts, 0)
        inputs_count = declared + self._mentions(
            id, INPUT, record.get("inputs", ()), artifacts, declared
        )
        outputs_count = self._mentions(id, OUTPUT, record.get("outputs", ()), artifacts, 0)
        known = texts.known
        return (
            known.get(step) or self._text_key(step), title,
            known.get(status) or self._text_key(status), exit_code, started_at, finished_at,
            duration, agent_key, known.get(host) or self._text_key(host), code_key,
            code.get("is_adhoc") is True,
            None if branch is None else known.get(branch) or self._text_key(branch),
            command(launch["command"]), parent, metadata, parameters, is_cut or is_cut_too,
            inputs_count, outputs_count, warnings_count,
            record.get("is_recovered") is True, *reproduced(launch, record),
            launch.get("redacted") is None, 1)  # fmt: skip

    def _deployment(
        self, id: int, record: Any, artifacts: list[tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        at, agent = record["deployed_at"], record["agent"]
        if type(at) is not int or not -_LARGEST < at < _LARGEST:
            raise TypeError("deployed_at is not a moment")
        who = (as_stored(agent["name"]), as_stored(agent["email"]))
        count = self._mentions(id, DEPLOYED, record["artifacts"], artifacts, 0)
        version, target = (
            None if each is None else readable(each)[:LONGEST_TEXT]
            for each in (record.get("version"), record.get("target"))
        )
        fields = (
            self._text_key(record["name"]), None, None, None, at, None, None,
            self._agents.known.get(who) or self._agents.key(who, who), None, None, None, None,
            None, None, None, None, 0, count, 0, 0, 0, None, None, 1, 1)  # fmt: skip
        self._deployments.append((id, version, target))
        return fields

    def _event(self, record: Any, at: Any) -> tuple[Any, ...]:
        """Return the fields of what is no execution and no deployment: when, who, and why."""
        if type(at) is not int or not -_LARGEST < at < _LARGEST:
            raise TypeError("when it was said is not a moment")
        agent, why = record["agent"], record.get("message")
        who = (as_stored(agent["name"]), as_stored(agent["email"]))
        why = None if why is None else readable(why)[:LONGEST_TEXT]
        key = self._agents.known.get(who) or self._agents.key(who, who)
        return (None, why, None, None, at, None, None, key, *[None] * 15, 1, 1)

    def _say(
        self, id: int, subject: Any, at: Any, says: Any, into: list[tuple[int, bytes, int, str]]
    ) -> None:
        """Add what is said of an execution or of content."""
        if type(subject) is not bytes or len(subject) not in (20, 32):
            raise TypeError("what it is about is unclear")
        if type(at) is not int or not -_LARGEST < at < _LARGEST:
            raise TypeError("when it was said is not a moment")
        text, _ = self._kept(says["values"])
        if text is not None:
            into.append((id, subject, at, text))

    def _mentions(
        self, id: int, direction: int, listed: Any, into: list[tuple[Any, ...]], position: int
    ) -> int:
        """Add artifacts of one direction; return how many."""
        if not listed:
            return 0
        texts, manners = self._texts.known, self._manners.known
        sought = self._knowing.sought
        before: set[tuple[Any, Any]] = set()
        if direction == OUTPUT and into:
            before = {(each[4], each[3]) for each in into}
        for place, each in enumerate(listed, position):
            path, size, previous = each["path"], each.get("size"), each.get("previous")
            path_key = texts.get(path) or self._text_key(path)
            digests = each.get("digests")
            found = digests.get("blake3") if digests else None
            for value in (found, previous):
                if value is not None and (type(value) is not bytes or len(value) != 32):
                    raise TypeError("a digest is not one")
            # Few have another name, or are what a name was met for.
            if (
                (found is None and digests) or "remote" in each or "kept_by" in each
                or (sought and digests and digests.get("sha256") in sought)
            ):  # fmt: skip
                found = self._knowing.content(each, found)
            if size is not None and (type(size) is not int or not 0 <= size < _LARGEST):
                raise TypeError("a size is not one")
            change = each.get("change")
            manner = (each["type"], each["how"], each.get("role"), change)
            manner_key = manners.get(manner)
            if manner_key is None:
                manner_key = self._manners.key(
                    manner, [None if part is None else as_stored(part) for part in manner]
                )
            made = direction
            if direction == OUTPUT and (change == "deleted" or (path_key, found) in before):
                made = UNCHANGED
            if found is not None and manner[0] == "directory":
                self._named.append(found)
            into.append((id, made, place, found, path_key, size, manner_key, previous))
        return len(listed)

    def _text_key(self, text: Any) -> int:
        found = self._texts.known.get(text)
        if found is None:
            found = self._texts.key(text, (as_stored(text),))
        return found

    def _kept(self, values: Any) -> tuple[str | None, bool]:
        """Return values as text, and whether some were left out."""
        if not values:
            return None, False
        if type(values) is not dict:
            raise TypeError("values are not a map")
        if self._encode is None:
            self._encode = encoder()
        text = self._encode(values)
        if len(text) <= LONGEST_VALUES:
            return text, False
        kept, length = {}, 2
        for name, value in values.items():
            taken = len(self._encode({name: value}))
            if length + taken <= LONGEST_VALUES and taken <= LONGEST_TEXT:
                kept[name] = value
                length += taken
        return self._encode(kept), True


_KINDS = {kind: number for number, kind in enumerate(KINDS)}

_LARGEST = 1 << 62
