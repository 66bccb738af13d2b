"""Whether every record is sound: reads all that the refs reach here, and trusts nothing of it.

Knows what belongs to a record. What git itself can tell, whether an object's bytes give its id,
is `git fsck`'s; nothing is repaired here.
"""

from __future__ import annotations

import calendar

from gitlineage import chains, digest, encoding, ledger, partial, rewinds, signatures
from gitlineage.code import PREFIX as CODE
from gitlineage.commits import Commit
from gitlineage.errors import GitFailed, InvalidRecord, NewerFormat
from gitlineage.index.parts import name_in
from gitlineage.ledger import Ledger
from gitlineage.packing import packed
from gitlineage.records import Record
from gitlineage.records.alias import Alias
from gitlineage.records.deployment import Deployment, Retirement
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.records.metadata import Metadata
from gitlineage.records.redaction import Redaction
from gitlineage.remains import lost_of, walk
from gitlineage.tags import Tags
from gitlineage.wording import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from gitlineage.ledger import Stored
    from gitlineage.repository import Repository

KINDS: dict[str, type[Record]] = {
    "execution": End,
    "deployment": Deployment,
    "retirement": Retirement,
    "alias": Alias,
    "metadata": Metadata,
    "redaction": Redaction,
}


TOLD_EACH = 1000
"""Records between two times that it is told how many were read."""


class Problem(Record):
    """Something that is not as it should be."""

    kind: str
    """`damaged`, `missing`; `newer`: of a later version; `elsewhere`: named, and not here;
    `lost`: what a repair could not find; `signature`: one that is not to be trusted; `rewound`: a
    remote has set it back."""
    where: str
    """A ref, or a ledger commit's id."""
    reason: str

    @property
    def is_serious(self) -> bool:
        """Something is lost, or not what it was."""
        return self.kind in ("damaged", "missing", "signature")


