"""What is said later, of an execution or of content."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record
from gitlineage.records.launch import Agent, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Metadata(Record):
    """Metadata that was added later, to an execution or to content."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "metadata"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: saying the same twice is two records."""
    subject: str
    """What it is about: the id of an execution, or the 64 digits of a content's digest."""
    path: str | None = None
    """Of content: what it was called when this was said."""
    values: Mapping[str, Any]
    """Key to value; of what was said at several times the last counts."""
    set_at: int
    """When."""
    agent: Agent
    """Who said so."""
    software: Software
    """What recorded it."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""
