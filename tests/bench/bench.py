"""Measure what git-lineage costs, beside the bare command and plain git in the same run.

    python tests/bench/bench.py [--quick] > docs/benchmarks.md

Whole processes, medians; single figures are good to some 20 %, so compare ratios. Progress goes to
standard error, the page with all results as JSON to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import many_files
import pushing

BIN = Path(sys.executable).parent
MEBIBYTE = 1 << 20


def environment() -> dict[str, str]:
    """Return what the measured processes see: no coverage, byte code kept as users have it."""
    dropped = ("COVERAGE_", "PYTHON", "GIT_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    who = {"GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.org"}
    committer = {"GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.org"}
    return {**kept, **who, **committer, "PATH": f"{BIN}:{kept['PATH']}"}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(argv: Sequence[str], folder: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv,
        cwd=folder,
        env=environment(),
        check=True,
        capture_output=True,
        **options,
    )


def measure(argv: Sequence[str], folder: Path, times: int) -> dict[str, float]:
    """Return median and quickest wall time and the median CPU time of whole processes, in ms."""
    walls, cpus = [], []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        run(argv, folder, stdin=subprocess.DEVNULL)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {
        "median": ms(statistics.median(walls)),
        "quickest": ms(min(walls)),
        "cpu": ms(statistics.median(cpus)),
    }


def ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def repository(folder: Path, files: int) -> Path:
    """Make a repository with so many tracked files."""
    folder.mkdir(parents=True)
    run(["git", "init", "-q", "-b", "main"], folder)
    (folder / ".gitignore").write_text("out*.txt\n")
    (folder / "in.txt").write_text("input\n" * 100)
    for number in range(files - 2):
        path = folder / f"part{number // 100}" / f"file{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    run(["git", "add", "-A"], folder)
    run(["git", "-c", "gc.auto=0", "commit", "-q", "-m", "start"], folder)
    run(["git", "gc", "-q"], folder)
    time.sleep(1.1)  # so that git's stat data are not racy, as they are not in daily use
    run(["git", "status"], folder)
    return folder


def overhead(work: Path, times: int) -> dict[str, Any]:
    """What a run costs beside the bare command, and beside an empty commit."""
    found: dict[str, Any] = {}
    python = measure([sys.executable, "-c", "pass"], work, times * 2)
    found["python -c pass"] = python
    for files in (50, 20_000):
        folder = repository(work / f"files{files}", files)
        commands = {"trivial": "cat in.txt > out.txt", "1 s": "cat in.txt > out.txt; sleep 1"}
        rows: dict[str, Any] = {
            "git commit --allow-empty": measure(
                ["git", "commit", "-q", "--allow-empty", "-m", "x"], folder, times
            )
        }
        for name, command in commands.items():
            bare = ["sh", "-c", command]
            recorded = ["git", "lineage", "run", "-q", "-i", "in.txt", "-o", "out.txt", "--", *bare]
            run(recorded, folder)
            count = times if name == "trivial" else max(5, times // 2)
            alone, ours = measure(bare, folder, count), measure(recorded, folder, count)
            rows[name] = {
                "bare": alone,
                "recorded": ours,
                "delay_ms": round(ours["median"] - alone["median"], 1),
                "delay_in_python_starts": round(
                    (ours["median"] - alone["median"]) / python["median"], 1
                ),
            }
            say(f"{files} files, {name}: +{rows[name]['delay_ms']} ms")
        found[f"{files} files"] = rows
    return found


def appending(work: Path, count: int) -> dict[str, Any]:
    """Append through the Python API, then read what has come together."""
    singly = repository(work / "singly", 50)
    folder = repository(work / "many", 50)
    code = f"""
