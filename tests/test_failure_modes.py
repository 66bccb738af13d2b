"""Twenty ways in which stores that live in git have failed people elsewhere; here they do not.

One test for each, by its number in our list of them; many have a file of tests of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import start
from sharing import commit, hook, members, objects, record, refs, steps, tag, trees

import gitlineage
from gitlineage.notes import Notes
from gitlineage.repository import Repository

Pair = tuple[Path, Path]

RECORD = "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import sharing\n"


@pytest.fixture
def wired(clone_pair: Pair, lineage: Lineage) -> Pair:
    """Return two clones whose plain fetches and pushes carry lineage."""
    for clone in clone_pair:
        lineage("init", cwd=clone)
        subprocess.run(["git", "config", "remote.origin.lineage", "true"], cwd=clone, check=True)
    return clone_pair


def push(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    words = words or ("-q", "origin", "main")
    return subprocess.run(["git", "push", *words], cwd=clone, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)  # fmt: skip


def test_01_local_concurrent_writers_lose_nothing(repo: Path, git: Git) -> None:
    """Eight processes wrote 400 notes by libgit2's own call: 36 were kept, 121 lost in silence."""
    code = RECORD + "for n in range(10): sharing.record(Path('.'), sys.argv[2] + f'.{n}')"
    tests = str(Path(__file__).parent)
    writers = [start(sys.executable, "-c", code, tests, str(who)) for who in range(6)]
    assert [each.communicate(timeout=120) for each in writers] == [("", "")] * 6
    assert steps(repo) == sorted(f"{who}.{n}" for who in range(6) for n in range(10))
    assert git("rev-list", "--count", "--glob=refs/lineage/ledger/*") == "60"


def test_02_concurrent_pushers_lose_nothing(clone_pair: Pair, bare_remote: Path) -> None:
    """Whoever came second was not fast-forward, and forced or gave up."""
    others = [bare_remote.parent / f"other{n}" for n in range(2)]
    for each in others:
        subprocess.run(["git", "clone", "-q", bare_remote, each], check=True)
    clones = [*clone_pair, *others]
    for number, clone in enumerate(clones):
        for count in range(3):
            record(clone, f"{number}.{count}")
    code = RECORD + "print(sharing.sync(Path(sys.argv[2])).push('origin').records_count)"
    tests = str(Path(__file__).parent)
    started = [start(sys.executable, "-c", code, tests, clone) for clone in clones]
    assert [each.communicate(timeout=120) for each in started] == [("3\n", "")] * 4
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 12


def test_03_no_fetch_takes_what_is_not_pushed(wired: Pair, bare_remote: Path, git: Git) -> None:
    """A forced refspec into the live ref deleted notes; one of an absent ref broke each fetch."""
    ours, theirs = wired
    git("fetch", "-q", "origin", cwd=ours)  # the remote has none of these refs yet
    record(theirs, "theirs")
    assert push(theirs).returncode == 0
    record(ours, "unpushed")
    for words in (["fetch", "-q"], ["fetch", "-q", "--prune", "--force", "--all"], ["pull", "-q"]):
        git(*words, cwd=ours)
        assert steps(ours) == ["theirs", "unpushed"]
    git("update-ref", "-d", next(iter(refs(bare_remote, "refs/lineage/ledger"))), cwd=bare_remote)
    git("fetch", "-q", "--prune", cwd=ours)
    assert steps(ours) == ["theirs", "unpushed"]


def test_04_a_second_machine_that_begins_its_own(wired: Pair, bare_remote: Path, git: Git) -> None:
    """Two roots of one branch were unrelated histories, which git would not merge."""
    ours, theirs = wired
    for clone, name in zip(wired, ("a", "b"), strict=True):
        tag(clone, "good", record(clone, name))
        assert push(clone).returncode == 0
    git("fetch", "-q", cwd=ours)
    assert steps(ours) == steps(theirs) == ["a", "b"]
    assert members(ours) == members(theirs)
    assert push(ours).returncode == 0
    assert git("rev-list", "--merges", "--glob=refs/lineage/ledger/*", cwd=bare_remote) == ""


