"""That libgit2 writes and reads what the executable does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Git
from hypothesis import given, settings
from hypothesis import strategies as st
from repositories import ADA, BACK_ENDS, ODD, REF, commit_of, opened

from gitlineage import writing
from gitlineage.commits import Identity, NewCommit
from gitlineage.errors import GitFailed
from gitlineage.ledger import PREFIX, Ledger
from gitlineage.repository import Repository


def both_ways(
    repo: Path, build: Callable[[Repository], list[NewCommit]], expected: str | None = None
) -> list[list[str]]:
    """Append the same by both back ends to refs of their own; return the ids."""
    made = []
    for number, back_end in enumerate(BACK_ENDS):
        repository = opened(repo, back_end)
        ids = repository.writer.append(f"{REF}.{number}", expected, build(repository))
        assert ids is not None
        made.append(ids)
    return made


@pytest.mark.parametrize(
    "who",
    [
        ADA,
        ADA.replace(zone="+0530"),
        ADA.replace(zone="-1130", at=0),
        ADA.replace(at=-5),
        ADA.replace(at=4_102_444_800),
        ADA.replace(name="", email=""),
        ADA.replace(name="<>\n\0", email="<>\n\0"),
        ADA.replace(name="  a <b> c\n", email=" a b "),
        ADA.replace(name="\u00c9milie \u4e2d\U0001f600", email="\u00e9@example.org"),
        ADA.replace(name=b"\xc9milie".decode(errors="surrogateescape")),
        ADA.replace(name="\ud800", email="\ud800"),
        ADA.replace(name="a\x85b\x0cc\u2028d"),
    ],
    ids=lambda who: ascii(f"{who.name} {who.email} {who.at} {who.zone}"),
)
def test_both_back_ends_write_the_same_names_and_moments(
    who: Identity, repo: Path, git: Git
) -> None:
    one, other = both_ways(repo, lambda _: [commit_of(author=who, committer=who)])
    assert one == other
    assert subprocess.run(["git", "fsck", "--strict"], cwd=repo, check=True).returncode == 0
    assert git("log", "-1", "--format=%an|%ae|%at", one[0]) == git(
        "log", "-1", "--format=%cn|%ce|%ct", other[0]
    )


def test_both_back_ends_write_author_and_committer_apart(repo: Path, git: Git) -> None:
    bob = Identity(name="Bob", email="bob@example.org", at=ADA.at + 60, zone="-0800")
    one, other = both_ways(repo, lambda _: [commit_of(author=ADA, committer=bob)])
    assert one == other
    assert git("log", "-1", "--format=%an %ad|%cn %cd", "--date=raw", one[0]) == (
        f"{ADA.name} {ADA.at} +0000|Bob {bob.at} -0800"
    )


@pytest.mark.parametrize(
    "message",
    ["", "\n", "no end", "caf\u00e9 \u4e2d\n", ODD, "a\0b\n", "\ud800\n", "a\r\nb\x85c\u2028d\n"],
    ids=ascii,
)
def test_both_back_ends_write_the_same_messages(message: str, repo: Path) -> None:
    build = [commit_of(message, files={"record": b""})]
    one, other = both_ways(repo, lambda _: build)
    assert one == other
    raw = subprocess.run(["git", "cat-file", "commit", one[0]], cwd=repo, capture_output=True)
    said = message.replace("\0", "")
    expected = b"?\n" if message == "\ud800\n" else said.encode(errors="surrogateescape")
    assert raw.stdout.partition(b"\n\n")[2] == expected


names = st.sampled_from(["launch", "record", "log", "a", "aa", "ab", "zz"])


paths = names | st.builds("{}/{}".format, st.sampled_from(["aa", "manifests"]), names)


files = st.dictionaries(paths, st.binary(max_size=8), max_size=6).filter(
    lambda chosen: not any(f"{name}/" in "".join(p + "/" for p in chosen if p != name)
                           for name in chosen)
)  # fmt: skip


@settings(max_examples=12)
@given(st.lists(files, min_size=1, max_size=3), files, st.sets(paths, max_size=3))
def test_both_back_ends_write_the_same_trees(
    tmp_path_factory: pytest.TempPathFactory,
    series: list[dict[str, bytes]],
    begin: dict[str, bytes],
    removed: set[str],
) -> None:
    path = tmp_path_factory.mktemp("trees")
    subprocess.run(["git", "init", "-q", path], check=True)

    def build(repository: Repository) -> list[NewCommit]:
        base = repository.writer.append(f"refs/base/{len(begin)}", None, [commit_of(files=begin)])
        if base is None:
            base = [repository.commit_id(f"refs/base/{len(begin)}")]
        tree = repository.commit_id(f"{base[0]}^{{tree}}")
        gone = {each: None for each in removed if each not in series[0]}
        changed = {"": tree, **gone, **series[0]}
        kept = {p for p in {*begin, *series[0]} if p not in gone}
        clash = any(p.startswith(f"{other}/") for p in kept for other in kept | gone.keys())
        added = [commit_of(files=changed)] if not clash else []
        return [*(commit_of(files=each) for each in series), *added]

    one, other = both_ways(path, build)
    assert one == other
    fsck = subprocess.run(["git", "fsck", "--strict"], cwd=path, capture_output=True, text=True)
    assert fsck.returncode == 0, fsck.stderr


def test_many_appends_go_through_libgit2_and_are_the_same(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.discover(str(repo))
    tip = None
    for number in range(writing.LIBRARY_AFTER + 2):
        (tip,) = repository.writer.append(REF, tip, [commit_of(f"{number}\n")]) or []
    assert repository.library
    assert git("log", "--format=%s", "--reverse", REF).split() == list(map(str, range(10)))
    held, expected = repository.tip(REF), Repository.discover(str(repo)).tip(REF)
    assert held == expected


@pytest.mark.parametrize("message", ["plain\n\nbody\n", "", ODD, "a\x85b\x0cc\n"], ids=ascii)
def test_a_tip_is_read_whatever_it_says(message: str, repo: Path) -> None:
    tips = []
    for number, back_end in enumerate(BACK_ENDS):
        repository = opened(repo, back_end)
        assert repository.tip(f"{REF}.{number}") is None
        (made,) = repository.writer.append(f"{REF}.{number}", None, [commit_of(message)]) or []
        found = repository.tip(f"{REF}.{number}")
        assert found is not None and found.commit == made
        assert (found.committed_at, found.parents) == (ADA.at, ())
        tips.append(found.tree)
    assert tips[0] == tips[1]


def test_a_repository_that_libgit2_refuses_is_appended_to(isolated: Path, git: Git) -> None:
    path = isolated / "sha256"
    git("init", "-q", "--object-format=sha256", path)
    repository = Repository.discover(str(path))
    tip = None
    for number in range(writing.LIBRARY_AFTER + 2):
        (tip,) = repository.writer.append(REF, tip, [commit_of(f"{number}\n")]) or []
        assert len(tip) == 64
    assert repository.library is False
    assert len(repository.commits([tip or ""])) == 10
    assert repository.contents([f"{tip}:record"]) == [b"9\n"]


def test_a_family_is_seen_as_git_sees_it(repo: Path, git: Git) -> None:
    plain, ours = (opened(repo, back_end) for back_end in BACK_ENDS)

    def family(name: str = REF) -> list[str]:
        assert ours.family(name) == sorted(plain.family(name))
        return ours.family(name)

    assert family() == []
    git("update-ref", REF, "HEAD")
    git("update-ref", f"{REF}.2", "HEAD")
    git("update-ref", "refs/lineage/ledger/2026-110", "HEAD")
    Path(repo, ".git", f"{REF}.3.lock").touch()
    assert family() == [REF, f"{REF}.2"]
    git("pack-refs", "--all")
    assert not Path(repo, ".git", REF).exists()
    assert family() == [REF, f"{REF}.2"]
    assert family("refs/lineage/ledger/2026-1") == []
    git("update-ref", f"{REF}.10", "HEAD")
    assert family() == [REF, f"{REF}.10", f"{REF}.2"]
    git("pack-refs", "--all")
    git("update-ref", "-d", f"{REF}.2")
    assert family() == [REF, f"{REF}.10"]


def test_an_open_ledger_goes_on_where_a_month_goes_on_elsewhere(repo: Path, git: Git) -> None:
    kept = Ledger(opened(repo, "library"))

    def append(text: str) -> str:
        return kept.append({"record": text.encode()}, f"{text}\n", ADA)

    append("one")
    ref = git("for-each-ref", "--format=%(refname)", PREFIX)
    for number in (1, 2):
        git("update-ref", f"{ref}.{number}", f"{ref}^{{commit}}")
        if number == 2:
            git("pack-refs", "--all")
        made = append(f"after {number}")
        assert git("rev-parse", f"{ref}.{number}") == made
    assert git("log", "--format=%s", ref) == "one"


def test_a_ref_that_is_damaged_is_an_error(repo: Path) -> None:
    repository = opened(repo, "library")
    repository.writer.append(REF, None, [commit_of()])
    Path(repo, ".git", REF).write_text("damaged\n")
    with pytest.raises(GitFailed):
        repository.tip(REF)
    Path(repo, ".git", REF).write_text("1" * 40 + "\n")
    with pytest.raises(GitFailed):
        repository.tip(REF)
