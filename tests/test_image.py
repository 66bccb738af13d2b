"""Commands in containers: real engines, real images, a real registry."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from conftest import Git, Lineage
from containers import IMAGE, Engine, docker_engine, podman_engine, registry
from executions import everything, hows, last, left_running, start, until
from notebooks import write_notebook
from test_docs import Reader
from test_relay import Terminal

import gitlineage
from gitlineage.cli.run import Bar
from gitlineage.records.launch import Image

ROOT = Path(gitlineage.__file__).parent.parent

RUN = ("run", "-q", "--network", "none", "--image", IMAGE)


@pytest.fixture(scope="session")
def docker_of_tests() -> Iterator[Engine]:
    with docker_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def podman_of_tests() -> Iterator[Engine]:
    with podman_engine() as engine:
        yield engine


@pytest.fixture
def engine(
    request: pytest.FixtureRequest, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """Give the test Docker, or the engine that its parameter says; no container may be left."""
    found: Engine = request.getfixturevalue(f"{getattr(request, 'param', 'docker')}_of_tests")
    monkeypatch.setenv("DOCKER_HOST", found.host)
    yield found
    assert found.clear() == []


both = pytest.mark.parametrize("engine", ["docker", "podman"], indirect=True)
"""Where the engine says what is to come: what we alone do is tried with one of them."""


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with registry() as address:
        yield address


def image() -> Image:
    launch = last().launch
    assert launch is not None and launch.image is not None
    return launch.image


# What it is given, and what it gives back


@both
def test_a_command_in_an_image(engine: Engine, repo: Path, lineage: Lineage) -> None:
    script = "pwd; id -u; id -g; echo problem >&2; echo made > out; echo '{\"a\": 1}'; exit 3"
    done = lineage(*RUN, "--", "sh", "-c", script, check=False)
    assert done.returncode == 3
    assert done.stdout == f"{repo}\n{os.getuid()}\n{os.getgid()}\n" + '{"a": 1}\n'
    assert done.stderr == "problem\n"
    found = last()
    assert found.end is not None and found.launch is not None
    assert (found.status, found.end.exit_code, found.end.warnings) == ("failed", 3, ())
    assert (found.metadata, hows(found.outputs)) == ({"a": 1}, {"out": "detected"})
    assert found.launch.command == ("sh", "-c", script)
    with gitlineage.open() as opened:
        assert b"problem\n" in opened.output()


def test_it_is_reproduced_in_the_same_image(engine: Engine, repo: Path, lineage: Lineage) -> None:
    lineage(*RUN, "-e", "RATE=1", "--", "sh", "-c", "cat code.py >out; id -u >>out")
    used = image()
    done = lineage("reproduce", env={"RATE": "1"})
    assert done.stdout.endswith(": identical\n  identical  out\n")
    assert (image().id, image().digest, image().network) == (used.id, used.digest, "none")
    launch = last().launch
    assert launch is not None and launch.reproduces is not None
    assert os.listdir(repo / ".git/lineage/scratch") == []


@both
def test_the_image_is_recorded_and_shown(engine: Engine, lineage: Lineage) -> None:
    lineage(*RUN, "-e", "SECRET=x", "-v", "/usr:/usr:ro", "--", "true")
    found = image()
    assert (found.name, found.id, found.config) == (IMAGE, engine.identity, engine.identity)
    assert (found.platform, found.manifest, found.index) == ("linux/amd64", None, None)
    assert (found.network, found.volumes) == ("none", ("/usr:/usr:ro",))
    assert found.variables == ("SECRET",)  # never their values
    version = engine.api.version()["Version"]
    assert found.engine and found.engine.endswith(version)
    shown = lineage("show").stdout.splitlines()
    names = [line.partition(":")[0] for line in shown]
    assert names[names.index("Step") + 1] == "Image"
    assert f"{IMAGE} (" in shown[names.index("Image")]
    for words in (("show", "--json"), ("log", "--json")):
        told = json.loads(lineage(*words).stdout)["image"]
        assert (told["name"], told["id"]) == (IMAGE, engine.identity)
    lineage("run", "-q", "--", "true")
    assert json.loads(lineage("show", "--json").stdout)["image"] is None


@both
def test_what_came_from_an_image_that_is_another_now(
    engine: Engine, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = engine.make("moving:1", first=b"1")
    lineage("run", "-q", "--image", "moving:1", "-o", "made", "--", "touch", "made")
    assert json.loads(lineage("status", "--json").stdout)["state"] == "current"
    now = engine.make("moving:1", second=b"2")
    told = json.loads(lineage("status", "--json").stdout)
    reason = {"kind": "image", "path": "", "name": "moving:1", "was": was, "now": now}
    assert (told["state"], told["reasons"]) == ("stale", [reason])
    said = f"image moving:1 is {now[:19]} now, was {was[:19]}\n"
    assert lineage("status").stdout.endswith(said)
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/nobody.sock")
    assert json.loads(lineage("status", "--json").stdout)["state"] == "current"
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    engine.api.remove_image("moving:1")
    assert json.loads(lineage("status", "--json").stdout)["state"] == "current"


def test_standard_input(engine: Engine, lineage: Lineage) -> None:
    text = "line\n" * 400_000  # more than fits into pipes and sockets, there and back
    done = lineage(*RUN, "--", "cat", input=text)
    assert hashlib.sha256(done.stdout.encode()).digest() == hashlib.sha256(text.encode()).digest()
    assert lineage(*RUN, "--", "cat").stdout == ""


def test_a_folder_below_the_top(engine: Engine, repo: Path, lineage: Lineage) -> None:
    (repo / "below").mkdir()
    (repo / "below/run.sh").write_text("#!/bin/sh\npwd; touch made\n")
    (repo / "below/run.sh").chmod(0o755)
    assert lineage(*RUN, "--", "./run.sh", cwd=repo / "below").stdout == f"{repo}/below\n"
    found = last()
    assert found.launch is not None and found.launch.directory == "below"
    assert (found.launch.step, hows(found.outputs)) == ("run", {"below/made": "detected"})


def test_variables_are_those_that_are_allowed(
    engine: Engine, lineage: Lineage, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALLOWED", "ASKED_FOR", "OTHER"):
        monkeypatch.setenv(name, f"our {name}")
    git("config", "lineage.imageEnv", "ALLOWED NOT_SET")
    done = lineage(*RUN, "-e", "ASKED_FOR", "--env=GIVEN=a=b", "--", "env")
    found = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    for name in ("HOSTNAME", "PATH", "HOME", "SHLVL", "PWD"):
        found.pop(name, None)
    for name in [each for each in found if each.startswith("container")]:
        found.pop(name)
    assert found == {
        "ALLOWED": "our ALLOWED", "ASKED_FOR": "our ASKED_FOR", "GIVEN": "a=b",
        "GIT_LINEAGE_EXECUTION": last().id,
        "GIT_LINEAGE_DIR": f"{os.getcwd()}/.git/lineage",
        "GIT_LINEAGE_MASK": "",
    }  # fmt: skip
    assert image().variables == ("ALLOWED", "ASKED_FOR", "GIVEN")


def test_volumes(engine: Engine, isolated: Path, lineage: Lineage) -> None:
    data, inputs = isolated / "data", isolated / "inputs"
    data.mkdir()
    inputs.mkdir()
    (inputs / "one").write_text("1\n")
    script = "cat /valohai/inputs/one; echo made > /valohai/outputs/two; touch /valohai/inputs/x"
    done = lineage(*RUN, "-v", f"{inputs}:/valohai/inputs:ro", "-v", "../data:/valohai/outputs",
                   "--", "sh", "-c", script, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "1\n")
    assert "Read-only file system" in done.stderr
    assert (data / "two").read_text() == "made\n"


def test_python_inside_logs_metadata(engine: Engine, lineage: Lineage) -> None:
    mounted = {str(ROOT), sys.prefix, sys.base_prefix, "/usr"}
    volumes = [word for each in sorted(mounted) for word in ("-v", f"{each}:{each}:ro")]
    lineage(*RUN, *volumes, "--", sys.executable, "-c", "import gitlineage; gitlineage.log(a=0.5)")
    assert last().metadata == {"a": 0.5}


def test_a_notebook(engine: Engine, repo: Path, lineage: Lineage) -> None:
    write_notebook(
        "train.ipynb",
        "open('model', 'w').write('x' * size); import os; print(os.path.exists('/.in-image'))",
        parameters="size = 1",
    )
    mounted = {str(ROOT), sys.prefix, sys.base_prefix, "/usr"}
    volumes = [word for each in sorted(mounted) for word in ("-v", f"{each}:{each}:ro")]
    path = f"PATH={sys.prefix}/bin:/usr/bin:/bin"
    (repo / "mark").touch()
    options = [*volumes, "-v", "./mark:/.in-image", "-e", path, "--network", "none"]
    done = lineage("run", "--image", IMAGE, *options, "train.ipynb", "-p", "size=3")
    assert done.stdout.endswith("True\n")
    found = last()
    assert found.launch is not None and found.launch.image is not None
    assert found.launch.command[:3] == ("python3", "-m", "papermill")
    assert {each.path for each in found.outputs} == {"model", "train.out.ipynb"}
    assert (repo / "model").read_text() == "xxx"
    again = lineage("run", "--reuse", "--image", IMAGE, *options, "train.ipynb", "-p", "size=3")
    assert "is reused" in again.stderr
    without = lineage("run", "--image", IMAGE, "train.ipynb", check=False)
    assert without.returncode == 127
    assert without.stderr.startswith(f"error: python3: command not found in {IMAGE}\n")


def test_a_linked_work_tree(engine: Engine, repo: Path, git: Git, lineage: Lineage) -> None:
    git("worktree", "add", "-q", "../linked")
    script = f"test -e {repo}/.git/lineage && pwd"
    done = lineage(*RUN, "--", "sh", "-c", script, cwd=repo.parent / "linked")
    assert done.stdout == f"{repo.parent}/linked\n"


def test_somebody_else_than_root(engine: Engine, repo: Path, lineage: Lineage) -> None:
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(repo, f"{home}/repo")
        subprocess.run(["chown", "-R", "1234:2345", home], check=True)
        # Who may look into every folder: the interpreter may be in one of root's.
        become = ["setpriv", "--reuid=1234", "--regid=2345", "--clear-groups",
                  "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip
        command = [*become, "git", "-c", "user.name=Ada", "-c", "user.email=a@b", "lineage"]
        script = 'id -u; id -g; touch made "$HOME/file"; echo "$HOME"'
        done = subprocess.run([*command, *RUN, "--", "sh", "-c", script], cwd=f"{home}/repo",
                              capture_output=True, text=True)  # fmt: skip
        assert (done.stdout, done.stderr) == ("1234\n2345\n/tmp\n", "")
        assert os.stat(f"{home}/repo/made").st_uid == 1234


def test_what_it_used_is_recorded(engine: Engine, lineage: Lineage) -> None:
    lineage(*RUN, "--", "sh", "-c", "i=0; while test $i -lt 2000000; do i=$((i+1)); done")
    end = last().end
    assert end is not None and end.duration and end.duration > 0
    assert end.cpu_time and end.peak_memory
    assert end.usage is not None and end.usage.samples_count >= 1
    assert 0 < end.usage.cpu_peak <= 230  # that of the container, not of what stands for it here
    assert 0 < end.usage.memory_peak <= end.peak_memory


def test_a_reader_that_goes_away(engine: Engine, lineage: Lineage) -> None:
    command = " ".join(["git", "lineage", *RUN, "--", "yes", "|", "head", "-n1"])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("y\n", "")
    end = last().end
    assert end is not None and end.exit_code == 141


# Terminals and signals


@both
def test_a_terminal(engine: Engine, lineage: Lineage) -> None:
    # The size comes a moment after the start, as it does with the engines' own clients.
    wait = "until test \"$(stty size)\" = '%s'; do :; done 2>/dev/null; echo now %s; "
    script = wait % ("24 80", "small") + "read x; " + wait % ("30 90", "large") + "read y; exit 7"
    terminal = Terminal(["git", "lineage", *RUN, "--", "sh", "-c", "test -t 1 && " + script])
    terminal.expect(b"now small\r\n")
    terminal.type(b"typed\r")
    terminal.expect(b"typed\r\n")
    terminal.resize(30, 90)
    terminal.expect(b"now large\r\n")
    terminal.type(b"\x04")
    assert terminal.wait() == 7
    terminal.close()
    with gitlineage.open() as opened:
        assert opened.output() == b"now small\r\ntyped\r\nnow large\r\n"


@both
def test_ctrl_c_stops_the_container(engine: Engine, lineage: Lineage) -> None:
    terminal = Terminal(["git", "lineage", *RUN, "--", "sh", "-c", "echo ready; sleep 600"])
    terminal.expect(b"ready")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    terminal.close()
    assert last().status == "stopped"


@both
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_the_container(engine: Engine, lineage: Lineage, name: str) -> None:
    process = start("git-lineage", *RUN, "--", "sh", "-c", "echo ready; sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert last().status == "stopped"


def test_a_signal_at_the_start_is_the_containers(engine: Engine, lineage: Lineage) -> None:
    # All have it, as from a Ctrl-C that a shell script gets; what stands for the container here
    # is still importing what it needs.
    script = "trap 'echo told; exit 5' INT; touch ready; while :; do sleep 0.05; done"
    process = start("git-lineage", *RUN, "--", "sh", "-c", script, start_new_session=True)
    until(Path("ready").exists)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60) == ("told\n", "")
    assert process.returncode == 5


def test_a_signal_that_the_command_handles(engine: Engine, lineage: Lineage) -> None:
    script = "trap 'echo told; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    process = start("git-lineage", *RUN, "--", "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGUSR1)
    assert process.communicate(timeout=60) == ("told\n", "")
    assert process.returncode == 5


# What goes wrong before it starts


def refused(lineage: Lineage, *words: str, code: int = 125) -> str:
    """Run what cannot be run; return what was said. Nothing may be recorded."""
    done = lineage("run", *words, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert everything() == [] and left_running(Path.cwd()) == []
    return done.stderr


def test_no_engine(repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{repo}/no.sock")
    assert refused(lineage, "--image", IMAGE, "--", "true") == (
        f"error: no container engine answers at unix://{repo}/no.sock: no such file or directory\n"
        "hint: start Docker or Podman, or say in DOCKER_HOST where one is: "
        "unix:///path/to/its.sock\n"
    )
    for host in ("tcp://127.0.0.1:1", "nonsense", "ssh://nobody@127.0.0.1:1"):
        monkeypatch.setenv("DOCKER_HOST", host)
        said = refused(lineage, "--image", IMAGE, "--", "true")
        assert said.startswith(f"error: no container engine answers at {host}: ")


@both
def test_no_such_command(engine: Engine, lineage: Lineage) -> None:
    run = (*RUN[1:], "--")
    assert refused(lineage, *run, "nonesuch", code=127) == (
        f"error: nonesuch: command not found in {IMAGE}\n"
        "hint: nothing was run; is it installed there, and on the image's PATH?\n"
    )
    for command in ("/tmp", "./README.md"):
        assert refused(lineage, *run, command, code=126) == (
            f"error: {command}: not executable in {IMAGE}\n"
            "hint: nothing was run; is it a program?\n"
        )


@both
def test_no_such_image(engine: Engine, lineage: Lineage, served: str) -> None:
    said = refused(lineage, "--image", f"{served}/none:1", "--", "true")
    assert f"error: cannot pull {served}/none:1: " in said
    said = refused(lineage, "--image", "UPPER:1", "--", "true")
    assert "repository name must be lowercase" in said
    # An unset variable in a script must not run the command here instead.
    for words in (("--image", ""), ("-q", "-q", "--image", "")):  # read by hand; by click
        assert "the image has no name" in refused(lineage, *words, "--", "true")


@pytest.mark.parametrize(("words", "said"), [
    (("--network", "nonesuch"), "the container engine says: network nonesuch not found"),
    (("-v", "/nonesuch:/data"), "volume /nonesuch:/data: /nonesuch is not there"),
    (("-v", "data"), "volume data is not SOURCE:TARGET[:ro]"),
    (("-v", "/usr:/data:rx"), "volume /usr:/data:rx is not SOURCE:TARGET[:ro]"),
    (("-e", "NOT_SET"), "variable NOT_SET is not set"),
    (("--gpus", "many"), "--gpus many is not all, a number or device=ID,ID"),
])  # fmt: skip
def test_options_that_cannot_be(
    engine: Engine, lineage: Lineage, words: tuple[str, ...], said: str
) -> None:
    assert refused(lineage, "--image", IMAGE, *words, "--", "true") == f"error: {said}\n"


@both
@pytest.mark.parametrize("gpus", ["all", "2", "device=0,1"])
def test_no_gpus(engine: Engine, lineage: Lineage, gpus: str) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has GPUs")
    said = refused(lineage, *RUN[1:], "--gpus", gpus, "--", "true")
    assert said.startswith("error: no GPUs for containers: ")
    assert "NVIDIA Container Toolkit" in said


def test_options_of_containers_need_an_image(repo: Path, lineage: Lineage) -> None:
    assert refused(lineage, "-e", "A=b", "--", "true", code=2) == (
        "error: -e is for a container: give --image, too\nhint: git lineage run -h\n"
    )


# Steps


STEP = """\
- step:
    name: look
    image: toolbox:1
    command:
      - pwd && cd /valohai/repository && ls
      - cat "$VH_INPUTS_DIR/data/a.csv" /valohai/inputs/data/deep/b.csv /valohai/inputs/data/link
      - echo "$MODE {parameter-value:size} $OTHER"
      - cp /valohai/config/inputs.json /valohai/outputs/told.json
      - cat $VH_CONFIG_DIR/execution.json > $VH_OUTPUTS_DIR/execution.json; printf 'a\\n1' > m.csv
    parameters: [{name: size, type: integer, default: 3}]
    inputs: [{name: data, default: ../data}]
    environment-variables: [{name: MODE, default: quick}, {name: OTHER, optional: false}]
