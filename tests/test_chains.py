"""Two copies of a chain become one that holds what either held, whoever folds into whom."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Git
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import chains
from gitlineage.chains import retry
from gitlineage.commits import Identity, NewCommit
from gitlineage.errors import RefLocked, RefMoved
from gitlineage.repository import Repository

REF = "refs/lineage/ledger/2026-11"
ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_795_424_461, zone="+0200")
YEAR_2100 = 4_102_444_800


def commit_of(text: str, at: int = ADA.at, **more: object) -> NewCommit:
    made = NewCommit(
        files={"record": text.encode()}, message=f"{text}\n", author=ADA, committer=ADA
    )
    return made.replace(**{"committer": ADA.replace(at=at), **more})


def append(repository: Repository, *texts: str, ref: str = REF) -> list[str]:
    return chains.append(repository, ref, lambda at: [commit_of(text, at) for text in texts])


@pytest.fixture
def repository(repo: Path) -> Repository:
    return Repository.discover(str(repo))


def held(repository: Repository, ref: str = REF) -> list[str]:
    """Return what a chain holds, oldest first."""
    commits = repository.commits([ref])
    contents = repository.contents([f"{each.id}:record" for each in commits])
    return [(content or b"").decode() for content in contents]


def copy(repository: Repository, ours: str, *texts: str, since: str | None = None) -> str:
    """Return the tip of another copy of a chain: as ours was at `since`, and then its own."""
    ref = "refs/copies/" + "".join(filter(str.isalnum, ours + "".join(texts)))
    if since is not None:
        repository.writer.set_ref(ref, since, None)
    return append(repository, *texts, ref=ref)[-1]


def test_an_append_is_not_dated_before_what_it_stands_behind(
    repository: Repository, git: Git
) -> None:
    repository.writer.append(REF, None, [commit_of("future", YEAR_2100)])
    append(repository, "one", "two")
    assert git("log", "--format=%ct", REF).split() == [str(YEAR_2100)] * 3
    assert git("log", "--since=2099-01-01", "--format=%s", REF).split() == ["two", "one", "future"]


def test_an_append_is_dated_now(repository: Repository, git: Git) -> None:
    before = int(time.time())
    append(repository, "one")
    assert before <= int(git("log", "-1", "--format=%ct", REF)) <= int(time.time())
    assert git("log", "-1", "--format=%at", REF) == str(ADA.at)


def test_folding_into_nothing_takes_the_other_copy(repository: Repository, git: Git) -> None:
    theirs = copy(repository, "t", "a", "b")
    assert chains.fold(repository, REF, theirs) is True
    assert git("rev-parse", REF) == theirs


def test_folding_what_is_held_changes_nothing(repository: Repository, git: Git) -> None:
    first, second = append(repository, "a", "b")
    for theirs in (first, second):
        assert chains.fold(repository, REF, theirs) is False
    assert git("rev-parse", REF) == second


def test_folding_what_goes_on_moves_forward(repository: Repository, git: Git) -> None:
    ours = append(repository, "a")[-1]
    theirs = copy(repository, "t", "b", since=ours)
    assert chains.fold(repository, REF, theirs) is True
    assert git("rev-parse", REF) == theirs


def test_what_the_other_copy_lacks_is_appended_again_behind_it(
    repository: Repository, git: Git
) -> None:
    shared = append(repository, "shared")[-1]
    theirs = copy(repository, "t", "theirs 1", "theirs 2", since=shared)
    append(repository, "ours 1", "ours 2")
    assert chains.fold(repository, REF, theirs) is True
    assert held(repository) == ["shared", "theirs 1", "theirs 2", "ours 1", "ours 2"]
    assert git("log", "--merges", REF) == ""
    assert git("merge-base", REF, theirs) == theirs
    assert git("for-each-ref", chains.SCRATCH) == ""
    assert git("log", "-1", "--format=%an <%ae> %ad", "--date=raw", REF) == (
        f"{ADA.name} <{ADA.email}> {ADA.at} {ADA.zone}"
    )
    git("fsck", "--strict")


def test_the_same_record_in_both_copies_is_held_once(repository: Repository) -> None:
    theirs = copy(repository, "t", "both", "theirs")
    append(repository, "ours", "both")
    assert chains.fold(repository, REF, theirs) is True
    assert held(repository) == ["both", "theirs", "ours"]


def test_copies_that_hold_the_same_in_another_order_take_the_others(
    repository: Repository, git: Git
) -> None:
    append(repository, "a", "b")
    theirs = copy(repository, "t", "b", "a")
    assert chains.fold(repository, REF, theirs) is True
    assert git("rev-parse", REF) == theirs


CODE = "refs/lineage/code/2026-11"


def test_links_to_code_keep_their_further_parents(repository: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    other = git("commit-tree", "-m", "other", "HEAD^{tree}")

    def link(text: str, code: str) -> NewCommit:
        return commit_of(text, files={}, merged=(code,))

    shared = repository.writer.append(CODE, None, [commit_of("root", files={})]) or []
    theirs = repository.writer.append("refs/copies/t", None, [commit_of("root", files={})]) or []
    assert theirs == shared
    theirs = repository.writer.append("refs/copies/t", theirs[0], [link("theirs", head)]) or []
    repository.writer.append(CODE, shared[0], [link("same", head), link("ours", other)])
    assert chains.fold(repository, CODE, theirs[0]) is True
    assert git("log", "--first-parent", "--format=%s", CODE).split() == ["ours", "theirs", "root"]
    assert git("log", "-1", "--format=%P", CODE) == f"{theirs[0]} {other}"


def test_odd_messages_and_names_survive_being_appended_again(
    repository: Repository, git: Git
) -> None:
    odd = b"caf\xe9\x0b\x85\n\nbody\n\nmore\x0c\n".decode(errors="surrogateescape")
    who = ADA.replace(name="a\x0bb\x85c\u2028d \udcff", email="odd address")
    commit = commit_of("odd", message=odd, author=who, committer=who)
    theirs = copy(repository, "t", "theirs")
    repository.writer.append(REF, None, [commit])
    before = subprocess.run(["git", "cat-file", "commit", REF], capture_output=True).stdout
    assert chains.fold(repository, REF, theirs) is True
    after = subprocess.run(["git", "cat-file", "commit", REF], capture_output=True).stdout
    assert after.partition(b"\n\n")[2] == before.partition(b"\n\n")[2]
    (author,) = [line for line in before.split(b"\n") if line.startswith(b"author ")]
    assert author in after.split(b"\n")


def test_commits_that_git_would_not_have_made_are_appended_again(
    repository: Repository, git: Git
) -> None:
    tree = git("rev-parse", "HEAD^{tree}")
    for number, lines in enumerate(
        ["author x\ncommitter y", "author a <b> c d\ncommitter a <b> 99999999999999999999 +0"]
    ):
        Path("raw").write_text(f"tree {tree}\n{lines}\n\nodd\n")
        bad = git("hash-object", "-t", "commit", "-w", "--literally", "raw")
        git("update-ref", REF, bad)
        theirs = copy(repository, f"t{number}", "theirs")
        assert chains.fold(repository, REF, theirs) is True
        assert git("rev-parse", f"{REF}^{{tree}}") == tree


texts = st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)


@settings(max_examples=12)
@given(texts, texts, texts)
def test_folding_is_set_union(
    tmp_path_factory: pytest.TempPathFactory, shared: list[str], mine: list[str], other: list[str]
) -> None:
    path = tmp_path_factory.mktemp("union")
    subprocess.run(["git", "init", "-q", path], check=True)
    repository = Repository.discover(str(path))
    ours, theirs = "refs/lineage/ledger/ours", "refs/lineage/ledger/theirs"
    tip = append(repository, *shared, ref=ours)[-1] if shared else None
    if tip:
        repository.writer.set_ref(theirs, tip, None)
    for ref, each in ((ours, mine), (theirs, other)):
        if lacking := [text for text in each if text not in shared]:
            append(repository, *lacking, ref=ref)
    expected = sorted({*shared, *mine, *other})
    for into, of in ((ours, theirs), (theirs, ours), (ours, theirs)):
        if tip := repository.tips(of).get(of):
            chains.fold(repository, into, tip)
    tips = repository.tips("refs/lineage/ledger/")
    assert len(set(tips.values())) == min(len(expected), 1)
    for ref in tips:
        assert sorted(held(repository, ref)) == expected


def test_retry_goes_on_until_something_comes(repository: Repository) -> None:
    answers: Iterator[str | None] = iter([None, None, "made"])
    assert retry(repository, REF, lambda: next(answers)) == "made"


def test_retry_takes_false_for_an_answer(repository: Repository) -> None:
    assert retry(repository, REF, lambda: False) is False


def test_retry_gives_up_after_its_time(repository: Repository) -> None:
    with pytest.raises(RefMoved) as caught:
        retry(repository, REF, lambda: None, seconds=0)
    assert str(caught.value) == f"{REF} kept moving for 0 s"


def locked(repository: Repository, age: float = 0.0) -> Path:
    """Leave the lock of a git that was killed `age` seconds ago."""
    path = Path(repository.common_dir, f"{REF}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_lock_that_a_killed_git_left_is_named(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = locked(repository)
    monkeypatch.setattr(chains, "HELD", 0.1)
    with pytest.raises(RefLocked) as caught:
        append(repository, "one")
    assert str(caught.value) == f"{REF} is locked by {path}"
    assert path.exists()
    path.unlink()
    append(repository, "one")


def test_old_lock_goes_by_itself(repository: Repository) -> None:
    path = locked(repository, chains.ABANDONED + 1)
    append(repository, "one")
    assert not path.exists()
    assert held(repository) == ["one"]


def test_lock_of_somebody_who_lives_is_waited_for(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "HELD", 0.2)
    path = locked(repository)
    tries = 0

    def attempt() -> str | None:
        nonlocal tries
        tries += 1
        os.utime(path, ns=(tries, time.time_ns()))  # another one each time
        return "made" if tries > 8 else None

    assert retry(repository, REF, attempt) == "made"