def test_05_a_plain_push_carries_it_and_still_pushes_the_branch(
    wired: Pair, bare_remote: Path, isolated: Path, git: Git, lineage: Lineage
) -> None:
    """Notes stayed at home, or a refspec that sent them kept `git push` from sending the code."""
    ours, _ = wired
    record(ours, "a")
    head = commit(ours, "code.py", "print(2)\n")
    assert push(ours, "-q").returncode == 0
    assert refs(bare_remote)["refs/heads/main"] == head
    assert "remote.origin.push=" not in git("config", "--list", cwd=ours)
    git("clone", "-q", bare_remote, isolated / "fresh")
    lineage("init", cwd=isolated / "fresh")
    assert steps(isolated / "fresh") == ["a"]


def test_06_rewritten_history_loses_nothing(
    wired: Pair, git: Git, lineage: Lineage
) -> None:  # fmt: skip
    """Notes stayed on commits that amending, rebasing or a squash had replaced."""
    ours, _ = wired
    lineage("run", "-q", "--step", "train", "--", "true", cwd=ours)
    old = git("rev-parse", "HEAD", cwd=ours)
    git("commit", "-q", "--amend", "-m", "Another message", cwd=ours)
    for revision in ("HEAD", old):
        listed = lineage("log", "--json", "--commit", revision, cwd=ours).stdout
        assert json.loads(listed)["step"] == "train"
    lineage("fetch", cwd=ours)
    assert "train" in git("notes", "--ref=lineage", "show", "HEAD", cwd=ours)


@pytest.mark.parametrize("strategy", ["union", "cat_sort_uniq", "ours", "theirs"])
def test_07_merging_notes_damages_nothing(
    wired: Pair, git: Git, lineage: Lineage, strategy: str
) -> None:
    """Git's merges of notes cut msgpack and put bytes into it; here notes are derived text."""
    ours, theirs = wired
    for clone, name in zip(wired, ("a", "b"), strict=True):
        lineage("run", "-q", "--step", name, "--", "true", cwd=clone)
    before = trees(ours)
    git("fetch", "-q", theirs, "refs/notes/lineage:refs/notes/theirs", cwd=ours)
    git("notes", "--ref=lineage", "merge", "-q", "-s", strategy, "refs/notes/theirs", cwd=ours)
    assert (trees(ours), steps(ours)) == (before, ["a"])
    assert push(theirs).returncode == 0
    lineage("fetch", cwd=ours)
    note = git("notes", "--ref=lineage", "show", "HEAD", cwd=ours).splitlines()
    assert note[0] == "2 executions", note
    assert sorted(line.split()[1] for line in note[1:]) == ["a:", "b:"], note


def test_08_many_notes_are_no_flat_tree(repo: Path, git: Git) -> None:
    """A flat tree of 1,500 notes took 10.7 s and 30 MB to write."""
    lines = {f"{n:040x}": ["one line"] for n in range(2**152, 2**160, 2**152)}
    notes = Notes(Repository.discover(str(repo)))
    notes.write(lines)
    notes.add(next(iter(lines)), "another")
    root = git("ls-tree", "refs/notes/lineage").splitlines()
    assert len(root) == 255
    assert {line.split()[1] for line in root} == {"tree"}
    assert git("rev-list", "--count", "refs/notes/lineage") == "1"
    assert git("notes", "--ref=lineage", "list").count("\n") == 254


def test_09_refs_do_not_grow_with_records(repo: Path, lineage: Lineage) -> None:
    """One ref for each record made every plain push list all 20,001 of them."""
    lineage("run", "-q", "--", "true")
    few = refs(repo)
    for number in range(30):
        record(repo, str(number))
    (repo / "code.py").write_text("changed\n")
    lineage("run", "-q", "--", "true")
    assert refs(repo).keys() == few.keys()


