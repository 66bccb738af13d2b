"""Tags: any line of text is a name, each change is a commit, and two copies merge by entries."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Git
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import tags
from gitlineage.commits import Identity, NewCommit
from gitlineage.errors import InvalidTag
from gitlineage.repository import Repository
from gitlineage.tags import Tags, name_of, ref_of

ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_795_424_461)
ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
CONTENT = "c" * 64
REF = "refs/lineage/tags/best"
COPY = "refs/lineage/tags/copy"

names = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20
) | (st.text("ab./@{}~^:?*[\\ %-_\u00e9", max_size=12))


@pytest.fixture
def repository(repo: Path) -> Repository:
    return Repository.discover(str(repo))


@pytest.fixture
def kept(repository: Repository) -> Tags:
    return Tags(repository)


def on(kept: Tags, repository: Repository, ref: str = REF) -> set[str]:
    tip = repository.tips(ref).get(ref)
    return set(kept.members(tip)) if tip else set()


# -- names ---------------------------------------------------------------------------------------


@settings(max_examples=400)
@given(names)
def test_a_name_comes_back_from_its_ref(name: str) -> None:
    try:
        ref = ref_of(name)
    except InvalidTag:
        assert not name or name != name.strip() or len(ref_like(name)) > tags.LONGEST_FILE
        return
    assert name_of(ref) == name
    assert ref.isascii()
    assert ref.startswith("refs/lineage/tags/")
    assert ref.count("/") == 3


def ref_like(name: str) -> str:
    return "".join(f"%{byte:02X}" for byte in name.encode())


@settings(max_examples=20)
@given(st.lists(names, min_size=10, max_size=10))
def test_every_name_makes_a_ref_that_git_takes(chosen: list[str]) -> None:
    for name in chosen:
        try:
            ref = ref_of(name)
        except InvalidTag:
            continue
        subprocess.run(["git", "check-ref-format", ref], check=True)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("best", "best"),
        ("v1.2", "v1.2"),
        ("qa/checked", "qa%2Fchecked"),
        ("in production", "in%20production"),
        ("100%", "100%25"),
        (".hidden", "%2Ehidden"),
        ("end.", "end%2E"),
        ("a..b", "a%2E%2Eb"),
        ("a.lock", "a%2Elock"),
        ("caf\u00e9", "caf%C3%A9"),
        ("@", "%40"),
        ("-x", "-x"),
        ("a@{1}", "a%40%7B1%7D"),
        ("HEAD", "HEAD"),
    ],
)
def test_spelling_of_names(name: str, encoded: str) -> None:
    assert ref_of(name) == f"refs/lineage/tags/{encoded}"
    assert subprocess.run(["git", "check-ref-format", ref_of(name)]).returncode == 0


@pytest.mark.parametrize(
    "name",
    ["", " ", " a", "a ", "a\n", "a\nb", "\t", "a\0b", "a\x1b[0m", "a\x7f", "\udcff", "\ud800",
     "x" * 201, "\u00e9" * 101, "/" * 81, "\u2028a"],
    ids=lambda name: ascii(name[:10]),
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidTag) as caught:
        ref_of(name)
    assert caught.value.facts["name"] == name


@pytest.mark.parametrize("name", ["x" * 200, "/" * 80, "\u4e2d" * 26], ids=len)
def test_the_longest_names_are_files(name: str, kept: Tags, repository: Repository) -> None:
    kept.add(name, [ONE], ADA)
    assert on(kept, repository, ref_of(name)) == {ONE}


@pytest.mark.parametrize(
    "encoded",
    ["", "a/b", "a b", "%", "%4", "%zz", "%+1", "%-1", "% 1", "%61", "%2f", "%ff", "%C3", "a%0A",
     "\u00e9", "%00", "%20a", ".a", "a.", "a.lock", "x" * 250, "\udcff"],
    ids=ascii,
)  # fmt: skip
def test_a_ref_that_we_would_not_write_is_no_tag(encoded: str) -> None:
    assert name_of(f"refs/lineage/tags/{encoded}") is None


# -- changes -------------------------------------------------------------------------------------


def test_a_tag_tells_what_it_stands_on_and_since_when(
    kept: Tags, repository: Repository, git: Git
) -> None:
    before = time.time_ns() // 1000
    kept.add("best", [ONE, CONTENT], ADA, "for the shop\n\nreally")
    (tip,) = kept.tips().values()
    found = kept.members(tip)
    assert set(found) == {ONE, CONTENT}
    member = found[ONE]
    assert before <= member.at <= time.time_ns() // 1000
    assert (member.id, member.tagger) == (ONE, "Ada Lovelace <ada@example.org>")
    assert member.message == "for the shop\n\nreally"
    assert git("cat-file", "blob", f"{REF}:{ONE}").startswith(f"{member.at} Ada Lovelace <")
    git("fsck", "--strict")


def test_many_tags_are_read_with_two_questions(
    kept: Tags, repository: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        kept.add(f"t{number}", [ONE, TWO, CONTENT][: number % 3 + 1], ADA, str(number))
    kept.remove("t1", [ONE, TWO], ADA)
    tips = [*kept.tips().values(), "0" * 40]  # and one that is not there
    one_by_one = [kept.members(each) for each in tips]
    started: list[list[str]] = []
    spawn = os.posix_spawnp
    monkeypatch.setattr(
        os, "posix_spawnp", lambda *told, **how: started.append(told[1]) or spawn(*told, **how)
    )
    assert kept.all_members(tips) == one_by_one
    assert len(started) == 2
    assert sorted(map(len, one_by_one)) == [0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]


def test_git_log_on_the_ref_is_the_history_of_the_tag(
    kept: Tags, repository: Repository, git: Git
) -> None:
    kept.add("best", [ONE], ADA)
    kept.add("best", [TWO], ADA.replace(name="Bob"), "better")
    kept.remove("best", [ONE], ADA)
    assert git("log", "--format=%an|%s", REF).splitlines() == [
        "Ada Lovelace|best: remove 111111111111",
        "Bob|best: better",
        "Ada Lovelace|best: add 111111111111",
    ]
    assert on(kept, repository) == {TWO}
    assert set(kept.members(git("rev-parse", f"{REF}~1"))) == {ONE, TWO}


def test_removing_what_is_not_there_changes_nothing(
    kept: Tags, repository: Repository, git: Git
) -> None:
    kept.remove("best", [ONE], ADA)
    assert kept.tips() == {}
    kept.add("best", [ONE], ADA)
    tip = git("rev-parse", REF)
    kept.remove("best", [TWO], ADA)
    kept.add("best", [], ADA)
    assert git("rev-parse", REF) == tip


def test_a_tag_that_stands_on_nothing_keeps_its_history(
    kept: Tags, repository: Repository, git: Git
) -> None:
    kept.add("best", [ONE], ADA)
    kept.remove("best", [ONE], ADA)
    assert on(kept, repository) == set()
    kept.add("best", [TWO], ADA)
    assert git("rev-list", "--count", REF) == "3"


def test_changes_are_dated_in_order(kept: Tags, repository: Repository, git: Git) -> None:
    late = ADA.replace(at=4_102_444_800)
    repository.writer.append(
        REF, None, [NewCommit(files={ONE: b"1 x\n"}, message="x\n", author=late, committer=late)]
    )
    kept.add("best", [TWO], ADA)
    assert git("log", "--format=%ct", REF).split() == [str(late.at)] * 2


def test_names_and_messages_of_any_kind_are_kept(kept: Tags, repository: Repository) -> None:
    who = ADA.replace(name="\u00c9milie \udcff \ud800", email="<x>")
    kept.add("caf\u00e9/1", [ONE], who, "\u4e2d\udcff\ud800")
    (tip,) = kept.tips().values()
    assert kept.members(tip)[ONE].message == "\u4e2d??"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"\n\n", b"x", b"-1 a", b"\xc2\xb2 a", b"9" * 5000 + b" a", b"1" * 40, b"1.5 a"],
    ids=lambda content: ascii(content[:8]),
)
def test_a_members_text_may_be_anything(content: bytes, kept: Tags, repository: Repository) -> None:
    commit = NewCommit(files={ONE: content}, message="x\n", author=ADA, committer=ADA)
    (tip,) = repository.writer.append(REF, None, [commit]) or []
    assert kept.members(tip)[ONE].at == 0


def test_entries_that_are_no_members_are_passed_over(
    kept: Tags, repository: Repository, git: Git
) -> None:
    files = {
        ONE: b"5 a <b>\n",
        "README": b"x",
        "A" * 40: b"x",
        "1" * 39: b"x",
        "1" * 41: b"x",
        f"{TWO}/x": b"x",
        "\u0661" * 40: b"x",
    }
    commit = NewCommit(files=files, message="x\n", author=ADA, committer=ADA)
    repository.writer.append(REF, None, [commit])
    listed = git("ls-tree", REF) + f"\n160000 commit {ONE}\t{THREE}\n"
    tree = subprocess.run(
        ["git", "mktree", "--missing"], input=listed, capture_output=True, text=True
    )
    odd = git("commit-tree", "-m", "x", tree.stdout.strip())
    assert kept.members(odd) == {ONE: tags.Member(id=ONE, at=5, tagger="a <b>")}
    assert kept.members("1" * 40) == {}


def test_many_tag_at_once_and_none_is_lost(kept: Tags, repository: Repository, repo: Path) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "import test_tags as t\n"
        "kept = t.Tags(t.Repository.discover(sys.argv[1]))\n"
        "for n in range(4):\n"
        "    kept.add('best', [sys.argv[2] + f'{n:039x}'], t.ADA)\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, repo, str(n), *filter(None, sys.path)])
        for n in range(4)
    ]
    assert [each.wait() for each in started] == [0] * 4
    assert on(kept, repository) == {f"{w}{n:039x}" for w in range(4) for n in range(4)}


# -- merging -------------------------------------------------------------------------------------


def begin(repository: Repository, files: dict[str, bytes], *refs: str) -> None:
    commit = NewCommit(files=files, message="begin\n", author=ADA, committer=ADA)
    for ref in refs:
        assert repository.writer.append(ref, None, [commit])


def change(repository: Repository, ref: str, files: dict[str, bytes]) -> str:
    tip = repository.tips(ref)[ref]
    commit = NewCommit(files=files, message="change\n", author=ADA, committer=ADA)
    (made,) = repository.writer.append(ref, tip, [commit]) or []
    return made


ENTRY = {ONE: b"1 a\n", TWO: b"2 a\n"}


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param({**ENTRY, THREE: b"3\n"}, {ONE: b"1 a\n"}, {ONE, THREE}, id="add, remove"),
        pytest.param({ONE: b"1 a\n"}, {TWO: b"2 a\n"}, set(), id="each removes one"),
        pytest.param({ONE: b"1 a\n"}, {ONE: b"1 a\n"}, {ONE}, id="both remove the same"),
        pytest.param(
            {**ENTRY, THREE: b"3 a\n"}, {**ENTRY, CONTENT: b"4\n"}, {ONE, TWO, THREE, CONTENT},
            id="each adds one",
        ),
        pytest.param(
            {TWO: b"2 a\n"}, {**ENTRY, ONE: b"9 b\n"}, {ONE, TWO}, id="change beats removal"
        ),
        pytest.param({}, {**ENTRY, THREE: b"3\n"}, {THREE}, id="all removed here"),
    ],
)  # fmt: skip
def test_three_way_merge(
    ours: dict[str, bytes],
    theirs: dict[str, bytes],
    expected: set[str],
    kept: Tags,
    repository: Repository,
    git: Git,
) -> None:
    begin(repository, ENTRY, REF, COPY)
    mine, other = change(repository, REF, ours), change(repository, COPY, theirs)
    changed = kept.fold(REF, other)
    assert on(kept, repository) == expected
    assert changed is (mine != other)
    # The other copy comes to the very same commit, whoever merges.
    kept.fold(COPY, mine)
    assert git("rev-parse", REF) == git("rev-parse", COPY)
    git("fsck", "--strict")


def test_of_two_texts_both_copies_choose_the_same(
    kept: Tags, repository: Repository, git: Git
) -> None:
    begin(repository, ENTRY, REF, COPY)
    mine = change(repository, REF, {**ENTRY, ONE: b"5 x\n"})
    other = change(repository, COPY, {**ENTRY, ONE: b"6 y\n"})
    assert kept.fold(REF, other) and kept.fold(COPY, mine)
    assert git("rev-parse", REF) == git("rev-parse", COPY)
    assert kept.members(REF)[ONE].at in (5, 6)


def test_unrelated_copies_give_the_union(kept: Tags, repository: Repository, git: Git) -> None:
    begin(repository, {ONE: b"1 a\n"}, REF)
    begin(repository, {TWO: b"2 a\n"}, COPY)
    assert kept.fold(REF, git("rev-parse", COPY)) is True
    assert on(kept, repository) == {ONE, TWO}
    parents = git("log", "-1", "--format=%P", REF).split()
    assert parents == sorted(parents) and len(parents) == 2


def test_folding_goes_forward_where_it_can(kept: Tags, repository: Repository, git: Git) -> None:
    begin(repository, ENTRY, COPY)
    first = git("rev-parse", COPY)
    assert kept.fold(REF, first) is True
    second = change(repository, COPY, {ONE: b"1 a\n"})
    assert kept.fold(REF, second) is True
    assert git("rev-parse", REF) == second
    assert kept.fold(REF, first) is False
    assert kept.fold(REF, second) is False
    assert git("rev-parse", REF) == second


def test_a_removal_that_was_merged_stays(kept: Tags, repository: Repository, git: Git) -> None:
    begin(repository, ENTRY, REF, COPY)
    old = git("rev-parse", COPY)
    mine = change(repository, REF, {TWO: b"2 a\n"})
    change(repository, COPY, {**ENTRY, THREE: b"3\n"})
    assert kept.fold(COPY, mine) is True
    assert on(kept, repository, COPY) == {TWO, THREE}
    assert kept.fold(COPY, old) is False
    assert on(kept, repository, COPY) == {TWO, THREE}
