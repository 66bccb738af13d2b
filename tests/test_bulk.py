"""Many records at once: the same ids and objects as one by one, all of a batch or none."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Git
from test_ledger import ADA

import gitlineage
from gitlineage import bulk
from gitlineage.bulk.storing import Store
from gitlineage.errors import InvalidLine
from gitlineage.ledger import Ledger
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software
from gitlineage.writing import Writer

COUNT = 60


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches of 40 of chunks of 10."""
    monkeypatch.setattr(bulk, "TOGETHER", 40)
    monkeypatch.setattr(bulk, "CHUNK", 10)


def made(
    count: int = COUNT, commit: str | None = None, **launch: object
) -> Iterator[tuple[Launch, End]]:
    for number in range(count):
        yield (
            Launch(
                nonce=bytes([number]) * 16,
                command=("python", f"train {number}.py", "naïve"),
                directory=".",
                step="train",
                started_at=1_700_000_000_000_000 + number,
                agent=Agent(name="Ada <L>", email="ada@example.org"),
                software=Software(name="x", version="1"),
                place=Place(host="a"),
                code=Code(commit=commit),
                parameters={"rate": number / 7, "odd": float("nan") if number == 7 else {"$": 1}},
                **launch,
            ),
            End(
                execution="",
                status="succeeded",
                duration=number,
                metadata={"loss": 1 / (1 + number)},
            ),
        )


def trees(git: Git) -> set[str]:
    return set(
        git("log", "--format=%T %an <%ae> %ad%n%B", "--glob=refs/lineage/ledger/*").split("\n\n\n")
    )


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_many_are_what_one_by_one_are(git: Git, isolated: Path, algorithm: str) -> None:
    for name in ("many", "single"):
        git("init", "-q", f"--object-format={algorithm}", name)
    with gitlineage.open("many") as many, gitlineage.open("single") as single:
        ids = many.append_all(made())
        assert ids == [single.append(*each).id for each in made()]
    shown = ("log", "--format=%T %an <%ae> %ad%n%B", "--glob=refs/lineage/ledger/*")
    assert git(*shown, cwd=Path("many")) == git(*shown, cwd=Path("single"))
    assert git("fsck", "--strict", "--no-dangling", cwd=Path("many")) == ""
    assert not list(Path("many/.git/objects/pack").glob("*.keep"))


def test_what_is_alike_is_imported_as_deltas(repo: Path, git: Git) -> None:
    with gitlineage.open() as here:
        here.append_all(made())
    indexes = map(str, Path(".git/objects/pack").glob("*.idx"))
    lines = [each.split() for each in git("verify-pack", "-v", *indexes).splitlines()]
    found = {
        kind: [each for each in lines if each[1:2] == [kind]] for kind in ("blob", "commit", "tree")
    }
    deltas = {kind: sum(len(each) > 5 for each in some) for kind, some in found.items()}
    # Of five records one of each size is whole.
    assert deltas["blob"] > len(found["blob"]) / 4
    assert deltas["commit"] > len(found["commit"]) / 2
    assert deltas["tree"] == 0
    assert {each[5] for some in found.values() for each in some if len(each) > 5} == {"1"}
    git("gc", "-q", "--prune=now")
    assert git("fsck", "--strict") == ""


def test_gc_makes_differences_of_what_was_imported_at_once(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "TOGETHER", 100)
    with gitlineage.open() as here:
        here.append_all(made(100))
    git("gc", "-q")
    (index,) = Path(".git/objects/pack").glob("*.idx")
    lines = [each.split() for each in git("verify-pack", "-v", str(index)).splitlines()]
    blobs = [each for each in lines if each[1:2] == ["blob"]]
    # With a depth and what it is based on; records as small as these are worth none.
    assert sum(len(each) > 5 for each in blobs) > len(blobs) / 3


def test_what_is_exported_is_imported(git: Git, isolated: Path) -> None:
    for name in ("here", "there"):
        git("init", "-q", name)
    with gitlineage.open("here") as here, gitlineage.open("there") as there:
        ids = here.append_all(made(tags=("sweep",)))
        here.append(
            next(made(1))[0].replace(nonce=b"y"), End(execution="", status="failed"), b"\xfe\n"
        )
        written = list(here.export_lines())
        assert len(there.import_lines(line.encode() for line in written)) == COUNT + 1
        assert list(there.export_lines()) == written
        assert there.import_lines(line.encode() for line in written) == []
        assert set(there.tags()["sweep"]) == set(here.tags()["sweep"]) == set(ids)
        assert there.output(there.resolve("@~60")) in (b"", b"\xfe\n")
        assert [json.loads(line)["end"]["execution"] for line in here.export_lines(ids[:2])] == ids[
            :2
        ]


