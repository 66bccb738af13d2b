"""Whether what is broken on purpose is found, and what is sound is not blamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Git, Lineage
from sharing import git as at
from sharing import sync

import gitlineage
from gitlineage import encoding
from gitlineage.commits import Identity, NewCommit
from gitlineage.records.end import End
from gitlineage.verify import Problem, Verified

MONTHS = "refs/lineage/ledger"


@pytest.fixture
def three(repo: Path, lineage: Lineage, git: Git) -> list[str]:
    """Return the ledger commits of three executions, oldest first, as loose objects."""
    for name in ("a", "b", "c"):
        lineage("run", "-q", "--step", name, "--", "echo", name)
    return git("rev-list", "--reverse", f"--glob={MONTHS}").split()


def verified() -> Verified:
    with gitlineage.open() as here:
        return here.verify()


def told() -> list[tuple[str, str]]:
    return [(each.kind, each.where) for each in verified().problems]


def loose(name: str) -> Path:
    path = Path(".git/objects") / name[:2] / name[2:]
    path.chmod(0o644)
    return path


def object_of(git: Git, name: str) -> Path:
    return loose(git("rev-parse", name).strip())


def test_what_is_sound(repo: Path, lineage: Lineage, three: list[str]) -> None:
    lineage("tag", "best", "@")
    lineage("metadata", "set", "@", "quality=1")
    done = lineage("verify")
    assert (done.stdout, done.stderr) == ("", "lineage: 4 records in 1 month: all sound\n")
    assert json.loads(lineage("verify", "--json").stdout) == {
        "is_sound": True, "records_count": 4, "segments_count": 1, "redacted_count": 0,
        "absent_code_count": 0, "problems": [],
    }  # fmt: skip


def test_nothing_recorded_is_sound(repo: Path, lineage: Lineage) -> None:
    assert lineage("verify").stderr == "lineage: 0 records in 0 months: all sound\n"


@pytest.mark.parametrize("part", ["launch", "record"])
@pytest.mark.parametrize("spoil", [os.remove, lambda path: path.write_bytes(b"x" * 40)])
def test_a_part_that_cannot_be_read_hides_no_other(
    repo: Path, lineage: Lineage, git: Git, three: list[str], part: str,
    spoil: Callable[[Path], object],
) -> None:  # fmt: skip
    spoil(object_of(git, f"{three[1]}:{part}"))
    done = lineage("verify", check=False)
    assert done.returncode == 4
    found = verified()
    assert (found.records_count, found.is_sound) == (3, False)
    assert found.problems[0] == Problem(
        kind="damaged", where=three[1], reason=f"its part {part} cannot be read"
    )
    assert "Traceback" not in done.stderr


def refs(git: Git) -> list[str]:
    return git("for-each-ref", "--format=%(refname)", MONTHS).split()


def test_a_log_that_is_gone(repo: Path, lineage: Lineage, git: Git, three: list[str]) -> None:
    name = git("rev-parse", f"{three[0]}:log").strip()
    loose(name).unlink()
    assert [(each.kind, each.reason) for each in verified().problems] == [
        ("missing", f"object {name} is not there")
    ]


def test_a_chain_that_breaks_off(repo: Path, git: Git, three: list[str]) -> None:
    loose(three[1]).unlink()
    (ref,) = refs(git)
    found = verified()
    assert ("missing", ref) in [(each.kind, each.where) for each in found.problems]
    assert found.records_count == 1


def append(ref: str, files: dict[str, bytes], at: int) -> str:
    who = Identity(name="a", email="a@b", at=at)
    with gitlineage.open() as here:
        new = NewCommit(files=files, message="x\n", author=who, committer=who)
        (made,) = here.repository.writer.append(ref, here.repository.tips(ref)[ref], [new]) or ()
    return made


def parts(git: Git, name: str) -> dict[str, bytes]:
    with gitlineage.open() as here:
        found = here.repository.contents([f"{name}:launch", f"{name}:record"])
    return {part: each for part, each in zip(("launch", "record"), found, strict=True) if each}


def test_records_that_are_not_what_they_say(repo: Path, git: Git, three: list[str]) -> None:
    (ref,) = refs(git)
    own, other = parts(git, three[0]), parts(git, three[1])
    now = int(git("show", "-s", "--format=%ct", three[2]))
    end = encoding.decode(End, own["record"])
    odd = encoding.pack({"format": 1, "kind": "odd"})
    swapped = append(ref, {**own, "record": other["record"]}, now)
    newer = append(ref, {**own, "record": encoding.encode(end.replace(format=99))}, now)
    strange = append(ref, {"record": odd}, now)
    early = append(ref, own, 86_400)
    for odd_name in ("2026-13", "0000-01", "2026-13x"):
        git("update-ref", f"{MONTHS}/{odd_name}", three[0])
    assert sorted(told()) == sorted([
        ("damaged", swapped), ("newer", newer), ("damaged", strange), ("damaged", early),
        *(("damaged", f"{MONTHS}/{name}") for name in ("2026-13", "0000-01", "2026-13x")),
    ])  # fmt: skip


def test_code_that_is_gone_and_code_that_was_not_fetched(
    clone_pair: tuple[Path, Path], lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = clone_pair
    (ours / "new.py").write_text("1\n")
    lineage("run", "-q", "--", "true", cwd=ours)
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    monkeypatch.chdir(theirs)
    found = verified()
    assert (found.is_sound, found.absent_code_count) == (True, 1)
    monkeypatch.chdir(ours)
    (tip,) = at(ours, "for-each-ref", "--format=%(objectname)", "refs/lineage/code").split()
    tree = at(ours, "rev-parse", f"{tip}^2^{{tree}}").strip()
    loose(tree).unlink()
    assert not verified().is_sound


def test_a_tag_on_what_is_not_here(repo: Path, lineage: Lineage, three: list[str]) -> None:
    lineage("tag", "best", "@")
    with gitlineage.open() as here:
        (tip,) = here.repository.tips("refs/lineage/tags").values()
        ledgers = here.repository.tips(MONTHS)
        for name, commit in ledgers.items():
            here.repository.writer.set_ref(name, three[0], commit)
    found = verified()
    assert [(each.kind, each.where) for each in found.problems] == [
        ("elsewhere", "refs/lineage/tags/best")
    ]
    assert found.is_sound and tip
