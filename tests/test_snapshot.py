"""Which code ran: the state of a work tree before a command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import POWERLESS, everything, hows, last, start

from gitlineage.capture import is_secret
from gitlineage.records.launch import Code


def tree_of_all(git: Git, repo: Path, *but: str) -> str:
    """Return the tree that `git add -A` makes of the work tree, in a staging area of its own."""
    private = str(repo.parent / "private-index")
    shutil.copyfile(repo / ".git/index", private)
    git("add", "-A", "--", ".", *(f":(exclude){each}" for each in but), cwd=repo,
        GIT_INDEX_FILE=private)  # fmt: skip
    return git("write-tree", cwd=repo, GIT_INDEX_FILE=private)


def code_of(lineage: Lineage) -> Code:
    lineage("run", "-q", "--", "true")
    launch = last().launch
    assert launch is not None
    return launch.code


def test_clean_commit(repo: Path, lineage: Lineage, git: Git) -> None:
    code = code_of(lineage)
    assert (code.commit, code.tree) == (git("rev-parse", "HEAD"), git("rev-parse", "HEAD^{tree}"))
    assert (code.branch, code.is_adhoc, code.differs_count) == ("main", False, 0)


CHANGES = {
    "unstaged": "echo 2 >> code.py",
    "staged": "echo 2 >> code.py; git add code.py",
    "staged and changed again": "echo 2 >> code.py; git add code.py; echo 3 >> code.py",
    "staged, and as before": "echo 2 >> code.py; git add code.py; git show HEAD:code.py > code.py",
    "untracked": "echo new > new.py",
    "untracked in a folder": "mkdir -p a/b; echo new > a/b/new.py; ln -s new.py a/b/link",
    "intent to add": "echo new > new.py; git add -N new.py",
    "deleted": "rm code.py",
    "deleted in the staging area": "git rm -q code.py",
    "deleted in the staging area only": "git rm -q --cached code.py",
    "added and deleted again": "echo new > new.py; git add new.py; rm new.py",
    "executable": "chmod +x code.py",
    "renamed": "git mv code.py other.py; echo 2 >> other.py",
    "file to link": "rm code.py; ln -s README.md code.py",
    "file to folder": "rm code.py; mkdir code.py; echo x > code.py/inner",
    "all of it": "echo 2 >> code.py; git add .; rm README.md; echo n > n; chmod +x n",
    "line ends": "git config core.safecrlf true; git config core.autocrlf input;"
                 r" printf 'a\r\nb\r\n' > crlf.py",
    "nothing after all": "touch code.py; git update-index -q --refresh; touch code.py",
}  # fmt: skip


@pytest.mark.parametrize("change", list(CHANGES))
def test_snapshot_is_exactly_what_ran(repo: Path, lineage: Lineage, git: Git, change: str) -> None:
    subprocess.run(["sh", "-ec", CHANGES[change]], check=True)
    code = code_of(lineage)
    git("config", "--unset", "core.safecrlf", cwd=repo) if change == "line ends" else None
    assert code.tree == tree_of_all(git, repo)
    is_adhoc = code.tree != git("rev-parse", "HEAD^{tree}")
    assert (
        code.is_adhoc
        == is_adhoc
        == (
            change
            not in (
                "staged, and as before",
                "added and deleted again",
                "nothing after all",
                "deleted in the staging area only",
            )
        )
    )
    assert (code.differs_count > 0) == is_adhoc
    assert code.commit == git("rev-parse", "HEAD")
    assert git("rev-parse", f"{code.snapshot}^{{tree}}") == code.tree
    assert git("cat-file", "-p", code.snapshot).split("\n\n")[1].strip() in ("snapshot", "Begin")


def test_in_the_middle_of_a_merge(repo: Path, lineage: Lineage, git: Git) -> None:
    git("checkout", "-q", "-b", "side")
    (repo / "code.py").write_text("side\n")
    git("commit", "-q", "-am", "Side")
    git("checkout", "-q", "main")
    (repo / "code.py").write_text("main\n")
    git("commit", "-q", "-am", "Main")
    subprocess.run(["git", "merge", "-q", "side"], capture_output=True)
    assert "<<<<<<<" in (repo / "code.py").read_text()
    code = code_of(lineage)
    assert code.is_adhoc
    assert "<<<<<<<" in git("show", f"{code.tree}:code.py")
    assert git("ls-files", "--unmerged")
    (repo / "code.py").unlink()
    assert git("ls-tree", "--name-only", str(code_of(lineage).tree)) == "README.md"


def test_without_a_commit(isolated: Path, lineage: Lineage, git: Git,
                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    git("init", "-q", isolated / "fresh")
    monkeypatch.chdir(isolated / "fresh")
    code = code_of(lineage)
    assert (code.commit, code.branch, code.is_adhoc) == (None, "main", True)
    assert git("ls-tree", code.tree) == ""
    Path("code.py").write_text("1\n")
    Path("staged.py").write_text("2\n")
    git("add", "staged.py")
    code = code_of(lineage)
    assert git("ls-tree", "--name-only", str(code.tree)) == "code.py\nstaged.py"
    assert git("fsck", "--strict") in ("", "notice: HEAD points to an unborn branch (main)")


def test_detached_head(repo: Path, lineage: Lineage, git: Git) -> None:
    git("checkout", "-q", "--detach")
    code = code_of(lineage)
    assert (code.branch, code.commit, code.is_adhoc) == (None, git("rev-parse", "HEAD"), False)


def test_linked_work_tree(repo: Path, lineage: Lineage, git: Git, isolated: Path,
                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    linked = isolated / "linked"
    git("worktree", "add", "-q", "-b", "side", linked)
    monkeypatch.chdir(linked)
    Path("new.py").write_text("n\n")
    lineage("run", "-q", "--", "sh", "-c", "echo o > out")
    found = last()
    assert found.launch is not None
    assert found.launch.code.branch == "side"
    assert git("ls-tree", "--name-only", str(found.launch.code.tree)).split() == [
        "README.md", "code.py", "new.py"
    ]  # fmt: skip
    assert hows(found.outputs) == {"out": "detected"}
    monkeypatch.chdir(repo)
    assert last().id == found.id
    assert git("status", "--porcelain") == ""


def test_submodules(repo: Path, lineage: Lineage, git: Git, isolated: Path) -> None:
    git("init", "-q", isolated / "lib")
    (isolated / "lib/lib.py").write_text("1\n")
    git("add", ".", cwd=isolated / "lib")
    git("commit", "-q", "-m", "Lib", cwd=isolated / "lib")
    git("submodule", "--quiet", "add", str(isolated / "lib"), "lib")
    git("commit", "-q", "-m", "With lib")
    first = git("rev-parse", "HEAD", cwd=repo / "lib")
    code = code_of(lineage)
    assert not code.is_adhoc
    assert [(each.path, each.commit, each.is_dirty) for each in code.submodules] == [
        ("lib", first, False)
    ]
    (repo / "lib/lib.py").write_text("2\n")
    done = lineage("run", "-q", "--", "cat", "lib/lib.py")
    assert done.stderr == (
        "warning: changes inside lib are not in the snapshot: commit them there\n"
    )
    launch = last().launch
    assert launch is not None
    assert launch.code.is_adhoc
    assert launch.code.submodules[0].is_dirty
    git("commit", "-q", "-am", "More", cwd=repo / "lib")
    code = code_of(lineage)
    assert code.is_adhoc
    assert [each.commit for each in code.submodules] == [git("rev-parse", "HEAD", cwd=repo / "lib")]
    assert code.tree == tree_of_all(git, repo)


def test_repository_inside_that_is_no_submodule(repo: Path, lineage: Lineage, git: Git) -> None:
    git("init", "-q", repo / "other")
    (repo / "other/x").write_text("x")
    code = code_of(lineage)
    assert not code.is_adhoc


def test_what_is_left_out_of_a_snapshot_is_listed(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / ".gitignore").write_text("ignored/\n*.log\n")
    (repo / "ignored").mkdir()
    (repo / "ignored/x.py").write_text("x")
    (repo / "run.log").write_text("x")
    (repo / "big.bin").write_bytes(bytes(5 << 20))
    (repo / ".env").write_text("PASSWORD=1")
    (repo / "deploy.pem").write_text("-----BEGIN")
    (repo / "id_ed25519.pub").write_text("public")
    (repo / "small.py").write_text("s")
    code = code_of(lineage)
    assert {(each.path, each.reason) for each in code.left_out} == {
        ("big.bin", "large"), (".env", "secret"), ("deploy.pem", "secret")
    }  # fmt: skip
    assert code.tree == tree_of_all(git, repo, "big.bin", ".env", "deploy.pem")
    names = git("ls-tree", "-r", "--name-only", code.tree).split("\n")
    assert names == [".gitignore", "README.md", "code.py", "id_ed25519.pub", "small.py"]
    git("config", "lineage.snapshotLimit", "8m")
    assert "big.bin" in git("ls-tree", "--name-only", code_of(lineage).tree).split("\n")
    objects = git("cat-file", "--batch-all-objects", "--batch-check")
    assert str(len("PASSWORD=1")) not in [
        line.split()[2] for line in objects.splitlines() if " blob " in line
    ]


def test_secret_that_git_tracks_is_code(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / ".env").write_text("A=1")
    git("add", ".env")
    git("commit", "-q", "-m", "Oh")
    (repo / ".env").write_text("A=2")
    code = code_of(lineage)
    assert git("show", f"{code.tree}:.env") == "A=2"
    assert not code.left_out


def test_only_left_out_files_do_not_make_code_ad_hoc(repo: Path, lineage: Lineage) -> None:
    (repo / ".env").write_text("A=1")
    code = code_of(lineage)
    assert (code.is_adhoc, code.differs_count, len(code.left_out)) == (False, 0, 1)


HIDDEN = ("code.py", "gone.py", "key.pem", "local.ini")


@pytest.fixture
def hiding(repo: Path, git: Git) -> Path:
    """Return a repository where git is told not to look at some files, all of them others now."""
    for name in HIDDEN:
        (repo / name).write_text("public")
    git("add", ".")
    git("commit", "-q", "-m", "More")
    git("update-index", "--assume-unchanged", "code.py", "gone.py")
    git("update-index", "--skip-worktree", "local.ini", "key.pem", "README.md")
    for name in HIDDEN:
        (repo / name).write_text("private")
    (repo / "gone.py").unlink()
    (repo / "README.md").unlink()  # as in a sparse checkout
    return repo


def test_what_git_is_told_not_to_look_at_is_said(hiding: Path, lineage: Lineage, git: Git) -> None:
    flags = git("ls-files", "-v")
    code = code_of(lineage)
    assert {each.path: (each.reason, each.size) for each in code.left_out} == {
        "code.py": ("hidden", 7), "gone.py": ("hidden", None),
        "key.pem": ("hidden", 7), "local.ini": ("hidden", 7),
    }  # fmt: skip
    assert code.tree == git("rev-parse", "HEAD^{tree}")
    assert (code.is_adhoc, code.differs_count) == (True, 4)
    assert git("ls-files", "-v") == flags
    shown = lineage("show").stdout
    assert "code.py (git is told not to look at it, 7 B)" in shown
    assert "not known here" not in shown
    done = lineage("reproduce", "@", "-y")
    assert "local.ini (hidden) was not kept: taken as it is here now" in done.stderr


def test_what_git_is_told_not_to_look_at_is_taken_where_that_is_wanted(
    hiding: Path, lineage: Lineage, git: Git
) -> None:
    git("config", "lineage.snapshotHidden", "true")
    flags = git("ls-files", "-v")
    code = code_of(lineage)
    assert [(each.path, each.reason) for each in code.left_out] == [("key.pem", "secret")]
    held = [git("show", f"{code.tree}:{name}") for name in ("code.py", "local.ini", "key.pem")]
    assert held == ["private", "private", "public"]
    names = git("ls-tree", "--name-only", code.tree).split("\n")
    assert ("gone.py" in names, "README.md" in names) == (False, True)
    assert git("ls-files", "-v") == flags
    assert git("status", "--porcelain") == ""


def test_hidden_files_as_they_were_committed_are_nothing_to_say(
    hiding: Path, lineage: Lineage, git: Git
) -> None:
    for name in HIDDEN:
        (hiding / name).write_text("public")
    code = code_of(lineage)
    assert (code.is_adhoc, code.differs_count, code.left_out) == (False, 0, ())


needs_setpriv = pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None,
    reason="root can read everything, and there is no setpriv to take that away",
)


@needs_setpriv
def test_unreadable_files_are_left_out(repo: Path, isolated: Path, git: Git) -> None:
    (repo / "code.py").write_text("changed\n")
    (repo / "new.py").write_text("n\n")
    (repo / "fine.py").write_text("f\n")
    for name in ("code.py", "new.py"):
        (repo / name).chmod(0)
    done = subprocess.run([*POWERLESS, "git", "lineage", "run", "-q", "--", "true"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    git("config", "--global", "--add", "safe.directory", "*")
    launch = last().launch
    assert launch is not None
    assert {(each.path, each.reason) for each in launch.code.left_out} == {
        ("code.py", "unreadable"), ("new.py", "unreadable")
    }  # fmt: skip
    assert git("ls-tree", "--name-only", str(launch.code.tree)).split() == [
        "README.md", "code.py", "fine.py"
    ]  # fmt: skip
    assert git("show", f"{launch.code.tree}:code.py") == 'print("hello")'


def test_pipe_in_the_place_of_a_tracked_file(repo: Path, lineage: Lineage) -> None:
    (repo / "code.py").unlink()
    os.mkfifo(repo / "code.py")
    code = code_of(lineage)
    assert [(each.path, each.reason) for each in code.left_out] == [("code.py", "unreadable")]


def test_output_of_an_earlier_execution_is_not_code(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-o", "folder", "--", "sh", "-c",
            "mkdir folder; echo 1 > folder/a; echo 2 > loose")  # fmt: skip
    assert not code_of(lineage).is_adhoc
    (repo / "loose").write_text("edited\n")
    code = code_of(lineage)
    assert (code.is_adhoc, code.differs_count) == (True, 1)
    (repo / "loose").write_text("2\n")
    assert not code_of(lineage).is_adhoc


def test_declared_outputs_of_what_runs_or_was_killed_are_not_code(
    repo: Path, lineage: Lineage, git: Git, isolated: Path
) -> None:
    for each in ("here", "go"):
        os.mkfifo(isolated / each)
    shell = f"mkdir parts; echo half > half; echo p > parts/one; echo > {isolated}/here; "
    running = start("git-lineage", "run", "-q", "-o", "half", "-o", "parts", "--", "sh", "-c",
                    shell + f"cat {isolated}/go")  # fmt: skip
    (isolated / "here").read_text()
    (repo / "new.py").write_text("new")

    def names() -> set[str]:
        tree = code_of(lineage).tree
        assert tree is not None
        return set(git("ls-tree", "-r", "--name-only", tree).split("\n"))

    code = {"README.md", "code.py", "new.py"}
    assert names() == code
    running.kill()
    (isolated / "go").write_text("")
    running.communicate()
    assert [each.status for each in everything()][-1] == "interrupted"
    assert names() == code
    (repo / "half").write_text("half, and then by hand")  # nobody's output any more
    assert names() == code | {"half"}


def test_declared_data_is_not_code(repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
                                   ) -> None:  # fmt: skip
    (repo / "data").mkdir()
    (repo / "data/a").write_text("a")
    (repo / "database").write_text("d")
    monkeypatch.chdir(repo / "data")
    lineage("run", "-q", "-i", ".", "-o", "../database", "--", "true")
    launch = last().launch
    assert launch is not None
    assert not launch.code.is_adhoc


def test_remotes_lose_their_credentials(repo: Path, lineage: Lineage, git: Git) -> None:
    git("remote", "add", "origin", "https://ada:secret@example.org:8443/a.git")
    git("remote", "add", "other", "git@example.org:a.git")
    assert dict(code_of(lineage).remotes) == {
        "origin": "https://example.org:8443/a.git",
        "other": "git@example.org:a.git",
    }


@pytest.mark.parametrize(("path", "expected"), [
    (".env", True), ("a/.ENV.local", True), ("id_rsa", True), ("id_rsa.pub", False),
    ("key.pem", True), ("server.KEY", True), ("keyboard.py", False), ("environment.py", False),
    ("credentials.json", True), ("my_credentials.py", False),
])  # fmt: skip
def test_names_that_secrets_have(path: str, expected: bool) -> None:
    assert is_secret(path) is expected


@needs_setpriv
def test_status_where_nothing_can_be_written(hiding: Path, lineage: Lineage) -> None:
    (hiding / ".git/info/exclude").write_text("out\n")
    lineage("run", "-q", "-o", "out", "--", "sh", "-c", "echo made > out")
    lineage("log")
    wanted = lineage("status", "out").stdout
    for folder in (hiding / ".git/lineage", hiding / ".git/lineage/running"):
        folder.chmod(0o555)
    try:
        done = subprocess.run([*POWERLESS, "git", "lineage", "status", "out"],
                              capture_output=True, text=True)  # fmt: skip
    finally:
        for folder in (hiding / ".git/lineage", hiding / ".git/lineage/running"):
            folder.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, lineage("status", "out").stderr)
    assert done.stdout == wanted
