"""Appends the records of executions that something else has run: one, or many at a time.

Knows what belongs to such a record; nothing was watched here, so there is nothing to collect.
`making` makes the objects of records, `deltas` what differs between those that are alike, `workers`
does that on all cores, `storing` puts them into packs.
"""

from __future__ import annotations

import itertools

from gitlineage import digest, encoding
from gitlineage.bulk.making import Maker
from gitlineage.bulk.storing import Store
from gitlineage.bulk.workers import Workers
from gitlineage.capture import masking_of
from gitlineage.commits import Identity
from gitlineage.errors import InvalidLine
from gitlineage.ledger import Ledger
from gitlineage.messages import message_of
from gitlineage.records.execution import Execution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Set

    from gitlineage.bulk.making import Chunk
    from gitlineage.records.end import End
    from gitlineage.records.launch import Launch
    from gitlineage.repository import Repository

TOGETHER = 20_000
"""Records that go into one pack and move the ref once: all of them or none."""

CHUNK = 500
"""Records that are made at once."""


def append(repository: Repository, launch: Launch, end: End, log: bytes = b"") -> Execution:
    """Append the record of one execution; `end.execution` is filled in."""
    masking = masking_of(repository)
    content = encoding.encode(launch)
    masked = masking.launch(launch, content)
    if masked is not launch:
        launch, content = masked, encoding.encode(masked)
    identity = digest.execution_id(content)
    end = end.replace(execution=identity)
    record = encoding.encode(end)
    known, log = masking.end(end, record), masking.mask(log, "the log")
    found = masking.found()
    if known is not end or found:
        end = known.replace(masked=(*known.masked, *found), execution=identity)
        record = encoding.encode(end)
    parts: dict[str, bytes | str] = {"launch": content, "record": record}
    if log:
        parts["log"] = log
    who = launch.agent
    author = Identity(name=who.name, email=who.email, at=launch.started_at // 1_000_000)
    message = message_of(launch, end, end.execution)
    commit = Ledger(repository).append(parts, message, author)
    repository.writer.maintain()
    return Execution(id=end.execution, launch=launch, end=end, commit=commit)


def append_all(
    repository: Repository,
    executions: Iterable[tuple[Launch, End]] | Iterable[bytes],
    known: Callable[[Sequence[str]], set[str]] = lambda ids: set(),
    forgotten: Set[str] = frozenset(),
    on_refused: Callable[[Sequence[str]], None] = lambda ids: None,
) -> Iterator[str]:
    """Append the records of many executions, straight into packs; yield their ids.

    They are pairs of launch and end, or lines as `lines` reads them. One that states its id and
    is `known` is left out, and so is what was `forgotten`, of which `on_refused` is told.
    What was appended stays when a later one is refused: each batch of
    `TOGETHER` is appended as a whole or not at all. Raises InvalidLine.
    """
    maker = Maker(masking_of(repository), repository.algorithm())
    numbered = iter(executions)
    chunks = iter(lambda: list(itertools.islice(numbered, CHUNK)), [])
    batch: list[Chunk] = []
    count = 0
    with Workers(maker) as workers, Store(repository) as store:
        for made in workers.make(chunks):
            if made.problem:
                number, reason = made.problem
                store.finish()
                appended = count - sum(each.count for each in batch)
                raise InvalidLine(line=count + number + 1, reason=reason, appended=appended)
            count += made.count
            if forgotten and (refused := made.refuse(forgotten)):
                on_refused(refused)
            if made.are_stated:
                made.leave_out(known(made.ids))
            batch.append(made)
            if sum(len(each.ids) for each in batch) >= TOGETHER:
                yield from store.start(batch)
                batch = []
        yield from store.start(batch)
        yield from store.finish()
    repository.writer.maintain()
