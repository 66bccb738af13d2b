"""Who made what a use has, and of a directory, who made its parts. Knows no rule of who that is."""

from __future__ import annotations

from gitlineage.records import Record
from gitlineage.trace.parts import DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.index import Mention


class Resolved(Record):
    """Who made the content of one use."""

    maker: Mention | None
    is_order_certain: bool = True
    others_count: int = 0
    """How many other executions made the same bytes."""
    whole: Mention | None = None
    """The use of a directory of which the maker made a part only."""
    inside: str | None = None
    """That part's path inside; of several, the first."""
    parts_count: int | None = None


class Joined:
    """Who made the parts of a directory, each maker once."""

    def __init__(self, use: Mention | None = None) -> None:
        self._use = use
        self._found: dict[str, list[Resolved]] = {}
        self._inside: dict[str, str] = {}
        self._covered = "/"

    @property
    def is_order_certain(self) -> bool:
        """Some part has an earlier maker."""
        return any(each.is_order_certain for found in self._found.values() for each in found)

    def covers(self, inside: str) -> bool:
        """Tell whether a path is in the folder that was added last."""
        return inside.startswith(self._covered)

    def add(self, inside: str, type: str, resolved: Resolved) -> None:
        """Add who made a part; folders before what they hold."""
        if resolved.maker is None:
            return
        if type == DIRECTORY:
            self._covered = inside + "/"
        self._found.setdefault(resolved.maker.id, []).append(resolved)
        self._inside.setdefault(resolved.maker.id, inside)

    def resolved(self) -> list[Resolved]:
        """Return each maker with the number of its parts."""
        return [
            Resolved(
                maker=found[0].maker,
                is_order_certain=any(each.is_order_certain for each in found),
                others_count=max(each.others_count for each in found),
                whole=self._use,
                inside=self._inside[id],
                parts_count=len(found),
            )
            for id, found in self._found.items()
        ]
