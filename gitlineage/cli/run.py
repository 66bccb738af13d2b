"""`run`, once its options have been read: record a command and end as it did."""

from __future__ import annotations

import os
import sys

from gitlineage.cli import plain
from gitlineage.errors import LineageError, WrongUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gitlineage.lineage.making import Making
    from gitlineage.repository import Repository
    from gitlineage.underway import Recording

FAILED = 125
"""Exit code for what keeps a command from running, as GNU env and timeout have it."""

SLOW = ("--dry-run", "--reuse", "--image", "--in-image", "--step")
"""Options with which the work tree is looked at later, or not at all."""


def run(options: Mapping[str, list[str]]) -> int:
    """Record a command and return its exit code."""
    try:
        from gitlineage.repository import Repository

        # Git looks for the repository, and then at the work tree, while the rest is imported.
        discovery = Repository.start_discovery()
        from gitlineage import encoding, worktree  # noqa: F401

        repository = Repository.discover(started=discovery)
        if not any(each in options for each in SLOW):
            named = [each.rpartition("=")[2] for each in options.get("-i", ())]
            worktree.look_early(repository, at_all=not any(map(os.path.isdir, named)))
        from gitlineage.lineage.making import Making

        lineage = Making(repository)
        if "--dry-run" in options:
            return _print_command(lineage, options)
        words = options["command"]
        if plain.is_notebook(words[:1]):
            asked = {**_notebook(options), **_image(options), **_fetching()}
            if "--reuse" in options and _is_reused(repository, options, asked):
                return 0
            asked |= {**_labels(options), **_observe(options)}
            recording = lineage.run_notebook(words[0], **asked)
        else:
            asked = {**(_work(options) if words else _step(options)), **_image(options)}
            asked |= _fetching()
            if "--reuse" in options and _is_reused(repository, options, asked):
                return 0
            asked |= {**_labels(options), **_observe(options)}
            recording = lineage.run(words, **asked) if words else lineage.run_step(**asked)
    except LineageError as error:
        from gitlineage.cli import report

        report(error)
        return error.exit_code if error.exit_code in (2, 126, 127) else FAILED
    for line in said(recording, is_quiet="-q" in options):
        sys.stderr.write(line + "\n")
    sys.stdout.flush()
    from gitlineage.relay.outcome import die_like

    die_like(recording.outcome)
    return recording.outcome.exit_code


