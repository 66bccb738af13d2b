"""What the index is asked, as SQL: which executions, who made and who used some content.

Each question takes an open file and reads it; none changes it, and none knows who asks.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
from gitlineage.index.rows import Problem, Row
from gitlineage.index.schema import KINDS, NAME_LENGTH, NAME_START
from gitlineage.index.spelling import (
    bound,
    key_of,
    shown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence
    from typing import Any


MANY = 10_000
"""Values that are asked for, from which on one look at all there are costs less."""

MOST = 500
"""Values bound at once: well below SQLite's limit."""

ROW = """
SELECT r.id, r.kind, r.name, r."commit", step.text, r.title, status.text, r.exit_code,
  r.started_at, r.finished_at, r.duration, agent.name, agent.email, host.text, code."commit",
  code.tree, r.is_adhoc, branch.text, r.command, r.parent, r.metadata, r.parameters, r.is_cut,
  r.inputs_count, r.outputs_count, r.warnings_count, r.is_recovered, r.reproduces,
  r.verdict, r.is_checkable, r.ends_count, d.version, d.target,
  CASE WHEN r.kind = 1 THEN (
    SELECT min(retired_at) FROM retirement WHERE deployment = r.name) END,
  CASE WHEN r.kind = 1 THEN (
    SELECT n.started_at FROM record n CROSS JOIN deployment m ON m.record = n.id
    WHERE n.is_shown AND n.kind = 1 AND n.step = r.step AND m.target IS d.target
      AND (n.started_at, n.name) > (r.started_at, r.name)
    ORDER BY n.started_at LIMIT 1) END
FROM record r
  LEFT JOIN text step ON step.id = r.step LEFT JOIN text status ON status.id = r.status
  LEFT JOIN text host ON host.id = r.host LEFT JOIN text branch ON branch.id = r.branch
  LEFT JOIN agent ON agent.id = r.agent LEFT JOIN code ON code.id = r.code
  LEFT JOIN deployment d ON d.record = r.id
"""


def tips(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the refs that were fed, and up to which commit."""
    return {shown(ref): tip for ref, tip in connection.execute('SELECT ref, "commit" FROM tip')}


# -- executions and deployments ----------------------------------------------------------------


def numbers_of(connection: sqlite3.Connection, names: Sequence[bytes]) -> list[int]:
    """Return the numbers of the records that are called so; of one name there may be several."""
    query = f"SELECT id, name FROM record WHERE {NAME_START} IN ({{}})"
    wanted = set(names)
    found = chunked(connection, query, list({each[:NAME_LENGTH] for each in wanted}))
    return [number for number, name in found if name in wanted]


def rows(connection: sqlite3.Connection, names: Sequence[bytes]) -> list[Row]:
    """Return the executions and deployments of those names."""
    query = ROW + "WHERE r.is_shown AND r.kind < 2 AND r.id IN ({})"
    found = chunked(connection, query, numbers_of(connection, names))
    return with_later(connection, list(map(Row, found)))


def costs(connection: sqlite3.Connection, names: Sequence[bytes]) -> list[tuple[bytes, str, str]]:
    """Return what executions cost: amount and currency of those that have a price."""
    return chunked(
        connection,
        "SELECT r.name, c.amount, c.currency FROM record r JOIN cost c ON c.record = r.id"
        " WHERE r.is_shown AND r.id IN ({})",
        numbers_of(connection, names),
    )


def said(connection: sqlite3.Connection, subjects: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """Return what was said of executions and of content, the last said last."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM said)").fetchone()[0]:
        return []
    found = chunked(
        connection,
        'SELECT subject, "values", said_at, record FROM said WHERE subject IN ({})',
        subjects,
    )
    found.sort(key=lambda row: row[2:])
    return [row[:2] for row in found]


def with_later(connection: sqlite3.Connection, rows: list[Row]) -> list[Row]:
    """Return executions with the metadata that was added to them later."""
    by_name = {bytes.fromhex(row.id): row for row in rows}
    for name, text in said(connection, list(by_name)):
        by_name[name].add_later(text)
    return rows


def names_between(
    connection: sqlite3.Connection, span: tuple[bytes, bytes], limit: int
) -> list[bytes]:
    """Return the names of executions and deployments from one to another, in order."""
    found = connection.execute(
        f"SELECT name FROM record WHERE {NAME_START} BETWEEN ? AND ? AND name BETWEEN ? AND ?"
        " AND is_shown AND kind < 2 ORDER BY name LIMIT ?",
        (*(each[:NAME_LENGTH] for each in span), *span, limit),
    )
    return [name for (name,) in found]


