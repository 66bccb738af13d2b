"""Records executions: begins an entry, runs, collects, appends. Knows the order that loses nothing.

1. Hash declared inputs, keep the code, write the entry to disk, lock it.
   Killed here: nothing ran.
2. Run the command.
   Killed here: a later command finds the lock free and records `interrupted`.
3. Write the finished record beside the entry, to disk.
   Killed before: `interrupted`. After: a later command appends that record.
4. Append it to the ledger.
   Killed here, or somebody's `git gc --prune=now` takes the new objects before the ref has them:
   a later command looks, and appends it again.
5. Release the entry. It stays until a later command has found the record readable.
"""

from __future__ import annotations

import os
import time

from gitlineage import digest, encoding, fingerprints, points, relay
from gitlineage.capture import Capture, Found, Request, masking_of
from gitlineage.errors import CaptureFailed, Refused
from gitlineage.fingerprints import Fingerprints
from gitlineage.masking import Masking, sentence
from gitlineage.points import Collected, Points
from gitlineage.printed import Printed
from gitlineage.records import End, Execution, Launch
from gitlineage.running import Entry, Finished, Running
from gitlineage.signals import Grace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitlineage.completion import Completion
    from gitlineage.environment import Gathered
    from gitlineage.image import Container, Progress
    from gitlineage.records import Artifact, Comparison, Cost, FileMetadata, Image, Place, Usage
    from gitlineage.relay.outcome import Outcome
    from gitlineage.repository import Repository
    from gitlineage.sampling import Sampler
    from gitlineage.staging import Stage

EXECUTION = "GIT_LINEAGE_EXECUTION"
"""Environment variable with the id of the execution that a process runs inside of."""

FOLDER = "GIT_LINEAGE_DIR"
"""Environment variable with the folder where that execution's entry is."""

CURRENCY = "lineage.currency"
"""Configuration key with the currency of prices that name none."""

STOPPING = (1, 2, 3, 9, 15)
"""Signals that a person or a scheduler sends: HUP, INT, QUIT, KILL, TERM."""


