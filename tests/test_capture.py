"""What goes into a command, and what it is called."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3
from conftest import Git, Lineage
from executions import hows, last, of

from gitlineage.capture import step_of

# --- inputs ---------------------------------------------------------------------------------------


def test_declared_inputs_of_every_kind(repo: Path, lineage: Lineage) -> None:
    (repo / "data/deep").mkdir(parents=True)
    (repo / "data/one.csv").write_text("1\n")
    (repo / "data/deep/two.csv").write_text("2\n")
    (repo / "raw.csv").write_text("raw\n")
    lineage("run", "-i", "train=raw.csv", "-i", "data", "-i", "s3://bucket/a=b?v=1",
            "-i", "abfs://bucket/cat.png", "-i", "README.md", "--", "true")  # fmt: skip
    found = last()
    assert [(each.path, each.type, each.role) for each in found.inputs] == [
        ("raw.csv", "file", "train"),
        ("data", "directory", None),
        ("s3://bucket/a=b?v=1", "uri", None),
        ("abfs://bucket/cat.png", "uri", None),
        ("README.md", "file", None),
    ]
    assert {each.how for each in found.inputs} == {"declared"}
    assert found.inputs[0].digest == "blake3:" + blake3(b"raw\n").hexdigest()
    assert found.inputs[1].size == 4
    assert found.inputs[2].digest is None


def test_input_whose_path_holds_an_equals_sign(repo: Path, lineage: Lineage) -> None:
    (repo / "alpha=0.1").write_text("x")
    lineage("run", "-i", "alpha=0.1", "--", "true")
    assert [(each.path, each.role) for each in last().inputs] == [("alpha=0.1", None)]


def test_directory_is_known_by_what_it_holds(repo: Path, lineage: Lineage) -> None:
    def digest() -> str | None:
        lineage("run", "-i", "data", "--", "true")
        return last().inputs[0].digest

    (repo / "data/sub").mkdir(parents=True)
    file = repo / "data/sub/a"
    file.write_text("a")
    first = digest()
    os.utime(file, (1, 1))
    assert digest() == first
    file.chmod(0o755)
    executable = digest()
    assert executable != first
    file.chmod(0o644)
    (repo / "data/link").symlink_to("nowhere")
    linked = digest()
    assert linked not in (first, executable)
    (repo / "data/link").unlink()
    file.rename(repo / "data/sub/b")
    assert digest() not in (first, executable, linked)
    (repo / "data/sub/b").rename(file)
    assert digest() == first


def test_files_named_as_arguments(repo: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    outside = isolated / "outside.csv"
    outside.write_text("o")
    for name in ("plain.csv", "option.csv", "ignored.csv", "-dash"):
        (repo / name).write_text(name)
    (repo / ".gitignore").write_text("ignored.csv\n")
    (repo / "folder").mkdir()
    lineage("run", "--", "echo", "code.py", "plain.csv", "--data=option.csv", "if=ignored.csv",
            "folder", "no-such-file", "./plain.csv", outside)  # fmt: skip
    found = last()
    assert hows(found.inputs) == dict.fromkeys(
        ("plain.csv", "option.csv", "ignored.csv", str(outside)), "argument"
    )
    assert of(found.inputs, str(outside)).host == socket.gethostname()
    assert of(found.inputs, "plain.csv").host is None
    assert of(found.inputs, "plain.csv").given == "./plain.csv"
    assert not found.outputs


def test_standard_input_that_is_a_file(repo: Path) -> None:
    (repo / "in.csv").write_text("in")
    with open("in.csv") as file:
        done = subprocess.run(["git", "lineage", "run", "-q", "--", "cat"], stdin=file,
                              capture_output=True, text=True)  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("in", "", 0)
    (found,) = last().inputs
    assert (found.path, found.how, found.role, found.given) == ("in.csv", "argument", "stdin", None)
    assert found.digest == "blake3:" + blake3(b"in").hexdigest()


def test_paths_from_a_subdirectory_are_relative_to_the_top(
    repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "sub").mkdir()
    (repo / "top.csv").write_text("t")
    (repo / "sub/near.csv").write_text("n")
    monkeypatch.chdir(repo / "sub")
    lineage("run", "-i", "../top.csv", "-o", "made", "--", "cp", "near.csv", "made")
    found = last()
    assert found.launch is not None
    assert found.launch.directory == "sub"
    assert hows(found.inputs) == {"top.csv": "declared", "sub/near.csv": "argument"}
    assert hows(found.outputs) == {"sub/made": "declared"}
    assert of(found.inputs, "top.csv").given == "../top.csv"
    assert of(found.outputs, "sub/made").given == "made"


def test_through_links(repo: Path, lineage: Lineage, isolated: Path,
                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    data = isolated / "data"
    data.mkdir()
    (data / "in").write_text("behind the link")
    (repo / "data").symlink_to(data)
    (repo / "latest").symlink_to("data/in")
    (isolated / "way").symlink_to(repo)
    monkeypatch.chdir(isolated / "way")
    lineage("run", "-i", "latest", "-o", "data/out", "--", "cp", "latest", "data/out")
    found = last()
    digest = "blake3:" + blake3(b"behind the link").hexdigest()
    assert [(each.path, each.digest) for each in found.inputs] == [("latest", digest)]
    assert [(each.path, each.digest) for each in found.outputs] == [("data/out", digest)]


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"new\nline.csv", b" spaces ", "été.csv".encode(),
                                  b'quo"te.csv', b"tab\t.csv", b":(top)x", b"*.csv"])  # fmt: skip
def test_odd_names(repo: Path, lineage: Lineage, name: bytes) -> None:
    path = os.fsdecode(name)
    (repo / path).write_text("odd")
    made = "made " + path
    lineage("run", "-i", path, "-o", made, "--", "cp", path, made)
    lineage("run", "--", "cp", "--", "./" + made, "again " + path)
    second, first = last("@"), last("@~1")
    assert hows(first.inputs) == {path: "declared"}
    assert hows(first.outputs) == {made: "declared"}
    assert hows(second.inputs) == {made: "argument"}
    assert hows(second.outputs) == {"again " + path: "detected"}
    shown = lineage("show").stdout
    assert "\n".join(line for line in shown.splitlines() if "again" in line).count("again") >= 1
    assert len(lineage("log", "--oneline").stdout.splitlines()) == 2


def test_input_that_changed_while_it_ran(repo: Path, lineage: Lineage) -> None:
    (repo / "data").mkdir()
    (repo / "data/a").write_text("a")
    (repo / "file").write_text("f")
    (repo / "same").write_text("s")
    done = lineage("run", "-q", "-i", "data", "-i", "file", "-i", "same", "--",
                   "sh", "-c", "echo b > data/a; echo g > file; cat same")  # fmt: skip
    assert done.stderr == (
        "warning: input data changed while it ran\nwarning: input file changed while it ran\n"
    )
    found = last()
    assert of(found.inputs, "file").digest == "blake3:" + blake3(b"f").hexdigest()
    assert set(hows(found.outputs)) == {"data/a", "file"}


def test_declared_as_input_and_output_is_both_and_no_warning(repo: Path, lineage: Lineage) -> None:
    (repo / "db").write_text("1")
    done = lineage("run", "-q", "-i", "db", "-o", "db", "--", "sh", "-c", "echo 2 >> db")
    assert done.stderr == ""
    found = last()
    assert of(found.inputs, "db").digest == "blake3:" + blake3(b"1").hexdigest()
    assert of(found.outputs, "db").digest == "blake3:" + blake3(b"12\n").hexdigest()
    assert of(found.outputs, "db").previous == blake3(b"1").digest()


def test_input_that_is_a_pipe_has_no_content(repo: Path, lineage: Lineage) -> None:
    os.mkfifo(repo / "pipe")
    lineage("run", "-i", "pipe", "--", "true")
    assert [(each.path, each.type, each.digest) for each in last().inputs] == [
        ("pipe", "special", None)
    ]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "step"), [
    ("python train.py --lr 1", "train"),
    ("python3.11 -u src/train.py", "train"),
    ("python -m pkg.module.train x", "train"),
    ("python -c pass", "python"),
    ("bash -x run.sh", "run"),
    ("sh -c true", "sh"),
    ("python3.11 -c pass", "python"),
    ("./train.sh", "train"),
    ("/usr/bin/env python train.py", "train"),
    ("Rscript fit.R", "fit"),
    ("make all", "make"),
    ("a.out", "a"),
    (".hidden", ".hidden"),
    ("uv run train.py", "train"),
])  # fmt: skip
def test_step_is_named_after_the_script(command: str, step: str, isolated: Path) -> None:
    assert step_of(command.split()) == step
