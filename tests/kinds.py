"""Repositories of every kind, made from an ordinary one.

A kind turns a repository into one of its kind, and returns the folder that a user would stand in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Git

Kind = Callable[[Path, Git, pytest.MonkeyPatch], Path]

NEWER = ROOT / ".venv-git/bin"
"""A git newer than Debian's, for what that one does not know: `reftable`, relative work trees."""

PROGRAMS = ("git", "git-receive-pack", "git-upload-pack")


def changed(repo: Path, git: Git) -> None:
    """Change one file, add one and remove one."""
    (repo / "code.py").write_text("print('changed')\n")
    (repo / "new.py").write_text("new\n")
    (repo / "README.md").unlink(missing_ok=True)


def newer(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the newer git run from now on, and nothing else that was installed with it."""
    if not (NEWER / "git").exists():
        pytest.skip("needs a newer git: make newer")
    folder = repo.parent / "newer"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).symlink_to(NEWER / name)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("GIT_EXEC_PATH", str(folder))


def commit(repo: Path, git: Git, message: str = "More") -> None:
    git("add", "-A", cwd=repo)
    git("commit", "-q", "-m", message, cwd=repo)


def made(path: Path, git: Git, *options: str) -> Path:
    """Return a new repository like the ordinary one."""
    git("init", "-q", *options, "--", path)
    (path / "README.md").write_text("# A project\n")
    (path / "code.py").write_text('print("hello")\n')
    commit(path, git, "Begin")
    return path


# -- where HEAD is -------------------------------------------------------------------------------


def unborn(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("init", "-q", "new")
    (repo / "new/code.py").write_text("1")
    return repo / "new"


def unborn_and_empty(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("init", "-q", "new")
    return repo / "new"


def unborn_and_staged(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("init", "-q", "new")
    (repo / "new/code.py").write_text("1")
    git("add", ".", cwd=repo / "new")
    return repo / "new"


def orphan(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("checkout", "-q", "--orphan", "other")
    (repo / "code.py").write_text("other")
    return repo


def detached(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("checkout", "-q", "--detach")
    return repo


def detached_and_changed(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("checkout", "-q", "--detach")
    changed(repo, git)
    return repo


def head_at_a_broken_branch(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("symbolic-ref", "HEAD", "refs/heads/feature/none")
    return repo


# -- the staging area ----------------------------------------------------------------------------


def conflict(repo: Path, git: Git, how: str) -> Path:
    git("checkout", "-q", "-b", "side")
    (repo / "code.py").write_text("side\n")
    (repo / "both").write_text("side\n")
    (repo / "README.md").unlink()
    commit(repo, git, "side")
    git("checkout", "-q", "main")
    (repo / "code.py").write_text("main\n")
    (repo / "both").write_text("main\n")
    (repo / "README.md").write_text("main\n")
    commit(repo, git, "main")
    subprocess.run(["git", how, "side"], cwd=repo, capture_output=True)
    assert "UU code.py" in git("status", "--porcelain", cwd=repo)
    return repo


def merging(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    return conflict(repo, git, "merge")


def rebasing(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    return conflict(repo, git, "rebase")


def picking(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    return conflict(repo, git, "cherry-pick")


def bisecting(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    for number in range(4):
        (repo / "code.py").write_text(f"{number}")
        commit(repo, git, str(number))
    git("bisect", "start", "HEAD", "HEAD~4")
    return repo


def intended(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo / "meant.py").write_text("meant")
    (repo / "gone.py").write_text("gone")
    git("add", "-N", "meant.py", "gone.py")
    (repo / "gone.py").unlink()
    return repo


def not_looked_at(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    """What `git add` leaves as it was committed, whatever lies there."""
    (repo / "local.ini").write_text("public")
    commit(repo, git)
    git("update-index", "--assume-unchanged", "code.py")
    git("update-index", "--skip-worktree", "local.ini")
    (repo / "code.py").write_text("tried out")
    (repo / "local.ini").write_text("password")
    (repo / "new.py").write_text("new")
    return repo


def split(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "core.splitIndex", "true")
    git("update-index", "--split-index")
    (repo / "more.py").write_text("more")
    git("add", "more.py")
    changed(repo, git)
    assert list((repo / ".git").glob("sharedindex.*"))
    return repo


def untracked_cache(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "core.untrackedCache", "true")
    git("update-index", "--force-untracked-cache")
    git("status", "-s")
    changed(repo, git)
    return repo


def monitored(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    """A monitor that tells of nothing: what it does not tell of has not changed, says git."""
    monitor = repo.parent / "monitor"
    monitor.write_text("#!/bin/sh\nprintf 'token\\0code.py\\0new.py\\0README.md\\0'\n")
    monitor.chmod(0o755)
    git("config", "core.fsmonitor", str(monitor))
    git("update-index", "--fsmonitor")
    git("status", "-s")
    changed(repo, git)
    return repo


def version_4(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("update-index", "--index-version", "4")
    changed(repo, git)
    return repo


def features(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "feature.manyFiles", "true")
    git("config", "feature.experimental", "true")
    git("config", "index.skipHash", "true")
    git("add", ".")
    changed(repo, git)
    return repo


def folders(repo: Path, git: Git) -> None:
    for folder in ("one", "two/deep", "three"):
        (repo / folder).mkdir(parents=True)
        (repo / folder / "file").write_text(folder)
    commit(repo, git)


def sparse_cone(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    folders(repo, git)
    git("sparse-checkout", "set", "--cone", "one")
    assert not (repo / "two").exists()
    (repo / "one/file").write_text("changed")
    (repo / "one/new").write_text("new")
    return repo


def sparse_patterns(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    folders(repo, git)
    git("sparse-checkout", "set", "--no-cone", "/*", "!/two/")
    assert not (repo / "two").exists()
    (repo / "one/file").write_text("changed")
    return repo


def sparse_index(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    folders(repo, git)
    git("sparse-checkout", "set", "--cone", "--sparse-index", "one")
    assert "two/\n" in git("ls-files", "--sparse") + "\n"
    (repo / "one/file").write_text("changed")
    return repo


def sparse_and_clean(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    folders(repo, git)
    git("sparse-checkout", "set", "--cone", "--sparse-index", "one")
    return repo


# -- objects and refs ----------------------------------------------------------------------------


def packed(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("pack-refs", "--all")
    git("gc", "-q")
    assert not (repo / ".git/refs/heads/main").exists()
    changed(repo, git)
    return repo


def borrowing(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("clone", "-q", "--shared", repo, repo.parent / "borrowing")
    changed(repo.parent / "borrowing", git)
    return repo.parent / "borrowing"


def objects_elsewhere(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Git's quarantine: new objects go elsewhere, and what is there is found as well."""
    (repo.parent / "objects").mkdir()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(repo.parent / "objects"))
    monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(repo / ".git/objects"))
    changed(repo, git)
    return repo


