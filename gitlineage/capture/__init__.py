"""Takes the state of things before a command and after it, and returns what happened.

Knows what makes code, inputs and outputs; stores nothing but the code that is about to run.

`request` has what is asked for, `before` the files that are there before the command, `snapshot`
the code, `names` who runs it and what it is called, and `outputs` what it wrote.
"""

from __future__ import annotations

import os
import time

from gitlineage import artifacts, digest, place, worktree
from gitlineage.capture.before import Before, Given
from gitlineage.capture.names import agent_of, identity, masking_of, software, step_of
from gitlineage.capture.request import Request
from gitlineage.capture.snapshot import Snapshot, is_secret
from gitlineage.capture.variables import chosen
from gitlineage.code import CodeChain
from gitlineage.fingerprints import Fingerprints
from gitlineage.records import Record
from gitlineage.records.artifact import Artifact
from gitlineage.records.launch import Agent, Code, Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.capture.outputs import Outputs
    from gitlineage.gitprocess import GitProcess
    from gitlineage.observation import Observed
    from gitlineage.records.launch import Image
    from gitlineage.repository import Repository
    from gitlineage.running import Other
    from gitlineage.statements import Statements

__all__ = [
    "Capture",
    "Found",
    "Request",
    "agent_of",
    "code_now",
    "identity",
    "is_secret",
    "masking_of",
    "software",
    "statements",
    "step_of",
]


class Found(Record):
    """What a command left."""

    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    warnings: tuple[str, ...]
    manifests: Mapping[str, bytes]
    code: tuple[str, ...] | None = None
    """The code that it read, where that was observed."""
    learned: tuple[Artifact, ...] = ()

    def claims(self) -> tuple[str, ...]:
        """Return the outputs in the work tree, by path."""
        inside = (each for each in self.outputs if each.type != "uri")
        return tuple(each.path for each in inside if not os.path.isabs(each.path))


