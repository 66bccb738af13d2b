"""`trace` as people call it: ways between two, others who made the same, and wrong words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Git, Lineage


@pytest.fixture
def chain(repo: Path, lineage: Lineage) -> Path:
    """Return a repository where raw became half and half became end; another made half, too."""
    (repo / "raw").write_text("1\n2\n")
    lineage("run", "-q", "--step", "halve", "-i", "raw", "--", "sh", "-c", "head -n 1 raw >half")
    lineage("run", "-q", "--step", "finish", "-i", "half", "--", "sh", "-c", "cat half half >end")
    lineage("run", "-q", "--step", "again", "--", "sh", "-c", "echo 1 >other")
    return repo


def names(text: str) -> list[str]:
    """Return what each line of a tree is about."""
    return [line.strip(" \u2502\u251c\u2514\u2500").split(" ")[0] for line in text.splitlines()]


def test_between(chain: Path, lineage: Lineage) -> None:
    told = lineage("trace", "--between", "raw", "end", "--format", "tree").stdout
    assert names(told) == ["raw", "", "What", "halve", "half", "finish", "end"]
    told = lineage("trace", "--why", "raw", "end", "--up", "--format", "tree").stdout
    assert names(told) == ["end", "", "How", "finish", "half", "halve", "raw"]
    graph = json.loads(lineage("trace", "--between", "@halve", "@finish", "--json").stdout)
    assert [each["label"] for each in graph["nodes"]] == ["halve", "half", "finish"]
    assert [each["kind"] for each in graph["edges"]] == ["generated", "used"]
    told = lineage("trace", "--why", "raw", "end", "--depth", "2", "--cost", "--format", "dot")
    assert "digraph" in told.stdout
    assert "cost" in told.stderr


def test_same_content(chain: Path, lineage: Lineage) -> None:
    plain = lineage("trace", "end", "--up", "--format", "tree").stdout
    assert "+1 other made the same bytes" in plain
    told = lineage("trace", "end", "--up", "--same-content", "--format", "tree").stdout
    assert [each for each in names(told) if each in ("halve", "again")] == ["halve", "again"]
    graph = json.loads(lineage("trace", "half", "--down", "--same-content", "--json").stdout)
    others = {each["from"] for each in graph["edges"] if each.get("is_other")}
    assert [each["step"] for each in graph["nodes"] if each["id"] in others] == ["halve", "again"]


ONE = "error: trace one of TARGET, --between A B, --why A B\nhint: git lineage trace -h\n"


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (["--between", "end", "raw"], 3,
         "error: nothing leads from end to raw\n"
         "hint: it is the other way round: `git lineage trace --between raw end`\n"),
        (["--why", "raw", "other"], 3,
         "error: nothing leads from raw to other\n"
         "hint: `git lineage trace other --up` shows all that it was made from\n"),
        (["--why", "raw", "end", "--depth", "1"], 3,
         "error: nothing leads from raw to end within 1 execution\n"
         "hint: `git lineage trace end --up` shows all that it was made from\n"),
        (["--why", "half", "half"], 1,
         "error: half and half are the same: nothing is between them\n"),
        (["--why", "half", "other"], 3,
         "error: nothing leads from half to other\n"
         "hint: `git lineage trace other --up` shows all that it was made from\n"),
        (["--why", "nope", "end"], 3,
         "error: no execution knows nope\n"
         "hint: record the command that makes it: `git lineage run -- COMMAND`\n"),
        (["--between", "raw"], 2,
         "error: option '--between' requires 2 arguments\n"),
        (["--between", "raw", "end", "--why", "raw", "end"], 2,
         ONE),
        ([], 2, ONE),
        (["raw", "--between", "raw", "end"], 2,
         ONE),
    ],
)  # fmt: skip
def test_what_is_refused(
    chain: Path, lineage: Lineage, words: list[str], status: int, expected: str
) -> None:
    done = lineage("trace", *words, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", expected, status)


def test_what_people_type(chain: Path, lineage: Lineage) -> None:
    both = lineage("trace", "half", "--format", "tree").stdout
    assert lineage("trace", "half", "--up", "--down", "--format", "tree").stdout == both
    short = lineage("files", "half").stdout.split()[0]
    assert len(short) == 8
    assert names(lineage("trace", short, "--format", "tree").stdout)[0] in ("half", "other")
    assert "half" in lineage("files", short).stdout
    done = lineage("trace", "0" * 8, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        3, "error: no execution knows 00000000",
    )  # fmt: skip


def test_code_and_folders(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / "out").mkdir()
    lineage("run", "-q", "-o", "out/one", "--", "sh", "-c", "echo 1 >out/one")
    done = lineage("trace", "out", check=False)
    assert done.stderr == (
        "error: no execution knows out as a whole, only files in it\n"
        "hint: trace one of them: `git lineage files out` lists them\n"
    )
    (repo / "fit.py").write_text("pass\n")
    assert "no execution knows fit.py\n" in lineage("trace", "fit.py", check=False).stderr
    git("add", "fit.py")
    (repo / "out" / "deep").mkdir()
    done = lineage("trace", "../../fit.py", cwd=repo / "out" / "deep", check=False)
    assert done.stderr.startswith("error: ../../fit.py is code: no execution made it")
    assert "`git lineage log --commit HEAD`" in done.stderr


def test_what_may_have_been_meant(repo: Path, lineage: Lineage) -> None:
    lineage(
        "run", "-q", "--", "sh", "-c", "mkdir -p out/x; echo 1 | tee out/a.pkl out/x/a.pkl out/b"
    )
    lineage("alias", "prod", "out/b")
    meant = {
        ("trace", "a.pkl"): "did you mean out/a.pkl or out/x/a.pkl?",
        ("trace", "x/a.pkl"): "did you mean out/x/a.pkl?",
        ("files", "x/a.pkl"): "did you mean out/x/a.pkl?",
        ("trace", "prod"): "did you mean alias:prod?",
        ("show", "x/a.pkl"): "what made it: `git lineage trace out/x/a.pkl`, or",
        ("trace", "kl"): "record the command that makes it: ",
    }
    for words, hint in meant.items():
        done = lineage(*words, check=False)
        assert done.returncode == 3
        assert done.stderr.splitlines()[1].startswith(f"hint: {hint}"), words
    (repo / "out/b").write_text("edited")
    (_, hint) = lineage("trace", "out/b", check=False).stderr.splitlines()
    then = hint.rpartition("`git lineage trace ")[2].rstrip("`")
    assert lineage("trace", then).stdout == lineage("trace", "alias:prod").stdout


def test_files_are_told_by_their_paths(repo: Path, lineage: Lineage) -> None:
    command = "for n in 10 9 2 b a; do echo $n >part-$n; done"
    lineage("run", "-q", "--step", "split", "--", "sh", "-c", command)
    told = names(lineage("trace", "@split", "--all", "--depth", "1", "--format", "tree").stdout)
    assert told[-5:] == ["part-2", "part-9", "part-10", "part-a", "part-b"]
