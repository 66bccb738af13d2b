"""An execution as a reader sees it, put together from what is stored."""

from __future__ import annotations

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gitlineage.records.artifact import Artifact
    from gitlineage.records.end import End
    from gitlineage.records.launch import Launch, Place


class Execution(Record):
    """One run of one command as a reader sees it: its launch, its end, its tags."""

    id: str
    launch: Launch | None
    """None when that part was redacted or does not decode."""
    end: End | None
    """None while it runs."""
    commit: str | None = None
    """The ledger's commit that holds it; None while it runs."""
    tags: tuple[str, ...] = ()
    ends_count: int = 1
    """More than one when a recovery and the recorder both wrote an end."""
    is_signed: bool = False
    """Where it was read alone: whether its commit has a signature, of whatever worth."""
    later: Mapping[str, Any] = {}
    """Metadata that was added after the end."""

    @property
    def status(self) -> str:
        """`running` until there is an end."""
        return "running" if self.end is None else self.end.status

    @property
    def place(self) -> Place | None:
        """Where it ran, as far as it became known."""
        if self.end is not None and self.end.place is not None:
            return self.end.place
        return self.launch.place if self.launch else None

    @property
    def inputs(self) -> tuple[Artifact, ...]:
        """All inputs, declared ones first."""
        declared = self.launch.inputs if self.launch else ()
        if self.end is None:
            return declared
        learned = {(each.path, each.role): each for each in self.end.learned}
        known = tuple(learned.get((each.path, each.role), each) for each in declared)
        return known + self.end.inputs

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """All outputs."""
        return self.end.outputs if self.end else ()

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Last value of each metadata key, what was added later too."""
        return {**(self.end.metadata if self.end else {}), **self.later}
