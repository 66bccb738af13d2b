"""Executions are found that need not run again, or are made again to see whether the same comes."""

from __future__ import annotations

from gitlineage.lineage.code import Code
from gitlineage.lineage.making import Making, contained, inside, request_of
from gitlineage.recording import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from gitlineage.image import Progress
    from gitlineage.reproduction import Reproduced, Stranger
    from gitlineage.reuse import Reuse


class Repeating(Code, Making):
    """The part of `Lineage` that repeats."""

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
        on_fetch: Progress | None = None,
    ) -> Reuse:
        """Return the execution that `run` would only repeat, or why there is none."""
        from gitlineage import reuse

        named, placed = self._placed(inputs, on_fetch)
        request = request_of(command, named, outputs, parameters, (), None, step)
        request = request.replace(placed=placed)
        request = contained(request, image, volumes, variables, network, gpus)
        request, used = Recorder(self.repository).imaged(request, on_pull)
        return reuse.find(self.repository, self.view().index, request, used, self.load)

    def reusable_step(
        self,
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        inputs: Sequence[tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        image: str | None = None,
        in_image: bool = False,
        volumes: Sequence[str] = (),
        variables: Sequence[str] = (),
        network: str | None = None,
        gpus: str | None = None,
        on_pull: Progress | None = None,
        on_fetch: Progress | None = None,
    ) -> Reuse:
        """Return the execution that `run_step` would only repeat, or why there is none."""
        from gitlineage import reuse

        request = self._step_request(
            name, parameters, inputs, outputs, variables=variables, on_fetch=on_fetch
        )
        if in_image and image is None:
            image = request.plan.own_image()
        request = contained(request, image, volumes, variables, network, gpus)
        folder = request.plan.folder
        request, used = Recorder(self.repository).imaged(request, on_pull)
        with inside(folder):
            return reuse.find(self.repository, self.view().index, request, used, self.load)

    def reusable_notebook(
        self,
        path: str,
        *,
        executed: str | None = None,
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
        on_fetch: Progress | None = None,
    ) -> Reuse:
        """Return the execution that `run_notebook` would only repeat, or why there is none."""
        from gitlineage import reuse

        request = self._notebook_request(
            path,
            executed,
            inputs,
            outputs,
            parameters,
            step=step,
            is_contained=image is not None,
            on_fetch=on_fetch,
        )
        request = contained(request, image, volumes, variables, network, gpus)
        request, used = Recorder(self.repository).imaged(request, on_pull)
        return reuse.find(self.repository, self.view().index, request, used, self.load)

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
