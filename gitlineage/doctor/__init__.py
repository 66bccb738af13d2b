"""Whether a repository is set up well, and what is or would go wrong. Looks, and changes nothing.

Each finding is one line and a remedy. That a push carries lineage is not concluded but tried: git
is asked to run its hook, and what the hook starts tries a push that sends nothing.
"""

from __future__ import annotations

from gitlineage.doctor.findings import Count, Finding
from gitlineage.doctor.here import Here
from gitlineage.doctor.there import There
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.repository import Repository


class Examined(Record):
    """What was found of a repository."""

    findings: tuple[Finding, ...]
    counts: tuple[Count, ...]
    index: str
    """`current`, `behind`, `none`: each read brings it up to date."""

    @property
    def is_well(self) -> bool:
        """Nothing is in the way."""
        return not any(each.level == "problem" for each in self.findings)


def examine(repository: Repository, remote: str | None = None, *, is_offline: bool) -> Examined:
    """Look at a repository, and at one remote or all that lineage goes to. Raises Refused."""
    there = There(repository, is_offline=is_offline)
    here = Here(repository)
    findings = list(here.findings())
    names = there.names(remote)
    for name in names:
        findings += there.findings(name)
    if not names:
        findings.append(
            Finding(
                kind="remote",
                level="note",
                message="there is no remote that lineage goes to",
                remedy="git remote add origin URL, then git lineage init",
            )
        )
    order = ("problem", "warning", "note")
    findings.sort(key=lambda each: order.index(each.level))
    return Examined(
        findings=tuple(findings), counts=tuple(map(there.count, names)), index=here.index()
    )