def test_10_what_is_old_can_be_left_behind(
    wired: Pair, bare_remote: Path, git: Git, lineage: Lineage
) -> None:
    """A single branch for ever had to be fetched whole, 1.53 GiB, and could not be cleaned."""
    ours, theirs = wired
    record(ours, "old")
    ((name, tip),) = refs(ours, "refs/lineage/ledger").items()
    git("update-ref", "refs/lineage/ledger/2025-03", tip, cwd=ours)
    git("update-ref", "-d", name, cwd=ours)
    record(ours, "new")
    assert push(ours).returncode == 0
    git("fetch", "-q", "origin", f"+{name}:{name.replace('lineage/', 'lineage-remotes/origin/')}",
        "--no-tags", "--refmap=", cwd=theirs)  # fmt: skip
    assert steps(theirs) == ["new"]
    lineage("archive", "--before", "2025-06-01", "old.bundle", cwd=ours)
    assert refs(ours, "refs/lineage/ledger").keys() == {name}
    assert steps(ours) == ["new"]


def test_11_loose_objects_stay_in_bounds(repo: Path, git: Git, lineage: Lineage) -> None:
    """5,000 records were 15,000 files and 821 MB; many at once are a pack here."""
    lineage("run", "-q", "--step", "one", "--", "true")
    before = int(git("count-objects").split()[0])
    with gitlineage.open(repo) as opened:
        opened.append_all(_again(opened, number) for number in range(300))
    assert int(git("count-objects").split()[0]) - before < 300
    assert git("rev-list", "--count", "--glob=refs/lineage/ledger/*") == "301"


def test_12_gc_keeps_all_that_a_record_needs(
    repo: Path, git: Git, lineage: Lineage
) -> None:  # fmt: skip
    """An id that is only mentioned in a blob, or is a submodule's, keeps nothing alive."""
    (repo / "code.py").write_text("never committed\n")
    lineage("run", "-q", "--step", "train", "-p", "rate=1", "-o", "out", "--", "sh", "-c",
            "echo said; mkdir out; echo 1 >out/a")  # fmt: skip
    git("checkout", "-q", "code.py")
    lineage("log")
    lineage("log")
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now", "--aggressive")
    assert lineage("output").stdout == "said\n"
    assert lineage("code", "@", "--", "code.py").stdout == "never committed\n"
    assert lineage("verify").returncode == 0
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_13_git_log_stays_readable(wired: Pair, git: Git, lineage: Lineage) -> None:
    """Commits of records stood between those of the code, in each GUI."""
    ours, _ = wired
    for number in range(5):
        record(ours, str(number))
    lineage("run", "-q", "--", "true", cwd=ours)
    for words in (["log", "--format=%s"], ["log", "--branches", "--remotes", "--tags",
                  "--format=%s"], ["log", "--exclude=refs/lineage/*", "--exclude=refs/notes/*",
                  "--all", "--format=%s"]):  # fmt: skip
        assert git(*words, cwd=ours) == "Begin"
    with_all = git("log", "--all", "--format=%s", cwd=ours).splitlines()
    # A commit for each record; all notes are one, and the code is one, with the chain's beginning.
    assert len(with_all) <= 1 + 6 + 1 + 2
    assert "log.excludedecoration" not in git("config", "--list", cwd=ours)
    assert git("reflog", "--all", "--format=%gD", cwd=ours).count("lineage") == 0


