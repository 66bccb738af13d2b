"""Stands for the command in a container: its streams, terminal and signals are those given to us.

The recorder starts it in the command's place, so that all it knows of local commands holds. Ends
when the container has, with its exit code; says on a pipe what the container uses.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from threading import Thread

from gitlineage.errors import CaptureFailed
from gitlineage.signals import PASSED_ON, is_foreground

ENGINE_FAILED = 125

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two looks at what the container uses, growing from the one to the other."""

UNTIL_FOREGROUND = 0.25
"""Seconds between two looks whether the terminal is ours again: nothing tells."""


class Stand:
    """What stands here for one container's command."""

    def __init__(self, container: str, attached: int, told: int, *, has_terminal: bool) -> None:
        self._container = container
        self._connection = socket.socket(fileno=attached)
        self._connection.setblocking(True)
        self._has_terminal = has_terminal
        self._told = told
        self._unread: set[int] = set()
        self._wakeup, self._waker = os.pipe()
        # The interpreter writes the number of each caught signal here, at once and whatever the
        # main thread is doing.
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (*PASSED_ON, signal.SIGWINCH):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)  # the recorder has blocked them

    def run(self) -> int:
        """Copy until the container has ended; return its exit code."""
        if self._has_terminal:
            from gitlineage.terminal import Keyboard

            Keyboard(0).take()  # ours is the outer one: the container's gives keys their meaning
            os.write(self._waker, bytes((signal.SIGWINCH,)))  # engines may not know the first size
        for each in (self._pass_signals, self._send_input, self._watch_usage):
            Thread(target=each, daemon=True).start()
        self._copy_output()
        from gitlineage.image.engine import Engine

        try:
            return Engine().wait(self._container)
        except CaptureFailed:
            return ENGINE_FAILED

    def _copy_output(self) -> None:
        reader = self._connection.makefile("rb")
        stream, left = 1, 0
        while True:
            if not self._has_terminal and not left:
                header = reader.read(8)
                if len(header) < 8:
                    return
                stream, left = header[0], int.from_bytes(header[4:])
                continue
            data = reader.read1(65536 if self._has_terminal else min(left, 65536))
            if not data:
                return
            left -= len(data)
            self._write(stream, data)

    def _write(self, stream: int, data: bytes) -> None:
        try:
            while data and stream not in self._unread:
                data = data[os.write(stream, data) :]
        except OSError:
            # Nobody reads it: the command gets what it would get alone.
            self._unread.add(stream)
            os.write(self._waker, bytes((signal.SIGPIPE,)))

    def _send_input(self) -> None:
        is_terminal = os.isatty(0)
        poller = select.poll()
        poller.register(0, select.POLLIN)
        try:
            while True:
                poller.poll()
                # Who reads a terminal in its background is stopped, and all of the job with it.
                if is_terminal and not is_foreground(0):
                    time.sleep(UNTIL_FOREGROUND)
                    continue
                data = os.read(0, 65536)
                if not data:
                    break
                self._connection.sendall(data)
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the terminal is gone, or the container

    def _pass_signals(self) -> None:
        from gitlineage.image.engine import Engine

        try:
            engine = Engine()
        except CaptureFailed:
            return
        while True:
            for number in os.read(self._wakeup, 512):
                try:
                    if number != signal.SIGWINCH:
                        engine.kill(self._container, number)
                    elif self._has_terminal:
                        engine.resize(self._container, *os.get_terminal_size(0))
                except (CaptureFailed, OSError):
                    continue  # it has just ended

    def _watch_usage(self) -> None:
        from gitlineage.image.engine import Engine

        pause = SHORTEST_PAUSE
        try:
            engine = Engine()
            while True:
                if usage := engine.usage(self._container):
                    os.write(self._told, b"%d %d %d %d\n" % (time.monotonic_ns(), *usage))
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        except (CaptureFailed, OSError):
            return


if __name__ == "__main__":
    container, attached, told, kind = sys.argv[1:]
    stand = Stand(container, int(attached), int(told), has_terminal=kind == "terminal")
    os._exit(stand.run())
