"""What a partial clone lacks is told without fetching it, and comes in one connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Git
from kinds import cloned
from sharing import Trace

from gitlineage import partial
from gitlineage.repository import Repository

NOWHERE = "1" * 40


@pytest.fixture(params=["blob:none", "tree:0"])
def clone(
    request: pytest.FixtureRequest, repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> Path:
    for number in range(3):
        (repo / f"folder{number}").mkdir()
        (repo / f"folder{number}/file").write_text(str(number))
    return cloned(f"--filter={request.param}")(repo, git, monkeypatch)


def test_an_ordinary_repository_has_no_promisors(repo: Path) -> None:
    repository = Repository.discover(str(repo))
    assert partial.promisors(repository) == []
    assert partial.complete(repository, ["HEAD"])


def test_a_partial_clone_has_one(clone: Path, git: Git) -> None:
    assert partial.promisors(Repository.discover(str(clone))) == ["origin"]
    git("config", "remote.origin.promisor", "false", cwd=clone)
    assert partial.promisors(Repository.discover(str(clone))) == []


def test_what_is_here_is_told_without_fetching(clone: Path, repo: Path, git: Git) -> None:
    repository = Repository.discover(str(clone))
    old = git("rev-parse", "HEAD~2:code.py", cwd=repo)
    head = git("rev-parse", "HEAD", cwd=clone)
    tree, blob = git("rev-parse", "HEAD^{tree}", "HEAD:code.py", cwd=clone).split()
    asked = [head, old, blob, NOWHERE, tree, head]
    with Trace(repo.parent / "trace") as trace:
        assert repository.are_readable(asked) == [True, False, True, False, True, True]
    assert trace.connections() == []


def test_all_that_is_missing_comes_at_once(clone: Path, repo: Path, git: Git) -> None:
    tip = git("rev-parse", "HEAD~2")
    repository = Repository.discover(str(clone))
    with Trace(repo.parent / "trace") as trace:
        assert partial.complete(repository, [tip])
    assert 1 <= len(trace.connections()) <= 2  # the folders first, where they lack as well
    with Trace(repo.parent / "again") as trace:
        assert partial.complete(repository, [tip])
        listed = git("ls-tree", "-r", "--format=%(objectname)", tip, cwd=clone).split()
        assert None not in repository.contents(listed)
    assert trace.connections() == []


def test_a_tree_that_is_missing_itself_comes_with_all_that_is_in_it(
    clone: Path, repo: Path, git: Git
) -> None:
    tree = git("rev-parse", "HEAD~2^{tree}")
    repository = Repository.discover(str(clone))
    with Trace(repo.parent / "trace") as trace:
        assert partial.complete(repository, [tree])
    assert 1 <= len(trace.connections()) <= 2
    with Trace(repo.parent / "again") as trace:
        assert repository.contents([f"{tree}:folder1/file"]) == [b"1"]
    assert trace.connections() == []


def test_what_nobody_has_is_said_not_to_be_here(clone: Path, git: Git) -> None:
    git("config", "remote.origin.url", str(clone.parent / "gone"), cwd=clone)
    tip = git("rev-parse", "HEAD~2", cwd=clone)
    assert not partial.complete(Repository.discover(str(clone)), [tip])
