"""The Python API: one object over one repository. Each method is short; the work is done below.

    import gitlineage

    with gitlineage.open() as lineage:
        for execution in lineage.executions(step="train", limit=5):
            print(execution.id, execution.status)
        print(lineage.trace("model.pkl").nodes)

Inside a running execution, `gitlineage.log(accuracy=0.93)` adds a metadata point.
"""

from __future__ import annotations

import os

from gitlineage import artifacts, points
from gitlineage.digest import ID_LENGTH
from gitlineage.errors import (
    AmbiguousId,
    Damaged,
    FileChanged,
    LineageError,
    NothingBefore,
    NothingRecorded,
    NothingRuns,
    NotInCode,
    Refused,
    UnknownFile,
    UnknownId,
)
from gitlineage.recording import EXECUTION, FOLDER, Recorder
from gitlineage.repository import Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from gitlineage.comparison import Comparison
    from gitlineage.freshness import Status
    from gitlineage.image import Progress
    from gitlineage.index import Filters, Index, Row
    from gitlineage.prices import Total
    from gitlineage.recording import Recording
    from gitlineage.records import Cells, Deployment, End, Execution, Launch, Packages
    from gitlineage.reproduction import Reproduced, Stranger
    from gitlineage.reuse import Reuse
    from gitlineage.series import Series
    from gitlineage.session import Session
    from gitlineage.steps import Plan
    from gitlineage.sync import Fetched, Sent
    from gitlineage.tags import Member
    from gitlineage.trace import Start, Trace
    from gitlineage.view import View

LOADED_TOGETHER = 500
"""Executions that are read from the ledger in one go."""

SHORTEST_PREFIX = 4
"""Characters of an id that are at least needed, as in git."""


def open(path: str | os.PathLike[str] = ".") -> Lineage:
    """Return the lineage of the repository that a folder is in. Raises NoRepository."""
    return Lineage(Repository.discover(os.fspath(path)))


