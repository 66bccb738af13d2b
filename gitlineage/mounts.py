"""Shows one command some folders at other paths too, in a mount namespace of its own.

Knows Linux, through its C library, and nothing of steps. Run as a program, with the folder for a
new root, `PATH=FOLDER` pairs, `--` and a command, it becomes that command: the new root has what
the old one has, and the folders at their paths. Nothing changes for anybody else, and nothing is
left behind.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

NEW_NAMESPACE, NEW_USER = 0x00020000, 0x10000000
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
DETACH = 2

FAILED = 125


def command(folders: Mapping[str, str], root: str, words: Sequence[str]) -> list[str]:
    """Return a command that shows another one the folders, by the paths where they are shown.

    `root` is an empty folder, and stays empty.
    """
    pairs = [f"{path}={folder}" for path, folder in folders.items()]
    return [sys.executable, "-I", "-S", __file__, root, *pairs, "--", *words]


def problem(folders: Mapping[str, str], root: str) -> str | None:
    """Return why folders cannot be shown at other paths here; None where they can."""
    import subprocess

    tried = command(folders, root, ["true"])
    done = subprocess.run(tried, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return said[-1].removeprefix("error: ")


def main(words: Sequence[str]) -> NoReturn:
    """Enter a namespace, show the folders, become the command."""
    end = words.index("--")
    root, *pairs = words[:end]
    try:
        _enter()
        _show(root, [pair.partition("=")[::2] for pair in pairs])
    except OSError as error:
        sys.stderr.write(f"error: no mount namespace: {(error.strerror or str(error)).lower()}\n")
        sys.exit(FAILED)
    program = list(words[end + 1 :])
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"error: {program[0]}: {(error.strerror or '').lower()}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


def _enter() -> None:
    """Go into a mount namespace of our own; into a user namespace where that needs one."""
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", NEW_NAMESPACE)
    except PermissionError:
        _call("unshare", NEW_NAMESPACE | NEW_USER)
        # Who we are stays the same; only other users are not known inside.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    _mount("none", "/", RECURSIVE | PRIVATE)


def _show(root: str, folders: Sequence[tuple[str, str]]) -> None:
    """Build a root that has the folders too, and make it ours."""
    directory = os.getcwd()
    _mount("tmpfs", root, 0, "tmpfs")
    # The old root itself stays as it is: it may be read-only, or somebody else's.
    shown = {path.strip("/").partition("/")[0] for path, _ in folders}
    with os.scandir("/") as found:
        entries = [each for each in found if each.name not in shown]
    for entry in entries:
        place = os.path.join(root, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
        elif entry.is_dir():
            os.mkdir(place)
            _mount(entry.path, place, BIND | RECURSIVE)
        elif entry.is_file():
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
            _mount(entry.path, place, BIND)
    for path, folder in folders:
        place = os.path.join(root, path.strip("/"))
        os.makedirs(place)
        _mount(folder, place, BIND | RECURSIVE)
    os.chdir(root)
    try:
        _call("pivot_root", b".", b".")
        _call("umount2", b".", DETACH)
    except OSError:  # the root is the one that the machine was started from
        os.chroot(".")
    os.chdir(directory)


def _mount(source: str, target: str, flags: int, kind: str | None = None) -> None:
    encoded = os.fsencode(kind) if kind else None
    _call("mount", os.fsencode(source), os.fsencode(target), encoded, flags, None)


def _call(name: str, *arguments: object) -> None:
    """Call the C library. Raises OSError."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, name):
        raise OSError(0, f"there is no {name} on this system")
    values = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    if getattr(library, name)(*values):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