class Verified(Record):
    """What was found of all records here."""

    records_count: int
    segments_count: int
    redacted_count: int
    """Executions whose id cannot be checked: something was taken out of their launch part."""
    absent_code_count: int
    """Trees of code that ran and are not here: they are fetched when they are asked for."""
    signed_count: int | None
    """Records with a signature; None where that was not asked."""
    signers: Mapping[str, int]
    """Who signed how many, of those that can be trusted."""
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Nothing is lost."""
        return not any(each.is_serious for each in self.problems)


class Verifier:
    """One look at everything in one repository."""

    def __init__(
        self,
        repository: Repository,
        *,
        checks_signatures: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """`progress` is told how many records were read."""
        self._repository = repository
        self._ledger = Ledger(repository)
        self._checks_signatures = checks_signatures
        self._progress = progress or (lambda _: None)
        self._signed_count = 0
        self._signers: dict[str, int] = {}
        self._empty = packed("tree", b"", repository.algorithm())[0].hex()
        self._names: set[str] = set()
        self._code: dict[str, str] = {}
        self._segments_count = self._records_count = 0
        self._redacted_count = self._absent_code_count = 0

    def verify(self) -> Verified:
        """Look at everything."""
        problems = tuple(self._problems())
        return Verified(
            records_count=self._records_count,
            segments_count=self._segments_count,
            redacted_count=self._redacted_count,
            absent_code_count=self._absent_code_count,
            signed_count=self._signed_count if self._checks_signatures else None,
            signers=self._signers,
            problems=problems,
        )

    def _problems(self) -> Iterator[Problem]:
        for ref, tip in self._ledger.tips().items():
            self._segments_count += 1
            yield from self._segment(ref, tip)
        yield from self._codes()
        yield from self._tags()
        lost = lost_of(self._repository.lineage_dir)
        there = self._repository.are_readable([id for _, id in lost]) if lost else []
        for (ref, id), is_there in zip(lost, there, strict=True):
            if not is_there:
                reason = f"commit {id} is lost; what is left was linked again"
                yield Problem(kind="lost", where=ref, reason=reason)
        for each in rewinds.noted(self._repository.lineage_dir):
            reason = f"{each.remote} had set it back by {moment(each.at * 1_000_000)}"
            yield Problem(kind="rewound", where=each.ref, reason=reason)

    def _segment(self, ref: str, tip: str) -> Iterator[Problem]:
        start = _start_of(ref.removeprefix(ledger.PREFIX))
        if start is None:
            yield Problem(kind="damaged", where=ref, reason="it is not the name of a month")
            return
        links, gone = walk(self._repository, tip)
        for lost in gone:
            yield Problem(kind="missing", where=ref, reason=f"its chain breaks off at {lost}")
        latest: dict[str, int] = {}
        for link in links:
            if link.at < start:
                yield Problem(kind="damaged", where=link.id, reason="dated before its month")
                continue
            if link.at > latest.pop(link.id, link.at):
                yield Problem(kind="damaged", where=link.id, reason="dated after what follows it")
            for each in link.parents:
                latest[each] = min(link.at, latest.get(each, link.at))
        held = [Commit(each.id, each.tree, ()) for each in links if each.tree != self._empty]
        yield from self._records(held)
        if self._checks_signatures:
            yield from self._signatures([each.id for each in held])
        yield from self._objects(ref, tip)

    def _signatures(self, commits: Sequence[str]) -> Iterator[Problem]:
        """Check the signatures that there are; of what has none, git is not asked."""
        found = signatures.signed(self._repository, commits)
        self._signed_count += len(found)
        for commit, signature in signatures.check(self._repository, found):
            if signature.is_trusted:
                who = signature.signer or signature.key
                self._signers[who] = self._signers.get(who, 0) + 1
            else:
                reason = f"signed {signature.line()}"
                yield Problem(kind="signature", where=commit, reason=reason)

    def _records(self, commits: Sequence[Commit]) -> Iterator[Problem]:
        """Read records; where git ends at a broken object, go on behind it."""
        at = 0
        while at < len(commits):
            read: set[str] = set()
            try:
                for stored in self._ledger.records(commits[at:]):
                    read.add(stored.commit)
                    yield from self._record(stored)
            except GitFailed:
                # What git had not printed yet may be sound: one by one, up to the broken one.
                while at < len(commits) and (
                    commits[at].id in read or (yield from self._alone(commits[at]))
                ):
                    at += 1
                at += 1
                continue
            for each in commits[at:]:
                if each.id not in read:
                    yield Problem(kind="missing", where=each.id, reason="its record is not there")
            return

    def _alone(self, commit: Commit) -> Generator[Problem, None, bool]:
        """Read one record; return whether git could."""
        try:
            found = list(self._ledger.records([commit]))
        except GitFailed as error:
            reason = f"git cannot read it: {error.facts['reason']}"
            yield Problem(kind="damaged", where=commit.id, reason=reason)
            return False
        for stored in found:
            yield from self._record(stored)
        if not found:
            yield Problem(kind="missing", where=commit.id, reason="its record is not there")
        return True

    def _record(self, stored: Stored) -> Iterator[Problem]:
        self._records_count += 1
        if not self._records_count % TOLD_EACH:
            self._progress(self._records_count)
        held = {"launch": stored.launch, "record": stored.record}
        if lacking := [part for part, content in held.items() if content is None]:
            # An end alone is a record; one whose launch is named and cannot be read is damaged.
            there = self._repository.entries(stored.commit)
            for part in lacking:
                if part in there:
                    reason = f"its part {part} cannot be read"
                    yield Problem(kind="damaged", where=stored.commit, reason=reason)
                    return
        name, _ = name_in(stored)
        self._names.add(name.hex())
        try:
            launch, record = _decoded(stored)
        except NewerFormat as error:
            yield Problem(kind="newer", where=stored.commit, reason=str(error))
            return
        except InvalidRecord as error:
            yield Problem(kind="damaged", where=stored.commit, reason=str(error.facts["reason"]))
            return
        if launch is not None:
            self._redacted_count += launch.redacted is not None
            if launch.code.tree:
                self._code.setdefault(launch.code.tree, stored.commit)
            if isinstance(record, End) and record.execution != name.hex():
                reason = f"its id is {name.hex()[:12]}, and it says {record.execution[:12]}"
                yield Problem(kind="damaged", where=stored.commit, reason=reason)

    def _objects(self, ref: str, tip: str) -> Iterator[Problem]:
        """Look whether all is there that the records name: logs, series, manifests, environments.

        In a partial clone what is not there was not fetched.
        """
        kind = "elsewhere" if partial.promisors(self._repository) else "missing"
        process = self._repository.start(
            *("rev-list", "--objects", "--no-object-names", "--missing=print", "--stdin"),
            takes_input=True,
        )
        rest = b""
        try:
            for piece in process.stream([tip.encode() + b"\n"]):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"?"):
                        reason = f"object {line[1:].decode()} is not there"
                        yield Problem(kind=kind, where=ref, reason=reason)
        except GitFailed:
            return  # the chain breaks off, or a tree cannot be read: that has been said

    def _codes(self) -> Iterator[Problem]:
        trees = list(self._code)
        are_there = self._repository.are_readable(trees) if trees else []
        absent = [tree for tree, is_there in zip(trees, are_there, strict=True) if not is_there]
        if not absent:
            return
        kept = self._repository.tips(CODE)
        asked = ("--first-parent", "--no-commit-header", "--format=%s", *kept.values(), "--")
        said = self._repository.start("rev-list", *asked).outcome()[1] if kept else b""
        claimed = set(said.decode(errors="replace").split("\n"))
        for tree in absent:
            if f"code {tree}" in claimed and not partial.promisors(self._repository):
                reason = f"the code that ran, {tree[:12]}, is not there"
                yield Problem(kind="missing", where=self._code[tree], reason=reason)
            else:
                self._absent_code_count += 1

    def _tags(self) -> Iterator[Problem]:
        tags = Tags(self._repository)
        for ref, tip in tags.tips().items():
            try:
                members = tags.members(tip)
            except GitFailed as error:
                yield Problem(kind="damaged", where=ref, reason=str(error.facts["reason"]))
                continue
            for id in members:
                if len(id) == digest.ID_LENGTH and id not in self._names:
                    reason = f"it is on {id[:12]}, which is not here"
                    yield Problem(kind="elsewhere", where=ref, reason=reason)


def _decoded(stored: Stored) -> tuple[Launch | None, Record | None]:
    """Return both parts of a record. Raises InvalidRecord, NewerFormat."""
    name = stored.commit[:12]
    if stored.launch is not None:
        launch = encoding.decode(Launch, stored.launch, name)
        if stored.record is None:
            return launch, None
        return launch, encoding.decode(End, stored.record, name)
    opened = encoding.unpack(stored.record or b"", name)
    kind = KINDS.get(str(opened.get("kind"))) if type(opened) is dict else None
    if kind is None:
        raise InvalidRecord(record=name, reason="it says no kind that is known")
    return None, encoding.decode(kind, stored.record or b"", name)


def _start_of(segment: str) -> int | None:
    """Return when the month of a segment began; None for what is no segment."""
    found = chains.generation(segment) if "/" not in segment else None
    if found is None:
        return None
    year, number = map(int, found[0].split("-"))
    return calendar.timegm((year, number, 1, 0, 0, 0)) if year and 1 <= number <= 12 else None
