"""Steps of a valohai.yaml, run for real: with Valohai's library and examples; and bad input."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import valohai_yaml
from conftest import Git, Lineage
from executions import start, until

import gitlineage
from gitlineage import steps
from gitlineage.errors import InvalidConfiguration, InvalidStep

TRAIN = """\
import json, os
import valohai

valohai.prepare(step="train", default_parameters={"epochs": 1}, default_inputs={"data": "x"})
names = "epochs", "rate", "title", "fast", "layers"
values = {name: valohai.parameters(name).value for name in names}
for path in valohai.inputs("data").paths():
    values[os.path.basename(path)] = open(path).read()
config = valohai.execution().config
values |= {"counter": config.counter, "title of it": config.title, "mode": os.environ["MODE"]}
with open(valohai.outputs("models").path("model.json"), "w") as file:
    json.dump(values, file)
with valohai.logger() as logger:
    logger.log("accuracy", 0.75)
"""

STEPS = """\
- step:
    name: train
    image: python:3.12
    command:
      - export NOTE="on {parameter-value:title}"
      - python train.py {parameters}
      - echo "$NOTE" > "$VH_OUTPUTS_DIR/note"
    parameters:
      - {name: epochs, type: integer, default: 5, min: 1, max: 10}
      - {name: rate, type: float, default: 0.1}
      - {name: title, default: a nice model}
      - {name: fast, type: flag, default: true}
      - {name: layers, type: integer, multiple: separate, default: [3, 4], pass-as: "--layers={v}"}
      - {name: kind, optional: true, choices: [tree, forest]}
    inputs:
      - {name: data, default: "data/*.csv"}
      - {name: extra, optional: true}
    environment-variables:
      - {name: MODE, default: quick}
- step:
    name: count
    image: python:3.12
    command: wc -l {parameter-value:what} > $VH_OUTPUTS_DIR/lines
    parameters:
      - name: what
        default: data/a.csv
"""


@pytest.fixture
def project(repo: Path, git: Git) -> Path:
    """Return a repository with two steps, a script that uses Valohai's library, and data."""
    (repo / "valohai.yaml").write_text(STEPS)
    (repo / "train.py").write_text(TRAIN)
    (repo / ".gitignore").write_text("data/\noutputs/\n")
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1\n")
    (repo / "data/b.csv").write_text("2\n")
    git("add", ".")
    git("commit", "-qm", "Steps")
    return repo


def write(text: str, name: str = "valohai.yaml") -> None:
    Path(name).write_text(dedent(text))


def step(command: str, more: str = "") -> str:
    """Return a configuration with one step, `it`."""
    return f"- step:\n    name: it\n    image: i\n    command: {json.dumps(command)}\n{more}"


def shown(lineage: Lineage, name: str = "@") -> dict[str, Any]:
    return json.loads(lineage("show", "--json", name).stdout)


def test_script_with_the_unmodified_library(project: Path, lineage: Lineage, git: Git) -> None:
    ran = lineage("run", "--step", "train", "-p", "epochs=3", "-p", "layers=7", "-p", "layers=8",
                  "--title", "A try", "-t", "first")  # fmt: skip
    assert "train succeeded" in ran.stderr
    assert json.loads(Path("outputs/train/1/models/model.json").read_text()) == {
        "epochs": 3, "rate": 0.1, "title": "a nice model", "fast": True, "layers": ["7", "8"],
        "a.csv": "1\n", "b.csv": "2\n", "counter": 1, "title of it": "A try", "mode": "quick",
    }  # fmt: skip
    assert Path("outputs/train/1/note").read_text() == "on a nice model\n"
    found = shown(lineage)
    assert found["step"] == "train"
    assert found["command"][:2] == ["bash", "-c"]
    assert found["command"][2] == " && ".join(found["interpolated"])
    assert found["template"][1] == "python train.py {parameters}"
    assert found["interpolated"][1] == (
        "python train.py --epochs=3 --rate=0.1 '--title=a nice model' --fast --layers=7,8"
    )
    assert found["parameters"] == {
        "epochs": 3, "rate": 0.1, "title": "a nice model", "fast": True, "layers": [7, 8]
    }  # fmt: skip
    assert [(e["path"], e["role"]) for e in found["inputs"]] == [
        ("data/a.csv", "data"), ("data/b.csv", "data")
    ]  # fmt: skip
    assert [(e["path"], e["how"]) for e in found["outputs"]] == [
        ("outputs/train/1/models/model.json", "declared"), ("outputs/train/1/note", "declared")
    ]  # fmt: skip
    assert found["metadata"] == {"accuracy": 0.75}
    assert (found["configuration"], found["declared_image"]) == ("valohai.yaml", "python:3.12")
    assert not found["code"]["is_adhoc"]
    assert git("show", f"{found['commit']}:config") == STEPS.rstrip("\n")
    page = lineage("show").stdout
    assert "Image:        python:3.12 (declared, not used)\n" in page
    assert 'Command:      export NOTE="on {parameter-value:title}"\n' in page
    assert 'Interpolated: export NOTE="on a nice model"\n' in page
    tree = lineage("trace", "outputs/train/1/note", "--format", "tree").stdout
    assert "data/a.csv" in tree
    assert git("status", "--porcelain") == ""
    assert os.listdir(".git/lineage/steps") == []


