"""All that is known of an execution or a deployment, as a page for people. Prints nothing."""

from __future__ import annotations

from gitlineage import wording
from gitlineage.cli.codes import code_rows
from gitlineage.cli.places import environment, executor, image
from gitlineage.cli.printing import STATUS_STYLES, moment
from gitlineage.cli.sheet import Sheet

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
    from gitlineage.records.redaction import Redaction
    from gitlineage.signatures import Signature

LONGEST_ALIGNED = 40
"""Columns of a file's name up to which what is said of files stands in one column."""


def page(
    execution: Execution,
    made_by: Mapping[str, str],
    printer: Printer,
    packages: Packages | None = None,
    reproduced_by: Sequence[Row] = (),
    differing: Sequence[tuple[str, str]] = (),
    deployed: Sequence[Row] = (),
    names: Mapping[str, str] | None = None,
    signature: Signature | None = None,
    committed: Sequence[str] = (),
    redaction: Redaction | None = None,
) -> list[str]:
    """Return all that is known of an execution, for people: its details, then what came of it.

    The order of the details is that of Valohai's; what is indented belongs to the line above.
    `made_by` tells of an input's digest which execution made it, in a few words; packages are
    listed where they are given, and counted where not; `differing` are the files of the code that
    are not as in the commit, `deployed` the deployments of what it made, and `names` says of an
    output's digest which tags and aliases it has; `committed` are the commits that ad-hoc code
    became later, and `redaction` says who has had the code forgotten.
    """
    sheet = Sheet(printer)
    sheet.head(f"execution {execution.id}")
    sheet.add("Status", _status(execution), style=STATUS_STYLES.get(execution.status, ""))
    sheet.gap()
    _details(execution, made_by, packages, differing, committed, redaction, signature, sheet)
    sheet.gap()
    _results(execution, reproduced_by, deployed, names or {}, sheet)
    if not sheet.lines[-1]:
        sheet.lines.pop()
    return sheet.lines


def _status(execution: Execution) -> str:
    end, said = execution.end, execution.status
    if end and end.exit_code:
        said += f", exit code {end.exit_code}" + (f" (signal {end.signal})" if end.signal else "")
    return said + (", found by a later command" if end and end.is_recovered else "")


def _details(
    execution: Execution,
    made_by: Mapping[str, str],
    packages: Packages | None,
    differing: Sequence[tuple[str, str]],
    committed: Sequence[str],
    redaction: Redaction | None,
    signature: Signature | None,
    sheet: Sheet,
) -> None:
    launch, end = execution.launch, execution.end
    if launch:
        sheet.add("Title", launch.title)
    sheet.rows(environment(execution, packages))
    sheet.rows(code_rows(execution, differing, committed, redaction))
    if launch:
        sheet.add("Step", launch.step)
        sheet.add("  defined in", launch.configuration)
        sheet.rows(image(launch))
        sheet.command("Command", *(launch.template or [wording.shell(launch.command)]))
        sheet.add("  directory", launch.directory)
        if launch.template:
            sheet.command("Interpolated", *launch.interpolated)
            sheet.command("  run as", wording.shell(launch.command))
    sheet.add("Inputs", *artifact_lines(execution.inputs, made_by, {}))
    if launch:
        sheet.add("Parameters", *_values(launch.parameters))
        who = launch.agent
        sheet.add("Created", f"{moment(launch.started_at)} by {who.name} <{who.email}>")
        sheet.add("  signed", signature and signature.line())
        sheet.add("  for", who.actor)
        if launch.queued_at is not None:
            waited = wording.duration(launch.started_at - launch.queued_at)
            sheet.add("  queued", f"{moment(launch.queued_at)}, {waited} before it started")
        sheet.add("  inside of", launch.parent)
        sheet.add("  reproduces", _reproduces(launch.reproduces, end))
    sheet.rows(executor(execution))
    if end and end.duration is not None:
        cpu = f", {wording.duration(end.cpu_time)} of CPU" if end.cpu_time is not None else ""
        peak = f", {wording.size(end.peak_memory)} at the peak" if end.peak_memory else ""
        sheet.add("Duration", wording.duration(end.duration) + cpu + peak)
    if end and end.usage:
        sheet.add("  used", _usage(end.usage))
    if end and (cost := end.cost):
        price = amount(cost.amount, cost.currency)
        sheet.add("Price", f"{price} ({cost.an_hour} an hour: {cost.source})")
    sheet.add("Tags", ", ".join(execution.tags))


