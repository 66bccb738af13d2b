"""Questions about the code that ran: commits and trees. Knows SQL; each is one query."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3


def by_prefix(connection: sqlite3.Connection, prefix: str) -> list[tuple[str, str]]:
    """Return commits whose ids start so, each with its tree, or nothing where none ran clean."""
    if len(prefix) < 4 or not set(prefix) <= set("0123456789abcdef"):
        return []
    found = connection.execute(
        'SELECT lower(hex(code."commit")), lower(hex(code.tree)), min(r.is_adhoc) FROM code '
        "JOIN record r ON r.code = code.id WHERE hex(code.\"commit\") LIKE ? || '%' "
        "GROUP BY 1, 2 ORDER BY 1, 3 DESC",
        [prefix],
    )
    trees = {commit: "" if is_adhoc else tree for commit, tree, is_adhoc in found}
    return list(trees.items())


def counted(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """Return trees, the commits that they ran as, and how many executions did."""
    return connection.execute(
        'SELECT lower(hex(code.tree)), lower(hex(code."commit")), count(*) FROM record r '
        "JOIN code ON r.code = code.id WHERE r.is_shown AND r.kind = 0 GROUP BY 1, 2"
    ).fetchall()
