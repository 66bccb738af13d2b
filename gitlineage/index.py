"""Which records there are, by what people ask for: an SQLite file that can be thrown away.

Knows records as the ledger stores them and nothing of where they come from: it is fed, and never
reads the ledger or git. Whatever is wrong with the file (another version, damaged, locked for a
minute, in a folder that cannot be written to) it is built anew or held in memory, and nobody is
told. It answers *which*; the ledger answers *what*.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
import os
import sqlite3

from gitlineage import digest, encoding
from gitlineage.errors import Damaged, InvalidRecord
from gitlineage.records import FORMAT, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from gitlineage.ledger import Stored

    T = TypeVar("T")

VERSION = 1
"""Of the schema. A file of another version is built anew, never migrated. 1: the first."""

PATIENCE = 60.0
"""Seconds that another process may hold the file before this one goes on in memory."""

BATCH = 500
"""Records read into memory between two writes; well below SQLite's limit of bound values."""

LONGEST_TEXT = 500
"""Characters kept of a title or command: what a line of `log` can show, and more."""

LONGEST_VALUES = 4096
"""Characters kept of the last values of metadata, and of parameters."""

KINDS = ("execution", "deployment", "damaged", "newer")
_EXECUTION, _DEPLOYMENT, _DAMAGED, _NEWER = range(4)

DIRECTIONS = ("input", "output", "deployed", "unchanged")
"""How a record has an artifact. `unchanged`: named as an output, but the same path held the same
content before, or it was deleted: nothing was made."""
_INPUT, _OUTPUT, _DEPLOYED, _UNCHANGED = range(4)

_SUCCEEDED = 1
"""Key of that word."""

# A digest's first 48 bits are its key: feeding computes it instead of looking it up, and no second
# copy of all digests is needed to find one. Should two digests share them, the later one gets a
# random key beyond 48 bits, and `collided` names it. Paths, steps and so on are stored once, as
# text or, where they are not UTF-8, as blob. `manner` holds what artifacts have in common.
# Of one record that stands in several chains, `record` has the newest commit and `elsewhere` the
# others: dropping one must not lose the record. `id` is the order in which commits were fed.
SCHEMA = """
CREATE TABLE tip (ref TEXT PRIMARY KEY, "commit" TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE text (id INTEGER PRIMARY KEY, text UNIQUE NOT NULL);
INSERT INTO text VALUES (1, 'succeeded');
CREATE TABLE agent (id INTEGER PRIMARY KEY, name, email, UNIQUE (name, email));
CREATE TABLE code (id INTEGER PRIMARY KEY, tree, "commit", UNIQUE (tree, "commit"));
CREATE TABLE manner (id INTEGER PRIMARY KEY, type, how, role, change);
CREATE TABLE content (id INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE collided (digest BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, is_shown INTEGER NOT NULL, name BLOB NOT NULL,
  tree BLOB NOT NULL, "commit" BLOB NOT NULL, step INTEGER, title TEXT, status INTEGER,
  exit_code INTEGER, started_at INTEGER, finished_at INTEGER, duration INTEGER, agent INTEGER,
  host INTEGER, code INTEGER, is_adhoc INTEGER, branch INTEGER, command TEXT, parent BLOB,
  metadata TEXT, parameters TEXT, is_cut INTEGER, inputs_count INTEGER, outputs_count INTEGER,
  warnings_count INTEGER, is_recovered INTEGER, is_checkable INTEGER, ends_count INTEGER
);
CREATE TABLE deployment (record INTEGER PRIMARY KEY, version TEXT, target TEXT);
CREATE TABLE elsewhere (
  "commit" BLOB PRIMARY KEY, record INTEGER NOT NULL, sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE artifact (
  record INTEGER, direction INTEGER, position INTEGER, content INTEGER, path INTEGER,
  size INTEGER, manner INTEGER, previous INTEGER, PRIMARY KEY (record, direction, position)
) WITHOUT ROWID;
CREATE TABLE tagged (tag TEXT, member TEXT, added_at INTEGER, PRIMARY KEY (tag, member))
  WITHOUT ROWID;
CREATE INDEX record_name ON record (name);
CREATE INDEX elsewhere_record ON elsewhere (record);
CREATE INDEX tagged_member ON tagged (member);
"""

# Sorting once is several times cheaper than keeping order while 100,000 records come in, so these
# are made after the first feeding.
ORDERS = {
    "record_started": "record (started_at) WHERE is_shown AND kind = 0",
    "record_step": "record (step, started_at) WHERE is_shown AND kind = 0",
    # Few fail; nearly all succeed, for which record_started serves.
    "record_status": "record (status, started_at) WHERE is_shown AND kind = 0"
                     f" AND status <> {_SUCCEEDED}",
    "record_code": "record (code)",
    "record_parent": "record (parent) WHERE parent IS NOT NULL",
    "record_problem": "record (kind) WHERE kind > 1",
    "artifact_content": "artifact (content) WHERE content IS NOT NULL",
    "artifact_path": "artifact (path)",
}


class Filters(Record):
    """Which executions are asked for; None asks nothing."""

    step: str | None = None
    tag: str | None = None
    status: str | None = None
    author: str | None = None
    """Part of the agent's name or email, in any case."""
    since: int | None = None
    """Started at this moment or later, microseconds."""
    until: int | None = None
    """Started at this moment or earlier."""
    commit: str | None = None
    """The code's commit or tree."""
    uses: str | None = None
    """A digest, as `blake3:<hex>`, or a path."""
    produces: str | None = None


