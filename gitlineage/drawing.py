"""A trace as a picture: text for a terminal, DOT, SVG, PNG, PDF, JSON, Mermaid.

Knows the graphviz package; must not know where a trace comes from or where its picture goes. All
text in a trace may come from strangers: none of it is markup, nor an escape sequence.
"""

from __future__ import annotations

from gitlineage import wording
from gitlineage.errors import LineageError, Refused, ToolMissing
from gitlineage.trace import Edge, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    import graphviz

    from gitlineage.trace import Trace

    Field = tuple[int, str, str]
    """How soon it gives way to others when there is no room, its text, its style."""

FORMS = ("tree", "dot", "json", "mermaid", "svg", "png", "pdf")

LIMITED = "there is more beyond this depth"

UNKNOWN = "no record here"


def draw(
    trace: Trace,
    form: str,
    *,
    width: int | None = None,
    is_colored: bool = False,
    encoding: str = "utf-8",
) -> bytes | str:
    """Return the picture of a trace: bytes for png and pdf, text for the others.

    Only `tree` looks at `width` (columns; None: no limit), `is_colored` and `encoding` (of the
    terminal: lines and names are drawn with what it has). Raises ToolMissing where svg, png or
    pdf are asked for and Graphviz' `dot` is not installed.
    """
    if form not in FORMS:
        raise Refused(reason=f"cannot draw {form}; there are {', '.join(FORMS)}")
    whole = _complete(trace)
    if form == "tree":
        return _Tree(whole, width, is_colored, encoding).draw()
    if form == "json":
        return _json(whole)
    if form == "mermaid":
        return _mermaid(whole)
    return _digraph(whole, form).source if form == "dot" else _rendered(whole, form)


def _complete(trace: Trace) -> Trace:
    """Add an unknown node for each end of an edge that the trace does not describe."""
    known = {n.id for n in trace.nodes}
    added: dict[str, Node] = {}
    for edge in trace.edges:
        made = "deployment" if edge.kind == "deployed" else "execution"
        ends = {edge.source: "artifact", edge.target: made}
        if edge.kind == "generated":
            ends = {edge.source: "execution", edge.target: "artifact"}
        for id, kind in ends.items():
            if id not in known:
                label = edge.path if kind == "artifact" else kind
                added.setdefault(id, Node(id=id, kind=kind, label=label, is_known=False))
    return trace.replace(nodes=trace.nodes + tuple(added.values())) if added else trace


# What is said of a node, in every form for people.


def _parameters(trace: Trace) -> Mapping[str, tuple[list[str], list[str]]]:
    """Return each execution's parameters: those that tell executions of a step apart, the rest."""
    steps: dict[str | None, list[Node]] = {}
    for node in trace.nodes:
        if node.kind == "execution":
            steps.setdefault(node.step or node.label, []).append(node)
    found = {}
    for nodes in steps.values():
        seen: dict[str, set[str]] = {}
        for node in nodes:
            for name, value in node.parameters.items():
                seen.setdefault(name, set()).add(wording.value(value))
        for node in nodes:
            telling = {k: v for k, v in node.parameters.items() if len(seen[k]) > 1}
            rest = {k: v for k, v in node.parameters.items() if k not in telling}
            found[node.id] = (wording.pairs(telling), wording.pairs(rest))
    return found


