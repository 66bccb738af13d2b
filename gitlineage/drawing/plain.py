"""A trace as JSON, for programs."""

from __future__ import annotations

import json
from json import encoder

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from gitlineage.trace import Edge, Node, Trace

    T = TypeVar("T")

_quoted = encoder.encode_basestring

OWN = {
    "execution": ("metadata", "parameters", "tags"),
    "artifact": ("paths",),
    "deployment": (),
}
"""Fields that are there even when they are empty."""

TOGETHER = 5_000
"""Nodes or edges of which the text is in memory at once."""


def plain_of(trace: Trace) -> Iterator[str]:
    """Yield a trace as JSON, a line each: nodes, and edges in the direction that data flows.

    The lines of nearly all nodes and edges are put together here, in a quarter of the time that
    the codec takes for a map of their fields; and some at a time, in half the memory.
    """
    encode = _encoder()

    def line(value: Any) -> str:
        # The codec in C takes all but what is rare: NaN, bytes, text that is not UTF-8.
        try:
            return encode(value)
        except (TypeError, ValueError):
            return encode(wording.plain(value))

    yield f'{{\n  "target": {_visible(line(trace.target))},\n  "nodes": '
    yield from _lines(trace.nodes, lambda node: _node_as_json(node, line))
    yield ',\n  "edges": '
    yield from _lines(trace.edges, _edges())
    yield ',\n  "warnings": '
    yield from _lines(trace.warnings, line)
    yield f',\n  "is_limited": {line(trace.is_limited)}\n}}\n'


def _lines(values: Sequence[T], line: Callable[[T], str]) -> Iterator[str]:
    """Yield a list with each of its members on a line, in which nothing acts on a terminal."""
    yield "[" if values else "[]"
    for start in range(0, len(values), TOGETHER):
        lines = [line(each) for each in values[start : start + TOGETHER]]
        text = ",\n    ".join(lines)
        # The codec has escaped what is below a space, so that of ASCII only DEL is left.
        if not text.isascii() or "\x7f" in text:
            text = ",\n    ".join(map(_visible, lines))
        yield f",\n    {text}" if start else f"\n    {text}"
    if values:
        yield "\n  ]"


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
     commit, is_adhoc, metadata, parameters, tags, type, size, paths, _, _, _,
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
        f'{text}, "is_adhoc": {"true" if is_adhoc else "false"}'
        f', "metadata": {_values(metadata, line)}, "parameters": {_values(parameters, line)}'
        f', "tags": [{", ".join(map(_quoted, tags))}]}}'
    )


def _values(values: Mapping[str, Any], line: Callable[[Any], str]) -> str:
    """Return metadata or parameters: what nobody has read yet is JSON as it stands."""
    text = getattr(values, "text", None)
    if text is None or "\\" in text or "9e999" in text:
        return line(dict(values))
    return text  # type: ignore[no-any-return]


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
        if name in ("metadata", "parameters"):
            value = dict(value)
        found[name] = value
    return found


def _edges() -> Callable[[Edge], str]:
    """Return what turns edges into lines. Behind their ends most say what others have said."""
    said: dict[tuple[Any, ...], str] = {}

    def line(edge: Edge) -> str:
        says = edge[2:]
        text = said.get(says)
        if text is None:
            if len(said) > TOGETHER:
                said.clear()
            text = said[says] = _said_of(edge)
        return f'{{"from": {_quoted(edge[0])}, "to": {_quoted(edge[1])}, {text}'

    return line


def _said_of(edge: Edge) -> str:
    _, _, kind, path, how, role = edge[:6]
    text = f'"kind": "{kind}", "path": {_quoted(path)}'
    if how is not None:
        text += f', "how": {_quoted(how)}'
    if role is not None:
        text += f', "role": {_quoted(role)}'
    if edge[6:] == _USUAL:
        return text + ', "is_order_certain": true, "others_count": 0}'
    text += f', "is_order_certain": {"true" if edge.is_order_certain else "false"}'
    text += f', "others_count": {edge.others_count}'
    if edge.sources_count != 1:
        text += f', "sources_count": {edge.sources_count}'
    if edge.targets_count != 1:
        text += f', "targets_count": {edge.targets_count}'
    if edge.inside is not None:
        text += f', "inside": {_quoted(edge.inside)}'
    if edge.parts_count is not None:
        text += f', "parts_count": {edge.parts_count}'
    if edge.is_other:
        text += ', "is_other": true'
    return text + "}"


_USUAL = (True, 0, 1, 1, None, None, False)
"""What nearly all edges have from `is_order_certain` on."""
