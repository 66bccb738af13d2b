"""Traces, costs, differences and freshness: what executions and files have to do with another."""

from __future__ import annotations

import os

from gitlineage import artifacts
from gitlineage.digest import ID_LENGTH
from gitlineage.errors import (
    AmbiguousId,
    FileChanged,
    NothingBefore,
    Refused,
    UnknownFile,
    UnknownId,
)
from gitlineage.lineage.code import Code
from gitlineage.lineage.reading import SHORTEST_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.comparison import Comparison
    from gitlineage.freshness import Status
    from gitlineage.prices import Total
    from gitlineage.records.execution import Execution
    from gitlineage.trace import Start, Trace


class Comparing(Code):
    """The part of `Lineage` that follows files and sets executions beside each other."""

    def trace(
        self, target: str, *, up: bool = True, down: bool = True, depth: int | None = None
    ) -> Trace:
        """Return what made a target and what relies on it.

        A target is a path, a digest, an execution, a deployment or a tag. Raises UnknownFile,
        FileChanged, UnknownId, AmbiguousId.
        """
        from gitlineage import trace

        starts = self._starts(target)
        return trace.trace(starts, self.view().index, up=up, down=down, depth=depth, target=target)

    def _starts(self, target: str) -> list[Start]:
        """Return what a target stands for: a path here, content, or what has a name."""
        from gitlineage.trace import Start

        index = self.view().index
        if not target.startswith(("@", "blake3:")) and self.repository.top is not None:
            name = self.recorded_name(target)
            if os.path.exists(target):
                digest = self._known_content(target, name)
                return [Start(kind="artifact", id=digest, path=name)]
            if known := [each for each in index.mentions_of_path(name, 1) if each.digest]:
                return [Start(kind="artifact", id=str(known[0].digest), path=name)]
        if target in index.tags():
            ids = list(index.tags()[target])
            return [
                Start(kind="execution", id=each)
                if len(each) == ID_LENGTH
                else Start(kind="artifact", id=f"blake3:{each}")
                for each in ids
            ]
        if _is_digest(target):
            contents = index.contents_by_prefix(target)
            if len(contents) > 1:
                shown = " ".join(each[:19] for each in contents[:8])
                raise AmbiguousId(asked=target, count=len(contents), candidates=shown)
            if contents:
                return [Start(kind="artifact", id=contents[0])]
        try:
            identity = self.resolve(target)
        except UnknownId:
            if target.startswith("@"):
                raise
            raise UnknownFile(asked=target) from None
        row = index.row(identity)
        return [Start(kind=row.kind if row else "execution", id=identity)]

    def _known_content(self, path: str, name: str) -> str:
        """Return the digest of a file that is there. Raises UnknownFile, FileChanged."""
        from gitlineage.fingerprints import Fingerprints

        index = self.view().index
        reader = artifacts.Reader(
            self.repository.work_tree(), Fingerprints(self.repository.lineage_dir)
        )
        try:
            digest = reader.read(name, how="argument").digest
        except OSError as error:
            raise Refused(reason=f"{path}: {(error.strerror or '').lower()}") from error
        asked = [digest] if digest else []
        if digest and any(
            look(asked).get(digest)
            for look in (index.makers_of, index.users_of, index.deployments_of)
        ):
            return digest
        if makers := index.makers_of_path(name, 1):
            raise FileChanged(path=path, execution=makers[0].id[:12])
        raise UnknownFile(asked=path)

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

    def set_metadata(self, target: str, values: Mapping[str, Any]) -> list[str]:
        """Add metadata to an execution or to a file's content; return what it was added to.

        Raises UnknownFile, FileChanged, UnknownId, AmbiguousId, Refused, InvalidTag.
        """
        from gitlineage import metadata

        starts = self._starts(target)
        for start in starts:
            if start.kind == "deployment":
                raise Refused(reason=f"{target} is a deployment, which has no metadata")
            path = start.path or start.id if start.kind == "artifact" else None
            metadata.add(self.repository, start.id.removeprefix("blake3:"), values, path)
        return [start.id for start in starts]

    def file_metadata(self, target: str) -> dict[str, dict[str, Any]]:
        """Return what was said of a file's content, by digest; empty for what is no file."""
        ids = [each.id for each in self._starts(target) if each.kind == "artifact"]
        said = self._index().said_of(ids)
        return {each: said.get(each, {}) for each in ids}


def _is_digest(text: str) -> bool:
    digits = text.removeprefix("blake3:")
    is_hex = all(each in "0123456789abcdef" for each in digits)
    return is_hex and len(digits) >= SHORTEST_PREFIX and (digits != text or len(digits) > 40)
