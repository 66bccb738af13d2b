"""A trace as JSON, for programs."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gitlineage.trace import Edge, Node, Trace

OWN = {
    "execution": ("metadata", "parameters", "tags"),
    "artifact": ("paths",),
    "deployment": (),
}
"""Fields that are there even when they are empty."""

ALWAYS = ("is_known", "is_target", "is_adhoc")
"""Fields that say something where they were not given, too."""


def plain_of(trace: Trace) -> str:
    """Return a trace as JSON, a line each: nodes, and edges in the direction that data flows."""
    import json
    from json.encoder import encode_basestring as quoted

    encode = _encoder()

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

    def edge_line(edge: Edge) -> str:
        text = _edge_as_json(edge, quoted)
        return text if text.isprintable() else line(json.loads(text))

    def lines(texts: Iterable[str]) -> str:
        text = ",\n    ".join(texts)
        return f"[\n    {text}\n  ]" if text else "[]"

    parts = {
        "target": line(trace.target),
        "nodes": lines(line(_json_node(each)) for each in trace.nodes),
        "edges": lines(map(edge_line, trace.edges)),
        "warnings": lines(map(line, trace.warnings)),
        "is_limited": line(trace.is_limited),
    }
    return "{\n" + ",\n".join(f'  "{name}": {text}' for name, text in parts.items()) + "\n}\n"


def _encoder() -> Callable[[Any], str]:
    """Return what turns plain values into JSON; set up once, in a third of the time."""
    from json import encoder

    whole = encoder.JSONEncoder(ensure_ascii=False, allow_nan=False)
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return whole.encode
    quoted = encoder.encode_basestring
    encode = make(None, whole.default, quoted, None, ": ", ", ", False, False, False)
    return lambda value: "".join(encode(value, 0))


def _json_node(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # That something unknown has no metadata would be a guess.
    own = OWN.get(node.kind, ()) if node.is_known else ()
    is_run = node.kind == "execution" and node.is_known
    given = vars(node)
    for name in node._fields:
        if name not in given and name not in own and name not in ALWAYS:
            continue
        value = getattr(node, name)
        if value is None or (not value and name not in own and value in ((), {})):
            continue
        if name == "is_adhoc" and not is_run:
            continue
        if name == "members":
            value = [each.id for each in value]
        if name == "started_at":
            value = wording.isoformat(value)
        if name == "duration":
            name, value = "duration_seconds", value / 1_000_000
        found[name] = value
    return found


def _edge_as_json(edge: Edge, quoted: Callable[[str], str]) -> str:
    """Return an edge as JSON; put together here, since there are more of them than of nodes."""
    text = f'{{"from": {quoted(edge.source)}, "to": {quoted(edge.target)}'
    text += f', "kind": {quoted(edge.kind)}, "path": {quoted(edge.path)}'
    if edge.how is not None:
        text += f', "how": {quoted(edge.how)}'
    if edge.role is not None:
        text += f', "role": {quoted(edge.role)}'
    text += f', "is_order_certain": {"true" if edge.is_order_certain else "false"}'
    text += f', "others_count": {edge.others_count}'
    if edge.sources_count != 1:
        text += f', "sources_count": {edge.sources_count}'
    if edge.targets_count != 1:
        text += f', "targets_count": {edge.targets_count}'
    if edge.inside is not None:
        text += f', "inside": {quoted(edge.inside)}'
    if edge.parts_count is not None:
        text += f', "parts_count": {edge.parts_count}'
    if edge.is_other:
        text += ', "is_other": true'
    return text + "}"
