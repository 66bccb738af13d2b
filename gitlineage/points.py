"""The metadata points of a running execution: kept as they come, put into a series meanwhile.

Knows files and one process beside ours. Lines that may be points go to a file as they are, so that
they outlive a recorder that is killed; where they become many, a process of its own reads them
while the command runs: in ours, a thread would keep what the command prints waiting.
"""

from __future__ import annotations

import os
import time

from gitlineage.masking import Masking
from gitlineage.records import LONGEST_POINT, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from gitlineage.repository import Repository

MANY = 1 << 20
"""Bytes from which on a process of its own reads them; fewer take 20 ms at the end."""

UNWRITTEN_AT_MOST = 8 << 20
"""Bytes kept in memory where the disk is full."""

_AT_ONCE = 1 << 20
_FINISH = b"."
_PAUSE = 0.05
_NICE = 10  # the command, and the copying of what it prints, go first
_START, _POINT, _OTHER = range(3)


class Collected(Record):
    """The points of one execution."""

    count: int = 0
    last: Mapping[str, Any] = {}
    """Last value of each key, as far as a small record holds them."""
    warnings: tuple[str, ...] = ()
    blocks: tuple[bytes, ...] = ()
    """The series, where it is small."""
    stored: tuple[tuple[str, str], ...] = ()
    """The series, where it is not: of each block the file beside the entry, and its git id."""

    def parts(self) -> dict[str, bytes]:
        """Return the parts that hold a small series."""
        return {_part(number): block for number, block in enumerate(self.blocks)}

    def files(self) -> dict[str, str]:
        """Return the parts that hold a large one, and where they lie beside the entry."""
        return {_part(number): file for number, (file, _) in enumerate(self.stored)}

    def blobs(self) -> dict[str, str]:
        """Return the same parts, as git has them already."""
        return {_part(number): blob for number, (_, blob) in enumerate(self.stored)}


