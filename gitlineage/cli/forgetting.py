"""`forget` and `archive`: what is taken out of the ledger, for good or into a file."""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage.cli.hook import counted, say
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.cli.sharing import UNREACHED
from gitlineage.errors import Refused
from gitlineage.wording import moment, safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.forgetting import Forgotten
    from gitlineage.lineage import Lineage
    from gitlineage.records.redaction import Redaction


@click.command(short_help="Forget executions, a month, or a secret in what was recorded")
@click.argument("names", nargs=-1, metavar="[EXECUTION|DEPLOYMENT]...")
@click.option("--month", metavar="YYYY-MM", help="All that was recorded in that month.")
@click.option(
    "--secret",
    "has_secret",
    is_flag=True,
    help="A text, wherever it was recorded; it is read from standard input, or asked for.",
)
@click.option("-m", "--message", help="Why; it stays.")
@click.option("-y", "--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def forget(
    names: tuple[str, ...],
    month: str | None,
    has_secret: bool,
    message: str | None,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Forget executions, a month, or a secret in what was recorded; cannot be taken back.

    What is left says who had it forgotten, when and why. Others forget it at their next fetch after
    you have pushed. Without arguments, what was forgotten is listed.
    """
    with api.open() as lineage:
        if not (names or month or has_secret):
            found = lineage.forgotten()
            printer_for(lineage).show(json_line(_map(e)) if as_json else _line(e) for e in found)
            return
        for each in names:
            lineage.resolve(each)  # what is not there needs no reason
        if not message:
            raise click.UsageError("say why, with -m")
        secret = _secret() if has_secret else None
        is_asking = sys.stdin.isatty() and sys.stderr.isatty() and not is_agreed
        if is_asking and not click.confirm("forget it for good?", err=True):
            raise Refused(reason="nothing was forgotten")
        had = _had(lineage)
        made = lineage.forget(names, month=month, secret=secret, message=message)
        say(*_told(made), *_warned(had))
        if as_json:
            printer_for(lineage).show(json_line(_map(each)) for each in made.redactions)


@click.command(short_help="Move months into a file, out of the refs")
@click.option("--before", metavar="DATE", required=True, help="Months that had ended by then.")
@click.argument("path", metavar="FILE")
@click.option("-f", "--force", "is_forced", is_flag=True, help="Also what no remote has.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def archive(before: str, path: str, is_forced: bool, as_json: bool) -> None:
    """Move months into a file, out of the refs of this repository, and fetch them no more.

    FILE is a bundle of git. `git lineage --archive FILE log` reads it where it is, and so do show,
    trace, files, diff, output, metadata, sql, verify and export;
    `git lineage fetch --month YYYY-MM FILE` brings a month back. Remotes keep what they have, and
    so does the code that ran.
    """
    with api.open() as lineage:
        made = lineage.archive(before, path, is_forced=is_forced)
        months = " ".join(made.months)
        say(f"lineage: {counted(made.records_count, 'record')} of {months} moved to {safe(path)}")
        if made.is_only_copy:
            say(f"warning: keep {safe(path)} safe: nobody else has all of it")
        if as_json:
            told = {name: getattr(made, name) for name in made._fields}
            printer_for(lineage).show([json_line(told)])


def _secret() -> str:
    """Return the secret; never from the command line, which shells keep."""
    if sys.stdin.isatty():
        found: str = click.prompt("the text to forget", hide_input=True, err=True)
        return found
    return sys.stdin.readline().removesuffix("\n")


def _had(lineage: Lineage) -> list[tuple[str, str]]:
    """Return the remotes that have any records, and where they are."""
    from gitlineage.sync.remotes import Remotes

    remotes = Remotes(lineage.repository)
    return [
        (each, remotes.url(each))
        for each in lineage.repository.remotes()
        if lineage.repository.tips(remotes.folder(each))
    ]


def _told(made: Forgotten) -> list[str]:
    said = []
    for each in made.redactions:
        what = "rewritten" if each.rewritten else "forgotten"
        said.append(f"lineage: {counted(each.records_count, 'record')} of {each.month} {what}")
    if made.code_count:
        said.append(f"lineage: the code of {counted(made.code_count, 'snapshot')} let go")
    if made.unsigned_count:
        said.append(
            f"warning: {counted(made.unsigned_count, 'record')} appended again without signature"
        )
    said += [f"warning: it is still in {each}" for each in made.left[:SHOWN]]
    if len(made.left) > SHOWN:
        said.append(f"warning: and in {len(made.left) - SHOWN} more objects that refs reach")
    return said


def _warned(had: list[tuple[str, str]]) -> list[str]:
    said = [
        f"warning: {name} ({url}) has it until you push, and may keep copies until it collects "
        "garbage; so may forks, mirrors, caches, backups, and clones until they fetch"
        for name, url in had
    ]
    return [*said, UNREACHED]


def _line(each: Redaction) -> str:
    ids = [id[:8] for id in (*each.forgotten, *each.rewritten)]
    shown = " ".join(ids[:SHOWN]) + (" ..." if len(ids) > SHOWN else "")
    what = "rewritten" if each.rewritten else "forgotten"
    return safe(
        f"{moment(each.forgotten_at)}  {each.month}  {counted(each.records_count, 'record')} "
        f"{what} by {each.agent.name}: {each.message}  ({shown})"
    )


def _map(each: Redaction) -> dict[str, Any]:
    values = {
        name: getattr(each, name)
        for name in each._fields
        if name not in ("format", "nonce", "software", "agent", "extra")
    }
    return {**values, "agent": {"name": each.agent.name, "email": each.agent.email}}


SHOWN = 8
"""Ids, and places where something is left, that are listed."""
