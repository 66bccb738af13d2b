"""A `valohai.yaml` or `lineage.yaml` as a file: reads it, says where it is wrong, finds a step."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import valohai_yaml
import yaml
from valohai_yaml.validation import validate

from gitlineage.errors import InvalidConfiguration, InvalidStep, UnknownStep

if TYPE_CHECKING:
    from valohai_yaml.objs import Config, Step


def text_of(path: str) -> bytes:
    """Return the content of a configuration. Raises InvalidConfiguration."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidConfiguration(path=path, where="", reason=reason) from error


def read(path: str, text: bytes) -> Config:
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
            raise invalid(one_line(worst.message), _mark(text, worst.absolute_path))
        return valohai_yaml.parse(data if data is not None else [], validate=False)
    except yaml.MarkedYAMLError as error:
        said = ", ".join(filter(None, (error.context, error.problem)))
        raise invalid(one_line(said), error.problem_mark) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise invalid(one_line(str(error)), None) from error
    except RecursionError as error:
        raise invalid("it is nested too deeply", None) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise invalid(one_line(str(error)), None) from error


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


def step_of(config: Config, path: str, name: str) -> Step:
    """Return a step by its name. Raises UnknownStep."""
    if name in config.steps:
        return config.steps[name]
    steps = ", ".join(config.steps) or "none"
    near = _near(name, config.steps)
    raise UnknownStep(path=_shown(path), asked=name, near=near or f"its steps: {steps}")


def unknown(step: Step, kind: str, name: str, known: Mapping[str, Any]) -> InvalidStep:
    """Return the error of a name that a step does not have."""
    near = _near(name, known) or f"it has: {', '.join(known) or 'none'}"
    return InvalidStep(step=step.name, reason=f"it has no {kind} {name}", remedy=near)


def _near(asked: str, known: Mapping[str, Any]) -> str:
    found = difflib.get_close_matches(asked, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else ""


def one_line(text: str) -> str:
    """Return what others have said so that it fits into a message."""
    return " ".join(text.split())[:300]


def _shown(path: str) -> str:
    return os.path.relpath(path) if not os.path.relpath(path).startswith("..") else path
