"""What the lines of strace say that processes did with files. Knows their spelling, and processes.

Paths are what the kernel says that an open file is (`-y`), with links followed and handles of
directories put in front. Only the oldest calls print neither, and for those each process's working
directory is kept. In a container they are what the command sees there, and told as they are here.
"""

from __future__ import annotations

import os
import re

from gitlineage.observation.files import Files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Locate = Callable[[bytes], bytes | None]
    """Tells where something is here that a container sees at a path; None for what is not here."""

TRACED = (
    "open", "openat", "openat2", "creat", "open_by_handle_at", "execve", "execveat",
    "clone", "clone3", "fork", "vfork", "chdir", "fchdir",
    "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
    "unlink", "unlinkat", "truncate", "truncate64", "io_uring_setup",
)  # fmt: skip
"""The calls that tell of files; what is done with an open file is known from how it was opened."""

_LINE = re.compile(rb"(\d+) +(\d+\.\d+) (.*)", re.DOTALL)
_CALL = re.compile(rb"(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>(\(deleted\))?)?", re.DOTALL)
_RESUMED = re.compile(rb"<\.\.\. \w+ resumed>")
_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"|(AT_FDCWD|\d+)<([^>]*)>(?:\(deleted\))?', re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_SHORT = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"f": b"\f", b"v": b"\v"}
_UNFINISHED = b" <unfinished ...>"
_SPAWNING = frozenset((b"clone", b"clone3", b"fork", b"vfork"))
_READING, _WRITING = 1, 2


