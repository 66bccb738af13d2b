"""In what two executions differ, as text and as JSON. Prints nothing itself."""

from __future__ import annotations

from gitlineage import wording
from gitlineage.cli.maps import artifact_map
from gitlineage.comparison import SECTIONS
from gitlineage.records.artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gitlineage.cli.printing import Printer
    from gitlineage.comparison import Change, Comparison
    from gitlineage.records.execution import Execution

NAMED_AT_MOST = 3
"""Names of one section on the first line."""

FILES_AT_MOST = 20
"""Files of one directory that are shown."""

_ONE = {
    "parameters": "parameter",
    "inputs": "input",
    "packages": "package",
    "outputs": "output",
}

_MARKS = {"added": "+", "removed": "-", "changed": "M"}
_STYLES = {"+": "green", "-": "red", "M": ""}


def comparison_page(found: Comparison, printer: Printer) -> list[str]:
    """Return what differs, for people: in short first, then section by section, without code."""
    lines = [
        printer.paint(line, "bold")
        for text in _summary(found)
        for line in (wording.wrap(text, printer.width) if printer.width else [text])
    ]
    heads = (("---", found.before), ("+++", found.after))
    lines += ["", *(printer.paint(f"{mark} {_head(each)}", "bold") for mark, each in heads)]
    for section in SECTIONS:
        changes = found.of(section)
        if section == "code" and changes:
            lines += ["", *_code(found)]
        elif changes:
            lines += ["", f"{section.capitalize()}:"]
            width = max(wording.width(wording.safe(each.name)) for each in changes)
            for each in changes:
                lines += _change(each, min(width, 32), printer)
    return lines


def patch_lines(patch: bytes, printer: Printer) -> list[str]:
    """Return what git says of code, safe for a terminal and in git's own colors there."""
    if not patch:
        return []
    text = patch.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    if printer.width is None and not printer.is_colored:
        return ["", *text]
    # Of --stat no line is colored; in a patch's head `---` and `+++` are no lines of a file.
    lines, is_patch, is_head = [""], text[0].startswith("diff "), True
    for line in text:
        is_head = line.startswith("diff ") or (is_head and not line.startswith("@@"))
        style = "bold" if is_head else {"@": "cyan", "-": "red", "+": "green"}.get(line[:1], "")
        shown = "\t".join(map(wording.safe, line.removesuffix("\r").split("\t")))
        lines.append(printer.paint(shown, style if is_patch else ""))
    return lines


def comparison_map(found: Comparison) -> dict[str, Any]:
    """Return what differs as `--json` prints it."""
    sections = {each.section for each in found.changes}
    return {
        "before": found.before.id,
        "after": found.after.id,
        "differs": [each for each in SECTIONS if each in sections],
        "equal": list(found.equal),
        **{section: [_map(each) for each in found.of(section)] for section in SECTIONS},
    }


def _summary(found: Comparison) -> Iterator[str]:
    told = [_short(section, found.of(section)) for section in SECTIONS if found.of(section)]
    nothing = "nothing differs"
    if found.before.id == found.after.id:
        nothing += f": both are {found.after.id[:8]}"
    yield f"differs: {', '.join(told)}" if told else nothing
    if found.equal:
        yield f"equal: {', '.join(found.equal)}"


def _short(section: str, changes: tuple[Change, ...]) -> str:
    """Return what differs in a section, in a few words: `parameters rate, depth`."""
    count = len(changes)
    if section == "code":
        return "code" if not changes[0].name else f"code ({count} file{'s' * (count != 1)})"
    if section in ("status", "command", "image"):
        return section
    names = [wording.shorten(wording.safe(each.name), 40) for each in changes[:NAMED_AT_MOST]]
    if count > len(names):
        names.append(f"{count - len(names)} more")
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{_ONE.get(section, section) if count == 1 else section} {listed}"


