"""What `git cat-file --batch` is asked and answers. Knows that format; starts no process."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

MANY = 50
"""Files of one tree from which on they are listed once, and asked for by their ids."""

LARGEST_OBJECT = 64 << 20
"""Bytes of an object that is read at most: nothing that we write is larger."""


def question(name: str) -> bytes:
    """Return what asks `git cat-file` for an object.

    A name with a newline would be two questions; the empty one asks for what is not there.
    """
    return b"\n" if "\n" in name else os.fsencode(name) + b"\n"


def by_id(
    names: Sequence[str], entries: Callable[[str], Mapping[str, tuple[str, str]]]
) -> Sequence[str]:
    """Return names with ids in place of `TREE:PATH` where many are asked for of one tree.

    Git reads the folder anew for each path: 5,000 of one with 5,000 files took 10 s. `entries`
    returns the files of a commit's or a tree's id, with their mode and id.
    """
    if len(names) < MANY:
        return names
    counts: dict[str, int] = {}
    for name in names:
        tree, colon, _ = name.partition(":")
        if colon:
            counts[tree] = counts.get(tree, 0) + 1
    ids: dict[str, str] = {}
    for tree, count in counts.items():
        if count >= MANY and len(tree) in (40, 64) and not tree.strip("0123456789abcdef"):
            ids |= {f"{tree}:{path}": id for path, (_, id) in entries(tree).items()}
    return [ids.get(name, name) for name in names] if ids else names


def files_in(tree: bytes, length: int) -> dict[str, str]:
    """Return the names and ids of the files right in a folder, from its object as git stores it.

    `length` is that of an id, in bytes. What follows on something malformed is left out.
    """
    found: dict[str, str] = {}
    at = 0
    while (end := tree.find(b"\0", at)) >= 0:
        mode, _, name = tree[at:end].partition(b" ")
        at = end + 1 + length
        if at > len(tree):
            break
        if mode.startswith(b"100"):
            found[os.fsdecode(name)] = tree[end + 1 : at].hex()
    return found


def answers(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes] | None]:
    """Yield what `git cat-file --batch` prints: id and content, None for what is not there."""
    buffer = bytearray()
    needed = skipped = 0
    for chunk in chunks:
        buffer += chunk[skipped:]
        skipped = max(skipped - len(chunk), 0)
        if len(buffer) < needed:
            continue  # a large object comes in many pieces, and is looked at once it is whole
        at = needed = 0
        while (end := buffer.find(b"\n", at)) >= 0:
            header = buffer[at:end].rsplit(b" ", 2)
            if len(header) < 3 or not header[2].isdigit():  # `NAME missing`, `NAME ambiguous`
                yield None
                at = end + 1
                continue
            size = int(header[2])
            after = end + size + 2
            if size > LARGEST_OBJECT:
                yield None
                skipped = max(after - len(buffer), 0)
            elif len(buffer) < after:
                needed = after - at
                break
            else:
                yield header[0].decode(), bytes(buffer[end + 1 : after - 1])
            at = after
        del buffer[:at]
