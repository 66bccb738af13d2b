"""Manifests: what is in a folder, as bytes and back. Knows their form; knows no files and no git.

A manifest is a list of entries, sorted by the bytes of their names, in canonical form; an entry is
a file, a link (the text of its target), or a folder (the digest of its own manifest). It holds
nothing else, no time and no owner, so that equal content has equal bytes.
"""

from __future__ import annotations

from gitlineage import digest, encoding
from gitlineage.errors import InvalidRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Lookup = Callable[[bytes], bytes | None]
    """Returns a manifest by its digest; None where it is not known."""

FILE, LINK, FOLDER = "file", "link", "directory"

DEEPEST = 1000
"""Folders inside one another that are followed: a path of more has no name on Linux."""


class Entry:
    """One member of a folder; of millions, so lighter than a Record."""

    __slots__ = ("digest", "is_executable", "name", "size", "type")

    def __init__(
        self, name: str, type: str, size: int, digest: bytes, *, is_executable: bool = False
    ) -> None:
        self.name = name
        self.type = type
        """`file`, `link` or `directory`."""
        self.size = size
        """Bytes; of a folder, those of all files in it."""
        self.digest = digest
        """Of a file its content's, of a folder its manifest's, of a link its target's text's."""
        self.is_executable = is_executable

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and all(
            getattr(self, each) == getattr(other, each) for each in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Entry({self.name!r}, {self.type!r}, {self.size}, {self.digest.hex()[:12]})"


def pack(entries: Sequence[Entry]) -> bytes:
    """Return the manifest of entries that are sorted by the bytes of their names."""
    # The keys stand in their canonical order, so that 100,000 take 80 ms instead of a second.
    return encoding.pack_ordered(
        [
            {
                "digest": each.digest,
                **({"executable": True} if each.is_executable else {}),
                "name": each.name,
                "size": each.size,
                "type": each.type,
            }
            for each in entries
        ]
    )


def unpack(content: bytes, name: str = "?") -> list[Entry]:
    """Return what a manifest lists; `name` names it in errors. Raises InvalidRecord."""
    listed = encoding.unpack(content, name)
    if type(listed) is not list:
        raise InvalidRecord(record=name, reason="not a manifest")
    try:
        return [_entry(each) for each in listed]
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InvalidRecord(record=name, reason=f"not a manifest: {error}") from error


def read(wanted: bytes, lookup: Lookup) -> list[Entry] | None:
    """Return what the folder of a digest holds; None where that is not known, or not what it says.

    Content is compared with the digest: one that is not what it is called could lead in circles.
    """
    content = lookup(wanted)
    if content is None or digest.of_bytes(content) != wanted:
        return None
    try:
        return unpack(content, wanted.hex()[:12])
    except InvalidRecord:
        return None


def walk(root: bytes, lookup: Lookup) -> Iterator[tuple[str, Entry]]:
    """Yield all that is in a directory, by path inside it, folders before what they hold.

    Of a folder whose manifest is not known only its own entry is yielded.
    """
    waiting = [iter([("", each) for each in read(root, lookup) or ()])]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            continue
        path = found[0] + found[1].name
        yield path, found[1]
        if found[1].type == FOLDER and len(waiting) < DEEPEST:
            inside = read(found[1].digest, lookup) or ()
            waiting.append(iter([(path + "/", each) for each in inside]))


def _entry(listed: dict[str, object]) -> Entry:
    name, kind = listed["name"], listed["type"]
    size, found = listed["size"], listed["digest"]
    if type(name) is bytes:
        name = encoding.as_text(name)
    if type(name) is not str or type(kind) is not str:
        raise TypeError("a name is missing")
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError("a name is a path")
    if type(size) is not int or type(found) is not bytes or len(found) != 32:
        raise TypeError("a digest is missing")
    return Entry(name, kind, size, found, is_executable=listed.get("executable") is True)
