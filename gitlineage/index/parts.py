"""The parts of a stored record, opened: what it is called, and whether this version understands it.

Knows formats and ids; knows no tables.
"""

from __future__ import annotations

from gitlineage import digest, encoding
from gitlineage.errors import InvalidRecord
from gitlineage.index.schema import DAMAGED, NEWER
from gitlineage.index.spelling import id_of
from gitlineage.records import FORMAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.ledger import Stored

ONE_PART = ("deployment", "retirement", "alias", "metadata", "redaction")
"""Kinds whose ids are over their record part alone."""

LONGEST_REASON = 500
"""Characters kept of why a record cannot be read."""


class Unreadable(Exception):
    """A record that is not what it should be: why."""

    kind = DAMAGED


class TooNew(Unreadable):
    """A record of a later version: what it says."""

    kind = NEWER


def opened_in(stored: Stored, part: bytes) -> Any:
    """Return what a part of a record holds. Raises InvalidRecord."""
    return encoding.unpack_plain(part) if stored.is_plain else encoding.unpack(part)


def name_in(stored: Stored) -> tuple[bytes, Any]:
    """Return what a record is called, and its record part where that had to be decoded for it.

    An execution has its id, also where only an end is left; other kinds the record id over their
    record part, which names all else that they have by digest; what cannot be read, its tree.
    """
    if stored.launch is not None:
        own = stored.execution or bytes.fromhex(digest.execution_id(stored.launch))
        return _redacted(stored.launch) or own, None
    unnamed = bytes.fromhex(stored.tree)[:20]
    if stored.record is None:
        return unnamed, None
    try:
        opened = opened_in(stored, stored.record)
    except InvalidRecord:
        return unnamed, None
    if type(opened) is dict:
        if (kind := opened.get("kind")) in ONE_PART:
            return record_name(kind, stored.record), opened
        name = id_of(opened.get("execution"))
        if name is not None and len(name) == 20:
            return name, opened
    return unnamed, opened


def _redacted(launch: bytes) -> bytes | None:
    """Return the id of an execution whose launch part had something taken out of it."""
    if b"redacted" not in launch:
        return None
    try:
        opened = encoding.unpack(launch)
    except InvalidRecord:
        return None
    name = id_of(opened.get("redacted")) if type(opened) is dict else None
    return name if name is not None and len(name) == 20 else None


def deployment_name(record: bytes) -> bytes:
    """Return the id of a deployment, as bytes, from its record part."""
    return record_name("deployment", record)


def record_name(kind: str, record: bytes) -> bytes:
    """Return the id of a record that has one part, as bytes."""
    return bytes.fromhex(digest.record_id(kind, [("record", record)]))


def checked(opened: Any) -> Any:
    """Return the map of a part that this version understands."""
    if type(opened) is not dict:
        raise Unreadable("not a map")
    found = opened.get("format")
    if type(found) is not int or found < 1:
        raise Unreadable("it names no format")
    if found > FORMAT:
        raise TooNew(f"format {found}")
    return opened


def reason(error: Exception) -> str:
    """Return why a record cannot be read."""
    if isinstance(error, InvalidRecord):
        reason = str(error.facts["reason"])
    elif isinstance(error, KeyError):
        reason = f"{error.args[0]} is missing"
    else:
        reason = str(error)
    return reason.encode(errors="replace").decode()[:LONGEST_REASON]
