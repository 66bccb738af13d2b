"""An execution that is this very process: a script or a notebook's cell that records itself.

Knows the Python that runs; recording itself is done as for any command.
"""

from __future__ import annotations

import atexit
import os
import resource
import sys
import time

from gitlineage import environment, kernel, points
from gitlineage.errors import LineageError, Refused
from gitlineage.printed import Printed
from gitlineage.recording import EXECUTION, FOLDER
from gitlineage.relay.outcome import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, NoReturn, Self

    from gitlineage.capture import Request
    from gitlineage.lineage import Lineage
    from gitlineage.masking.stream import Stream
    from gitlineage.recording import Recorder
    from gitlineage.underway import Recording

    OnEnd = Callable[[Recording], object]

active: Session | None = None
"""The session that `gitlineage.log` adds to."""

_asked: object = None
"""What `sys.exit` was last called with."""

_SIGINT = 2


class Session:
    """One execution, from `with` to its end; also `begin` and `finish` by hand."""

    def __init__(self, recorder: Recorder, request: Request) -> None:
        self._recorder = recorder
        self._request = request.replace(is_session=True)
        self._recording: Recording | None = None
        self._started = (0, 0)
        self._cpu = 0.0
        self._process = 0
        self._outer: Session | None = None
        self._variables: dict[str, str | None] = {}
        self._printed = Printed()
        self._streams: dict[int, Stream] = {}

    def begin(self) -> Self:
        """Take the state of things: from here on files that are written are outputs."""
        global active
        self._recording = self._recorder.begin(self._request)
        self._started = (_now(), time.monotonic_ns())
        self._cpu = time.process_time()
        self._process = os.getpid()
        self._outer, active = active, self
        from gitlineage.sampling import Sampler, Tree

        self._recording.sampler = Sampler(Tree(self._process), has_begun=True)
        # What this process starts and records is nested in this execution.
        mine = {EXECUTION: self.id, FOLDER: self._recorder.folder, **self._recording.masking.told()}
        self._variables = {name: os.environ.get(name) for name in mine}
        os.environ.update(mine)
        return self

    @property
    def id(self) -> str:
        """The execution's id."""
        assert self._recording is not None, "the session has begun"
        return self._recording.id

    def log(self, **values: Any) -> None:
        """Add a metadata point."""
        assert self._recording is not None, "the session has begun"
        points.append(self._recording.entry.points_path, values)

    def keep_printed(self) -> None:
        """Have `take` keep the log on disk, too, so that it outlives this process."""
        assert self._recording is not None, "the session has begun"
        self._printed = Printed(self._recording.entry.log_path)

    def take(self, stream: int, content: bytes) -> None:
        """Keep what this process prints on standard output (1) or standard error (2)."""
        if self._recording is not None and self.is_mine:
            if not self._streams:
                masking = self._recording.masking
                self._streams = {
                    1: masking.stream(self._take_points),
                    2: masking.stream(lambda content: self._printed.take(content)),
                }
            self._streams[stream].take(content)

    def _take_points(self, content: bytes) -> None:
        assert self._recording is not None
        self._printed.take(content)
        self._recording.points.take(content)

    @property
    def is_mine(self) -> bool:
        """Whether this process began it and has not finished it; a fork of it did not."""
        return self._process == os.getpid()

    def finish(self, exit_code: int = 0, signal: int | None = None) -> Recording:
        """Append the record. Raises what kept it from the ledger."""
        global active
        recording = self._recording
        assert recording is not None and self.is_mine, "begun here, and not finished yet"
        self._process = 0
        for stream in self._streams.values():
            stream.close()
        self._printed.close()
        active = self._outer
        for name, value in self._variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        recording.end_samples()
        recording.gathered = environment.gather_own(
            recording.launch.place,
            top=self._recorder.top,
            service=recording.service,
        )
        recording.outcome = Outcome(
            exit_code=exit_code,
            signal=signal,
            started_at=self._started[0],
            finished_at=_now(),
            duration=(time.monotonic_ns() - self._started[1]) // 1000,
            cpu_time=int((time.process_time() - self._cpu) * 1_000_000),
            peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            had_terminal=False,
        )
        self._recorder.finish(recording, self._printed)
        if recording.problem is not None:
            raise recording.problem
        return recording

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if not self.is_mine:
            return  # a fork leaves the block as well
        if isinstance(error, SystemExit):
            self.finish(_code(error.code))
        elif isinstance(error, KeyboardInterrupt):
            self.finish(130, _SIGINT)
        else:
            self.finish(int(error is not None))


