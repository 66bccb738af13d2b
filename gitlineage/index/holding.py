"""Which directories hold some content, and what they hold, as SQL. Knows nothing of who asks."""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
from gitlineage import manifests
from gitlineage.index.folders import KINDS
from gitlineage.index.mentions import artifacts_of, mentions_of_content
from gitlineage.index.questions import chunked
from gitlineage.index.rows import Held, Mention
from gitlineage.index.spelling import bound, names_of, prefix_of, shown, whole_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence


def has_any(connection: sqlite3.Connection) -> bool:
    """Tell whether there is any directory."""
    return connection.execute("SELECT 1 FROM folder LIMIT 1").fetchone() is not None


def held_in(connection: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, list[Held]]:
    """Return what folders hold, those that are known, one level deep."""
    found: dict[bytes, list[Held]] = {}
    for digest, name, prefix, rest, kind, size in chunked(
        connection,
        "SELECT f.digest, h.name, h.content, h.rest, h.kind, h.size"
        " FROM folder f JOIN held h ON h.folder = f.id WHERE f.digest IN ({})",
        digests,
    ):
        each = Held(shown(name), whole_of(prefix, rest), KINDS[kind], size)
        found.setdefault(digest, []).append(each)
    return found


def holders_of(connection: sqlite3.Connection, digests: Iterable[bytes]) -> set[bytes]:
    """Return the folders that hold some content, or folders that hold it."""
    found: set[bytes] = set()
    level = set(digests)
    while level:
        above = {
            digest
            for digest, prefix, rest in chunked(
                connection,
                "SELECT f.digest, h.content, h.rest FROM held h CROSS JOIN folder f"
                " ON f.id = h.folder WHERE h.content IN ({})",
                [prefix_of(each)[0] for each in level],
            )
            if whole_of(prefix, rest) in level
        }
        level = above - found
        found |= level
    return found


def parts_at(
    connection: sqlite3.Connection, folders: Iterable[bytes], names: Sequence[str]
) -> dict[bytes, bytes]:
    """Return what is at a path in each of some folders, of those that have anything there."""
    level = {each: {each} for each in folders}
    for name in names:
        below: dict[bytes, set[bytes]] = {}
        for folder, prefix, rest in chunked(
            connection,
            "SELECT f.digest, h.content, h.rest FROM folder f CROSS JOIN held h"
            " ON h.folder = f.id AND h.name = ? WHERE f.digest IN ({})",
            list(level),
            bound(name),
        ):
            below.setdefault(whole_of(prefix, rest), set()).update(level[folder])
        level = below
    return {top: content for content, tops in level.items() for top in tops}


def made_inside(connection: sqlite3.Connection, digests: Sequence[bytes]) -> list[Mention]:
    """Return who made content as a part of a directory, with the path that it had there."""
    if not has_any(connection):
        return []
    holders = holders_of(connection, digests)
    wholes = mentions_of_content(connection, list(holders), "a.direction = 1")
    wanted = set(digests)
    places: dict[str, list[tuple[str, Held]]] = {}
    found = []
    for whole in wholes:
        assert whole.digest is not None
        if whole.digest not in places:
            places[whole.digest] = _places(connection, whole.digest, wanted, holders)
        found += [whole.part(path, held) for path, held in places[whole.digest]]
    kept = _kept(connection, wholes, wanted, holders) if found else ()
    return [each for each in found if (each.id, each.path, each.digest) not in kept]


def _kept(
    connection: sqlite3.Connection,
    wholes: Sequence[Mention],
    wanted: set[bytes],
    holders: set[bytes],
) -> set[tuple[str, str, str | None]]:
    """Return what executions had at a path before they made directories: nobody made that."""
    kept: set[tuple[str, str, str | None]] = set()
    before = [(each.id, each.path, each.previous) for each in wholes]
    for each in artifacts_of(connection, names_of({each.id for each in wholes})):
        if each.direction == "input":
            before.append((each.id, each.path, each.digest))
    for id, path, digest in before:
        kept.add((id, path, digest))
        if digest is not None:
            found = _places(connection, digest, wanted, holders)
            kept.update((id, f"{path}/{inside}", held.digest) for inside, held in found)
    return kept


def _places(
    connection: sqlite3.Connection, top: str, wanted: set[bytes], holders: set[bytes]
) -> list[tuple[str, Held]]:
    """Return where in a directory wanted content is."""
    found = []
    level = [("", bytes.fromhex(top.removeprefix("blake3:")))]
    depth = 0
    while level and depth < manifests.DEEPEST:
        inside = held_in(connection, list({digest for _, digest in level}))
        below = []
        for path, digest in level:
            for each in inside.get(digest, ()):
                if each.content in wanted:
                    found.append((path + each.name, each))
                if each.type == manifests.FOLDER and each.content in holders:
                    below.append((path + each.name + "/", each.content))
        level = below
        depth += 1
    return found
