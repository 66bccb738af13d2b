"""In every kind of repository what runs is recorded, and nothing of the user's changes."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Git, Lineage
from kinds import CLONES, FAMILIES, NAMES, Kind, called, cloned, submodules

import gitlineage

KINDS = [
    *(pytest.param(each, id=f"{family}: {each.__name__}")
      for family, members in FAMILIES.items() for each in members),
    *(pytest.param(called(each), id=f"called: {ascii(each)[:20]}") for each in NAMES),
    *(pytest.param(cloned(*options), id=f"clone: {name}") for name, options in CLONES.items()),
]  # fmt: skip

SAID = {submodules: "warning: changes inside dirty are not in the snapshot: commit them there\n"}
"""What is said of a kind, beside nothing."""

OURS = (b"lineage", b"objects", b"reftable", b"packed-refs", b"lfs")
"""In git's folder: what is ours, and what git keeps objects and refs in, which we look at apart."""

READ = (b"/sharedindex.",)
"""What whoever reads a split staging area marks as used."""


def state(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """Return all below a folder, but for what is ours in git's, byte for byte."""
    return {path: _state(path) for path in _files(os.fsencode(folder))}


def _files(folder: bytes) -> Iterator[bytes]:
    held = os.listdir(folder)
    is_git = {b"HEAD", b"refs"} <= set(held)
    for name in held:
        path = os.path.join(folder, name)
        is_ours = (is_git and name in OURS) or folder.endswith((b"/refs", b"/refs/notes"))
        if is_ours and (is_git or name.startswith(b"lineage")):
            continue
        if modes.S_ISDIR(os.lstat(path).st_mode):
            # Below a longer path only git's own, relative ways lead on.
            yield from _files(path) if len(path) < 3800 and name != b"objects" else ()
        else:
            yield path


def _state(path: bytes) -> tuple[object, ...]:
    stat = os.lstat(path)
    content = b""
    if modes.S_ISLNK(stat.st_mode):
        content = os.readlink(path)
    elif modes.S_ISREG(stat.st_mode):
        with open(path, "rb") as file:
            content = file.read()
    at = stat.st_mtime_ns if not any(each in path for each in READ) else 0
    return content, at, stat.st_mode


def refs(here: Path, git: Git) -> list[str]:
    """Return the user's refs."""
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=here).split("\n")
    ours = ("refs/lineage", "refs/notes/lineage")
    return [each for each in listed if each and not each.startswith(ours)]


def added(here: Path, git: Git, private: Path) -> str:
    """Return the tree that `git add` would make of the work tree: git's own word."""
    index = Path(here, git("rev-parse", "--git-path", "index", cwd=here))
    if index.exists():
        private.write_bytes(index.read_bytes())
        os.utime(private, ns=(index.stat().st_atime_ns, index.stat().st_mtime_ns))
    settings = ("-c", "core.safecrlf=false", "-c", "core.hooksPath=/dev/null",
                "-c", "core.splitIndex=false")  # fmt: skip
    git(*settings, "add", "-A", ":/", cwd=here, GIT_INDEX_FILE=str(private))
    return git(*settings, "write-tree", cwd=here, GIT_INDEX_FILE=str(private))


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_is_recorded_and_nothing_of_the_user_changes(
    kind: Kind,
    repo: Path,
    git: Git,
    lineage: Lineage,
    isolated: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = kind(repo, git, monkeypatch)
    monkeypatch.chdir(here)
    data, out = isolated / "home/data", isolated / "home/out"
    data.write_text("data")
    before = state(isolated), refs(here, git)
    command = ("sh", "-c", 'tr a-z A-Z <"$0" >"$1"', data, out)
    done = lineage("run", "-q", "-i", data, "-o", out, "-t", "kind", "--", *command)
    assert (done.stdout, done.stderr) == ("", SAID.get(kind, ""))
    with gitlineage.open() as opened:
        assert opened.execution().tags == ("kind",)
        (execution,) = opened.executions(tag="kind")
        assert execution.launch is not None and execution.end is not None
        assert execution.status == "succeeded"
        assert [each.path for each in execution.outputs] == [str(out)]
        assert len(opened.trace(str(out)).nodes) == 3
        verified = opened.verify()
        assert verified.is_sound and verified.records_count == 1, verified.problems
    out.unlink()
    assert (state(isolated), refs(here, git)) == before
    assert execution.launch.code.tree == added(here, git, isolated / "private")
    git("fsck", "--strict", "--no-dangling", cwd=here)
