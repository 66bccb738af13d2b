"""Executions are run and recorded, here or from elsewhere."""

from __future__ import annotations

import os

from gitlineage import artifacts
from gitlineage.lineage.fetching import Fetching
from gitlineage.recording import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.image import Progress
    from gitlineage.records.end import End
    from gitlineage.records.execution import Execution
    from gitlineage.records.launch import Launch
    from gitlineage.session import Session
    from gitlineage.steps import Plan
    from gitlineage.steps.inputs import Fetch
    from gitlineage.underway import Recording


class Making(Fetching):
    """The part of `Lineage` that records."""

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
        observe: bool = False,
        image: str | None = None,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
        on_fetch: Progress | None = None,
    ) -> Recording:
        """Run a command here, with our terminal and standard streams, and record it.

        Inputs are paths, URIs or aliases (`alias:NAME`), or pairs of a name and one. URIs with a
        name are downloaded first, as those of steps are: see `run_step`. With `image` it runs in a
        container; volumes are `SOURCE:TARGET[:ro]`, variables `NAME=VALUE` or `NAME`. With
        `observe` its system calls tell what it reads and writes. What keeps the command from
        running is raised; once it runs, `Recording.problem` says what kept the record from the
        ledger.
        """
        named, placed = self._placed(inputs, on_fetch)
        request = request_of(command, named, outputs, parameters, tags, title, step, metrics)
        request = request.replace(price=price, observe=observe, placed=placed)
        request = contained(request, image, volumes, variables, network, gpus)
        return Recorder(self.repository).run(request, on_pull)

    def step(
        self,
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence[tuple[str | None, str]] = (),
        variables: Sequence[str] = (),
        fetch: Fetch | None = None,
    ) -> Plan:
        """Return what `run_step` would run; nothing is started.

        The step is that of `valohai.yaml` or `lineage.yaml` in the current folder or at the top.
        A parameter with several values has a list of them; variables are those of a container.
        Inputs that are URIs are got with `fetch`, else only named.
        Raises NoConfiguration, InvalidConfiguration, UnknownStep, InvalidStep, UnsafeValue.
        """
        from gitlineage import steps

        path = steps.find([os.getcwd(), self.repository.work_tree()], name)
        given = dict(each.split("=", 1) for each in variables if "=" in each)
        return steps.plan(path, name, parameters or {}, inputs, {**os.environ, **given}, fetch)

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
        observe: bool = False,
        metrics: Sequence[str] = (),
        image: str | None = None,
        in_image: bool = False,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
        on_fetch: Progress | None = None,
    ) -> Recording:
        """Run a step next to its configuration, and record it. See `step` and `run`.

        With `in_image` it runs in a container of the image that it names. Inputs that are URIs
        are downloaded first, and kept for the next time; `on_fetch` is told how far each is.
        """
        request = self._step_request(
            name, parameters, inputs, outputs, tags, title, metrics, variables, on_fetch
        )
        if in_image and image is None:
            image = request.plan.own_image()
        request = contained(request, image, volumes, variables, network, gpus)
        with inside(os.getcwd()):
            return Recorder(self.repository).run(
                request.replace(price=price, observe=observe), on_pull
            )

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
        on_fetch: Progress | None = None,
    ) -> Any:
        plan = self.step(
            name,
            parameters=parameters,
            inputs=self.located(inputs),
            variables=variables,
            fetch=lambda uri: self._fetch(uri, on_fetch),
        )

        def there(path: str) -> str:
            is_path = path and not artifacts.is_uri(path)
            return os.path.relpath(path, plan.folder) if is_path else path

        named = [(each.name, there(source)) for each in plan.inputs for source in each.sources]
        written, read = [there(each) for each in outputs], [there(each) for each in metrics]
        request = request_of(plan.command, named, written, plan.parameters, tags, title, name, read)
        return request.replace(plan=plan, placed=plan.inputs)

    def notebook(
        self,
        path: str,
        *,
        executed: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        is_contained: bool = False,
    ) -> list[str]:
        """Return the command that `run_notebook` would run, in a container if it is to be.

        Nothing is started. Raises Refused for what is no notebook, ToolMissing where there is no
        papermill.
        """
        from gitlineage import papermill

        executed = executed or papermill.executed_name(path)
        return papermill.command(path, executed, parameters or {}, is_contained=is_contained)

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
        observe: bool = False,
        image: str | None = None,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
        on_fetch: Progress | None = None,
    ) -> Recording:
        """Run a notebook through papermill, and record it. See `notebook` and `run`.

        The executed notebook, `NAME.out.ipynb` unless it is named, is an output. With `image`,
        papermill and the kernel are those of the image.
        """
        request = self._notebook_request(
            path,
            executed,
            inputs,
            outputs,
            parameters,
            tags,
            title,
            step,
            metrics,
            is_contained=image is not None,
            on_fetch=on_fetch,
        )
        request = contained(request, image, volumes, variables, network, gpus)
        return Recorder(self.repository).run(request.replace(price=price, observe=observe), on_pull)

    def _notebook_request(
        self,
        path: str,
        executed: str | None,
        inputs: Sequence[str | tuple[str | None, str]],
        outputs: Sequence[str],
        parameters: Mapping[str, Any] | None,
        tags: Sequence[str] = (),
        title: str | None = None,
        step: str | None = None,
        metrics: Sequence[str] = (),
        *,
        is_contained: bool = False,
        on_fetch: Progress | None = None,
    ) -> Any:
        from gitlineage import papermill
        from gitlineage.records.launch import Notebook

        executed = executed or papermill.executed_name(path)
        command = self.notebook(
            path, executed=executed, parameters=parameters, is_contained=is_contained
        )
        step = step or papermill.step_of(path)
        outputs = (executed, *outputs)
        named, placed = self._placed(inputs, on_fetch)
        request = request_of(command, named, outputs, parameters, tags, title, step, metrics)
        return request.replace(notebook=Notebook(path=path), placed=placed)

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
        request = request_of(
            words, self.located(inputs), outputs, parameters, tags, title, step, metrics
        )
        return Session(Recorder(self.repository), request)

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

        request = request_of(
            (), self.located(inputs), outputs, parameters, tags, title, step, metrics
        )
        return begin_cell(Recorder(self.repository), request.replace(price=price), on_end)

    def append(self, launch: Launch, end: End, log: bytes = b"") -> Execution:
        """Add the record of an execution that something else has run, and return it.

        `end.execution` is filled in.
        """
        from gitlineage import bulk

        return bulk.append(self.repository, launch, end, log)

    def append_all(self, executions: Iterable[tuple[Launch, End]]) -> list[str]:
        """Add the records of many executions, straight into packs, and return their ids."""
        from gitlineage import bulk

        return list(bulk.append_all(self.repository, executions))

    def import_lines(
        self,
        lines: Iterable[bytes],
        on_refused: Callable[[Sequence[str]], None] = lambda ids: None,
    ) -> list[str]:
        """Add the executions of lines that `export_lines` or others wrote; return the new ids.

        Those that are here already are left out, and those that were forgotten, of whose ids
        `on_refused` is told. Raises InvalidLine.
        """
        from gitlineage import bulk
        from gitlineage.settling import Settling

        index = self.view().index
        there: set[str] = set()

        def known(ids: Sequence[str]) -> set[str]:
            found = set(index.rows(ids))
            there.update(found)
            return found

        gone = Settling(self.repository).forgotten_ids()
        made = list(bulk.append_all(self.repository, lines, known, gone, on_refused))
        if there:  # somebody may have been killed before the notes of these were written
            self.view().renew_rewritten()
        return made

    def import_datalad(
        self,
        revisions: Sequence[str] = ("HEAD",),
        on_refused: Callable[[Sequence[str]], None] = lambda ids: None,
    ) -> tuple[list[str], int]:
        """Add the executions that `datalad run` has recorded in messages of commits.

        Return the ids of those that are new, and how many there are; `on_refused` is told of those
        that were forgotten. Raises GitFailed.
        """
        from gitlineage import bulk, datalad
        from gitlineage.settling import Settling

        index = self.view().index
        found = list(datalad.executions(self.repository, revisions))
        gone = Settling(self.repository).forgotten_ids()
        new = bulk.append_all(
            self.repository, found, lambda ids: set(index.rows(ids)), gone, on_refused
        )
        return list(new), len(found)


def request_of(
    command: Sequence[str],
    inputs: Sequence[tuple[str | None, str]],
    outputs: Sequence[str],
    parameters: Mapping[str, Any] | None,
    tags: Sequence[str],
    title: str | None,
    step: str | None,
    metrics: Sequence[str] = (),
) -> Any:
    """Return what is asked for as a recorder takes it."""
    from gitlineage.capture import Request

    return Request(
        command=tuple(command),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        parameters=parameters or {},
        tags=tuple(tags),
        title=title,
        step=step,
        metrics=tuple(metrics),
    )


def contained(
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


class inside:  # noqa: N801 - it is used like a function; contextlib is not imported before a start
    """Work in another folder for a while."""

    def __init__(self, folder: str) -> None:
        self._folder, self._before = folder, os.getcwd()

    def __enter__(self) -> None:
        os.chdir(self._folder)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)
