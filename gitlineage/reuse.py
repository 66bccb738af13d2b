"""Whether a command need not run, since an execution of it is there that would be no other.

Knows what makes two executions the same; records nothing and restores nothing.
"""

from __future__ import annotations

import os
import select
import stat as modes

from gitlineage import artifacts, differences
from gitlineage.capture import Capture
from gitlineage.comparison import compare
from gitlineage.fingerprints import Fingerprints
from gitlineage.index import Filters
from gitlineage.records import Record
from gitlineage.records.execution import Execution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gitlineage.artifacts import Reader
    from gitlineage.capture import Request
    from gitlineage.index import Index, Row
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.launch import Image, Launch
    from gitlineage.repository import Repository

CANDIDATES = 50
"""Executions of a step that are looked at, the newest first."""

_COMPARED = ("command", "parameters", "inputs", "image", "code")


class Reuse(Record):
    """An execution that a command need not be run for again, or why there is none."""

    execution: Execution | None
    reason: str = ""
    """Where there is none: what is not the same, as for the newest."""


def find(
    repository: Repository,
    index: Index,
    request: Request,
    image: Image | None,
    load: Callable[[Sequence[Row]], Iterator[Execution]],
) -> Reuse:
    """Return the newest execution that running a command would only repeat.

    That is one that succeeded with the same code, command, parameters, inputs, image and folder,
    whose outputs are in the work tree as it left them. Raises what keeps a command from running.
    """
    if _is_fed():
        return Reuse(execution=None, reason="what comes through a pipe is not known")
    known = Fingerprints(repository.lineage_dir)
    capture = Capture(repository, known, request)
    reader = artifacts.Reader(repository.work_tree(), known)
    try:
        launch = capture.prepare(None, image, is_kept=False)
        arguments = capture.arguments()
        reason = ""
        rows = index.executions(Filters(step=launch.step, status="succeeded"), CANDIDATES)
        for each in load(rows):
            found = _difference(repository, reader, each, launch, arguments)
            if found is None:
                return Reuse(execution=each)
            reason = reason or f"{found} since {each.id[:8]}"
    finally:
        capture.close()
    return Reuse(execution=None, reason=reason or f"no execution of step {launch.step} succeeded")


def _difference(
    repository: Repository,
    reader: Reader,
    execution: Execution,
    launch: Launch,
    arguments: Sequence[Artifact],
) -> str | None:
    """Return in what an execution is another than what is to be run, in a few words."""
    one = execution.launch.code.tree if execution.launch else None
    other = launch.code.tree
    if one is None or other is None or not repository.are_readable([one])[0]:
        return "the code is not known"
    own = {each.path for each in execution.outputs}
    declared = {each.path for each in launch.inputs}
    later = execution.end.inputs if execution.end else ()
    used = [_read(reader, each) for each in later if each.path not in declared | own]
    seen = declared | own | {each.path for each in later}
    used += [each for each in arguments if each.path not in seen]
    now = Execution(
        id="",
        launch=launch.replace(inputs=(*launch.inputs, *(each for each in used if each))),
        end=None,
    )
    files = [] if one == other else differences.files(repository, one, other)
    changed = [(letter, path) for letter, path in files if path not in own]
    found = compare(execution, now, code=changed)
    for section in _COMPARED:
        for change in found.of(section):
            if change.name == "image.engine":
                continue  # it runs the same image
            name = f" {change.name}" if change.name and section != "command" else ""
            return f"{_WORDS.get(section, section)}{name} has changed"
    if unknown := [each.path for each in execution.inputs if not each.digest]:
        return f"the content of input {unknown[0]} is not known, so it may have changed"
    if execution.end and execution.end.code_read is not None:  # observed: this is no guess
        if grown := [each.path for each in execution.outputs if each.change == "appended"]:
            return f"output {grown[0]} would grow once more"
    return next(_lost(reader, execution.outputs), None)


_WORDS = {"parameters": "parameter", "inputs": "input"}


def _lost(reader: Reader, outputs: Iterable[Artifact]) -> Iterator[str]:
    """Yield what is not in the work tree as it was left."""
    for each in outputs:
        now = _read(reader, each)
        if (now is None) != (each.change == "deleted"):
            yield f"output {each.path} is {'gone' if now is None else 'there again'}"
        elif now is not None and now.digest != each.digest:
            yield f"output {each.path} has changed"


def _read(reader: Reader, artifact: Artifact) -> Artifact | None:
    try:
        return reader.read(artifact.path, how=artifact.how)
    except OSError:
        return None


def _is_fed() -> bool:
    """Tell whether standard input is a pipe that something may still come through."""
    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return False
    if not modes.S_ISFIFO(kind) and not modes.S_ISSOCK(kind):
        return False
    poll = select.poll()
    poll.register(0, select.POLLIN)
    return [event for _, event in poll.poll(0)] != [select.POLLHUP]
