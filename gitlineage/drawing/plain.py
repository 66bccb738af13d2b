"""A trace as JSON, for programs."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.trace import Edge, Node, Trace

OWN = {
    "execution": ("metadata", "parameters", "tags"),
    "artifact": ("paths",),
    "deployment": (),
}
"""Fields that are there even when they are empty."""


def plain_of(trace: Trace) -> str:
    """Return a trace as JSON: nodes, and edges in the direction that data flows."""
    import json

    plain = {
        "target": trace.target,
        "nodes": [_json_node(n) for n in trace.nodes],
        "edges": [_json_edge(e) for e in trace.edges],
        "warnings": list(trace.warnings),
        "is_limited": trace.is_limited,
    }
    text = json.dumps(wording.plain(plain), ensure_ascii=False, indent=2, allow_nan=False)
    # Still the same JSON, and nothing in it acts on a terminal.
    lines = (
        line
        if line.isprintable()
        else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
        for line in text.split("\n")
    )
    return "\n".join(lines) + "\n"


def _json_node(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in node._fields:
        value = getattr(node, name)
        # That something unknown has no metadata would be a guess.
        own = OWN.get(node.kind, ()) if node.is_known else ()
        if value is None or (value in ((), {}) and name not in own):
            continue
        if name == "is_adhoc" and (node.kind != "execution" or not node.is_known):
            continue
        if name == "started_at":
            value = wording.isoformat(value)
        if name == "duration":
            name, value = "duration_seconds", value / 1_000_000
        found[name] = value
    return found


def _json_edge(edge: Edge) -> dict[str, Any]:
    renamed = {"source": "from", "target": "to"}
    values = ((renamed.get(n, n), getattr(edge, n)) for n in edge._fields)
    return {name: value for name, value in values if value is not None}
