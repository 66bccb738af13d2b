"""Verbs that share: `init`, `fetch`, `push`, `sync`, and what the pre-push hook calls."""

from __future__ import annotations

import click

from gitlineage import lineage as api
from gitlineage.cli import hook
from gitlineage.cli.hook import counted, lines_of, renew_notes, say
from gitlineage.errors import LineageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.lineage import Lineage
    from gitlineage.sync.fetching import Fetched


def _say_fetched(fetched: Fetched, count: int) -> None:
    for ref in fetched.rewound:
        say(f"warning: {fetched.remote} has set back {ref}; nothing is lost here")
    for warning in fetched.warnings:
        say(f"warning: {warning}")
    say(f"lineage: {counted(count, 'new record')} from {fetched.remote}")


def _push(lineage: Lineage, remote: str | None) -> None:
    sent = lineage.push(remote)
    say(*lines_of(sent))
    renew_notes(lineage.repository, sent)


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
@click.argument("remote", required=False)
def fetch(remote: str | None) -> None:
    """Bring a remote's lineage here, and become one with it."""
    with api.open() as lineage:
        _fetch(lineage, remote)


@click.command(short_help="Send lineage to a remote")
@click.argument("remote", required=False)
def push(remote: str | None) -> None:
    """Send lineage to a remote, never by force; what others sent meanwhile is fetched first."""
    with api.open() as lineage:
        lineage.view()  # completes what a dead recorder left, so that it travels
        _push(lineage, remote)


@click.command(short_help="Fetch, then push")
@click.argument("remote", required=False)
def sync(remote: str | None) -> None:
    """Fetch a remote's lineage and send it ours."""
    with api.open() as lineage:
        _fetch(lineage, remote)
        _push(lineage, remote)


@click.command(hidden=True)
@click.argument("remote")
@click.argument("url", required=False)
def pre_push(remote: str, url: str | None) -> int:
    """Send lineage along with a push of code; never gets in its way."""
    return hook.send(remote, url or "")


def _fetch(lineage: Lineage, remote: str | None) -> None:
    before = lineage.view().index.count()
    fetched = lineage.fetch(remote)
    _say_fetched(fetched, lineage.view().index.count() - before)
