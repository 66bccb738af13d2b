"""How text, ids and digests stand in the file, and back. Knows no record and no question."""

from __future__ import annotations

import os

from gitlineage import digest, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


def shown(value: object) -> str:
    """Return stored text as it was."""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    return value if isinstance(value, str) else ""


def bound(text: str) -> str | bytes:
    """Return text as it is stored: bytes where it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def as_stored(value: object) -> str | bytes:
    """Return text of a record as it is stored; the codec has bytes where it is not UTF-8."""
    if type(value) is str:
        return value
    if type(value) is not bytes:
        raise TypeError("text is missing")
    return bound(os.fsdecode(value))


def id_of(text: object) -> bytes | None:
    """Return the bytes of an id, or None for what is not one."""
    try:
        return bytes.fromhex(text)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None


def names_of(ids: Iterable[str]) -> list[bytes]:
    """Return ids of executions and deployments as they are stored; what is no id is left out."""
    return [each for each in map(id_of, ids) if each is not None and len(each) == 20]


def digest_of(text: str) -> bytes | None:
    """Return the digest that is spelled so, or None for anything else.

    What is known by another name only is stored as the digest of that name, and the name.
    """
    if text.startswith("blake3:"):
        found = id_of(text[7:])
        return found if found is not None and len(found) == 32 else None
    return named(text) if identity.is_name(text) else None


def named(name: str) -> bytes:
    """Return how content is stored that has a name and no digest of ours."""
    text = os.fsencode(name)
    return digest.of_bytes(text) + text


def text_of(found: bytes) -> str:
    """Return how a stored digest is spelled: `blake3:<hex>`, or another name."""
    return digest.of_text(found) if len(found) == 32 else os.fsdecode(found[32:])


def digests_of(texts: Iterable[str]) -> list[bytes]:
    """Return the digests that are spelled so; what is none is left out."""
    return [each for each in map(digest_of, texts) if each is not None]


def span_of(prefix: str, length: int) -> tuple[bytes, bytes] | None:
    """Return the smallest and the largest id that start so."""
    low, high = id_of(prefix.ljust(length, "0")), id_of(prefix.ljust(length, "f"))
    if low is None or high is None or len(low) != length // 2 or " " in prefix:
        return None
    return low, high


def key_of(found: bytes) -> int:
    """Return the key that a digest has, unless another came first with the same."""
    return int.from_bytes(found[:4], "big") >> 1


def content_key(connection: sqlite3.Connection, found: bytes) -> int | None:
    """Return the key of a digest that is known."""
    key = key_of(found)
    row = connection.execute("SELECT digest FROM content WHERE id = ?", (key,)).fetchone()
    if row is None or row[0] == found:
        return None if row is None else key
    row = connection.execute("SELECT id FROM collided WHERE digest = ?", (found,)).fetchone()
    return None if row is None else row[0]


def prefix_of(found: bytes) -> tuple[int, bytes]:
    """Return a digest as a directory's entry has it: 63 bits to look it up by, and what is left."""
    return int.from_bytes(found[:8], "big") >> 1, found[7:]


def whole_of(prefix: int, rest: bytes) -> bytes:
    """Return the digest that an entry has."""
    return (prefix >> 7).to_bytes(7, "big") + rest
