"""The frame that the program stands in: what is shipped, how it is installed, what make offers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from gitlineage import __version__

ROOT = Path(__file__).resolve().parent.parent

needs_man = pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
needs_checkout = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin of a fresh environment that has the wheel; dependencies are borrowed."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "-q", "--no-deps", "--no-index", distributions[0])
    # A line in a .pth file adds a folder but does not read the .pth files in it, so the editable
    # install of the environment that runs the tests stays out.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_wheel_holds_hooks_types_command_and_manual_page(
    distributions: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(distributions[0]) as wheel:
        names = set(wheel.namelist())
        data = f"git_lineage-{__version__}.data"
        assert f"{data}/data/share/man/man1/git-lineage.1" in names
        assert "gitlineage/py.typed" in names
        for hook in (ROOT / "hooks").iterdir():
            packed = wheel.getinfo(f"gitlineage/hooks/{hook.name}")
            assert packed.external_attr >> 16 & 0o111 == hook.stat().st_mode & 0o111
        assert wheel.read(f"{data}/scripts/git-lineage").startswith(b"#!python\n")
    assert not [name for name in names if name.startswith(("tests/", "docs/", "hooks/"))]


def test_sdist_holds_tests_docs_and_makefile(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {"tests/conftest.py", "docs/git-lineage.1", "Makefile", ".ci/run", "LICENSE"}
    assert expected <= names


def test_installed_command_runs(installed: Path) -> None:
    command = installed / "git-lineage"
    assert os.access(command, os.X_OK)
    assert command.read_text().startswith(f"#!{installed}/python")
    path = os.pathsep.join((str(installed), os.environ["PATH"]))
    assert __version__ in run("git", "lineage", "--version", PATH=path)


@needs_man
def test_git_finds_the_installed_manual_page(installed: Path) -> None:
    path = os.pathsep.join((str(installed), os.environ["PATH"]))
    page = installed.parent / "share/man/man1/git-lineage.1"
    assert run("man", "-w", "git-lineage", PATH=path) == f"{page}\n"
    assert "git-lineage - " in run("git", "lineage", "--help", PATH=path, MANPAGER="cat")


@needs_man
def test_manual_page_has_no_warnings() -> None:
    page = ROOT / "docs/git-lineage.1"
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_manual_page_names_every_variable_and_configuration_key() -> None:
    source = "".join(path.read_text() for path in (ROOT / "gitlineage").rglob("*.py"))
    read = re.findall(r"GIT_LINEAGE_[A-Z]+|(?<=\")lineage\.(?!ya?ml)[a-z]+(?=\")", source)
    page = (ROOT / "docs/git-lineage.1").read_text().lower()
    assert sorted(name for name in set(read) if name.lower() not in page) == []


@needs_make
def test_make_alone_lists_every_target() -> None:
    listed = re.findall(r"^  make ([a-z]+) ", run("make", cwd=ROOT), re.MULTILINE)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == phony.split()


@needs_checkout
def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    listed = run(
        *("git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"), cwd=ROOT
    )
    machine = re.compile(rb"(?<![\w.~}*-])/" + rb"(work|root|home/\w+)/")
    found = [
        f"{name}: {line.decode(errors='replace')}"
        for name in listed.split("\0")
        if name and (ROOT / name).is_file()
        for line in (ROOT / name).read_bytes().splitlines()
        if machine.search(line)
    ]
    assert found == []
