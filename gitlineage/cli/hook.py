"""What pushes: the hook, within its time and never in the way, and `git lineage push`.

Knows no click, which takes 40 ms to import: the hook runs within the user's own `git push`.
"""

from __future__ import annotations

import os
import sys

from gitlineage.errors import LineageError
from gitlineage.repository import Repository
from gitlineage.sync.pushing import Pusher
from gitlineage.sync.remotes import OFFLINE, PROBE, PUSHING
from gitlineage.wording import safe, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from gitlineage.sync.outgoing import Outgoing
    from gitlineage.sync.pushing import Sent
else:
    import _signal as signal  # the signal module wraps this in enums, for 6 ms of delay

PATIENCE = 20.0
"""Seconds that a push of code waits for lineage at most."""


ID_LENGTH = 40
"""Characters of the name of an entry in the journal; asking the room that knows takes 3 ms."""

SHOWN = 10
"""Files that were never committed that are listed by name."""


class TooLong(BaseException):
    """A push of code has waited long enough; nothing on the way up takes this for a failure."""


def send(remote: str, url: str) -> int:
    """Send lineage along with a push of code."""
    if os.environ.get(PUSHING) or remote == url:
        return 0
    try:
        repository = Repository.discover()
        sync = Pusher(repository)
        if answer := os.environ.get(PROBE):
            return _answer(answer, sync, remote)
        from gitlineage.wiring import Push, Wiring  # not for `git lineage push`

        asked = Push.of(os.getppid())
        if asked.is_dry_run:
            return 0
        _limit(PATIENCE)
        recover(repository)
        sync.start_looking()
        if remote not in repository.remotes() or not sync.is_shared(remote):
            if Wiring(repository).has_lost_refspecs(remote):
                say(
                    f"warning: lineage was not sent: {remote} has lost its fetch refspecs",
                    f"hint: put them back with `git lineage init --remote {remote}`",
                )
            return 0
        if not sync.is_agreed(remote):
            # Nobody's push is kept waiting for an answer: `init` has said that it sends lineage.
            from gitlineage.sync.outgoing import outgoing  # once for each remote

            if not (first := outgoing(sync, remote)).is_empty:
                say(*introduction(first))
                sync.agree(remote)
        sent = sync.push(remote, patience=PATIENCE)
        _limit(0)
        # What keeps code here would be said again at every push that has nothing to send.
        if sent.records_count or sent.tags_count:
            say(*(lines_of(sent) if not asked.is_quiet else warnings_of(sent)))
        renew_notes(repository, sent)
    except (LineageError, TooLong) as error:
        say(
            f"warning: lineage was not sent: {error}",
            f"hint: the code goes on its way; later `git lineage push {remote}`",
        )
    return 0


def _answer(path: str, sync: Pusher, remote: str) -> int:
    """Tell `doctor` that a push comes here, and what would become of it."""
    import json

    told: dict[str, object] = {"refused": {}}
    try:
        with open(path) as file:
            is_offline = file.read() == OFFLINE
        if not is_offline:
            _limit(PATIENCE)
            told["refused"] = sync.attempt(remote)
            _limit(0)
    except (LineageError, TooLong) as error:
        told["error"] = str(error)
    with open(path, "w") as file:
        json.dump(told, file)
    return 0


def push(remote: str | None = None) -> int | None:
    """Send lineage because that was asked for; None where nobody has agreed to that remote yet."""
    repository = Repository.discover()
    recover(repository)
    pusher = Pusher(repository)
    pusher.start_looking()
    name = pusher.remote(remote)
    return deliver(pusher, name) if pusher.is_agreed(name) else None


def deliver(pusher: Pusher, name: str, *, is_met: bool = False) -> int:
    """Send lineage to a remote that somebody has agreed to, and say so.

    With nothing to send, the remote is asked whether it is there, unless it was met just now.
    """
    sent = pusher.push(name)
    if not sent.rounds and not is_met:
        pusher.meet(name)
    say(*lines_of(sent))
    renew_notes(pusher.repository, sent)
    pusher.push_notes(name)  # where no push of records has carried them
    return 0


def say(*lines: str) -> None:
    """Tell the user, beside what the command prints."""
    sys.stdout.flush()  # where both go to one pipe, what was printed before comes first
    for line in lines:
        sys.stderr.write(safe(line) + "\n")


def lines_of(sent: Sent) -> list[str]:
    """Return what to say of a push."""
    tags = f" and {counted(sent.tags_count, 'tag')}" if sent.tags_count else ""
    if sent.records_count or sent.tags_count:
        said = f"lineage: sent {counted(sent.records_count, 'record')}{tags} to {sent.remote}"
    else:
        said = f"lineage: {sent.remote} is up to date"
    return [*warnings_of(sent), said]


def introduction(first: Outgoing) -> list[str]:
    """Return what to say before lineage goes to a remote for the first time."""
    return [f"lineage: for the first time, {first.remote} ({first.url}) gets", *sheet(first)]


def sheet(found: Outgoing) -> list[str]:
    """Return what a push sends, a line for each kind of it."""
    lines = [f"  {counted(found.records_count, 'record')}, {size(found.records_bytes)}"]
    if "log" in found.kept:
        lines.append("  no logs (lineage.pushLog)")
    elif found.log_bytes:
        lines.append(f"  in these {size(found.log_bytes)} of logs: what commands printed")
    if found.tags_count:
        lines.append(f"  {counted(found.tags_count, 'tag')}")
    if "code" in found.kept:
        lines.append("  no code (lineage.pushCode)")
    elif found.snapshots_count:
        snapshots = counted(found.snapshots_count, "snapshot")
        lines.append(f"  {snapshots} of code that is not published, {size(found.code_bytes)}")
    if found.uncommitted:
        lines.append(f"  {counted(len(found.uncommitted), 'file')} that no branch has so:")
        shown = found.uncommitted[:SHOWN]
        lines += [f"    {each.path}  {size(each.size)}" for each in shown]
        if len(found.uncommitted) > SHOWN:
            lines.append(f"    and {len(found.uncommitted) - SHOWN} more")
    return lines


def warnings_of(sent: Sent) -> list[str]:
    """Return what a push warns of."""
    return [f"warning: {each}" for each in sent.warnings]


def unsigned(repository: Repository) -> list[str]:
    """Return what to say where a record was to be signed, and is not."""
    why = repository.unsigned
    return [f"warning: the record is not signed: {why}"] if why else []


def counted(count: int, noun: str) -> str:
    """Return a count in words."""
    return f"{count} {noun}{'s' * (count != 1)}"


def renew_notes(repository: Repository, sent: Sent) -> None:
    """Make the notes tell of what others had sent meanwhile."""
    if sent.changed:
        from gitlineage.view import View  # rarely needed, and half of all that is imported

        view = View(repository)
        view.refresh()
        view.index.close()


def recover(repository: Repository) -> None:
    """Complete what a dead recorder left, so that it travels as well.

    What was appended is looked at by other commands: it is in the ledger, or a `git gc` took it.
    """
    folder = os.path.join(repository.lineage_dir, "running")
    names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    if any(len(name) == ID_LENGTH and f"{name}.commit" not in names for name in names):
        from gitlineage.recovery import recover  # 45 ms

        recover(repository)


def _limit(seconds: float) -> None:
    """Give up after that time, 0 for never: a silent server keeps no code waiting."""

    def stop(*_: object) -> None:
        raise TooLong(f"no answer within {seconds:g} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