def test_next_step_uses_what_the_last_one_made(project: Path, lineage: Lineage) -> None:
    write(step("cp $VH_INPUTS_DIR/from/* $VH_OUTPUTS_DIR", "    inputs: [{name: from}]\n"))
    Path("one.txt").write_text("one\n")
    lineage("run", "--step", "it", "-i", "from=one.txt")
    lineage("run", "--step", "it", "-i", "from=outputs/it/1/one.txt")
    assert Path("outputs/it/2/one.txt").read_text() == "one\n"
    # That of the same bytes under another path.
    assert lineage("trace", "--up", "outputs/it/2/one.txt", "--format", "tree").stdout.count("it ")


def test_dry_run_prints_and_does_nothing(project: Path, lineage: Lineage) -> None:
    words = ("run", "--step", "count", "--dry-run", "-p", "what=a b")
    assert lineage(*words).stdout == "wc -l 'a b' > $VH_OUTPUTS_DIR/lines\n"
    assert lineage("run", "--dry-run", "--", "ls", "a b").stdout == "ls 'a b'\n"
    assert not Path("outputs").exists()
    assert lineage("log", check=False).stdout == ""


def test_step_with_a_command_is_only_a_name(repo: Path, lineage: Lineage) -> None:
    write("- broken: [")
    lineage("run", "--step", "train", "--", "true")
    found = shown(lineage)
    assert (found["step"], found["template"], found["configuration"]) == ("train", [], None)


def test_files_that_commands_name_are_inputs(project: Path, lineage: Lineage) -> None:
    lineage("run", "--step", "count")
    (used,) = shown(lineage)["inputs"]
    assert (used["path"], used["how"]) == ("data/a.csv", "argument")


@pytest.mark.parametrize(("commands", "printed", "code"), [
    (["export A=1", "cd data", "echo $A; ls"], "1\na.csv\nb.csv\n", 0),
    (["false", "echo no"], "", 1),
    (["false", "cp a b || true"], "", 1),
    (["echo a # comment", "# only a comment", "echo b"], "a\nb\n", 0),
    (["cat <<END\nhere\nEND", "echo b"], "here\nb\n", 0),
    (["false\necho a", "echo b"], "a\nb\n", 0),
    (["sleep 0 &", "wait; echo b"], "b\n", 0),
    (["#!/bin/sh\necho $0"], "/bin/sh\n", 0),
    (["#!/usr/bin/env bash", "[[ 1 == 1 ]] && echo yes"], "yes\n", 0),
    (["#!/usr/bin/env python3\nprint(1)\nprint(2)"], "1\n2\n", 0),
])  # fmt: skip
def test_commands_share_a_shell_that_stops_at_a_failure(
    project: Path, lineage: Lineage, commands: list[str], printed: str, code: int
) -> None:
    write(json.dumps([{"step": {"name": "it", "image": "i", "command": commands}}]))
    done = lineage("run", "--step", "it", check=False)
    assert (done.stdout, done.returncode) == (printed, code)
    assert shown(lineage)["template"] == commands