def objects_elsewhere_relative(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only from the top: elsewhere git itself finds nothing."""
    (repo / ".git/objects").rename(repo.parent / "objects")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "../objects")
    changed(repo, git)
    return repo


def replaced(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo / "code.py").write_text("second")
    commit(repo, git)
    git("replace", "--graft", "HEAD")
    blob = git("rev-parse", "HEAD:code.py")
    git("replace", blob, git("hash-object", "-w", "README.md"))
    return repo


def replaced_tree(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    old = git("rev-parse", "HEAD")
    (repo / "code.py").write_text("second")
    commit(repo, git)
    git("replace", git("rev-parse", "HEAD"), old)
    git("reset", "-q", "--hard")
    return repo


def grafted(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo / "code.py").write_text("second")
    commit(repo, git)
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/grafts").write_text(git("rev-parse", "HEAD") + "\n")
    changed(repo, git)
    return repo


def shared(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("init", "-q", "--shared=group")
    changed(repo, git)
    return repo


def sha256(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    path = made(repo.parent / "sha256", git, "--object-format=sha256")
    changed(path, git)
    return path


def reftable(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    newer(repo, monkeypatch)
    path = made(repo.parent / "reftable", git, "--ref-format=reftable")
    changed(path, git)
    return path


def reftable_and_sha256(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    newer(repo, monkeypatch)
    both = ("--ref-format=reftable", "--object-format=sha256")
    return made(repo.parent / "both", git, *both)


def many_refs(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    head = git("rev-parse", "HEAD")
    lines = [f"{head} refs/heads/branch/{number}\n" for number in range(20_000)]
    with open(repo / ".git/packed-refs", "a") as file:
        file.writelines(["# pack-refs with: peeled fully-peeled sorted \n", *sorted(lines)])
    changed(repo, git)
    return repo


# -- where it lies -------------------------------------------------------------------------------


def linked(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("worktree", "add", "-q", repo.parent / "linked")
    changed(repo.parent / "linked", git)
    return repo.parent / "linked"


def linked_and_moved(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("worktree", "add", "-q", repo.parent / "linked")
    moved = repo.rename(repo.parent / "moved")
    git("worktree", "repair", repo.parent / "linked", cwd=moved)
    changed(repo.parent / "linked", git)
    return repo.parent / "linked"


def linked_relatively(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    newer(repo, monkeypatch)
    git("worktree", "add", "-q", "--relative-paths", repo.parent / "linked", cwd=repo)
    assert git("config", "extensions.relativeWorktrees", cwd=repo) == "true"
    changed(repo.parent / "linked", git)
    return repo.parent / "linked"


def linked_with_settings(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "extensions.worktreeConfig", "true")
    git("worktree", "add", "-q", repo.parent / "linked")
    git("config", "--worktree", "user.name", "Grace Hopper", cwd=repo.parent / "linked")
    changed(repo.parent / "linked", git)
    return repo.parent / "linked"


def of_a_bare_one(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("clone", "-q", "--bare", repo, repo.parent / "bare.git")
    git("worktree", "add", "-q", repo.parent / "linked", "main", cwd=repo.parent / "bare.git")
    changed(repo.parent / "linked", git)
    return repo.parent / "linked"


def apart(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("init", "-q", "--separate-git-dir", repo.parent / "apart.git")
    assert (repo / ".git").is_file()
    changed(repo, git)
    return repo


def work_tree_set(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo.parent / "work").mkdir()
    git("config", "core.worktree", "../../work")
    for name in ("README.md", "code.py"):
        (repo / name).rename(repo.parent / "work" / name)
    changed(repo.parent / "work", git)
    return repo / ".git"


def inside_git(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As in a hook: in .git, with variables that say where the work tree is."""
    monkeypatch.setenv("GIT_DIR", ".")
    monkeypatch.setenv("GIT_WORK_TREE", "..")
    changed(repo, git)
    return repo / ".git"


def by_variables(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    (repo.parent / "work/sub").mkdir(parents=True)
    monkeypatch.setenv("GIT_DIR", "../../repo/.git")
    monkeypatch.setenv("GIT_WORK_TREE", "..")
    (repo.parent / "work/code.py").write_text("1")
    return repo.parent / "work/sub"


def by_common_dir(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    git("worktree", "add", "-q", repo.parent / "linked")
    (repo.parent / "linked/sub").mkdir()
    changed(repo.parent / "linked", git)
    monkeypatch.setenv("GIT_DIR", "../../repo/.git/worktrees/linked")
    monkeypatch.setenv("GIT_COMMON_DIR", str(repo / ".git"))  # git takes no other from below
    monkeypatch.setenv("GIT_WORK_TREE", "..")
    return repo.parent / "linked/sub"


def by_index(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    (repo / "sub").mkdir()
    (repo / "own.py").write_text("1")
    git("read-tree", "HEAD", GIT_INDEX_FILE=str(repo / ".git/own"))
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/own")
    git("add", "own.py")
    return repo / "sub"


def through_a_link(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo / "sub").mkdir()
    (repo.parent / "link").symlink_to(repo)
    changed(repo, git)
    return repo.parent / "link/sub"


def git_folder_linked(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo / ".git").rename(repo.parent / "git")
    (repo / ".git").symlink_to("../git")
    changed(repo, git)
    return repo


def called(name: str) -> Kind:
    def kind(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
        moved = repo.rename(repo.parent / name)
        (moved / name).mkdir()
        changed(moved, git)
        (moved / name / name).write_text("1")
        return moved / name

    return kind


# -- settings ------------------------------------------------------------------------------------


def hooked(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    """Hooks elsewhere that would fail, and change files, if anything ran them."""
    hooks = repo.parent / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-commit", "post-index-change", "pre-auto-gc", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{repo}/{name}'\nexit 1\n")
        (hooks / name).chmod(0o755)
    git("config", "core.hooksPath", str(hooks))
    changed(repo, git)
    return repo


def included(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo.parent / "more").write_text("[user]\n\tname = Grace Hopper\n")
    git("config", f"includeIf.gitdir:{repo}/.path", str(repo.parent / "more"))
    (repo / "sub").mkdir()
    changed(repo, git)
    return repo / "sub"


def line_ends(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "core.autocrlf", "true")
    git("config", "core.safecrlf", "true")
    (repo / "code.py").write_bytes(b"one\r\ntwo\n")
    (repo / "new.txt").write_bytes(b"one\r\ntwo\r\n")
    (repo / "binary").write_bytes(b"one\r\n\0\r\n")
    return repo


def attributes(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    (repo / ".gitattributes").write_text(
        "* text=auto\n*.bat eol=crlf\n*.raw -text\n*.py ident\n"
        "*.utf16 working-tree-encoding=UTF-16LE\n"
    )
    for name in ("a.bat", "a.raw", "a.txt"):
        (repo / name).write_bytes(b"one\r\ntwo\r\n")
    (repo / "a.utf16").write_bytes("one\n".encode("utf-16-le"))
    (repo / "code.py").write_text("# $Id: 0123456789 $\n")
    return repo


def filtered(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "filter.turn.clean", "rev")
    git("config", "filter.turn.smudge", "rev")
    git("config", "filter.turn.required", "true")
    (repo / ".gitattributes").write_text("*.turn filter=turn\n")
    (repo / "tracked.turn").write_text("abc\n")
    commit(repo, git)
    (repo / "tracked.turn").write_text("def\n")
    (repo / "new.turn").write_text("ghi\n")
    return repo


def large_files(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    if not shutil.which("git-lfs"):
        pytest.skip("git-lfs is not installed")
    git("lfs", "install", "--local")
    git("lfs", "track", "*.bin")
    (repo / "a.bin").write_bytes(b"first" * 100)
    commit(repo, git)
    (repo / "a.bin").write_bytes(b"second" * 100)
    (repo / "b.bin").write_bytes(b"new" * 100)
    return repo


def alike(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "core.ignoreCase", "true")
    for name in ("Case.py", "case.py", "CASE.py"):
        (repo / name).write_text(name)
    git("-c", "core.ignoreCase=false", "add", "Case.py", "case.py")
    git("commit", "-q", "-m", "alike")
    (repo / "case.py").write_text("changed")
    return repo


def alike_and_new(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    for name in ("Case.py", "case.py", "CASE.py"):
        (repo / name).write_text(name)
    return repo


def normal_forms(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "core.precomposeUnicode", "true")
    for form in ("NFC", "NFD"):
        (repo / unicodedata.normalize(form, "caf\u00e9.py")).write_text(form)
    commit(repo, git)
    (repo / unicodedata.normalize("NFD", "caf\u00e9.py")).write_text("changed")
    (repo / unicodedata.normalize("NFD", "\u00fcber.py")).write_text("new")
    return repo


def no_links_no_modes(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    git("config", "core.symlinks", "false")
    git("config", "core.fileMode", "false")
    (repo / "code.py").chmod(0o755)
    (repo / "link").symlink_to("code.py")
    return repo


def odd_names(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    odd = (b"a\nb", b"a\tb", b'"quoted"', b"-rf", b"--", b" lead", b"trail ", b"\xff\xfe", b"a\\b",
           b"caf\xc3\xa9", b"*", b":(top)x", b"!x", b"#x", b"$(touch x)", b"\x1b[31m", b"x" * 255,
           b"HEAD", b"con", b"~", b"a:b")  # fmt: skip
    for number, name in enumerate(odd):
        with open(os.path.join(os.fsencode(repo), name), "wb") as file:
            file.write(name)
        if number % 2:
            git("--literal-pathspecs", "add", "--", os.fsdecode(name), cwd=repo)
    git("commit", "-q", "-m", "odd", cwd=repo)
    with open(os.path.join(os.fsencode(repo), odd[1]), "wb") as file:
        file.write(b"changed")
    os.unlink(os.path.join(os.fsencode(repo), odd[7]))
    return repo


def deep(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    here = os.open(repo, os.O_RDONLY)
    for number in range(18):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if number in (3, 17):
            with open(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here), "w") as file:
                file.write("deep")
    os.close(here)
    return repo


# -- submodules ----------------------------------------------------------------------------------


def submodules(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    other = made(repo.parent / "other", git)
    for name in ("clean", "moved", "dirty", "absent"):
        git("submodule", "--quiet", "add", other, name)
    git("commit", "-q", "-m", "submodules")
    git("commit", "-q", "--allow-empty", "-m", "on", cwd=repo / "moved")
    (repo / "dirty/code.py").write_text("dirty")
    git("submodule", "--quiet", "deinit", "absent")
    return repo


def inside_a_submodule(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
    other = made(repo.parent / "other", git)
    git("submodule", "--quiet", "add", other, "inner")
    changed(repo / "inner", git)
    return repo / "inner"


# -- clones --------------------------------------------------------------------------------------


def cloned(*options: str) -> Kind:
    def kind(repo: Path, git: Git, _: pytest.MonkeyPatch) -> Path:
        remote, clone = repo.parent / "remote.git", repo.parent / "clone"
        for number in range(3):
            (repo / "code.py").write_text(f"print({number})\n")
            commit(repo, git, str(number))
        git("branch", "side")
        git("clone", "-q", "--bare", repo, remote)
        git("config", "uploadpack.allowFilter", "true", cwd=remote)
        git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=remote)
        git("clone", "-q", *options, f"file://{remote}", clone)
        changed(clone, git)
        return clone

    return kind


FAMILIES: dict[str, tuple[Kind, ...]] = {
    "HEAD": (unborn, unborn_and_empty, unborn_and_staged, orphan, detached, detached_and_changed,
             head_at_a_broken_branch),
    "staging area": (merging, rebasing, picking, bisecting, intended, not_looked_at, split,
                     untracked_cache,
                     monitored, version_4, features, sparse_cone, sparse_patterns, sparse_index,
                     sparse_and_clean),
    "objects and refs": (packed, borrowing, objects_elsewhere, objects_elsewhere_relative, replaced,
                         replaced_tree, grafted, shared, sha256, reftable, reftable_and_sha256,
                         many_refs),
    "places": (linked, linked_and_moved, linked_relatively, linked_with_settings, of_a_bare_one,
               apart, work_tree_set, inside_git, by_variables, by_common_dir, by_index,
               through_a_link, git_folder_linked),
    "settings": (hooked, included, line_ends, attributes, filtered, large_files, alike,
                 alike_and_new, normal_forms, no_links_no_modes, odd_names, deep),
    "submodules": (submodules, inside_a_submodule),
}  # fmt: skip

LINKED = (linked, linked_and_moved, linked_relatively, linked_with_settings, of_a_bare_one)

NAMES = ("with space", "new\nline", "\udcff", "caf\u00e9", "-x", "'\"$;*", "x" * 200)

CLONES: dict[str, tuple[str, ...]] = {
    "whole": (),
    "shallow": ("--depth=1",),
    "single branch": ("--single-branch",),
    "blobless": ("--filter=blob:none",),
    "treeless": ("--filter=tree:0",),
    "shallow and blobless": ("--depth=1", "--filter=blob:none"),
    "blobless and sparse": ("--filter=blob:none", "--sparse"),
}