class Recorder:
    """Records executions in one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.folder = repository.lineage_dir
        """Where entries of running executions are, for processes that log."""
        self.top = repository.top
        self._running = Running(repository.lineage_dir)

    def run(
        self,
        request: Request,
        on_pull: Progress | None = None,
        compare: Callable[[End], Comparison] | None = None,
    ) -> Recording:
        """Run a command and record it; the outcome is on the recording that comes back.

        `on_pull` is told how far an image is that has to be pulled; `compare` says of a
        reproduction, once its outputs are known, how they came out. Raises CaptureFailed,
        InputMissing, ReadOnlyRepository and others before anything is run; once the command has
        started nothing is raised: what went wrong is `Recording.problem`.
        """
        with Grace() as grace:
            # First, since a pull is slow: the code is to be what it is when the command starts.
            container = None
            if request.image is not None:
                container = self._container(request.image, request, on_pull)
                if request.plan is not None and request.plan.shells:
                    shell = container.first_of(request.plan.shells)
                    request = request.replace(command=(shell, *request.command[1:]))
            if request.plan is not None:
                os.chdir(request.plan.folder)
            recording = self.begin(request, container.image if container else None)
            recording.compare = compare
            try:
                printed = self._watch(recording, grace, container)
            finally:
                if recording.stage is not None:
                    recording.stage.close()
            self.finish(recording, printed)
        return recording

    def _watch(self, recording: Recording, grace: Grace, container: Container | None) -> Printed:
        """Run the command, and return what it prints; its outcome goes to the recording."""
        ours = {EXECUTION: recording.id, FOLDER: self._repository.lineage_dir}
        ours |= recording.masking.told()
        variables = {**_variables(), **ours}
        command: Sequence[str] = recording.given.command
        printed = Printed(recording.entry.log_path)

        def take_points(content: bytes) -> None:
            printed.take(content)
            recording.points.take(content)

        masking = recording.masking
        streams = {1: masking.stream(take_points), 2: masking.stream(printed.take)}
        has_started = False

        def start() -> None:
            nonlocal has_started
            has_started = True
            grace.arm()

        def take(number: int, content: bytes) -> None:
            streams[number].take(content)

        def meanwhile(pid: int) -> None:
            self._meanwhile(recording, variables, container or pid)

        try:
            if recording.stage is not None:
                given = variables if container is None else ours
                command = self._set_stage(recording, recording.stage, given, container)
            if container is None:
                recording.outcome = relay.run(
                    command,
                    variables,
                    sink=take,
                    on_start=start,
                    meanwhile=meanwhile,
                )
            else:
                container.create(recording.id, command, ours)
                recording.outcome = container.run(variables, take, start, meanwhile)
                recording.capture.warnings += container.warnings
        except BaseException as error:  # a Ctrl-C just before the start, too
            if has_started:
                raise
            recording.entry.remove()  # nothing was run
            if isinstance(error, OSError):
                reason = f"cannot start a command: {error.strerror}"
                raise CaptureFailed(reason=reason) from error
            raise
        finally:
            recording.end_samples()
            for stream in streams.values():
                stream.close()
            printed.close()
        return printed

    def _set_stage(
        self,
        recording: Recording,
        stage: Stage,
        variables: dict[str, str],
        container: Container | None,
    ) -> Sequence[str]:
        """Put everything where a step expects it; return the command that is started."""
        recording.entry.keep("config", stage.plan.text)
        stage.fill(recording.id, recording.given, self._repository.work_tree())
        variables |= stage.variables(recording.id)
        if container is not None:
            container.show(stage.shown(), stage.files, stage.directory)
            return recording.launch.command
        tree = recording.launch.code.tree

        def mentions(text: str) -> bool:
            return tree is not None and self._repository.mentions(tree, text)

        command, warnings = stage.command(recording.given.command, mentions)
        recording.capture.warnings += warnings
        return command

    def image(self, request: Request, on_pull: Progress | None = None) -> Image | None:
        """Return the image that a command is to run in, pulled where needed."""
        if not request.image:
            return None
        return self._container(request.image, request, on_pull).image

    def _container(self, image: str, request: Request, on_pull: Progress | None) -> Container:
        """Return a container that is yet to be made, its image at hand.

        Raises EngineUnreachable, UnknownImage, PullFailed, Refused.
        """
        from gitlineage.image import Container, Options  # the SDK takes 135 ms

        allowed = self._repository.config().get("lineage.imageenv", "").split()
        described = request.plan.variables if request.plan else {}
        options = Options(
            volumes=request.volumes,
            variables=(
                *(each for each in allowed if each in os.environ),
                *(f"{name}={value}" for name, value in described.items()),
                *(each for each in request.variables if each not in described),
            ),
            network=request.network,
            gpus=request.gpus,
        )
        folders = (self._repository.work_tree(), self._repository.common_dir)
        return Container(image, options, folders, on_pull)

    def begin(self, request: Request, image: Image | None = None) -> Recording:
        """Take the state of things and write the entry."""
        stage = None
        if request.plan is not None:
            from gitlineage.staging import Stage

            folder = self._repository.lineage_dir
            stage = Stage.open(folder, request.plan, is_contained=image is not None)
            request = request.replace(output_folder=stage.outputs)
        try:
            return self._begin(request, stage, image)
        except BaseException:
            if stage is not None:
                stage.close()
            raise

    def _begin(self, request: Request, stage: Stage | None, image: Image | None) -> Recording:
        fingerprints = Fingerprints(self._repository.lineage_dir)
        capture = Capture(self._repository, fingerprints, request)
        if request.price is not None:
            from gitlineage import prices

            prices.parse(request.price, "--price", self._repository.config().get(CURRENCY))
        ancestors = self._ancestors()
        parent = (ancestors[0], self._root(ancestors)) if ancestors else None
        try:
            given = capture.prepare(parent, image)
            service = self._metadata_service()
            masking = masking_of(self._repository)
            content = encoding.encode(given)
            launch = masking.launch(given, content)
            entry = self._running.begin(
                content if launch is given else encoding.encode(launch),
                self._repository.work_tree(),
                capture.declared(),
            )
        finally:
            capture.close()
        if request.cells is not None:
            try:
                entry.keep("notebook", request.cells)
            except OSError:
                entry.remove()
                raise
        kept = Points(entry.path, self._repository)
        recording = Recording(entry, launch, capture, ancestors, kept, service, stage)
        recording.price = request.price
        recording.given, recording.masking = given, masking
        return recording

    def finish(self, recording: Recording, printed: Printed) -> None:
        """Collect what came out and append the record."""
        try:
            lacking = self._read_metrics(recording)
            collected = recording.points.finish()
            end, parts, claims = self._end(recording, printed, collected, lacking)
            recording.end = end
            finished = _finished(recording.launch, end, parts, claims, time.strftime("%z"))
            finished = finished.replace(files=collected.files())
            recording.entry.finish(finished)
            recording.is_kept = True
            self._running.set_own(recording.id)
            completion = recording.completion or self._completion()
            completion.append_noted(
                recording.entry, finished, recording.launch, end, collected.blobs()
            )
        except Exception as error:  # noqa: BLE001 - the command has run: its exit code is ours
            recording.problem = error
        finally:
            recording.capture.close()
            recording.entry.release()

    # -- what was left behind --------------------------------------------------------------

    def recover(self) -> list[str]:
        """Complete what dead recorders left; return the ids of executions that were interrupted."""
        if not (dead := self._running.dead()):
            return []
        completion = self._completion()
        interrupted = []
        oldest = self._running.oldest()
        for entry in dead:
            try:
                if (commit := entry.commit()) and not self._running.may_go(entry, oldest):
                    entry.release()
                    continue
                finished = entry.finished()
                if finished is None and not self._is_ours(entry):
                    entry.release()
                elif finished is None and completion.is_appended(entry):
                    entry.remove()  # killed while it removed the entry
                elif finished is None:
                    self._interrupt(entry, completion)
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

    def _is_ours(self, entry: Entry) -> bool:
        """Tell whether a dead entry is of this machine: only here does a free lock mean death."""
        return encoding.decode(Launch, entry.launch).place.host == os.uname().nodename

    def _interrupt(self, entry: Entry, completion: Completion) -> None:
        launch = encoding.decode(Launch, entry.launch)
        printed = Printed()
        if os.path.exists(entry.log_path):
            with open(entry.log_path, "rb") as file:
                printed.take(file.read())
        collected = points.read(entry.path, self._repository)
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
        masking = masking_of(self._repository)
        masking.recognize(content, "the log")
        _recognize(masking, entry)
        end = _with_masked(masking.end(end, encoding.encode(end)), launch, masking)
        parts = entry.kept() | _parts(entry.launch, end, content, collected, {})
        finished = _finished(launch, end, parts, (), "+0000").replace(files=collected.files())
        entry.finish(finished)
        completion.append(entry, finished)
        completion.note(launch, end)

    def is_own(self, execution: str) -> bool:
        """Tell whether an execution surely was recorded in this clone."""
        return self._running.is_own(execution)

    def running(self) -> list[Execution]:
        """Return the executions that are running on this machine, newest first."""
        found = []
        for each in self._running.ids():
            launch = self._running.launch(each)
            if launch is not None and not self._running.has_ended(each):
                found.append(Execution(id=each, launch=encoding.decode(Launch, launch), end=None))
        return sorted(found, key=lambda e: e.launch.started_at if e.launch else 0, reverse=True)

    # -- pieces ----------------------------------------------------------------------------

    def _meanwhile(
        self, recording: Recording, variables: Mapping[str, str], runs: Container | int
    ) -> None:
        """Do what is slow, or is for others, while the command runs: a container, or a process."""
        try:
            from gitlineage.sampling import Sampler, Tree

            recording.sampler = Sampler(Tree(runs) if isinstance(runs, int) else runs)
            # What the end needs is imported now, where it delays nobody.
            from gitlineage import completion, environment, loose  # noqa: F401
            from gitlineage.capture import outputs  # noqa: F401

            digest.preload()
            fingerprints.preload()
            # The interpreter and the packages of this machine say nothing of those in an image.
            command = _program(recording.launch) if recording.launch.image is None else ()
            recording.gather = lambda: environment.gather(
                command,
                variables,
                recording.launch.place,
                top=self.top,
                service=recording.service,
            )
            recording.gathered = recording.gather()
            self.recover()
            self._repository.writer.maintain()
            recording.completion = self._completion()
            recording.completion.look(recording.launch)
        except Exception as error:  # noqa: BLE001 - nothing here may end the command's run
            recording.capture.warnings.append(f"environment: {error}")

    def _end(
        self,
        recording: Recording,
        printed: Printed,
        collected: Collected,
        lacking: Sequence[str],
    ) -> tuple[End, Mapping[str, bytes], tuple[str, ...]]:
        entry, outcome = recording.entry, recording.outcome
        found = self._collect(recording)
        said, unread = self._file_metadata(found.outputs, entry.top)
        content, log = printed.log()
        about = recording.look_again()
        cost, unpriced = self._cost(recording, (about and about.place) or recording.launch.place)
        end = End(
            execution=entry.id,
            status=status_of(outcome),
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            finished_at=outcome.finished_at,
            duration=outcome.duration,
            cpu_time=outcome.cpu_time,
            peak_memory=outcome.peak_memory,
            usage=recording.usage,
            inputs=found.inputs,
            outputs=found.outputs,
            metadata=collected.last,
            points_count=collected.count,
            file_metadata=said,
            environment=about.environment if about else None,
            place=about.place if about else None,
            cost=cost,
            log=log,
            warnings=(*found.warnings, *lacking, *collected.warnings, *unread, *unpriced),
        )
        masking = recording.masking
        end = masking.end(end, encoding.encode(end))
        _recognize(masking, entry)
        end = _with_masked(end, recording.launch, masking)
        if recording.compare is not None:
            end = end.replace(comparison=recording.compare(end))
        parts = entry.kept() | _parts(entry.launch, end, content, collected, found.manifests)
        if about and about.packages:
            parts["environment"] = about.packages
        if recording.samples:
            parts["usage"] = recording.samples
        return end, parts, found.claims()

    def _cost(self, recording: Recording, place: Place) -> tuple[Cost | None, list[str]]:
        """Return what it cost, where a price is known; and what is wrong with what was set."""
        config, launch = self._repository.config(), recording.launch
        is_set = any(key.startswith("lineage.") and key.endswith(".price") for key in config)
        if not (recording.price or is_set):
            return None, []
        from gitlineage import prices

        names = {
            "step": launch.step,
            "image": launch.image.name if launch.image else None,
            "instance": place.cloud.instance_type if place.cloud else None,
            "host": place.host,
        }
        try:
            price = (
                prices.parse(recording.price, "--price", config.get(CURRENCY))
                if recording.price
                else prices.configured(config, names)
            )
        except Refused as error:
            return None, [f"its cost is not known: {error}"]
        return (prices.cost(price, recording.outcome.duration) if price else None), []

    def _collect(self, recording: Recording) -> Found:
        entry, capture = recording.entry, recording.capture
        try:
            return capture.collect(
                entry.started,
                lambda: self._running.others(entry.id, entry.top, entry.started),
                recording.ancestors,
                entry.id,
            )
        except Exception as error:  # noqa: BLE001 - the rest of the record is worth keeping
            reason = f"its inputs and outputs are not known: {error}"
            return Found(inputs=(), outputs=(), warnings=(*capture.warnings, reason), manifests={})

    def _file_metadata(
        self, outputs: Sequence[Artifact], top: str
    ) -> tuple[tuple[FileMetadata, ...], Sequence[str]]:
        """Return what files beside the outputs say of them, and what to say of the rest."""
        if not any(each.type == "directory" or "metadata.json" in each.path for each in outputs):
            return (), ()
        from gitlineage import sidecars
        from gitlineage.artifacts import Reader

        reader = Reader(top, fingerprints.Fingerprints(self._repository.lineage_dir))

        def digest_of(name: str) -> bytes | None:
            try:
                return reader.read(name, how="declared").digests.get("blake3")
            except OSError:
                return None

        try:
            return sidecars.read(outputs, top, digest_of)
        except Exception as error:  # noqa: BLE001 - the record is worth more
            return (), (f"metadata of files is not known: {error}",)

    def _read_metrics(self, recording: Recording) -> list[str]:
        """Take the declared metrics files as points; return what to say of those that lack."""
        lacking = []
        for given in recording.capture.metrics:
            from gitlineage import metrics

            try:
                path = os.path.join(recording.entry.top, recording.launch.directory, given)
                for at, values in metrics.read(path, recording.launch.started_at):
                    points.append(recording.entry.points_path, values, at)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                lacking.append(f"metrics {given} cannot be read: {str(reason).lower()}")
        return lacking

    def _completion(self) -> Completion:
        from gitlineage.completion import Completion  # 2 ms: not before the command starts

        return Completion(self._repository)

    def _ancestors(self) -> list[str]:
        """Return the executions that this process runs inside of, the innermost first."""
        found: list[str] = []
        current = os.environ.get(EXECUTION)
        while current and current not in found and (launch := self._running.launch(current)):
            found.append(current)
            current = encoding.decode(Launch, launch).parent
        return found

    def _metadata_service(self) -> str | None:
        """Return where a cloud's metadata service is, if it may be asked. Raises InvalidSetting."""
        setting = self._repository.config().get("lineage.metadataservice")
        if not setting:
            return None
        from gitlineage.metadata_service import address

        return address(setting)

    def _root(self, ancestors: Sequence[str]) -> str:
        launch = self._running.launch(ancestors[-1])
        root = encoding.decode(Launch, launch).root if launch else None
        return root or ancestors[-1]


