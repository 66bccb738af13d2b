"""A trace as JSON, for programs."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gitlineage.trace import Edge, Node, Trace

OWN = {
    "execution": ("metadata", "parameters", "tags"),
    "artifact": ("paths",),
    "deployment": (),
}
"""Fields that are there even when they are empty."""

COUNTS = ("sources_count", "targets_count")
"""Of edges between nodes that stand for several."""


def plain_of(trace: Trace) -> str:
    """Return a trace as JSON, a line each: nodes, and edges in the direction that data flows."""
    import json

    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

    def line(value: Any) -> str:
        # The codec in C takes all but what is rare: NaN, bytes, text that is not UTF-8.
        try:
            text = encode(value)
        except (TypeError, ValueError):
            text = encode(wording.plain(value))
        if text.isprintable():
            return text
        # Still the same JSON, and nothing in it acts on a terminal.
        text = encode(wording.plain(value))
        return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)

    def lines(values: Iterable[Any]) -> str:
        text = ",\n    ".join(map(line, values))
        return f"[\n    {text}\n  ]" if text else "[]"

    parts = {
        "target": line(trace.target),
        "nodes": lines(map(_json_node, trace.nodes)),
        "edges": lines(map(_json_edge, trace.edges)),
        "warnings": lines(trace.warnings),
        "is_limited": line(trace.is_limited),
    }
    return "{\n" + ",\n".join(f'  "{name}": {text}' for name, text in parts.items()) + "\n}\n"


def _json_node(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # That something unknown has no metadata would be a guess.
    own = OWN.get(node.kind, ()) if node.is_known else ()
    for name in node._fields:
        value = getattr(node, name)
        if value is None or (not value and value in ((), {}) and name not in own):
            continue
        if name == "is_adhoc" and (node.kind != "execution" or not node.is_known):
            continue
        if name == "members":
            value = [each.id for each in value]
        if name == "started_at":
            value = wording.isoformat(value)
        if name == "duration":
            name, value = "duration_seconds", value / 1_000_000
        found[name] = value
    return found


def _json_edge(edge: Edge) -> dict[str, Any]:
    renamed = {"source": "from", "target": "to"}
    values = ((n, getattr(edge, n)) for n in edge._fields)
    return {
        renamed.get(name, name): value
        for name, value in values
        if value is not None and not (name in COUNTS and value == 1)
    }