import itertools, json, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from history import executions
import gitlineage
rates = {{"one at a time": [], "many at once": []}}
with gitlineage.open(sys.argv[1]) as lineage:
    start = time.perf_counter()
    for number, (launch, end) in enumerate(executions({count} // 10), 1):
        lineage.append(launch, end)
        if number % ({count} // 100) == 0:
            rates["one at a time"].append(round({count} // 100 / (time.perf_counter() - start)))
            start = time.perf_counter()
with gitlineage.open() as lineage:
    made = executions({count})
    for _ in range(10):
        start = time.perf_counter()
        lineage.append_all(itertools.islice(made, {count} // 10))
        rates["many at once"].append(round({count} // 10 / (time.perf_counter() - start)))
print(json.dumps(rates))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(singly)],
        cwd=folder,
        env=environment(),
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = {
        "records": count,
        "append_per_second_by_tenth": json.loads(done.stdout),
    }
    run(["git", "gc", "-q"], folder)
    size = sum(
        each.stat().st_size for each in (folder / ".git" / "objects").rglob("*") if each.is_file()
    )
    found["packed_bytes_a_record"] = round(size / count)
    shutil.rmtree(folder / ".git" / "lineage", ignore_errors=True)
    start = time.perf_counter()
    run(["git", "lineage", "log", "-n", "1", "--oneline"], folder)
    found["index_from_nothing_per_second"] = round(count / (time.perf_counter() - start))
    index = folder / ".git" / "lineage" / "index.sqlite"
    found["index_bytes_a_record"] = round(index.stat().st_size / count)
    for name, arguments in {
        "log -n 20": ["log", "-n", "20"],
        "show": ["show"],
        "trace of three steps": ["trace", "report-last.json", "--up", "--json"],
        "-h": ["-h"],
    }.items():
        found[name] = measure(["git", "lineage", *arguments], folder, 7)
        say(f"{name}: {found[name]}")
    found["log of git, 20"] = measure(["git", "log", "-n", "20", "--all", "--oneline"], folder, 7)
    return found


def hashing(work: Path, size: int) -> dict[str, Any]:
    """Read one file above the sha256 limit as an input, beside multi-threaded BLAKE3 over mmap."""
    path = work / "big.bin"
    with path.open("wb") as file:
        for _ in range(size // MEBIBYTE):
            file.write(os.urandom(MEBIBYTE))
    code = f"""
import json, os, resource, time, blake3
from gitlineage import digest
from gitlineage.fingerprints import Fingerprints
path = {str(path)!r}
def best(work):
    times = []
    for _ in range(5):
        start = time.perf_counter(); work(); times.append(time.perf_counter() - start)
    return sorted(times)[2]
def bare():
    hasher = blake3.blake3(max_threads=blake3.blake3.AUTO)
    hasher.update_mmap(path)
    hasher.digest()
bare(); reference = best(bare)
ours = best(lambda: digest.of_file(path))
fingerprints = Fingerprints({str(work)!r}); fingerprints.digests(path)
again = best(lambda: fingerprints.digests(path))
start = os.times(); unread = os.times()
print(json.dumps({{"blake3_mmap_seconds": round(reference, 4), "ours_seconds": round(ours, 4),
  "share_of_blake3": round(reference / ours, 3), "unchanged_seconds": round(again, 6)}}))
"""
    done = run([sys.executable, "-c", code], work)
    path.unlink()
    return {"bytes": size, **json.loads(done.stdout)}


def points(work: Path, count: int) -> dict[str, Any]:
    """Print points as fast as Python can into a pipe that is read, bare and recorded in turn."""
    folder = repository(work / "points", 50)
    (folder / "print.py").write_text(f"""
import json, random
for n in range({count}):
    values = [round(random.random(), 4) for _ in range(3)]
    print(json.dumps(dict(zip("abcde", (n, n // 1000, *values)))))
""")
    bare = f"{sys.executable} print.py | cat > /dev/null"
    walls: dict[str, list[float]] = {"bare": [], "recorded": []}
    for _ in range(3):
        for name, command in (("bare", bare), ("recorded", f"git lineage run -q -- {bare}")):
            start = time.perf_counter()
            run(["sh", "-c", command], folder)
            walls[name].append(time.perf_counter() - start)
    alone, ours = (round(statistics.median(each), 2) for each in walls.values())
    return {
        "points": count,
        "bare_s": alone,
        "recorded_s": ours,
        "share": round(ours / alone - 1, 3),
    }


def folders(work: Path, count: int) -> dict[str, Any]:
    return many_files.folders(work, count, environment())


def observing(work: Path, times: int) -> dict[str, Any]:
    return many_files.observing(work, times, environment())


STEPS: dict[str, Callable[[Path, bool], Any]] = {
    "overhead": lambda work, quick: overhead(work, 7 if quick else 21),
    "records": lambda work, quick: appending(work, 5_000 if quick else 100_000),
    "hashing": lambda work, quick: hashing(work, (512 if quick else 1024) * MEBIBYTE),
    "pushing": lambda work, quick: {
        "remotes": pushing.measured(work, 5 if quick else 15, say),
        "many": pushing.many(work / "many", 5_000 if quick else 100_000),
    },
    "points": lambda work, quick: points(work, 200_000 if quick else 1_000_000),
    "folders": lambda work, quick: folders(work, 10_000 if quick else 100_000),
    "observing": lambda work, quick: observing(work, 1 if quick else 3),
}


def page(results: dict[str, Any]) -> str:
    """Return the page: a few tables, and everything as JSON."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; run it again to compare. Whole processes, medians of one",
        "machine, good to some 20 %: quote ratios.",
        "",
        f"{results['machine']}",
        "",
    ]
    if overheads := results.get("overhead"):
        python = overheads["python -c pass"]["median"]
        lines += [
            "## A recorded command",
            "",
            "| files | command | bare ms | recorded ms | delay ms | in plain Python starts |",
            "|--:|---|--:|--:|--:|--:|",
        ]
        for files in ("50 files", "20000 files"):
            for name in ("trivial", "1 s"):
                row = overheads[files][name]
                lines.append(
                    f"| {files.split()[0]} | {name} | {row['bare']['median']} "
                    f"| {row['recorded']['median']} | {row['delay_ms']} "
                    f"| {row['delay_in_python_starts']} |"
                )
        empty = [
            overheads[f]["git commit --allow-empty"]["median"] for f in ("50 files", "20000 files")
        ]
        lines += [
            "",
            f"In the same run: `python -c pass` {python} ms, `git commit --allow-empty` "
            f"{empty[0]} ms with 50 files and {empty[1]} ms with 20,000.",
            "",
        ]
    if records := results.get("records"):
        rates = records["append_per_second_by_tenth"]
        one, many = rates["one at a time"], rates["many at once"]
        lines += [
            f"## {records['records']:,} records",
            "",
            f"Appended through the Python API: `append_all` {many[0]:,} a second in the first "
            f"tenth, {min(many):,} in the slowest, {many[-1]:,} in the last; of a tenth as many, "
            f"`append` {one[0]:,}, {min(one):,} and {one[-1]:,}: one by one a record is four files "
            "to make.",
            f"Packed: {records['packed_bytes_a_record']} bytes a record; the index "
            f"{records['index_bytes_a_record']}, built from nothing at "
            f"{records['index_from_nothing_per_second']:,} records a second.",
            "",
            "| command | wall ms | CPU ms |",
            "|---|--:|--:|",
        ]
        for name in ("log -n 20", "show", "trace of three steps", "-h", "log of git, 20"):
            lines.append(f"| {name} | {records[name]['median']} | {records[name]['cpu']} |")
        lines.append("")
    if big := results.get("hashing"):
        lines += [
            f"## A file of {big['bytes'] >> 20} MiB",
            "",
            f"Multi-threaded BLAKE3 over mmap {big['blake3_mmap_seconds']} s, as an input "
            f"{big['ours_seconds']} s ({big['share_of_blake3']:.0%} of its speed), unchanged "
            f"{big['unchanged_seconds']} s.",
            "",
        ]
    if pushes := results.get("pushing"):
        many = pushes["many"]
        lines += [
            "## Pushes",
            "",
            "Wall and CPU time in milliseconds (that of a server apart from a path is its own).",
            "",
            "| | " + " | ".join(pushes["remotes"]) + " |",
            "|---" * (1 + len(pushes["remotes"])) + "|",
        ]
        for name in next(iter(pushes["remotes"].values())):
            held = [each[name] for each in pushes["remotes"].values()]
            told = " | ".join(f"{each['wall']} ({each['cpu']})" for each in held)
            lines.append(f"| {name} | {told} |")
        lines += [
            "",
            f"{many['executions']:,} executions at once: pushed in {many['push_s']} s, fetched in "
            f"{many['fetch_s']} s; a branch with as many empty commits in {many['push_plain_s']} "
            f"and {many['fetch_plain_s']} s.",
            "",
        ]
    if found := results.get("points"):
        lines += [
            f"## {found['points']:,} points of metadata",
            "",
            f"Printed as fast as Python can, five keys each: bare {found['bare_s']} s, recorded "
            f"{found['recorded_s']} s ({found['share']:+.0%}).",
            "",
        ]
    if found := results.get("folders"):
        first = found["first"]
        lines += [
            f"## A folder of {found['files']:,} files of 10 KB as an input",
            "",
            "| | wall s | CPU s | times as long |",
            "|---|--:|--:|--:|",
            f"| first time | {first['wall_s']} | {first['cpu_s']} | |",
            f"| unchanged | {found['unchanged']['wall_s']} | {found['unchanged']['cpu_s']} | |",
        ]
        for name in ("git add", "dvc add"):
            if row := found.get(name):
                ratio = row["wall_s"] / first["wall_s"]
                lines.append(f"| `{name}` | {row['wall_s']} | {row['cpu_s']} | {ratio:.1f} |")
        lines += [
            "",
            f"After `git gc` its record and manifests are {found['packed_bytes']:,} bytes, and "
            f"those of the next one, with one file changed, {found['packed_bytes_of_the_next']:,}.",
            "",
        ]
    if found := results.get("observing"):
        lines += [
            "## Commands that are observed",
            "",
            "| | bare s | recorded s | observed s | observed / bare |",
            "|---|--:|--:|--:|--:|",
        ]
        for name, row in found.items():
            cells = (row["bare"], row["recorded"], row["observed"], row["times"])
            lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
        lines.append("")
    return "\n".join(
        [*lines, "## All figures", "", "```json", json.dumps(results, indent=1), "```", ""]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure git-lineage.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, 5,000 records")
    parser.add_argument("--steps", default=",".join(STEPS), help="comma-separated")
    options = parser.parse_args()
    git = subprocess.run(["git", "--version"], stdout=subprocess.PIPE, text=True, check=True)
    results: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {git.stdout.strip()}, load average "
        f"{os.getloadavg()[0]:.1f} at the start.",
    }
    with tempfile.TemporaryDirectory(prefix="git-lineage-bench-") as folder:
        for name in options.steps.split(","):
            say(f"== {name}")
            work = Path(folder) / name
            work.mkdir()
            results[name] = STEPS[name](work, options.quick)
    print(page(results), end="")


if __name__ == "__main__":
    main()
