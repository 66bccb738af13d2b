"""Who made, used and deployed files, alone or as parts of directories, as SQL.

Knows nothing of which files are asked about.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
from gitlineage.index.holding import has_any, made_inside
from gitlineage.index.mentions import keys_of, mentions_of_content
from gitlineage.index.questions import chunked, numbers_of
from gitlineage.index.schema import DEPLOYED, INPUT, OUTPUT
from gitlineage.index.spelling import (
    bound,
    digest_of,
    names_of,
    prefix_of,
    shown,
    text_of,
    whole_of,
)
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.index.files import Known
    from gitlineage.index.rows import Mention

    Maker = tuple[int, str, str | None]
    """When it ended, its id, its step."""

# SQLite takes the other columns from the row that has the maximum or minimum.
_MADE = f"""
SELECT a.content, path.text, r.name, step.text, max(coalesce(r.finished_at, r.started_at, 0))
FROM artifact a CROSS JOIN record r ON r.id = a.record LEFT JOIN text step ON step.id = r.step
  LEFT JOIN text path ON path.id = a.path
WHERE a.content IN ({{}}) AND a.direction = {OUTPUT} AND r.is_shown AND r.reproduces IS NULL
GROUP BY a.content, a.path
"""

_USED_FIRST = f"""
SELECT a.content, path.text, r.name, coalesce(r.finished_at, r.started_at, 0),
  min(coalesce(r.started_at, 0))
FROM artifact a CROSS JOIN record r ON r.id = a.record LEFT JOIN text path ON path.id = a.path
WHERE a.content IN ({{}}) AND a.direction = {INPUT} AND r.is_shown GROUP BY a.content, a.path
"""

_COUNTS = f"""
SELECT a.content, a.direction, count(DISTINCT a.record)
FROM artifact a CROSS JOIN record r ON r.id = a.record
WHERE a.content IN ({{}}) AND a.direction IN ({INPUT}, {OUTPUT}) AND r.is_shown GROUP BY 1, 2
"""

_EMPTY = f"""
SELECT path.text, a.direction, count(DISTINCT a.record), r.name, step.text,
  max(coalesce(r.finished_at, r.started_at, 0))
FROM artifact a CROSS JOIN record r ON r.id = a.record LEFT JOIN text step ON step.id = r.step
  LEFT JOIN text path ON path.id = a.path
WHERE a.path IN ({{}}) AND a.size = 0 AND a.direction IN ({INPUT}, {OUTPUT}) AND r.is_shown
GROUP BY a.path, a.direction
"""

_DEPLOYED = f"""
SELECT DISTINCT a.content, r.name FROM artifact a CROSS JOIN record r ON r.id = a.record
WHERE a.content IN ({{}}) AND a.direction = {DEPLOYED} AND r.is_shown ORDER BY r.started_at, r.name
"""


def described(
    connection: sqlite3.Connection, rows: Sequence[Known], *, is_alone: bool = False
) -> list[Known]:
    """Return files with who made, used and deployed them; where `is_alone`, by themselves only."""
    empty = _empty(connection, {each.path for each in rows if each.size == 0})
    stored = ((each.digest, digest_of(each.digest)) for each in rows if each.size != 0)
    wanted = {text: each for text, each in stored if each is not None}
    # What nobody had by itself has no key, and no rows.
    keys = keys_of(connection, list(wanted.values()))
    numbers = list(keys.values())
    makers_of = _makers(connection, numbers)
    used = _used_first(connection, list(makers_of))
    counts = {(key, way): n for key, way, n in chunked(connection, _COUNTS, numbers)}
    deployed: dict[int, list[str]] = {}
    for key, name in chunked(connection, _DEPLOYED, numbers):
        deployed.setdefault(key, []).append(name.hex())
    made = {id for id, each in wanted.items() if keys.get(each) in makers_of}
    inside = {} if is_alone else _inside(connection, wanted, made)
    found = []
    for row in rows:
        if row.size == 0:
            found.append(row.replace(**empty.get(row.path, {})))
            continue
        key = keys.get(wanted[row.digest], -1) if row.digest in wanted else -1
        maker = _maker_at(row.path, makers_of.get(key, {}), used.get((key, row.path)))
        makers, users = counts.get((key, OUTPUT), 0), counts.get((key, INPUT), 0)
        ends = deployed.get(key, [])
        if row.digest in inside:
            part = inside[row.digest]
            maker, makers = maker or part.maker, makers + part.makers_count
            users, ends = part.users_count, part.deployed_by
        found.append(
            row.replace(
                made_by=maker and maker[1],
                step=maker and maker[2],
                makers_count=makers,
                users_count=users,
                deployed_by=tuple(ends),
            )
        )
    return found


def _empty(connection: sqlite3.Connection, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return who had empty files at paths.

    They are all alike: who made one elsewhere, and those may be all, says nothing of this one.
    """
    query = "SELECT id FROM text WHERE text IN ({})"
    numbers = [number for (number,) in chunked(connection, query, list(map(bound, paths)))]
    found: dict[str, dict[str, Any]] = {}
    for path, way, count, name, step, _ in chunked(connection, _EMPTY, numbers):
        told = found.setdefault(shown(path), {})
        if way == OUTPUT:
            told |= {"made_by": name.hex(), "step": step and shown(step), "makers_count": count}
        else:
            told["users_count"] = count
    return found


