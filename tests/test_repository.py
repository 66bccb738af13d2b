"""What is asked of git, and what it answers: by the executable and by libgit2 alike."""

from __future__ import annotations

import hashlib
import itertools
import os
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Git
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import repository as room
from gitlineage.errors import GitFailed, NoRepository, NoWorkTree, RefMoved, UnknownId
from gitlineage.gitprocess import GitProcess
from gitlineage.repository import Identity, NewCommit, Repository, retry

REF = "refs/lineage/ledger/2026-11"
ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_795_424_461)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ODD = b"caf\xe9 \n\t\xff".decode(errors="surrogateescape")

BACK_ENDS = ("executable", "library")


def commit_of(message: str = "one\n", **changes: object) -> NewCommit:
    files = {"record": message.encode(errors="surrogatepass")}
    made = NewCommit(files=files, message=message, author=ADA, committer=ADA)
    return made.replace(**changes)


def opened(path: Path, back_end: str) -> Repository:
    """Return a repository that appends by the executable, or by libgit2, for good."""
    found = Repository.discover(str(path))
    if back_end == "library":
        found._library = room._Library.of(found.git_dir)
        assert found._library, "libgit2 refuses this repository"
    else:
        found._library = False
    return found


def untracked(repository: Repository) -> tuple[str, ...]:
    found = repository.untracked()
    ignored = repository.ignored(repository.start_ignored(found))
    return tuple(each for each in found if each not in ignored)


@pytest.fixture(params=BACK_ENDS)
def repository(request: pytest.FixtureRequest, repo: Path) -> Repository:
    return opened(repo, request.param)


@pytest.fixture
def plain(repo: Path) -> Repository:
    return Repository.discover(str(repo))


def crashes(repository: Repository) -> list[str]:
    return [name for name in os.listdir(repository.git_dir) if name.startswith("fast_import")]


# -- append --------------------------------------------------------------------------------------


def test_append_begins_a_ref_and_goes_on_behind_it(repository: Repository, git: Git) -> None:
    (first,) = repository.append(REF, None, [commit_of()]) or []
    second, third = repository.append(REF, first, [commit_of("two\n"), commit_of("three\n")]) or []
    assert git("rev-list", "--parents", REF).splitlines() == [
        f"{third} {second}",
        f"{second} {first}",
        first,
    ]
    assert git("show", f"{REF}:record") == "three"
    git("fsck", "--strict")


def test_append_says_so_when_the_ref_is_there_already(repository: Repository, git: Git) -> None:
    (first,) = repository.append(REF, None, [commit_of()]) or []
    assert repository.append(REF, None, [commit_of("other\n")]) is None
    assert git("rev-parse", REF) == first
    assert crashes(repository) == []


def test_append_says_so_when_the_ref_has_moved(repository: Repository, git: Git) -> None:
    (first,) = repository.append(REF, None, [commit_of()]) or []
    (second,) = repository.append(REF, first, [commit_of("two\n")]) or []
    assert repository.append(REF, first, [commit_of("other\n"), commit_of("more\n")]) is None
    assert git("rev-parse", REF) == second
    assert crashes(repository) == []


def test_append_says_so_when_the_ref_moved_to_something_else(
    repository: Repository, git: Git
) -> None:
    (first,) = repository.append(REF, None, [commit_of()]) or []
    git("update-ref", REF, "HEAD")
    assert repository.append(REF, first, [commit_of("two\n")]) is None
    assert git("rev-parse", REF) == git("rev-parse", "HEAD")


def test_append_says_so_while_somebody_else_holds_the_ref(repository: Repository, git: Git) -> None:
    (first,) = repository.append(REF, None, [commit_of()]) or []
    lock = Path(repository.git_dir, REF + ".lock")
    lock.touch()
    assert repository.append(REF, first, [commit_of("two\n")]) is None
    lock.unlink()
    assert git("rev-parse", REF) == first
    assert repository.append(REF, first, [commit_of("two\n")]) is not None


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_missing_parent_is_an_error(back_end: str, repo: Path, git: Git) -> None:
    repository = opened(repo, back_end)
    with pytest.raises(GitFailed):
        repository.append(REF, None, [commit_of(merged=("1" * 40,))])
    assert git("for-each-ref", "refs/lineage") == ""


def both_ways(
    repo: Path, build: Callable[[Repository], list[NewCommit]], expected: str | None = None
) -> list[list[str]]:
    """Append the same by both back ends to refs of their own; return the ids."""
    made = []
    for number, back_end in enumerate(BACK_ENDS):
        repository = opened(repo, back_end)
        ids = repository.append(f"{REF}.{number}", expected, build(repository))
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
        base = repository.append(f"refs/base/{len(begin)}", None, [commit_of(files=begin)])
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


def test_a_tree_to_begin_with_is_kept_and_changed(repository: Repository, git: Git) -> None:
    begin = {"a": b"1", "b": b"2", "f/a": b"3", "f/b": b"4", "g/a": b"5"}
    (first,) = repository.append(REF, None, [commit_of(files=begin)]) or []
    tree = git("rev-parse", f"{first}^{{tree}}")
    changed = {"": tree, "b": None, "c": b"6", "f/a": None, "f/c": b"7", "g/a": None, "no": None}
    repository.append(REF, first, [commit_of(files=changed)])
    assert git("ls-tree", "-r", "--name-only", REF).split() == ["a", "c", "f/b", "f/c"]
    assert git("show", f"{REF}:f/c") == "7"