class Recording:
    """One execution while it is being recorded."""

    def __init__(
        self,
        entry: Entry,
        launch: Launch,
        capture: Capture,
        ancestors: Sequence[str],
        kept: Points,
        service: str | None = None,
        stage: Stage | None = None,
    ) -> None:
        self.entry = entry
        self.launch = launch
        self.capture = capture
        self.ancestors = ancestors
        self.stage = stage
        self.points = kept
        self.given = launch
        """The launch as it really is; what is recorded has its secrets masked."""
        self.masking = Masking({})
        self.completion: Completion | None = None
        self.service = service
        """Where a cloud's metadata service is, if it may be asked."""
        self.gather: Callable[[], Gathered] | None = None
        """Finds out where, and on what, it runs."""
        self.gathered: Gathered | None = None
        self.price: str | None = None
        """What an hour costs, as given."""
        self.compare: Callable[[End], Comparison] | None = None
        """Of a reproduction: says how it came out."""
        self.sampler: Sampler | None = None
        self.usage: Usage | None = None
        self.samples = b""
        """A block of a series."""
        self.outcome: Outcome
        self.end: End | None = None
        self.problem: Exception | None = None
        """Why the record is not in the ledger yet, where it is not."""
        self.is_kept = False
        """The finished record is on disk: a later command can append it."""

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.entry.id

    def look_again(self) -> Gathered | None:
        """Return what was gathered; again where packages came or went while the command ran."""
        if self.gather and self.gathered and not self.gathered.is_current():
            self.gathered = self.gather()
        return self.gathered

    def end_samples(self) -> None:
        """Take no more samples, and keep what they come to."""
        if self.sampler is not None:
            self.usage, self.samples = self.sampler.finish()
            self.sampler = None

    def headline(self) -> str:
        """Return the closing line's words: `train succeeded in 12.3 s, 2 outputs`."""
        from gitlineage import wording

        end = self.end
        if end is None:
            return f"{self.launch.step} was not recorded"
        words = f"{self.launch.step} {end.status}"
        if end.duration is not None:
            words += f" in {wording.duration(end.duration)}"
        count = len(end.outputs)
        return words + (f", {count} output{'s' * (count != 1)}" if count else "")