def test_14_hooks_are_chained_and_block_nothing(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage, tmp_path: Path
) -> None:
    """Hooks were overwritten, did not get their input, ran in circles, or stopped pushes."""
    ours, _ = clone_pair
    hook(ours, "pre-push", f"cat >>'{tmp_path}/heard'; echo \"$@\" >>'{tmp_path}/words'\n")
    lineage("init", cwd=ours)
    record(ours, "a")
    head = commit(ours, "code.py", "print(2)\n")
    assert push(ours).returncode == 0
    assert (tmp_path / "heard").read_text().split()[:2] == ["refs/heads/main", head]
    assert (tmp_path / "words").read_text() == f"origin {bare_remote}\n"  # once
    assert len(trees(bare_remote)) == 1
    record(ours, "b")
    (ours / ".git/lineage/seen").unlink(missing_ok=True)
    (ours / ".git/lineage/seen").mkdir()  # whatever is broken
    hook(bare_remote, "update", "case $1 in refs/lineage/*) exit 1;; esac\n")
    second = commit(ours, "code.py", "print(3)\n")
    assert push(ours).returncode == 0
    assert refs(bare_remote)["refs/heads/main"] == second
    lineage("init", "--undo", cwd=ours)
    assert (ours / ".git/hooks/pre-push").read_text().startswith("#!/bin/sh\ncat >>")


@pytest.mark.parametrize("how", ["rejects", "hides"])
def test_15_a_server_that_says_no(wired: Pair, bare_remote: Path, git: Git, how: str) -> None:
    """One refused ref failed the push of the code, and what was left behind was not said."""
    ours, _ = wired
    record(ours, "a")
    if how == "hides":
        git("config", "transfer.hideRefs", "refs/lineage", cwd=bare_remote)
    else:
        hook(bare_remote, "update", "case $1 in refs/lineage/*) exit 1;; esac\n")
    head = commit(ours, "code.py", "print(2)\n")
    done = push(ours)
    assert done.returncode == 0
    assert "warning: lineage was not sent: " in done.stderr
    assert "not there yet: 1 record\n" in done.stderr
    assert refs(bare_remote)["refs/heads/main"] == head


def test_16_a_shallow_clone_gives_and_takes_little(
    clone_pair: Pair, bare_remote: Path, isolated: Path, git: Git, lineage: Lineage
) -> None:
    """Records whose parents are code brought the whole history into a clone of depth 1."""
    ours, _ = clone_pair
    for number in range(10):
        commit(ours, "code.py", f"print({number})\n" * 500)
    git("push", "-q", "origin", "main", cwd=ours)
    git("clone", "-q", "--depth=1", f"file://{bare_remote}", isolated / "shallow")
    shallow = isolated / "shallow"
    lineage("init", cwd=shallow)
    (shallow / "code.py").write_text("changed\n")
    lineage("run", "-q", "--step", "there", "--", "true", cwd=shallow)
    before = objects(bare_remote)
    lineage("push", "-y", cwd=shallow)
    assert len(objects(bare_remote) - before) < 20
    record(ours, "ours")
    lineage("push", "-y", cwd=ours)
    lineage("fetch", cwd=shallow)
    assert steps(shallow) == ["ours", "there"]
    assert git("rev-list", "--count", "HEAD", cwd=shallow) == "1"
    assert git("log", "--format=%s", "--all", cwd=shallow).splitlines().count("Change") == 1


@pytest.mark.parametrize("kind", ["sha256", "partial", "worktreeConfig"])
def test_17_repositories_that_libgit2_refuses(
    clone_pair: Pair, bare_remote: Path, isolated: Path, git: Git, lineage: Lineage, kind: str
) -> None:
    """What git accepts was refused: other hashes, partial clones, extensions."""
    there = isolated / "there"
    if kind == "sha256":
        git("init", "-q", "--object-format=sha256", there)
        (there / "code.py").write_text("print(1)\n")
        git("add", ".", cwd=there)
        git("commit", "-q", "-m", "Begin", cwd=there)
    elif kind == "partial":
        git("config", "uploadpack.allowFilter", "true", cwd=bare_remote)
        git("clone", "-q", "--filter=blob:none", f"file://{bare_remote}", there)
    else:
        git("clone", "-q", bare_remote, there)
        git("config", "extensions.worktreeConfig", "true", cwd=there)
        git("config", "core.repositoryFormatVersion", "1", cwd=there)
    lineage("run", "-q", "--step", "a", "-o", "out", "--", "sh", "-c", "echo 1 >out", cwd=there)
    with gitlineage.open(there) as opened:
        for number in range(12):  # from the ninth on libgit2 would append
            opened.append(*_again(opened, number))
    assert len(steps(there)) == 13
    assert git("fsck", "--strict", "--no-dangling", cwd=there) == ""


