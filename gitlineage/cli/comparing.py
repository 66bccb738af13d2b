"""`diff` and `status`: what differs between two executions, and between then and now."""

from __future__ import annotations

import os
import sys

import click

from gitlineage import lineage as api
from gitlineage.cli.contrast import comparison_map, comparison_page, patch_lines
from gitlineage.cli.freshness import LETTERS, hints, standing_map, status_page
from gitlineage.cli.group import WithPaths
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.wording import safe


@click.command(
    cls=WithPaths, short_help="Tell in what two executions differ", options_metavar="[OPTIONS]"
)
@click.argument("names", nargs=-1, metavar="[A [B]]")
@click.option("--stat", "is_stat", is_flag=True, help="Code as git's --stat, not as a patch.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where they differ.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@click.pass_context
def diff(
    context: click.Context,
    names: tuple[str, ...],
    is_stat: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell in what two executions differ: code, command, parameters, inputs, environment,
    packages, image, status, outputs and metadata.

    A and B are as in `show`. B is else the newest execution, and A the one before B of the same
    step. With PATH, only code, inputs and outputs there are compared. Files are compared by
    content, and of the content only code is kept and shown.
    """
    if len(names) > 2:
        raise click.UsageError("two executions at most; paths stand after --")
    paths = WithPaths.of(context)
    with api.open() as lineage:
        after = names[1] if len(names) > 1 else "@"
        found = lineage.compare(names[0] if names else None, after, paths=paths)
        if as_json:
            sys.stdout.write(json_line(comparison_map(found)) + "\n")
        else:
            printer = printer_for(lineage)
            lines = comparison_page(found, printer)
            if found.of("code"):
                options = ("--stat",) if is_stat else ()
                lines += patch_lines(lineage.patch(found, *options, paths=paths), printer)
            if printer.width is None:  # a patch for a program: its bytes as they are
                sys.stdout.buffer.write(b"".join(os.fsencode(line) + b"\n" for line in lines))
            else:
                printer.show(lines)
    if exit_code and found.changes:
        context.exit(1)


@click.command(short_help="Tell which outputs are current, changed, stale or deleted")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--porcelain", is_flag=True, help="For scripts: a letter and a path a line.")
@click.option("-z", "ends_with_nul", is_flag=True, help="End lines with NUL; means --porcelain.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something is not current.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def status(
    context: click.Context,
    paths: tuple[str, ...],
    porcelain: bool,
    ends_with_nul: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell which outputs in the work tree are what would be made now.

    Each file and declared folder stands to the execution that made it last. It is changed when
    its content is not what that one made, and deleted when it is gone. It is stale when
    something that it was made from is another now: a file of the code, an input, or what that
    was made from in turn. Changes of space in code do not count, unless they indent Python and
    the like; nor do files of the code that are new.

    With --porcelain a line is `=` (current), `M` (changed), `S` (stale) or `D` (deleted), a
    space, and the path from the top of the work tree.
    """
    with api.open() as lineage:
        found = lineage.status(paths)
        printer = printer_for(lineage)
        if as_json:
            printer.show(json_line(standing_map(each)) for each in found.standings)
        elif porcelain or ends_with_nul:
            end = b"\0" if ends_with_nul else b"\n"
            for each in found.standings:
                path = each.path if ends_with_nul else safe(each.path)
                sys.stdout.buffer.write(os.fsencode(f"{LETTERS[each.state]} {path}") + end)
        else:
            printer.show(status_page(found.standings, printer, is_listed=bool(paths)))
        if found.unknown_count:
            click.echo(
                f"warning: the code of {_executions(found.unknown_count)} is not here: "
                "whether it has changed is not known",
                err=True,
            )
        if not (as_json or porcelain or ends_with_nul):
            sys.stdout.flush()  # where its reader has gone, nothing more is said
            for hint in hints(found):
                click.echo(f"hint: {hint}", err=True)
    if exit_code and any(each.state != "current" for each in found.standings):
        context.exit(1)


def _executions(count: int) -> str:
    return f"{count} execution{'s' * (count != 1)}"
