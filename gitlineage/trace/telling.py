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
    ranks = {id: each.started_at or 0 for id, each in nodes.items()}
    order = ordered(ranks, ((each[0], each[1]) for each in told))
    place = {id: at for at, id in enumerate(order)}
    # One list for each node, each of a few: sorting all at once takes three times as long.
    leaving: dict[str, list[Edge]] = {id: [] for id in order}
    for edge in told:
        leaving[edge[0]].append(edge)
    for some in leaving.values():
        if len(some) > 1:
            some.sort(key=lambda each: (place[each[1]], each[2], each[3]))
    return trace.replace(
        nodes=tuple([nodes[id] for id in order]),
        edges=tuple([edge for some in leaving.values() for edge in some]),
    )
