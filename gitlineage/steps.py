"""Steps of a `valohai.yaml` or `lineage.yaml`: reads them, checks what is given, builds commands.

Knows the format, through Valohai's own package, and knows no git; it starts nothing. How the
package's ways are kept, and where not, stands in docs/steps.md.
"""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import valohai_yaml
import yaml
from valohai_yaml.commands import interpolable_re, join_command
from valohai_yaml.excs import ValidationErrors
from valohai_yaml.objs.parameter import MultipleMode
from valohai_yaml.objs.parameter_map import ParameterMap
from valohai_yaml.utils import listify
from valohai_yaml.validation import validate

from gitlineage import quoting, staging
from gitlineage.errors import InvalidConfiguration, InvalidStep, NoConfiguration, UnknownStep
from gitlineage.records import Record

if TYPE_CHECKING:
    from valohai_yaml.objs import Config, Step
    from valohai_yaml.objs.input import Input
    from valohai_yaml.objs.parameter import Parameter

NAMES = ("valohai.yaml", "lineage.yaml")
"""The configuration's name; where a folder has both, the first is taken."""

UNUSED = ("mounts", "time-limit", "no-output-timeout", "stop-condition")
"""Keys of a step that are not acted upon and that its author may rely on."""

SHELLS = ("sh", "bash", "dash", "zsh", "ksh")


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
    parameters: Mapping[str, Any]
    inputs: tuple[staging.Input, ...]
    variables: Mapping[str, str]
    """The step's environment variables that have a default and are not set."""
    image: str | None
    """The Docker image that the step names."""
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
) -> Plan:
    """Return what is to be done for a step. Nothing is done yet.

    A parameter with several values has a list of them, an input several pairs. Paths of inputs
    are relative to the current folder, those of the configuration to its own.
    Raises InvalidConfiguration, UnknownStep, InvalidStep, UnsafeValue.
    """
    text = _text(path)
    step = _step(_read(path, text), path, name)
    warnings = [f"step {name}: {key} is not used here" for key in UNUSED if _has(step, key)]
    values = _values(step, parameters)
    template = (step.command,) if isinstance(step.command, str) else tuple(step.command)
    command, interpolated = _command(step, template, values, warnings)
    return Plan(
        step=name,
        config=path,
        text=text,
        template=template,
        interpolated=interpolated,
        command=command,
        parameters=values,
        inputs=_inputs(step, inputs, os.path.dirname(path), values),
        variables=_variables(step, environment),
        image=step.image,
        warnings=tuple(warnings),
    )


# -- the configuration ---------------------------------------------------------------------


