"""Executions that are this very process, and points that a running one logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, hows, last, left_running, python

import gitlineage
from gitlineage import errors


def test_log_inside_of_a_run(repo: Path, lineage: Lineage) -> None:
    Path("train.py").write_text(
        "import gitlineage\n"
        "assert gitlineage.current()\n"
        "gitlineage.log(epoch=1, loss=float('nan'))\n"
        "print('{\"printed\": 1}', flush=True)\n"
        "gitlineage.log(epoch=2, path=gitlineage.lineage.os.path, nested={'a': [1]})\n"
        "open('id', 'w').write(gitlineage.current())\n"
    )
    done = lineage("run", "-q", "--", sys.executable, "train.py")
    assert (done.stdout, done.stderr) == ('{"printed": 1}\n', "")
    (found,) = everything()
    assert Path("id").read_text() == found.id
    assert found.metadata["epoch"] == 2
    assert found.metadata["nested"] == {"a": [1]}
    assert found.metadata["printed"] == 1
    assert found.end is not None and found.end.points_count == 3


def test_numbers_of_numpy_stay_numbers(repo: Path, lineage: Lineage) -> None:
    pytest.importorskip("numpy")
    code = (
        "import gitlineage, numpy as np\n"
        "gitlineage.log(half=np.float32(0.5), three=np.int64(3), yes=np.bool_(True),\n"
        "               many=np.array([[1, 2]]))"
    )
    lineage("run", "-q", "--", sys.executable, "-c", code)
    assert last().metadata == {"half": 0.5, "three": 3, "yes": True, "many": [[1, 2]]}


def test_with_block_records_what_is_done_in_it(
    repo: Path, lineage: Lineage, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("data.csv").write_text("d")
    with gitlineage.open() as here:
        with here.begin(
            inputs=["data.csv", ("uri", "s3://b/k")], outputs=["model"], step="fit",
            parameters={"rate": 0.1}, tags=["first"], title="By hand",
        ) as session:  # fmt: skip
            assert gitlineage.current() == session.id == os.environ["GIT_LINEAGE_EXECUTION"]
            session.log(loss=2.0)
            gitlineage.log(loss=1.0)
            Path("model").write_text("m")
            Path("beside").write_text("b")
            subprocess.run(["git", "lineage", "run", "-q", "--step", "inner", "--", "touch", "in"],
                           check=True, stdin=subprocess.DEVNULL)  # fmt: skip
        assert gitlineage.current() is None
        found = here.execution("@fit")
        inner = here.execution("@inner")
    assert "GIT_LINEAGE_EXECUTION" not in os.environ
    assert found.launch is not None and inner.launch is not None and found.end is not None
    assert (found.status, found.launch.title, found.tags) == ("succeeded", "By hand", ("first",))
    assert (found.launch.parameters, found.metadata) == ({"rate": 0.1}, {"loss": 1.0})
    assert [(each.path, each.role) for each in found.inputs] == [
        ("data.csv", None), ("s3://b/k", "uri")
    ]  # fmt: skip
    assert hows(found.outputs) == {"model": "declared", "beside": "detected"}
    assert (inner.launch.parent, hows(inner.outputs)) == (found.id, {"in": "detected"})
    assert found.launch.command[0] == sys.orig_argv[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("how", "code", "status"), [
    ("raise ValueError('no')", 1, "failed"),
    ("raise SystemExit(3)", 3, "failed"),
    ("raise SystemExit", 0, "succeeded"),
    ("raise SystemExit('words')", 1, "failed"),
    ("raise KeyboardInterrupt", 130, "stopped"),
])  # fmt: skip
def test_with_block_that_raises(repo: Path, how: str, code: int, status: str) -> None:
    with gitlineage.open() as here:
        try:
            with here.begin():
                exec(how)
        except BaseException as error:  # noqa: BLE001
            raised = error
        found = here.execution()
    assert type(raised).__name__ in how
    assert found.end is not None
    assert (found.end.exit_code, found.status) == (code, status)


def test_sessions_in_sessions(repo: Path) -> None:
    with gitlineage.open() as here:
        with here.begin(step="outer") as outer:
            with here.begin(step="inner") as inner:
                gitlineage.log(where="inner")
            gitlineage.log(where="outer")
            assert gitlineage.current() == outer.id
        found = {each.id: each for each in here.executions()}
    assert found[inner.id].metadata == {"where": "inner"}
    assert found[outer.id].metadata == {"where": "outer"}
    launch = found[inner.id].launch
    assert launch is not None and launch.parent == outer.id


def test_begin_and_finish_by_hand(repo: Path) -> None:
    with gitlineage.open() as here:
        session = here.begin().begin()
        Path("made").write_text("x")
        recording = session.finish(7)
        assert recording.end is not None
        assert here.execution().end == recording.end
    assert (recording.end.status, hows(recording.end.outputs)) == ("failed", {"made": "detected"})


SCRIPTS = {
    "": (0, "succeeded"),
    "sys.exit(0)": (0, "succeeded"),
    "sys.exit(3)": (3, "failed"),
    "sys.exit('no')": (1, "failed"),
    "sys.exit(True)": (1, "failed"),
    "1 / 0": (1, "failed"),
    "raise KeyboardInterrupt": (130, "stopped"),
}


@pytest.mark.parametrize("end", list(SCRIPTS))
def test_log_outside_of_a_run_records_the_script(repo: Path, end: str) -> None:
    code, status = SCRIPTS[end]
    Path("script.py").write_text(
        f"import gitlineage, sys\ngitlineage.log(a=1)\nopen('out', 'w').write('o')\n"
        f"gitlineage.log(a=2)\nprint('said')\n{end}\n"
    )
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert done.stdout == "said\n"
    assert "gitlineage" not in done.stderr
    (found,) = everything()
    assert found.launch is not None and found.end is not None
    assert found.launch.command == (sys.executable, "script.py")
    assert (found.launch.step, found.metadata) == ("script", {"a": 2})
    assert (found.end.exit_code, found.status) == (code, status)
    assert set(hows(found.outputs)) == {"out"}
    assert {each.partition(".")[0] for each in left_running(repo)} <= {found.id}


def test_forks_do_not_end_a_session(repo: Path) -> None:
    done = python(
        "import gitlineage, os, sys\n"
        "gitlineage.log(who='parent')\n"
        "if os.fork() == 0:\n"
        "    gitlineage.log(child=1)\n"
        "    sys.exit(5)\n"  # runs what is registered for the exit
        "os.wait()\n"
        "with gitlineage.open() as here, here.begin(step='block'):\n"
        "    if os.fork() == 0:\n"
        "        sys.exit(6)\n"
        "    os.wait()\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)
    found = everything()
    assert sorted((each.launch.step if each.launch else "", each.status) for each in found) == [
        ("block", "succeeded"), ("python", "succeeded")
    ]  # fmt: skip
    assert {each.ends_count for each in found} == {1}
    assert last("@python").metadata == {"who": "parent", "child": 1}


def test_killed_script_is_interrupted(repo: Path) -> None:
    python("import gitlineage, os; gitlineage.log(a=1); os.kill(os.getpid(), 9)")
    (found,) = everything()
    assert (found.status, found.metadata) == ("interrupted", {"a": 1})


def test_log_outside_of_a_repository(isolated: Path) -> None:
    with pytest.raises(errors.NothingRuns):
        gitlineage.log(a=1)
    assert gitlineage.current() is None
    done = python("import gitlineage; gitlineage.log(a=1)")
    assert done.stderr.splitlines()[-1].endswith("NothingRuns: no execution is running here")


def test_log_after_the_execution_has_ended(repo: Path, lineage: Lineage) -> None:
    for fifo in ("go", "told"):
        os.mkfifo(fifo)
    code = (
        "import gitlineage\n"
        "open('go').read()\n"
        "try:\n"
        "    gitlineage.log(late=1)\n"
        "    said = 'logged'\n"
        "except gitlineage.errors.NothingRuns:\n"
        "    said = 'refused'\n"
        "open('told', 'w').write(said)\n"
    )
    lineage("run", "-q", "--", "sh", "-c", '"$0" -c "$1" > /dev/null 2>&1 &', sys.executable, code)
    lineage("log")  # removes what is safe
    Path("go").write_text("")
    assert Path("told").read_text() == "refused"
    assert left_running(repo) == []


def test_record_that_cannot_be_kept_at_exit_is_said(repo: Path, git: Git) -> None:
    done = python(
        "import gitlineage, os\n"
        "gitlineage.log(a=1)\n"
        "os.rename('.git/refs', '.git/gone')\n"  # no repository any more
        "print('done')\n"
    )
    assert (done.stdout, done.returncode) == ("done\n", 0)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("the record is not in the ledger yet: ")
    (repo / ".git/gone").rename(repo / ".git/refs")
    (found,) = everything()
    assert (found.status, found.metadata) == ("succeeded", {"a": 1})


def test_notebook_cells_are_executions(repo: Path) -> None:
    pytest.importorskip("IPython")
    cells = [
        "import gitlineage",
        "gitlineage.log(a=1); open('one', 'w').write('1')",
        "1 + 1",
        "gitlineage.log(b=1); raise ValueError('no')",
        "raise_now = True; gitlineage.log(c=1); gitlineage.log(c=2)",
    ]
    code = (
        "import json, sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for cell in json.loads(sys.argv[1]): shell.run_cell(cell, store_history=True)\n"
    )
    home = str(repo.parent / "ipython")
    done = python(code, json.dumps(cells), IPYTHONDIR=home)
    assert done.returncode == 0, done.stderr
    found = everything()[::-1]
    assert [(each.metadata, each.status) for each in found] == [
        ({"a": 1}, "succeeded"), ({"b": 1}, "failed"), ({"c": 2}, "succeeded")
    ]  # fmt: skip
    assert [each.launch.command for each in found if each.launch] == [
        ("ipython", "In[2]"), ("ipython", "In[4]"), ("ipython", "In[5]")
    ]  # fmt: skip
    assert [set(hows(each.outputs)) for each in found] == [{"one"}, set(), set()]


def test_metrics_of_a_session(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    with gitlineage.open() as here, here.begin(metrics=["m.json"]):
        Path("m.json").write_text('{"loss": 0.5}')
    assert last().metadata == {"loss": 0.5}
