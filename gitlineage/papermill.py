"""How a notebook is run as a command: by papermill, of the Python that has it.

Knows papermill's options; runs nothing but the question whether it is there.
"""

from __future__ import annotations

import os
import sys

from gitlineage.errors import Refused, ToolMissing
from gitlineage.program import which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ENDING = ".ipynb"

_ASKED = "import importlib.util as util; raise SystemExit(not util.find_spec('papermill'))"


PYTHONS = ("python", "python3")
"""What may be called so in a container; whether it has papermill shows once it runs."""


def command(
    notebook: str, executed: str, parameters: Mapping[str, Any], *, is_contained: bool = False
) -> list[str]:
    """Return the command that runs a notebook and writes it, executed, to another file.

    Raises Refused for what is no notebook, ToolMissing where there is no papermill.
    """
    about = _metadata(notebook)
    if os.path.exists(executed) and os.path.samefile(notebook, executed):
        raise Refused(reason=f"{executed} is the notebook itself: it would be overwritten")
    words = [PYTHONS[-1] if is_contained else _python(), "-m", "papermill", notebook, executed]
    kernel = about.get("kernelspec") or {}
    if not kernel.get("name"):
        words += ["-k", "python3"]
    if not (kernel.get("language") or (about.get("language_info") or {}).get("name")):
        words += ["-l", "python"]
    for name, value in parameters.items():
        words += _parameter(name, value)
    # What cells print is printed, so that it is the log, and JSON in it metadata.
    # In a container nobody but root may open its standard error by that name.
    told = ("--stdout-file", "-", "--stderr-file", "-" if is_contained else "/dev/stderr")
    return [*words, "--no-progress-bar", "--log-level", "WARNING", *told]


def executed_name(notebook: str) -> str:
    """Return where the executed notebook goes, where nobody says: `NAME.out.ipynb`, beside it."""
    return notebook.removesuffix(ENDING) + ".out" + ENDING


def step_of(notebook: str) -> str:
    """Return the step's name: that of the notebook, without its extension."""
    return os.path.basename(notebook).removesuffix(ENDING)


def _metadata(path: str) -> dict[str, Any]:
    import json

    try:
        with open(path, "rb") as file:
            content = json.load(file)
        about = content.get("metadata") or {}
        if "nbformat" not in content or not isinstance(about, dict):
            raise ValueError("it has no nbformat")
    except OSError as error:
        raise Refused(reason=f"{path}: {(error.strerror or '').lower()}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise Refused(reason=f"{path} is not a notebook: {error}") from error
    return about


def _parameter(name: str, value: Any) -> list[str]:
    if isinstance(value, str):
        return ["-r", name, value]
    if isinstance(value, (bool, int, float)):
        return ["-p", name, repr(value)]
    import json

    return ["-y", json.dumps({name: value})]


def _python() -> str:
    """Return the Python that has papermill: that of the folder's work before our own."""
    found = [name for name in ("python", "python3") if which(name, os.environ)]
    import subprocess

    for name in (*found, sys.executable):
        asked = subprocess.run(
            [name, "-c", _ASKED], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if asked.returncode == 0:
            return name
    raise ToolMissing(
        tool="papermill",
        what="running a notebook",
        remedy="install it where the notebook runs: pip install 'git-lineage[notebooks]'",
    )
