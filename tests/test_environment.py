"""On what an execution ran: the machine, and the Python that the command used."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last
from executions import python as execute
from installing import install, listed, project, venv

import gitlineage
from gitlineage import digest, encoding, environment, interpreter
from gitlineage.machine import Machine
from gitlineage.records.launch import Place

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
    assert machine.cpu_online == os.cpu_count()
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


def test_packages_of_an_execution(repo: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    python = venv(isolated / "venv")
    install(python, project(isolated / "a", "Some.Name", "1.5"), "-e", project(isolated / "b", "b"))
    Path("requirements.txt").write_text("b\n")
    blobs = set()
    for word in ("1", "2"):
        lineage("run", "-q", "--", python, "-c", word)
        blobs.add(git("rev-parse", f"{last().commit}:environment"))
    assert len(blobs) == 1
    end = last().end
    assert end is not None and end.environment is not None
    machine = end.environment
    assert (machine.manager, machine.prefix) == ("venv", str(isolated / "venv"))
    assert (machine.packages_count, machine.python) == (2, VERSION)
    assert machine.lock_files == {"requirements.txt": digest.of_bytes(b"b\n")}
    with gitlineage.open() as api:
        packages = api.packages()
    assert packages is not None
    assert machine.packages == digest.of_bytes(encoding.encode(packages))
    assert sorted((e.name, e.version) for e in packages.python) == listed(python)

    page = lineage("show").stdout.splitlines()
    assert f"  packages:   2 packages, venv in {isolated}/venv: git lineage show --packages" in page
    pinned = digest.of_text(machine.lock_files["requirements.txt"])[:15]
    assert f"  pinned by:  requirements.txt  {pinned}" in page
    page = lineage("show", "--packages").stdout.splitlines()
    at = page.index(f"  packages:   2 packages, venv in {isolated}/venv")
    assert page[at + 1 : at + 3] == ["              b 1.0 editable", "              Some.Name 1.5"]
    found = json.loads(lineage("show", "--json").stdout)["environment"]
    assert [each["name"] for each in found["packages"]["python"]] == ["b", "Some.Name"]
    assert found["packages_digest"] == digest.of_text(machine.packages)
    assert found["lock_files"].keys() == {"requirements.txt"}


def test_what_is_installed_meanwhile_is_on_record(
    repo: Path, lineage: Lineage, isolated: Path
) -> None:
    python = venv(isolated / "venv")
    (site,) = (isolated / "venv/lib").glob("python3*/site-packages")
    info = site / "late-1.dist-info"
    code = f"import os; os.mkdir({str(info)!r}); open({str(info / 'METADATA')!r}, 'w').write('')"
    lineage("run", "-q", "--", python, "-c", code)
    with gitlineage.open() as api:
        packages = api.packages()
    assert packages is not None
    assert [(each.name, each.version) for each in packages.python] == [("late", "1")]


def test_a_session_knows_its_own_packages(repo: Path, isolated: Path) -> None:
    done = execute("import gitlineage; gitlineage.log(a=1)")
    assert done.returncode == 0, done.stderr
    with gitlineage.open() as api:
        packages = api.packages()
    assert packages is not None
    assert sorted((e.name, e.version) for e in packages.python) == listed(sys.executable)


def test_proc_cannot_be_read(repo: Path, lineage: Lineage) -> None:
    hidden = "mount -t tmpfs none /proc && "
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*alone, hidden + ":"], capture_output=True).returncode:
        pytest.skip("no namespaces here to hide /proc in")
    command = f"git lineage run -q -- {sys.executable} -c 'print(1)' > out.txt"
    done = subprocess.run([*alone, hidden + command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = last()
    assert found.launch is not None and found.end is not None
    assert (found.launch.place.boot, found.end.status, found.end.warnings) == (
        None,
        "succeeded",
        (),
    )
    machine = found.end.environment
    assert machine is not None
    assert (machine.cpu_model, machine.python) == (None, VERSION)
    assert machine.kernel == os.uname().release
    assert machine.packages_count == len(listed(sys.executable))


def test_one_fact_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    for name in ("cpu_model", "memory", "gpus", "container", "cloud", "cpu_limit"):
        monkeypatch.setattr(Machine, name, fail)
    monkeypatch.setattr(interpreter, "find", fail)
    found = environment.gather(["python"], os.environ, Place(host="h"), top=".")
    assert (found.packages, found.place, found.is_current()) == (None, None, True)
    assert found.environment.kernel == os.uname().release
    assert (found.environment.memory, found.environment.python_path) == (None, None)
