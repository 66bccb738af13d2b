"""Which files are known, by path and content, as SQL. Knows nothing of who asks."""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
import os

from gitlineage.index.folders import KINDS
from gitlineage.index.holding import has_any
from gitlineage.index.questions import chunked, numbers_of
from gitlineage.index.schema import DEPLOYED, DIRECTIONS
from gitlineage.index.spelling import (
    bound,
    digest_of,
    digests_of,
    key_of,
    names_of,
    shown,
    text_of,
    whole_of,
)
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from typing import Any

    Maker = tuple[int, str, str | None]
    """When it ended, its id, its step."""


class Known(Record):
    """A file or directory: some content at some path."""

    path: str
    digest: str
    size: int | None = None
    type: str | None = None
    last_at: int = 0
    """When an execution or a deployment had it last."""
    made_by: str | None = None
    """Id of the execution that made it last: at this path, else anywhere."""
    step: str | None = None
    """What the step of that one is called."""
    makers_count: int = 0
    users_count: int = 0
    deployed_by: tuple[str, ...] = ()
    """Ids of deployments, oldest first."""


# SQLite takes the other columns from the row that has the maximum.
_KNOWN = """
SELECT path.text, content.digest, a.size, m.type, max(coalesce(r.started_at, 0))
FROM {} CROSS JOIN record r ON r.id = a.record
  CROSS JOIN text path ON path.id = a.path CROSS JOIN content ON content.id = a.content
  LEFT JOIN manner m ON m.id = a.manner
WHERE r.is_shown AND {} GROUP BY a.path, a.content
"""

_PATHS = """
SELECT id, text FROM text WHERE text >= ? AND text <= ? AND (? IS NULL OR text > ?)
ORDER BY text LIMIT 64
"""

# What an execution had last stands at the end of the index: walked from there, the newest content
# of a path is known at once, also where a million executions had something there.
_MENTIONS = """
SELECT record, content, direction, position FROM artifact
WHERE path = ? AND record < ? AND content > -1 ORDER BY record DESC
"""

_ONE = """
SELECT content.digest, a.size, m.type, r.started_at
FROM artifact a CROSS JOIN record r ON r.id = a.record
  CROSS JOIN content ON content.id = a.content LEFT JOIN manner m ON m.id = a.manner
WHERE a.record = ? AND a.direction = ? AND a.position = ? AND r.is_shown
"""


class Position:
    """How far one has come in the files between two paths: by path, what was had last first."""

    def __init__(self, first: str | bytes, last: str | bytes) -> None:
        self.first, self.last = first, last
        self.waiting: list[tuple[int, str | bytes]] = []
        self.behind: str | bytes | None = None
        """The last path that was read."""
        self.record = END
        self.met: set[int] = set()
        """Where the first path that waits was left, and its content until there."""


END = (1 << 63) - 1


def below(prefix: str) -> list[Position]:
    """Return where all paths begin that begin so, those that are not UTF-8 too."""
    start = os.fsencode(prefix)
    found = [Position(start, start + b"\xff" * 64)]
    if isinstance(text := bound(prefix), str):
        found.insert(0, Position(text, text + "\U0010ffff"))
    return found


def only(path: str) -> Position:
    """Return where one path begins."""
    return Position(bound(path), bound(path))


def following(connection: sqlite3.Connection, position: Position, count: int) -> list[Known]:
    """Return the next files from a position, which moves on; none at the end."""
    found: list[Known] = []
    while len(found) < count:
        if not position.waiting:
            behind = position.behind
            position.waiting = connection.execute(
                _PATHS, (position.first, position.last, behind, behind)
            ).fetchall()[::-1]
            if not position.waiting:
                break
        number, path = position.waiting[-1]
        for record, key, *where in connection.execute(_MENTIONS, (number, position.record)):
            if len(found) >= count and record != position.record:
                break
            position.record = record
            if key in position.met:
                continue
            row = connection.execute(_ONE, (record, *where)).fetchone()
            if row is not None:
                position.met.add(key)
                digest, size, type, at = row
                found.append(_known(path, digest, size, type, at))
        else:
            position.waiting.pop()
            position.behind, position.record, position.met = path, END, set()
    return found


