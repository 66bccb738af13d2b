"""What remotes were seen to have set back, kept in `lineage/rewound`. Knows no git.

A fetch tells it once; it stays told for whoever looks whether all is sound.
"""

from __future__ import annotations

import os
import time

from gitlineage import access
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT = 100
"""How many are kept, the last ones."""


class Rewind(Record):
    """One ref that a remote has set back, or deleted."""

    at: int
    """Seconds; when that was seen."""
    remote: str
    ref: str


def note(folder: str, remote: str, refs: Sequence[str]) -> None:
    """Keep that a remote has set back refs."""
    if not refs:
        return
    path, at = os.path.join(folder, "rewound"), int(time.time())
    lines = [f"{each.at} {each.ref} {each.remote}\n" for each in noted(folder)]
    lines += (f"{at} {ref} {remote}\n" for ref in refs)
    try:
        access.make_folder(folder)
        with open(f"{path}.{os.getpid()}", "w", errors="surrogateescape") as file:
            file.writelines(lines[-KEPT:])
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        return  # a repository that cannot be written to: it was said


def noted(folder: str) -> list[Rewind]:
    """Return what was kept, oldest first."""
    try:
        with open(os.path.join(folder, "rewound"), errors="surrogateescape") as file:
            lines = [line.rstrip("\n").split(" ", 2) for line in file]
    except OSError:
        return []
    return [
        Rewind(at=int(line[0]), ref=line[1], remote=line[2])
        for line in lines
        if len(line) == 3 and line[0].isdecimal()
    ]
