"""Executions that `datalad run` has recorded, each in the message of the commit that saved it.

Knows what the commit tells of files, and `messages` what its message does; starts nothing and
knows no index. All that is made of a commit follows from the commit alone, so that each clone
makes the same record, with the same id, and two of them become one.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shlex

from gitlineage import digest, encoding, pointers
from gitlineage.capture.names import step_of
from gitlineage.datalad.messages import LARGEST, SUBJECT, Run, chooser, filled, joined, parse
from gitlineage.fingerprints import Fingerprints
from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitlineage.repository import Repository

NAME = "datalad"
"""What made such a record, as its launch says."""

LISTED_AT_MOST = 1000
"""Inputs, and outputs, that a record lists: it is to stay small."""

SIDE_FILES = ".datalad/runinfo/"
"""Where `datalad run --sidecar` puts records."""

UNKNOWN = "unknown"
"""The host: no message tells it."""

_FIELDS = "%H%x1f%P%x1f%T%x1f%an%x1f%ae%x1f%at%x1f%B"


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
            side_file = functools.partial(here.side_file, tree)
            if (run := parse(message, side_file)) is not None:
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
    is_output = chooser(run, run.outputs)
    listed = [path for path in changed if not path.startswith(".datalad/")]
    used = list(filter(chooser(run, run.inputs), before))
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
    command = filled(run, before)
    words = command[2:] if command[:2] == ("sh", "-c") else command
    inputs = list(_artifacts(repository, before, used[:LISTED_AT_MOST]))
    launch = Launch(
        nonce=digest.of_bytes(b"datalad\0" + commit.encode())[:16],
        command=command,
        template=() if command == run.command else run.command[-1:],
        interpolated=() if command == run.command else command[-1:],
        directory=run.directory,
        step=step_of(_split(words), lambda word: joined(run, word) in before),
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
        if mode != "120000" or (artifact.size or 0) > digest.SHA256_LIMIT:
            return artifact
        target = os.fsdecode(self._repository.contents([name])[0] or b"")
        path = self._stored(artifact.path, target)
        if path is None:
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

    def side_file(self, tree: str, name: str) -> bytes | None:
        """Return what a file holds in which DataLad keeps a record, or None.

        git-annex may keep it, and another clone may lack it.
        """
        path = SIDE_FILES + name
        listed = os.fsdecode(self._repository.ask("ls-tree", "-z", "--full-tree", tree, path))
        mode, kind, found = (*listed.partition("\t")[0].split(" "), "", "")[:3]
        content = self._repository.contents([found])[0] if kind == "blob" else None
        if mode != "120000" or content is None:
            return content
        stored = self._stored(path, os.fsdecode(content))
        try:
            with open(stored or "", "rb") as file:
                return file.read(LARGEST)
        except OSError:
            return None

    def _stored(self, path: str, target: str) -> str | None:
        """Return where the content is that a link of git-annex stands for; None for other links."""
        folder = os.path.dirname(os.path.join(self._repository.top or "", path))
        found = os.path.normpath(os.path.join(folder, target))
        store = os.path.join(self._repository.common_dir, "annex", "objects", "")
        inside = os.path.realpath(store) + os.sep
        return found if os.path.realpath(found).startswith(inside) else None


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


def _split(words: Sequence[str]) -> Sequence[str]:
    """Return the words of a command that may be a line of shell."""
    if len(words) > 1:
        return words
    try:
        return shlex.split(words[0]) or words
    except ValueError:
        return words[0].split() or words
