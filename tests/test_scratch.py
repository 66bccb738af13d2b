"""Throw-away work trees: what git sees from there, and what stays when nobody uses them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Git

from gitlineage import scratch, worktree
from gitlineage.errors import Refused
from gitlineage.repository import Repository
from gitlineage.scratch import Scratch


@pytest.fixture
def repository(repo: Path) -> Repository:
    return Repository.discover()


def test_it_is_a_work_tree_that_no_list_has(repository: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    with Scratch(repository) as made:
        inner = made.check_out(f"{head}^{{tree}}", head)
        assert worktree.status(inner).changed == ()
        assert worktree.status(inner).commit == head
        found = Repository.discover(made.top)
        assert (found.top, found.common_dir) == (made.top, repository.common_dir)
        assert git("rev-parse", "--show-toplevel", cwd=Path(made.top)) == made.top
        assert git("worktree", "list").count("\n") == 0
        assert sorted(os.listdir(made.top)) == [".git", "README.md", "code.py"]
    assert os.listdir(os.path.join(repository.lineage_dir, "scratch")) == []


def test_what_differs_from_the_commit_is_not_staged(repository: Repository, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    Path("code.py").write_text("changed\n")
    Path("new.py").write_text("new\n")
    tree = worktree.tree_with(repository, ["code.py", "new.py"])
    with Scratch(repository) as made:
        made.check_out(tree, head)
        assert git("status", "--short", cwd=Path(made.top)) == " M code.py\n?? new.py"


def test_a_commit_without_a_branch_stays_there(repository: Repository, git: Git) -> None:
    with Scratch(repository) as made:
        made.check_out(git("rev-parse", "HEAD^{tree}"), None)
        git("add", ".", cwd=Path(made.top))
        git("commit", "-q", "-m", "Here", cwd=Path(made.top))
        assert git("log", "--format=%s", cwd=Path(made.top)) == "Here"
    assert git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_read_only_folders_go_too(repository: Repository) -> None:
    with Scratch(repository) as made:
        folder = Path(made.top, "a")
        folder.mkdir()
        (folder / "b").write_text("")
        folder.chmod(0o500)
    assert os.listdir(os.path.join(repository.lineage_dir, "scratch")) == []


def test_one_that_nobody_holds_is_swept(repository: Repository) -> None:
    base = Path(repository.lineage_dir, "scratch")
    with Scratch(repository) as made:
        Path(base, "left/tree").mkdir(parents=True)
        Path(base, "unborn.new").mkdir()
        scratch.sweep(repository)
        assert sorted(os.listdir(base)) == sorted(["unborn.new", made.top.split(os.sep)[-3]])
        os.utime(base / "unborn.new", (0, 0))
        scratch.sweep(repository)
        assert len(os.listdir(base)) == 1


@pytest.mark.parametrize("name", ["..", "../a", "a/../b", ".git/config", "a/.Git/b", "/a", "a//b"])
def test_no_path_leaves_it(repository: Repository, name: str) -> None:
    with Scratch(repository) as made, pytest.raises(Refused):
        made.room_for(name)


def test_no_link_leads_out_of_it(repository: Repository, isolated: Path) -> None:
    with Scratch(repository) as made:
        os.symlink(isolated, os.path.join(made.top, "link"))
        for name in ("link/a", "link/a/b"):
            with pytest.raises(Refused):
                made.room_for(name)
        with pytest.raises(Refused):
            made.make_folder("link")
        made.put("link", lambda path: Path(path).write_text("a file now") and None)
        assert Path(made.top, "link").read_text() == "a file now"
    assert isolated.is_dir()


def test_being_there_ends(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")
    here = os.getcwd()
    streams = [os.fstat(number).st_ino for number in (0, 1)]
    with Scratch(repository) as made:
        with made.entered(made.top, os.devnull, os.path.join(made.top, "out")):
            assert os.getcwd() == made.top
            assert "GIT_DIR" not in os.environ
            os.write(1, b"said")
        assert Path(made.top, "out").read_text() == "said"
    assert (os.getcwd(), os.environ["GIT_DIR"]) == (here, ".git")
    assert [os.fstat(number).st_ino for number in (0, 1)] == streams


def test_a_copy_has_the_times_of_its_source(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * 3_000_000)
    os.utime(source, (1, 2))
    scratch.copy(str(source), str(target))
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mtime == 2
