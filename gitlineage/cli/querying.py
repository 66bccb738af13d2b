"""`sql`: questions that no other verb answers."""

from __future__ import annotations

import csv
import sys

import click

from gitlineage import lineage as api
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import WrongUsage
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

WIDEST = 60
"""Characters of a value that a table shows."""


@click.command(short_help="Answer a query in SQL")
@click.argument("query", required=False)
@click.option("--schema", is_flag=True, help="List what can be asked about.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="How rows are printed; json is an object a line.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--seconds", default=30.0, show_default=True, help="How long it may take.")
def sql(query: str | None, schema: bool, form: str, as_json: bool, seconds: float) -> None:
    """Answer a query in SQL about executions, artifacts, metadata and tags.

    It is SQLite's SQL, and can only read.
    """
    if schema:
        from gitlineage.index.views import VIEWS

        for name, (what, columns, _) in VIEWS.items():
            click.echo(f"{name}: one row is {what}")
            for column, _, meaning in columns:
                click.echo(f"    {column:18}{meaning}")
        return
    if query is None:
        raise WrongUsage(reason="there is no query", verb="sql")
    with api.open() as lineage:
        answer = lineage.sql(query, seconds)
        if as_json or form == "json":
            for row in answer.rows:
                click.echo(json_line(dict(zip(answer.columns, map(_plain, row), strict=True))))
        elif form == "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(answer.columns)
            writer.writerows(map(_plain, row) for row in answer.rows)
        else:
            printer_for(lineage).show(_table(answer.columns, list(answer.rows)))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    shown = [list(columns), *([_cell(each) for each in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else safe(str(_plain(value)))
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _plain(value: object) -> object:
    """Return bytes as what they stand for: text that is not UTF-8, or digits."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