def _metrics(node: Node, count: int | None = None) -> list[str]:
    """Return the metadata that is one value each; at most a count of those that tell most."""

    # Fractions are measured, integers mostly count (epoch, step), text is neither.
    def rank(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return 2
        return int(isinstance(value, int))

    flat = [(k, v) for k, v in node.metadata.items() if not isinstance(v, (dict, list, tuple))]
    flat.sort(key=lambda item: rank(item[1]))
    if count is not None and flat:
        best = rank(flat[0][1])
        flat = [(k, v) for k, v in flat if rank(v) == best][:count]
    return wording.pairs(dict(flat))


def _name(node: Node) -> str:
    name = node.label or node.step or ""
    if not node.is_known and node.id.startswith(name):
        name = node.kind
    if node.kind == "deployment" and node.version:
        name += " " + node.version
    if node.kind == "artifact" and node.type == "directory" and not name.endswith("/"):
        name += "/"
    # Blanks at its ends would not be seen, and nothing but blanks is not a label anywhere.
    return wording.safe(name.strip(" ")) or "(no name)"


def _is_broken(node: Node) -> bool:
    return node.status in ("failed", "stopped", "interrupted")


def _renamed(edge: Edge, artifact: Node | None) -> str:
    """Return what the execution called the artifact, where that is another name."""
    is_other = artifact is not None and edge.path not in ("", artifact.label)
    return wording.safe(edge.path) if is_other else ""


# The tree.

STYLES = {
    "heading": "1",
    "target": "1;4",
    "execution": "1",
    "artifact": "36",
    "deployment": "1;35",
    "good": "32",
    "bad": "1;31",
    "doubt": "33",
    "id": "2",
    "dim": "2",
    "plain": "",
}

BOX = ("\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   ", wording.ELLIPSIS)
ASCII = ("|- ", "`- ", "|  ", "   ", "...")

UNSAID = 9
"""The rank of what goes without saying, and without an ellipsis where there is no room."""

LONGEST = 40
"""Columns of a field other than the name."""

DEEPEST = 40
"""Levels of the tree at most, fewer where it is narrow; what is deeper starts again at the left."""


class _Tree:
    def __init__(self, trace: Trace, width: int | None, is_colored: bool, encoding: str) -> None:
        self.trace, self.is_colored, self.encoding = trace, is_colored, encoding
        self.width = 1 << 20 if width is None else max(width, 20)
        self.deepest = DEEPEST if width is None else min(max(self.width // 2 // 3, 2), DEEPEST)
        try:
            "".join(BOX).encode(encoding)
            self.marks = BOX
        except UnicodeEncodeError:
            self.marks = ASCII
        self.nodes = {n.id: n for n in trace.nodes}
        self.parameters = _parameters(trace)
        self.shown: set[str] = set()
        self.lines: list[str] = []

    def draw(self) -> str:
        made: dict[str, dict[str, list[Edge]]] = {}
        used: dict[str, dict[str, list[Edge]]] = {}
        for edge in self.trace.edges:
            made.setdefault(edge.target, {}).setdefault(edge.source, []).append(edge)
            used.setdefault(edge.source, {}).setdefault(edge.target, []).append(edge)
        targets = [n for n in self.trace.nodes if n.is_target or n.id == self.trace.target]
        targets = targets or [n for n in self.trace.nodes if n.id not in used]
        self.shown.update(n.id for n in targets)
        for node in targets:
            self._blank()
            self._line("", self._name_and_fields(node, "target"))
            up, down = _headings(node)
            self._section(up, node, made)
            self._section(down, node, used)
            if node.id not in made and node.id not in used:
                self._line("", [(9, "nothing else is recorded about it", "dim")])
        rest = [n for n in self.trace.nodes if n.id not in self.shown]
        if rest:
            self._blank()
            self._line("", [(0, "Also in this trace", "heading")])
            for node in rest:
                self._line(self.marks[3], self._name_and_fields(node))
        self._remarks()
        return "\n".join(self.lines) + "\n"

    def _blank(self) -> None:
        if self.lines:
            self.lines.append("")

    def _section(
        self, heading: str, root: Node, near: Mapping[str, Mapping[str, list[Edge]]]
    ) -> None:
        if root.id not in near:
            return
        self._blank()
        self._line("", [(0, heading, "heading")])
        waiting = [root]
        while waiting:
            node = waiting.pop(0)
            if node is not root:
                self._blank()
                self._line("", [*self._name_and_fields(node)[:2], (2, "continued", "dim")])
            self._branch("", node, near, 0, waiting)

    def _branch(
        self,
        lead: str,
        node: Node,
        near: Mapping[str, Mapping[str, list[Edge]]],
        depth: int,
        waiting: list[Node],
    ) -> None:
        fork, last, beside, below, _ = self.marks
        around = list(near.get(node.id, {}).items())
        for at, (id, edges) in enumerate(around):
            child, is_last = self.nodes[id], at == len(around) - 1
            fields = self._name_and_fields(child)
            if id in self.shown:
                told = fields[: 1 if child.kind == "artifact" else 2]
                fields = [*told, *self._doubts(edges), (0, "see above", "dim")]
            elif id in near and depth + 1 >= self.deepest:
                waiting.append(child)
                fields = [*fields, *self._doubts(edges), (0, "continued below", "dim")]
            else:
                fields += self._doubts(edges)
            self._line(lead + (last if is_last else fork), fields)
            if id not in self.shown:
                self.shown.add(id)
                if depth + 1 < self.deepest:
                    deeper = lead + (below if is_last else beside)
                    self._branch(deeper, child, near, depth + 1, waiting)

    def _name_and_fields(self, node: Node, style: str = "") -> list[Field]:
        fields: list[Field] = [(0, _name(node), style or node.kind)]
        if node.kind == "deployment":
            fields[0] = (0, "deployment " + fields[0][1], style or node.kind)
        is_artifact = node.kind == "artifact"
        id = wording.short_id(node.id)
        fields.append((3, id, "dim") if is_artifact else (1, id, "id"))
        if not node.is_known:
            return [*fields, (2, UNKNOWN, "doubt")]
        if node.kind == "execution":
            return fields + self._of_execution(node)
        if node.kind == "deployment":
            target = f"to {wording.safe(node.target)}" if node.target else ""
            when = wording.moment(node.started_at) if node.started_at is not None else ""
            fields += [(2, target, "plain"), (6, when, "plain")]
        else:
            if node.size is not None:
                fields.insert(1, (2, wording.size(node.size), "plain"))
            kind = node.type if node.type in ("link", "uri") else ""
            fields += [(6, kind or "", "dim"), *self._tags(node)]
        return fields

    def _of_execution(self, node: Node) -> list[Field]:
        style = {"succeeded": "good", "running": "plain"}.get(node.status or "", "bad")
        title = f'"{wording.safe(node.title)}"' if node.title else ""
        fields: list[Field] = [
            (4, title, "plain"),
            (2 if node.status != "succeeded" else UNSAID, wording.safe(node.status or ""), style),
            (5, wording.duration(node.duration) if node.duration is not None else "", "plain"),
            (7, wording.moment(node.started_at) if node.started_at is not None else "", "plain"),
        ]
        fields += [(3 if not at else 6, m, "plain") for at, m in enumerate(_metrics(node)[:4])]
        telling, rest = self.parameters[node.id]
        fields += [(3 if not at else 6, p, "plain") for at, p in enumerate([*telling, *rest][:4])]
        return [*fields, (5, "ad-hoc" if node.is_adhoc else "", "doubt"), *self._tags(node)]

    def _tags(self, node: Node) -> list[Field]:
        return [(6, f"[{wording.safe(tag)}]", "doubt") for tag in node.tags]

    def _doubts(self, edges: Sequence[Edge]) -> list[Field]:
        """Return what is to be said of the way from the line above to this one."""
        fields: list[Field] = []
        for edge in edges:
            artifact = self.nodes[edge.target if edge.kind == "generated" else edge.source]
            renamed = _renamed(edge, artifact)
            if renamed:
                fields.append((4, f"as {renamed}", "plain"))
            if edge.how == "detected":
                fields.append((5, "detected", "dim"))
            if edge.others_count:
                fields.append((2, f"+{edge.others_count} others made the same bytes", "doubt"))
            if not edge.is_order_certain:
                fields.append((2, "order uncertain", "doubt"))
        return list(dict.fromkeys(fields))

    def _line(self, lead: str, fields: Iterable[Field]) -> None:
        """Add a line that fits: the name is shortened, but never to less than half of the room
        for the sake of what is less important than how it ended.
        """
        more = self.marks[4]
        shown = [
            (rank, text if not at else wording.clip(text, LONGEST, more), style)
            for at, (rank, raw, style) in enumerate(fields)
            if (text := self._safe(raw))
        ]
        name = wording.width(shown[0][1])
        room = self.width - len(lead)
        is_cut = False

        def needed(name: int) -> int:
            # An id belongs to the name before it and is set closer.
            gaps = 2 * (len(shown) - 1) - any(style == "id" for _, _, style in shown[1:2])
            others = sum(wording.width(text) for _, text, _ in shown[1:])
            return name + others + gaps + (wording.width(more) + 1 if is_cut else 0)

        while len(shown) > 1:
            least = max(range(1, len(shown)), key=lambda at: (shown[at][0], at))
            rank = shown[least][0]
            if needed(name if rank > 2 else min(name, max(room // 2, 8))) <= room:
                break
            del shown[least]
            is_cut = is_cut or rank != UNSAID
        shortened = wording.shorten(shown[0][1], room - needed(0), more)
        texts = [self._styled(text, style) for _, text, style in shown[1:]]
        text = self._styled(shortened, shown[0][2])
        if texts:
            text += (" " if shown[1][2] == "id" else "  ") + "  ".join(texts)
        if is_cut:
            text += " " + self._styled(more, "dim")
        self.lines.append((self._styled(lead, "dim") if lead.strip() else lead) + text)

    def _safe(self, text: str) -> str:
        if self.marks is ASCII:
            text = text.replace(wording.ELLIPSIS, "...")
        return wording.safe(text, self.encoding)

    def _styled(self, text: str, style: str) -> str:
        code = STYLES[style] if self.is_colored else ""
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def _remarks(self) -> None:
        remarks = [f"warning: {self._safe(w)}" for w in self.trace.warnings]
        remarks += [LIMITED] if self.trace.is_limited else []
        for at, remark in enumerate(remarks):
            if not at:
                self._blank()
            for line in wording.wrap(remark, self.width):
                self.lines.append(self._styled(line, "doubt"))


def _headings(node: Node) -> tuple[str, str]:
    if node.kind == "execution":
        return "What went into it", "What came of it"
    if node.kind == "deployment":
        return "What it relies on", "What relies on it"
    return "How it was made", "What relies on it"


# DOT, and what `dot` makes of it.

FONT = "Helvetica,Arial,sans-serif"

GRAY = "#555555"


def _digraph(trace: Trace, form: str = "dot") -> graphviz.Digraph:
    import graphviz  # 48 ms: only for the forms that need it

    names = {n.id: f"n{at}" for at, n in enumerate(trace.nodes)}
    nodes = {n.id: n for n in trace.nodes}
    parameters = _parameters(trace)
    graph: graphviz.Digraph = graphviz.Digraph(
        "trace",
        graph_attr={
            "rankdir": "LR",
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
    remarks = [wording.safe(w) for w in trace.warnings] + [LIMITED] * trace.is_limited
    if remarks:
        graph.attr(label="".join(_plain(r, 120) + "\\l" for r in remarks))
    for node in trace.nodes:
        graph.node(names[node.id], **_dot_node(node, *parameters.get(node.id, ([], []))))
    for edge in trace.edges:
        artifact = nodes[edge.target if edge.kind == "generated" else edge.source]
        graph.edge(names[edge.source], names[edge.target], **_dot_edge(edge, artifact))
    return graph


def _dot_node(node: Node, telling: list[str], rest: list[str]) -> dict[str, str]:
    look = {"shape": "box", "style": "filled", "fillcolor": "white"}
    if node.kind == "execution":
        look |= {"style": "rounded,filled", "fillcolor": "#dce6f2"}
        if _is_broken(node):
            look |= {"style": "filled,diagonals", "fillcolor": "#f6dcd6", "margin": "0.15,0.09"}
    elif node.kind == "deployment":
        look |= {"shape": "cds", "fillcolor": "#f2e6b8", "margin": "0.2,0.14", "penwidth": "1.8"}
    else:
        shapes = {"directory": "folder", "uri": "cylinder"}
        look["shape"] = shapes.get(node.type or "", "note")
    if not node.is_known:
        look |= {"style": look["style"] + ",dashed", "fillcolor": "white", "fontcolor": GRAY}
    if node.is_target:
        look["penwidth"] = "2.5"
    if all(c.isascii() and (c.isalnum() or c in ":-") for c in node.id):
        look["id"] = f"{node.kind}-{node.id}".replace(":", "-")
    return look | {
        "label": f"<{_markup(_lines(node, telling or rest))}>",
        "tooltip": _tooltip(_details(node, [*telling, *rest])),
    }


def _lines(node: Node, parameters: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines of a node, each with its style: `bold`, `plain` or `small`."""
    name, short = _name(node), wording.short_id(node.id).rpartition(":")[2]
    if node.kind == "artifact":
        folder, _, base = name.rstrip("/").rpartition("/")
        if node.type == "uri" or wording.width(name) <= 22 or not base:
            lines = [("plain", wording.shorten(name, 26))]
        else:
            base += "/" if name.endswith("/") else ""
            lines = [("plain", wording.shorten(base, 26))]
            lines += [("small", f"in {wording.shorten(folder or '/', 24)}")] if folder else []
        size = "" if node.size is None else wording.size(node.size) + "  "
        lines.append(("small", f"{size}{short}"))
    elif node.kind == "deployment":
        lines = [("bold", wording.shorten(name, 26)), ("small", "deployment " + short)]
        if node.target:
            lines.insert(1, ("plain", "to " + wording.shorten(wording.safe(node.target), 24)))
    else:
        lines = [("bold", wording.shorten(name, 26))]
        if node.title:
            lines.append(("plain", wording.clip(wording.safe(node.title), 28)))
        lines += [("plain", wording.shorten(p, 28)) for p in parameters[:2]]
        status = node.status if node.status not in (None, "succeeded") else ""
        if status:
            lines.append(("bold", wording.safe(status)))
        lines += [("plain", wording.shorten(m, 28)) for m in _metrics(node, 3)]
        took = "" if node.duration is None else wording.duration(node.duration) + "  "
        lines.append(("small", f"{took}{short}{'  ad-hoc' if node.is_adhoc else ''}"))
    if not node.is_known:
        lines.append(("small", UNKNOWN))
    if node.tags:
        lines.append(("small", wording.shorten(wording.safe(", ".join(node.tags)), 28)))
    return lines


def _details(node: Node, parameters: Sequence[str]) -> str:
    """Return what there is no room for in the node itself."""
    said = [f"{node.kind} {_name(node)}", wording.safe(node.id)]
    said += [f"also {wording.safe(p)}" for p in node.paths if p != node.label]
    if node.status:
        said.append(wording.safe(node.status))
    if node.started_at is not None:
        said.append(wording.isoformat(node.started_at))
    if node.agent:
        said.append(f"by {wording.safe(node.agent)}")
    if node.commit:
        said.append(f"commit {wording.safe(node.commit)}" + " (ad-hoc)" * node.is_adhoc)
    return ", ".join([*said, *parameters, *_metrics(node)])


def _dot_edge(edge: Edge, artifact: Node) -> dict[str, str]:
    look = {"style": "solid"}
    said = [edge.kind, wording.safe(edge.path)]
    if edge.how:
        said.append(wording.safe(edge.how))
    labels = []
    renamed = _renamed(edge, artifact)
    if renamed:
        labels.append("as " + wording.shorten(renamed, 20))
    if edge.kind == "deployed":
        look["penwidth"] = "1.8"
    if edge.how == "detected":
        look |= {"style": "dotted"}
    if not edge.is_order_certain:
        look["style"] = "dashed"
        labels.append("?")
        said.append("order uncertain")
    if edge.others_count:
        labels += [f"+{edge.others_count} others made", "the same bytes"]
        said.append(f"+{edge.others_count} others made the same bytes")
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
        "small": f'<FONT POINT-SIZE="9" COLOR="{GRAY}">{{}}</FONT>',
    }
    return "<BR/>".join(forms[style].format(_marked(text)) for style, text in lines)


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


def _rendered(trace: Trace, form: str) -> bytes | str:
    import graphviz

    try:
        picture = _digraph(trace, form).pipe(format=form, quiet=True)
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
        raise LineageError(reason=f"dot could not draw the trace: {reason}") from error
    return picture.decode("utf-8") if form == "svg" else picture


# JSON.

OWN = {
    "execution": ("metadata", "parameters", "tags"),
    "artifact": ("paths",),
    "deployment": (),
}
"""Fields that are there even when they are empty."""


def _json(trace: Trace) -> str:
    import json

    plain = {
        "target": trace.target,
        "nodes": [_json_node(n) for n in trace.nodes],
        "edges": [_json_edge(e) for e in trace.edges],
        "warnings": list(trace.warnings),
        "is_limited": trace.is_limited,
    }
    text = json.dumps(_valid(plain), ensure_ascii=False, indent=2, allow_nan=False)
    # Still the same JSON, and nothing in it acts on a terminal.
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text) + "\n"


def _json_node(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in node._fields:
        value = getattr(node, name)
        if value is None or (value in ((), {}) and name not in OWN.get(node.kind, ())):
            continue
        if name == "started_at":
            value = wording.isoformat(value)
        if name == "duration":
            name, value = "duration_seconds", value / 1_000_000
        if name != "is_adhoc" or node.kind == "execution":
            found[name] = value
    return found


def _json_edge(edge: Edge) -> dict[str, Any]:
    renamed = {"source": "from", "target": "to"}
    values = ((renamed.get(n, n), getattr(edge, n)) for n in edge._fields)
    return {name: value for name, value in values if value is not None}


def _valid(value: Any) -> Any:
    """Return plain data as JSON has it: no NaN, no bytes, no text that is not valid UTF-8."""
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return wording.number(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "".join(wording.safe(c) if "\ud800" <= c <= "\udfff" else c for c in value)
        return value
    if isinstance(value, (list, tuple)):
        return [_valid(v) for v in value]
    if hasattr(value, "items"):
        return {_valid(k): _valid(v) for k, v in value.items()}
    return value


# Mermaid.

MERMAID_CLASSES = {
    "execution": "fill:#dce6f2,stroke:#333,color:#000",
    "failed": "fill:#f6dcd6,stroke:#333,color:#000,stroke-width:2px",
    "artifact": "fill:#fff,stroke:#333,color:#000",
    "deployment": "fill:#f2e6b8,stroke:#333,color:#000,stroke-width:2px",
    "unknown": "fill:#fff,stroke:#555,color:#555,stroke-dasharray:5 4",
    "target": "stroke:#000,stroke-width:4px",
}

MERMAID_SHAPES = {
    "execution": ("(", ")"),
    "deployment": ("{{", "}}"),
    "directory": ("[[", "]]"),
    "uri": ("[(", ")]"),
}


def _mermaid(trace: Trace) -> str:
    names = {n.id: f"n{at}" for at, n in enumerate(trace.nodes)}
    nodes = {n.id: n for n in trace.nodes}
    parameters = _parameters(trace)
    lines = ["flowchart LR"]
    for node in trace.nodes:
        telling, rest = parameters.get(node.id, ([], []))
        said = _lines(node, telling or rest)
        text = "<br/>".join(_mermaid_text(t) for _, t in said)
        opened, closed = MERMAID_SHAPES.get(
            node.kind if node.kind != "artifact" else node.type or "", ("[", "]")
        )
        kind = "failed" if _is_broken(node) else node.kind if node.is_known else "unknown"
        lines.append(f'    {names[node.id]}{opened}"{text}"{closed}:::{kind}')
    for edge in trace.edges:
        artifact = nodes[edge.target if edge.kind == "generated" else edge.source]
        lines.append(
            f"    {names[edge.source]} {_mermaid_arrow(edge, artifact)} {names[edge.target]}"
        )
    for remark in (*trace.warnings, *[LIMITED] * trace.is_limited):
        lines.append(f"    %% {wording.safe(remark)}")
    targets = [names[n.id] for n in trace.nodes if n.is_target]
    lines += [f"    classDef {name} {look}" for name, look in MERMAID_CLASSES.items()]
    lines += [f"    class {','.join(targets)} target"] if targets else []
    return "\n".join(lines) + "\n"


def _mermaid_arrow(edge: Edge, artifact: Node) -> str:
    renamed = _renamed(edge, artifact)
    labels = ["as " + wording.shorten(renamed, 20)] if renamed else []
    labels += [] if edge.is_order_certain else ["?"]
    labels += [f"+{edge.others_count} others made the same bytes"] if edge.others_count else []
    arrow = "==>" if edge.kind == "deployed" else "-->"
    if edge.how == "detected" or not edge.is_order_certain:
        arrow = "-.->"
    return f'{arrow}|"{_mermaid_text(", ".join(labels))}"|' if labels else arrow


def _mermaid_text(text: str) -> str:
    # Of ASCII only what neither Mermaid, nor Markdown, nor HTML gives a meaning to stays.
    # `\n`, `$$` and `fa:` are given theirs after all the rest (seen with 11): #8203; is invisible
    # and breaks them up.
    kept = " ,/=.()"
    breaking = "\\$:"
    return "".join(
        (c if c.isalnum() or c in kept or not c.isascii() else f"#{ord(c)};")
        + "#8203;" * (c in breaking)
        for c in text
    )
