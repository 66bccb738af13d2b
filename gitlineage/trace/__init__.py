"""What made a file, and what relies on it: a walk over content digests, up and down.

Pure over the lookups that it is given; knows no store, no git and no pictures. `makers` has the
rule by which a use goes back to one execution, `precedence` which of two was first, `walk` what
is reached from there, `paths` what leads from one to another, `copies` what tells a copy from its
source, `others` who else made the same bytes, `order` and `telling` how that is told, `graph` what
comes out.
"""

from __future__ import annotations

from gitlineage.trace.graph import Edge, Node, Start, Trace
from gitlineage.trace.makers import Makers
from gitlineage.trace.resolved import Resolved
from gitlineage.trace.walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.index import Mention
    from gitlineage.trace.lookups import Lookups

__all__ = [
    "Edge",
    "Node",
    "Resolved",
    "Start",
    "Trace",
    "resolve_maker",
    "resolve_makers",
    "trace",
]


def trace(
    starts: Sequence[Start],
    lookups: Lookups,
    *,
    up: bool = True,
    down: bool = True,
    depth: int | None = None,
    target: str | None = None,
) -> Trace:
    """Return what the starts were made from and what relies on them.

    `depth` counts executions away from a start. What else was made from the sources of a start,
    and what else its users used, is left out.
    """
    with lookups.reading():
        walk = Walk(lookups, starts)
        if up:
            walk.upward(depth)
        if down:
            walk.downward(depth)
        return walk.trace(starts[0].id if target is None else target)


def resolve_makers(uses: Sequence[Mention], lookups: Lookups) -> list[Resolved]:
    """Return for each use (or deployed artifact) who made what it has."""
    return Makers(lookups).resolve(uses)


def resolve_maker(digest: str, path: str | None, lookups: Lookups) -> Resolved:
    """Return who made some content that is there now: the latest at that path, else anywhere."""
    makers = Makers(lookups)
    makers.fetch([digest])
    return makers.latest(digest, path)
