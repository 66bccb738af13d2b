"""A team that records and pushes to one server at the same time, each in a clone of its own."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sharing import executions, git, refs, trees

# As a person does it: the real commands, and plain git. A hook that has given up for now has said
# so; what it left is sent at the end, as by a person who reads that.
MEMBER = """
import json, subprocess, sys, time
who, count = sys.argv[1], int(sys.argv[2])
said, begin = [], time.monotonic()
for number in range(count):
    name = f"{who}-{number}"
    words = ["git", "lineage", "run", "-q", "--step", name, "-o", name, "--", "sh", "-c",
             f"echo {name} > {name}"]
    subprocess.run(words, check=True)
    pushed = subprocess.run(["git", "push", "-q", "origin", "main"], stderr=subprocess.PIPE,
                            text=True)
    assert pushed.returncode == 0, pushed.stderr
    said += [line for line in pushed.stderr.splitlines() if line]
tries = 0
while True:
    tries += 1
    last = subprocess.run(["git", "lineage", "push", "-y"], stderr=subprocess.PIPE, text=True)
    said += [line for line in last.stderr.splitlines() if "up to date" not in line]
    if last.returncode == 0:
        break
    assert tries < 10, last.stderr
print(json.dumps({"said": said, "tries": tries, "seconds": time.monotonic() - begin}))
"""


def gather(url: str, folder: Path, count: int) -> list[Path]:
    """Clone so many times, and have each clone carry lineage."""
    clones = [folder / f"clone{number}" for number in range(count)]
    for clone in clones:
        git(folder, "clone", "-q", url, clone)
        git(clone, "config", "remote.origin.lineage", "true")
        subprocess.run(["git-lineage", "init"], cwd=clone, check=True, capture_output=True)
    return clones


def write(
    clones: Sequence[Path], count: int, shells: Sequence[Sequence[str]] = ((),)
) -> list[dict[str, Any]]:
    """Have all record and push so many executions at once; return what each has to tell.

    `shells` are put before the members' commands, in turn.
    """
    started = []
    for number, clone in enumerate(clones):
        words = [sys.executable, "-c", MEMBER, str(number), str(count)]
        words = [*shells[number % len(shells)], *words]
        started.append(subprocess.Popen(words, cwd=clone, stdout=subprocess.PIPE, text=True))
    told = [each.communicate()[0] for each in started]
    assert [each.returncode for each in started] == [0] * len(started)
    return [json.loads(each) for each in told]


def check(remote: Path, clones: Sequence[Path], count: int) -> None:
    """See that all of it has arrived, none of it twice, and that each member can have it all."""
    wanted = sorted(f"{who}-{number}" for who in range(len(clones)) for number in range(count))
    held = trees(remote)
    assert len(held) == len(set(held)) == len(wanted)
    assert git(remote, "rev-list", "--merges", "--glob=refs/lineage/ledger/*") == ""
    for clone in (clones[0], clones[-1]):
        subprocess.run(["git-lineage", "fetch"], cwd=clone, check=True, capture_output=True)
        found = executions(clone)
        assert sorted(each.launch.step for each in found if each.launch) == wanted
        assert collections.Counter(each.ends_count for each in found) == {1: len(wanted)}
        assert refs(clone, "refs/lineage/ledger") == refs(remote, "refs/lineage/ledger")
    assert git(remote, "fsck", "--strict", "--no-dangling") == ""
