"""The folders of one execution: its inputs placed, its configuration, the outputs of a step.

Knows the layout that Valohai's own library for scripts expects. Inputs and configuration are in
`lineage/steps/` of the git directory and go with the execution; outputs of a step are in the work
tree under `outputs/STEP/NUMBER/`, and stay.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
import urllib.parse

from gitlineage.errors import InvalidStep, ReadOnlyRepository
from gitlineage.wording import isoformat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Self

    from gitlineage.records.launch import Launch
    from gitlineage.steps import Plan
    from gitlineage.steps.inputs import Placed

OUTPUTS = "outputs"
"""The folder beside the configuration that outputs go to."""

LOCK = "lock"

ABSOLUTE = "/valohai/"
"""Where Valohai has these folders, and some scripts look for them."""


class Placing:
    """The inputs of a command that are files in a folder, from `open` to `close`."""

    plan: Plan | None = None
    """What is to be done, where it is a step's."""
    outputs: str | None = None
    """The folder for what is to be kept, where there is one."""

    def __init__(
        self, folder: str, lock: int, inputs: Sequence[Placed], *, is_contained: bool
    ) -> None:
        self.folder = folder
        self._lock = lock
        self._inputs = inputs
        self._is_contained = is_contained
        self.files: dict[str, str] = {}
        """For a container: each input's path in there, and the file that is to be shown there."""

    @classmethod
    def place(cls, lineage_dir: str, inputs: Sequence[Placed], *, is_contained: bool) -> Self:
        """Make the folders for a command's inputs. Raises ReadOnlyRepository."""
        folder, lock = _open(lineage_dir)
        return cls(folder, lock, inputs, is_contained=is_contained)

    @property
    def directory(self) -> str:
        """Where the command starts, as it knows it."""
        return os.getcwd()

    @property
    def number(self) -> int:
        """Which of a step's executions here this is; a command has no others."""
        return 1

    def places(self) -> dict[str, str]:
        """Return the folders by the name that they have under `/valohai`."""
        return {
            "inputs": os.path.join(self.folder, "inputs"),
            "config": os.path.join(self.folder, "config"),
        }

    def shown(self) -> dict[str, str]:
        """Return the folders by where they are shown."""
        return {ABSOLUTE + name: folder for name, folder in self.places().items()}

    def _seen(self) -> dict[str, str]:
        """Return the folders as the command knows them."""
        if not self._is_contained:
            return self.places()
        return {name: ABSOLUTE + name for name in self.places()}

    def variables(self, execution: str) -> dict[str, str]:
        """Return the environment variables that name the folders."""
        return {f"VH_{name.upper()}_DIR": path for name, path in self._seen().items()}

    def fill(self, execution: str, launch: Launch, top: str) -> None:
        """Place the inputs and write the configuration. Raises OSError."""
        known = {os.path.join(top, each.path): each for each in launch.inputs}
        described: dict[str, Any] = {}
        for each in self._inputs:
            top = os.path.join(self.folder, "inputs", each.name)
            os.makedirs(top)
            seen = os.path.join(self._seen()["inputs"], each.name)
            listed = []
            for name, source in each.files:
                path = os.path.join(top, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if self._is_contained:
                    open(path, "x").close()  # links would lead out of the container
                    self.files[os.path.join(seen, name)] = os.path.realpath(source)
                elif name in each.downloads:
                    _link(source, path)
                else:
                    os.symlink(source, path)
                download = each.downloads.get(name)
                artifact = download or known.get(source)
                digests = artifact.digests if artifact else {}
                local = "file://" + urllib.parse.quote(os.fsencode(source))
                listed.append(
                    {
                        "name": name,
                        "path": os.path.join(seen, name),
                        "uri": download.path if download else local,
                        "size": os.stat(source).st_size,
                        "checksums": {
                            kind: value.hex() for kind, value in digests.items() if kind != "blake3"
                        },
                        "metadata": [],
                    }
                )
            if listed:
                described[each.name] = {"files": listed}
        self._write("inputs", described)
        self._write("parameters", launch.parameters)
        self._write("execution", _described(execution, launch, self.number))

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        # JSON is YAML as well.
        text = json.dumps(content, indent=2)
        for ending in ("json", "yaml"):
            path = os.path.join(self.folder, "config", f"{name}.{ending}")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")

    def command(
        self, words: Sequence[str], mentions: Callable[[str], bool]
    ) -> tuple[Sequence[str], list[str]]:
        """Return what is to be started, which is the command itself. Beside it warnings."""
        return words, []

    def close(self) -> None:
        """Remove the folders."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


class Stage(Placing):
    """The folders of one execution of a step, from `open` to `close`."""

    def __init__(
        self, folder: str, lock: int, outputs: str, plan: Plan, *, is_contained: bool
    ) -> None:
        super().__init__(folder, lock, plan.inputs, is_contained=is_contained)
        self.outputs: str = outputs
        self.plan: Plan = plan

    @classmethod
    def open(cls, lineage_dir: str, plan: Plan, *, is_contained: bool = False) -> Self:
        """Make the folders; a container has them under `/valohai`. Raises ReadOnlyRepository."""
        outputs = os.path.join(plan.folder, OUTPUTS, _file_name(plan.step))
        folder, lock = _open(lineage_dir)
        try:
            outputs = _next(outputs)
        except OSError as error:
            raise ReadOnlyRepository.of(error.filename or outputs, error) from error
        return cls(folder, lock, outputs, plan, is_contained=is_contained)

    @property
    def directory(self) -> str:
        """Where the command starts, as it knows it."""
        return self._seen()["repository"]

    @property
    def number(self) -> int:
        """Which of the step's executions here this is."""
        return int(os.path.basename(self.outputs))

    def places(self) -> dict[str, str]:
        """Return the folders by the name that they have under `/valohai`."""
        return {**super().places(), "outputs": self.outputs, "repository": self.plan.folder}

    def variables(self, execution: str) -> dict[str, str]:
        """Return the step's environment variables, and those that name its folders."""
        job = {"VH_JOB_ID": f"exec-{execution}", "VH_EXECUTION_ID": execution}
        return {**self.plan.variables, **super().variables(execution), **job}

    def command(
        self, words: Sequence[str], mentions: Callable[[str], bool]
    ) -> tuple[Sequence[str], list[str]]:
        """Return what is to be started so that the folders are under `/valohai` where needed.

        `mentions` tells whether the code has some text. Beside it warnings. Raises InvalidStep.
        """
        is_named = self.plan.mentions(ABSOLUTE)
        if not is_named and not mentions(ABSOLUTE):
            return words, []
        from gitlineage import mounts

        root = os.path.join(self.folder, "root")
        os.mkdir(root)
        shown = self.shown()
        problem = mounts.problem(shown, root)
        if problem is None:
            return mounts.command(shown, root, words), []
        reason = f"names {ABSOLUTE}..., which cannot be made to appear here: {problem}"
        if not is_named:
            return words, [f"code here {reason}"]
        remedy = "write $VH_INPUTS_DIR, $VH_OUTPUTS_DIR and so on in its command instead"
        raise InvalidStep(step=self.plan.step, reason=f"it {reason}", remedy=remedy)

    def close(self) -> None:
        """Remove what is not an output; the outputs' folder too, where there are none."""
        super().close()
        folder = self.outputs
        for _ in range(3):
            try:
                os.rmdir(folder)
            except OSError:
                break
            folder = os.path.dirname(folder)


def _open(lineage_dir: str) -> tuple[str, int]:
    """Make the folders of one execution, and return where they are, and their lock.

    Raises ReadOnlyRepository.
    """
    kept = os.path.join(lineage_dir, "steps")
    try:
        os.makedirs(kept, exist_ok=True)
        _sweep(kept)
        folder = tempfile.mkdtemp(dir=kept)
        lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("inputs", "config"):
            os.mkdir(os.path.join(folder, name))
    except OSError as error:
        raise ReadOnlyRepository.of(error.filename or kept, error) from error
    return folder, lock


def _described(execution: str, launch: Launch, number: int) -> dict[str, Any]:
    """Return the content of `execution.json`: the names that Valohai has for what we know."""
    at = isoformat(launch.started_at)
    queued = isoformat(launch.queued_at) if launch.queued_at is not None else at
    code = launch.code
    about = {
        "commit-identifier": f"~{code.tree}" if code.is_adhoc else code.commit,
        "creator-name": launch.agent.name,
        "creator-email": launch.agent.email,
        "execution-counter": number,
        "execution-ctime": at,
        "execution-duration": None,
        "execution-id": execution,
        "execution-image": launch.image.name if launch.image else launch.declared_image,
        "execution-qtime": queued,
        "execution-status": "started",
        "execution-step": launch.step,
        "execution-tags": list(launch.tags),
        "execution-title": launch.title,
    }
    return {f"valohai.{name}": value for name, value in about.items()}


def _link(source: str, path: str) -> None:
    """Place a kept file, which may be gone from where it is kept before the command ends."""
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy(source, path)


def _file_name(step: str) -> str:
    """Return a step's name as the name of a folder."""
    name = "".join("-" if each in "/\\\0" else each for each in step).strip(". ")
    return name or "step"


def _next(folder: str) -> str:
    """Make the folder with the next number. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    number = max((int(each) for each in os.listdir(folder) if each.isdecimal()), default=0)
    while True:
        number += 1
        try:
            os.mkdir(path := os.path.join(folder, str(number)))
        except FileExistsError:
            continue
        return path


def _sweep(kept: str) -> None:
    """Remove the folders of executions that were killed."""
    for name in os.listdir(kept):
        folder = os.path.join(kept, name)
        try:
            lock = os.open(os.path.join(folder, LOCK), os.O_RDWR)
        except OSError:
            continue  # it is being made, or being removed
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_mtime > time.time() - 60:
                continue  # perhaps it is about to be locked
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
