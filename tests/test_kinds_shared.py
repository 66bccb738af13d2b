"""From and into every kind of repository lineage is shared: one story, by libgit2 and without."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import Git, Lineage
from kinds import (
    Kind,
    borrowing,
    cloned,
    linked,
    packed,
    reftable,
    sha256,
    shared,
    sparse_index,
)
from repositories import BACK_ENDS
from sharing import Trace, record

import gitlineage
from gitlineage import writing
from gitlineage.library import Library
from gitlineage.lineage.whole import Lineage as Door

ACCEPTED: dict[str, Kind] = {
    "linked": linked, "packed": packed, "borrowing": borrowing, "group": shared,
    "sparse": sparse_index, "shallow": cloned("--depth=1"),
    "blobless": cloned("--filter=blob:none"), "treeless": cloned("--filter=tree:0"),
}  # fmt: skip
REFUSED: dict[str, Kind] = {"sha256": sha256, "reftable": reftable}
"""What libgit2 does not open."""

TELLINGS = [
    *(pytest.param(each, name, id=f"{kind} by the {name}")
      for kind, each in ACCEPTED.items() for name in BACK_ENDS),
    *(pytest.param(each, "library", id=f"{kind} in spite of the library")
      for kind, each in REFUSED.items()),
]  # fmt: skip


def told(door: Door) -> Mapping[str, object]:
    """Return what a reader is told, without what differs from one telling to the next."""
    found = door.executions()
    trace = door.trace("result")
    verified = door.verify()
    return {
        "log": [(each.launch.step, each.status, each.tags) for each in found if each.launch],
        "outputs": [[each.path for each in execution.outputs] for execution in found],
        "inputs": [[each.path for each in execution.inputs] for execution in found],
        "printed": [door.output(each.id) for each in found],
        "trace": sorted((each.kind, each.label) for each in trace.nodes),
        "edges": len(trace.edges),
        "sound": (verified.is_sound, verified.records_count),
        "tags": {name: len(members) for name, members in door.tags().items()},
    }


TOLD = {
    "log": [("use", "succeeded", ("good",)), ("make", "succeeded", ())],
    "outputs": [["result"], ["model"]],
    "inputs": [["model"], []],
    "printed": [b"used\n", b"made\n"],
    "trace": [("artifact", "model"), ("artifact", "result"), ("execution", "make"),
              ("execution", "use")],
    "edges": 3,
    "sound": (True, 2),
    "tags": {"good": 1},
}  # fmt: skip


@pytest.mark.parametrize(("kind", "back_end"), TELLINGS)
def test_the_story_is_the_same_everywhere(
    kind: Kind,
    back_end: str,
    repo: Path,
    git: Git,
    isolated: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "LIBRARY_AFTER", 0)
    if back_end == "executable":
        monkeypatch.setattr(Library, "of", lambda *_: False)
    here = kind(repo, git, monkeypatch)
    remote = isolated / "remote.git"
    if not remote.exists():
        git("clone", "-q", "--bare", here, remote)
        if "origin" not in git("remote", cwd=here).split():
            git("remote", "add", "origin", remote, cwd=here)
        git("remote", "set-url", "origin", remote, cwd=here)
        git("fetch", "-q", cwd=here)
    monkeypatch.chdir(here)
    with gitlineage.open() as door:
        door.run(["sh", "-c", "echo made; echo 1 > model"], step="make", outputs=["model"])
        door.run(["sh", "-c", "echo used; cat model model > result"], step="use",
                 inputs=["model"], outputs=["result"])  # fmt: skip
        door.tag("good")
        assert told(door) == TOLD
        sent = door.push()
        assert (sent.records_count, sent.tags_count, sent.warnings) == (2, 1, ())
        written = door.repository.library
        executions = door.executions()
    is_refused = back_end == "executable" or kind in REFUSED.values()
    assert bool(written) is not is_refused
    git("clone", "-q", remote, isolated / "reader")
    monkeypatch.chdir(isolated / "reader")
    Path("model").write_text("1\n")
    Path("result").write_text("1\n1\n")
    with gitlineage.open() as door:
        door.fetch()
        assert told(door) == TOLD
        assert door.executions() == executions
        door.export_code("@", str(isolated / "code"))
        assert (isolated / "code/code.py").read_text() == (here / "code.py").read_text()
        record(isolated / "reader", "theirs")
        assert door.push().records_count == 1
    monkeypatch.chdir(here)
    with gitlineage.open() as door:
        assert door.fetch().warnings == ()
        assert {each.launch.step for each in door.executions() if each.launch} == {
            "make", "use", "theirs",
        }  # fmt: skip
        assert door.verify().is_sound
    git("fsck", "--strict", "--no-dangling", cwd=remote)


# -- partial clones ------------------------------------------------------------------------------


@pytest.fixture
def crowded(repo: Path, git: Git, isolated: Path) -> Path:
    """Return a remote with six executions, each of code of its own that no branch has."""
    remote = isolated / "remote.git"
    for number in range(3):
        (repo / f"folder{number}").mkdir()
        (repo / f"folder{number}/file").write_text(f"{number}")
        git("add", ".")
        git("commit", "-q", "-m", f"{number}")
    git("clone", "-q", "--bare", repo, remote)
    for setting in ("allowFilter", "allowAnySHA1InWant"):
        git("config", f"uploadpack.{setting}", "true", cwd=remote)
    git("remote", "add", "origin", remote)
    git("fetch", "-q")
    more(repo, 6)
    return remote


def more(repo: Path, count: int) -> None:
    with contextlib.chdir(repo), gitlineage.open() as door:
        for _ in range(count):
            number = len(door.executions())
            (repo / "code.py").write_text(f"ad hoc {number}")
            (repo / f"new{number}.py").write_text(f"new {number}")
            made = f"rm -r out; mkdir out; echo {number} > out/file; echo '{{\"a\": {number}}}'"
            door.run(["sh", "-c", made], tags=[f"t{number}"], outputs=["out"])
        door.push()


@pytest.mark.parametrize("what", ["blob:none", "tree:0"])
def test_nothing_is_fetched_one_by_one_into_a_partial_clone(
    what: str, crowded: Path, repo: Path, git: Git, lineage: Lineage, isolated: Path
) -> None:
    partial = isolated / "partial"
    git("clone", "-q", f"--filter={what}", crowded.as_uri(), partial)
    lineage("init", cwd=partial)
    number = 0

    def connections(*words: str | Path) -> int:
        nonlocal number
        number += 1
        with Trace(isolated / f"trace{number}") as trace:
            lineage(*words, cwd=partial)
        return len(trace.connections())

    # What was fetched with the records is all here.
    for words in (("log",), ("show",), ("output",), ("trace", "@"), ("verify",), ("status",),
                  ("metadata", "show"), ("log", "--commit", "HEAD")):  # fmt: skip
        assert connections(*words) == 0, words
    # New files, many of them: git is asked which it has, and of those that it lacks nobody else.
    many = "mkdir many; for each in $(seq 900); do echo $each > many/$each; done"
    assert connections("run", "-q", "-o", "many", "--", "sh", "-c", many) == 0
    assert connections("log") == 0
    assert connections("push", "--dry-run") <= 1  # trees of the branches, all at once
    # Code comes when it is asked for: fetched, and then what the filter has left out of it.
    for name in ("t4", "t2"):
        assert connections("code", name, "-o", isolated / name) <= 2
        assert (isolated / name / "folder1/file").read_text() == "1"
        assert connections("code", name, "-o", isolated / f"again{name}") == 0
    assert connections("diff", "t1", "t3") <= 1
    # What a plain fetch brings lacks the files, and with tree:0 the folders first.
    more(repo, 3)
    git("fetch", "-q", cwd=partial)
    assert connections("log") == (1 if what == "blob:none" else 2)
    assert connections("log", "--json") == connections("verify") == 0
    more(repo, 1)
    assert connections("fetch") == 1
    assert connections("push") <= 4  # refused, since it has no code chain yet; fetched; sent
    git("fsck", "--strict", "--no-dangling", cwd=partial)
    with gitlineage.open(partial) as door:
        assert len(door.executions()) == 11
