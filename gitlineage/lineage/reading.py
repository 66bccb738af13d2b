"""What is known of executions: rows, records and their parts."""

from __future__ import annotations

from gitlineage.errors import (
    Damaged,
    NotSent,
    UnknownId,
)
from gitlineage.lineage.resolving import Resolving
from gitlineage.running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gitlineage.index import Answer, Filters, Row
    from gitlineage.records.deployment import Deployment
    from gitlineage.records.execution import Execution
    from gitlineage.records.parts import Cells, Packages
    from gitlineage.series import Series
    from gitlineage.signatures import Signature

LOADED_TOGETHER = 500
"""Executions that are read from the ledger in one go."""


class Reading(Resolving):
    """The half of `Lineage` that finds and reads, on which the others build."""

    def rows(self, filters: Filters | None = None, limit: int | None = None) -> list[Row]:
        """Return a line's worth of each execution that fits, newest first."""
        return self.view().index.executions(filters, limit)

    def executions(self, *, limit: int | None = None, **filters: Any) -> list[Execution]:
        """Return executions, newest first; the filters are the fields of `index.Filters`.

        `where` may be text, as `log --where` takes it. Raises InvalidCondition.
        """
        from gitlineage.index import Filters

        if isinstance(filters.get("where"), str):
            from gitlineage.where import parse

            filters["where"] = parse(filters["where"])

        return list(self.load(self.rows(Filters(**filters), limit)))

    def sql(self, query: str, seconds: float = 30.0, memory: int | None = None) -> Answer:
        """Return what a query in SQL answers: its `columns`, and its `rows` as they are read.

        It is about the views that docs/sql.md lists, can only read, and ends after `seconds`; a
        single function of SQLite's may go on a little. `memory`, where it is given, is how many
        bytes SQLite may have from now on, in all of this process.
        Raises InvalidQuery, QueryTooLong, QueryTooLarge.
        """
        return self.view().index.ask(query, seconds, memory)

    def export_lines(self, names: Sequence[str] = ()) -> Iterator[str]:
        """Yield executions, all where none is named, as `import_lines` takes them, oldest first.

        Raises UnknownId, AmbiguousId, InvalidRecord, NewerFormat.
        """
        from gitlineage import lines

        index = self.view().index
        asked = [index.row(self.resolve(each)) for each in names] or self.rows()[::-1]
        rows = [row for row in asked if row is not None and row.kind == "execution"]
        commits = [row.commit for row in rows]
        tags = index.tags_of([row.id for row in rows])
        parts = (f"{commit}:{part}" for commit in commits for part in ("launch", "record", "log"))
        found = self.repository.stream_contents(parts)
        for row, launch, end, log in zip(rows, found, found, found, strict=True):
            if launch is not None and end is not None:
                yield lines.write(launch, end, log, tags.get(row.id, []))

    def running(self) -> list[Execution]:
        """Return the executions that are running on this machine, newest first."""
        return Running(self.repository.lineage_dir).executions()

    def execution(self, name: str = "@") -> Execution:
        """Return all that is known of an execution. Raises UnknownId, AmbiguousId, Damaged."""
        identity = self.resolve(name)
        row = self._index().row(identity)
        if row is None or row.kind != "execution":
            raise UnknownId(asked=name)
        return next(self.load([row]))

    def load(self, rows: Sequence[Row]) -> Iterator[Execution]:
        """Yield what the ledger has of these executions; of several, damaged ones are left out."""
        from gitlineage.chains import is_signed
        from gitlineage.records.execution import Execution
        from gitlineage.view import halves

        for start in range(0, len(rows), LOADED_TOGETHER):
            some = rows[start : start + LOADED_TOGETHER]
            names = [f"{row.commit}:{part}" for row in some for part in ("launch", "record")]
            if is_alone := len(rows) == 1:
                names.append(rows[0].commit)
            found = self.repository.contents(names)
            contents = iter(found)
            tags = self._index().tags_of([row.id for row in some])
            later = self._index().said_of([row.id for row in some])
            for row, content, record in zip(some, contents, contents, strict=False):
                try:
                    launch, end = halves(content, record, row.commit)
                except Damaged:
                    if len(rows) > 1:
                        continue
                    raise
                yield Execution(
                    id=row.id,
                    launch=launch,
                    end=end,
                    commit=row.commit,
                    tags=tuple(tags.get(row.id, ())),
                    ends_count=row.ends_count,
                    is_signed=is_alone and is_signed(found[-1]),
                    later=later.get(row.id, {}),
                )

    def signatures(self, commits: Sequence[str]) -> dict[str, Signature]:
        """Return what git says of the signatures of those of the ledger's commits that have any."""
        from gitlineage import signatures

        found = signatures.signed(self.repository, commits)
        return dict(signatures.check(self.repository, found))

    def deployment(self, name: str) -> Deployment:
        """Return all that is known of a deployment, by its record's id."""
        from gitlineage import encoding
        from gitlineage.records.deployment import Deployment

        identity = self.resolve(name)
        row = self._index().row(identity)
        if row is None or row.kind != "deployment":
            raise UnknownId(asked=name)
        content = self.repository.contents([f"{row.commit}:record"])[0]
        return encoding.decode(Deployment, content or b"", row.id)

    def makers(self, id: str) -> dict[str, str]:
        """Return which execution made what an execution used, or a deployment has, by digest."""
        from gitlineage.trace import resolve_makers

        index = self._index()
        had = index.artifacts_of([id]).get(id, [])
        uses = [each for each in had if each.direction in ("input", "deployed") and each.digest]
        return {
            use.digest: resolved.maker.id
            for use, resolved in zip(uses, resolve_makers(uses, index), strict=True)
            if resolved.maker is not None and use.digest is not None
        }

    def made_by(self, id: str) -> dict[str, str]:
        """Return the same in words: `train 3f07c1d2`."""
        made = self.makers(id)
        rows = self._index().rows(made.values())
        return {
            digest: f"{rows[maker].step if maker in rows else '?'} {maker[:8]}"
            for digest, maker in made.items()
        }

    def retired_by(self, id: str) -> tuple[str, str | None]:
        """Return who has ended a deployment, and why. Raises UnknownId."""
        found = self._index().retirement_of(id)
        if found is None:
            raise UnknownId(asked=id)
        return found

    def reproduced_by(self, execution: Execution) -> list[Row]:
        """Return the executions that reproduce one, oldest first."""
        ids = self._index().reproductions([execution.id]).get(execution.id, [])
        rows = self._index().rows(ids)
        return [rows[each] for each in ids if each in rows]

    def output(self, name: str = "@") -> bytes:
        """Return what an execution printed, as far as it was kept. Raises NotSent."""
        execution = self.execution(name)
        log = execution.end.log if execution.end else None
        is_one = log is not None and log.size > 0
        return self._part(execution, "log", "output", is_one=is_one) or b""

    def _part(self, execution: Execution, part: str, verb: str, *, is_one: bool) -> bytes | None:
        """Return a part of a record, from the ledger or from home. Raises NotSent."""
        found = self.repository.contents([f"{execution.commit}:{part}"])[0]
        if found is None and is_one:
            from gitlineage.home import Home

            found = Home(self.repository.lineage_dir).part(execution.id, part)
            if found is None:
                host = execution.launch.place.host if execution.launch else "its machine"
                raise NotSent(part=part, execution=execution.id[:8], host=host, verb=verb)
        return found

    def packages(self, name: str | Execution = "@") -> Packages | None:
        """Return what was installed where an execution ran; None where that is not known."""
        from gitlineage import encoding
        from gitlineage.records.parts import Packages

        execution = self.execution(name) if isinstance(name, str) else name
        content = self.repository.contents([f"{execution.commit}:environment"])[0]
        return encoding.decode(Packages, content, execution.id) if content else None

    def cells(self, name: str = "@") -> Cells | None:
        """Return the notebook's cell that an execution was, and those that its kernel ran before.

        None for other executions. Raises NotSent.
        """
        from gitlineage import encoding
        from gitlineage.records.parts import Cells

        execution = self.execution(name)
        notebook = execution.launch.code.notebook if execution.launch else None
        is_one = notebook is not None and notebook.cells_digest is not None
        content = self._part(execution, "notebook", "code --cells", is_one=is_one)
        return encoding.decode(Cells, content, execution.id) if content else None

    def series(self, execution: Execution) -> Series:
        """Return all metadata points of an execution. Raises InvalidRecord."""
        from gitlineage.series import Series

        names = sorted(
            each
            for each in self.repository.entries(execution.commit or "")
            if each.split("/")[0] == "metadata"
        )
        contents = self.repository.contents([f"{execution.commit}:{each}" for each in names])
        if names == ["metadata"]:
            return Series.first_form(contents[0] or b"", execution.id[:12])
        if not names and execution.end is not None and execution.end.metadata:
            return Series.of_one(execution.end.finished_at or 0, execution.end.metadata)
        return Series((each for each in contents if each is not None), execution.id[:12])

    def usage(self, name: str | Execution = "@") -> Series:
        """Return what an execution used while it ran, sample by sample. Raises InvalidRecord.

        `cpu` and `gpu` are percent of one core and of one graphics processor, `memory` and
        `gpu_memory` bytes. Empty where there were no samples.
        """
        from gitlineage.series import Series

        execution = self.execution(name) if isinstance(name, str) else name
        content = self.repository.contents([f"{execution.commit}:usage"])[0]
        return Series([content] if content else [], execution.id[:12])
