"""One trace in the making: a walk over content digests, up and down, level by level.

Knows edges and where to stop; must not know how a maker is chosen.
"""

from __future__ import annotations

from gitlineage.trace.flows import Flows
from gitlineage.trace.graph import Node, Trace, new
from gitlineage.trace.makers import Makers
from gitlineage.trace.met import Met
from gitlineage.trace.parts import DIRECTORY
from gitlineage.trace.resolved import Resolved
from gitlineage.trace.telling import arranged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
    from typing import Any

    from gitlineage.index import Mention, Row
    from gitlineage.index.bare import Told
    from gitlineage.trace.graph import Start
    from gitlineage.trace.lookups import Lookups

_NO_EXECUTION: tuple[Any, ...] = (None, None, None, None, None, None, None, False, {}, {})
"""What the node of an artifact has in the place of `step` to `parameters`."""

_NO_ARTIFACT: tuple[Any, ...] = (None, None, (), None, None, None, (), ())
"""What the node of an execution has behind `tags`."""

CIRCLE_SHOWN = 6
"""Executions of a circle that a warning names."""


class Walk:
    """One trace in the making."""

    def __init__(self, lookups: Lookups, starts: Sequence[Start]) -> None:
        self._lookups = lookups
        self._starts = starts
        self._makers = Makers(lookups)
        self._flows = Flows(lookups.bare())
        self._met = Met(starts)
        self._had: dict[str, Sequence[Mention]] = {}
        self._users: dict[str, list[tuple[Mention, Resolved]]] = {}
        """Execution to who used what it, or who ran inside it, had made."""
        self._looked: set[str] = set()
        """Content of which the users are in there."""
        self._warnings: dict[str, None] = {}
        self._is_limited = False

    def upward(self, depth: int | None) -> None:
        """Walk to what the starts were made from."""
        level = self._started("execution")
        made: list[tuple[Resolved, str]] = []
        for each in self._starts:
            if each.kind == "artifact":
                found = self._makers.latest_sources(each.id, each.path)
                made += [(resolved, each.id) for resolved in found]
                self._warn_of_unmade(each.id, each.path, found)
                is_unmade = found[0].maker is None and found[0].others_count
                if is_unmade and self._makers.is_empty(each.id):
                    self._warnings[
                        f"{each.id} is empty; {found[0].others_count} made the same bytes elsewhere"
                    ] = None
        deployed = self._started("deployment")
        made += self._uses(deployed, "deployed", set(deployed), set())
        seen = set(level)
        step = 0
        while True:
            flows, others = self._flows.backward(level)
            self._met.flow_in(flows)
            made += self._uses(level, "input", others, {each.digest for each in flows})
            level = []
            flows = [each for each in flows if each.maker is not None]
            if depth is None or step < depth:
                self._met.flow_out(flows)
            for flow in flows:
                maker = flow.maker[0]  # type: ignore[index]
                if depth is not None and step >= depth:
                    self._is_limited |= maker not in seen
                    continue
                if maker not in seen:
                    seen.add(maker)
                    level.append(maker)
            for resolved, artifact in made:
                if resolved.maker is None:
                    continue
                if depth is not None and step >= depth:
                    self._is_limited |= resolved.maker.id not in seen
                    continue
                self._met.generated(resolved, artifact)
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
            flows, others = self._flows.onward(level)
            self._met.flow_out(flows)
            outputs = self._outputs(level, others, {each.digest for each in flows})
            made: list[tuple[Resolved, str]] = []
            for use, resolved in self._relying_on_outputs(outputs):
                users.append((use, None))
                self._met.link(use, resolved)
                if resolved.maker is not None and (
                    not resolved.is_order_certain or resolved.inside or resolved.maker.whole
                ):
                    made.append((resolved, use.digest or ""))
            level = []
            is_end = depth is not None and step >= depth
            for id in self._met.flow_in(flows, only_deployed=is_end):
                if is_end:
                    self._is_limited |= id not in seen
                elif id not in seen:
                    seen.add(id)
                    level.append(id)
            for use, artifact in users:
                if use.direction == "deployed":  # counts no step
                    self._met.used(use, artifact)
                    continue
                if is_end:
                    self._is_limited |= use.id not in seen
                    continue
                self._met.used(use, artifact)
                if use.id not in seen:
                    seen.add(use.id)
                    level.append(use.id)
            for resolved, used in made:
                if used in self._met.kinds:  # else its use is beyond the depth
                    self._met.generated(resolved, used)
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

    def _uses(
        self, ids: Sequence[str], direction: str, others: Set[str], known: Set[str]
    ) -> list[tuple[Resolved, str]]:
        """Draw what executions or deployments used; return who made it, and what that is.

        Of what is in `known`, all is drawn, and of those that are not in `others`.
        """
        uses = [
            each
            for each in self._artifacts([id for id in ids if id in others])
            if each.direction == direction and each.digest not in known
        ]
        for each in uses:
            self._met.used(each)
        made = []
        for use, sources in zip(uses, self._makers.sources(uses), strict=True):
            self._warn_of_unmade(use.digest or "", use.path, sources)
            made += [(resolved, use) for resolved in sources]
        for resolved, use in made:
            self._met.link(use, resolved)
        return [(resolved, use.digest or "") for resolved, use in made]

    def _outputs(self, ids: Sequence[str], others: Set[str], known: Set[str]) -> list[Mention]:
        """Draw what executions made, and return it, but for what is drawn; see `_uses`."""
        ids = [id for id in ids if id in others]
        made = self._lookups.outputs_of(ids)
        outputs = [each for id in ids for each in made.get(id, ()) if each.digest not in known]
        self._makers.fetch_made(outputs)
        for each in outputs:
            count = self._makers.others_count(each.digest) if each.digest else 0
            self._met.generated(Resolved(maker=each, others_count=count), "")
        return outputs

    def _relying(self, digests: Sequence[str]) -> list[Mention]:
        """Return who used or deployed content."""
        distinct = dict.fromkeys(digests)
        found = self._lookups.relying_on(distinct) if distinct else {}
        return [each for digest in distinct for each in found.get(digest, ())]

    # -- the picture

    def trace(self, target: str) -> Trace:
        """Return what was found, in a stable order."""
        kinds = self._met.kinds
        contents = [id for id, kind in kinds.items() if kind == "artifact"]
        self._describe(contents)
        told = self._flows.executions([id for id, kind in kinds.items() if kind == "execution"])
        others = [id for id, kind in kinds.items() if kind != "artifact" and id not in told]
        rows = self._lookups.rows(others)
        tags = self._lookups.tags_of(kinds)
        aliases = self._lookups.aliases_of(contents)
        targets = {each.id for each in self._starts}
        nodes = {}
        for id, kind in kinds.items():
            if kind == "artifact":
                node = self._artifact(id, id in targets, tags.get(id, ()), aliases.get(id, ()))
            elif id in told:
                node = _execution(id, told[id], id in targets, tags.get(id, ()))
            else:
                node = node_of(id, kind, rows.get(id), id in targets, tags.get(id, ()))
            nodes[id] = node
        self._warn_of_circles(nodes)
        found = Trace(
            target=target,
            nodes=(),
            edges=(),
            warnings=tuple(self._warnings),
            is_limited=self._is_limited,
        )
        return arranged(found, nodes, self._met.drawn())

    def _describe(self, contents: Sequence[str]) -> None:
        """Look up what no walk has met: the starts may be anything, and some record may say."""
        doubtful = [each for each in contents if each not in self._met.sorts]
        for id in doubtful:
            for use in self._makers.parts.uses_of(id)[:1]:
                self._met.mention(use)
        for look in (self._lookups.makers_of, self._lookups.relying_on):
            for id, found in look(doubtful).items() if doubtful else ():
                for each in found:
                    self._met.mention(each)
                    self._met.sorts.setdefault(id, (each.type, each.size))

    def _artifact(
        self, id: str, is_target: bool, tags: Sequence[str], aliases: Sequence[str]
    ) -> Node:
        type, size = self._met.sorts.get(id, (None, None))
        paths = self._met.paths.get(id, ())
        return new(
            Node,
            (id, "artifact", paths[0] if paths else id, type is not None, is_target,
             *_NO_EXECUTION, tuple(tags), type, size, paths, None, None, None, tuple(aliases), ()),
        )  # fmt: skip

    def _warn_of_unmade(self, id: str, path: str | None, sources: Sequence[Resolved]) -> None:
        """Say of a directory of which executions made a part that another part is nobody's."""
        unmade, count = self._makers.unmade(id, sources)
        if unmade:
            which = f"{len(unmade)} of {count} files in" if unmade[1:] else f"{unmade[0]} in"
            example = f", such as {unmade[0]}" if unmade[1:] else ""
            told = f"no execution made {which} {path or id}{example}, as far as is known"
            self._warnings[told] = None

    def _warn_of_circles(self, nodes: Mapping[str, Node]) -> None:
        # By content alone a copy leads back to its source; that is no circle of executions, and
        # is told apart afterwards: see `copies`.
        for circle in self._met.circles():
            begun = {id: nodes[id].started_at or 0 if id in nodes else 0 for id in circle}
            named = sorted(circle, key=lambda id: (begun[id], id))
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
    told = (
        row.step, row.title, row.status, row.started_at, row.duration, row.agent_name,
        row.code_commit, row.is_adhoc, row.unread_metadata, row.unread_parameters,
    )  # fmt: skip
    return _execution(id, told, is_target, tags)


def _execution(id: str, told: Told, is_target: bool, tags: Sequence[str]) -> Node:
    return new(
        Node,
        (id, "execution", told[0] or id[:12], True, is_target, *told, tuple(tags), *_NO_ARTIFACT),
    )
