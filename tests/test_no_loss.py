"""Many at once in one work tree: every record is kept, and nobody claims somebody else's file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, hows, left_running, start

PROCESSES = 8

RUNS = 50
"""Of each process: 400 records, the number with which other ways of appending lost most."""

# One command line after the other, in one process: what is tested is the appending, not Python's
# start (400 of those take a minute more).
WORKER = """
import sys
from gitlineage.cli import main
who, count = sys.argv[1:]
for number in range(int(count)):
    name = f"out-{who}-{number}"
    code = main(["run", "-q", "-o", name, "-p", f"who={who}", "--step", "work", "--",
                 "sh", "-c", f"echo {name} > {name}"])
    if code:
        sys.exit(f"{name}: {code}")
"""


def test_all_records_of_many_processes_are_kept(repo: Path, git: Git) -> None:
    workers = [start(sys.executable, "-c", WORKER, str(who), str(RUNS)) for who in range(PROCESSES)]
    said = [worker.communicate(timeout=540) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES, said
    assert said == [("", "")] * PROCESSES  # and no warnings: all was declared
    found = everything()
    assert len(found) == len({each.id for each in found}) == PROCESSES * RUNS
    made: list[str] = []
    for each in found:
        assert each.launch is not None
        (output,) = each.outputs
        assert output.path.startswith(f"out-{each.launch.parameters['who']}-")
        made.append(output.path)
    assert sorted(made) == sorted(f"out-{w}-{n}" for w in range(PROCESSES) for n in range(RUNS))
    assert {each.status for each in found} == {"succeeded"}
    assert {each.ends_count for each in found} == {1}
    assert git("rev-list", "--count", "--glob=refs/lineage/ledger/*") == str(PROCESSES * RUNS)
    assert git("fsck", "--strict", "--no-dangling") == ""
    while left_running(repo):  # what ended in the last tick of the clock stays for the next look
        everything()


@pytest.fixture
def meeting(isolated: Path) -> Path:
    """Return a folder of FIFOs where commands wait for each other."""
    folder = isolated / "meeting"
    folder.mkdir()
    return folder


def together(meeting: Path, *commands: tuple[str, list[str]]) -> list[tuple[str, str]]:
    """Run commands that all have started before any ends; return what they said."""
    running = []
    for name, words in commands:
        for each in ("here", "go"):
            os.mkfifo(meeting / f"{each}-{name}")
        shell = f'echo > "{meeting}/here-{name}"; cat "{meeting}/go-{name}"; {words.pop()}'
        running.append(start("git", "lineage", "run", "-q", "--step", name, *words, "--",
                             "sh", "-c", shell))  # fmt: skip
    for name, _ in commands:
        (meeting / f"here-{name}").read_text()
    for name, _ in commands:
        (meeting / f"go-{name}").write_text("")
    said = [each.communicate(timeout=120) for each in running]
    assert [each.returncode for each in running] == [0] * len(running)
    return said


def test_nobody_claims_what_may_be_somebody_elses(repo: Path, meeting: Path) -> None:
    said = together(meeting, ("one", ["echo 1 > one"]), ("two", ["echo 2 > two"]),
                    ("three", ["-o", "three", "echo 3 > three"]))  # fmt: skip
    outputs = {each.launch.step: hows(each.outputs) for each in everything() if each.launch}
    assert outputs == {"one": {}, "two": {}, "three": {"three": "declared"}}
    for out, err in said[:2]:
        assert out == ""
        assert err.startswith(
            "warning: other executions ran here at the same time, so nobody claims "
        )
        assert err.endswith(": declare outputs with -o\n")
        assert "three" not in err
        assert "one" in err or "two" in err


def test_a_short_one_inside_the_time_of_a_long_one(repo: Path, meeting: Path, lineage: Lineage
                                                   ) -> None:  # fmt: skip
    for each in ("here", "go"):
        os.mkfifo(meeting / each)
    long = start(
        "git",
        "lineage",
        "run",
        "-q",
        "--step",
        "long",
        "--",
        "sh",
        "-c",
        f"echo e > early; echo > {meeting}/here; cat {meeting}/go; echo l > late",
    )
    (meeting / "here").read_text()
    done = lineage("run", "-q", "--step", "short", "-o", "declared", "--", "sh", "-c",
                   "echo d > declared; echo s > detected")  # fmt: skip
    assert done.stderr == (
        "warning: other executions ran here at the same time, so nobody claims detected: "
        "declare outputs with -o\n"
    )
    lineage("log")
    lineage("log")  # may not let go of the short one yet: the long one has to know of it
    (meeting / "go").write_text("")
    _, err = long.communicate(timeout=120)
    outputs = {each.launch.step: set(hows(each.outputs)) for each in everything() if each.launch}
    assert outputs == {"short": {"declared"}, "long": {"early", "late"}}
    assert "nobody claims detected:" in err
    lineage("log")
    assert left_running(repo) == []


def test_executions_in_other_work_trees_do_not_matter(
    repo: Path, meeting: Path, git: Git, isolated: Path
) -> None:
    git("worktree", "add", "-q", "-b", "side", isolated / "linked")
    for each in ("here", "go"):
        os.mkfifo(meeting / each)
    other = start("git", "lineage", "run", "-q", "--step", "other", "--", "sh", "-c",
                  f"echo > {meeting}/here; cat {meeting}/go; echo o > out",
                  cwd=isolated / "linked")  # fmt: skip
    (meeting / "here").read_text()
    done = subprocess.run(["git", "lineage", "run", "-q", "--step", "mine", "--", "sh", "-c",
                           "echo m > out"], capture_output=True, text=True)  # fmt: skip
    (meeting / "go").write_text("")
    assert (done.stderr, other.communicate(timeout=120)) == ("", ("", ""))
    outputs = {each.launch.step: hows(each.outputs) for each in everything() if each.launch}
    assert outputs == {"mine": {"out": "detected"}, "other": {"out": "detected"}}
