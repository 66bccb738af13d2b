"""`metadata`: set, show, plot and export what executions and files have told of their work."""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage import wording
from gitlineage.cli import hook
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import NotFound, Refused, WrongUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gitlineage.lineage import Lineage
    from gitlineage.records.execution import Execution
    from gitlineage.series import Series

HEIGHT = 16
"""Lines of a chart on a terminal."""


@click.group(short_help="Set, show, plot and export metadata")
def metadata() -> None:
    """Set, show, plot and export metadata: what executions and files tell of their work.

    An execution tells metadata by printing lines of JSON, by a file (`run --metrics`), through the
    Python API, or afterwards by `metadata set`.
    """


@metadata.command("set", short_help="Add metadata to an execution or a file")
@click.argument("target")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
def set_(target: str, values: tuple[str, ...]) -> None:
    """Add metadata to an execution or to a file.

    A value is JSON where it can be read as such, otherwise text. What is said of a file is said
    of its content, wherever that is. Of what was said at several times the last counts.
    """
    if not values:
        example = f": such as `@ {target}`" if "=" in target else ""
        raise click.UsageError(f"say what it is about, and then KEY=VALUE{example}")
    with api.open() as lineage:
        said = dict(map(_pair, values))
        ids = lineage.set_metadata(target, said)
        hook.say(*hook.unsigned(lineage.repository))
        about = ", ".join(_short(each) for each in ids[:5])
        click.echo(f"metadata of {about}: {wording.safe(', '.join(said))}", err=True)


