"""Recording leaves the user's repository as it was, whatever state that is in, and git sound."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, last, start, until

OURS = ("lineage", "objects", "refs/lineage", "refs/notes")


def state(repo: Path) -> dict[str, tuple[object, ...]]:
    """Return every file of the work tree and of .git, but for what is ours, byte for byte."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(repo):
        inside = os.path.relpath(folder, repo / ".git")
        folders[:] = [each for each in folders
                      if os.path.normpath(os.path.join(inside, each)) not in OURS]  # fmt: skip
        for name in files:
            if os.path.normpath(os.path.join(inside, name)) in OURS:
                continue
            path = Path(folder, name)
            stat = path.lstat()
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(repo))] = (content, stat.st_mtime_ns, stat.st_mode)
    return found


def clean(repo: Path, git: Git) -> None:
    pass


def dirty(repo: Path, git: Git) -> None:
    (repo / "code.py").write_text("stashed\n")
    git("stash", "-q")
    (repo / "code.py").write_text("staged\n")
    git("add", "code.py")
    (repo / "code.py").write_text("changed\n")
    (repo / "new.py").write_text("new\n")
    (repo / "meant.py").write_text("meant\n")
    git("add", "-N", "meant.py")
    (repo / "README.md").unlink()


def sides(repo: Path, git: Git) -> None:
    git("checkout", "-q", "-b", "side")
    for name in ("one", "two"):
        (repo / "code.py").write_text(f"side {name}\n")
        git("commit", "-q", "-am", name)
    git("checkout", "-q", "main")
    (repo / "code.py").write_text("main\n")
    git("commit", "-q", "-am", "main")


def merging(repo: Path, git: Git) -> None:
    sides(repo, git)
    subprocess.run(["git", "merge", "-q", "side"], capture_output=True)
    assert (repo / ".git/MERGE_HEAD").exists()


def rebasing(repo: Path, git: Git) -> None:
    sides(repo, git)
    git("checkout", "-q", "side")
    subprocess.run(["git", "rebase", "-q", "main"], capture_output=True)
    assert (repo / ".git/rebase-merge").is_dir()


def stale(repo: Path, git: Git) -> None:
    # What git status would refresh, and write, in the staging area.
    os.utime(repo / "code.py", (1_000_000_000, 1_000_000_000))


STATES = (clean, dirty, merging, rebasing, stale)


@pytest.mark.parametrize("prepare", STATES)
def test_nothing_of_the_user_changes(
    repo: Path, lineage: Lineage, git: Git, prepare: object
) -> None:
    prepare(repo, git)  # type: ignore[operator]
    before = state(repo)
    assert ".git/HEAD" in before and ".git/index" in before and "code.py" in before
    for words, code in (
        (("run", "-q", "-i", "code.py", "-t", "tag", "--", "true"), 0),
        (("run", "-q", "--", "sh", "-c", "exit 3"), 3),
        (("run", "-q", "--", "no-such-command"), 127),
        (("log",), 0), (("show",), 0), (("code",), 0), (("tag",), 0),
    ):  # fmt: skip
        assert lineage(*words, check=False).returncode == code
        assert state(repo) == before, words
    assert git("fsck", "--strict", "--no-dangling") == ""
    assert len(everything()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("prepare", [dirty, merging])
def test_nothing_changes_when_it_is_stopped(
    repo: Path, git: Git, isolated: Path, number: signal.Signals, prepare: object
) -> None:
    prepare(repo, git)  # type: ignore[operator]
    ready = isolated / "ready"
    before = state(repo)
    process = start(
        "git",
        "lineage",
        "run",
        "-q",
        "--",
        "sh",
        "-c",
        'touch "$0"; while :; do sleep 0.01; done',
        ready,
        start_new_session=True,
    )
    until(ready.exists, "the start")
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    assert state(repo) == before
    expected = "interrupted" if number == signal.SIGKILL else "stopped"
    assert [each.status for each in everything()] == [expected]
    assert state(repo) == before
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_all_that_a_record_needs_outlives_gc(repo: Path, lineage: Lineage, git: Git) -> None:
    for number in range(3):
        Path("code.py").write_text(f"print({number})\n")
        Path("data").mkdir(exist_ok=True)
        Path(f"data/{number}").write_text(str(number))
        lineage("run", "-q", "-i", "data", "-o", "out", "-t", f"tag{number}", "--", "sh", "-c",
                f"mkdir -p out; echo {number} > out/{number}; "
                "echo '{\"a\": 1}'; echo '{\"a\": 2}'; echo words")  # fmt: skip
    git("checkout", "-q", "code.py")
    found = everything()
    manifests = {each.digest for e in found for each in (*e.inputs, *e.outputs)
                 if each.type == "directory"}  # fmt: skip
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "--quiet", "--prune=now")
    shutil.rmtree(repo / ".git/lineage")
    assert everything() == found
    listed = git("rev-list", "--objects", "--all")
    for number, each in enumerate(reversed(found)):
        assert each.launch is not None
        assert git("show", f"{each.launch.code.snapshot}:code.py") == f"print({number})"
        assert git("show", f"{each.launch.code.tree}:code.py") == f"print({number})"
        names = git("ls-tree", "-r", "--name-only", str(each.commit)).split()
        assert {"launch", "record", "log", "metadata/00000"} <= set(names)
        for name in names:
            assert git("rev-parse", f"{each.commit}:{name}") in listed
        assert each.tags == (f"tag{number}",)
    kept = {name.rpartition("/")[2] for e in found
            for name in git("ls-tree", "-r", "--name-only", str(e.commit)).split()
            if name.startswith("manifests/")}  # fmt: skip
    assert {str(each).removeprefix("blake3:") for each in manifests} <= kept
    assert git("fsck", "--strict") == ""


