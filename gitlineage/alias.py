"""Moves aliases, which stand for content, by appending a record of each move.

Nothing but records: two copies that moved an alias become one by union, and the later move counts.
"""

from __future__ import annotations

import os
import time

from gitlineage import encoding, named
from gitlineage.capture import agent_of, identity, masking_of, software
from gitlineage.errors import InvalidAlias
from gitlineage.ledger import Ledger
from gitlineage.messages import alias_message
from gitlineage.records.alias import Alias

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.index import Move
    from gitlineage.records.artifact import Artifact
    from gitlineage.repository import Repository


def check(name: str) -> None:
    """Raise InvalidAlias where a name cannot be one."""
    if not named.is_alias(name):
        raise InvalidAlias(name=name)


def move(
    repository: Repository, name: str, artifact: Artifact | None, last: Move | None, message: str
) -> None:
    """Let an alias stand for other content, or for none, after the last move that is known."""
    check(name)
    now = int(time.time() * 1_000_000)
    alias = Alias(
        nonce=os.urandom(16),
        name=name,
        artifact=artifact,
        # Clocks disagree: who has seen a move and moves on does so later than it.
        moved_at=now if last is None else max(now, last.moved_at + 1),
        agent=agent_of(repository)[0],
        software=software(),
        message=message or None,
    )
    alias = masking_of(repository).record(alias)
    parts = {"record": encoding.encode(alias)}
    Ledger(repository).append(parts, alias_message(alias), identity(repository))
