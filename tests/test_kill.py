"""A recorder that is killed at each of its steps, and disks that are full: nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, hows, killed, last, left_running, until

from gitlineage.ledger import Ledger

COMMAND = ("sh", "-c", "echo '{\"a\": 1}'; echo made > out; echo printed")

# Where it is killed, and what becomes of it: nothing, `interrupted`, or as if nothing happened.
WINDOWS = {
    "before the entry is written": ("gitlineage.running:Running.begin", "before", None),
    "before the entry is renamed": ("gitlineage.entries:os.rename", "before", None),
    "after the entry is renamed": ("gitlineage.entries:os.rename", "after", "interrupted"),
    "before the command starts": ("gitlineage.relay:_Relay.start", "before", "interrupted"),
    "right after it has started": ("gitlineage.relay:_Relay.start", "after", "interrupted"),
    "while outputs are collected": ("gitlineage.capture:Capture.collect", "after", "interrupted"),
    "before the end is renamed": ("gitlineage.entries:Entry.finish", "before", "interrupted"),
    "after the end is written": ("gitlineage.entries:Entry.finish", "after", "succeeded"),
    "before it is appended": ("gitlineage.ledger:Ledger.append", "before", "succeeded"),
    "after it is appended": ("gitlineage.ledger:Ledger.append", "after", "succeeded"),
    "while the code's link is written": ("gitlineage.loose:Loose._tree", "before", None),
    "when that is written": ("gitlineage.loose:Loose.commit", "after", None),
    "before it is tagged": ("gitlineage.tags:Tags.add", "before", "succeeded"),
    "after it is tagged": ("gitlineage.tags:Tags.add", "after", "succeeded"),
    "before its commit is noted": ("gitlineage.entries:Entry.set_commit", "before", "succeeded"),
    "after its commit is noted": ("gitlineage.entries:Entry.set_commit", "after", "succeeded"),
    "before it is released": ("gitlineage.entries:Entry.release", "before", "succeeded"),
    "while it is remembered what was made": (
        "gitlineage.fingerprints:Fingerprints.set_made", "before", "interrupted"),
}  # fmt: skip


def check_one(status: str, lineage: Lineage, git: Git, repo: Path) -> None:
    """Check that there is exactly one record, all of it, and after one more command no journal."""
    # A git that was just being started may hold the entry's lock until it is.
    deadline = time.monotonic() + 10
    while not everything() and time.monotonic() < deadline:
        pass
    (found,) = everything()
    assert (found.status, found.ends_count) == (status, 1)
    assert set(found.tags) == {"kept"}
    assert git("rev-list", "--count", "refs/lineage/tags/kept") == "1"
    noted = git("log", "-1", "--notes=lineage", "--format=%N").splitlines()
    assert (noted[0], len(noted[1:])) == ("1 execution", 1)
    if status == "interrupted":
        assert found.end is not None and found.end.is_recovered
        assert found.end.warnings == ("its recorder died; outputs and duration are not known",)
    else:
        assert hows(found.outputs) == {"out": "detected"}
        assert found.metadata == {"a": 1}
        assert git("cat-file", "-p", f"{found.commit}:log") == '{"a": 1}\nprinted'
    assert git("rev-list", "--count", "--glob=refs/lineage/ledger/*") == "1"
    lineage("log")
    assert left_running(repo) == []
    assert everything() == [found]
    assert git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("window", list(WINDOWS))
def test_killed(repo: Path, lineage: Lineage, git: Git, window: str) -> None:
    place, when, status = WINDOWS[window]
    killed(place, when, "run", "-q", "-t", "kept", "--", *COMMAND)
    if status is None:
        assert everything() == []
        assert left_running(repo) == []
        assert not Path("out").exists()
    else:
        check_one(status, lineage, git, repo)


def test_killed_while_the_command_runs(repo: Path, lineage: Lineage, git: Git) -> None:
    for each in ("here", "go"):
        os.mkfifo(repo.parent / each)
    script = f"echo '{{\"a\": 1}}'; echo words; echo > {repo.parent}/here; cat {repo.parent}/go"
    process = subprocess.Popen([sys.executable, "-c",
                                "import sys; from gitlineage.cli import main; sys.exit(main())",
                                "run", "-q", "-t", "kept", "--", "sh", "-c", script],
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)  # fmt: skip
    (repo.parent / "here").read_text()
    (entry,) = [name for name in left_running(repo) if len(name) == 40]
    log = repo / ".git/lineage/running" / f"{entry}.log"
    points = log.with_suffix(".printed")
    until(lambda: b"words" in log.read_bytes() and points.exists() and points.stat().st_size > 0,
          "the log and the point")  # fmt: skip
    process.kill()
    assert process.wait() == -signal.SIGKILL
    check_one("interrupted", lineage, git, repo)
    found = last()
    assert found.id == entry
    assert found.metadata == {"a": 1}
    assert git("cat-file", "-p", f"{found.commit}:log") == '{"a": 1}\nwords'
    (repo.parent / "go").write_text("")  # the command was not killed: it goes on, and ends
    assert process.stdout is not None
    process.stdout.close()


# A git that is killed in the middle of moving refs, together with who has started it.
FALLING_GIT = """\
#!/bin/sh
case " $* " in *" update-ref "*" --stdin "*)
    while read -r line; do
        case "$line" in *{ref}*) kill -9 $PPID $$;; esac
        echo "$line"
    done | {git} "$@"
    exit;;
