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

from gitlineage import digest, encoding, fingerprints, relay
from gitlineage.capture import Capture, Request, masking_of
from gitlineage.contained import contained, within
from gitlineage.errors import CaptureFailed, LineageError
from gitlineage.fingerprints import Fingerprints
from gitlineage.points import Points
from gitlineage.printed import Printed
from gitlineage.running import Running
from gitlineage.signals import Grace
from gitlineage.underway import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitlineage.image import Container, Progress
    from gitlineage.limits import Watch
    from gitlineage.masking import Masking
    from gitlineage.observation import Observer
    from gitlineage.records.end import Comparison, End
    from gitlineage.records.launch import Image
    from gitlineage.repository import Repository
    from gitlineage.staging import Placing

EXECUTION = "GIT_LINEAGE_EXECUTION"
"""Environment variable with the id of the execution that a process runs inside of."""

FOLDER = "GIT_LINEAGE_DIR"
"""Environment variable with the folder where that execution's entry is."""


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
            request, container = contained(self._repository, request, on_pull)
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
        observer = None
        has_started = False
        limits = self._limits(recording)

        def start() -> None:
            nonlocal has_started
            has_started = True
            grace.arm()

        def take(number: int, content: bytes) -> None:
            streams[number].take(content)
            if recording.watch is not None:
                recording.watch.hear()

        def meanwhile(pid: int) -> None:
            if limits is not None:
                recording.watch = limits(pid, container is not None)
            self._meanwhile(recording, variables, container or pid)

        try:
            if recording.stage is not None:
                given = variables if container is None else ours
                command = self._set_stage(recording, recording.stage, given, container)
            observer = self._observer(recording, container)
            around = observer.around if observer else ()
            if container is None:
                recording.outcome = relay.run(
                    command,
                    variables,
                    sink=take,
                    on_start=start,
                    meanwhile=meanwhile,
                    around=around,
                )
            else:
                container.create(recording.id, command, ours, around)
                recording.outcome = container.run(variables, take, start, meanwhile)
                recording.capture.warnings += container.warnings
            self._look(recording)
            if observer is not None:
                ended, observer = observer, None
                try:
                    recording.observed = ended.finish()
                except CaptureFailed as error:  # the command has run all the same
                    recording.capture.warnings.append(str(error))
        except BaseException as error:  # a Ctrl-C just before the start, too
            if has_started:
                raise
            recording.entry.remove()  # nothing was run
            if isinstance(error, OSError):
                reason = f"cannot start a command: {error.strerror}"
                raise CaptureFailed(reason=reason) from error
            raise
        finally:
            if observer is not None:
                observer.close()
            recording.end_samples()
            recording.end_watch()
            for stream in streams.values():
                stream.close()
            printed.close()
        return printed

    def _limits(self, recording: Recording) -> Callable[[int, bool], Watch] | None:
        """Return what begins to watch a step that has limits, given its process; None for others.

        What it needs is imported now: these seconds count from the start of the command.
        """
        plan = recording.stage and recording.stage.plan
        if not plan or not (plan.time_limit or plan.no_output_timeout or plan.stop_condition):
            return None
        from gitlineage.limits import Limits, Watch
        from gitlineage.points import Follower
        from gitlineage.steps.conditions import Condition

        limits = Limits(
            time=plan.time_limit, silence=plan.no_output_timeout, condition=plan.stop_condition
        )
        path = recording.entry.path

        def begin(pid: int, is_contained: bool) -> Watch:
            text = limits.condition
            return Watch(
                limits,
                pid,
                holds=Condition(text).holds if text else None,
                follower=Follower(path, self._repository) if text else None,
                is_contained=is_contained,
            )

        return begin

    @staticmethod
    def _look(recording: Recording) -> None:
        """Start looking at what the command has left: it takes longest of all that follows.

        Not at what a step has left, of which some is put in place when its stage is closed.
        """
        try:
            if recording.stage is None:
                recording.capture.look()
        except LineageError:
            return  # it is looked at once more, and then said

    def _observer(self, recording: Recording, container: Container | None) -> Observer | None:
        """Return what observes a command, where that is asked for. Raises NotObservable."""
        setting = self._repository.config().get("lineage.observe", "never")
        if recording.observe:
            setting = "always"
        if setting == "never":
            return None
        from gitlineage.capture import observed  # and what it needs: 6 ms

        if container is not None:
            return observed.observer(self._repository, setting, within(container, recording))
        if setting == "always" and EXECUTION in os.environ and observed.is_traced():
            reason = "not observed: the execution around it is, and sees its files"
            recording.capture.warnings.append(reason)
            return None
        return observed.observer(self._repository, setting)

    def _set_stage(
        self,
        recording: Recording,
        stage: Placing,
        variables: dict[str, str],
        container: Container | None,
    ) -> Sequence[str]:
        """Put everything where a step expects it; return the command that is started."""
        if stage.plan is not None:
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

    def masking(self) -> Masking:
        """Return what masks secrets here, with nothing found yet."""
        return masking_of(self._repository)

    def imaged(
        self, request: Request, on_pull: Progress | None = None
    ) -> tuple[Request, Image | None]:
        """Return what would run, and the image that it would run in, pulled where needed."""
        request, container = contained(self._repository, request, on_pull)
        return request, container.image if container else None

    def begin(self, request: Request, image: Image | None = None) -> Recording:
        """Take the state of things and write the entry."""
        stage: Placing | None = None
        folder, is_contained = self._repository.lineage_dir, image is not None
        if request.plan is not None:
            from gitlineage.staging import Stage

            stage = Stage.open(folder, request.plan, is_contained=is_contained)
            request = request.replace(output_folder=stage.outputs)
        elif request.placed:
            from gitlineage.staging import Placing

            stage = Placing.place(folder, request.placed, is_contained=is_contained)
        try:
            return self._begin(request, stage, image)
        except BaseException:
            if stage is not None:
                stage.close()
            raise

    def _begin(self, request: Request, stage: Placing | None, image: Image | None) -> Recording:
        fingerprints = Fingerprints(self._repository.lineage_dir)
        capture = Capture(self._repository, fingerprints, request)
        if request.price is not None:
            from gitlineage import prices

            prices.parse(request.price, "--price", self._repository.config().get(prices.CURRENCY))
        ancestors, root = self._running.ancestors(os.environ.get(EXECUTION))
        parent = (ancestors[0], root) if root else None
        try:
            given = capture.prepare(parent, image)
            service = self._metadata_service()
            masking = masking_of(self._repository)
            content = encoding.encode(given)
            if len(content) > encoding.LARGEST:
                reason = f"{len(given.inputs)} inputs are too many: declare their folder instead"
                raise CaptureFailed(reason=reason)
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
        recording.price, recording.observe = request.price, request.observe
        recording.given, recording.masking = given, masking
        return recording

    def finish(self, recording: Recording, printed: Printed) -> None:
        """Collect what came out and append the record."""
        try:
            from gitlineage.completion import Completion  # not before the command starts: 2 ms
            from gitlineage.ending import Ending

            end, finished, blobs = Ending(self._repository, recording).finished(printed)
            recording.end = end
            recording.entry.finish(finished)
            recording.is_kept = True
            self._running.set_own(recording.id)
            completion = recording.completion or Completion(self._repository)
            completion.append_noted(recording.entry, finished, recording.launch, end, blobs)
        except Exception as error:  # noqa: BLE001 - the command has run: its exit code is ours
            recording.problem = error
        finally:
            recording.unsigned = self._repository.unsigned
            recording.capture.close()
            recording.entry.release()

    # -- pieces ----------------------------------------------------------------------------

    def _meanwhile(
        self, recording: Recording, variables: Mapping[str, str], runs: Container | int
    ) -> None:
        """Do what is slow, or is for others, while the command runs: a container, or a process."""
        try:
            from gitlineage.sampling import Sampler, Tree

            recording.sampler = Sampler(Tree(runs) if isinstance(runs, int) else runs)
            # What the end needs is imported now, where it delays nobody.
            from gitlineage import completion, ending, environment, loose, statements  # noqa: F401
            from gitlineage.capture import outputs  # noqa: F401
            from gitlineage.recovery import recover

            digest.preload()
            fingerprints.preload()
            # The interpreter and the packages of this machine say nothing of those in an image.
            launch = recording.launch
            command = environment.program(launch) if launch.image is None else ()
            recording.gather = lambda: environment.gather(
                command,
                variables,
                recording.launch.place,
                top=self.top,
                service=recording.service,
            )
            recording.gathered = recording.gather()
            recording.capture.ask_stores()
            if recording.launch.code.is_adhoc:
                from gitlineage.capture.suspects import suspects

                masking = masking_of(self._repository)  # the other is at work meanwhile
                recording.suspects = suspects(self._repository, launch.code, masking)
            recover(self._repository)
            self._repository.writer.maintain()
            recording.completion = completion.Completion(self._repository)
            recording.completion.look(recording.launch)
        except Exception as error:  # noqa: BLE001 - nothing here may end the command's run
            recording.capture.warnings.append(f"environment: {error}")

    def _metadata_service(self) -> str | None:
        """Return where a cloud's metadata service is, if it may be asked. Raises InvalidSetting."""
        setting = self._repository.config().get("lineage.metadataservice")
        if not setting:
            return None
        from gitlineage.metadata_service import address

        return address(setting)


def _variables() -> dict[str, str]:
    """Return the environment as it was before `git lineage` put git's own programs first."""
    variables = dict(os.environ)
    first, _, rest = variables.get("PATH", "").partition(os.pathsep)
    if rest and first == variables.get("GIT_EXEC_PATH"):
        variables["PATH"] = rest
        del variables["GIT_EXEC_PATH"]
    return variables
