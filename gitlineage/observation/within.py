"""How strace is started in a container, and what it says comes back. Knows no engine.

Ours goes along, as files that are shown to the container and cannot be written to: its libraries
and their loader are beside it, so that it runs in any image for this machine. Where there is none
here, or it does not run there, it is the image's own. Nothing may do more for it in there.
"""

from __future__ import annotations

import os
import subprocess

from gitlineage.errors import NotObservable
from gitlineage.observation.tracer import Tracer, working
from gitlineage.program import which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gitlineage.observation.tracer import Attempt

FOLDER = "/run/git-lineage"
"""Where ours is in the container."""


class Within:
    """The container that a command is to be observed in."""

    def __init__(
        self,
        image: str,
        directory: str,
        path: str,
        places: Iterable[tuple[str, str | None]],
        carry: Callable[[Mapping[str, str]], None],
        attempt: Attempt,
    ) -> None:
        """`path` is where strace writes to, for us and in there alike; `places` are what is shown
        in there, and where that is here. `carry` has files of ours shown there; `attempt` runs a
        command in a container like it.
        """
        self.directory = directory
        """Where the command starts."""
        self.path = path
        named = [(os.fsencode(each), source) for each, source in places]
        # What is inside of another comes before it.
        self._places = [
            (each.rstrip(b"/") + b"/", source and os.fsencode(source).rstrip(b"/"))
            for each, source in sorted(named, reverse=True)
        ]
        self._image = image
        self._carry = carry
        self._attempt = attempt

    def find(self) -> Tracer:
        """Return how commands are traced in there. Raises NotObservable."""
        said = ""
        if (ours := which("strace", os.environ)) and (files := _carried(ours)):
            self._carry(files)
            words = [f"{FOLDER}/strace"]
            if f"{FOLDER}/ld.so" in files:
                words = [f"{FOLDER}/ld.so", "--library-path", FOLDER, *words]
            found, said = self._tried(words)
            if found is not None:
                return found
            self._carry({})
        found, said_there = self._tried(("strace",))
        if found is not None:
            return found
        if not ours:
            raise NotObservable(
                reason=f"there is no strace here, and none that runs in {self._image}",
                remedy="install strace, with `apt install strace` and such",
            )
        raise NotObservable(
            reason=f"strace may not be used in {self._image}: {said or said_there or 'it fails'}",
            remedy="may processes be traced in containers? see the engine's seccomp profile",
        )

    def locate(self, path: bytes) -> bytes | None:
        """Return where something is here that is at a path in there; None for what is not here."""
        for inside, source in self._places:
            if path.startswith(inside) or path == inside[:-1]:
                return source + path[len(inside) - 1 :] if source else None
        return None

    def _tried(self, words: Sequence[str]) -> tuple[Tracer | None, str]:
        return working(words, (*words, "--version"), self._attempt)

    def open(self) -> tuple[int, int]:
        """Return where to read what strace writes, and what keeps that from ending.

        Whoever opens a named pipe to write waits for a reader: a recorder that is killed, with
        what reads for it, before strace has opened this leaves a container that waits until a
        later command removes it. Raises NotObservable.
        """
        try:
            os.mkfifo(self.path, 0o600)
        except OSError as error:
            raise NotObservable(
                reason=f"no pipe can be made in git's folder: {error.strerror}",
                remedy="that is how a container tells what it does",
            ) from error
        source = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        calls = os.open(self.path, os.O_WRONLY)
        os.set_blocking(source, True)
        return source, calls

    def close(self) -> None:
        """Remove the pipe's name: who has opened it goes on."""
        os.unlink(self.path)


def _carried(path: str) -> dict[str, str]:
    """Return the files of a program by where they are to be in the container.

    Empty where they are not known.
    """
    try:
        told = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    except OSError:
        return {}
    files = {f"{FOLDER}/strace": os.path.realpath(path)}
    for line in told.stdout.splitlines() if not told.returncode else ():  # else it needs none
        name, _, rest = line.strip().partition(" => ")
        source = (rest or name).partition(" (")[0]
        if not source.startswith("/"):
            continue  # what the kernel brings
        is_loader = name.startswith("/")
        inside = "ld.so" if is_loader else name
        files[f"{FOLDER}/{inside}"] = os.path.realpath(source)
    return files
