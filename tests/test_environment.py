"""On what an execution ran: the machine, and the Python that the command used."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Lineage
from executions import last

from gitlineage import environment

VERSION = ".".join(map(str, sys.version_info[:3]))


def test_machine(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "true")
    found = last()
    assert found.launch is not None and found.end is not None
    machine = found.end.environment
    assert machine is not None
    assert found.launch.place.host == os.uname().nodename
    assert found.launch.place.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (machine.system, machine.kernel) == (platform.system(), platform.release())
    assert machine.machine == platform.machine()
    assert machine.cpu_count == len(os.sched_getaffinity(0))
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) << 10
    assert machine.memory == total
    assert machine.distribution == platform.freedesktop_os_release()["PRETTY_NAME"]
    assert (machine.python, machine.python_path) == (None, None)


@pytest.mark.parametrize("how", ["by name", "by path", "script", "env script"])
def test_python_of_the_command(repo: Path, lineage: Lineage, how: str, isolated: Path) -> None:
    folder = Path(sys.executable).parent
    script = repo / "script"
    first = f"#!{sys.executable}" if how == "script" else "#!/usr/bin/env python3"
    script.write_text(f"{first}\nprint('ran')\n")
    script.chmod(0o755)
    command = {"by name": ["python3", "script"], "by path": [sys.executable, "script"]}.get(
        how, ["./script"])  # fmt: skip
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    assert lineage("run", "-q", "--", *command, env={"PATH": path}).stdout == "ran\n"
    end = last().end
    assert end is not None and end.environment is not None
    assert end.environment.python == VERSION
    assert Path(end.environment.python_path or "").resolve() == Path(sys.executable).resolve()


def test_what_only_looks_like_python(isolated: Path) -> None:
    tool = isolated / "python-tool"
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    found = environment.gather([str(tool)], os.environ)
    assert (found.python_path, found.python) == (str(tool), None)
    assert environment.gather(["no-such-command"], os.environ).python_path is None
    assert environment.gather([str(isolated)], os.environ).python_path is None


def test_login() -> None:
    assert environment.login() == subprocess.check_output(["id", "-un"], text=True).strip()