class Lineage:
    """The executions, tags and deployments of one repository, and what to do with them."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._view: View | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the index."""
        if self._view is not None:
            self._view.index.close()
            self._view = None

    # -- recording -------------------------------------------------------------------------

    def run(
        self,
        command: Sequence[str],
        *,
        inputs: Sequence[str | tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        title: str | None = None,
        step: str | None = None,
        metrics: Sequence[str] = (),
        price: str | None = None,
        image: str | None = None,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
    ) -> Recording:
        """Run a command here, with our terminal and standard streams, and record it.

        Inputs are paths or URIs, or pairs of a name and one. With `image` it runs in a container;
        volumes are `SOURCE:TARGET[:ro]`, variables `NAME=VALUE` or `NAME`. What keeps the command
        from running is raised; once it runs, `Recording.problem` says what kept the record from
        the ledger.
        """
        request = _request(command, inputs, outputs, parameters, tags, title, step, metrics)
        request = request.replace(price=price)
        request = _contained(request, image, volumes, variables, network, gpus)
        return Recorder(self.repository).run(request, on_pull)

    def step(
        self,
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence[tuple[str | None, str]] = (),
        variables: Sequence[str] = (),
    ) -> Plan:
        """Return what `run_step` would run; nothing is started.

        The step is that of `valohai.yaml` or `lineage.yaml` in the current folder or at the top.
        A parameter with several values has a list of them; variables are those of a container.
        Raises NoConfiguration, InvalidConfiguration, UnknownStep, InvalidStep, UnsafeValue.
        """
        from gitlineage import steps

        path = steps.find([os.getcwd(), self.repository.work_tree()], name)
        given = dict(each.split("=", 1) for each in variables if "=" in each)
        return steps.plan(path, name, parameters or {}, inputs, {**os.environ, **given})

    def run_step(
        self,
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence[tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        tags: Sequence[str] = (),
        title: str | None = None,
        price: str | None = None,
        metrics: Sequence[str] = (),
        image: str | None = None,
        in_image: bool = False,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
    ) -> Recording:
        """Run a step next to its configuration, and record it. See `step` and `run`.

        With `in_image` it runs in a container of the image that it names.
        """
        request = self._step_request(
            name, parameters, inputs, outputs, tags, title, metrics, variables
        )
        if in_image and image is None:
            image = request.plan.own_image()
        request = _contained(request, image, volumes, variables, network, gpus)
        with _inside(os.getcwd()):
            return Recorder(self.repository).run(request.replace(price=price), on_pull)

    def _step_request(
        self,
        name: str,
        parameters: Mapping[str, Any] | None,
        inputs: Sequence[tuple[str | None, str]],
        outputs: Sequence[str],
        tags: Sequence[str] = (),
        title: str | None = None,
        metrics: Sequence[str] = (),
        variables: Sequence[str] = (),
    ) -> Any:
        plan = self.step(name, parameters=parameters, inputs=inputs, variables=variables)

        def there(path: str) -> str:
            is_path = path and not artifacts.is_uri(path)
            return os.path.relpath(path, plan.folder) if is_path else path

        named = [(each.name, there(source)) for each in plan.inputs for source in each.sources]
        written, read = [there(each) for each in outputs], [there(each) for each in metrics]
        request = _request(plan.command, named, written, plan.parameters, tags, title, name, read)
        return request.replace(plan=plan)

    def reusable(
        self,
        command: Sequence[str],
        *,
        inputs: Sequence[str | tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        step: str | None = None,
        image: str | None = None,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
    ) -> Reuse:
        """Return the execution that `run` would only repeat, or why there is none."""
        from gitlineage import reuse

        request = _request(command, inputs, outputs, parameters, (), None, step)
        request = _contained(request, image, volumes, variables, network, gpus)
        used = Recorder(self.repository).image(request, on_pull)
        return reuse.find(self.repository, self.view().index, request, used, self.load)

    def reusable_step(
        self,
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence[tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
    ) -> Reuse:
        """Return the execution that `run_step` would only repeat, or why there is none."""
        from gitlineage import reuse

        request = self._step_request(name, parameters, inputs, outputs)
        with _inside(request.plan.folder):
            return reuse.find(self.repository, self.view().index, request, None, self.load)

    def notebook(
        self, path: str, *, executed: str | None = None, parameters: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Return the command that `run_notebook` would run; nothing is started.

        Raises Refused for what is no notebook, ToolMissing where there is no papermill.
        """
        from gitlineage import papermill

        executed = executed or papermill.executed_name(path)
        return papermill.command(path, executed, parameters or {})

    def run_notebook(
        self,
        path: str,
        *,
        executed: str | None = None,
        inputs: Sequence[str | tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        title: str | None = None,
        step: str | None = None,
        metrics: Sequence[str] = (),
        price: str | None = None,
    ) -> Recording:
        """Run a notebook through papermill, and record it. See `notebook` and `run`.

        The executed notebook, `NAME.out.ipynb` unless it is named, is an output.
        """
        from gitlineage import papermill
        from gitlineage.records import Notebook

        executed = executed or papermill.executed_name(path)
        command = self.notebook(path, executed=executed, parameters=parameters)
        step = step or papermill.step_of(path)
        outputs = (executed, *outputs)
        request = _request(command, inputs, outputs, parameters, tags, title, step, metrics)
        return Recorder(self.repository).run(
            request.replace(notebook=Notebook(path=path), price=price)
        )

    def begin(
        self,
        *,
        inputs: Sequence[str | tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        title: str | None = None,
        step: str | None = None,
        metrics: Sequence[str] = (),
        command: Sequence[str] | None = None,
    ) -> Session:
        """Record what this process does until the session ends; use it with `with`."""
        from gitlineage.session import Session, own_command

        words = command or own_command()
        request = _request(words, inputs, outputs, parameters, tags, title, step, metrics)
        return Session(Recorder(self.repository), request)

    def reproduce(
        self,
        name: str = "@",
        *,
        chain: bool = False,
        tolerance: float | None = None,
        keep: str | None = None,
        confirm: Callable[[Sequence[Stranger]], bool] | None = None,
        tell: Callable[[str], None] = lambda text: None,
        is_quiet: bool = False,
    ) -> list[Reproduced]:
        """Run an execution again in a throw-away work tree, compare what comes out, record that.

        With `chain`, executions whose outputs it lacks come first; the last one is what was asked.
        Numbers of metadata may differ by `tolerance`, relatively; `keep` is a new folder for the
        work tree. `confirm` is asked about commands of others, which are refused without it;
        `tell` hears what is worth knowing before it runs; `is_quiet` drops what it prints.
        Raises NotPossible, ContentMissing, NotConfirmed.
        """
        from gitlineage.reproduction import Reproducer

        reproducer = Reproducer(
            self.repository, self.view().index, self.execution, self._code_tree, tell
        )
        return reproducer.reproduce(
            self.resolve(name),
            chain=chain,
            tolerance=tolerance,
            keep=keep,
            confirm=confirm,
            is_quiet=is_quiet,
        )

    def begin_cell(
        self,
        *,
        inputs: Sequence[str | tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        title: str | None = None,
        step: str | None = None,
        metrics: Sequence[str] = (),
        price: str | None = None,
        on_end: Callable[[Recording], object] | None = None,
    ) -> Session:
        """Record what the notebook's cell that is running does, until it ends. Raises Refused."""
        from gitlineage.session import begin_cell

        request = _request((), inputs, outputs, parameters, tags, title, step, metrics)
        return begin_cell(Recorder(self.repository), request.replace(price=price), on_end)

    def append(self, launch: Launch, end: End, log: bytes = b"") -> Execution:
        """Add the record of an execution that something else has run, and return it.

        `end.execution` is filled in.
        """
        from gitlineage import bulk

        return bulk.append(self.repository, launch, end, log)

    def append_all(self, executions: Iterable[tuple[Launch, End]]) -> list[str]:
        """Add the records of many executions, in packs of a thousand, and return their ids."""
        from gitlineage import bulk

        return bulk.append_all(self.repository, executions)

    def deploy(
        self,
        name: str,
        files: Sequence[str],
        *,
        version: str | None = None,
        target: str | None = None,
    ) -> Deployment:
        """Record that files are relied on by a named deployment, outside of the repository."""
        from gitlineage.deployment import deploy

        return deploy(self.repository, name, files, version, target)

    # -- finding ---------------------------------------------------------------------------

    def view(self) -> View:
        """Return the current view: what is here and what was fetched."""
        if self._view is None:
            from gitlineage.view import View

            Recorder(self.repository).recover()
            if os.path.isdir(os.path.join(self.repository.lineage_dir, "scratch")):
                from gitlineage import scratch

                scratch.sweep(self.repository)
            self._view = View(self.repository)
        self._view.refresh()
        return self._view

    def rows(self, filters: Filters | None = None, limit: int | None = None) -> list[Row]:
        """Return a line's worth of each execution that fits, newest first."""
        return self.view().index.executions(filters, limit)

    def executions(self, *, limit: int | None = None, **filters: Any) -> list[Execution]:
        """Return executions, newest first; the filters are the fields of `index.Filters`."""
        from gitlineage.index import Filters

        return list(self.load(self.rows(Filters(**filters), limit)))

    def running(self) -> list[Execution]:
        """Return the executions that are running on this machine, newest first."""
        return Recorder(self.repository).running()

    def resolve(self, name: str) -> str:
        """Return the id of the execution or deployment that a name stands for.

        `@` is the newest execution, `@~2` the third newest, `@train` the newest of a step; a tag
        stands for the newest execution that has it; else an id or the beginning of one.
        Raises UnknownId, AmbiguousId.
        """
        index = self.view().index
        if name.startswith("@"):
            step, _, back = name[1:].partition("~")
            if not back or back.isdecimal():
                found = index.nth_newest(int(back or 0), step or None)
                if found is not None:
                    return found
            raise UnknownId(asked=name) if index.count() else NothingRecorded()
        tagged = index.newest_with_tag(name)
        if tagged is not None:
            return tagged
        ids = index.by_prefix(name.lower()) if len(name) >= SHORTEST_PREFIX else []
        if len(ids) > 1:
            shown = " ".join(each[:12] for each in ids[:8]) + (" ..." if len(ids) > 8 else "")
            raise AmbiguousId(asked=name, count=len(ids), candidates=shown)
        if not ids:
            raise UnknownId(asked=name) if index.count() else NothingRecorded()
        return ids[0]

    def execution(self, name: str = "@") -> Execution:
        """Return all that is known of an execution. Raises UnknownId, AmbiguousId, Damaged."""
        identity = self.resolve(name)
        row = self._index().row(identity)
        if row is None or row.kind != "execution":
            raise UnknownId(asked=name)
        return next(self.load([row]))

    def load(self, rows: Sequence[Row]) -> Iterator[Execution]:
        """Yield what the ledger has of these executions; of several, damaged ones are left out."""
        from gitlineage.records import Execution
        from gitlineage.view import halves

        for start in range(0, len(rows), LOADED_TOGETHER):
            some = rows[start : start + LOADED_TOGETHER]
            names = [f"{row.commit}:{part}" for row in some for part in ("launch", "record")]
            contents = iter(self.repository.contents(names))
            tags = self._index().tags_of([row.id for row in some])
            later = self._index().said_of([row.id for row in some])
            for row, content, record in zip(some, contents, contents, strict=True):
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
                    later=later.get(row.id, {}),
                )

    def _index(self) -> Index:
        """Return the index as the last look at the refs has left it."""
        return (self._view or self.view()).index

    def deployment(self, name: str) -> Deployment:
        """Return all that is known of a deployment, by its record's id."""
        from gitlineage import encoding
        from gitlineage.records import Deployment

        identity = self.resolve(name)
        row = self._index().row(identity)
        if row is None or row.kind != "deployment":
            raise UnknownId(asked=name)
        content = self.repository.contents([f"{row.commit}:record"])[0]
        return encoding.decode(Deployment, content or b"", row.id)

    def made_by(self, execution: Execution) -> dict[str, str]:
        """Tell of each input's digest which execution made it: `train 3f07c1d2`."""
        from gitlineage.trace import resolve_makers

        index = self._index()
        had = index.artifacts_of([execution.id]).get(execution.id, [])
        uses = [each for each in had if each.direction == "input" and each.digest]
        found = {}
        for use, resolved in zip(uses, resolve_makers(uses, index), strict=True):
            if resolved.maker is not None and use.digest is not None:
                row = index.row(resolved.maker.id)
                found[use.digest] = f"{row.step if row else '?'} {resolved.maker.id[:8]}"
        return found

    def reproduced_by(self, execution: Execution) -> list[Row]:
        """Return the executions that reproduce one, oldest first."""
        ids = self._index().reproductions([execution.id]).get(execution.id, [])
        rows = self._index().rows(ids)
        return [rows[each] for each in ids if each in rows]

    def recorded_name(self, given: str) -> str:
        """Return how a path is recorded; a digest stays what it is."""
        from gitlineage.fingerprints import Fingerprints

        if given.startswith("blake3:") or artifacts.is_uri(given) or self.repository.top is None:
            return given
        fingerprints = Fingerprints(self.repository.lineage_dir)
        return artifacts.Reader(self.repository.top, fingerprints).name(given)

    def output(self, name: str = "@") -> bytes:
        """Return what an execution printed, as far as it was kept."""
        execution = self.execution(name)
        return self.repository.contents([f"{execution.commit}:log"])[0] or b""

    def packages(self, name: str | Execution = "@") -> Packages | None:
        """Return what was installed where an execution ran; None where that is not known."""
        from gitlineage import encoding
        from gitlineage.records import Packages

        execution = self.execution(name) if isinstance(name, str) else name
        content = self.repository.contents([f"{execution.commit}:environment"])[0]
        return encoding.decode(Packages, content, execution.id) if content else None

    def cells(self, name: str = "@") -> Cells | None:
        """Return the notebook's cell that an execution was, and those that its kernel ran before.

        None for other executions.
        """
        from gitlineage import encoding
        from gitlineage.records import Cells

        execution = self.execution(name)
        content = self.repository.contents([f"{execution.commit}:notebook"])[0]
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

    # -- tracing ---------------------------------------------------------------------------

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

    # -- comparing -------------------------------------------------------------------------

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

    # -- tags ------------------------------------------------------------------------------

    def tags(self) -> dict[str, dict[str, int]]:
        """Return tags, and when each of their members got them (microseconds)."""
        return self.view().index.tags()

    def members(self, tag: str) -> dict[str, Member]:
        """Return what a tag is on, with who put it there and why."""
        from gitlineage.tags import Tags, ref_of

        tip = self.repository.tips(ref_of(tag)).get(ref_of(tag))
        return Tags(self.repository).members(tip) if tip else {}

    def tag(self, name: str, executions: Sequence[str] = ("@",), message: str = "") -> list[str]:
        """Tag executions; return their ids. Raises InvalidTag, UnknownId, AmbiguousId."""
        from gitlineage.capture import identity
        from gitlineage.tags import Tags

        ids = [self.resolve(each) for each in executions]
        Tags(self.repository).add(name, ids, identity(self.repository), message)
        return ids

    def untag(
        self, name: str, executions: Sequence[str] | None = None, message: str = ""
    ) -> list[str]:
        """Take a tag from executions, or from all that have it; return their ids."""
        from gitlineage.capture import identity
        from gitlineage.tags import Tags

        held = self.members(name)
        ids = list(held) if executions is None else [self.resolve(each) for each in executions]
        lacking = [each for each in ids if each not in held]
        if not held or lacking:
            raise UnknownId(asked=name if not held else f"{name} on {lacking[0][:12]}")
        Tags(self.repository).remove(name, ids, identity(self.repository), message)
        return ids

    # -- code ------------------------------------------------------------------------------

    def code_files(self, name: str = "@") -> list[str]:
        """Return the files of the code that an execution ran."""
        tree = self._code_tree(name)
        listed = self.repository.ask("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree)
        return os.fsdecode(listed).split("\0")[:-1]

    def adhoc_files(self, execution: Execution) -> list[tuple[str, str]]:
        """Return which files of the code were not as in the commit: git's letter and the path.

        None of them where that is not known: commit or code are not here.
        """
        from gitlineage import differences

        code = execution.launch.code if execution.launch else None
        if code is None or not code.is_adhoc or not code.commit or not code.tree:
            return []
        if not all(self.repository.are_readable([code.commit, code.tree])):
            return []
        return differences.files(self.repository, code.commit, code.tree)

    def code_file(self, name: str, path: str) -> bytes:
        """Return a file of the code that an execution ran. Raises NotInCode."""
        tree, inside = self._code_tree(name), self.recorded_name(path)
        found = self.repository.contents([f"{tree}:{inside}"])[0]
        if found is None or self.repository.entries(tree).get(inside) is None:
            raise NotInCode(execution=self.resolve(name)[:12], path=path)
        return found

    def export_code(self, name: str, target: str) -> None:
        """Write the code that an execution ran into a new folder, or a .zip or .tar.gz file."""
        tree = self._code_tree(name)
        path = os.path.abspath(target)
        if path.endswith((".zip", ".tar.gz", ".tgz", ".tar")):
            self.repository.ask("archive", f"--output={path}", tree)
            return
        if os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
            raise Refused(reason=f"{target} is there already; give a new or an empty folder")
        self.repository.check_out(tree, path)

    def _code_tree(self, name: str) -> str:
        launch = self.execution(name).launch
        tree = launch.code.tree if launch else None
        if tree is None:
            raise UnknownId(asked=f"code of {name}")
        self._bring_code([tree])
        return tree

    def _bring_code(self, trees: Sequence[str]) -> None:
        """Fetch code: a clone has the records and not yet the code, which comes when asked for."""
        if not all(self.repository.are_readable(trees)):
            from gitlineage.sync import Sync

            sync = Sync(self.repository)
            sync.fetch(sync.remote(None), ("code",))

    # -- sharing ---------------------------------------------------------------------------

    def fetch(self, remote: str | None = None) -> Fetched:
        """Bring a remote's lineage here. Raises GitFailed, Refused."""
        from gitlineage.sync import Sync

        sync = Sync(self.repository)
        fetched = sync.fetch(sync.remote(remote))
        self.view()  # which renews the notes of the commits that others have run
        return fetched

    def push(self, remote: str | None = None) -> Sent:
        """Send lineage to a remote, never by force. Raises SyncRejected, GitFailed, Refused."""
        from gitlineage.sync import Sync

        sync = Sync(self.repository)
        name = sync.remote(remote)
        sent = sync.push(name)
        if sent.changed:
            self.view()
        sync.push_notes(name)  # where no push of records has carried them
        return sent

    def sync(self, remote: str | None = None) -> tuple[Fetched, Sent]:
        """Fetch, then push."""
        return self.fetch(remote), self.push(remote)

    def init(self, remote: str | None = None, *, undo: bool = False) -> list[str]:
        """Make plain `git fetch` and `git push` carry lineage; return what was changed."""
        from gitlineage.sync import Sync
        from gitlineage.wiring import Wiring

        wiring = Wiring(self.repository)
        if undo:
            return wiring.disconnect(remote)
        name: str | None = None
        if remote is not None or self.repository.lineage_remote() is not None:
            name = Sync(self.repository).remote(remote)
        return wiring.connect(name)


def current() -> str | None:
    """Return the id of the execution that this process is part of, or None."""
    from gitlineage import session

    if session.active is not None:
        return session.active.id
    return os.environ.get(EXECUTION)


def log(**values: Any) -> None:
    """Add a metadata point to the execution that this process is part of.

    Where none is running, one begins here: it is recorded when the process, or the notebook's
    cell, ends. Raises NothingRuns outside of a repository.
    """
    from gitlineage import session
    from gitlineage.running import Running

    execution, folder = os.environ.get(EXECUTION), os.environ.get(FOLDER)
    if session.active is None and execution and folder:
        running = Running(folder)
        if running.launch(execution) is None:
            raise NothingRuns()  # it has ended, or its folder is not to be seen from here
        points.append(running.points_path(execution), values)
        return
    if session.active is None:
        try:
            session.begin_until_exit(open())
        except LineageError as error:
            raise NothingRuns() from error
    assert session.active is not None
    session.active.log(**values)


def _request(
    command: Sequence[str],
    inputs: Sequence[str | tuple[str | None, str]],
    outputs: Sequence[str],
    parameters: Mapping[str, Any] | None,
    tags: Sequence[str],
    title: str | None,
    step: str | None,
    metrics: Sequence[str] = (),
) -> Any:
    from gitlineage.capture import Request

    named = tuple((None, each) if isinstance(each, str) else each for each in inputs)
    return Request(
        command=tuple(command),
        inputs=named,
        outputs=tuple(outputs),
        parameters=parameters or {},
        tags=tuple(tags),
        title=title,
        step=step,
        metrics=tuple(metrics),
    )


def _contained(
    request: Any,
    image: str | None,
    volumes: Sequence[str],
    variables: Sequence[str],
    network: str | None,
    gpus: str | None,
) -> Any:
    """Return a request with what its container is given, where it is to have one."""
    if image is None:
        return request
    return request.replace(
        image=image,
        volumes=tuple(volumes),
        variables=tuple(variables),
        network=network,
        gpus=gpus,
    )


class _inside:  # noqa: N801 - it is used like a function; contextlib is not imported before a start
    """Work in another folder for a while."""

    def __init__(self, folder: str) -> None:
        self._folder, self._before = folder, os.getcwd()

    def __enter__(self) -> None:
        os.chdir(self._folder)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)


def _is_digest(text: str) -> bool:
    digits = text.removeprefix("blake3:")
    is_hex = all(each in "0123456789abcdef" for each in digits)
    return is_hex and len(digits) >= SHORTEST_PREFIX and (digits != text or len(digits) > 40)