def given(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what is said of an execution, whatever it runs."""
    return {**_work(options), **_labels(options)}


def _work(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what makes a command do what it does."""
    return {
        "inputs": [_input(each) for each in options.get("-i", ())],
        "outputs": options.get("-o", ()),
        "parameters": _parameters(options.get("-p", ())),
        "step": options.get("--step", [None])[0],
    }


def _labels(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what is said beside that: it changes nothing of what comes out."""
    return {
        "tags": options.get("-t", ()),
        "title": options.get("--title", [None])[0],
        "metrics": options.get("--metrics", ()),
        "price": options.get("--price", [None])[0],
    }


def _observe(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return whether it is to be observed, which needs a command of its own."""
    return {"observe": True} if "--observe" in options else {}


def _is_reused(
    repository: Repository, options: Mapping[str, list[str]], asked: Mapping[str, Any]
) -> bool:
    """Tell whether the command need not run, and say so."""
    from gitlineage.lineage import Lineage
    from gitlineage.wording import safe

    with Lineage(repository) as lineage:
        words = options["command"]
        if plain.is_notebook(words[:1]):
            found = lineage.reusable_notebook(words[0], **asked)
        elif words:
            found = lineage.reusable(words, **asked)
        else:
            found = lineage.reusable_step(**asked)
        launch = found.execution and found.execution.launch
        said = f"not reused: {found.reason}"
        if found.execution and launch:
            said = f"{found.execution.id[:8]} {launch.step} is reused: nothing changed"
        if "-q" not in options:
            sys.stderr.write(safe(f"lineage: {said}") + "\n")
        return launch is not None


def _notebook(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what is said of a notebook: the first output that is one gets it, executed."""
    if len(options["command"]) > 1:
        reason = f"a notebook takes no arguments such as {options['command'][1]}"
        raise WrongUsage(reason=reason, verb="run")
    found = _work(options)
    outputs = list(found["outputs"])
    executed = next((each for each in outputs if plain.is_notebook([each])), None)
    if executed is not None:
        outputs.remove(executed)
    return {**found, "outputs": outputs, "executed": executed}


def _step(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the name of a step and what is given for it: its configuration knows the types."""
    parameters: dict[str, list[str]] = {}
    for given in options.get("-p", ()):
        name, text = _named(given)
        parameters.setdefault(name, []).append(text)
    inputs = [
        (name, path) if separator else (None, name)
        for name, separator, path in (each.partition("=") for each in options.get("-i", ()))
    ]
    return {
        "name": options["--step"][0],
        "parameters": parameters,
        "inputs": inputs,
        "outputs": options.get("-o", ()),
    }


def _fetching() -> dict[str, Any]:
    """Return what is told of downloads."""
    return {"on_fetch": Bar("downloading").show}


def _print_command(lineage: Making, options: Mapping[str, list[str]]) -> int:
    """Print what would run: of a step the script, as the shell gets it."""
    from gitlineage import wording

    if command := options["command"]:
        if plain.is_notebook(command[:1]):
            about = _notebook(options)
            command = lineage.notebook(
                command[0],
                executed=about["executed"],
                parameters=about["parameters"],
                is_contained="--image" in options,
            )
        sys.stdout.write(wording.shell(command) + "\n")
        return 0
    asked = _step(options)
    plan = lineage.step(
        asked["name"],
        parameters=asked["parameters"],
        inputs=asked["inputs"],
        variables=options.get("-e", ()),
    )
    is_contained = "--image" in options or "--in-image" in options
    for warning in (*plan.warnings, *(() if is_contained else plan.without_image())):
        sys.stderr.write(f"warning: {wording.safe(warning)}\n")
    text = plan.command[-1]
    if sys.stdout.isatty():
        text = "\n".join(map(wording.safe, text.split("\n")))
    sys.stdout.write(text + "\n")
    return 0


def _image(options: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what is said of a container."""
    image: dict[str, Any] = {"image": options["--image"][0]} if "--image" in options else {}
    if "--in-image" in options:
        if image or options["command"]:
            reason = "--in-image is for a step and the image that it names: else give --image"
            raise WrongUsage(reason=reason, verb="run")
        image = {"in_image": True}
    if not image:
        lone = next((each for each in plain.OF_IMAGE if each in options), None)
        if lone is not None:
            raise WrongUsage(reason=f"{lone} is for a container: give --image, too", verb="run")
        return {}
    return {
        **image,
        "volumes": options.get("-v", ()),
        "variables": options.get("-e", ()),
        "network": options.get("--network", [None])[0],
        "gpus": options.get("--gpus", [None])[0],
        "on_pull": Bar("pulling").show,
    }


SHORTEST_BAR = 5
"""Characters of a bar that says something."""


class Bar:
    """How far something is that comes from elsewhere: a bar on a terminal, elsewhere one line."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._is_terminal = sys.stderr.isatty()
        self._shown = ""

    def show(self, name: str, have: int, total: int) -> None:
        """Show how many bytes have come; the same number twice is the end."""
        from gitlineage import wording

        if total and have == total:
            sys.stderr.write("\r\x1b[K" if self._is_terminal else "")
            self._shown = ""
            return
        name = wording.safe(name)
        line = f"{self._doing} {name}"
        if self._is_terminal:
            amount = f" {wording.size(have)} of {wording.size(total)}" if total else ""
            line = self._fitting(name, amount, have / total if total else None)
        if line != self._shown and (self._is_terminal or not self._shown):
            sys.stderr.write(f"\r{line}\x1b[K" if self._is_terminal else f"{line}\n")
            sys.stderr.flush()
            self._shown = line

    def _fitting(self, name: str, amount: str, share: float | None) -> str:
        """Return one line: what goes over into the next one is there for good."""
        most = (os.get_terminal_size(2).columns or 80) - 1
        room = most - len(f"{self._doing} {amount}")
        if len(name) > room:
            name = "..." + name[len(name) - max(room - 3, 1) :]
        line = f"{self._doing} {name}"
        length = min(30, room - len(name) - 3)
        if share is None or length < SHORTEST_BAR:
            return (line + amount)[:most]
        filled = int(length * share)
        return f"{line} [{'#' * filled}{'.' * (length - filled)}]{amount}"


def _input(given: str) -> tuple[str | None, str]:
    """Return the name and the path or URI of an input; a path may hold `=` if it exists so."""
    name, separator, path = given.partition("=")
    if separator and name.isidentifier() and not os.path.exists(given):
        return name, path
    return None, given


def _parameters(given: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for each in given:
        name, text = _named(each)
        if name in parameters:
            reason = f"parameter {name} is given twice; a list is one text: {name}='1,2'"
            raise WrongUsage(reason=reason, verb="run")
        parameters[name] = _value(text)
    return parameters


def _named(given: str) -> tuple[str, str]:
    name, separator, text = given.partition("=")
    if not separator or not name:
        raise WrongUsage(reason=f"parameter {given} is not NAME=VALUE", verb="run")
    return name, text


def _value(text: str) -> Any:
    """Return a number or truth value where the text is one as JSON spells it, else the text."""
    if text in ("true", "false"):
        return text == "true"
    digits = text.removeprefix("-")
    if not text.isascii() or "_" in text or not (digits[:1].isdigit() and digits[-1].isdigit()):
        return text
    if digits[0] == "0" and digits[1:2].isdigit():
        return text  # 00501 is a name
    try:
        return int(text) if digits.isdigit() else _finite(text)
    except ValueError:
        return text


def _finite(text: str) -> Any:
    number = float(text)
    return number if number - number == 0 else text


def said(recording: Recording, *, is_quiet: bool) -> list[str]:
    """Return the lines that close an execution: warnings, and how it ended."""
    from gitlineage.wording import safe

    lines: list[str] = []
    warnings = recording.end.warnings if recording.end else recording.capture.warnings
    lines += (f"warning: {each}" for each in warnings)
    if recording.unsigned:
        lines.append(f"warning: the record is not signed: {recording.unsigned}")
    if recording.problem is not None:
        reason = getattr(recording.problem, "strerror", None) or recording.problem
        lines.append(f"error: the record is not in the ledger yet: {reason}")
        lines.append(
            "hint: it is kept; the next `git lineage` command tries again"
            if recording.is_kept
            else "hint: the next `git lineage` command records it as interrupted"
        )
    elif not is_quiet:
        lines.append(f"lineage: {recording.id[:8]} {recording.headline()}")
    return [safe(line) for line in lines]
