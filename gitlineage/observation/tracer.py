"""How strace is started around a command, and whether it may be. Knows its options.

It runs as a grandchild in a session of its own: the command keeps its process id, its parent, its
terminal and its exit status. A filter in the kernel (`--seccomp-bpf`) lets every system call pass
at full speed that is not asked for.
"""

from __future__ import annotations

import os

from gitlineage.errors import CaptureFailed, NotObservable
from gitlineage.observation.calls import TRACED
from gitlineage.program import which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Attempt = Callable[[Sequence[str]], tuple[bool, str]]
    """Runs a command; returns whether that went well, and what was said last."""

FILTER = "--seccomp-bpf"

OPEN_FILES = "/proc/self/fd"
"""By what is in there strace reaches who reads what it writes."""

OPTIONS = (
    "--follow-forks",
    "--decode-fds=path",
    "--absolute-timestamps=unix,us",
    "--quiet=attach,personality,thread-execve,path-resolution",
    "--signal=none",
    "--string-limit=0",
    "--trace=" + ",".join(f"?{each}" for each in TRACED),
)


class Tracer:
    """A strace that may be used."""

    def __init__(self, words: Sequence[str], *, is_filtered: bool) -> None:
        self._words = words
        self._filter = (FILTER,) if is_filtered else ()

    def around(self, output: str) -> Sequence[str]:
        """Return what to put before a command, so that its system calls are written to a file."""
        detached = ("--daemonize=session", f"--output={output}", "--")
        return (*self._words, *self._filter, *OPTIONS, *detached)


def find() -> Tracer:
    """Return how commands are traced here. Raises NotObservable."""
    path = which("strace", os.environ)
    if path is None:
        raise NotObservable(
            reason="there is no strace", remedy="install strace, with `apt install strace` and such"
        )
    if not os.path.isdir(OPEN_FILES):
        raise NotObservable(reason=f"{OPEN_FILES} cannot be read", remedy="is /proc mounted?")
    found, said = working((path,), ("/bin/sh", "-c", ":"), _attempt)
    if found is not None:
        return found
    raise NotObservable(
        reason=f"strace may not be used here: {said or 'it fails'}",
        remedy="may processes be traced? see kernel.yama.ptrace_scope, and a container's rights",
    )


def working(
    words: Sequence[str], nothing: Sequence[str], attempt: Attempt
) -> tuple[Tracer | None, str]:
    """Return a strace that is found to work, else None and what it said.

    `words` start it, `nothing` is a command that does nothing.
    """
    # Whoever may not trace hears it now: later it would be the command that fails. What strace
    # says of a kernel without the filter would be among what the command says.
    traced = (*OPTIONS, "--output=/dev/null", "--", *nothing)
    if attempt((*words, FILTER, *traced)) == (True, ""):
        return Tracer(words, is_filtered=True), ""
    went_well, said = attempt((*words, *traced))
    return Tracer(words, is_filtered=False) if went_well else None, said


def _attempt(words: Sequence[str]) -> tuple[bool, str]:
    """Run a command; return whether that went well, and what was said last."""
    source, theirs = os.pipe()
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            process = os.posix_spawn(
                words[0],
                tuple(words),
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing, 0),
                    (os.POSIX_SPAWN_DUP2, nothing, 1),
                    (os.POSIX_SPAWN_DUP2, theirs, 2),
                ],
            )
        except OSError as error:
            raise CaptureFailed(reason=f"cannot start strace: {error.strerror}") from error
        finally:
            os.close(nothing)
            os.close(theirs)
        said = b""
        while content := os.read(source, 4096):
            said += content
    finally:
        os.close(source)
    _, status = os.waitpid(process, 0)
    return status == 0, reason_of(said)


def reason_of(said: bytes) -> str:
    """Return why strace failed, of all that it said: what it may not do, else what came last."""
    lines = said.decode(errors="replace").strip().splitlines()
    telling = [each for each in lines if "not permitted" in each] or lines
    return telling[-1].rpartition("strace: ")[2] if telling else ""
