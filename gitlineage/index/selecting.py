"""Which executions fit what is asked for, as SQL: by what is said of them, and by what they had.

What an execution had is also what is in the directories that it had. Knows nothing of who asks.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
from gitlineage.index.conditions import as_sql, narrowed
from gitlineage.index.holding import has_any, holders_of, made_inside, parts_at
from gitlineage.index.mentions import keys_of
from gitlineage.index.questions import ROW, chunked, numbers_of, with_later
from gitlineage.index.rows import Row
from gitlineage.index.schema import INPUT, SUCCEEDED
from gitlineage.index.spelling import (
    bound,
    content_key,
    digest_of,
    id_of,
    names_of,
    shown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gitlineage.index.rows import Filters


def executions(connection: sqlite3.Connection, filters: Filters, limit: int | None) -> list[Row]:
    """Return executions, newest first: by start, then by id."""
    if filters.where is not None:
        filters = narrowed(filters)
    where = ["r.is_shown", "r.kind = 0"]
    values: list[Any] = []
    if filters.step is not None:
        where.append("r.step = (SELECT id FROM text WHERE text = ?)")
        values.append(bound(filters.step))
    if filters.status is not None:
        where.append("r.status = (SELECT id FROM text WHERE text = ?)")
        values.append(bound(filters.status))
        if filters.status != "succeeded":
            where.append(f"r.status <> {SUCCEEDED}")
    if filters.tag is not None:
        members = connection.execute(
            "SELECT member FROM tagged WHERE tag = ?", (bound(filters.tag),)
        ).fetchall()
        names = names_of(member for (member,) in members)
        where.append("r.id IN (SELECT id FROM wanted)")
        _want(connection, numbers_of(connection, names))
    if filters.author is not None:
        part = filters.author.casefold()
        agents = [
            str(number)
            for number, *who in connection.execute("SELECT id, name, email FROM agent")
            if any(part in shown(each).casefold() for each in who)
        ]
        where.append(f"r.agent IN ({','.join(agents)})")
    if filters.since is not None:
        where.append("r.started_at >= ?")
        values.append(filters.since)
    if filters.until is not None:
        where.append("r.started_at <= ?")
        values.append(filters.until)
    if filters.commit is not None:
        where.append('r.code IN (SELECT id FROM code WHERE tree IN (?, ?) OR "commit" = ?)')
        values += [id_of(filters.commit), id_of(filters.tree), id_of(filters.commit)]
    for asked, direction in ((filters.uses, "= 0"), (filters.produces, "IN (1, 3)")):
        if asked is None:
            continue
        wanted = digest_of(asked)
        if wanted is None:
            what = "path = (SELECT id FROM text WHERE text = ?)"
            values.append(bound(asked))
        else:
            what = "content = ?"
            values.append(content_key(connection, wanted))
        had = f"SELECT record FROM artifact WHERE {what} AND direction {direction}"
        if has_any(connection):
            find = _users_of_folders if direction == "= 0" else _makers_in_folders
            had += " UNION ALL SELECT value FROM json_each(?)"
            values.append(str(find(connection, asked, wanted)))
        where.append(f"r.id IN ({had})")
    if filters.where is not None:
        condition, bounds = as_sql(filters.where)
        where.append(condition)
        values += bounds
    values.append(-1 if limit is None else limit)
    found = connection.execute(
        f"{ROW} WHERE {' AND '.join(where)} ORDER BY r.started_at DESC, r.name LIMIT ?", values
    )
    return with_later(connection, list(map(Row, found.fetchall())))


def _users_of_folders(
    connection: sqlite3.Connection, asked: str, wanted: bytes | None
) -> list[int]:
    """Return the records that used a directory with that content, or with a part at that path."""
    if wanted is not None:
        keys = list(keys_of(connection, list(holders_of(connection, [wanted]))).values())
        query = f"SELECT record FROM artifact WHERE content IN ({{}}) AND direction = {INPUT}"
        return [record for (record,) in chunked(connection, query, keys)]
    found = []
    for folder, inside in _above(asked):
        had = connection.execute(
            "SELECT c.digest, a.record FROM artifact a CROSS JOIN content c ON c.id = a.content"
            f" WHERE a.path = (SELECT id FROM text WHERE text = ?) AND a.direction = {INPUT}",
            (bound(folder),),
        ).fetchall()
        holding = parts_at(connection, {digest for digest, _ in had}, inside)
        found += [record for digest, record in had if digest in holding]
    return found


def _makers_in_folders(
    connection: sqlite3.Connection, asked: str, wanted: bytes | None
) -> list[int]:
    """Return the records that made that content, or something at that path, in a directory."""
    contents = {wanted}
    if wanted is None:
        contents = set()
        for folder, inside in _above(asked):
            had = connection.execute(
                "SELECT DISTINCT c.digest FROM artifact a CROSS JOIN content c ON c.id = a.content"
                " WHERE a.path = (SELECT id FROM text WHERE text = ?) AND a.direction = 1",
                (bound(folder),),
            ).fetchall()
            contents.update(parts_at(connection, {each for (each,) in had}, inside).values())
    made = made_inside(connection, [each for each in contents if each is not None])
    ids = {each.id for each in made if wanted is not None or each.path == asked}
    return numbers_of(connection, names_of(ids))


def _above(path: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the folders that a path is in, and what names it has in each."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count]), parts[count:]


def _want(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM wanted")
    connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((n,) for n in numbers))
