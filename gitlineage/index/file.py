"""One SQLite file that can be thrown away: open it, lock it, give it up.

Whatever is wrong with the file, it is built anew or held in memory, and nobody is told. Must not
know what the tables mean.
"""

from __future__ import annotations

import os
import sqlite3

from gitlineage import access
from gitlineage.errors import Damaged
from gitlineage.index.schema import SCHEMA, VERSION
from gitlineage.index.views import statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Concatenate, ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

CACHE_KIB = 256 << 10
"""Of pages in memory at most: what is fed goes to many places."""

PATIENCE = 60.0
"""Seconds that another process may hold the file before this one goes on in memory."""

_UNUSABLE = frozenset((
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
))  # fmt: skip
"""Errors that say nothing against what the file holds."""


class File:
    """A file that is opened when first asked, and that something else can take the place of.

    `refill`, when given, feeds it again after it was found damaged in the middle of a question;
    without it, the question is answered by an empty file.
    """

    def __init__(self, path: str, refill: Callable[[], object] | None = None) -> None:
        self.refill = refill
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._is_in_memory = False
        self._was_rebuilt = False
        self._is_refilling = False
        self._opened: tuple[int, int] | None = None

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def is_in_memory(self) -> bool:
        """The file could not be used."""
        return self._is_in_memory

    def reading(self) -> Reading:
        """Return a context in which all answers are of one moment, and come twice as fast.

        Feeding waits until it ends; nothing may be fed inside.
        """
        return Reading(self._open())

    def _ask(
        self,
        question: Callable[Concatenate[sqlite3.Connection, P], T],
        *asked: P.args,
        **options: P.kwargs,
    ) -> T:
        """Ask the file; where it cannot be used, what takes its place.

        Raises Damaged when not even memory works, which is then no fault of the file.
        """
        for _ in range(3):
            try:
                return question(self._open(), *asked, **options)
            except sqlite3.DatabaseError as error:
                failed = error
                self._retreat(error)
                if self.refill is not None and not self._is_refilling:
                    self._is_refilling = True
                    try:
                        self.refill()
                    finally:
                        self._is_refilling = False
        raise Damaged(what="the index", reason=str(failed)) from failed

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if self._is_in_memory:
            return self._hold_in_memory(None)
        try:
            access.make_folder(os.path.dirname(self._path) or ".")
        except OSError:
            return self._hold_in_memory(None)
        try:
            self._connection = _connect(self._path)
            _prepare(self._connection)
            access.share(self._path)
        except sqlite3.DatabaseError as error:
            self._opened = _state(self._path)
            self._retreat(error)
            return self._open()
        self._opened = _state(self._path)
        return self._connection

    def _compact(self) -> None:
        """Write the file anew without the room that rows in no order have left: 5 % of it.

        Nobody is waited for. Killed in between, the next to open it finds the file as it was.
        """
        connection = self._connection
        if connection is None or self._is_in_memory:
            return
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            # In memory it would be another copy of the file, and each copy has pages in a cache.
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("PRAGMA shrink_memory")
            connection.execute("VACUUM")
        except sqlite3.DatabaseError:
            pass  # somebody reads it, or the disk is full
        finally:
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")

    def _retreat(self, error: sqlite3.DatabaseError) -> None:
        """Give up what failed: build the file anew when it is damaged, else go on in memory."""
        if isinstance(error, sqlite3.ProgrammingError):
            raise error  # a mistake of this module's, whatever the file
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        connection, self._connection = self._connection, None
        if connection is not None and not self._is_in_memory and code in _UNUSABLE:
            self._hold_in_memory(connection)
            return
        if connection is not None:
            connection.close()
        if self._is_in_memory or code in _UNUSABLE or self._was_rebuilt:
            self._is_in_memory = True
        else:
            self._was_rebuilt = True
            self._discard()

    def _hold_in_memory(self, source: sqlite3.Connection | None) -> sqlite3.Connection:
        """Go on in memory, with what can still be read of the file."""
        self._is_in_memory = True
        self._connection = _connect(":memory:")
        if source is not None:
            try:
                source.backup(self._connection, progress=_stop_when_busy)
            except sqlite3.DatabaseError:
                self._connection.close()
                self._connection = _connect(":memory:")
            source.close()
        try:
            _prepare(self._connection)
        except sqlite3.DatabaseError:  # what was copied is damaged as well
            self._connection.close()
            self._connection = _connect(":memory:")
            _prepare(self._connection)
        return self._connection

    def _discard(self) -> None:
        """Remove the damaged file, unless another process was faster."""
        import fcntl

        folder = -1
        try:
            folder = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY)
            # Two that found the same damage must not remove each other's new file: the second
            # finds another one than it had opened.
            fcntl.flock(folder, fcntl.LOCK_EX)
            if _state(self._path) == self._opened:
                # The journal first: left alone, it would be rolled back into the next file.
                for name in (self._path + "-journal", self._path):
                    if os.path.lexists(name):
                        os.remove(name)
        except OSError:
            self._is_in_memory = True
        finally:
            if folder >= 0:
                os.close(folder)


class Reading:
    """Several questions with one lock, instead of taking and returning it for each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_outermost = False

    def __enter__(self) -> None:
        if not self._connection.in_transaction:
            self._is_outermost = True
            self._connection.execute("BEGIN")

    def __exit__(self, *_: object) -> None:
        try:
            if self._is_outermost and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.ProgrammingError:
            pass  # it was damaged, and is closed


class Transaction:
    """Everything or nothing; waits for another writer at the beginning, never in the middle."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, cached_statements=256)


def _stop_when_busy(status: int, _remaining: int, _total: int) -> None:
    """Let no copying wait for a lock: it would for ever."""
    if status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE):
        raise sqlite3.OperationalError("busy")


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none, or those of another version."""
    # 4 KiB leave 23 bytes unused for each record. Only a file with nothing in it takes this.
    connection.execute("PRAGMA page_size = 8192")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # Not WAL, although a feeding of one record takes 0.7 ms with it and 2.0 ms so: it needs shared
    # memory, which network file systems lack, cannot be read in a folder that cannot be written
    # to, and fails at once, however patient, when two processes turn it on together.
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
        return
    with Transaction(connection):
        if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
            return
        found = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger')"
            " AND name NOT LIKE 'sqlite_%' ORDER BY type = 'table'"
        ).fetchall()
        for kind, name in found:
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
        for statement in SCHEMA.split(";\n")[:-1]:
            connection.execute(statement)
        for statement in statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