def _head(execution: Execution) -> str:
    launch = execution.launch
    step, when = (launch.step, wording.moment(launch.started_at)) if launch else ("?", "?")
    title = f" '{launch.title}'" if launch and launch.title else ""
    return wording.safe(f"{execution.id[:8]} {step}{title}  {execution.status}  {when}")


def _code(found: Comparison) -> Iterator[str]:
    changes = found.of("code")
    one, other = (_commit(each) for each in (found.before, found.after))
    yield f"Code: {one} -> {other}" if one != other else f"Code: {one}"
    if not changes[0].name:
        yield "  which files differ is not known: the code of one of them is not to be had"
    for each in changes[:FILES_AT_MOST]:
        if each.name:
            letter = {"added": "A", "removed": "D"}.get(each.change, "M")
            yield f"  {letter} {wording.safe(each.name)}"
    if len(changes) > FILES_AT_MOST:
        yield f"  and {len(changes) - FILES_AT_MOST} more"


def _commit(execution: Execution) -> str:
    code = execution.launch.code if execution.launch else None
    if code is None:
        return "?"
    adhoc = " (ad-hoc)" if code.is_adhoc else ""
    where = f" on {wording.safe(code.branch)}" if code.branch else ""
    return (code.commit[:12] if code.commit else "no commit yet") + where + adhoc


def _change(change: Change, width: int, printer: Printer) -> Iterator[str]:
    name = wording.safe(change.name)
    padded = name + " " * (width - wording.width(name))
    before, after = _value(change.before), _value(change.after)
    mark = _MARKS[change.change]
    if change.change != "changed":
        told = after if change.change == "added" else before
        yield printer.paint(f"  {mark} {padded}  {told}", _STYLES[mark])
    elif wording.width(padded + before + after) + 12 < (printer.width or 80):
        ends = f"{printer.paint(before, 'red')} -> {printer.paint(after, 'green')}"
        yield f"    {padded}  {ends}{_delta(change.before, change.after)}"
    else:
        yield f"    {name}"
        yield printer.paint(f"    - {before}", "red")
        yield printer.paint(f"    + {after}", "green")
    for each in change.files[:FILES_AT_MOST]:
        mark = _MARKS[each.change]
        yield printer.paint(f"      {mark} {wording.safe(each.name)}", _STYLES[mark])
    if len(change.files) > FILES_AT_MOST:
        yield f"      and {len(change.files) - FILES_AT_MOST} more"


def _value(content: Any) -> str:
    if isinstance(content, Artifact):
        size = f", {wording.size(content.size)}" if content.size is not None else ""
        known = content.digest[:15] if content.digest else content.type
        return wording.safe("deleted" if content.change == "deleted" else known) + size
    if isinstance(content, bytes):
        return content.hex()[:12]
    if isinstance(content, tuple):
        return wording.safe(wording.shell(map(str, content)))
    return wording.value(content, wording.exact)


def _delta(before: Any, after: Any) -> str:
    if not all(isinstance(e, (int, float)) and not isinstance(e, bool) for e in (before, after)):
        return ""
    try:
        delta = after - before
    except OverflowError:
        return ""
    return f" ({'+' if delta > 0 else ''}{wording.number(delta)})" if delta == delta else ""


def _map(change: Change) -> dict[str, Any]:
    if change.section == "code":
        return {"path": change.name, "change": change.change} if change.name else {}
    ends = {"before": _plain(change.before), "after": _plain(change.after)}
    name = "path" if change.section in ("inputs", "outputs") else "name"
    found: dict[str, Any] = {name: change.name, "change": change.change, **ends}
    if change.files:
        found["files"] = [
            {"path": e.name, "change": e.change, "before": e.before, "after": e.after}
            for e in change.files
        ]
    return found


def _plain(content: Any) -> Any:
    if isinstance(content, Artifact):
        return artifact_map(content)
    return content.hex() if isinstance(content, bytes) else content
