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
    from collections.abc import Sequence

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
    """A strace that may be used here."""

    def __init__(self, path: str, *, is_filtered: bool) -> None:
        self._path = path
        self._filter = (FILTER,) if is_filtered else ()

    def around(self, output: str) -> Sequence[str]:
        """Return what to put before a command, so that its system calls are written to a file."""
        detached = ("--daemonize=session", f"--output={output}", "--")
        return (self._path, *self._filter, *OPTIONS, *detached)


def find() -> Tracer:
    """Return how commands are traced here. Raises NotObservable."""
    path = which("strace", os.environ)
    if path is None:
        raise NotObservable(
            reason="there is no strace", remedy="install strace, with `apt install strace` and such"
        )
    if not os.path.isdir(OPEN_FILES):
        raise NotObservable(reason=f"{OPEN_FILES} cannot be read", remedy="is /proc mounted?")
    # Whoever may not trace hears it now: later it would be the command that fails. What strace
    # says of a kernel without the filter would be among what the command says.
    tried = _try(path, FILTER)
    if tried == (True, ""):
        return Tracer(path, is_filtered=True)
    tried = _try(path)
    if tried[0]:
        return Tracer(path, is_filtered=False)
    raise NotObservable(
        reason=f"strace may not be used here: {tried[1] or 'it fails'}",
        remedy="may processes be traced? see kernel.yama.ptrace_scope, and a container's rights",
    )


def _try(path: str, *options: str) -> tuple[bool, str]:
    """Trace a command that does nothing; return whether that went well, and what was said last."""
    source, theirs = os.pipe()
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            process = os.posix_spawn(
                path,
                [path, *options, *OPTIONS, "--output=/dev/null", "--", "/bin/sh", "-c", ":"],
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
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    return status == 0, last.removeprefix("strace: ")
