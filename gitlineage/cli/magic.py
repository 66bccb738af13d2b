"""`%%lineage`: a notebook's cell as one execution, with the options of `run`."""

from __future__ import annotations

import sys

from gitlineage.cli import plain
from gitlineage.cli.run import given, said
from gitlineage.errors import LineageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.underway import Recording

NAME = "lineage"

OPTIONS = ("-i", "-o", "-p", "-t", "--title", "--step", "--metrics", "--price", "-q")
"""Those options of `run` that mean something to a cell."""


def load_ipython_extension(shell: Any) -> None:
    """Make `%%lineage` known."""
    if _unfold not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(_unfold)
    shell.register_magic_function(_record, "line", NAME)


def unload_ipython_extension(shell: Any) -> None:
    """Take `%%lineage` away."""
    shell.input_transformers_cleanup.remove(_unfold)
    del shell.magics_manager.magics["line"][NAME]


def _unfold(lines: list[str]) -> list[str]:
    """Make of `%%lineage` a first line, so that the others stay an ordinary cell.

    A cell's magic gets them as text: `await`, the value of the last line and clean tracebacks
    would be lost.
    """
    if not lines or lines[0].split(maxsplit=1)[:1] != ["%%" + NAME]:
        return lines
    from IPython.core.inputtransformer2 import cell_magic

    rest: list[str] = cell_magic(lines[1:])  # type: ignore[no-untyped-call]
    return [lines[0][1:], *rest]


def _record(line: str) -> None:
    """Record this cell: %%lineage [-i PATH] [-o PATH] [-p NAME=VALUE] [-t TAG] [--title TEXT]..."""
    import shlex

    from IPython.core.error import UsageError

    from gitlineage import lineage as api

    try:
        options = plain.parse([*shlex.split(line), "--", NAME])
        if options is None or set(options) - {*OPTIONS, "command"}:
            raise UsageError(
                f"%%{NAME} takes {' '.join(OPTIONS)}, as `git lineage run -h` has them"
            )

        def end(recording: Recording) -> None:
            for text in said(recording, is_quiet="-q" in options):
                sys.stdout.write(text + "\n")

        api.open().begin_cell(**given(options), on_end=end)
    except ValueError as error:
        raise UsageError(f"%%{NAME}: {error}") from error
    except LineageError as error:
        hint = f"\nhint: {error.advice()}" if error.advice() else ""
        raise UsageError(f"{error}{hint}") from error
