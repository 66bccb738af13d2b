"""Names for content that can be moved."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record
from gitlineage.records.artifact import Artifact
from gitlineage.records.launch import Agent, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Alias(Record):
    """One move of an alias: from then on the name stands for this content, or for none."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "alias"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: the same move twice is two records."""
    name: str
    """The alias; of all its moves the one with the latest `moved_at` counts."""
    artifact: Artifact | None = None
    """The content that it stands for; none where the alias was deleted."""
    moved_at: int
    """When; later than the move that was known to be the last."""
    agent: Agent
    """Who moved it."""
    software: Software
    """What recorded it."""
    message: str | None = None
    """Why."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""