class _Columns:
    """Base of what is read from the file: plain attributes, since a trace reads 100,000."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, n) == getattr(other, n) for n in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = (f"{n}={getattr(self, n, None)!r}" for n in self.__slots__)
        return f"{type(self).__name__}({', '.join(shown)})"


class Row(_Columns):
    """What a line about an execution or a deployment needs, without reading its record."""

    __slots__ = (
        "_metadata", "_parameters", "agent_email", "agent_name", "branch", "code_commit",
        "code_tree", "command", "commit", "duration", "ends_count", "exit_code",
        "finished_at", "host", "id", "inputs_count", "is_adhoc", "is_checkable", "is_cut",
        "is_recovered", "kind", "outputs_count", "parent", "sequence", "started_at",
        "status", "step", "target", "title", "version", "warnings_count",
    )  # fmt: skip

    sequence: int
    """Order in which commits were fed: that of the ledger, within one segment."""
    kind: str
    """`execution` or `deployment`."""
    id: str
    commit: str
    """The ledger's commit that holds the record."""
    step: str | None
    """Of a deployment: its name."""
    title: str | None
    status: str | None
    exit_code: int | None
    started_at: int | None
    """Of a deployment: when it was deployed."""
    finished_at: int | None
    duration: int | None
    agent_name: str | None
    agent_email: str | None
    host: str | None
    code_commit: str | None
    code_tree: str | None
    is_adhoc: bool
    branch: str | None
    command: str | None
    """As a shell would read it, cut at `LONGEST_TEXT`."""
    parent: str | None
    is_cut: bool
    """Some metadata or parameters were too long to be kept here."""
    inputs_count: int
    outputs_count: int
    """Of a deployment, how many artifacts are its inputs; it has no outputs."""
    warnings_count: int
    is_recovered: bool
    is_checkable: bool
    """False where the launch part, which gives the id, was redacted."""
    ends_count: int
    version: str | None
    """Of a deployment."""
    target: str | None
    _metadata: str | None
    _parameters: str | None

    def __init__(self, values: Sequence[Any]) -> None:
        (self.sequence, kind, name, commit, self.step, self.title, self.status, self.exit_code,
         self.started_at, self.finished_at, self.duration, self.agent_name, self.agent_email,
         self.host, code_commit, code_tree, is_adhoc, self.branch, self.command, parent,
         self._metadata, self._parameters, is_cut, self.inputs_count, self.outputs_count,
         self.warnings_count, is_recovered, is_checkable, self.ends_count, self.version,
         self.target) = values  # fmt: skip
        self.kind = KINDS[kind]
        self.id = name.hex()
        self.commit = commit.hex()
        self.code_commit = code_commit and code_commit.hex()
        self.code_tree = code_tree and code_tree.hex()
        self.is_adhoc = is_adhoc == 1
        self.parent = parent and parent.hex()
        self.is_cut = is_cut == 1
        self.is_recovered = is_recovered == 1
        self.is_checkable = is_checkable == 1
        for text in ("step", "branch", "host", "agent_name", "agent_email"):
            if type(getattr(self, text)) is bytes:
                setattr(self, text, os.fsdecode(getattr(self, text)))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Last value of each key."""
        return _values(self._metadata)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the execution was given."""
        return _values(self._parameters)


_ROW = """
SELECT r.id, r.kind, r.name, r."commit", step.text, r.title, status.text, r.exit_code,
  r.started_at, r.finished_at, r.duration, agent.name, agent.email, host.text, code."commit",
  code.tree, r.is_adhoc, branch.text, r.command, r.parent, r.metadata, r.parameters, r.is_cut,
  r.inputs_count, r.outputs_count, r.warnings_count, r.is_recovered, r.is_checkable,
  r.ends_count, d.version, d.target
FROM record r
  LEFT JOIN text step ON step.id = r.step LEFT JOIN text status ON status.id = r.status
  LEFT JOIN text host ON host.id = r.host LEFT JOIN text branch ON branch.id = r.branch
  LEFT JOIN agent ON agent.id = r.agent LEFT JOIN code ON code.id = r.code
  LEFT JOIN deployment d ON d.record = r.id
"""


class Mention(_Columns):
    """An artifact as one execution or deployment has it, and when that one ran."""

    __slots__ = (
        "change", "digest", "direction", "finished_at", "host", "how", "id", "parent",
        "path", "position", "previous", "role", "sequence", "size", "started_at", "type",
    )  # fmt: skip

    sequence: int
    id: str
    """Of the execution or deployment."""
    direction: str
    """`input`, `output`, `deployed`, or `unchanged` for an output that made nothing."""
    position: int
    digest: str | None
    """`blake3:<hex>`."""
    path: str
    size: int | None
    type: str
    how: str
    role: str | None
    change: str | None
    previous: str | None
    started_at: int | None
    finished_at: int | None
    host: str | None
    parent: str | None

    def __init__(self, values: Sequence[Any]) -> None:
        (self.sequence, name, direction, self.position, found, path, self.size, self.type,
         self.how, self.role, self.change, previous, self.started_at, self.finished_at, host,
         parent) = values  # fmt: skip
        self.id = name.hex()
        self.direction = DIRECTIONS[direction]
        self.digest = None if found is None else "blake3:" + found.hex()
        self.path = path if type(path) is str else os.fsdecode(path)
        self.previous = None if previous is None else "blake3:" + previous.hex()
        self.host = host if type(host) is not bytes else os.fsdecode(host)
        self.parent = None if parent is None else parent.hex()
        if type(self.role) is bytes:
            self.role = os.fsdecode(self.role)


_MENTION = """
SELECT r.id, r.name, a.direction, a.position, content.digest, path.text, a.size, m.type, m.how,
  m.role, m.change, previous.digest, r.started_at, r.finished_at, host.text, r.parent
FROM artifact a CROSS JOIN record r ON r.id = a.record
  LEFT JOIN content ON content.id = a.content LEFT JOIN text path ON path.id = a.path
  LEFT JOIN manner m ON m.id = a.manner LEFT JOIN content previous ON previous.id = a.previous
  LEFT JOIN text host ON host.id = r.host
"""


class Problem(Record):
    """A record that this version cannot read."""

    kind: str
    """`damaged` or `newer`."""
    commit: str
    id: str | None
    """Execution id, where there is a launch part."""
    reason: str


