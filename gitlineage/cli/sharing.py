"""Verbs that share: `init`, `fetch`, `push`, `sync`, and what the pre-push hook calls."""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage.cli import hook
from gitlineage.cli.hook import counted, say
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import LineageError, NotAgreed
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.lineage import Lineage
    from gitlineage.records import Record
    from gitlineage.sync.fetching import Fetched


UNREACHED = "hint: `git gc --prune=now` removes what is left of it in this repository"
"""Said once something was forgotten: git keeps for a while what no ref reaches."""


def _say_fetched(fetched: Fetched, count: int) -> None:
    for ref in fetched.rewound:
        say(f"warning: {fetched.remote} has set back {ref}; nothing is lost here")
    for each in fetched.redactions:
        said = f"{counted(each.records_count, 'record')} of {each.month}"
        say(f"lineage: {each.agent.name} has had {said} forgotten: {each.message}")
    if fetched.redactions:
        say(UNREACHED)
    for warning in fetched.warnings:
        say(f"warning: {warning}")
    say(f"lineage: {counted(max(count, 0), 'new record')} from {fetched.remote}")


def _push(lineage: Lineage, remote: str | None, *, is_agreed: bool, is_met: bool = False) -> None:
    """Show what goes to a remote for the first time, ask where there is a terminal, and send it."""
    from gitlineage.sync.outgoing import outgoing
    from gitlineage.sync.pushing import Pusher

    hook.recover(lineage.repository)
    pusher = Pusher(lineage.repository)
    name = pusher.remote(remote)
    if not pusher.is_agreed(name) and not (first := outgoing(pusher, name)).is_empty:
        say(*hook.introduction(first))
        if sys.stdin.isatty() and sys.stderr.isatty() and not is_agreed:
            if not click.confirm("send it?", err=True):
                raise NotAgreed(remote=name)
        pusher.agree(name)
    hook.deliver(pusher, name, is_met=is_met)


def _map(found: Record) -> dict[str, Any]:
    """Return what a push would send as `--json` prints it."""
    values = {name: getattr(found, name) for name in found._fields}
    if "uncommitted" in values:
        values["uncommitted"] = [_map(each) for each in values["uncommitted"]]
    return values


YES = click.option("-y", "--yes", "is_agreed", is_flag=True, help="Do not ask the first time.")


@click.command(short_help="Make plain fetch and push carry lineage")
@click.option("--remote", metavar="NAME", help="The remote to share with; git's choice else.")
@click.option("--undo", is_flag=True, help="Take back what `init` changed; records stay.")
def init(remote: str | None, undo: bool) -> None:
    """Make plain `git fetch` and `git push` carry lineage.

    Adds fetch refspecs and a pre-push hook (after the one that is there), has `git log` show
    executions as notes, and fetches what the team has. Recording works without it.
    """
    from gitlineage.sync.remotes import Remotes
    from gitlineage.wiring import Wiring

    with api.open() as lineage:
        if undo:
            said = Wiring(lineage.repository).disconnect(remote)
            return say(*(f"lineage: {each}" for each in said or ["nothing to change"]))
        has_remotes = bool(lineage.repository.remotes())
        name = Remotes(lineage.repository).remote(remote) if has_remotes or remote else None
        said = lineage.init(name)
        say(*(f"lineage: {each}" for each in said or ["nothing to change"]))
        if name is None:
            return say("lineage: there is no remote yet; after `git remote add` do this again")
        try:
            _fetch(lineage, name)
        except LineageError as error:
            say(f"warning: not fetched: {error}")


@click.command(short_help="Bring a remote's lineage here")
@click.argument("remote", required=False, metavar="[REMOTE|ARCHIVE]")
@click.option("--month", metavar="YYYY-MM", help="Bring back a month that was archived.")
def fetch(remote: str | None, month: str | None) -> None:
    """Bring a remote's lineage here, and become one with it.

    With --month: a month that was archived, from the file or from a remote that has it still.
    """
    with api.open() as lineage:
        _fetch(lineage, remote, month)


@click.command(short_help="Send lineage to a remote")
@click.argument("remote", required=False)
@click.option("-n", "--dry-run", is_flag=True, help="Send nothing; show what would be sent.")
@YES
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: one JSON object.")
def push(remote: str | None, dry_run: bool, is_agreed: bool, as_json: bool) -> None:
    """Send lineage to a remote, never by force; what others sent meanwhile is fetched first.

    Before the first time for a remote it shows what will be sent, and on a terminal it asks.
    """
    with api.open() as lineage:
        if dry_run:
            lineage.view()  # completes what a dead recorder left, which would travel
            found = lineage.outgoing(remote)
            title = f"{found.remote} ({found.url}) would get"
            lines = [json_line(_map(found))] if as_json else map(safe, [title, *hook.sheet(found)])
            printer_for(lineage).show(lines)
        else:
            _push(lineage, remote, is_agreed=is_agreed)


@click.command(short_help="Fetch, then push")
@click.argument("remote", required=False)
@YES
def sync(remote: str | None, is_agreed: bool) -> None:
    """Fetch a remote's lineage and send it ours."""
    with api.open() as lineage:
        _fetch(lineage, remote)
        _push(lineage, remote, is_agreed=is_agreed, is_met=True)


@click.command(hidden=True)
@click.argument("remote")
@click.argument("url", required=False)
def pre_push(remote: str, url: str | None) -> int:
    """Send lineage along with a push of code; never gets in its way."""
    return hook.send(remote, url or "")


def _fetch(lineage: Lineage, remote: str | None, month: str | None = None) -> None:
    before = lineage.view().index.records_count()
    fetched = lineage.fetch_month(month, remote) if month else lineage.fetch(remote)
    is_much = fetched.is_much
    count = fetched.commits_count if is_much else lineage.view().index.records_count() - before
    _say_fetched(fetched, count)