def _again(lineage: gitlineage.Lineage, number: int):  # type: ignore[no-untyped-def]
    found = lineage.execution("@")
    assert found.launch and found.end
    return found.launch.replace(nonce=str(number).encode()), found.end.replace(execution="")


def test_18_linked_work_trees_and_submodules(
    repo: Path, isolated: Path, git: Git, lineage: Lineage
) -> None:
    """`.git` is a file in a linked work tree; a submodule's commit was not known."""
    git("init", "-q", isolated / "part")
    (isolated / "part/part.py").write_text("1\n")
    git("add", ".", cwd=isolated / "part")
    git("commit", "-q", "-m", "Part", cwd=isolated / "part")
    git("submodule", "--quiet", "add", str(isolated / "part"), "part")
    git("commit", "-q", "-m", "Add a part")
    git("worktree", "add", "-q", isolated / "linked")
    git("submodule", "--quiet", "update", "--init", cwd=isolated / "linked")
    (isolated / "linked/part/part.py").write_text("2\n")
    lineage("run", "-q", "--step", "linked", "--", "true", cwd=isolated / "linked")
    shown = json.loads(lineage("show", "--json", cwd=repo).stdout)
    assert shown["step"] == "linked"
    (module,) = shown["code"]["submodules"]
    assert module["commit"] == git("rev-parse", "HEAD", cwd=isolated / "part")
    assert module["is_dirty"]
    assert not (isolated / "linked/.git/lineage").exists()


def test_19_no_secret_and_no_unpublished_commit_is_pushed(
    wired: Pair, bare_remote: Path, git: Git, lineage: Lineage
) -> None:
    """`git add -A` had taken `.env`, and a snapshot's parent a commit that nobody had pushed."""
    ours, _ = wired
    commit(ours, "private.py", "in a commit that is not pushed\n", "Unpublished")
    unpublished = git("rev-parse", "HEAD", cwd=ours)
    (ours / ".env").write_text("PASSWORD=difference engine\n")
    (ours / "new.py").write_text("print(3)\n")
    lineage("run", "-q", "--step", "a", "--", "true", cwd=ours)
    secret = git("hash-object", ".env", cwd=ours)
    lineage("push", cwd=ours)
    assert objects(bare_remote).isdisjoint({unpublished, secret})
    assert lineage("code", "@", "--", "new.py", cwd=ours).stdout == "print(3)\n"
    assert ".env (named like a secret" in lineage("show", cwd=ours).stdout


def test_20_no_limit_of_the_system_is_met(
    clone_pair: Pair, git: Git, lineage: Lineage
) -> None:  # fmt: skip
    """Long lists of files went over what a command line holds; 128 KiB, where a stack is small."""
    ours, _ = clone_pair
    names = [f"{'n' * 180}{number}" for number in range(1500)]
    for name in names:
        (ours / name).write_text(name)
    (ours / "out").mkdir()
    script = 'ulimit -s 512; exec git lineage run -q -i "$1" -o out -- sh -c "$2"'
    made = "for n in $(seq 1500); do echo $n >out/$n; done"
    done = subprocess.run(["sh", "-c", script, "sh", ".", made], cwd=ours, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    listed = lineage("code", cwd=ours).stdout.splitlines()
    assert set(names) <= set(listed)
    assert os.path.getsize(ours / ".git/index") < 100_000  # and none of it was staged
    assert lineage("push", "-y", cwd=ours).returncode == 0
