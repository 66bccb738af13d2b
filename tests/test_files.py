"""`files`: what is known by content, who had it, what directories held, what is here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import Git, Lineage

import gitlineage
from gitlineage import digest
from gitlineage.index.files import Known, below, only

WEIRD = "we\nird.txt"


@pytest.fixture
def stock(repo: Path, lineage: Lineage, git: Git) -> Path:
    """Return a repository with files that were made, used, deployed, in directories, and twice."""
    (repo / ".gitignore").write_text("*.log\nout/\n")
    git("add", ".")
    git("commit", "-q", "-m", "Begin")
    (repo / "raw.csv").write_text("1\n2\n")
    (repo / "data/sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (repo / "data" / name).write_text(f"in {name}")

    def run(step: str, *words: str) -> None:
        lineage("run", "-q", "--step", step, *words)

    run(
        "split", "-i", "raw.csv", "--", "sh", "-c", "head -n 1 raw.csv >one; tail -n 1 raw.csv >two"
    )
    run("again", "-i", "raw.csv", "--", "sh", "-c", "head -n 1 raw.csv >copy-of-one")
    run(
        "all",
        "-i",
        "data",
        "-o",
        "out",
        "--",
        "sh",
        "-c",
        "mkdir out; cat data/a >out/x; echo >out/y",
    )
    run("pick", "-i", "one", "-i", "two", "--", "sh", "-c", f"cat one two two >'{WEIRD}'")
    lineage("deploy", "shop", WEIRD, "--version", "1.2")
    return repo


def rows(lineage: Lineage, *words: str) -> list[dict[str, object]]:
    told = lineage("files", "--json", *words).stdout
    return [json.loads(line) for line in told.splitlines()]


def paths(lineage: Lineage, *words: str) -> list[object]:
    return [each["path"] for each in rows(lineage, *words)]


def test_all_by_path(stock: Path, lineage: Lineage) -> None:
    assert paths(lineage) == [
        "copy-of-one",
        "data",
        "one",
        "out",
        "out/x",
        "out/y",
        "raw.csv",
        "two",
        WEIRD,
    ]
    told = lineage("files").stdout.splitlines()
    assert [line.split("  made by ")[0].split()[-1] for line in told[:1]] == ["copy-of-one"]
    assert "used by 1" in told[1] and "data/" in told[1]
    assert "  we\\nird.txt  made by pick " in told[-1]
    assert told[-1].endswith("deployed as shop 1.2")
    assert lineage("files", "-n", "2").stdout.splitlines()[1].split()[3] == "data/"


def test_who_had_it(stock: Path, lineage: Lineage) -> None:
    (one,) = rows(lineage, "one")
    with gitlineage.open() as opened:
        split, pick = opened.resolve("@split"), opened.resolve("@pick")
        ids = {opened.resolve(f"@{step}") for step in ("split", "again")}
    assert (one["made_by"], one["step"]) == (split, "split")
    assert (one["makers_count"], one["users_count"], one["deployed_by"]) == (2, 1, [])
    (copy,) = rows(lineage, "copy-of-one")
    assert copy["made_by"] in ids - {split}
    assert copy["users_count"] == 1  # by content, whatever it was called
    (odd,) = rows(lineage, "--made-by", pick)
    assert [each["name"] for each in odd["deployed_by"]] == ["shop"]  # type: ignore[union-attr]
    (raw,) = rows(lineage, "raw.csv")
    assert (raw["made_by"], raw["makers_count"], raw["users_count"]) == (None, 0, 2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["*o*"], ["copy-of-one", "one", "out", "out/x", "out/y", "two"]),
        (["data"], ["data"]),
        (["data/sub"], ["data/sub"]),
        (["data/sub/c"], ["data/sub/c"]),
        (["."], ["copy-of-one", "data", "one", "out", "out/x", "out/y", "raw.csv", "two", WEIRD]),
        (["one", "o*"], ["one", "out", "out/x", "out/y"]),
        (["data@@all"], ["data/a", "data/b", "data/sub/c"]),
        (["data/sub@@all"], ["data/sub/c"]),
        (["out@@~1"], ["out/x", "out/y"]),
        (["--made-by", "@split"], ["one", "two"]),
        (["--used-by", "@pick"], ["one", "two"]),
        (["--used-by", "shop"], [WEIRD]),
        (["--deployed"], [WEIRD]),
        (["--made-by", "@again", "--used-by", "@pick"], ["copy-of-one"]),
        (["--made-by", "@split", "t*"], ["two"]),
        (["--made-by", "@split", "--deployed"], []),
        (["-n", "0"], []),
        (["nothing-*"], []),
    ],
)
def test_what_is_chosen(
    stock: Path, lineage: Lineage, words: list[str], expected: list[str]
) -> None:
    assert paths(lineage, *words) == expected


def test_a_digest_and_its_beginning(stock: Path, lineage: Lineage) -> None:
    (one,) = rows(lineage, "one")
    digest = str(one["digest"])
    assert paths(lineage, digest) == ["copy-of-one", "one"]
    assert paths(lineage, digest[:15]) == ["copy-of-one", "one"]


def test_parts_of_directories_say_who_had_them(stock: Path, lineage: Lineage) -> None:
    with gitlineage.open() as opened:
        id = opened.resolve("@all")
    (part,) = rows(lineage, "data/a")
    assert (part["made_by"], part["users_count"]) == (None if part["size"] == 0 else id, 1)
    (made,) = rows(lineage, "out/x")
    assert (made["made_by"], made["makers_count"], made["step"]) == (id, 1, "all")
    held = rows(lineage, "out@@all")
    assert [each["made_by"] for each in held] == [id, id]


def test_parts_of_directories_that_nobody_had_alone(repo: Path) -> None:
    from test_trace import Ledger

    ledger = Ledger(repo)
    ledger.run("maker", 0, 1, makes="d={p=1,s/q=2}")
    ledger.run("user", 2, 3, uses="d={p=1,s/q=2}")
    ledger.run("later", 4, 5, uses="d={p=3,s/q=2}")
    ledger.run("other", 6, 7, uses="e={s={r=9}}")
    index = ledger.fed()
    found = index.described(index.files_inside("d/s/q"))
    assert [(each.made_by, each.step) for each in found] == [(ledger.ids["maker"], "maker")]
    assert (found[0].makers_count, found[0].users_count, found[0].type) == (1, 2, "file")
    parts = index.files_inside("d/p")
    assert len(parts) == 2
    assert parts[0].last_at > parts[1].last_at
    assert [each.users_count for each in index.described(parts)] == [1, 1]
    assert [each.type for each in index.files_inside("d/s")] == ["directory"]
    assert index.files_inside("d/nope") == index.files_inside("nope/p") == []


def test_only_names(stock: Path, lineage: Lineage) -> None:
    done = subprocess.run(
        ["git", "lineage", "files", "-z", "--used-by", "@pick"], capture_output=True, check=True
    )
    assert done.stdout == b"one\0two\0"
    done = subprocess.run(["git", "lineage", "files", "-z"], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[-2] == os.fsencode(WEIRD)


def test_names_that_are_not_text(repo: Path, lineage: Lineage) -> None:
    name = os.fsdecode(b"d\xff/f\xfe")
    os.mkdir(os.fsdecode(b"d\xff"))
    lineage("run", "-q", "--", "sh", "-c", "echo >$(printf 'd\\377/f\\376')")
    (repo / "a[1].txt").write_text("x")
    lineage("run", "-q", "-i", "a[1].txt", "--", "true")
    for words in ([], [name], [os.fsdecode(b"d\xff")], ["--", "d*"]):
        done = subprocess.run(
            ["git", "lineage", "files", "-z", *words], capture_output=True, check=True
        )
        assert done.stdout.endswith(b"d\xff/f\xfe\0"), words
    assert paths(lineage, "a[1].txt") == ["a[1].txt"]
    assert "d\\xff/f\\xfe" in lineage("files").stdout


def test_here(stock: Path, lineage: Lineage) -> None:
    (stock / "two").write_text("changed")
    (stock / "one").unlink()
    (stock / "new").write_text("new")
    (stock / "twin").write_bytes((stock / "copy-of-one").read_bytes())
    (stock / "x.log").write_text("ignored")
    stood = {str(each["path"]): each["state"] for each in rows(lineage, "--here")}
    assert stood == {
        "copy-of-one": "recorded",
        "data": "recorded",
        "new": "unknown",
        "out": "recorded",
        "out/x": "recorded",
        "out/y": "recorded",
        "raw.csv": "recorded",
        "twin": "recorded",
        "two": "changed",
        WEIRD: "recorded",
    }
    (two,) = rows(lineage, "--here", "two")
    (before,) = rows(lineage, "--made-by", "@split", "two")
    assert two["recorded_digest"] == before["digest"] != two["digest"]
    (stock / "data/sub/c").write_text("changed")
    (stock / "data/more").write_text("more")
    assert [(e["path"], e["state"]) for e in rows(lineage, "--here", "data")] == [
        ("data", "changed")
    ]
    assert [e["state"] for e in rows(lineage, "--here", "x.log")] == ["unknown"]
    told = lineage("files", "--here", "two").stdout
    assert told.split()[0] == "changed"
    assert f"was {str(before['digest'])[7:15]}, made by split" in told


def test_from_a_folder_below(
    stock: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stock / "data")
    assert paths(lineage, ".") == ["data"]
    assert paths(lineage, "../one") == ["one"]
    assert paths(lineage, "--here", "../o*") == ["one", "out", "out/x", "out/y"]
    assert paths(lineage, "sub@@all") == ["data/sub/c"]


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (["nope"], 3, "error: no execution knows nope\n"
         "hint: record the command that makes it: `git lineage run -- COMMAND`\n"),
        (["data@nope"], 3, "error: no execution or tag is called nope\n"
         "hint: run `git lineage log` to see what there is, or `git lineage fetch` to get the "
         "team's\n"),
        (["nope@@"], 3, "error: nope in execution "),
        (["blake3:ffffffff"], 3, "error: no execution knows blake3:ffffffff\n"),
        (["--made-by", "shop"], 3, "error: no execution or tag is called shop\n"),
        (["--here", "--deployed"], 2,
         "error: --here takes no --made-by, --used-by, --deployed\nhint: git lineage files -h\n"),
        (["--", "-x"], 3, "error: no execution knows -x\n"),
    ],
)  # fmt: skip
def test_what_is_refused(
    stock: Path, lineage: Lineage, words: list[str], status: int, expected: str
) -> None:
    done = lineage("files", *words, check=False)
    assert done.stdout == ""
    assert done.stderr.startswith(expected)
    assert done.returncode == status


def test_here_needs_a_work_tree(bare_remote: Path, lineage: Lineage) -> None:
    done = lineage("files", "--here", cwd=bare_remote, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: this repository has no work tree: ")
    assert lineage("files", cwd=bare_remote).stdout == ""


def test_more_than_a_page(repo: Path) -> None:
    """Feed the index by hand: 1,200 paths, in an order that is not that of paths."""
    from test_trace import Ledger

    ledger = Ledger(repo)
    names = [f"f{number * 7 % 1200:04d}" for number in range(1200)]
    for start in range(0, 1200, 100):
        ledger.run(f"e{start}", start, start + 1, makes=" ".join(names[start : start + 100]))
    index = ledger.fed()
    found: list[Known] = []
    for position in below("f"):
        while some := index.files_from(position, 500):
            found += some
    assert [each.path for each in found] == sorted(names)
    assert all(each.makers_count == 1 for each in index.described(found[:300]))


def test_many_of_one_path_are_told_from_the_last_on(repo: Path) -> None:
    from test_trace import Ledger

    ledger = Ledger(repo)
    for number in range(30):
        ledger.run(f"e{number}", number, number + 0.5, makes=f"m={number}")
        ledger.run(f"u{number}", number + 0.6, number + 0.7, uses=f"m={number}")
    index = ledger.fed()
    position = only("m")
    found = [each for _ in range(20) for each in index.files_from(position, 7)]
    assert [each.step for each in index.described(found)] == [f"e{29 - at}" for at in range(30)]
    assert {each.users_count for each in index.described(found)} == {1}


def test_empty_files_are_told_by_path(repo: Path) -> None:
    from test_trace import Ledger

    ledger = Ledger(repo)
    ledger.run("one", 0, 1, makes="a/_SUCCESS=")
    ledger.run("two", 2, 3, makes="b/_SUCCESS=")
    ledger.run("user", 4, 5, uses="a/_SUCCESS= c/_SUCCESS=")
    index = ledger.fed()
    found = index.described(index.files_at(["a/_SUCCESS", "b/_SUCCESS", "c/_SUCCESS"]))
    told = {each.path: (each.step, each.makers_count, each.users_count) for each in found}
    assert told == {
        "a/_SUCCESS": ("one", 1, 1), "b/_SUCCESS": ("two", 1, 0), "c/_SUCCESS": (None, 0, 1),
    }  # fmt: skip


def test_log_knows_what_is_in_folders(repo: Path, lineage: Lineage) -> None:
    def run(step: str, command: str, *options: str) -> None:
        lineage("run", "-q", "--step", step, *options, "--", "sh", "-c", command)

    run("make", "mkdir -p d/e; echo 2 > d/e/2.csv; echo 1 > d/1.csv")
    run("use", "cat d/*.csv > m", "-i", "d")
    run("fill", "mkdir o; cp d/1.csv o/x; echo 5 > o/y", "-o", "o")
    run("touch", "touch o/z", "-i", "o", "-o", "o")
    run("one", "true", "-i", "o/y")
    whole = digest.of_text(digest.of_bytes(b"2\n"))
    fits = {
        ("--uses", "d/e/2.csv"): ["use"],
        ("--uses", whole): ["use"],
        ("--uses", whole[7:15]): ["use"],
        ("--uses", whole[:12]): ["use"],
        ("--uses", "@make:d/e/2.csv"): ["use"],
        ("--uses", "o/y"): ["one", "touch"],
        ("--uses", "d/e/nope"): [],
        ("--produces", "o/y"): ["fill"],
        ("--produces", "@make:d/1.csv"): ["fill", "use", "make"],
        ("--produces", whole): ["make"],
    }
    for words, steps in fits.items():
        found = lineage("log", "--json", *words).stdout.splitlines()
        assert [json.loads(each)["step"] for each in found] == steps, words
    refused = lineage("log", "--uses", "blake3:12345678", check=False)
    assert refused.returncode == 3
    assert refused.stderr.startswith("error: there is no file blake3:12345678, ")