def newest(connection: sqlite3.Connection, paths: Iterable[str]) -> list[Known]:
    """Return what was known last at some paths."""
    query = "SELECT id, text FROM text WHERE text IN ({})"
    found = []
    for number, path in chunked(connection, query, list(map(bound, paths))):
        for record, _, *where in connection.execute(_MENTIONS, (number, END)):
            row = connection.execute(_ONE, (record, *where)).fetchone()
            if row is not None:
                found.append(_known(path, *row))
                break
    return found


def of_contents(connection: sqlite3.Connection, digests: Iterable[str]) -> list[Known]:
    """Return content at all paths where it is known."""
    wanted = set(digests_of(digests))
    query = _KNOWN.format("artifact a", "a.content IN ({})")
    rows = chunked(connection, query, list({key_of(each) for each in wanted}))
    found = {row[1] for row in rows}
    lacking = chunked(
        connection, "SELECT id FROM collided WHERE digest IN ({})", list(wanted - found)
    )
    rows += chunked(connection, query, [key for (key,) in lacking])
    return _sorted(row for row in rows if row[1] in wanted)


def deployed(connection: sqlite3.Connection) -> list[Known]:
    """Return all that was ever deployed."""
    records = "(SELECT id FROM record WHERE is_shown AND kind = 1)"
    tables = f"{records} d CROSS JOIN artifact a ON a.record = d.id"
    return _sorted(
        connection.execute(_KNOWN.format(tables, f"a.direction = {DEPLOYED} AND a.content > -1"))
    )


def had_by(connection: sqlite3.Connection, id: str, direction: str) -> list[Known]:
    """Return what an execution or a deployment had as `input`, `output` or `deployed`."""
    which = DIRECTIONS.index(direction)
    query = _KNOWN.format(
        "record d CROSS JOIN artifact a ON a.record = d.id",
        f"d.id IN ({{}}) AND a.direction = {which} AND a.content > -1",
    )
    return _sorted(chunked(connection, query, numbers_of(connection, names_of([id]))))


def inside(connection: sqlite3.Connection, path: str) -> list[Known]:
    """Return what is known at a path as a part of directories only."""
    if not has_any(connection):
        return []
    found: dict[str, Known] = {}
    parts = path.split("/")
    for count in range(len(parts) - 1, 0, -1):
        at_folder = following(connection, only("/".join(parts[:count])), END)
        folders = {
            digest_of(each.digest): each.last_at for each in at_folder if each.type == "directory"
        }
        level = {each: at for each, at in folders.items() if each is not None}
        held: list[tuple[bytes, int, int, int]] = []
        for name in parts[count:]:
            held = _held(connection, level, name)
            level = {}
            for digest, _, _, at in held:
                level[digest] = max(at, level.get(digest, 0))
        for digest, kind, size, _ in held:
            text = text_of(digest)
            found[text] = Known(
                path=path, digest=text, size=size, type=KINDS[kind], last_at=level[digest]
            )
    return sorted(found.values(), key=lambda each: (-each.last_at, each.digest))


def _held(
    connection: sqlite3.Connection, folders: dict[bytes, int], name: str
) -> list[tuple[bytes, int, int, int]]:
    """Return what folders hold under a name: digest, kind, size, and what the folder came with."""
    found = []
    for folder, at in folders.items():
        for prefix, rest, kind, size in connection.execute(
            "SELECT h.content, h.rest, h.kind, h.size FROM folder f"
            " CROSS JOIN held h ON h.folder = f.id WHERE f.digest = ? AND h.name = ?",
            (folder, bound(name)),
        ):
            found.append((whole_of(prefix, rest), kind, size, at))
    return found


def _sorted(rows: Iterable[Sequence[Any]]) -> list[Known]:
    """Return rows by path, and at one path the newest first."""
    found = [_known(*row) for row in rows]
    found.sort(key=lambda each: (os.fsencode(each.path), -each.last_at, each.digest))
    return found


def _known(
    path: object, digest: bytes, size: int | None, type: str | None, at: int | None
) -> Known:
    return Known(path=shown(path), digest=text_of(digest), size=size, type=type, last_at=at or 0)
