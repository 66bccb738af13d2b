"""What the index is asked of artifacts, as SQL: who made and who used some content or a path.

As with the other questions: each takes an open file and reads it; none changes it.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
from gitlineage.index.questions import chunked, numbers_of
from gitlineage.index.rows import Mention
from gitlineage.index.spelling import bound, content_key, key_of, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

# CROSS JOIN keeps the order in which the tables are looked at: from what is asked for.
_MENTION = """
SELECT r.id, r.name, a.direction, a.position, content.digest, path.text, a.size, m.type, m.how,
  m.role, m.change, previous.digest, r.started_at, r.finished_at, host.text, r.parent,
  r.reproduces IS NOT NULL
FROM {}
  LEFT JOIN content ON content.id = a.content LEFT JOIN text path ON path.id = a.path
  LEFT JOIN manner m ON m.id = a.manner LEFT JOIN content previous ON previous.id = a.previous
  LEFT JOIN text host ON host.id = r.host
"""
_BY_ARTIFACT = _MENTION.format("artifact a CROSS JOIN record r ON r.id = a.record")
_MADE_LAST = _MENTION.format("""(
  SELECT a.*, max(coalesce(r.finished_at, r.started_at, 0))
  FROM artifact a CROSS JOIN record r ON r.id = a.record
  WHERE a.direction IN (1, 3) AND r.is_shown GROUP BY a.path
) a CROSS JOIN record r ON r.id = a.record""")
_BY_RECORD = _MENTION.format("record r CROSS JOIN artifact a ON a.record = r.id")


def artifacts_of(
    connection: sqlite3.Connection, names: Sequence[bytes], which: str = "TRUE"
) -> list[Mention]:
    """Return what executions and deployments have (SQL), inputs first, in the order recorded."""
    found = chunked(
        connection,
        _BY_RECORD + f"WHERE r.is_shown AND r.kind < 2 AND r.id IN ({{}}) AND {which}"
        " ORDER BY a.record, a.direction, a.position",
        numbers_of(connection, names),
    )
    return list(map(Mention, found))


def made_by_several(connection: sqlite3.Connection, digests: Sequence[bytes]) -> list[bytes]:
    """Return the content that several may have made."""
    keys = keys_of(connection, digests)
    found = chunked(
        connection,
        "SELECT content FROM artifact WHERE content IN ({}) AND direction = 1"
        " GROUP BY content HAVING count(*) > 1",
        list(keys.values()),
    )
    several = {key for (key,) in found}
    return [each for each, key in keys.items() if key in several]


def keys_of(connection: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Return the keys of digests, those that are known."""
    wanted = set(digests)
    keys = {key_of(each) for each in wanted}
    found = chunked(connection, "SELECT digest, id FROM content WHERE id IN ({})", list(keys))
    known = {digest: key for digest, key in found if digest in wanted}
    lacking = [each for each in wanted if each not in known]
    query = "SELECT digest, id FROM collided WHERE digest IN ({})"
    return known | dict(chunked(connection, query, lacking))


def mentions_of_content(
    connection: sqlite3.Connection, digests: Sequence[bytes], which: str, order: str = ""
) -> list[Mention]:
    """Return who has some content in a direction (SQL), by start."""
    query = (
        _BY_ARTIFACT + f"WHERE a.content IN ({{}}) AND {which} AND r.is_shown"
        f" ORDER BY r.started_at {order}, r.name, a.position"
    )
    found = chunked(connection, query, list(map(key_of, digests)))
    # Rare: no row may be about the digest that was meant, but about one with its key.
    met = {row[4] for row in found}
    lacking = [each for each in digests if each not in met]
    others = chunked(connection, "SELECT id FROM collided WHERE digest IN ({})", lacking)
    found += chunked(connection, query, [key for (key,) in others])
    sought = set(digests)
    return [Mention(row) for row in found if row[4] in sought]


def mentions_of_path(
    connection: sqlite3.Connection, path: str, which: str, limit: int | None
) -> list[Mention]:
    """Return who has something at a path in a direction (SQL), newest first."""
    found = connection.execute(
        _BY_ARTIFACT + f"WHERE a.path = (SELECT id FROM text WHERE text = ?) AND {which}"
        " AND r.is_shown ORDER BY r.started_at DESC, r.name, a.direction, a.position LIMIT ?",
        (bound(path), -1 if limit is None else limit),
    )
    return list(map(Mention, found))


def paths_ending(connection: sqlite3.Connection, name: str, limit: int) -> list[str]:
    """Return paths that anything was had at and that end so, after looking at all there are."""
    found = connection.execute(
        "SELECT t.text FROM text t WHERE substr(t.text, -length(?1)) = ?1"
        " AND EXISTS (SELECT 1 FROM artifact a WHERE a.path = t.id) ORDER BY t.text LIMIT ?2",
        (bound(f"/{name}"), limit),
    )
    return [shown(text) for (text,) in found]


def made_last(connection: sqlite3.Connection) -> list[Mention]:
    """Return of each path what was made there last."""
    # SQLite takes the other columns from the row that has the maximum.
    return list(map(Mention, connection.execute(_MADE_LAST)))


def known_as(connection: sqlite3.Connection, name: str) -> bytes | None:
    """Return what stands for the content that is known by a name."""
    row = connection.execute(
        "SELECT digest FROM known_as WHERE name = ?", (bound(name),)
    ).fetchone()
    return None if row is None else row[0]


def first_use(connection: sqlite3.Connection, digest: bytes, path: str) -> Mention | None:
    """Return the earliest use of content at a path, by start."""
    found = connection.execute(
        _BY_ARTIFACT + "WHERE a.content = ? AND a.direction = 0 AND r.is_shown"
        " AND a.path = (SELECT id FROM text WHERE text = ?)"
        " ORDER BY r.started_at, r.name LIMIT 1",
        (content_key(connection, digest), bound(path)),
    ).fetchone()
    return None if found is None else Mention(found)
