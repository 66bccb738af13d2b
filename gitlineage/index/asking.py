"""Questions in SQL that others have written: they read, for a while, and do nothing else.

Knows what SQLite lets be forbidden; must not know what is asked.
"""

from __future__ import annotations

import sqlite3
import time

from gitlineage.errors import InvalidQuery, QueryTooLarge, QueryTooLong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_ALLOWED = frozenset((
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
))  # fmt: skip

_FORBIDDEN_FUNCTIONS = frozenset(("load_extension", "fts3_tokenizer", "edit", "writefile"))

STEPS = 20_000
"""Instructions of SQLite between two looks at the clock."""

LONGEST = 4 << 20
"""Bytes of a value that a query may make: the longer, the longer one function may take."""

LONGEST_PATTERN = 1000
"""Bytes of a pattern of LIKE or GLOB: it is looked for at each place of a value."""


class Answer:
    """The names of the columns, and the rows as they are read."""

    def __init__(self, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.rows = rows


def ask(
    connection: sqlite3.Connection, query: str, seconds: float, memory: int | None = None
) -> Answer:
    """Return what a query answers. Raises InvalidQuery; while it is read QueryTooLong, -Large.

    `memory` is how many bytes SQLite may have, from now on and in all of this process: SQLite
    takes no such limit back.
    """
    if memory is not None:
        connection.execute(f"PRAGMA hard_heap_limit = {memory}")
    rows = _rows(connection, query, seconds)
    columns = next(rows)
    return Answer(columns, rows)


def _rows(connection: sqlite3.Connection, query: str, seconds: float) -> Iterator[tuple[Any, ...]]:
    clock = _Clock(seconds)
    limits = {
        kind: connection.setlimit(kind, limit)
        for kind, limit in (
            (sqlite3.SQLITE_LIMIT_LENGTH, LONGEST),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN),
        )
    }
    connection.execute("PRAGMA query_only = ON")
    connection.set_progress_handler(clock.is_over, STEPS)
    connection.set_authorizer(_authorize)
    try:
        clock.start()
        cursor = connection.execute(query)
        if cursor.description is None:
            raise InvalidQuery(reason="it asks for nothing")
        clock.stop()
        yield tuple(column[0] for column in cursor.description)
        while True:
            clock.start()
            row = cursor.fetchone()
            clock.stop()
            if row is None:
                return
            yield row
    except MemoryError as error:
        raise QueryTooLarge() from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            raise QueryTooLong(seconds=f"{seconds:g}") from error
        # A view is refused before the authorizer hears of it, with no code of its own.
        if code == sqlite3.SQLITE_AUTH or str(error).startswith("cannot modify "):
            raise InvalidQuery(reason="a query can only read") from error
        raise InvalidQuery(reason=str(error)) from error
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
        for kind, limit in limits.items():
            connection.setlimit(kind, limit)
        connection.execute("PRAGMA query_only = OFF")


class _Clock:
    """The time that SQLite has taken; not that of whoever reads what it answers."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to count."""
        self._began = time.monotonic()

    def stop(self) -> None:
        """End to count."""
        self._left -= time.monotonic() - self._began

    def is_over(self) -> bool:
        """Tell whether it has taken all that it may."""
        return time.monotonic() - self._began > self._left


def _authorize(action: int, _: str | None, name: str | None, *_where: str | None) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (name or "").lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
