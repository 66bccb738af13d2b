"""Questions in SQL that others have written: they read, for a while, and do nothing else.

Knows what SQLite lets be forbidden; must not know what is asked.
"""

from __future__ import annotations

import sqlite3
import time

from gitlineage.errors import InvalidQuery, QueryTooLong

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

LONGEST = 64 << 20
"""Bytes of a value that a query may make."""


class Answer:
    """The names of the columns, and the rows as they are read."""

    def __init__(self, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.rows = rows


def ask(connection: sqlite3.Connection, query: str, seconds: float) -> Answer:
    """Return what a query answers. Raises InvalidQuery, and while it is read QueryTooLong."""
    rows = _rows(connection, query, seconds)
    columns = next(rows)
    return Answer(columns, rows)


def _rows(connection: sqlite3.Connection, query: str, seconds: float) -> Iterator[tuple[Any, ...]]:
    end = time.monotonic() + seconds
    longest = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.execute("PRAGMA query_only = ON")
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    connection.set_authorizer(_authorize)
    try:
        cursor = connection.execute(query)
        if cursor.description is None:
            raise InvalidQuery(reason="it asks for nothing")
        yield tuple(column[0] for column in cursor.description)
        yield from cursor
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
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
        connection.execute("PRAGMA query_only = OFF")


def _authorize(action: int, _: str | None, name: str | None, *_where: str | None) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (name or "").lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
