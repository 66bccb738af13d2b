"""Records are kept one to a commit, in a chain for each month, and plain git can read them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from conftest import Git
from test_records import LAUNCH

from gitlineage import digest, encoding, ledger
from gitlineage.commits import Identity, NewCommit
from gitlineage.ledger import Ledger
from gitlineage.messages import message_of
from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End
from gitlineage.records.launch import Code
from gitlineage.repository import Repository

ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_795_424_461, zone="+0200")


@pytest.fixture
def repository(repo: Path) -> Repository:
    return Repository.discover(str(repo))


@pytest.fixture
def kept(repository: Repository) -> Ledger:
    return Ledger(repository)


def parts(text: str) -> dict[str, bytes]:
    return {"launch": b"launch " + text.encode(), "record": b"record " + text.encode()}


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (0, "1970-01"),
        (1_795_424_461, "2026-11"),
        (1_798_761_599.999, "2026-12"),
        (1_798_761_600, "2027-01"),
    ],
)
def test_a_segment_is_a_month_in_utc(at: float, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        assert ledger.segment(at) == f"refs/lineage/ledger/{name}"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_record_goes_into_the_segment_of_this_month(kept: Ledger, git: Git) -> None:
    before = ledger.segment(time.time())
    commit = kept.append(parts("a"), "a\n", ADA)
    assert kept.tips() in ({before: commit}, {ledger.segment(time.time()): commit})


def test_all_parts_of_a_record_are_read_again(kept: Ledger, git: Git) -> None:
    whole = {
        "launch": b"\0\xff",
        "record": b"",
        "log": bytes(range(256)) * 100,
        f"manifests/{'ab' * 32}": b"m",
        f"manifests/{'cd' * 32}": b"n",
    }
    commit = kept.append(whole, "a\n", ADA)
    assert kept.parts(commit) == whole
    assert kept.part(commit, "log") == whole["log"]
    assert kept.part(commit, f"manifests/{'ab' * 32}") == b"m"
    assert kept.part(commit, "environment") is None
    assert git("ls-tree", "--name-only", commit).split() == ["launch", "log", "manifests", "record"]


def records(
    kept: Ledger, tips: Iterable[str], known: Iterable[str] = ()
) -> Iterator[ledger.Stored]:
    return kept.records(kept._repository.commits(tips, known))


def test_records_come_oldest_first_and_only_new_ones(kept: Ledger, git: Git) -> None:
    first = kept.append(parts("a"), "a\n", ADA)
    second, third = kept.append_all([(parts(text), f"{text}\n", ADA) for text in "bc"])
    found = list(records(kept, [third]))
    assert [each.commit for each in found] == [first, second, third]
    assert [each.launch for each in found] == [b"launch a", b"launch b", b"launch c"]
    assert [each.record for each in found] == [b"record a", b"record b", b"record c"]
    assert found[0].tree == git("rev-parse", f"{first}^{{tree}}")
    assert [each.commit for each in records(kept, [third], [first])] == [second, third]
    assert list(records(kept, [third], [third])) == list(records(kept, [])) == []


def test_what_follows_a_tip_is_read_alone(kept: Ledger, git: Git) -> None:
    first, second, third = (kept.append(parts(name), f"{name}\n", ADA) for name in "abc")
    (one, two) = records(kept, [second])
    for found, expected, before in ((one, first, None), (two, second, first)):
        following = kept.following(expected, before)
        assert following is not None
        assert [getattr(following, name) for name in following.__slots__] == [
            getattr(found, name) for name in found.__slots__
        ]
    assert kept.following(third, first) is None  # there is one between
    assert kept.following(first, second) is None
    assert kept.following(second, None) is None
    assert kept.following("0" * 40, first) is None
    assert kept.following(git("rev-parse", "HEAD").strip(), None) is None  # no record


def test_records_of_several_segments_come_together(
    kept: Ledger, repository: Repository, git: Git
) -> None:
    new = kept.append(parts("new"), "new\n", ADA)
    old = NewCommit(files=parts("old"), message="old\n", author=ADA, committer=ADA)
    (past,) = repository.writer.append(ledger.PREFIX + "2020-01", None, [old]) or []
    assert kept.tips()[ledger.PREFIX + "2020-01"] == past
    assert {each.commit for each in records(kept, kept.tips().values())} == {new, past}


def test_what_is_no_record_does_not_hide_the_others(
    kept: Ledger, repository: Repository, git: Git
) -> None:
    first = kept.append(parts("a"), "a\n", ADA)
    odd = [
        {},
        {"other": b"x"},
        {"launch/x": b"a folder", "record/y": b"a folder"},
        {"launch": b"only"},
        {"record": b"only"},
        {"a\nb": b"x", "record": b"with a name that is two lines"},
    ]
    ref = next(iter(kept.tips()))
    tip = first
    for files in odd:
        if "a\nb" in files:
            blob = repository.ask("hash-object", "-w", "--stdin", content=files["record"])
            listed = b"100644 blob %b\ta\nb\x00100644 blob %b\trecord\0" % ((blob.strip(),) * 2)
            tree = repository.ask("mktree", "-z", content=listed).decode().strip()
            commit = git("commit-tree", "-m", "odd", "-p", tip, tree)
            git("update-ref", ref, commit)
            tip = commit
            assert kept.parts(tip) == {"record": files["record"]}
        else:
            made = NewCommit(files=files, message="odd\n", author=ADA, committer=ADA)
            (tip,) = repository.writer.append(ref, tip, [made]) or []
    last = kept.append(parts("z"), "z\n", ADA)
    found = {each.commit: each for each in records(kept, [last])}
    assert found[first].launch == b"launch a"
    assert found[last].record == b"record z"
    assert (None, b"only") in {(each.launch, each.record) for each in found.values()}
    assert (b"only", None) in {(each.launch, each.record) for each in found.values()}


def test_an_end_is_found_by_the_trailer_of_its_execution(kept: Ledger) -> None:
    one, other = "1" * 40, "2" * 40
    assert kept.end_of(one, 0) is None
    commit = kept.append(parts("a"), f"train: succeeded\n\n{ledger.trailer(one)}\n", ADA)
    kept.append(parts("b"), "a later one\n", ADA)
    assert kept.end_of(one, 0) == kept.end_of(one, -5) == commit
    assert kept.end_of(one, int(time.time()) - 60) == commit
    assert kept.end_of(one, int(time.time()) + 3600) is None
    assert kept.end_of(other, 0) is None


def test_the_id_of_an_execution_is_no_pattern(kept: Ledger, git: Git) -> None:
    git("config", "grep.patternType", "perl")
    commit = kept.append(parts("a"), f"a\n\n{ledger.trailer('1' * 40)}\n", ADA)
    assert kept.end_of("." * 40, 0) is None
    assert kept.end_of("1" * 40, 0) == commit


@pytest.fixture
def recorded(kept: Ledger) -> str:
    """Return the commit of an execution with the message that the recorder writes."""
    launch = LAUNCH.replace(
        command=("python", "train.py", "a b"),
        step="train",
        code=Code(commit="c" * 40, tree="d" * 40, is_adhoc=True),
    )
    content = encoding.encode(launch)
    execution = digest.execution_id(content)
    out = Artifact(path="model.bin", type="file", how="detected")
    end = End(
        execution=execution,
        status="succeeded",
        duration=12_300_000,
        outputs=(out,),
        metadata={"accuracy": 0.931},
    )
    whole = {"launch": content, "record": encoding.encode(end)}
    return kept.append(whole, message_of(launch, end, execution), ADA)


def test_git_reads_the_trailers(recorded: str, git: Git) -> None:
    message = git("log", "-1", "--format=%B", recorded)
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=message, capture_output=True, text=True
    )
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert re.fullmatch("[0-9a-f]{40}", found.pop("Lineage-Execution"))
    assert found == {
        "Lineage-Step": "train",
        "Lineage-Status": "succeeded",
        "Lineage-Code": "c" * 40 + " (ad-hoc)",
    }
    trailers = "--format=%(trailers:key=Lineage-Status,valueonly,separator=)"
    assert git("log", "-1", trailers, recorded) == "succeeded"


def test_git_log_finds_records_by_author_date_and_words(
    recorded: str, kept: Ledger, git: Git
) -> None:
    bob = ADA.replace(name="Bob", at=1_500_000_000)
    kept.append(parts("other"), "other: failed\n", bob)
    ref = next(iter(kept.tips()))

    def found(*options: str) -> list[str]:
        return git("log", "--format=%s", *options, ref).splitlines()

    subject = "train: succeeded in 12.3 s, accuracy 0.931"
    assert found("--author=Ada") == [subject]
    assert found("--author=Bob") == ["other: failed"]
    assert found("--grep=accuracy 0.9") == [subject]
    assert found("--grep=python train.py 'a b'") == [subject]
    assert found("--grep=makes model.bin") == [subject]
    assert found("--since=1.hour.ago") == ["other: failed", subject]
    assert found("--until=2020-01-01") == []
    assert git("shortlog", "-s", ref).split() == ["1", "Ada", "Lovelace", "1", "Bob"]
    assert git("log", "-1", "--author=Ada", "--format=%ad", "--date=raw", ref) == (
        f"{ADA.at} {ADA.zone}"
    )
    git("fsck", "--strict")
