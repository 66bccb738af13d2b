"""What is installed, as pip itself lists it, and what pins it."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest
from installing import install, listed, pip, project, venv

from gitlineage import digest, encoding, interpreter, packages
from gitlineage.records.parts import Package, Packages


def seen(python: Path | str, **variables: str) -> list[Package]:
    found = interpreter.find([str(python), "x.py"], {**os.environ, **variables})
    assert found is not None and found.folders is not None
    return list(packages.installed(found.folders))


def pairs(found: list[Package]) -> list[tuple[str, str]]:
    return sorted((each.name, each.version) for each in found)


def test_own_environment() -> None:
    assert pairs(seen(sys.executable)) == listed(sys.executable)


def test_venv(isolated: Path) -> None:
    python = venv(isolated / "venv")
    assert (pairs(seen(python)), listed(python)) == ([], [])
    install(
        python, project(isolated / "a", "Odd.Name_x", "1.0.post1"), project(isolated / "b", "b")
    )
    assert pairs(seen(python)) == listed(python) == [("Odd.Name_x", "1.0.post1"), ("b", "1.0")]
    pip(python, "uninstall", "-q", "-y", "b")
    assert pairs(seen(python)) == listed(python) == [("Odd.Name_x", "1.0.post1")]


def test_venv_with_the_packages_of_the_system(isolated: Path) -> None:
    python = venv(isolated / "venv", "--system-site-packages")
    install(python, project(isolated / "a", "mine"))
    assert pairs(seen(python)) == listed(python)
    system = os.path.realpath(sys.executable)
    assert set(listed(system)) <= set(listed(python))
    assert pairs(seen(system)) == listed(system)


def test_editable(isolated: Path) -> None:
    python = venv(isolated / "venv")
    install(python, "-e", project(isolated / "a", "at-work"))
    assert pairs(seen(python)) == listed(python)
    assert seen(python) == [Package(name="at-work", version="1.0", is_editable=True)]


def test_editable_of_old(isolated: Path) -> None:
    """As `setup.py develop` leaves it: an egg-link, a .pth file and an egg-info beside the code."""
    python = venv(isolated / "venv")
    (site,) = (isolated / "venv/lib").glob("python3*/site-packages")
    code = isolated / "code"
    (code / "linked.egg-info").mkdir(parents=True)
    (code / "linked.egg-info/PKG-INFO").write_text(
        "Metadata-Version: 1.0\nName: linked\nVersion: 3\n"
    )
    (site / "linked.egg-link").write_text(f"{code}\n.")
    assert pairs(seen(python)) == listed(python) == [("linked", "3")]
    assert seen(python)[0].is_editable
    (site / "easy-install.pth").write_text(f"# a comment\nimport sys\n\n{code}\n/no/such/folder\n")
    assert pairs(seen(python)) == listed(python) == [("linked", "3")]


def test_a_package_twice_on_the_path(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = venv(isolated / "venv")
    install(python, project(isolated / "a", "twice", "1.0"), project(isolated / "c", "other"))
    target = isolated / "first"
    install(python, "--target", target, project(isolated / "b", "twice", "2.0"))
    monkeypatch.setenv("PYTHONPATH", str(target))
    assert pairs(seen(python)) == listed(python) == [("other", "1.0"), ("twice", "2.0")]


def test_eggs(isolated: Path) -> None:
    python = venv(isolated / "venv")
    (site,) = (isolated / "venv/lib").glob("python3*/site-packages")
    (site / "old-1.5-py3.11.egg/EGG-INFO").mkdir(parents=True)
    (site / "old-1.5-py3.11.egg/EGG-INFO/PKG-INFO").write_text(
        "Metadata-Version: 1.0\nName: old\nVersion: 1.5\n")  # fmt: skip
    with zipfile.ZipFile(site / "packed-2-py3.11.egg", "w") as egg:
        egg.writestr("EGG-INFO/PKG-INFO", "Metadata-Version: 1.0\nName: packed\nVersion: 2\n")
    (site / "single-4.egg-info").write_text("Metadata-Version: 1.0\nName: single\nVersion: 4\n")
    (site / "broken-1.egg").write_text("no archive")
    assert pairs(seen(python)) == listed(python)
    assert pairs(seen(python)) == [("old", "1.5"), ("packed", "2"), ("single", "4")]


@pytest.mark.parametrize(("direct", "expected"), [
    ({"url": "https://me:secret@example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "ab1"}},
     {"origin": "git+https://example.org/x.git@ab1"}),
    ({"url": "https://example.org/x.whl", "archive_info": {}}, {"origin": "https://example.org/x.whl"}),
    ({"url": "file:///opt/ada/x.whl", "archive_info": {}}, {}),
    ({"url": "file:///opt/ada/x", "dir_info": {}}, {}),
    ({"url": 7}, {}), ([], {}), ("", {}),
])  # fmt: skip
def test_where_a_package_was_taken_from(isolated: Path, direct: object, expected: dict) -> None:
    info = isolated / "x-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: x\nVersion: 1\n")
    (info / "direct_url.json").write_text(json.dumps(direct))
    assert packages.installed([str(isolated)]) == (Package(name="x", version="1", **expected),)


def test_metadata_that_is_long_missing_or_odd(isolated: Path) -> None:
    for name, content in (
        ("late-1.dist-info", "Classifier: x\n" * 1000 + "Name: Late\nVersion: 1\n"),
        ("body-2.dist-info", "Summary: x\n\nName: No\nVersion: 0\n"),
        ("bytes-3.dist-info", "Name: b\udcff\nVersion: 3\n"),
        ("nothing.dist-info", ""),
    ):
        (isolated / name).mkdir()
        (isolated / name / "METADATA").write_text(content, errors="surrogateescape")
    (isolated / "bare-4.dist-info").mkdir()
    found = packages.installed([str(isolated), "/no/such/folder"])
    assert pairs(list(found)) == [("Late", "1"), ("bare", "4"), ("body", "2"), ("b\ufffd", "3")]
    encoding.encode(Packages(python=found))


def test_conda(isolated: Path) -> None:
    meta = isolated / "conda-meta"
    meta.mkdir()
    for name in ("python-3.11.9-h955ad1f_0.json", "r-base-4.3.1-hb8ee39d_4.json", "history"):
        (meta / name).touch()
    assert packages.conda(str(isolated)) == (
        Package(name="python", version="3.11.9", build="h955ad1f_0"),
        Package(name="r-base", version="4.3.1", build="hb8ee39d_4"),
    )
    assert packages.conda("/no/such/prefix") == ()


def test_lock_files(isolated: Path) -> None:
    (isolated / "sub").mkdir()
    for name in (
        "uv.lock",
        "requirements-dev.txt",
        "requirements.txt",
        "notes.txt",
        "sub/renv.lock",
    ):
        (isolated / name).write_text(name)
    (isolated / "poetry.lock").mkdir()
    found = packages.lock_files(str(isolated), str(isolated / "sub"))
    assert list(found) == ["requirements-dev.txt", "requirements.txt", "sub/renv.lock", "uv.lock"]
    assert found["uv.lock"] == digest.of_bytes(b"uv.lock")
    assert "sub/renv.lock" not in packages.lock_files(str(isolated), str(isolated))


def test_same_packages_are_the_same_bytes(isolated: Path) -> None:
    contents = set()
    for name in ("one", "two"):
        python = venv(isolated / name)
        first, second = ("x", "y") if name == "one" else ("y", "x")
        install(python, project(isolated / name / first, first))
        install(python, project(isolated / name / second, second))
        contents.add(encoding.encode(Packages(python=tuple(seen(python)))))
    assert len(contents) == 1
    assert os.fsencode(isolated) not in contents.pop()
