"""A trace as a picture: text for a terminal, DOT, SVG, PNG, PDF, JSON, Mermaid.

Must not know where a trace comes from or where its picture goes. All
text in a trace may come from strangers: none of it is markup, nor an escape sequence.
"""

from __future__ import annotations

from gitlineage.errors import Refused
from gitlineage.trace import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.trace import Trace

FORMS = ("tree", "dot", "json", "mermaid", "svg", "png", "pdf")


def draw(
    trace: Trace,
    form: str,
    *,
    is_folded: bool = False,
    width: int | None = None,
    is_colored: bool = False,
    encoding: str = "utf-8",
) -> bytes | str:
    """Return the picture of a trace: bytes for png and pdf, text for the others.

    Where `is_folded`, executions and files that are alike are one node each; not so in JSON.
    Only `tree` looks at `width` (columns; None: no limit), `is_colored` and `encoding` (of the
    terminal: lines and names are drawn with what it has). Raises ToolMissing where svg, png or
    pdf are asked for and Graphviz' `dot` is not installed.
    """
    if form not in FORMS:
        raise Refused(reason=f"cannot draw {form}; there are {', '.join(FORMS)}")
    whole = _complete(trace)
    if form != "json":
        whole = _uncounted(whole)
        if is_folded:
            from gitlineage.trace.alike import fold

            whole = fold(whole)
    # Each form's module is imported when it is asked for: start-up is part of every answer.
    if form == "tree":
        from gitlineage.drawing.tree import Tree

        return Tree(whole, width, is_colored, encoding).draw()
    if form == "json":
        return "".join(pieces(trace))
    if form == "mermaid":
        from gitlineage.drawing.mermaid import mermaid_of

        return mermaid_of(whole)
    from gitlineage.drawing import diagram

    return diagram.digraph(whole, form).source if form == "dot" else diagram.rendered(whole, form)


def pieces(trace: Trace) -> Iterator[str]:
    """Yield the JSON of a trace, which may be large, in pieces."""
    from gitlineage.drawing.plain import plain_of

    return plain_of(_complete(trace))


def _complete(trace: Trace) -> Trace:
    """Add an unknown node for each end of an edge that the trace does not describe."""
    known = {n.id for n in trace.nodes}
    added: dict[str, Node] = {}
    for edge in trace.edges:
        if edge[0] in known and edge[1] in known:
            continue
        made = "deployment" if edge.kind == "deployed" else "execution"
        ends = {edge.source: "artifact", edge.target: made}
        if edge.kind == "generated":
            ends = {edge.source: "execution", edge.target: "artifact"}
        for id, kind in ends.items():
            if id not in known:
                label = edge.path if kind == "artifact" else kind
                added.setdefault(id, Node(id=id, kind=kind, label=label, is_known=False))
    return trace.replace(nodes=trace.nodes + tuple(added.values())) if added else trace


def _uncounted(trace: Trace) -> Trace:
    """Leave out how many others made the same bytes where these are drawn, and where it is said.

    Once is enough for one content, and for one execution of which as many made each file.
    """
    drawn: set[object] = {each.target for each in trace.edges if each.is_other}
    edges = list(trace.edges)
    for place, edge in enumerate(edges):
        if edge.others_count:
            of = {edge.target, (edge.source, edge.others_count)}
            if of & drawn:
                edges[place] = edge.replace(others_count=0)
            drawn |= of
    return trace.replace(edges=tuple(edges))
