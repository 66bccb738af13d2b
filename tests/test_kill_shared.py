"""Killed while it shares, forgets, files away or brings in: nothing is lost, nothing is twice."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from executions import killed
from sharing import git, members, record, refs, steps, sync, tag, trees
from test_forgetting import SECRET, has_secret

import gitlineage
from gitlineage.bulk.making import Chunk
from gitlineage.bulk.storing import Store
from gitlineage.packing import Pack

Pair = tuple[Path, Path]
Lineage = Callable[..., subprocess.CompletedProcess[str]]

FORGET = {
    "before the new generation is there": ("gitlineage.chains:replant", "before"),
    "when it is": ("gitlineage.chains:replant", "after"),
    "when it is known": ("gitlineage.generations:Generations.know", "after"),
    "when it is obeyed": ("gitlineage.settling:Settling.obey", "after"),
    "when the month goes on": ("gitlineage.settling:Settling.go_on", "after"),
    "while that is built": ("gitlineage.writing:Writer.set_ref", "after"),
    "while the old one is let go": ("gitlineage.settling:Settling._move", "after"),
    "before the notes": ("gitlineage.notes:Notes.forget", "before"),
    "when all is cleared": ("gitlineage.settling:Settling.clear", "after"),
}


@pytest.mark.parametrize("window", list(FORGET))
def test_forget_that_was_killed_is_done_by_the_next(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage, window: str
) -> None:
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    record(ours, "sound")
    sync(ours).push("origin")
    lineage("run", "-q", "--step", "leak", "--", "echo", SECRET, cwd=ours)
    killed(*FORGET[window], "forget", "@leak", "-y", "-m", "why", cwd=ours)
    is_begun = any("." in each for each in refs(ours, "refs/lineage/ledger"))
    git(ours, "push", "-q", "origin", "main")  # and nothing was read before it
    assert has_secret(bare_remote) == (not is_begun)
    lineage("forget", "@leak", "-y", "-m", "why", cwd=ours, check=not is_begun)
    sync(ours).push("origin")
    assert steps(ours) == ["sound"]
    assert not has_secret(ours)
    assert not has_secret(bare_remote)
    assert "leak" not in git(ours, "log", "--format=%N", "--notes=lineage", "-1")
    assert git(ours, "fsck", "--strict", "--no-dangling") == ""


FOLD = {
    "while the chain is built": ("gitlineage.writing:Writer.append", "after"),
    "when the month has it": ("gitlineage.chains:replant", "after"),
    "before a tag": ("gitlineage.tags:Tags.fold", "before"),
    "after a tag": ("gitlineage.tags:Tags.fold", "after"),
    "before it is remembered": ("gitlineage.sync.remotes:Remotes._remember", "before"),
}


@pytest.mark.parametrize("window", list(FOLD))
@pytest.mark.parametrize("verb", ["fetch", "push"])
def test_two_copies_become_one_though_killed(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage, window: str, verb: str
) -> None:
    ours, theirs = clone_pair
    for clone in clone_pair:
        lineage("init", cwd=clone)
    tag(theirs, "kept", record(theirs, "theirs"))
    sync(theirs).push("origin")
    tag(ours, "kept", record(ours, "ours"))
    git(ours, "fetch", "-q")
    killed(*FOLD[window], verb, cwd=ours)
    sync(ours).push("origin")
    for repository in (ours, bare_remote):
        assert len(trees(repository)) == len(set(trees(repository))) == 2
        assert git(repository, "fsck", "--strict", "--no-dangling") == ""
    assert steps(ours) == ["ours", "theirs"]
    assert [len(each) for each in members(ours).values()] == [2]


PUSH = {
    "before git pushes": ("gitlineage.sync.sending:Sending._tell", "before"),
    "when git has pushed": ("gitlineage.sync.sending:Sending._tell", "after"),
    "before it is noted": ("gitlineage.sync.sending:Sending._note_sent", "before"),
}


@pytest.mark.parametrize("window", list(PUSH))
def test_push_that_was_killed_while_another_is_faster(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage, window: str
) -> None:
    ours, theirs = clone_pair
    for clone in clone_pair:
        lineage("init", cwd=clone)
    record(ours, "ours")
    killed(*PUSH[window], "push", "-y", cwd=ours)
    record(theirs, "theirs")
    sync(theirs).push("origin")
    record(ours, "more")
    sync(ours).push("origin")
    assert steps(ours) == ["more", "ours", "theirs"]
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 3


def test_push_that_outlives_its_killed_pusher(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage
) -> None:
    ours, theirs = clone_pair
    for clone in clone_pair:
        lineage("init", cwd=clone)
    record(ours, "first")
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    record(ours, "ours")
    ((ref, old),) = refs(bare_remote, "refs/lineage/ledger").items()
    tip = refs(ours, ref)[ref]
    record(theirs, "theirs")
    sync(theirs).push("origin")
    sync(ours).fetch("origin")  # ours goes behind theirs; the push of what was before comes late
    late = ("push", f"--force-with-lease={ref}:{old}", "--no-verify", "origin", f"{tip}:{ref}")
    git(ours, *late, check=False)
    sync(ours).push("origin")
    assert steps(ours) == ["first", "ours", "theirs"]
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 3
    git(ours, *late, check=False)
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 3


IMPORT = {
    "before the pack is there": ("gitlineage.writing:Writer.add_pack", "before"),
    "when it is": ("gitlineage.writing:Writer.add_pack", "after"),
    "when the ref has it": ("gitlineage.writing:Writer.set_ref", "after"),
    "before the tags": ("gitlineage.tags:Tags.add", "before"),
    "before the notes": ("gitlineage.notes:Notes.add_many", "before"),
}


@pytest.mark.parametrize("window", list(IMPORT))
def test_import_that_was_killed_is_done_by_the_next(
    repo: Path, isolated: Path, lineage: Lineage, window: str
) -> None:
    for number in range(2):
        lineage("run", "-q", "-t", "kept", "--step", f"s{number}", "--", "true")
    lines = isolated / "lines"
    lines.write_text(lineage("export").stdout)
    other = isolated / "other"
    git(isolated, "clone", "-q", repo, other)
    killed(*IMPORT[window], "import", lines, cwd=other)
    lineage("import", lines, cwd=other)
    assert steps(other) == ["s0", "s1"]
    assert len(trees(other)) == len(set(trees(other))) == 2
    assert [len(each) for each in members(other).values()] == [2]
    assert not list((other / ".git/objects/pack").glob("*.keep"))
    told = git(other, "log", "-1", "--notes=lineage", "--format=%N")
    assert told.startswith("2 executions")


def test_two_import_the_same_at_once(
    repo: Path, isolated: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        lineage("run", "-q", "--step", f"s{number}", "--", "true")
    lines = lineage("export").stdout.encode().splitlines()
    other = isolated / "other"
    git(isolated, "clone", "-q", repo, other)
    start = Store.start

    def late(store: Store, chunks: Sequence[Chunk]) -> list[str]:
        monkeypatch.undo()
        with gitlineage.open(other) as faster:
            assert len(faster.import_lines(lines[:2])) == 2
        return start(store, chunks)

    monkeypatch.setattr(Store, "start", late)
    with gitlineage.open(other) as opened:
        assert len(opened.import_lines(lines)) == 1
    assert steps(other) == ["s0", "s1", "s2"]
    assert len(trees(other)) == len(set(trees(other))) == 3


def test_pack_of_an_import_that_was_killed_is_let_go(repo: Path, lineage: Lineage) -> None:
    folder = repo / ".git/objects/pack"
    names = {
        "pack-1.keep": "git-lineage\n",
        "pack-2.keep": "git-lineage\n",
        "pack-3.keep": "mine\n",
    }
    for name, content in names.items():
        (folder / name).write_text(content)
        os.utime(folder / name, (1, 1))
    (folder / "pack-2.keep").touch()
    pack = Pack("sha1")
    pack.add("blob", b"1")
    pack.write(str(folder))
    assert {each.name for each in folder.glob("pack-?.keep")} == {"pack-2.keep", "pack-3.keep"}