esac
exec {git} "$@"
"""


@pytest.mark.parametrize(("ref", "status"), [
    ("refs/lineage/ledger", "succeeded"), ("refs/lineage/tags", "succeeded"),
    ("refs/notes", "succeeded"), ("refs/lineage/code", None),
])  # fmt: skip
def test_killed_while_refs_are_moved(
    repo: Path, lineage: Lineage, git: Git, ref: str, status: str | None
) -> None:
    tools = repo.parent / "tools"
    tools.mkdir()
    (tools / "git").write_text(FALLING_GIT.format(git=shutil.which("git"), ref=ref))
    (tools / "git").chmod(0o755)
    done = subprocess.run([sys.executable, "-c",
                           "import sys; from gitlineage.cli import main; sys.exit(main())",
                           "run", "-q", "-t", "kept", "--", *COMMAND],
                          env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
                          stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    if status is None:
        assert everything() == []
    else:
        check_one(status, lineage, git, repo)


def test_git_that_outlives_its_recorder_and_moves_the_ref_late(
    repo: Path, lineage: Lineage, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed("gitlineage.ledger:Ledger.append", "after", "run", "-q", "-t", "kept", "--", *COMMAND)
    (ref,) = git("for-each-ref", "--format=%(refname)", "refs/lineage/ledger").split()
    tip = git("rev-parse", ref)
    git("update-ref", "-d", ref)
    look = Ledger.end_of

    def end_of(ledger: Ledger, execution: str, since: int) -> str | None:
        found = look(ledger, execution, since)
        git("update-ref", ref, tip)
        return found

    monkeypatch.setattr(Ledger, "end_of", end_of)
    everything()
    assert git("rev-parse", ref) == tip
    check_one("succeeded", lineage, git, repo)


@pytest.mark.parametrize("place", ["gitlineage.ledger:Ledger.append",
                                   "gitlineage.entries:Entry.set_commit",
                                   "gitlineage.entries:Entry.finish"])  # fmt: skip
@pytest.mark.parametrize("when", ["before", "after"])
def test_recovery_that_is_killed_itself(
    repo: Path, lineage: Lineage, git: Git, place: str, when: str
) -> None:
    killed("gitlineage.relay:_Relay.start", "before", "run", "-q", "-t", "kept", "--", *COMMAND)
    killed(place, when, "log")
    check_one("interrupted", lineage, git, repo)


@pytest.mark.parametrize("ending", [".log", ".end.part", ".end", ".commit"])
def test_killed_while_it_removes_an_entry(
    repo: Path, lineage: Lineage, git: Git, ending: str
) -> None:
    lineage("run", "-q", "-t", "kept", "--", *COMMAND)
    (entry,) = [name for name in left_running(repo) if len(name) == 40]
    for each in (".log", ".points", ".end.part", ".end", ".commit"):
        (repo / ".git/lineage/running" / (entry + each)).unlink(missing_ok=True)
        if each == ending:
            break
    check_one("succeeded", lineage, git, repo)


def test_what_others_left_is_swept(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "true")
    folder = repo / ".git/lineage/running"
    lost = "0" * 40
    for name in (f"{lost}.points", f"{lost}.end.part", f"{'1' * 40}.commit"):
        (folder / name).write_text("x")
    (folder / ("2" * 40)).write_bytes(b"damaged")
    (folder / ("3" * 40 + ".new")).write_bytes(b"half")
    lineage("log")
    assert left_running(repo) == []
    assert len(everything()) == 1


def test_damaged_journal_hides_nothing(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--step", "good", "--", "true")
    killed("gitlineage.entries:Entry.finish", "after", "run", "-q", "--step", "bad", "--", "true")
    for end in (repo / ".git/lineage/running").glob("*.end"):
        end.write_bytes(end.read_bytes()[:-3])
    found = {each.launch.step: each.status for each in everything() if each.launch}
    assert found == {"good": "succeeded", "bad": "interrupted"}


def test_entry_of_another_machine_is_left_alone(repo: Path, lineage: Lineage) -> None:
    killed("gitlineage.relay:_Relay.start", "before", "run", "-q", "--", "true")
    code = ("import os, sys\nreal = os.uname()\n"
            "os.uname = lambda: os.uname_result((real[0], 'elsewhere', *real[2:]))\n"
            "from gitlineage.cli import main; sys.exit(main(['log']))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert [each.status for each in everything()] == ["interrupted"]


# --- full disks -----------------------------------------------------------------------------------


NO_ROOM = {"disk": "No space left on device", "quota": "Disk quota exceeded"}
"""What is said where all of a disk is used, and where all of one's share of it is."""


