"""Pointers of others: what Git LFS, git-annex and DVC write down in place of content.

Pure parsers of bytes from strangers: what is not exactly what such a tool writes is None. Knows no
files; must not know what becomes of a pointer.
"""

from __future__ import annotations

import re

from gitlineage.identity import LENGTHS
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1023
"""Bytes of a pointer file: LFS has them below 1,024, and a key of git-annex is shorter."""

LARGEST_SIZE = 1 << 62

_LFS = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n"
    rb"(?:ext-\d-[\w.-]+ sha256:[0-9a-f]{64}\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d{1,19})\n?"
)
_KEY = re.compile(r"(SHA256|SHA512|SHA384|SHA224|SHA1|MD5)E?(?:-s(\d{1,19}))?--([0-9a-f]+)(\..*)?")
_FIELD = re.compile(r"( *)(- )?([A-Za-z0-9_]+): *(.*?) *")


class Pointer(Record):
    """What stands for some content."""

    kept_by: str
    """Whose pointer it is: `git-lfs`, `git-annex`, `dvc`."""
    algorithm: str
    digest: bytes
    size: int | None = None


def lfs(content: bytes) -> Pointer | None:
    """Return what a pointer file of Git LFS stands for."""
    found = _LFS.fullmatch(content) if len(content) <= LARGEST else None
    if found is None or (size := _size(found[2].decode())) is None:
        return None
    digest = bytes.fromhex(found[1].decode())
    return Pointer(kept_by="git-lfs", algorithm="sha256", digest=digest, size=size)


def annex(text: str) -> Pointer | None:
    """Return what a link into the store of git-annex, or a pointer file of it, stands for.

    Keys without a digest of the whole content stand for nothing that could be recognized.
    """
    folder, _, rest = text.partition("annex/objects/")
    key = rest.split("\n", 1)[0].rpartition("/")[2]
    found = _KEY.fullmatch(key)
    if found is None or folder[-1:] not in ("/", "\\"):
        return None
    algorithm, digits = found[1].lower(), found[3]
    if len(digits) != 2 * LENGTHS[algorithm]:
        return None
    size = _size(found[2]) if found[2] else None
    digest = bytes.fromhex(digits)
    return Pointer(kept_by="git-annex", algorithm=algorithm, digest=digest, size=size)


def dvc(content: bytes) -> dict[str, Pointer]:
    """Return what a `.dvc` file or a `dvc.lock` states of files, by path relative to its folder.

    Reads the YAML that DVC itself writes: entries of lists, one field a line.
    """
    found = {}
    for entry in _entries(content.decode("utf-8", "replace")):
        digits, path = entry.get("md5", ""), entry.get("path", "")
        if path and re.fullmatch("[0-9a-f]{32}", digits):  # that of a folder ends with `.dir`
            digest = bytes.fromhex(digits)
            size = _size(entry.get("size", ""))
            found[path] = Pointer(kept_by="dvc", algorithm="md5", digest=digest, size=size)
    return found


def _entries(text: str) -> Iterator[dict[str, str]]:
    """Yield the entries of lists that are maps, with their fields that are plain text."""
    entry: dict[str, str] = {}
    depth = -1
    for line in text.split("\n"):
        found = _FIELD.fullmatch(line)
        if found is None:
            continue
        column = len(found[1]) + len(found[2] or "")
        if found[2]:
            yield entry
            entry, depth = {}, column
        elif column < depth:
            yield entry
            entry, depth = {}, -1
        if column == depth:
            entry[found[3]] = _plain(found[4])
    yield entry


def _plain(value: str) -> str:
    """Return a scalar; one in double quotes only where nothing in it is escaped."""
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if len(value) > 1 and value[0] == value[-1] == '"':
        return "" if "\\" in value else value[1:-1]
    return value


def _size(digits: str) -> int | None:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        return None
    size = int(digits)
    return size if size < LARGEST_SIZE else None
