"""Puts one execution's code and inputs into a throw-away work tree, and says what to run there.

Knows what was recorded; whether the same comes out is none of its business.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

from gitlineage.artifacts import is_inside
from gitlineage.capture import Request
from gitlineage.errors import InvalidStep, LineageError, Refused
from gitlineage.identity import address
from gitlineage.repository import Repository
from gitlineage.reproduction.needs import impossible, is_link_there, wanted
from gitlineage.scratch import copy
from gitlineage.staging import OUTPUTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitlineage.contents import Contents, Source
    from gitlineage.fingerprints import Fingerprints
    from gitlineage.index import Index
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.execution import Execution
    from gitlineage.records.launch import Launch, Submodule
    from gitlineage.reproduction.needs import Need
    from gitlineage.scratch import Scratch
    from gitlineage.steps import Plan
    from gitlineage.steps.inputs import Placed


class Stage:
    """One execution in one throw-away work tree."""

    def __init__(
        self,
        repository: Repository,
        execution: Execution,
        scratch: Scratch,
        tell: Callable[[str], None],
    ) -> None:
        assert execution.launch is not None
        self._repository = repository
        self._execution = execution
        self._launch: Launch = execution.launch
        self._scratch = scratch
        self._tell = tell

    # -- code ------------------------------------------------------------------------------

    def check_out(self) -> Repository:
        """Write the code, and return the repository as seen from there. Raises NotPossible."""
        code, scratch = self._launch.code, self._scratch
        heads = [each for each in (code.commit, code.snapshot) if each and code.commit]
        known = [each for each in heads if self._repository.are_readable([each])[0]]
        with scratch.entered(scratch.top, os.devnull, None):
            inner = scratch.check_out(str(code.tree), known[0] if known else None)
        top, directory = self._repository.work_tree(), self._launch.directory
        scratch.borrow(top, (".", *([] if os.path.isabs(directory) else [directory])))
        for each in code.left_out:
            path = os.path.join(top, each.path)
            if os.path.isfile(path) and os.access(path, os.R_OK):
                self._put(each.path, path)
                self._tell(f"{each.path} ({each.reason}) was not kept: taken as it is here now")
            else:
                self._tell(f"{each.path} ({each.reason}) was not kept, and is not here")
        for submodule in code.submodules:
            self._check_out_submodule(submodule)
        return inner

    def _put(self, name: str, source: str) -> None:
        self._scratch.put(
            name, lambda path: copy(source, path), is_executable=os.access(source, os.X_OK)
        )

    def _check_out_submodule(self, submodule: Submodule) -> None:
        path, commit = submodule.path, submodule.commit
        try:
            theirs = Repository.discover(os.path.join(self._repository.work_tree(), path))
            if theirs.git_dir == self._repository.git_dir:
                raise Refused(reason="not checked out")
            self._scratch.check_out_other(theirs, f"{commit}^{{tree}}", path)
        except LineageError as error:
            raise impossible(
                self._execution,
                f"submodule {path} at {commit[:12]} is not here: {error}",
                f"`git submodule update --init {path}`",
            ) from error
        if submodule.is_dirty:
            self._tell(f"submodule {path} had changes, which were not kept")

    # -- inputs ----------------------------------------------------------------------------

    def place(
        self, needs: Sequence[Need], contents: Contents, index: Index, known: Fingerprints
    ) -> str:
        """Put inputs where they were, and return the folder to run in. Raises NotPossible."""
        scratch, placed = self._scratch, {}
        found = contents.find([wanted(each, index) for each in needs])
        for each in needs:
            if each.is_outside:
                continue  # it was found there
            source = found.get(each.digest)
            if source is None:
                self._place_unfound(each)
                continue
            path = scratch.room_for(each.path)
            try:
                if known.digests(path)[0]["blake3"] == each.digest:
                    continue  # the code has it
            except OSError:
                pass
            self._write(each, source, contents)
            placed[path] = each.digest
        for folder in self._folders():
            scratch.make_folder(folder)
        known.set_made(placed)  # data here too, not code
        directory = self._launch.directory
        return directory if os.path.isabs(directory) else scratch.make_folder(directory)

    def _folders(self) -> list[str]:
        """Return the folders that were there before, or may have been: git keeps no empty ones."""
        outputs = [each for each in self._execution.outputs if not os.path.isabs(each.path)]
        made = [e.path for e in outputs if e.type == "directory" and e.change == "created"]
        found = [each.path for each in self._execution.inputs if each.type == "directory"]
        if (numbered := self._numbered()) is not None:
            made.append(numbered)
            above, _, number = numbered.rpartition("/")
            if number != "1":
                found.append(f"{above}/{int(number) - 1}")  # the next one has its number
        found += [
            each.path if each.type == "directory" else os.path.dirname(each.path) or "."
            for each in outputs
            if not any(is_inside(each.path, folder) for folder in made)
        ]
        return [each for each in dict.fromkeys(found) if not os.path.isabs(each)]

    def _numbered(self) -> str | None:
        """Return the folder that outputs of a step went to, which is made anew for each run."""
        if self._launch.configuration is None:
            return None
        base = os.path.join(os.path.dirname(self._launch.configuration), OUTPUTS) + "/"
        for each in self._execution.outputs:
            if each.path.startswith(base):
                name, _, rest = each.path[len(base) :].partition("/")
                number = rest.partition("/")[0]
                if number.isdecimal():
                    return f"{base}{name}/{number}"
        return None

    def _write(self, need: Need, source: Source, contents: Contents) -> None:
        self._scratch.put(
            need.path,
            lambda path: contents.write(source, path),
            is_executable=need.is_executable,
        )

    def _place_unfound(self, need: Need) -> None:
        if need.is_link and is_link_there(need, self._repository):
            target = os.readlink(os.path.join(self._repository.home, need.path))
            self._scratch.put(need.path, lambda path: os.symlink(target, path))
        elif need.is_optional:
            self._tell(
                f"{need.path}, which it wrote over or removed then, is not here as it was before: "
                "it runs without"
            )
        else:
            reason = f"input {need.path} did not come out as it was"
            raise impossible(self._execution, reason)

    # -- the command -----------------------------------------------------------------------

    def streams(self) -> tuple[str, str | None]:
        """Return the files that standard input and output were, as far as they are known."""
        stdin = [each.path for each in self._execution.inputs if each.role == "stdin"]
        stdout = [each.path for each in self._execution.outputs if each.role == "stdout"]
        return (
            os.path.join(self._scratch.top, stdin[0]) if stdin else os.devnull,
            self._scratch.room_for(stdout[0]) if stdout else None,
        )

    def request(self, downloads: Mapping[str, str]) -> Request:
        """Return what to run: the same, here; `downloads` are where inputs are, by URI."""
        launch = self._launch
        image = launch.image
        # By digest, which means the same image everywhere; what was never pushed has an id.
        name = (image.digest or image.id or image.name) if image else None
        plan = self._plan(downloads)
        if plan and name and launch.declared_image is None:
            plan = plan.replace(image=name)  # the one that the step names was the one in use
        declared = [each for each in self._execution.outputs if each.how == "declared"]
        folders = [each.path for each in declared if each.type == "directory"]
        return Request(
            command=plan.command if plan else self._moved(launch.command),
            inputs=tuple(
                (each.role, each.path if each.type == "uri" else self._spelled(each.path))
                for each in launch.inputs
            ),
            outputs=tuple(
                self._spelled(each.path)
                for each in declared
                if not any(is_inside(each.path, f) for f in folders if f != each.path)
            ),
            parameters=launch.parameters,
            title=launch.title,
            step=launch.step,
            metrics=self._moved(launch.metrics),
            reproduces=self._execution.id,
            plan=plan,
            placed=plan.inputs if plan else self._placed(downloads),
            image=name,
            volumes=image.volumes if image else (),
            variables=image.variables if image else (),
            network=image.network if image else None,
            gpus=image.gpus if image else None,
        )

    def _plan(self, downloads: Mapping[str, str]) -> Plan | None:
        """Return what is to be done for a step, with the same parameters and inputs."""
        launch = self._launch
        if launch.configuration is None:
            return None
        from gitlineage import steps  # Valohai's package takes its time

        config = os.path.join(self._scratch.top, launch.configuration)
        named = [each for each in launch.inputs if each.role is not None]
        uris = {each.path: each for each in named if each.path in downloads}

        def fetch(given: str) -> Sequence[tuple[Artifact, str]]:
            found = [uris[address(given)]] if address(given) in uris else []
            if "*" in given.partition("?")[0]:
                pattern = given.replace("**", "*")
                found = [each for each in uris.values() if fnmatchcase(each.path, pattern)]
            return [(each, downloads[each.path]) for each in found]

        def planned(inputs: Sequence[Artifact]) -> Plan:
            top = self._scratch.top
            paths = [e.path if e.path in uris else os.path.join(top, e.path) for e in inputs]
            given = [(each.role, path) for each, path in zip(inputs, paths, strict=True)]
            return steps.plan(config, launch.step, launch.parameters, given, fetch=fetch)

        # A pattern is not recorded, but what it stood for. It says where files go, so that it is
        # taken again where the configuration has one that stands for the same.
        elsewhere = {each.role for each in named if each.path not in uris}
        defaults = {each.role for each in uris.values()} - elsewhere
        if defaults:
            try:
                plan = planned([each for each in named if each.role not in defaults])
                if plan.downloads.keys() == uris.keys():
                    return plan
            except InvalidStep:
                pass  # there is no default
        return planned(named)

    def _placed(self, downloads: Mapping[str, str]) -> tuple[Placed, ...]:
        """Return the inputs of a command that it had as files in a folder."""
        uris = {each.path: each for each in self._launch.inputs if each.path in downloads}
        named: dict[str, list[str]] = {each.role: [] for each in uris.values() if each.role}
        if not named:
            return ()
        from gitlineage.steps.inputs import collect

        top = self._scratch.top
        for each in self._launch.inputs:
            if each.role in named:
                path = each.path if each.path in uris else os.path.join(top, each.path)
                named[each.role].append(path)

        def fetch(uri: str) -> Sequence[tuple[Artifact, str]]:
            return [(uris[uri], downloads[uri])]

        return tuple(
            collect(role, sources, top, keep="none", name=None, fetch=fetch)
            for role, sources in named.items()
        )

    def _spelled(self, path: str) -> str:
        """Return a recorded path as the command's folder would have it."""
        base = self._launch.directory
        if os.path.isabs(path) or os.path.isabs(base):
            return os.path.join(self._scratch.top, path)
        return os.path.relpath(path, base)

    def _moved(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return words with this work tree's folder where they name the user's."""
        theirs, ours = self._repository.work_tree(), self._scratch.top
        return tuple(
            ours if word == theirs else word.replace(theirs + "/", ours + "/") for word in words
        )