def _variables() -> dict[str, str]:
    """Return the environment as it was before `git lineage` put git's own programs first."""
    variables = dict(os.environ)
    first, _, rest = variables.get("PATH", "").partition(os.pathsep)
    if rest and first == variables.get("GIT_EXEC_PATH"):
        variables["PATH"] = rest
        del variables["GIT_EXEC_PATH"]
    return variables


def _finished(
    launch: Launch, end: End, parts: Mapping[str, bytes], claims: tuple[str, ...], zone: str
) -> Finished:
    from gitlineage.messages import message_of

    file_tags = {}
    if end.file_metadata:
        from gitlineage import sidecars

        file_tags = sidecars.tags(end.file_metadata)
    return Finished(
        parts=parts,
        file_tags=file_tags,
        message=message_of(launch, end, end.execution),
        author=(launch.agent.name, launch.agent.email, launch.started_at // 1_000_000, zone),
        claims=claims,
        tags=launch.tags,
    )


def _program(launch: Launch) -> Sequence[str]:
    """Return the command whose interpreter is of interest: of a step the first with Python."""
    for item in launch.interpolated:
        words = item.split()
        if any(os.path.basename(each).startswith(("python", "uv")) for each in words):
            return words
    return launch.command


def status_of(outcome: Outcome) -> str:
    """Return how an execution ended, in our words."""
    if outcome.exit_code == 0:
        return "succeeded"
    # A shell reports a child that was stopped by ending with 128 + n itself.
    is_stopped = outcome.signal in STOPPING or outcome.exit_code in (130, 143)
    return "stopped" if is_stopped else "failed"


def _recognize(masking: Masking, entry: Entry) -> None:
    """Note what processes have masked that logged points by themselves."""
    if os.path.exists(entry.points_path):
        with open(entry.points_path, "rb") as file:
            masking.recognize(file.read(), "the metadata")


def _with_masked(end: End, launch: Launch, masking: Masking) -> End:
    found = masking.found()
    said = sentence((*launch.masked, *found))
    return end.replace(masked=found, warnings=(*end.warnings, said)) if said else end


def _parts(
    launch: bytes,
    end: End,
    log: bytes,
    collected: Collected,
    manifests: Mapping[str, bytes],
) -> dict[str, bytes]:
    parts = {"launch": launch, "record": encoding.encode(end)}
    if log:
        parts["log"] = log
    if collected.count > 1:
        parts.update(collected.parts())
    for name, content in manifests.items():
        parts[f"manifests/{name}"] = content
    return parts
