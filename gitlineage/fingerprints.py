"""Remembers a file's digests for as long as the file system says that it has not changed.

Knows SQLite and `os.stat`; knows nothing of git. In
`<git common dir>/lineage/fingerprints.sqlite`: disposable, a damaged one begins anew.
"""

from __future__ import annotations

import os

from gitlineage import access, digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

VERSION = 2
"""2: folders; a file of version 1 is kept, and gets their table."""

TICK = 20_000_000
"""Nanoseconds: a file changed twice within one tick of the file system's clock (4 to 10 ms) may
look unchanged, so a fingerprint younger than this at the time of reading is not believed (the
rule that git has for its own staging area)."""

COARSE_TICK = 2_000_000_000
"""The same for file systems that keep whole seconds."""

WORTH_ASKING = 256 << 10
"""Below this size reading the file is cheaper than asking."""

WORTH_WAITING = 16 << 20
"""From this size on, waiting for the tick to pass costs less than reading the file once more."""


def preload() -> None:
    """Import SQLite, while there is time for it."""
    import sqlite3  # noqa: F401


LEFT = b"left by one that was killed: "
"""How what is remembered of such a file begins; with what follows it is longer than any digest."""


class Fingerprints:
    """The fingerprints of one repository's machine; opened when first asked."""

    def __init__(self, lineage_dir: str) -> None:
        self._path = os.path.join(lineage_dir, "fingerprints.sqlite")
        self._opened: sqlite3.Connection | None = None

    def close(self) -> None:
        """Let go of the file; it is opened again when asked."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def digests(self, path: str) -> tuple[Mapping[str, bytes], os.stat_result]:
        """Return the digests of a regular file and the stat they belong to.

        Raises OSError. The file is read only if it is not known; small files always are.
        """
        before = os.stat(path)
        if before.st_size >= WORTH_ASKING and (known := self.known(path, before)):
            return known, before
        if before.st_size >= WORTH_WAITING:
            _wait_for_tick(before)
        import time

        read_at = time.time_ns()
        found, _ = digest.of_file(path)
        after = os.stat(path)
        if after.st_size >= WORTH_ASKING and _stamp(after) == _stamp(before):
            self._remember(path, after, found, read_at)
        return found, after

    def known(self, path: str, stat: os.stat_result) -> Mapping[str, bytes] | None:
        """Return the digests of a file that was read before and has not changed since."""
        row = self._ask(
            "SELECT blake3, sha256 FROM fingerprint WHERE path = ? AND stamp = ?",
            (os.fsencode(os.path.abspath(path)), _stamp(stat)),
        )
        if row is None:
            return None
        return {"blake3": row[0], **({"sha256": row[1]} if row[1] else {})}

    def folder(self, path: str) -> tuple[bytes, bytes, bytes] | None:
        """Return what `set_folders` remembered of a folder: listing, folders in it, manifest."""
        row = self._ask(
            "SELECT listing, inside, manifest FROM folder WHERE path = ?",
            (os.fsencode(os.path.abspath(path)),),
        )
        return None if row is None else (row[0], row[1], row[2])

    def set_folders(self, rows: Sequence[tuple[str, bytes, bytes, bytes]]) -> None:
        """Remember what folders held, by path."""
        self._write(
            "INSERT OR REPLACE INTO folder VALUES (?, ?, ?, ?)",
            [(os.fsencode(os.path.abspath(path)), *rest) for path, *rest in rows],
        )

    def made(self, path: str) -> bytes | None:
        """Return the blake3 that an execution last left at a path, or None.

        Of what one was killed with its stat, as `left_as` says it: nobody has read that.
        """
        row = self._ask(
            "SELECT blake3 FROM made WHERE path = ?", (os.fsencode(os.path.abspath(path)),)
        )
        return row[0] if row else None

    def made_paths(self) -> frozenset[str]:
        """Return all absolute paths at which executions on this machine left something."""
        if self._opened is None and not os.path.exists(self._path):
            return frozenset()
        import sqlite3

        try:
            rows = self._open().execute("SELECT path FROM made").fetchall()
        except (sqlite3.Error, OSError):
            return frozenset()  # what is remembered is never worth an error
        return frozenset(os.fsdecode(path) for (path,) in rows)

    def set_made(self, outputs: Mapping[str, bytes]) -> None:
        """Remember what an execution left, by path."""
        self._write(
            "INSERT OR REPLACE INTO made VALUES (?, ?)",
            [(os.fsencode(os.path.abspath(path)), content) for path, content in outputs.items()],
        )

    def forget(self, folder: str) -> None:
        """Forget the files of a folder that is gone."""
        if not os.path.exists(self._path):
            return
        start = os.fsencode(os.path.abspath(folder)) + b"/"
        for table in ("fingerprint", "folder", "made"):
            # After `/` comes `0`.
            query = f"DELETE FROM {table} WHERE path >= ? AND path < ?"  # noqa: S608
            self._write(query, [(start, start[:-1] + b"0")])

    def _ask(self, query: str, values: tuple[object, ...]) -> tuple[bytes, ...] | None:
        if self._opened is None and not os.path.exists(self._path):
            return None  # nothing is remembered: SQLite's 3 ms are saved
        import sqlite3

        try:
            found: tuple[bytes, ...] | None = self._open().execute(query, values).fetchone()
        except sqlite3.OperationalError:
            return None  # somebody else holds it, or it cannot be written to
        except (sqlite3.Error, OSError):
            self._discard()
            return None
        return found

    def _remember(
        self, path: str, stat: os.stat_result, found: Mapping[str, bytes], read_at: int
    ) -> None:
        if read_at - max(stat.st_mtime_ns, stat.st_ctime_ns) < tick_of(stat.st_ctime_ns):
            return
        self._write(
            "INSERT OR REPLACE INTO fingerprint VALUES (?, ?, ?, ?)",
            [
                (
                    os.fsencode(os.path.abspath(path)),
                    _stamp(stat),
                    found["blake3"],
                    found.get("sha256"),
                )
            ],
        )

    def _write(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        import sqlite3

        try:
            with self._open() as connection:
                connection.executemany(query, rows)
        except sqlite3.OperationalError:
            return  # what is remembered saves time; it is never worth an error
        except (sqlite3.Error, OSError):
            self._discard()

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        if self._opened is not None:
            return self._opened
        access.make_folder(os.path.dirname(self._path))
        for attempt in range(2):
            connection = sqlite3.connect(self._path, timeout=5)
            try:
                # Of this connection only: a run writes thrice and would wait for the disk each
                # time. What a power cut leaves of it is damaged, or has stamps that do not match.
                connection.execute("PRAGMA synchronous = OFF")
                # Not WAL, whose memory is a mapped file: a full disk ends who writes to that.
                connection.execute("PRAGMA journal_mode = TRUNCATE")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version != VERSION:
                    connection.executescript(_SCHEMA if version == 1 else _DROP + _SCHEMA)
                    access.share(self._path)
                self._opened = connection
                return connection
            except sqlite3.OperationalError:
                connection.close()
                raise
            except sqlite3.DatabaseError:
                connection.close()
                if attempt:
                    raise
                self._discard()
        raise AssertionError("two attempts return or raise")

    def _discard(self) -> None:
        """Begin anew: what is there is damaged, and an old journal would be played back into it."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        for ending in ("", "-wal", "-shm"):
            try:
                os.unlink(self._path + ending)
            except OSError:
                continue


_DROP = """
DROP TABLE IF EXISTS fingerprint;
DROP TABLE IF EXISTS made;
DROP TABLE IF EXISTS folder;
"""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS fingerprint (
    path BLOB PRIMARY KEY, stamp TEXT, blake3 BLOB, sha256 BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made (path BLOB PRIMARY KEY, blake3 BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folder (
    path BLOB PRIMARY KEY, listing BLOB, inside BLOB, manifest BLOB
);
PRAGMA user_version = {VERSION};
"""


def _stamp(stat: os.stat_result) -> str:
    return f"{stat.st_dev}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


def tick_of(changed_at: int) -> int:
    """Return how long a file may look unchanged after a change at that moment."""
    return COARSE_TICK if changed_at % 1_000_000_000 == 0 else TICK


def _wait_for_tick(stat: os.stat_result) -> None:
    import time

    age = time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns)
    if 0 <= age < TICK:
        time.sleep((TICK - age) / 1e9)


def left_as(stat: os.stat_result) -> bytes:
    """Return what tells whether a file that nobody has read is still as it was left."""
    return LEFT + f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}".encode()
