"""An execution that is this very process: a script or a notebook's cell that records itself.

Knows the Python that runs; recording itself is done as for any command.
"""

from __future__ import annotations

import atexit
import os
import resource
import sys
import time

from gitlineage import environment
from gitlineage.printed import Printed
from gitlineage.recording import append_point
from gitlineage.relay import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Self

    from gitlineage.capture import Request
    from gitlineage.lineage import Lineage
    from gitlineage.recording import Recorder, Recording

active: Session | None = None
"""The session that `gitlineage.log` adds to."""


class Session:
    """One execution, from `with` to its end; also `begin` and `finish` by hand."""

    def __init__(self, recorder: Recorder, request: Request) -> None:
        self._recorder = recorder
        self._request = request
        self._recording: Recording | None = None
        self._started = (0, 0)
        self._cpu = 0.0

    def begin(self) -> Self:
        """Take the state of things: from here on files that are written are outputs."""
        global active
        self._recording = self._recorder.begin(self._request)
        self._started = (_now(), time.monotonic_ns())
        self._cpu = time.process_time()
        active = self
        return self

    @property
    def id(self) -> str:
        """The execution's id."""
        assert self._recording is not None, "the session has begun"
        return self._recording.id

    def log(self, **values: Any) -> None:
        """Add a metadata point."""
        assert self._recording is not None, "the session has begun"
        append_point(self._recording.entry.points_path, values)

    def finish(self, exit_code: int = 0) -> Recording:
        """Append the record. Raises what kept it from the ledger."""
        global active
        recording = self._recording
        assert recording is not None, "the session has begun"
        active = None
        recording.environment = environment.gather([sys.executable], os.environ)
        recording.outcome = Outcome(
            exit_code=exit_code,
            signal=None,
            started_at=self._started[0],
            finished_at=_now(),
            duration=(time.monotonic_ns() - self._started[1]) // 1000,
            cpu_time=int((time.process_time() - self._cpu) * 1_000_000),
            peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            had_terminal=False,
        )
        self._recorder.finish(recording, Printed())
        if recording.problem is not None:
            raise recording.problem
        return recording

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        if kind is None:
            self.finish()
        elif issubclass(kind, SystemExit) and isinstance(error, SystemExit):
            self.finish(error.code if isinstance(error.code, int) else int(bool(error.code)))
        else:
            self.finish(130 if issubclass(kind, KeyboardInterrupt) else 1)


def own_command() -> list[str]:
    """Return the command line of this process."""
    return list(sys.orig_argv) or [sys.executable]


def begin_until_exit(lineage: Lineage) -> Session:
    """Begin a session that ends with this process, or with the notebook's cell that began it."""
    shell = _notebook()
    if shell is not None:
        session = lineage.begin(command=["ipython", f"In[{shell.execution_count}]"], step="cell")
        _until_cell_ends(shell, session.begin())
        return session
    session = lineage.begin().begin()
    atexit.register(lambda: session.finish(_exit_code()) if active is session else None)
    return session


def _until_cell_ends(shell: Any, session: Session) -> None:
    def end(result: Any) -> None:
        shell.events.unregister("post_run_cell", end)
        if active is session:
            session.finish(0 if result.success else 1)

    register: Callable[..., None] = shell.events.register
    register("post_run_cell", end)


def _notebook() -> Any:
    """Return the IPython shell that this process is, if it is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _exit_code() -> int:
    # At exit the interpreter tells only whether an exception ended it.
    return 1 if getattr(sys, "last_value", None) is not None else 0


def _now() -> int:
    return int(time.time() * 1_000_000)