class Points:
    """Takes what a command prints on standard output, as it comes."""

    def __init__(self, path: str, repository: Repository) -> None:
        """`path` is that of the running entry; what is written begins with it."""
        self._path = path
        self._repository = repository
        self._file: int | None = None
        self._unwritten: list[bytes] | None = None
        self._lost = 0
        self._size = 0
        self._length = 0
        self._state = _START
        """How the line began whose end has not come yet."""
        self._reader: _Reader | None = None

    def take(self, content: bytes) -> None:
        """Take some bytes: keep the lines that begin as objects do."""
        newlines, length = content.count(b"\n"), self._length + len(content)
        if (
            (self._state == _POINT or (self._state == _START and content[:1] == b"{"))
            and newlines == content.count(b"\n{") + content.endswith(b"\n")
            and length <= LONGEST_POINT
        ):
            # All of them do: 20 times as fast as looking at each line.
            self._state = _START if content.endswith(b"\n") else _POINT
            self._length = len(content) - content.rfind(b"\n") - 1 if newlines else length
            self._write(content)
            return
        if b"{" not in content and self._state != _POINT:
            if not content.endswith(b"\n"):
                rest = content[content.rfind(b"\n") + 1 :]
                is_blank = not rest.strip() and (b"\n" in content or self._state == _START)
                self._state = _START if is_blank else _OTHER
            else:
                self._state = _START
            return
        lines = content.split(b"\n")
        kept = []
        last = len(lines) - 1
        for place, line in enumerate(lines):
            state = self._state if not place else _START
            if state == _START and line:
                first = line[:1] if line[0] > 32 else line.lstrip()[:1]
                state = _POINT if first == b"{" else (_OTHER if first else _START)
                self._length = 0
            if state == _POINT:
                self._length += len(line)
                if self._length > LONGEST_POINT + 1:
                    line = line[: max(0, LONGEST_POINT + 1 - self._length + len(line))]
                kept.append(line if place == last else line + b"\n")
            if place == last:
                self._state = state if line or not place else _START
        if kept:
            self._write(b"".join(kept))

    def _write(self, content: bytes) -> None:
        if not content:
            return
        at = time.time_ns() // 1000
        frame = at.to_bytes(8, "little") + len(content).to_bytes(4, "little") + content
        self._size += len(frame)
        if self._unwritten is None:
            try:
                if self._file is None:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                    self._file = os.open(printed_path(self._path), flags, 0o644)
                frame = frame[os.write(self._file, frame) :]
                if frame:
                    frame = frame[os.write(self._file, frame) :]
            except OSError:
                self._unwritten = []  # the disk is full, and the command goes on
        if frame and self._unwritten is not None:
            if sum(map(len, self._unwritten)) + len(frame) <= UNWRITTEN_AT_MOST:
                self._unwritten.append(frame)
            else:
                self._lost += 1
        if self._reader is None and self._size > MANY and self._unwritten is None:
            self._reader = _Reader.start(self._path, self._repository)

    def finish(self) -> Collected:
        """Return the points, with what was logged by others; the files stay."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        found = self._reader.finish() if self._reader is not None else None
        if found is None or self._unwritten is not None:
            found = read(self._path, self._repository, b"".join(self._unwritten or ()))
        if self._lost:
            lost = "the disk was full: some metadata was not kept"
            found = found.replace(warnings=(*found.warnings, lost))
        return found


class Follower:
    """Reads an entry's points as they come, for who waits for one."""

    def __init__(self, path: str, repository: Repository) -> None:
        self._paths = (printed_path(path), logged_path(path))
        self._reads_text = _reads_text(repository)
        self._offsets = [0, 0]
        self._frames = b""
        self._rests = [b"", b""]

    def read(self) -> Iterator[Mapping[str, Any]]:
        """Yield the values of each point that has come since."""
        import json

        from gitlineage import numerals

        for place in (0, 1):
            while more := self._more(place):
                *lines, self._rests[place] = (self._rests[place] + more).split(b"\n")
                for line in lines:
                    try:
                        found = json.loads(line)
                    except (ValueError, RecursionError):
                        continue
                    values = found.get("values") if place and isinstance(found, dict) else found
                    if isinstance(values, dict):
                        if self._reads_text:
                            values = {name: numerals.number(e) for name, e in values.items()}
                        yield values

    def _more(self, place: int) -> bytes:
        try:
            with open(self._paths[place], "rb") as file:
                file.seek(self._offsets[place])
                content = file.read(_AT_ONCE)
        except OSError:
            return b""
        self._offsets[place] += len(content)
        if place:
            return content
        # What was printed is in frames: a time, a length, and so many bytes.
        self._frames += content
        found, at = b"", 0
        while len(self._frames) >= at + 12:
            end = at + 12 + int.from_bytes(self._frames[at + 8 : at + 12], "little")
            if len(self._frames) < end:
                break
            found, at = found + self._frames[at + 12 : end], end
        self._frames = self._frames[at:]
        return found


def _part(number: int) -> str:
    return f"metadata/{number:05}"


def printed_path(path: str) -> str:
    """Return where an entry's printed lines are."""
    return path + ".printed"


def logged_path(path: str) -> str:
    """Return where the Python API puts an entry's points."""
    return path + ".points"


def append(path: str, values: Mapping[str, Any], at: int | None = None) -> None:
    """Add a point to an entry's logged ones; whole lines, so that writers do not mix."""
    import json

    at = time.time_ns() // 1000 if at is None else at
    line = json.dumps({"at": at, "values": values}, default=_plain).encode()
    line = Masking.told_by(os.environ).mask(line, "the metadata")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line + b"\n")
    finally:
        os.close(descriptor)


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value: numbers of NumPy and others as numbers, not as text."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    return value.item() if callable(getattr(value, "item", None)) else str(value)


def read(path: str, repository: Repository, unwritten: bytes = b"") -> Collected:
    """Return the points that an entry's files have, and what could not be written there."""
    printed, logged = printed_path(path), logged_path(path)
    size = sum(os.path.getsize(each) for each in (printed, logged) if os.path.exists(each))
    if not size and not unwritten:
        return Collected()
    reads_text = _reads_text(repository)
    if size > MANY and not unwritten:
        return _gather(path, repository, reads_text=reads_text)
    from gitlineage.parsing import Gathering

    blocks: list[bytes] = []
    gathering = Gathering(printed, logged, blocks.append, reads_text=reads_text)
    while gathering.step():
        pass
    gathering.take(unwritten)
    count, last, warnings = gathering.finish()
    return Collected(count=count, last=last, warnings=warnings, blocks=tuple(blocks))


