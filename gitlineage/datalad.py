"""Executions that `datalad run` has recorded, each in the message of the commit that saved it.

Knows how DataLad writes such a message, and what the commit tells of files; starts nothing and
knows no index. All that is made of a commit follows from the commit alone, so that each clone
makes the same record, with the same id, and two of them become one.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shlex

from gitlineage import digest, encoding, pointers
from gitlineage.capture.names import step_of
from gitlineage.fingerprints import Fingerprints
from gitlineage.records import Record
from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gitlineage.repository import Repository

NAME = "datalad"
"""What made such a record, as its launch says."""

SUBJECT = "[DATALAD RUNCMD]"

LISTED_AT_MOST = 1000
"""Inputs, and outputs, that a record lists: it is to stay small."""

PATTERNS_AT_MOST = 100
"""Patterns that are looked at, each for each file."""

TITLE_AT_MOST = 200
"""Characters of a message's subject."""

UNKNOWN = "unknown"
"""The host: no message tells it."""

_RECORD = re.compile(
    r"^=== Do not change lines below ===\n(.*)\n\^\^\^ Do not change lines above \^\^\^",
    re.MULTILINE | re.DOTALL,
)
_FIELDS = "%H%x1f%P%x1f%T%x1f%an%x1f%ae%x1f%at%x1f%B"


class Run(Record):
    """What a message tells of a command."""

    title: str
    command: tuple[str, ...]
    directory: str
    """Where it ran, relative to the top."""
    inputs: tuple[str, ...] = ()
    """Paths and patterns, relative to that directory."""
    outputs: tuple[str, ...] = ()
    exit_code: int = 0


def parse(message: str) -> Run | None:
    """Return what a commit's message tells of a command; None where it tells of none."""
    subject = message.partition("\n")[0]
    found = _RECORD.search(message)
    if found is None or not subject.startswith(SUBJECT):
        return None
    try:
        told = json.loads(found[1])
    except (ValueError, RecursionError):
        return None
    if type(told) is not dict:
        return None  # the name of a file that has the rest
    command, directory, code = told.get("cmd"), told.get("pwd", "."), told.get("exit", 0)
    if type(command) is str and command:
        words: tuple[str, ...] = ("sh", "-c", command)
    else:
        words = _texts(command)
    if not words or type(directory) is not str or type(code) is not int:
        return None
    return Run(
        title="datalad run: " + subject.removeprefix(SUBJECT).strip()[:TITLE_AT_MOST],
        command=words,
        directory=os.path.normpath(directory),
        inputs=(*_texts(told.get("inputs")), *_texts(told.get("extra_inputs"))),
        outputs=_texts(told.get("outputs")),
        exit_code=code if 0 <= code < 256 else 1,
    )


def executions(repository: Repository, revisions: Sequence[str]) -> Iterator[tuple[Launch, End]]:
    """Yield what `datalad run` has recorded in commits, the oldest first. Raises GitFailed."""
    listed = repository.ask(
        "-c",
        "i18n.logOutputEncoding=UTF-8",
        "log",
        "--no-show-signature",
        "--topo-order",
        "--reverse",
        "--fixed-strings",
        f"--grep={SUBJECT}",
        "-z",
        f"--format={_FIELDS}",
        "--end-of-options",
        *revisions,
        "--",
    )
    here = _Here(repository)
    for each in listed.decode("utf-8", "replace").split("\0"):
        commit, _, rest = each.strip("\n").partition("\x1f")
        if rest:
            parents, tree, name, email, at, message = rest.split("\x1f", 5)
            if (run := parse(message)) is not None:
                agent = Agent(name=name, email=email)
                parent = parents.split(" ")[0]
                yield _execution(repository, here, run, commit, parent, tree, agent, int(at))
    here.close()


def _execution(
    repository: Repository,
    here: _Here,
    run: Run,
    commit: str,
    parent: str,
    tree: str,
    agent: Agent,
    at: int,
) -> tuple[Launch, End]:
    before = _files(repository, parent) if parent else {}
    after = _files(repository, tree)
    changed = [path for path in after if after[path] != before.get(path)]
    is_output = _chooser(run, run.outputs)
    listed = [path for path in changed if not path.startswith(".datalad/")]
    used = list(filter(_chooser(run, run.inputs), before))
    warnings = [f"made from the message of commit {commit[:12]}: nobody watched it"]
    for name, paths in (("inputs", used), ("outputs", listed)):
        if len(paths) > LISTED_AT_MOST:
            warnings.append(f"{len(paths) - LISTED_AT_MOST} more {name} are not listed")
    outputs = [
        each.replace(
            how="declared" if is_output(each.path) else "detected",
            change="overwritten" if each.path in before else "created",
        )
        for each in _artifacts(repository, after, listed[:LISTED_AT_MOST])
    ]
    words = run.command[2:] if run.command[:2] == ("sh", "-c") else run.command
    inputs = list(_artifacts(repository, before, used[:LISTED_AT_MOST]))
    launch = Launch(
        nonce=digest.of_bytes(b"datalad\0" + commit.encode())[:16],
        command=run.command,
        directory=run.directory,
        step=step_of(_split(words), lambda word: _joined(run, word) in before),
        title=run.title,
        started_at=at * 1_000_000,
        agent=agent,
        software=Software(name=NAME, version=UNKNOWN),
        place=Place(host=UNKNOWN),
        code=Code(tree=_tree(repository, parent), commit=parent) if parent else Code(),
        inputs=tuple(inputs),
    )
    return launch, End(
        execution=digest.execution_id(encoding.encode(launch)),
        status="failed" if run.exit_code else "succeeded",
        exit_code=run.exit_code,
        finished_at=at * 1_000_000,
        learned=tuple(more for each in inputs if (more := here.known(each, before)) != each),
        outputs=tuple(here.known(each, after) for each in outputs),
        warnings=tuple(warnings),
    )


