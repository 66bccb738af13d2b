"""What tests of executions share: how to read the newest, and how to wait without sleeping."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gitlineage
from gitlineage.records.artifact import Artifact
from gitlineage.records.execution import Execution


def last(name: str = "@") -> Execution:
    """Return the newest execution of the repository that we are in, or the one called `name`."""
    with gitlineage.open() as lineage:
        return lineage.execution(name)


def everything() -> list[Execution]:
    """Return all executions of the repository that we are in, newest first."""
    with gitlineage.open() as lineage:
        return lineage.executions()


def hows(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """Return path to how it is known."""
    return {each.path: each.how for each in artifacts}


def of(artifacts: Iterable[Artifact], path: str) -> Artifact:
    """Return the one artifact at a path."""
    (found,) = (each for each in artifacts if each.path == path)
    return found


def until(question: Callable[[], Any], what: str = "it", seconds: float = 60.0) -> Any:
    """Ask again and again; fail when the answer stays no."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        select.select([], [], [], 0.01)
    return answer


def start(*command: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command with pipes for its output and nothing to read."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        **options,
    )


def python(code: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )


def left_running(repo: Path) -> list[str]:
    """Return the names of what is in the journal of running executions."""
    folder = repo / ".git/lineage/running"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


POWERLESS = [] if os.getuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""The start of a command for which file modes count, for root too."""


# The real thing, but for one function: it, or what comes right after it, ends the process.
KILLER = """
import importlib, os, sys
place, when, *words = sys.argv[1:]
module, _, path = place.partition(":")
holder = importlib.import_module(module)
*owners, name = path.split(".")
for owner in owners:
    holder = getattr(holder, owner)
real = getattr(holder, name)
def kill(*arguments, **options):
    if when == "after":
        real(*arguments, **options)
    os.kill(os.getpid(), 9)
setattr(holder, name, kill)
from gitlineage.cli import main
sys.exit(main(words))
"""


def killed(place: str, when: str, *words: str | Path, cwd: Path | None = None) -> None:
    """Run `git lineage`, and kill it `before` or `after` a function is called the first time."""
    done = subprocess.run(
        [sys.executable, "-c", KILLER, place, when, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        cwd=cwd,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
