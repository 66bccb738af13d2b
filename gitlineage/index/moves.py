"""What aliases stand for, and which deployments have ended, as rows of the tables.

Knows which records say so; must not know which of several moves counts.
"""

from __future__ import annotations

from gitlineage import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import Any

SAID = "valohai.alias"
"""The key of metadata whose value is an alias for the content that it is said of."""


class Moves:
    """Rows that are to be written together."""

    def __init__(self, connection: sqlite3.Connection, text_key: Callable[[Any], int]) -> None:
        self._connection = connection
        self._text_key = text_key
        self._moves: list[tuple[Any, ...]] = []
        self._retirements: list[tuple[int, bytes, int]] = []

    def move(self, id: int, record: Any) -> None:
        """Take an alias's own record."""
        name, artifact = record["name"], record.get("artifact")
        if not named.is_alias(name):
            raise ValueError("its name cannot be one")
        if artifact is None:
            self._moves.append((name, record["moved_at"], id, 0, None, None))
            return
        self._add(id, name, record["moved_at"], artifact["digests"]["blake3"], artifact["path"])

    def say(self, id: int, content: bytes, at: int, says: Any) -> None:
        """Take metadata, which may ask for an alias in Valohai's words."""
        name = says["values"].get(SAID)
        if type(name) is str and named.is_alias(name) and len(content) == 32:
            self._add(id, name, at, content, says.get("path") or "")

    def _add(self, id: int, name: str, at: int, content: Any, path: Any) -> None:
        if type(content) is not bytes or len(content) != 32:
            raise TypeError("a digest is not one")
        position = len(self._moves)
        self._moves.append((name, at, id, position, content, self._text_key(path)))

    def retire(self, id: int, record: Any) -> None:
        """Take the end of a deployment."""
        ended = bytes.fromhex(record["deployment"])
        if len(ended) != 20:
            raise ValueError("it names no deployment")
        self._retirements.append((id, ended, record["retired_at"]))

    def forget(self, id: int) -> None:
        """Leave out what a record says that turned out to be none."""
        self._moves = [each for each in self._moves if each[2] != id]
        self._retirements = [each for each in self._retirements if each[0] != id]

    def write(self) -> None:
        """Write what was taken."""
        if self._retirements:
            self._connection.executemany("INSERT INTO retirement VALUES (?,?,?)", self._retirements)
        if self._moves:
            self._connection.executemany("INSERT INTO alias VALUES (?,?,?,?,?,?)", self._moves)
        self._moves.clear()
        self._retirements.clear()
