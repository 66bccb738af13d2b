"""Traces, costs, differences and freshness: what executions and files have to do with another."""

from __future__ import annotations

from gitlineage.errors import NotConnected, NothingBefore, OtherWayRound, Refused, UnknownId
from gitlineage.lineage.code import Code
from gitlineage.lineage.naming import Naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.comparison import Comparison
    from gitlineage.freshness import Status
    from gitlineage.prices import Total
    from gitlineage.records.execution import Execution
    from gitlineage.trace import Trace


class Comparing(Code, Naming):
    """The part of `Lineage` that follows files and sets executions beside each other."""

    def trace(
        self,
        target: str,
        *,
        up: bool = True,
        down: bool = True,
        depth: int | None = None,
        same_content: bool = False,
    ) -> Trace:
        """Return what made a target and what relies on it.

        A target is a path, a digest, an output (`EXECUTION:PATH`), an alias (`alias:NAME`), an
        execution, a deployment or a tag. With `same_content`, also who else made the same bytes.
        Raises UnknownFile, FileChanged, UnknownAlias, UnknownId, AmbiguousId.
        """
        from gitlineage import trace
        from gitlineage.trace.copies import apart

        index = self.view().index
        starts = self.starts(target)
        found = trace.trace(starts, index, up=up, down=down, depth=depth, target=target)
        return apart(self._with_others(found) if same_content else found, index, starts)

    def between(
        self,
        first: str,
        second: str,
        *,
        shortest: bool = False,
        depth: int | None = None,
        same_content: bool = False,
    ) -> Trace:
        """Return all ways in which data went from one target to another, or the shortest.

        Raises NotConnected, and what `trace` raises.
        """
        from gitlineage.trace.copies import apart, are_same
        from gitlineage.trace.paths import between

        index = self.view().index
        starts, ends = self.starts(first), self.starts(second)
        if are_same(starts, ends, index):
            raise Refused(reason=f"{first} and {second} are the same: nothing is between them")
        found = between(starts, ends, index, is_shortest=shortest, depth=depth, target=second)
        if not found.nodes:
            within = f" within {depth} execution{'s' * (depth != 1)}" if depth else ""
            if between(ends, starts, index, is_shortest=True, target=first).nodes:
                raise OtherWayRound(first=first, second=second, within=within)
            raise NotConnected(first=first, second=second, within=within)
        found = self._with_others(found) if same_content else found
        return apart(found, index, starts, ends)

    def _with_others(self, found: Trace) -> Trace:
        from gitlineage.trace.others import with_others

        return with_others(found, self._index())

    def cost(self, ids: Iterable[str]) -> Total:
        """Return what executions cost together; what ran inside another of them counts once."""
        from gitlineage import prices

        index = self.view().index
        rows = index.rows(ids)
        outer = [each for each, row in rows.items() if row.parent not in rows]
        return prices.total(outer, index.costs_of(outer))

    def compare(
        self, before: str | None = None, after: str = "@", paths: Sequence[str] = ()
    ) -> Comparison:
        """Return in what two executions differ; the first is else the one before of its step.

        With `paths`, only in code, inputs and outputs there. Raises UnknownId, AmbiguousId.
        """
        from gitlineage import comparison as comparing

        later = self.execution(after)
        earlier = self.execution(before or self._before(later))
        names = [self.recorded_name(each) for each in paths]
        return comparing.gather(self.repository, earlier, later, names, self._bring_code)

    def patch(self, comparison: Comparison, *options: str, paths: Sequence[str] = ()) -> bytes:
        """Return how the code of two executions differs; options are those of `git diff`."""
        from gitlineage import comparison as comparing

        names = [self.recorded_name(each) for each in paths]
        return comparing.patch(self.repository, comparison, names, options)

    def status(self, paths: Sequence[str] = ()) -> Status:
        """Return how files in the work tree stand to the executions that made them last."""
        from gitlineage import freshness

        names = [self.recorded_name(each) for each in paths]
        return freshness.gather(self.repository, self.view().index, names)

    def _before(self, execution: Execution) -> str:
        """Return the id of the execution of the same step before one. Raises Refused."""
        from gitlineage.index import Filters

        launch = execution.launch
        if launch is None:
            raise UnknownId(asked=f"one before {execution.id[:12]}")
        asked = Filters(step=launch.step, until=launch.started_at)
        found = [row.id for row in self._index().executions(asked)]
        earlier = found[found.index(execution.id) + 1 :] if execution.id in found else found
        if not earlier:
            raise NothingBefore(execution=execution.id[:12], step=launch.step)
        return earlier[0]
