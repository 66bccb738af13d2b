"""The files that are there before a command: those that it is given, and those that outputs are
told from. Knows paths and what they held; nothing of code.
"""

from __future__ import annotations

import os
import stat as modes

from gitlineage import artifacts, digest, fingerprints, identity
from gitlineage.errors import InputMissing, Refused
from gitlineage.records.artifact import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitlineage.artifacts import Reader
    from gitlineage.fingerprints import Fingerprints
    from gitlineage.repository import Repository

ANNEX = "annex/objects"
"""Where git-annex keeps content, in the git directory."""

OPEN = ("/dev/std", "/dev/fd/", "/proc/self/fd/")
"""What names of open files begin with: a word may mean one that is ours, and none of its own."""


class Before:
    """What was there before, as far as outputs are told from it."""

    def __init__(self) -> None:
        self.existed: set[str] = set()
        """What was there and git does not track; and declared outputs."""
        self.missing: set[str] = set()
        """What git tracks and was not there."""
        self.untracked: list[str] = []
        """What was there and git does not track."""
        self.digests: dict[str, bytes] = {}
        """blake3 of declared files, and of what earlier executions made."""
        self.sizes: dict[str, int] = {}
        """Bytes that those held."""
        self.stats: dict[str, os.stat_result] = {}
        """Of declared outputs."""

    def note_inputs(self, inputs: Iterable[Artifact]) -> None:
        """Remember what declared inputs held: they may be outputs, too."""
        for each in inputs:
            if each.type == "file" and (content := each.digests.get("blake3")):
                self.digests[each.path], self.sizes[each.path] = content, each.size or 0

    def note(self, name: str, full: str, known: Fingerprints) -> None:
        """Remember that a declared output exists, and its content where that is cheap to have."""
        try:
            stat = self.stats[name] = os.stat(full)
            self.existed.add(name)
            if not modes.S_ISREG(stat.st_mode):
                return
            self.sizes[name] = stat.st_size
            if stat.st_size < fingerprints.WORTH_ASKING:
                with open(full, "rb") as file:
                    self.digests[name] = digest.of_bytes(file.read())
            elif found := known.known(full, stat):
                self.digests[name] = found["blake3"]
        except OSError:
            return


