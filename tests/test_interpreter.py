"""Which Python a command uses: its own, a script's, or that of an environment it is run in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from conftest import Lineage
from executions import last
from installing import conda_prefix, install, project, venv, wheel

import gitlineage
from gitlineage import interpreter
from gitlineage.interpreter import Toolchain
from gitlineage.records.parts import Package

VERSION = ".".join(map(str, sys.version_info[:3]))


def find(*command: str | Path, **variables: str) -> Toolchain | None:
    return interpreter.find(list(map(str, command)), {**os.environ, **variables})


def found(*command: str | Path, **variables: str) -> Toolchain:
    uses = find(*command, **variables)
    assert uses is not None
    return uses


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def python(isolated: Path) -> Path:
    return venv(isolated / "venv")


def test_venv(python: Path, isolated: Path) -> None:
    uses = found(python, "x.py")
    assert (uses.python, uses.version, uses.implementation) == (str(python), VERSION, "cpython")
    assert (uses.manager, uses.prefix) == ("venv", str(isolated / "venv"))
    by_name = found("python", PATH=f"{python.parent}:{os.environ['PATH']}")
    assert (by_name.python, by_name.prefix) == (str(python), str(isolated / "venv"))


def test_python_of_the_system() -> None:
    system = os.path.realpath(sys.executable)
    uses = found(system)
    assert (uses.version, uses.manager, uses.prefix) == (VERSION, None, None)
    asked = subprocess.check_output([system, "-c", "import sys; print(sys.path[1:])"], text=True)
    assert uses.folders == eval(asked)


def test_a_version_that_differs_from_ours(python: Path) -> None:
    """The interpreter itself is asked, without running what its site-packages would start."""
    (site,) = (python.parent.parent / "lib").glob("python3*/site-packages")
    (site / "started.pth").write_text("import pathlib; pathlib.Path('started').touch()\n")
    own = executable(python.parent / "python-wrapped", f'#!/bin/sh\nexec {python} "$@"\n')
    uses = found(own)
    assert (uses.version, uses.folders) == (VERSION, [str(site)])
    assert not Path("started").exists()


def test_a_stand_in_tells_which_interpreter_it_starts(python: Path, isolated: Path) -> None:
    shim = executable(isolated / "shims/python", f'#!/bin/sh\nexec {python} "$@"\n')
    uses = found(shim)
    assert (uses.python, uses.version) == (str(shim), VERSION)
    assert (uses.manager, uses.prefix) == ("venv", str(isolated / "venv"))


@pytest.mark.parametrize("words", [
    ("env", "A=b", "{}", "x.py"), ("nice", "-n", "5", "{}"), ("timeout", "5", "nice", "{}"),
    ("env", "./script"), ("./script",),
])  # fmt: skip
def test_behind_other_programs(python: Path, words: tuple[str, ...]) -> None:
    executable(Path("script"), f"#!{python}\n")
    assert found(*(word.format(python) for word in words)).python == str(python)


def test_first_line_with_env(python: Path) -> None:
    executable(Path("a"), "#!/usr/bin/env python\n")
    executable(Path("b"), "#!/usr/bin/env -S python -u\n")
    executable(Path("c"), "#!/usr/bin/env\n")
    path = f"{python.parent}:{os.environ['PATH']}"
    assert found("./a", PATH=path).python == found("./b", PATH=path).python == str(python)
    assert find("./c", PATH=path) is None


@pytest.mark.parametrize("words", [
    ("true",), ("no-such-command",), ("sh", "-c", "python"), ("env",), ("nice", "true"), ("/",),
    ("uv", "pip", "list"), ("uv", "run", "--with", "x", "python"),
])  # fmt: skip
def test_what_uses_no_known_python(words: tuple[str, ...]) -> None:
    assert find(*words) is None


def test_what_only_looks_like_python(isolated: Path) -> None:
    tool = executable(isolated / "python-tool", "#!/bin/sh\nexit 1\n")
    uses = found(tool)
    assert (uses.python, uses.version, uses.folders) == (str(tool), None, None)
    noisy = executable(isolated / "python-noise", "#!/bin/sh\necho much; echo noise\n")
    assert found(noisy).version is None


def test_conda_environments(isolated: Path) -> None:
    root, home = isolated / "conda", isolated / "home"
    conda = executable(root / "bin/conda", "#!/bin/sh\n")
    python = executable(root / "bin/python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    rscript = executable(root / "envs/r/bin/Rscript", "")
    far = isolated / "far"
    for prefix in (root, root / "envs/r", far):
        (prefix / "conda-meta").mkdir(parents=True)
    (home / ".conda").mkdir()
    (home / ".conda/environments.txt").write_text(f"{root}\n{far}\n")
    for words, expected in (
        (("run", "-n", "r", "Rscript"), root / "envs/r"),
        (("run", "--name=far", "x"), far),
        (("run", "--no-capture-output", "-p", far, "x"), far),
        (("run", "-n", "base", "python"), root),
        (("run", "python"), root),
    ):
        uses = found(conda, *words)
        assert (uses.prefix, uses.manager) == (str(expected), "conda"), words
        assert uses.python == (str(python) if expected == root else None)
    assert find(conda, "run", "-n", "unknown", "x") is None
    assert found(rscript, "x.R").prefix == str(root / "envs/r")
    assert found(conda, "run", "x", CONDA_PREFIX=str(far)).prefix == str(far)
    uses = found(python)
    assert (uses.prefix, uses.manager, uses.version) == (str(root), "conda", VERSION)


def test_poetry_is_asked(python: Path, isolated: Path) -> None:
    poetry = executable(isolated / "bin/poetry", f'#!/bin/sh\n[ "$*" = "env info --path --no-ansi '
                        f'-C sub" ] && echo {isolated}/venv\n')  # fmt: skip
    uses = found(poetry, "run", "-C", "sub", "python", "x.py")
    assert (uses.python, uses.manager) == (str(python), "poetry")
    assert find(poetry, "run", "python") is None


def test_poetry(repo: Path, lineage: Lineage, isolated: Path) -> None:
    """The real one, with a lock file of its own."""
    dependency = wheel(isolated, "dependency", "2.0")
    Path("pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["dependency @ {dependency.as_uri()}"]\n'
        "[tool.poetry]\npackage-mode = false\n"
    )
    poetry = [sys.executable, "-m", "poetry"]
    subprocess.run([*poetry, "install", "-n"], check=True, capture_output=True)
    prefix = subprocess.check_output([*poetry, "env", "info", "--path"], text=True).strip()
    lineage("run", "-q", "--", "poetry", "run", "python", "-c", "import dependency")
    check(lineage, "poetry", prefix, "poetry.lock")


def test_pipenv(repo: Path, lineage: Lineage, isolated: Path) -> None:
    dependency = wheel(isolated, "dependency", "2.0")
    pipenv = [sys.executable, "-m", "pipenv"]
    subprocess.run([*pipenv, "--python", sys.executable], check=True, capture_output=True)
    prefix = subprocess.check_output([*pipenv, "--venv"], text=True).strip()
    install(Path(prefix, "bin/python"), dependency)
    Path("Pipfile.lock").write_text("{}\n")
    lineage("run", "-q", "--", "pipenv", "run", "python", "-c", "import dependency")
    check(lineage, "pipenv", prefix, "Pipfile.lock")


def check(lineage: Lineage, manager: str, prefix: str, lock: str) -> None:
    """Check the environment of the newest execution; it holds `dependency` 2.0."""
    found = last()
    assert found.end is not None and found.end.environment is not None
    about = found.end.environment
    assert (about.manager, about.prefix, about.python) == (manager, prefix, VERSION)
    assert about.lock_files == {lock: blake3(Path(lock).read_bytes()).digest()}
    with gitlineage.open() as opened:
        packages = opened.packages()
    assert packages is not None
    assert ("dependency", "2.0") in {(each.name, each.version) for each in packages.python}


def test_an_environment_of_conda(repo: Path, lineage: Lineage, isolated: Path) -> None:
    """Made by rattler, which writes what conda writes."""
    prefix = conda_prefix(isolated, "tool", "1.2", "h0_0", tool=b"#!/bin/sh\necho hi\n")
    assert lineage("run", "-q", "--", prefix / "bin/tool").stdout == "hi\n"
    found = last()
    assert found.end is not None and found.end.environment is not None
    about = found.end.environment
    assert (about.manager, about.prefix, about.packages_count) == ("conda", str(prefix), 1)
    with gitlineage.open() as opened:
        packages = opened.packages()
    assert packages is not None
    assert packages.conda == (Package(name="tool", version="1.2", build="h0_0"),)


def test_uv(repo: Path, lineage: Lineage, isolated: Path) -> None:
    """The first run makes the environment while the command runs."""
    project(isolated / "dependency", "dependency", "2.0")
    Path("pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["dependency"]\n[tool.uv.sources]\n'
        f'dependency = {{ path = "{isolated}/dependency" }}\n'
    )
    Path(".gitignore").write_text(".venv\n")
    command = (
        "uv",
        "run",
        "--offline",
        "--python",
        sys.executable,
        "python",
        "-c",
        "import dependency",
    )
    for _ in range(2):
        lineage("run", "-q", "--", *command)
        about = last().end
        assert about is not None and about.environment is not None
        assert about.environment.manager == "uv"
        assert about.environment.prefix == str(repo / ".venv")
        assert about.environment.python == VERSION
        assert about.environment.packages_count == 1
        assert list(about.environment.lock_files) == ["uv.lock"]
    script = Path("script.py")
    script.write_text("# /// script\n# dependencies = []\n# ///\nprint(1)\n")
    lineage("run", "-q", "--", "uv", "run", "--offline", "script.py")
    about = last().end
    assert about is not None and about.environment is not None
    assert "environments" in str(about.environment.prefix)
