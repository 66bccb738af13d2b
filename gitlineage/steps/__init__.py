"""Steps of a `valohai.yaml` or `lineage.yaml`: reads them, checks what is given, builds commands.

Knows the format, through Valohai's own package, and knows no git; it starts nothing. How the
package's ways are kept, and where not, stands in docs/steps.md.

`configuration` has the file, `parameters` the values, `inputs` their files, `commands` what starts,
`conditions` what ends it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from valohai_yaml.utils import listify

from gitlineage.errors import InvalidStep, NoConfiguration
from gitlineage.records import Record
from gitlineage.steps.commands import command_of
from gitlineage.steps.conditions import Condition
from gitlineage.steps.configuration import read, step_of, text_of, unknown
from gitlineage.steps.inputs import Placed, collect
from gitlineage.steps.parameters import values_of

if TYPE_CHECKING:
    from valohai_yaml.objs import Step
    from valohai_yaml.objs.input import Input

    from gitlineage.records.artifact import Artifact
    from gitlineage.steps.inputs import Fetch

NAMES = ("valohai.yaml", "lineage.yaml")
"""The configuration's name; where a folder has both, the first is taken."""


class Plan(Record):
    """All that is to be done for one execution of a step."""

    step: str
    config: str
    """Path of the configuration."""
    text: bytes
    """The configuration itself."""
    template: tuple[str, ...]
    """The step's command as it is written, an item for each."""
    interpolated: tuple[str, ...]
    """The same with the parameters put in."""
    command: tuple[str, ...]
    """What is started."""
    shells: tuple[str, ...]
    """The shells that may read it, best first; none where it names its interpreter itself."""
    parameters: Mapping[str, Any]
    inputs: tuple[Placed, ...]
    variables: Mapping[str, str]
    """The step's environment variables: as they are set, else their defaults."""
    image: str | None
    """The Docker image that the step names."""
    time_limit: float | None = None
    """Seconds that it may run."""
    no_output_timeout: float | None = None
    """Seconds that it may print nothing."""
    stop_condition: str | None = None
    """What ends it, once the last values of its metadata fulfill it."""
    mounts: tuple[str, ...] = ()
    """`SOURCE:TARGET[:ro]`, for a container."""
    warnings: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the words of the command, as far as it can be told without a shell."""
        found = []
        for item in self.interpolated:
            try:
                found += shlex.split(item, comments=True)
            except ValueError:
                found += item.split()
        return found

    def mentions(self, text: str) -> bool:
        """Tell whether the command has some text."""
        return any(text in each for each in self.interpolated)

    def without_image(self) -> tuple[str, ...]:
        """Return what there is to say where it runs in no container."""
        places = (each.split(":")[:2] for each in self.mounts)
        return tuple(
            f"step {self.step}: {source} is mounted at {target} in a container only: see --in-image"
            for source, target in places
            if os.path.realpath(source) != os.path.realpath(target)
        )

    def own_image(self) -> str:
        """Return the image that the step names. Raises InvalidStep."""
        if not self.image:
            remedy = "give one with --image IMAGE"
            raise InvalidStep(step=self.step, reason="it names no image", remedy=remedy)
        return self.image

    @property
    def downloads(self) -> Mapping[str, Artifact]:
        """What was downloaded for it, by URI."""
        return {found.path: found for each in self.inputs for found in each.fetched}

    @property
    def folder(self) -> str:
        """Where it runs: next to the configuration."""
        return os.path.dirname(self.config)


def find(folders: Sequence[str], step: str = "NAME") -> str:
    """Return the path of the configuration in the first folder that has one.

    Raises NoConfiguration.
    """
    for folder in folders:
        for name in NAMES:
            if os.path.isfile(path := os.path.join(folder, name)):
                return path
    raise NoConfiguration(folders=" or ".join(dict.fromkeys(folders)), step=step)


def plan(
    path: str,
    name: str,
    parameters: Mapping[str, Any],
    inputs: Sequence[tuple[str | None, str]] = (),
    environment: Mapping[str, str] = os.environ,
    fetch: Fetch | None = None,
) -> Plan:
    """Return what is to be done for a step. Nothing is done yet.

    A parameter with several values has a list of them, an input several pairs. Paths of inputs
    are relative to the current folder, those of the configuration to its own. `environment` has
    the variables that are set. Inputs that are URIs are got with `fetch`, else only named.
    Raises InvalidConfiguration, UnknownStep, InvalidStep, UnsafeValue.
    """
    text = text_of(path)
    step = step_of(read(path, text), path, name)
    warnings: list[str] = []
    values = values_of(step, parameters)
    template = (step.command,) if isinstance(step.command, str) else tuple(step.command)
    command, interpolated, shells = command_of(step, template, values, warnings)
    return Plan(
        step=name,
        config=path,
        text=text,
        template=template,
        interpolated=interpolated,
        command=command,
        shells=shells,
        parameters=values,
        inputs=_inputs(step, inputs, os.path.dirname(path), values, fetch),
        variables=_variables(step, environment),
        image=step.image,
        time_limit=step.time_limit.total_seconds() if step.time_limit else None,
        no_output_timeout=(
            step.no_output_timeout.total_seconds() if step.no_output_timeout else None
        ),
        stop_condition=_condition(step),
        mounts=tuple(_mounts(step, warnings)),
        warnings=tuple(warnings),
    )


def _condition(step: Step) -> str | None:
    """Return what ends a step by its metadata. Raises InvalidStep for what cannot be read."""
    if step.stop_condition is None:
        return None
    text = str(step.stop_condition)
    try:
        Condition(text)
    except ValueError as error:
        reason = f"its stop-condition {text} cannot be read: {error}"
        remedy = "write one such as accuracy >= 0.9"
        raise InvalidStep(step=step.name, reason=reason, remedy=remedy) from error
    return text


def _mounts(step: Step, warnings: list[str]) -> Iterator[str]:
    """Yield the folders of this machine that a step has mounted."""
    for each in step.mounts:
        if each.type or not each.source.startswith("/"):
            kind = f" of type {each.type}" if each.type else ""
            warnings.append(f"step {step.name}: mount {each.source}{kind} is not used here")
        else:
            yield f"{each.source}:{each.destination}" + (":ro" if each.readonly else "")


def _inputs(
    step: Step,
    given: Sequence[tuple[str | None, str]],
    folder: str,
    values: Mapping[str, Any],
    fetch: Fetch | None,
) -> tuple[Placed, ...]:
    """Return which files each input has. Raises InvalidStep."""
    asked: dict[str, list[str]] = {}
    for name, path in given:
        if name is None:
            known = ", ".join(step.inputs) or "none"
            reason = f"which input is {path}?"
            remedy = f"write -i NAME={path}; the step's inputs: {known}"
            raise InvalidStep(step=step.name, reason=reason, remedy=remedy)
        if name not in step.inputs:
            raise unknown(step, "input", name, step.inputs)
        asked.setdefault(name, []).append(path)
    found = []
    for name, described in step.inputs.items():
        sources, base = asked.get(name), os.getcwd()
        if sources is None:
            sources = [_with_values(each, values) for each in listify(described.default)]
            base = folder
        if not sources and not described.optional:
            remedy = f"give it with -i {name}=PATH"
            reason = f"input {name} has no default and no file"
            raise InvalidStep(step=step.name, reason=reason, remedy=remedy)
        found.append(_input(step, described, sources, base, fetch))
    return tuple(found)


def _input(
    step: Step,
    described: Input,
    sources: Sequence[str],
    base: str,
    fetch: Fetch | None,
) -> Placed:
    keep = described.keep_directories.value
    try:
        return collect(
            described.name, sources, base, keep=keep, name=described.filename, fetch=fetch
        )
    except ValueError as error:
        raise InvalidStep(
            step=step.name,
            reason=f"input {described.name}: {error}",
            remedy=f"give it with -i {described.name}=PATH",
        ) from error


def _with_values(source: str, values: Mapping[str, Any]) -> str:
    """Return a default with `{parameter:NAME}` filled in, which an address may hold."""
    for name, value in values.items():
        for kind in ("parameter", "parameter-value"):
            source = source.replace(f"{{{kind}:{name}}}", str(value))
    return source


def _variables(step: Step, environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, variable in step.environment_variables.items():
        if name in environment:
            found[name] = environment[name]
        elif variable.default is not None:
            found[name] = _as_text(variable.default)
        elif not variable.optional:
            reason = f"environment variable {name} is not set"
            remedy = f"set it: {name}=VALUE git lineage run ..."
            raise InvalidStep(step=step.name, reason=reason, remedy=remedy)
    return found


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
