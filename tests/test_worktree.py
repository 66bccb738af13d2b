"""What git says of the work tree, and trees that are made of it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from conftest import Git
from repositories import BACK_ENDS, EMPTY_TREE, opened, untracked

from gitlineage import worktree
from gitlineage.repository import Repository


@pytest.fixture(params=BACK_ENDS)
def repository(request: pytest.FixtureRequest, repo: Path) -> Repository:
    return opened(repo, request.param)


@pytest.fixture
def plain(repo: Path) -> Repository:
    return Repository.discover(str(repo))


def test_status_of_a_clean_work_tree(plain: Repository, git: Git) -> None:
    found = worktree.status(plain)
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
    assert set(worktree.status(plain).changed) == set(odd)
    git("commit", "-q", "-m", "odd")
    for name in odd:
        Path(name).write_text("y")
    assert set(worktree.status(plain).changed) == set(odd)
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
    found = worktree.status(plain)
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
    assert worktree.status(plain).changed == ("code.py",)
    tree = worktree.tree_with(plain, ["code.py"])
    assert "<<<<<<<" in git("cat-file", "blob", f"{tree}:code.py")


@pytest.mark.parametrize("singly", [5000, 0])
def test_ignored_files(
    plain: Repository, repo: Path, singly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree, "SINGLY", singly)
    (repo / ".gitignore").write_text("*.pkl\nout/\n!kept.pkl\n")
    (repo / "out").mkdir()
    for name in ("a.pkl", "kept.pkl", "out/b", "new.py", "new\nline.pkl", "\udcff.pkl"):
        (repo / name).touch()
    assert sorted(untracked(plain)) == [".gitignore", "kept.pkl", "new.py"]
    assert worktree.not_ignored([], worktree.start_ignored(plain, [])) == []


def test_status_without_a_branch_and_without_a_commit(
    plain: Repository, git: Git, isolated: Path
) -> None:
    git("checkout", "-q", "--detach")
    found = worktree.status(plain)
    assert (found.commit, found.branch) == (git("rev-parse", "HEAD"), None)
    git("init", "-q", "-b", "trunk/x", isolated / "new")
    (isolated / "new/file").touch()
    unborn = worktree.status(Repository.discover(str(isolated / "new")))
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
    found = worktree.status(plain)
    assert found.submodules == {"moved": False, "dirty": True, "with untracked": True}
    assert set(found.changed) == set(found.submodules)


def test_status_does_not_rewrite_the_staging_area(plain: Repository, git: Git) -> None:
    index = Path(plain.git_dir, "index")
    os.utime("code.py", (1, 1))
    before = index.read_bytes(), index.stat().st_mtime_ns
    worktree.status(plain)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


def tree_now(repository: Repository, git: Git) -> dict[str, str]:
    """Return what `tree_with` takes when it is given all that has changed: mode and content."""
    found = worktree.status(repository)
    tree = worktree.tree_with(repository, [*found.changed, *untracked(repository)])
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
    assert worktree.tree_with(plain, []) == git("rev-parse", "HEAD^{tree}")
    Path("code.py").write_text("1")
    assert worktree.tree_with(plain, []) == git("rev-parse", "HEAD^{tree}")
    git("add", ".")
    assert worktree.tree_with(plain, []) == git("write-tree")


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
    assert worktree.status(plain).changed == ("code.py",)
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
    assert worktree.tree_with(repository, []) == EMPTY_TREE
    (isolated / "new/file").write_text("1")
    assert list(repository.entries(worktree.tree_with(repository, ["file"]))) == ["file"]


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
    assert list(plain.entries(worktree.tree_with(plain, []))) == ["extra"]


def test_a_tree_is_checked_out_with_its_filters(plain: Repository, git: Git) -> None:
    Path(".gitattributes").write_text("*.txt filter=rev\n")
    git("config", "filter.rev.clean", "rev")
    git("config", "filter.rev.smudge", "rev")
    Path("a.txt").write_text("abc\n")
    Path("code.py").chmod(0o755)
    tree = worktree.tree_with(plain, [".gitattributes", "a.txt", "code.py"])
    worktree.check_out(plain, tree, str(Path("out").absolute()))
    assert Path("out/a.txt").read_text() == "abc\n"
    assert Path("out/code.py").stat().st_mode & stat.S_IXUSR
    assert git("status", "--porcelain", "README.md") == ""
