# ruff: noqa: F811 - fixtures are found by their names
"""Commands in containers and what is seen of them: real engines, and strace in there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import Git, Lineage
from containers import IMAGE, Engine, docker_engine
from executions import everything, hows, last, left_running, start, until
from test_image import (  # noqa: F401
    RUN,
    a_step,
    both,
    docker_of_tests,
    engine,
    podman_of_tests,
    project,
)
from test_observation import needs_strace
from test_relay import Terminal

pytestmark = needs_strace

OBSERVE = (*RUN, "--observe")


@pytest.fixture
def data(repo: Path) -> Path:
    """Return a folder of data in the repository, which git ignores."""
    (repo / ".gitignore").write_text("data/\n")
    folder = repo / "data"
    folder.mkdir()
    (folder / "in").write_text("2\n1\n")
    return folder


def seen() -> tuple[dict[str, str], dict[str, str], tuple[str, ...] | None]:
    """Return how inputs and outputs of the newest execution are known, and what code it read."""
    found = last()
    assert found.launch is not None and found.end is not None
    inputs = {each.path: each.how for each in found.inputs}
    return inputs, hows(found.outputs), found.end.code_read


@both
def test_inputs_outputs_and_code(engine: Engine, data: Path, lineage: Lineage) -> None:
    script = (
        "cat code.py data/in > data/made; mv data/made data/out; cat /bin/busybox > /tmp/x;"
        "cat /etc/hosts /nonesuch; rm /tmp/x; exit 3"
    )
    done = lineage(*OBSERVE, "--", "sh", "-c", script, check=False)
    assert done.returncode == 3
    assert seen() == ({"data/in": "observed"}, {"data/out": "observed"}, ("code.py",))
    end = last().end
    assert end is not None and end.warnings == ()
    assert not any(each.endswith(".calls") for each in left_running(data.parent))


SCRIPTS = {
    "a pipeline": "sort data/in | uniq > data/x.tmp && mv data/x.tmp data/x",
    "an archive": "tar cf data/a.tar -C data in && mkdir data/t && tar xf data/a.tar -C data/t",
    "relative": "cd data; mkdir d && cd d && cat ../in > o && cd .. && mv d e; sleep 0.5; rm in",
    "links": "ln -s in data/l && cat data/l > data/o && ln data/o data/p && rm data/o",
    "appended": "echo 3 >> data/in; dd if=data/in of=data/in2 bs=1 count=1 2>&-; : > data/n",
    "in the background": "(sleep 0.1; cat data/in > data/late) & wait; unlink data/late",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_it_is_what_would_be_seen_here(
    engine: Engine, data: Path, lineage: Lineage, script: str
) -> None:
    # The same program, linked statically: it uses the same calls in both places.
    words = ("--", "busybox", "sh", "-c", script)
    found = []
    for where in (OBSERVE, ("run", "-q", "--observe")):
        shutil.rmtree(data)
        data.mkdir()
        (data / "in").write_text("2\n1\n")
        lineage(*where, *words)
        found.append((seen(), sorted(each.name for each in data.rglob("*"))))
    assert found[0] == found[1]
    assert found[0][0] != ({}, {}, ())


@both
def test_files_are_called_as_they_are_here(
    engine: Engine, project: Path, lineage: Lineage, outside: Path
) -> None:
    command = (
        "cat code.py /valohai/inputs/data/a.csv /valohai/repository/plain /mnt/far >"
        " /valohai/outputs/new; mv /valohai/outputs/new /valohai/outputs/made;"
        " cd /valohai/outputs && cat made > $VH_OUTPUTS_DIR/more"
    )
    a_step(project, command, "    inputs: [{name: data, default: ../data/a.csv}]\n")
    (project / ".gitignore").write_text("plain\noutputs\n")
    (project / "plain").write_text("here\n")
    far = outside / "far"
    far.write_text("far\n")
    lineage("run", "-q", "--observe", "--step", "it", "--in-image", "--network", "none",
            "-v", f"{far}:/mnt/far:ro")  # fmt: skip
    assert seen() == (
        {f"{project.parent}/data/a.csv": "declared", "plain": "observed", str(far): "observed"},
        {"outputs/it/1/made": "declared", "outputs/it/1/more": "declared"},
        ("code.py",),
    )


def test_what_is_on_a_volume_of_the_engine_is_not_here(
    engine: Engine, data: Path, lineage: Lineage
) -> None:
    engine.api.create_volume("kept")
    lineage(*OBSERVE, "-v", f"kept:{data}", "--", "sh", "-c", f"cat {data}/*; echo > {data}/out")
    assert seen() == ({}, {}, ())
    assert os.listdir(data) == ["in"]


@both
def test_the_entry_point_of_an_image_is_a_part_of_the_command(
    engine: Engine, data: Path, lineage: Lineage
) -> None:
    engine.make("entered:1", config={"Entrypoint": ["/bin/sh", "-c"], "Env": ["A=data/in"]})
    lineage("run", "-q", "--network", "none", "--image", "entered:1", "--observe", "--",
            "cat $A > data/out")  # fmt: skip
    assert seen()[:2] == ({"data/in": "observed"}, {"data/out": "observed"})


def test_somebody_else_than_root_observes(engine: Engine, repo: Path, lineage: Lineage) -> None:
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(repo, f"{home}/repo")
        subprocess.run(["chown", "-R", "1234:2345", home], check=True)
        become = ["setpriv", "--reuid=1234", "--regid=2345", "--clear-groups",
                  "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip
        command = [*become, "git", "-c", "user.name=Ada", "-c", "user.email=a@b", "lineage"]
        done = subprocess.run([*command, *OBSERVE, "--", "sh", "-c", "cat code.py > made; id -u"],
                              cwd=f"{home}/repo", capture_output=True, text=True)  # fmt: skip
        assert (done.stdout, done.stderr) == ("1234\n", "")
        found = json.loads(
            subprocess.run([*command, "show", "--json"], cwd=f"{home}/repo", check=True,
                           capture_output=True).stdout
        )  # fmt: skip
        assert (found["code_read"], found["outputs"][0]["how"]) == (["code.py"], "observed")


def test_two_at_once_have_exactly_their_own(engine: Engine, data: Path, lineage: Lineage) -> None:
    wait = "touch data/{0}; until test -e data/{1}; do sleep 0.05; done; "
    script = wait + "cat data/in > data/{0}.out"
    processes = [
        start("git-lineage", *OBSERVE, "--title", ours, "--", "sh", "-c",
              script.format(ours, theirs))
        for ours, theirs in (("a", "b"), ("b", "a"))
    ]  # fmt: skip
    for each in processes:
        each.communicate(timeout=60)
    assert {each.launch.title: hows(each.outputs) for each in everything() if each.launch} == {
        name: {f"data/{name}": "observed", f"data/{name}.out": "observed"} for name in "ab"
    }


def test_a_terminal_and_ctrl_c(engine: Engine, data: Path, lineage: Lineage) -> None:
    script = "cat data/in > data/out; test -t 1 && echo ready; sleep 600"
    terminal = Terminal(["git", "lineage", *OBSERVE, "--", "sh", "-c", script])
    terminal.expect(b"ready")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    terminal.close()
    assert seen()[:2] == ({"data/in": "observed"}, {"data/out": "observed"})


def test_a_killed_recorder_leaves_nothing(engine: Engine, data: Path, lineage: Lineage) -> None:
    process = start("git-lineage", *OBSERVE, "--", "sh", "-c",
                    "echo ready; while cat data/in > data/out; do sleep 0.1; done")  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = engine.api.inspect_container(engine.containers()[0])["State"]
    assert state["Running"]  # it goes on as it would have
    lineage("log")
    until(lambda: engine.containers() == [], "the removal of the container")
    assert last().status == "interrupted"
    lineage("log")
    assert not any(each.endswith(".calls") for each in left_running(data.parent))
    process.communicate()


# Whose strace it is, and whether it may be used


def without_strace(folder: Path) -> dict[str, str]:
    """Return the variables of a machine that has none."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("git", "sh", "git-lineage"):
        (tools / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(tools)}