@pytest.mark.parametrize("value", [
    "$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'; touch pwned; '", "a\nb", "\\", "é",
])  # fmt: skip
def test_values_never_become_code(project: Path, lineage: Lineage, value: str) -> None:
    write(step("echo \"v={parameter-value:a}\" {parameter:a} 'v={parameter-value:a}' {parameters}",
               "    parameters: [{name: a, pass-as: '{v}'}]\n"))  # fmt: skip
    done = lineage("run", "--step", "it", "-p", f"a={value}")
    assert done.stdout == f"v={value} {value} v={value} {value}\n"
    assert not Path("pwned").exists()
    assert shown(lineage)["parameters"] == {"a": value}
    write(step('bash -c "echo {parameter-value:a}"', "    parameters: [{name: a}]\n"))
    refused = lineage("run", "--step", "it", "-p", f"a={value}", check=False)
    assert refused.returncode == 125
    assert refused.stderr.startswith(
        "error: the value for {parameter-value:a} cannot be put in what `bash -c` reads as code"
    )
    assert lineage("run", "--step", "it", "-p", "a=plain").stdout == "plain\n"


def test_quotes_that_are_open_between_items(project: Path, lineage: Lineage) -> None:
    commands = ['echo "a', 'b {parameter-value:a}"']
    described = {"name": "it", "image": "i", "command": commands, "parameters": [{"name": "a"}]}
    write(json.dumps([{"step": described}]))
    refused = lineage("run", "--step", "it", "-p", "a=$(touch pwned)", check=False)
    assert refused.returncode == 125
    assert refused.stderr.startswith("error: the value for {parameter-value:a} cannot be put in a")
    assert lineage("run", "--step", "it", "-p", "a=x").stdout == "a && b x\n"


PARAMETERS = """\
    parameters:
      - {name: a, type: integer, min: 1, max: 5, default: 1}
      - {name: b, type: flag, pass-true-as: --with-b, pass-false-as: --no-b}
      - {name: c, multiple: repeat, default: [p, q r], pass-as: "-c {v}"}
      - {name: d, multiple: separate, multiple-separator: "-", optional: true}
      - {name: e, optional: true, choices: [3.7, x]}
"""


@pytest.mark.parametrize(("command", "given", "filled"), [
    ("x {parameters}", {}, "x --a=1 -c p -c 'q r'"),
    ("x {params}", {"b": "no", "c": "z"}, "x --a=1 --no-b -c z"),
    ("x {parameters}", {"b": True, "c": [], "d": ["1", "2"]}, "x --a=1 --with-b --d=1-2"),
    ("x {parameter:a} {parameter-value:a}", {"a": "3"}, "x --a=3 3"),
    ("x {parameter-value:c} '{parameter-value:c}'", {}, "x p 'q r' 'p q r'"),
    ("x {parameter-value:d}", {"d": ["1", "2"]}, "x 1-2"),
    ("x {parameter:e}", {"e": "3.7"}, "x --e=3.7"),
    ("x {parameter:e} {foo} ${HOME} {source-path}", {}, "x  {foo} ${HOME} src"),
    ("x {parameter:zzz} {parameter-value:e}", {}, "x {parameter:zzz} {parameter-value:e}"),
])  # fmt: skip
def test_placeholders(repo: Path, command: str, given: dict[str, Any], filled: str) -> None:
    write(step(command, PARAMETERS + "    source-path: src\n"))
    plan = gitlineage.open().step("it", parameters=given)
    assert plan.interpolated == (filled,)
    assert plan.command == ("bash", "-c", filled)
    assert len(plan.warnings) == (2 if "zzz" in command else 0)


