"""Repeats executions in a throw-away work tree and says whether the same came out.

Knows the order of things; how one is run and recorded, where content is, and how two results
compare is known by other rooms. All inputs, or the executions that make them, are found before
anything is run.

`needs` has what an execution needs, `stage` the way of it into a work tree.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager

from gitlineage import datalad, encoding, environment, verdicts
from gitlineage.artifacts import Reader
from gitlineage.capture import agent_of
from gitlineage.contents import Contents
from gitlineage.downloads import LIMIT, Downloads
from gitlineage.errors import (
    ContentMissing,
    LineageError,
    NotConfirmed,
    Refused,
)
from gitlineage.fingerprints import Fingerprints
from gitlineage.recording import Recorder
from gitlineage.records import Record
from gitlineage.records.parts import Packages
from gitlineage.reproduction.needs import called, impossible, is_link_there, needs_of, wanted
from gitlineage.reproduction.stage import Stage
from gitlineage.running import Running
from gitlineage.scratch import Scratch, sweep
from gitlineage.settling import Settling
from gitlineage.trace import resolve_makers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from gitlineage.capture import Request
    from gitlineage.index import Index
    from gitlineage.records.end import Comparison, End
    from gitlineage.records.execution import Execution
    from gitlineage.repository import Repository
    from gitlineage.reproduction.needs import Need
    from gitlineage.underway import Recording

    Confirm = Callable[[Sequence["Stranger"]], bool]

PACKAGES_TOLD = 10
"""Differences of the environment that are told one by one."""

ANYWHERE = "put the file anywhere in the work tree: it is found by its content"
IN_LFS = "`git lfs fetch --all` brings it, where it was pushed"
"""What helps where no execution has made an input."""


class Reproduced(Record):
    """One execution that was repeated."""

    first: Execution
    id: str
    """Of the execution that repeats it."""
    end: End
    comparison: Comparison
    differences: tuple[tuple[str, str, str], ...]
    """How the environment differs: what, then, now."""
    problem: Exception | None = None
    """Why the record is not in the ledger yet, where it is not."""


class Stranger(Record):
    """An execution whose command is to be confirmed before it is run, and why."""

    execution: Execution
    reason: str


class Reproducer:
    """Repeats one execution of a repository, and those that it needs."""

    def __init__(
        self,
        repository: Repository,
        index: Index,
        load: Callable[[str], Execution],
        tree_of: Callable[[str], str],
        tell: Callable[[str], None],
    ) -> None:
        self._repository = repository
        self._index = index
        self._load = load
        self._tree_of = tree_of
        """Fetches the code of an execution, where it is not here, and returns its tree."""
        self._tell = tell
        self._fingerprints = Fingerprints(repository.lineage_dir)
        self._contents = Contents(repository, self._fingerprints)
        self._steps: dict[str, Execution] = {}
        """What is to be run, by id, in order."""
        self._needs: dict[str, list[Need]] = {}
        self._downloads: dict[str, dict[str, str]] = {}
        """Of each, where its inputs are that were downloaded, by URI."""
        self._promised: set[bytes] = set()
        """Content that one of the steps makes."""
        self._told: list[tuple[str, str, str]] = []
        """How the environment was last told to differ: of a chain it is mostly the same."""

    def reproduce(
        self,
        identity: str,
        *,
        chain: bool,
        tolerance: float | None,
        keep: str | None,
        confirm: Confirm | None,
        is_quiet: bool,
    ) -> list[Reproduced]:
        """Repeat an execution, and before it those that make what it lacks, and record that.

        Raises NotPossible, ContentMissing, NotConfirmed, Refused before anything is run; once
        something has run, NotPossible where others of a chain did not come out as they were.
        """
        if keep is not None and os.path.lexists(keep):
            if not os.path.isdir(keep) or os.listdir(keep):
                raise Refused(reason=f"{keep} is there already; give a new or an empty folder")
        sweep(self._repository)
        first = self._load(identity)
        while first.launch is not None and first.launch.reproduces is not None:
            first = self._load(first.launch.reproduces)
        self._plan(first, chain, ())
        self._confirm(confirm)
        done: list[Reproduced] = []
        with _ended_in_order(), ExitStack() as stack:
            stack.callback(self._fingerprints.close)
            for step in self._steps.values():
                # All stay to the end: what one has made, the next one needs.
                scratch = stack.enter_context(Scratch(self._repository))
                stack.callback(self._fingerprints.forget, scratch.top)
                done.append(self._repeat(step, scratch, tolerance, is_quiet))
                if step.id != first.id:
                    self._tell(f"{called(step)} came out {done[-1].comparison.verdict}")
            if keep is not None:
                scratch.give_away(keep)
        return done

    # -- before anything is run ------------------------------------------------------------

    def _plan(self, execution: Execution, chain: bool, path: tuple[str, ...]) -> None:
        """Find all that an execution needs; what is lacking is made by others, before it."""
        if execution.id in self._steps:
            return
        if execution.id in path:
            raise impossible(execution, "it needs what only itself can make")
        self._check(execution)
        self._downloads[execution.id] = self._download(execution)
        needs = self._needs[execution.id] = needs_of(execution, self._repository)
        found = self._contents.find([wanted(each, self._index) for each in needs])
        for each in needs:
            if each.is_outside:
                if not self._contents.is_at(each.path, each.digest):
                    reason = f"input {each.path} is not what it was, and lies outside of here"
                    raise impossible(execution, reason, f"put {_short(each)} there")
            elif each.digest in found or each.digest in self._promised or each.is_optional:
                continue
            elif not (each.is_link and is_link_there(each, self._repository)):
                self._plan_maker(execution, each, chain, path)
        self._steps[execution.id] = execution

    def _plan_maker(
        self, execution: Execution, need: Need, chain: bool, path: tuple[str, ...]
    ) -> None:
        maker = self._maker(execution, need)
        if maker is None:
            raise impossible(
                execution,
                f"input {need.path} ({_short(need)}) is not here, and no execution made it",
                IN_LFS if need.source.kept_by == "git-lfs" else ANYWHERE,
            )
        if not chain:
            raise ContentMissing(
                execution=called(execution),
                path=need.path,
                digest=_short(need),
                maker=called(maker),
                id=execution.id[:8],
            )
        self._plan(maker, chain, (*path, execution.id))
        self._promised.add(need.digest)

    def _check(self, execution: Execution) -> None:
        launch, end = execution.launch, execution.end
        if launch is None or launch.code.tree is None:
            raise impossible(execution, "its command or its code is not known")
        if launch.software.name == datalad.NAME:
            raise impossible(execution, "DataLad has recorded it", "`datalad rerun`")
        if launch.is_masked:
            raise impossible(execution, "secrets that it needs are masked in its record")
        if launch.is_torn:
            raise impossible(execution, "secrets that it needs were forgotten in its record")
        if redaction := Settling(self._repository).of_code(launch.code):
            raise impossible(execution, f"its code was forgotten by {redaction.agent.name}")
        if end is None:
            raise impossible(execution, "it has not ended yet")
        if end.status == "interrupted":
            raise impossible(execution, "how it ended is not known, so nothing can be compared")
        try:
            is_here = self._repository.are_readable([self._tree_of(execution.id)])[0]
        except LineageError:
            is_here = False  # and there is nowhere to fetch it from
        if not is_here:
            remedy = "where it ran: `git lineage push`; here: `git lineage fetch`"
            raise impossible(execution, f"its code {launch.code.tree[:12]} is not here", remedy)

    def _download(self, execution: Execution) -> dict[str, str]:
        """Return where the inputs are that were downloaded, by URI. Raises NotPossible."""
        limit = self._repository.size("lineage.downloadlimit", LIMIT)
        downloads = Downloads(self._repository.lineage_dir, limit)

        def tell(uri: str, have: int, total: int) -> None:
            if not have:
                self._tell(f"downloading {uri}")

        found = {}
        for each in execution.launch.inputs if execution.launch else ():
            if each.type == "uri" and each.digest:
                try:
                    found[each.path] = downloads.again(each, tell)
                except LineageError as error:
                    raise impossible(execution, str(error), error.advice()) from error
        return found

    def _maker(self, execution: Execution, need: Need) -> Execution | None:
        """Return the execution that made an input, or the file in it."""
        had = self._index.artifacts_of([execution.id]).get(execution.id, [])
        uses = [e for e in had if e.direction == "input" and e.path == need.source.path]
        for resolved in resolve_makers(uses, self._index):
            if resolved.maker is not None:
                return self._load(resolved.maker.id)
        text = "blake3:" + need.digest.hex()
        makers = self._index.makers_of([text]).get(text, [])
        return next((self._load(each.id) for each in makers if each.id != execution.id), None)

    def _confirm(self, confirm: Confirm | None) -> None:
        """Have commands confirmed that others wrote, or that reach out of the work tree."""
        strangers = [
            Stranger(execution=each, reason=reason)
            for each in self._steps.values()
            if (reason := self._strangeness(each)) is not None
        ]
        if strangers and (confirm is None or not confirm(strangers)):
            raise NotConfirmed(
                execution=called(strangers[0].execution),
                reason=strangers[0].reason,
                id=strangers[0].execution.id[:8],
            )

    def _strangeness(self, execution: Execution) -> str | None:
        """Return why a command is to be confirmed before it is run; None for one's own."""
        launch = execution.launch
        assert launch is not None
        if launch.agent.email != agent_of(self._repository)[0].email:
            return f"{launch.agent.name} <{launch.agent.email}> ran it"
        # Anybody can write our name into a record.
        if not Running(self._repository.lineage_dir).is_own(execution.id) and self._repository.tips(
            "refs/lineage-remotes/"
        ):
            return "it was not recorded in this clone"
        outside = [each.path for each in execution.outputs if os.path.isabs(each.path)]
        if os.path.isabs(launch.directory):
            outside.append(launch.directory)
        if launch.image is not None:
            outside += [each for each in launch.image.volumes if not each.endswith(":ro")]
        return f"it writes outside of the work tree, to {outside[0]}" if outside else None

    # -- one execution ---------------------------------------------------------------------

    def _repeat(
        self, execution: Execution, scratch: Scratch, tolerance: float | None, is_quiet: bool
    ) -> Reproduced:
        stage = Stage(self._repository, execution, scratch, self._tell)
        inner = stage.check_out()
        directory = stage.place(
            self._needs[execution.id], self._contents, self._index, self._fingerprints
        )
        request = stage.request(self._downloads[execution.id])
        stdin, stdout = stage.streams()
        reader = Reader(scratch.top, self._fingerprints)

        def read(path: str) -> bytes | None:
            try:
                return reader.read(path, how="detected").digests.get("blake3")
            except OSError:
                return None

        if is_quiet and stdout is None:
            stdout = os.devnull
        with scratch.entered(directory, stdin, stdout):
            differences = self._differences(execution, request, scratch)
            try:
                recording = Recorder(inner).run(
                    request,
                    compare=lambda end: verdicts.compare(execution, end, read, tolerance),
                )
            except LineageError as error:  # no such command, no such image: nothing was run
                raise impossible(execution, str(error), error.advice()) from error
        end = recording.end
        if end is None or end.comparison is None:
            raise impossible(execution, f"it could not be recorded: {recording.problem}")
        self._remember(recording, reader)
        return Reproduced(
            first=execution,
            id=recording.id,
            end=end,
            comparison=end.comparison,
            differences=tuple(differences),
            problem=recording.problem,
        )

    def _differences(
        self, execution: Execution, request: Request, scratch: Scratch
    ) -> list[tuple[str, str, str]]:
        """Tell, and return, how the environment differs from the one that it ran in."""
        assert execution.end is not None
        # The host's interpreter says nothing of one in an image.
        command = () if request.image else request.command
        gathered = environment.gather(command, os.environ, top=scratch.top)
        listed = self._repository.contents([f"{execution.commit}:environment"])[0]
        then, now = (
            encoding.decode(Packages, content, execution.id) if content else None
            for content in (listed, gathered.packages)
        )
        found = verdicts.of_environment(
            execution.end.environment, gathered.environment, (then, now)
        )
        if found == self._told:
            return found
        self._told = found
        for what, before, after in found[:PACKAGES_TOLD]:
            self._tell(f"{what}: {before} then, {after} now")
        if len(found) > PACKAGES_TOLD:
            self._tell(f"{len(found) - PACKAGES_TOLD} more packages differ")
        return found

    def _remember(self, recording: Recording, reader: Reader) -> None:
        """Remember what came out, for those who need it next."""
        for each in recording.end.outputs if recording.end else ():
            if each.type == "directory":
                reader.read(each.path, how="declared")
                for path, digest in reader.held(each.path).items():
                    self._contents.add(digest, path)
            elif "blake3" in each.digests:
                self._contents.add(each.digests["blake3"], reader.locate(each.path))


def _short(need: Need) -> str:
    return "blake3:" + need.digest.hex()[:8]


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Make what would end the process at once end it in order, so that nothing is left behind."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    found = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_DFL
    ]
    for number in found:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in found:
            signal.signal(number, signal.SIG_DFL)
