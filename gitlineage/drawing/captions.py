"""What is said of a node, in every form for people. Knows traces; knows no form."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.trace import Edge, Node, Trace

LIMITED = "there is more beyond this depth"

UNKNOWN = "no record here"

OTHER = "made the same bytes"

NAMED = 3
"""Values that are told one by one, at most, of several executions drawn as one."""


def parameters_of(trace: Trace) -> Mapping[str, tuple[list[str], list[str]]]:
    """Return each execution's parameters: those that tell executions of a step apart, the rest."""
    steps: dict[str | None, list[Node]] = {}
    for node in trace.nodes:
        if node.kind == "execution":
            steps.setdefault(node.step or node.label, []).append(node)
    found = {}
    for nodes in steps.values():
        seen: dict[str, set[str]] = {}
        for node in nodes:
            for each in node.members or (node,):
                for name, value in each.parameters.items():
                    seen.setdefault(name, set()).add(wording.value(value))
        for node in nodes:
            if node.members:
                found[node.id] = ranges([each.parameters for each in node.members])
                continue
            telling = {k: v for k, v in node.parameters.items() if len(seen[k]) > 1}
            rest = {k: v for k, v in node.parameters.items() if k not in telling}
            found[node.id] = (wording.pairs(telling), wording.pairs(rest))
    return found


def metrics_of(node: Node, count: int | None = None) -> list[str]:
    """Return the metadata that is one value each; at most a count of those that tell most."""
    if node.members:
        return [text for texts in ranges(_measured(node)) for text in texts][:count]

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


def _measured(node: Node) -> list[dict[str, object]]:
    """Return what several executions have measured: what is a fraction of one of them, at least."""
    maps = [each.metadata for each in node.members]
    names = {name for each in maps for name, value in each.items() if isinstance(value, float)}
    return [{name: value for name, value in each.items() if name in names} for each in maps]


def ranges(maps: Sequence[Mapping[str, object]]) -> tuple[list[str], list[str]]:
    """Return what several have under each name: first where they differ, then where not."""
    differ, same = [], []
    for name in dict.fromkeys(name for each in maps for name in each):
        values = [each[name] for each in maps if name in each]
        texts = list(dict.fromkeys(wording.shorten(wording.value(each), 24) for each in values))
        said = wording.safe(str(name))
        if len(texts) == 1:
            same.append(f"{said}={texts[0]}")
            continue
        numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(numbers) == len(values) and all(v == v for v in numbers):  # NaN has no order
            differ.append(
                f"{said} {wording.number(min(numbers))} to {wording.number(max(numbers))}"
            )
        elif len(texts) <= NAMED:
            differ.append(f"{said} {', '.join(texts)}")
        else:
            differ.append(f"{said} {len(texts)} values")
    return differ, same


def count_of(node: Node) -> str:
    """Return how many a node stands for, where it is several."""
    return f"x {len(node.members)}" if node.members else ""


def name_of(node: Node) -> str:
    """Return the name of a node, safe to show."""
    name = node.label or node.step or ""
    if not node.is_known and node.id.startswith(name):
        name = node.kind
    if node.kind == "deployment" and node.version:
        name += " " + node.version
    if node.kind == "artifact" and node.type == "directory" and not name.endswith("/"):
        name += "/"
    # Blanks at its ends would not be seen, and nothing but blanks is not a label anywhere.
    return wording.safe(name.strip(" ")) or "(no name)"


def is_broken(node: Node) -> bool:
    """Tell whether an execution did not succeed."""
    return node.status in ("failed", "stopped", "interrupted")


def renamed(edge: Edge, artifact: Node | None) -> str:
    """Return what the execution called the artifact, where that is another name."""
    if edge.parts_count and edge.parts_count > 1:
        return f"{wording.safe(edge.path)} and {edge.parts_count - 1} more"
    is_other = artifact is not None and edge.path not in ("", artifact.label)
    return wording.safe(edge.path) if is_other else ""


def share(edge: Edge, source: Node, target: Node) -> str:
    """Return how many of several an edge is of, where it is not of all of them."""
    said = [
        f"{count} of {len(node.members)}"
        for count, node in ((edge.sources_count, source), (edge.targets_count, target))
        if node.members and count < len(node.members)
    ]
    return " to ".join(said)


