"""Content that is known by other names than our digest: what is one and the same.

Knows names and digests; knows nothing of records but how their artifacts are spelled.
"""

from __future__ import annotations

from gitlineage import encoding, identity
from gitlineage.errors import InvalidRecord
from gitlineage.index.spelling import as_stored, bound, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    Look = Callable[[Sequence[str]], Sequence[bytes | None]]

MOST = 50
"""Earlier records at one path that are looked at for the content behind a name."""


class Knowing:
    """Which names stand for which content, while the index is fed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        found = connection.execute(
            "SELECT name FROM known_as WHERE is_open AND name BETWEEN 'sha256:' AND 'sha256;'"
        )
        self.sought = {bytes.fromhex(name[7:]) for (name,) in found}
        """sha256 of what only pointers were met to."""
        self.became: dict[bytes, bytes] = {}
        """What stood for content, and what stands for it now."""
        self._asked: list[tuple[Any, Any]] = []
        """Path and size of what such names were met for."""

    def content(self, artifact: Mapping[str, Any], found: bytes | None) -> bytes | None:
        """Return what stands for the content of an artifact; `found` is its blake3."""
        digests, remote = artifact.get("digests") or {}, artifact.get("remote") or {}
        names = identity.names(artifact["path"], digests, remote)
        if not names:
            return found
        known = {name: self._standing_for(name) for name in names}
        others = [each for each in known.values() if each is not None]
        best = found or min(others, key=len, default=named(names[0]))
        is_open = len(best) != 32
        for name, stands in known.items():
            if stands is None:
                self._connection.execute(
                    "INSERT INTO known_as VALUES (?, ?, ?)", (bound(name), best, is_open)
                )
                if is_open and name.startswith("sha256:"):
                    self.sought.add(bytes.fromhex(name[7:]))
                    self._asked.append((artifact["path"], artifact.get("size")))
            elif stands != best and len(stands) != 32:
                self._replace(stands, best)
        return best

    def _standing_for(self, name: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT digest FROM known_as WHERE name = ?", (bound(name),)
        ).fetchone()
        return None if row is None else row[0]

    def _replace(self, before: bytes, now: bytes) -> None:
        """Let one thing stand for what two stood for."""
        self._connection.execute(
            "UPDATE known_as SET digest = ?, is_open = ? WHERE digest = ?",
            (now, len(now) != 32, before),
        )
        self.became.update({each: now for each, became in self.became.items() if became == before})
        self.became[before] = now

    def look_back(self, look: Look) -> None:
        """Find the content behind new names among the records that had something at their path.

        `look` returns objects of git. The index has only our own digests of what they had.
        """
        for path, size in dict.fromkeys(self._asked):
            found = self._connection.execute(
                'SELECT r."commit" FROM artifact a CROSS JOIN record r ON r.id = a.record'
                " WHERE a.path = (SELECT id FROM text WHERE text = ?) AND a.size IS ?"
                " AND r.kind < 2 ORDER BY r.id DESC LIMIT ?",
                (as_stored(path), size, MOST),
            ).fetchall()
            commits = dict.fromkeys(commit.hex() for (commit,) in found)
            parts = look([f"{c}:{part}" for c in commits for part in ("launch", "record")])
            for each in _artifacts(parts):
                if each.get("path") == path and (digests := each.get("digests")):
                    if digests.get("sha256") in self.sought and "blake3" in digests:
                        self.content(each, digests["blake3"])
        self._asked.clear()


def _artifacts(parts: Sequence[bytes | None]) -> Iterator[Any]:
    """Yield the artifacts in parts of records; what cannot be read has none."""
    for part in parts:
        try:
            opened = encoding.unpack(part or b"")
        except InvalidRecord:
            continue
        for key in ("inputs", "learned", "outputs", "artifacts"):
            listed = opened.get(key, ()) if type(opened) is dict else ()
            yield from (each for each in listed if type(each) is dict)
