"""`deploy` and `alias`: what is relied on elsewhere, and which content a name stands for."""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage.cli import hook
from gitlineage.cli.maps import artifact_map, json_line
from gitlineage.cli.pages import artifact_lines, deployment_title
from gitlineage.cli.reading import printer_for
from gitlineage.cli.sheet import Sheet
from gitlineage.wording import isoformat, moment, safe, short_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.cli.printing import Printer
    from gitlineage.index import Move, Row
    from gitlineage.lineage import Lineage
    from gitlineage.records.deployment import Deployment

STYLES = {"in use": "green", "replaced": "dim", "retired": "yellow"}


@click.command(short_help="Say what is deployed, and list what was")
@click.argument("name", required=False)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--version", metavar="TEXT", help="Which version of NAME it is.")
@click.option("--target", metavar="TEXT", help="Where it goes: a cluster, a device.")
@click.option("--image", metavar="IMAGE", help="The container image that serves it.")
@click.option("--url", metavar="URL", help="Where it answers.")
@click.option("-l", "--list", "is_listing", is_flag=True, help="List all, or the history of NAME.")
@click.option("--at", "date", metavar="DATE", help="List what was in use then.")
@click.option(
    "--retire", is_flag=True, help="Say that NAME is in use no longer; without --target, nowhere."
)
@click.option("-m", "--message", default="", help="What there is to say of it; with --retire: why.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def deploy(
    name: str | None,
    files: tuple[str, ...],
    version: str | None,
    target: str | None,
    image: str | None,
    url: str | None,
    is_listing: bool,
    date: str | None,
    retire: bool,
    message: str,
    as_json: bool,
) -> None:
    """Record that files are relied on by a deployment, outside of this repository.

    FILE is a path, a digest, EXECUTION:PATH for an output, alias:NAME, a tag, or an execution for
    all that it made. What is deployed takes the place of what had the same NAME and target.

    Without FILE, deployments are listed. DATE is anything that git reads; a day, a month or a
    year (2026-03) means all of it.

    \b
    Examples:
      git lineage deploy churn model.pkl --version 1.4 --target eu-prod
      git lineage deploy churn @train:model.pkl
      git lineage deploy --at 2026-03
      git lineage deploy --retire churn --target eu-prod
    """
    if retire and (files or name is None):
        raise click.UsageError("--retire needs a NAME and nothing else")
    if files and (is_listing or date):
        raise click.UsageError("a list has no FILE: give NAME alone, or nothing")
    with api.open() as lineage:
        if retire:
            for id in lineage.retire(str(name), target=target, message=message):
                click.echo(f"retired {safe(_title(lineage, id))} ({id[:8]})", err=True)
        elif files and name is not None:
            options = {"version": version, "target": target, "image": image, "url": url}
            id = lineage.deploy(name, files, **options, message=message)
            hook.say(*hook.unsigned(lineage.repository))
            for path in lineage.unmade(id):
                click.echo(f"note: no execution made {safe(path)}", err=True)
            if as_json:
                click.echo(json_line(deployment_map(lineage, id)))
            else:
                click.echo(f"deployed {safe(_title(lineage, id))} ({id[:8]})", err=True)
        else:
            rows = lineage.deployed_at(date, name) if date else lineage.deployments(name)
            rows = [each for each in rows if target in (None, each.target)]
            if not rows and not as_json and sys.stderr.isatty():
                what = f"deployment {safe(name)}" if name else "deployment"
                said = f"was in use at {safe(date)}" if date else "is recorded"
                click.echo(f"lineage: no {what} {said}", err=True)
            printer = printer_for(lineage)
            printer.show(
                json_line(deployment_map(lineage, each.id)) if as_json else _line(each, printer)
                for each in rows
            )


def _title(lineage: Lineage, id: str) -> str:
    row = lineage.view().index.row(id)
    return deployment_title(row) if row else id


def _line(row: Row, printer: Printer) -> str:
    """Return a deployment as one line."""
    ended = f"until {moment(row.ended_at)}" if row.ended_at is not None else ""
    words = [
        printer.paint(row.id[:8], "yellow"),
        f"{moment(row.started_at or 0):16}",
        printer.paint(f"{row.standing:8}", STYLES[row.standing]),
        printer.paint(safe(deployment_title(row)), "bold"),
        f"by {safe(row.agent_name or '?')}",
        *([ended] if ended else []),
    ]
    return "  ".join(words)


