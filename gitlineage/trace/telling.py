"""Nodes and edges in the order that they are told. Knows nothing of how they are found."""

from __future__ import annotations

from itertools import pairwise

from gitlineage.trace.order import ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitlineage.trace.graph import Edge, Node, Trace


def arranged(trace: Trace, nodes: Mapping[str, Node], edges: Iterable[Edge]) -> Trace:
    """Return a trace of other nodes and edges, in a stable order and each once."""
    told = list(edges)
    ranks = {id: each.started_at or 0 for id, each in nodes.items()}
    order = ordered(ranks, told)
    place = {id: at for at, id in enumerate(order)}
    count = len(order)
    # Both ends as one number: comparing these takes a third of the time.
    told.sort(key=lambda edge: place[edge[0]] * count + place[edge[1]])
    if any(a[1] == b[1] and a[0] == b[0] for a, b in pairwise(told)):
        # Of those that say the same, the first that was met.
        told = list({edge[:4]: edge for edge in reversed(told)}.values())
        told.sort(key=lambda edge: (place[edge[0]], place[edge[1]], edge[2], edge[3]))
    return trace.replace(
        nodes=tuple([nodes[id] for id in order]),
        edges=tuple(told),
    )