class Given:
    """The files that a command is given: declared, its arguments, its standard streams."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.uris: list[tuple[Artifact, str]] = []
        """Declared inputs that are URIs, and as they were given: with whatever secrets."""
        self.uri_outputs: list[tuple[Artifact, str]] = []
        """Declared outputs that are URIs."""
        self.inputs: dict[str, os.stat_result] = {}
        """Declared inputs, as they were before."""
        self.outputs: dict[str, str] = {}
        """Declared outputs: path to the spelling that was given."""
        self.folders: list[str] = []
        """New folders: all that is written in them is declared, and it need not be anything."""
        self.stdout: str | None = None
        """The file that standard output goes to, where it is this execution's alone."""
        self.notebook: str | None = None
        """The notebook that somebody's editor saves while its cell runs: no output of the cell."""
        self.stats: dict[str, os.stat_result] = {}
        """Files that the command line names, code too, as they were before."""
        self._changed_at: dict[str, int] = {}
        """When something in a declared folder has changed last."""
        self._logs: set[str] = set()
        """Files that our own words go to as well: neither code nor outputs."""
        self._arguments: dict[str, tuple[Artifact, os.stat_result]] = {}
        """Files named as arguments, as they were before: hashed later, when they are unchanged."""
        self._absent: dict[str, str] = {}
        """Paths outside the work tree that the command line names and that were not there."""

    def is_stream(self, name: str) -> bool:
        """Tell whether standard output or standard error goes to a file."""
        return name in self._logs or name == self.stdout

    # -- before ----------------------------------------------------------------------------

    def read_inputs(
        self,
        inputs: Iterable[tuple[str | None, str]],
        downloads: Mapping[str, Artifact],
    ) -> tuple[Artifact, ...]:
        """Return the declared inputs; downloads are known, by URI. Raises InputMissing."""
        found = []
        for role, given in inputs:
            if given in downloads:
                found.append(downloads[given].replace(role=role))
                continue
            if artifacts.is_uri(given):
                found.append(_of_uri(given, role))
                self.uris.append((found[-1], given))
                continue
            if not given:
                raise InputMissing(path="''", reason="a path or a URI is needed")
            name = self._reader.name(given)
            try:
                self.inputs[name] = os.stat(self._reader.locate(name))
                found.append(self._reader.read(name, how="declared", role=role, given=given))
            except OSError as error:
                reason = artifacts.why(error, self._reader.locate(name))
                raise InputMissing(path=given, reason=reason) from error
        return tuple(found)

    def folders_in(self, inputs: Iterable[tuple[str | None, str]]) -> tuple[str, ...]:
        """Return the folders below the top of the work tree that are among inputs, by name."""
        found = []
        for _, given in inputs:
            if given and not artifacts.is_uri(given):
                name = self._reader.name(given)
                full = self._reader.locate(name)
                is_below = name != "." and not os.path.isabs(name)
                if is_below and os.path.isdir(full) and not os.path.islink(full):
                    found.append(name)
        return tuple(found)

    @property
    def has_folders(self) -> bool:
        """Tell whether there is a folder among the declared inputs."""
        return any(modes.S_ISDIR(stat.st_mode) for stat in self.inputs.values())

    def note_output(self, given: str) -> str | None:
        """Remember a declared output; return its name, none for a URI. Raises Refused."""
        if not given:
            raise Refused(reason=f"output {given!r} is not a path")
        if artifacts.is_uri(given):
            self.uri_outputs.append((_of_uri(given, None), given))
            return None
        name = self._reader.name(given)
        self.outputs[name] = given
        return name

    def note_streams(self, *, is_session: bool) -> None:
        """Remember which files standard output and standard error are.

        A shell has made or emptied the file of `> FILE` before we were started: that is no change
        of the code. Where the file held something, or gets our own messages too, it is a log.
        """
        out, err = _file_behind(1), _file_behind(2)
        for path in (out, err):
            if path is not None:
                self._logs.add(self._reader.name(path))
        if out is not None and out != err and not os.fstat(1).st_size and not is_session:
            name = self._reader.name(out)
            if not os.path.isabs(name):  # outside, it is where somebody keeps logs
                self.stdout = name
                self._logs.discard(name)

    def note_notebook(self, given: str) -> None:
        """Remember the notebook whose cell runs."""
        self.notebook = self._reader.name(given)

    def note_arguments(self, words: Sequence[str], repository: Repository) -> None:
        """Remember the files that the command line names, and a file that is standard input."""
        candidates: dict[str, tuple[str, str | None]] = {}
        for word in words:
            for given in (word, word.partition("=")[2]):
                if not given or given.startswith(("-", *OPEN)):
                    continue
                if os.path.isfile(given):
                    candidates[self._reader.name(given)] = (given, None)
                elif "/" in given and not os.path.lexists(given):
                    name = self._reader.name(given)
                    if os.path.isabs(name):
                        self._absent[name] = given
        if (path := _file_behind(0)) is not None:
            candidates[self._reader.name(path)] = (path, "stdin")
        for name in (*self.inputs, *self.outputs, *self._logs, self.stdout or ""):
            candidates.pop(name, None)
        inside = [name for name in candidates if not os.path.isabs(name)]
        self.stats = {name: os.stat(self._reader.locate(name)) for name in candidates}
        if inside:
            tracked = repository.ask("--literal-pathspecs", "ls-files", "-z", "--", *inside)
            for name in os.fsdecode(tracked).split("\0"):
                if name and not is_annexed(self._reader.locate(name)):
                    candidates.pop(name, None)  # code of the snapshot
        for name, (given, role) in candidates.items():
            artifact = Artifact(
                path=name,
                type="file",
                how="argument",
                role=role,
                given=given if role is None and given != name else None,
                host=os.uname().nodename if os.path.isabs(name) else None,
            )
            self._arguments[name] = (artifact, self.stats[name])

    def argument(self, name: str) -> Artifact | None:
        """Return a file that the command line names, without its content."""
        found = self._arguments.get(name)
        return found[0] if found else None

    # -- after -----------------------------------------------------------------------------

    def unchanged_folders(self, started: int, before: Before) -> tuple[str, ...]:
        """Return the declared folders in which nothing has changed; note what the others held.

        They are looked at once: in 100,000 files that takes 0.3 s.
        """
        for name, stat in self.inputs.items():
            if modes.S_ISDIR(stat.st_mode):
                self._changed_at[name] = artifacts.changed_at(self._reader.locate(name))
                if self._changed_at[name] >= started:
                    members = self._reader.members(name)
                    before.existed.update(members)
                    before.untracked = [*before.untracked, *members]
        return tuple(name for name, at in self._changed_at.items() if at < started)

    def changed_inputs(self, started: int) -> list[str]:
        """Return the declared inputs, but for outputs, that changed while the command ran."""
        return [
            name
            for name, before in self.inputs.items()
            if name not in self.outputs and self._is_changed(name, before, started)
        ]

    def used(
        self, written: Mapping[str, os.stat_result], before: Before
    ) -> tuple[tuple[Artifact, ...], Mapping[str, str | None]]:
        """Return the files that were named as arguments, and those that the run wrote.

        The latter only where time alone does not find them: outside of the work tree, or below
        what is never looked at there.
        """
        used = []
        rewritten: dict[str, str | None] = {
            name: given
            for name, given in self._absent.items()
            if os.path.isfile(name) and name not in self.outputs
        }
        for name, (artifact, stat) in self._arguments.items():
            full = self._reader.locate(name)
            if name in written or not os.path.exists(full):
                continue
            if _changed(full, stat):
                rewritten[name] = artifact.given
                before.existed.add(name)
                continue
            try:
                read = self._reader.read(name, how="argument", role=artifact.role)
            except OSError:
                continue
            used.append(
                artifact.replace(
                    digests=read.digests, size=read.size, is_executable=read.is_executable
                )
            )
        return tuple(used), rewritten

    def read_arguments(self) -> list[Artifact]:
        """Return the files named as arguments, as they are now."""
        found = []
        for name, (artifact, _) in self._arguments.items():
            try:
                found.append(self._reader.read(name, how="argument", role=artifact.role))
            except OSError:
                continue
        return found

    def _is_changed(self, name: str, before: os.stat_result, started: int) -> bool:
        full = self._reader.locate(name)
        if modes.S_ISDIR(before.st_mode):
            at = self._changed_at.get(name)
            return (artifacts.changed_at(full) if at is None else at) >= started
        return _changed(full, before)


def is_annexed(path: str) -> bool:
    """Tell whether git tracks nothing of a file but a link to where git-annex keeps its content."""
    try:
        return f"/{ANNEX}/" in os.readlink(path)
    except OSError:
        return False


def _of_uri(given: str, role: str | None) -> Artifact:
    path = identity.address(given)
    return Artifact(path=path, type="uri", how="declared", role=role)


def _file_behind(descriptor: int) -> str | None:
    """Return the path of the regular file that a standard stream is, where it is one."""
    try:
        if modes.S_ISREG(os.fstat(descriptor).st_mode):
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            return path if os.path.isfile(path) else None
    except OSError:
        return None
    return None


def _changed(path: str, before: os.stat_result) -> bool:
    try:
        now = os.stat(path)
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns, now.st_ino) != (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
