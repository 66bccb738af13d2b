"""What a command uses while it runs, as samples tell. Knows processes and no git.

Processors and memory are those of the command's process tree, read from `/proc`, graphics
processors those that the tree uses. Where a system shows no processes there are no samples.
"""

from __future__ import annotations

import os
import threading
import time

from gitlineage import gpus
from gitlineage.records import Record
from gitlineage.records.end import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any, Protocol

    class Source(Protocol):
        """What is sampled."""

        def read(self) -> Sample | None: ...


FIRST = 0.2
"""Seconds until the first sample: of what ends earlier there is none."""

SHORTEST, LONGEST = 1.0, 10.0
"""Seconds between two samples, growing from the one to the other as the command runs on."""

MANY = 360
"""Samples after which these seconds grow: six minutes."""

SHARE = 1 / 200
"""Of one core, for sampling: seconds between samples grow beyond the longest for it."""

MOST = 1 << 15
"""Samples that are kept; of more, every second one."""


class Sample(Record):
    """What a tree of processes, or a container, has used at one moment."""

    at: int
    """Nanoseconds of the monotonic clock."""
    cpu_time: int
    """Microseconds of processor time so far."""
    memory: int
    """Bytes; what processes share counts for each of them."""
    pids: Collection[int] = ()
    """Its processes."""


class Tree:
    """A process and all that it starts.

    A process belongs where its parent does, or the leader of its group or session; and for good,
    when that parent has ended and it was handed on to another.
    """

    def __init__(self, pid: int, folder: str = "/proc") -> None:
        self._folder = folder
        self._tick = 1_000_000 // os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._root = pid
        self._members: dict[int, bytes] = {}
        """Its processes, and when each was started: ids are used again."""
        self._ever: set[int] = set()
        """Ids of all that ever belonged: a group keeps that of its leader when that has ended."""
        self._others: set[int] = set()
        """Processes that do not belong, which need not be looked at again."""

    def read(self) -> Sample | None:
        """Return what it uses now; None once its first process has ended."""
        try:
            ids = {int(each) for each in os.listdir(self._folder) if each.isdecimal()}
        except OSError:
            return None
        members: dict[int, _Status] = {}
        for pid, start in self._members.items():
            status = self._status(pid)
            if status is not None and status.start == start:
                members[pid] = status
        self._others &= ids
        unknown = {}
        for pid in ids - self._others - members.keys():
            status = self._status(pid)
            if status is not None:
                unknown[pid] = status
        if not self._ever and self._root in unknown:
            members[self._root] = unknown.pop(self._root)
        self._ever -= unknown.keys()  # others have these ids now
        self._ever |= members.keys()
        while found := [
            pid
            for pid, each in unknown.items()
            if each.parent in members or each.group in self._ever or each.session in self._ever
        ]:
            self._ever.update(found)
            members |= {pid: unknown.pop(pid) for pid in found}
        self._others |= unknown.keys()
        self._members = {pid: each.start for pid, each in members.items()}
        if self._root not in members or members[self._root].has_ended:
            return None
        return Sample(
            at=time.monotonic_ns(),
            cpu_time=sum(each.ticks for each in members.values()) * self._tick,
            memory=sum(each.pages for each in members.values()) * self._page,
            pids=members.keys(),
        )

    def _status(self, pid: int) -> _Status | None:
        try:
            descriptor = os.open(f"{self._folder}/{pid}/stat", os.O_RDONLY)
        except OSError:
            return None  # it has ended
        try:
            return _Status(os.read(descriptor, 4096))
        except (OSError, LookupError, ValueError):
            return None
        finally:
            os.close(descriptor)


class _Status:
    """What the kernel tells of a process, see proc_pid_stat(5)."""

    __slots__ = ("group", "has_ended", "pages", "parent", "session", "start", "ticks")

    def __init__(self, content: bytes) -> None:
        words = content[content.rindex(b")") + 2 :].split()  # before: a name that may be anything
        self.has_ended = words[0] in b"ZX"
        self.parent, self.group, self.session = map(int, words[1:4])
        self.ticks = sum(map(int, words[11:15]))  # its own, and those of children waited for
        self.start = words[19]
        self.pages = int(words[21])


class Sampler:
    """Samples in a thread, from the start of a command to `finish`."""

    def __init__(self, source: Source, *, has_begun: bool = False) -> None:
        """With `has_begun`, what was used until now does not count."""
        self._source = source
        self._has_begun = has_begun
        self._cpu_time = 0
        self._started = self._at = time.monotonic_ns()
        self._meter: gpus.Meter | None = None
        self._points: list[tuple[int, dict[str, Any]]] = []
        self._count = 0
        self._pause = FIRST
        self._sums = {"cpu": 0.0, "memory": 0.0}
        self._peaks: dict[str, Any] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def finish(self) -> tuple[Usage | None, bytes]:
        """End, and return what the samples come to, and them as a block of a series."""
        self._is_over.set()
        self._thread.join()
        if not self._points:
            return None, b""
        from gitlineage import series  # 4 ms that a short command need not wait for

        elapsed, peaks = self._at - self._started, self._peaks
        usage = Usage(
            samples_count=self._count,
            interval=elapsed // self._count // 1000,
            cpu_mean=round(self._sums["cpu"] / elapsed),
            cpu_peak=round(peaks["cpu"]),
            memory_mean=round(self._sums["memory"] / elapsed),
            memory_peak=peaks["memory"],
            gpu_peak=peaks.get("gpu"),
            gpu_memory_peak=peaks.get("gpu_memory"),
        )
        return usage, series.block(*zip(*self._points, strict=True))

    def _sample(self) -> None:
        try:
            if self._has_begun and (before := self._source.read()):
                self._cpu_time = before.cpu_time
            while not self._is_over.wait(self._pause):
                if self._meter is None:
                    self._meter = gpus.Meter()  # once, so that it does not count below
                began = time.thread_time()
                sample = self._source.read()
                if sample is None:
                    break
                self._take(sample, self._meter)
                if self._count == 1:
                    from gitlineage import series  # noqa: F401 - for `finish`: 4 ms
                cost = time.thread_time() - began
                longest = min((self._at - self._started) / 1e9 / MANY, LONGEST)
                self._pause = max(SHORTEST, longest, cost / SHARE)
        except Exception:  # noqa: BLE001 - what ran is worth more than how much it used
            return
        finally:
            if self._meter is not None:
                self._meter.close()

    def _take(self, sample: Sample, meter: gpus.Meter) -> None:
        passed = sample.at - self._at
        if passed <= 0:
            return  # an engine has told nothing since
        # What ended without being waited for takes its time along: no step is below zero.
        used = max(0, sample.cpu_time - self._cpu_time)
        self._at, self._cpu_time = sample.at, sample.cpu_time
        values: dict[str, Any] = {
            "cpu": round(used * 1000 / passed * 100, 1),
            "memory": sample.memory,
        }
        for name in self._sums:
            self._sums[name] += values[name] * passed
        values |= meter.read(sample.pids)
        for name, value in values.items():
            self._peaks[name] = max(value, self._peaks.get(name, 0))
        self._count += 1
        self._points.append((time.time_ns() // 1000, values))
        if len(self._points) > MOST:
            del self._points[1::2]