def test_tags_are_those_of_now(git: Git, isolated: Path) -> None:
    for name in ("here", "there"):
        git("init", "-q", name)
    with gitlineage.open("here") as here, gitlineage.open("there") as there:
        first, second, *_ = here.append_all(made(tags=("sweep",)))
        here.tag("best", [first])
        here.untag("sweep", [second])
        assert there.import_lines(line.encode() for line in here.export_lines([first, second]))
        assert {name: set(ids) for name, ids in there.tags().items()} == {
            "best": {first},
            "sweep": {first},
        }
        (line,) = here.export_lines([first])
        odd = json.dumps({**json.loads(line), "tags": ["a\nb"]}).encode()
        with pytest.raises(InvalidLine, match=r"^line 1: "):
            there.import_lines([odd])


def test_a_line_that_is_none_is_named(repo: Path) -> None:
    with gitlineage.open() as here:
        fields = {"command": ["a"], "step": "a", "place": {"host": "a"}}
        half = {**fields, "agent": {"name": "", "email": ""}}
        good = [
            json.dumps(
                {"launch": {**half, "started_at": n}, "end": {"status": "succeeded"}}
            ).encode()
            for n in range(55)
        ]
        with pytest.raises(InvalidLine, match=r"^line 52: not JSON") as caught:
            here.import_lines([*good[:51], b"x", *good[51:]])
        # Of the first batch all are there, of the second none.
        assert (caught.value.facts["appended"], len(here.executions())) == (40, 40)


def test_secrets_are_masked(repo: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    with gitlineage.open() as here:
        launch, end = next(made(1))
        others = list(made())[1:]
        launch = launch.replace(parameters={"password": "hunter2hunter2"})
        end = end.replace(metadata={"said": secret})
        (first, *_) = here.append_all([(launch, end), *others])
        found = here.execution(first)
        assert found.launch and found.end
        assert secret not in str(found) and "hunter2hunter2" not in str(found)
        assert {each.where for each in (*found.launch.masked, *found.end.masked)} == {
            "the parameters",
            "the metadata",
        }
        assert here.append(launch, end).id == first


def test_what_others_append_meanwhile_stays(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, others = Writer.add_pack, itertools.count()

    def slowly(writer: Writer, pack: object) -> object:
        kept = add(writer, pack)
        if next(others) < 2:
            parts = {"record": b"%d" % next(others)}
            Ledger(writer._repository).append(parts, "x\n", ADA)
        return kept

    monkeypatch.setattr(Writer, "add_pack", slowly)
    with gitlineage.open() as here:
        ids = here.append_all(made())
        assert {each.id for each in here.executions()} == set(ids)
    assert len(git("log", "--format=%H", "--glob=refs/lineage/ledger/*").split()) == COUNT + 1
    assert git("fsck", "--strict", "--no-dangling") == ""
    assert not list(Path(".git/objects/pack").glob("*.keep"))


def test_notes_have_the_newest(repo: Path, git: Git) -> None:
    commit = git("rev-parse", "HEAD").strip()
    with gitlineage.open() as here:
        ids = here.append_all(made(commit=commit))
        note = git("notes", "--ref=lineage", "show", commit).splitlines()
        assert note[0] == f"{COUNT} executions"
        assert [line[:8] for line in note[1:-1]] == [each[:8] for each in ids[::-1][:10]]
        assert note[-1] == f"and {COUNT - 10} earlier"
        here.append_all([(launch.replace(nonce=b"z"), end) for launch, end in made(1, commit)])
    assert (
        git("notes", "--ref=lineage", "show", commit).splitlines()[0] == f"{COUNT + 1} executions"
    )


def test_killed_before_the_ref_moves_nothing_is_there(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Writer, "set_ref", lambda *_: 1 / 0)
    with gitlineage.open() as here:
        with pytest.raises(ZeroDivisionError):
            here.append_all(made())
        assert here.executions() == []
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_special_repositories_are_left_to_git(repo: Path, git: Git) -> None:
    git("config", "core.sharedRepository", "group")
    with gitlineage.open() as here:
        ids = here.append_all(made())
        assert [each.id for each in here.executions()] == ids[::-1]
    assert not list(Path(".git/objects/pack").glob("*.keep"))
    assert all(each.stat().st_mode & 0o040 for each in Path(".git/objects/pack").iterdir())


def test_a_store_that_has_nothing_to_append(repo: Path) -> None:
    with gitlineage.open() as here, Store(here.repository) as store:
        assert (store.start([]), store.finish()) == ([], [])
