"""What made a file, and what relies on it: a walk over content digests, up and down.

Pure over the lookups that it is given; knows no store, no git and no pictures.

A use resolves to the latest execution that ended before the using one started and made that
content at that path; failing that, to the latest before it that made it anywhere, unless it is
empty, or was used at that path before (a copy does not make its source). One execution is *before* another, by the first of these that says anything:

1. Neither of two of which one runs inside the other is before the other.
2. Of two on one machine, one is before the other when it ended before the other started.
3. Of two on different machines that is so too, unless the ledger has their ends the other way
   round; and where the times say that it ended even after the other had ended, but the ledger has
   its end first, a clock is wrong and the ledger is right.
4. Where times are missing, the one whose end the ledger has first.

What is not known to be before may still be: it is taken where nobody else is, and marked.
The order in the ledger is known within a segment only; two ends are taken to be in one when they
finished in the same month.
"""

from __future__ import annotations

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from gitlineage.index import Mention, Row

    class Lookups(Protocol):
        """What a trace asks; `Index` answers."""

        def reading(self) -> AbstractContextManager[None]:
            """Return a context in which all answers are of one moment."""

        def rows(self, ids: Iterable[str]) -> Mapping[str, Row]:
            """Return executions and deployments."""

        def artifacts_of(self, ids: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return what they have, inputs first."""

        def makers_of(self, digests: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return who made content, and not who left it as it was."""

        def relying_on(self, digests: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return who used or deployed content."""

        def first_use(self, digest: str, path: str) -> Mention | None:
            """Return the earliest use of content at a path."""

        def tags_of(self, ids: Iterable[str]) -> Mapping[str, Sequence[str]]:
            """Return tags of executions and of content."""


CYCLE_SHOWN = 6
"""Executions of a circle that a warning names."""

SKEW = 24 * 3600 * 1_000_000
"""Microseconds that the clocks of two machines are believed to differ at most."""

EMPTY = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""The digest of nothing: whoever made it need not be whose it was."""


class Node(Record):
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


class Edge(Record):
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


class Trace(Record):
    """What was found around a target, in a stable order."""

    target: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    warnings: tuple[str, ...] = ()
    is_limited: bool = False
    """There is more beyond the depth that was asked for."""


class Start(Record):
    """Where a trace starts."""

    kind: str
    """`execution`, `artifact` or `deployment`."""
    id: str
    """As of the node."""
    path: str | None = None
    """Of an artifact: where it is, if one place is meant."""


class Resolved(Record):
    """Who made the content of one use."""

    maker: Mention | None
    is_order_certain: bool = True
    others_count: int = 0
    """How many other executions made the same bytes."""


def trace(
    starts: Sequence[Start],
    lookups: Lookups,
    *,
    up: bool = True,
    down: bool = True,
    depth: int | None = None,
    target: str | None = None,
) -> Trace:
    """Return what the starts were made from and what relies on them.

    `depth` counts executions away from a start. What else was made from the sources of a start,
    and what else its users used, is left out.
    """
    with lookups.reading():
        walk = _Walk(lookups, starts)
        if up:
            walk.upward(depth)
        if down:
            walk.downward(depth)
        return walk.trace(starts[0].id if target is None else target)


def resolve_makers(uses: Sequence[Mention], lookups: Lookups) -> list[Resolved]:
    """Return for each use (or deployed artifact) who made what it has."""
    return _Makers(lookups).resolve(uses)


def resolve_maker(digest: str, path: str | None, lookups: Lookups) -> Resolved:
    """Return who made some content that is there now: the latest at that path, else anywhere."""
    makers = _Makers(lookups)
    makers.fetch([digest])
    return makers.latest(digest, path)


class _Makers:
    """Who made what, as far as it was asked."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._makers: dict[str, Sequence[Mention]] = {}
        self._paths: dict[str, dict[str, list[Mention]]] = {}
        self._counts: dict[str, int] = {}
        self._parents: dict[str, str | None] = {}
        self._first_uses: dict[tuple[str, str], Mention | None] = {}

    def fetch(self, digests: Iterable[str]) -> None:
        """Look up the makers of content, for all at once."""
        wanted = [each for each in dict.fromkeys(digests) if each not in self._makers]
        if not wanted:
            return
        found = self._lookups.makers_of(wanted)
        for digest in wanted:
            makers = sorted(found.get(digest, ()), key=_ended, reverse=True)
            self._makers[digest] = makers
            paths: dict[str, list[Mention]] = {}
            for each in makers:
                paths.setdefault(each.path, []).append(each)
                self._parents[each.id] = each.parent
            self._paths[digest] = paths
            self._counts[digest] = len({each.id for each in makers})

    def resolve(self, uses: Sequence[Mention]) -> list[Resolved]:
        """Return who made what each use has."""
        self.fetch(each.digest for each in uses if each.digest is not None)
        return [self._of(each) for each in uses]

    def latest(self, digest: str, path: str | None) -> Resolved:
        """Return who made what is there now."""
        makers = self._makers[digest]
        at_path = self._paths[digest].get(path, ()) if path is not None else ()
        for tier in (at_path, () if _is_empty(digest, makers) else makers):
            if tier:
                return self._resolved(digest, self._innermost(tier))
        return self._resolved(digest, None)

    def others_count(self, digest: str) -> int:
        """Return how many executions made the same bytes as one that did."""
        return max(0, self._counts.get(digest, 0) - 1)

    def is_inside(self, one: str, other: str) -> bool:
        """Tell whether one execution ran inside another."""
        seen = set()
        parent = self._parent(one)
        while parent is not None and parent not in seen:
            if parent == other:
                return True
            seen.add(parent)
            parent = self._parent(parent)
        return False

    def _parent(self, id: str) -> str | None:
        if id not in self._parents:
            row = self._lookups.rows([id]).get(id)
            self._parents[id] = None if row is None else row.parent
        return self._parents[id]

    def _of(self, use: Mention) -> Resolved:
        if use.digest is None:
            return Resolved(maker=None)
        self._parents.setdefault(use.id, use.parent)
        found = self._earlier(self._at_path(use), use) or self._earlier(self._elsewhere(use), use)
        if found is not None:
            return self._resolved(use.digest, found)
        return self._resolved(use.digest, self._nearest(use), is_order_certain=False)

    def _at_path(self, use: Mention) -> Sequence[Mention]:
        """Return who made the content of a use at its path."""
        return self._paths[use.digest or ""].get(use.path, ())

    def _elsewhere(self, use: Mention) -> Sequence[Mention]:
        """Return who may have made the content of a use at another path.

        Not an empty file's: those are all alike. And what was used at this path already was there
        before whoever made the same bytes later: a copy does not make its source.
        """
        digest = use.digest or ""
        makers = self._makers[digest]
        if not makers or use.size == 0 or _is_empty(digest, makers):
            return ()
        key = (digest, use.path)
        if key not in self._first_uses:
            self._first_uses[key] = self._lookups.first_use(digest, use.path)
        first = self._first_uses[key] or use
        return [each for each in makers if each.id != first.id and _may_precede(each, first)]

    def _earlier(self, makers: Sequence[Mention], use: Mention) -> Mention | None:
        for place, each in enumerate(makers):
            if self.is_before(each, use):
                inside = [other for other in makers[place + 1 :]
                          if other.parent is not None and self.is_before(other, use)]
                return self._innermost([each, *inside])
        return None

    def _innermost(self, makers: Sequence[Mention]) -> Mention:
        """Return the first, or the one of the others that ran deepest inside it."""
        found = makers[0]
        for each in makers[1:]:
            if each.parent is not None and self.is_inside(each.id, found.id):
                found = each
        return found

    def _nearest(self, use: Mention) -> Mention | None:
        """Return the maker nearest in time that does not depend on the user, else the nearest."""
        at = use.started_at or 0
        nearest = None
        for tier in (self._at_path(use), self._elsewhere(use)):
            others = [each for each in tier if each.id != use.id]
            others.sort(key=lambda each: (abs(_ended(each)[0] - at), each.id))
            for each in others:
                if not self._depends(each, use):
                    return each
            if nearest is None and others:
                nearest = others[0]
        return nearest

    def _depends(self, maker: Mention, use: Mention) -> bool:
        """Tell whether an execution is made from what another made.

        Where a use on the way has no earlier maker, anybody who made the content may be it.
        """
        seen = {maker.id}
        level = [maker.id]
        while level:
            had = self._lookups.artifacts_of(level)
            uses = [each for id in level for each in had.get(id, ())
                    if each.direction == "input" and each.digest is not None]
            self.fetch(each.digest for each in uses if each.digest is not None)
            level = []
            for each in uses:
                self._parents.setdefault(each.id, each.parent)
                found = self._earlier(self._at_path(each), each)
                makers: Sequence[Mention] = (found,) if found else ()
                if not makers:
                    elsewhere = self._elsewhere(each)
                    found = self._earlier(elsewhere, each)
                    makers = (found,) if found else (*self._at_path(each), *elsewhere)
                for other in makers:
                    if other.id == use.id:
                        return True
                    if other.id not in seen:
                        seen.add(other.id)
                        level.append(other.id)
        return False

    def is_before(self, maker: Mention, use: Mention) -> bool:
        """Tell whether a maker had ended before a user started; see the top of this module."""
        if maker.id == use.id or self.is_inside(maker.id, use.id):
            return False
        if self.is_inside(use.id, maker.id):
            return False
        ended = maker.finished_at if maker.finished_at is not None else maker.started_at
        if ended is None or use.started_at is None:
            return maker.sequence < use.sequence
        is_compared = (maker.host != use.host and use.finished_at is not None
                       and _month(ended) == _month(use.finished_at))
        if ended <= use.started_at:
            return not (is_compared and use.sequence < maker.sequence)
        return (is_compared and use.finished_at is not None and ended > use.finished_at
                and maker.sequence < use.sequence)

    def _resolved(
        self, digest: str, maker: Mention | None, *, is_order_certain: bool = True
    ) -> Resolved:
        count = self._counts[digest]
        return Resolved(maker=maker, is_order_certain=is_order_certain or maker is None,
                        others_count=count if maker is None else count - 1)


class _Walk:
    """One trace in the making."""

    def __init__(self, lookups: Lookups, starts: Sequence[Start]) -> None:
        self._lookups = lookups
        self._starts = starts
        self._makers = _Makers(lookups)
        self._kinds: dict[str, str] = {each.id: each.kind for each in starts}
        self._paths: dict[str, dict[str, None]] = {}
        """Artifact to its paths, in the order met."""
        self._mentions: dict[str, Mention] = {}
        self._edges: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self._had: dict[str, Sequence[Mention]] = {}
        self._warnings: dict[str, None] = {}
        self._links: dict[str, set[str]] = {}
        """Execution to those that it depends on."""
        self._is_limited = False
        for each in starts:
            if each.path is not None:
                self._paths[each.id] = {each.path: None}

    def upward(self, depth: int | None) -> None:
        """Walk to what the starts were made from."""
        level = self._started("execution")
        made = []
        for each in self._starts:
            if each.kind == "artifact":
                self._makers.fetch([each.id])
                resolved = self._makers.latest(each.id, each.path)
                made.append(resolved)
                if resolved.maker is None and resolved.others_count:
                    self._warnings[f"{each.id} is empty; {resolved.others_count} made the same "
                                   "bytes elsewhere"] = None
        made += self._uses(self._started("deployment"), "deployed")
        seen = set(level)
        step = 0
        while True:
            made += self._uses(level, "input")
            level = []
            for resolved in made:
                if resolved.maker is None:
                    continue
                if depth is not None and step >= depth:
                    self._is_limited |= resolved.maker.id not in seen
                    continue
                self._generated(resolved)
                if resolved.maker.id not in seen:
                    seen.add(resolved.maker.id)
                    level.append(resolved.maker.id)
            if not level:
                return
            made = []
            step += 1

    def downward(self, depth: int | None) -> None:
        """Walk to what relies on the starts."""
        level = self._started("execution")
        seen = set(level)
        contents = self._started("artifact")
        users = self._relying_on_starts(contents)
        step = 0
        while True:
            outputs = self._outputs(level)
            makers = {each.digest: set[str]() for each in outputs}
            for each in outputs:
                makers[each.digest].add(each.id)
            found = [each.digest for each in outputs if each.digest is not None]
            relying = self._relying(found)
            for use, resolved in zip(relying, self._makers.resolve(relying), strict=True):
                if resolved.maker is None or not self._is_of(resolved.maker, makers[use.digest]):
                    continue
                users.append(use)
                self._link(use, resolved)
                if not resolved.is_order_certain:
                    self._generated(resolved)
            level = []
            for use in users:
                if use.direction == "deployed":  # counts no step
                    self._used(use)
                    continue
                if depth is not None and step >= depth:
                    self._is_limited |= use.id not in seen
                    continue
                self._used(use)
                if use.id not in seen:
                    seen.add(use.id)
                    level.append(use.id)
            if not level:
                return
            users = []
            step += 1

    def _relying_on_starts(self, contents: Sequence[str]) -> list[Mention]:
        """Return what used the content that was asked for, whoever made it.

        Where one path was meant, the same bytes elsewhere count if they came from there.
        """
        relying = self._relying(contents)
        paths = {each.id: each.path for each in self._starts if each.path is not None}
        found = []
        for use, resolved in zip(relying, self._makers.resolve(relying), strict=True):
            path = paths.get(use.digest or "")
            came_from = resolved.maker.path if resolved.maker is not None else None
            if path is None or path in (use.path, came_from):
                found.append(use)
        return found

    def _is_of(self, maker: Mention, ids: Iterable[str]) -> bool:
        """Tell whether the maker is one of those, or ran inside one that made the same."""
        return any(maker.id == each or self._makers.is_inside(maker.id, each) for each in ids)

    def _started(self, kind: str) -> list[str]:
        return list(dict.fromkeys(each.id for each in self._starts if each.kind == kind))

    def _artifacts(self, ids: Sequence[str]) -> list[Mention]:
        lacking = [each for each in ids if each not in self._had]
        if lacking:
            found = self._lookups.artifacts_of(lacking)
            for each in lacking:
                self._had[each] = found.get(each, ())
        return [each for id in ids for each in self._had[id]]

    def _uses(self, ids: Sequence[str], direction: str) -> list[Resolved]:
        """Draw what executions or deployments used; return who made it."""
        uses = [each for each in self._artifacts(ids) if each.direction == direction]
        for each in uses:
            self._used(each)
        made = self._makers.resolve(uses)
        for use, resolved in zip(uses, made, strict=True):
            self._link(use, resolved)
        return made

    def _link(self, use: Mention, resolved: Resolved) -> None:
        if resolved.maker is not None:
            self._links.setdefault(use.id, set()).add(resolved.maker.id)

    def _outputs(self, ids: Sequence[str]) -> list[Mention]:
        """Draw what executions made, and return it."""
        outputs = [each for each in self._artifacts(ids) if each.direction == "output"]
        self._makers.fetch(each.digest for each in outputs if each.digest is not None)
        for each in outputs:
            others = self._makers.others_count(each.digest) if each.digest else 0
            self._generated(Resolved(maker=each, others_count=others))
        return outputs

    def _relying(self, digests: Sequence[str]) -> list[Mention]:
        """Return who used or deployed content."""
        distinct = dict.fromkeys(digests)
        found = self._lookups.relying_on(distinct) if distinct else {}
        return [each for digest in distinct for each in found.get(digest, ())]

    def _used(self, use: Mention) -> None:
        is_deployed = use.direction == "deployed"
        self._kinds[use.id] = "deployment" if is_deployed else "execution"
        artifact = self._met(use)
        self._edges.setdefault(
            (artifact, use.id, "deployed" if is_deployed else "used", use.path),
            {"how": use.how, "role": use.role})

    def _generated(self, resolved: Resolved) -> None:
        maker = resolved.maker
        assert maker is not None
        self._kinds[maker.id] = "execution"
        edge = self._edges.setdefault(
            (maker.id, self._met(maker), "generated", maker.path),
            {"how": maker.how, "role": maker.role, "others_count": resolved.others_count})
        if not resolved.is_order_certain:
            edge["is_order_certain"] = False

    def _met(self, mention: Mention) -> str:
        """Return the node of an artifact. Without a digest it is of this one execution only."""
        id = mention.digest or f"{mention.direction}:{mention.id}:{mention.path}"
        self._kinds[id] = "artifact"
        self._paths.setdefault(id, {})[mention.path] = None
        known = self._mentions.get(id)
        if known is None or (known.size is None and mention.size is not None):
            self._mentions[id] = mention
        return id

    # -- the picture

    def trace(self, target: str) -> Trace:
        """Return what was found, in a stable order."""
        ran = [id for id, kind in self._kinds.items() if kind != "artifact"]
        rows = self._lookups.rows(ran)
        contents = [id for id, kind in self._kinds.items() if kind == "artifact"]
        known = self._known(contents)
        tags = self._lookups.tags_of(self._kinds)
        targets = {each.id for each in self._starts}
        nodes = {
            id: self._artifact(id, id in known, id in targets, tags.get(id, ()))
            if kind == "artifact"
            else _ran(id, kind, rows.get(id), id in targets, tags.get(id, ()))
            for id, kind in self._kinds.items()
        }
        order = self._ordered(nodes)
        place = {id: number for number, id in enumerate(order)}
        edges = sorted(self._edges, key=lambda e: (place[e[0]], place[e[1]], e[2], e[3]))
        return Trace(
            target=target,
            nodes=tuple(nodes[id] for id in order),
            edges=tuple(
                Edge(source=source, target=end, kind=kind, path=path,
                     **self._edges[source, end, kind, path])
                for source, end, kind, path in edges),
            warnings=tuple(self._warnings),
            is_limited=self._is_limited,
        )

    def _known(self, contents: Sequence[str]) -> set[str]:
        """Return the artifacts that some record describes; the starts may be anything."""
        doubtful = [each for each in contents if each not in self._mentions]
        for look in (self._lookups.makers_of, self._lookups.relying_on):
            for id, found in look(doubtful).items() if doubtful else ():
                for each in found:
                    self._met(each)
                    self._mentions.setdefault(id, each)
        return {each for each in contents if each in self._mentions}

    def _artifact(self, id: str, is_known: bool, is_target: bool, tags: Sequence[str]) -> Node:
        mention = self._mentions.get(id)
        paths = tuple(self._paths.get(id, ()))
        return Node(
            id=id, kind="artifact", label=paths[0] if paths else id, is_known=is_known,
            is_target=is_target, tags=tuple(tags), paths=paths,
            type=mention.type if mention else None, size=mention.size if mention else None)

    def _ordered(self, nodes: Mapping[str, Node]) -> list[str]:
        """Return nodes so that data flows forward, then by start, then by id."""
        from heapq import heapify, heappop, heappush

        after: dict[str, set[str]] = {id: set() for id in nodes}
        waits = dict.fromkeys(nodes, 0)
        for source, end, _, _ in self._edges:
            if end not in after[source]:
                after[source].add(end)
                waits[end] += 1
        keys = {id: (each.started_at or 0, id) for id, each in nodes.items()}
        # By content alone a copy leads back to its source; that is no circle of executions.
        for cycle in _cycles(self._links):
            named = sorted(cycle, key=lambda id: keys.get(id, (0, id)))
            shown = ", ".join(each[:12] for each in named[:CYCLE_SHOWN])
            more = f" and {len(named) - CYCLE_SHOWN} more" if len(named) > CYCLE_SHOWN else ""
            self._warnings[f"these executions depend on one another: {shown}{more}"] = None
        for cycle in _cycles(after):
            members = sorted(cycle, key=keys.__getitem__)
            earlier: set[str] = set()
            for id in members:  # what leads back is not waited for
                earlier.add(id)
                for end in after[id] & earlier:
                    after[id].discard(end)
                    waits[end] -= 1
        ready = [keys[id] for id, count in waits.items() if count == 0]
        heapify(ready)
        order = []
        while ready:
            id = heappop(ready)[1]
            order.append(id)
            for end in after[id]:
                waits[end] -= 1
                if waits[end] == 0:
                    heappush(ready, keys[end])
        return order


def _cycles(after: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of nodes that lead to one another (Tarjan's way, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    found = []
    for root in after:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        path.append(root)
        on_path.add(root)
        work = [(root, iter(after[root]))]
        while work:
            id, ends = work[-1]
            for end in ends:
                if end not in number:
                    number[end] = low[end] = len(number)
                    path.append(end)
                    on_path.add(end)
                    work.append((end, iter(after.get(end, ()))))
                    break
                if end in on_path:
                    low[id] = min(low[id], number[end])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[id])
                if low[id] == number[id]:
                    group = path[path.index(id) :] if path[-1] != id else [id]
                    del path[len(path) - len(group) :]
                    on_path.difference_update(group)
                    if len(group) > 1:
                        found.append(group)
    return found


def _ran(id: str, kind: str, row: Row | None, is_target: bool, tags: Sequence[str]) -> Node:
    if row is None:
        return Node(id=id, kind=kind, label=id[:12], is_known=False, is_target=is_target,
                    tags=tuple(tags))
    if kind == "deployment":
        return Node(id=id, kind=kind, label=row.step or id[:12], is_target=is_target,
                    started_at=row.started_at, agent=row.agent_name, tags=tuple(tags),
                    version=row.version, target=row.target)
    return Node(
        id=id, kind=kind, label=row.step or id[:12], is_target=is_target, step=row.step,
        title=row.title, status=row.status, started_at=row.started_at, duration=row.duration,
        agent=row.agent_name, commit=row.code_commit, is_adhoc=row.is_adhoc,
        metadata=row.metadata, parameters=row.parameters, tags=tuple(tags))


def _may_precede(maker: Mention, use: Mention) -> bool:
    """Tell whether a maker may have begun before a use ended, clocks considered."""
    if maker.started_at is None or use.started_at is None:
        return True
    slack = 0 if maker.host == use.host else SKEW
    return maker.started_at <= (use.finished_at or use.started_at) + slack


def _ended(mention: Mention) -> tuple[int, int, str]:
    """Return what makers are ordered by: when they ended, as far as that is known."""
    at = mention.finished_at if mention.finished_at is not None else mention.started_at
    return (at or 0, mention.sequence, mention.id)


def _month(at: int) -> tuple[int, int]:
    import time

    return time.gmtime(at // 1_000_000)[:2]


def _is_empty(digest: str, makers: Sequence[Mention]) -> bool:
    return digest == EMPTY or any(each.size == 0 for each in makers[:1])
