"""Programs as the kernel starts them. Knows PATH and the rules of exec; starts nothing itself."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def along_path(
    start: Callable[[str, list[str]], int],
    command: Sequence[str],
    environment: Mapping[str, str],
    around: Sequence[str] = (),
) -> int:
    """Start a command as execvp does, along the PATH that the command gets.

    `around` is a command that executes another, which comes after its own words.
    """
    if around:
        execute = start

        def start_around(path: str, words: list[str]) -> int:
            check(path)
            return execute(around[0], [*around, *words])

        start = start_around
    name = command[0]
    paths = [name]
    if "/" not in name:
        folders = environment.get("PATH", os.defpath).split(":")
        found = (os.path.join(folder or ".", name) for folder in folders) if name else ()
        # A stat costs microseconds, a start that fails a fork.
        paths = [path for path in found if os.path.lexists(path)]
    refusal = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for path in paths:
        try:
            return start(path, list(command))
        except OSError as error:
            if error.errno == errno.ENOEXEC and not _is_binary(path):
                return start("/bin/sh", ["/bin/sh", path, *command[1:]])
            if error.errno == errno.EACCES and os.path.isdir(path):
                if "/" in name:
                    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR)) from error
            elif error.errno == errno.EACCES:
                refusal = error
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
    raise refusal


def check(path: str, deep: int = 0) -> None:
    """Raise the OSError that executing a file would, as far as its beginning tells."""
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        code = errno.EACCES if os.path.exists(path) else errno.ENOENT
        raise OSError(code, os.strerror(code))
    try:
        with open(path, "rb") as file:
            first = file.read(256)
    except OSError:
        return  # one may be allowed to execute what one may not read
    if first.startswith(b"#!"):
        words = first[2:].partition(b"\n")[0].split()
        if words and deep < 5:
            check(os.fsdecode(words[0]), deep + 1)
    elif not first.startswith(b"\x7fELF") and not _is_binary(path):
        raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))


def which(name: str, variables: Mapping[str, str]) -> str | None:
    """Return the file that a command's name is, or None."""
    # shutil.which would do, and brings `re` and four compression modules along.
    folders = [""] if "/" in name else variables.get("PATH", os.defpath).split(":")
    paths = (os.path.join(folder, name) for folder in folders)
    return next((p for p in paths if os.path.isfile(p) and os.access(p, os.X_OK)), None)


def _is_binary(path: str) -> bool:
    """Tell, as shells do, a script without `#!` from a program for another machine."""
    with open(path, "rb") as file:
        return b"\0" in file.read(80).partition(b"\n")[0]