class Capture:
    """One execution's before and after."""

    def __init__(
        self, repository: Repository, fingerprints: Fingerprints, request: Request
    ) -> None:
        self._repository = repository
        self._fingerprints = fingerprints
        self._request = request
        self.metrics = request.metrics
        self._reader = artifacts.Reader(repository.work_tree(), fingerprints)
        self._given = Given(self._reader)
        self._before = Before()
        self.warnings: list[str] = []
        self._inputs: tuple[Artifact, ...] = ()
        self._of_stores: tuple[Artifact, ...] = ()
        """URIs among the inputs, with what their stores say."""
        self._looking: tuple[GitProcess, GitProcess | None] | None = None
        """The look at the work tree that `collect` needs, where it is under way."""

    def close(self) -> None:
        """Let go of what was opened."""
        self._fingerprints.close()

    def declared(self) -> Sequence[str]:
        """Return the declared outputs, by recorded path."""
        return (*self._given.outputs, *self._given.folders)

    def prepare(
        self,
        parent: tuple[str, str] | None,
        image: Image | None = None,
        *,
        is_kept: bool = True,
    ) -> Launch:
        """Return what is known before the command starts; keep the code alive unless told not to.

        `parent` is the id of the execution that this one runs inside of, and its root's.
        Raises InputMissing, InvalidTag, Refused, GitFailed.
        """
        repository, request, given = self._repository, self._request, self._given
        if request.tags:
            from gitlineage.tags import check_new

            for tag in request.tags:
                check_new(tag)
        given.note_streams(is_session=request.is_session)
        if request.is_session and request.notebook and request.notebook.path:
            given.note_notebook(request.notebook.path)
        # Four questions to git at once: the answers take no longer than the slowest.
        status = worktree.start_status(repository)
        config = repository.start_config()
        chain = CodeChain(repository)
        newest = chain.start()
        others = worktree.start_listing(repository, folders := given.folders_in(request.inputs))
        try:
            inputs = self._inputs = given.read_inputs(request.inputs, request.downloads)
            self._before.note_inputs(inputs)
            for each in request.outputs:
                name = given.note_output(each)
                if name is not None:
                    self._before.note(name, self._reader.locate(name), self._fingerprints)
            if request.output_folder is not None:
                given.folders.append(self._reader.name(request.output_folder))
        except BaseException:
            for process in (status, config, newest, others):
                process.outcome()  # a process that goes on keeps nothing of them
            raise
        untracked, hidden = worktree.listing(others)
        ignored = worktree.start_ignored(repository, untracked, folders)
        words = request.command[1:] if request.plan is None else request.plan.words()
        given.note_arguments(words, repository)
        repository.config(config)
        agent = self._agent()
        work_tree = worktree.status(repository, status)
        if hidden:
            work_tree = worktree.with_hidden(repository, work_tree, hidden)
        head_tree, held = chain.newest(newest)
        candidates = worktree.not_ignored(untracked, ignored)
        snapshot = Snapshot(repository, self._fingerprints, self._reader, given, self._before)
        if is_kept:
            code = snapshot.keep(work_tree, candidates, head_tree, agent, held)
        else:
            code = snapshot.take(work_tree, candidates, head_tree)
        if dirty := [path for path, is_dirty in work_tree.submodules.items() if is_dirty]:
            self.warnings.append(
                f"changes inside {_some(dirty)} are not in the snapshot: commit them there"
            )
        self._before.existed.update(untracked)
        self._before.untracked = untracked
        variables = chosen(os.environ, repository.words("lineage.env"))
        names = sorted(os.environ.keys() - variables.keys())
        return Launch(
            nonce=os.urandom(16),
            command=request.command,
            directory=self._reader.name("."),
            step=request.step or step_of(request.command),
            title=request.title,
            started_at=(now := int(time.time() * 1_000_000)),
            queued_at=None if parent else self._queued_at(now),
            agent=agent,
            software=software(),
            place=place.find(os.environ),
            code=self._with_notebook(code),
            inputs=inputs,
            parameters=request.parameters,
            tags=request.tags,
            variables=variables,
            variable_names=tuple(names) if repository.is_set("lineage.envnames") else (),
            **self._planned(image),
            parent=parent[0] if parent else None,
            root=parent[1] if parent else None,
            image=image,
            metrics=request.metrics,
            masked=request.masked,
            reproduces=request.reproduces,
        )

    def arguments(self) -> list[Artifact]:
        """Return the files that the command line names and that are not code, as they are now."""
        return self._given.read_arguments()

    def ask_stores(self) -> None:
        """Ask what is behind URIs among the inputs: over the network, while the command runs."""
        if self._given.uris:
            from gitlineage.statements import look_up

            self._of_stores, warnings = look_up(self._given.uris)
            self.warnings += warnings

    def stated(self, found: Found) -> Found:
        """Return what a command left with what others state of it: pointers, and stores of URIs."""
        if not (found.inputs or found.outputs or self._inputs or self._given.uri_outputs):
            return found
        of = statements(self._repository, self._fingerprints).of
        learned = [after for each in self._inputs if (after := of(each)) != each]
        outputs: tuple[Artifact, ...] = ()
        warnings: list[str] = []
        if self._given.uri_outputs:
            from gitlineage.statements import look_up

            outputs, warnings = look_up(self._given.uri_outputs)
        return found.replace(
            inputs=tuple(map(of, found.inputs)),
            outputs=(*map(of, found.outputs), *outputs),
            learned=(*learned, *self._of_stores),
            warnings=(*found.warnings, *warnings),
        )

    def look(self) -> None:
        """Start looking at what a command that has just ended has left, for `collect`.

        Other files wait until it is known which of the declared folders have not changed.
        """
        repository = self._repository
        changed = worktree.start_changed(repository)
        others = None if self._given.has_folders else worktree.start_others(repository)
        self._looking = changed, others

    def collect(
        self,
        started: int,
        others: Callable[[], Sequence[Other]],
        ancestors: Iterable[str],
        execution: str,
        observed: Observed | None = None,
    ) -> Found:
        """Return the inputs and outputs that are known once the command has ended.

        `started` is the file system's clock at the start, in nanoseconds; `others` tells of the
        executions in the same work tree that had not ended by then. What was `observed` is taken
        for all that it read and wrote, beside what was declared.
        """
        from gitlineage.capture.outputs import Outputs, unclaimed  # not before the command starts

        given = self._given
        outputs = Outputs(self._reader, given, self._before, started, self.warnings)
        if self._looking is None:
            self.look()
        assert self._looking is not None
        written = outputs.written(self._repository, self._looking)
        if observed is not None:
            return self._collect_observed(observed, outputs, written, others(), execution, started)
        # Asked afterwards: whoever began before its file was listed is among them.
        untimed = dict.fromkeys((*outputs.gone, *outputs.appeared))
        mine, doubtful = unclaimed(
            dict(sorted({**written, **untimed}.items())) if untimed else written,
            given.outputs,
            others(),
            frozenset(ancestors),
            execution,
        )
        if doubtful:
            self.warnings.append(
                f"other executions ran here at the same time, so nobody claims "
                f"{_some(doubtful)}: declare outputs with -o"
            )
        found = outputs.read(written, mine)
        self._warn_of_inputs(found, started)
        used, rewritten = given.used(written, self._before)
        found += outputs.read_arguments(rewritten)
        known = {each.path for each in (*self._inputs, *used)}
        used += tuple(each for each in outputs.sources if each.path not in known)
        if unsteady := self._reader.unsteady:
            self.warnings.append(f"{_some(unsteady)} changed while being read")
        self._remember(found)
        return Found(
            inputs=used,
            outputs=tuple(found),
            warnings=tuple(self.warnings),
            manifests=self._reader.manifests,
        )

    def _collect_observed(
        self,
        observed: Observed,
        outputs: Outputs,
        written: Mapping[str, os.stat_result],
        others: Sequence[Other],
        execution: str,
        started: int,
    ) -> Found:
        from gitlineage.capture.observed import Sight
        from gitlineage.capture.outputs import nested_claims

        given = self._given
        sight = Sight(self._repository, self._reader, self._fingerprints, given, self._before)
        sight.look(observed, started, outputs)
        taken = nested_claims(others, execution)
        mine = [each for each in sight.changed if each not in taken and each not in given.outputs]
        seen = {each: stat for each, stat in written.items() if each in sight.changed}
        outputs.gone, outputs.renamed = sight.gone, sight.renamed
        outputs.appended = sight.appended
        found = outputs.read(seen, mine, "observed")
        self._warn_of_inputs(found, started)
        stdin = [each for each in given.used({}, self._before)[0] if each.role == "stdin"]
        inputs = [*stdin, *sight.inputs()]
        known = {each.path for each in (*self._inputs, *inputs)}
        inputs += [each for each in outputs.sources if each.path not in known]
        self.warnings += (*sight.warnings, *observed.warnings)
        self._remember(found)
        return Found(
            inputs=tuple(inputs),
            outputs=tuple(found),
            warnings=tuple(self.warnings),
            manifests=self._reader.manifests,
            code=sight.code,
        )

    def _warn_of_inputs(self, outputs: Sequence[Artifact], started: int) -> None:
        """Say which declared inputs changed, but for those of which the outputs tell already."""
        told = {e.path if e.change == "deleted" else e.renamed_from for e in outputs}
        for name in self._given.changed_inputs(started):
            if name not in told:
                self.warnings.append(f"input {name} changed while it ran")

    def _with_notebook(self, code: Code) -> Code:
        notebook = self._request.notebook
        if notebook is None:
            return code
        path = notebook.path and self._reader.name(notebook.path)
        return code.replace(notebook=notebook.replace(path=path))

    def _planned(self, image: Image | None) -> dict[str, Any]:
        """Return what the launch tells of a step."""
        plan = self._request.plan
        if plan is None:
            return {}
        self.warnings += (*plan.warnings, *(() if image else plan.without_image()))
        return {
            "template": plan.template,
            "interpolated": plan.interpolated,
            "configuration": self._reader.name(plan.config),
            "configuration_digest": digest.of_bytes(plan.text),
            "declared_image": None if image and image.name == plan.image else plan.image,
        }

    def _queued_at(self, now: int) -> int | None:
        """Return when it was queued; what cannot be so is said."""
        try:
            found = place.queued_at(os.environ)
        except (ValueError, OverflowError, OSError):
            self.warnings.append(
                f"{place.QUEUED_AT} is no time, so when it was queued is not known"
            )
            return None
        if found is not None and found > now:
            self.warnings.append(f"{place.QUEUED_AT} is later than the start: it does not count")
            return None
        return found

    def _agent(self) -> Agent:
        """Return who runs it, as git would name the author of a commit."""
        found, is_known = agent_of(self._repository)
        if not is_known:
            self.warnings.append(
                f"no identity is configured: recorded as {found.name} <{found.email}>; "
                "set it with `git config user.name` and `git config user.email`"
            )
        return found

    def _remember(self, outputs: Sequence[Artifact]) -> None:
        """Remember what was made: it is not code of a later execution."""
        made = {
            self._reader.locate(each.path): each.digests["blake3"]
            for each in outputs
            if each.type == "file" and "blake3" in each.digests
        }
        for each in outputs:
            if each.type == "directory":
                made.update(self._reader.held(each.path))
        if made:
            self._fingerprints.set_made(made)


def code_now(repository: Repository, fingerprints: Fingerprints) -> Code:
    """Return the code as it stands, as a command would run it; no ref is moved to it."""
    status, chain = worktree.start_status(repository), CodeChain(repository)
    newest, others = chain.start(), worktree.start_listing(repository)
    untracked, hidden = worktree.listing(others)
    ignored = worktree.start_ignored(repository, untracked)
    work_tree = worktree.with_hidden(repository, worktree.status(repository, status), hidden)
    reader = artifacts.Reader(repository.work_tree(), fingerprints)
    snapshot = Snapshot(repository, fingerprints, reader, Given(reader), Before())
    candidates = worktree.not_ignored(untracked, ignored)
    return snapshot.take(work_tree, candidates, chain.newest(newest)[0])


def statements(repository: Repository, fingerprints: Fingerprints | None = None) -> Statements:
    """Return what others state of files in the work tree."""
    from gitlineage.statements import Statements  # not before the command starts

    store = repository.config().get("lfs.storage", "lfs")
    objects = os.path.join(repository.common_dir, store, "objects")
    return Statements(
        repository.work_tree(), objects, fingerprints or Fingerprints(repository.lineage_dir)
    )


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
