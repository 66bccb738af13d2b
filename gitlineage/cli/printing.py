"""Results as people and programs read them: pager, color, JSON, the page of an execution."""

from __future__ import annotations

import os
import sys

from gitlineage import wording
from gitlineage.cli.codes import code_rows
from gitlineage.cli.places import where

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.index import Row
    from gitlineage.prices import Total
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.deployment import Deployment
    from gitlineage.records.end import End, Environment, Usage
    from gitlineage.records.execution import Execution
    from gitlineage.records.parts import Cells, Packages
    from gitlineage.series import Series

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

STATUS_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
}


class Printer:
    """Standard output, through a pager and in color where it is a terminal, as git does it."""

    def __init__(self, config: Mapping[str, str], verb: str = "") -> None:
        self._is_terminal = sys.stdout.isatty()
        self._config = config
        self._verb = verb
        self.is_colored = self._wants_color()
        self.width = _width() if self._is_terminal else None

    def show(self, lines: Iterable[str]) -> None:
        """Print lines; through the pager where there is a terminal, stopping when it ends."""
        pager = self._pager()
        if pager is None:
            for line in lines:
                sys.stdout.write(line + "\n")
            return
        import subprocess

        # The settings with which git starts its pager.
        variables = {"LESS": "FRX", "LV": "-c", **os.environ}
        # Through a shell, as git does: the setting may be a command with options.
        process = subprocess.Popen(  # noqa: S602
            pager, shell=True, stdin=subprocess.PIPE, env=variables
        )
        assert process.stdin is not None
        try:
            for line in lines:
                process.stdin.write((line + "\n").encode(errors="replace"))
        except BrokenPipeError:
            pass  # quit before the end
        finally:
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
            process.wait()

    def paint(self, text: str, style: str) -> str:
        """Return text in a style, where there is color."""
        if not self.is_colored or not style:
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"

    def status(self, status: str) -> str:
        """Return a status in its color."""
        return self.paint(status, STATUS_STYLES.get(status, ""))

    def _wants_color(self) -> bool:
        wanted = self._config.get("color.lineage", self._config.get("color.ui", "auto")).lower()
        if wanted == "always":
            return True
        if wanted in ("never", "false", "no", "off") or "NO_COLOR" in os.environ:
            return False
        return self._is_terminal and os.environ.get("TERM", "dumb") != "dumb"

    def _pager(self) -> str | None:
        if not self._is_terminal or self._config.get("pager.lineage", "true") == "false":
            return None
        pager = (
            os.environ.get("GIT_PAGER")
            or self._config.get("core.pager")
            or os.environ.get("PAGER")
            or "less"
        )
        return None if pager in ("", "cat") else pager


def json_line(value: object) -> str:
    """Return a value as one line of JSON; what JSON lacks is text."""
    import json

    return json.dumps(wording.plain(value), ensure_ascii=False, allow_nan=False)


def log_line(row: Row, tags: Iterable[str], printer: Printer) -> str:
    """Return an execution as one line of `log`."""
    took = wording.duration(row.duration) if row.duration is not None else ""
    status = row.status or "?"
    words = [
        printer.paint(row.id[:8], "yellow"),
        f"{_moment(row.started_at):16}",
        printer.status(status) + " " * (11 - len(status)),
        f"{took:>9}",
        printer.paint(wording.safe(row.step or "?"), "bold"),
    ]
    if row.title:
        words.append(f"'{wording.safe(row.title)}'")
    if tagged := ", ".join(map(wording.safe, tags)):
        words.append(printer.paint(f"({tagged})", "cyan"))
    values = [*_numbers(row.metadata), *_settings(row.parameters)]
    return " ".join([*words, *values])


def log_entry(row: Row, tags: Iterable[str], printer: Printer) -> list[str]:
    """Return an execution as the lines that `log` prints, in the manner of git's."""
    head = printer.paint(f"execution {row.id}", "yellow")
    if tagged := ", ".join(map(wording.safe, tags)):
        head += printer.paint(f" ({tagged})", "cyan")
    code = (row.code_commit or row.code_tree or "")[:12] + (" (ad-hoc)" if row.is_adhoc else "")
    took = f" in {wording.duration(row.duration)}" if row.duration is not None else ""
    lines = [
        head,
        f"Agent:   {wording.safe(row.agent_name or '?')} <{wording.safe(row.agent_email or '')}>",
        f"Date:    {_moment(row.started_at)} on {wording.safe(row.host or '?')}",
        f"Status:  {printer.status(row.status or '?')}{took}",
    ]
    if code:
        lines.append(f"Code:    {code}")
    lines += [
        "",
        "    " + printer.paint(wording.safe(row.title or row.step or "?"), "bold"),
        "    $ " + wording.safe(row.command or ""),
    ]
    values = "  ".join([*_numbers(row.metadata), *_settings(row.parameters)])
    if values:
        lines.append("    " + values)
    return [*lines, ""]


