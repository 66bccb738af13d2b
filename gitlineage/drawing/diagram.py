"""A trace as DOT, and what Graphviz makes of it. Knows the graphviz package."""

from __future__ import annotations

from gitlineage import wording
from gitlineage.drawing import captions
from gitlineage.errors import PictureTooLarge, ToolFailed, ToolMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    import graphviz

    from gitlineage.trace import Edge, Node, Trace

FONT = "Helvetica,Arial,sans-serif"

GRAY = "#555555"

MOST_NODES = 2000
MOST_EDGES = 5000
"""Up to there `dot` takes seconds: 0.4 to 1.4 s of CPU for 1,000 nodes and 1,330 edges, 2.7 to 6 s
for 2,000 and 2,650, 1 s for 5,000 edges between 150 nodes, 3 s for 10,000 between 200. From there
on it takes four times as long for twice as many: minutes for 10,000 nodes.
"""


def digraph(trace: Trace, form: str = "dot") -> graphviz.Digraph:
    """Return a trace as a graph for `dot`."""
    import graphviz  # 48 ms: only for the forms that need it

    names = {n.id: f"n{at}" for at, n in enumerate(trace.nodes)}
    nodes = {n.id: n for n in trace.nodes}
    parameters = captions.parameters_of(trace)
    graph: graphviz.Digraph = graphviz.Digraph(
        "trace",
        graph_attr={
            "rankdir": "LR",
            "ordering": "out",  # rows in the order of the trace, which is that of time
            "nodesep": "0.22",
            "ranksep": "0.36",
            "fontname": FONT,
            "fontsize": "10",
            "fontcolor": GRAY,
            "labeljust": "l",
            "tooltip": " ",
        },
        node_attr={"fontname": FONT, "fontsize": "11", "margin": "0.1,0.06", "height": "0.4"},
        edge_attr={
            "fontname": FONT,
            "fontsize": "9",
            "fontcolor": GRAY,
            "color": "#333333",
            "arrowsize": "0.7",
        },
    )
    if form == "png":
        graph.attr(dpi="192")
    remarks = [wording.safe(w) for w in trace.warnings] + [captions.LIMITED] * trace.is_limited
    if remarks:
        graph.attr(label="".join(_plain(r, 120) + "\\l" for r in remarks))
    for node in trace.nodes:
        graph.node(names[node.id], **_dot_node(node, *parameters.get(node.id, ([], []))))
    for edge in trace.edges:
        artifact = nodes[edge.target if edge.kind == "generated" else edge.source]
        share = captions.share(edge, nodes[edge.source], nodes[edge.target])
        look = _dot_edge(edge, artifact, share)
        graph.edge(names[edge.source], names[edge.target], **look)
    return graph


def _dot_node(node: Node, telling: list[str], rest: list[str]) -> dict[str, str]:
    look = {"shape": "box", "style": "filled", "fillcolor": "white"}
    if node.kind == "execution":
        look |= {"style": "rounded,filled", "fillcolor": "#dce6f2"}
        if captions.is_broken(node):
            look |= {"style": "filled,diagonals", "fillcolor": "#f6dcd6", "margin": "0.15,0.09"}
    elif node.kind == "deployment":
        look |= {"shape": "cds", "fillcolor": "#f2e6b8", "margin": "0.2,0.14", "penwidth": "1.8"}
    else:
        shapes = {"directory": "folder", "uri": "cylinder"}
        look["shape"] = shapes.get(node.type or "", "note")
        if look["shape"] == "note":
            look["margin"] = "0.16,0.06"  # the fold takes room from the text
    if not node.is_known:
        look |= {"style": look["style"] + ",dashed", "fillcolor": "white", "fontcolor": GRAY}
    if node.is_target:
        look["penwidth"] = "2.5"
    if node.members:
        look["peripheries"] = "2"
    if all(c.isascii() and (c.isalnum() or c in ":-") for c in node.id):
        look["id"] = f"{node.kind}-{node.id}".replace(":", "-")
    return look | {
        "label": f"<{_markup(captions.lines_of(node, telling or rest))}>",
        "tooltip": _tooltip(captions.details_of(node, [*telling, *rest])),
    }


