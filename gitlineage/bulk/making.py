"""From executions to the objects of their records. Knows records and git's objects, no repository.

All of it can be done by another process: what goes in and what comes out can be pickled.
"""

from __future__ import annotations

from gitlineage import digest, encoding, lines, packing
from gitlineage.bulk.deltas import Deltas
from gitlineage.commits import Identity
from gitlineage.errors import InvalidTag
from gitlineage.messages import message_of
from gitlineage.packing import packed
from gitlineage.tags import ref_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence, Set
    from typing import Any

    from gitlineage.lines import Read
    from gitlineage.masking import Masking
    from gitlineage.packing import Made

LOOKED_AT_TOGETHER = 50
"""Records that are looked through for secrets at once, and one by one where there may be some."""


class Chunk:
    """The records of some executions, as objects without their commits."""

    __slots__ = ("are_stated", "commits", "count", "ids", "noted", "objects", "problem", "tagged")

    def __init__(self, count: int) -> None:
        self.count = count
        """Executions that it was made of."""
        self.are_stated = False
        """Some of them had said which id they have."""
        self.ids: list[str] = []
        self.objects: tuple[list[Made], list[Made]] = ([], [])
        """Those of every other record apart: in two packs, they are made differences of by git."""
        self.commits: list[tuple[str, bytes, int, str]] = []
        """Of each record the tree, who ran it as git writes that, when, and the message."""
        self.noted: list[tuple[str, int, int]] = []
        """The code's commit of each that has one, when that one started, and which it is."""
        self.tagged: dict[str, list[str]] = {}
        self.problem: tuple[int, str] | None = None
        """Which execution cannot be a record, as the first is 0, and why."""

    def leave_out(self, known: set[str]) -> None:
        """Leave out executions that are there already; their tags are put on them again."""
        self._keep([place for place, id in enumerate(self.ids) if id not in known])

    def refuse(self, forgotten: Set[str]) -> list[str]:
        """Leave out executions that were forgotten, with their tags; return their ids."""
        found = [id for id in self.ids if id in forgotten]
        if found:
            self.tagged = {
                tag: kept
                for tag, ids in self.tagged.items()
                if (kept := [id for id in ids if id not in forgotten])
            }
            self.leave_out(set(found))
        return found

    def leave_out_trees(self, known: set[str]) -> None:
        """Leave out records whose trees are there already."""
        self._keep([place for place, each in enumerate(self.commits) if each[0] not in known])

    def _keep(self, kept: Sequence[int]) -> None:
        if len(kept) < len(self.ids):
            moved = {before: now for now, before in enumerate(kept)}
            self.noted = [(c, at, moved[n]) for c, at, n in self.noted if n in moved]
            self.commits = [self.commits[place] for place in kept]
            self.ids = [self.ids[place] for place in kept]


class _Draft:
    """One record on its way."""

    __slots__ = ("content", "end", "id", "launch", "log", "record", "tags")

    def __init__(self, read: Read) -> None:
        self.launch, self.end, self.log, self.tags = read.launch, read.end, read.log, read.tags
        for tag in self.tags:
            try:
                ref_of(tag)
            except InvalidTag as error:
                raise lines.NotRead(str(error)) from error
        self.content = read.encoded(self.launch)
        self.id = _id_of(self.launch, self.content)
        if read.execution not in (None, "", self.id):
            raise lines.NotRead(f"its launch has the id {self.id}, not {read.execution}")
        self.end.execution = self.id
        self.record = read.encoded(self.end)
        if max(len(self.content), len(self.record)) > encoding.LARGEST:
            raise lines.NotRead(f"larger than {encoding.LARGEST} bytes")

    def mask(self, masking: Masking) -> None:
        """Mask what is secret in it, as `run` does."""
        launch, end = lines.as_record(self.launch), lines.as_record(self.end)
        masked = masking.launch(launch, self.content)
        if masked is not launch:
            self.launch, self.content = masked, encoding.encode(masked)
            self.id = _id_of(masked, self.content)
        end = masking.end(end, self.record).replace(execution=self.id)
        self.log = masking.mask(self.log, "the log")
        self.end = end.replace(masked=(*end.masked, *masking.found()))
        self.record = encoding.encode(self.end)


def _id_of(launch: Any, content: bytes) -> str:
    """Return an execution's id; one that something was taken out of keeps the one that it had."""
    return launch.redacted or digest.execution_id(content)


class Maker:
    """Makes records; one for each process."""

    def __init__(self, masking: Masking, algorithm: str) -> None:
        self._masking = masking
        self._algorithm = algorithm
        self._people: dict[tuple[str, str], bytes] = {}
        # A launch and a record are never the same bytes, so that no two are deltas on each other.
        self._deltas = [[Deltas("blob", algorithm) for part in range(2)] for pack in range(2)]

    def make(self, executions: Sequence[Any]) -> Chunk:
        """Return the records of executions: lines as bytes, or pairs of launch and end."""
        made = Chunk(len(executions))
        drafts: list[_Draft] = []
        for number, each in enumerate(executions):
            try:
                read = lines.read(each) if type(each) is bytes else lines.of_records(*each)
                drafts.append(_Draft(read))
            except lines.NotRead as error:
                made.problem = number, str(error)
                return made
            made.are_stated |= bool(read.execution)
        for start in range(0, len(drafts), LOOKED_AT_TOGETHER):
            some = drafts[start : start + LOOKED_AT_TOGETHER]
            if self._are_suspect(some):
                for draft in some:
                    draft.mask(self._masking)
        for each in (*self._deltas[0], *self._deltas[1]):
            each.begin()
        for draft in drafts:
            self._add(made, draft)
        return made

    def _are_suspect(self, drafts: Sequence[_Draft]) -> bool:
        names: set[str] = set()
        contents: list[bytes] = []
        for each in drafts:
            names.update(each.launch.parameters, each.end.metadata)
            names.update(word.partition("=")[0] for word in each.launch.command if word[:1] == "-")
            contents += (each.content, each.record, each.log)
        return self._masking.is_suspect(names, b"\n".join(contents))

    def _add(self, made: Chunk, draft: _Draft) -> None:
        launch, algorithm = draft.launch, self._algorithm
        place = len(made.ids) % 2
        launches, records = self._deltas[place]
        content, record = launches.packed(draft.content), records.packed(draft.record)
        files = [(b"launch", content[0]), (b"record", record[0])]
        objects = made.objects[place]
        objects += (content, record)
        if draft.log:
            log = packed("blob", draft.log, algorithm)
            files.append((b"log", log[0]))
            objects.append(log)
        tree = packed("tree", packing.tree(files), algorithm)
        made.objects[0].append(tree)  # too small for deltas: apart, git would look for some
        who = (launch.agent.name, launch.agent.email)
        person = self._people.get(who)
        if person is None:
            line = Identity(name=who[0], email=who[1], at=0).line()
            person = self._people[who] = line.rsplit(b" ", 2)[0]
        at = max(launch.started_at // 1_000_000, 0)
        message = message_of(launch, draft.end, draft.id)
        made.commits.append((tree[0].hex(), person, at, message))
        if launch.code.commit:
            made.noted.append((launch.code.commit, launch.started_at, len(made.ids)))
        made.ids.append(draft.id)
        for tag in draft.tags:
            made.tagged.setdefault(tag, []).append(draft.id)