@pytest.mark.parametrize(("given", "said", "hint"), [
    (["--step", "tran"], "valohai.yaml has no step tran", "did you mean train?"),
    (["--step", "zzz"], "valohai.yaml has no step zzz", "its steps: train, count"),
    (["--step", "train", "-p", "epoch=1"], "step train: it has no parameter epoch",
     "did you mean epochs?"),
    (["--step", "train", "-p", "zzz=1"], "step train: it has no parameter zzz",
     "it has: epochs, rate, title, fast, layers, kind"),
    (["--step", "train", "-p", "epochs=x"], "step train: parameter epochs: x is not an integer",
     "give it with -p epochs=VALUE"),
    (["--step", "train", "-p", "epochs=11"],
     "step train: parameter epochs: 11 is greater than the maximum allowed (10)",
     "give it with -p epochs=VALUE"),
    (["--step", "train", "-p", "epochs=1", "-p", "epochs=2"],
     "step train: parameter epochs: Only a single value is allowed",
     "give it with -p epochs=VALUE"),
    (["--step", "train", "-p", "fast=perhaps"],
     "step train: parameter fast: perhaps is neither true nor false",
     "give it with -p fast=VALUE"),
    (["--step", "train", "-p", "kind=tre"],
     "step train: parameter kind: tre is not among the choices allowed (['tree', 'forest'])",
     "give it with -p kind=VALUE"),
    (["--step", "train", "-p", "epochs"], "parameter epochs is not NAME=VALUE",
     "git lineage run -h"),
    (["--step", "train", "-i", "dta=x"], "step train: it has no input dta",
     "did you mean data or extra?"),
    (["--step", "train", "-i", "data/a.csv"], "step train: which input is data/a.csv?",
     "write -i NAME=data/a.csv; the step's inputs: data, extra"),
    (["--step", "train", "-i", "data=none.csv"],
     "step train: input data: none.csv: no such file or directory",
     "give it with -i data=PATH"),
    (["--step", "train", "-i", "data=http://127.0.0.1:9/*.csv?x"],
     "http://127.0.0.1:9/*.csv?...: cannot connect to it",
     "is the network there, and the name right?"),
    (["--step", "train", "-t", ""], "not a tag name: ", None),
])  # fmt: skip
def test_what_cannot_be_is_one_clear_line(
    project: Path, lineage: Lineage, given: list[str], said: str, hint: str | None
) -> None:
    done = lineage("run", *given, check=False)
    lines = done.stderr.splitlines()
    assert lines[0] == f"error: {said}"
    assert hint is None or lines[1:] == [f"hint: {hint}"]
    assert done.returncode == (2 if "NAME=VALUE" in said else 125)
    assert not Path("outputs").exists()
    assert lineage("log", check=False).stdout == ""


@pytest.mark.parametrize(("more", "said", "hint"), [
    ("    parameters: [{name: a}]\n", "parameter a has no default and no value",
     "give it with -p a=VALUE"),
    ("    inputs: [{name: a}]\n", "input a has no default and no file",
     "give it with -i a=PATH"),
    ("    inputs: [{name: a, default: [x/c.py, code.py, y/c.py]}]\n",
     "input a: [..]y/c.py and [..]x/c.py would both be c.py: "
     "set keep-directories to suffix or full", "give it with -i a=PATH"),
    ("    environment-variables: [{name: ABC, optional: false}]\n",
     "environment variable ABC is not set", "set it: ABC=VALUE git lineage run ..."),
    ("    parameters: [{name: a, default: b, pass-as: '{w}'}]\n",
     "pass-as of a parameter has another placeholder than {name}, {v}: 'w'",
     "write {v} for the value"),
])  # fmt: skip
def test_what_a_step_lacks(repo: Path, lineage: Lineage, more: str, said: str, hint: str) -> None:
    for folder in ("x", "y"):
        Path(folder).mkdir()
        Path(folder, "c.py").touch()
    write(step("echo {parameters}", more))
    done = lineage("run", "--step", "it", check=False)
    expected = [f"error: step it: {said}".replace("[..]", f"{repo}/"), f"hint: {hint}"]
    assert done.stderr.splitlines() == expected
    assert done.returncode == 125


