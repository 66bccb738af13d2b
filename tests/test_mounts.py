"""Folders that one command sees at other paths: in a real namespace, as root and as nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Lineage

from gitlineage import mounts

ROOT = os.getuid() == 0 and shutil.which("setpriv") is not None


@pytest.fixture
def folders(isolated: Path) -> dict[str, str]:
    """Return a folder with a file, to be shown, and see to it that it can be."""
    held, root = isolated / "held", isolated / "root"
    held.mkdir()
    root.mkdir()
    (held / "file").write_text("held\n")
    found = {"/valohai/inputs": str(held)}
    if (why := mounts.problem(found, str(root))) is not None:
        pytest.skip(f"mount namespaces are not allowed here: {why}")
    return found


def ran(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]


def test_command_sees_them_and_nobody_else(isolated: Path, folders: dict[str, str]) -> None:
    there = os.path.exists("/valohai")
    script = "cat /valohai/inputs/file; echo new > /valohai/inputs/new; pwd; ls -A /; exit 3"
    words = mounts.command(folders, str(isolated / "root"), ["sh", "-c", script])
    done = ran(words)
    assert done.returncode == 3
    first, second, *names = done.stdout.splitlines()
    assert (first, second) == ("held", str(isolated / "empty"))
    assert sorted(names) == sorted({*os.listdir("/"), "valohai"})
    assert (isolated / "held/new").read_text() == "new\n"
    assert os.path.exists("/valohai") == there
    assert os.listdir(isolated / "root") == []


def test_what_the_command_says_is_said(isolated: Path, folders: dict[str, str]) -> None:
    root = str(isolated / "root")
    assert ran(mounts.command(folders, root, ["no-such-command"])).returncode == 127
    assert ran(mounts.command(folders, root, ["/etc/passwd"])).returncode == 126
    assert ran(mounts.command(folders, root, ["sh", "-c", "kill -9 $$"])).returncode == -9


@pytest.mark.skipif(not ROOT, reason="needs root, to become somebody else")
def test_without_privileges(isolated: Path, folders: dict[str, str]) -> None:
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("only the system's Python can be executed by everybody")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if ran([*nobody, "unshare", "-Um", "true"]).returncode:
        pytest.skip("user namespaces are not allowed here")
    place = Path("/tmp") / f"git-lineage-{os.getpid()}"
    place.mkdir(mode=0o755)
    try:
        for name in ("root", "held"):
            (place / name).mkdir()
            (place / name).chmod(0o777)
        shutil.copy(mounts.__file__, place / "mounts.py")
        words = mounts.command({"/valohai/x": f"{place}/held"}, f"{place}/root",
                               ["sh", "-c", "id -u; echo mine > /valohai/x/file"])  # fmt: skip
        words[0], words[3] = "/usr/bin/python3", f"{place}/mounts.py"
        done = ran([*nobody, *words], cwd="/")
        assert (done.stdout, done.stderr) == ("65534\n", "")
        made = place / "held/file"
        assert (made.read_text(), made.stat().st_uid) == ("mine\n", 65534)
    finally:
        shutil.rmtree(place)


STEPS = """\
- step:
    name: command
    image: python:3.12
    command: cp /valohai/inputs/data/* /valohai/outputs/
    inputs: [{name: data, default: code.py}]
- step:
    name: script
    image: python:3.12
    command: sh hard.sh
"""


def test_step_with_absolute_paths(repo: Path, lineage: Lineage, folders: dict[str, str]) -> None:
    Path("valohai.yaml").write_text(STEPS)
    Path("hard.sh").write_text("ls /valohai/config/*.json > /valohai/outputs/list\n")
    lineage("run", "--step", "command")
    lineage("run", "--step", "script")
    assert Path("outputs/command/1/code.py").read_text() == 'print("hello")\n'
    assert "/valohai/config/inputs.json\n" in Path("outputs/script/1/list").read_text()
    page = lineage("show", "@command").stdout
    assert "cp /valohai/inputs/data/* /valohai/outputs/\n" in page
    assert "outputs/command/1/code.py" in page
    assert "mounts" not in page


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_step_where_it_is_not_allowed(repo: Path, lineage: Lineage, isolated: Path) -> None:
    Path("valohai.yaml").write_text(STEPS)
    # A user without a name in a namespace of its own may make no other.
    subprocess.run(["git", "config", "--global", "safe.directory", "*"], check=True)
    words = ["unshare", "-U", "git", "lineage", "run", "--step"]
    if ran(["unshare", "-U", "true"]).returncode:
        pytest.skip("user namespaces are not allowed here")
    refused = ran([*words, "command"])
    assert refused.stderr == (
        "error: step command: it names /valohai/..., which cannot be made to appear here: "
        "no mount namespace: operation not permitted\n"
        "hint: write $VH_INPUTS_DIR, $VH_OUTPUTS_DIR and so on in its command instead\n"
    )
    assert refused.returncode == 125
    Path("hard.sh").write_text("echo /valohai/x\n")
    done = ran([*words, "script"])
    assert done.stdout == "/valohai/x\n"
    assert done.stderr.startswith("warning: code here names /valohai/..., which cannot")