@metadata.command(short_help="Show the last value of each key, or all of one")
@click.argument("targets", nargs=-1, metavar="[EXECUTION|FILE]...")
@click.option("--series", "key", metavar="KEY", help="All values of a key, with their times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(targets: tuple[str, ...], key: str | None, as_json: bool) -> None:
    """Show the last value of each key, or all values of one.

    Without EXECUTION that of the newest, `@`.
    """
    with api.open() as lineage:
        lines: list[str] = []
        for target in targets or ("@",):
            if key is None and (files := _files(lineage, target)):
                for content, values in files.items():
                    lines += _values(target, content, values, as_json)
                continue
            execution = lineage.execution(target)
            if key is None:
                lines += _values("", execution.id, execution.metadata, as_json)
                continue
            lines += _series(execution, lineage.series(execution), key, as_json)
        printer_for(lineage).show(lines)


@metadata.command(short_help="Draw keys over time, of several executions in one chart")
@click.argument("executions", nargs=-1, metavar="[EXECUTION]...")
@click.option("-k", "--key", "keys", multiple=True, metavar="KEY", help="What to draw.")
@click.option("-x", "x_key", metavar="KEY", help="Over this key; over the seconds since its start.")
@click.option("--log", "is_log", is_flag=True, help="A logarithmic scale.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write FILE: .svg, .png or .pdf.")
def plot(
    executions: tuple[str, ...],
    keys: tuple[str, ...],
    x_key: str | None,
    is_log: bool,
    path: str | None,
) -> None:
    """Draw keys over time, of several executions in one chart.

    Without -k all keys that are numbers are drawn, each in a chart of its own.
    """
    from gitlineage import charts

    form = path.rpartition(".")[2].lower() if path else None
    if form is not None and form not in charts.FORMS:
        raise WrongUsage(
            reason=f"{path} does not say which format: .svg, .png or .pdf", verb="metadata plot"
        )
    with api.open() as lineage:
        found = [lineage.execution(each) for each in executions or ("@",)]
        series = [(each, lineage.series(each)) for each in found]
        drawn = _charts(series, keys, x_key, is_log)
        if path and form:
            if len(drawn) > 1:
                raise WrongUsage(reason="say which key to draw, with -k", verb="metadata plot")
            _write(path, charts.picture(drawn[0], form))
            return
        printer = printer_for(lineage)
        for chart in drawn:
            drawn_text = charts.text(
                chart, printer.chart_width, HEIGHT, is_colored=printer.is_colored
            )
            printer.show(drawn_text.split("\n"))


@metadata.command(short_help="Write whole series: CSV, JSON, Parquet")
@click.argument("executions", nargs=-1, metavar="[EXECUTION]...")
@click.option("--csv", "form", flag_value="csv", help="A row for each point.")
@click.option("--json", "form", flag_value="json", help="A JSON object a line for each point.")
@click.option("--parquet", "form", flag_value="parquet", help="The same as a Parquet file.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write to FILE.")
def export(executions: tuple[str, ...], form: str | None, path: str | None) -> None:
    """Write whole series: a row for each point, with its execution and time.

    The form is what FILE's ending says, otherwise CSV.
    """
    from gitlineage import tables

    ending = path.rpartition(".")[2].lower().replace("jsonl", "json") if path else ""
    form = form or (ending if ending in tables.FORMS else "csv")
    if form == "parquet" and path is None and sys.stdout.isatty():
        raise Refused(reason="parquet is not for a terminal: give -o FILE")
    with api.open() as lineage:
        found = [lineage.execution(each) for each in executions or ("@",)]
        series = [(each.id, lineage.series(each)) for each in found]
        keys = sorted({key for _, each in series for key in each.keys})
        rows = ((id, at, values) for id, each in series for at, values in each.points())
        if path is None:
            tables.write(rows, keys, form, sys.stdout.buffer)
            return
        try:
            with open(path, "wb") as file:
                tables.write(rows, keys, form, file)
        except OSError as error:
            raise Refused(reason=f"cannot write {path}: {error.strerror}") from error


def _pair(given: str) -> tuple[str, Any]:
    import json

    name, separator, text = given.partition("=")
    if not separator or not name:
        raise WrongUsage(reason=f"{given} is not KEY=VALUE", verb="metadata set")
    try:
        return name, json.loads(text)
    except (ValueError, RecursionError):
        return name, text


def _files(lineage: Lineage, target: str) -> dict[str, dict[str, Any]]:
    """Return what was said of a file, by content; nothing where the target is no file."""
    try:
        return lineage.file_metadata(target)
    except NotFound:
        if target.startswith("@"):
            return {}
        raise


def _short(id: str) -> str:
    return id[:15] if id.startswith("blake3:") else id[:8]


def _values(path: str, id: str, values: Any, as_json: bool) -> list[str]:
    if as_json:
        about = {"path": path, "digest": id} if path else {"id": id}
        return [json_line({**about, "metadata": dict(values)})]
    head = f"{wording.safe(path)} {_short(id)}" if path else f"execution {id}"
    return [
        head,
        *(
            wording.safe(f"  {name} = {wording.value(value, wording.exact)}")
            for name, value in values.items()
        ),
    ]


PARAMETERS_AT_MOST = 2
"""Parameters that the name of a line has."""


def _series(execution: Execution, series: Series, key: str, as_json: bool) -> Iterator[str]:
    times, values = series.values(key)
    if not times:
        raise Refused(reason=f"execution {execution.id[:8]} has no metadata called {key}")
    for at, value in zip(times, values, strict=True):
        when = wording.isoformat(at)
        if as_json:
            yield json_line({"id": execution.id, "_time": when, "key": key, "value": value})
        else:
            yield wording.safe(f"{when} {value if type(value) is str else json_line(value)}")


def _charts(
    series: Sequence[tuple[Execution, Series]],
    keys: Sequence[str],
    x_key: str | None,
    is_log: bool,
) -> list[Any]:
    """Return one chart of the keys that were asked for, or one for each key with numbers."""
    from gitlineage import charts

    told = _told([execution for execution, _ in series])

    def line(execution: Execution, points: Series, key: str) -> Any:
        label = f"{execution.launch.step if execution.launch else '?'} {execution.id[:8]}"
        label += told[execution.id]
        if len(keys) > 1:
            label = f"{key} {label}"
        if x_key is not None:
            pairs = [
                (values[x_key], values[key])
                for _, values in points.points()
                if x_key in values and key in values
            ]
            return charts.line(label, pairs, is_log=is_log)
        times, values = points.values(key)
        start = execution.launch.started_at if execution.launch else times[0] if times else 0
        pairs = [((at - start) / 1e6, value) for at, value in zip(times, values, strict=True)]
        return charts.line(label, pairs, is_log=is_log)

    def chart(some: Sequence[str]) -> Any:
        lines = [line(*each, key) for each in series for key in some]
        return charts.Chart(
            lines=tuple(each for each in lines if each.x),
            x_label=x_key or "seconds",
            y_label=", ".join(some),
            is_log=is_log,
        )

    if keys:
        found = [chart(keys)]
    else:
        every = sorted({key for _, each in series for key in each.keys if key != x_key})
        found = [each for each in map(chart, ([key] for key in every)) if each.lines]
    if not found or not found[0].lines:
        raise charts.nothing_to_draw(", ".join(keys) or "any key")
    return found


def _told(executions: Sequence[Execution]) -> dict[str, str]:
    """Return of each execution the parameters by which it can be told from the others."""
    given = {each.id: each.launch.parameters if each.launch else {} for each in executions}
    names = dict.fromkeys(name for parameters in given.values() for name in parameters)
    differing = [
        name
        for name in names
        if len({repr(parameters.get(name)) for parameters in given.values()}) > 1
    ][:PARAMETERS_AT_MOST]
    return {
        id: "".join(f" {name}={wording.value(parameters.get(name))}" for name in differing)
        for id, parameters in given.items()
    }


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise Refused(reason=f"cannot write {path}: {error.strerror}") from error