def _reads_text(repository: Repository) -> bool:
    return repository.config().get("lineage.numerictext", "false").lower() in (
        "true", "yes", "on", "1", "",
    )  # fmt: skip


class _Reader:
    """The process that reads along."""

    def __init__(self, pid: int, commands: int, answers: int) -> None:
        self._pid = pid
        self._commands = commands
        self._answers = answers

    @classmethod
    def start(cls, path: str, repository: Repository) -> _Reader | None:
        import sys

        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            "from gitlineage import points; points.read_along(sys.argv[1:])"
        )
        words = [sys.executable, "-S", "-c", program, path]
        words += [repository.git_dir, repository.common_dir, repository.top or ""]
        words.append("yes" if _reads_text(repository) else "")
        theirs, commands = os.pipe()
        answers, their_answers = os.pipe()
        try:
            pid = os.posix_spawn(
                sys.executable,
                words,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs, 0),
                    (os.POSIX_SPAWN_DUP2, their_answers, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setpgroup=0,  # keys typed at the terminal are not for it
            )
        except OSError:
            os.close(commands)
            os.close(answers)
            return None
        finally:
            os.close(theirs)
            os.close(their_answers)
        return cls(pid, commands, answers)

    def finish(self) -> Collected | None:
        """Return what it has read to the end, or None where something went wrong with it."""
        from gitlineage import encoding
        from gitlineage.errors import InvalidRecord

        try:
            os.write(self._commands, _FINISH)
        except OSError:
            pass  # it is gone, and its answer tells
        with open(self._answers, "rb") as file:
            answer = file.read()
        os.close(self._commands)
        os.waitpid(self._pid, 0)
        try:
            found = encoding.unpack(answer)
            return Collected(
                count=found["count"],
                last=found["last"],
                warnings=tuple(found["warnings"]),
                stored=tuple((file, blob) for file, blob in found["stored"]),
            )
        except (InvalidRecord, LookupError, TypeError, ValueError):
            return None


def read_along(words: list[str]) -> None:
    """Be the process that reads along, until it is told that nothing more comes."""
    import gc
    import select

    from gitlineage import encoding
    from gitlineage.repository import Repository

    os.nice(_NICE)
    gc.disable()  # points have no cycles, and looking for them takes a third of the time
    path, git_dir, common_dir, top, reads_text = words
    repository = Repository(git_dir, common_dir, top or None, "")

    def wait() -> bool:
        if not select.select([0], [], [], _PAUSE)[0]:
            return False
        if os.read(0, 1) != _FINISH:
            os._exit(1)  # the recorder is dead: a later command reads the file
        return True

    found = _gather(path, repository, wait, reads_text=bool(reads_text))
    told = {name: getattr(found, name) for name in found._fields}
    with open(1, "wb", closefd=False) as file:
        file.write(encoding.pack(told))


def _gather(
    path: str,
    repository: Repository,
    is_over: Callable[[], bool] = lambda: True,
    *,
    reads_text: bool,
) -> Collected:
    """Put points into files and into git, block by block; `is_over` may wait for more."""
    from gitlineage.parsing import STEP, Gathering

    stored: list[tuple[str, str]] = []

    def keep(block: bytes) -> None:
        name = f"{path}.series-{len(stored):05}"
        with open(name, "wb") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
        blob = repository.ask("hash-object", "-w", "--stdin", content=block).decode().strip()
        stored.append((os.path.basename(name), blob))

    gathering = Gathering(
        printed_path(path), logged_path(path), keep, is_fast=True, reads_text=reads_text
    )
    while not is_over():
        while gathering.step(STEP):
            pass
    while gathering.step():
        pass
    count, last, warnings = gathering.finish()
    return Collected(count=count, last=last, warnings=warnings, stored=tuple(stored))