class _Here:
    """What git-annex keeps here: its content has digests by which we know it elsewhere.

    Another clone may lack it, so that nothing of this is in the launch, which gives the id.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._fingerprints = Fingerprints(repository.lineage_dir)

    def close(self) -> None:
        """Let go of what was opened."""
        self._fingerprints.close()

    def known(self, artifact: Artifact, files: Mapping[str, tuple[str, str]]) -> Artifact:
        """Return a file with all digests, where its content is here and is what its key says."""
        if artifact.kept_by != "git-annex" or self._repository.top is None:
            return artifact
        mode, name = files[artifact.path]
        target = os.fsdecode(self._repository.contents([name])[0] or b"")
        if mode != "120000" or (artifact.size or 0) > digest.SHA256_LIMIT:
            return artifact
        folder = os.path.dirname(os.path.join(self._repository.top, artifact.path))
        path = os.path.normpath(os.path.join(folder, target))
        store = os.path.join(self._repository.common_dir, "annex", "objects", "")
        if not os.path.realpath(path).startswith(os.path.realpath(store)):
            return artifact
        (algorithm,) = artifact.digests
        try:
            with open(path, "rb") as file:
                found = hashlib.file_digest(
                    file, lambda: hashlib.new(algorithm, usedforsecurity=False)
                ).digest()
            if found != artifact.digests[algorithm]:
                return artifact
            digests, stat = self._fingerprints.digests(path)
        except OSError:
            return artifact
        return artifact.replace(digests={**digests, algorithm: found}, size=stat.st_size)


def _files(repository: Repository, tree: str) -> Mapping[str, tuple[str, str]]:
    """Return mode and object of each file of a commit or tree, by path."""
    found = {}
    for line in os.fsdecode(repository.ask("ls-tree", "-r", "-z", "--full-tree", tree)).split("\0"):
        facts, _, path = line.partition("\t")
        if path:
            mode, kind, name = facts.split(" ")
            if kind == "blob":
                found[path] = mode, name
    return found


def _tree(repository: Repository, commit: str) -> str:
    return repository.ask("rev-parse", "--verify", commit + "^{tree}").decode().strip()


def _artifacts(
    repository: Repository, files: Mapping[str, tuple[str, str]], paths: Sequence[str]
) -> Iterator[Artifact]:
    """Yield files as git has them, or as what they stand for."""
    contents = repository.contents([files[path][1] for path in paths])
    for path, content in zip(paths, contents, strict=True):
        mode = files[path][0]
        artifact = Artifact(path=path, type="file", how="declared", is_executable=mode == "100755")
        if content is None:
            yield artifact  # not here, or too large to be looked at
            continue
        pointer = None
        if mode == "120000" or content.startswith(b"/annex/objects/"):
            pointer = pointers.annex(content.decode("utf-8", "replace"))
        elif content.startswith(b"version https://"):
            pointer = pointers.lfs(content)
        if pointer is not None:
            yield artifact.replace(
                digests={pointer.algorithm: pointer.digest},
                size=pointer.size,
                kept_by=pointer.kept_by,
            )
        elif mode != "120000":  # another link has no content of its own
            yield artifact.replace(
                digests={
                    "blake3": digest.of_bytes(content),
                    "sha256": hashlib.sha256(content).digest(),
                },
                size=len(content),
            )


def _chooser(run: Run, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a path is among paths, folders and patterns of a command."""
    wanted = [_joined(run, each) for each in patterns]
    named = frozenset(wanted)
    wild = [each.split("/") for each in wanted if any(mark in each for mark in "*?[")]
    wild = wild[:PATTERNS_AT_MOST]

    def is_chosen(path: str) -> bool:
        above = path
        while above and above not in named:
            above = os.path.dirname(above)
        parts = path.split("/")
        return bool(above) or "." in named or any(_reaches(parts, each) for each in wild)

    return is_chosen


def _reaches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a pattern stands for a path, or for a folder that it is in.

    Folder by folder, so that no pattern of a stranger takes for ever.
    """
    places = {0}
    for each in pattern:
        if each == "**":
            places = set(range(min(places, default=len(parts)), len(parts) + 1))
        else:
            places = {at + 1 for at in places if at < len(parts) and _is_like(parts[at], each)}
    return bool(places)


def _is_like(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (name[0] != "." or pattern[0] == ".")


def _joined(run: Run, path: str) -> str:
    return os.path.normpath(os.path.join(run.directory, path))


def _split(words: Sequence[str]) -> Sequence[str]:
    """Return the words of a command that may be a line of shell."""
    if len(words) > 1:
        return words
    try:
        return shlex.split(words[0]) or words
    except ValueError:
        return words[0].split() or words


def _texts(told: object) -> tuple[str, ...]:
    """Return a list of texts; nothing for anything else."""
    if type(told) is not list or not all(type(each) is str and each for each in told):
        return ()
    return tuple(told)
