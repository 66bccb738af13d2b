"""What goes on printing when a command has ended: a small process copies it, apart from ours."""

from __future__ import annotations

import os
import select

from gitlineage.signals import restore_defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.channel import Channel
    from gitlineage.relay.console import Console


def leave_behind(channels: Sequence[Channel], console: Console | None) -> None:
    """Let a process of its own copy the rest of some outputs."""
    child = os.fork()
    if not child:
        try:
            if not os.fork():  # twice, so that nobody has to wait for it
                restore_defaults()
                if console is not None:
                    console.leave()
                _copy_rest(channels)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _copy_rest(channels: Sequence[Channel]) -> None:
    """Copy to the end, holding nothing else open: no locks, and no pipes that others wait for."""
    below = 0
    for fd in sorted(fd for channel in channels for fd in (channel.source, channel.target)):
        os.closerange(below, fd)
        below = fd + 1
    os.closerange(below, os.sysconf("SC_OPEN_MAX"))
    poller = select.poll()
    by_source = {channel.source: channel for channel in channels}
    for fd in by_source:
        poller.register(fd, select.POLLIN)
    while by_source:
        for fd, _ in poller.poll():
            channel = by_source[fd]
            is_taken = True
            if channel.read():
                while channel.pending and is_taken:
                    blocked = select.poll()
                    blocked.register(channel.target, select.POLLOUT)
                    blocked.poll()
                    is_taken = channel.write()
            elif channel.pending == b"":
                is_taken = False
            if not is_taken:
                poller.unregister(fd)
                del by_source[fd]
                channel.close()
