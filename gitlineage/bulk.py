"""Appends the records of executions that something else has run: one, or many at a time.

Knows what belongs to such a record; nothing was watched here, so there is nothing to collect.
"""

from __future__ import annotations

from gitlineage import digest, encoding
from gitlineage.capture import masking_of
from gitlineage.commits import Identity
from gitlineage.ledger import Ledger
from gitlineage.messages import message_of
from gitlineage.records.execution import Execution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitlineage.masking import Masking
    from gitlineage.records.end import End
    from gitlineage.records.launch import Launch
    from gitlineage.repository import Repository

    New = tuple[dict[str, bytes | str], str, Identity]

TOGETHER = 1000
"""Records that go into one pack and move the ref once."""


def append(repository: Repository, launch: Launch, end: End, log: bytes = b"") -> Execution:
    """Append the record of one execution; `end.execution` is filled in."""
    launch, end, record = _record(masking_of(repository), launch, end, log)
    (commit,) = Ledger(repository).append_all([record])
    repository.writer.maintain()
    return Execution(id=end.execution, launch=launch, end=end, commit=commit)


def append_all(repository: Repository, executions: Iterable[tuple[Launch, End]]) -> list[str]:
    """Append the records of many executions, straight into packs; return their ids.

    What was appended stays when a later one is refused. Each loose record is four files, and
    making a file is what appending costs.
    """
    ledger = Ledger(repository)
    masking = masking_of(repository)
    ids: list[str] = []
    batch: list[New] = []
    for launch, end in executions:
        _, end, record = _record(masking, launch, end, b"")
        ids.append(end.execution)
        batch.append(record)
        if len(batch) == TOGETHER:
            ledger.append_all(batch)
            batch = []
    if batch:
        ledger.append_all(batch)
    repository.writer.maintain()
    return ids


def _record(masking: Masking, launch: Launch, end: End, log: bytes) -> tuple[Launch, End, New]:
    launch = masking.launch(launch, encoding.encode(launch))
    content = encoding.encode(launch)
    end = masking.end(end, encoding.encode(end))
    log = masking.mask(log, "the log")
    end = end.replace(masked=(*end.masked, *masking.found()))
    end = end.replace(execution=digest.execution_id(content))
    parts: dict[str, bytes | str] = {"launch": content, "record": encoding.encode(end)}
    if log:
        parts["log"] = log
    who = launch.agent
    author = Identity(name=who.name, email=who.email, at=launch.started_at // 1_000_000)
    return launch, end, (parts, message_of(launch, end, end.execution), author)
