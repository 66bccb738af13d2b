"""What aliases stand for and what is deployed, as SQL. Knows no record and not who asks."""

from __future__ import annotations

# Statements are put together from constants of this package; every value is bound.
from gitlineage.index.questions import ROW, chunked
from gitlineage.index.rows import Move, Row
from gitlineage.index.spelling import bound, digests_of, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

_MOVE = """
SELECT a.alias, a.moved_at, a.digest, path.text, r.name, r.kind, r.title, agent.name, agent.email
FROM alias a CROSS JOIN record r ON r.id = a.record
  LEFT JOIN text path ON path.id = a.path LEFT JOIN agent ON agent.id = r.agent
WHERE a.alias = ? {}
ORDER BY a.moved_at DESC, r.name DESC, a.position DESC
"""
_LAST = _MOVE.format("AND a.moved_at = (SELECT max(moved_at) FROM alias WHERE alias = a.alias)")

# One look into the index of names for each alias, however often it was moved.
_NAMES = """
WITH RECURSIVE known (alias) AS (
  SELECT min(alias) FROM alias
  UNION ALL SELECT (SELECT min(alias) FROM alias WHERE alias > known.alias) FROM known
  WHERE known.alias IS NOT NULL
) SELECT alias FROM known WHERE alias IS NOT NULL
"""


def deployments(connection: sqlite3.Connection, name: str | None) -> list[Row]:
    """Return the deployments of a name, or all, newest first."""
    where, values = "", []
    if name is not None:
        where, values = "AND r.step = (SELECT id FROM text WHERE text = ?)", [bound(name)]
    found = connection.execute(
        f"{ROW} WHERE r.is_shown AND r.kind = 1 {where} ORDER BY r.started_at DESC, r.name DESC",
        values,
    )
    return list(map(Row, found))


def retirement(
    connection: sqlite3.Connection, names: Sequence[bytes]
) -> tuple[str, str | None] | None:
    """Return who has ended a deployment first, and why."""
    found = chunked(
        connection,
        "SELECT agent.name, r.title FROM retirement t CROSS JOIN record r ON r.id = t.record"
        " LEFT JOIN agent ON agent.id = r.agent WHERE t.deployment IN ({})"
        " ORDER BY t.retired_at, r.name",
        names,
    )
    return (shown(found[0][0]), found[0][1]) if found else None


def last_move(connection: sqlite3.Connection, alias: str) -> Move | None:
    """Return the move of an alias that counts."""
    found = connection.execute(_LAST, (bound(alias),)).fetchone()
    return None if found is None else Move(found)


def last_moves(connection: sqlite3.Connection) -> list[Move]:
    """Return the moves that count, one for each alias."""
    names = connection.execute(_NAMES).fetchall()
    return [Move(connection.execute(_LAST, name).fetchone()) for name in names]


def moves(connection: sqlite3.Connection, alias: str) -> list[Move]:
    """Return all moves of an alias, newest first."""
    return list(map(Move, connection.execute(_MOVE.format(""), (bound(alias),))))


def ever_of(connection: sqlite3.Connection, digests: Iterable[str]) -> list[str]:
    """Return the aliases that stand for content, or once did."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM alias)").fetchone()[0]:
        return []
    query = "SELECT DISTINCT alias FROM alias WHERE digest IN ({})"
    return sorted({alias for (alias,) in chunked(connection, query, digests_of(digests))})
