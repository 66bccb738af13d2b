"""A trace as a Mermaid flowchart, which forges draw in pages. Knows its escapes."""

from __future__ import annotations

from gitlineage import wording
from gitlineage.drawing import captions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.trace import Edge, Node, Trace

CLASSES = {
    "execution": "fill:#dce6f2,stroke:#333,color:#000",
    "failed": "fill:#f6dcd6,stroke:#333,color:#000,stroke-width:2px",
    "artifact": "fill:#fff,stroke:#333,color:#000",
    "deployment": "fill:#f2e6b8,stroke:#333,color:#000,stroke-width:2px",
    "unknown": "fill:#fff,stroke:#555,color:#555,stroke-dasharray:5 4",
    "target": "stroke:#000,stroke-width:4px",
}

SHAPES = {
    "execution": ("(", ")"),
    "deployment": ("{{", "}}"),
    "directory": ("[[", "]]"),
    "uri": ("[(", ")]"),
}


def mermaid_of(trace: Trace) -> str:
    """Return a trace as a Mermaid flowchart."""
    names = {n.id: f"n{at}" for at, n in enumerate(trace.nodes)}
    nodes = {n.id: n for n in trace.nodes}
    parameters = captions.parameters_of(trace)
    lines = ["flowchart LR"]
    for node in trace.nodes:
        telling, rest = parameters.get(node.id, ([], []))
        said = captions.lines_of(node, telling or rest)
        text = "<br/>".join(_text(t) for _, t in said)
        opened, closed = SHAPES.get(
            node.kind if node.kind != "artifact" else node.type or "", ("[", "]")
        )
        kind = "failed" if captions.is_broken(node) else node.kind if node.is_known else "unknown"
        lines.append(f'    {names[node.id]}{opened}"{text}"{closed}:::{kind}')
    for edge in trace.edges:
        artifact = nodes[edge.target if edge.kind == "generated" else edge.source]
        share = captions.share(edge, nodes[edge.source], nodes[edge.target])
        lines.append(
            f"    {names[edge.source]} {_arrow(edge, artifact, share)} {names[edge.target]}"
        )
    for remark in (*trace.warnings, *[captions.LIMITED] * trace.is_limited):
        lines.append(f"    %% {wording.safe(remark)}")
    targets = [names[n.id] for n in trace.nodes if n.is_target]
    lines += [f"    classDef {name} {look}" for name, look in CLASSES.items()]
    lines += [f"    class {','.join(targets)} target"] if targets else []
    return "\n".join(lines) + "\n"


def _arrow(edge: Edge, artifact: Node, share: str) -> str:
    renamed = captions.renamed(edge, artifact)
    labels = [share] if share else []
    labels += ["as " + wording.shorten(renamed, 20)] if renamed else []
    labels += [] if edge.is_order_certain else ["?"]
    labels += [captions.OTHER] if edge.is_other else []
    labels += [f"{captions.others(edge)} made the same bytes"] if edge.others_count else []
    arrow = "==>" if edge.kind == "deployed" else "-->"
    if edge.how == "detected" or edge.is_other or not edge.is_order_certain:
        arrow = "-.->"
    return f'{arrow}|"{_text(", ".join(labels))}"|' if labels else arrow


def _text(text: str) -> str:
    return "".join(_character(text, at) for at in range(len(text)))


def _character(text: str, at: int) -> str:
    # Of ASCII only what neither Mermaid, nor Markdown, nor HTML gives a meaning to stays.
    c, around = text[at], text[max(at - 1, 0) : at] + text[at + 1 : at + 2]
    if c.isalnum() or c in " ,/=.()" or not c.isascii():
        return c
    if c in "-_" and len(around) == 2 and around.isalnum():
        return c
    # `\n`, `$$` and `fa:` are given theirs after all the rest (seen with 11): #8203; is invisible
    # and breaks them up.
    return f"#{ord(c)};" + "#8203;" * (c in "\\$:")
