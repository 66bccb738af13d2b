"""What a push costs that carries lineage, beside a plain one: to a path, over HTTP and over ssh.

    python tests/bench/pushing.py [TIMES]

In turn, whole processes: a commit without our hook, with it and nothing new to send, with it and
one new execution, and an execution alone by the hook and by `git lineage push`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import servers

KINDS = ("path", "http", "ssh")


def run(words: list[str], folder: Path) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def timed(words: list[str], folder: Path) -> tuple[float, float]:
    """Return wall and CPU time of a command in milliseconds; a server's CPU time is its own."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run(words, folder)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * wall, 1000 * cpu


def pushes(url: str, folder: Path, times: int) -> dict[str, dict[str, float]]:
    """Return medians of what pushes from a new clone cost, in milliseconds."""
    run(["git", "clone", "-q", url, str(folder)], folder.parent)
    for number in range(50):
        (folder / f"file{number}").write_text(f"{number}\n" * 20)
    commit = ["git", "commit", "-q", "--allow-empty", "-m", "x"]
    record = ["git", "lineage", "run", "-q", "--", "true"]
    run(["git", "add", "-A"], folder)
    run(commit, folder)
    run(["git", "push", "-q", "-u", "origin", "main"], folder)
    run(["git", "config", "remote.origin.lineage", "true"], folder)
    run(["git", "lineage", "init"], folder)
    run(record, folder)
    push = ["git", "push", "-q"]
    run(push, folder)
    steps: dict[str, tuple[list[list[str]], list[str]]] = {
        "a commit, plain": ([commit], [*push, "--no-verify"]),
        "nothing, plain": ([], [*push, "--no-verify"]),
        "a commit, with the hook": ([commit], push),
        "nothing, with the hook": ([], push),
        "a commit and an execution": ([commit, record], push),
        "an execution": ([record], push),
        "an execution, git lineage push": ([record], ["git", "lineage", "push"]),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(times):
        for name, (before, words) in steps.items():
            for each in before:
                run(each, folder)
            found[name].append(timed(words, folder))
    return {
        name: {
            "wall": round(statistics.median(wall for wall, _ in each), 1),
            "quickest": round(min(wall for wall, _ in each), 1),
            "cpu": round(statistics.median(cpu for _, cpu in each), 1),
        }
        for name, each in found.items()
    }


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have git see its own settings only, and the program that measures."""
    kept = dict(os.environ)
    (home / ".gitconfig").write_text("[user]\nname = Bench\nemail = bench@example.org\n"
                                     "[init]\ndefaultBranch = main\n")  # fmt: skip
    for name in [name for name in os.environ if name.startswith(("GIT_", "PYTHON", "COVERAGE_"))]:
        del os.environ[name]
    os.environ.update(HOME=str(home), PATH=f"{Path(sys.executable).parent}:{kept['PATH']}")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def measured(work: Path, times: int, say: Callable[[str], None]) -> dict[str, object]:
    """Return what pushes cost, for each kind of remote whose server is installed."""
    found: dict[str, object] = {}
    for kind in KINDS:
        here = work / kind
        here.mkdir()
        with contextlib.ExitStack() as stack:
            stack.enter_context(alone(work))
            run(["git", "init", "-q", "--bare", "remote.git"], here)
            run(["git", "config", "http.receivepack", "true"], here / "remote.git")
            start = f"{here}/"
            if kind != "path":
                try:
                    start = stack.enter_context(getattr(servers, kind)(here, here / "server"))
                except servers.Missing as missing:
                    say(f"{kind}: {missing}")
                    continue
            found[kind] = pushes(start + "remote.git", here / "clone", times)
        say(f"{kind}: {json.dumps(found[kind])}")
    return found


MANY = """
import itertools, sys
sys.path.insert(0, sys.argv[1])
from history import executions
import gitlineage
made = executions(int(sys.argv[2]))
with gitlineage.open() as lineage:
    while some := list(itertools.islice(made, 10_000)):
        lineage.append_all(some)
"""


def many(work: Path, count: int) -> dict[str, object]:
    """Push and fetch so many executions at once, beside a branch with as many empty commits."""
    work.mkdir(exist_ok=True)
    with alone(work):
        return _many(work, count)


def _many(work: Path, count: int) -> dict[str, object]:
    for name in ("plain", "lineage"):
        run(["git", "init", "-q", "--bare", f"{name}.git"], work)
        run(["git", "clone", "-q", f"{name}.git", name], work)
        run(["git", "commit", "-q", "--allow-empty", "-m", "x"], work / name)
        run(["git", "push", "-q", "-u", "origin", "main"], work / name)
        run(["git", "clone", "-q", f"{name}.git", f"{name}-2"], work)
    stream = "".join(
        f"commit refs/heads/many\ncommitter B <b@example.org> {1_700_000_000 + n} +0000\n"
        f"data 6\nempty\n\n" for n in range(count)
    )  # fmt: skip
    subprocess.run(["git", "fast-import", "--quiet"], cwd=work / "plain", check=True,
                   input=stream.encode())  # fmt: skip
    words = [sys.executable, "-c", MANY, str(Path(__file__).parent), str(count)]
    run(words, work / "lineage")
    found = {"executions": count}
    steps = {
        "push_plain_s": (["git", "push", "-q", "origin", "many"], work / "plain"),
        "push_s": (["git", "lineage", "push", "-y"], work / "lineage"),
        "fetch_plain_s": (["git", "fetch", "-q", "origin", "many"], work / "plain-2"),
        "fetch_s": (["git", "lineage", "fetch"], work / "lineage-2"),
    }
    for name, (command, folder) in steps.items():
        wall, cpu = timed(command, folder)
        found[name] = round(wall / 1000, 2)
        found[name.removesuffix("_s") + "_cpu_s"] = round(cpu / 1000, 2)
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="git-lineage-bench-") as folder:
        measured(Path(folder), int((*sys.argv[1:], "9")[0]), print)
