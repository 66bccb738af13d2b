"""Run a command as if it had been started alone, and hand on a copy of what it prints.

Knows processes, terminals and signals; knows nothing of git or records.

Where standard input and output are one terminal and we are in its foreground, the command gets
a terminal and a session of its own and keys are relayed. Else standard input is inherited, the
command stays in our process group, where the kernel's Ctrl-C and Ctrl-Z reach it as well, and
each output that is a terminal becomes an inner terminal, each other one a pipe.
"""

from __future__ import annotations

import os
import select
import time

from gitlineage.channel import Channel
from gitlineage.errors import (
    CommandNotExecutable,
    CommandNotFound,
    FileIsNoCommand,
    LineIsNoCommand,
)
from gitlineage.program import along_path
from gitlineage.signals import Signals, is_foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence

    from gitlineage.relay.console import Console
    from gitlineage.relay.outcome import Outcome

    Sink = Callable[[int, bytes], None]
else:
    import _signal as signal  # the signal module wraps this in enums, for 6 ms of delay

_CAPACITY = 1 << 20  # no pipe of an ordinary user holds more (/proc/sys/fs/pipe-max-size)
_PATIENCE = 0.1  # seconds that an open output may stay silent after the command has ended


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    sink: Sink,
    meanwhile: Callable[[int], None] | None = None,
    on_start: Callable[[], None] | None = None,
    around: Sequence[str] = (),
) -> Outcome:
    """Run `command` here, and call `sink` with 1 or 2 and each piece of output, as it is shown.

    `on_start` is called once the command has started; `meanwhile` then runs in a thread, with the
    id of the command's process, and is waited for. Neither may raise, nor may `sink`. `around` is a
    command that executes another in its own process, which comes after its words. To be called
    from the main thread, which is the only one that may catch signals. Raises CommandNotFound or
    CommandNotExecutable.
    """
    relay = _Relay(sink)
    try:
        relay.open_outputs()
        started_at, started = time.time_ns() // 1000, time.monotonic_ns()
        try:
            relay.start(command, environment, around)
        except (FileNotFoundError, NotADirectoryError) as error:
            if len(command) == 1 and " " in command[0].strip():
                raise LineIsNoCommand(command=command[0]) from error
            if "/" not in command[0] and os.path.isfile(command[0]):
                raise FileIsNoCommand(command=command[0]) from error
            raise CommandNotFound(command=command[0]) from error
        except OSError as error:
            raise CommandNotExecutable(
                command=command[0], reason=(error.strerror or "").lower()
            ) from error
        if on_start is not None:
            on_start()
        thread = None
        if meanwhile is not None:
            # Not before the start, and not in the thread: whoever imports threading first is
            # its main thread for good.
            import threading

            thread = threading.Thread(target=meanwhile, args=(relay.pid,), daemon=True)
            thread.start()
        from gitlineage.relay.outcome import Outcome  # not before the start

        relay.copy()
        relay.give_terminal_back()
        if thread is not None:
            thread.join()
    finally:
        relay.give_terminal_back()
        relay.signals.release()
        relay.leave_behind()
        relay.close()
    code = os.waitstatus_to_exitcode(relay.status)
    return Outcome(
        exit_code=128 - code if code < 0 else code,
        signal=-code if code < 0 else None,
        started_at=started_at,
        finished_at=relay.finished_at,
        duration=(relay.finished - started) // 1000,
        cpu_time=relay.cpu_time,
        peak_memory=relay.peak_memory,
        had_terminal=relay.console is not None,
    )


