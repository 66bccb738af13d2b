"""What was observed of a command, as inputs, outputs and code. Knows what the command was given."""

from __future__ import annotations

import os
import re
import stat as modes

from gitlineage.artifacts import is_inside
from gitlineage.capture.before import ANNEX, is_annexed
from gitlineage.capture.folding import fold
from gitlineage.errors import InvalidSetting, NotObservable
from gitlineage.observation import Observer, Rules, find
from gitlineage.records.artifact import Artifact
from gitlineage.worktree import NOT_OUTPUTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.artifacts import Reader
    from gitlineage.capture.before import Before, Given
    from gitlineage.capture.outputs import Outputs
    from gitlineage.fingerprints import Fingerprints
    from gitlineage.observation import Observed, Seen
    from gitlineage.observation.within import Within
    from gitlineage.repository import Repository

SETTING = "lineage.observe"
PATTERNS = "lineage.observeignore"

KEPT_IN = (f".git/{ANNEX}/", ".dvc/cache/")
"""Folders in the work tree in which others keep content that links elsewhere in it stand for."""

TICK = 20_000_000
"""Nanoseconds that the clock of a file system may be behind: a file that was written so shortly
after it was read seems to have been written before."""


def observer(repository: Repository, setting: str, within: Within | None = None) -> Observer | None:
    """Return what observes a command here, or within a container; or None.

    Raises NotObservable, InvalidSetting.
    """
    if setting not in ("always", "auto"):
        raise InvalidSetting(name=SETTING, value=setting, allowed="always, auto or never")
    try:
        tracer = within.find() if within else find()
        return Observer(tracer, _rules(repository), within)
    except NotObservable:
        if setting == "always":
            raise
        return None


def _rules(repository: Repository) -> Rules:
    top = os.path.realpath(repository.work_tree())
    annex = os.path.realpath(os.path.join(repository.common_dir, ANNEX))
    kept: tuple[str, ...] = ()
    if os.path.isdir(annex):
        # In git's own folder, and all the same the content of files that links in the work tree
        # stand for.
        kept = ("!" + "".join(f"[{each}]" if each in "*?[" else each for each in annex) + "/",)
    return Rules(top, (*NOT_OUTPUTS, *kept, *repository.words(PATTERNS)))


def is_traced() -> bool:
    """Tell whether somebody traces this very process: nobody else may then."""
    with open("/proc/self/status", "rb") as file:
        found = re.search(rb"^TracerPid:\t(\d+)", file.read(), re.MULTILINE)
    return bool(found and int(found[1]))


LISTED_AT_MOST = 1000
"""Inputs, and files of the code, that a record lists: it is to stay small."""


