"""Byte-identical copies: each has a maker and a place in a trace of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Lineage

MADE = ["made", "one", "copy", "two", "again", "three", "read", "end"]


@pytest.fixture
def copied(repo: Path, lineage: Lineage) -> Path:
    """Return a repository where one was made, copied to two, that to three, and three was read."""

    def run(step: str, source: str, target: str, command: str) -> None:
        inputs = ["-i", source] * bool(source)
        lineage("run", "-q", "--step", step, *inputs, "-o", target, "--", "sh", "-c", command)

    run("made", "", "one", "echo 1 >one")
    run("copy", "one", "two", "cp one two")
    run("again", "two", "three", "cp two three")
    run("read", "three", "end", "cat three three >end")
    return repo


def names(text: str) -> list[str]:
    """Return what each line of a tree is about, without headings."""
    words = [line.strip(" \u2502\u251c\u2514\u2500").split(" ")[0] for line in text.splitlines()]
    return [each for each in words if each not in ("", "How", "What")]


def test_each_copy_has_its_maker_and_its_users(copied: Path, lineage: Lineage) -> None:
    def told(*words: str) -> list[str]:
        done = lineage("trace", *words, "--format", "tree")
        assert "see above" not in done.stdout
        assert done.stderr == ""
        return names(done.stdout)

    assert told("end") == MADE[::-1]
    assert told("one") == ["one", *MADE[:1], *MADE[2:]]
    assert told("two") == ["two", "copy", "one", "made", *MADE[4:]]
    assert told("one", "--down", "--depth", "1")[:3] == ["one", "copy", "two"]
    assert told("two", "--up") == ["two", "copy", "one", "made"]
    assert told("--between", "one", "three") == MADE[1:6]
    assert told("--why", "@made", "two") == MADE[:4]
    assert told("--between", "one", "end", "--up") == MADE[:0:-1]
    assert told("two", "--same-content") == told("two")


def test_no_arrow_leads_back(copied: Path, lineage: Lineage) -> None:
    graph = json.loads(lineage("trace", "two", "--json").stdout)
    nodes = [each["id"] for each in graph["nodes"]]
    assert [each["label"] for each in graph["nodes"]] == MADE
    assert all(nodes.index(e["from"]) < nodes.index(e["to"]) for e in graph["edges"])
    content = [each for each in nodes if each.startswith("blake3:")]
    assert len(content[1]) == 71, "what was asked for has the digest alone"
    assert content[0] == content[1] + ":one"
    assert [each["label"] for each in graph["nodes"] if each.get("is_target")] == ["two"]


def test_which_way(copied: Path, lineage: Lineage) -> None:
    done = lineage("trace", "--between", "three", "one", check=False)
    assert "it is the other way round" in done.stderr
    assert "are the same" in lineage("trace", "--why", "two", "two", check=False).stderr


def test_a_copy_does_not_make_its_source(repo: Path, lineage: Lineage) -> None:
    (repo / "raw").write_text("1\n")
    lineage("run", "-q", "--step", "copy", "-i", "raw", "-o", "two", "--", "cp", "raw", "two")
    made = {
        each["path"]: each["step"]
        for each in map(json.loads, lineage("files", "--json").stdout.splitlines())
    }
    assert made == {"raw": None, "two": "copy"}
    tree = lineage("trace", "raw", "--format", "tree").stdout
    assert names(tree) == ["raw", "copy", "two"]
    assert "How it was made" not in tree
