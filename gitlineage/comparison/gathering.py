"""Gathers what a comparison of two executions needs from the stores. Decides nothing itself."""

from __future__ import annotations

from gitlineage import differences, digest, encoding
from gitlineage.comparison.changes import compare
from gitlineage.errors import Damaged, LineageError
from gitlineage.ledger import Ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from gitlineage.comparison.changes import Comparison
    from gitlineage.records.execution import Execution
    from gitlineage.repository import Repository


def gather(
    repository: Repository,
    before: Execution,
    after: Execution,
    paths: Sequence[str],
    bring: Callable[[Sequence[str]], None],
) -> Comparison:
    """Return in what two executions differ; `bring` fetches trees of code that are not here."""
    code: Sequence[tuple[str, str]] | None = ()
    if (trees := _trees(before, after)) is not None:
        try:
            bring(trees)
            code = differences.files(repository, *trees, paths)
        except LineageError:
            code = None  # the rest is worth telling
    return compare(
        before,
        after,
        code=code,
        packages=(_packages(repository, before), _packages(repository, after)),
        manifests=_Manifests(repository, (before, after)).entries,
        paths=paths,
    )


def patch(
    repository: Repository, found: Comparison, paths: Sequence[str], options: Sequence[str]
) -> bytes:
    """Return how the code differs, as git tells it; nothing where it does not."""
    trees = _trees(found.before, found.after)
    if trees is None or not all(repository.are_readable(trees)):
        return b""
    return differences.patch(repository, *trees, paths, options)


def _trees(before: Execution, after: Execution) -> tuple[str, str] | None:
    """Return the trees that ran, where they are two."""
    one, other = (each.launch.code.tree if each.launch else None for each in (before, after))
    return (one, other) if one and other and one != other else None


def _packages(repository: Repository, execution: Execution) -> Mapping[str, str] | None:
    """Return what was installed, name to version; None where that is not known."""
    if execution.commit is None:
        return None
    content = repository.contents([f"{execution.commit}:environment"])[0]
    if content is None:
        return None
    found = {}
    try:
        held = encoding.unpack(content, execution.id[:12])
    except Damaged:
        return None
    for listed in held.values() if isinstance(held, dict) else ():
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict) and "name" in each and "version" in each:
                found[str(each["name"])] = " ".join(
                    str(each[name]) for name in ("version", "build", "origin") if each.get(name)
                )
    return found


class _Manifests:
    """The manifests of some executions, read when the first is asked for."""

    def __init__(self, repository: Repository, executions: Sequence[Execution]) -> None:
        self._ledger = Ledger(repository)
        self._commits = [each.commit for each in executions if each.commit]
        self._held: dict[str, bytes] | None = None

    def entries(self, name: str) -> Sequence[Mapping[str, Any]] | None:
        """Return what a directory holds; None where that is not known."""
        if self._held is None:
            self._held = {}
            for commit in self._commits:
                self._held.update(self._ledger.manifests(commit))
        content = self._held.get(name)
        # One that is not what its name says could lead in circles.
        if content is None or digest.of_bytes(content).hex() != name:
            return None
        try:
            found: Sequence[Mapping[str, Any]] = encoding.unpack(content, name[:12])
        except Damaged:
            return None
        return found
