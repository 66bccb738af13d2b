"""What directories hold, as rows: one for each entry of each manifest that records name.

Knows manifests; must not know where they are kept. A manifest that is not known, or not what it is
called, is left out, and asked for again where another record names it.
"""

from __future__ import annotations

from gitlineage import manifests
from gitlineage.index.spelling import bound, prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from gitlineage.index.knowing import Look

KINDS = (manifests.FILE, manifests.LINK, manifests.FOLDER)


def add(connection: sqlite3.Connection, named: Mapping[bytes, str], look: Look) -> None:
    """Add directories, by the commit that has their manifests, and the folders in them."""
    level = named
    while level := _unknown(connection, level):
        wanted = list(level)
        held = dict(
            zip(
                wanted,
                look([f"{level[each]}:manifests/{each.hex()}" for each in wanted]),
                strict=True,
            )
        )
        below: dict[bytes, str] = {}
        for digest in wanted:
            entries = manifests.read(digest, held.get)
            if entries is None:
                continue
            id = connection.execute("INSERT INTO folder (digest) VALUES (?)", (digest,)).lastrowid
            connection.executemany(
                "INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        id,
                        bound(each.name),
                        *prefix_of(each.digest),
                        KINDS.index(each.type),
                        each.size,
                    )
                    for each in entries
                    if each.type in KINDS
                ],
            )
            for each in entries:
                if each.type == manifests.FOLDER:
                    below.setdefault(each.digest, level[digest])
        level = below


def _unknown(connection: sqlite3.Connection, named: Mapping[bytes, str]) -> dict[bytes, str]:
    is_known = "SELECT 1 FROM folder WHERE digest = ?"
    return {
        digest: commit
        for digest, commit in named.items()
        if connection.execute(is_known, (digest,)).fetchone() is None
    }