def _text(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidConfiguration(path=path, where="", reason=reason) from error


def _read(path: str, text: bytes) -> Config:
    """Return a configuration. Raises InvalidConfiguration, with line and column."""

    def invalid(reason: str, mark: yaml.Mark | None) -> InvalidConfiguration:
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return InvalidConfiguration(path=_shown(path), where=where, reason=reason)

    try:
        data = yaml.safe_load(text.decode("utf-8-sig"))
        if errors := validate(data, raise_exc=False) if data is not None else []:
            # The deepest tells most: what does not fit anywhere is said of the whole as well.
            worst = max(errors, key=_depth)
            while worst.context:
                worst = max(worst.context, key=_depth)
            raise invalid(_one_line(worst.message), _mark(text, worst.absolute_path))
        return valohai_yaml.parse(data if data is not None else [], validate=False)
    except yaml.MarkedYAMLError as error:
        said = ", ".join(filter(None, (error.context, error.problem)))
        raise invalid(_one_line(said), error.problem_mark) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise invalid(_one_line(str(error)), None) from error
    except RecursionError as error:
        raise invalid("it is nested too deeply", None) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise invalid(_one_line(str(error)), None) from error


def _depth(error: Any) -> int:
    return len(error.absolute_path)


def _mark(text: bytes, path: Sequence[str | int]) -> yaml.Mark | None:
    """Return where a part of a document begins."""
    node = yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    for key in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            found = [value for name, value in node.value if name.value == key]
            node = found[-1] if found else node
    return node.start_mark if node is not None else None


def _step(config: Config, path: str, name: str) -> Step:
    if name in config.steps:
        return config.steps[name]
    steps = ", ".join(config.steps) or "none"
    near = _near(name, config.steps)
    raise UnknownStep(path=_shown(path), asked=name, near=near or f"its steps: {steps}")


def _has(step: Step, key: str) -> bool:
    return bool(getattr(step, key.replace("-", "_"), None))


# -- parameters ----------------------------------------------------------------------------


def _values(step: Step, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each parameter that has one, checked, with its type."""
    for name in given:
        if name not in step.parameters:
            raise _unknown(step, "parameter", name, step.parameters)
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
            reason=f"parameter {parameter.name}: {_one_line('; '.join(said))}",
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


# -- the command ---------------------------------------------------------------------------


def _command(
    step: Step, template: Sequence[str], values: Mapping[str, Any], warnings: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is to be started, and the items of the command with the parameters put in."""
    words, items = _interpreter([item.strip() for item in template])
    names = [os.path.basename(each) for each in words if not each.startswith("-")]
    program = next((each for each in names if each != "env"), "sh")
    is_shell = program in SHELLS
    if not is_shell and not program.startswith("python"):
        reason = f"a command that begins with #!{' '.join(words)} cannot be run"
        raise InvalidStep(step=step.name, reason=reason, remedy="put it into a script of its own")
    filled = [_filled(step, item, values, warnings, is_shell) for item in items]
    commands = [item for item in filled if _is_command(item)]
    if not is_shell:
        text = "\n".join(filled)
    else:
        grouped = commands if len(commands) == 1 else map(_grouped, commands)
        text = join_command(list(grouped), " && ")
    if not text:
        reason = "its command is empty"
        raise InvalidStep(step=step.name, reason=reason, remedy="write what it is to run")
    shell = "bash" if shutil.which("bash") else "sh"
    return (*(words or [shell]), "-c", text), tuple(filled)


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


# -- inputs and variables ------------------------------------------------------------------


def _inputs(
    step: Step,
    given: Sequence[tuple[str | None, str]],
    folder: str,
    values: Mapping[str, Any],
) -> tuple[staging.Input, ...]:
    """Return which files each input has. Raises InvalidStep."""
    asked: dict[str, list[str]] = {}
    for name, path in given:
        if name is None:
            known = ", ".join(step.inputs) or "none"
            reason = f"which input is {path}?"
            remedy = f"write -i NAME={path}; the step's inputs: {known}"
            raise InvalidStep(step=step.name, reason=reason, remedy=remedy)
        if name not in step.inputs:
            raise _unknown(step, "input", name, step.inputs)
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
        found.append(_input(step, described, sources, base))
    return tuple(found)


def _input(step: Step, described: Input, sources: Sequence[str], base: str) -> staging.Input:
    keep = described.keep_directories.value
    try:
        return staging.collect(described.name, sources, base, keep=keep, name=described.filename)
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
            continue
        if variable.default is not None:
            found[name] = _as_text(variable.default)
        elif not variable.optional:
            reason = f"environment variable {name} is not set"
            remedy = f"set it: {name}=VALUE git lineage run ..."
            raise InvalidStep(step=step.name, reason=reason, remedy=remedy)
    return found


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- words ---------------------------------------------------------------------------------


def _unknown(step: Step, kind: str, name: str, known: Mapping[str, Any]) -> InvalidStep:
    near = _near(name, known) or f"it has: {', '.join(known) or 'none'}"
    return InvalidStep(step=step.name, reason=f"it has no {kind} {name}", remedy=near)


def _near(asked: str, known: Mapping[str, Any]) -> str:
    found = difflib.get_close_matches(asked, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _shown(path: str) -> str:
    return os.path.relpath(path) if not os.path.relpath(path).startswith("..") else path
