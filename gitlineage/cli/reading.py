"""Verbs that look: `log`, `show`, `output`, `code`. None of them changes a file."""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage.cli import tabling
from gitlineage.cli.group import Limited, WithPaths
from gitlineage.cli.maps import execution_map, json_line, signature_map
from gitlineage.cli.pages import cells_text, page, total_line
from gitlineage.cli.printing import Printer, log_entry, log_line, running_line
from gitlineage.errors import QueryTooLong, Refused, UnknownId
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.lineage import Lineage
    from gitlineage.records.execution import Execution
    from gitlineage.series import Series
    from gitlineage.where import Comparison, Junction

STATUSES = ("succeeded", "failed", "stopped", "interrupted")

HEIGHT = 8
"""Lines of a chart of what was used."""

USED = (
    ("cpu", "CPU, percent of one core", 1),
    ("memory", "memory, MiB", 1 << 20),
    ("gpu", "GPU, percent of one", 1),
    ("gpu_memory", "GPU memory, MiB", 1 << 20),
)
"""What is drawn of it, each with its unit."""

SILENT = {
    "step": "is of step", "tag": "has tag", "status": "is", "author": "is by",
    "uses": "used", "produces": "made",
}  # fmt: skip
"""What is said of a filter that nothing at all fits, where somebody may have mistyped it."""

PAGE = 500
"""Executions of which tags are looked up together."""

LONGEST_LOOK = 5.0
"""Seconds at most to find out whether anything has a name that found nothing."""


def printer_for(lineage: Lineage) -> Printer:
    """Return the printer that the user's configuration asks for."""
    is_terminal = sys.stdout.isatty()
    return Printer(lineage.repository.config() if is_terminal else {})


@click.command(cls=Limited, short_help="List executions, newest first")
@click.option(
    "-n",
    "--max-count",
    "limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show at most N executions.",
)
@click.option("--step", metavar="NAME", help="Only this step.")
@click.option("-t", "--tag", metavar="TAG", help="Only executions with this tag.")
@click.option("--status", type=click.Choice(STATUSES), help="Only executions that ended so.")
@click.option("--author", metavar="TEXT", help="Only by agents whose name or address has TEXT.")
@click.option("--since", "--after", metavar="DATE", help="Only started then or later.")
@click.option("--until", "--before", metavar="DATE", help="Only started then or earlier.")
@click.option("--commit", metavar="REV", help="Only with the code of this commit, or its tree.")
@click.option(
    "--uses", metavar="FILE", help="Only those that used this path or digest, also in a folder."
)
@click.option("--produces", metavar="FILE", help="Only those that made it, also in a folder.")
@click.option("--where", metavar="CONDITION", help="Only those; `accuracy > 0.9 and tag = 'a'`.")
@click.option("--cost", "with_cost", is_flag=True, help="Say what they cost together, too.")
@click.option("--oneline", is_flag=True, help="One line for each.")
@click.option("--show-signature", "with_signature", is_flag=True, help="Say who signed what.")
@tabling.form_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def log(
    limit: int | None,
    since: str | None,
    until: str | None,
    commit: str | None,
    where: str | None,
    oneline: bool,
    form: str | None,
    as_json: bool,
    with_cost: bool,
    with_signature: bool,
    **filters: str | None,
) -> None:
    """List executions, newest first.

    DATE is anything that git reads, `yesterday` or `2.weeks.ago`; a day (`2026-11-23`), a month
    (`2026-11`) or a year means all of it.

    --format csv and parquet have a column for each parameter and each key of the metadata; json,
    one object a line, has all that is known of each execution.
    """
    from gitlineage.index import Filters

    condition = None
    if where is not None:
        from gitlineage.where import parse  # 50 ms: the parser

        condition = parse(where)
    with api.open() as lineage:
        lineage.hold()
        for name in ("uses", "produces"):
            if filters[name]:
                filters[name] = lineage.had_as(str(filters[name]))
        asked = Filters(
            since=lineage.span(since)[0] if since else None,
            until=lineage.span(until)[1] if until else None,
            **(lineage.code_ids(commit) if commit else {}),
            where=condition,
            **filters,
        )
        index = lineage.view().index
        rows = index.executions(asked, limit)
        as_json |= form == "json"
        if form in ("csv", "parquet"):
            tabling.executions(index, rows, form)
        printer = printer_for(lineage)

        signatures = lineage.signatures([row.commit for row in rows]) if with_signature else {}

        def lines() -> Iterator[str]:
            if as_json:
                for each in lineage.load(rows):
                    told = execution_map(each)
                    if with_signature:
                        told["signature"] = signature_map(signatures.get(each.commit or ""))
                    yield json_line(told)
                return
            for start in range(0, len(rows), PAGE):
                some = rows[start : start + PAGE]
                tags = index.tags_of([row.id for row in some])
                for row in some:
                    held = tags.get(row.id, [])
                    signature = signatures.get(row.commit)
                    signed = safe(f"signed {signature.line()}") if signature else "not signed"
                    if oneline:
                        yield log_line(row, held, printer)
                    else:
                        yield from log_entry(row, held, printer)
                    if with_signature:
                        yield f"    {signed}"

        if form in (None, "json"):
            printer.show(lines())
        if form is None and not as_json and sys.stderr.isatty():
            sys.stdout.flush()
            for name, said in SILENT.items() if not rows else ():
                given = filters.get(name)
                alone = Filters(**{name: given})  # type: ignore[arg-type]
                if given and not index.executions(alone, 1):
                    click.echo(f"lineage: no execution {said} {safe(given)}", err=True)
            for each in lineage.running():
                click.echo(f"lineage: {running_line(each)}", err=True)
        if condition is not None and not rows:
            for said in _unheard_of(lineage, condition):
                click.echo(f"warning: {said}", err=True)
        if with_cost:
            total = lineage.cost([row.id for row in rows])
            click.echo(total_line(total), err=as_json or form is not None)
        if lost := lineage.view().lost:
            click.echo(
                f"warning: {len(lost)} commit{'s' * (len(lost) != 1)} of the ledger lost; "
                "`git lineage doctor` says more",
                err=True,
            )
        for problem in index.problems() if not as_json else ():
            what = "written by a newer version" if problem.kind == "newer" else problem.reason
            click.echo(f"warning: record {problem.commit[:12]} is left out: {what}", err=True)


