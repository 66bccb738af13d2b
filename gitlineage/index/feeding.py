"""One update of the index: what is forgotten, what is added, which end of an execution is shown.

Knows the order of records, and that one may stand in several chains or have several ends; must not
know what a record says.
"""

from __future__ import annotations

# Statements are put together from constants of this file; every value is bound.
# ruff: noqa: S608
import gc

from gitlineage import encoding
from gitlineage.index import folders
from gitlineage.index.entries import Entries
from gitlineage.index.parts import name_in
from gitlineage.index.questions import chunked, numbers_of
from gitlineage.index.schema import NAME_LENGTH, NAME_START, ORDERS, TREE_LENGTH
from gitlineage.index.spelling import bound

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitlineage.index.knowing import Look
    from gitlineage.ledger import Stored

OF_RECORDS = ("artifact", "alias", "cost", "deployment", "retirement", "said")
"""Tables with more of a record."""

BATCH = 500
"""Records read into memory between two writes."""

WORTH_COMPACTING = 10_000
"""Records of a first feeding from which on the file is written anew in a good order."""


class Feeding:
    """One update of the index, inside its transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._look: Look | None = None
        highest = connection.execute(
            "SELECT max(coalesce((SELECT max(id) FROM record), 0),"
            " coalesce((SELECT max(sequence) FROM elsewhere), 0))"
        ).fetchone()[0]
        self._next = highest + 1
        self.was_empty = highest == 0
        self.count = 0
        """Records that were given."""
        self._entries = Entries(connection)

    # -- what was there before

    def forget(self, commits: Iterable[str]) -> None:
        """Forget commits, and the records that stand in no other."""
        connection = self._connection
        gone = [(bytes.fromhex(each),) for each in commits]
        if not gone:
            return
        connection.execute('CREATE TEMP TABLE IF NOT EXISTS gone ("commit" BLOB PRIMARY KEY)')
        connection.execute("DELETE FROM gone")
        connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", gone)
        connection.execute('DELETE FROM elsewhere WHERE "commit" IN (SELECT "commit" FROM gone)')
        found = connection.execute(
            'SELECT id, name FROM record WHERE "commit" IN (SELECT "commit" FROM gone)'
        )
        left = set()
        for id, name in found.fetchall():
            other = connection.execute(
                'SELECT "commit", sequence FROM elsewhere WHERE record = ?'
                " ORDER BY sequence DESC LIMIT 1",
                (id,),
            ).fetchone()
            if other:
                connection.execute('DELETE FROM elsewhere WHERE "commit" = ?', other[:1])
                self._move(id, other[1], other[0])
                continue
            connection.execute("DELETE FROM record WHERE id = ?", (id,))
            for table in OF_RECORDS:
                connection.execute(f"DELETE FROM {table} WHERE record = ?", (id,))
            left.add(name)
        for name in sorted(left):
            self._elect(name)

    def _move(self, id: int, sequence: int, commit: bytes) -> None:
        """Give a record another commit, and that one's place in the order."""
        connection = self._connection
        connection.execute(
            'UPDATE record SET id = ?, "commit" = ? WHERE id = ?', (sequence, commit, id)
        )
        for table in (*OF_RECORDS, "elsewhere"):
            connection.execute(f"UPDATE {table} SET record = ? WHERE record = ?", (sequence, id))

    def _elect(self, name: bytes) -> None:
        """Show one of the ends of an execution.

        First one that can be checked, then a real end, then the smallest: by tree id, which
        stands for the record id here, since that is over all parts and feeding has two of them.
        """
        found = self._connection.execute(
            f"SELECT id FROM record WHERE {NAME_START} = ? AND name = ? AND kind < 2"
            " ORDER BY is_checkable DESC, is_recovered, tree",
            (name[:NAME_LENGTH], name),
        ).fetchall()
        self._connection.executemany(
            "UPDATE record SET is_shown = ?, ends_count = ? WHERE id = ?",
            [(place == 0, len(found), id) for place, (id,) in enumerate(found)],
        )

    # -- what is new

    def add(self, stored: Iterable[Stored], look: Look | None = None) -> None:
        """Feed records, in the order of the ledger. `look` returns objects of git."""
        self._look = look
        collects = gc.isenabled()
        gc.disable()  # records have no cycles, and looking for some takes 4 of 70 us for each
        try:
            for batch in _batches(stored):
                self.count += len(batch)
                if len(batch) == BATCH:
                    encoding.hasten()
                self._add(batch)
        finally:
            if collects:
                gc.enable()
        for name, order in ORDERS.items():
            self._connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {order}")
        self._entries.follow(look)

    def _add(self, batch: Sequence[Stored]) -> None:
        named = [(each, *name_in(each)) for each in batch]
        known: dict[bytes, list[tuple[bytes, bytes, int]]] = {}
        for name, tree, commit, id in chunked(
            self._connection,
            'SELECT name, tree, "commit", id FROM record WHERE id IN ({})',
            numbers_of(self._connection, [name for _, name, _ in named]),
        ):
            known.setdefault(name, []).append((tree, commit, id))
        contested = set()
        again = []
        for each, name, opened in named:
            tree, commit, id = (
                bytes.fromhex(each.tree)[:TREE_LENGTH],
                bytes.fromhex(each.commit),
                self._next,
            )
            others = known.get(name)
            if others is None:
                known[name] = [(tree, commit, id)]
            else:
                place = next((i for i, other in enumerate(others) if other[0] == tree), None)
                if place is not None:
                    if others[place][1] != commit and not self._is_elsewhere(commit):
                        again.append((others[place], commit, id))
                        others[place] = (tree, commit, id)
                        self._next += 1
                    continue
                others.append((tree, commit, id))
                contested.add(name)
            self._next += 1
            self._entries.add(id, name, tree, commit, each, opened)
        self._entries.write()
        if self._look is not None and self._entries.directories:
            folders.add(self._connection, self._entries.directories, self._look)
        self._entries.directories.clear()
        for (_, before, sequence), commit, id in again:
            self._move(sequence, id, commit)
            self._connection.execute(
                "INSERT OR REPLACE INTO elsewhere VALUES (?, ?, ?)", (before, id, sequence)
            )
        for name in sorted(contested):
            self._elect(name)

    def _is_elsewhere(self, commit: bytes) -> bool:
        found = self._connection.execute(
            'SELECT 1 FROM elsewhere WHERE "commit" = ?', (commit,)
        ).fetchone()
        return found is not None

    def reach(self, tips: Mapping[str, str]) -> None:
        """Keep the tips of what was fed."""
        self._connection.execute("DELETE FROM tip")
        self._connection.executemany(
            "INSERT INTO tip VALUES (?, ?)", [(bound(ref), tip) for ref, tip in tips.items()]
        )


def _batches(stored: Iterable[Stored]) -> Iterator[list[Stored]]:
    batch = []
    for each in stored:
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def set_tags(connection: sqlite3.Connection, tag: str, members: Mapping[str, int] | None) -> None:
    """Give a tag its members and when each got it; None forgets the tag."""
    name = bound(tag)
    connection.execute("DELETE FROM tagged WHERE tag = ?", (name,))
    rows = [(name, bound(member), at) for member, at in (members or {}).items()]
    connection.executemany("INSERT INTO tagged VALUES (?, ?, ?)", rows)
