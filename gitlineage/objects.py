"""What `git cat-file --batch` is asked and answers. Knows that format; starts no process."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_OBJECT = 64 << 20
"""Bytes of an object that is read at most: nothing that we write is larger."""


def question(name: str) -> bytes:
    """Return what asks `git cat-file` for an object.

    A name with a newline would be two questions; the empty one asks for what is not there.
    """
    return b"\n" if "\n" in name else os.fsencode(name) + b"\n"


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
