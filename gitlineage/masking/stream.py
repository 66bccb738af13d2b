"""Masks what a command prints, piece by piece: a secret may begin in one and end in another."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_LINE = 1 << 16
"""Bytes of a line that are held back until its end comes."""

OVERLAP = 1 << 12
"""Bytes of a longer line that are looked at again with what follows."""

LONGEST_KEY = 1 << 14
"""Bytes of a private key, which has many lines."""


class Stream:
    """One output of a command: whole lines come out as soon as they are whole."""

    def __init__(self, mask: Callable[[bytes], bytes], sink: Callable[[bytes], None]) -> None:
        self._mask = mask
        self._sink = sink
        self._held = bytearray()

    def take(self, content: bytes) -> None:
        """Take some bytes."""
        end = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
        if not end and len(self._held) + len(content) <= LONGEST_LINE:
            self._held += content
            return
        if self._held:
            end += len(self._held) if end else 0
            content = bytes(self._held) + content
            self._held.clear()
        if not end:
            end = self._cut(content)
        end = self._before_key(content, end)
        self._held += content[end:]
        if end:
            self._sink(self._mask(content[:end]))

    def close(self) -> None:
        """Take what is left: nothing more comes."""
        if self._held:
            self._sink(self._mask(bytes(self._held)))
            self._held.clear()

    def _cut(self, content: bytes) -> int:
        """Return where a line may be cut that is too long: between two words, where there are."""
        last = len(content) - OVERLAP
        return (
            max(content.rfind(each, last - OVERLAP, last) for each in (b" ", b",", b";")) + 1
            or last
        )

    def _before_key(self, content: bytes, end: int) -> int:
        """Return where a private key begins that has no end yet, or else what was given."""
        start = content.rfind(b"-----BEGIN ", 0, end)
        if start < 0 or content.find(b"-----END ", start, end) >= 0:
            return end
        line = max(content.rfind(b"\n", 0, start), content.rfind(b"\r", 0, start)) + 1
        is_key = b"PRIVATE KEY" in content[start : start + 64]
        return line if is_key and len(content) - start < LONGEST_KEY else end
