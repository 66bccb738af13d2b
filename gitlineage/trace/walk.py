"""One trace in the making: a walk over content digests, up and down, level by level.

Knows edges and where to stop; must not know how a maker is chosen.
"""

from __future__ import annotations

from gitlineage.trace.graph import Edge, Node, Trace
from gitlineage.trace.makers import Makers
from gitlineage.trace.order import circles, ordered
from gitlineage.trace.parts import DIRECTORY
from gitlineage.trace.resolved import Resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from gitlineage.index import Mention, Row
    from gitlineage.trace.graph import Start
    from gitlineage.trace.lookups import Lookups

CIRCLE_SHOWN = 6
"""Executions of a circle that a warning names."""


class Walk:
    """One trace in the making."""

    def __init__(self, lookups: Lookups, starts: Sequence[Start]) -> None:
        self._lookups = lookups
        self._starts = starts
        self._makers = Makers(lookups)
        self._kinds: dict[str, str] = {each.id: each.kind for each in starts}
        self._paths: dict[str, dict[str, None]] = {}
        """Artifact to its paths, in the order met."""
        self._mentions: dict[str, Mention] = {}
        self._edges: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self._had: dict[str, Sequence[Mention]] = {}
        self._users: dict[str, list[tuple[Mention, Resolved]]] = {}
        """Execution to who used what it, or who ran inside it, had made."""
        self._looked: set[str] = set()
        """Content of which the users are in there."""
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
        made: list[tuple[Resolved, str]] = []
        for each in self._starts:
            if each.kind == "artifact":
                found = self._makers.latest_sources(each.id, each.path)
                made += [(resolved, each.id) for resolved in found]
                if found[0].maker is None and found[0].others_count:
                    self._warnings[
                        f"{each.id} is empty; {found[0].others_count} made the same bytes elsewhere"
                    ] = None
        made += self._uses(self._started("deployment"), "deployed")
        seen = set(level)
        step = 0
        while True:
            made += self._uses(level, "input")
            level = []
            for resolved, artifact in made:
                if resolved.maker is None:
                    continue
                if depth is not None and step >= depth:
                    self._is_limited |= resolved.maker.id not in seen
                    continue
                self._generated(resolved, artifact)
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
            made: list[tuple[Resolved, str]] = []
            for use, resolved in self._relying_on_outputs(outputs):
                users.append((use, None))
                self._link(use, resolved)
                if resolved.maker is not None and (
                    not resolved.is_order_certain or resolved.inside or resolved.maker.whole
                ):
                    made.append((resolved, use.digest or ""))
            level = []
            for use, artifact in users:
                if use.direction == "deployed":  # counts no step
                    self._used(use, artifact)
                    continue
                if depth is not None and step >= depth:
                    self._is_limited |= use.id not in seen
                    continue
                self._used(use, artifact)
                if use.id not in seen:
                    seen.add(use.id)
                    level.append(use.id)
            for resolved, used in made:
                if used in self._kinds:  # else its use is beyond the depth
                    self._generated(resolved, used)
            if not level:
                return
            users = []
            step += 1

    def _relying_on_starts(self, contents: Sequence[str]) -> list[tuple[Mention, str | None]]:
        """Return what used the content that was asked for, whoever made it, and that content.

        A directory's parts count, and so does content inside of a directory. Where one path was
        meant, the same bytes elsewhere count if they came from there.
        """
        paths = {each.id: each.path for each in self._starts if each.path is not None}
        parts = self._makers.parts
        wanted = [(start, start, paths.get(start)) for start in contents]
        wanted += [
            (held.digest, start, path and f"{path}/{inside}")
            for start, _, path in wanted
            for inside, held in parts.of(start)
        ]
        relying: dict[str, list[tuple[Mention, str | None]]] = {}
        uses = self._relying([each for each, _, _ in wanted])
        uses += [use for start in contents for use in parts.uses_of(start)]
        for use, resolved in zip(uses, self._makers.resolve(uses), strict=True):
            came_from = resolved.maker.path if resolved.maker is not None else None
            relying.setdefault(use.digest or "", []).append((use, came_from))
        found: dict[int, tuple[Mention, str | None]] = {}
        for digest, start, path in wanted:
            for use, came_from in relying.get(digest, ()):
                if path is None or path in (use.path, came_from):
                    found.setdefault(id(use), (use, start))
        return list(found.values())

    def _relying_on_outputs(self, outputs: Sequence[Mention]) -> Iterator[tuple[Mention, Resolved]]:
        """Yield what used outputs: their maker is who made them, or ran inside who made the same.

        What used a part of one, or a directory that one is in, counts too. Each content is looked
        up once: a marker that all of a chain make and use is met at each of its steps.
        """
        made: dict[str, set[str]] = {}
        for each in outputs:
            if each.digest is not None:
                contents = made.setdefault(each.id, set())
                contents.add(each.digest)
                if each.type == DIRECTORY:
                    contents.update(held.digest for _, held in self._makers.parts.of(each.digest))
        self._look_up(dict.fromkeys(each for contents in made.values() for each in contents))
        for id, contents in made.items():
            for use, resolved in self._users.get(id, ()):
                maker = resolved.maker
                if maker is not None and (maker.id == id or maker.digest in contents):
                    yield use, resolved

    def _look_up(self, contents: Iterable[str]) -> None:
        """Find what used content, or directories that it is in, by who made what they used."""
        lacking = [each for each in contents if each not in self._looked]
        if not lacking:
            return
        self._looked.update(lacking)
        holders = self._lookups.holders_of(lacking) - self._looked
        self._looked.update(holders)
        relying = self._relying([*lacking, *sorted(holders)])
        for use, sources in zip(relying, self._makers.sources(relying), strict=True):
            for resolved in sources:
                if resolved.maker is not None:
                    for id in (resolved.maker.id, *self._makers.around(resolved.maker.id)):
                        self._users.setdefault(id, []).append((use, resolved))

    def _started(self, kind: str) -> list[str]:
        return list(dict.fromkeys(each.id for each in self._starts if each.kind == kind))

    def _artifacts(self, ids: Sequence[str]) -> list[Mention]:
        lacking = [each for each in ids if each not in self._had]
        if lacking:
            found = self._lookups.artifacts_of(lacking)
            for each in lacking:
                self._had[each] = found.get(each, ())
        return [each for id in ids for each in self._had[id]]

    def _uses(self, ids: Sequence[str], direction: str) -> list[tuple[Resolved, str]]:
        """Draw what executions or deployments used; return who made it, and what that is."""
        uses = [each for each in self._artifacts(ids) if each.direction == direction]
        for each in uses:
            self._used(each)
        made = [
            (resolved, use)
            for use, sources in zip(uses, self._makers.sources(uses), strict=True)
            for resolved in sources
        ]
        for resolved, use in made:
            self._link(use, resolved)
        return [(resolved, use.digest or "") for resolved, use in made]

    def _link(self, use: Mention, resolved: Resolved) -> None:
        if resolved.maker is not None:
            self._links.setdefault(use.id, set()).add(resolved.maker.id)

    def _outputs(self, ids: Sequence[str]) -> list[Mention]:
        """Draw what executions made, and return it."""
        made = self._lookups.outputs_of(ids)
        outputs = [each for id in ids for each in made.get(id, ())]
        self._makers.fetch_made(outputs)
        for each in outputs:
            others = self._makers.others_count(each.digest) if each.digest else 0
            self._generated(Resolved(maker=each, others_count=others), "")
        return outputs

    def _relying(self, digests: Sequence[str]) -> list[Mention]:
        """Return who used or deployed content."""
        distinct = dict.fromkeys(digests)
        found = self._lookups.relying_on(distinct) if distinct else {}
        return [each for digest in distinct for each in found.get(digest, ())]

    def _used(self, use: Mention, artifact: str | None = None) -> None:
        """Draw a use: of this content, where it was used inside another, or a part of it was."""
        is_deployed = use.direction == "deployed"
        self._kinds[use.id] = "deployment" if is_deployed else "execution"
        if artifact is None or artifact == use.digest:
            artifact = self._met(use)
        self._edges.setdefault(
            (artifact, use.id, "deployed" if is_deployed else "used", use.path),
            {"how": use.how, "role": use.role},
        )

    def _generated(self, resolved: Resolved, artifact: str) -> None:
        """Draw who made something, or a part of that artifact."""
        maker = resolved.maker
        assert maker is not None
        self._kinds[maker.id] = "execution"
        edge = self._edges.setdefault(
            (maker.id, artifact if resolved.inside else self._met(maker), "generated", maker.path),
            {
                "how": maker.how,
                "role": maker.role,
                "others_count": resolved.others_count,
                "inside": resolved.inside,
                "parts_count": resolved.parts_count,
            },
        )
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
        aliases = self._lookups.aliases_of(contents)
        targets = {each.id for each in self._starts}
        nodes = {
            id: self._artifact(
                id, id in known, id in targets, tags.get(id, ()), aliases.get(id, ())
            )
            if kind == "artifact"
            else node_of(id, kind, rows.get(id), id in targets, tags.get(id, ()))
            for id, kind in self._kinds.items()
        }
        ranks = {id: (each.started_at or 0, id) for id, each in nodes.items()}
        self._warn_of_circles(ranks)
        order = ordered(ranks, ((source, end) for source, end, _, _ in self._edges))
        place = {id: number for number, id in enumerate(order)}
        edges = sorted(self._edges, key=lambda e: (place[e[0]], place[e[1]], e[2], e[3]))
        return Trace(
            target=target,
            nodes=tuple(nodes[id] for id in order),
            edges=tuple(
                Edge(
                    source=source,
                    target=end,
                    kind=kind,
                    path=path,
                    **self._edges[source, end, kind, path],
                )
                for source, end, kind, path in edges
            ),
            warnings=tuple(self._warnings),
            is_limited=self._is_limited,
        )

    def _known(self, contents: Sequence[str]) -> set[str]:
        """Return the artifacts that some record describes; the starts may be anything."""
        doubtful = [each for each in contents if each not in self._mentions]
        for id in doubtful:
            for use in self._makers.parts.uses_of(id)[:1]:
                self._met(use)
        for look in (self._lookups.makers_of, self._lookups.relying_on):
            for id, found in look(doubtful).items() if doubtful else ():
                for each in found:
                    self._met(each)
                    self._mentions.setdefault(id, each)
        return {each for each in contents if each in self._mentions}

    def _artifact(
        self,
        id: str,
        is_known: bool,
        is_target: bool,
        tags: Sequence[str],
        aliases: Sequence[str],
    ) -> Node:
        mention = self._mentions.get(id)
        paths = tuple(self._paths.get(id, ()))
        return Node(
            id=id,
            kind="artifact",
            label=paths[0] if paths else id,
            is_known=is_known,
            is_target=is_target,
            tags=tuple(tags),
            aliases=tuple(aliases),
            paths=paths,
            type=mention.type if mention else None,
            size=mention.size if mention else None,
        )

    def _warn_of_circles(self, ranks: Mapping[str, tuple[int, str]]) -> None:
        # By content alone a copy leads back to its source; that is no circle of executions.
        for circle in circles(self._links):
            named = sorted(circle, key=lambda id: ranks.get(id, (0, id)))
            shown = ", ".join(each[:12] for each in named[:CIRCLE_SHOWN])
            more = f" and {len(named) - CIRCLE_SHOWN} more" if len(named) > CIRCLE_SHOWN else ""
            self._warnings[f"these executions depend on one another: {shown}{more}"] = None


def node_of(id: str, kind: str, row: Row | None, is_target: bool, tags: Sequence[str]) -> Node:
    """Return the node of an execution or a deployment, of which there may be no record."""
    if row is None:
        return Node(
            id=id, kind=kind, label=id[:12], is_known=False, is_target=is_target, tags=tuple(tags)
        )
    if kind == "deployment":
        return Node(
            id=id,
            kind=kind,
            label=row.step or id[:12],
            is_target=is_target,
            started_at=row.started_at,
            agent=row.agent_name,
            tags=tuple(tags),
            version=row.version,
            target=row.target,
            standing=row.standing,
        )
    return Node(
        id=id,
        kind=kind,
        label=row.step or id[:12],
        is_target=is_target,
        step=row.step,
        title=row.title,
        status=row.status,
        started_at=row.started_at,
        duration=row.duration,
        agent=row.agent_name,
        commit=row.code_commit,
        is_adhoc=row.is_adhoc,
        metadata=row.metadata,
        parameters=row.parameters,
        tags=tuple(tags),
    )
