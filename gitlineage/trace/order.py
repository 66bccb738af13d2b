"""The order in which the nodes of a graph are told, circles or not.

Knows arrows; knows nothing of what the nodes are.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def ordered(ranks: Mapping[str, tuple[int, str]], arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Return nodes so that arrows lead forward, then by rank, which no two share.

    In a circle, what leads to a lower rank is not waited for.
    """
    after: dict[str, set[str]] = {id: set() for id in ranks}
    waits = dict.fromkeys(ranks, 0)
    for source, end in arrows:
        if end not in after[source]:
            after[source].add(end)
            waits[end] += 1
    order = _forward(ranks, after, dict(waits))
    if len(order) == len(ranks):
        return order
    for circle in circles(after):
        earlier: set[str] = set()
        for id in sorted(circle, key=ranks.__getitem__):
            earlier.add(id)
            for end in after[id] & earlier:
                after[id].discard(end)
                waits[end] -= 1
    return _forward(ranks, after, waits)


def _forward(
    ranks: Mapping[str, tuple[int, str]], after: Mapping[str, set[str]], waits: dict[str, int]
) -> list[str]:
    """Return nodes as far as no circle keeps them waiting."""
    ready = [ranks[id] for id, count in waits.items() if count == 0]
    heapify(ready)
    order = []
    while ready:
        id = heappop(ready)[1]
        order.append(id)
        for end in after[id]:
            waits[end] -= 1
            if waits[end] == 0:
                heappush(ready, ranks[end])
    return order


def circles(after: Mapping[str, Iterable[str]]) -> list[list[str]]:
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
