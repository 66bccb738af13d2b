"""Signals that others send us. Knows which ones to catch; knows nothing of what they are for."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
else:
    import _signal as signal  # the signal module wraps this in enums, for 6 ms of delay

PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
    signal.SIGIO,
    signal.SIGPWR,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)


class Signals:
    """Hands every caught signal to `receive`, and wakes who polls `wakeup`."""

    __slots__ = ("_found", "_found_waker", "_receive", "_waker", "wakeup")

    def __init__(self, receive: Callable[[int], None]) -> None:
        self._receive = receive
        self._found: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        # Only the descriptor wakes poll for sure: the handler of a signal that comes just before
        # the system call runs after it, which may be never.
        self.wakeup, self._waker = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(self._waker, False)
        self._found_waker = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (*PASSED_ON, signal.SIGCHLD, signal.SIGWINCH):
            self.catch(number)

    def catch(self, number: int) -> None:
        found = signal.getsignal(number)
        # What nohup or a shell without job control had ignored stays so, for the command too.
        # Without SIGCHLD there would be no wait status.
        if found != signal.SIG_IGN or number == signal.SIGCHLD:
            signal.signal(number, self._handle)
            self._found[number] = found

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._receive(number)

    def drain(self) -> None:
        try:
            while len(os.read(self.wakeup, 512)) == 512:
                pass
        except BlockingIOError:
            pass

    def stop_group(self) -> None:
        """Stop our process group as Ctrl-Z does; return when it is continued."""
        if signal.SIGTSTP in self._found:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(0, signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._handle)

    def release(self) -> None:
        """Set the handlers that were found."""
        for number, found in self._found.items():
            # None is a handler that Python did not set and cannot set again.
            signal.signal(number, signal.SIG_DFL if found is None else found)
        signal.set_wakeup_fd(self._found_waker)
        os.close(self.wakeup)
        os.close(self._waker)


def is_foreground(fd: int | None = None) -> bool:
    """Tell whether a terminal, ours by default, listens to our process group."""
    opened = -1
    try:
        if fd is None:
            fd = opened = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        if opened >= 0:
            os.close(opened)


def restore_defaults() -> None:
    """In a fork, unset every handler that Python or we have set."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


class Grace:
    """Keeps a recorder alive that gets a second time what ended its command.

    A terminal or `timeout` tells the whole group, and `git`, our parent, hands it on to us once
    more, a moment after the command may have ended. From `arm` on, signals within a second of the
    first are let pass; later ones do what they always did.
    """

    __slots__ = ("_first", "_found", "_is_armed")

    def __init__(self) -> None:
        self._first: float | None = None
        self._is_armed = False
        self._found: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Grace:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            found = signal.getsignal(number)
            if found != signal.SIG_IGN:
                self._found[number] = found
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, found in self._found.items():
            signal.signal(number, found)

    def arm(self) -> None:
        """Begin to let signals pass: the command has started."""
        self._is_armed = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._is_armed and (self._first is None or now < self._first + 1):
            self._first = self._first or now
            return
        found = self._found[number]
        signal.signal(number, found)
        if callable(found):
            found(number, frame)  # Python's own handler: a KeyboardInterrupt
        else:
            os.kill(os.getpid(), number)
