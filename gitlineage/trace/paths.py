"""The ways from some nodes of a trace to others: all of them, or the shortest.

Pure over the lookups that it is given; must not know how a maker is chosen.

What the ends were made from has every way in it, but for the first step from a file of which one
path is meant, or that was used in a directory: that step is looked up from where the ways begin.
Where several made the same bytes, a way goes on only to those who used what this one made.
"""

from __future__ import annotations

from collections import deque

from gitlineage.trace.copies import maker_of
from gitlineage.trace.graph import Edge, Start
from gitlineage.trace.makers import Makers
from gitlineage.trace.telling import arranged
from gitlineage.trace.walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from gitlineage.trace.graph import Node, Trace
    from gitlineage.trace.lookups import Lookups

    Place = tuple[str, str]
    """A node; of content that several made, also who of them."""
    Arrow = tuple[Place, Place, Edge]
    Key = tuple[str, str, str, str]
    Steps = Mapping[Place, Sequence[tuple[Place, int]]]
    """Where one gets from a place, and how many executions that counts."""


def between(
    starts: Sequence[Start],
    ends: Sequence[Start],
    lookups: Lookups,
    *,
    is_shortest: bool = False,
    depth: int | None = None,
    target: str,
) -> Trace:
    """Return what leads from starts to ends, the way that data flows; without nodes: nothing.

    `depth` counts executions, but for one that a way begins with.
    """
    sources = dict.fromkeys(each.id for each in starts)
    asked = {each.id for each in (*starts, *ends)}
    ends, copies = _of_copies(ends, sources, lookups)
    aims = dict.fromkeys(each.id for each in ends)
    with lookups.reading():
        behind = Walk(lookups, ends)
        behind.upward(None)
        found = behind.trace(target)
        nodes = {each.id: each for each in found.nodes}
        edges = {_key(each): each for each in found.edges}
        files = [each for each in starts if each.kind == "artifact"]
        first = _first(files, lookups, nodes) if files else {}
        arrows = _arrows(first | edges, first, {each.id for each in files}, lookups)
    is_run = {name for name, each in nodes.items() if each.kind == "execution"}
    begins = [(each, "") for each in sources]
    meant = _makers_meant(ends, lookups)
    ending = [at for _, at, _ in arrows if at[0] in aims and at[1] in meant.get(at[0], at)]
    forth = _counts(_steps(arrows, is_run), begins)
    back = _counts(_steps(arrows, is_run, is_back=True), ending)
    ways = [(source, end, edge) for source, end, edge in arrows if source in forth and end in back]
    near = [
        each
        for each in ways
        if depth is None or forth[each[0]] + (each[1][0] in is_run) + back[each[1]] <= depth
    ]
    kept = _shortest(near, begins, set(ending), back, is_run) if is_shortest else near
    return _drawn(
        found.replace(is_limited=len(near) < len(ways) and not is_shortest),
        nodes,
        [*{_key(edge): edge for _, _, edge in kept}.values(), *(copies if kept else ())],
        asked,
        tuple(sources),
    )


def _of_copies(
    ends: Sequence[Start], sources: Iterable[str], lookups: Lookups
) -> tuple[Sequence[Start], list[Edge]]:
    """Return the ends, and of those that have the bytes of a source, who made them instead.

    Also what these have made: by content alone a way to a copy would be none.
    """
    found: list[Start] = []
    edges: list[Edge] = []
    makers = Makers(lookups)
    for end in ends:
        if end.id not in sources:
            found.append(end)
        elif end.kind == "artifact" and (maker := maker_of(end, makers)) is not None:
            found.append(Start(kind="execution", id=maker.id))
            edges.append(
                Edge(
                    source=maker.id,
                    target=end.id,
                    kind="generated",
                    path=maker.path,
                    how=maker.how,
                    role=maker.role,
                )
            )
    return found, edges


def _makers_meant(ends: Iterable[Start], lookups: Lookups) -> dict[str, set[str]]:
    """Return for files of one path who made them: a way to a copy does not end at its source."""
    makers = Makers(lookups)
    meant: dict[str, set[str]] = {}
    for end in ends:
        if end.kind == "artifact" and end.path is not None:
            maker = maker_of(end, makers)
            if maker is not None:
                meant.setdefault(end.id, {""}).update((maker.id, *makers.around(maker.id)))
    return meant


