"""How a notebook is run as a command: by papermill, of the Python that has it.

Knows papermill's options; runs nothing but the question whether it is there.
"""

from __future__ import annotations

import os
import sys

from gitlineage.errors import Refused, ToolMissing, UnknownParameter
from gitlineage.program import which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ENDING = ".ipynb"

_ASKED = "import importlib.util as util; raise SystemExit(not util.find_spec('papermill'))"


PYTHONS = ("python", "python3")
"""What may be called so in a container; whether it has papermill shows once it runs."""


def command(
    notebook: str, executed: str, parameters: Mapping[str, Any], *, is_contained: bool = False
) -> list[str]:
    """Return the command that runs a notebook and writes it, executed, to another file.

    Raises Refused for what is no notebook, UnknownParameter, ToolMissing where there is no
    papermill.
    """
    content = _read(notebook)
    about = content.get("metadata") or {}
    if os.path.exists(executed) and os.path.samefile(notebook, executed):
        raise Refused(reason=f"{executed} is the notebook itself: it would be overwritten")
    _check(notebook, content, parameters)
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


def _check(notebook: str, content: Mapping[str, Any], given: Iterable[str]) -> None:
    """Refuse a parameter that the notebook has not: papermill goes on without it.

    Where it is not plain to see which it has, nothing is refused.
    """
    known = _parameters_of(content) if given else None
    for name in given if known is not None else ():
        if name not in (known or ()):
            import difflib

            near = difflib.get_close_matches(name, known or (), n=3, cutoff=0.5)
            listed = ", ".join(known or ()) or "nothing"
            remedy = f"did you mean {' or '.join(near)}?" if near else f"its parameters: {listed}"
            raise UnknownParameter(notebook=notebook, name=name, remedy=remedy)


def _parameters_of(content: Mapping[str, Any]) -> list[str] | None:
    """Return the names that the cell tagged `parameters` assigns; None where that is not known."""
    import ast

    try:
        about = content.get("metadata") or {}
        kernel, language = about.get("kernelspec") or {}, about.get("language_info") or {}
        if (kernel.get("language") or language.get("name") or "python").lower() != "python":
            return None
        for cell in content["cells"]:
            if "parameters" in (cell["metadata"].get("tags") or ()):
                lines = "".join(cell["source"]).split("\n")
                # Magics are no Python, and assign nothing that papermill knows.
                kept = [each for each in lines if not each.startswith(("%", "!"))]
                tree = ast.parse("\n".join(kept))
                names = [each for each in ast.walk(tree) if isinstance(each, ast.Name)]
                return list(dict.fromkeys(e.id for e in names if isinstance(e.ctx, ast.Store)))
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError, RecursionError):
        pass  # papermill says what it thinks of that
    return None


def _read(path: str) -> dict[str, Any]:
    import json

    try:
        with open(path, "rb") as file:
            content = json.load(file)
        if "nbformat" not in content or not isinstance(content.get("metadata") or {}, dict):
            raise ValueError("it has no nbformat")
    except OSError as error:
        raise Refused(reason=f"{path}: {(error.strerror or '').lower()}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise Refused(reason=f"{path} is not a notebook: {error}") from error
    found: dict[str, Any] = content
    return found


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
