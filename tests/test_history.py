"""Executions stay found when history is rewritten: by commit, by root tree and by content."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Git, Lineage
from sharing import commit, refs

Pair = tuple[Path, Path]


def ran_on(lineage: Lineage, repo: Path, revision: str) -> list[str]:
    """Return the steps of the executions that `log --commit` finds."""
    listed = lineage("log", "--json", "--commit", revision, cwd=repo).stdout
    return sorted(json.loads(line)["step"] for line in listed.splitlines())


def maker(lineage: Lineage, repo: Path) -> str:
    """Return which step made the model, as the file's content tells."""
    nodes = json.loads(lineage("trace", "model", "--json", cwd=repo).stdout)["nodes"]
    (found,) = (each["label"] for each in nodes if each["kind"] == "execution")
    return str(found).split()[0]


@pytest.fixture
def begun(clone_pair: Pair, lineage: Lineage) -> tuple[Path, str]:
    """Return a clone with a branch of two commits, pushed, and the one that `train` ran at."""
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    git("switch", "-q", "-c", "topic", cwd=ours)
    (ours / ".gitignore").write_text("model\n")
    git("add", ".gitignore", cwd=ours)
    old = commit(ours, "train.py", "print(1)\n", "Train")
    git("push", "-q", "origin", "topic", cwd=ours)
    lineage("run", "-q", "--step", "train", "-o", "model", "--", "sh", "-c", "echo 1 >model",
            cwd=ours)  # fmt: skip
    return ours, old