def _first(files: Sequence[Start], lookups: Lookups, nodes: dict[str, Node]) -> dict[Key, Edge]:
    """Return the uses of files that the others come from; name those as they were asked for."""
    ahead = Walk(lookups, files)
    ahead.downward(1)
    found = ahead.trace("")
    begins = {each.id: each for each in found.nodes if each.is_target}
    for name, each in begins.items():
        met = nodes[name].paths if name in nodes else ()
        nodes[name] = each.replace(paths=tuple(dict.fromkeys(each.paths + met)))
    return {_key(e): e for e in found.edges if e.source in begins and e.target in nodes}


def _key(edge: Edge) -> Key:
    return (edge.source, edge.target, edge.kind, edge.path)


def _arrows(
    edges: Mapping[Key, Edge], first: Mapping[Key, Edge], files: set[str], lookups: Lookups
) -> list[Arrow]:
    """Return the edges between places.

    Content that several made is a place for each of them; so is content that a way begins with,
    from where only the first edges lead, since a copy of it may be made on the way.
    """
    makers: dict[str, set[str]] = {each: set() for each in files}
    for edge in edges.values():
        if edge.kind == "generated":
            makers.setdefault(edge.target, set()).add(edge.source)
    several = {id: each for id, each in makers.items() if len(each) > 1 or id in files}
    made = _made_for([each for each in edges.values() if several.get(each.source)], lookups)
    arrows: list[Arrow] = []
    for key, edge in edges.items():
        if edge.kind == "generated":
            end = (edge.target, edge.source if edge.target in several else "")
            arrows.append(((edge.source, ""), end, edge))
            continue
        froms = {""}
        if edge.source in several:
            froms = made.get((edge.source, edge.target), set()) & several[edge.source]
            froms |= {""} if key in first else set()
        arrows += [((edge.source, each), (edge.target, ""), edge) for each in sorted(froms)]
    return arrows


def _made_for(edges: Sequence[Edge], lookups: Lookups) -> dict[tuple[str, str], set[str]]:
    """Return for artifacts and who used them, who made what was used."""
    made: dict[tuple[str, str], set[str]] = {}
    if not edges:
        return made
    pairs = {(each.source, each.target) for each in edges}
    had = lookups.artifacts_of(dict.fromkeys(each.target for each in edges))
    uses = [
        each
        for mentions in had.values()
        for each in mentions
        if each.direction in ("input", "deployed") and (each.digest or "", each.id) in pairs
    ]
    makers = Makers(lookups)
    for use, sources in zip(uses, makers.sources(uses), strict=True):
        ids = [each.maker.id for each in sources if each.maker is not None]
        around = (outer for each in ids for outer in makers.around(each))
        made.setdefault((use.digest or "", use.id), set()).update((*ids, *around))
    return made


def _steps(arrows: Iterable[Arrow], is_run: set[str], *, is_back: bool = False) -> Steps:
    steps: dict[Place, list[tuple[Place, int]]] = {}
    for source, end, _ in arrows:
        count = int(end[0] in is_run)
        here, there = (end, source) if is_back else (source, end)
        steps.setdefault(here, []).append((there, count))
    return steps


def _counts(steps: Steps, begins: Iterable[Place]) -> dict[Place, int]:
    """Return how many executions each place is away that can be reached."""
    counts: dict[Place, int] = {}
    waiting = deque((0, each) for each in begins)
    while waiting:
        count, at = waiting.popleft()
        if at in counts:
            continue
        counts[at] = count
        for there, more in steps.get(at, ()):
            if there not in counts:
                (waiting.append if more else waiting.appendleft)((count + more, there))
    return counts


def _shortest(
    arrows: Sequence[Arrow],
    begins: Sequence[Place],
    aims: Set[Place],
    back: Mapping[Place, int],
    is_run: set[str],
) -> list[Arrow]:
    """Return one of the ways that count fewest executions: of several the one that is met first."""
    after: dict[Place, list[Arrow]] = {}
    for arrow in arrows:
        after.setdefault(arrow[0], []).append(arrow)
    found: list[Arrow] = []
    at = min((each for each in begins if each in back), key=back.__getitem__, default=("", ""))
    while at not in aims and at in after:
        found.append(min(after[at], key=lambda each: (each[1][0] in is_run) + back[each[1]]))
        at = found[-1][1]
    return found


def _drawn(
    found: Trace,
    nodes: Mapping[str, Node],
    edges: Iterable[Edge],
    targets: set[str],
    roots: tuple[str, ...],
) -> Trace:
    """Return the trace of some edges, in a stable order."""
    edges = list(edges)
    ids = dict.fromkeys(end for each in edges for end in (each.source, each.target))
    kept = {id: nodes[id].replace(is_target=id in targets) for id in ids}
    return arranged(found, kept, edges).replace(roots=tuple(each for each in roots if each in kept))
