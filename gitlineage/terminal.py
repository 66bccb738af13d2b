"""Terminals inside terminals: modes, sizes, sessions. Knows termios; knows nothing of relaying."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios

from gitlineage.signals import is_foreground, restore_defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable
    from types import FrameType
else:
    import _signal as signal  # the signal module wraps this in enums, for 6 ms of delay

_INPUT, _OUTPUT, _CONTROL, _LOCAL, _SPECIAL = 0, 1, 2, 3, 6


def is_hung_up(fd: int) -> bool:
    """Tell whether a terminal is gone."""
    poller = select.poll()
    poller.register(fd, 0)
    return bool(poller.poll(0))


def copy_size(source: int, target: int) -> None:
    """Give one terminal the size of another, pixels too; the kernel tells who uses it."""
    try:
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if size != fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            fcntl.ioctl(target, termios.TIOCSWINSZ, size)
    except OSError:
        pass  # either may have been hung up by now


def open_inner(outer: int, *, for_output_only: bool = False) -> tuple[int, int]:
    """Open a terminal that looks like `outer`; return its master and its slave."""
    master, slave = os.openpty()
    modes = termios.tcgetattr(outer)
    if for_output_only:
        modes[_OUTPUT] &= ~termios.OPOST  # the outer terminal does it, and once is enough
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    copy_size(outer, master)
    return master, slave


def pass_through(master: int) -> None:
    """Stop the inner terminal of a master from adding carriage returns."""
    modes = termios.tcgetattr(master)
    modes[_OUTPUT] &= ~termios.OPOST
    termios.tcsetattr(master, termios.TCSANOW, modes)


class Keyboard:
    """The terminal that a person types at: taken while its keys go to an inner one, given back."""

    __slots__ = ("_fd", "_found", "_ours")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._found: list[int | list[bytes | int]] | None = None
        self._ours: list[int | list[bytes | int]] | None = None

    @property
    def is_taken(self) -> bool:
        return self._found is not None

    def take(self) -> None:
        """Let every key through unread, if we are in the foreground; else it is not ours."""
        # A background group that sets modes is stopped by the kernel. The shell can still move
        # us between the question and the deed: then we stop, and go on when it brings us back.
        if not is_foreground(self._fd):
            self._found = None
            return
        found = termios.tcgetattr(self._fd)
        # After a stop the shell has set modes of its own, which are then those to give back;
        # but SIGCONT comes without a stop as well.
        if self._found is not None and found == self._ours:
            return
        modes = termios.tcgetattr(self._fd)
        modes[_INPUT] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        modes[_OUTPUT] &= ~termios.OPOST
        modes[_CONTROL] = modes[_CONTROL] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        modes[_LOCAL] &= ~(
            termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN
        )
        modes[_SPECIAL][termios.VMIN] = 1
        modes[_SPECIAL][termios.VTIME] = 0
        # Now, not after draining: a terminal that was stopped with Ctrl-S would block us. Not
        # with a flush: what was typed ahead belongs to the command.
        termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        self._found, self._ours = found, termios.tcgetattr(self._fd)

    def give_back(self) -> None:
        """Set the modes that were found."""
        modes, self._found = self._found, None
        # Whoever moved us to the background has set modes of its own, and we would be stopped.
        if modes is not None and is_foreground(self._fd):
            try:
                termios.tcsetattr(self._fd, termios.TCSANOW, modes)
            except termios.error:
                pass  # hung up

    def unread(self, keys: bytes) -> None:
        """Put back what was typed and read by nobody, as far as the kernel lets us."""
        if self._found is None or not is_foreground(self._fd):
            return
        try:
            fcntl.ioctl(self._fd, termios.TIOCSTI, 0)
        except OSError as error:
            # No key at this address, or, since Linux 6.2 and without dev.tty.legacy_tiocsti, not
            # allowed but for root: then typing ahead is lost.
            if error.errno != errno.EFAULT:
                return
        try:
            poller = select.poll()
            poller.register(self._fd, select.POLLIN)
            if poller.poll(0):
                later = os.read(self._fd, 4096)  # typed later, so to be read later
                if self._found[_INPUT] & termios.ICRNL:  # type: ignore[operator]
                    later = later.replace(b"\r", b"\n")  # as the modes found would have done
                keys += later
            for key in keys:
                fcntl.ioctl(self._fd, termios.TIOCSTI, bytes((key,)))
        except OSError:
            pass  # hung up


def take_unread(slave: int) -> bytes:
    """Take what was typed at an inner terminal and read by nobody."""
    try:
        found = termios.tcgetattr(slave)
        modes = termios.tcgetattr(slave)
        modes[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
        modes[_SPECIAL][termios.VMIN] = 0
        modes[_SPECIAL][termios.VTIME] = 0
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        unread = os.read(slave, 4096)
        termios.tcsetattr(slave, termios.TCSANOW, found)  # for whoever is left behind
        return unread
    except (OSError, termios.error):
        return b""


class Session:
    """A session on an inner terminal, with a leader of ours and the command as its job.

    The command cannot be the leader itself. A leader's own process group is orphaned, where
    Ctrl-Z does nothing; and when a leader ends, the kernel hangs up the foreground group, which
    would kill what `sh -c 'server &'` leaves behind. So a small fork leads, starts the command in
    a group of its own as a shell does, waits for it, and reports lines: `stopped` each time the
    command stops, and at the end its wait status, CPU microseconds and peak memory in KiB.
    """

    __slots__ = ("leader", "pid", "reports")

    def __init__(self, streams: dict[int, int], execute: Callable[[], object]) -> None:
        """Start with the inner terminal as stream 0; raise the OSError that `execute` raises."""
        self.reports, reports = os.pipe()
        gate, closing = os.pipe()
        # Between a fork and the moment the child has its own dispositions a signal would run our
        # handlers in it. Blocked, it waits: with us until the command runs and can be told, in
        # the leader for good, in the command until just before it is executed.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.leader = os.fork()
            if not self.leader:
                try:
                    _lead(streams, reports, closing, mask, execute)
                finally:
                    os._exit(1)
            os.close(closing)
            os.close(reports)
            # Closed by the exec itself, so empty means that the command has started.
            refusal = os.read(gate, 16)
            if refusal:
                os.waitpid(self.leader, 0)
                os.close(self.reports)
                raise OSError(int(refusal), os.strerror(int(refusal)))
            self.pid = int(self._line())
        finally:
            os.close(gate)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.reports, 1)
            if not byte:
                break
            line += byte
        return line

    def report(self) -> tuple[int, int, int] | None:
        """Return wait status, CPU microseconds and KiB once the command has ended, else nothing.

        To be called when `reports` is readable; nothing means that the command has stopped.
        """
        line = self._line()
        if line == b"stopped\n":
            return None
        _, status = os.waitpid(self.leader, 0)
        if not line:  # the leader was killed, and the hang-up takes the command along
            return status, 0, 0
        status, cpu_time, peak = map(int, line.split())
        return status, cpu_time, peak


def _lead(
    streams: dict[int, int],
    reports: int,
    gate: int,
    mask: Iterable[int],
    execute: Callable[[], object],
) -> None:
    slave = streams[0]
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            # Before the command runs: one that reads first would be stopped by SIGTTIN.
            os.tcsetpgrp(slave, os.getpid())
            for theirs, ours in streams.items():
                os.dup2(ours, theirs)
            restore_defaults()
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            execute()
    except OSError as error:
        os.write(gate, b"%d" % (error.errno or 0))
        return
    # Keep nothing of the recorder's open: neither its locks, nor pipes that others wait for.
    kept = sorted((slave, reports))
    os.closerange(0, kept[0])
    os.closerange(kept[0] + 1, kept[1])
    os.closerange(kept[1] + 1, os.sysconf("SC_OPEN_MAX"))
    os.write(reports, b"%d\n" % pid)

    def hang_up(number: int, frame: FrameType | None) -> None:
        # Only a leader is told that its terminal is gone, whether the recorder has closed it or
        # was killed; a shell would hand that on, or end and have the kernel do so.
        for each in (signal.SIGHUP, signal.SIGCONT):
            try:
                os.killpg(pid, each)
            except OSError:
                pass  # it has just ended

    signal.signal(signal.SIGHUP, hang_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))
    while True:
        _, status, usage = os.wait4(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.write(reports, b"stopped\n")
    # Our end hangs up the foreground group: let that be our own, not what was left behind.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    try:
        os.tcsetpgrp(slave, os.getpgrp())
    except OSError:
        pass  # hung up already
    cpu_time = round((usage.ru_utime + usage.ru_stime) * 1_000_000)
    os.write(reports, b"%d %d %d\n" % (status, cpu_time, usage.ru_maxrss))
