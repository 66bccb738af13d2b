"""What a command wrote, and which of it is its own. Knows times and claims; nothing of code."""

from __future__ import annotations

import os
import stat as modes

from gitlineage import artifacts
from gitlineage.artifacts import is_inside
from gitlineage.capture.before import start_others

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from gitlineage.artifacts import Reader
    from gitlineage.capture.before import Before, Given
    from gitlineage.records.artifact import Artifact
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

    def written(self, repository: Repository) -> dict[str, os.stat_result]:
        """Return the files of the work tree that were written since, in order of path.

        A file that was not there before counts whatever its time of modification says: `tar`,
        `cp -p` and `wget` set it back. Its time of change cannot be set.
        """
        # git compares 20,000 files in 20 ms where Python takes 80; both questions run at once.
        tracked = repository.start("diff-files", "--name-only", "-z", "--ignore-submodules=all")
        folders = self._given.unchanged_folders(self._started, self._before)
        others = start_others(
            repository, [each for each in folders if each != "." and not os.path.isabs(each)]
        )
        unchanged = tuple("" if each == "." else each + "/" for each in folders)
        changed = os.fsdecode(tracked.finish()).split("\0")
        before = self._before
        before.existed.update(path for path in changed if path not in before.missing)
        found = {}
        for path in (*changed, *os.fsdecode(others.finish()).split("\0")):
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
            if (
                modes.S_ISREG(stat.st_mode)
                and stat.st_ctime_ns >= self._started
                and (stat.st_mtime_ns >= self._started or path not in before.existed)
            ):
                found[path] = stat
        return dict(sorted(found.items()))

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
        folders = [each.path for each in outputs if each and each.type == "directory"]
        folders += self._given.folders
        inside = [
            path
            for path in written
            if path not in declared and any(is_inside(path, each) for each in folders)
        ]
        if len(inside) > DETECTED_AT_MOST:  # the manifests have all of them
            outputs += [self._read(each, "declared") for each in self._given.folders]
        known = {each.path for each in outputs if each}
        detected = [path for path in mine if path not in known and path not in inside]
        if len(detected) > DETECTED_AT_MOST:
            self._warnings.append(
                f"{len(detected) - DETECTED_AT_MOST} more files were written and "
                "are not listed: declare their folder with -o"
            )
        outputs += [self._read(path, "declared") for path in inside[:DETECTED_AT_MOST]]
        outputs += [self._read(path, how) for path in detected[:DETECTED_AT_MOST]]
        return [each for each in outputs if each is not None]

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
        return read.replace(change="overwritten" if is_changed else "created", previous=previous)


def unclaimed(
    written: Mapping[str, os.stat_result],
    declared: Container[str],
    others: Sequence[Other],
    ancestors: Container[str],
    execution: str,
) -> tuple[list[str], list[str]]:
    """Return the written files that are surely this execution's, and those that nobody claims.

    What a nested execution claims is its own. A file that was written while an unrelated
    execution ran may be that one's: nobody claims it by time alone.
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
        overlap = any(
            each.started <= at and (each.finished is None or at <= each.finished)
            for each in rivals
            for at in (stat.st_mtime_ns, stat.st_ctime_ns)
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
