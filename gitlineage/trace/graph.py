"""What a trace consists of: executions, artifacts and deployments, and the edges between them.

Values that do nothing.
"""

from __future__ import annotations

from operator import itemgetter

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        """Stand in for typing's marker of the same name at run time."""
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Part(tuple):  # type: ignore[type-arg]
    """Base of what a trace has 100,000s of: like a Record, and made in a fifth of the time.

    `new(Node, values)` makes one from all its values in order.
    """

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    _defaults: Mapping[str, Any] = {}

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls._defaults = {n: cls.__dict__[n] for n in cls._fields if n in cls.__dict__}
        for place, name in enumerate(cls._fields):
            setattr(cls, name, property(itemgetter(place)))

    def __new__(cls, **values: Any) -> Self:
        given = {**cls._defaults, **values}
        if len(given) != len(cls._fields) or not given.keys() >= set(cls._fields):
            wrong = [name for name in given if name not in cls._fields]
            lacking = [name for name in cls._fields if name not in given]
            raise TypeError(f"{cls.__name__}: not {wrong}, but {lacking}")
        return new(cls, [given[name] for name in cls._fields])

    def __hash__(self) -> int:
        return hash(self[0])

    def __repr__(self) -> str:
        shown = (f"{n}={value!r}" for n, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self)(**{**dict(zip(self._fields, self, strict=True)), **changes})


new = tuple.__new__


class Node(Part):
    """An execution, an artifact or a deployment in a trace."""

    id: str
    """Execution id, `blake3:<hex>`, or record id of a deployment."""
    kind: str
    """`execution`, `artifact` or `deployment`."""
    label: str
    """Its name: the step, the path, the name of the deployment."""
    is_known: bool = True
    """False for what edges name but no record describes."""
    is_target: bool = False
    """What the trace was asked for."""
    step: str | None = None
    title: str | None = None
    status: str | None = None
    started_at: int | None = None
    duration: int | None = None
    agent: str | None = None
    commit: str | None = None
    is_adhoc: bool = False
    metadata: Mapping[str, Any] = {}
    """Last values, of an execution."""
    parameters: Mapping[str, Any] = {}
    tags: tuple[str, ...] = ()
    type: str | None = None
    """Of an artifact: `file`, `directory`, `link` or `uri`."""
    size: int | None = None
    paths: tuple[str, ...] = ()
    """What executions called the artifact, `label` first."""
    version: str | None = None
    """Of a deployment."""
    target: str | None = None
    """Of a deployment: where to."""
    standing: str | None = None
    """Of a deployment: `in use`, `replaced` or `retired`."""
    aliases: tuple[str, ...] = ()
    """Those that stand for an artifact now."""
    members: tuple[Node, ...] = ()
    """Where it stands for several: each of them. What they do not share is not said of it."""


class Edge(Part):
    """One step of a trace, in the direction that data flows."""

    source: str
    target: str
    kind: str
    """`used`: artifact to execution; `generated`: execution to artifact; `deployed`: artifact to
    deployment."""
    path: str
    """What the execution or deployment called the artifact."""
    how: str | None = None
    """How it is known: `declared`, `observed`, `argument`, `detected`."""
    role: str | None = None
    is_order_certain: bool = True
    """False where no maker is earlier than the use, and the nearest one was taken."""
    others_count: int = 0
    """Of `generated`: how many other executions made the same bytes."""
    sources_count: int = 1
    """Where it leads from a node that stands for several: from how many of them."""
    targets_count: int = 1
    """Where it leads to a node that stands for several: to how many of them."""
    inside: str | None = None
    """Where a part of a directory joins an execution to it: the part's path inside; of several,
    the first."""
    parts_count: int | None = None
    """How many such parts there are; a folder that was made as one is one."""
    is_other: bool = False
    """Of `generated`: made the same bytes, but is not what the trace goes back to."""


class Trace(Record):
    """What was found around a target, in a stable order."""

    target: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    warnings: tuple[str, ...] = ()
    is_limited: bool = False
    """There is more beyond the depth that was asked for."""
    roots: tuple[str, ...] = ()
    """Of ways between nodes: those that they are told from; else all that were asked for are."""
    is_upward: bool = False
    """Of ways: they are told against the direction that data flows."""


class Start(Record):
    """Where a trace starts."""

    kind: str
    """`execution`, `artifact` or `deployment`."""
    id: str
    """As of the node."""
    path: str | None = None
    """Of an artifact: where it is, if one place is meant."""