@pytest.mark.parametrize(("text", "said"), [
    ("- step:\n    name: [a\n", "valohai.yaml, line 3, column 1: while parsing a flow sequence, "
     "expected ',' or ']', but got '<stream end>'"),
    ("a:\n\tb", "valohai.yaml, line 2, column 1: while scanning for the next token, "
     "found character '\\t' that cannot start any token"),
    ("- step:\n    name: it\n    image: 1\n    command: x\n",
     "valohai.yaml, line 3, column 12: 1 is not of type 'string'"),
    ("- step:\n    name: it\n    image: i\n",
     "valohai.yaml, line 2, column 5: 'command' is a required property"),
    ("just text\n", "valohai.yaml, line 1, column 1: 'just text' is not of type 'array'"),
    ("", "valohai.yaml has no step it"),
    ("\xff", "valohai.yaml: 'utf-8' codec can't decode byte 0xff in position 0"),
    ("[" * 5000, "valohai.yaml: it is nested too deeply"),
    ("- step: {name: it, image: i, command: ' '}", "step it: its command is empty"),
    ("- step: {name: it, image: i, command: '#!/usr/bin/perl'}",
     "step it: a command that begins with #!/usr/bin/perl cannot be run"),
])  # fmt: skip
def test_broken_configuration(repo: Path, lineage: Lineage, text: str, said: str) -> None:
    Path("valohai.yaml").write_bytes(text.encode("latin-1"))
    done = lineage("run", "--step", "it", check=False)
    line, *rest = done.stderr.splitlines()
    assert line.startswith(f"error: {said.partition('[..]')[0]}")
    assert len(rest) == 1 and rest[0].startswith("hint: ")
    assert done.returncode == 125


def test_no_configuration(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "--step", "train", check=False)
    assert done.stderr == (
        f"error: there is no valohai.yaml or lineage.yaml in {repo}\n"
        "hint: only name what runs with `git lineage run --step train -- COMMAND`, or write one\n"
    )
    assert "error: missing argument" in lineage("run", check=False).stderr.lower()


def test_where_the_configuration_is(project: Path, lineage: Lineage) -> None:
    folder = project / "part"
    folder.mkdir()
    # At the top: the step runs there, and paths that were given are relative to here.
    done = lineage("run", "--step", "count", "-p", "what=code.py", cwd=folder)
    assert done.returncode == 0
    assert Path("outputs/count/1/lines").exists()
    Path("part/own.csv").write_text("own\n")
    lineage("run", "--step", "train", "-i", "data=own.csv", cwd=folder)
    assert shown(lineage)["inputs"][0]["path"] == "part/own.csv"
    # In the folder one is in.
    write(step("pwd; ls"), "part/lineage.yaml")
    assert lineage("run", "--step", "it", cwd=folder).stdout.startswith(f"{folder}\n")
    found = shown(lineage)
    assert (found["configuration"], found["directory"]) == ("part/lineage.yaml", "part")


def test_variables(project: Path, lineage: Lineage) -> None:
    command = "echo $MODE $OTHER $VH_JOB_ID; ls $VH_CONFIG_DIR; cd $VH_REPOSITORY_DIR; pwd"
    write(step(command, "    environment-variables: [{name: MODE, default: x}, {name: OTHER}]\n"))
    done = lineage("run", "--step", "it", env={"MODE": "mine"})
    names = "execution inputs parameters"
    files = "\n".join(f"{name}.{end}" for name in names.split() for end in ("json", "yaml"))
    assert done.stdout == f"mine exec-{shown(lineage)['id']}\n{files}\n{project}\n"


def test_outputs_that_were_there_stay(project: Path, lineage: Lineage, git: Git) -> None:
    Path("outputs/count/7").mkdir(parents=True)
    Path("outputs/count/7/lines").write_text("tracked\n")
    git("add", "-f", "outputs")
    git("commit", "-qm", "Outputs")
    lineage("run", "--step", "count")
    assert git("status", "--porcelain", "--ignored=no") == ""
    assert os.listdir("outputs/count/8") == ["lines"]
    write(step("exit 3"))
    assert lineage("run", "--step", "it", check=False).returncode == 3
    assert not Path("outputs/it").exists()  # nothing came out


def test_outputs_that_cannot_be_kept(project: Path, lineage: Lineage) -> None:
    Path("outputs").write_text("a file")
    done = lineage("run", "--step", "count", check=False)
    assert done.stderr.startswith(f"error: cannot write to {project}/outputs")
    assert done.returncode == 125


