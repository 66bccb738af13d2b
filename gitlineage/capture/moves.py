"""What was there before a command and is not any more, and where it is now.

Knows names and what the file system says of them; nothing of whose they are.
"""

from __future__ import annotations

import os

from gitlineage import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PREFIX = 64 << 20
"""Bytes that are read once more to see whether a file was only appended to: 15 ms."""


def gone(names: Iterable[str], now: Sequence[str], locate: Callable[[str], str]) -> list[str]:
    """Return which of the files that were there are not any more, in order.

    `now` is what was listed afterwards: what is in it need not be looked for.
    """
    left = set(names).difference(now)
    return sorted(
        each for each in left if not each.endswith("/") and not os.path.lexists(locate(each))
    )


def pairs(lost: Sequence[str], appeared: Iterable[str]) -> dict[str, str]:
    """Return where unchanged files come from that stand in a folder with a new name.

    Such a file has its old times, and the same path below the folder: of those that are left,
    the longest end that only one file had and only one has.
    """
    found: dict[str, str] = {}
    olds, news = set(lost), set(appeared)
    length = max((each.count("/") for each in news), default=0) + 1
    while olds and news and length:
        before, after = (_by_end(names, length) for names in (olds, news))
        for end, new in after.items():
            old = before.get(end)
            if new is not None and old is not None:
                found[new] = old
                olds.remove(old)
                news.remove(new)
        length -= 1
    return found


def _by_end(names: Iterable[str], length: int) -> dict[str, str | None]:
    """Return paths by their last names, so many of them; None for what several end in."""
    found: dict[str, str | None] = {}
    for each in names:
        parts = each.rsplit("/", length)
        if len(parts) >= length:
            end = "/".join(parts[-length:])
            found[end] = None if end in found else each
    return found


def same_files(
    lost: Mapping[str, os.stat_result], made: Mapping[str, os.stat_result]
) -> dict[str, str]:
    """Return which files that are new are old ones: the same inode, size and time of writing."""
    known = {_identity(stat): name for name, stat in lost.items()}
    found = {new: known.get(_identity(stat)) for new, stat in made.items()}
    return _single({new: old for new, old in found.items() if old is not None})


def is_appended(path: str, size: int, content: bytes) -> bool:
    """Tell whether a file begins with what it held before: so many bytes of this blake3."""
    try:
        if not 0 < size <= PREFIX or os.stat(path).st_size <= size:
            return False
        with open(path, "rb", buffering=0) as file:
            return digest.of_pieces(_pieces(file.read, size)) == content
    except OSError:
        return False


def _pieces(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    while size and (piece := read(min(size, digest.CHUNK))):
        size -= len(piece)
        yield piece


def _single(found: dict[str, str]) -> dict[str, str]:
    """Return the pairs of which nothing is the source of two."""
    users: dict[str, int] = {}
    for old in found.values():
        users[old] = users.get(old, 0) + 1
    return {new: old for new, old in found.items() if users[old] == 1}


def _identity(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
