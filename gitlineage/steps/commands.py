"""The command of a step: placeholders filled, items joined. Knows which program reads it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from valohai_yaml.commands import interpolable_re, join_command
from valohai_yaml.objs.parameter import MultipleMode
from valohai_yaml.objs.parameter_map import ParameterMap

from gitlineage import quoting
from gitlineage.errors import InvalidStep

if TYPE_CHECKING:
    from valohai_yaml.objs import Step
    from valohai_yaml.objs.parameter import Parameter

SHELLS = ("sh", "bash", "dash", "zsh", "ksh")

DEFAULT_SHELLS = ("bash", "sh")
"""Of these the first that is there reads a command that names none."""


def command_of(
    step: Step, template: Sequence[str], values: Mapping[str, Any], warnings: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return what is to be started, the command's items with the parameters put in, its shells.

    The shells are those that may stand in the first one's place.
    """
    words, items = _interpreter([item.strip() for item in template])
    names = [os.path.basename(each) for each in words if not each.startswith("-")]
    program = next((each for each in names if each != "env"), "sh")
    is_shell = program in SHELLS
    if not is_shell and not program.startswith("python"):
        reason = f"a command that begins with #!{' '.join(words)} cannot be run"
        raise InvalidStep(step=step.name, reason=reason, remedy="put it into a script of its own")
    filled, is_readable = [], is_shell
    for item in items:
        filled.append(_filled(step, item, values, warnings, is_readable))
        is_readable = is_readable and not quoting.is_open(filled[-1])
    commands = [item for item in filled if _is_command(item)]
    if not is_shell:
        text = "\n".join(filled)
    else:
        grouped = commands if len(commands) == 1 else map(_grouped, commands)
        text = join_command(list(grouped), " && ")
    if not text:
        reason = "its command is empty"
        raise InvalidStep(step=step.name, reason=reason, remedy="write what it is to run")
    if words:
        return (*words, "-c", text), tuple(filled), ()
    shell = next(filter(shutil.which, DEFAULT_SHELLS), DEFAULT_SHELLS[-1])
    return (shell, "-c", text), tuple(filled), DEFAULT_SHELLS


def _interpreter(items: list[str]) -> tuple[list[str], list[str]]:
    """Return the words of the first item's shebang line, if there is one, and the rest."""
    if not items or not items[0].startswith("#!"):
        return [], items
    line, _, rest = items[0].partition("\n")
    return line[2:].split(), [each for each in (rest.strip(), *items[1:]) if each]


def _grouped(item: str) -> str:
    """Return an item so that it can be joined with others: it is one command to the shell.

    Else `a && b || true` would forgive that `a` failed, and a comment would hide what follows.
    """
    rest = item.replace("&&", "").replace(">&", "").replace("&>", "")
    if any(each in rest for each in ("\n", "#", "<<", "||", ";", "&")):
        return f"{{ {item}\n}}"
    return item


def _is_command(item: str) -> bool:
    """Tell whether an item is more than comments."""
    lines = (line.strip() for line in item.split("\n"))
    return any(line and not line.startswith("#") for line in lines)


def _filled(
    step: Step, item: str, values: Mapping[str, Any], warnings: list[str], is_shell: bool
) -> str:
    gaps = []
    for match in interpolable_re.finditer(item):
        name = match[1]
        words = _words(step, name, values)
        if words is not None:
            gaps.append(quoting.Gap(match.start(), match.end(), match[0], words))
        elif name.startswith(("parameter:", "parameter-value:")):
            known = name.partition(":")[2] in step.parameters
            why = "has no value" if known else f"is not a parameter of step {step.name}"
            warnings.append(f"{match[0]} is left as it stands in the command: it {why}")
    return quoting.fill(item, gaps, is_shell=is_shell)


def _words(step: Step, placeholder: str, values: Mapping[str, Any]) -> list[str] | None:
    """Return the words that a placeholder stands for; None for what is not one."""
    parameters = ParameterMap(parameters=step.parameters, values=values)
    try:
        if placeholder in ("parameters", "params"):
            return parameters.build_parameters()
        if placeholder == "source-path" and step.source_path is not None:
            return [step.source_path]
        kind, _, name = placeholder.partition(":")
        if kind == "parameter" and name in step.parameters:
            return parameters.build_parameter_by_name(name) or []
        if kind == "parameter-value" and name in values:
            return _plain(step.parameters[name], values[name])
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        reason = f"pass-as of a parameter has another placeholder than {{name}}, {{v}}: {error}"
        raise InvalidStep(
            step=step.name, reason=reason, remedy="write {v} for the value"
        ) from error
    return None


def _plain(parameter: Parameter, value: Any) -> list[str]:
    if not isinstance(value, list):
        return [str(value)]
    atoms = [str(each) for each in value]
    if parameter.multiple is MultipleMode.SEPARATE:
        return [parameter.multiple_separator.join(atoms)]
    return atoms
