"""How a command went, and ending as it did. Knows signals; knows nothing of how it was run."""

from __future__ import annotations

import os

from gitlineage.signals import is_foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the signal module wraps this in enums, for 6 ms of delay


class Outcome:
    """How an execution of a command went."""

    __slots__ = (
        "cpu_time",
        "duration",
        "exit_code",
        "finished_at",
        "had_terminal",
        "peak_memory",
        "signal",
        "started_at",
    )

    def __init__(
        self,
        *,
        exit_code: int,
        signal: int | None,
        started_at: int,
        finished_at: int,
        duration: int,
        cpu_time: int | None,
        peak_memory: int | None,
        had_terminal: bool,
    ) -> None:
        self.exit_code = exit_code
        """What a shell would report: 0 to 255, 128 + n for signal n."""
        self.signal = signal
        """The signal that ended it, if one did."""
        self.started_at = started_at
        """Wall clock, microseconds since 1970 UTC."""
        self.finished_at = finished_at
        """Wall clock, microseconds since 1970 UTC."""
        self.duration = duration
        """Microseconds of the monotonic clock, which nobody sets."""
        self.cpu_time = cpu_time
        """User and system microseconds of the command and the children that it waited for."""
        self.peak_memory = peak_memory
        """Bytes of the largest process; never less than our own size at the start, since Linux
        counts what a process was before it executed the command."""
        self.had_terminal = had_terminal
        """Whether the command had a terminal and a session of its own."""


def die_like(outcome: Outcome) -> None:
    """End by SIGINT where the command did so at a terminal; else do nothing. The last thing to do.

    A shell stops its loop only when a child died of Ctrl-C, not for exit code 130. In a session
    of its own the command was alone with that Ctrl-C: our whole process group, which is what the
    kernel would have told, gets it now. In our group everyone has had it already but for us.
    """
    if outcome.signal != signal.SIGINT or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        return
    if not outcome.had_terminal and not is_foreground():
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(0 if outcome.had_terminal else os.getpid(), signal.SIGINT)
