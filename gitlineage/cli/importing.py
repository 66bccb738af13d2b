"""Verbs that take executions in and hand them out, many at a time: `import` and `export`."""

from __future__ import annotations

import click

from gitlineage import lineage as api
from gitlineage.cli.hook import counted, say
from gitlineage.cli.maps import json_line
from gitlineage.errors import NotFound, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


@click.command("import", short_help="Add executions from lines of JSON")
@click.argument("file", metavar="[FILE]", default=None, required=False)
@click.option(
    "--datalad",
    is_flag=True,
    help="Those that `datalad run` recorded in messages of commits; FILE is then a revision range.",
)
@click.option("--json", "as_json", is_flag=True, help="Say how many as a JSON object.")
def import_(file: str | None, datalad: bool, as_json: bool) -> None:
    """Add executions from FILE, or from standard input: a JSON object a line.

    As `export` writes them; docs/import.md has the fields. Those that are here are left out, and
    so are those that were forgotten.
    """
    count = 0
    refused: list[str] = []

    def lines(source: IO[bytes]) -> Iterator[bytes]:
        nonlocal count
        for line in source:
            count += 1
            yield line

    with api.open() as lineage:
        if datalad:
            ids, count = lineage.import_datalad((file or "HEAD",), refused.extend)
            new = len(ids)
        else:
            with _opened(file or "-") as opened:
                new = len(lineage.import_lines(lines(opened), refused.extend))
        known, gone = count - new - len(refused), len(refused)
        if as_json:
            click.echo(json_line({"imported": new, "left_out": known, "forgotten": gone}))
            return
        said = f"lineage: {counted(new, 'execution')} imported"
        said += f", {counted(known, 'execution')} left out as known" if known else ""
        say(said + (f", {counted(gone, 'execution')} left out as forgotten" if gone else ""))


def _opened(path: str) -> IO[bytes]:
    try:
        return click.open_file(path, "rb")
    except FileNotFoundError as error:
        raise NotFound(what=f"file {path}") from error
    except OSError as error:
        raise Refused(reason=f"{path}: {(error.strerror or '').lower()}") from error


@click.command(short_help="Write executions as lines of JSON")
@click.argument("names", metavar="[EXECUTION]...", nargs=-1)
def export(names: tuple[str, ...]) -> None:
    """Write executions, or all there are, as `import` takes them: a JSON object a line."""
    with api.open() as lineage:
        for line in lineage.export_lines(names):
            click.echo(line)