def test_further_parents_and_all_parents_can_be_given(repository: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    (first,) = repository.append(REF, None, [commit_of(files={}, merged=(head,))]) or []
    assert git("log", "-1", "--format=%P %T", first) == f"{head} {EMPTY_TREE}"
    (second,) = repository.append(REF, first, [commit_of(files={}, merged=(head,))]) or []
    assert git("log", "-1", "--format=%P", second) == f"{first} {head}"
    merge = commit_of(parents=(head, second))
    (third,) = repository.append(REF, second, [merge]) or []
    assert git("log", "-1", "--format=%P", third) == f"{head} {second}"
    assert repository.append(REF, second, [merge.replace(message="late\n")]) is None


def test_many_appends_go_through_libgit2_and_are_the_same(
    repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.discover(str(repo))
    tip = None
    for number in range(room.LIBRARY_AFTER + 2):
        (tip,) = repository.append(REF, tip, [commit_of(f"{number}\n")]) or []
    assert repository._library
    assert git("log", "--format=%s", "--reverse", REF).split() == list(map(str, range(10)))
    held, expected = repository.tip(REF), Repository.discover(str(repo)).tip(REF)
    assert held == expected


@pytest.mark.parametrize("message", ["plain\n\nbody\n", "", ODD, "a\x85b\x0cc\n"], ids=ascii)
def test_a_tip_is_read_whatever_it_says(message: str, repo: Path) -> None:
    tips = []
    for number, back_end in enumerate(BACK_ENDS):
        repository = opened(repo, back_end)
        assert repository.tip(f"{REF}.{number}") is None
        (made,) = repository.append(f"{REF}.{number}", None, [commit_of(message)]) or []
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
    for number in range(room.LIBRARY_AFTER + 2):
        (tip,) = repository.append(REF, tip, [commit_of(f"{number}\n")]) or []
        assert len(tip) == 64
    assert repository._library is False
    assert len(repository.commits([tip or ""])) == 10
    assert repository.contents([f"{tip}:record"]) == [b"9\n"]


def test_replacing_a_ref_takes_no_parent_and_no_heed(plain: Repository, git: Git) -> None:
    for text in ("one\n", "two\n"):
        plain.replace("refs/notes/lineage", commit_of(text))
        assert git("log", "--format=%s%P", "refs/notes/lineage") == text.strip()


@pytest.mark.parametrize("singly", [5000, 0])
def test_ignored_files(
    plain: Repository, repo: Path, singly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SINGLY", singly)
    (repo / ".gitignore").write_text("*.pkl\nout/\n!kept.pkl\n")
    (repo / "out").mkdir()
    for name in ("a.pkl", "kept.pkl", "out/b", "new.py", "new\nline.pkl", "\udcff.pkl"):
        (repo / name).touch()
    assert sorted(untracked(plain)) == [".gitignore", "kept.pkl", "new.py"]
    assert plain.ignored(plain.start_ignored([])) == frozenset()


def let_in(path: Path) -> None:
    """Let other users reach a path, which root's temporary folders do not."""
    for above in path.parents:
        if above.stat().st_mode & 0o055 != 0o055:
            above.chmod(above.stat().st_mode | 0o055)


def test_a_repository_that_cannot_be_written_to_is_an_error_at_once(repo: Path) -> None:
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if not shutil.which(command[0]):
            pytest.skip("root may write everywhere, and setpriv is not installed")
    else:
        command = []
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import test_repository as t\n"
        "r = t.Repository.discover(sys.argv[1])\n"
        "try: r.append(t.REF, None, [t.commit_of()])\n"
        "except t.GitFailed as error: print('refused')\n"
    )
    if command:
        let_in(repo)
    for path in [repo, *repo.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o777 | 0o555 if path.is_dir() else 0o444)
        path.chmod(path.stat().st_mode & ~0o222)
    done = subprocess.run(
        [*command, sys.executable, "-c", code, str(repo), *filter(None, sys.path)],
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
             "GIT_CONFIG_VALUE_0": "*", "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    for path in [repo, *repo.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    if "Permission denied" in done.stderr and "gitlineage" not in done.stderr:
        pytest.skip("another user cannot read the interpreter here")
    assert done.stdout == "refused\n", done.stderr


# -- several writers -----------------------------------------------------------------------------

WRITER = """
import sys
sys.path[:0] = sys.argv[4:]
import test_repository as t
r = t.opened(t.Path(sys.argv[1]), sys.argv[2])
for n in range(20):
    def attempt():
        tip = r.tips(t.REF).get(t.REF)
        return r.append(t.REF, tip, [t.commit_of(sys.argv[3] + " " + str(n) + "\\n")])
    t.retry(t.REF, attempt)
"""


def test_eight_writers_by_both_back_ends_lose_nothing_while_refs_are_packed(
    repo: Path, git: Git
) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(repo), back_end, str(n), *filter(None, sys.path)]
        )
        for n, back_end in enumerate(BACK_ENDS * 4)
    ]  # fmt: skip
    # Twice within a second would be more than git itself can bear: it takes a packed-refs of the
    # same second, size and inode for the one that it has read.
    packed, second = 0, 0
    while any(each.poll() is None for each in writers):
        if second == (second := int(time.time())):
            select.select([], [], [], 0.01)
            continue
        done = subprocess.run(["git", "pack-refs", "--all"], cwd=repo, stderr=subprocess.DEVNULL)
        packed += done.returncode == 0
    assert [each.returncode for each in writers] == [0] * 8
    assert packed > 0
    found = git("log", "--format=%s", REF, cwd=repo).splitlines()
    assert sorted(found) == sorted(f"{w} {n}" for w in range(8) for n in range(20))
    git("fsck", "--strict", cwd=repo)


