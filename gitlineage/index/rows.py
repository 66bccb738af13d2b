"""What comes out of the index: rows of executions and deployments, artifacts as these have them.

Knows the order of the columns that `questions` selects; knows no SQL.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gitlineage.index.schema import DIRECTIONS, KINDS
from gitlineage.index.spelling import text_of
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


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
    tree: str | None = None
    """With `commit`: also those that ran this tree, as another commit or before it was one."""
    uses: str | None = None
    """A digest, as `blake3:<hex>`, or a path."""
    produces: str | None = None
    where: Any | None = None
    """A condition, as `where.parse` returns it."""


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


class Unread(Mapping[str, Any] if TYPE_CHECKING else Mapping):  # type: ignore[misc]
    """Values that stand in the file as JSON, and are read when somebody looks at them."""

    __slots__ = ("_found", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: Mapping[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> Mapping[str, Any]:
        if self._found is None:
            self._found = values_of(self.text)
        return self._found


class Row(_Columns):
    """What a line about an execution or a deployment needs, without reading its record."""

    __slots__ = (
        "_later", "_metadata", "_parameters", "agent_email", "agent_name", "branch", "code_commit",
        "code_tree", "command", "commit", "duration", "ends_count", "exit_code",
        "finished_at", "host", "id", "inputs_count", "is_adhoc", "is_checkable", "is_cut",
        "is_recovered", "kind", "outputs_count", "parent", "replaced_at", "reproduces",
        "retired_at", "sequence", "started_at", "status", "step", "target", "title", "verdict",
        "version", "warnings_count",
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
    reproduces: str | None
    """Id of the execution that this one repeats."""
    verdict: str | None
    """Of such a one: how it came out."""
    is_checkable: bool
    """False where the launch part, which gives the id, was redacted."""
    ends_count: int
    version: str | None
    """Of a deployment."""
    target: str | None
    retired_at: int | None
    """Of a deployment that somebody has ended."""
    replaced_at: int | None
    """Of a deployment: when the next one of its name went to the same target."""
    _metadata: str | None
    _parameters: str | None

    def __init__(self, values: Sequence[Any]) -> None:
        (self.sequence, kind, name, commit, self.step, self.title, self.status, self.exit_code,
         self.started_at, self.finished_at, self.duration, self.agent_name, self.agent_email,
         self.host, code_commit, code_tree, is_adhoc, self.branch, self.command, parent,
         self._metadata, self._parameters, is_cut, self.inputs_count, self.outputs_count,
         self.warnings_count, is_recovered, reproduces, self.verdict, is_checkable,
         self.ends_count, self.version, self.target, self.retired_at,
         self.replaced_at) = values  # fmt: skip
        self.kind = KINDS[kind]
        self.id = name.hex()
        self._later: list[str] = []
        self.commit = commit.hex()
        self.code_commit = code_commit and code_commit.hex()
        self.code_tree = code_tree and code_tree.hex()
        self.is_adhoc = is_adhoc == 1
        self.parent = parent and parent.hex()
        self.is_cut = is_cut == 1
        self.is_recovered = is_recovered == 1
        self.reproduces = reproduces and reproduces.hex()
        self.is_checkable = is_checkable == 1
        for text in ("step", "branch", "host", "agent_name", "agent_email"):
            if type(getattr(self, text)) is bytes:
                setattr(self, text, os.fsdecode(getattr(self, text)))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Last value of each key, what was added later too."""
        found = dict(values_of(self._metadata))
        for text in self._later:
            found.update(values_of(text))
        return found

    @property
    def unread_metadata(self) -> Mapping[str, Any]:
        """The same, to be read when it is looked at."""
        return self.metadata if self._later or self._metadata is None else Unread(self._metadata)

    @property
    def unread_parameters(self) -> Mapping[str, Any]:
        """What the execution was given, to be read when it is looked at."""
        return {} if self._parameters is None else Unread(self._parameters)

    def add_later(self, text: str) -> None:
        """Take metadata that was added later, as it stands in the file."""
        self._later.append(text)

    @property
    def ended_at(self) -> int | None:
        """Of a deployment: when it was replaced or retired, if it was."""
        ends = [each for each in (self.replaced_at, self.retired_at) if each is not None]
        return min(ends) if ends else None

    @property
    def standing(self) -> str:
        """Of a deployment: `in use`, `replaced` or `retired`."""
        if self.ended_at is None:
            return "in use"
        return "retired" if self.ended_at == self.retired_at else "replaced"

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the execution was given."""
        return values_of(self._parameters)


class Mention(_Columns):
    """An artifact as one execution or deployment has it, and when that one ran."""

    __slots__ = (
        "change", "digest", "direction", "finished_at", "host", "how", "id", "inside",
        "is_reproduction", "parent", "path", "position", "previous", "role", "sequence", "size",
        "started_at", "type", "whole",
    )  # fmt: skip

    sequence: int
    id: str
    """Of the execution or deployment."""
    direction: str
    """`input`, `output`, `deployed`, or `unchanged` for an output that made nothing."""
    position: int
    digest: str | None
    """`blake3:<hex>`; of what is known by another name only, that name."""
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
    is_reproduction: bool
    """It repeats another one, and what it made was compared and thrown away."""
    whole: Mention | None
    """The directory that this is a part of, where it is known as such a part only."""
    inside: str | None
    """Its path inside of that directory."""

    def __init__(self, values: Sequence[Any]) -> None:
        (self.sequence, name, direction, self.position, found, path, self.size, self.type,
         self.how, self.role, self.change, previous, self.started_at, self.finished_at, host,
         parent, is_reproduction) = values  # fmt: skip
        self.id = name.hex()
        self.direction = DIRECTIONS[direction]
        self.digest = None if found is None else text_of(found)
        self.path = path if type(path) is str else os.fsdecode(path)
        self.previous = None if previous is None else "blake3:" + previous.hex()
        self.host = host if type(host) is not bytes else os.fsdecode(host)
        self.parent = None if parent is None else parent.hex()
        self.is_reproduction = is_reproduction == 1
        if type(self.role) is bytes:
            self.role = os.fsdecode(self.role)
        self.whole = self.inside = None

    def part(self, inside: str, held: Held) -> Mention:
        """Return the mention of what a directory holds at a path, as if it had one of its own."""
        made = object.__new__(Mention)
        for name in self.__slots__:
            setattr(made, name, getattr(self, name))
        made.whole, made.inside = self, inside
        made.path = f"{self.path}/{inside}"
        made.digest, made.size, made.type = held.digest, held.size, held.type
        made.role = made.change = made.previous = None
        return made


class Held(_Columns):
    """What a folder holds under a name."""

    __slots__ = ("content", "name", "size", "type")

    def __init__(self, name: str, content: bytes, type: str, size: int) -> None:
        self.name = name
        self.content = content
        self.type = type
        """`file`, `link` or `directory`."""
        self.size = size

    @property
    def digest(self) -> str:
        """`blake3:<hex>`."""
        return "blake3:" + self.content.hex()


class Move(_Columns):
    """One move of an alias."""

    __slots__ = (
        "agent_email", "agent_name", "alias", "by", "digest", "id", "message", "moved_at", "path",
    )  # fmt: skip

    alias: str
    moved_at: int
    digest: str | None
    """What it stands for since then, `blake3:<hex>`; None where it was deleted."""
    path: str
    """What that was called."""
    id: str
    """Of the record that says so."""
    by: str
    """What kind of record that is: `alias`, `execution` or `metadata`."""
    message: str | None
    agent_name: str
    agent_email: str

    def __init__(self, values: Sequence[Any]) -> None:
        self.alias, self.moved_at, found, path, name, kind, title, *who = values
        self.digest = None if found is None else "blake3:" + found.hex()
        self.path = os.fsdecode(path or "")
        self.id, self.by = name.hex(), KINDS[kind]
        self.message = title if self.by == "alias" else None
        self.agent_name, self.agent_email = (os.fsdecode(each or "") for each in who)


class Problem(Record):
    """A record that this version cannot read."""

    kind: str
    """`damaged` or `newer`."""
    commit: str
    id: str | None
    """Execution id, where there is a launch part."""
    reason: str


def values_of(text: str | None) -> Mapping[str, Any]:
    """Return values from their text in the file."""
    if text is None:
        return {}
    import json  # 5 ms: only where there is something to read

    found = json.loads(text)
    if not isinstance(found, dict):
        return {}
    if '"NaN"' in text:  # as `columns.encoder` spells it; in a record, text may say so as well
        return {key: float("nan") if value == "NaN" else value for key, value in found.items()}
    return found
