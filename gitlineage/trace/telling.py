"""Nodes and edges in the order that they are told. Knows nothing of how they are found."""

from __future__ import annotations

from gitlineage.trace.order import ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitlineage.trace.graph import Edge, Node, Trace


def arranged(trace: Trace, nodes: Mapping[str, Node], edges: Iterable[Edge]) -> Trace:
    """Return a trace of other nodes and edges, in a stable order."""
    told = list(edges)
    ranks = {id: (each.started_at or 0, id) for id, each in nodes.items()}
    order = ordered(ranks, ((each.source, each.target) for each in told))
    place = {id: at for at, id in enumerate(order)}
    told.sort(key=lambda each: (place[each.source], place[each.target], each.kind, each.path))
    return trace.replace(nodes=tuple(nodes[id] for id in order), edges=tuple(told))