"""


@pytest.fixture
def project(repo: Path, isolated: Path) -> Path:
    """Return a repository with a step, and data outside of it."""
    data = isolated / "data"
    (data / "deep").mkdir(parents=True)
    (data / "a.csv").write_text("1\n")
    (data / "deep/b.csv").write_text("2\n")
    (isolated / "far").write_text("3\n")
    (data / "link").symlink_to("../far")
    (data / "loop").symlink_to("loop")
    (data / "deep/up").symlink_to("..")
    (repo / "valohai.yaml").write_text(STEP)
    return repo


def a_step(project: Path, command: str, more: str = "") -> None:
    text = f"- step:\n    name: it\n    image: {IMAGE}\n    command: {json.dumps(command)}\n"
    (project / "valohai.yaml").write_text(text + more)


@both
def test_a_step_in_its_image(
    engine: Engine, project: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "-q", "--step", "look", "--in-image", "--network", "none")
    said = lineage(*words, check=False)
    assert said.stderr.startswith("error: step look: environment variable OTHER is not set\n")
    monkeypatch.setenv("MODE", "slow")
    done = lineage(*words, "-p", "size=4", "-e", "OTHER=x", "--metrics", "m.csv")
    assert done.stdout == (
        "/valohai/repository\nREADME.md\ncode.py\noutputs\nvalohai.yaml\n1\n2\n3\nslow 4 x\n"
    )
    found = last()
    launch = found.launch
    assert launch is not None and launch.image is not None
    assert (launch.image.name, launch.image.id, launch.declared_image) == (
        IMAGE, engine.identity, None
    )  # fmt: skip
    assert launch.image.variables == ("MODE", "OTHER") and launch.image.network == "none"
    assert launch.command[:2] == ("sh", "-c")  # there is no bash in there
    assert launch.template[2] == 'echo "$MODE {parameter-value:size} $OTHER"'
    assert launch.interpolated[2] == 'echo "$MODE 4 $OTHER"'
    assert (launch.parameters, found.metadata) == ({"size": 4}, {"a": 1})
    (used,) = launch.inputs
    assert (used.path, used.role) == (f"{project.parent}/data", "data")
    outputs = {each.path: each.how for each in found.outputs if each.path.startswith("outputs/")}
    assert set(outputs) == {"outputs/look/1/told.json", "outputs/look/1/execution.json"}
    told = json.loads((project / "outputs/look/1/told.json").read_text())
    assert [each["path"] for each in told["data"]["files"]] == [
        f"/valohai/inputs/data/{name}" for name in ("a.csv", "link", "deep/b.csv")
    ]
    about = json.loads((project / "outputs/look/1/execution.json").read_text())
    assert about["valohai.execution-image"] == IMAGE
    assert (project / "outputs/look/1/told.json").stat().st_uid == os.getuid()
    assert "declared" not in lineage("show").stdout.partition("Inputs")[0]
    assert list((project / ".git/lineage/steps").iterdir()) == []
    again = (*words[:1], "--reuse", *words[2:], "-p", "size=4", "-e", "OTHER=x")
    assert lineage(*again).stderr == f"lineage: {found.id[:8]} look is reused: nothing changed\n"
    other = lineage(*again[:-3], "size=5", *again[-2:]).stderr
    assert other.startswith("lineage: not reused: command has changed since ")


def test_a_step_in_another_image(engine: Engine, project: Path, lineage: Lineage) -> None:
    engine.make("other:1", bash=b'#!/bin/sh\necho bash "$@"\n')
    a_step(project, "echo hello > $VH_OUTPUTS_DIR/made")
    done = lineage("run", "-q", "--step", "it", "--image", "other:1")
    assert done.stdout == "bash -c echo hello > $VH_OUTPUTS_DIR/made\n"
    found = json.loads(lineage("show", "--json").stdout)
    assert (found["image"]["name"], found["declared_image"]) == ("other:1", IMAGE)
    shown = lineage("show").stdout.splitlines()
    row = next(number for number, line in enumerate(shown) if line.startswith("Image:"))
    assert "other:1 (" in shown[row]
    assert shown[row + 1].strip() == f"{IMAGE} (declared, not used)"


def test_mounts_and_limits_of_a_step(
    engine: Engine, project: Path, isolated: Path, lineage: Lineage
) -> None:
    data = isolated / "data"
    a_step(
        project,
        "cat /more/a.csv; echo x > /more/new; echo x > /kept/new; sleep 60",
        f"    time-limit: 2s\n    mounts: ['{data}:/more', "
        f"{{source: {data}, destination: /kept, readonly: true}}]\n",
    )
    done = lineage("run", "-q", "--step", "it", "--in-image", check=False)
    assert done.returncode == 143
    assert done.stdout == "1\n"
    assert "Read-only file system" in done.stderr
    assert done.stderr.endswith("warning: ended after 2.0 s, which is its time-limit\n")
    assert (data / "new").exists()
    assert image().volumes == (f"{data}:/more", f"{data}:/kept:ro")
    assert last().end is not None and last().end.status == "stopped"


def test_inputs_in_a_container_cannot_be_written_to(
    engine: Engine, project: Path, lineage: Lineage
) -> None:
    a_step(project, "echo 2 > /valohai/inputs/data/a.csv", "    inputs: [{name: data}]\n")
    done = lineage("run", "-q", "--step", "it", "--in-image", "-i", "data=../data/a.csv",
                   check=False)  # fmt: skip
    assert done.returncode and "Read-only file system" in done.stderr
    assert (project.parent / "data/a.csv").read_text() == "1\n"


def test_many_inputs(engine: Engine, project: Path, lineage: Lineage) -> None:
    many = project.parent / "many"
    many.mkdir()
    for number in range(1000):
        (many / f"{number}, it's: \u00e9").write_text(f"{number}\n")
    a_step(project, "cat /valohai/inputs/data/* | wc -l", "    inputs: [{name: data}]\n")
    done = lineage("run", "-q", "--step", "it", "--in-image", "-i", "data=../many")
    assert done.stdout == "1000\n"


def test_paths_are_those_of_the_folder_that_one_is_in(
    engine: Engine, project: Path, lineage: Lineage
) -> None:
    below = project / "below"
    below.mkdir()
    (below / "shared").mkdir()
    (below / "shared/one").write_text("one\n")
    a_step(project, "pwd; cat /shared/one; mkdir -p below/new; date > below/new/x; "
           "echo a=1 > /dev/null; printf '{\"b\": 2}' > below/m.json")  # fmt: skip
    done = lineage("run", "-q", "--step", "it", "--in-image", "-v", "./shared:/shared:ro",
                   "-o", "new/x", "--metrics", "m.json", cwd=below)  # fmt: skip
    assert done.stdout == "/valohai/repository\none\n"
    found = last()
    assert hows(found.outputs)["below/new/x"] == "declared"
    assert found.metadata == {"b": 2}
    assert image().volumes == ("./shared:/shared:ro",)


def test_a_step_that_names_its_interpreter(engine: Engine, project: Path, lineage: Lineage) -> None:
    shell = project / "sh"
    shell.write_text('#!/bin/sh\necho mine; exec sh "$@"\n')
    shell.chmod(0o755)
    a_step(project, "#!/valohai/repository/sh\necho $0")
    assert lineage("run", "-q", "--step", "it", "--in-image").stdout.startswith("mine\n")


def test_a_step_and_images_that_cannot_be(engine: Engine, project: Path, lineage: Lineage) -> None:
    said = "--in-image is for a step and the image that it names: else give --image"
    for words in (("--image", IMAGE), ("--", "true")):
        done = refused(lineage, "--step", "look", "--in-image", *words, code=2)
        assert done.startswith(f"error: {said}\n")
    a_step(project, "true")
    dry = lineage("run", "--step", "it", "--in-image", "--dry-run")
    assert (dry.stdout, engine.containers()) == ("true\n", [])
    done = refused(lineage, "--step", "it", "--in-image", "-v", "/usr:/valohai/inputs")
    assert done.startswith("error: the container engine says: duplicate mount point")
    a_step(project, "#!/bin/zsh\ntrue")
    done = refused(lineage, "--step", "it", "--in-image", code=127)
    assert done.startswith(f"error: /bin/zsh: command not found in {IMAGE}\n")
    assert not (project / "outputs").exists()


# Images that are special


def test_an_image_that_dies_at_once(engine: Engine, lineage: Lineage) -> None:
    engine.make("dying:1", config={"Entrypoint": ["/bin/die"]},
                die=b"#!/bin/sh\necho last words; echo why >&2; exit 9\n")  # fmt: skip
    done = lineage("run", "--image", "dying:1", "--", "train", check=False)
    assert (done.returncode, done.stdout) == (9, "last words\n")
    assert done.stderr.startswith("why\nlineage: ") and "train failed in" in done.stderr
    with gitlineage.open() as opened:
        assert sorted(opened.output().splitlines()) == [b"last words", b"why"]


def test_an_image_for_another_machine(engine: Engine, lineage: Lineage) -> None:
    engine.make("foreign:1", architecture="riscv64", foreign=b"\x7fELF\2\1\1\0\0")
    done = lineage("run", "--image", "foreign:1", "--", "foreign", check=False)
    assert done.returncode != 0
    end = last().end
    assert end is not None and end.warnings == (
        "the image is for linux/riscv64, which this machine is not",
    )
    assert end.warnings[0] in done.stderr
    assert image().platform == "linux/riscv64"


def test_variables_and_entry_point_of_an_image(engine: Engine, lineage: Lineage) -> None:
    settings = {"Entrypoint": ["greet", "hello"], "WorkingDir": "/its",
                "Env": ["PATH=/opt:/bin", "HOME=/its/own"]}  # fmt: skip
    engine.make("opinionated:1", config=settings,
                greet=b'#!/bin/sh\necho "$@" "$HOME" "$PWD"\n')  # fmt: skip
    done = lineage("run", "-q", "--image", "opinionated:1", "--", "nonesuch")
    assert done.stdout == f"hello nonesuch /its/own {os.getcwd()}\n"


# Registries


def test_a_pull(engine: Engine, lineage: Lineage, served: str) -> None:
    name = f"{served}/team/toolbox"
    engine.api.tag(engine.identity, name, "7")
    pushed = list(engine.api.push(name, "7", stream=True, decode=True))
    digest = next(each["aux"]["Digest"] for each in pushed if "aux" in each)
    engine.api.remove_image(f"{name}:7")
    for asked in (f"{name}:7", f"{name}@{digest}"):
        done = lineage("run", "-q", "--image", asked, "--", "echo", "hello")
        assert (done.stdout, done.stderr) == ("hello\n", f"pulling {asked}\n")
        found = image()
        assert (found.name, found.digest) == (asked, f"{name}@{digest}")
        assert (found.manifest, found.index) == (digest, None)
        assert (found.id, found.config) == (engine.identity, engine.identity)
        assert f"{name}@{digest}" in lineage("show").stdout
        assert lineage("run", "-q", "--image", asked, "--", "true").stderr == ""
        engine.api.remove_image(asked)


def test_a_pull_of_an_image_for_several_platforms(
    engine: Engine, lineage: Lineage, served: str
) -> None:
    name = f"{served}/team/several"
    engine.api.tag(engine.identity, name, "1")
    list(engine.api.push(name, "1", stream=True, decode=True))
    engine.api.remove_image(f"{name}:1")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    url = f"http://{served}/v2/team/several/manifests"
    one = requests.get(f"{url}/1", headers={"Accept": kind}, timeout=60)
    several = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [{"mediaType": kind, "size": len(one.content),
                       "digest": one.headers["Docker-Content-Digest"],
                       "platform": {"os": "linux", "architecture": "amd64"}}],
    })  # fmt: skip
    put = requests.put(f"{url}/all", data=several, timeout=60, headers={
        "Content-Type": "application/vnd.docker.distribution.manifest.list.v2+json",
    })  # fmt: skip
    digest = put.headers["Docker-Content-Digest"]
    lineage("run", "-q", "--image", f"{name}:all", "--", "true")
    found = image()
    assert (found.digest, found.index, found.manifest) == (f"{name}@{digest}", digest, None)
    assert found.config == engine.identity
    engine.api.remove_image(f"{name}:all")


def test_a_pull_on_a_terminal_shows_a_bar(engine: Engine, lineage: Lineage, served: str) -> None:
    name = f"{served}/team/barred:1"
    # Random, so that nothing of it is there already and it does not shrink.
    engine.make(name, ballast=os.urandom(6_000_000))
    list(engine.api.push(name, stream=True, decode=True))
    engine.api.remove_image(name)
    terminal = Terminal(["git", "lineage", "run", "-q", "--image", name, "--", "echo", "hello"])
    assert terminal.wait() == 0, terminal.printed
    terminal.close()
    assert f"pulling {name}".encode() in terminal.printed
    assert b"#" in terminal.printed and b" of " in terminal.printed
    assert terminal.printed.endswith(b"\r\x1b[Khello\r\n")


@pytest.mark.parametrize(("columns", "shown"), [
    (100, "pulling host/name:1 [###############...............] 2.0 MiB of 4.0 MiB"),
    (50, "pulling host/name:1 [####....] 2.0 MiB of 4.0 MiB"),
    (45, "pulling host/name:1 2.0 MiB of 4.0 MiB"),
    (30, "pulling ...1 2.0 MiB of 4.0 M"),
])  # fmt: skip
def test_a_bar_stays_in_its_line(
    columns: int, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = os.terminal_size((columns, 24))
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: size)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Bar("pulling").show("host/name:1", 2 << 20, 4 << 20)
    printed = capsys.readouterr().err
    assert printed == f"\r{shown}\x1b[K"
    assert len(shown) < columns


def test_a_registry_that_asks_who_we_are(engine: Engine, lineage: Lineage) -> None:
    users = "ada:$2y$05$2hbL5Xn0KOJ5zBvU0uYkXOQ8l8ybGyIFKuHq9ofzHkPz7kQZrWQ8a\n"
    with registry(users) as address:
        said = refused(lineage, "--image", f"{address}/secret:1", "--", "true")
    assert said.startswith(f"error: cannot pull {address}/secret:1: ")
    assert "no basic auth credentials" in said and "docker login" in said


# Who is killed


@both
def test_a_killed_recorder(engine: Engine, repo: Path, lineage: Lineage) -> None:
    process = start("git-lineage", *RUN, "--", "sh", "-c", "echo ready; sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (name,) = engine.containers()
    process.kill()
    process.wait()
    lineage("log")
    until(lambda: engine.containers() == [], "the removal of the container")
    (found,) = everything()
    assert (found.status, name) == ("interrupted", f"git-lineage-{found.id[:12]}")
    process.communicate()


def test_a_killed_recorder_of_an_engine_that_is_gone(
    engine: Engine, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("git-lineage", *RUN, "--", "sh", "-c", "echo ready; sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    with monkeypatch.context() as context:
        context.setenv("DOCKER_HOST", "unix:///nonesuch")
        lineage("log")
        end = last().end
    assert end is not None and "its container may still run" in end.warnings[1]
    assert len(engine.clear()) == 1
    process.communicate()


def test_a_killed_stand_in(engine: Engine, lineage: Lineage) -> None:
    process = start("git-lineage", *RUN, "--", "sh", "-c", "trap : TERM; echo ready; sleep 2")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for each in children.read_text().split():
        if b"gitlineage.image" in Path(f"/proc/{each}/cmdline").read_bytes():
            os.kill(int(each), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 137
    end = last().end
    assert end is not None and end.signal == signal.SIGKILL


def test_the_page_is_what_happens(engine: Engine, isolated: Path, served: str) -> None:
    engine.make("team/tools:1")
    folder = isolated / "work"
    folder.mkdir()
    Reader(folder).run(ROOT / "docs/images.md")


def test_the_api(engine: Engine, repo: Path) -> None:
    code = (
        "import gitlineage\n"
        "with gitlineage.open() as lineage:\n"
        f"    recording = lineage.run(['true'], image={IMAGE!r}, variables=['A=b'])\n"
        "    print(recording.launch.image.name, recording.outcome.exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{IMAGE} 0\n", "")


def test_a_step_from_python(engine: Engine, project: Path) -> None:
    a_step(project, "echo $A; printf 'a\\n1' > m.csv")
    code = (
        "import gitlineage\n"
        "with gitlineage.open() as lineage:\n"
        "    lineage.run_step('it', in_image=True, variables=['A=b'], metrics=['m.csv'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("b\n", "")
    assert (image().name, last().metadata) == (IMAGE, {"a": 1})


def test_a_step_in_an_image_is_reproduced(engine: Engine, project: Path, lineage: Lineage) -> None:
    a_step(project, "echo $MODE > /valohai/outputs/made",
           "    environment-variables: [{name: MODE, default: quick}]\n")  # fmt: skip
    lineage("run", "-q", "--step", "it", "--in-image")
    lineage("reproduce", "@")
    assert len(everything()) == 2 and image().variables == ("MODE",)
    repeated = last().launch
    assert repeated is not None and repeated.declared_image is None
