"""Which files a command and its children read and wrote, as their system calls tell.

Knows strace and processes; knows nothing of records. The stream of calls is read as it comes, in
a small process that outlives a recorder that is killed: without a reader strace would end, and a
command under its filter would fail. What is kept is a line for each file, not for each call.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import select
import time

from gitlineage.errors import CaptureFailed
from gitlineage.observation.calls import Calls
from gitlineage.observation.files import Files, Seen
from gitlineage.observation.rules import Rules
from gitlineage.observation.tracer import Tracer, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.observation.within import Within

__all__ = ["Observed", "Observer", "Rules", "Seen", "Tracer", "find"]

PATIENCE = 1.0
"""Seconds that processes may outlive the command and still be observed."""

_CAPACITY = 1 << 20


class Observed:
    """What was seen of a command."""

    def __init__(
        self,
        files: Iterable[Seen],
        warnings: Sequence[str],
        folders: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.files = tuple(files)
        self.warnings = tuple(warnings)
        self.folders = tuple(folders)
        """Folders that were renamed: path before, and after."""


class Observer:
    """The process that reads what strace writes."""

    def __init__(self, tracer: Tracer, rules: Rules, within: Within | None = None) -> None:
        """`within` is the container that the command runs in. Raises NotObservable."""
        self._within = within
        self._source, self._calls = within.open() if within else os.pipe()
        self._asked, self._ask = os.pipe()
        self._answers, self._answer = os.pipe()
        _widen(self._calls)
        child = os.fork()
        if not child:
            try:
                if not os.fork():  # twice, so that nobody has to wait for it
                    _watch(self._source, self._asked, self._answer, rules, within)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        for each in (self._source, self._asked, self._answer):
            os.close(each)
        output = within.path if within else f"/proc/{os.getpid()}/fd/{self._calls}"
        self.around = tracer.around(output)
        """What to put before the command."""

    def finish(self) -> Observed:
        """Return what was seen, once the command has ended. Raises CaptureFailed."""
        self._close_calls()
        content = b""
        try:
            os.write(self._ask, b".")
            while piece := os.read(self._answers, _CAPACITY):
                content += piece
        except OSError:
            pass  # the reader was killed, and has not answered
        finally:
            os.close(self._ask)
            os.close(self._answers)
        try:
            files, warnings, folders = marshal.loads(content)  # noqa: S302 - our own fork has written it
        except (EOFError, ValueError) as error:
            raise CaptureFailed(reason="what it read and wrote was not observed") from error
        return Observed((Seen(*each) for each in files), warnings, folders)

    def close(self) -> None:
        """Let go of everything: nothing was started."""
        self._close_calls()
        for each in (self._ask, self._answers):
            os.close(each)

    def _close_calls(self) -> None:
        os.close(self._calls)
        if self._within is not None:
            self._within.close()


def _widen(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CAPACITY)
    except OSError:
        pass  # as wide as it is


def _watch(source: int, asked: int, answer: int, rules: Rules, within: Within | None) -> None:
    """Read what strace writes until nobody is left, and answer once when asked."""
    os.setsid()
    # Neither the recorder's locks nor pipes that others wait for.
    start = 0
    for each in sorted((source, asked, answer)):
        os.closerange(start, each)
        start = each + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))
    try:
        files = Files(rules)
        directory = within.directory if within else os.getcwd()
        calls = Calls(files, os.fsencode(directory), within.locate if within else None)
        if (has_ended := _read(source, asked, calls)) is not None:
            warnings = [] if has_ended else ["what it started still runs and is not observed now"]
            if calls.uses_ring:
                warnings.append("it used io_uring: what it opened that way is not observed")
            with open(answer, "wb") as file:
                file.write(marshal.dumps((files.found(), warnings, files.folders)))
    finally:
        # Whatever has happened: without a reader strace ends, and with it the command.
        while os.read(source, _CAPACITY):
            pass


def _read(source: int, asked: int, calls: Calls) -> bool | None:
    """Read until nobody is left, or for a moment after being asked; return whether nobody is.

    None where the recorder was killed: then nobody wants to know.
    """
    poller = select.poll()
    poller.register(source, select.POLLIN)
    poller.register(asked, select.POLLIN)
    deadline: float | None = None
    while deadline is None or time.monotonic() < deadline:
        patience = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        for descriptor, _ in poller.poll(patience):
            if descriptor == source and (content := os.read(source, _CAPACITY)):
                calls.feed(content)
            elif descriptor == source:  # the recorder has let go of it: it asks, or was killed
                return True if deadline is not None or os.read(asked, 1) else None
            else:
                poller.unregister(asked)
                if not os.read(asked, 1):
                    return None
                deadline = time.monotonic() + PATIENCE
    return False
