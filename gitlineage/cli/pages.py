"""All that is known of an execution or a deployment, as a page for people. Prints nothing."""

from __future__ import annotations

from gitlineage import wording
from gitlineage.cli.codes import code_rows
from gitlineage.cli.places import where
from gitlineage.cli.printing import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.cli.printing import Printer
    from gitlineage.index import Row
    from gitlineage.prices import Total
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.end import End, Usage
    from gitlineage.records.execution import Execution
    from gitlineage.records.parts import Cells, Packages


def page(
    execution: Execution,
    made_by: Mapping[str, str],
    printer: Printer,
    packages: Packages | None = None,
    reproduced_by: Sequence[Row] = (),
    differing: Sequence[tuple[str, str]] = (),
    deployed: Sequence[Row] = (),
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Return all that is known of an execution, for people.

    `made_by` tells of an input's digest which execution made it, in a few words; packages are
    listed where they are given, and counted where not; `differing` are the files of the code that
    are not as in the commit, `deployed` the deployments of what it made, and `names` says of an
    output's digest which tags and aliases it has.
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
        rows.append(("Inputs" if not number else "", artifact_line(used, made)))
    if launch:
        for number, (name, value) in enumerate(launch.parameters.items()):
            rows.append(
                (
                    "Parameters" if not number else "",
                    wording.safe(f"{name} = {wording.value(value)}"),
                )
            )
    for number, output in enumerate(execution.outputs):
        known_as = (names or {}).get(output.digest or "", "")
        line = artifact_line(output, None) + (f"  ({wording.safe(known_as)})" if known_as else "")
        rows.append(("Outputs" if not number else "", line))
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
        add("Created", f"{moment(launch.started_at)} by {launch.agent.name} <{launch.agent.email}>")
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
        about = f"{row.id[:8]} by {row.agent_name} on {moment(row.started_at)}"
        add("Reproduced" if not number else "", f"{row.verdict or row.status}: {about}")
    for number, row in enumerate(deployed):
        about = f"{deployment_title(row)} ({row.id[:8]}): {row.standing}"
        add("Deployed" if not number else "", about)
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


def deployment_title(row: Row) -> str:
    """Return name, version and target of a deployment."""
    words = [row.step or "?", *([row.version] if row.version else [])]
    return " ".join([*words, *(["to", row.target] if row.target else [])])


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


def artifact_line(artifact: Artifact, made: str | None) -> str:
    """Return an artifact in one line, safe to show; `made` says what made it."""
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
