"""The notebook's kernel that this process is: the cells that it ran, and what a cell prints.

Knows IPython's shell, in which it looks but changes nothing that stays; knows no records' stores.
"""

from __future__ import annotations

import os
import sys

from gitlineage import digest, encoding
from gitlineage.records.launch import Notebook
from gitlineage.records.parts import Cell, Cells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LARGEST = 1 << 20
"""Characters of cells that are kept with each execution; the oldest are left out."""


def shell() -> Any:
    """Return the IPython shell that this process is, if it is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def state(shell: Any, masked: Callable[[str], str]) -> tuple[Notebook, bytes]:
    """Return which cell is running, and the part with that cell and those that ran before it.

    `masked` takes secrets out of a cell's text.
    """
    ran = _cells(shell)
    kept, size = len(ran), 0
    while kept and (size := size + len(ran[kept - 1].source)) <= LARGEST:
        kept -= 1
    cells = [Cell(number=each.number, source=masked(each.source)) for each in ran[kept:]]
    part = encoding.encode(Cells(cells=tuple(cells)))
    notebook = Notebook(
        path=_path(shell),
        cell=ran[-1].number if ran else None,
        before_count=max(len(ran) - 1, 0),
        cells_digest=digest.of_bytes(part),
    )
    return notebook, part


def _cells(shell: Any) -> list[Cell]:
    # Each as it was typed; the first is empty, so that the place is the number.
    typed = shell.history_manager.input_hist_raw if shell.history_manager else ()
    return [Cell(number=place, source=text) for place, text in enumerate(typed) if place]


def _path(shell: Any) -> str | None:
    """Return the notebook's file: VS Code and Jupyter tell, each in its own way."""
    names = (shell.user_ns.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME"))
    for name in names:
        if isinstance(name, str) and name.endswith(".ipynb") and os.path.isfile(name):
            return name
    return None


class Copies:
    """Hands what is written to standard output and standard error to a sink as well."""

    def __init__(self, sink: Callable[[int, bytes], None]) -> None:
        self._undo: list[Callable[[], None]] = []
        # The streams stay the same objects: loggers of earlier cells hold them.
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            self._copy(number, stream, sink)

    def _copy(self, number: int, stream: Any, sink: Callable[[int, bytes], None]) -> None:
        write = stream.write
        had = vars(stream).get("write")

        def copied(text: str) -> Any:
            if isinstance(text, str):
                sink(number, text.encode(errors="replace"))
            return write(text)

        def undo() -> None:
            if stream.write is not copied:
                return  # somebody else has put something on top
            if had is None:
                del stream.write
            else:
                stream.write = had

        try:
            stream.write = copied
        except AttributeError:
            return  # a stream that lets nobody listen
        self._undo.append(undo)

    def stop(self) -> None:
        """Let the streams be as they were."""
        for undo in self._undo:
            undo()


def traceback_of(shell: Any, error: BaseException) -> bytes:
    """Return the traceback of a cell, where the shell has not printed it but sent it."""
    if not hasattr(shell, "kernel"):
        return b""
    import traceback

    where = error.__traceback__
    while where is not None and "IPython" in where.tb_frame.f_globals.get("__name__", ""):
        where = where.tb_next
    lines = traceback.format_exception(type(error), error, where)
    return "".join(lines).encode(errors="replace")
