"""Aliases: names for content that can be moved, and become one wherever they were moved."""

from __future__ import annotations

import json
import os
import re
from itertools import permutations
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last
from hypothesis import given
from hypothesis import strategies as st
from test_index import ADA, NOON, SOFTWARE, artifact, stored

import gitlineage
from gitlineage import encoding, errors, named
from gitlineage.index import Index
from gitlineage.records.alias import Alias


def stands_for(name: str, cwd: Path | None = None) -> str | None:
    with gitlineage.open(cwd or ".") as here:
        move = here.aliases().get(name)
        return move and move.path


def test_an_alias_is_moved_and_its_history_stays(repo: Path, lineage: Lineage) -> None:
    for name in ("one", "two"):
        (repo / name).write_text(name)
    done = lineage("alias", "model-prod", "one", "-m", "first")
    assert re.fullmatch(r"alias model-prod is one \(blake3:[0-9a-f]{8}\)\n", done.stderr)
    lineage("alias", "model-prod", "two")
    assert stands_for("model-prod") == "two"
    listed = lineage("alias", "--list", "model-prod").stdout.splitlines()
    assert [line.split("  ")[3:] for line in listed] == [
        ["two", "by Ada Lovelace"], ["one", "by Ada Lovelace", "first"]
    ]  # fmt: skip
    assert lineage("alias").stdout == listed[0] + "\n"
    assert lineage("alias", "-d", "model-prod").stderr == "deleted alias model-prod\n"
    assert lineage("alias").stdout == ""
    assert "  deleted  " in lineage("alias", "model-prod").stdout.splitlines()[0]
    gone = lineage("alias", "-d", "model-prod", check=False)
    assert (gone.returncode, gone.stderr.splitlines()[0]) == (
        3, "error: no alias is called model-prod"
    )  # fmt: skip
    lineage("alias", "model-prod", "alias:model-prod", check=False)
    lineage("alias", "model-prod", "one")
    found = [
        json.loads(line) for line in lineage("alias", "model-prod", "--json").stdout.splitlines()
    ]
    assert [each["path"] for each in found] == ["one", None, "two", "one"]
    os.unlink(repo / ".git/lineage/index.sqlite")
    again = lineage("alias", "model-prod", "--json").stdout
    assert [json.loads(line) for line in again.splitlines()] == found


@pytest.mark.parametrize("name", [
    "", " a", "a ", "-a", "a:b", "a\nb", "a\x1b[31m", "x" * 201, "\udcff", "\u202e",
])  # fmt: skip
def test_what_cannot_be_an_alias_is_refused(repo: Path, name: str) -> None:
    with gitlineage.open() as here, pytest.raises(errors.InvalidAlias):
        here.alias(name, "code.py")


@pytest.mark.parametrize(
    "name", ["../../heads/main", "a/b", "x" * 200, "HEAD", "a.lock", "mod\u00e8le"]
)
def test_no_name_becomes_a_ref(repo: Path, lineage: Lineage, git: Git, name: str) -> None:
    before = git("for-each-ref", "--format=%(refname)")
    lineage("alias", name, "code.py")
    after = git("for-each-ref", "--format=%(refname)").split("\n")
    assert [each for each in after if each not in before] == [after[-1]]
    assert after[-1].startswith("refs/lineage/ledger/")
    assert stands_for(name) == "code.py"


