"""What an edit of a step's configuration means for what the step made: parameters, image, command.

Knows steps; an edit of another step, of a comment or of a limit is no reason.
"""

from __future__ import annotations

from gitlineage.errors import LineageError
from gitlineage.freshness.standings import Reason
from gitlineage.steps.configuration import read, step_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from valohai_yaml.objs import Step
    from valohai_yaml.objs.parameter import Parameter

    from gitlineage.records.launch import Launch

IDLE = (
    *("name", "image", "parameters", "description", "environment", "icon", "category"),
    *("time-limit", "no-output-timeout", "resources", "upload-store", "autorestart"),
)
"""Keys of a step that do not change what it makes, or that are looked at by themselves."""


def reasons(launch: Launch, then: bytes, now: bytes) -> list[Reason]:
    """Return why a step would make something else now; `then` and `now` are the configuration.

    A parameter that was as its default was is taken for one that was not given.
    """
    path, name = launch.configuration or "", launch.step
    try:
        before = step_of(read(path, then), path, name)
        after = step_of(read(path, now), path, name)
    except LineageError:  # the step is gone, or cannot be read
        return [Reason(kind="code", path=path)]
    found = list(_parameters(path, launch, before, after))
    is_used = launch.image is not None and launch.image.name == before.image
    if is_used and before.image != after.image:
        found.append(Reason(kind="image", path=path, was=before.image, now=after.image))
    if _rest(before) != _rest(after):
        found.append(Reason(kind="code", path=path))
    return found


def _parameters(path: str, launch: Launch, before: Step, after: Step) -> Iterator[Reason]:
    for name in dict.fromkeys((*before.parameters, *after.parameters)):
        old, new = before.parameters.get(name), after.parameters.get(name)
        was = launch.parameters.get(name)
        is_default = old is None or _same(was, old.default)
        # What was given would be given again, as long as the step takes it.
        value = (new.default if new else None) if is_default or new is None else was
        is_same = _same(was, value)
        if is_same and old and new and _passed(old) != _passed(new):
            yield Reason(kind="parameter", path=path, name=name, was=was, now=was)
        elif not is_same:
            yield Reason(kind="parameter", path=path, name=name, was=was, now=value)


def _passed(parameter: Parameter) -> tuple[Any, ...]:
    """Return how a parameter's value becomes words of the command."""
    return (
        *(parameter.type, parameter.pass_as, parameter.pass_true_as, parameter.pass_false_as),
        *(parameter.multiple, parameter.multiple_separator),
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (list, tuple)) or isinstance(other, (list, tuple)):
        both = [list(each) if isinstance(each, (list, tuple)) else [each] for each in (one, other)]
        return [str(each) for each in both[0]] == [str(each) for each in both[1]]
    return one == other or (one or None) == (other or None) or str(one) == str(other)


def _rest(step: Step) -> dict[str, Any]:
    return {key: value for key, value in step.serialize().items() if key not in IDLE}