class _Relay:
    """What is open and known while one command runs."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.channels: list[Channel] = []
        self.streams: dict[int, int] = {}
        self.console: Console | None = None
        self.pid: int | None = None
        self.early: list[int] = []
        self.has_ended = self.was_resized = self.was_continued = False
        self.status = self.cpu_time = self.peak_memory = self.finished_at = self.finished = 0
        self.deadline = 0.0
        self.ended_at: dict[int, int] = {}
        self.signals = Signals(self.pass_on)

    # Signals

    def pass_on(self, number: int) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGWINCH:
            self.was_resized = True
            return
        if number == signal.SIGCONT and self.console is not None and self.console.has_started:
            self.was_continued = True
            return
        if self.pid is None:
            # Before there is a command, or while the assignment of its id is still to come:
            # start() delivers these. The kernel's own Ctrl-C may then arrive twice, not never.
            if not self.has_ended:
                self.early.append(number)
            return
        if number in (signal.SIGINT, signal.SIGQUIT) and self.console is None:
            if is_foreground():
                return  # typed, and the kernel has told the command as well
        self.tell(number)

    def tell(self, number: int) -> None:
        if self.pid is None:
            return
        pid = self.pid
        # A command that has just ended is either still to be waited for by us, or in a session
        # for the microseconds between its leader's wait and the report: too short for its id
        # to be given to another process.
        try:
            if number == signal.SIGHUP and self.console is not None:
                self.console.hang_up(pid)
            else:
                os.kill(pid, number)
        except OSError:
            pass  # gone, or of another user after a change of identity: the kernel's to decide

    # Start

    def open_outputs(self) -> None:
        keys = _identity(0) if os.isatty(0) else None
        if keys is not None and keys == _identity(1):
            if is_foreground(0):
                from gitlineage.relay.console import Console
                from gitlineage.terminal import open_inner

                self.console = Console(self.open_channel(1, *open_inner(0)))
                self.console.take()
                self.signals.catch(signal.SIGTSTP)
                self.streams[0] = self.streams[1]
        for stream in (1, 2):
            identity = _identity(stream)
            if identity is None or stream in self.streams:
                continue  # closed means closed for the command too
            if stream == 2 and identity == _identity(1):
                self.streams[2] = self.streams[1]  # one for both keeps their order exact
            elif os.isatty(stream):
                from gitlineage.terminal import open_inner

                self.open_channel(stream, *open_inner(stream, for_output_only=True))
            else:
                self.open_channel(stream, *os.pipe())

    def open_channel(self, stream: int, source: int, theirs: int) -> Channel:
        channel = Channel(stream, source, theirs)
        self.channels.append(channel)
        self.streams[stream] = theirs
        return channel

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], around: Sequence[str]
    ) -> None:
        if self.console is not None:
            self.pid = self.console.start(
                self.streams,
                lambda: along_path(
                    lambda path, arguments: os.execve(path, arguments, environment),
                    command,
                    environment,
                    around,
                ),
            )
        else:
            self.pid = along_path(
                lambda path, arguments: os.posix_spawn(
                    path,
                    arguments,
                    environment,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in self.streams.items()
                    ],
                    setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them
                ),
                command,
                environment,
                around,
            )
        for number in self.early:
            self.tell(number)
        for channel in self.channels:
            # Our end of a pipe would keep it from ending. The one of a terminal is kept until
            # the command has: without it the terminal hangs up as soon as nobody has it open.
            if not channel.has_terminal:
                channel.close_theirs()

    # While it runs

    def copy(self) -> None:
        poller = None
        while not self.has_ended or any(channel.is_open for channel in self.channels):
            if self.was_resized or self.was_continued:
                self.refresh_terminals()
                poller = None
            if poller is None:
                poller = self.watch()
            events = dict(poller.poll(self.patience()))
            if self.signals.wakeup in events:
                self.wake()
                poller = None
            if self.console is not None:
                if self.console.has_report(events):
                    self.hear_leader(self.console)
                    poller = None
                    continue  # after a stop, or at the end, what poll saw does not hold any more
                if not self.has_ended and self.console.move(events):
                    poller = None
            for channel in self.channels:
                if channel.is_open and self.move(channel, events):
                    poller = None

    def watch(self) -> select.poll:
        poller = select.poll()
        poller.register(self.signals.wakeup, select.POLLIN)
        console = self.console if not self.has_ended else None
        if console is not None:
            console.watch(poller)
        for channel in self.channels:
            if channel.is_open:
                # Watched for nothing, a pipe still tells that its reader has gone away: then the
                # very next write of the command is to fail, as it would alone.
                poller.register(channel.target, select.POLLOUT if channel.pending else 0)
                wanted = 0 if channel.pending else select.POLLIN
                if console is not None and console.wants_room(channel):
                    wanted |= select.POLLOUT
                if wanted:
                    poller.register(channel.source, wanted)
        return poller

    def patience(self) -> float | None:
        """Return for how many milliseconds to wait at most."""
        if not self.has_ended:
            # Nothing tells a group that `bg` has continued that `fg` brings it back: ask.
            is_asking = self.console is not None and self.console.is_in_background
            return 250 if is_asking else None
        if any(channel.is_open and not channel.pending for channel in self.channels):
            return max(0.0, self.deadline - time.monotonic()) * 1000
        return None

    def move(self, channel: Channel, events: dict[int, int]) -> bool:
        """Copy once; return whether what is to be watched has changed."""
        if channel.pending:
            if channel.target not in events:
                return False
        elif channel.target in events:
            channel.close()  # nobody reads it, so the command gets its SIGPIPE or its hang-up
            return True
        elif channel.source in events:
            data = channel.read()
            if not data:
                if data is not None:
                    channel.close()
                return data is not None
        elif self.has_ended and time.monotonic() >= self.deadline:
            channel.leave()
            return True
        else:
            return False
        data, was_blocked = channel.pending, channel.target in events
        if not channel.write():
            channel.close()
        if not was_blocked:
            self.sink(channel.stream, data)
        if self.has_ended and channel.copied_bytes > self.ended_at[channel.stream] + _CAPACITY:
            # More than the command can have left unread: this is from one that never pauses.
            if channel.is_open and not channel.pending and time.monotonic() >= self.deadline:
                channel.leave()
        return was_blocked or bool(channel.pending) or not channel.is_open

    def wake(self) -> None:
        self.signals.drain()
        if self.console is None and self.pid is not None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                cpu_time = round((usage.ru_utime + usage.ru_stime) * 1_000_000)
                self.end(status, cpu_time, usage.ru_maxrss)

    def hear_leader(self, console: Console) -> None:
        report = console.report()
        if report is None:
            self.stop(console)
        else:
            self.end(*report)

    def end(self, status: int, cpu_time: int, peak: int) -> None:
        self.pid = None
        self.has_ended = True
        self.finished, self.finished_at = time.monotonic_ns(), time.time_ns() // 1000
        self.status, self.cpu_time, self.peak_memory = status, cpu_time, peak * 1024
        self.deadline = time.monotonic() + _PATIENCE
        if self.console is not None:
            self.console.end()
        for channel in self.channels:
            self.ended_at[channel.stream] = channel.copied_bytes
            channel.close_theirs()

    # Terminals

    def stop(self, console: Console) -> None:
        """Stop with our group, as the command has, and go on with it when we are continued."""
        assert self.pid is not None
        # First what it printed before, such as the echo of the Ctrl-Z; for as long as that goes
        # without waiting, since others that it started may print on and on.
        for _ in range(16):
            for channel in self.channels:
                if channel.is_open and not channel.pending and channel.read():
                    self.sink(channel.stream, channel.pending)
                    channel.write()
        console.give_back()
        # In a group that nobody controls this does nothing, as it does for the command there.
        self.signals.stop_group()
        self.was_continued = True
        self.refresh_terminals()
        try:
            os.killpg(self.pid, signal.SIGCONT)
        except OSError:
            pass  # killed while it was stopped; the report is on its way

    def refresh_terminals(self) -> None:
        from gitlineage.terminal import copy_size

        was_continued, self.was_continued, self.was_resized = self.was_continued, False, False
        for channel in self.channels:
            if channel.is_open and channel.has_terminal:
                copy_size(channel.stream, channel.source)
        if self.console is None:
            # The kernel has told the command in our group already, perhaps before the inner
            # terminal had the new size.
            self.tell(signal.SIGWINCH)
        elif was_continued:
            # Whoever was in the foreground meanwhile has set modes of its own.
            self.console.take()

    def give_terminal_back(self) -> None:
        if self.console is not None:
            self.console.give_back()

    # Afterwards

    def leave_behind(self) -> None:
        """Let a small process copy what others that the command started go on printing."""
        if left := [channel for channel in self.channels if channel.is_left]:
            from gitlineage.relay.remains import leave_behind

            leave_behind(left, self.console)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        if self.console is not None:
            self.console.close()


def _identity(fd: int) -> tuple[int, int] | None:
    """Return what tells open files apart, or nothing when this one was closed at our start."""
    try:
        # What we open ourselves can land on a closed standard stream, but is not inheritable,
        # and what we were started with is.
        status = os.fstat(fd) if os.get_inheritable(fd) else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status is not None else None
