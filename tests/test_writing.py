"""Commits that are added and refs that are moved: by the executable and by libgit2 alike."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Git, Lineage
from repositories import ADA, BACK_ENDS, EMPTY_TREE, ODD, REF, commit_of, let_in, opened

from gitlineage.errors import GitFailed
from gitlineage.repository import Repository


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
    (first,) = repository.writer.append(REF, None, [commit_of()]) or []
    second, third = (
        repository.writer.append(REF, first, [commit_of("two\n"), commit_of("three\n")]) or []
    )
    assert git("rev-list", "--parents", REF).splitlines() == [
        f"{third} {second}",
        f"{second} {first}",
        first,
    ]
    assert git("show", f"{REF}:record") == "three"
    git("fsck", "--strict")


def test_append_says_so_when_the_ref_is_there_already(repository: Repository, git: Git) -> None:
    (first,) = repository.writer.append(REF, None, [commit_of()]) or []
    assert repository.writer.append(REF, None, [commit_of("other\n")]) is None
    assert git("rev-parse", REF) == first
    assert crashes(repository) == []


def test_append_says_so_when_the_ref_has_moved(repository: Repository, git: Git) -> None:
    (first,) = repository.writer.append(REF, None, [commit_of()]) or []
    (second,) = repository.writer.append(REF, first, [commit_of("two\n")]) or []
    assert repository.writer.append(REF, first, [commit_of("other\n"), commit_of("more\n")]) is None
    assert git("rev-parse", REF) == second
    assert crashes(repository) == []


def test_append_says_so_when_the_ref_moved_to_something_else(
    repository: Repository, git: Git
) -> None:
    (first,) = repository.writer.append(REF, None, [commit_of()]) or []
    git("update-ref", REF, "HEAD")
    assert repository.writer.append(REF, first, [commit_of("two\n")]) is None
    assert git("rev-parse", REF) == git("rev-parse", "HEAD")


def test_append_says_so_while_somebody_else_holds_the_ref(repository: Repository, git: Git) -> None:
    (first,) = repository.writer.append(REF, None, [commit_of()]) or []
    lock = Path(repository.git_dir, REF + ".lock")
    lock.touch()
    assert repository.writer.append(REF, first, [commit_of("two\n")]) is None
    lock.unlink()
    assert git("rev-parse", REF) == first
    assert repository.writer.append(REF, first, [commit_of("two\n")]) is not None


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_missing_parent_is_an_error(back_end: str, repo: Path, git: Git) -> None:
    repository = opened(repo, back_end)
    with pytest.raises(GitFailed):
        repository.writer.append(REF, None, [commit_of(merged=("1" * 40,))])
    assert git("for-each-ref", "refs/lineage") == ""


def test_a_tree_to_begin_with_is_kept_and_changed(repository: Repository, git: Git) -> None:
    begin = {"a": b"1", "b": b"2", "f/a": b"3", "f/b": b"4", "g/a": b"5"}
    (first,) = repository.writer.append(REF, None, [commit_of(files=begin)]) or []
    tree = git("rev-parse", f"{first}^{{tree}}")
    changed = {"": tree, "b": None, "c": b"6", "f/a": None, "f/c": b"7", "g/a": None, "no": None}
    repository.writer.append(REF, first, [commit_of(files=changed)])
    assert git("ls-tree", "-r", "--name-only", REF).split() == ["a", "c", "f/b", "f/c"]
    assert git("show", f"{REF}:f/c") == "7"


def test_further_parents_and_all_parents_can_be_given(repository: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    (first,) = repository.writer.append(REF, None, [commit_of(files={}, merged=(head,))]) or []
    assert git("log", "-1", "--format=%P %T", first) == f"{head} {EMPTY_TREE}"
    (second,) = repository.writer.append(REF, first, [commit_of(files={}, merged=(head,))]) or []
    assert git("log", "-1", "--format=%P", second) == f"{first} {head}"
    merge = commit_of(parents=(head, second))
    (third,) = repository.writer.append(REF, second, [merge]) or []
    assert git("log", "-1", "--format=%P", third) == f"{head} {second}"
    assert repository.writer.append(REF, second, [merge.replace(message="late\n")]) is None


def test_replacing_a_ref_takes_no_parent_and_no_heed(plain: Repository, git: Git) -> None:
    for text in ("one\n", "two\n"):
        plain.writer.replace("refs/notes/lineage", commit_of(text))
        assert git("log", "--format=%s%P", "refs/notes/lineage") == text.strip()


def test_a_repository_that_cannot_be_written_to_is_an_error_at_once(repo: Path) -> None:
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if not shutil.which(command[0]):
            pytest.skip("root may write everywhere, and setpriv is not installed")
    else:
        command = []
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import test_writing as t\n"
        "r = t.Repository.discover(sys.argv[1])\n"
        "try: r.writer.append(t.REF, None, [t.commit_of()])\n"
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


def test_a_commit_without_a_ref_is_the_same_whoever_makes_it(plain: Repository, git: Git) -> None:
    tree, head = git("rev-parse", "HEAD^{tree}"), git("rev-parse", "HEAD")
    who = ADA.replace(at=7)
    made = plain.writer.make_commit(tree, "snapshot\n", who, [head])
    git("config", "i18n.commitEncoding", "ISO-8859-1")
    git("config", "commit.gpgSign", "true")
    git("config", "user.name", "Somebody Else")
    assert plain.writer.make_commit(tree, "snapshot\n", who, [head]) == made
    raw = git("cat-file", "commit", made)
    assert raw == (
        f"tree {tree}\nparent {head}\nauthor {who.name} <{who.email}> 7 +0000\n"
        f"committer {who.name} <{who.email}> 7 +0000\n\nsnapshot"
    )
    assert plain.writer.make_commit(tree, ODD, who.replace(name="\u00e9"), [])


# -- refs ----------------------------------------------------------------------------------------


def test_a_ref_is_moved_only_from_what_was_expected(plain: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "two")
    new = git("rev-parse", "HEAD")
    assert plain.writer.set_ref(REF, head, new) is False
    assert plain.writer.set_ref(REF, head, None) is True
    assert plain.writer.set_ref(REF, new, None) is False
    assert git("rev-parse", REF) == head
    assert plain.writer.set_ref(REF, new, head) is True
    assert plain.writer.set_ref(REF, None, head) is False
    assert plain.writer.set_ref(REF, None, new) is True
    assert plain.tips(REF) == {}


def test_a_ref_that_can_never_be_made_is_an_error(plain: Repository, git: Git) -> None:
    with pytest.raises(GitFailed):
        plain.writer.set_ref("refs/lineage/a..b", git("rev-parse", "HEAD"), None)
    with pytest.raises(GitFailed):
        plain.writer.set_ref(REF, "1" * 40, None)


# -- several writers -----------------------------------------------------------------------------


WRITER = """
import sys
sys.path[:0] = sys.argv[4:]
import test_writing as t
from gitlineage.chains import retry
r = t.opened(t.Path(sys.argv[1]), sys.argv[2])
for n in range(20):
    def attempt():
        tip = r.tips(t.REF).get(t.REF)
        return r.writer.append(t.REF, tip, [t.commit_of(sys.argv[3] + " " + str(n) + "\\n")])
    retry(r, t.REF, attempt)
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


def test_what_no_ref_reaches_is_kept_in_bounds(
    repo: Path, lineage: Lineage, git: Git, tmp_path: Path
) -> None:
    names = [tmp_path / str(number) for number in range(9500)]
    for each in names:
        each.write_text(each.name)
    git("hash-object", "-w", *names)
    git("config", "maintenance.auto", "false")
    lineage("run", "-q", "--", "true")
    assert int(git("count-objects").split()[0]) > 9500
    git("config", "maintenance.auto", "true")
    for _ in range(2):  # packs, then lets go of what is packed
        lineage("run", "-q", "--", "true")
    assert int(git("count-objects").split()[0]) < 100
    assert git("gc", "--auto") == ""
    assert git("cat-file", "-p", git("hash-object", str(names[7]))) == "7"
    assert git("fsck", "--strict", "--no-dangling") == ""
