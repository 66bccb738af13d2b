"""The parameters of a step: what is given and what is the default, checked, with their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from valohai_yaml.excs import ValidationErrors
from valohai_yaml.utils import listify

from gitlineage.errors import InvalidStep
from gitlineage.steps.configuration import one_line, unknown

if TYPE_CHECKING:
    from valohai_yaml.objs import Step
    from valohai_yaml.objs.parameter import Parameter


def values_of(step: Step, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each parameter that has one, checked, with its type."""
    for name in given:
        if name not in step.parameters:
            raise unknown(step, "parameter", name, step.parameters)
    values: dict[str, Any] = {}
    for name, parameter in step.parameters.items():
        if name in given:
            several = listify(given[name])
            value = several if parameter.multiple or len(several) != 1 else several[0]
        elif parameter.default is not None:
            value = parameter.default
        elif parameter.optional:
            continue
        else:
            remedy = f"give it with -p {name}=VALUE"
            reason = f"parameter {name} has no default and no value"
            raise InvalidStep(step=step.name, reason=reason, remedy=remedy)
        values[name] = _checked(step, parameter, value)
    return values


def _checked(step: Step, parameter: Parameter, value: Any) -> Any:
    """Return a value with the parameter's type. Raises InvalidStep."""
    try:
        if parameter.type == "flag":
            value = _truth(value)
        elif parameter.type == "string":
            # Choices that look like numbers are numbers to YAML.
            by_text = {str(each): each for each in parameter.choices or ()}
            atoms = [by_text.get(str(each), str(each)) for each in listify(value)]
            value = atoms if isinstance(value, (list, tuple)) else atoms[0]
        found = parameter.validate(value)
    except (ValidationErrors, ValueError, TypeError) as error:
        said = map(str, error) if isinstance(error, ValidationErrors) else [str(error)]
        raise InvalidStep(
            step=step.name,
            reason=f"parameter {parameter.name}: {one_line('; '.join(said))}",
            remedy=f"give it with -p {parameter.name}=VALUE",
        ) from error
    if parameter.type == "string":
        return [str(each) for each in found] if isinstance(found, list) else str(found)
    if parameter.type == "float":
        # 1000 in the configuration does not become 1000.0 in the command.
        if not isinstance(found, list):
            return value if isinstance(value, int) else found
        both = zip(listify(value), found, strict=True)
        return [given if isinstance(given, int) else cast for given, cast in both]
    return found


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    said = str(value).lower()
    if said in ("true", "yes", "on", "1"):
        return True
    if said in ("false", "no", "off", "0"):
        return False
    raise ValueError(f"{value} is neither true nor false")
