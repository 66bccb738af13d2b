"""The Python API: one object over one repository. Each method is short; the work is done below.

    import gitlineage

    with gitlineage.open() as lineage:
        for execution in lineage.executions(step="train", limit=5):
            print(execution.id, execution.status)
        print(lineage.trace("model.pkl").nodes)

Inside a running execution, `gitlineage.log(accuracy=0.93)` adds a metadata point.
"""

from __future__ import annotations

import os

from gitlineage import points
from gitlineage.errors import LineageError, NothingRuns
from gitlineage.recording import EXECUTION, FOLDER
from gitlineage.repository import Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gitlineage.lineage.whole import Lineage as Lineage


def open(path: str | os.PathLike[str] = ".") -> Lineage:
    """Return the lineage of the repository that a folder is in. Raises NoRepository."""
    from gitlineage.lineage.whole import Lineage

    return Lineage(Repository.discover(os.fspath(path)))


def current() -> str | None:
    """Return the id of the execution that this process is part of, or None."""
    from gitlineage import session

    if session.active is not None:
        return session.active.id
    return os.environ.get(EXECUTION)


def log(**values: Any) -> None:
    """Add a metadata point to the execution that this process is part of.

    Where none is running, one begins here: it is recorded when the process, or the notebook's
    cell, ends. Raises NothingRuns outside of a repository.
    """
    from gitlineage import session
    from gitlineage.running import Running

    execution, folder = os.environ.get(EXECUTION), os.environ.get(FOLDER)
    if session.active is None and execution and folder:
        running = Running(folder)
        if running.launch(execution) is None:
            raise NothingRuns()  # it has ended, or its folder is not to be seen from here
        points.append(running.points_path(execution), values)
        return
    if session.active is None:
        try:
            session.begin_until_exit(open())
        except LineageError as error:
            raise NothingRuns() from error
    assert session.active is not None
    session.active.log(**values)


def __getattr__(name: str) -> object:
    # On first use: a command that is recorded waits for no part that it does not need.
    if name == "Lineage":
        from gitlineage.lineage.whole import Lineage

        return Lineage
    raise AttributeError(f"module 'gitlineage.lineage' has no attribute {name!r}")