class _Inside(Record):
    """What is to be said of content that directories hold."""

    maker: Maker | None
    makers_count: int
    """Those who made it in a directory, where nobody made it alone."""
    users_count: int
    deployed_by: list[str]


def _inside(
    connection: sqlite3.Connection, wanted: Mapping[str, bytes], made: set[str]
) -> dict[str, _Inside]:
    """Return who had contents in directories, of those that some directory holds."""
    above = _above(connection, list(wanted.values())) if has_any(connection) else {}
    holders = {each for found in above.values() for each in found}
    if not holders:
        return {}
    had: dict[str, list[Mention]] = {}
    everything = [*holders, *(each for each in wanted.values() if above.get(each))]
    for mention in mentions_of_content(connection, everything, "a.direction < 3"):
        had.setdefault(mention.digest or "", []).append(mention)
    of_outputs = {
        each for each in holders if any(m.direction == "output" for m in had.get(text_of(each), ()))
    }
    lacking = [
        each
        for id, each in wanted.items()
        if id not in made and above.get(each, set()) & of_outputs
    ]
    parts: dict[str, dict[str, Mention]] = {}
    for mention in made_inside(connection, lacking) if lacking else ():
        if not mention.is_reproduction:
            parts.setdefault(mention.digest or "", {})[mention.id] = mention
    found = {}
    for id, digest in wanted.items():
        if not above.get(digest):
            continue
        mentions = [m for each in (digest, *above[digest]) for m in had.get(text_of(each), ())]
        ends = {m.id: m.started_at or 0 for m in mentions if m.direction == "deployed"}
        last = max(parts.get(id, {}).values(), key=_ended, default=None)
        steps = _steps(connection, [last.id]) if last else {}
        found[id] = _Inside(
            maker=(_ended(last), last.id, steps.get(last.id)) if last else None,
            makers_count=len(parts.get(id, ())),
            users_count=len({m.id for m in mentions if m.direction == "input"}),
            deployed_by=sorted(ends, key=lambda each: (ends[each], each)),
        )
    return found


def _above(connection: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, set[bytes]]:
    """Return the folders that hold each content, and those that hold these."""
    parents: dict[bytes, set[bytes]] = {}
    level = set(digests)
    while level:
        found: dict[bytes, set[bytes]] = {}
        for digest, prefix, rest in chunked(
            connection,
            "SELECT f.digest, h.content, h.rest FROM held h CROSS JOIN folder f ON f.id = h.folder"
            " WHERE h.content IN ({})",
            [prefix_of(each)[0] for each in level],
        ):
            if (content := whole_of(prefix, rest)) in level:
                found.setdefault(content, set()).add(digest)
        parents |= {each: found.get(each, set()) for each in level}
        level = {each for above in found.values() for each in above} - parents.keys()
    above: dict[bytes, set[bytes]] = {}
    for digest in digests:
        seen: set[bytes] = set()
        waiting = [digest]
        while waiting:
            new = parents.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        above[digest] = seen
    return above


def _makers(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, dict[str, Maker]]:
    """Return who made each content last at each path."""
    found: dict[int, dict[str, Maker]] = {}
    for key, path, name, step, at in chunked(connection, _MADE, keys):
        found.setdefault(key, {})[shown(path)] = (at, name.hex(), step and shown(step))
    return found


def _used_first(
    connection: sqlite3.Connection, keys: Sequence[int]
) -> dict[tuple[int, str], tuple[int, str]]:
    """Return when the first execution that used content at a path ended, and its id."""
    return {
        (key, shown(path)): (ended, name.hex())
        for key, path, name, ended, _ in chunked(connection, _USED_FIRST, keys)
    }


def _maker_at(path: str, makers: Mapping[str, Maker], used: tuple[int, str] | None) -> Maker | None:
    """Return who made content last at a path, else anywhere before it was used at this path.

    What was used there was there: a copy does not make its source.
    """
    if path in makers:
        return makers[path]
    others = (
        each
        for each in makers.values()
        if used is None or (each[0] <= used[0] and each[1] != used[1])
    )
    return max(others, key=lambda each: each[:2], default=None)


def _steps(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, str]:
    found = chunked(
        connection,
        "SELECT r.name, step.text FROM record r JOIN text step ON step.id = r.step"
        " WHERE r.is_shown AND r.kind = 0 AND r.id IN ({})",
        numbers_of(connection, names_of(ids)),
    )
    return {name.hex(): shown(step) for name, step in found}


def _ended(mention: Mention) -> int:
    at = mention.finished_at if mention.finished_at is not None else mention.started_at
    return at or 0
