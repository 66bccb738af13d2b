"""What is left where records were forgotten."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record
from gitlineage.records.launch import Agent, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Redaction(Record):
    """What was forgotten of a month, by whom and why; the month goes on in another generation."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "redaction"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: forgetting the same twice is two records."""
    month: str
    """The month, `2026-11`."""
    generation: int
    """Under which number it goes on: `<month>.<generation>`."""
    forgotten: tuple[str, ...] = ()
    """Ids of executions and deployments that are gone."""
    rewritten: tuple[str, ...] = ()
    """Ids of those of which only some text is gone."""
    records_count: int
    """How many records were forgotten or rewritten."""
    forgotten_at: int
    """When."""
    agent: Agent
    """Who did it."""
    software: Software
    """What recorded it."""
    message: str
    """Why."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""
