"""What commands use while they run: real ones, whose numbers have physical bounds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Lineage
from executions import last, until

import gitlineage
from gitlineage import sampling, series
from gitlineage.sampling import Sample, Sampler, Tree

MIB = 1 << 20

BURN = "import time\nwhile time.process_time() < {seconds}: pass"

TWO_CHILDREN = f"""
import subprocess, sys
words = [sys.executable, "-c", {BURN.format(seconds=1.5)!r}]
for each in [subprocess.Popen(words) for _ in range(2)]:
    each.wait()
"""

HOLDS = f"""
held = bytearray({200 * MIB})
held[::4096] = b"x" * len(held[::4096])
{BURN.format(seconds=1.5)}
"""


def samples() -> list[dict[str, Any]]:
    with gitlineage.open() as lineage:
        found = lineage.usage()
        execution = lineage.execution()
    assert execution.launch is not None and execution.end is not None
    times = [at for at, _ in found.points()]
    assert times == sorted(times)
    assert all(execution.launch.started_at < each for each in times)
    assert execution.end.finished_at is None or times[-1] <= execution.end.finished_at + 1_000_000
    return [values for _, values in found.points()]


def test_processors_of_children(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", sys.executable, "-c", TWO_CHILDREN)
    end = last().end
    assert end is not None and end.usage is not None and end.duration is not None
    used = end.usage
    found = samples()
    assert len(found) == used.samples_count >= 1
    assert set(found[0]) == {"cpu", "memory"}
    # Two processes cannot use more than two cores, but for the clock's ticks.
    assert 0 < used.cpu_mean <= used.cpu_peak <= 230
    assert used.cpu_peak == round(max(each["cpu"] for each in found))
    sampled = used.cpu_mean / 100 * used.interval * used.samples_count
    assert end.cpu_time is not None and sampled <= 1.1 * end.cpu_time + 20_000
    assert used.memory_peak >= 3 * MIB and used.memory_peak < 200 * MIB
    assert (used.gpu_peak, used.gpu_memory_peak) == (None, None)


def test_memory(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", sys.executable, "-c", HOLDS)
    used = last().end
    assert used is not None and used.usage is not None
    assert 200 * MIB <= used.usage.memory_peak < 400 * MIB
    assert 0 < used.usage.memory_mean <= used.usage.memory_peak
    assert used.usage.memory_peak == max(each["memory"] for each in samples())
    assert "memory (peak " in lineage("show").stdout
    shown = json.loads(lineage("show", "--json").stdout)["usage"]
    assert shown["memory_peak_bytes"] == used.usage.memory_peak
    assert "samples" not in shown
    shown = json.loads(lineage("show", "--usage", "--json").stdout)["usage"]
    assert [each["memory"] for each in shown["samples"]] == [e["memory"] for e in samples()]
    drawn = lineage("show", "--usage").stdout
    assert "CPU, percent of one core" in drawn and "memory, MiB" in drawn


def test_a_command_that_is_killed(repo: Path, lineage: Lineage) -> None:
    killed = f"import os\n{BURN.format(seconds=1.5)}\nos.kill(os.getpid(), 9)"
    lineage("run", "-q", "--", sys.executable, "-c", killed, check=False)
    end = last().end
    assert end is not None and (end.status, end.signal) == ("stopped", 9)
    assert end.usage is not None and len(samples()) == end.usage.samples_count


def test_a_command_that_is_too_short(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--", "true")
    end = last().end
    assert end is not None and end.usage is None
    with gitlineage.open() as here:
        assert len(here.usage()) == 0
    assert "  used:" not in lineage("show").stdout
    assert json.loads(lineage("show", "--json").stdout)["usage"] is None
    assert "there are no samples" in lineage("show", "--usage", check=False).stderr


def test_a_session(repo: Path) -> None:
    before = threading.active_count()
    spent = time.process_time()
    with gitlineage.open() as here:
        with here.begin(step="fit"):
            held = bytearray(b"x") * (200 * MIB)
            while time.process_time() < spent + 1.5:
                pass
        assert held and threading.active_count() == before
        end = here.execution().end
    assert end is not None and end.usage is not None
    assert end.usage.memory_peak >= 200 * MIB
    assert end.usage.cpu_peak < 1000  # not what this process had used before
    assert len(samples()) == end.usage.samples_count


def test_who_belongs_to_a_tree() -> None:
    """The middle one ends: its child is handed on, and belongs all the same; others do not."""
    script = "sh -c 'sleep 1000 & echo $!; read end; exit'; read end; exit"
    stranger = subprocess.Popen(["sleep", "1000"])
    process = subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    child = int(process.stdout.readline())
    try:
        tree = Tree(process.pid)
        first = tree.read()
        assert first is not None and {process.pid, child} < set(first.pids)
        assert {stranger.pid, os.getpid()} & set(first.pids) == set()
        process.stdin.write("\n")
        process.stdin.flush()
        status = Path(f"/proc/{child}/stat")
        until(lambda: status.read_text().split()[3] not in map(str, first.pids))
        (middle,) = set(first.pids) - {process.pid, child}
        until(lambda: not Path(f"/proc/{middle}").exists())  # its parent has heard of its end
        second = tree.read()
        assert second is not None and set(second.pids) == {process.pid, child}
        assert second.at > first.at
    finally:
        os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()
        stranger.kill()
        stranger.wait()
    assert tree.read() is None


def write(folder: Path, pid: int, parent: int, group: int, started: int = 1) -> None:
    """Write what a kernel would tell of a process with a name that is hard to read."""
    (folder / str(pid)).mkdir(exist_ok=True)
    fields = ["S", parent, group, group, *[0] * 7, 1, 2, 3, 4, *[0] * 4, started, 0, 10, 0]
    (folder / str(pid) / "stat").write_text(f"{pid} (a) S 1 (b)) {' '.join(map(str, fields))}\n")


def pids(tree: Tree) -> set[int]:
    found = tree.read()
    assert found is not None
    return set(found.pids)


def test_groups_whose_leader_has_ended(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, 1)
    write(tmp_path, 10, 1, 1)
    write(tmp_path, 11, 10, 11)
    tree = Tree(10, str(tmp_path))
    found = tree.read()
    assert found is not None and set(found.pids) == {10, 11}
    assert found.cpu_time == 2 * 10 * 1_000_000 // os.sysconf("SC_CLK_TCK")
    assert found.memory == 2 * 10 * os.sysconf("SC_PAGE_SIZE")
    # 11 leaves behind a process that was never seen below it, whose own child comes first.
    (tmp_path / "11/stat").unlink()
    (tmp_path / "11").rmdir()
    write(tmp_path, 12, 13, 12)
    write(tmp_path, 13, 1, 11)
    write(tmp_path, 20, 1, 1)
    assert pids(tree) == {10, 12, 13}
    # The id is used again, by somebody else.
    write(tmp_path, 11, 1, 11, started=2)
    write(tmp_path, 21, 11, 11)
    assert pids(tree) == {10, 12, 13}
    write(tmp_path, 12, 1, 12, started=2)
    assert pids(tree) == {10, 13}


def test_a_process_that_has_gone() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert Tree(process.pid).read() is None
    assert Tree(os.getpid(), "/no/such/folder").read() is None


class Told:
    """A source that tells what it is given, one at a time, then that all is over."""

    def __init__(self, *told: Sample) -> None:
        self._told = iter(told)
        self.is_over = threading.Event()

    def read(self) -> Sample | None:
        found = next(self._told, None)
        if found is None:
            self.is_over.set()
        return found


def test_means_and_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FIRST", 0.0)
    monkeypatch.setattr(sampling, "SHORTEST", 0.0)
    begun = time.monotonic_ns() + 1_000_000_000
    told = Told(
        Sample(at=begun, cpu_time=0, memory=0),
        Sample(at=begun + 1_000_000_000, cpu_time=500_000, memory=100),
        Sample(at=begun + 1_000_000_000, cpu_time=900_000, memory=900),  # nothing new
        Sample(at=begun + 3_000_000_000, cpu_time=4_500_000, memory=400),
        Sample(at=begun + 4_000_000_000, cpu_time=4_000_000, memory=100),  # one took its time along
    )
    sampler = Sampler(told)
    assert told.is_over.wait(60)
    used, content = sampler.finish()
    assert used is not None
    found = [values for _, values in series.Series([content]).points()]
    assert [each["cpu"] for each in found] == [0.0, 50.0, 200.0, 0.0]
    assert [each["memory"] for each in found] == [0, 100, 400, 100]
    assert (used.samples_count, used.cpu_peak, used.memory_peak) == (4, 200, 400)


def test_very_many_samples_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FIRST", 0.0)
    monkeypatch.setattr(sampling, "SHORTEST", 0.0)
    monkeypatch.setattr(sampling, "SHARE", float("inf"))
    monkeypatch.setattr(sampling, "MANY", float("inf"))
    monkeypatch.setattr(sampling, "MOST", 10)
    begun = time.monotonic_ns()
    told = Told(*(Sample(at=begun + n * 10**9, cpu_time=0, memory=n) for n in range(1, 101)))
    sampler = Sampler(told)
    assert told.is_over.wait(60)
    used, content = sampler.finish()
    assert used is not None and (used.samples_count, used.memory_peak) == (100, 100)
    assert 5 <= len(series.Series([content])) <= 10


def test_a_source_that_fails_ends_the_samples() -> None:
    class Failing:
        def read(self) -> Sample | None:
            raise OSError("gone")

    before = threading.active_count()
    assert Sampler(Failing(), has_begun=True).finish() == (None, b"")
    assert threading.active_count() == before
