"""What a walk has met: nodes and edges, each once. Must not know where the walk goes."""

from __future__ import annotations

from gitlineage.trace.graph import Edge, new
from gitlineage.trace.order import circles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gitlineage.index import Mention
    from gitlineage.trace.flows import Flow, Use
    from gitlineage.trace.graph import Start
    from gitlineage.trace.resolved import Resolved


CERTAIN = (True, 0, 1, 1, None, None, False)
"""What an edge has behind `role` where nothing special is to be said."""


class Met:
    """Nodes and edges in the order met."""

    def __init__(self, starts: Sequence[Start]) -> None:
        self.kinds = {each.id: each.kind for each in starts}
        self.paths: dict[str, tuple[str, ...]] = {}
        """Artifact to its paths, in the order met."""
        self.sorts: dict[str, tuple[str, int | None]] = {}
        """Artifact to its type and size, of those that some record describes."""
        self.edges: dict[tuple[str, str, str, str], tuple[Any, ...]] = {}
        """Source, target, kind and path to what an edge has behind them, but for what flows."""
        self._links: dict[str, set[str]] = {}
        """Execution to those that it depends on, but for what flows."""
        self._is_backward = False
        self._flowing: list[Flow] = []
        self._made: list[Flow] = []
        """Of what flows: of which the maker is drawn."""
        self._used: list[tuple[str, str, list[Use]]] = []
        """Of what flows: content, path, and those uses that are drawn."""
        for each in starts:
            if each.path is not None:
                self.paths[each.id] = (each.path,)

    def link(self, use: Mention, resolved: Resolved) -> None:
        """Take that an execution depends on another."""
        if resolved.maker is not None:
            self._links.setdefault(use.id, set()).add(resolved.maker.id)
            self._is_backward |= resolved.maker.sequence >= use.sequence

    def circles(self) -> list[list[str]]:
        """Return the groups of executions that depend on one another."""
        if not self._is_backward:
            return []  # each depends on earlier records only, as nearly always
        for flow in self._flowing:
            if flow.maker is not None:
                for id, _, _ in flow.uses:
                    self._links.setdefault(id, set()).add(flow.maker[0])
        return circles(self._links)

    def used(self, use: Mention, artifact: str | None = None) -> None:
        """Take a use: of this content, where it was used inside another, or a part of it was."""
        is_deployed = use.direction == "deployed"
        self.kinds[use.id] = "deployment" if is_deployed else "execution"
        if artifact is None or artifact == use.digest:
            artifact = self.mention(use)
        self.edges.setdefault(
            (artifact, use.id, "deployed" if is_deployed else "used", use.path),
            (use.how, use.role, *CERTAIN),
        )

    def generated(self, resolved: Resolved, artifact: str) -> None:
        """Take who made something, or a part of that artifact."""
        maker = resolved.maker
        assert maker is not None
        self.kinds[maker.id] = "execution"
        content = artifact if resolved.inside else self.mention(maker)
        key = (maker.id, content, "generated", maker.path)
        count, inside, parts_count = resolved.others_count, resolved.inside, resolved.parts_count
        says = (resolved.is_order_certain, count, 1, 1, inside, parts_count, False)
        edge = self.edges.setdefault(key, (maker.how, maker.role, *says))
        if edge[2] and not resolved.is_order_certain:
            self.edges[key] = (*edge[:2], False, *edge[3:])

    def mention(self, mention: Mention) -> str:
        """Return the node of an artifact. Without a digest it is of this one execution only."""
        id = mention.digest or f"{mention.direction}:{mention.id}:{mention.path}"
        self._artifact(id, mention.path, mention.type, mention.size)
        return id

    def flow_out(self, flows: Iterable[Flow]) -> None:
        """Take who made what flows."""
        for flow in flows:
            digest, path, type, size, maker, _ = flow
            self._artifact(digest, path, type, size)
            if maker is not None:
                self.kinds[maker[0]] = "execution"
                self._made.append(flow)

    def flow_in(self, flows: Iterable[Flow], *, only_deployed: bool = False) -> list[str]:
        """Take who used what flows; return the executions."""
        users = []
        kinds = self.kinds
        for flow in flows:
            digest, path, type, size, _, uses = flow
            self._flowing.append(flow)
            if only_deployed:
                users += [id for id, is_deployed, _ in uses if not is_deployed]
                uses = [each for each in uses if each[1]]
            elif uses:
                self._artifact(digest, path, type, size)
            self._used.append((digest, path, uses))
            for id, is_deployed, _ in uses:
                if is_deployed:
                    kinds[id] = "deployment"
                else:
                    users.append(id)
                    kinds[id] = "execution"
        return users

    def drawn(self) -> list[Edge]:
        """Return all edges. What flows may be among them twice, since nothing looks for it."""
        edges = [new(Edge, key + says) for key, says in self.edges.items()]
        for digest, path, _, _, maker, _ in self._made:
            assert maker is not None
            id, (_, how, role) = maker
            says: tuple[Any, ...] = (id, digest, "generated", path, how, role)
            edges.append(new(Edge, says + CERTAIN))
        for digest, path, uses in self._used:
            for id, is_deployed, (_, how, role) in uses:
                says = (digest, id, "deployed" if is_deployed else "used", path, how, role)
                edges.append(new(Edge, says + CERTAIN))
        return edges

    def _artifact(self, id: str, path: str, type: str, size: int | None) -> None:
        self.kinds[id] = "artifact"
        paths = self.paths.get(id)
        if paths is None:
            self.paths[id] = (path,)
        elif path not in paths:
            self.paths[id] = (*paths, path)
        known = self.sorts.get(id)
        if known is None or (known[1] is None and size is not None):
            self.sorts[id] = (type, size)