def page(
    execution: Execution,
    made_by: Mapping[str, str],
    printer: Printer,
    packages: Packages | None = None,
    reproduced_by: Sequence[Row] = (),
    differing: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """Return all that is known of an execution, for people.

    `made_by` tells of an input's digest which execution made it, in a few words; packages are
    listed where they are given, and counted where not; `differing` are the files of the code that
    are not as in the commit.
    """
    launch, end = execution.launch, execution.end
    rows: list[tuple[str, str]] = []

    def add(name: str, value: object) -> None:
        if value not in (None, "", ()):
            rows.append((name, wording.safe(str(value))))

    lines = [printer.paint(f"execution {execution.id}", "yellow")]
    status = printer.status(execution.status)
    if end and end.exit_code:
        status += f", exit code {end.exit_code}" + (f" (signal {end.signal})" if end.signal else "")
    if end and end.is_recovered:
        status += ", found by a later command"
    rows.append(("Status", status))
    if launch:
        add("Title", launch.title)
        rows += where(execution, packages)
        rows += code_rows(launch.code, differing)
        add("Notebook", _notebook(execution))
        add("Step", launch.step)
        if image := launch.image:
            known = (image.digest or (image.id or "")[:19], image.platform, image.engine)
            add("Image", f"{image.name} ({', '.join(filter(None, known))})")
        if launch.declared_image:
            name = "Image" if image is None else ""
            add(name, f"{launch.declared_image} (declared, not used)")
        for name, items in (("Command", launch.template), ("Interpolated", launch.interpolated)):
            for number, line in enumerate(line for item in items for line in item.splitlines()):
                rows.append((name if not number else "", wording.safe(line)))
        add("Started" if launch.template else "Command", wording.shell(launch.command))
        add("Configuration", launch.configuration)
        add("Directory", launch.directory)
    for number, used in enumerate(execution.inputs):
        made = made_by.get(used.digest or "")
        rows.append(("Inputs" if not number else "", _artifact(used, made)))
    if launch:
        for number, (name, value) in enumerate(launch.parameters.items()):
            rows.append(
                (
                    "Parameters" if not number else "",
                    wording.safe(f"{name} = {wording.value(value)}"),
                )
            )
    for number, output in enumerate(execution.outputs):
        rows.append(("Outputs" if not number else "", _artifact(output, None)))
    if launch:
        add("Variables", wording.shell([f"{n}={value}" for n, value in launch.variables.items()]))
        add("  others", ", ".join(launch.variable_names))
    for number, (name, value) in enumerate(execution.metadata.items()):
        rows.append(
            ("Metadata" if not number else "", wording.safe(f"{name} = {wording.value(value)}"))
        )
    if end and end.points_count > 1:
        rows.append(("", f"{end.points_count} points"))
    if launch:
        add(
            "Created", f"{_moment(launch.started_at)} by {launch.agent.name} <{launch.agent.email}>"
        )
        add("For", launch.agent.actor)
        add("Inside of", launch.parent)
        add("Reproduces", _reproduces(launch.reproduces, end))
    if end and end.duration is not None:
        cpu = f", {wording.duration(end.cpu_time)} of CPU" if end.cpu_time is not None else ""
        peak = f", {wording.size(end.peak_memory)} at the peak" if end.peak_memory else ""
        add("Duration", wording.duration(end.duration) + cpu + peak)
    if end and end.usage:
        add("Used", _usage(end.usage))
    if end and (cost := end.cost):
        add("Cost", f"{amount(cost.amount, cost.currency)} ({cost.an_hour} an hour: {cost.source})")
    if end and end.log and end.log.size:
        cut = f", {wording.size(end.log.cut)} of it not kept" if end.log.cut else ""
        add("Printed", f"{wording.size(end.log.size)}{cut}: git lineage output {execution.id[:8]}")
    for number, row in enumerate(reproduced_by):
        about = f"{row.id[:8]} by {row.agent_name} on {_moment(row.started_at)}"
        add("Reproduced" if not number else "", f"{row.verdict or row.status}: {about}")
    add("Tags", ", ".join(execution.tags))
    if execution.ends_count > 1:
        add("Note", f"{execution.ends_count} records tell of its end; the surest is shown")
    for warning in end.warnings if end else ():
        rows.append(("Warning", printer.paint(wording.safe(warning), "yellow")))
    width = max(len(name) for name, _ in rows) + 2
    return lines + [f"{name + ':' if name.strip() else '':{width}}{value}" for name, value in rows]


def amount(text: str, currency: str) -> str:
    """Return an amount of money for people: no more zeros than cents have."""
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')} {currency}"


def total_line(total: Total) -> str:
    """Return what executions cost together, in one line."""
    sums = " + ".join(amount(*each) for each in total.amounts) or "nothing"
    count = total.executions_count
    line = f"cost: {sums} for {count} execution{'s' * (count != 1)}"
    return line + (f", {total.unpriced_count} without a price" if total.unpriced_count else "")


def deployment_page(deployment: Deployment, identity: str, printer: Printer) -> list[str]:
    """Return all that is known of a deployment, for people."""
    who = deployment.agent
    rows = [
        ("Name", deployment.name),
        ("Version", deployment.version),
        ("Target", deployment.target),
        ("Deployed", f"{_moment(deployment.deployed_at)} by {who.name} <{who.email}>"),
    ]
    lines = [printer.paint(f"deployment {identity}", "yellow")]
    lines += [f"{name + ':':11}{wording.safe(value)}" for name, value in rows if value]
    return lines + [
        f"{'Files:' if not n else '':11}{_artifact(each, None)}"
        for n, each in enumerate(deployment.artifacts)
    ]


def execution_map(
    execution: Execution,
    packages: Packages | None = None,
    reproduced_by: Sequence[Row] | None = None,
    samples: Series | None = None,
) -> dict[str, Any]:
    """Return an execution as `--json` prints it: promised names, flat at the top."""
    launch, end = execution.launch, execution.end
    code, agent = (launch.code, launch.agent) if launch else (None, None)
    place, machine = execution.place, end.environment if end else None
    found: dict[str, Any] = {
        "id": execution.id,
        "kind": "execution",
        "step": launch.step if launch else None,
        "title": launch.title if launch else None,
        "status": execution.status,
        "exit_code": end.exit_code if end else None,
        "signal": end.signal if end else None,
        "command": list(launch.command) if launch else [],
        "template": list(launch.template) if launch else [],
        "interpolated": list(launch.interpolated) if launch else [],
        "configuration": launch.configuration if launch else None,
        "declared_image": launch.declared_image if launch else None,
        "directory": launch.directory if launch else None,
        "started_at": wording.isoformat(launch.started_at) if launch else None,
        "finished_at": wording.isoformat(end.finished_at) if end and end.finished_at else None,
        "duration_seconds": _seconds(end.duration if end else None),
        "cpu_seconds": _seconds(end.cpu_time if end else None),
        "peak_memory_bytes": end.peak_memory if end else None,
        "usage": _usage_map(end.usage, samples) if end and end.usage else None,
        "code": _fields(code) if code else None,
        "agent": _fields(agent) if agent else None,
        "environment": _environment_map(machine, packages) if machine else None,
        "place": _fields(place) if place else None,
        "image": _fields(launch.image) if launch and launch.image else None,
        "inputs": [artifact_map(each) for each in execution.inputs],
        "outputs": [artifact_map(each) for each in execution.outputs],
        "parameters": dict(launch.parameters) if launch else {},
        "variables": dict(launch.variables) if launch else {},
        "variable_names": list(launch.variable_names) if launch else [],
        "masked": [_fields(each) for half in (launch, end) if half for each in half.masked],
        "metadata": dict(execution.metadata),
        "points_count": end.points_count if end else 0,
        "tags": list(execution.tags),
        "cost": _fields(end.cost) if end and end.cost else None,
        "parent": launch.parent if launch else None,
        "root": launch.root if launch else None,
        "reproduces": launch.reproduces if launch else None,
        "comparison": _fields(end.comparison) if end and end.comparison else None,
        "warnings": list(end.warnings) if end else [],
        "commit": execution.commit,
    }
    if reproduced_by is not None:
        found["reproduced_by"] = [{"id": e.id, "verdict": e.verdict} for e in reproduced_by]
    for half in (launch, end):
        for name, value in (half.extra if half else {}).items():
            found.setdefault(name, value)  # of a later version
    return found


def _usage(used: Usage) -> str:
    said = [
        f"{used.cpu_mean} % CPU (peak {used.cpu_peak} %)",
        f"{wording.size(used.memory_mean)} memory (peak {wording.size(used.memory_peak)})",
    ]
    if used.gpu_peak is not None:
        said.append(f"GPU at {used.gpu_peak} % at the peak")
    if used.gpu_memory_peak is not None:
        said.append(f"{wording.size(used.gpu_memory_peak)} GPU memory at the peak")
    return ", ".join(said)


def _reproduces(first: str | None, end: End | None) -> str | None:
    """Return how a reproduction came out, in a line."""
    found = end.comparison if end else None
    if first is None or found is None:
        return first and first[:8]
    odd = [f"{each.path} {each.verdict}" for each in found.outputs if each.verdict != "identical"]
    odd += [f"{name} differs" for name in found.metadata]
    about = ", ".join([*([found.reason] if found.reason else []), *odd[:5]])
    more = f", and {len(odd) - 5} more" if len(odd) > 5 else ""
    return f"{first[:8]}: {found.verdict}" + (f" ({about}{more})" if about else "")


def _notebook(execution: Execution) -> str:
    notebook = execution.launch.code.notebook if execution.launch else None
    if notebook is None:
        return ""
    path = notebook.path or "a notebook"
    if notebook.cell is None:
        return path
    before = f"{notebook.before_count} cell{'s' * (notebook.before_count != 1)} before it"
    seen = f"git lineage code {execution.id[:8]} --cells"
    return f"cell In[{notebook.cell}] of {path}, {before}: {seen}"


def cells_text(cells: Cells) -> str:
    """Return cells as one script, each under a line that editors know as the start of a cell."""
    return "\n".join(f"# %% In[{each.number}]\n{each.source.rstrip()}\n" for each in cells.cells)


def _artifact(artifact: Artifact, made: str | None) -> str:
    words = [artifact.path]
    if artifact.role:
        words[0] = f"{artifact.role}={artifact.path}"
    about = [wording.size(artifact.size)] if artifact.size is not None else []
    if artifact.digest:
        about.append(artifact.digest[:15])
    about.append(artifact.how)
    if artifact.change:
        about.append(artifact.change)
    words.append("  " + ", ".join(about))
    if made:
        words.append(f"  from {made}")
    return wording.safe("".join(words))


def artifact_map(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact as `--json` prints it."""
    found = _fields(artifact)
    found.pop("digests")
    found["digest"] = artifact.digest
    found["digests"] = {name: value.hex() for name, value in artifact.digests.items()}
    if artifact.previous:
        found["previous"] = "blake3:" + artifact.previous.hex()
    return {name: value for name, value in found.items() if value is not None}


def _environment_map(environment: Environment, packages: Packages | None) -> dict[str, Any]:
    found = _fields(environment)
    found["lock_files"] = {
        name: "blake3:" + content.hex() for name, content in environment.lock_files.items()
    }
    if environment.packages is not None:
        found["packages_digest"] = "blake3:" + environment.packages.hex()
    found["packages"] = None
    if packages:
        kinds = {"python": packages.python, "conda": packages.conda}
        found["packages"] = {kind: [_fields(e) for e in held] for kind, held in kinds.items()}
    return found


def _usage_map(used: Usage, samples: Series | None) -> dict[str, Any]:
    found = {
        "samples_count": used.samples_count,
        "interval_seconds": _seconds(used.interval),
        "cpu_mean_percent": used.cpu_mean,
        "cpu_peak_percent": used.cpu_peak,
        "memory_mean_bytes": used.memory_mean,
        "memory_peak_bytes": used.memory_peak,
        "gpu_peak_percent": used.gpu_peak,
        "gpu_memory_peak_bytes": used.gpu_memory_peak,
    }
    if samples is not None:
        listed = ({"_time": wording.isoformat(at), **each} for at, each in samples.points())
        return {**found, "samples": list(listed)}
    return found


def _fields(record: Any) -> dict[str, Any]:
    from gitlineage.records import Record

    found = {}
    for name in record._fields:
        value = getattr(record, name)
        if isinstance(value, tuple):
            value = [_fields(e) if isinstance(e, Record) else e for e in value]
        elif isinstance(value, Record):
            value = _fields(value)
        found[name] = dict(value) if isinstance(value, dict) else value
    return found


def _numbers(values: Mapping[str, Any]) -> list[str]:
    numbers = [
        (name, value)
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return [wording.safe(f"{name}={wording.number(value)}") for name, value in numbers[:4]]


def _settings(values: Mapping[str, Any]) -> list[str]:
    return [wording.safe(f"{name}={value}") for name, value in list(values.items())[:4]]


def _moment(at: int | None) -> str:
    return wording.moment(at) if at is not None else "?"


def _seconds(microseconds: int | None) -> float | None:
    return microseconds / 1_000_000 if microseconds is not None else None


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
