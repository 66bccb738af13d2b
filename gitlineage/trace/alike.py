"""Sweeps, repeated steps and the files of one folder, each as one node of a trace.

Pure over a finished trace; knows no form that it is drawn in.

Executions are alike when they are of one step, ended in one way, and used what is alike; artifacts
when they are of one sort and come from, and go to, what is alike. So of a sweep that one model is
taken from, the execution that made this model stays by itself.
"""

from __future__ import annotations

import re

from gitlineage.trace.graph import Edge, Node, Trace
from gitlineage.trace.order import ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    Near = Mapping[str, Mapping[str, str]]
    """Node to its neighbors to the kind of edge between."""

FEWEST = 3
"""Nodes that are drawn as one, at least."""

FEWEST_FILES = 10
"""Files of one folder that are drawn as one, at least, however they are called."""

NUMBER = re.compile(r"[0-9a-f]{8,}|\d+(?:\.\d+)*(?:e[+-]?\d+)?")


def fold(trace: Trace) -> Trace:
    """Return a trace in which nodes that are alike are one node, which has them as members."""
    before: dict[str, dict[str, str]] = {each.id: {} for each in trace.nodes}
    after: dict[str, dict[str, str]] = {each.id: {} for each in trace.nodes}
    for edge in trace.edges:
        way = edge.kind + "?" * edge.is_other
        before[edge.target][edge.source] = way
        after[edge.source][edge.target] = way
    sorts = _sorts(trace.nodes, before)
    ids = [each.id for each in trace.nodes]
    # Arrows lead forward, so that whatever is needed is there: but in circles, which stay.
    from_behind = _classes(ids, sorts, before)
    classes = _classes(ids[::-1], from_behind, after)
    groups: dict[Hashable, list[Node]] = {}
    for node in trace.nodes:
        groups.setdefault(classes[node.id], []).append(node)
    found = [part for group in groups.values() for part in _parts(group, FEWEST)]
    found = _by_folder(found, before, after)
    if len(found) == len(trace.nodes):
        return trace
    return _folded(trace, found)


def _classes(ids: Iterable[str], sorts: Mapping[str, Hashable], near: Near) -> dict[str, Hashable]:
    """Return for each node a number that it shares with those of its sort with such neighbors."""
    numbers: dict[Hashable, int] = {}
    found: dict[str, Hashable] = {}
    for id in ids:
        around = frozenset((kind, found.get(each, each)) for each, kind in near[id].items())
        found[id] = numbers.setdefault((sorts[id], around), len(numbers))
    return found


def _parts(group: list[Node], fewest: int) -> list[list[Node]]:
    return [group] if len(group) >= fewest else [[each] for each in group]


# -- what may be alike


def _sorts(nodes: Sequence[Node], before: Near) -> dict[str, Hashable]:
    """Return what a node and those that it may be drawn with have in common, whatever is near."""
    names = _names(nodes, before)
    sorts: dict[str, Hashable] = {}
    for node in nodes:
        marks = (node.kind, node.is_known, node.is_target, node.tags, node.aliases)
        if node.kind == "artifact":
            sorts[node.id] = (*marks, node.type, names[node.id])
        elif node.is_known:
            sorts[node.id] = (*marks, node.label, node.status, node.target, node.standing)
        else:
            sorts[node.id] = marks
    return sorts


def _names(nodes: Sequence[Node], before: Near) -> dict[str, Hashable]:
    """Return what stands for the name of each artifact.

    Of what is the only one of its ending that somebody made, the ending. Else the name without its
    numbers; of many in one folder that nobody made, the folder and the ending.
    """
    names: dict[str, Hashable] = {}
    made: dict[tuple[str, str], list[Node]] = {}
    raw: dict[tuple[str, str], list[Node]] = {}
    for node in nodes:
        if node.kind == "artifact":
            folder, base = _split(node.label)
            ending = base.rpartition(".")[2] if "." in base else ""
            if not any(map(str.isalpha, ending)):  # that of model-0.1 is a number
                ending = ""
            names[node.id] = ending
            if not before[node.id]:
                raw.setdefault((folder, ending), []).append(node)
            for maker in before[node.id]:
                made.setdefault((maker, ending), []).append(node)
    for place, alike in raw.items():
        for node in alike:
            is_many = len(alike) >= FEWEST_FILES
            names[node.id] = place if is_many else NUMBER.sub("0", node.label)
    for alike in made.values():
        whole = [NUMBER.sub("0", each.label) for each in alike]
        bases = [_split(each)[1] for each in whole]
        are_telling = len(set(bases)) == len(set(whole))
        for node, name in zip(alike, bases if are_telling else whole, strict=True):
            if len(alike) > 1:
                names[node.id] = name
    return names


