"""Values that many rows have in common, stored once: paths, agents, code.

Knows keys; knows nothing of what the values mean.
"""

from __future__ import annotations

# Statements are put together from constants; every value is bound.
# ruff: noqa: S608
from gitlineage.index.schema import SUCCEEDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from typing import Any


class Interned:
    """Keys of values that are stored once; the values seen lately are remembered."""

    def __init__(self, connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> None:
        self.known: dict[Any, int] = {}
        self._connection = connection
        match = " AND ".join(f'"{each}" IS ?' for each in columns)
        self._select = f"SELECT id FROM {table} WHERE {match}"
        self._insert = f"INSERT INTO {table} VALUES ({', '.join('?' * (len(columns) + 1))})"
        highest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
        self._next = (highest or 0) + 1
        self._is_complete = highest is None
        if table == "text":
            self._is_complete = highest == SUCCEEDED
            self.known["succeeded"] = SUCCEEDED
        self._new: list[tuple[Any, ...]] = []

    def key(self, known_as: Any, values: Sequence[Any]) -> int:
        """Return the key of values that `known` lacks, and remember it."""
        if not self._is_complete:
            row = self._connection.execute(self._select, values).fetchone()
            if row is not None:
                self.known[known_as] = row[0]
                return int(row[0])
        key = self.known[known_as] = self._next
        self._next += 1
        self._new.append((key, *values))
        return key

    def write(self) -> None:
        """Write what is new."""
        self._connection.executemany(self._insert, self._new)
        self._new.clear()
        if len(self.known) > 300_000:  # 100 MB
            self.known.clear()
            self._is_complete = False