def same_as(artifact: Node) -> str:
    """Return what others made that a trace does not go back to."""
    return f"{OTHER} as {wording.shorten(name_of(artifact), 24)}"


def others(edge: Edge) -> str:
    """Return how many other executions made the same bytes."""
    return f"+{edge.others_count} other{'s' * (edge.others_count != 1)}"


def lines_of(node: Node, parameters: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines of a node, each with its style: `bold`, `plain`, `small`, `adhoc`, `tag`."""
    name, short = name_of(node), wording.short_id(node.id).rpartition(":")[2]
    count = f" {count_of(node)}" if node.members else ""
    short, gap = ("in all", " ") if node.members else (short, "  ")
    if node.kind == "artifact":
        folder, _, base = name.rstrip("/").rpartition("/")
        if node.type == "uri" or wording.width(name + count) <= 22 or not base:
            lines = [("plain", wording.shorten(name, 26 - len(count)) + count)]
        else:
            base += "/" if name.endswith("/") else ""
            lines = [("plain", wording.shorten(base, 26 - len(count)) + count)]
            lines += [("small", f"in {wording.shorten(folder or '/', 24)}")] if folder else []
        size = "" if node.size is None else wording.size(node.size) + gap
        lines += [("small", f"{size}{short}")] if size or not node.members else []
    elif node.kind == "deployment":
        lines = [("bold", wording.shorten(name, 26 - len(count)) + count)]
        lines += [("small", "deployment" + ("s" if node.members else f" {short}"))]
        if node.target:
            lines.insert(1, ("plain", "to " + wording.shorten(wording.safe(node.target), 24)))
        if node.standing not in (None, "in use"):
            lines.append(("small", node.standing))
    else:
        lines = [("bold", wording.shorten(name, 26 - len(count)) + count)]
        if node.title:
            lines.append(("plain", wording.clip(wording.safe(node.title), 28)))
        lines += [("plain", wording.shorten(p, 28)) for p in parameters[: 3 if node.members else 2]]
        status = node.status if node.status not in (None, "succeeded") else ""
        if status:
            lines.append(("bold", wording.safe(status)))
        lines += [("plain", wording.shorten(m, 28)) for m in metrics_of(node, 3)]
        took = "" if node.duration is None else wording.duration(node.duration) + gap
        lines += [("small", f"{took}{short}")] if took or not node.members else []
        if adhoc := adhoc_of(node):
            lines.append(("adhoc", adhoc if " " in adhoc else f"{adhoc} code"))
    if not node.is_known:
        lines.append(("small", UNKNOWN))
    if named := [*node.tags, *(f"alias {each}" for each in node.aliases)]:
        lines.append(("tag", wording.shorten(wording.safe(", ".join(named)), 28)))
    return lines


def adhoc_of(node: Node) -> str:
    """Return whether its code was committed as it ran, or of how many members it was not."""
    if not node.is_adhoc:
        return ""
    count = sum(each.is_adhoc for each in node.members)
    return f"{count} of {len(node.members)} ad-hoc" if count < len(node.members) else "ad-hoc"


def details_of(node: Node, parameters: Sequence[str]) -> str:
    """Return what there is no room for in the node itself."""
    name = name_of(node)
    if node.members:
        ids = ", ".join(wording.short_id(each.id) for each in node.members)
        return ", ".join([f"{name} {count_of(node)}", *parameters, *metrics_of(node), ids])
    said = [name if name == node.kind else f"{node.kind} {name}", wording.safe(node.id)]
    said += [f"also {wording.safe(p)}" for p in node.paths if p != node.label]
    if node.status:
        said.append(wording.safe(node.status))
    if node.started_at is not None:
        said.append(wording.isoformat(node.started_at))
    if node.agent:
        said.append(f"by {wording.safe(node.agent)}")
    if node.commit:
        said.append(f"commit {wording.safe(node.commit)}" + " (ad-hoc)" * node.is_adhoc)
    return ", ".join([*said, *parameters, *metrics_of(node)])
