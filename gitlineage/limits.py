"""Ends a command that has run too long, has been silent too long, or has logged what is enough.

Knows clocks, processes and points of metadata; nothing of who has set the limits.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from gitlineage import wording
from gitlineage.records import Record
from gitlineage.sampling import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gitlineage.points import Follower

GRACE = 10.0
"""Seconds that a command has to end by itself once it was asked to."""

PAUSE = 0.2
"""Seconds between two looks at what was logged."""


SWITCH = 0.0001
"""Seconds after which this thread lets others go on, where it reads points: Python's own 5 ms at
each step of copying would let a command that logs fast wait for half of its time."""


class Limits(Record):
    """What ends a command before it ends by itself."""

    time: float | None = None
    """Seconds that it may run."""
    silence: float | None = None
    """Seconds that it may print nothing."""
    condition: str | None = None
    """What the last values of its metadata need not fulfill."""


class Watch:
    """Watches one command in a thread, from its start to `finish`."""

    def __init__(
        self,
        limits: Limits,
        pid: int,
        *,
        holds: Callable[[Mapping[str, Any]], bool] | None = None,
        follower: Follower | None = None,
        is_contained: bool = False,
    ) -> None:
        """`holds` tells whether the condition does, for the points that `follower` has.

        What stands here for a container passes signals on; elsewhere each process gets them.
        """
        self._limits = limits
        self._pid = pid
        self._tree = None if is_contained else Tree(pid)
        self._holds, self._follower = holds, follower
        self._values: dict[str, Any] = {}
        self._started = self._heard = time.monotonic()
        self._is_over = threading.Event()
        self.reason: str | None = None
        """Why it was ended, once it was."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def hear(self) -> None:
        """Note that the command has printed something."""
        self._heard = time.monotonic()

    def finish(self) -> None:
        """Stop watching: the command has ended."""
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        before = sys.getswitchinterval()
        if self._follower is not None:
            sys.setswitchinterval(SWITCH)
        try:
            while not self._is_over.wait(self._pause()):
                self.reason = self._found()
                if self.reason is not None:
                    self._end()
                    return
        except Exception:  # noqa: BLE001 - what runs is worth more than that it ends in time
            return
        finally:
            sys.setswitchinterval(before)

    def _pause(self) -> float:
        now, limits = time.monotonic(), self._limits
        waits = [PAUSE] if self._follower is not None else []
        waits += [self._started + limits.time - now] if limits.time is not None else []
        waits += [self._heard + limits.silence - now] if limits.silence is not None else []
        return max(0.0, min(waits))

    def _found(self) -> str | None:
        """Return why it is to end now; None where nothing says so."""
        now, limits = time.monotonic(), self._limits
        if limits.time is not None and now >= self._started + limits.time:
            return f"ended after {_spelled(limits.time)}, which is its time-limit"
        if limits.silence is not None and now >= self._heard + limits.silence:
            return f"ended after {_spelled(limits.silence)} without output, its no-output-timeout"
        if self._follower is not None and self._holds is not None:
            for point in self._follower.read():
                self._values.update(point)
                if self._holds(self._values):
                    return f"ended by its stop-condition: {limits.condition}"
                if self._is_over.is_set():
                    break
        return None

    def _end(self) -> None:
        """Ask it to end, and after a while make it."""
        self._tell(signal.SIGTERM)
        patience = GRACE
        while not self._is_over.wait(patience):
            self._tell(signal.SIGKILL)
            patience = 1.0  # others may just have been started

    def _tell(self, number: int) -> None:
        sample = self._tree.read() if self._tree is not None else None
        for pid in sorted(sample.pids) if sample is not None else [self._pid]:
            try:
                os.kill(pid, number)
            except OSError:
                continue  # it has just ended


def _spelled(seconds: float) -> str:
    return wording.duration(round(seconds * 1_000_000))