def deployment_page(lineage: Lineage, id: str, printer: Printer) -> list[str]:
    """Return all that is known of a deployment, for people."""
    deployment = lineage.deployment(id)
    row = lineage.view().index.row(id)
    who, sheet = deployment.agent, Sheet(printer)
    sheet.head(f"deployment {id}")
    sheet.add("Name", deployment.name)
    sheet.add("Version", deployment.version)
    sheet.add("Target", deployment.target)
    sheet.add("Image", deployment.image)
    sheet.add("URL", deployment.url)
    sheet.add("Deployed", f"{moment(deployment.deployed_at)} by {who.name} <{who.email}>")
    sheet.add("Message", deployment.message)
    sheet.add("Standing", _standing(lineage, row) if row else None)
    made = {each.digest or "": "no execution" for each in deployment.artifacts}
    made |= lineage.made_by(id)
    sheet.add("Files", *artifact_lines(deployment.artifacts, made, {}))
    return sheet.lines


def _standing(lineage: Lineage, row: Row) -> str:
    if row.ended_at is None:
        return "in use"
    ended = f"{row.standing} {moment(row.ended_at)}"
    if row.standing == "replaced":
        return ended
    who, why = lineage.retired_by(row.id)
    return f"{ended} by {who}" + (f": {why}" if why else "")


def deployment_map(lineage: Lineage, id: str) -> dict[str, Any]:
    """Return a deployment as `--json` prints it."""
    deployment: Deployment = lineage.deployment(id)
    row = lineage.view().index.row(id)
    made = lineage.makers(id)
    return {
        "id": id,
        "kind": "deployment",
        "name": deployment.name,
        "version": deployment.version,
        "target": deployment.target,
        "image": deployment.image,
        "url": deployment.url,
        "message": deployment.message,
        "deployed_at": isoformat(deployment.deployed_at),
        "agent": {"name": deployment.agent.name, "email": deployment.agent.email},
        "standing": row.standing if row else None,
        "ended_at": isoformat(row.ended_at) if row and row.ended_at is not None else None,
        "files": [
            {**artifact_map(each), "made_by": made.get(each.digest or "")}
            for each in deployment.artifacts
        ],
    }


@click.command(short_help="Give content a name that can be moved")
@click.argument("name", required=False)
@click.argument("file", required=False)
@click.option("-d", "--delete", is_flag=True, help="Let NAME stand for nothing; its history stays.")
@click.option("-m", "--message", default="", help="Why.")
@click.option("-l", "--list", "is_listing", is_flag=True, help="List all, or the history of NAME.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def alias(
    name: str | None,
    file: str | None,
    delete: bool,
    message: str,
    is_listing: bool,
    as_json: bool,
) -> None:
    """Let NAME stand for the content of a file, until it is moved to another.

    FILE is named as for `git lineage deploy`. There, in `trace`, `tag` and `metadata`, and as an
    input of `run`, `alias:NAME` is what the alias stands for now. Without FILE, all aliases are
    listed, or the history of one.
    """
    if delete and (name is None or file is not None):
        raise click.UsageError("-d needs a NAME and nothing else")
    if is_listing and file is not None:
        raise click.UsageError("a list has no FILE: give NAME alone, or nothing")
    with api.open() as lineage:
        if delete:
            lineage.delete_alias(str(name), message)
            click.echo(f"deleted alias {safe(str(name))}", err=True)
        elif name is not None and file is not None:
            found = lineage.alias(name, file, message)
            hook.say(*hook.unsigned(lineage.repository))
            about = f"{safe(found.path)} ({short_id(found.digest or '')})"
            click.echo(f"alias {safe(name)} is {about}", err=True)
        else:
            moves = (
                list(lineage.aliases().values()) if name is None else lineage.alias_history(name)
            )
            printer_for(lineage).show(
                json_line(move_map(each)) if as_json else _move_line(each) for each in moves
            )


def move_map(move: Move) -> dict[str, Any]:
    """Return a move of an alias as `--json` prints it."""
    return {
        "alias": move.alias,
        "digest": move.digest,
        "path": move.path if move.digest else None,
        "moved_at": isoformat(move.moved_at),
        "agent": {"name": move.agent_name, "email": move.agent_email},
        "by": {"kind": move.by, "id": move.id},
        "message": move.message,
    }


def _move_line(move: Move) -> str:
    content = f"{short_id(move.digest)}  {safe(move.path)}" if move.digest else "deleted"
    by = safe(move.agent_name) + (f" in {move.id[:8]}" if move.by == "execution" else "")
    words = [safe(move.alias), moment(move.moved_at), content, f"by {by}"]
    return "  ".join([*words, *([safe(move.message)] if move.message else [])])
