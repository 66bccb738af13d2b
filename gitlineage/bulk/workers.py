"""Makes records on all cores, in the order in which executions come.

Knows processes and pipes; knows no record.
"""

from __future__ import annotations

import gc
import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections import deque

import gitlineage
from gitlineage.bulk.making import Maker
from gitlineage.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO, Any, Self

    from gitlineage.bulk.making import Chunk

MOST = 8
"""Processes: what one alone puts into packs keeps no more busy."""


class Workers:
    """Processes that make records; none is started for a single chunk."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._processes:
            each.kill()
            each.communicate()

    def make(self, chunks: Iterator[Sequence[Any]]) -> Iterator[Chunk]:
        """Yield the records of each chunk of executions."""
        first = next(chunks, None)
        if first is None:
            return
        second = next(chunks, None)
        if second is None:
            yield self._maker.make(first)
            return
        self._start()
        idle, busy = deque(self._processes), deque[subprocess.Popen[bytes]]()
        for each in itertools.chain((first, second), chunks):
            if idle:
                busy.append(_give(idle.popleft(), each))
                continue
            # Each has one chunk at a time: neither side waits for the other to read.
            process = busy.popleft()
            made = _take(process)
            busy.append(_give(process, each))
            yield made
        for process in busy:
            yield _take(process)

    def _start(self) -> None:
        path = os.path.dirname(os.path.dirname(gitlineage.__file__))
        others = os.environ.get("PYTHONPATH")
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, others)))}
        for _ in range(min(len(os.sched_getaffinity(0)), MOST)):
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gitlineage.bulk"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=variables,
            )
            self._processes.append(process)
            _give(process, self._maker)


def _give(process: subprocess.Popen[bytes], what: object) -> subprocess.Popen[bytes]:
    assert process.stdin is not None
    try:
        _write(process.stdin, what)
    except BrokenPipeError:
        pass  # it has ended: `_take` will say so
    return process


def _take(process: subprocess.Popen[bytes]) -> Chunk:
    assert process.stdout is not None
    try:
        made: Chunk = pickle.load(process.stdout)  # noqa: S301 - it is one of ours
    except EOFError:
        code = process.wait()
        raise Refused(reason=f"a process that makes records has ended with {code}") from None
    return made


def _write(pipe: IO[bytes], what: object) -> None:
    pickle.dump(what, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def serve() -> None:
    """Make the records of what comes on standard input, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    gc.disable()  # records have no cycles, and looking for some takes a tenth of the time
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    maker: Maker = pickle.load(asked)  # noqa: S301 - it is ours
    while True:
        try:
            chunk = pickle.load(asked)  # noqa: S301
        except EOFError:
            return
        _write(told, maker.make(chunk))
