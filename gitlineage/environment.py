"""On what an execution runs: machine, interpreter, packages, put together. Knows no git.

All of it is gathered while the command runs. A fact that cannot be had is None: not an error, and
never a guess; what fails with one fact costs no other.
"""

from __future__ import annotations

import os

from gitlineage import digest, encoding, gpus, interpreter, metadata_service, packages
from gitlineage.machine import Machine
from gitlineage.records.end import Environment
from gitlineage.records.parts import Packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from gitlineage.interpreter import Toolchain
    from gitlineage.records.launch import Cloud, Launch, Place

    T = TypeVar("T")


class Gathered:
    """What was found out."""

    __slots__ = ("_stamps", "_uses", "environment", "packages", "place")

    def __init__(
        self,
        environment: Environment,
        packages: bytes | None,
        place: Place | None,
        uses: Toolchain | None,
        stamps: Sequence[int | None],
    ) -> None:
        self.environment = environment
        self.packages = packages
        """The part of the record that lists what is installed."""
        self.place = place
        """The place, where more is known of it than before the start."""
        self._uses = uses
        self._stamps = stamps

    def is_current(self) -> bool:
        """Tell whether what was installed then still is: nothing was added or removed."""
        is_settled = self._uses is None or self._uses.is_settled
        return is_settled and self._stamps == _stamps(self._uses)


def program(launch: Launch) -> Sequence[str]:
    """Return the command whose interpreter is of interest: of a step the first with Python."""
    for item in launch.interpolated:
        words = item.split()
        if any(os.path.basename(each).startswith(("python", "uv")) for each in words):
            return words
    return launch.command


def gather(
    command: Sequence[str],
    variables: Mapping[str, str],
    place: Place | None = None,
    *,
    top: str | None = None,
    service: str | None = None,
) -> Gathered:
    """Return the machine, what the command uses, and the place as far as it can be known.

    `top` is the folder of the work tree; `service` the address of a cloud's metadata service. No
    command is one whose programs are not those of this machine.
    """
    uses = _tried(lambda: interpreter.find(command, variables)) if command else None
    return _gathered(uses, variables, place, top, service)


def gather_own(
    place: Place | None = None, *, top: str | None = None, service: str | None = None
) -> Gathered:
    """Return the same of this process, which is the command."""
    return _gathered(_tried(interpreter.own), os.environ, place, top, service)


def _gathered(
    uses: Toolchain | None,
    variables: Mapping[str, str],
    place: Place | None,
    top: str | None,
    service: str | None,
) -> Gathered:
    machine = Machine()
    cloud = _tried(machine.cloud)
    answer = metadata_service.start(service, cloud) if service else lambda: cloud
    stamps = _stamps(uses)  # before the folders are read: what comes later is noticed
    found = _tried(lambda: _packages(uses)) if uses else None
    listed = _tried(lambda: encoding.encode(found)) if found else None
    system = os.uname()
    environment = Environment(
        system=system.sysname,
        distribution=_tried(machine.distribution),
        kernel=system.release,
        machine=system.machine,
        cpu_model=_tried(machine.cpu_model),
        cpu_count=_tried(_cpu_count),
        cpu_online=os.cpu_count(),
        cpu_cores=_tried(machine.cpu_cores),
        cpu_limit=_tried(machine.cpu_limit),
        memory=_tried(machine.memory),
        memory_limit=_tried(machine.memory_limit),
        gpus=_tried(gpus.find) or _tried(machine.gpus) or (),
        container=_tried(lambda: machine.container(variables)),
        python=uses.version if uses else None,
        python_path=uses.python if uses else None,
        python_implementation=uses.implementation if uses else None,
        prefix=uses.prefix if uses else None,
        manager=uses.manager if uses else None,
        packages_count=len(found.python) + len(found.conda) if found and listed else None,
        packages=digest.of_bytes(listed) if listed else None,
        lock_files=(_tried(lambda: packages.lock_files(top, os.getcwd())) if top else None) or {},
    )
    known = _tried(lambda: _completed(place, machine, answer(), variables)) if place else None
    return Gathered(environment, listed, known, uses, stamps)


def _packages(uses: Toolchain) -> Packages | None:
    """Return what is installed for what the command uses; None where that cannot be known."""
    conda = packages.conda(uses.prefix) if uses.prefix else ()
    if uses.folders is None and not conda:
        return None
    return Packages(python=packages.installed(uses.folders or ()), conda=conda)


def _cpu_count() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _completed(
    place: Place, machine: Machine, cloud: Cloud | None, variables: Mapping[str, str]
) -> Place | None:
    """Return the place with what files and a cloud tell of it; None where that is nothing."""
    found = place
    if cloud is not None:
        found = found.replace(cloud=cloud, kind="cloud" if place.kind == "machine" else place.kind)
    if place.pod is not None and place.pod.namespace is None:
        found = found.replace(pod=place.pod.replace(namespace=machine.namespace()))
    if place.batch is not None and place.batch.nodes is None and "PBS_NODEFILE" in variables:
        nodes = machine.nodes(variables["PBS_NODEFILE"])
        found = found.replace(batch=place.batch.replace(nodes=nodes))
    return None if found == place else found


def _stamps(uses: Toolchain | None) -> list[int | None]:
    """Return when something was last added to or removed from each folder of packages."""
    return (
        [_changed_at(each) for each in (*(uses.folders or ()), uses.prefix or "")] if uses else []
    )


def _changed_at(folder: str) -> int | None:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return None


def _tried(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - one fact that fails must not cost the others
        return None
