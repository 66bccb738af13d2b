"""Cells of notebooks as executions, in real kernels."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, hows, last
from notebooks import run_cells, write_notebook

import gitlineage
from gitlineage.digest import of_bytes

LOAD = "%load_ext gitlineage"


def test_cell_with_everything(repo: Path, git: Git, lineage: Lineage) -> None:
    Path("data.csv").write_text("1\n2\n")
    write_notebook("analysis.ipynb", "old = 1")
    git("add", "analysis.ipynb")
    git("commit", "-q", "-m", "Notebook")
    cells = (
        LOAD,
        "rate = 0.5",
        "%%lineage -i data=data.csv -o model.txt -p rate={rate} -t first --title 'My model'\n"
        "import gitlineage, logging, os, sys, warnings\n"
        "lines = open('data.csv').read().splitlines()\n"
        "open('model.txt', 'w').write('m')\n"
        "open('beside.txt', 'w').write('b')\n"
        # As an editor does: no output of the cell.
        "open('analysis.ipynb', 'a').write(' ')\n"
        "print('{\"accuracy\": 0.9}')\n"
        "print('to stderr', file=sys.stderr)\n"
        "gitlineage.log(lines=len(lines))\n"
        "!echo from a shell\n"
        "!git lineage run -q --step inner -- touch in.txt\n"
        "lines",
        "print('not recorded')",
    )
    ran = run_cells(*cells, JPY_SESSION_NAME=str(repo / "analysis.ipynb"))
    assert [each["status"] for each in ran] == ["ok"] * 4, ran
    assert ran[2]["value"] == "['1', '2']"
    assert ran[2]["stderr"] == "to stderr\n"
    shown = ran[2]["stdout"].splitlines()
    found, inner = last("@analysis"), last("@inner")
    assert shown[:2] == ['{"accuracy": 0.9}', "from a shell"]
    assert shown[2].startswith(f"lineage: {found.id[:8]} analysis succeeded in ")
    assert len(everything()) == 2

    launch, end = found.launch, found.end
    assert launch is not None and end is not None and inner.launch is not None
    assert (launch.title, launch.parameters, found.tags) == ("My model", {"rate": 0.5}, ("first",))
    assert launch.command == ("ipython", "In[3]")
    assert [(each.path, each.role) for each in found.inputs] == [("data.csv", "data")]
    assert hows(found.outputs) == {"model.txt": "declared", "beside.txt": "detected"}
    assert hows(inner.outputs) == {"in.txt": "detected"}
    assert inner.launch.parent == found.id
    assert found.metadata == {"accuracy": 0.9, "lines": 2}
    with gitlineage.open() as here:
        log = here.output("@analysis").decode().splitlines()
        kept = here.cells("@analysis")
        assert here.cells("@inner") is None
        part = here.repository.contents([f"{found.commit}:notebook"])[0]
    assert sorted(log) == ["from a shell", "to stderr", '{"accuracy": 0.9}']
    assert kept is not None and part is not None
    assert [(each.number, each.source) for each in kept.cells] == [
        (number, source) for number, source in enumerate(cells[:3], 1)
    ]
    about = launch.code.notebook
    assert about is not None
    assert (about.path, about.cell, about.before_count) == ("analysis.ipynb", 3, 2)
    assert about.cells_digest == of_bytes(part)

    page = lineage("show", "@analysis").stdout
    said = f"cell In[3] of analysis.ipynb, 2 cells before it: git lineage code {found.id[:8]} --"
    assert said in page
    script = "\n".join(f"# %% In[{n}]\n{text}\n" for n, text in enumerate(cells[:3], 1))
    assert lineage("code", "@analysis", "--cells").stdout == script
    lineage("code", "@analysis", "--cells", "-o", "cells.py")
    assert Path("cells.py").read_text() == script
    again = lineage("code", "@analysis", "--cells", "-o", "cells.py", check=False)
    assert (again.returncode, again.stderr) == (1, "error: cannot write cells.py: file exists\n")
    none = lineage("code", "@inner", "--cells", check=False)
    assert (none.returncode, none.stderr.splitlines()[0]) == (
        3, "error: no execution or tag is called cells of @inner"
    )  # fmt: skip
    as_json = json.loads(lineage("show", "@analysis", "--json").stdout)
    assert as_json["code"]["notebook"]["cell"] == 3
    assert "execution" in lineage("trace", "model.txt", "--json").stdout


def test_cells_that_fail_or_are_stopped(repo: Path) -> None:
    ran = run_cells(
        LOAD,
        "%%lineage --step fails\nprint('before')\nraise ValueError('no')",
        "%%lineage --step stopped\n"
        "import time\nprint('interrupt me', flush=True)\nfor _ in range(6000): time.sleep(0.01)",
        "%%lineage --step after\nopen('made', 'w').write('1')",
        "%%lineage --step waits\nimport asyncio\nawait asyncio.sleep(0)\n'done'",
        "%%lineage --step shell\n%%bash\necho from bash",
        "%%lineage --step syntax\nif",
        "%%lineage -q --step exits\nimport sys\nsys.exit(3)",
    )
    found = {each.launch.step: each for each in everything() if each.launch}
    assert {name: each.status for name, each in found.items()} == {
        "fails": "failed", "stopped": "stopped", "after": "succeeded", "waits": "succeeded",
        "shell": "succeeded", "exits": "failed",
    }  # fmt: skip
    ends = {name: each.end for name, each in found.items() if each.end}
    assert [ends[name].exit_code for name in ("fails", "stopped", "exits")] == [1, 130, 3]
    assert ends["stopped"].signal == 2
    assert hows(found["after"].outputs) == {"made": "detected"}
    assert ran[4]["value"] == "'done'"
    with gitlineage.open() as here:
        log = here.output("@fails").decode()
        assert here.output("@shell") == b"from bash\n"
    assert log.startswith("before\nTraceback (most recent call last):\n")
    assert log.endswith("    raise ValueError('no')\nValueError: no\n")
    assert "IPython" not in log
    # The cell's own lines alone, once.
    name, traceback = ran[1]["error"]
    assert name == "ValueError" and "gitlineage" not in traceback
    assert (
        ran[1]["stdout"].splitlines()[1].startswith(f"lineage: {found['fails'].id[:8]} fails fai")
    )


def test_kernel_that_is_killed(repo: Path) -> None:
    run_cells(LOAD, "%%lineage\nprint('{\"a\": 1}')\nimport os; os.kill(os.getpid(), 9)")
    (found,) = everything()
    assert (found.status, found.metadata) == ("interrupted", {"a": 1})
    with gitlineage.open() as here:
        kept = here.cells()
    assert kept is not None and [each.number for each in kept.cells] == [1, 2]


def test_what_a_cell_may_say(repo: Path, isolated: Path) -> None:
    ran = run_cells(
        LOAD,
        "%%lineage --dry-run\nopen('ran', 'w')",
        "%%lineage -i nothing.csv\nopen('ran', 'w')",
        "%%lineage --title 'no end\nopen('ran', 'w')",
        "%%lineage\n%lineage",
        "%%lineage",
        f"%cd {isolated}/empty",
        "%%lineage\nopen('ran', 'w')",
        "%unload_ext gitlineage",
        "%%lineage\nopen('ran', 'w')",
    )
    assert [each["stderr"] for each in ran[1:5]] == [
        "UsageError: %%lineage takes -i -o -p -t --title --step --metrics --price -q, "
        "as `git lineage run -h` has them\n",
        "UsageError: input nothing.csv: no such file or directory\n"
        "hint: inputs are relative to the folder you are in; nothing was run\n",
        "UsageError: %%lineage: No closing quotation\n",
        "UsageError: this cell is recorded already\n",
    ]
    assert ran[7]["stderr"].startswith("UsageError: not a git repository")
    assert ran[9]["stderr"].startswith("UsageError: Cell magic `%%lineage` not found")
    assert not Path("ran").exists() and not (isolated / "empty/ran").exists()
    assert [each.status for each in everything()] == ["succeeded", "failed"]


def test_logging_records_the_cell_with_what_it_prints(repo: Path) -> None:
    run_cells(
        "import gitlineage",
        "print('early')\ngitlineage.log(a=1)\nprint('late')",
        "import sys\nshown = sys.stdout.write\ngitlineage.log(b=1)\nprint('x')",
        "assert sys.stdout.write == shown",
    )
    second, first = everything()
    assert (first.metadata, second.metadata) == ({"a": 1}, {"b": 1})
    assert second.launch is not None and second.launch.step == "cell"
    with gitlineage.open() as here:
        assert (here.output(first.id), here.output(second.id)) == (b"late\n", b"x\n")
        kept = here.cells(second.id)
    assert kept is not None and len(kept.cells) == 3


def test_importing_does_not_load_the_magic(isolated: Path) -> None:
    assert callable(gitlineage.load_ipython_extension)
    with pytest.raises(AttributeError):
        _ = gitlineage.load_nothing
    assert "load_ipython_extension" not in dir(gitlineage)
    assert os.environ.get("JPY_SESSION_NAME") is None