class Reading:
    """Several questions with one lock, instead of taking and returning it for each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_outermost = False

    def __enter__(self) -> None:
        if not self._connection.in_transaction:
            self._is_outermost = True
            self._connection.execute("BEGIN")

    def __exit__(self, *_: object) -> None:
        try:
            if self._is_outermost and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.ProgrammingError:
            pass  # it was damaged, and is closed


class Index:
    """The index in one file, opened when first asked.

    `refill`, when given, feeds it again after the file was found damaged in the middle of a
    question; without it, the question is answered by an empty index.
    """

    def __init__(self, path: str, refill: Callable[[], object] | None = None) -> None:
        self.refill = refill
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._is_in_memory = False
        self._was_rebuilt = False
        self._is_refilling = False
        self._opened: tuple[int, int] | None = None

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def is_in_memory(self) -> bool:
        """The file could not be used."""
        return self._is_in_memory

    # -- feeding ---------------------------------------------------------------------------

    def tips(self) -> dict[str, str]:
        """Return the refs that were fed, and up to which commit."""
        return self._try(_tips)

    def update(
        self,
        tips: Mapping[str, str],
        *,
        expected: Mapping[str, str],
        added: Iterable[Stored],
        dropped: Iterable[str] = (),
        tags: Mapping[str, Mapping[str, int] | None] | None = None,
    ) -> bool:
        """Feed what lies between two states of the refs, at once or not at all.

        `expected` is what `tips()` was when `added` and `dropped` (commits) were found; False
        means that it no longer is, or that the file had to be given up: compare again. `tags`
        gives tags their members, as `set_tags`; None drops one.
        """
        try:
            connection = self._open()
            with _Transaction(connection):
                if _tips(connection) != dict(expected):
                    return False
                feeding = _Feeding(connection)
                feeding.forget(dropped)
                feeding.add(added)
                connection.execute("DELETE FROM tip")
                connection.executemany("INSERT INTO tip VALUES (?, ?)",
                                       [(_bound(ref), tip) for ref, tip in tips.items()])
                for tag, members in (tags or {}).items():
                    _set_tags(connection, tag, members)
            return True
        except sqlite3.DatabaseError as error:
            self._retreat(error)
            return False

    def set_tags(self, tag: str, members: Mapping[str, int]) -> None:
        """Give a tag its members: execution ids or digests, and when each got it."""
        self._write(lambda connection: _set_tags(connection, tag, members))

    def drop_tag(self, tag: str) -> None:
        """Forget a tag."""
        self._write(lambda connection: _set_tags(connection, tag, None))

    # -- executions and deployments --------------------------------------------------------

    def executions(self, filters: Filters | None = None, limit: int | None = None) -> list[Row]:
        """Return executions, newest first: by start, then by id."""
        return self._try(lambda connection: _executions(connection, filters or Filters(), limit))

    def row(self, id: str) -> Row | None:
        """Return an execution or a deployment."""
        return self.rows([id]).get(id)

    def rows(self, ids: Iterable[str]) -> dict[str, Row]:
        """Return executions and deployments by id, those that are known."""
        names = _names(ids)
        found = self._chunks(_ROW + "WHERE r.is_shown AND r.kind < 2 AND r.name IN ({})", names)
        return {row.id: row for row in map(Row, found)}

    def by_prefix(self, prefix: str, limit: int = 20) -> list[str]:
        """Return ids of executions and deployments that start so."""
        span = _span(prefix, digest.ID_LENGTH)
        if span is None:
            return []
        found = self._ask("SELECT name FROM record WHERE name BETWEEN ? AND ? AND is_shown"
                          " AND kind < 2 ORDER BY name LIMIT ?", (*span, limit))
        return [name.hex() for (name,) in found]

    def contents_by_prefix(self, prefix: str, limit: int = 20) -> list[str]:
        """Return digests of known content, as `blake3:<hex>`, that start so."""
        span = _span(prefix.removeprefix("blake3:"), 64)
        if span is None:
            return []
        keys = tuple(int.from_bytes(each[:6], "big") for each in span)
        found = self._ask(
            "SELECT digest FROM content WHERE id BETWEEN ? AND ? AND digest BETWEEN ? AND ?"
            " UNION SELECT digest FROM collided WHERE digest BETWEEN ? AND ?"
            " ORDER BY digest LIMIT ?", (*keys, *span, *span, limit))
        return ["blake3:" + each.hex() for (each,) in found]

    def nth_newest(self, n: int, step: str | None = None) -> str | None:
        """Return the id of the newest execution (0), the one before it (1), and so on."""
        where, values = "", []
        if step is not None:
            where, values = "AND step = (SELECT id FROM text WHERE text = ?)", [_bound(step)]
        found = self._ask(f"SELECT name FROM record WHERE is_shown AND kind = 0 {where}"
                          " ORDER BY started_at DESC, name LIMIT 1 OFFSET ?", (*values, n))
        return found[0][0].hex() if found else None

    def newest_with_tag(self, tag: str) -> str | None:
        """Return the id of the newest execution that has the tag."""
        found = self.executions(Filters(tag=tag), 1)
        return found[0].id if found else None

    def children(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the executions that each execution started, oldest first."""
        found = self._chunks("SELECT parent, name FROM record WHERE is_shown AND kind = 0"
                             " AND parent IN ({}) ORDER BY started_at, name", _names(ids))
        made: dict[str, list[str]] = {}
        for parent, name in found:
            made.setdefault(parent.hex(), []).append(name.hex())
        return made

    def tags_of(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the tags of executions or digests, those that have any."""
        found = self._chunks("SELECT member, tag FROM tagged WHERE member IN ({}) ORDER BY tag",
                             list(map(_bound, ids)))
        made: dict[str, list[str]] = {}
        for member, tag in found:
            made.setdefault(_shown(member), []).append(_shown(tag))
        return made

    def tags(self) -> dict[str, dict[str, int]]:
        """Return all tags and their members."""
        made: dict[str, dict[str, int]] = {}
        for tag, member, at in self._ask("SELECT tag, member, added_at FROM tagged"):
            made.setdefault(_shown(tag), {})[_shown(member)] = at
        return made

    def count(self) -> int:
        """Return how many executions there are."""
        return int(self._ask("SELECT count(*) FROM record WHERE is_shown AND kind = 0")[0][0])

    def problems(self) -> list[Problem]:
        """Return the records that could not be read."""
        found = self._ask('SELECT kind, "commit", name, is_checkable, title FROM record'
                          " WHERE kind > 1 ORDER BY +id")
        return [
            Problem(kind=KINDS[kind], commit=commit.hex(), id=name.hex() if is_named else None,
                    reason=reason)
            for kind, commit, name, is_named, reason in found
        ]

    # -- artifacts -------------------------------------------------------------------------

    def artifacts_of(self, ids: Iterable[str]) -> dict[str, list[Mention]]:
        """Return what executions and deployments have, inputs first, in the order recorded."""
        found = self._chunks(
            "SELECT r.id, r.name, a.direction, a.position, content.digest, path.text, a.size,"
            " m.type, m.how, m.role, m.change, previous.digest, r.started_at, r.finished_at,"
            " host.text, r.parent FROM record r CROSS JOIN artifact a ON a.record = r.id"
            " LEFT JOIN content ON content.id = a.content LEFT JOIN text path ON path.id = a.path"
            " LEFT JOIN manner m ON m.id = a.manner"
            " LEFT JOIN content previous ON previous.id = a.previous"
            " LEFT JOIN text host ON host.id = r.host"
            " WHERE r.is_shown AND r.kind < 2 AND r.name IN ({})"
            " ORDER BY a.record, a.direction, a.position", _names(ids))
        made: dict[str, list[Mention]] = {}
        for each in map(Mention, found):
            made.setdefault(each.id, []).append(each)
        return made

    def makers_of(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest the executions that made that content, newest first."""
        return self._having(digests, "a.direction = 1")

    def users_of(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest the executions that used that content, oldest first."""
        return self._having(digests, "a.direction = 0", "")

    def deployments_of(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest the deployments of that content, oldest first."""
        return self._having(digests, "a.direction = 2", "")

    def relying_on(self, digests: Iterable[str]) -> dict[str, list[Mention]]:
        """Return for each digest who used or deployed that content, oldest first."""
        return self._having(digests, "a.direction IN (0, 2)", "")

    def makers_of_path(self, path: str, limit: int | None = None) -> list[Mention]:
        """Return the executions that made something at that path, newest first."""
        found = self._ask(
            _MENTION + "WHERE a.path = (SELECT id FROM text WHERE text = ?) AND a.direction = 1"
            " AND r.is_shown ORDER BY r.started_at DESC, r.name LIMIT ?",
            (_bound(path), -1 if limit is None else limit))
        return list(map(Mention, found))

    def first_use(self, digest: str, path: str) -> Mention | None:
        """Return the earliest use of content at a path, by start."""
        wanted = _digest_of(digest)
        if wanted is None:
            return None

        def ask(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(
                _MENTION + "WHERE a.content = ? AND a.direction = 0 AND r.is_shown"
                " AND a.path = (SELECT id FROM text WHERE text = ?)"
                " ORDER BY r.started_at, r.name LIMIT 1",
                (_content(connection, wanted), _bound(path))).fetchall()

        found = self._try(ask)
        return Mention(found[0]) if found else None

    def mentions_of_path(self, path: str, limit: int | None = None) -> list[Mention]:
        """Return all that anything used, made or deployed at that path, newest first."""
        found = self._ask(
            _MENTION + "WHERE a.path = (SELECT id FROM text WHERE text = ?) AND r.is_shown"
            " ORDER BY r.started_at DESC, r.name, a.direction, a.position LIMIT ?",
            (_bound(path), -1 if limit is None else limit))
        return list(map(Mention, found))

    def _having(
        self, digests: Iterable[str], which: str, order: str = "DESC"
    ) -> dict[str, list[Mention]]:
        wanted = [each for each in map(_digest_of, digests) if each is not None]
        query = (_MENTION + f"WHERE a.content IN ({{}}) AND {which} AND r.is_shown"
                 f" ORDER BY r.started_at {order}, r.name, a.position")

        def ask(connection: sqlite3.Connection) -> list[Any]:
            found = _chunked(connection, query, [_key_of(each) for each in wanted])
            # Rare: no row may be about the digest that was meant, but about one with its key.
            met = {row[4] for row in found}
            lacking = [each for each in wanted if each not in met]
            others = _chunked(connection, "SELECT id FROM collided WHERE digest IN ({})", lacking)
            return found + _chunked(connection, query, [key for (key,) in others])

        made: dict[str, list[Mention]] = {}
        sought = set(wanted)
        for row in self._try(ask):
            if row[4] in sought:
                each = Mention(row)
                made.setdefault(each.digest or "", []).append(each)
        return made

    # -- many questions at once

    def reading(self) -> Reading:
        """Return a context in which all answers are of one moment, and come twice as fast.

        Feeding waits until it ends; nothing may be fed inside.
        """
        return Reading(self._open())

    # -- the file --------------------------------------------------------------------------

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._try(lambda connection: connection.execute(query, values).fetchall())

    def _chunks(self, query: str, values: Sequence[Any]) -> list[Any]:
        return self._try(lambda connection: _chunked(connection, query, values))

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        def attempt(connection: sqlite3.Connection) -> None:
            with _Transaction(connection):
                work(connection)

        self._try(attempt)

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the file; where it cannot be used, with what takes its place.

        Raises Damaged when not even memory works, which is then no fault of the file.
        """
        for _ in range(3):
            try:
                return work(self._open())
            except sqlite3.DatabaseError as error:
                failed = error
                self._retreat(error)
                if self.refill is not None and not self._is_refilling:
                    self._is_refilling = True
                    try:
                        self.refill()
                    finally:
                        self._is_refilling = False
        raise Damaged(what="the index", reason=str(failed)) from failed

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if self._is_in_memory:
            return self._hold_in_memory(None)
        try:
            os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
        except OSError:
            return self._hold_in_memory(None)
        try:
            self._connection = _connect(self._path)
            _prepare(self._connection)
        except sqlite3.DatabaseError as error:
            self._opened = _state(self._path)
            self._retreat(error)
            return self._open()
        self._opened = _state(self._path)
        return self._connection

    def _retreat(self, error: sqlite3.DatabaseError) -> None:
        """Give up what failed: build the file anew when it is damaged, else go on in memory."""
        if isinstance(error, sqlite3.ProgrammingError):
            raise error  # a mistake of this module's, whatever the file
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        connection, self._connection = self._connection, None
        if connection is not None and not self._is_in_memory and code in _UNUSABLE:
            self._hold_in_memory(connection)
            return
        if connection is not None:
            connection.close()
        if self._is_in_memory or code in _UNUSABLE or self._was_rebuilt:
            self._is_in_memory = True
        else:
            self._was_rebuilt = True
            self._discard()

    def _hold_in_memory(self, source: sqlite3.Connection | None) -> sqlite3.Connection:
        """Go on in memory, with what can still be read of the file."""
        self._is_in_memory = True
        self._connection = _connect(":memory:")
        if source is not None:
            try:
                source.backup(self._connection, progress=_stop_when_busy)
            except sqlite3.DatabaseError:
                self._connection.close()
                self._connection = _connect(":memory:")
            source.close()
        try:
            _prepare(self._connection)
        except sqlite3.DatabaseError:  # what was copied is damaged as well
            self._connection.close()
            self._connection = _connect(":memory:")
            _prepare(self._connection)
        return self._connection

    def _discard(self) -> None:
        """Remove the damaged file, unless another process was faster."""
        import fcntl

        folder = -1
        try:
            folder = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY)
            # Two that found the same damage must not remove each other's new file: the second
            # finds another one than it had opened.
            fcntl.flock(folder, fcntl.LOCK_EX)
            if _state(self._path) == self._opened:
                # The journal first: left alone, it would be rolled back into the next file.
                for name in (self._path + "-journal", self._path):
                    if os.path.lexists(name):
                        os.remove(name)
        except OSError:
            self._is_in_memory = True
        finally:
            if folder >= 0:
                os.close(folder)


_UNUSABLE = frozenset((
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
))  # fmt: skip
"""Errors that say nothing against what the file holds."""


class _Transaction:
    """Everything or nothing; waits for another writer at the beginning, never in the middle."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, cached_statements=256)


def _stop_when_busy(status: int, _remaining: int, _total: int) -> None:
    """Let no copying wait for a lock: it would for ever."""
    if status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE):
        raise sqlite3.OperationalError("busy")


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none, or those of another version."""
    connection.execute("PRAGMA cache_size = -262144")
    connection.execute("PRAGMA temp_store = MEMORY")
    # Not WAL, although a feeding of one record takes 0.7 ms with it and 2.0 ms so: it needs shared
    # memory, which network file systems lack, cannot be read in a folder that cannot be written
    # to, and fails at once, however patient, when two processes turn it on together.
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
        return
    with _Transaction(connection):
        if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
            return
        found = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger')"
            " AND name NOT LIKE 'sqlite_%' ORDER BY type = 'table'").fetchall()
        for kind, name in found:
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
        for statement in SCHEMA.split(";\n")[:-1]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _tips(connection: sqlite3.Connection) -> dict[str, str]:
    return {_shown(ref): tip for ref, tip in connection.execute('SELECT ref, "commit" FROM tip')}


def _set_tags(
    connection: sqlite3.Connection, tag: str, members: Mapping[str, int] | None
) -> None:
    name = _bound(tag)
    connection.execute("DELETE FROM tagged WHERE tag = ?", (name,))
    rows = [(name, _bound(member), at) for member, at in (members or {}).items()]
    connection.executemany("INSERT INTO tagged VALUES (?, ?, ?)", rows)


def _chunked(connection: sqlite3.Connection, query: str, values: Sequence[Any]) -> list[Any]:
    """Return the rows of a query with `IN ({})` for any number of values."""
    found: list[Any] = []
    for start in range(0, len(values), BATCH):
        chunk = values[start : start + BATCH]
        # Few different texts, so that statements stay prepared.
        size = next(size for size in (1, 8, 64, BATCH) if size >= len(chunk))
        bound = [*chunk, *([None] * (size - len(chunk)))]
        marks = ",".join("?" * size)
        found += connection.execute(query.format(marks), bound).fetchall()
    return found


def _executions(
    connection: sqlite3.Connection, filters: Filters, limit: int | None
) -> list[Row]:
    where = ["r.is_shown", "r.kind = 0"]
    values: list[Any] = []
    if filters.step is not None:
        where.append("r.step = (SELECT id FROM text WHERE text = ?)")
        values.append(_bound(filters.step))
    if filters.status is not None:
        where.append("r.status = (SELECT id FROM text WHERE text = ?)")
        values.append(_bound(filters.status))
        if filters.status != "succeeded":
            where.append(f"r.status <> {_SUCCEEDED}")
    if filters.tag is not None:
        members = connection.execute(
            "SELECT member FROM tagged WHERE tag = ?", (_bound(filters.tag),)).fetchall()
        names = _names(member for (member,) in members)
        where.append("r.name IN (SELECT name FROM wanted)")
        _want(connection, names)
    if filters.author is not None:
        part = filters.author.casefold()
        agents = [
            str(number)
            for number, *who in connection.execute("SELECT id, name, email FROM agent")
            if any(part in _shown(each).casefold() for each in who)
        ]
        where.append(f"r.agent IN ({','.join(agents)})")
    if filters.since is not None:
        where.append("r.started_at >= ?")
        values.append(filters.since)
    if filters.until is not None:
        where.append("r.started_at <= ?")
        values.append(filters.until)
    if filters.commit is not None:
        where.append('r.code IN (SELECT id FROM code WHERE tree = ? OR "commit" = ?)')
        values += [_id(filters.commit)] * 2
    for asked, direction in ((filters.uses, "= 0"), (filters.produces, "IN (1, 3)")):
        if asked is None:
            continue
        wanted = _digest_of(asked)
        if wanted is None:
            what = "path = (SELECT id FROM text WHERE text = ?)"
            values.append(_bound(asked))
        else:
            what = "content = ?"
            values.append(_content(connection, wanted))
        where.append(f"r.id IN (SELECT record FROM artifact WHERE {what}"
                     f" AND direction {direction})")
    values.append(-1 if limit is None else limit)
    found = connection.execute(
        f"{_ROW} WHERE {' AND '.join(where)} ORDER BY r.started_at DESC, r.name LIMIT ?", values)
    return list(map(Row, found.fetchall()))


def _want(connection: sqlite3.Connection, names: Sequence[bytes]) -> None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (name BLOB PRIMARY KEY)")
    connection.execute("DELETE FROM wanted")
    connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((n,) for n in names))


def _shown(value: object) -> str:
    """Return stored text as it was."""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    return value if isinstance(value, str) else ""


def _bound(text: str) -> str | bytes:
    """Return text as it is stored: bytes where it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _text(value: object) -> str | bytes:
    """Return text of a record as it is stored; the codec has bytes where it is not UTF-8."""
    if type(value) is str:
        return value
    if type(value) is not bytes:
        raise TypeError("text is missing")
    return _bound(os.fsdecode(value))


def _id(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None


def _names(ids: Iterable[str]) -> list[bytes]:
    return [each for each in map(_id, ids) if each is not None and len(each) == 20]


def _digest_of(text: str) -> bytes | None:
    found = _id(text[7:]) if text.startswith("blake3:") else None
    return found if found is not None and len(found) == 32 else None


def _span(prefix: str, length: int) -> tuple[bytes, bytes] | None:
    """Return the smallest and the largest id that start so."""
    low, high = _id(prefix.ljust(length, "0")), _id(prefix.ljust(length, "f"))
    if low is None or high is None or len(low) != length // 2 or " " in prefix:
        return None
    return low, high


def _key_of(found: bytes) -> int:
    return int.from_bytes(found[:6], "big")


def _content(connection: sqlite3.Connection, found: bytes) -> int | None:
    """Return the key of a digest."""
    key = _key_of(found)
    row = connection.execute("SELECT digest FROM content WHERE id = ?", (key,)).fetchone()
    if row is None or row[0] == found:
        return None if row is None else key
    row = connection.execute("SELECT id FROM collided WHERE digest = ?", (found,)).fetchone()
    return None if row is None else row[0]


def _values(text: str | None) -> Mapping[str, Any]:
    if text is None:
        return {}
    import json  # 5 ms: only where there is something to read

    found = json.loads(text)
    return found if isinstance(found, dict) else {}


# -- feeding -------------------------------------------------------------------------------


class _Interned:
    """Keys of values that are stored once; the values seen lately are remembered."""

    def __init__(
        self, connection: sqlite3.Connection, table: str, columns: Sequence[str]
    ) -> None:
        self.known: dict[Any, int] = {}
        self._connection = connection
        match = " AND ".join(f'"{each}" IS ?' for each in columns)
        self._select = f"SELECT id FROM {table} WHERE {match}"
        self._insert = f"INSERT INTO {table} VALUES ({', '.join('?' * (len(columns) + 1))})"
        highest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
        self._next = (highest or 0) + 1
        self._is_complete = highest is None
        if table == "text":
            self._is_complete = highest == _SUCCEEDED
            self.known["succeeded"] = _SUCCEEDED
        self._new: list[tuple[Any, ...]] = []

    def key(self, known_as: Any, values: Sequence[Any]) -> int:
        """Return the key of values that `known` lacks, and remember it."""
        if not self._is_complete:
            row = self._connection.execute(self._select, values).fetchone()
            if row is not None:
                self.known[known_as] = row[0]
                return int(row[0])
        key = self.known[known_as] = self._next
        self._next += 1
        self._new.append((key, *values))
        return key

    def write(self) -> None:
        """Write what is new."""
        self._connection.executemany(self._insert, self._new)
        self._new.clear()
        if len(self.known) > 300_000:  # 100 MB
            self.known.clear()
            self._is_complete = False


class _Unreadable(Exception):
    """A record that is not what it should be: why."""

    kind = _DAMAGED


class _TooNew(_Unreadable):
    """A record of a later version: what it says."""

    kind = _NEWER


class _Feeding:
    """One update of the index, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        highest = connection.execute(
            "SELECT max(coalesce((SELECT max(id) FROM record), 0),"
            " coalesce((SELECT max(sequence) FROM elsewhere), 0))").fetchone()[0]
        self._next = highest + 1
        self._texts = _Interned(connection, "text", ("text",))
        self._agents = _Interned(connection, "agent", ("name", "email"))
        self._codes = _Interned(connection, "code", ("tree", "commit"))
        self._manners = _Interned(connection, "manner", ("type", "how", "role", "change"))
        self._encode: Callable[[Any], str] | None = None
        self._records: list[tuple[Any, ...]] = []
        self._deployments: list[tuple[Any, ...]] = []
        self._artifacts: list[tuple[Any, ...]] = []
        """With digests in place of their keys."""

    # -- what was there before

    def forget(self, commits: Iterable[str]) -> None:
        """Forget commits, and the records that stand in no other."""
        connection = self._connection
        gone = [(bytes.fromhex(each),) for each in commits]
        if not gone:
            return
        connection.execute('CREATE TEMP TABLE IF NOT EXISTS gone ("commit" BLOB PRIMARY KEY)')
        connection.execute("DELETE FROM gone")
        connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", gone)
        connection.execute('DELETE FROM elsewhere WHERE "commit" IN (SELECT "commit" FROM gone)')
        found = connection.execute(
            'SELECT id, name FROM record WHERE "commit" IN (SELECT "commit" FROM gone)')
        left = set()
        for id, name in found.fetchall():
            other = connection.execute(
                'SELECT "commit", sequence FROM elsewhere WHERE record = ?'
                " ORDER BY sequence DESC LIMIT 1", (id,)).fetchone()
            if other:
                connection.execute('DELETE FROM elsewhere WHERE "commit" = ?', other[:1])
                self._move(id, other[1], other[0])
                continue
            connection.execute("DELETE FROM record WHERE id = ?", (id,))
            connection.execute("DELETE FROM artifact WHERE record = ?", (id,))
            connection.execute("DELETE FROM deployment WHERE record = ?", (id,))
            left.add(name)
        for name in sorted(left):
            self._elect(name)

    def _move(self, id: int, sequence: int, commit: bytes) -> None:
        """Give a record another commit, and that one's place in the order."""
        connection = self._connection
        connection.execute('UPDATE record SET id = ?, "commit" = ? WHERE id = ?',
                           (sequence, commit, id))
        for table in ("artifact", "deployment", "elsewhere"):
            connection.execute(f"UPDATE {table} SET record = ? WHERE record = ?", (sequence, id))

    def _elect(self, name: bytes) -> None:
        """Show one of the ends of an execution.

        First one that can be checked, then a real end, then the smallest: by tree id, which
        stands for the record id here, since that is over all parts and feeding has two of them.
        """
        found = self._connection.execute(
            "SELECT id FROM record WHERE name = ? AND kind < 2"
            " ORDER BY is_checkable DESC, is_recovered, tree", (name,)).fetchall()
        self._connection.executemany(
            "UPDATE record SET is_shown = ?, ends_count = ? WHERE id = ?",
            [(place == 0, len(found), id) for place, (id,) in enumerate(found)])

    # -- what is new

    def add(self, stored: Iterable[Stored]) -> None:
        """Feed records, in the order of the ledger."""
        for batch in _batches(stored):
            self._add(batch)
        for name, order in ORDERS.items():
            self._connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {order}")

    def _add(self, batch: Sequence[Stored]) -> None:
        named = [(each, *_opened(each)) for each in batch]
        known: dict[bytes, list[tuple[bytes, bytes, int]]] = {}
        for name, tree, commit, id in _chunked(
            self._connection, 'SELECT name, tree, "commit", id FROM record WHERE name IN ({})',
            [name for _, name, _ in named],
        ):
            known.setdefault(name, []).append((tree, commit, id))
        contested = set()
        again = []
        for each, name, opened in named:
            tree, commit, id = bytes.fromhex(each.tree), bytes.fromhex(each.commit), self._next
            others = known.get(name)
            if others is None:
                known[name] = [(tree, commit, id)]
            else:
                place = next((i for i, other in enumerate(others) if other[0] == tree), None)
                if place is not None:
                    if others[place][1] != commit and not self._is_elsewhere(commit):
                        again.append((others[place], commit, id))
                        others[place] = (tree, commit, id)
                        self._next += 1
                    continue
                others.append((tree, commit, id))
                contested.add(name)
            self._next += 1
            self._read(id, name, tree, commit, each, opened)
        self._write()
        for (_, before, sequence), commit, id in again:
            self._move(sequence, id, commit)
            self._connection.execute("INSERT OR REPLACE INTO elsewhere VALUES (?, ?, ?)",
                                     (before, id, sequence))
        for name in sorted(contested):
            self._elect(name)

    def _is_elsewhere(self, commit: bytes) -> bool:
        found = self._connection.execute(
            'SELECT 1 FROM elsewhere WHERE "commit" = ?', (commit,)).fetchone()
        return found is not None

    def _write(self) -> None:
        connection = self._connection
        keys: dict[bytes | None, int | None] = {
            found: _key_of(found)
            for each in self._artifacts
            for found in (each[3], each[7])
            if found is not None
        }
        try:
            connection.executemany(
                "INSERT INTO content VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET digest = NULL"
                " WHERE digest <> excluded.digest", [(key, found) for found, key in keys.items()])
        except sqlite3.IntegrityError:  # NOT NULL: another digest has the key
            keys = {found: self._settle(found) for found in keys if found is not None}
        keys[None] = None
        for interned in (self._texts, self._agents, self._codes, self._manners):
            interned.write()
        connection.executemany(
            f"INSERT INTO record VALUES ({','.join('?' * 29)})", self._records)
        connection.executemany(
            "INSERT INTO artifact VALUES (?,?,?,?,?,?,?,?)",
            [(record, direction, position, keys[content], path, size, manner, keys[previous])
             for record, direction, position, content, path, size, manner, previous
             in self._artifacts])
        if self._deployments:
            connection.executemany("INSERT INTO deployment VALUES (?,?,?)", self._deployments)
        self._records.clear()
        self._artifacts.clear()
        self._deployments.clear()

    def _settle(self, found: bytes) -> int:
        """Return the key of a digest, one of its own when another has the one it should have."""
        key = _content(self._connection, found)
        if key is not None:
            return key
        key = _key_of(found)
        if self._connection.execute("SELECT 1 FROM content WHERE id = ?", (key,)).fetchone():
            highest = self._connection.execute("SELECT max(id) FROM content").fetchone()[0]
            key = max(highest + 1, 1 << 48)
            self._connection.execute("INSERT INTO collided VALUES (?, ?)", (found, key))
        self._connection.execute("INSERT INTO content VALUES (?, ?)", (key, found))
        return key

    # -- one record

    def _read(
        self, id: int, name: bytes, tree: bytes, commit: bytes, stored: Stored, opened: Any
    ) -> None:
        """Take what a record holds; one that cannot be understood becomes a row that says so."""
        artifacts: list[tuple[Any, ...]] = []
        try:
            launch = None
            if stored.launch is not None:
                launch = _checked(encoding.unpack(stored.launch))
                if launch["kind"] != "execution":
                    raise _Unreadable("its launch part is of another kind")
            if opened is None:
                if stored.record is None:
                    raise _Unreadable("it has no record part")
                opened = encoding.unpack(stored.record)
            record = _checked(opened)
            kind = record["kind"]
            if kind == "execution":
                fields = self._execution(id, name, launch, record, artifacts)
            elif kind == "deployment" and launch is None:
                fields = self._deployment(id, record, artifacts)
            elif type(kind) is str and launch is None:
                raise _TooNew(f"kind {kind[:40]}")
            else:
                raise _Unreadable("its kind is unclear")
        except (_Unreadable, InvalidRecord, LookupError, TypeError, ValueError,
                AttributeError, OverflowError) as error:
            self._records.append((
                id, getattr(error, "kind", _DAMAGED), 0, name, tree, commit, None,
                _reason(error), *[None] * 19, stored.launch is not None, 1))
            return
        number = _EXECUTION if kind == "execution" else _DEPLOYMENT
        self._records.append((id, number, 1, name, tree, commit, *fields))
        self._artifacts += artifacts

    def _execution(
        self, id: int, name: bytes, launch: Any, record: Any, artifacts: list[tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        if record["execution"] != name.hex():
            raise _Unreadable("its end is of another execution")
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
            inputs_count = self._mentions(id, _INPUT, record.get("inputs", ()), artifacts, 0)
            outputs_count = self._mentions(id, _OUTPUT, record.get("outputs", ()), artifacts, 0)
            return (
                None, None, self._text_key(status), exit_code, None, finished_at, duration, None,
                None, None, None, None, None, None, metadata, None, is_cut, inputs_count,
                outputs_count, warnings_count, record.get("is_recovered") is True, 0, 1)
        step, title, started_at = launch["step"], launch.get("title"), launch["started_at"]
        if type(started_at) is not int or not -_LARGEST < started_at < _LARGEST:
            raise TypeError("started_at is not a moment")
        if title is not None:
            title = _readable(title)[:LONGEST_TEXT]
        agent, place, code = launch["agent"], launch["place"], launch["code"]
        who = (agent["name"], agent["email"])
        agent_key = self._agents.known.get(who)
        if agent_key is None:
            agent_key = self._agents.key(who, (_text(who[0]), _text(who[1])))
        host, branch = place["host"], code.get("branch")
        which = (code.get("tree"), code.get("commit"))
        code_key = self._codes.known.get(which)
        if code_key is None:
            code_key = self._codes.key(which, (_git_id(which[0]), _git_id(which[1])))
        parent = launch.get("parent")
        if parent is not None:
            parent = bytes.fromhex(parent)
            if len(parent) != 20:
                raise ValueError("parent is no execution id")
        parameters, is_cut_too = self._kept(launch.get("parameters"))
        declared = self._mentions(id, _INPUT, launch.get("inputs", ()), artifacts, 0)
        inputs_count = declared + self._mentions(
            id, _INPUT, record.get("inputs", ()), artifacts, declared)
        outputs_count = self._mentions(id, _OUTPUT, record.get("outputs", ()), artifacts, 0)
        known = texts.known
        return (
            known.get(step) or self._text_key(step), title,
            known.get(status) or self._text_key(status), exit_code, started_at, finished_at,
            duration, agent_key, known.get(host) or self._text_key(host), code_key,
            code.get("is_adhoc") is True,
            None if branch is None else known.get(branch) or self._text_key(branch),
            _command(launch["command"]), parent, metadata, parameters, is_cut or is_cut_too,
            inputs_count, outputs_count, warnings_count, record.get("is_recovered") is True, 1, 1)

    def _deployment(
        self, id: int, record: Any, artifacts: list[tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        at, agent = record["deployed_at"], record["agent"]
        if type(at) is not int or not -_LARGEST < at < _LARGEST:
            raise TypeError("deployed_at is not a moment")
        who = (_text(agent["name"]), _text(agent["email"]))
        count = self._mentions(id, _DEPLOYED, record["artifacts"], artifacts, 0)
        version, target = (
            None if each is None else _readable(each)[:LONGEST_TEXT]
            for each in (record.get("version"), record.get("target"))
        )
        fields = (
            self._text_key(record["name"]), None, None, None, at, None, None,
            self._agents.known.get(who) or self._agents.key(who, who), None, None, None, None,
            None, None, None, None, 0, count, 0, 0, 0, 1, 1)
        self._deployments.append((id, version, target))
        return fields

    def _mentions(
        self, id: int, direction: int, listed: Any, into: list[tuple[Any, ...]], position: int
    ) -> int:
        """Add artifacts of one direction; return how many."""
        if not listed:
            return 0
        texts, manners = self._texts.known, self._manners.known
        before: set[tuple[Any, Any]] = set()
        if direction == _OUTPUT and into:
            before = {(each[4], each[3]) for each in into}
        for place, each in enumerate(listed, position):
            path, size, previous = each["path"], each.get("size"), each.get("previous")
            path_key = texts.get(path) or self._text_key(path)
            digests = each.get("digests")
            found = digests.get("blake3") if digests else None
            for value in (found, previous):
                if value is not None and (type(value) is not bytes or len(value) != 32):
                    raise TypeError("a digest is not one")
            if size is not None and (type(size) is not int or not 0 <= size < _LARGEST):
                raise TypeError("a size is not one")
            change = each.get("change")
            manner = (each["type"], each["how"], each.get("role"), change)
            manner_key = manners.get(manner)
            if manner_key is None:
                manner_key = self._manners.key(
                    manner, [None if part is None else _text(part) for part in manner])
            made = direction
            if direction == _OUTPUT and (change == "deleted" or (path_key, found) in before):
                made = _UNCHANGED
            into.append((id, made, place, found, path_key, size, manner_key, previous))
        return len(listed)

    def _text_key(self, text: Any) -> int:
        found = self._texts.known.get(text)
        if found is None:
            found = self._texts.key(text, (_text(text),))
        return found

    def _kept(self, values: Any) -> tuple[str | None, bool]:
        """Return values as text, and whether some were left out."""
        if not values:
            return None, False
        if type(values) is not dict:
            raise TypeError("values are not a map")
        if self._encode is None:
            self._encode = _encoder()
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


_LARGEST = 1 << 62

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")
"""What a shell takes literally."""


def _encoder() -> Callable[[Any], str]:
    """Return what turns plain values into JSON."""
    from json import encoder  # 5 ms: only where there is something to keep

    # JSONEncoder.encode sets up the same C function on every call, at three times the price.
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return encoder.JSONEncoder(separators=(",", ":"), default=os.fsdecode).encode
    encode = make(None, os.fsdecode, encoder.encode_basestring_ascii, None, ":", ",", False,
                  False, True)
    return lambda values: "".join(encode(values, 0))


def _batches(stored: Iterable[Stored]) -> Iterator[list[Stored]]:
    batch = []
    for each in stored:
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _opened(stored: Stored) -> tuple[bytes, Any]:
    """Return what a record is called, and its record part where that had to be decoded for it.

    An execution has its id, also where only an end is left; a deployment the record id over its
    record part, which names all else that it has by digest; what cannot be read, its tree.
    """
    if stored.launch is not None:
        return bytes.fromhex(digest.execution_id(stored.launch)), None
    unnamed = bytes.fromhex(stored.tree)[:20]
    if stored.record is None:
        return unnamed, None
    try:
        opened = encoding.unpack(stored.record)
    except InvalidRecord:
        return unnamed, None
    if type(opened) is dict:
        if opened.get("kind") == "deployment":
            return deployment_name(stored.record), opened
        name = _id(opened.get("execution"))
        if name is not None and len(name) == 20:
            return name, opened
    return unnamed, opened


def deployment_name(record: bytes) -> bytes:
    """Return the id of a deployment, as bytes, from its record part."""
    return bytes.fromhex(digest.record_id("deployment", [("record", record)]))


def _checked(opened: Any) -> Any:
    """Return the map of a part that this version understands."""
    if type(opened) is not dict:
        raise _Unreadable("not a map")
    found = opened.get("format")
    if type(found) is not int or found < 1:
        raise _Unreadable("it names no format")
    if found > FORMAT:
        raise _TooNew(f"format {found}")
    return opened


def _reason(error: Exception) -> str:
    if isinstance(error, InvalidRecord):
        reason = str(error.facts["reason"])
    elif isinstance(error, KeyError):
        reason = f"{error.args[0]} is missing"
    else:
        reason = str(error)
    return reason.encode(errors="replace").decode()[:LONGEST_TEXT]


def _readable(value: Any) -> str:
    """Return text to be read, not compared."""
    return value if type(value) is str else bytes.decode(value, errors="replace")


def _git_id(value: Any) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _command(words: Any) -> str:
    """Return a command as a shell would read it."""
    if type(words) is not list:
        raise TypeError("command is not a list")
    try:
        if _SAFE.issuperset("".join(words)) and "" not in words:
            return " ".join(words)[:LONGEST_TEXT]
    except TypeError:
        words = list(map(_readable, words))
    return " ".join(
        word if word and _SAFE.issuperset(word) else "'" + word.replace("'", "'\"'\"'") + "'"
        for word in words
    )[:LONGEST_TEXT]