def _dot_edge(edge: Edge, artifact: Node, share: str) -> dict[str, str]:
    look = {"style": "solid"}
    said = [edge.kind, wording.safe(edge.path)]
    if edge.how:
        said.append(wording.safe(edge.how))
    labels = [share] if share else []
    renamed = captions.renamed(edge, artifact)
    if renamed:
        labels.append("as " + wording.shorten(renamed, 20))
    if edge.kind == "deployed":
        look["penwidth"] = "1.8"
    if edge.how == "detected":
        look["color"] = "#888888"  # the ordinary case, so no style that looks doubtful
    if not edge.is_order_certain:
        look["style"] = "dashed"
        labels.append("?")
        said.append("order uncertain")
    if edge.is_other:
        look["style"] = "dotted"
        labels += ["same bytes"]
        said.append(captions.OTHER)
    if edge.others_count:
        labels += [f"{captions.others(edge)} made", "the same bytes"]
        said.append(f"{captions.others(edge)} made the same bytes")
    tooltip = _tooltip(", ".join(said))
    if labels:
        look["label"] = f"<{_markup([('plain', text) for text in labels])}>"
        look["labeltooltip"] = tooltip
    return look | {"tooltip": tooltip}


def _markup(lines: Iterable[tuple[str, str]]) -> str:
    """Return lines as Graphviz' HTML-like label, their text as text."""
    forms = {
        "bold": "<B>{}</B>",
        "plain": "{}",
        "adhoc": '<FONT POINT-SIZE="9" COLOR="#b35900"><B>{}</B></FONT>',
        "tag": '<FONT POINT-SIZE="9" COLOR="#2f6f4f"><B>{}</B></FONT>',
        "small": f'<FONT POINT-SIZE="9" COLOR="{GRAY}">{{}}</FONT>',
    }
    # An element without text is a syntax error to Graphviz.
    return "<BR/>".join(forms[style].format(_marked(text)) for style, text in lines if text)


def _marked(text: str) -> str:
    # `\N` and the like are replaced in HTML-like labels too.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\\", "\\\\")


def _plain(text: str, width: int) -> str:
    import graphviz

    # Graphviz reads `&lt;` in any label as `<`.
    return graphviz.escape(wording.shorten(text, width).replace("&", "&amp;"))


def _tooltip(text: str) -> str:
    import graphviz

    # Tooltips are unescaped twice, labels once (seen with 2.43).
    return graphviz.escape(text[:2000].replace("&", "&amp;").replace("\\", "\\\\"))


def rendered(trace: Trace, form: str) -> bytes | str:
    """Return what `dot` draws. Raises ToolMissing, ToolFailed, PictureTooLarge."""
    if len(trace.nodes) > MOST_NODES or len(trace.edges) > MOST_EDGES:
        raise PictureTooLarge(
            nodes=f"{len(trace.nodes):,}",
            edges=f"{len(trace.edges):,}",
            most=f"{MOST_NODES:,} and {MOST_EDGES:,}",
        )
    import graphviz

    try:
        picture = digraph(trace, form).pipe(format=form, quiet=True)
    except graphviz.ExecutableNotFound as error:
        remedy = (
            "install Graphviz, for instance with `apt install graphviz`; "
            "or ask for --format mermaid or tree, which need nothing"
        )
        what = f"drawing {form.upper()}"
        raise ToolMissing(tool="dot", what=what, remedy=remedy) from error
    except graphviz.CalledProcessError as error:
        said = wording.safe((error.stderr or b"").decode("utf-8", "replace").strip())
        reason = said or f"exit code {error.returncode}"
        raise ToolFailed(tool="dot", reason=reason) from error
    return picture.decode("utf-8") if form == "svg" else picture