def test_moves_on_two_copies_become_one_and_the_later_counts(
    clone_pair: tuple[Path, Path], lineage: Lineage
) -> None:
    for number, each in enumerate(clone_pair):
        (each / f"file{number}").write_text(str(number))
        lineage("alias", "model-prod", f"file{number}", cwd=each)
    for each in (*clone_pair, clone_pair[0]):
        lineage("sync", cwd=each)
    assert [stands_for("model-prod", each) for each in clone_pair] == ["file1", "file1"]
    told = [lineage("alias", "model-prod", "--json", cwd=each).stdout for each in clone_pair]
    assert told[0] == told[1] and len(told[0].splitlines()) == 2
    # Who has seen a move moves on after it, whatever the clocks say.
    lineage("alias", "-d", "model-prod", cwd=clone_pair[0])
    lineage("sync", cwd=clone_pair[0])
    lineage("fetch", cwd=clone_pair[1])
    assert [stands_for("model-prod", each) for each in clone_pair] == [None, None]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.none() | st.sampled_from("xyz")),
        min_size=2,
        max_size=4,
    )
)
def test_in_whatever_order_moves_come_they_stand_for_the_same(
    moves: list[tuple[str, int, str | None]],
) -> None:
    records = [
        stored(
            None,
            encoding.encode(
                Alias(
                    nonce=bytes([number]),
                    name=name,
                    artifact=artifact(to, to) if to else None,
                    moved_at=NOON + at,
                    agent=ADA,
                    software=SOFTWARE,
                )
            ),
        )
        for number, (name, at, to) in enumerate(moves)
    ]
    found = []
    for order in permutations(records):
        index = Index(":memory:")
        half = len(order) // 2
        assert index.update({"refs/a": "1"}, expected={}, added=order[:half])
        assert index.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=order[half:])
        found.append([[(e.alias, e.digest, e.moved_at) for e in index.moves_of(n)] for n in "ab"])
        standing = index.aliases()
        latest = {n: index.moves_of(n)[0].digest for n in "ab" if index.moves_of(n)}
        assert {n: e.digest for n, e in standing.items()} == {n: d for n, d in latest.items() if d}
        index.close()
    assert all(each == found[0] for each in found)


def test_what_a_command_says_of_its_files_moves_aliases(repo: Path, lineage: Lineage) -> None:
    said = json.dumps({"valohai.alias": "model-latest", "rows": 3})
    script = f"echo $1 > model.bin; echo '{said}' > model.bin.metadata.json"
    for number in "12":
        lineage("run", "-q", "--", "sh", "-c", script, "sh", number)
    moves = [json.loads(line) for line in
             lineage("alias", "model-latest", "--json").stdout.splitlines()]  # fmt: skip
    assert [each["by"] for each in moves] == [
        {"kind": "execution", "id": last("@").id}, {"kind": "execution", "id": last("@~1").id}
    ]  # fmt: skip
    assert "(alias model-latest)" in lineage("show").stdout
    assert "[alias model-latest]" in lineage("trace", "model.bin", "--format", "tree").stdout
    lineage("metadata", "set", "@~1:model.bin", "valohai.alias=model-latest")
    (first, *_) = [json.loads(line) for line in
                   lineage("alias", "model-latest", "--json").stdout.splitlines()]  # fmt: skip
    assert (first["by"]["kind"], first["digest"]) == ("metadata", moves[1]["digest"])
    lineage("reproduce", "@~1")
    assert stands_for("model-latest") == "model.bin"
    assert len(lineage("alias", "model-latest").stdout.splitlines()) == 3


@given(st.text(max_size=8))
def test_spellings_are_told_apart(text: str) -> None:
    assert named.alias_in(f"alias:{text}") == text
    assert named.alias_in(f"datum://{text}") == text
    if named.is_alias(text):
        assert named.output_in(text) is None
        assert named.output_in(f"{text}:{text}") in ((text, text), None)


def test_an_alias_is_an_input(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-o", "model.bin", "--", "sh", "-c", "echo one > model.bin")
    lineage("alias", "model-prod", "model.bin")
    for spelled in ("alias:model-prod", "datum://model-prod"):
        Path("model.bin").rename("moved.bin")
        lineage("run", "-q", "-i", f"model={spelled}", "--", "cat", "moved.bin")
        (used,) = last().inputs
        assert (used.path, used.role, used.how) == ("moved.bin", "model", "declared")
        Path("moved.bin").rename("model.bin")
    Path("model.bin").write_text("other")
    gone = lineage("run", "-i", "alias:model-prod", "--", "true", check=False)
    assert (gone.returncode, gone.stderr.splitlines()[0]) == (
        125,
        "error: alias:model-prod is model.bin with content blake3:e0e63aa4c8e1, "
        "which is not in the work tree",
    )
    unknown = lineage("run", "-i", "alias:nothing", "--", "true", check=False)
    assert unknown.stderr.splitlines()[0] == "error: no alias is called nothing"


def test_a_directory_with_an_alias_is_an_input(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-o", "made", "--", "sh", "-c", "mkdir made; echo one > made/part")
    lineage("alias", "data", "made")
    lineage("run", "-q", "-i", "alias:data", "--", "true")
    assert [(each.path, each.type) for each in last().inputs] == [("made", "directory")]