def own_command() -> list[str]:
    """Return the command line of this process."""
    return list(sys.orig_argv) or [sys.executable]


def begin_until_exit(lineage: Lineage) -> Session:
    """Begin a session that ends with this process, or with the notebook's cell that began it."""
    if kernel.shell() is not None:
        return lineage.begin_cell()
    session = lineage.begin().begin()
    _watch_exit()
    atexit.register(_end, session)
    return session


def _end(session: Session) -> None:
    if not session.is_mine:
        return  # finished by hand; or this is a fork, which ends as well
    error = getattr(sys, "last_value", None)
    if isinstance(error, KeyboardInterrupt):
        _finish(session, 130, _SIGINT)
    else:
        _finish(session, 1 if error is not None else _code(_asked))


def _finish(session: Session, exit_code: int, signal: int | None = None) -> Recording | None:
    """End a session where nobody could catch what is raised."""
    try:
        return session.finish(exit_code, signal)
    except (LineageError, OSError) as error:
        import logging

        logging.getLogger("gitlineage").error("the record is not in the ledger yet: %s", error)
        return None


def begin_cell(recorder: Recorder, request: Request, on_end: OnEnd | None = None) -> Session:
    """Begin a session that ends with the notebook's cell that is running. Raises Refused."""
    shell = kernel.shell()
    if shell is None:
        raise Refused(reason="no notebook runs here")
    if isinstance(active, CellSession) and active.is_mine:
        raise Refused(reason="this cell is recorded already")
    masking = recorder.masking()

    def masked(source: str) -> str:
        content = source.encode(errors="surrogatepass")
        content = masking.mask(content, "the cells", is_code=True)
        return content.decode(errors="surrogatepass")

    notebook, part = kernel.state(shell, masked)
    name = os.path.basename(notebook.path or "cell").removesuffix(".ipynb")
    session = CellSession(
        recorder,
        request.replace(
            command=("ipython", f"In[{notebook.cell}]"),
            step=request.step or name,
            notebook=notebook,
            cells=part,
            masked=masking.found(),
        ),
    )
    session.begin()
    session.watch(shell, on_end)
    return session


class CellSession(Session):
    """One execution, to the end of the notebook's cell that began it."""

    def watch(self, shell: Any, on_end: OnEnd | None) -> None:
        """Keep what the cell prints, and end with it."""
        self.keep_printed()
        copies = kernel.Copies(self.take)

        def end(result: Any) -> None:
            shell.events.unregister("post_run_cell", end)
            copies.stop()
            if not self.is_mine:
                return
            raised = result.error_in_exec or result.error_before_exec
            is_stopped = isinstance(raised, KeyboardInterrupt)
            if raised is not None:
                self.take(2, kernel.traceback_of(shell, raised))
            code = 130 if is_stopped else int(not result.success)
            if isinstance(raised, SystemExit):
                code = _code(raised.code)
            recording = _finish(self, code, _SIGINT if is_stopped else None)
            if recording is not None and on_end is not None:
                on_end(recording)

        shell.events.register("post_run_cell", end)


def _watch_exit() -> None:
    """Have `sys.exit` remember what it was asked for: at exit the interpreter tells nobody."""
    leave = sys.exit

    def remember(status: Any = None, /) -> NoReturn:
        global _asked
        _asked = status
        leave(status)

    sys.exit = remember


def _code(status: object) -> int:
    """Return the exit code that a SystemExit with this status makes."""
    if isinstance(status, int):
        return status & 0xFF
    return int(status is not None)


def _now() -> int:
    return int(time.time() * 1_000_000)
