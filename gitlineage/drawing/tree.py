"""A trace as text for a terminal. Knows columns, color and box characters."""

from __future__ import annotations

import re

from gitlineage import wording
from gitlineage.drawing import captions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitlineage.trace import Edge, Node, Trace

    Field = tuple[int, str, str]
    """How soon it gives way to others when there is no room, its text, its style."""

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


class Tree:
    """A trace as lines of text, drawn once."""

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
        self.parameters = captions.parameters_of(trace)
        self.shown: set[str] = set()
        self.lines: list[str] = []

    def draw(self) -> str:
        made: dict[str, dict[str, list[Edge]]] = {}
        used: dict[str, dict[str, list[Edge]]] = {}
        for edge in self.trace.edges:
            made.setdefault(edge.target, {}).setdefault(edge.source, []).append(edge)
            used.setdefault(edge.source, {}).setdefault(edge.target, []).append(edge)
        targets = [self.nodes[each] for each in self.trace.roots]
        targets = targets or [
            n for n in self.trace.nodes if n.is_target or n.id == self.trace.target
        ]
        targets = targets or [n for n in self.trace.nodes if n.id not in used]
        self.shown.update(n.id for n in targets)
        for node in targets:
            self._blank()
            self._line("", self._name_and_fields(node, "target"))
            up, down = _headings(node)
            if self.trace.is_upward or not self.trace.roots:
                self._section(up, node, made)
            if not self.trace.is_upward:
                self._section(down, node, used)
            if node.id not in made and node.id not in used:
                self._line("", [(9, "nothing else is recorded about it", "dim")])
        rest = [n for n in self.trace.nodes if n.id not in self.shown]
        if rest:
            self._blank()
            self._line("", [(0, "Also in this trace", "heading")])
            for node in rest:
                others = [e for e in self.trace.edges if e.is_other and e.source == node.id]
                said = [captions.same_as(self.nodes[each.target]) for each in others[:1]]
                doubts: list[Field] = [(2, each, "doubt") for each in said]
                self._line(self.marks[3], [*self._name_and_fields(node), *doubts])
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
        if node.kind == "execution":  # of equal rank, files are in the order of their digests
            around.sort(key=lambda each: self._place_of(self.nodes[each[0]]))
        for at, (id, edges) in enumerate(around):
            child, is_last = self.nodes[id], at == len(around) - 1
            fields = self._name_and_fields(child, "target" if child.is_target else "")
            if id in self.shown:
                told = fields[: 1 if child.kind == "artifact" or child.members else 2]
                fields = [*told, *self._doubts(edges), (0, "see above", "dim")]
            elif id in near and depth + 1 >= self.deepest:
                waiting.append(child)
                fields = [*fields, *self._doubts(edges), (0, "see below", "dim")]
            else:
                fields += self._doubts(edges)
            self._line(lead + (last if is_last else fork), fields)
            if id not in self.shown:
                self.shown.add(id)
                if depth + 1 < self.deepest:
                    deeper = lead + (below if is_last else beside)
                    self._branch(deeper, child, near, depth + 1, waiting)

    @staticmethod
    def _place_of(node: Node) -> tuple[bool, bool, list[tuple[int, str]]]:
        """Return what files are ordered by: groups first, then paths, in which numbers count."""
        parts = re.findall(r"\d+|\D+", node.label)
        # Of numbers the longer one is the larger: `int` refuses those of 5,000 digits.
        told = [(len(each.lstrip("0")) if each.isdecimal() else -1, each) for each in parts]
        return node.kind != "artifact", not node.members, told

    def _name_and_fields(self, node: Node, style: str = "") -> list[Field]:
        name = "deployment " * (node.kind == "deployment") + captions.name_of(node)
        if node.members:
            return self._of_several(node, f"{name} {captions.count_of(node)}", style or node.kind)
        fields: list[Field] = [(0, name, style or node.kind)]
        is_artifact = node.kind == "artifact"
        id = wording.short_id(node.id)
        fields.append((4, id, "dim") if is_artifact else (1, id, "id"))
        if not node.is_known:
            return [*fields, (2, captions.UNKNOWN, "doubt")]
        if node.kind == "execution":
            return fields + self._of_execution(node)
        if node.kind == "deployment":
            target = f"to {wording.safe(node.target)}" if node.target else ""
            when = wording.moment(node.started_at) if node.started_at is not None else ""
            ended = "" if node.standing == "in use" else node.standing or ""
            fields += [(2, target, "plain"), (6, when, "plain"), (3, ended, "doubt")]
        else:
            if node.size is not None:
                fields.insert(1, (3, wording.size(node.size), "plain"))
            kind = node.type if node.type in ("link", "uri") else ""
            fields += [(6, kind or "", "dim"), *self._tags(node)]
        return fields

    def _of_several(self, node: Node, name: str, style: str) -> list[Field]:
        """Return what several have in common, and within which bounds they differ."""
        fields: list[Field] = [(0, name, style)]
        if node.size is not None:
            fields.append((3, wording.size(node.size) + " in all", "plain"))
        if node.status not in (None, "succeeded"):
            fields.append((2, wording.safe(node.status or ""), "bad"))
        differing, same = self.parameters.get(node.id, ([], []))
        fields += [(3, each, "plain") for each in differing[:4]]
        fields += [(4, each, "plain") for each in captions.metrics_of(node)[:4]]
        if node.duration is not None:
            fields.append((5, wording.duration(node.duration) + " in all", "plain"))
        fields += [(6, each, "plain") for each in same[:4]]
        if not node.is_known:
            fields.append((2, captions.UNKNOWN, "doubt"))
        return [*fields, (5, captions.adhoc_of(node), "doubt"), *self._tags(node)]

    def _of_execution(self, node: Node) -> list[Field]:
        style = {"succeeded": "good", "running": "plain"}.get(node.status or "", "bad")
        title = f'"{wording.safe(node.title)}"' if node.title else ""
        fields: list[Field] = [
            (4, title, "plain"),
            (2 if node.status != "succeeded" else UNSAID, wording.safe(node.status or ""), style),
            (5, wording.duration(node.duration) if node.duration is not None else "", "plain"),
            (7, wording.moment(node.started_at) if node.started_at is not None else "", "plain"),
        ]
        fields += [
            (4 if not at else 6, m, "plain") for at, m in enumerate(captions.metrics_of(node)[:4])
        ]
        telling, rest = self.parameters[node.id]
        fields += [(3 if not at else 6, p, "plain") for at, p in enumerate([*telling, *rest][:4])]
        return [*fields, (5, captions.adhoc_of(node), "doubt"), *self._tags(node)]

    def _tags(self, node: Node) -> list[Field]:
        named = [*node.tags, *(f"alias {each}" for each in node.aliases)]
        return [(6, f"[{wording.safe(each)}]", "doubt") for each in named]

    def _doubts(self, edges: Sequence[Edge]) -> list[Field]:
        """Return what is to be said of the way from the line above to this one."""
        fields: list[Field] = []
        for edge in edges:
            artifact = self.nodes[edge.target if edge.kind == "generated" else edge.source]
            renamed = captions.renamed(edge, artifact)
            if renamed:
                fields.append((4, f"as {renamed}", "plain"))
            share = captions.share(edge, self.nodes[edge.source], self.nodes[edge.target])
            if share:
                fields.append((2, share, "plain"))
            if edge.how == "detected":
                fields.append((5, "detected", "dim"))
            if edge.is_other:
                fields.append((2, captions.OTHER, "doubt"))
            if edge.others_count:
                fields.append((2, f"{captions.others(edge)} made the same bytes", "doubt"))
            if not edge.is_order_certain:
                fields.append((2, "order uncertain", "doubt"))
        return list(dict.fromkeys(fields))

    def _line(self, lead: str, fields: Iterable[Field]) -> None:
        """Add a line that fits: the name is shortened, but never to less than a third of the room
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
            if needed(name if rank > 2 else min(name, max(room // 3, 8))) <= room:
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
        remarks += [captions.LIMITED] if self.trace.is_limited else []
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