def test_retry_goes_on_until_something_comes() -> None:
    answers: Iterator[str | None] = iter([None, None, "made"])
    assert retry(REF, lambda: next(answers)) == "made"


def test_retry_takes_false_for_an_answer() -> None:
    assert retry(REF, lambda: False) is False


def test_retry_gives_up_after_its_time() -> None:
    with pytest.raises(RefMoved) as caught:
        retry(REF, lambda: None, seconds=0)
    assert str(caught.value) == f"{REF} kept moving for 0 s"


# -- identities ----------------------------------------------------------------------------------


@given(st.text(max_size=10), st.text(max_size=10), st.integers(0, 1 << 40))
def test_an_identity_is_read_as_it_was_written(name: str, email: str, at: int) -> None:
    who = Identity(name=name, email=email, at=at, zone="-0330")
    again = Identity.parse(who.line().decode())
    assert again.line() == who.line()
    assert (again.at, again.zone) == (at, "-0330")


@pytest.mark.parametrize(
    "line",
    ["", "a", "a <b>", "a <b> x", "a <b> x y", "a <b> 1 +0", "a <b> 1 abcde", "a <b> \u00b2 +0000",
     "a <b> " + "9" * 5000 + " +0000", "a <b> 1 +\u0660\u0660\u0660\u0660", "<> -1 ", "a <b> 1"],
    ids=lambda line: ascii(line[:20]),
)  # fmt: skip
def test_an_identity_that_nobody_should_have_written_is_read(line: str) -> None:
    found = Identity.parse(line)
    assert found.at in (0, 1)
    assert found.zone == "+0000"


# -- refs ----------------------------------------------------------------------------------------


def test_refs_whose_commits_say_odd_things_are_read(plain: Repository, git: Git) -> None:
    ends = "a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\u2029h\ri"
    (first,) = plain.append(REF, None, [commit_of(ends + "\n")]) or []
    plain.append(REF, first, [commit_of(ODD + "\n\nbody\n")])
    found = plain.refs("refs/lineage/")
    assert list(found) == [REF]
    assert found[REF].parents == (first,)
    assert found[REF].committed_at == ADA.at
    git("update-ref", REF, first)
    assert plain.refs(REF)[REF].subject == ends
    assert plain.tips("refs/lineage/") == {REF: first}


def test_refs_with_odd_names_are_read(plain: Repository, git: Git) -> None:
    odd = ["refs/lineage/tags/a\u2028b", "refs/lineage/tags/a\x85b", "refs/lineage/tags/\u4e2d"]
    head = git("rev-parse", "HEAD")
    for name in odd:
        git("update-ref", name, head)
    assert plain.tips("refs/lineage/") == dict.fromkeys(sorted(odd, key=str.encode), head)
    assert set(plain.refs("refs/lineage/")) == set(odd)
    assert plain.refs("refs/lineage/tags/a") == {}


def test_refs_at_blobs_and_trees_do_not_hide_the_others(plain: Repository, git: Git) -> None:
    git("update-ref", "refs/lineage/ledger/blob", git("hash-object", "-w", "README.md"))
    git("update-ref", "refs/lineage/ledger/tree", "HEAD^{tree}")
    git("tag", "-a", "-m", "x", "v1")
    git("update-ref", "refs/lineage/ledger/tag", git("rev-parse", "v1"))
    (made,) = plain.append(REF, None, [commit_of()]) or []
    found = plain.refs("refs/lineage/ledger/")
    assert found[REF].commit == made
    assert found["refs/lineage/ledger/blob"].tree == ""
    assert len(found) == 4


def test_a_ref_is_moved_only_from_what_was_expected(plain: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "two")
    new = git("rev-parse", "HEAD")
    assert plain.set_ref(REF, head, new) is False
    assert plain.set_ref(REF, head, None) is True
    assert plain.set_ref(REF, new, None) is False
    assert git("rev-parse", REF) == head
    assert plain.set_ref(REF, new, head) is True
    assert plain.set_ref(REF, None, head) is False
    assert plain.set_ref(REF, None, new) is True
    assert plain.tips(REF) == {}


def test_a_ref_that_can_never_be_made_is_an_error(plain: Repository, git: Git) -> None:
    with pytest.raises(GitFailed):
        plain.set_ref("refs/lineage/a..b", git("rev-parse", "HEAD"), None)
    with pytest.raises(GitFailed):
        plain.set_ref(REF, "1" * 40, None)