def _by_folder(groups: Sequence[list[Node]], before: Near, after: Near) -> list[list[Node]]:
    """Return groups, the files of one folder that come from and go to the same as one."""
    place = {node.id: at for at, group in enumerate(groups) for node in group}

    def around(node: Node) -> Hashable:
        return tuple(
            frozenset((kind, place[id]) for id, kind in near[node.id].items())
            for near in (before, after)
        )

    same: dict[Hashable, list[list[Node]]] = {}
    for at, group in enumerate(groups):
        node = group[0]
        folders = {_split(each.label)[0] for each in group}
        key: Hashable = at
        if node.kind == "artifact" and len(folders) == 1:
            marks = (node.type, node.is_known, node.is_target, node.tags, node.aliases)
            key = (*folders, marks, around(node))
        same.setdefault(key, []).append(group)
    found = []
    for alike in same.values():
        together = [node for group in alike for node in group]
        found += [together] if len(together) >= FEWEST_FILES else alike
    return found


def _split(path: str) -> tuple[str, str]:
    folder, _, base = path.rstrip("/").rpartition("/")
    return folder, base


# -- what they are as one


def _folded(trace: Trace, groups: Sequence[list[Node]]) -> Trace:
    heads = {node.id: group[0].id for group in groups for node in group}
    nodes = {group[0].id: _one(group) if len(group) > 1 else group[0] for group in groups}
    edges: dict[tuple[str, str, str, str | None], list[Edge]] = {}
    for edge in trace.edges:
        key = (heads[edge.source], heads[edge.target], edge.kind)
        is_whole = not (nodes[key[0]].members or nodes[key[1]].members)
        edges.setdefault((*key, edge.path if is_whole else None), []).append(edge)
    ranks = {id: each.started_at or 0 for id, each in nodes.items()}
    order = ordered(ranks, list(edges))
    place = {id: at for at, id in enumerate(order)}
    labels = {each.id: each.label for each in trace.nodes}
    joined = [
        some[0] if path is not None else _joined(some, nodes[source], nodes[target], labels)
        for (source, target, _, path), some in edges.items()
    ]
    joined.sort(key=lambda each: (place[each.source], place[each.target], each.kind, each.path))
    return trace.replace(
        nodes=tuple(nodes[id] for id in order),
        edges=tuple(joined),
        roots=tuple(dict.fromkeys(heads[each] for each in trace.roots)),
    )


def _one(group: Sequence[Node]) -> Node:
    """Return one node for several."""
    first = group[0]
    starts = [each.started_at for each in group if each.started_at is not None]
    times = [each.duration for each in group if each.duration is not None]
    sizes = [each.size for each in group if each.size is not None]
    is_file = first.kind == "artifact"
    return first.replace(
        label=name_of_all([each.label for each in group]) if is_file else first.label,
        title=_common(each.title for each in group),
        started_at=min(starts, default=None),
        duration=sum(times) if times else None,
        agent=_common(each.agent for each in group),
        commit=_common(each.commit for each in group),
        is_adhoc=any(each.is_adhoc for each in group),
        metadata={},
        parameters={},
        size=sum(sizes) if len(sizes) == len(group) else None,
        paths=(),
        version=_common(each.version for each in group),
        members=tuple(group),
    )


def _joined(edges: Sequence[Edge], source: Node, target: Node, labels: Mapping[str, str]) -> Edge:
    """Return one edge for several between the same two nodes."""
    artifact = source if edges[0].kind != "generated" else target
    ends = [each.source if each.kind != "generated" else each.target for each in edges]
    is_renamed = any(each.path != labels[end] for each, end in zip(edges, ends, strict=True))
    path = _common(each.path for each in edges) if is_renamed else artifact.label
    return Edge(
        source=source.id,
        target=target.id,
        kind=edges[0].kind,
        path=path or "",
        how=_common(each.how for each in edges),
        role=_common(each.role for each in edges),
        is_order_certain=all(each.is_order_certain for each in edges),
        others_count=max(each.others_count for each in edges),
        sources_count=len({each.source for each in edges}),
        targets_count=len({each.target for each in edges}),
        is_other=all(each.is_other for each in edges),
    )


def _common(values: Iterable[str | None]) -> str | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def name_of_all(names: Sequence[str]) -> str:
    """Return what names have in common at both ends, `*` between: `models/*.pkl`."""
    start = _shared(names)
    end = _shared([each[len(start) :][::-1] for each in names])[::-1]
    # Numbers are not taken apart, nor words: of 0.1 and 0.2 nothing is common.
    return re.sub(r"[\d.]+$", "", start) + "*" + re.sub(r"^\d+", "", end)


def _shared(names: Sequence[str]) -> str:
    """Return what names have in common at their start, whole words only."""
    low, high = min(names), max(names)
    count = next((at for at, c in enumerate(low) if c != high[at : at + 1]), len(low))
    shared = low[:count]
    is_cut = any(each[count : count + 1].isalpha() for each in names)
    return re.sub(r"[^\W\d_]+$", "", shared) if is_cut else shared
