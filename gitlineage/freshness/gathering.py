"""Gets what is needed to say how files stand: the index, what the work tree holds, git's diff."""

from __future__ import annotations

import os

from gitlineage import artifacts, differences, encoding, partial
from gitlineage.artifacts import is_inside
from gitlineage.capture import code_now
from gitlineage.errors import LineageError
from gitlineage.fingerprints import Fingerprints
from gitlineage.freshness.images import Images
from gitlineage.freshness.standings import Reason, Standing, folders_of, standings
from gitlineage.records import Record
from gitlineage.records.end import End
from gitlineage.records.launch import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from gitlineage.index import Index, Mention, Row
    from gitlineage.repository import Repository

CONFIGURATIONS = ("valohai.yaml", "lineage.yaml")
"""Names of the files that steps stand in."""


class Status(Record):
    """How the files in the work tree stand."""

    standings: tuple[Standing, ...]
    """Those of which something is here, or was, by path."""
    unknown_count: int = 0
    """Executions whose code is not here, so that it is not known whether it has changed."""
    unseen: tuple[str, ...] = ()
    """Executions that made what is current, of which nobody knows what they read but the code."""
    blamed: tuple[str, ...] = ()
    """Executions whose outputs are stale for the code alone, which they may not have read."""


def gather(repository: Repository, index: Index, paths: Sequence[str] = ()) -> Status:
    """Return how files stand that executions made here, or in other copies of the work tree.

    With `paths`, as they are recorded, only those that these are, hold, or are in.
    """
    work_tree = _WorkTree(repository)
    made = work_tree.known(index.made_last())
    ids = list({each.id for each in made})
    rows = index.rows(ids)
    host = os.uname().nodename
    inputs = {
        id: [
            each
            for each in mentions
            if each.direction == "input" and (each.host == host or not os.path.isabs(each.path))
        ]
        for id, mentions in index.artifacts_of(ids).items()
    }
    code = _Code(repository, work_tree.fingerprints, rows, inputs)
    found = standings(
        made,
        rows,
        inputs,
        content=work_tree.content,
        was_here=work_tree.was_here,
        code=code.changed,
        is_code=code.has,
        planned=_Plans(repository, code, rows).reasons,
        image=Images(repository, rows).reason,
    )
    asked = [each for each in found if not paths or any(_is_about(each, path) for path in paths)]
    unknown = {each.execution for each in asked} & code.unknown
    current = dict.fromkeys(each.execution for each in asked if each.state == "current")
    unseen = tuple(id for id in current if code.is_unseen(id))
    stale = [each for each in asked if {reason.kind for reason in each.reasons} == {"code"}]
    blamed = dict.fromkeys(each.execution for each in stale if not code.is_read(each.execution))
    return Status(
        standings=tuple(asked),
        unknown_count=len(unknown),
        unseen=unseen,
        blamed=tuple(blamed),
    )


def _is_about(standing: Standing, path: str) -> bool:
    is_around = standing.type == "directory" and is_inside(path, standing.path)
    return is_inside(standing.path, path) or is_around


class _WorkTree:
    """What the work tree holds, each path read once."""

    def __init__(self, repository: Repository) -> None:
        self.fingerprints = Fingerprints(repository.lineage_dir)
        self._reader = artifacts.Reader(repository.work_tree(), self.fingerprints)
        self._contents: dict[str, str | None] = {}
        self._was_here: set[str] = set()

    def known(self, made: Sequence[Mention]) -> list[Mention]:
        """Return those of which something is in the work tree, or was."""
        top = self._reader.locate("")
        paths = {e.removeprefix(top) for e in self.fingerprints.made_paths() if e.startswith(top)}
        # Of a directory it is its files of which it is known that they were made here.
        holders = {(each.id, each.path) for each in made if each.type == "directory"}
        for each in made:
            if each.path in paths:
                self._was_here |= {each.path, *(
                    folder for folder in folders_of(each.path) if (each.id, folder) in holders
                )}  # fmt: skip
        return [
            each
            for each in made
            if each.path in self._was_here
            or (not os.path.isabs(each.path) and os.path.exists(self._reader.locate(each.path)))
        ]

    def content(self, path: str) -> str | None:
        """Return the digest of what is at a path now."""
        if path not in self._contents:
            try:
                self._contents[path] = self._reader.read(path, how="declared").digest
            except OSError:
                self._contents[path] = None
        return self._contents[path]

    def was_here(self, path: str) -> bool:
        """Tell whether an execution on this machine made something at a path."""
        return path in self._was_here


