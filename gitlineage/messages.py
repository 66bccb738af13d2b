"""What git shows of a record: its commit's message, and its line in a note. Knows no store."""

from __future__ import annotations

import time

from gitlineage import wording
from gitlineage.ledger import trailer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gitlineage.records.alias import Alias
    from gitlineage.records.deployment import Deployment
    from gitlineage.records.end import End
    from gitlineage.records.launch import Launch
    from gitlineage.records.redaction import Redaction


FORGETS = "Lineage-Forgets: "
"""Begins the line of a commit's message that names the month of a redaction."""


def message_of(launch: Launch, end: End, execution: str) -> str:
    """Return the commit's message: a line for people, the command, trailers for `git log`."""
    lines = [f"{launch.step}: {outcome_of(end)}", "", wording.shell(launch.command), ""]
    for each in end.outputs[:10]:
        verb = "deletes" if each.change == "deleted" else "makes"
        lines.append(f"{verb} {each.path}")
    if end.outputs:
        if len(end.outputs) > 10:
            lines.append(f"and {len(end.outputs) - 10} more")
        lines.append("")
    lines += [trailer(execution), f"Lineage-Step: {launch.step}", f"Lineage-Status: {end.status}"]
    if launch.reproduces:
        verdict = end.comparison.verdict if end.comparison else "unknown"
        lines.append(f"Lineage-Reproduces: {launch.reproduces} ({verdict})")
    if launch.code.commit:
        ad_hoc = " (ad-hoc)" if launch.code.is_adhoc else ""
        lines.append(f"Lineage-Code: {launch.code.commit}{ad_hoc}")
    if not "".join(lines).isprintable():
        lines = list(map(_line, lines))
    return "\n".join(lines) + "\n"


def deployment_message(deployment: Deployment) -> str:
    """Return the message of a deployment's commit."""
    version = f" {deployment.version}" if deployment.version else ""
    where = f" to {deployment.target}" if deployment.target else ""
    paths = [each.path for each in deployment.artifacts]
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    said = f"deployment {deployment.name}{version}{where}: {', '.join(paths[:10])}{more}"
    return _line(said) + "\n"


def retirement_message(name: str, version: str | None, deployment: str, why: str) -> str:
    """Return the message of the commit that says a deployment has ended."""
    said = f"retirement of {name}{f' {version}' if version else ''} ({deployment[:8]})"
    return _line(f"{said}: {why}" if why else said) + "\n"


def redaction_message(redaction: Redaction) -> str:
    """Return the message of the commit that says what was forgotten."""
    count = redaction.records_count
    said = f"redaction of {redaction.month}: {count} record{'s' * (count != 1)} forgotten"
    said = _line(f"{said}: {redaction.message}")
    return f"{said}\n\n{FORGETS}{redaction.month}\n"


def alias_message(alias: Alias) -> str:
    """Return the message of the commit that moves an alias."""
    found = alias.artifact
    said = f"alias {alias.name}: "
    said += "deleted" if found is None else f"{found.path} ({(found.digest or '')[:15]})"
    return _line(f"{said}, {alias.message}" if alias.message else said) + "\n"


def outcome_of(end: End) -> str:
    """Return the few words that say how an execution ended."""
    words = end.status
    if end.duration is not None:
        words += f" in {wording.duration(end.duration)}"
    if end.status == "failed" and end.exit_code is not None:
        words += f", exit code {end.exit_code}"
    numbers = [
        (name, value)
        for name, value in end.metadata.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return words + "".join(f", {name} {wording.number(value)}" for name, value in numbers[:3])


def summary(launch: Launch, end: End, execution: str) -> str:
    """Return an execution as one line of a note."""
    day = time.strftime("%Y-%m-%d", time.gmtime(launch.started_at / 1e6))
    ad_hoc = ", ad-hoc" if launch.code.is_adhoc else ""
    return _line(f"{execution[:8]} {launch.step}: {outcome_of(end)}{ad_hoc} ({day})")


def _line(text: str) -> str:
    """Return text as one line that a terminal can show."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text)


def metadata_message(subject: str, path: str | None, values: Mapping[str, Any]) -> str:
    """Return the message of a commit that adds metadata later."""
    said = ", ".join(f"{name} {wording.value(value)}" for name, value in list(values.items())[:8])
    about = path or f"execution {subject[:8]}"
    return _line(f"metadata of {about}: {said}") + "\n"
