"""What a look at a repository finds, as values."""

from __future__ import annotations

from gitlineage.records import Record


class Finding(Record):
    """One thing that is in the way, or may be."""

    kind: str
    """A word that stays: `hook`, `refspec`, `ledger`, ..."""
    level: str
    """`problem`: lineage does not get where it should; `warning`: it may not; `note`."""
    message: str
    remedy: str = ""
    remote: str | None = None


class Count(Record):
    """How much of the ledger is where."""

    remote: str
    local: int
    """Records here."""
    fetched: int
    """Records that the remote had when last fetched or pushed."""
    unpushed: int
