"""The code that executions ran: listed, read, exported, fetched when it is asked for."""

from __future__ import annotations

import os

from gitlineage.errors import NotInCode, Refused, UnknownId
from gitlineage.lineage.reading import Reading
from gitlineage.lineage.resolving import forgotten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.records.execution import Execution
    from gitlineage.records.redaction import Redaction


class Code(Reading):
    """The part of `Lineage` about code."""

    def code_files(self, name: str = "@") -> list[str]:
        """Return the files of the code that an execution ran."""
        tree = self._code_tree(name)
        listed = self.repository.ask("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree)
        return os.fsdecode(listed).split("\0")[:-1]

    def adhoc_files(self, execution: Execution) -> list[tuple[str, str]]:
        """Return which files of the code were not as in the commit: git's letter and the path.

        None of them where that is not known: commit or code are not here.
        """
        from gitlineage import differences

        code = execution.launch.code if execution.launch else None
        if code is None or not code.is_adhoc or not code.commit or not code.tree:
            return []
        if not all(self.repository.are_readable([code.commit, code.tree])):
            return []
        return differences.files(self.repository, code.commit, code.tree)

    def committed_as(self, execution: Execution) -> list[str]:
        """Return the commits, newest first, that ad-hoc code has become since it ran."""
        from gitlineage import history

        launch = execution.launch
        if launch is None or not launch.code.is_adhoc or not launch.code.tree:
            return []
        tree = launch.code.tree
        found = history.commits_of(self.repository, {tree}, launch.started_at // 1_000_000)
        return found.get(tree, [])

    def code_file(self, name: str, path: str) -> bytes:
        """Return a file of the code that an execution ran. Raises NotInCode."""
        tree, inside = self._code_tree(name), self.recorded_name(path)
        found = self.repository.contents([f"{tree}:{inside}"])[0]
        if found is None or self.repository.entries(tree).get(inside) is None:
            raise NotInCode(execution=self.resolve(name)[:12], path=path)
        return found

    def export_code(self, name: str, target: str) -> None:
        """Write the code that an execution ran into a new folder, or a .zip or .tar.gz file."""
        tree = self._code_tree(name)
        path = os.path.abspath(target)
        if path.endswith((".zip", ".tar.gz", ".tgz", ".tar")):
            self.repository.ask("archive", f"--output={path}", tree)
            return
        if os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
            raise Refused(reason=f"{target} is there already; give a new or an empty folder")
        from gitlineage import worktree

        worktree.check_out(self.repository, tree, path)

    def _code_tree(self, name: str) -> str:
        execution = self.execution(name)
        tree = execution.launch.code.tree if execution.launch else None
        if tree is None:
            raise UnknownId(asked=f"code of {name}")
        if redaction := self.code_forgotten(execution):
            raise forgotten(f"the code of {execution.id[:12]}", redaction)
        self._bring_code([tree])
        return tree

    def code_forgotten(self, execution: Execution) -> Redaction | None:
        """Return how the code of an execution was forgotten, where it was."""
        from gitlineage.settling import Settling

        return (
            Settling(self.repository).of_code(execution.launch.code) if execution.launch else None
        )

    def _bring_code(self, trees: Sequence[str]) -> None:
        """Fetch code: a clone has the records and not yet the code, which comes when asked for."""
        if not all(self.repository.are_readable(trees)):
            from gitlineage.sync.fetching import Fetcher

            fetcher = Fetcher(self.repository)
            fetcher.fetch(fetcher.remote(None), ("code",))
        from gitlineage import partial

        partial.complete(self.repository, trees)
