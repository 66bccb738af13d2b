"""What a command wrote, and which of it is its own. Knows times and claims; nothing of code."""

from __future__ import annotations

import os
import stat as modes

from gitlineage import artifacts, worktree
from gitlineage.artifacts import is_inside
from gitlineage.capture import moves
from gitlineage.records.artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from gitlineage.artifacts import Reader
    from gitlineage.capture.before import Before, Given
    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository
    from gitlineage.running import Other

DETECTED_AT_MOST = 1000
"""Outputs that are listed by detection; folders with more are to be declared."""


class Outputs:
    """The outputs of one execution, once its command has ended."""

    def __init__(
        self, reader: Reader, given: Given, before: Before, started: int, warnings: list[str]
    ) -> None:
        self._reader = reader
        self._given = given
        self._before = before
        self._started = started
        """The file system's clock at the start, in nanoseconds."""
        self._warnings = warnings
        self._written: dict[str, os.stat_result] = {}
        self.gone: list[str] = []
        """What was there before and is not any more; known once `written` is."""
        self.appeared: dict[str, os.stat_result] = {}
        """Unchanged files that were not there before, and may be some of those."""
        self.moved: dict[str, str] = {}
        """Of these the ones of which it is known where they were: new path to the one before."""
        self.renamed: Mapping[str, str] = {}
        """What was renamed, new path to the one before, where that was observed."""
        self.appended: Container[str] | None = None
        """Files that were only ever opened to be appended to; None where that was not observed."""
        self.sources: list[Artifact] = []
        """Inputs that outputs tell of, once these are read: what was renamed or appended to."""

    def written(
        self, repository: Repository, asked: tuple[GitProcess, GitProcess | None]
    ) -> dict[str, os.stat_result]:
        """Return the files of the work tree that were written since, in order of path.

        `asked` are git's lists of changed and of other files, started; the latter not where it
        need not look into folders in which nothing has changed.

        A file that was not there before counts whatever its time of modification says: `tar`,
        `cp -p` and `wget` set it back. Its time of change cannot be set.
        """
        tracked, others = asked
        folders = self._given.unchanged_folders(self._started, self._before)
        if others is None:
            inside = [each for each in folders if each != "." and not os.path.isabs(each)]
            others = worktree.start_others(repository, inside)
        unchanged = tuple("" if each == "." else each + "/" for each in folders)
        changed = os.fsdecode(tracked.finish()).split("\0")
        now = os.fsdecode(others.finish()).split("\0")
        before = self._before
        was_tracked = {path for path in changed if path and path not in before.missing}
        before.existed.update(was_tracked)
        found, appeared = {}, {}
        for path in (*changed, *now):
            if path.startswith(unchanged) or not path or path.endswith("/"):
                continue
            if self._given.is_stream(path):
                continue
            if path == self._given.notebook:
                continue
            try:
                stat = os.lstat(self._reader.locate(path))
            except OSError:
                continue
            if not modes.S_ISREG(stat.st_mode):
                continue
            if stat.st_ctime_ns < self._started:
                if path not in before.existed:
                    appeared[path] = stat  # in a folder that was renamed, it may be
            elif stat.st_mtime_ns >= self._started or path not in before.existed:
                found[path] = stat
        # Mostly nothing has come or gone, and two lists are compared ten times as fast as sets.
        there = () if before.untracked == [each for each in now if each] else before.untracked
        self.gone = self._gone({*there, *was_tracked}, now)
        names = {os.path.basename(each) for each in self.gone}
        self.appeared = {
            path: stat for path, stat in appeared.items() if os.path.basename(path) in names
        }
        self.moved = moves.pairs(self.gone, self.appeared)
        found.update(self.appeared)
        self._written = dict(sorted(found.items()))
        return self._written

    def _gone(self, there: Iterable[str], now: Sequence[str]) -> list[str]:
        given = self._given
        found = moves.gone({*there, *given.stats}, now, self._reader.locate)
        return [each for each in found if each != given.notebook and not given.is_stream(each)]

    def read(
        self, written: Mapping[str, os.stat_result], mine: Sequence[str], how: str = "detected"
    ) -> list[Artifact]:
        """Return what was declared, what is in declared folders, and what is mine by time.

        `how` is how it is known what is mine.
        """
        declared, stdout = self._given.outputs, self._given.stdout
        outputs = [self._read(name, "declared", given) for name, given in declared.items()]
        if stdout is not None and stdout not in declared:
            outputs.append(self._read(stdout, "detected", role="stdout"))
        folders = [
            each.path for each in outputs if each and each.type == "directory" and each.digests
        ]
        folders += self._given.folders
        inside = [
            path
            for path in written
            if path not in declared and any(is_inside(path, each) for each in folders)
        ]
        if len(inside) > DETECTED_AT_MOST:  # the manifests have all of them
            outputs += [self._read(each, "declared") for each in self._given.folders]
        known = {each.path for each in outputs if each}
        kept = {path for path in mine if any(is_inside(path, each) for each in folders)}
        detected = [path for path in mine if path not in known and path not in kept]
        if len(detected) > DETECTED_AT_MOST:
            self._warnings.append(
                f"{len(detected) - DETECTED_AT_MOST} more files were changed and "
                "are not listed: declare their folder with -o"
            )
        outputs += [self._read(path, "declared") for path in inside[:DETECTED_AT_MOST]]
        outputs += [self._read(path, how) for path in detected[:DETECTED_AT_MOST]]
        return self._joined([each for each in outputs if each is not None])

    def _joined(self, outputs: Sequence[Artifact]) -> list[Artifact]:
        """Return outputs with what was renamed as one of them; what they come from is noted."""
        deleted = {each.path: each for each in outputs if each.change == "deleted"}
        origins = self._origins(outputs, deleted) if deleted else {}
        found = []
        for each in outputs:
            if (old := origins.get(each.path)) is not None:
                previous = self._before.digests.get(old) or each.digests.get("blake3")
                each = each.replace(change="renamed", renamed_from=old, previous=previous)
                self.sources.append(
                    Artifact(
                        path=old,
                        type="file",
                        how="argument" if self._given.argument(old) else _found(each),
                        digests=each.digests,
                        size=each.size,
                        is_executable=each.is_executable,
                    )
                )
            elif each.change == "deleted" and each.path in origins.values():
                continue
            elif each.change == "appended" and each.previous is not None and self.appended:
                # Only then: what begins alike may have been written anew.
                size = self._before.sizes.get(each.path)
                digests = {"blake3": each.previous}
                self.sources.append(
                    Artifact(
                        path=each.path, type="file", how=_found(each), digests=digests, size=size
                    )
                )
            found.append(each)
        return found

    def _origins(
        self, outputs: Sequence[Artifact], deleted: Mapping[str, Artifact]
    ) -> dict[str, str]:
        """Return of what was renamed the path before: what is the same file, or the same bytes."""
        made = {each.path: each for each in outputs if each.change == "created"}
        stats = {**self._given.inputs, **self._given.stats, **self._before.stats}
        lost = {path: stats[path] for path in deleted if path in stats}
        new = {path: self._written[path] for path in made if path in self._written}
        found = {path: old for path, old in self.moved.items() if path in made and old in deleted}
        found |= moves.same_files(lost, new)
        observed = self.renamed.items()
        found |= {path: old for path, old in observed if path in made and old in deleted}
        contents = {e.digests.get("blake3"): path for path, e in made.items() if e.size}
        for path, each in deleted.items():
            there = contents.get(each.previous) if each.previous is not None else None
            if there is not None and there not in found and path not in found.values():
                found[there] = path
        return found

    def read_arguments(self, rewritten: Mapping[str, str | None]) -> list[Artifact]:
        """Return the files that the command line names and the command wrote."""
        outputs = [
            self._read(name, "argument", spelled=given)
            for name, given in rewritten.items()
            if name not in self._given.outputs
        ]
        return [each for each in outputs if each is not None]

    def _read(
        self,
        name: str,
        how: str,
        given: str | None = None,
        *,
        role: str | None = None,
        spelled: str | None = None,
    ) -> Artifact | None:
        """Return an output as it is now; None for a declared one that was not made."""
        full = self._reader.locate(name)
        try:
            stat = os.stat(full)
            read = self._reader.read(name, how=how, role=role, given=given or spelled)
        except OSError as error:
            reason = artifacts.why(error, full)
            if not os.path.lexists(full) and (name in self.gone or name in self._before.stats):
                return self._deleted(name, how, role, given or spelled)
            if given is not None and not os.path.lexists(full):
                self._warnings.append(f"output {given} was not made: {reason}")
            elif os.path.lexists(full):
                self._warnings.append(f"output {given or name} cannot be read: {reason}")
            return None
        if given is not None:
            changed_at = max(stat.st_mtime_ns, stat.st_ctime_ns)
            if read.type == "directory":
                changed_at = max(changed_at, artifacts.changed_at(full))
            if changed_at < self._started:
                self._warnings.append(f"output {given} was there before and was not written")
                return None
        previous = self._before.digests.get(name)
        is_changed = name in self._before.existed or previous is not None
        change = "overwritten" if is_changed else "created"
        if is_changed and read.type == "file" and self._is_appended(name, full, previous):
            change = "appended"
        return read.replace(change=change, previous=previous)

    def _is_appended(self, name: str, full: str, previous: bytes | None) -> bool:
        if self.appended is not None:
            return name in self.appended
        size = self._before.sizes.get(name)
        return size is not None and previous is not None and moves.is_appended(full, size, previous)

    def _deleted(self, name: str, how: str, role: str | None, given: str | None) -> Artifact:
        stat = self._before.stats.get(name)
        return Artifact(
            path=name,
            type="directory" if stat and modes.S_ISDIR(stat.st_mode) else "file",
            how="argument" if os.path.isabs(name) and how == "detected" else how,
            role=role,
            given=given if given != name else None,
            host=os.uname().nodename if os.path.isabs(name) else None,
            change="deleted",
            previous=self._before.digests.get(name),
        )