def test_merge_base_of_unrelated_commits_is_none(plain: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    other = git("commit-tree", "-m", "other", "HEAD^{tree}")
    child = git("commit-tree", "-m", "child", "-p", head, "HEAD^{tree}")
    assert plain.merge_base(head, child) == head
    assert plain.merge_base(head, other) is None
    with pytest.raises(GitFailed):
        plain.merge_base(head, "1" * 40)


def test_commits_are_named_as_git_names_them(plain: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    git("tag", "-a", "-m", "x", "v1")
    assert plain.commit_id("HEAD") == plain.commit_id("v1") == plain.commit_id("main~0") == head
    assert plain.commit_id("HEAD^{tree}") == git("rev-parse", "HEAD^{tree}")
    for asked in ("nothing", "--all", "1" * 40, ""):
        with pytest.raises(UnknownId) as caught:
            plain.commit_id(asked)
        assert caught.value.facts["asked"] == asked


def test_the_moment_of_a_commit_is_read_whatever_git_log_is_told_to_show(
    plain: Repository, git: Git
) -> None:
    git("config", "log.showSignature", "true")
    git("config", "log.decorate", "full")
    raw = git("cat-file", "commit", "HEAD")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n -----END PGP SIGNATURE-----\n"
    head, _, message = raw.partition("\n\n")
    path = Path("signed")
    path.write_text(f"{head}\n{signature}\n{message}\n")
    signed = git("hash-object", "-t", "commit", "-w", path)
    assert plain.committed_at(signed) == 1_767_607_200


def test_commits_of_a_chain_come_oldest_first(plain: Repository, git: Git) -> None:
    ids = plain.append(REF, None, [commit_of(f"{n}\n") for n in range(4)]) or []
    assert [each.id for each in plain.commits([REF])] == ids
    assert [each.id for each in plain.commits([ids[3]], [ids[1]])] == ids[2:]
    assert [each.parents for each in plain.commits([ids[1]])] == [(), (ids[0],)]
    assert plain.commits([ids[0]])[0].tree == git("rev-parse", f"{ids[0]}^{{tree}}")


def test_commits_of_nothing_are_none(plain: Repository, git: Git) -> None:
    assert plain.commits([]) == []
    assert plain.commits(["HEAD"], ["HEAD"]) == []
    assert plain.commits(["1" * 40]) == []
    assert [each.id for each in plain.commits(["1" * 40, "HEAD"])] == [git("rev-parse", "HEAD")]


# -- objects -------------------------------------------------------------------------------------


def test_contents_come_in_the_order_of_the_names(plain: Repository, git: Git) -> None:
    names = ["HEAD:code.py", "HEAD:none", "1" * 40, "", "HEAD:README.md", "HEAD:a\nHEAD:code.py"]
    names += ["HEAD: 5", "HEAD:x blob 7", "not a name at all", "\udcff"]
    expected = [b'print("hello")\n', None, None, None, b"# A project\n", *[None] * 5]
    assert plain.contents(names) == expected
    assert list(plain.stream_contents(names)) == expected
    assert plain.contents([]) == []


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\0\xff\n\n", b"a blob 3\nabc\n", bytes(range(256)) * 1000], ids=len
)
def test_binary_contents_come_as_they_are(content: bytes, plain: Repository, git: Git) -> None:
    Path("file").write_bytes(content)
    blob = git("hash-object", "-w", "--no-filters", "file")
    assert plain.contents([blob, "none", blob]) == [content, None, content]
    assert list(plain.stream_contents([blob, "none", blob])) == [content, None, content]


def test_an_ambiguous_name_is_nothing(plain: Repository, git: Git) -> None:
    # Two contents whose ids begin alike: there is one among a few hundred.
    seen: dict[str, bytes] = {}
    for number in itertools.count():
        content = b"%d" % number
        start = hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()[:4]
        if start in seen:
            break
        seen[start] = content
    for each in (content, seen[start]):
        blob = plain.ask("hash-object", "-w", "--stdin", content=each).decode().strip()
    assert plain.contents([start, blob]) == [None, seen[start]]


def test_large_contents_are_streamed(plain: Repository, git: Git) -> None:
    content = os.urandom(1 << 20) * 20
    Path("large").write_bytes(content)
    blob = git("-c", "core.compression=0", "hash-object", "-w", "large")
    assert list(plain.stream_contents([blob, "HEAD:code.py", blob])) == [
        content,
        b'print("hello")\n',
        content,
    ]


def test_what_is_too_large_is_passed_over_and_not_kept(
    plain: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LARGEST_OBJECT", 100_000)
    sizes = [100_001, 5, 1_000_000, 100_000, 200_000, 200_000, 1]
    blobs = []
    for size in sizes:
        Path("file").write_bytes(b"\n" * size)
        blobs.append(git("hash-object", "-w", "file"))
    expected = [None if size > 100_000 else b"\n" * size for size in sizes]
    assert list(plain.stream_contents(blobs)) == expected
    assert plain.contents(blobs) == expected


@settings(max_examples=60)
@given(
    st.lists(st.none() | st.binary(max_size=30), max_size=6),
    st.lists(st.integers(1, 40), max_size=10),
)
def test_answers_are_understood_wherever_they_are_cut(
    contents: list[bytes | None], cuts: list[int]
) -> None:
    whole = b"".join(
        b"HEAD:none missing\n" if each is None else b"%040d blob %d\n%b\n" % (1, len(each), each)
        for each in contents
    )
    chunks, at = [], 0
    for cut in [*cuts, len(whole)]:
        chunks.append(whole[at : at + cut])
        at += cut
    largest, room.LARGEST_OBJECT = room.LARGEST_OBJECT, 20
    try:
        found = list(room._objects(filter(None, chunks)))
    finally:
        room.LARGEST_OBJECT = largest
    assert [each and each[1] for each in found] == [
        None if each is None or len(each) > 20 else each for each in contents
    ]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def test_a_reader_that_stops_early_leaves_no_process_and_no_pipe(
    plain: Repository, git: Git
) -> None:
    before = descriptors()
    found = plain.stream_contents("HEAD:code.py" for _ in range(50_000))
    assert next(found) == b'print("hello")\n'
    found.close()  # type: ignore[attr-defined]
    for _ in range(3):
        names = iter(["HEAD:code.py", "HEAD:README.md"])
        pairs = plain.stream_contents(names)
        assert list(zip([1], pairs, pairs, strict=False))
        del pairs
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_damaged_object_is_as_good_as_missing(plain: Repository, git: Git) -> None:
    blob = git("rev-parse", "HEAD:code.py")
    path = Path(plain.git_dir, "objects", blob[:2], blob[2:])
    path.chmod(0o644)
    for content in (b"", b"garbage"):
        path.write_bytes(content)
        names = [blob, "HEAD:README.md", "HEAD:code.py"]
        assert plain.contents(names) == [None, b"# A project\n", None]
        assert list(plain.stream_contents(names)) == [None, b"# A project\n", None]


def test_what_is_readable_is_told(plain: Repository, git: Git) -> None:
    names = ["HEAD", "HEAD:code.py", "HEAD:none", "1" * 40, "HEAD^{tree}", "a\nb"]
    assert plain.are_readable(names) == [True, True, False, False, True, False]


def test_entries_are_named_as_they_are(plain: Repository, git: Git) -> None:
    Path("f").mkdir()
    odd = os.fsdecode(b"f/\xff\t\n ")
    Path(odd).write_text("x")
    Path("link").symlink_to("code.py")
    Path("code.py").chmod(0o755)
    git("add", ".")
    found = plain.entries(git("write-tree"))
    assert {name: mode for name, (mode, _) in found.items()} == {
        "README.md": "100644",
        "code.py": "100755",
        odd: "100644",
        "link": "120000",
    }
    assert found["README.md"][1] == git("rev-parse", "HEAD:README.md")
    assert plain.entries("1" * 40) == plain.entries("nothing") == {}


def test_a_commit_without_a_ref_is_the_same_whoever_makes_it(plain: Repository, git: Git) -> None:
    tree, head = git("rev-parse", "HEAD^{tree}"), git("rev-parse", "HEAD")
    who = ADA.replace(at=7)
    made = plain.make_commit(tree, "snapshot\n", who, [head])
    git("config", "i18n.commitEncoding", "ISO-8859-1")
    git("config", "commit.gpgSign", "true")
    git("config", "user.name", "Somebody Else")
    assert plain.make_commit(tree, "snapshot\n", who, [head]) == made
    raw = git("cat-file", "commit", made)
    assert raw == (
        f"tree {tree}\nparent {head}\nauthor {who.name} <{who.email}> 7 +0000\n"
        f"committer {who.name} <{who.email}> 7 +0000\n\nsnapshot"
    )
    assert plain.make_commit(tree, ODD, who.replace(name="\u00e9"), [])


# -- the work tree -------------------------------------------------------------------------------


def test_status_of_a_clean_work_tree(plain: Repository, git: Git) -> None:
    found = plain.status()
    assert (found.commit, found.branch) == (git("rev-parse", "HEAD"), "main")
    assert found.changed == ()
    assert untracked(plain) == ()
    assert found.submodules == {}


def test_status_names_files_as_they_are(plain: Repository, git: Git) -> None:
    odd = ["a b", "a\nb", " lead", "trail ", '"quoted"', "\u00e9", os.fsdecode(b"\xff\xfe"),
           "# branch.oid x", "? x", "-x", "d/e/f"]  # fmt: skip
    Path("d/e").mkdir(parents=True)
    for name in odd:
        Path(name).write_text("x")
    assert set(untracked(plain)) == set(odd)
    git("add", ".")
    assert set(plain.status().changed) == set(odd)
    git("commit", "-q", "-m", "odd")
    for name in odd:
        Path(name).write_text("y")
    assert set(plain.status().changed) == set(odd)
    assert untracked(plain) == ()


def test_status_knows_every_kind_of_change(plain: Repository, git: Git) -> None:
    for name in ("staged", "both", "gone", "unstaged", "moved", "mode"):
        Path(name).write_text(f"the content of {name}\n" * 5)
    git("add", ".")
    git("commit", "-q", "-m", "all")
    Path("staged").write_text("1")
    git("add", "staged")
    Path("both").write_text("1")
    git("add", "both")
    Path("both").write_text("2")
    Path("gone").unlink()
    Path("unstaged").write_text("1")
    git("mv", "moved", "arrived")
    Path("mode").chmod(0o755)
    Path("intended").write_text("1")
    git("add", "-N", "intended")
    Path(".gitignore").write_text("ignored\n")
    Path("ignored").write_text("1")
    found = plain.status()
    assert set(found.changed) == {
        *("staged", "both", "gone", "unstaged", "moved", "arrived", "mode", "intended"),
    }
    assert untracked(plain) == (".gitignore",)


def test_status_of_a_conflict(plain: Repository, git: Git) -> None:
    git("checkout", "-q", "-b", "other")
    Path("code.py").write_text("other\n")
    git("commit", "-q", "-a", "-m", "other")
    git("checkout", "-q", "main")
    Path("code.py").write_text("main\n")
    git("commit", "-q", "-a", "-m", "main")
    subprocess.run(["git", "merge", "-q", "other"], capture_output=True)
    assert plain.status().changed == ("code.py",)
    tree = plain.tree_with(["code.py"])
    assert "<<<<<<<" in git("cat-file", "blob", f"{tree}:code.py")


def test_status_without_a_branch_and_without_a_commit(
    plain: Repository, git: Git, isolated: Path
) -> None:
    git("checkout", "-q", "--detach")
    found = plain.status()
    assert (found.commit, found.branch) == (git("rev-parse", "HEAD"), None)
    git("init", "-q", "-b", "trunk/x", isolated / "new")
    (isolated / "new/file").touch()
    unborn = Repository.discover(str(isolated / "new")).status()
    assert (unborn.commit, unborn.branch) == (None, "trunk/x")


def test_status_of_submodules(plain: Repository, git: Git, isolated: Path) -> None:
    other = isolated / "other"
    git("init", "-q", other)
    (other / "file").touch()
    git("add", ".", cwd=other)
    git("commit", "-q", "-m", "x", cwd=other)
    for name in ("moved", "dirty", "with untracked", "clean"):
        git("submodule", "--quiet", "add", other, name)
    git("commit", "-q", "-m", "submodules")
    git("commit", "-q", "--allow-empty", "-m", "y", cwd=Path("moved"))
    Path("dirty/file").write_text("1")
    Path("with untracked/new").touch()
    found = plain.status()
    assert found.submodules == {"moved": False, "dirty": True, "with untracked": True}
    assert set(found.changed) == set(found.submodules)


def test_status_does_not_rewrite_the_staging_area(plain: Repository, git: Git) -> None:
    index = Path(plain.git_dir, "index")
    os.utime("code.py", (1, 1))
    before = index.read_bytes(), index.stat().st_mtime_ns
    plain.status()
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


def tree_now(repository: Repository, git: Git) -> dict[str, str]:
    """Return what `tree_with` takes when it is given all that has changed: mode and content."""
    found = repository.status()
    tree = repository.tree_with([*found.changed, *untracked(repository)])
    entries = repository.entries(tree)
    contents = repository.contents([blob for _, blob in entries.values()])
    return {
        name: f"{mode} {os.fsdecode(content or b'')}"
        for (name, (mode, _)), content in zip(entries.items(), contents, strict=True)
    }


def test_tree_with_is_the_work_tree_and_leaves_the_staging_area_alone(
    plain: Repository, git: Git
) -> None:
    for name in ("staged", "both", "gone", "unstaged", "mode", "unchanged"):
        Path(name).write_text("0")
    git("add", ".")
    git("commit", "-q", "-m", "all")
    for name in ("staged", "both"):
        Path(name).write_text("1")
    git("add", ".")
    Path("both").write_text("2")
    Path("unstaged").write_text("3")
    Path("gone").unlink()
    Path("mode").chmod(0o755)
    Path("link").symlink_to("nowhere")
    odd = os.fsdecode(b"d/\xff\n")
    Path("d").mkdir()
    Path(odd).write_text("4")
    index = Path(plain.git_dir, "index")
    before = index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino
    assert tree_now(plain, git) == {
        "README.md": "100644 # A project\n",
        "code.py": '100644 print("hello")\n',
        "staged": "100644 1",
        "both": "100644 2",
        "unstaged": "100644 3",
        "mode": "100755 0",
        "unchanged": "100644 0",
        "link": "120000 nowhere",
        odd: "100644 4",
    }
    assert (index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino) == before
    assert [name for name in os.listdir(plain.lineage_dir) if "index" in name] == []


def test_tree_with_nothing_is_what_is_staged(plain: Repository, git: Git) -> None:
    assert plain.tree_with([]) == git("rev-parse", "HEAD^{tree}")
    Path("code.py").write_text("1")
    assert plain.tree_with([]) == git("rev-parse", "HEAD^{tree}")
    git("add", ".")
    assert plain.tree_with([]) == git("write-tree")


def test_tree_with_sees_a_change_that_only_a_look_at_the_content_tells(
    plain: Repository, git: Git
) -> None:
    # Same size, written in the same moment as the staging area: git then looks at the content,
    # unless the staging area looks younger than it is.
    git("config", "core.trustctime", "false")
    moment = (1_700_000_000, 1_700_000_000)
    Path("code.py").write_text("a=1")
    os.utime("code.py", moment)
    git("commit", "-q", "-a", "-m", "x")
    Path("code.py").write_text("a=2")
    for path in ("code.py", os.path.join(plain.git_dir, "index")):
        os.utime(path, moment)
    assert plain.status().changed == ("code.py",)
    assert tree_now(plain, git)["code.py"] == "100644 a=2"


def test_tree_with_a_file_where_a_folder_was_and_the_other_way_round(
    plain: Repository, git: Git
) -> None:
    Path("folder").mkdir()
    Path("folder/file").write_text("1")
    Path("file").write_text("2")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    shutil.rmtree("folder")
    Path("folder").write_text("3")
    Path("file").unlink()
    Path("file").mkdir()
    Path("file/inner").write_text("4")
    found = tree_now(plain, git)
    assert (found["folder"], found["file/inner"]) == ("100644 3", "100644 4")
    assert set(found) == {"README.md", "code.py", "folder", "file/inner"}


def test_tree_with_before_the_first_commit(isolated: Path, git: Git) -> None:
    git("init", "-q", isolated / "new")
    repository = Repository.discover(str(isolated / "new"))
    assert repository.tree_with([]) == EMPTY_TREE
    (isolated / "new/file").write_text("1")
    assert list(repository.entries(repository.tree_with(["file"]))) == ["file"]


def test_tree_with_runs_the_filters_that_git_runs(plain: Repository, git: Git) -> None:
    Path(".gitattributes").write_text("*.big filter=upper\n*.txt text eol=lf\n")
    git("config", "filter.upper.clean", "tr a-z A-Z")
    git("config", "filter.upper.required", "true")
    Path("a.big").write_text("loud")
    Path("a.txt").write_bytes(b"one\r\ntwo\r\n")
    found = tree_now(plain, git)
    assert found["a.big"] == "100644 LOUD"
    assert found["a.txt"] == "100644 one\ntwo\n"


def test_tree_with_a_staging_area_of_ones_own(
    plain: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("extra").write_text("1")
    Path("sub").mkdir()
    git("add", "extra", GIT_INDEX_FILE="own")
    monkeypatch.setenv("GIT_INDEX_FILE", "own")
    monkeypatch.chdir("sub")  # git takes it from the top, wherever it is started
    assert list(plain.entries(plain.tree_with([]))) == ["extra"]


def test_a_tree_is_checked_out_with_its_filters(plain: Repository, git: Git) -> None:
    Path(".gitattributes").write_text("*.txt filter=rev\n")
    git("config", "filter.rev.clean", "rev")
    git("config", "filter.rev.smudge", "rev")
    Path("a.txt").write_text("abc\n")
    Path("code.py").chmod(0o755)
    tree = plain.tree_with([".gitattributes", "a.txt", "code.py"])
    plain.check_out(tree, str(Path("out").absolute()))
    assert Path("out/a.txt").read_text() == "abc\n"
    assert Path("out/code.py").stat().st_mode & stat.S_IXUSR
    assert git("status", "--porcelain", "README.md") == ""


# -- finding it ----------------------------------------------------------------------------------


def test_discover_from_a_folder_inside(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "a/b").mkdir(parents=True)
    monkeypatch.chdir(repo / "a")
    for found, prefix in (
        (Repository.discover(), "a/"),
        (Repository.discover("b"), "a/b/"),
        (Repository.discover(str(repo)), ""),
    ):
        assert (found.top, found.prefix) == (str(repo), prefix)
        assert found.git_dir == found.common_dir == str(repo / ".git")
        assert found.lineage_dir == str(repo / ".git/lineage")
        assert found.work_tree() == str(repo)


def test_discover_a_bare_repository(bare_remote: Path) -> None:
    found = Repository.discover(str(bare_remote))
    assert (found.top, found.git_dir, found.common_dir) == (
        None,
        str(bare_remote),
        str(bare_remote),
    )
    assert found.tips("refs/") == {}
    with pytest.raises(NoWorkTree) as caught:
        found.work_tree()
    assert str(caught.value) == f"this repository has no work tree: {bare_remote}"


def test_discover_from_inside_the_git_folder(repo: Path) -> None:
    found = Repository.discover(str(repo / ".git"))
    assert (found.top, found.git_dir) == (None, str(repo / ".git"))


def test_discover_a_linked_work_tree(repo: Path, git: Git, isolated: Path) -> None:
    git("worktree", "add", "-q", isolated / "linked")
    (isolated / "linked/sub").mkdir()
    found = Repository.discover(str(isolated / "linked/sub"))
    assert (found.top, found.prefix) == (str(isolated / "linked"), "sub/")
    assert found.git_dir == str(repo / ".git/worktrees/linked")
    assert found.common_dir == str(repo / ".git")
    (isolated / "linked/code.py").write_text("1")
    tree = found.tree_with(["code.py"])
    assert git("cat-file", "blob", f"{tree}:code.py") == "1"
    assert found.status().branch == "linked"


def test_discover_through_a_link(repo: Path, isolated: Path) -> None:
    (isolated / "link").symlink_to(repo)
    found = Repository.discover(str(isolated / "link"))
    assert (found.top, found.common_dir) == (str(repo), str(repo / ".git"))


@pytest.mark.parametrize("name", ["with space", "new\nline", "\udcff", "caf\u00e9", "-x", "'\"$;"])
def test_discover_whatever_the_folder_is_called(name: str, isolated: Path, git: Git) -> None:
    top = isolated / name
    git("init", "-q", "--", top)
    (top / name).mkdir()
    found = Repository.discover(str(top / name))
    assert (found.top, found.prefix) == (str(top), f"{name}/")
    assert found.common_dir == str(top / ".git")
    (top / "file").touch()
    assert untracked(found) == ("file",)


@pytest.mark.parametrize("is_relative", [True, False])
def test_git_dir_and_work_tree_of_the_environment_hold_everywhere(
    is_relative: bool, repo: Path, isolated: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = isolated / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    monkeypatch.chdir(elsewhere / "sub")
    monkeypatch.setenv("GIT_DIR", "../../repo/.git" if is_relative else str(repo / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", ".." if is_relative else str(elsewhere))
    found = Repository.discover()
    assert (found.top, found.git_dir, found.prefix) == (str(elsewhere), str(repo / ".git"), "sub/")
    (elsewhere / "file").write_text("1")
    status = found.status()
    assert untracked(found) == ("file",)
    assert set(status.changed) == {"README.md", "code.py"}
    assert list(found.entries(found.tree_with([*status.changed, "file"]))) == ["file"]


def test_git_dir_alone_makes_the_folder_the_work_tree(
    repo: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(isolated / "empty")
    monkeypatch.setenv("GIT_DIR", "../repo/.git")
    found = Repository.discover()
    assert found.top == str(isolated / "empty")
    assert set(found.status().changed) == {"README.md", "code.py"}


def test_a_folder_in_no_repository(isolated: Path) -> None:
    empty = isolated / "empty"
    with pytest.raises(NoRepository) as caught:
        Repository.discover(str(empty))
    assert str(caught.value) == f"not a git repository: {empty}"
    with pytest.raises(NoRepository, match=r"none \(no such folder\)"):
        Repository.discover(str(empty / "none"))
    (empty / "file").touch()
    with pytest.raises(NoRepository, match=r"file \(no such folder\)"):
        Repository.discover(str(empty / "file"))


def test_a_repository_of_somebody_else_is_refused_in_gits_words(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(NoRepository, match=r"\(detected dubious ownership in repository at"):
        Repository.discover(str(repo))


def test_a_damaged_repository_is_refused_in_gits_words(repo: Path) -> None:
    (repo / ".git/config").write_text("[core\n")
    with pytest.raises(NoRepository, match=r"\(bad config line 1"):
        Repository.discover(str(repo))


# -- the process ---------------------------------------------------------------------------------


def variable(repository: Repository, name: str) -> str:
    return repository.ask("-c", f'alias.x=!printf %s "${name}"', "x").decode()


def test_git_speaks_its_own_words_and_takes_no_locks(
    plain: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "de:fr")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert variable(plain, "LANGUAGE") == "C"
    assert variable(plain, "GIT_OPTIONAL_LOCKS") == "0"
    assert variable(plain, "LC_ALL") == "C.UTF-8"


def test_a_failure_is_told_in_gits_last_words(plain: Repository) -> None:
    with pytest.raises(GitFailed) as caught:
        plain.ask("rev-parse", "--verify", "nothing")
    assert str(caught.value) == "git rev-parse failed: Needed a single revision"
    assert caught.value.facts["exit_code"] == 128


def test_more_is_fed_and_read_than_pipes_hold(plain: Repository) -> None:
    content = bytes(range(256)) * 4096
    blob = plain.ask("hash-object", "-w", "--stdin", content=content).decode().strip()
    assert plain.ask("cat-file", "blob", blob) == content


def test_a_git_that_ends_early_is_not_fed_on(plain: Repository) -> None:
    with pytest.raises(GitFailed):
        plain.ask("hash-object", "--no-such-option", content=b"x" * (1 << 20))
    with pytest.raises(GitFailed):
        process = plain.start("cat-file", "--no-such-option", takes_input=True)
        list(process.stream(b"HEAD\n" for _ in range(100_000)))


def test_no_git_is_an_error_that_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo / "none"))
    before = descriptors()
    with pytest.raises(GitFailed, match=r"git version failed: git cannot be run: No such file"):
        GitProcess(["version"], content=b"x")
    assert descriptors() == before


# -- configuration -------------------------------------------------------------------------------


def test_configuration_with_odd_values(plain: Repository, git: Git) -> None:
    with open(".git/config", "ab") as file:
        file.write(
            b"[lineage]\n\talone\n\tempty =\n\ttwice = 1\n\ttwice = 2\n"
            b'\tlines = "one\\ntwo"\n\tequals = a=b\n\tbytes = \xff\n\tMiXed = x\n'
            b'[remote "A.b/C"]\n\turl = u\n'
        )
    found = plain.config()
    assert found["lineage.alone"] == "true"
    assert found["lineage.empty"] == ""
    assert found["lineage.twice"] == "2"
    assert found["lineage.lines"] == "one\ntwo"
    assert found["lineage.equals"] == "a=b"
    assert found["lineage.bytes"] == "\udcff"
    assert found["lineage.mixed"] == "x"
    assert "" not in found
    assert plain.remotes() == {"A.b/C": "u"}


def test_the_remote_of_lineage_is_chosen_as_git_chooses(repo: Path, git: Git) -> None:
    def chosen(branch: str | None = "main") -> str | None:
        return Repository.discover(str(repo)).lineage_remote(branch)

    assert chosen() is None
    git("remote", "add", "only", "u")
    assert chosen() == "only"
    git("remote", "add", "other", "u")
    assert chosen() is None
    git("remote", "add", "origin", "u")
    assert chosen() == "origin"
    git("config", "branch.main.remote", "only")
    assert (chosen(), chosen("side"), chosen(None)) == ("only", "origin", "origin")
    git("config", "remote.pushDefault", "other")
    assert chosen() == "other"
    git("config", "branch.main.pushRemote", "only")
    assert (chosen(), chosen("side")) == ("only", "other")
    git("config", "lineage.remote", "origin")
    assert chosen() == "origin"
    git("config", "lineage.remote", "removed")
    assert chosen() == "only"
