"""Notebooks that are run as a command, through papermill and a real kernel."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, hows, last, of, python
from notebooks import write_notebook

import gitlineage
from gitlineage import papermill
from gitlineage.errors import Refused

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def test_notebook_with_parameters(repo: Path, git: Git, lineage: Lineage) -> None:
    write_notebook(
        "train.ipynb",
        "import gitlineage, sys\n"
        "print('{\"printed\": %d}' % x)\n"
        "print('words', file=sys.stderr)\n"
        "gitlineage.log(rate=rate, kind=type(name).__name__)\n"
        "open('model.txt', 'w').write(name)",
        parameters="x = 0\nrate = 0.5\nname = ''",
    )
    git("add", ".")
    git("commit", "-q", "-m", "Notebook")
    told = lineage(
        "run", "train.ipynb", "-p", "x=-1", "-p", "rate=1e-05", "-p", "name=true story",
        "-o", "model.txt", "-t", "first",
    )  # fmt: skip
    found = last("@train")
    assert told.stdout == '{"printed": -1}\n'
    assert "words\n" in told.stderr and "unknown" not in told.stderr
    closing = told.stderr.splitlines()[-1]
    assert closing.startswith(f"lineage: {found.id[:8]} train succeeded in ")
    launch = found.launch
    assert launch is not None and launch.code.notebook is not None
    assert launch.code.notebook.path == "train.ipynb" and launch.code.notebook.cell is None
    assert not launch.code.is_adhoc
    assert launch.parameters == {"x": -1, "rate": 1e-05, "name": "true story"}
    assert found.metadata == {"printed": -1, "rate": 1e-05, "kind": "str"}
    assert hows(found.outputs) == {"train.out.ipynb": "declared", "model.txt": "declared"}
    assert found.inputs == () and found.tags == ("first",)
    executed = json.loads(Path("train.out.ipynb").read_text())
    assert executed["cells"][2]["outputs"][0]["text"] == ['{"printed": -1}\n']
    assert "\n  notebook:" in lineage("show").stdout
    for name in ("model.txt", "train.out.ipynb"):
        traced = json.loads(lineage("trace", name, "--json").stdout)
        assert "train" in [node["label"] for node in traced["nodes"]]
    assert lineage("code").stdout.split() == ["README.md", "code.py", "train.ipynb"]

    lineage("run", "-q", "--step", "again", "train.ipynb", "-o", "runs.ipynb", "-p", "name=other")
    again = last("@again")
    assert again.launch is not None
    # What the first made is no code of the second, and what it is called decides where it goes.
    assert not again.launch.code.is_adhoc
    assert hows(again.outputs) == {"runs.ipynb": "declared", "model.txt": "detected"}
    assert of(again.outputs, "model.txt").change == "overwritten"


def test_notebook_that_fails(repo: Path, lineage: Lineage) -> None:
    write_notebook("fails.ipynb", "print('before')", "raise ValueError('no')", **PYTHON)
    told = lineage("run", "fails.ipynb", check=False)
    found = last()
    assert (told.returncode, told.stdout) == (1, "before\n")
    assert "ValueError: no" in told.stderr
    assert (found.status, hows(found.outputs)) == ("failed", {"fails.out.ipynb": "declared"})
    assert "ValueError" in Path("fails.out.ipynb").read_text()
    with gitlineage.open() as here:
        assert b"ValueError: no" in here.output()


def test_what_is_no_notebook(repo: Path, lineage: Lineage) -> None:
    write_notebook("a.ipynb", "1")
    Path("bad.ipynb").write_text("{")
    Path("list.ipynb").write_text("[]")
    Path("map.ipynb").write_text("{}")
    said = {
        ("none.ipynb",): (125, "none.ipynb: no such file or directory"),
        ("bad.ipynb",): (125, "bad.ipynb is not a notebook: Expecting property name"),
        ("list.ipynb",): (125, "list.ipynb is not a notebook: "),
        ("map.ipynb",): (125, "map.ipynb is not a notebook: it has no nbformat"),
        ("a.ipynb", "-o", "./a.ipynb"): (125, "./a.ipynb is the notebook itself"),
        ("a.ipynb", "more"): (2, "a notebook takes no arguments such as more"),
        ("a.ipynb", "--nothing"): (2, "a notebook takes no arguments such as --nothing"),
        ("--in-image", "a.ipynb"): (2, "--in-image is for a step"),
    }
    for words, (status, error) in said.items():
        told = lineage("run", *words, check=False)
        assert (told.returncode, told.stdout) == (status, ""), words
        assert told.stderr.startswith(f"error: {error}"), words
    assert everything() == [] and not Path("a.out.ipynb").exists()


def test_a_parameter_that_a_notebook_has_not(repo: Path, lineage: Lineage) -> None:
    cell = "%matplotlib inline\nepochs: int = 1\nrate, name = 0.1, 'a'\n"
    write_notebook("a.ipynb", "for epoch in range(epochs): pass", parameters=cell)
    for given, hint in (("epoch=3", "did you mean epochs?"),
                        ("zzz=1", "its parameters: epochs, rate, name")):  # fmt: skip
        told = lineage("run", "a.ipynb", "-p", "rate=1", "-p", given, check=False)
        name = given.partition("=")[0]
        assert (told.returncode, told.stderr) == (
            125, f"error: a.ipynb has no parameter {name}\nhint: {hint}\n"
        )  # fmt: skip
    assert everything() == [] and not Path("a.out.ipynb").exists()
    # Where it is not plain to see what it has, it is papermill's to say.
    r = {"kernelspec": {"name": "ir", "language": "R"}}
    for cell, about in (("x <- 1", r), ("x = = 1", {}), (None, {})):
        write_notebook("b.ipynb", "1", parameters=cell, **about)
        assert "-p y 1" in lineage("run", "--dry-run", "b.ipynb", "-p", "y=1").stdout


def test_papermill_is_missing(repo: Path, lineage: Lineage, isolated: Path) -> None:
    write_notebook("a.ipynb", "1")
    # A Python that finds nothing, in place of our own as well.
    code = (
        "import sys\n"
        f"sys.executable = '{isolated}/bare'\n"
        "from gitlineage.cli import main\n"
        "sys.exit(main(['run', 'a.ipynb']))\n"
    )
    Path(isolated / "bare").write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    Path(isolated / "bare").chmod(0o755)
    tools = isolated / "tools"
    tools.mkdir()
    for name in ("python", "python3"):
        (tools / name).symlink_to(isolated / "bare")
    told = python(code, PATH=f"{tools}:{os.environ['PATH']}")
    assert (told.returncode, told.stdout) == (125, "")
    assert told.stderr == (
        "error: papermill is not installed, and running a notebook needs it\n"
        "hint: install it where the notebook runs: pip install 'git-lineage[notebooks]'\n"
    )
    assert everything() == []


def test_dry_run_prints_the_command(repo: Path, lineage: Lineage) -> None:
    write_notebook("a b.ipynb", "1", **PYTHON)
    told = lineage("run", "--dry-run", "a b.ipynb", "-p", "x=1", "-p", "name=two words")
    assert told.stdout == (
        "python -m papermill 'a b.ipynb' 'a b.out.ipynb' -p x 1 -r name 'two words'"
        " --no-progress-bar --log-level WARNING --stdout-file - --stderr-file /dev/stderr\n"
    )
    assert not Path("a b.out.ipynb").exists()


def test_parameters_keep_their_types(repo: Path) -> None:
    write_notebook("a.ipynb", "1", language_info={"name": "python"})
    words = papermill.command("a.ipynb", "b.ipynb", {"many": [1, "a"], "yes": True, "none": None})
    assert words[1:-7] == [
        "-m", "papermill", "a.ipynb", "b.ipynb", "-k", "python3",
        "-y", '{"many": [1, "a"]}', "-p", "yes", "True", "-y", '{"none": null}',
    ]  # fmt: skip
    os.symlink("a.ipynb", "link.ipynb")
    with pytest.raises(Refused, match="the notebook itself"):
        papermill.command("a.ipynb", "link.ipynb", {})


def test_a_notebook_that_would_only_be_repeated(repo: Path, git: Git, lineage: Lineage) -> None:
    write_notebook("train.ipynb", "print(x)", parameters="x = 0")
    git("add", ".")
    git("commit", "-q", "-m", "Notebook")
    words = ("run", "--reuse", "train.ipynb", "-p")
    assert "not reused: no execution" in lineage(*words, "x=1").stderr
    again = lineage(*words, "x=1")
    assert again.stderr == f"lineage: {last('@train').id[:8]} train is reused: nothing changed\n"
    assert "not reused: " in lineage(*words, "x=2").stderr
    assert len(everything()) == 2
