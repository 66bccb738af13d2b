"""A trace as JSON, for programs."""

from __future__ import annotations

import json
from json import encoder

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gitlineage.trace import Edge, Node, Trace

_quoted = encoder.encode_basestring

OWN = {
    "execution": ("metadata", "parameters", "tags"),
    "artifact": ("paths",),
    "deployment": (),
}
"""Fields that are there even when they are empty."""


def plain_of(trace: Trace) -> str:
    """Return a trace as JSON, a line each: nodes, and edges in the direction that data flows.

    The lines of nearly all nodes and edges are put together here, in a quarter of the time that
    the codec takes for a map of their fields.
    """
    encode = _encoder()

    def line(value: Any) -> str:
        # The codec in C takes all but what is rare: NaN, bytes, text that is not UTF-8.
        try:
            return encode(value)
        except (TypeError, ValueError):
            return encode(wording.plain(value))

    parts = {
        "target": _visible(line(trace.target)),
        "nodes": _lines([_node_as_json(each, line) for each in trace.nodes]),
        "edges": _lines([_edge_as_json(each) for each in trace.edges]),
        "warnings": _lines([line(each) for each in trace.warnings]),
        "is_limited": line(trace.is_limited),
    }
    return "{\n" + ",\n".join(f'  "{name}": {text}' for name, text in parts.items()) + "\n}\n"


def _lines(lines: list[str]) -> str:
    """Return a list with each of its members on a line, in which nothing acts on a terminal."""
    text = ",\n    ".join(lines)
    # The codec has escaped what is below a space, so that of ASCII only DEL is left.
    if not text.isascii() or "\x7f" in text:
        text = ",\n    ".join(map(_visible, lines))
    return f"[\n    {text}\n  ]" if text else "[]"


def _visible(text: str) -> str:
    """Return the same JSON, all of it printable."""
    if text.isprintable():
        return text
    text = _encoder()(wording.plain(json.loads(text)))
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _encoder() -> Callable[[Any], str]:
    """Return what turns plain values into JSON; set up once, in a third of the time."""
    whole = encoder.JSONEncoder(ensure_ascii=False, allow_nan=False)
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return whole.encode
    encode = make(None, whole.default, _quoted, None, ": ", ", ", False, False, False)
    return lambda value: "".join(encode(value, 0))


def _node_as_json(node: Node, line: Callable[[Any], str]) -> str:
    (id, kind, label, is_known, is_target, step, title, status, started_at, duration, agent,
     commit, is_adhoc, metadata, parameters, tags, type, size, paths, version, target, standing,
     aliases, members) = node  # fmt: skip
    if not is_known or kind == "deployment" or title is not None or aliases or members:
        return line(_json_node(node))
    text = f'{{"id": {_quoted(id)}, "kind": "{kind}", "label": {_quoted(label)}, "is_known": true'
    text += f', "is_target": {"true" if is_target else "false"}'
    if kind == "artifact":
        if tags:
            text += f', "tags": [{", ".join(map(_quoted, tags))}]'
        if type is not None:
            text += f', "type": {_quoted(type)}'
        if size is not None:
            text += f', "size": {size}'
        return f'{text}, "paths": [{", ".join(map(_quoted, paths))}]}}'
    for name, value in (("step", step), ("status", status)):
        if value is not None:
            text += f', "{name}": {_quoted(value)}'
    if started_at is not None:
        text += f', "started_at": "{wording.isoformat(started_at)}"'
    if duration is not None:
        text += f', "duration_seconds": {duration / 1_000_000}'
    for name, value in (("agent", agent), ("commit", commit)):
        if value is not None:
            text += f', "{name}": {_quoted(value)}'
    return (
        f'{text}, "is_adhoc": {"true" if is_adhoc else "false"}, "metadata": {line(metadata)}'
        f', "parameters": {line(parameters)}, "tags": [{", ".join(map(_quoted, tags))}]}}'
    )


def _json_node(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # That something unknown has no metadata would be a guess.
    own = OWN.get(node.kind, ()) if node.is_known else ()
    is_run = node.kind == "execution" and node.is_known
    for name in node._fields:
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


def _edge_as_json(edge: Edge) -> str:
    (source, target, kind, path, how, role, is_order_certain, others_count, sources_count,
     targets_count, inside, parts_count, is_other) = edge  # fmt: skip
    text = f'{{"from": {_quoted(source)}, "to": {_quoted(target)}, "kind": "{kind}", "path": {_quoted(path)}'
    if how is not None:
        text += f', "how": {_quoted(how)}'
    if role is not None:
        text += f', "role": {_quoted(role)}'
    text += f', "is_order_certain": {"true" if is_order_certain else "false"}'
    text += f', "others_count": {others_count}'
    if sources_count != 1:
        text += f', "sources_count": {sources_count}'
    if targets_count != 1:
        text += f', "targets_count": {targets_count}'
    if inside is not None:
        text += f', "inside": {_quoted(inside)}'
    if parts_count is not None:
        text += f', "parts_count": {parts_count}'
    if is_other:
        text += ', "is_other": true'
    return text + "}"
