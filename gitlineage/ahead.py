"""Launch and record parts of many records, read and looked through by a process beside this one.

Knows what git is asked for them, and which bytes are plain; must not know what records say.

What comes from there is trusted as far as it goes: ids, and that bytes are plain. All other bytes
are looked at by whoever reads them, as if nobody had before. When the other process ends too early,
whatever the reason, the parts end, and the caller reads the rest itself.
"""

from __future__ import annotations

import gc
import marshal
import os
import signal
import sys
from itertools import islice

from gitlineage import digest, encoding
from gitlineage.errors import GitFailed
from gitlineage.gitprocess import GitProcess
from gitlineage.objects import answers, question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from gitlineage.repository import Repository

    Read = tuple[bytes | None, bytes | None, bool, bytes | None]
    """Launch part, record part, whether both are plain, and the id of the launch part."""

SHARE = 128 << 10
"""Bytes from which on what was read is handed over; one record more may be 128 MiB."""

ASKED = 500
"""Trees that are asked for in one piece."""

_SIZE = 8
"""Bytes before each share that tell its size."""


def is_possible() -> bool:
    """Tell whether there is anything to gain: on a single processor there is not."""
    return bool(sys.executable) and _processors() > 1


def parts(repository: Repository, trees: Iterable[str]) -> Iterator[Read]:
    """Yield what was read of records, by their trees."""
    start = f"import sys; sys.path[:] = {sys.path!r}; from gitlineage import ahead; ahead.serve()"
    through = (sys.executable, "-I", "-S", "-c", start)
    try:
        process = repository.start(
            "cat-file", "--batch", "--buffer", takes_input=True, through=through
        )
        for share in _shares(process.stream(_pieces(iter(trees)))):
            each = iter(share)
            yield from zip(each, each, each, each, strict=True)
    except GitFailed:
        return


def serve() -> None:
    """Answer trees on standard input, one a line, by what the git that arguments name says."""
    # When nobody reads any more, it is over at once, and so is git when it writes or reads next.
    for each in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    gc.disable()  # there are no cycles
    encoding.hasten()
    git = GitProcess(sys.argv[2:], takes_input=True)
    share: list[Any] = []
    size = 0
    with open(0, "rb", closefd=False) as asked, open(1, "wb", closefd=False) as told:
        found = answers(git.stream(_questions(asked)))
        for launch, record in zip(found, found, strict=False):
            both = [each and each[1] for each in (launch, record)]
            held = [each for each in both if each is not None]
            id = launch and bytes.fromhex(digest.execution_id(launch[1]))
            share += *both, all(map(encoding.is_plain, held)), id
            size += sum(map(len, held))
            if size >= SHARE:
                _hand_over(share, told)
                share.clear()
                size = 0
        _hand_over(share, told)


def _questions(asked: Iterable[bytes]) -> Iterator[bytes]:
    for each in asked:
        tree = each.decode().rstrip("\n")
        yield question(f"{tree}:launch") + question(f"{tree}:record")


def _hand_over(share: list[Any], told: Any) -> None:
    content = marshal.dumps(share, 2)  # later versions look for what is there twice
    told.write(len(content).to_bytes(_SIZE, "big"))
    told.write(content)
    told.flush()


def _shares(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Yield what was handed over; what is left of a share that is not whole is left out."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _SIZE:
            end = _SIZE + int.from_bytes(buffer[:_SIZE], "big")
            if len(buffer) < end:
                break
            share: list[Any] = marshal.loads(memoryview(buffer)[_SIZE:end])  # noqa: S302 - ours
            yield share
            del buffer[:end]


def _pieces(trees: Iterator[str]) -> Iterator[bytes]:
    while some := list(islice(trees, ASKED)):
        yield "".join([f"{each}\n" for each in some]).encode()


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
