"""Verbs that share: `init`, `fetch`, `push`, `sync`, and what the pre-push hook calls."""

from __future__ import annotations

import os
import signal

import click

from gitlineage import lineage as api
from gitlineage.errors import LineageError
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.lineage import Lineage
    from gitlineage.sync import Fetched, Sent

HOOK_PATIENCE = 20.0
"""Seconds that a push of code waits for lineage at most."""


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(safe(line), err=True)


def _say_fetched(fetched: Fetched, count: int) -> None:
    for ref in fetched.rewound:
        _say(f"warning: {fetched.remote} has set back {ref}; nothing is lost here")
    for warning in fetched.warnings:
        _say(f"warning: {warning}")
    _say(f"lineage: {_number(count, 'new record')} from {fetched.remote}")


def _say_sent(lineage: Lineage, sent: Sent) -> None:
    if sent.changed:
        lineage.view().rebuild_notes()
    for warning in sent.warnings:
        _say(f"warning: {warning}")
    tags = f" and {_number(sent.tags_count, 'tag')}" if sent.tags_count else ""
    if sent.records_count or sent.tags_count:
        _say(f"lineage: sent {_number(sent.records_count, 'record')}{tags} to {sent.remote}")
    else:
        _say(f"lineage: {sent.remote} is up to date")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


@click.command(short_help="Make plain fetch and push carry lineage")
@click.option("--remote", metavar="NAME", help="The remote to share with; git's choice else.")
@click.option("--undo", is_flag=True, help="Take back what `init` changed; records stay.")
def init(remote: str | None, undo: bool) -> None:
    """Make plain `git fetch` and `git push` carry lineage.

    Adds fetch refspecs and a pre-push hook (after the one that is there), has `git log` show
    executions as notes, and fetches what the team has. Recording works without it.
    """
    from gitlineage.sync import Sync
    from gitlineage.wiring import Wiring

    with api.open() as lineage:
        if undo:
            said = Wiring(lineage.repository).disconnect(remote)
            return _say(*(f"lineage: {each}" for each in said or ["nothing to change"]))
        has_remotes = bool(lineage.repository.remotes())
        name = Sync(lineage.repository).remote(remote) if has_remotes or remote else None
        said = lineage.init(name)
        _say(*(f"lineage: {each}" for each in said or ["nothing to change"]))
        if name is None:
            return _say("lineage: there is no remote yet; after `git remote add` do this again")
        try:
            _fetch(lineage, name)
        except LineageError as error:
            _say(f"warning: not fetched: {error}")


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
        _say_sent(lineage, lineage.push(remote))


@click.command(short_help="Fetch, then push")
@click.argument("remote", required=False)
def sync(remote: str | None) -> None:
    """Fetch a remote's lineage and send it ours."""
    with api.open() as lineage:
        _fetch(lineage, remote)
        _say_sent(lineage, lineage.push(remote))


@click.command(hidden=True)
@click.argument("remote")
@click.argument("url", required=False)
def pre_push(remote: str, url: str | None) -> None:
    """Send lineage along with a push of code; never gets in its way."""
    from gitlineage.recording import Recorder
    from gitlineage.sync import PUSHING, Sync
    from gitlineage.wiring import Push, Wiring

    if os.environ.get(PUSHING) or remote == url:
        return
    try:
        with api.open() as lineage:
            repository = lineage.repository
            sync = Sync(repository)
            if remote not in repository.remotes() or not sync.is_shared(remote):
                if Wiring(repository).has_lost_refspecs(remote):
                    _say(f"warning: lineage was not sent: {remote} has lost its fetch refspecs",
                         f"hint: put them back with `git lineage init --remote {remote}`")
                return
            asked = Push.of(os.getppid())
            if asked.is_dry_run:
                return
            _limit(HOOK_PATIENCE)
            Recorder(repository).recover()  # what a dead recorder left travels as well
            sent = sync.push(remote, patience=HOOK_PATIENCE)
            if sent.warnings or (not asked.is_quiet and (sent.records_count or sent.tags_count)):
                _say_sent(lineage, sent)
    except (LineageError, TooLong) as error:
        _say(f"warning: lineage was not sent: {error}",
             f"hint: the code goes on its way; later `git lineage push {remote}`")


class TooLong(BaseException):
    """A push of code has waited long enough; nothing on the way up takes this for a failure."""


def _limit(seconds: float) -> None:
    """Give up after that time: a server that does not answer keeps no code waiting."""
    def stop(*_: object) -> None:
        raise TooLong(f"no answer within {seconds:g} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _fetch(lineage: Lineage, remote: str | None) -> None:
    before = lineage.view().index.count()
    fetched = lineage.fetch(remote)
    _say_fetched(fetched, lineage.view().index.count() - before)