class Sight:
    """What one command was seen to read and write."""

    def __init__(
        self,
        repository: Repository,
        reader: Reader,
        fingerprints: Fingerprints,
        given: Given,
        before: Before,
    ) -> None:
        self._repository = repository
        self._reader = reader
        self._fingerprints = fingerprints
        self._given = given
        self._before = before
        self._read: list[tuple[str, Seen]] = []
        self.written: list[str] = []
        """The files that it made or changed and that are there, by recorded path."""
        self.gone: list[str] = []
        """The files that were there and that it deleted or renamed, by recorded path."""
        self.renamed: dict[str, str] = {}
        """What it renamed: new path to the one before."""
        self.appended: set[str] = set()
        """The files that it only appended to."""
        self.code: tuple[str, ...] | None = ()
        """The files of the code that it read; None where they are too many to be listed."""
        self.warnings: list[str] = []

    @property
    def changed(self) -> list[str]:
        """The files that it made, changed, renamed or deleted."""
        return sorted({*self.written, *self.gone})

    def look(self, observed: Observed, started: int, outputs: Outputs) -> None:
        """Tell code, inputs and outputs apart; `started` is as for `Outputs`."""
        listed = os.fsdecode(self._repository.ask("ls-files", "-z", "--recurse-submodules"))
        tracked = frozenset(listed.split("\0"))
        code = set()
        for each in observed.files:
            name = self._name(each)
            if self._given.is_stream(name) or name == self._given.notebook:
                continue
            self._note_content(name, each)
            if each.is_written and self._is_changed(name, each, started):
                self.written.append(name)
                if each.renamed_from is not None:
                    self.renamed[name] = self._reader.name(each.renamed_from)
                if each.is_appended and not each.is_own:
                    self.appended.add(name)
            if each.is_gone and self._is_gone(name, each, tracked):
                self.gone.append(name)
            if each.read_at is None or self._is_new(name, each, tracked, started):
                continue
            if name in tracked and not is_annexed(self._reader.locate(name)):
                code.add(name)
            elif not self._is_declared(name):
                self._read.append((name, each))
        self.code = tuple(sorted(code))
        if len(code) > LISTED_AT_MOST:
            self.code = None
            self.warnings.append(f"{len(code)} files of the code were read: they are not listed")
        outputs.moved = self._moved(observed.folders, outputs)
        for new, old in outputs.moved.items():
            self.written.append(new)
            self.gone.append(old)
            self.renamed[new] = old
        self.written.sort()

    def _moved(self, folders: Sequence[tuple[str, str]], outputs: Outputs) -> dict[str, str]:
        """Return which unchanged files are in folders that were renamed, and where they were."""
        found = {}
        for old in outputs.gone if folders else ():
            path = before = self._reader.locate(old)
            for source, target in folders:
                if path.startswith(source + "/"):
                    path = target + path[len(source) :]
            new = self._reader.name(path)
            if path != before and new in outputs.appeared:
                found[new] = old
        return found

    def _note_content(self, name: str, seen: Seen) -> None:
        """Remember what a file held that was looked at before it was written, or moved away."""
        is_from_before = not seen.is_written or seen.moved_to or _is_timely(seen)
        if seen.digest is not None and seen.stamp and is_from_before:
            self._before.digests.setdefault(name, seen.digest)
            self._before.sizes.setdefault(name, seen.stamp[1])

    def _is_gone(self, name: str, seen: Seen, tracked: frozenset[str]) -> bool:
        """Tell whether a file that was removed had been there, and is not there again."""
        if os.path.isabs(name):
            was_there = not seen.may_be_new
        else:
            was_there = name in self._before.existed or (
                name in tracked and name not in self._before.missing
            )
            # `git mv` takes it from the list of what is tracked.
            was_there = was_there or (seen.read_at is not None and not seen.may_be_new)
        return was_there and not os.path.lexists(self._reader.locate(name))

    def inputs(self) -> list[Artifact]:
        """Return the inputs that were not declared, with what they held when they were read.

        Of more than a record lists, folders that were read whole stand for their files.
        """
        read = dict(self._read)
        folders: list[str] = []
        if len(read) > LISTED_AT_MOST:
            steady = {name for name, seen in read.items() if _is_steady(seen)}
            folders, others = fold(steady, self._reader.locate)
            read = {name: read[name] for name in (*others, *(read.keys() - steady))}
        if (left := len(folders) + len(read) - LISTED_AT_MOST) > 0:
            self.warnings.append(
                f"{left} more files were read and are not listed: declare their folder with -i"
            )
        listed = sorted(read)[: max(0, LISTED_AT_MOST - len(folders))]
        found = [self._folder(each) for each in folders[:LISTED_AT_MOST]]
        found += [self._input(each, read[each]) for each in listed]
        return [each for each in found if each is not None]

    def _folder(self, name: str) -> Artifact | None:
        try:
            return self._reader.read(name, how="observed")
        except OSError:
            return None  # gone since

    def _name(self, seen: Seen) -> str:
        """Return how a file is recorded: by a link inside the work tree, if it was read by one."""
        name = self._reader.name(seen.path)
        is_elsewhere = os.path.isabs(name) or name.startswith(KEPT_IN)
        if is_elsewhere and seen.given != seen.path:
            given = self._reader.name(seen.given)
            if not os.path.isabs(given) and os.path.realpath(seen.given) == seen.path:
                return given
        return name

    def _is_declared(self, name: str) -> bool:
        return any(is_inside(name, each) for each in self._given.inputs)

    def _is_changed(self, name: str, seen: Seen, started: int) -> bool:
        """Tell whether a file that was opened to be written is there, and was written."""
        try:
            stat = os.lstat(self._reader.locate(name))
        except OSError:
            return False
        if not modes.S_ISREG(stat.st_mode):
            return False
        return seen.is_own or (
            stat.st_ctime_ns >= started
            and (stat.st_mtime_ns >= started or name not in self._before.existed)
        )

    def _is_new(self, name: str, seen: Seen, tracked: frozenset[str], started: int) -> bool:
        """Tell whether a file that seems to be read was made as it was opened."""
        if not seen.may_be_new or name in tracked or name in self._before.existed:
            return False
        try:
            return os.stat(seen.path).st_ctime_ns >= started
        except OSError:
            return True

    def _input(self, name: str, seen: Seen) -> Artifact | None:
        host = os.uname().nodename if os.path.isabs(name) else None
        named = self._given.argument(name) or Artifact(path=name, type="file", how="", host=host)
        artifact = named.replace(how="observed")
        there = seen.moved_to or seen.path
        try:
            now = os.stat(there)
        except OSError:
            now = None
        if now is not None and not modes.S_ISREG(now.st_mode):
            if not seen.stamp or seen.stamp[0] == now.st_ino:
                return None  # a folder, a pipe or a device
        elif now is not None and seen.stamp and _is_same(now, seen):
            read = self._reader.read(there, how="observed")
            return artifact.replace(
                digests=read.digests, size=read.size, is_executable=read.is_executable
            )
        if not seen.stamp and now is None:
            return None  # gone before anybody could look, as temporary files are
        content = self._content_before(name, seen)
        if content is None:
            self.warnings.append(f"what input {name} held when it was read is not known")
        return artifact.replace(
            digests={"blake3": content} if content else {},
            size=seen.stamp[1] if seen.stamp else None,
        )

    def _content_before(self, name: str, seen: Seen) -> bytes | None:
        """Return the blake3 of what a file held that is another now."""
        if seen.digest is not None and (seen.moved_to or _is_timely(seen)):
            return seen.digest
        return self._before.digests.get(name)


def _is_same(now: os.stat_result, seen: Seen) -> bool:
    """Tell whether a file is what it was when it was read."""
    assert seen.stamp is not None
    if (now.st_ino, now.st_size, now.st_mtime_ns) != seen.stamp[:3]:
        return False
    return bool(seen.moved_to) or not seen.is_written or _is_timely(seen)


def _is_steady(seen: Seen) -> bool:
    """Tell whether a file is there and holds what it did when it was read."""
    try:
        now = os.stat(seen.path)
    except OSError:
        return False
    return bool(seen.stamp) and modes.S_ISREG(now.st_mode) and _is_same(now, seen)


def _is_timely(seen: Seen) -> bool:
    """Tell whether a file was looked at before it was written again."""
    return bool(seen.stamp and seen.read_at and seen.stamp[3] <= seen.read_at * 1e9 - TICK)