class Calls:
    """Reads the stream of one command and its children, and tells `files` what they did."""

    def __init__(self, files: Files, directory: bytes, locate: Locate | None = None) -> None:
        """`directory` is where the command starts, `locate` for one in a container."""
        self._files = files
        self._locate = locate
        self._start = directory
        self._rest = b""
        self._pending: dict[bytes, bytes] = {}
        """By process: the beginning of a call that has not returned."""
        self._directories: dict[bytes, list[bytes]] = {}
        """By process; threads share the list."""
        self._ours: set[bytes] = set()
        """Processes of git-lineage, and of git under it, in a command that records executions."""
        self._settled: set[bytes] = set()
        """Processes that have become a program: no longer what their parent is."""
        self.uses_ring = False
        """Some process has set up a ring: what is opened through it is not seen."""

    def feed(self, content: bytes) -> None:
        """Read some more of the stream."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            if found := _LINE.match(line):
                self._read(found[1], found[3], float(found[2]))

    def _read(self, process: bytes, text: bytes, at: float) -> None:
        if text.startswith(b"+++ "):
            self._pending.pop(process, None)
            self._directories.pop(process, None)
            self._ours.discard(process)
            self._settled.discard(process)
            return
        if text.endswith(_UNFINISHED):
            self._pending[process] = text[: -len(_UNFINISHED)]
            return
        if resumed := _RESUMED.match(text):
            text = self._pending.pop(process, b"") + text[resumed.end() :]
        call = _CALL.match(text)
        if call is None or call[3].startswith(b"-"):
            return
        name, arguments = call[1], call[2]
        if name.startswith(b"open") or name == b"creat":
            self._open(process, name, arguments, call[4], bool(call[5]), at)
        elif name in _SPAWNING:
            self._spawn(process, call[3], b"CLONE_FS" in arguments)
        elif name == b"io_uring_setup":
            self.uses_ring = True
        else:
            self._change(process, name, arguments, at)

    def _open(
        self, process: bytes, name: bytes, arguments: bytes, path: bytes | None, is_gone: bool,
        at: float,
    ) -> None:  # fmt: skip
        if arguments.startswith(b"AT_FDCWD<"):
            self._enter(process, _plain(arguments[9 : arguments.index(b">")]))
        if process in self._ours or path is None or not path.startswith(b"/"):
            return
        head, _, flags = arguments.rpartition(b'"')
        if name == b"creat":
            flags = b"O_WRONLY|O_CREAT|O_TRUNC"
        elif name == b"open_by_handle_at":
            flags = arguments
        if b"O_DIRECTORY" in flags or b"O_PATH" in flags or b"O_TMPFILE" in flags:
            return
        found: bytes | None = _plain(path)
        is_replaced = is_gone and head  # somebody has removed it, or put another in its place
        if is_replaced:
            found = self._names(process, arguments)[0]
        if self._locate is not None and found is not None:
            found = self._locate(found)
        if found is None:
            return
        opened = _real(found) if is_replaced else found
        if self._files.leave_out(opened):
            return
        given = self._names(process, arguments)[0] if head else opened
        if self._locate is not None:
            given = self._locate(given) or opened
        use = _WRITING if b"O_WRONLY" in flags else _READING
        if b"O_RDWR" in flags:
            use = _READING | _WRITING
        self._files.open(
            opened,
            given,
            at,
            is_read=bool(use & _READING),
            is_written=bool(use & _WRITING),
            is_emptied=b"O_TRUNC" in flags or b"O_EXCL" in flags,
            is_appended=b"O_APPEND" in flags,
            may_be_new=b"O_CREAT" in flags,
        )

    def _change(self, process: bytes, name: bytes, arguments: bytes, at: float) -> None:
        if name == b"fchdir":
            self._enter(process, _plain(arguments.partition(b"<")[2].partition(b">")[0]))
            return
        names = self._names(process, arguments)
        if name == b"chdir":
            # In a container a link leads elsewhere; the next call with a handle tells where to.
            is_here = self._locate is None
            self._enter(process, os.path.realpath(names[0]) if is_here else names[0])
            return
        if name.startswith(b"exec"):
            self._execute(process, names[0] if names else b"", at)
            return
        if process in self._ours:
            return
        files = self._files
        is_open = names[0].startswith(b"/proc/") or b"AT_EMPTY_PATH" in arguments
        if self._locate is not None:
            names = [self._locate(each) or b"" for each in names]
            if not names[-1]:
                return
        if name.startswith(b"rename"):
            files.rename(_real(names[0]), _real(names[1]), at, names[1],
                         is_exchange=b"RENAME_EXCHANGE" in arguments)  # fmt: skip
        elif name.startswith(b"link"):
            files.link(None if is_open else _real(names[0]), _real(names[-1]), at,
                       names[-1])  # fmt: skip
        elif name.startswith(b"symlink"):
            files.symlink(_real(names[-1]))
        elif name.startswith(b"unlink"):
            if b"AT_REMOVEDIR" not in arguments:
                files.delete(_real(names[0]))
        elif name.startswith(b"truncate"):
            path = os.path.realpath(names[0])
            if files.leave_out(path):
                return
            files.open(path, names[0], at, is_read=False, is_written=True,
                       is_emptied=arguments.endswith(b", 0"), may_be_new=False)  # fmt: skip

    def _execute(self, process: bytes, path: bytes, at: float) -> None:
        """Note what a process becomes; a recorder and its git are not what the command does."""
        name = os.path.basename(path)
        if name == b"git-lineage":
            self._ours.add(process)
            self._settled.add(process)
        elif name not in (b"git", b"strace"):
            self._ours.discard(process)
            self._settled.add(process)
        if self._locate is not None:
            path = self._locate(path) or b""
        if process not in self._ours and path:
            self._files.execute(os.path.realpath(path), path, at)

    # Processes

    def _spawn(self, parent: bytes, child: bytes, shares: bool) -> None:
        ours = self._directory(parent)
        known = self._directories.get(child)
        if known is not None and shares:
            ours[0] = known[0]
        if known is None or shares:
            self._directories[child] = ours if shares else list(ours)
        if parent in self._ours and child not in self._settled:  # it may be told of after it began
            self._ours.add(child)

    def _directory(self, process: bytes) -> list[bytes]:
        if process not in self._directories:
            # Its parent's call has not returned yet: it is among those that are starting one.
            starting = [each for each, text in self._pending.items()
                        if text.partition(b"(")[0] in _SPAWNING]  # fmt: skip
            known = [self._directories[each] for each in starting if each in self._directories]
            self._directories[process] = list(known[-1]) if known else [self._start]
            if any(each in self._ours for each in starting):
                self._ours.add(process)
        return self._directories[process]

    def _enter(self, process: bytes, directory: bytes) -> None:
        if directory.startswith(b"/"):
            self._directory(process)[0] = directory

    def _names(self, process: bytes, arguments: bytes) -> list[bytes]:
        """Return the paths among the arguments, absolute, in order."""
        found, folder = [], None
        for text, handle, path in _ARGUMENT.findall(arguments):
            if handle:
                folder = _plain(path)
                if handle == b"AT_FDCWD":
                    self._enter(process, folder)
                continue
            if folder is None:
                folder = self._directory(process)[0]
            found.append(os.path.normpath(os.path.join(folder, _plain(text))))
            folder = None
        return found


def _real(path: bytes) -> bytes:
    """Return a path without links to folders; what it ends in may be one."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _plain(text: bytes) -> bytes:
    """Return text without strace's escapes."""
    return _ESCAPE.sub(_unescaped, text) if b"\\" in text else text


def _unescaped(found: re.Match[bytes]) -> bytes:
    text = found[1]
    return bytes((int(text, 8),)) if text[:1].isdigit() else _SHORT.get(text, text)
