"""Months that go on under another name, since something of them was forgotten. Knows names only.

What that was, and what becomes of it, `settling` knows: this is asked at every push.
"""

from __future__ import annotations

import os

from gitlineage import access, chains

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.repository import Repository

TRACKING = "refs/lineage-remotes/"

BEGUN, OBEYED = "obeying", "obeyed"
"""What is noted of a redaction before something is forgotten for it, and when all of it is."""


class Generations:
    """The generations of the months of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._path = os.path.join(repository.lineage_dir, "generations")

    def superseded(self, names: Iterable[str]) -> set[str]:
        """Return the refs, live ones and others', of months that go on under another name."""
        newest: dict[tuple[str, str], int] = {}
        if known := self.known():
            # One that was deleted by hand takes the place of nothing any more.
            here = {each for name in self._repository.tips("refs/lineage/") for each in split(name)}
            for kind, month, number in known & here:
                newest[kind, month] = max(number, newest.get((kind, month), 0))
        return {
            name
            for name in (names if newest else ())
            for kind, month, number in split(name)
            if number < newest.get((kind, month), 0)
        }

    @property
    def are_there(self) -> bool:
        """Tell whether anything was ever forgotten here."""
        return bool(self.known())

    def are_new(self, names: Iterable[str]) -> bool:
        """Tell whether a generation of records was not looked at yet, or not to the end."""
        if self.noted(BEGUN) - self.noted(OBEYED):
            return True  # somebody was killed
        found = {each for name in names for each in split(name)}
        found = {each for each in found if each[0] == "ledger" and each[2]}
        return not found <= self.known(with_void=True)

    def are_rewritten(self, names: Iterable[str]) -> bool:
        """Tell whether any is a generation of records that a redaction may be in."""
        found = {each for name in names for each in split(name)}
        return any(kind == "ledger" and number for kind, _, number in found)

    def know(self, ref: str, *, is_void: bool = False) -> None:
        """Remember a generation; a void one holds no redaction, and is a chain as any other."""
        if self.known(with_void=is_void).issuperset(split(ref)):
            return
        access.make_folder(self._repository.lineage_dir)
        with open(self._path, "a") as file:
            file.write(ref.removeprefix("refs/lineage/") + (" void\n" if is_void else "\n"))
        access.share(self._path)

    def known(self, *, with_void: bool = False) -> set[tuple[str, str, int]]:
        """Return the generations that were looked at: kind, month and number."""
        try:
            with open(self._path) as file:
                lines = file.read().splitlines()
        except OSError:
            return set()
        kept = [each.removesuffix(" void") for each in lines if with_void or " " not in each]
        return {each for line in kept for each in split(f"refs/lineage/{line}")}

    def noted(self, word: str) -> set[str]:
        """Return the redactions, by their nonces, of which something was noted."""
        try:
            with open(self._path) as file:
                lines = [each.partition(" ") for each in file.read().splitlines()]
        except OSError:
            return set()
        return {nonce for said, _, nonce in lines if said == word}

    def is_newer_there(self, name: str, tips: Iterable[str]) -> bool:
        """Tell whether the remote has the month's new generation, too."""
        folder = name.rpartition("/")[0]
        others = [each for each in tips if each.rpartition("/")[0] == folder]
        return any(
            later > number and each == month
            for _, month, number in split(name)
            for other in others
            for _, each, later in split(other)
        )


def split(name: str) -> Sequence[tuple[str, str, int]]:
    """Return kind, month and generation of a chain, live or a remote's; nothing for others."""
    kind = name.rpartition("/")[0].rpartition("/")[2]
    found = chains.generation(name)
    is_one = found and kind in ("ledger", "code") and name.startswith(("refs/lineage/", TRACKING))
    return [(kind, *found)] if found and is_one else []
