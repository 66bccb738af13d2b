"""Content that was copied, as a node for each path: a trace by content alone runs in circles there.

Knows the lookups and finished traces; must not know how a maker is chosen.

Only where nodes lead back to themselves is content told apart by path: whoever made it at a path,
and those who used what was made there. One path keeps the digest as its id, that of the target
where it is among them; the others have the path behind it.
"""

from __future__ import annotations

from gitlineage.trace.graph import Edge, new
from gitlineage.trace.makers import Makers
from gitlineage.trace.order import circles
from gitlineage.trace.telling import arranged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.index import Mention
    from gitlineage.trace.graph import Start, Trace
    from gitlineage.trace.lookups import Lookups

    Place = tuple[str, str]
    """Some content and a path."""


def apart(
    trace: Trace, lookups: Lookups, starts: Sequence[Start], ends: Sequence[Start] = ()
) -> Trace:
    """Return a trace in which content that leads back to itself is a node for each path.

    `starts` and `ends` are what was asked for; where there are roots, they are the starts.
    """
    copied = _copied(trace)
    if not copied:
        return trace
    with lookups.reading():
        makers = Makers(lookups)
        asked = {each: place_of(each, makers) for each in (*starts, *ends) if each.id in copied}
        had = _places_of_uses(trace.edges, copied, makers, lookups)
    begun = [(each.id, asked[each]) for each in starts if each in asked]
    firsts = {(id, path) for id, path in begun if path is not None}
    targets = {(each.id, path): each.path for each, path in asked.items() if path is not None}
    told: list[tuple[Edge, Place | None]] = []
    paths: dict[Place, dict[str, None]] = {each: {} for each in targets}
    for edge in trace.edges:
        place = None
        if edge.kind == "generated":
            if edge.target in copied:
                place = (edge.target, edge.path)
        elif edge.source in copied:
            place = (edge.source, had.get((edge.source, edge.target, edge.path), edge.path))
        if place is not None:
            paths.setdefault(place, {})[edge.path] = None
        told.append((edge, place))
    ids = _ids(paths, firsts)
    whole = {each.id: each for each in trace.nodes}
    nodes = {id: each for id, each in whole.items() if id not in copied}
    several = {id for id, path in begun if path is None}
    for place, called in paths.items():
        label = targets.get(place) or place[1]
        nodes[ids[place]] = whole[place[0]].replace(
            id=ids[place],
            label=label,
            paths=tuple(dict.fromkeys((label, *called))),
            is_target=place in targets or place[0] in several,
        )
    edges = [edge if place is None else _moved(edge, ids[place]) for edge, place in told]
    roots = dict.fromkeys(each for each in trace.roots if each not in copied)
    if trace.roots:
        roots |= {ids[each]: None for each in sorted(paths) if each in firsts or each[0] in several}
    return arranged(trace, nodes, edges).replace(roots=tuple(roots))


def are_same(starts: Sequence[Start], ends: Sequence[Start], lookups: Lookups) -> bool:
    """Tell whether some start is an end, too: the same content at the same path."""
    both = {each.id for each in starts} & {each.id for each in ends}
    if not both:
        return False
    makers = Makers(lookups)
    firsts, lasts = (
        {(each.id, place_of(each, makers)) for each in some if each.id in both}
        for some in (starts, ends)
    )
    return bool(firsts & lasts) or any(path is None for _, path in firsts | lasts)


def place_of(start: Start, makers: Makers) -> str | None:
    """Return the path at which content that was asked for was made, else that of the file."""
    if start.kind != "artifact" or start.path is None:
        return None
    maker = maker_of(start, makers)
    return start.path if maker is None or maker.whole is not None else maker.path


def maker_of(start: Start, makers: Makers) -> Mention | None:
    """Return who made content that was asked for."""
    makers.fetch([start.id])
    return makers.latest(start.id, start.path).maker


def _copied(trace: Trace) -> set[str]:
    """Return the content that leads back to itself and has several paths."""
    several = {n.id for n in trace.nodes if n.kind == "artifact" and len(n.paths) > 1}
    if not several:
        return set()
    after: dict[str, list[str]] = {}
    for edge in trace.edges:
        if not edge.is_other:
            after.setdefault(edge.source, []).append(edge.target)
    return several & {id for circle in circles(after) for id in circle}


def _places_of_uses(
    edges: Iterable[Edge], copied: set[str], makers: Makers, lookups: Lookups
) -> dict[tuple[str, str, str], str]:
    """Return for content, who used it and at which path, the path at which that was made."""
    wanted = {(e.source, e.target, e.path) for e in edges if e.source in copied}
    had = lookups.artifacts_of(dict.fromkeys(user for _, user, _ in wanted))
    uses = [
        each
        for mentions in had.values()
        for each in mentions
        if each.direction in ("input", "deployed")
        and (each.digest or "", each.id, each.path) in wanted
    ]
    return {
        (use.digest or "", use.id, use.path): resolved.maker.path
        for use, resolved in zip(uses, makers.resolve(uses), strict=True)
        if resolved.maker is not None and resolved.maker.whole is None
    }


def _ids(places: Iterable[Place], first: Iterable[Place]) -> dict[Place, str]:
    """Return the id of each place; the first of a content has the digest alone."""
    plain: dict[str, str] = {}
    for id, path in (*sorted(first), *sorted(places)):
        plain.setdefault(id, path)
    return {(id, path): id if plain[id] == path else f"{id}:{path}" for id, path in places}


def _moved(edge: Edge, id: str) -> Edge:
    """Return an edge from or to another node."""
    source, target, *says = edge
    return new(Edge, (source, id, *says) if edge.kind == "generated" else (id, target, *says))