def test_two_at_the_same_time_have_their_own_outputs(project: Path, lineage: Lineage) -> None:
    os.mkfifo(".git/fifo")
    write(step("if test -n \"$FIRST\"; then cat .git/fifo; else echo go > .git/fifo; fi"
               "; echo $FIRST > $VH_OUTPUTS_DIR/out"))  # fmt: skip
    first = start("git", "lineage", "run", "-q", "--step", "it", env={**os.environ, "FIRST": "1"})
    lineage("run", "--step", "it")
    first.communicate(timeout=60)
    assert first.returncode == 0
    made = [json.loads(line)["outputs"] for line in lineage("log", "--json").stdout.splitlines()]
    assert sorted(each["path"] for outputs in made for each in outputs) == [
        "outputs/it/1/out", "outputs/it/2/out"
    ]  # fmt: skip


def test_a_killed_recorder_keeps_the_configuration(
    project: Path, lineage: Lineage, git: Git
) -> None:
    text = step("kill -9 $PPID; read x")
    write(text)
    lineage("run", "--step", "it", check=False)
    found = shown(lineage)
    assert found["status"] == "interrupted"
    assert git("show", f"{found['commit']}:config") + "\n" == text
    left = Path(".git/lineage/steps")
    (folder,) = left.iterdir()
    os.utime(folder / "lock", (0, 0))
    lineage("run", "--step", "it", "--dry-run")
    write(step("ls -A .git/lineage/steps | wc -l"))
    assert lineage("run", "--step", "it").stdout.strip() == "1"


def test_mounts_are_for_containers(repo: Path, lineage: Lineage) -> None:
    mounts = (
        "[{source: /a, destination: /b}, '/same:/same', {source: h, destination: /c, type: nfs}]"
    )
    write(step("true", f"    mounts: {mounts}\n"))
    said = [
        "warning: step it: mount h of type nfs is not used here",
        "warning: step it: /a is mounted at /b in a container only: see --in-image",
    ]
    assert lineage("run", "-q", "--step", "it").stderr.splitlines() == said
    assert lineage("run", "--step", "it", "--dry-run").stderr.splitlines() == said


@pytest.mark.parametrize(("limit", "command", "said"), [
    ("time-limit: 0.3s", "sleep 60", "ended after 300 ms, which is its time-limit"),
    ("no-output-timeout: 0.6s", "for i in 1 2; do echo $i; sleep 0.4; done; sleep 60",
     "ended after 600 ms without output, its no-output-timeout"),
    ("stop-condition: a >= 2", "echo '{\"a\": 1}'; echo '{\"a\": 2}'; sleep 60",
     "ended by its stop-condition: a >= 2"),
    ("stop-condition: a.b >= 2", "python -c 'import gitlineage; gitlineage.log(a={\"b\": 3})'"
     "; sleep 60", "ended by its stop-condition: a.b >= 2"),
])  # fmt: skip
def test_what_ends_a_step(
    repo: Path, lineage: Lineage, limit: str, command: str, said: str
) -> None:
    write(step(command, f"    {limit}\n"))
    done = lineage("run", "--step", "it", check=False)
    assert done.returncode == 143
    assert done.stderr.splitlines()[0] == f"warning: {said}"
    found = shown(lineage)
    assert (found["status"], found["signal"], found["warnings"]) == ("stopped", 15, [said])


def test_a_step_that_ends_by_itself_when_told_to(repo: Path, lineage: Lineage) -> None:
    write(step("trap 'echo saved > model; exit 3' TERM; sleep 60 & wait", "    time-limit: 0.3s\n"))
    assert lineage("run", "--step", "it", check=False).returncode == 3
    found = shown(lineage)
    assert (found["status"], [each["path"] for each in found["outputs"]]) == ("stopped", ["model"])


def test_limits_that_are_not_reached(repo: Path, lineage: Lineage) -> None:
    limits = "    time-limit: 1h\n    no-output-timeout: 1h\n    stop-condition: a > 'b'\n"
    write(step("echo '{\"a\": 1}'", limits))
    assert "succeeded" in lineage("run", "--step", "it").stderr