def digests_between(
    connection: sqlite3.Connection, span: tuple[bytes, bytes], limit: int
) -> list[bytes]:
    """Return known digests from one to another, in order."""
    found = connection.execute(
        "SELECT digest FROM content WHERE id BETWEEN ? AND ? AND digest BETWEEN ? AND ?"
        " AND length(digest) = 32 UNION SELECT digest FROM collided WHERE digest BETWEEN ? AND ?"
        " ORDER BY digest LIMIT ?",
        (*map(key_of, span), *span, *span, limit),
    )
    return [digest for (digest,) in found]


def nth_newest(connection: sqlite3.Connection, n: int, step: str | None) -> bytes | None:
    """Return the name of the newest execution (0), the one before it (1), and so on."""
    where, values = "", []
    if step is not None:
        where, values = "AND step = (SELECT id FROM text WHERE text = ?)", [bound(step)]
    found = connection.execute(
        f"SELECT name FROM record WHERE is_shown AND kind = 0 {where}"
        " ORDER BY started_at DESC, name LIMIT 1 OFFSET ?",
        (*values, n),
    ).fetchone()
    return None if found is None else found[0]


def children(connection: sqlite3.Connection, names: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Return executions and those that they started, oldest first."""
    return chunked(
        connection,
        "SELECT parent, name FROM record WHERE is_shown AND kind = 0"
        " AND parent IN ({}) ORDER BY started_at, name",
        names,
    )


def reproductions(
    connection: sqlite3.Connection, names: Sequence[bytes]
) -> list[tuple[bytes, bytes]]:
    """Return executions and those that reproduce them, oldest first."""
    return chunked(
        connection,
        "SELECT reproduces, name FROM record WHERE is_shown AND kind = 0"
        " AND reproduces IN ({}) ORDER BY started_at, name",
        names,
    )


def count(connection: sqlite3.Connection) -> int:
    """Return how many executions there are."""
    found = connection.execute("SELECT count(*) FROM record WHERE is_shown AND kind = 0")
    return int(found.fetchone()[0])


def records_count(connection: sqlite3.Connection) -> int:
    """Return how many records there are, of all kinds."""
    return int(connection.execute("SELECT count(*) FROM record").fetchone()[0])


def problems(connection: sqlite3.Connection) -> list[Problem]:
    """Return the records that could not be read."""
    found = connection.execute(
        'SELECT kind, "commit", name, is_checkable, title FROM record'
        " WHERE kind > 1 AND kind < 4 ORDER BY +id"
    )
    return [
        Problem(
            kind=KINDS[kind],
            commit=commit.hex(),
            id=name.hex() if is_named else None,
            reason=reason,
        )
        for kind, commit, name, is_named, reason in found
    ]


# -- tags --------------------------------------------------------------------------------------


def tags(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """Return all tags: the tag, a member, and when that one got it."""
    found = connection.execute("SELECT tag, member, added_at FROM tagged")
    return [(shown(tag), shown(member), at) for tag, member, at in found]


def tags_of(connection: sqlite3.Connection, ids: Collection[str]) -> list[tuple[str, str]]:
    """Return executions and digests and their tags, in order of tags."""
    count = "SELECT count(*) FROM tagged"
    if len(ids) > MANY and len(ids) * 4 > connection.execute(count).fetchone()[0]:
        found = connection.execute("SELECT member, tag FROM tagged ORDER BY tag")
        named = ((shown(each), shown(tag)) for each, tag in found)
        named = ((each if len(each) < 64 else f"blake3:{each}", tag) for each, tag in named)
        return [(each, tag) for each, tag in named if each in ids]
    wanted = {each.removeprefix("blake3:"): each for each in ids}
    query = "SELECT member, tag FROM tagged WHERE member IN ({}) ORDER BY tag"
    rows = chunked(connection, query, list(map(bound, wanted)))
    return [(wanted[shown(member)], shown(tag)) for member, tag in rows]


# -- any number of values ----------------------------------------------------------------------


def chunked(
    connection: sqlite3.Connection, query: str, values: Sequence[Any], *first: Any
) -> list[Any]:
    """Return the rows of a query with `IN ({})` for any number of values, bound after others."""
    found: list[Any] = []
    for start in range(0, len(values), MOST):
        chunk = values[start : start + MOST]
        # Few different texts, so that statements stay prepared.
        size = next(size for size in (1, 8, 64, MOST) if size >= len(chunk))
        padded = [*chunk, *([None] * (size - len(chunk)))]
        marks = ",".join("?" * size)
        found += connection.execute(query.format(marks), [*first, *padded]).fetchall()
    return found
