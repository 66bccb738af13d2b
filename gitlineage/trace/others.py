"""Who else made the bytes of a trace: executions that it does not go back to.

Knows the lookups; must not know how a maker is chosen.
"""

from __future__ import annotations

from gitlineage.trace.graph import Edge
from gitlineage.trace.telling import arranged
from gitlineage.trace.walk import node_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.index import Mention
    from gitlineage.trace.graph import Trace
    from gitlineage.trace.lookups import Lookups


def with_others(trace: Trace, lookups: Lookups) -> Trace:
    """Return a trace with all who made the bytes of its artifacts; of those no more is drawn."""
    contents = [each.id for each in trace.nodes if each.kind == "artifact"]
    drawn = {(each.source, each.target) for each in trace.edges if each.kind == "generated"}
    with lookups.reading():
        made = lookups.makers_of(contents)
        others: dict[tuple[str, str], Mention] = {}
        for content in contents:
            for each in made.get(content, ()):
                if (each.id, content) not in drawn:
                    others.setdefault((each.id, content), each)
        nodes = {each.id: each for each in trace.nodes}
        lacking = dict.fromkeys(id for id, _ in others if id not in nodes)
        rows = lookups.rows(lacking)
        tags = lookups.tags_of(lacking)
    for id in lacking:
        nodes[id] = node_of(id, "execution", rows.get(id), is_target=False, tags=tags.get(id, ()))
    edges = list(trace.edges)
    edges += [
        Edge(
            source=id,
            target=content,
            kind="generated",
            path=each.path,
            how=each.how,
            role=each.role,
            inside=each.inside,
            is_other=True,
        )
        for (id, content), each in others.items()
    ]
    return arranged(trace, nodes, edges)