def git(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def amend(ours: Path) -> None:
    git("commit", "-q", "--amend", "-m", "Train well", cwd=ours)


def rebase(ours: Path) -> None:
    """Onto another beginning, with another message and the same files."""
    onto = git("commit-tree", "main^{tree}", "-m", "Begin again", cwd=ours)
    git("rebase", "-q", "--onto", onto, "main", cwd=ours)


def squash(ours: Path) -> None:
    git("switch", "-q", "main", cwd=ours)
    git("merge", "-q", "--squash", "topic", cwd=ours)
    git("commit", "-q", "-m", "Train, squashed", cwd=ours)
    git("branch", "-q", "-D", "topic", cwd=ours)


def cherry_pick(ours: Path) -> None:
    git("switch", "-q", "main", cwd=ours)
    git("cherry-pick", "-x", "topic", cwd=ours)
    git("branch", "-q", "-D", "topic", cwd=ours)


def force_push(ours: Path) -> None:
    amend(ours)
    git("push", "-q", "--force", "origin", "topic", cwd=ours)


WAYS: list[Callable[[Path], None]] = [amend, rebase, squash, cherry_pick, force_push]


@pytest.mark.parametrize("rewrite", WAYS, ids=lambda each: each.__name__)
def test_executions_are_found_after(
    begun: tuple[Path, str], lineage: Lineage, rewrite: Callable[[Path], None]
) -> None:
    ours, old = begun
    rewrite(ours)
    new = git("rev-parse", "HEAD", cwd=ours)
    assert new != old
    assert ran_on(lineage, ours, "HEAD") == ran_on(lineage, ours, old[:10]) == ["train"]
    assert ran_on(lineage, ours, "HEAD^{tree}") == ["train"]
    assert maker(lineage, ours) == "train"
    lineage("push", "-y", cwd=ours)
    lineage("fetch", cwd=ours)
    assert " train: succeeded" in git("notes", "--ref=lineage", "show", "HEAD", cwd=ours)
    git("reflog", "expire", "--expire=now", "--all", cwd=ours)
    git("gc", "-q", "--prune=now", cwd=ours)
    assert ran_on(lineage, ours, old[:10]) == ran_on(lineage, ours, "HEAD") == ["train"]
    assert lineage("code", "@", "-o", ours / "ran", cwd=ours).returncode == 0
    assert (ours / "ran/train.py").read_text() == "print(1)\n"


def test_a_branch_that_was_deleted_everywhere(begun: tuple[Path, str], lineage: Lineage) -> None:
    ours, old = begun
    lineage("push", "-y", cwd=ours)
    git("switch", "-q", "main", cwd=ours)
    git("branch", "-q", "-D", "topic", cwd=ours)
    git("push", "-q", "origin", ":topic", cwd=ours)
    git("reflog", "expire", "--expire=now", "--all", cwd=ours)
    git("gc", "-q", "--prune=now", cwd=ours)
    assert ran_on(lineage, ours, old) == ["train"]
    assert maker(lineage, ours) == "train"


def test_a_commit_that_is_gone_is_found_by_its_beginning(
    begun: tuple[Path, str], lineage: Lineage
) -> None:
    ours, old = begun
    amend(ours)
    for ref in refs(ours, "refs/lineage/code", "refs/remotes"):
        git("update-ref", "-d", ref, cwd=ours)
    git("reflog", "expire", "--expire=now", "--all", cwd=ours)
    git("gc", "-q", "--prune=now", cwd=ours)
    assert subprocess.run(["git", "cat-file", "-e", old], cwd=ours, stderr=-3).returncode
    assert ran_on(lineage, ours, old) == ran_on(lineage, ours, old[:8]) == ["train"]
    assert ran_on(lineage, ours, "HEAD") == ["train"]
    missing = lineage("log", "--commit", "0123456789", cwd=ours, check=False)
    assert (missing.returncode, missing.stdout) == (3, "")


@pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh clone", "forced"])
def test_filter_repo(
    begun: tuple[Path, str], bare_remote: Path, isolated: Path, lineage: Lineage, is_fresh: bool
) -> None:
    """It rewrites every ref that it finds, lineage too: from the remote it comes back."""
    program = Path(git("--exec-path", cwd=isolated)) / "git-filter-repo"
    if not (program.exists() or shutil.which("git-filter-repo")):
        pytest.skip("git-filter-repo is not installed")
    ours, old = begun
    lineage("push", "-y", cwd=ours)
    lineage("log", cwd=ours)
    clone = ours
    if is_fresh:
        clone = isolated / "fresh"
        git("clone", "-q", "--branch", "topic", bare_remote, clone, cwd=isolated)
        shutil.copy(ours / "model", clone / "model")
    git("filter-repo", "--force", "--message-callback", "return message + b'Filtered.'", cwd=clone)
    if "origin" not in git("remote", cwd=clone).split():
        git("remote", "add", "origin", bare_remote, cwd=clone)
    lineage("init", cwd=clone)
    assert git("rev-parse", "HEAD", cwd=clone) != old
    assert ran_on(lineage, clone, "HEAD") == ran_on(lineage, clone, old[:10]) == ["train"]
    assert maker(lineage, clone) == "train"
    assert " train: succeeded" in git("notes", "--ref=lineage", "show", "HEAD", cwd=clone)


def test_ad_hoc_code_that_is_committed_later(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / "code.py").write_text("changed\n")
    lineage("run", "-q", "--step", "train", "--", "true")
    shown = json.loads(lineage("show", "--json").stdout)
    assert (shown["code"]["is_adhoc"], shown["code"]["committed_as"]) == (True, [])
    assert "committed" not in lineage("show").stdout
    git("commit", "-q", "-a", "-m", "Change")
    new = git("rev-parse", "HEAD")
    assert json.loads(lineage("show", "--json").stdout)["code"]["committed_as"] == [new]
    (line,) = (each for each in lineage("show").stdout.splitlines() if "committed" in each)
    assert line.split() == ["committed:", new[:12]]
    assert ran_on(lineage, repo, "HEAD") == ran_on(lineage, repo, "HEAD~") == ["train"]
    git("commit", "-q", "--allow-empty", "-m", "The same code once more")
    again = git("rev-parse", "HEAD")
    assert json.loads(lineage("show", "--json").stdout)["code"]["committed_as"] == [again, new]


def test_notes_count_each_execution_once(clone_pair: Pair, lineage: Lineage) -> None:
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    (ours / "code.py").write_text("changed\n")
    lineage("run", "-q", "--step", "before", "--", "true", cwd=ours)  # ad-hoc
    commit(ours, "code.py", "changed\n")
    lineage("run", "-q", "--step", "after", "--", "true", cwd=ours)
    lineage("fetch", cwd=ours)
    note = git("notes", "--ref=lineage", "show", "HEAD", cwd=ours).splitlines()
    assert note[0] == "2 executions"
    assert sorted(line.split()[1] for line in note[1:]) == ["after:", "before:"]
    before = refs(ours, "refs/notes/lineage")
    lineage("fetch", cwd=ours)
    assert refs(ours, "refs/notes/lineage") == before
