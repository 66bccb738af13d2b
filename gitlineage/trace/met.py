"""What a walk has met: nodes and edges, each once. Must not know where the walk goes."""

from __future__ import annotations

from gitlineage.trace.order import circles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gitlineage.index import Mention
    from gitlineage.trace.flows import Flow
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
        """Source, target, kind and path to what an edge has behind them, `how` and so on."""
        self._links: dict[str, set[str]] = {}
        """Execution to those that it depends on, but for what flows."""
        self._is_backward = False
        self._plain: dict[tuple[str, str | None], tuple[Any, ...]] = {}
        self._flowing: list[Flow] = []
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
        edges, kinds = self.edges, self.kinds
        for digest, path, type, size, maker, _ in flows:
            self._artifact(digest, path, type, size)
            if maker is not None:
                id, (_, how, role) = maker
                kinds[id] = "execution"
                edges.setdefault((id, digest, "generated", path), self._plainly(how, role))

    def flow_in(self, flows: Iterable[Flow], *, only_deployed: bool = False) -> list[str]:
        """Take who used what flows; return the executions."""
        users = []
        edges, kinds = self.edges, self.kinds
        for flow in flows:
            digest, path, type, size, _, uses = flow
            self._flowing.append(flow)
            if uses and not only_deployed:
                self._artifact(digest, path, type, size)
            for id, is_deployed, (_, how, role) in uses:
                if not is_deployed:
                    users.append(id)
                    if only_deployed:
                        continue
                kinds[id] = "deployment" if is_deployed else "execution"
                edges.setdefault(
                    (digest, id, "deployed" if is_deployed else "used", path),
                    self._plainly(how, role),
                )
        return users

    def _plainly(self, how: str, role: str | None) -> tuple[Any, ...]:
        found = self._plain.get((how, role))
        if found is None:
            found = self._plain[how, role] = (how, role, *CERTAIN)
        return found

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
