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

from gitlineage.errors import NothingRuns
from gitlineage.recording import EXECUTION, FOLDER, Recorder, append_point
from gitlineage.repository import Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from gitlineage.recording import Recording
    from gitlineage.records import Execution


def open(path: str | os.PathLike[str] = ".") -> Lineage:  # noqa: A001 - as `tarfile.open`
    """Return the lineage of the repository that a folder is in. Raises NoRepository."""
    return Lineage(Repository.discover(os.fspath(path)))


class Lineage:
    """The executions, tags and deployments of one repository, and what to do with them."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""

    def run(
        self,
        command: Sequence[str],
        *,
        inputs: Sequence[str | tuple[str | None, str]] = (),
        outputs: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        title: str | None = None,
        step: str | None = None,
    ) -> Recording:
        """Run a command here, with our terminal and standard streams, and record it."""
        from gitlineage.capture import Request

        named = tuple((None, each) if isinstance(each, str) else each for each in inputs)
        return Recorder(self.repository).run(Request(
            command=tuple(command), inputs=named, outputs=tuple(outputs),
            parameters=parameters or {}, tags=tuple(tags), title=title, step=step,
        ))
