"""Odd repositories are used as any other: by several users, work trees and versions of git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, last, start
from kinds import Kind, cloned, commit, linked, many_refs, newer, sha256, sparse_cone, submodules
from kinds import reftable as in_reftable
from repositories import let_in
from sharing import Trace

import gitlineage

# -- bare ones -----------------------------------------------------------------------------------


def test_a_bare_repository_is_read(
    repo: Path, git: Git, lineage: Lineage, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage("run", "-q", "-t", "first", "--", "sh", "-c", "echo said; echo 1 > out")
    git("clone", "-q", "--mirror", repo, isolated / "bare.git")
    monkeypatch.chdir(isolated / "bare.git")
    id = last().id
    assert lineage("log", "--oneline").stdout.split()[0] == id[:8]
    assert lineage("output").stdout == "said\n"
    assert lineage("code").stdout == "README.md\ncode.py\n"
    assert "-> n1" in lineage("trace", "first").stdout
    assert lineage("verify").stderr == "lineage: 1 record in 1 month: all sound\n"
    lineage("tag", "second")
    assert last().tags == ("first", "second")
    for words, status in ((("run", "--", "true"), 125), (("status",), 3), (("reproduce",), 3)):
        refused = lineage(*words, check=False)
        assert (refused.returncode, refused.stdout) == (status, "")
        said = f"error: this repository has no work tree: {isolated / 'bare.git'}\n"
        assert refused.stderr.startswith(said)


# -- linked work trees ---------------------------------------------------------------------------


def test_linked_work_trees_record_into_one_ledger_at_once(
    repo: Path, git: Git, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = [repo]
    for number in range(3):
        git("worktree", "add", "-q", isolated / f"tree{number}")
        trees.append(isolated / f"tree{number}")
        (trees[-1] / "code.py").write_text(f"{number}")
    running = [
        start("git", "lineage", "run", "-q", "--step", f"{tree.name}.{number}", "--", "sh", "-c",
              f"echo {number} > out{number}", cwd=tree)
        for tree in trees for number in range(2)
    ]  # fmt: skip
    assert [process.communicate(timeout=120) and process.returncode for process in running] == [
        0
    ] * 8
    for tree in trees:
        monkeypatch.chdir(tree)
        found = everything()
        assert sorted(each.launch.step for each in found if each.launch) == sorted(
            f"{tree.name}.{number}" for tree in trees for number in range(2)
        )
    codes = {e.launch.step[:-2]: (e.launch.code.branch, e.launch.code.tree)
             for e in everything() if e.launch and e.launch.step}  # fmt: skip
    assert [codes[tree.name][0] for tree in trees] == ["main", "tree0", "tree1", "tree2"]
    assert len({tree for _, tree in codes.values()}) == 4
    git("fsck", "--strict", "--no-dangling")


def test_where_a_linked_work_tree_leads_to_nothing_it_is_said(
    repo: Path, git: Git, lineage: Lineage, isolated: Path
) -> None:
    git("worktree", "add", "-q", isolated / "linked")
    repo.rename(isolated / "moved")
    refused = lineage("log", cwd=isolated / "linked", check=False)
    assert refused.returncode == 3
    assert refused.stderr.splitlines()[0] == (
        f"error: git does not open the repository of {isolated / 'linked'}: "
        f"not a git repository: {repo / '.git/worktrees/linked'}"
    )


# -- submodules ----------------------------------------------------------------------------------


def test_commits_and_changes_of_submodules_are_recorded_and_nothing_in_them(
    repo: Path, git: Git, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    submodules(repo, git, monkeypatch)
    (repo / "moved/untracked").write_text("1")
    lineage("run", "-q", "--", "true")
    launch = last().launch
    assert launch is not None
    heads = {
        name: git("rev-parse", "HEAD", cwd=repo / name) for name in ("clean", "moved", "dirty")
    }
    heads["absent"] = git("rev-parse", "HEAD:absent")
    assert {each.path: each.commit for each in launch.code.submodules} == heads
    assert {each.path for each in launch.code.submodules if each.is_dirty} == {"dirty", "moved"}
    held = git("ls-tree", launch.code.tree or "", "moved", "dirty", "untracked")
    assert held.split() == ["160000", "commit", heads["dirty"], "dirty",
                            "160000", "commit", heads["moved"], "moved"]  # fmt: skip
    # In a submodule it is the submodule that records.
    lineage("run", "-q", "--", "true", cwd=repo / "dirty")
    assert len(everything()) == 1
    monkeypatch.chdir(repo / "dirty")
    (inside,) = everything()
    assert inside.launch is not None and inside.launch.code.commit == heads["dirty"]
    assert Path(gitlineage.open().repository.common_dir) == repo / ".git/modules/dirty"


# -- run again -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [linked, sha256, in_reftable, sparse_cone, cloned("--depth=1"), cloned("--filter=blob:none")],
    ids=["linked", "sha256", "reftable", "sparse", "shallow", "blobless"],
)
def test_it_is_run_again_in_every_kind(
    kind: Kind, repo: Path, git: Git, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = kind(repo, git, monkeypatch)
    monkeypatch.chdir(here)
    command = "cat code.py > out; git ls-files > names"
    lineage("run", "-q", "-o", "out", "-o", "names", "--", "sh", "-c", command)
    head = git("rev-parse", "HEAD")
    told = lineage("reproduce", "-y")
    assert told.stdout.splitlines()[-2:] == ["  identical  names", "  identical  out"], told
    assert git("rev-parse", "HEAD") == head
    with gitlineage.open() as door:
        assert door.verify().is_sound
        door.export_code("@", str(repo.parent / "exported"))
    assert (repo.parent / "exported/code.py").read_text() == (here / "code.py").read_text()
    if kind is sparse_cone:  # all of it was exported, not what is shown here
        assert (repo.parent / "exported/two/deep/file").exists()


# -- other users ---------------------------------------------------------------------------------

GROUP = 4711


def by(user: int, *command: str | Path, cwd: Path) -> tuple[int, str, str]:
    """Run a command as another user, who may read all and write what is theirs."""
    allowed = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    done = subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={GROUP}", "--clear-groups", *allowed, *command],
        cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def many_users(isolated: Path) -> Iterator[None]:
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root is any user, by setpriv")
    let_in(isolated / "home")
    (isolated / "home").chmod(0o777)
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("many_users")
def test_a_group_records_into_one_repository(
    git: Git, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = isolated / "shared"
    path.mkdir()
    path.chmod(0o2775)
    os.chown(path, 0, GROUP)
    git("config", "--global", "safe.directory", "*")
    assert by(2001, "git", "init", "-q", "--shared=group", ".", cwd=path)[0] == 0
    for user in (2001, 2002, 2001):
        done = by(user, "git", "lineage", "run", "-q", "-t", f"by{user}", "--", "true", cwd=path)
        assert done == (0, "", "")
        assert by(user, "git", "lineage", "log", cwd=path)[2] == ""
    folder = path / ".git/lineage"
    for each in (folder, *folder.rglob("*")):
        is_of_all = each.stat().st_gid == GROUP and each.stat().st_mode & 0o020
        assert is_of_all or each.suffix in (".log", ".commit"), each
    # Whoever comes later completes what another's recorder has left.
    code = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    by(2001, "git", "lineage", "run", "-q", "--", sys.executable, "-c", code, cwd=path)
    said = by(2002, "git", "lineage", "log", "--oneline", cwd=path)[1]
    assert len(said.splitlines()) == 4 and "interrupted" in said
    assert by(2002, "git", "lineage", "verify", cwd=path)[2].endswith("all sound\n")


@pytest.mark.usefixtures("many_users")
def test_another_users_repository_is_read_where_git_trusts_it(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    lineage("run", "-q", "--", "sh", "-c", "echo 1 > out")
    let_in(repo)
    for words in (("log",), ("run", "--", "true")):
        status, told, said = by(2001, "git", "lineage", *words, cwd=repo)
        assert (status, told) == (3 if words == ("log",) else 125, "")
        assert said == (
            f"error: git does not open another user's repository: {repo}\n"
            f"hint: if you trust that user: `git config --global --add safe.directory {repo}`\n"
        )
    git("config", "--global", "--add", "safe.directory", str(repo))
    id, before = last().id, sorted(repo.rglob("*"))
    assert by(2001, "git", "lineage", "log", "--oneline", cwd=repo)[1].split()[0] == id[:8]
    for words in (("show",), ("trace", "out"), ("verify",), ("output",)):
        assert by(2001, "git", "lineage", *words, cwd=repo)[0] == 0
    status, told, said = by(2001, "git", "lineage", "run", "--", "echo", "ran", cwd=repo)
    assert (status, told) == (125, "")
    assert said == (
        f"error: cannot write to {repo}/.git/lineage/running: Permission denied\n"
        "hint: make it writable, or record from a clone\n"
    )
    assert sorted(repo.rglob("*")) == before


# -- other versions of git -----------------------------------------------------------------------


def test_what_this_git_does_not_know_is_said_in_its_words(
    repo: Path, git: Git, lineage: Lineage
) -> None:
    git("config", "core.repositoryFormatVersion", "1")
    git("config", "extensions.keptInANewerWay", "yes")
    refused = lineage("log", check=False)
    assert refused.returncode == 3
    assert refused.stderr.splitlines()[-2:] == [
        f"error: git does not open the repository of {repo}: "
        "unknown repository extension found: keptinanewerway",
        "hint: see what `git status` says there; what is kept in a newer way needs a newer git",
    ]


def test_what_one_git_has_recorded_the_other_reads(
    repo: Path, git: Git, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage("run", "-q", "--step", "old", "--", "true")
    with monkeypatch.context() as patched:
        newer(repo, patched)
        lineage("run", "-q", "--step", "new", "--", "true")
        assert [each.launch.step for each in everything() if each.launch] == ["new", "old"]
    assert [each.launch.step for each in everything() if each.launch] == ["new", "old"]


# -- many refs -----------------------------------------------------------------------------------


def test_twenty_thousand_branches_cost_little(
    repo: Path, git: Git, lineage: Lineage, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_refs(repo, git, monkeypatch)
    text = (repo / ".git/packed-refs").read_text()
    (repo / ".git/packed-refs").write_text(text.replace("refs/heads/", "refs/remotes/origin/"))
    remote = isolated / "remote.git"
    git("clone", "-q", "--bare", repo, remote)
    git("remote", "add", "origin", remote)
    (repo / "code.py").write_text("never published")
    commit(repo, git)
    with Trace(isolated / "run") as trace:
        lineage("run", "-q", "--", "true")
    # Not one process for each, nor one argument.
    assert len(trace.started()) < 25
    assert max(map(len, trace.arguments())) < 60
    with Trace(isolated / "push") as trace:
        lineage("push")
    assert len(trace.started()) < 60
    assert max(map(len, trace.arguments())) < 60
