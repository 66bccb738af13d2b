"""One git process: start it, feed it, read it. Knows pipes; knows nothing of what is asked of git.

`subprocess` would do the same and costs 14 ms at every start (docs/decisions/0003).
"""

from __future__ import annotations

import os
import select

from gitlineage.errors import GitFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

CHUNK = 1 << 16

PIECE = 1 << 20
"""Bytes of a stream that are read at once: as much as Linux lets a pipe hold."""


class GitProcess:
    """A started `git`; several may run at once, each is finished by `finish` or `lines`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        directory: str | None = None,
        environment: Mapping[str, str] | None = None,
        content: bytes = b"",
        takes_input: bool = False,
        through: Sequence[str] = (),
    ) -> None:
        """Start it; `through` is a command that starts git in its place, when that follows."""
        self.arguments = arguments
        self._content = memoryview(content)
        command = [*through, "git", *(("-C", directory) if directory else ()), *arguments]
        # Reading never takes a lock that would get in the way of the user's own git, and never
        # rewrites their staging area (git's own convention for background readers). What git says
        # is read, so it is not to be translated; LC_ALL would change what filters do as well.
        variables = {
            **os.environ,
            "GIT_OPTIONAL_LOCKS": "0",
            "LANGUAGE": "C",
            **(environment or {}),
        }
        read_output, write_output = os.pipe()
        read_error, write_error = os.pipe()
        actions: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_DUP2, write_output, 1),
            (os.POSIX_SPAWN_DUP2, write_error, 2),
        ]
        theirs = [write_output, write_error]
        self._input: int | None = None
        if content or takes_input:
            read_input, self._input = os.pipe()
            actions.insert(0, (os.POSIX_SPAWN_DUP2, read_input, 0))
            theirs.append(read_input)
        else:
            actions.insert(0, (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        try:
            # Python ignores SIGPIPE; git expects the default.
            self._pid = os.posix_spawnp(
                command[0], command, variables, file_actions=actions, setsigdef=[13]
            )
        except OSError as error:
            ours = [read_output, read_error, *([self._input] if self._input is not None else [])]
            for descriptor in ours:
                os.close(descriptor)
            raise GitFailed(
                command=arguments[0], reason=f"git cannot be run: {error.strerror}"
            ) from error
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._output, self._error = read_output, read_error
        if content and self._input is not None:
            # What fits into the pipe goes at once, so that git works before it is waited for.
            os.set_blocking(self._input, False)
            if not self._feed():
                self._close_input()

    def finish(self, *, accept: Sequence[int] = (0,)) -> bytes:
        """Wait and return what it printed. Raises GitFailed for another exit code."""
        return self.outcome(accept=accept)[1]

    def outcome(self, *, accept: Sequence[int] = ()) -> tuple[int, bytes, bytes]:
        """Wait and return exit code, output and messages.

        Raises GitFailed for a code that is not in `accept`, where that is given.
        """
        read: dict[int, list[bytes]] = {self._output: [], self._error: []}
        poll = select.poll()
        for descriptor in read:
            poll.register(descriptor, select.POLLIN)
        if self._input is not None:
            poll.register(self._input, select.POLLOUT)
        left = len(read)
        while left:
            for descriptor, event in poll.poll():
                if descriptor == self._input:
                    if event & select.POLLERR or not self._feed():
                        poll.unregister(descriptor)
                        self._close_input()
                elif chunk := os.read(descriptor, CHUNK):
                    read[descriptor].append(chunk)
                else:
                    poll.unregister(descriptor)
                    os.close(descriptor)
                    left -= 1
        code = self._wait()
        output, messages = (b"".join(read[each]) for each in (self._output, self._error))
        if accept and code not in accept:
            raise failure(self.arguments, code, messages)
        return code, output, messages

    def stream(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Feed lines while reading: yield what git prints in pieces. Raises GitFailed at the end.

        A thread writes, so that git works on the second core while this one decodes.
        """
        import threading

        assert self._input is not None

        def feed() -> None:
            assert self._input is not None
            try:
                with open(self._input, "wb", buffering=CHUNK) as pipe:
                    pipe.writelines(lines)
            except BrokenPipeError:
                return  # git has ended: its exit code says why

        # Git writes object by object. With room for many it goes on while some are decoded: 10,400
        # records a second instead of 8,200.
        self.widen()
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        messages = b""
        try:
            while chunk := os.read(self._output, PIECE):
                yield chunk
        finally:
            # Where the reader has stopped early, git ends when it writes on.
            os.close(self._output)
            feeder.join()
            while chunk := os.read(self._error, CHUNK):
                messages += chunk
            os.close(self._error)
            code = self._wait()
        if code:
            raise failure(self.arguments, code, messages)

    def widen(self) -> None:
        """Let git go on where it says more, before it is read, than a pipe holds by itself."""
        import fcntl

        try:
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, PIECE)
        except (AttributeError, OSError):
            pass  # not Linux; or this user has as many large pipes as are allowed

    def leave(self) -> None:
        """Let it go on by itself; nobody hears what it says."""
        for descriptor in (self._output, self._error):
            os.close(descriptor)

    def _feed(self) -> bool:
        """Write some more; tell whether there is anything left."""
        assert self._input is not None
        try:
            self._content = self._content[os.write(self._input, self._content) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return bool(self._content)

    def _close_input(self) -> None:
        assert self._input is not None
        os.close(self._input)
        self._input = None

    def _wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def failure(arguments: Sequence[str], code: int, messages: bytes) -> GitFailed:
    """Return the error that tells what git said, in its own last words."""
    # What it lists, it lists below: `unknown repository extension found:`, then a line for each.
    text = messages.decode(errors="replace").replace(":\n\t", ": ")
    said = [line for line in text.splitlines() if line.strip()]
    fatal = [line for line in said if line.startswith(("fatal:", "error:"))]
    reason = (fatal or said or [f"exit code {code}"])[0]
    return GitFailed(
        command=_verb(arguments),
        reason=reason.removeprefix("fatal: ").removeprefix("error: "),
        exit_code=code,
    )


def _verb(arguments: Sequence[str]) -> str:
    rest = iter(arguments)
    for word in rest:
        if word in ("-c", "-C"):
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return arguments[0]