def _found(output: Artifact) -> str:
    """Return how it is known what an output comes from: nobody has declared that."""
    return "detected" if output.how == "declared" else output.how


def unclaimed(
    written: Mapping[str, os.stat_result | None],
    declared: Container[str],
    others: Sequence[Other],
    ancestors: Container[str],
    execution: str,
) -> tuple[list[str], list[str]]:
    """Return the written files that are surely this execution's, and those that nobody claims.

    What a nested execution claims is its own. A file that was written while an unrelated
    execution ran may be that one's: nobody claims it by time alone. None stands for one of which
    it is not known when it changed, since it is gone or in a folder that was renamed.
    """
    nested = _nested(others, execution)
    taken = nested_claims(others, execution)
    rivals = [each for each in others if each.id not in nested and each.id not in ancestors]
    theirs = {claim for each in rivals for claim in each.claims}
    mine: list[str] = []
    doubtful: list[str] = []
    for path, stat in written.items():
        if path in taken or path in declared or _is_among(path, theirs):
            continue
        overlap = bool(rivals) and (
            stat is None
            or any(
                each.started <= at and (each.finished is None or at <= each.finished)
                for each in rivals
                for at in (stat.st_mtime_ns, stat.st_ctime_ns)
            )
        )
        (doubtful if overlap else mine).append(path)
    return mine, [path for path in doubtful if not _is_among(path, declared)]


def nested_claims(others: Sequence[Other], execution: str) -> set[str]:
    """Return what the executions inside of one claim."""
    nested = _nested(others, execution)
    return {path for each in others if each.id in nested for path in each.claims}


def _nested(others: Sequence[Other], execution: str) -> set[str]:
    nested = {execution}
    for _ in others:  # children before grandchildren, in as many rounds as it may take
        nested |= {each.id for each in others if each.parent in nested}
    return nested


def _is_among(path: str, claims: Container[str]) -> bool:
    """Tell whether a path, or a folder that it is in, is one of these."""
    while path and path not in claims:
        path = os.path.dirname(path)
    return bool(path) or "." in claims
