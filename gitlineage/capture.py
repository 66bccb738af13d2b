"""Takes the state of things before a command and after it, and returns what happened.

Knows what makes code, inputs and outputs; stores nothing but the code that is about to run.
"""

from __future__ import annotations

import os
import stat as modes
import time

from gitlineage import artifacts, digest, environment, fingerprints
from gitlineage.code import CodeChain
from gitlineage.errors import InputMissing
from gitlineage.records import (
    Agent,
    Artifact,
    Code,
    Launch,
    LeftOut,
    Record,
    Software,
    Submodule,
)
from gitlineage.repository import Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.fingerprints import Fingerprints
    from gitlineage.repository import Repository, WorkTree
    from gitlineage.running import Other

LARGE = 4 << 20
"""Untracked files above this size are data, not code: they stay out of snapshots
(`lineage.snapshotLimit` changes it)."""

MANY = 5000
"""Untracked files that a snapshot takes at most."""

SECRET_NAMES = (".env", ".netrc", ".pypirc", ".pgpass", ".htpasswd", "credentials", "secrets")
SECRET_STARTS = (".env.", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials.", "secrets.")
SECRET_ENDINGS = (".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".asc")
"""Names of files that hold secrets, compared in lower case: never taken into a snapshot unless
git tracks them already."""

NOT_OUTPUTS = (
    "__pycache__/", "*.pyc", ".venv/", "venv/", "node_modules/", ".mypy_cache/", ".pytest_cache/",
    ".ruff_cache/", ".ipynb_checkpoints/", ".tox/", ".nox/", ".cache/", ".git/", ".DS_Store",
    ".coverage", "*.swp",
)
"""What commands write on the side, in git's ignore patterns: never detected as outputs."""

DETECTED_AT_MOST = 1000
"""Outputs that are listed by detection; folders with more are to be declared."""

INTERPRETERS = ("python", "pypy", "ipython", "bash", "sh", "zsh", "dash", "ksh", "perl", "ruby",
                "node", "julia", "Rscript", "R", "php", "lua", "java", "octave", "uv", "poetry",
                "env", "time", "nice", "nohup", "srun", "mpirun", "torchrun", "accelerate")
"""Programs that run a script, whose name says more than theirs."""


class Request(Record):
    """What to run, as the user asked for it."""

    command: tuple[str, ...]
    inputs: tuple[tuple[str | None, str], ...] = ()
    """Name or None, and path or URI as given."""
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = {}
    tags: tuple[str, ...] = ()
    title: str | None = None
    step: str | None = None


class Found(Record):
    """What a command left."""

    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    warnings: tuple[str, ...]
    manifests: Mapping[str, bytes]

    def claims(self) -> tuple[str, ...]:
        """Return the outputs in the work tree, by path."""
        return tuple(each.path for each in self.outputs if not os.path.isabs(each.path))


class Capture:
    """One execution's before and after."""

    def __init__(self, repository: Repository, fingerprints: Fingerprints,
                 request: Request) -> None:
        self._repository = repository
        self._fingerprints = fingerprints
        self._request = request
        self._reader = artifacts.Reader(repository.work_tree(), fingerprints)
        self._arguments: dict[str, tuple[Artifact, os.stat_result]] = {}
        """Files named as arguments, as they were before: hashed later, when they are unchanged."""
        self._declared: dict[str, os.stat_result] = {}
        self._outputs: dict[str, str] = {}
        """Declared outputs: path to the spelling that was given."""
        self._existed: set[str] = set()
        """What was there before, as far as that is known."""
        self._before: dict[str, bytes] = {}
        """blake3 of declared outputs before."""
        self.warnings: list[str] = []

    # -- before ----------------------------------------------------------------------------

    def prepare(self, parent: tuple[str, str] | None) -> Launch:
        """Return what is known before the command starts; keep the code alive.

        `parent` is the id of the execution that this one runs inside of, and its root's.
        Raises InputMissing, GitFailed.
        """
        repository, request = self._repository, self._request
        # Four questions to git at once: the answers take no longer than the slowest.
        status = repository.start_status()
        config = repository.start_config()
        tips = CodeChain(repository).start()
        head = repository.start("rev-parse", "--verify", "--quiet", "HEAD^{tree}")
        inputs = self._read_inputs()
        self._note_arguments()
        repository.config(config)
        agent = self.agent()
        work_tree = repository.status(status)
        head_tree = head.outcome()[1].decode().strip() or None
        code = self._take_code(work_tree, head_tree)
        remote = repository.lineage_remote(work_tree.branch)
        assert code.tree is not None
        snapshot = CodeChain(repository).keep(
            code.tree, code.commit, remote, self.identity(agent),
            is_clean=not code.is_adhoc, started=tips,
        )
        self._existed.update(work_tree.untracked)
        return Launch(
            nonce=os.urandom(16),
            command=request.command,
            directory=self._reader.name("."),
            step=request.step or step_of(request.command),
            title=request.title,
            started_at=int(time.time() * 1_000_000),
            agent=agent,
            software=software(),
            place=environment.place(),
            code=code.replace(snapshot=snapshot),
            inputs=inputs,
            parameters=request.parameters,
            tags=request.tags,
            parent=parent[0] if parent else None,
            root=parent[1] if parent else None,
        )

    def agent(self) -> Agent:
        """Return who runs it, as git would name the author of a commit."""
        found, is_known = agent_of(self._repository)
        if not is_known:
            self.warnings.append(
                f"no identity is configured: recorded as {found.name} <{found.email}>; "
                "set it with `git config user.name` and `git config user.email`"
            )
        return found

    def identity(self, agent: Agent) -> Identity:
        """Return the agent as the author of a commit that is made now."""
        return Identity(name=agent.name, email=agent.email, at=int(time.time()))

    def _read_inputs(self) -> tuple[Artifact, ...]:
        found = []
        for role, given in self._request.inputs:
            if artifacts.is_uri(given):
                found.append(Artifact(path=given, type="uri", how="declared", role=role))
                continue
            name = self._reader.name(given)
            try:
                self._declared[name] = os.stat(self._reader.locate(name))
                found.append(self._reader.read(name, how="declared", role=role, given=given))
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise InputMissing(path=given, reason=reason) from error
        for given in self._request.outputs:
            name = self._reader.name(given)
            self._outputs[name] = given
            self._note_before(name)
        return tuple(found)

    def _note_before(self, name: str) -> None:
        """Remember that a declared output exists, and its content where that is cheap to have."""
        full = self._reader.locate(name)
        try:
            stat = os.stat(full)
            self._existed.add(name)
            if not modes.S_ISREG(stat.st_mode):
                return
            if stat.st_size < fingerprints.WORTH_ASKING:
                with open(full, "rb") as file:
                    self._before[name] = digest.of_bytes(file.read())
            elif known := self._fingerprints.known(full, stat):
                self._before[name] = known["blake3"]
        except OSError:
            return

    def _note_arguments(self) -> None:
        """Remember the files that the command line names, and a file that is standard input."""
        candidates = {}
        for word in self._request.command[1:]:
            for given in (word, word.partition("=")[2]):
                if given and not given.startswith("-") and os.path.isfile(given):
                    candidates[self._reader.name(given)] = (given, None)
        if (path := _standard_input()) is not None:
            candidates[self._reader.name(path)] = (path, "stdin")
        for name in (*self._declared, *self._outputs):
            candidates.pop(name, None)
        inside = [name for name in candidates if not os.path.isabs(name)]
        if inside:
            tracked = self._repository.ask("--literal-pathspecs", "ls-files", "-z", "--", *inside)
            for name in os.fsdecode(tracked).split("\0"):
                candidates.pop(name, None)  # code of the snapshot
        for name, (given, role) in candidates.items():
            artifact = Artifact(path=name, type="file", how="argument", role=role,
                                given=given if given != name else None,
                                host=os.uname().nodename if os.path.isabs(name) else None)
            self._arguments[name] = (artifact, os.stat(self._reader.locate(name)))

    def _take_code(self, work_tree: WorkTree, head_tree: str | None) -> Code:
        """Return the code as it stands: HEAD's tree, or a snapshot's."""
        repository = self._repository
        untracked, left_out = self._untracked_code(work_tree.untracked)
        differing = [path for path in work_tree.changed if path not in work_tree.submodules]
        readable = []
        for path in differing:
            full = self._reader.locate(path)
            if os.path.isfile(full) and not os.access(full, os.R_OK):
                left_out.append(LeftOut(path=path, reason="unreadable"))
            else:
                readable.append(path)
        paths = [*readable, *work_tree.submodules, *untracked]
        if paths or head_tree is None or left_out:
            tree = repository.tree_with(paths)
        else:
            tree = head_tree
        remotes = {name: _without_credentials(url) for name, url in repository.remotes().items()}
        return Code(
            tree=tree,
            commit=work_tree.commit,
            branch=work_tree.branch,
            is_adhoc=tree != head_tree,
            differs_count=len(paths) if tree != head_tree else 0,
            remotes=remotes,
            left_out=tuple(left_out),
            submodules=self._submodules(work_tree),
        )

    def _untracked_code(self, untracked: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
        """Choose which untracked files are code; what is left out of code is said."""
        limit = self._limit()
        taken: list[str] = []
        left_out: list[LeftOut] = []
        data = (*self._declared, *self._outputs)
        for path in untracked:
            full = self._reader.locate(path)
            if path.endswith("/") or any(path == each or path.startswith(each + "/")
                                         for each in data):
                continue  # a repository of its own; or data by declaration
            try:
                stat = os.lstat(full)
            except OSError:
                continue
            if is_secret(path):
                left_out.append(LeftOut(path=path, reason="secret", size=stat.st_size))
            elif not modes.S_ISREG(stat.st_mode) and not modes.S_ISLNK(stat.st_mode):
                continue
            elif self._was_made(full, stat):
                continue  # an execution's output, unchanged: the ledger knows it
            elif stat.st_size > limit:
                left_out.append(LeftOut(path=path, reason="large", size=stat.st_size))
            elif not modes.S_ISLNK(stat.st_mode) and not os.access(full, os.R_OK):
                left_out.append(LeftOut(path=path, reason="unreadable", size=stat.st_size))
            elif len(taken) >= MANY:
                left_out.append(LeftOut(path=path, reason="many", size=stat.st_size))
            else:
                taken.append(path)
        return taken, left_out[:MANY]

    def _was_made(self, full: str, stat: os.stat_result) -> bool:
        made = self._fingerprints.made(full)
        if made is None or not modes.S_ISREG(stat.st_mode):
            return False
        try:
            return self._fingerprints.digests(full)[0]["blake3"] == made
        except OSError:
            return False

    def _limit(self) -> int:
        given = self._repository.config().get("lineage.snapshotlimit", "").strip().lower()
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(given[-1:], 1)
        digits = given.rstrip("kmg")
        return int(digits) * factor if digits.isdigit() else LARGE

    def _submodules(self, work_tree: WorkTree) -> tuple[Submodule, ...]:
        if not os.path.exists(self._reader.locate(".gitmodules")):
            return ()
        listed = os.fsdecode(self._repository.ask("ls-files", "--stage", "-z"))
        found = []
        for line in listed.split("\0"):
            if line.startswith("160000 "):
                commit, path = line.split(" ", 2)[1], line.partition("\t")[2]
                if path in work_tree.submodules:
                    asked = self._repository.start("-C", path, "rev-parse", "HEAD").outcome()
                    commit = asked[1].decode().strip() or commit
                found.append(Submodule(path=path, commit=commit,
                                       is_dirty=work_tree.submodules.get(path, False)))
        return tuple(found)

    # -- after -----------------------------------------------------------------------------

    def collect(self, started: int, others: Sequence[Other], ancestors: Iterable[str],
                execution: str) -> Found:
        """Return the inputs and outputs that are known once the command has ended.

        `started` is the file system's clock at the start, in nanoseconds; `others` are executions
        in the same work tree that had not ended by then.
        """
        written = self._written(started)
        mine = self._unclaimed(written, others, frozenset(ancestors), execution)
        outputs = [self._output(name, "declared", given, started)
                   for name, given in self._outputs.items()]
        declared = {each.path for each in outputs if each}
        inside = [path for path in written
                  if any(path.startswith(each + "/") for each in declared)]
        detected = [path for path in mine if path not in self._outputs and path not in inside]
        if len(detected) > DETECTED_AT_MOST:
            self.warnings.append(f"{len(detected) - DETECTED_AT_MOST} more files were written and "
                                 "are not listed: declare their folder with -o")
        outputs += [self._output(path, "declared", None, started) for path in
                    inside[:DETECTED_AT_MOST]]
        outputs += [self._output(path, "detected", None, started) for path in
                    detected[:DETECTED_AT_MOST]]
        found = tuple(each for each in outputs if each is not None)
        made = {self._reader.locate(each.path): each.digests["blake3"] for each in found
                if each.type == "file" and "blake3" in each.digests}
        if made:
            self._fingerprints.set_made(made)
        return Found(inputs=self._used(set(written)), outputs=found,
                     warnings=tuple(self.warnings), manifests=self._reader.manifests)

    def _written(self, started: int) -> list[str]:
        """Return the files of the work tree that were written since, in order of path."""
        repository = self._repository
        excluded = [option for pattern in NOT_OUTPUTS for option in ("-x", pattern)]
        # git compares 20,000 files in 20 ms where Python takes 80; both questions run at once.
        tracked = repository.start("diff-files", "--name-only", "-z", "--ignore-submodules=all")
        others = repository.start("ls-files", "--others", "-z", *excluded)
        listed = os.fsdecode(tracked.finish()).split("\0") + os.fsdecode(others.finish()).split("\0")
        found = []
        for path in listed:
            if not path or path.endswith("/"):
                continue
            try:
                stat = os.lstat(self._reader.locate(path))
            except OSError:
                continue
            if stat.st_ctime_ns >= started and modes.S_ISREG(stat.st_mode) and \
                    stat.st_mtime_ns >= started:
                found.append(path)
        return sorted(set(found))

    def _unclaimed(self, written: Sequence[str], others: Sequence[Other],
                   ancestors: frozenset[str], execution: str) -> list[str]:
        """Return the written files that are surely this execution's.

        What a nested execution claims is its own. A file that was written while an unrelated
        execution ran may be that one's: nobody claims it by time alone.
        """
        nested = {execution}
        for _ in others:  # children before grandchildren, in as many rounds as it may take
            nested |= {each.id for each in others if each.parent in nested}
        taken = {path for each in others if each.id in nested for path in each.claims}
        rivals = [each for each in others if each.id not in nested and each.id not in ancestors]
        mine, doubtful = [], []
        for path in written:
            if path in taken or path in self._outputs:
                continue
            if any(path in each.claims for each in rivals):
                continue
            try:
                at = os.lstat(self._reader.locate(path)).st_mtime_ns
            except OSError:
                continue
            overlap = any(each.started <= at and (each.finished is None or at <= each.finished)
                          for each in rivals)
            (doubtful if overlap else mine).append(path)
        if doubtful:
            some = ", ".join(doubtful[:3]) + (", ..." if len(doubtful) > 3 else "")
            self.warnings.append(f"other executions ran here at the same time, so nobody claims "
                                 f"{some}: declare outputs with -o")
        return mine

    def _output(self, name: str, how: str, given: str | None, started: int) -> Artifact | None:
        full = self._reader.locate(name)
        try:
            stat = os.stat(full)
            read = self._reader.read(name, how=how, given=given)
        except OSError as error:
            if how == "declared" and given is not None:
                self.warnings.append(f"output {given} was not made: {(error.strerror or '').lower()}")
            return None
        if given is not None and read.type == "file" and stat.st_mtime_ns < started and \
                stat.st_ctime_ns < started:
            self.warnings.append(f"output {given} was there before and was not written")
            return None
        existed = name in self._existed
        previous = self._before.get(name)
        return read.replace(change="overwritten" if existed or previous else "created",
                            previous=previous)

    def _used(self, written: set[str]) -> tuple[Artifact, ...]:
        """Return the files that were named as arguments, unless the run rewrote them."""
        found = []
        for name, before in self._declared.items():
            if not modes.S_ISDIR(before.st_mode) and _changed(self._reader.locate(name), before):
                self.warnings.append(f"input {name} changed while it ran")
        for name, (artifact, before) in self._arguments.items():
            if name in written or _changed(self._reader.locate(name), before):
                continue
            try:
                read = self._reader.read(name, how="argument", role=artifact.role)
            except OSError:
                continue
            found.append(artifact.replace(digests=read.digests, size=read.size,
                                          is_executable=read.is_executable))
        return tuple(found)


def agent_of(repository: Repository) -> tuple[Agent, bool]:
    """Return who git would name as author, and whether that was configured."""
    config = repository.config()
    name = os.environ.get("GIT_AUTHOR_NAME") or config.get("author.name") or config.get("user.name")
    email = (os.environ.get("GIT_AUTHOR_EMAIL") or config.get("author.email")
             or config.get("user.email") or os.environ.get("EMAIL"))
    login = environment.login()
    host = os.uname().nodename
    agent = Agent(name=name or login or "unknown", email=email or f"{login or 'unknown'}@{host}",
                  login=login)
    return agent, bool(name and email)


def software() -> Software:
    """Return this program."""
    from gitlineage import __version__

    return Software(name="git-lineage", version=__version__)


def step_of(command: Sequence[str]) -> str:
    """Return the step's name: that of the script or program, without its extension."""
    words = list(command)
    program = os.path.basename(words[0])
    stem = program.rstrip("0123456789.")
    if stem in INTERPRETERS:
        rest = words[1:]
        while rest:
            word = rest.pop(0)
            if word == "-m" and rest:
                return rest[0].rpartition(".")[2]
            if word in ("-c", "-e", "--command"):
                break
            if not word.startswith("-") and ("." in os.path.basename(word) or os.path.exists(word)):
                return os.path.basename(word).partition(".")[0] or program
    return program.rpartition(".")[0] or program


def is_secret(path: str) -> bool:
    """Tell whether a file's name is one that secrets have."""
    name = os.path.basename(path).lower()
    return (name in SECRET_NAMES or name.startswith(SECRET_STARTS)
            or name.endswith(SECRET_ENDINGS)) and not name.endswith(".pub")


def _standard_input() -> str | None:
    """Return the path of the regular file that standard input is, where it is one."""
    try:
        if modes.S_ISREG(os.fstat(0).st_mode):
            path = os.readlink("/proc/self/fd/0")
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
        before.st_size, before.st_mtime_ns, before.st_ino)


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