def _unheard_of(lineage: Lineage, condition: Comparison | Junction) -> Iterator[str]:
    """Yield what to say of each name that nothing has, where a condition found nothing."""
    import difflib

    from gitlineage.where import FIELDS, names_in

    union = "SELECT name FROM metadata UNION SELECT name FROM parameters"
    try:
        known = {str(name) for (name,) in lineage.sql(union, LONGEST_LOOK).rows}
    except QueryTooLong:
        return
    for name in names_in(condition):
        if name not in known:
            close = difflib.get_close_matches(name, [*known, *FIELDS], 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            yield f"no metadata and no parameter is named {safe(name)}{meant}"


@click.command(short_help="Show all that is known of an execution")
@click.argument("name", metavar="[EXECUTION|DEPLOYMENT]", default="@")
@click.option("--packages", "with_packages", is_flag=True, help="List what was installed.")
@click.option("--usage", "with_usage", is_flag=True, help="Draw what it used while it ran.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def show(name: str, with_packages: bool, with_usage: bool, as_json: bool) -> None:
    """Show all that is known of an execution or a deployment.

    EXECUTION is an id or its beginning, a tag, `@` for the newest, `@~` for the one before it,
    `@~2` for the third newest, `@train` for the newest of a step.
    """
    with api.open() as lineage:
        lineage.hold()
        identity = lineage.resolve(name)
        printer = printer_for(lineage)
        row = lineage.view().index.row(identity)
        if row is not None and row.kind == "deployment":
            from gitlineage.cli import deploying

            lines = (
                [json_line(deploying.deployment_map(lineage, identity))]
                if as_json
                else deploying.deployment_page(lineage, identity, printer)
            )
        else:
            execution = lineage.execution(identity)
            packages = lineage.packages(execution) if with_packages or as_json else None
            others = lineage.reproduced_by(execution)
            samples = lineage.usage(execution) if with_usage else None
            deployed = lineage.deployed_from(execution)
            signed = execution.commit if execution.is_signed else None
            signature = lineage.signatures([signed])[signed] if signed else None
            committed = lineage.committed_as(execution)
            more = (others, samples, deployed, signature, committed)
            lines = (
                [json_line(execution_map(execution, packages, *more))]
                if as_json
                else page(
                    execution,
                    lineage.made_by(execution.id),
                    printer,
                    packages,
                    others,
                    lineage.adhoc_files(execution),
                    deployed,
                    lineage.names_of(each.digest for each in execution.outputs),
                    signature,
                    committed,
                    lineage.code_forgotten(execution),
                )
            )
            if samples is not None and not as_json:
                lines += _drawn(execution, samples, printer)
        printer.show(lines)


def _drawn(execution: Execution, samples: Series, printer: Printer) -> Iterator[str]:
    """Yield charts of what an execution used."""
    from gitlineage import charts

    if not samples:
        raise Refused(reason=f"there are no samples of what execution {execution.id[:8]} used")
    first = samples.values("cpu")[0][0]
    start = execution.launch.started_at if execution.launch else first
    for key, label, unit in USED:
        times, values = samples.values(key)
        if not times:
            continue
        seconds = [(at - start) / 1e6 for at in times]
        line = charts.line(key, zip(seconds, (each / unit for each in values), strict=True))
        chart = charts.Chart(lines=(line,), x_label="seconds", y_label=label)
        drawn = charts.text(chart, printer.chart_width, HEIGHT, is_colored=printer.is_colored)
        yield ""
        yield from drawn.split("\n")[:-1]  # one line needs no legend


@click.command(short_help="Print what an execution printed")
@click.argument("name", metavar="[EXECUTION]", default="@")
def output(name: str) -> None:
    """Print what an execution printed, standard output and standard error in order."""
    with api.open() as lineage:
        _print(lineage, lineage.output(name))


def _print(lineage: Lineage, content: bytes) -> None:
    """Print recorded bytes: as they are, but to a terminal, without control sequences.

    They may come from strangers.
    """
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content)
        return
    lines = content.decode(errors="replace").replace("\r\n", "\n").rstrip("\n").split("\n")
    printer_for(lineage).show("\t".join(map(safe, line.split("\t"))) for line in lines)


@click.command(cls=WithPaths, short_help="List, print or write out the code that ran")
@click.argument("name", metavar="[EXECUTION]", default="@")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="DIR|FILE",
    help="Write it to a new folder, or to a .zip, .tar or .tar.gz file.",
)
@click.option("--cells", "is_cells", is_flag=True, help="The cells of a notebook, as they ran.")
@click.option("-z", "ends_with_nul", is_flag=True, help="End names with NUL instead of newline.")
@click.pass_context
def code(
    context: click.Context, name: str, path: str | None, is_cells: bool, ends_with_nul: bool
) -> None:
    """List the files of the code that an execution ran, ad-hoc changes included, or write them.

    Of a notebook's cell, --cells prints or writes it, with those that its kernel ran before it.

    After `--` stands the path of a file to print.
    """
    paths = WithPaths.of(context)
    if len(paths) > 1 or (paths and path):
        raise click.UsageError("one file is printed at a time; -o writes all")
    with api.open() as lineage:
        if is_cells:
            _cells(lineage, name, path)
            return
        if paths:
            _print(lineage, lineage.code_file(name, paths[0]))
            return
        if path:
            lineage.export_code(name, path)
            click.echo(f"code of {lineage.resolve(name)[:8]} is in {path}", err=True)
            return
        names = lineage.code_files(name)
        if ends_with_nul:
            for each in names:
                sys.stdout.buffer.write(each.encode(errors="surrogateescape") + b"\0")
            return
        printer_for(lineage).show(map(safe, names))


def _cells(lineage: Lineage, name: str, path: str | None) -> None:
    from gitlineage.wording import safe

    cells = lineage.cells(name)
    if cells is None:
        raise UnknownId(asked=f"cells of {name}")
    text = cells_text(cells)
    if path is None:
        printer_for(lineage).show(safe(line) for line in text.rstrip("\n").split("\n"))
        return
    try:
        with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        raise Refused(reason=f"cannot write {path}: {(error.strerror or '').lower()}") from error
    click.echo(f"cells of {lineage.resolve(name)[:8]} are in {path}", err=True)
