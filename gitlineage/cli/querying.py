"""`sql`: questions that no other verb answers."""

from __future__ import annotations

import itertools
import sys
import time

import click

from gitlineage import lineage as api
from gitlineage.cli import tabling
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import QueryTooLong, WrongUsage
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

WIDEST = 60
"""Characters of a value that a table shows."""

PAGE = 1000
"""Rows of a table that are as wide as one another; more need not be there at once."""

HELD = 100_000
"""Rows that are read before the first is shown."""

MEMORY = 1 << 30
"""Bytes that SQLite may take for an answer."""

GRACE = 5.0
"""Seconds behind the last look at the clock: a single function of SQLite's looks at none."""


@click.command(short_help="Answer a query in SQL")
@click.argument("query", required=False)
@click.option("--schema", is_flag=True, help="List what can be asked about.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *tabling.FORMS]),
    default="table",
    help="How rows are printed; json is an object a line.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--seconds", default=30.0, show_default=True, help="How long it may take.")
def sql(query: str | None, schema: bool, form: str, as_json: bool, seconds: float) -> None:
    """Answer a query in SQL about executions, artifacts, metadata and tags.

    It is SQLite's SQL, and can only read, for so long and in 1 GiB of memory.
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
        lineage.view()  # feeding the index is not the query's
        lineage.hold()
        limit = _Limit(seconds)
        with limit:
            answer = lineage.sql(query, seconds, MEMORY)
        rows = limit.over(answer.rows)
        if as_json or form == "json":
            for row in rows:
                click.echo(json_line(dict(zip(answer.columns, map(_plain, row), strict=True))))
        elif form == "table":
            # Whoever looks at it in a pager keeps nobody from feeding the index.
            held = [row for _, row in zip(range(HELD), rows, strict=False)]
            printer_for(lineage).show(_table(answer.columns, itertools.chain(held, rows)))
        else:
            named = _distinct(answer.columns)
            tabling.write(named, (list(map(_plain, row)) for row in rows), form)


class _Limit:
    """Ends the process where a query goes on long after its time.

    SQLite looks at the clock between its instructions, and one instruction may be a function that
    takes hours: `instr` of a megabyte in another takes a minute. Nothing was changed by then.
    """

    def __init__(self, seconds: float) -> None:
        import threading

        self._seconds = seconds
        self._began: float | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._began = None

    def over(self, rows: Iterator[T]) -> Iterator[T]:
        """Yield rows; the time that these take counts, each for itself."""
        while True:
            with self:
                row = next(rows, None)
            if row is None:
                return
            yield row

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            began = self._began
            if began is not None and time.monotonic() - began > self._seconds + GRACE:
                self._end()

    def _end(self) -> None:
        import os

        from gitlineage.cli import report

        code = report(QueryTooLong(seconds=f"{self._seconds:g}"))
        sys.stderr.flush()
        os._exit(code)


def _distinct(columns: Sequence[str]) -> dict[str, str]:
    """Return columns of any type; names that come twice are told apart."""
    found: dict[str, str] = {}
    for name in columns:
        number, shown = 1, name
        while shown in found:
            number, shown = number + 1, f"{name}_{number + 1}"
        found[shown] = "any"
    return found


def _table(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[str]:
    shown = [list(map(_cell, columns))]
    while shown:
        shown += [list(map(_cell, row)) for _, row in zip(range(PAGE), rows, strict=False)]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        for row in shown:
            yield "  ".join(map(str.ljust, row, widths)).rstrip()
        shown = [list(map(_cell, row)) for _, row in zip(range(1), rows, strict=False)]


def _cell(value: object) -> str:
    text = "" if value is None else safe(str(_plain(value)))
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _plain(value: object) -> object:
    """Return bytes as what they stand for: text that is not UTF-8, or digits."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
