"""`tag`, after git's own."""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.digest import ID_LENGTH
from gitlineage.wording import moment, safe, short_id


@click.command(short_help="List tags, tag executions and files, or take a tag away")
@click.argument("name", required=False)
@click.argument("targets", nargs=-1, metavar="[EXECUTION|FILE]...")
@click.option(
    "-d",
    "--delete",
    is_flag=True,
    help="Take the tag from these, or from all that have it.",
)
@click.option("-m", "--message", default="", help="Why; `git lineage tag -l NAME` shows it.")
@click.option("-l", "--list", "is_listing", is_flag=True, help="List what has the tag NAME.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def tag(
    name: str | None,
    targets: tuple[str, ...],
    delete: bool,
    message: str,
    is_listing: bool,
    as_json: bool,
) -> None:
    """List tags, tag executions and files, or take a tag away.

    Without NAME all tags are listed. A tag without EXECUTION goes on the newest one, `@`. A tag on
    a file is on its content, wherever that is: FILE is a path that is there, a digest,
    EXECUTION:PATH for an output, or alias:NAME.
    """
    with api.open() as lineage:
        if name is None:
            if delete:
                raise click.UsageError("-d needs a NAME")
            lines = [
                json_line({"tag": each, "members": sorted(map(_full, members))})
                if as_json
                else f"{safe(each)}  {len(members)}"
                for each, members in sorted(lineage.tags().items())
            ]
            printer_for(lineage).show(lines)
        elif is_listing:
            held = sorted(lineage.members(name).values(), key=lambda each: (-each.at, each.id))
            if not held and not as_json and sys.stderr.isatty():
                click.echo(f"lineage: nothing has tag {safe(name)}", err=True)
            printer_for(lineage).show(
                json_line(
                    {
                        "id": _full(each.id),
                        "tagged_at": each.at,
                        "tagger": each.tagger,
                        "message": each.message,
                    }
                )
                if as_json
                else "  ".join(
                    (_short(each.id), moment(each.at), safe(each.tagger), safe(each.message))
                ).rstrip()
                for each in held
            )
        elif delete:
            ids = lineage.untag(name, targets or None, message)
            click.echo(f"removed {safe(name)} from {_listed(ids)}", err=True)
        else:
            ids = lineage.tag(name, targets or ("@",), message)
            click.echo(f"tagged {_listed(ids)} as {safe(name)}", err=True)


def _listed(ids: list[str]) -> str:
    return ", ".join(_short(each) for each in ids[:5]) + (", ..." if len(ids) > 5 else "")


def _full(id: str) -> str:
    """Return an execution's id, or a digest as it is spelled elsewhere."""
    return id if len(id) == ID_LENGTH or id.startswith("blake3:") else f"blake3:{id}"


def _short(id: str) -> str:
    return short_id(_full(id))
