"""What tests of sharing share: small records, what clones hold, and what git was asked to do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import gitlineage
from gitlineage import worktree
from gitlineage.code import CodeChain
from gitlineage.commits import Identity
from gitlineage.records.end import End
from gitlineage.records.execution import Execution
from gitlineage.records.launch import Agent, Code, Launch, Place, Software
from gitlineage.repository import Repository
from gitlineage.sync.pushing import Pusher
from gitlineage.tags import Tags

ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_790_000_000)


def sync(clone: Path) -> Pusher:
    """Return the sharing of a clone, as a new process would see it."""
    return Pusher(Repository.discover(str(clone)))


def record(clone: Path, name: str) -> str:
    """Append a small record that the name tells from others; return its execution's id."""
    with gitlineage.open(clone) as lineage:
        return lineage.append(launch_of(name), End(execution="", status="succeeded")).id


def launch_of(name: str) -> Launch:
    """Return the launch of a small record."""
    return Launch(
        nonce=name.encode(), command=("make", name), directory=".", step=name,
        started_at=ADA.at * 1_000_000, agent=Agent(name=ADA.name, email=ADA.email),
        software=Software(name="git-lineage", version="0"), place=Place(host="somewhere"),
        code=Code(),
    )  # fmt: skip


def executions(clone: Path) -> list[Execution]:
    with gitlineage.open(clone) as lineage:
        return lineage.executions()


def steps(clone: Path) -> list[str]:
    """Return what `record` was called with, as a reader of the clone sees it."""
    return sorted(each.launch.step for each in executions(clone) if each.launch)


def tag(clone: Path, name: str, *ids: str) -> None:
    Tags(Repository.discover(str(clone))).add(name, ids, ADA)


def untag(clone: Path, name: str, *ids: str) -> None:
    Tags(Repository.discover(str(clone))).remove(name, ids, ADA)


def members(clone: Path) -> dict[str, list[str]]:
    """Return the tags of the live refs, and what they are on."""
    tags = Tags(Repository.discover(str(clone)))
    return {ref.rpartition("/")[2]: sorted(tags.members(tip)) for ref, tip in tags.tips().items()}


def keep_code(clone: Path, remote: str | None = "origin", *, is_clean: bool = True) -> str:
    """Keep the code of HEAD, or as it is in the work tree, as a run does; return its commit."""
    repository = Repository.discover(str(clone))
    names = git(clone, "ls-files", "-z", "-co", "--exclude-standard").split("\0")[:-1]
    tree = worktree.tree_with(repository, [] if is_clean else names)
    commit = repository.commit_id("HEAD")
    return CodeChain(repository).keep(tree, commit, remote, ADA, is_clean=is_clean)


def git(folder: Path, *arguments: str | Path, check: bool = True) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)  # fmt: skip
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(clone: Path, path: str, content: str, message: str = "Change") -> str:
    """Commit a file and return the commit's id."""
    (clone / path).write_text(content)
    git(clone, "add", path)
    git(clone, "commit", "-q", "-m", message)
    return git(clone, "rev-parse", "HEAD").strip()


def trees(repository: Path, refs: str = "refs/lineage/ledger/*") -> list[str]:
    """Return the trees of all commits of chains: of a ledger, one for each record."""
    return sorted(git(repository, "log", "--first-parent", "--format=%T", f"--glob={refs}")
                  .split())  # fmt: skip


def refs(repository: Path, *patterns: str) -> dict[str, str]:
    listed = git(repository, "for-each-ref", "--format=%(refname) %(objectname)", *patterns)
    return dict(line.split(" ") for line in listed.splitlines())  # type: ignore[misc]


def objects(repository: Path) -> set[str]:
    """Return the ids of all objects, reachable or not."""
    listed = git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return set(listed.split())


def hook(repository: Path, name: str, script: str) -> Path:
    """Install a hook in a bare repository or a clone."""
    folder = repository / "hooks" if (repository / "HEAD").exists() else repository / ".git/hooks"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}")
    (folder / name).chmod(0o755)
    return folder / name


class Trace:
    """What git was asked to do while this is entered, by git's own account."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Trace:
        self._folder.mkdir()
        os.environ["GIT_TRACE2_EVENT"] = str(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ["GIT_TRACE2_EVENT"]

    def _events(self, kind: str) -> Iterable[dict[str, object]]:
        for path in sorted(self._folder.iterdir()):
            for line in path.read_text().splitlines():
                event = json.loads(line)
                if event["event"] == kind:
                    yield event

    def started(self) -> list[str]:
        """Return the verbs of the git processes that we started ourselves, in order."""
        ours = [each for each in self._events("cmd_name") if "/" not in str(each["sid"])]
        return [str(each["name"]) for each in sorted(ours, key=lambda each: str(each["time"]))]

    def arguments(self) -> list[list[str]]:
        """Return the words that each git process was started with."""
        return [each["argv"] for each in self._events("start")]  # type: ignore[misc]

    def connections(self) -> list[str]:
        """Return what the remote was asked for."""
        served = ("receive-pack", "upload-pack")
        return [str(each["name"]) for each in self._events("cmd_name") if each["name"] in served]
