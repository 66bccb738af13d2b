"""What directories hold, for a trace: their parts at any depth, by path inside.

Knows the lookups; must not know who made what.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.index import Held, Mention
    from gitlineage.trace.lookups import Lookups

    Part = tuple[str, Held]
    """A path inside of a directory, and what is there."""

DIRECTORY = "directory"

DEEPEST = 1000
"""Folders inside one another that are followed; there are no more in a path on Linux."""


class Parts:
    """What directories hold, as far as it was asked."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._folders: dict[str, Sequence[Held]] = {}
        self._parts: dict[str, Sequence[Part]] = {}

    def of(self, directory: str) -> Sequence[Part]:
        """Return all that a directory holds, folders before what is in them."""
        found = self._parts.get(directory)
        if found is None:
            found = self._parts[directory] = self._walk(directory)
        return found

    def uses_of(self, digest: str) -> list[Mention]:
        """Return who used or deployed content as a part of a directory, as if by itself."""
        holders = self._lookups.holders_of([digest])
        wholes = self._lookups.relying_on(holders) if holders else {}
        return [
            use.part(inside, held)
            for holder, uses in wholes.items()
            for inside, held in self.of(holder)
            if held.digest == digest
            for use in uses
        ]

    def _walk(self, directory: str) -> Sequence[Part]:
        self._fetch(directory)
        found: list[Part] = []
        waiting = [("", each) for each in reversed(self._folders[directory])]
        while waiting:
            folder, held = waiting.pop()
            inside = folder + held.name
            found.append((inside, held))
            if held.type == DIRECTORY and inside.count("/") < DEEPEST:
                below = self._folders.get(held.digest, ())
                waiting += [(inside + "/", each) for each in reversed(below)]
        return found

    def _fetch(self, directory: str) -> None:
        """Look up a directory and the folders in it, level by level."""
        level: Iterable[str] = (directory,)
        while lacking := [each for each in dict.fromkeys(level) if each not in self._folders]:
            found = self._lookups.held_in(lacking)
            for each in lacking:
                self._folders[each] = found.get(each, ())
            level = [
                held.digest
                for each in lacking
                for held in self._folders[each]
                if held.type == DIRECTORY
            ]