def test_who_reads_points_lets_others_go_on() -> None:
    from gitlineage.limits import Limits, Watch

    seen = []

    class Follower:
        def read(self) -> list[dict[str, object]]:
            seen.append(sys.getswitchinterval())
            return [{"a": 1}]

    before = sys.getswitchinterval()
    asked: Any = Follower()
    watch = Watch(Limits(condition="a"), os.getpid(), holds=lambda values: False, follower=asked)
    until(lambda: len(seen) > 1)
    watch.finish()
    assert max(seen) < before / 10
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize(("text", "values", "holds"), [
    ("a >= 1", {"a": 1}, True),
    ("a >= 1", {}, False),
    ("a >= 1", {"a": "x"}, False),
    ("metadata.a < 1 and not b", {"a": 0, "b": 0}, True),
    ("not missing", {}, True),
    ("lambda > 1", {"lambda": 2}, True),
    ("a / b > 1", {"a": 1, "b": 0}, False),
    ("x.y == 'z'", {"x": {"y": "z"}}, True),
])  # fmt: skip
def test_conditions(text: str, values: dict[str, object], holds: bool) -> None:
    from gitlineage.steps.conditions import Condition

    assert Condition(text).holds(values) is holds


@pytest.mark.parametrize("text", ["a >=", "a.__class__()", "[1]", "import os", "(" * 100])
def test_conditions_that_cannot_be_read(repo: Path, lineage: Lineage, text: str) -> None:
    write(step("true", f"    stop-condition: '{text}'\n"))
    done = lineage("run", "--step", "it", check=False)
    assert done.returncode == 125
    assert done.stderr.startswith(f"error: step it: its stop-condition {text} cannot be read: ")
    assert done.stderr.endswith("hint: write one such as accuracy >= 0.9\n")


def test_from_python(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("data")
    with gitlineage.open() as lineage:
        recording = lineage.run_step("count", parameters={"what": "data/b.csv"}, tags=["x"])
        assert recording.problem is None and recording.outcome.exit_code == 0
        execution = lineage.execution("x")
        assert execution.launch is not None
        assert execution.launch.interpolated == ("wc -l data/b.csv > $VH_OUTPUTS_DIR/lines",)
        with pytest.raises(InvalidStep):
            lineage.run_step("count", parameters={"where": 1})
    assert os.getcwd() == str(project / "data")


VALUES = {"integer": 1, "float": 0.5, "string": "a b", "flag": True}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of examples that the source of Valohai's package has."""
    folder = tmp_path_factory.mktemp("valohai")
    wanted = f"valohai-yaml=={metadata.version('valohai-yaml')}"
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-binary=valohai-yaml")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, f"--dest={folder}", wanted], check=True
    )
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.glob("*/examples")
    return found


def test_examples_of_the_package(examples: Path, isolated: Path) -> None:
    """The commands are those that Valohai's package makes, as a shell reads them."""
    (isolated / "some").touch()
    paths = sorted(examples.glob("*.yaml"))
    assert len(paths) > 30
    for path in paths:
        compare(path, isolated)


def compare(path: Path, isolated: Path) -> None:
    for name, described in valohai_yaml.parse(path.read_text()).steps.items():
        values = {
            each.name: VALUES[each.type] for each in described.parameters.values()
            if each.default is None and (each.type == "flag" or not each.optional)
        }  # fmt: skip
        inputs = [(each, str(isolated / "some")) for each in described.inputs]
        plan = steps.plan(str(path), name, values, inputs)
        flags = {e.name: e.default for e in described.parameters.values() if e.type == "flag"}
        theirs = described.build_command({**flags, **values})
        if theirs[0].startswith("#!"):
            theirs = [theirs[0].partition("\n")[2], *theirs[1:]]
        ours = [shlex.split(item) for item in plan.interpolated]
        assert ours == [shlex.split(item) for item in theirs if item.strip()], path.name


WRONG = ("input-name-too-long", "invalid-YAML-indentation", "invalid-edge-parts",
         "invalid-indentation-with-valid-YAML", "step-invalid-resources",
         "step-missing-required-properties")  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_examples_of_the_package(examples: Path, isolated: Path, name: str) -> None:
    path = examples.parent / "tests" / "error_examples" / f"{name}.yaml"
    with pytest.raises(InvalidConfiguration) as raised:
        steps.plan(str(path), "any", {})
    assert "\n" not in str(raised.value)
    assert ", line " in str(raised.value) or name == "invalid-edge-parts"
