"""What is said of a node, in every form for people. Knows traces; knows no form."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.trace import Edge, Node, Trace

LIMITED = "there is more beyond this depth"

UNKNOWN = "no record here"


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
            for name, value in node.parameters.items():
                seen.setdefault(name, set()).add(wording.value(value))
        for node in nodes:
            telling = {k: v for k, v in node.parameters.items() if len(seen[k]) > 1}
            rest = {k: v for k, v in node.parameters.items() if k not in telling}
            found[node.id] = (wording.pairs(telling), wording.pairs(rest))
    return found


def metrics_of(node: Node, count: int | None = None) -> list[str]:
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
    is_other = artifact is not None and edge.path not in ("", artifact.label)
    return wording.safe(edge.path) if is_other else ""


def others(edge: Edge) -> str:
    """Return how many other executions made the same bytes."""
    return f"+{edge.others_count} other{'s' * (edge.others_count != 1)}"


def lines_of(node: Node, parameters: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines of a node, each with its style: `bold`, `plain`, `small`, `adhoc`, `tag`."""
    name, short = name_of(node), wording.short_id(node.id).rpartition(":")[2]
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
        if node.standing not in (None, "in use"):
            lines.append(("small", node.standing))
    else:
        lines = [("bold", wording.shorten(name, 26))]
        if node.title:
            lines.append(("plain", wording.clip(wording.safe(node.title), 28)))
        lines += [("plain", wording.shorten(p, 28)) for p in parameters[:2]]
        status = node.status if node.status not in (None, "succeeded") else ""
        if status:
            lines.append(("bold", wording.safe(status)))
        lines += [("plain", wording.shorten(m, 28)) for m in metrics_of(node, 3)]
        took = "" if node.duration is None else wording.duration(node.duration) + "  "
        lines.append(("small", f"{took}{short}"))
        if node.is_adhoc:
            lines.append(("adhoc", "ad-hoc code"))
    if not node.is_known:
        lines.append(("small", UNKNOWN))
    if named := [*node.tags, *(f"alias {each}" for each in node.aliases)]:
        lines.append(("tag", wording.shorten(wording.safe(", ".join(named)), 28)))
    return lines


def details_of(node: Node, parameters: Sequence[str]) -> str:
    """Return what there is no room for in the node itself."""
    name = name_of(node)
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
