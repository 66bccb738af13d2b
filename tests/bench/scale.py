"""What reading costs with a thousand, a hundred thousand and a million executions.

    python tests/bench/scale.py 1000 100000 [1000000] > scale.json

Histories that look like real ones: data sets that are prepared now and then and used by all,
sweeps over parameters with a tag each, models chosen and used again, spread over five years. What
is measured are whole processes: medians, CPU time with that of what they start, peak memory.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

START = 1_600_000_000
YEARS = 5
CLOSURE = 34_600
"""Executions that make 100,000 nodes."""
BIN = Path(sys.executable).parent
PEOPLE = [(f"Person {n}", f"person{n}@example.org") for n in range(40)]
PARTS = ("train", "valid", "test")
SWEEP = 50
"""Trainings in a sweep; before it a data set may be prepared, behind it come evaluations."""


class History:
    """Executions as lines of JSON, in the order in which they ran."""

    def __init__(self, count: int) -> None:
        self._chance = random.Random(1)
        self._count = count
        self._step = YEARS * 365 * 86400 / count
        self._made = 0
        self._data: list[dict[str, Any]] = []
        self._models: list[dict[str, Any]] = []

    def lines(self) -> Iterator[bytes]:
        """Yield so many executions; the last makes `report-last.json`, ten steps from `raw.csv`."""
        raw = self._file("raw.csv", 80_000_000, "declared")
        sweep = 0
        while self._made < self._count - 9:
            if sweep % 5 == 0:
                self._data = [self._file(f"data/{part}.parquet", 5_000_000) for part in PARTS]
                yield self._one("prepare", ["python", "prepare.py", "raw.csv"], [raw], self._data)
            names = [f"sweep-{sweep}"] if sweep % 10 == 0 else []
            trained = []
            for number in range(min(SWEEP, self._count - 9 - self._made)):
                rate, depth = 10 ** self._chance.uniform(-4, -1), self._chance.randrange(2, 12)
                model = self._file(f"models/m{number}.bin", 20_000_000)
                words = ["python", "train.py", f"--lr={rate:.6f}", f"--depth={depth}"]
                trained.append(model)
                yield self._one(
                    "train", words, [*self._data[:2], *self._models[-1:]],
                    [model, self._file(f"logs/{number}.json", 900)],
                    {"lr": rate, "depth": depth, "epochs": 20}, names,
                )  # fmt: skip
            self._models = trained[-3:] or self._models
            for number, model in enumerate(self._models):
                if self._made < self._count - 9:
                    report = [self._file(f"reports/r{number}.json", 900)]
                    yield self._one(
                        "evaluate", ["python", "evaluate.py"], [model, self._data[2]], report
                    )
            sweep += 1
        before = raw
        for number in range(self._count - self._made):
            is_last = self._made == self._count - 1
            made = self._file("report-last.json" if is_last else f"chain/{number}.bin", 4000)
            yield self._one(f"part{number}", ["python", "part.py"], [before], [made])
            before = made

    def _file(self, path: str, size: int, how: str = "detected") -> dict[str, Any]:
        digests = {"blake3": self._chance.randbytes(32).hex()}
        digests["sha256"] = self._chance.randbytes(32).hex()
        return {"path": path, "type": "file", "how": how, "digests": digests, "size": size}

    def _one(
        self, step: str, command: list[str], inputs: list[Any], outputs: list[Any],
        parameters: dict[str, Any] | None = None, tags: Sequence[str] = (),
    ) -> bytes:  # fmt: skip
        chance = self._chance
        self._made += 1
        at = int((START + self._made * self._step) * 1_000_000)
        name, email = chance.choice(PEOPLE)
        commit = self._made // 100
        failed = step == "train" and chance.random() < 0.03
        line = {
            "launch": {
                "nonce": chance.randbytes(16).hex(), "command": command, "directory": ".",
                "step": step, "started_at": at, "parameters": parameters or {},
                "agent": {"name": name, "email": email, "login": email.partition("@")[0]},
                "software": {"name": "git-lineage", "version": "0.1.0"},
                "place": {"host": f"node{chance.randrange(16)}"}, "tags": list(tags),
                "code": {
                    "tree": f"{commit:040x}", "commit": f"{commit + 1:040x}", "branch": "main",
                    "snapshot": f"{commit + 1:040x}",
                    "remotes": {"origin": "https://example.org/team/project.git"},
                },
                "inputs": inputs[:1],
            },
            "end": {
                "status": "failed" if failed else "succeeded", "exit_code": int(failed),
                "finished_at": at + 30_000_000, "duration": 30_000_000, "cpu_time": 28_000_000,
                "peak_memory": 900 << 20,
                "inputs": [{**each, "how": "argument"} for each in inputs[1:]],
                "outputs": [] if failed else [{**each, "change": "created"} for each in outputs],
                "metadata": {"accuracy": chance.random(), "loss": chance.random()},
                "points_count": 20,
                "environment": {
                    "system": "Linux", "distribution": "Debian GNU/Linux 12 (bookworm)",
                    "kernel": "6.1.0", "machine": "x86_64", "cpu_count": 16, "memory": 64 << 30,
                    "python": "3.11.2", "python_path": "/usr/bin/python3",
                },
            },
        }  # fmt: skip
        return json.dumps(line).encode()


class Clock:
    """Stands for `time`: each batch is appended a month behind the one before."""

    def __init__(self) -> None:
        self._asked = 0

    def time(self) -> float:
        """Return the moment, which is asked twice for each batch."""
        self._asked += 1
        return START + self._asked * 15.2 * 86400


def filled(folder: Path, count: int) -> int:
    """Make a repository with so many executions; return how many it took a second.

    Another process does it: what is started later has at least the peak of who starts it.
    """
    command = [sys.executable, __file__, "--fill", str(folder), str(count)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def fill(folder: Path, count: int) -> int:
    """Make it in this process."""
    import gitlineage
    from gitlineage import bulk
    from gitlineage.bulk import storing

    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    lines = folder.parent / f"{folder.name}.jsonl"
    with lines.open("wb") as file:
        file.writelines(line + b"\n" for line in History(count).lines())
    storing.time = Clock()  # type: ignore[assignment]
    bulk.TOGETHER = -(-count // (YEARS * 12))
    with gitlineage.open(folder) as lineage, lines.open("rb") as file:
        began = time.perf_counter()
        made = len(lineage.import_lines(file))
        took = time.perf_counter() - began
    assert made == count
    lines.unlink()
    return round(count / took)


def measure(folder: Path, *words: str, times: int = 7) -> dict[str, float]:
    """Return medians of wall and CPU time of a command, in ms, and its peak memory in MiB."""
    walls, cpus, peaks = [], [], []
    command = [str(BIN / "git-lineage"), *words]
    for _ in range(times):
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
        assert process.stdout is not None
        while process.stdout.read(1 << 20):
            pass
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, words
        walls.append((time.perf_counter() - began) * 1000)
        cpus.append((used.ru_utime + used.ru_stime) * 1000)
        peaks.append(used.ru_maxrss / 1024)
    return {
        "wall": round(statistics.median(walls), 1), "cpu": round(statistics.median(cpus), 1),
        "quickest_cpu": round(min(cpus), 1), "peak_mib": round(max(peaks)),
    }  # fmt: skip


READS = {
    "trace of a chain": ("trace", "report-last.json", "--up", "--json"),
    "show": ("show",),
    "files PATH": ("files", "report-last.json"),
    "files -n 20": ("files", "-n", "20"),
    "log -n 20": ("log", "-n", "20"),
    "log --tag": ("log", "--tag", "sweep-0", "-n", "20"),
    "log --status": ("log", "--status", "failed", "-n", "20"),
    "log --step": ("log", "--step", "evaluate", "-n", "20"),
    "log --where": ("log", "--where", "tag = 'sweep-0' and accuracy > 0.5", "-n", "20"),
}


def scale(folder: Path, count: int) -> dict[str, Any]:
    """Return what reading costs with so many executions."""
    found: dict[str, Any] = {"executions": count, "imported_per_second": filled(folder, count)}
    print(count, found, file=sys.stderr, flush=True)
    size = sum(each.stat().st_size for each in (folder / ".git/objects").rglob("*.*"))
    found["packs_bytes_a_record"] = round(size / count)
    if count <= 100_000:  # minutes
        subprocess.run(["git", "gc", "-q"], cwd=folder, check=True)
        size = sum(each.stat().st_size for each in (folder / ".git/objects").rglob("*.*"))
        found["bytes_a_record_after_gc"] = round(size / count)
    index = folder / ".git/lineage/index.sqlite"
    index.unlink(missing_ok=True)
    found["index_from_nothing"] = measure(folder, "log", "-n", "1", times=1)
    found["index_bytes_a_record"] = round(index.stat().st_size / count)
    for name, words in READS.items():
        found[name] = measure(folder, *words)
        print(count, name, found[name], file=sys.stderr, flush=True)
    plain = measure(folder, "log", "-n", "1")
    caught = []
    for _ in range(5):
        run = [str(BIN / "git-lineage"), "run", "-q", "--", "true"]
        subprocess.run(run, cwd=folder, check=True)
        caught.append(measure(folder, "log", "-n", "1", times=1)["cpu"])
    found["caught_up_after_one_ms"] = round(statistics.median(caught) - plain["cpu"], 1)
    return found


def closure(folder: Path) -> dict[str, Any]:
    """Return what it costs to print all that relies on one file, 100,000 nodes, as JSON."""
    filled(folder, CLOSURE)
    measure(folder, "log", "-n", "1", times=1)
    words = ("trace", "raw.csv", "--down", "--json")
    command = [BIN / "git-lineage", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        nodes = sum(line.startswith(b'    {"id": ') for line in process.stdout)
    found = {"nodes": nodes, **measure(folder, *words, times=5)}
    print("closure", found, file=sys.stderr, flush=True)
    return found


def main() -> None:
    if sys.argv[1] == "--fill":
        print(fill(Path(sys.argv[2]), int(sys.argv[3])))
        return
    results = []
    counts = list(map(int, sys.argv[1:]))
    if max(counts) >= CLOSURE:
        with tempfile.TemporaryDirectory(prefix="git-lineage-scale-") as folder:
            results.append({"closure": closure(Path(folder))})
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="git-lineage-scale-") as folder:
            results.append(scale(Path(folder), count))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(json.dumps({"results": results, "peak_mib": peak}, indent=1))


if __name__ == "__main__":
    main()
