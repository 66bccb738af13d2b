"""Which files are nobody's data: those of the system, caches, installed programs. Knows paths only.

Patterns are read as those of `.gitignore` are, and the last one that fits decides: `NAME` and
`NAME/` fit anywhere, `FOLDER/NAME` from the top of the work tree, `/PATH` and `~/PATH` on the
machine, and `!PATTERN` takes back what one before it has left out.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SYSTEM = (
    "/bin/", "/boot/", "/dev/", "/etc/", "/gnu/", "/lib/", "/lib32/", "/lib64/", "/libx32/",
    "/nix/", "/opt/", "/proc/", "/run/", "/sbin/", "/snap/", "/sys/", "/usr/", "/var/cache/",
    "/var/lib/", "/var/log/", "/var/run/",
)  # fmt: skip
"""Folders of the machine that hold no data; a work tree in one of them does."""

SHARED = (".*", "nccl-*", "psm_*", "pulse-shm-*", "pym-*", "sem.*", "torch_*")
"""Names that libraries give in `/dev/shm` to the memory that processes share."""

OUTSIDE = (
    *("*.so", "*.so.*", "!/opt/ml/", "!/dev/shm/"),
    *(f"/dev/shm/{name}" for name in SHARED),  # noqa: S108 - names that are looked for
    "~/.*",
)
"""The same outside of the work tree. SageMaker has its data in `/opt/ml`, and whoever wants it in
memory in `/dev/shm`."""

BACK = tuple(os.fsencode(each[1:]) for each in OUTSIDE if each.startswith("!"))
"""Folders of those of the system that may hold data."""

ANYWHERE = ("lib/python*/", "site-packages/", "dist-packages/", "R/*-library/")
"""Where languages keep what is installed, at any depth."""

MARKS = ("pyvenv.cfg", "conda-meta")
"""A folder that holds one of these is an environment: what is installed, and nothing else."""


class Rules:
    """What is left out around one work tree."""

    def __init__(self, top: str, patterns: Iterable[str]) -> None:
        """`patterns` come after the ones above, and decide before they do."""
        self._top = os.fsencode(top) + b"/"
        self._system = tuple(os.fsencode(each) for each in SYSTEM)
        self._data = (self._top, *BACK)
        given = list(patterns)
        # What a pattern brings back from there has to be looked for; mostly there is none.
        self._is_plain = not any(each.startswith("!") for each in given)
        defaults = [_outside(_expression(each, top), top) for each in (*SYSTEM, *OUTSIDE)]
        rest = [_expression(each, top) for each in (*(f"**/{e}" for e in ANYWHERE), *given)]
        self._groups = _grouped([*defaults, *rest])
        self._environments: dict[bytes, bool] = {b"/": False, self._top[:-1]: False}

    def leave_out(self, path: bytes) -> bool:
        """Tell whether a file, by its absolute path, is nobody's data."""
        if self._is_plain and path.startswith(self._system) and not path.startswith(self._data):
            return True
        for is_left_out, expression in self._groups:
            if expression.match(path):
                return is_left_out
        return self._is_environment(os.path.dirname(path))

    def is_inside(self, path: bytes) -> bool:
        """Tell whether a file is in the work tree."""
        return path.startswith(self._top)

    def _is_environment(self, folder: bytes) -> bool:
        known = self._environments.get(folder)
        if known is None:
            known = self._environments[folder] = self._is_environment(
                os.path.dirname(folder)
            ) or any(os.path.exists(os.path.join(folder, each)) for each in map(os.fsencode, MARKS))
        return known


Expression = tuple[bool, bytes]
"""Whether what fits is left out, and the regular expression."""


def _expression(pattern: str, top: str) -> Expression:
    """Return the regular expression of a pattern, for absolute paths."""
    is_left_out = not pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    ending = b"/" if pattern.endswith("/") else b"(?:/|$)"
    pattern = pattern.rstrip("/")
    inside = re.escape(os.fsencode(top)) + b"/"
    if pattern.startswith("~/"):
        pattern = os.path.join(os.path.expanduser("~"), pattern[2:])
    if pattern.startswith("/"):
        start = b""
    elif "/" in pattern and not pattern.startswith("**/"):
        start = inside
    else:  # above the work tree a name says nothing of what is in it
        start = b"(?:" + inside + b"|(?!" + inside + b")/)(?:.*/)?"
        pattern = pattern.removeprefix("**/")
    return is_left_out, start + _translated(os.fsencode(pattern)) + ending


def _outside(expression: Expression, top: str) -> Expression:
    return expression[0], b"(?!" + re.escape(os.fsencode(top)) + b"/)" + expression[1]


def _translated(pattern: bytes) -> bytes:
    """Return a regular expression that fits what a shell's pattern does, `**` included."""
    pieces = re.split(rb"(\*\*/|\*\*|\*|\?|\[!?\]?[^]]*\])", pattern)
    special = {b"**/": b"(?:.*/)?", b"**": b".*", b"*": b"[^/]*", b"?": b"[^/]"}
    found = b""
    for piece in pieces:
        if piece.startswith(b"[") and len(piece) > 2:
            found += b"[" + piece[1:].replace(b"!", b"^", 1) if piece[1:2] == b"!" else piece
        else:
            found += special.get(piece) or re.escape(piece)
    return found


def _grouped(expressions: Iterable[Expression]) -> list[tuple[bool, re.Pattern[bytes]]]:
    """Return one expression for each run of the same kind, the last first."""
    groups: list[tuple[bool, list[bytes]]] = []
    for is_left_out, expression in expressions:
        if not groups or groups[-1][0] != is_left_out:
            groups.append((is_left_out, []))
        groups[-1][1].append(b"(?:" + expression + b")")
    return [(kind, re.compile(b"|".join(each), re.DOTALL)) for kind, each in reversed(groups)]
