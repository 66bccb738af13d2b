"""Kill recorders at random moments, and many at once: every run that started is in the ledger.

`python tests/soak/kills.py [COUNT]`: 200 kills unless said otherwise, each of one of: the recorder,
or everything that it has started as well, as when a machine dies. Then 64 runs at once. Fails
where an execution is missing, doubled or has the wrong status, and where anything is left behind.
"""

from __future__ import annotations

import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gitlineage
from gitlineage.records.execution import Execution

AT_ONCE = 64

KEPT = {"notes.lock"}
"""Locked as a file is, by `flock`: it is free when its holder dies, however that dies."""

BEYOND = 1.1
"""How far beyond the time that a run takes a kill may come."""

SWEPT_AFTER = 70
"""Seconds until a file is taken for dead that somebody may just be making."""

PATIENCE = 10
"""Seconds until a command that was started has to be known."""

COMMAND = 'echo > "$1/started-$0"; echo "$0" > "out-$0"; sleep 0.0$2; echo > "$1/ended-$0"'
"""Says outside of the work tree how far it came."""


def start(number: int, marks: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a recorded command in a process group of its own."""
    return subprocess.Popen(
        ["git-lineage", "run", "-q", "--step", f"run-{number}", *options, "--",
         "sh", "-c", COMMAND, str(number), str(marks), str(number % 10)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def leftovers(repository: Path) -> list[str]:
    """Return what a killed process can leave: locks, temporary files, entries.

    Not the objects and packs that git itself had begun: those wait for `git gc`.
    """
    found = {*(repository / ".git/lineage/running").glob("*")}
    for each in (repository / ".git").rglob("*"):
        if each.name.endswith((".lock", ".new", ".part")) and each.name not in KEPT:
            found.add(each)
    return sorted(str(each.relative_to(repository)) for each in found)


def recorded() -> dict[str, list[Execution]]:
    """Return the executions by step."""
    found = collections.defaultdict(list)
    with gitlineage.open() as lineage:
        for each in lineage.executions():
            assert each.launch is not None
            found[str(each.launch.step)].append(each)
    return found


def has_started(marks: Path, number: int) -> bool:
    return (marks / f"started-{number}").exists()


def kill_many(count: int, marks: Path) -> collections.Counter[str]:
    """Start runs until `count` of them were killed; return how many came to what."""
    at = random.Random(count)
    outcomes: collections.Counter[str] = collections.Counter()
    complaints: list[str] = []
    usual, number, killed = 0.5, -1, 0
    while killed < count:
        number += 1
        process, began = start(number, marks), time.monotonic()
        try:
            # Each tenth is not killed: it tells how long a run takes on this machine now.
            process.wait(None if number % 10 == 0 else at.uniform(0, usual * BEYOND))
            usual = time.monotonic() - began
        except subprocess.TimeoutExpired:
            if at.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        # Before the command that it left is waited for: what was true in the moment of the kill.
        had_ended = (marks / f"ended-{number}").exists()
        killed += process.wait() == -signal.SIGKILL
        process.communicate()  # the pipe is the command's as well: this waits for both
        found = recorded()[f"run-{number}"]
        deadline = time.monotonic() + PATIENCE
        while has_started(marks, number) and not found and time.monotonic() < deadline:
            # A git that was just being started holds the entry's lock until it is.
            found = recorded()[f"run-{number}"]
        status = found[0].status if found else None
        outcomes[f"{'exited' if process.returncode == 0 else 'killed'}: {status}"] += 1
        right = {"succeeded"} if process.returncode == 0 else (
            {"succeeded", "interrupted"} if had_ended else
            {"interrupted"} if has_started(marks, number) else {"interrupted", None})  # fmt: skip
        if len(found) > 1 or status not in right:
            complaints.append(f"run {number}: {len(found)} records, {status}, wanted {right}")
    if complaints:
        sys.exit("\n".join(complaints))
    return outcomes


def at_once(first: int, marks: Path) -> None:
    """Run 64 at once, each with an output of its own."""
    numbers = range(first, first + AT_ONCE)
    processes = [start(number, marks, "-o", f"out-{number}") for number in numbers]
    for number, process in zip(numbers, processes, strict=True):
        _, said = process.communicate()
        assert (process.returncode, said) == (0, b""), (number, said)
    found = recorded()
    for number in numbers:
        (each,) = found[f"run-{number}"]
        assert each.status == "succeeded"
        assert [output.path for output in each.outputs] == [f"out-{number}"]


def main(count: int) -> int:
    """Kill, run at once, and return 1 where something is left behind."""
    with tempfile.TemporaryDirectory() as folder:
        repository, marks = Path(folder) / "repository", Path(folder) / "marks"
        marks.mkdir()
        subprocess.run(["git", "init", "-q", repository], check=True)
        os.chdir(repository)
        (repository / "code").write_text("1")
        for words in (("add", "."), ("commit", "-q", "-m", "Begin")):
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=e", *words], check=True)
        began = time.monotonic()
        outcomes = kill_many(count, marks)
        print(
            f"{count} kills of {sum(outcomes.values())} runs in {time.monotonic() - began:.0f} s:",
            end=" ",
        )
        print(", ".join(f"{each} {times}" for each, times in sorted(outcomes.items())))
        began = time.monotonic()
        at_once(sum(outcomes.values()), marks)
        print(f"{AT_ONCE} at once in {time.monotonic() - began:.0f} s")
        recorded()
        deadline = time.monotonic() + SWEPT_AFTER
        while (left := leftovers(repository)) and time.monotonic() < deadline:
            time.sleep(5)
            recorded()
        print("\n".join(left) or "nothing is left behind")
        damage = subprocess.run(["git", "fsck", "--strict", "--no-dangling"], check=False)
    return int(bool(left) or damage.returncode != 0)


if __name__ == "__main__":
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    os.environ |= {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "e",
                   "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "e"}  # fmt: skip
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
