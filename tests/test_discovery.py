"""A repository is found without git only where git finds the same one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage

from gitlineage import discovery
from gitlineage.repository import Repository


def by_git(path: Path) -> tuple[str | None, str, str]:
    """Return what git says: top, git folder and the folder inside."""
    asked = ("--absolute-git-dir", "--show-prefix", "--show-toplevel")
    done = subprocess.run(["git", "rev-parse", *asked], cwd=path, capture_output=True, text=True)
    git_dir, prefix, *top = [*done.stdout.splitlines(), "", ""][: max(done.stdout.count("\n"), 2)]
    return (top[0] if top else None), git_dir, prefix


def agrees(path: Path) -> bool:
    """Tell whether git is not needed; check that the answer is git's."""
    found = Repository.discover(str(path))
    assert (found.top, found.git_dir, found.prefix) == by_git(path)
    return discovery.find(str(path)) is not None


def test_where_nearly_all_lie(repo: Path, git: Git, isolated: Path) -> None:
    inside = repo / "a/b"
    inside.mkdir(parents=True)
    (isolated / "link").symlink_to(inside)
    for path in (repo, inside, isolated / "link"):
        assert agrees(path)
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("checkout", "-q", "--detach")
    assert agrees(inside)


def test_whatever_is_special_is_left_to_git(repo: Path, git: Git, isolated: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("init", "-q", "--bare", "bare.git")
    git("worktree", "add", "-q", str(isolated / "linked"))
    git("init", "-q", "--separate-git-dir", str(isolated / "apart"), "separate")
    for path in (repo / ".git", repo / "bare.git/objects", isolated / "linked", repo / "separate"):
        assert not agrees(path)
    assert discovery.find(str(repo / "none")) is None
    (repo / "file").touch()
    assert discovery.find(str(repo / "file")) is None
    assert discovery.find("/") is None


@pytest.mark.parametrize("setting", ["core.worktree=..", "include.path=more", "core.bare=no"])
def test_settings_about_places_are_left_to_git(repo: Path, git: Git, setting: str) -> None:
    git("config", *setting.split("="))
    assert not agrees(repo)


def test_variables_about_places_are_left_to_git(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert discovery.find(str(repo)) == (str(repo), "")
    (repo / "in").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repo))
    assert by_git(repo / "in")[0] is None
    assert discovery.find(str(repo / "in")) is None
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", "")
    monkeypatch.setenv("GIT_DIR", str(repo / ".git"))
    assert discovery.find(str(repo)) is None


def test_variables_of_editors_and_proxies_say_nothing_of_places(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_ASKPASS", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_EDITOR"):
        monkeypatch.setenv(name, "/bin/true")
    assert agrees(repo)


def test_reading_with_a_current_index_starts_one_process(
    repo: Path, lineage: Lineage, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage("run", "--", "true")
    lineage("log")
    counted, folder = isolated / "counted", isolated / "shims"
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True).stdout
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\necho "$*" >> {counted}\nexec {real.strip()} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    subprocess.run([Path(sys.executable).parent / "git-lineage", "log", "-n", "1"], check=True)
    assert len(counted.read_text().splitlines()) == 1
