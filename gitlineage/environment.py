"""On what an execution runs: host, operating system, interpreter. Knows the machine, not git.

A fact that cannot be had is None: not an error, and never a guess. All of it is gathered while the
command runs, except what names the place.
"""

from __future__ import annotations

import os

from gitlineage.records import Environment, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def place() -> Place:
    """Return where this process runs."""
    boot = _read(BOOT_ID)
    return Place(host=os.uname().nodename, boot=boot.strip() if boot else None)


def login() -> str | None:
    """Return the account that this process runs under."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("LOGNAME")


def gather(command: Sequence[str], variables: Mapping[str, str]) -> Environment:
    """Return the machine, and the Python that the command uses, if it uses one."""
    system = os.uname()
    python = _interpreter(command, variables)
    return Environment(
        system=system.sysname,
        distribution=_distribution(),
        kernel=system.release,
        machine=system.machine,
        cpu_count=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        memory=_memory(),
        python_path=python,
        python=_version(python) if python else None,
    )


def _distribution() -> str | None:
    for line in (_read("/etc/os-release") or "").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip("\"'")
    return None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _interpreter(command: Sequence[str], variables: Mapping[str, str]) -> str | None:
    """Return the Python that a command is, or that the first line of its script names."""
    program = _which(command[0], variables)
    for _ in range(2):
        if program is None:
            return None
        if os.path.basename(program).startswith(("python", "pypy")):
            return program
        words = _first_line(program)
        if len(words) > 1 and os.path.basename(words[0]) == "env":
            program = _which(words[1], variables)
        else:
            program = words[0] if words else None
    return None


def _which(name: str, variables: Mapping[str, str]) -> str | None:
    # shutil.which would do, and brings `re` and four compression modules along.
    folders = [""] if "/" in name else variables.get("PATH", os.defpath).split(":")
    paths = (os.path.join(folder, name) for folder in folders)
    return next((p for p in paths if os.path.isfile(p) and os.access(p, os.X_OK)), None)


def _first_line(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            line = file.readline(256)
    except OSError:
        return []
    return line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []


def _version(python: str) -> str | None:
    import subprocess
    import sys

    if os.path.realpath(python) == os.path.realpath(sys.executable):
        return ".".join(map(str, sys.version_info[:3]))
    try:
        asked = subprocess.run(
            [python, "-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None
