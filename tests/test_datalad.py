"""What `datalad run` has recorded, as records: with DataLad, and with messages of strangers."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from conftest import Git, Lineage
from executions import last, of
from hypothesis import given
from hypothesis import strategies as st

import gitlineage
from gitlineage import datalad
from gitlineage.datalad import messages
from gitlineage.datalad.messages import Run
from gitlineage.records.execution import Execution

PROGRAM = Path(sys.executable).parent / "datalad"
needs_datalad = pytest.mark.skipif(
    not (PROGRAM.exists() and shutil.which("git-annex")),
    reason="datalad or git-annex is not installed",
)


def message(told: object, subject: str = "[DATALAD RUNCMD] Sort  it") -> str:
    return (
        f"{subject}\n\n=== Do not change lines below ===\n{json.dumps(told, indent=1)}\n"
        "^^^ Do not change lines above ^^^\n"
    )


TOLD = {"cmd": "sort {inputs} > {outputs}", "exit": 0, "inputs": ["a", "b/*"], "pwd": "sub/x/..",
        "extra_inputs": ["c"], "outputs": ["out"], "chain": [], "dsid": "08eeb59b"}  # fmt: skip


def test_a_message() -> None:
    assert datalad.parse(message(TOLD)) == Run(
        title="datalad run: Sort  it",
        command=("sh", "-c", "sort {inputs} > {outputs}"),
        directory="sub",
        inputs=("a", "b/*", "c"),
        named_count=2,
        outputs=("out",),
    )
    assert datalad.parse(message({"cmd": ["sort", "a b"], "exit": 3})) == Run(
        title="datalad run: Sort  it", command=("sort", "a b"), directory=".", exit_code=3
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sort it\n",
        message(TOLD, "Revert it"),
        message(TOLD).replace("^^^", ""),
        message(TOLD).replace("cmd", "command"),
        message(TOLD).replace("}", ""),
        message({**TOLD, "cmd": ""}),
        message({**TOLD, "cmd": ["a", 1]}),
        message({**TOLD, "pwd": None}),
        message({**TOLD, "exit": "0"}),
        message("08eeb59b-side-file"),
        message([]),
        "[DATALAD RUNCMD]\n=== Do not change lines below ===\n" + "[" * 100_000
        + "\n^^^ Do not change lines above ^^^",
    ],
)  # fmt: skip
def test_what_tells_of_no_command(text: str) -> None:
    assert datalad.parse(text) is None


KEYS = st.sampled_from([*TOLD, "x"])
PLAIN = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_nothing_of_strangers_ends_in_an_error(told: object) -> None:
    datalad.parse(message(told))


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("raw", {"raw/a.csv", "raw/deep/b.csv", "raw/.hidden"}),
        ("raw/", {"raw/a.csv", "raw/deep/b.csv", "raw/.hidden"}),
        ("raw/*.csv", {"raw/a.csv"}),
        ("./raw/../raw/?.csv", {"raw/a.csv"}),
        ("**/*.csv", {"raw/a.csv", "raw/deep/b.csv", "top.csv"}),
        ("raw/*", {"raw/a.csv", "raw/deep/b.csv"}),
        ("*/[!a].csv", set()),
        ("*/[!b].csv", {"raw/a.csv"}),
        ("r*w/d*/b*", {"raw/deep/b.csv"}),
        ("top.csv", {"top.csv"}),
        (".", {"raw/a.csv", "raw/deep/b.csv", "raw/.hidden", "top.csv"}),
        ("../raw", set()),
        ("/raw", set()),
        ("*" * 50 + "x", set()),
        ("**/" * 50 + "x", set()),
    ],
)
def test_patterns(pattern: str, chosen: set[str]) -> None:
    run = Run(title="", command=("x",), directory=".")
    is_chosen = messages.chooser(run, [pattern])
    paths = ("raw/a.csv", "raw/deep/b.csv", "raw/.hidden", "top.csv")
    assert {each for each in paths if is_chosen(each)} == chosen


def test_a_commit_without_datalad(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / "a").write_text("2\n1\n")
    (repo / "link").symlink_to("a")
    git("add", "-A")
    git("commit", "-q", "-m", "before")
    (repo / "out").write_text("1\n2\n")
    (repo / "a").write_text("changed")
    git("add", "-A")
    told = {"cmd": "sh sort.sh", "inputs": ["a", "link", "none"], "outputs": ["out"], "exit": 1}
    git("commit", "-q", "-m", message(told))
    done = lineage("import", "--datalad")
    assert done.stderr == "lineage: 1 execution imported\n"
    found = last()
    assert found.launch is not None and found.end is not None
    assert (found.launch.step, found.end.status, found.end.exit_code) == ("sort", "failed", 1)
    assert found.launch.code.commit == git("rev-parse", "HEAD~").strip()
    assert of(found.inputs, "a").digests == {
        "blake3": blake3(b"2\n1\n").digest(),
        "sha256": hashlib.sha256(b"2\n1\n").digest(),
    }
    assert [(e.path, bool(e.digests)) for e in found.inputs] == [("a", True)]
    assert [(each.path, each.how, each.change) for each in found.outputs] == [
        ("a", "detected", "overwritten"),
        ("out", "declared", "created"),
    ]
    refused = lineage("reproduce", check=False)
    assert refused.returncode == 3
    assert "DataLad has recorded it" in refused.stderr
    done = lineage("import", "--datalad", "no-such", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: git log failed: ")


@pytest.fixture
def dataset(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PATH", f"{PROGRAM.parent}:{os.environ['PATH']}")
    folder = isolated / "dataset"
    subprocess.run([PROGRAM, "create", str(folder)], check=True, capture_output=True)
    monkeypatch.chdir(folder)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)


def run(*words: str) -> None:
    subprocess.run([PROGRAM, *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(("command", "filled"), [
    ("sort {inputs} > {outputs}", "sort a 'b/1 2' b/3 > out/new"),
    ("sort {inputs[1]} {inputs[0]} {inputs[9]}", "sort 'b/1 2' a {inputs[9]}"),
    ("awk '{{print}}' {inputs[0]} {pwd} {other}", "awk '{print}' a {pwd} {other}"),
    ("true", "true"),
])  # fmt: skip
def test_placeholders(command: str, filled: str) -> None:
    told = {"cmd": command, "pwd": "sub", "inputs": [".", "a", "b/*"], "extra_inputs": ["c"],
            "outputs": ["out/new"]}  # fmt: skip
    run = datalad.parse(message(told))
    assert run is not None
    files = ["sub/a", "sub/b/3", "sub/b/1 2", "sub/b/.hidden", "b/9", "sub/b/d/4"]
    assert messages.filled(run, files[:5]) == ("sh", "-c", filled)


def test_side_files_of_strangers() -> None:
    name = "0" * 32
    told = message(name)
    for content in (None, b"", b"text", lzma.compress(b"[]"), lzma.compress(b'{"cmd": "x"')):
        assert datalad.parse(told, lambda _, content=content: content) is None  # type: ignore[misc]
    bomb = lzma.compress(b'{"cmd": "' + b"x" * (64 << 20) + b'"}')
    assert datalad.parse(told, lambda _: bomb) is None
    found = datalad.parse(told, {name: lzma.compress(json.dumps(TOLD).encode())}.get)
    assert found == datalad.parse(message(TOLD))
    assert datalad.parse(message("../../etc/passwd"), lambda _: 1 / 0) is None


@needs_datalad
def test_side_files_placeholders_and_unlocked_files(
    dataset: Path, lineage: Lineage, git: Git
) -> None:
    (dataset / "raw").mkdir()
    (dataset / "raw/a b.csv").write_text("2\n1\n")
    (dataset / "raw/c.csv").write_text("3\n")
    run("save", "-m", "Raw")
    run("run", "--sidecar", "yes", "-m", "Sort it", "-i", "raw/*.csv", "-o", "out.csv",
        "sort {inputs} > {outputs}")  # fmt: skip
    git("annex", "unlock", "out.csv")
    git("commit", "-q", "-m", "Unlock")
    assert git("cat-file", "blob", "HEAD:out.csv").startswith("/annex/objects/")
    run("run", "-m", "Count", "-i", "out.csv", "-o", "count", "wc -l {inputs[0]} > {outputs}")
    assert lineage("import", "--datalad").stderr == "lineage: 2 executions imported\n"
    counted, made = (loaded(f"@{step}") for step in ("wc", "sort"))
    assert made.launch is not None and counted.launch is not None
    assert made.launch.command == ("sh", "-c", "sort 'raw/a b.csv' raw/c.csv > out.csv")
    assert made.launch.template == ("sort {inputs} > {outputs}",)
    assert {each.path for each in made.inputs} == {"raw/a b.csv", "raw/c.csv"}
    assert [(each.path, each.kept_by) for each in counted.inputs] == [("out.csv", "git-annex")]
    with gitlineage.open() as opened:
        found = opened.trace("count")
    assert [each.step for each in found.nodes if each.kind == "execution"] == ["sort", "wc"]
    git("clone", "-q", str(dataset), str(dataset.parent / "other"))
    os.chdir(dataset.parent / "other")
    # git-annex keeps the side file, whose content is not here.
    assert lineage("import", "--datalad").stderr == "lineage: 1 execution imported\n"
    subprocess.run(["git", "annex", "get", ".datalad/runinfo"], check=True, capture_output=True)
    lineage("import", "--datalad")
    assert loaded("@sort").id == made.id


def loaded(name: str) -> Execution:
    with gitlineage.open() as opened:
        return opened.execution(name)


@needs_datalad
def test_a_trace_goes_through(dataset: Path, lineage: Lineage, git: Git) -> None:
    make = ["sh", "-c", "mkdir raw; seq 10 > raw/a.csv; seq 5 > raw/b.csv"]
    lineage("run", "-q", "--step", "make", "-o", "raw", "--", *make)
    run("save", "-m", "Raw")
    run("run", "-m", "Sort it", "-i", "raw/*.csv", "-o", "out",
        "mkdir out; sort -r {inputs} > out/sorted.csv")  # fmt: skip
    run("run", "-m", "Count", "-i", "out/sorted.csv", "wc -l out/sorted.csv > count.txt")
    assert lineage("import", "--datalad").stderr == "lineage: 2 executions imported\n"
    lineage("run", "-q", "--step", "use", "--", "sh", "-c", "cat count.txt > used", "count.txt")
    with gitlineage.open() as opened:
        found = opened.trace("used")
        steps = [(each.step, each.title) for each in found.nodes if each.kind == "execution"]
        assert steps == [
            ("make", None),
            ("mkdir", "datalad run: Sort it"),
            ("wc", "datalad run: Count"),
            ("use", None),
        ]
        downward = opened.trace("raw/b.csv").nodes
        assert "use" in [each.step for each in downward if each.kind == "execution"]
    again = lineage("import", "--datalad", "HEAD~..HEAD")
    assert again.stderr == "lineage: 0 executions imported, 1 execution left out as known\n"
    mine = imported(lineage)
    git("clone", "-q", str(dataset), str(dataset.parent / "other"))
    os.chdir(dataset.parent / "other")
    lineage("import", "--datalad")
    assert imported(lineage) == mine and len(mine) == 2


def imported(lineage: Lineage) -> set[str]:
    records = map(json.loads, lineage("log", "--json").stdout.splitlines())
    return {each["id"] for each in records if each["step"] in ("mkdir", "wc")}