def test_gc_that_prunes_all_the_time_costs_no_record(
    repo: Path, lineage: Lineage, git: Git
) -> None:
    is_over = threading.Event()
    rounds: list[int] = []

    def collect() -> None:
        while not is_over.is_set():
            done = subprocess.run(["git", "gc", "--quiet", "--prune=now"], capture_output=True)
            rounds.append(done.returncode)

    collector = threading.Thread(target=collect)
    collector.start()
    ids, said = [], []
    try:
        for number in range(8):
            Path("code.py").write_text(f"print({number})\n")
            done = lineage("run", "-q", "--step", f"s{number}", "--", "echo", "x", check=False)
            said.append((done.returncode, done.stdout, done.stderr))
        ids = sorted(os.listdir(repo / ".git/lineage/running"))
    finally:
        is_over.set()
        collector.join()
    assert len(rounds) > 1
    # The record may have to wait for the next command; the command itself always ran.
    assert [(code, out) for code, out, _ in said] == [(0, "x\n")] * 8, said
    assert ids  # the last is there at least: only a later command lets go of it
    lineage("log")  # appends again what was taken
    found = everything()
    assert sorted(each.launch.step for each in found if each.launch) == [f"s{n}" for n in range(8)]
    assert {each.status for each in found} == {"succeeded"}
    for each in found:
        assert each.commit is not None
        assert git("cat-file", "-p", f"{each.commit}:log") == "x"
    git("fsck", "--strict", "--no-dangling")


def test_hooks_are_not_run(repo: Path, lineage: Lineage, git: Git) -> None:
    for name in ("post-commit", "reference-transaction", "post-index-change", "pre-auto-gc"):
        hook = repo / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} $* >> {repo.parent}/hooks.log\n")
        hook.chmod(0o755)
    (repo / "code.py").write_text("changed\n")
    lineage("run", "-q", "--", "true")
    log = repo.parent / "hooks.log"
    said = log.read_text().splitlines() if log.exists() else []
    # Moving any ref calls this one; that is git's promise to whoever has installed it.
    assert [each for each in said if not each.startswith("reference-transaction")] == []


def test_names_are_not_taken_from_the_environment_of_a_hook(
    repo: Path, lineage: Lineage, git: Git
) -> None:
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ngit lineage run -q -- echo checked >&2\n")
    hook.chmod(0o755)
    (repo / "code.py").write_text("for the commit\n")
    done = subprocess.run(["git", "commit", "-q", "-am", "More"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "checked\n")
    launch = last().launch
    assert launch is not None
    assert launch.code.tree == git("rev-parse", "HEAD^{tree}")
    assert git("status", "--porcelain") == ""
