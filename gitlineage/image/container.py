"""The container of one execution, from its image to its end."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from docker.types import Mount

from gitlineage import relay
from gitlineage.errors import (
    CommandNotExecutableInImage,
    CommandNotInImage,
    ContainerFailed,
    GpusMissing,
)
from gitlineage.image.engine import Engine
from gitlineage.sampling import Sample
from gitlineage.signals import PASSED_ON, is_foreground

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.image.engine import Progress
    from gitlineage.image.options import Options
    from gitlineage.relay import Sink
    from gitlineage.relay.outcome import Outcome

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What an engine sets where the image says nothing."""

WRITABLE = "/tmp"  # noqa: S108 - in the container
"""A folder that everyone may write to, in nearly every image."""

LABEL = "git-lineage.execution"
"""Label with the execution's id: what a dead recorder has left is found by it."""


class Container:
    """A container for one command: its image is found, it is created, and then it runs."""

    def __init__(
        self,
        name: str,
        options: Options,
        folders: Iterable[str],
        on_pull: Progress | None = None,
    ) -> None:
        """Find the image, and pull it where it is not here.

        Folders of ours are to be at their own paths in the container, and the one that we are in.
        Raises EngineUnreachable, UnknownImage, PullFailed, Refused.
        """
        self._variables, self._mounts = options.named_variables(), options.mounts()
        self._devices = options.devices()
        self._options = options
        self._engine = Engine()
        self.image = self._engine.image(name, on_pull).replace(
            volumes=options.volumes,
            variables=tuple(self._variables),
            network=options.network,
            gpus=options.gpus,
        )
        self._shown = {each: each for each in _outermost((*folders, os.getcwd()))}
        self._carried: list[Mount] = []
        self.directory = os.getcwd()
        """Where the command starts, as it knows it."""
        self._has_terminal = False
        self._id = ""
        self._told: int | None = None
        self._telling = Lock()
        self._used = Sample(at=0, cpu_time=0, memory=0)
        self._peak = 0
        self.warnings: list[str] = []

    def show(self, folders: Mapping[str, str], files: Mapping[str, str], directory: str) -> None:
        """Have folders of ours at other paths too, files that are not to be written to, and start
        the command in a directory there.
        """
        self._shown |= folders
        self._mounts += [
            Mount(path, file, type="bind", read_only=True) for path, file in files.items()
        ]
        self.directory = directory

    def carry(self, files: Mapping[str, str]) -> None:
        """Have programs of ours in there, which are not to be written to; no others than these."""
        self._carried = [
            Mount(path, file, type="bind", read_only=True) for path, file in files.items()
        ]

    @property
    def places(self) -> list[tuple[str, str | None]]:
        """Return the folders and files in there that are not the image's, and where those are here;
        None for what is a volume of the engine.
        """
        found: list[tuple[str, str | None]] = list(self._shown.items())
        for each in self._mounts:
            found.append((each["Target"], each["Source"] if each["Type"] == "bind" else None))
        return found

    def attempt(self, execution: str, command: Sequence[str]) -> tuple[bool, bytes]:
        """Run a command as the execution's will be, with what is carried and nothing else of ours.

        Return whether it succeeded, and what it printed as errors.
        """
        host, user = self._rights()
        container = None
        try:
            container = self._engine.create(
                {**host, "mounts": self._carried, "network_mode": "none"},
                None,
                image=self._image,
                entrypoint=list(command[:1]),
                command=list(command[1:]),
                labels={LABEL: execution},
                user=user,
            )
            self._engine.start(container)
            code = self._engine.wait(container)
            return code == 0, self._engine.errors(container)
        except ContainerFailed as error:
            return False, str(error).encode()
        finally:
            if container is not None:
                self._engine.remove(container)

    def _rights(self) -> tuple[dict[str, object], str]:
        """Return as whom, and with what rights, something runs in there."""
        host: dict[str, object] = {"init": True}
        if os.getuid() and self._engine.is_rootless():
            # There, root in the container is who we are outside; Podman can keep the ids apart.
            if not (self.image.engine or "").startswith("Podman"):
                return host, "0:0"
            host["userns_mode"] = "keep-id"
        return host, f"{os.getuid()}:{os.getgid()}"

    def first_of(self, programs: Sequence[str]) -> str:
        """Return the first program that the image has; the last one where it has none.

        Raises ContainerFailed.
        """
        container = self._engine.create({}, None, image=self._image, command=list(programs))
        try:
            known = {**_variables(self._engine.inspect(container)["Config"]), **self._variables}
            folders = known.get("PATH", DEFAULT_PATH).split(":")
            for each in programs:
                paths = (os.path.join(folder, each) for folder in folders)
                if any(self._engine.is_program(container, path) for path in paths):
                    return each
        finally:
            self._engine.remove(container)
        return programs[-1]

    @property
    def _image(self) -> str:
        return self.image.id or self.image.name

    def create(
        self,
        execution: str,
        command: Sequence[str],
        variables: Mapping[str, str],
        around: Sequence[str] = (),
    ) -> None:
        """Create it for an execution, with variables beside those that were asked for.

        `around` is a command that executes another, which comes after its own words. Raises
        ContainerFailed, GpusMissing, CommandNotInImage, CommandNotExecutableInImage.
        """
        shown = [Mount(path, ours, type="bind") for path, ours in self._shown.items()]
        host, user = self._rights()
        host |= {
            "mounts": shown + self._mounts + self._carried,
            "network_mode": self._options.network,
            "device_requests": self._devices,
        }
        settings = self._engine.settings(self._image)
        self._has_terminal = os.isatty(0) and os.isatty(1) and is_foreground(0)
        passed = {**variables, **self._variables}
        if self._has_terminal:
            passed.setdefault("TERM", os.environ.get("TERM", "xterm"))
        if os.getuid() and "HOME" not in {**_variables(settings), **passed}:
            passed["HOME"] = WRITABLE  # else it is `/`, where an unknown user can write nothing
        self._id = self._engine.create(
            host,
            os.get_terminal_size(0) if self._has_terminal else None,
            image=self._image,
            # Around the image's entry point, which is a part of the command.
            entrypoint=[*around, *(settings.get("Entrypoint") or ())] if around else None,
            command=list(command),
            name=f"git-lineage-{execution[:12]}",
            labels={LABEL: execution},
            user=user,
            working_dir=self.directory,
            environment=passed,
            stdin_open=True,
            tty=self._has_terminal,
        )
        try:
            found = self._engine.inspect(self._id)
            if self._devices and not found["HostConfig"].get("DeviceRequests"):
                raise GpusMissing(reason=f"{self.image.engine} takes no notice of --gpus")
            self._find_command(found["Config"], len(around))
        except BaseException:
            self._remove()
            raise

    def _find_command(self, config: Mapping[str, Any], around: int) -> None:
        """Look for the command, behind the words around it, before anything is run: our init would
        report it as its own end.
        """
        name: str = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())][around]
        variables = _variables(config)
        folders = [self.directory]
        if "/" not in name:
            folders = variables.get("PATH", DEFAULT_PATH).split(":")
        is_there = False
        for folder in folders:
            path = os.path.join(folder, name)
            is_program = self._engine.is_program(self._id, path)
            if is_program is None and (ours := self._ours(path)):
                is_program = os.access(ours, os.X_OK)  # Podman does not look into mounts
            if is_program:
                return
            is_there = is_there or is_program is not None
        if is_there:
            raise CommandNotExecutableInImage(command=name, image=self.image.name)
        raise CommandNotInImage(command=name, image=self.image.name)

    def _ours(self, path: str) -> str | None:
        """Return where something is here that the container is shown; None for what is not."""
        for shown, ours in self._shown.items():
            if _is_inside(path, shown):
                found = os.path.join(ours, os.path.relpath(path, shown))
                return found if os.path.exists(found) else None
        return None

    def run(
        self,
        environment: Mapping[str, str],
        sink: Sink,
        on_start: Callable[[], None],
        meanwhile: Callable[[int], None],
    ) -> Outcome:
        """Run it as `relay.run` runs a command, and remove it.

        Where the engine fails once the command has started, `warnings` say so. Raises
        ContainerFailed, GpusMissing.
        """
        self._told, writing = os.pipe()
        os.set_blocking(self._told, False)
        inherited = [writing]
        # From the moment when the container runs, signals are for it: they wait until there is
        # somebody to pass them on, here and in what stands for it, which lets them come itself.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        try:
            attached = self._start()
            inherited.append(os.dup(attached.fileno()))
            for each in inherited:
                os.set_inheritable(each, True)

            def started() -> None:
                while inherited:  # nobody else is to inherit them
                    os.close(inherited.pop())
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                on_start()

            # -P: no module of the folder that we are in comes before the library's own.
            words = (sys.executable, "-P", "-m", "gitlineage.image", self._id)
            kind = "terminal" if self._has_terminal else "streams"
            outcome = relay.run(
                (*words, *map(str, reversed(inherited)), kind),
                environment,
                sink=sink,
                on_start=started,
                meanwhile=meanwhile,
            )
            attached.close()
            used = self.read()
            outcome.cpu_time, outcome.peak_memory = used.cpu_time or None, self._peak or None
            try:
                self._correct(outcome)
            except ContainerFailed as error:
                self.warnings.append(f"how the container ended is not known: {error}")
            return outcome
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            with self._telling:
                for each in (self._told, *inherited):
                    os.close(each)
                self._told = None
            self._remove()

    def read(self) -> Sample:
        """Return what it has used, as its engine has told last; for any thread."""
        told = b""
        with self._telling:
            try:
                while self._told is not None and (some := os.read(self._told, 4096)):
                    told += some
            except BlockingIOError:
                pass  # that is all so far
            for line in told.splitlines():
                at, cpu_time, memory, peak = map(int, line.split())
                self._used = Sample(at=at, cpu_time=cpu_time, memory=memory)
                self._peak = max(self._peak, peak)
            return self._used

    def _start(self) -> socket.SocketIO:
        """Start the command, and return the connection to its streams."""
        try:
            attached = self._engine.attach(self._id)  # before: then nothing printed is lost
            self._engine.start(self._id)
        except ContainerFailed as error:
            if "device driver" in str(error):
                raise GpusMissing(**error.facts) from error
            raise
        return attached

    def _correct(self, outcome: Outcome) -> None:
        """Have the engine say how the command ended: what stood for it here cannot know it all."""
        if self._engine.inspect(self._id)["State"]["Running"]:
            self._engine.stop(self._id)  # what stood for it was killed
        state = self._engine.inspect(self._id)["State"]
        if outcome.signal is None:
            outcome.exit_code = code = int(state["ExitCode"])
            # The first process in there is an init, which reports as a shell does.
            outcome.signal = code - 128 if code in (130, 143) else None
        began, ended = _time(state["StartedAt"]), _time(state["FinishedAt"])
        if ended > began > 0:
            outcome.finished_at, outcome.duration = ended, ended - began
        platform = self.image.platform
        if outcome.exit_code and platform is not None and not self._engine.is_of(platform):
            self.warnings.append(f"the image is for {platform}, which this machine is not")
        if state.get("OOMKilled"):
            self.warnings.append("the container ran out of memory, and something in it was killed")
        if state.get("Error"):
            self.warnings.append(f"the container engine says: {state['Error']}")

    def _remove(self) -> None:
        try:
            self._engine.remove(self._id)
        except ContainerFailed:
            return  # the engine has gone away, and nothing of it is needed any more


def discard(execution: str) -> None:
    """Remove what a dead recorder has left of an execution, and end what runs in it."""
    engine = Engine()
    for container in engine.labeled(f"{LABEL}={execution}"):
        engine.remove(container)


def _outermost(folders: Iterable[str]) -> list[str]:
    """Return folders without those that are inside of others."""
    kept: list[str] = []
    for folder in sorted({os.path.realpath(each) for each in folders}):
        if not any(_is_inside(folder, each) for each in kept):
            kept.append(folder)
    return kept


def _variables(config: Mapping[str, Any]) -> dict[str, str]:
    return dict(each.partition("=")[::2] for each in config.get("Env") or ())


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _time(text: object) -> int:
    """Return an engine's time in microseconds since 1970; zero for one that is not set."""
    found = datetime.fromisoformat(str(text))
    return int(found.timestamp() * 1_000_000) if found.year > 1 else 0
