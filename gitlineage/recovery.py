"""Completes what dead recorders left, once more or for the first time.

Knows how far each had come by the files of its entry; how a record is put together is known below.
"""

from __future__ import annotations

import os
import stat as modes

from gitlineage import encoding, entries
from gitlineage.errors import CaptureFailed
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.completion import Completion
    from gitlineage.entries import Entry
    from gitlineage.repository import Repository


REMEMBERED = 5000
"""Files of a declared output that it is worth to remember."""


def recover(repository: Repository) -> list[str]:
    """Complete what dead recorders left; return the ids of executions that were interrupted."""
    running = Running(repository.lineage_dir)
    if not (dead := running.dead()):
        return []
    from gitlineage.completion import Completion  # with what it needs 20 ms, and rarely needed

    completion = Completion(repository)
    interrupted = []
    oldest = running.oldest()
    for entry in dead:
        try:
            if (commit := entry.commit()) and not running.may_go(entry, oldest):
                entry.release()
                continue
            finished = entry.finished()
            if finished is None and not _is_ours(entry):
                entry.release()
            elif finished is None and completion.is_appended(entry):
                entry.remove()  # killed while it removed the entry
            elif finished is None:
                _interrupt(repository, entry, completion)
                interrupted.append(entry.id)
                entry.release()
            elif commit and completion.is_safe(commit, finished):
                entry.remove()
            else:
                completion.append(entry, finished, is_new=False)
                entry.release()
        except Exception:  # noqa: BLE001 - one bad entry must not hide the lineage there is
            entry.release()  # a later command tries again
    return interrupted


def _is_ours(entry: Entry) -> bool:
    """Tell whether a dead entry is of this machine: only here does a free lock mean death."""
    return encoding.decode(Launch, entry.launch).place.host == os.uname().nodename


def _interrupt(repository: Repository, entry: Entry, completion: Completion) -> None:
    """Append what is left of an execution whose recorder died before its end."""
    from gitlineage import ending, points
    from gitlineage.capture import masking_of
    from gitlineage.printed import Printed

    launch = encoding.decode(Launch, entry.launch)
    printed = Printed()
    if os.path.exists(entry.log_path):
        with open(entry.log_path, "rb") as file:
            printed.take(file.read())
    collected = points.read(entry.path, repository)
    content, log = printed.log()
    warnings = ["its recorder died; outputs and duration are not known"]
    if launch.image is not None:
        from gitlineage.image import discard

        try:
            discard(entry.id)
        except CaptureFailed as error:
            warnings.append(f"its container may still run: {error}")
    end = End(
        execution=entry.id,
        status="interrupted",
        is_recovered=True,
        metadata=collected.last,
        points_count=collected.count,
        log=log,
        warnings=tuple(warnings),
    )
    masking = masking_of(repository)
    masking.recognize(content, "the log")
    end = ending.with_masked(end, launch, masking, entry)
    parts = ending.parts_of(entry, end, content, collected)
    finished = ending.finished_of(launch, end, parts, collected, (), "+0000")
    entry.finish(finished)
    completion.append_noted(entry, finished, launch, end)
    _remember(repository, entry)


def _remember(repository: Repository, entry: Entry) -> None:
    """Remember what is left of the declared outputs: data, not code of a later execution."""
    from gitlineage.fingerprints import Fingerprints, left_as

    read = entries.read(entry.path)
    left = {}
    for name in read[2] if read else ():
        path = os.path.join(entry.top, name)
        held = [os.path.join(folder, each) for folder, _, names in os.walk(path) for each in names]
        for each in [path, *held][:REMEMBERED]:
            try:
                stat = os.lstat(each)
            except OSError:
                continue
            if modes.S_ISREG(stat.st_mode) and stat.st_mtime_ns >= entry.started:
                left[each] = left_as(stat)
    if left:
        Fingerprints(repository.lineage_dir).set_made(left)
