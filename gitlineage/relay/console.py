"""The terminal that a person types at, and the inner one that a command has in its place.

Knows keys, modes and the session's leader; knows nothing of outputs that are copied.
"""

from __future__ import annotations

import os
import select

from gitlineage import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from gitlineage.channel import Channel
else:
    import _signal as signal  # the signal module wraps this in enums, for 6 ms of delay


class Console:
    """Hands on the keys of our terminal while a command has a session of its own."""

    __slots__ = ("_channel", "_keyboard", "_session", "_typed")

    def __init__(self, channel: Channel) -> None:
        """`channel` copies from the inner terminal to ours."""
        self._channel = channel
        self._keyboard = terminal.Keyboard(0)
        self._session: terminal.Session | None = None
        self._typed = b""
        """Keys that the inner terminal has no room for yet."""

    @property
    def has_started(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    def start(self, streams: dict[int, int], execute: Callable[[], object]) -> int:
        """Start the command in its session; return its process id. Raises OSError."""
        self._session = terminal.Session(streams, execute)
        return self._session.pid

    def has_report(self, events: dict[int, int]) -> bool:
        """Tell whether the leader has something to say."""
        return self._session is not None and self._session.reports in events

    def report(self) -> tuple[int, int, int] | None:
        """Return what `Session.report` returns."""
        assert self._session is not None
        return self._session.report()

    def take(self) -> None:
        """Take the keys, if we are in the foreground."""
        self._keyboard.take()

    def give_back(self) -> None:
        """Set the modes that our terminal had."""
        self._keyboard.give_back()

    @property
    def is_in_background(self) -> bool:
        """Whether the keys are for others now."""
        return not self._keyboard.is_taken

    def watch(self, poller: select.poll) -> None:
        """Have the leader and the keys watched, while the command runs."""
        if self._session is not None:
            poller.register(self._session.reports, select.POLLIN)
        if self._keyboard.is_taken and self._channel.is_open and not self._typed:
            poller.register(0, select.POLLIN)

    def wants_room(self, channel: Channel) -> bool:
        """Tell whether keys wait until a channel's terminal can take them."""
        return channel is self._channel and bool(self._typed)

    def move(self, events: dict[int, int]) -> bool:
        """Hand on keys; return whether what is to be watched has changed."""
        has_changed = 0 in events
        if has_changed:
            self._read_keys()
        if self._typed and self._channel.source in events:
            self._send_keys()
            has_changed = True
        if self.is_in_background and not events:
            self._keyboard.take()
            has_changed = True
        return has_changed

    def _read_keys(self) -> None:
        try:
            self._typed = os.read(0, 4096)
        except BlockingIOError:
            return
        except OSError:
            # Our group is in the background and orphaned: the keys are not for us any more.
            self._keyboard.take()
            return
        if self._typed:
            self._send_keys()
        else:
            self._channel.close()  # our terminal was hung up, and so is that of the command

    def _send_keys(self) -> None:
        try:
            self._typed = self._typed[os.write(self._channel.source, self._typed) :]
        except BlockingIOError:
            pass  # the command does not read; its output must go on meanwhile
        except OSError:
            self._typed = b""

    def hang_up(self, pid: int) -> None:
        """Tell the command that the shell has ended. Raises OSError where it is gone."""
        # Where the terminal is gone as well, reading it tells, and then the leader hangs up the
        # command: once, not twice.
        if self._channel.is_open and not terminal.is_hung_up(self._channel.target):
            # The kernel tells its whole foreground group that.
            os.killpg(os.tcgetpgrp(self._channel.source) or pid, signal.SIGHUP)

    def end(self) -> None:
        """Put back what was typed and not read by the command, which has ended."""
        if self._channel.is_open:
            unread = terminal.take_unread(self._channel.theirs) + self._typed
            if unread:
                self._keyboard.unread(unread)
        self._typed = b""

    def leave(self) -> None:
        """In the process that copies on: let output pass as it is."""
        if self._channel.is_left:
            terminal.pass_through(self._channel.source)

    def close(self) -> None:
        """Let go of the leader."""
        if self._session is not None:
            os.close(self._session.reports)