class _Code:
    """How the code that executions ran differs from the code as it stands."""

    def __init__(
        self,
        repository: Repository,
        fingerprints: Fingerprints,
        rows: Mapping[str, Row],
        inputs: Mapping[str, Sequence[Mention]],
    ) -> None:
        self._repository = repository
        self._rows = rows
        self._inputs = inputs
        self._read: Mapping[str, Set[str] | None] | None = None
        self._files: dict[str, Mapping[str, object]] = {}
        self._changed: dict[str, set[str]] = {}
        trees = list({row.code_tree for row in rows.values() if row.code_tree})
        try:
            now = code_now(repository, fingerprints).tree if trees else None
        except LineageError:
            now = None  # a repository that cannot be written to
        if now is not None:
            are_here = zip(trees, repository.are_readable(trees), strict=True)
            pairs = [(tree, now) for tree, is_here in are_here if is_here]
            partial.complete(repository, [tree for tree, _ in pairs])
            found = differences.notable(repository, pairs)
            self._changed = {tree: changed for (tree, _), changed in found.items()}
        self.unknown = {id for id, row in rows.items() if row.code_tree not in self._changed}

    def changed(self, id: str) -> Set[str]:
        """Return the files of the code that an execution ran, and read, that are others now."""
        changed = self._changed.get(self._tree(id), set())
        if not changed or not self.is_read(id):
            return changed
        # Where its system calls tell which files of the code it read, the others do not count.
        return changed & (self._observed(id) | (self._code_read(id) or set()))

    def is_read(self, id: str) -> bool:
        """Tell whether it is known which files of the code an execution read."""
        is_known = self._code_read(id) is not None
        return is_known or any(self.has(id, path) for path in self._observed(id))

    def _observed(self, id: str) -> set[str]:
        return {each.path for each in self._inputs.get(id, ()) if each.how == "observed"}

    def _code_read(self, id: str) -> Set[str] | None:
        """Return the files of the code that an execution read, where that was observed."""
        if self._read is None:
            asked = [
                id
                for id, row in self._rows.items()
                if self._changed.get(self._tree(id)) or not row.inputs_count
            ]
            names = [f"{self._rows[each].commit}:record" for each in asked]
            contents = self._repository.contents(names)
            self._read = dict(zip(asked, map(_code_read, contents), strict=True))
        return self._read.get(id)

    def is_unseen(self, id: str) -> bool:
        """Tell whether no input of an execution is known, and its system calls neither."""
        row = self._rows.get(id)
        return row is not None and not row.inputs_count and self._code_read(id) is None

    def has(self, id: str, path: str) -> bool:
        """Tell whether a file is part of the code that an execution ran."""
        tree = self._tree(id)
        if tree not in self._files:
            self._files[tree] = self._repository.entries(tree)
        return path in self._files[tree]

    def _tree(self, id: str) -> str:
        row = self._rows.get(id)
        return (row.code_tree if row else None) or ""


def _code_read(record: bytes | None) -> Set[str] | None:
    try:
        found = None if record is None else encoding.decode(End, record).code_read
    except LineageError:
        return None  # a damaged record hides nothing else
    return None if found is None else frozenset(found)


class _Plans:
    """What the changes of configurations mean for the steps that executions were of."""

    def __init__(self, repository: Repository, code: _Code, rows: Mapping[str, Row]) -> None:
        self._repository = repository
        self._code = code
        self._rows = rows

    def reasons(self, id: str) -> Mapping[str, Sequence[Reason]]:
        """Return why what an execution made is stale, by the configuration's path."""
        if not any(os.path.basename(each) in CONFIGURATIONS for each in self._code.changed(id)):
            return {}
        commit = self._rows[id].commit
        launch, then = self._repository.contents([f"{commit}:launch", f"{commit}:config"])
        try:
            found = encoding.decode(Launch, launch, id[:12]) if launch else None
            if found is None or found.configuration is None or then is None:
                return {}
            with open(
                os.path.join(self._repository.work_tree(), found.configuration), "rb"
            ) as file:
                now = file.read()
        except (OSError, LineageError):
            return {}
        from gitlineage.freshness import planned  # it brings the parser of configurations

        return {found.configuration: planned.reasons(found, then, now)}