def files_of(program: str) -> dict[str, bytes]:
    """Return a program and its libraries as an image has them."""
    path = shutil.which(program)
    assert path
    words = subprocess.check_output(["ldd", path], text=True).split()
    found = {each: Path(each).read_bytes() for each in (path, *words) if each.startswith("/")}
    return {f"usr/{each.lstrip('/').removeprefix('usr/')}": found[each] for each in found}


def test_one_of_the_image_where_there_is_none_here(
    engine: Engine, data: Path, isolated: Path, lineage: Lineage, git: Git
) -> None:
    env = without_strace(isolated)
    words = ("--", "sh", "-c", "cat data/in > data/out")
    refused = lineage(*OBSERVE, *words, check=False, env=env)
    assert (refused.returncode, refused.stdout, refused.stderr) == (
        125, "",
        "error: the command cannot be observed: there is no strace here, and none that runs in"
        f" {IMAGE}\nhint: nothing was run; install strace, with `apt install strace` and such\n",
    )  # fmt: skip
    assert (everything(), left_running(data.parent)) == ([], [])
    git("config", "lineage.observe", "auto")
    assert lineage(*RUN, *words, env=env).stderr == ""
    assert seen() == ({}, {"data/out": "detected"}, None)
    engine.make("traced:1", config={"Env": ["PATH=/usr/bin:/bin"]}, files=files_of("strace"))
    lineage("run", "-q", "--network", "none", "--image", "traced:1", *words, env=env)
    assert seen()[:2] == ({"data/in": "observed"}, {"data/out": "observed"})


def test_an_engine_that_lets_nobody_trace(
    data: Path, lineage: Lineage, git: Git, monkeypatch: pytest.MonkeyPatch, isolated: Path
) -> None:
    profile = isolated / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}],
    }))  # fmt: skip
    words = ("--", "sh", "-c", "cat data/in > data/out")
    with docker_engine({"seccomp-profile": str(profile)}) as strict:
        monkeypatch.setenv("DOCKER_HOST", strict.host)
        for setting, given in (("never", OBSERVE), ("always", RUN)):
            git("config", "lineage.observe", setting)
            done = lineage(*given, *words, check=False)
            assert (done.returncode, done.stdout) == (125, "")
            reason, _, hint = done.stderr.partition("\n")
            assert reason.startswith(
                f"error: the command cannot be observed: strace may not be used in {IMAGE}: "
            )
            assert reason.endswith("Operation not permitted")
            assert hint == (
                "hint: nothing was run; may processes be traced in containers? see the engine's"
                " seccomp profile\n"
            )
        git("config", "lineage.observe", "auto")
        assert lineage(*RUN, *words).stderr == ""
        assert seen() == ({}, {"data/out": "detected"}, None)
        assert strict.clear() == []