@pytest.fixture(params=NO_ROOM)
def no_room(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def small_disk(isolated: Path, no_room: str) -> Iterator[Path]:
    """Return a folder that has 4 MiB of a file system."""
    folder, image = isolated / "disk", isolated / "image"
    folder.mkdir()
    steps: list[list[str | Path]] = [["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]]
    if no_room == "quota":
        if shutil.which("mkfs.btrfs") is None:
            pytest.skip("mkfs.btrfs is not installed")
        with open(image, "wb") as file:
            file.truncate(120 << 20)
        steps = [["mkfs.btrfs", "-q", image], ["mount", "-o", "loop", image, folder],
                 ["btrfs", "subvolume", "create", folder / "share"],
                 ["btrfs", "quota", "enable", folder],
                 ["btrfs", "qgroup", "limit", "4M", folder / "share"]]  # fmt: skip
    try:
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        yield folder / "share" if no_room == "quota" else folder
    finally:
        if folder.is_mount():
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


@pytest.fixture
def full_repo(small_disk: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    git("init", "-q", small_disk)
    monkeypatch.chdir(small_disk)
    Path("code.py").write_text("1\n")
    Path(".gitignore").write_text("filler\n")
    git("add", ".")
    git("commit", "-q", "-m", "Begin")
    return small_disk


def test_disk_that_is_full_at_the_start(full_repo: Path, lineage: Lineage, no_room: str) -> None:
    lineage("run", "-q", "--", "true")
    fill(full_repo)
    done = lineage("run", "--", "touch", "ran", check=False)
    assert done.returncode == 125
    assert not Path("ran").exists()
    (first, second) = done.stderr.splitlines()
    assert first.startswith("error: cannot write to ") and first.endswith(NO_ROOM[no_room])
    assert second == "hint: make room there, and run the command again"
    Path("filler").unlink()
    lineage("log")
    assert left_running(full_repo) == []


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("count", [3, 11000])  # what was reserved holds both; git's copy not
def test_disk_that_the_command_fills(
    full_repo: Path, lineage: Lineage, git: Git, code: int, count: int
) -> None:
    lineage("run", "-q", "--", "true")
    done = lineage("run", "-q", "--step", "filling", "--", "sh", "-c",
                   "echo '{\"a\": 1}'; echo small > out; yes > filler 2> /dev/null; "
                   f"seq {count}; exit {code}", check=False)  # fmt: skip
    printed = '{"a": 1}\n' + "".join(f"{n}\n" for n in range(1, count + 1))
    assert (done.returncode, done.stdout) == (code, printed)
    if count > 3:
        first, second = done.stderr.splitlines()
        assert first.startswith("error: the record is not in the ledger yet: ")
        assert second == "hint: it is kept; the next `git lineage` command tries again"
    Path("filler").unlink()
    found = last("@filling")
    assert found.status == ("failed" if code else "succeeded")
    assert found.end is not None and found.end.exit_code == code
    assert (found.metadata, set(hows(found.outputs))) == ({"a": 1}, {"out", "filler"})
    assert found.commit is not None
    assert git("cat-file", "-p", f"{found.commit}:log") + "\n" == printed
    assert len(everything()) == 2
    lineage("log")
    assert left_running(full_repo) == []
    assert git("fsck", "--strict", "--no-dangling") == ""