def _results(
    execution: Execution,
    reproduced_by: Sequence[Row],
    deployed: Sequence[Row],
    names: Mapping[str, str],
    sheet: Sheet,
) -> None:
    end = execution.end
    if end and end.log and end.log.size:
        cut = f", {wording.size(end.log.cut)} of it not kept" if end.log.cut else ""
        size, seen = wording.size(end.log.size), f"git lineage output {execution.id[:8]}"
        sheet.add("Log", f"{size}{cut}: {seen}")
    points = [f"{end.points_count} points"] if end and end.points_count > 1 else []
    sheet.add("Metadata", *_values(execution.metadata), *points)
    sheet.add("Outputs", *artifact_lines(execution.outputs, {}, names))
    for number, row in enumerate(reproduced_by):
        about = f"{row.id[:8]} by {row.agent_name} on {moment(row.started_at)}"
        sheet.add("Reproduced" if not number else "", f"{row.verdict or row.status}: {about}")
    for number, row in enumerate(deployed):
        about = f"{deployment_title(row)} ({row.id[:8]}): {row.standing}"
        sheet.add("Deployed" if not number else "", about)
    if execution.ends_count > 1:
        sheet.add("Note", f"{execution.ends_count} records tell of its end; the surest is shown")
    for warning in end.warnings if end else ():
        sheet.add("Warning", warning, style="yellow")


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


def cells_text(cells: Cells) -> str:
    """Return cells as one script, each under a line that editors know as the start of a cell."""
    return "\n".join(f"# %% In[{each.number}]\n{each.source.rstrip()}\n" for each in cells.cells)


def _values(values: Mapping[str, object]) -> list[str]:
    return [f"{name} = {wording.value(value, wording.exact)}" for name, value in values.items()]


def artifact_lines(
    artifacts: Sequence[Artifact], made_by: Mapping[str, str], names: Mapping[str, str]
) -> list[str]:
    """Return a line for each; what is said of them stands in a column, where paths are short.

    By digest, `made_by` says what made it and `names` how it is known beside.
    """
    paths = [wording.safe(f"{e.role}={e.path}" if e.role else e.path) for e in artifacts]
    widths = [wording.width(each) for each in paths]
    column = max((each for each in widths if each <= LONGEST_ALIGNED), default=0)
    lines = []
    for artifact, path, width in zip(artifacts, paths, widths, strict=True):
        about = [wording.size(artifact.size)] if artifact.size is not None else []
        about += [artifact.digest[:15]] if artifact.digest else _other_digest(artifact)
        about += [f"kept by {artifact.kept_by}"] if artifact.kept_by else []
        if remote := artifact.remote:
            about += [f"version {remote.version}"] if remote.version else []
        about.append(artifact.how)
        if artifact.change:
            source = artifact.renamed_from
            about.append(f"{artifact.change} from {source}" if source else artifact.change)
        line = path + " " * max(column - width, 0) + "  " + ", ".join(about)
        if made := made_by.get(artifact.digest or ""):
            line += f"  from {made}"
        if known_as := names.get(artifact.digest or ""):
            line += f"  ({known_as})"
        lines.append(wording.safe(line))
    return lines


def _other_digest(artifact: Artifact) -> list[str]:
    return [f"{name}:{content.hex()[:8]}" for name, content in artifact.digests.items()][:1]
