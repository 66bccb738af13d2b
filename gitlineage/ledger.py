"""The set of all records: one commit each, in a chain for each month. Knows how records are kept.

Knows nothing of what they mean, of the work tree or of the network. A segment is
`refs/lineage/ledger/<YYYY-MM>`, of the moment of appending (UTC). Nothing points at a ledger
commit, so commits that no remote has seen may be appended again behind another tip: that is how
two copies become one without merges.
"""

from __future__ import annotations

import time

from gitlineage import chains
from gitlineage.commits import NewCommit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gitlineage.commits import Commit, Identity, Ref
    from gitlineage.repository import Repository

PREFIX = "refs/lineage/ledger/"

PARTS = ("launch", "record", "log", "environment", "config", "notebook", "usage", "forgotten")
"""Names of a record's parts; beside them `metadata/<number>` and `manifests/<digest>`."""

MANIFESTS = "manifests/"

SIGN = "lineage.sign"
"""Setting: whether records are signed, by what git is configured to sign with."""

MANY = 8000
"""Records from which on it is worth 60 ms to have another process read ahead."""

WORTH_ASKING = 64 << 10
"""Bytes of manifests from which on git is asked which of them it has."""


class Stored:
    """A record as it stands in the ledger; read by the million, so lighter than a Record."""

    __slots__ = ("commit", "execution", "is_plain", "launch", "record", "tree")

    commit: str
    tree: str
    """Equal for equal parts, whatever commit holds them: union goes by it."""
    launch: bytes | None
    record: bytes | None
    is_plain: bool
    """Somebody has looked: both parts are what `encoding.unpack_plain` reads."""
    execution: bytes | None
    """The id over its launch part, where somebody has computed it."""

    def __init__(
        self,
        *,
        commit: str,
        tree: str,
        launch: bytes | None,
        record: bytes | None,
        is_plain: bool = False,
        execution: bytes | None = None,
    ) -> None:
        self.commit = commit
        self.tree = tree
        self.launch = launch
        self.record = record
        self.is_plain = is_plain
        self.execution = execution


def segment(at: float) -> str:
    """Return the ref that a record appended at that moment (seconds) goes to."""
    moment = time.gmtime(at)
    return f"{PREFIX}{moment.tm_year:04d}-{moment.tm_mon:02d}"


class Ledger:
    """The records of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._seen: Ref | None = None

    def append(
        self,
        parts: Mapping[str, bytes | str],
        message: str,
        author: Identity,
        derived: Mapping[str, NewCommit] | None = None,
        found: Callable[[], list[str] | None] | None = None,
    ) -> str:
        """Add a record and return its commit; `derived` and `found` as in `chains.append`.

        A part that git has already may be given by its id.
        Raises RefMoved when others kept appending for a minute, GitFailed otherwise.
        """
        return self.append_all([(parts, message, author)], derived, found)[0]

    def append_all(
        self,
        records: Sequence[tuple[Mapping[str, bytes | str], str, Identity]],
        derived: Mapping[str, NewCommit] | None = None,
        found: Callable[[], list[str] | None] | None = None,
    ) -> list[str]:
        """Add records in one movement of the ref and return their commits."""

        is_signed = self._repository.is_set(SIGN)

        def build(at: int) -> list[NewCommit]:
            return [
                NewCommit(
                    files=parts,
                    message=message,
                    author=author,
                    committer=author.replace(at=at, zone="+0000"),
                    is_signed=is_signed,
                )
                for parts, message, author in records
            ]

        records = [(self._without_known(parts), said, who) for parts, said, who in records]
        month = segment(time.time())
        seen, self._seen = self._seen, None
        tip = seen if seen and self._is_still(seen, month) else None
        ref = tip.name if tip else chains.newest(self._repository, month)
        return chains.append(self._repository, ref, build, tip=tip, derived=derived, found=found)

    def _without_known(self, parts: Mapping[str, bytes | str]) -> Mapping[str, bytes | str]:
        """Return a record's parts, with the ids of large manifests that git has already.

        Else 100,000 files that have not changed would be 8 MB of loose objects again after each
        `git gc`. Of few it is cheaper not to ask.
        """
        held = {
            name: content
            for name, content in parts.items()
            if name.startswith(MANIFESTS) and isinstance(content, bytes)
        }
        if sum(map(len, held.values())) < WORTH_ASKING:
            return parts
        from gitlineage.loose import blob_id

        algorithm = self._repository.config().get("extensions.objectformat", "sha1")
        ids = [blob_id(content, algorithm) for content in held.values()]
        found = zip(held, ids, self._repository.are_readable(ids), strict=True)
        return {**parts, **{name: id for name, id, is_there in found if is_there}}

    def look(self) -> None:
        """Read the tip that the next append goes behind, while there is time."""
        month = segment(time.time())
        found = self._repository.refs(month, month + ".*")
        self._seen = max(
            found.values(), key=lambda each: chains.generation(each.name) or ("", 0), default=None
        )

    def _is_still(self, seen: Ref, month: str) -> bool:
        is_of_month = seen.name == month or seen.name.startswith(month + ".")
        return is_of_month and self._repository.is_at(seen.name, seen.commit)

    def tips(self) -> dict[str, str]:
        """Return segment refs and their tips."""
        return self._repository.tips(PREFIX)

    def records(self, commits: Sequence[Commit]) -> Iterator[Stored]:
        """Yield the records that commits hold, in that order."""
        read = 0
        if len(commits) >= MANY:
            from gitlineage import ahead  # few read so many at once

            if ahead.is_possible():
                found = ahead.parts(self._repository, (each.tree for each in commits))
                for each, (launch, record, is_plain, id) in zip(commits, found, strict=False):
                    read += 1
                    if record is not None or launch is not None:  # a merge holds no record
                        yield Stored(
                            commit=each.id,
                            tree=each.tree,
                            launch=launch,
                            record=record,
                            is_plain=is_plain,
                            execution=id,
                        )
        if read == len(commits):
            return
        # By its tree, which git finds without reading the commit.
        rest = commits[read:]
        names = (f"{each.tree}:{part}" for each in rest for part in ("launch", "record"))
        contents = self._repository.stream_contents(names)
        for each, launch, record in zip(rest, contents, contents, strict=False):
            if record is not None or launch is not None:
                yield Stored(commit=each.id, tree=each.tree, launch=launch, record=record)

    def following(self, tip: str, before: str | None) -> Stored | None:
        """Return the record of a tip that stands right behind another commit, or behind none.

        None where that is not so. It takes one process, where to list what is new takes another.
        """
        asked = [tip, f"{tip}:launch", f"{tip}:record"]
        commit, launch, record = self._repository.objects(asked)
        if commit is None or (launch is None and record is None):
            return None
        head = commit[1].partition(b"\n\n")[0].decode(errors="replace").split("\n")
        parents = [line[7:] for line in head if line.startswith("parent ")]
        if not head[0].startswith("tree ") or parents != [each for each in (before,) if each]:
            return None
        parts = [each and each[1] for each in (launch, record)]
        return Stored(commit=tip, tree=head[0][5:], launch=parts[0], record=parts[1])

    def parts(self, commit: str) -> dict[str, bytes]:
        """Return all parts of the record that a commit holds, by name."""
        names = list(self._repository.entries(commit))
        contents = self._repository.contents([f"{commit}:{name}" for name in names])
        return {
            name: found for name, found in zip(names, contents, strict=True) if found is not None
        }

    def manifests(self, commit: str) -> dict[str, bytes]:
        """Return the manifests of the directories that a record names, by the digest's hex."""
        names = [each for each in self._repository.entries(commit) if each.startswith(MANIFESTS)]
        contents = self._repository.contents([f"{commit}:{name}" for name in names])
        return {
            name.removeprefix(MANIFESTS): found
            for name, found in zip(names, contents, strict=True)
            if found is not None
        }

    def part(self, commit: str, name: str) -> bytes | None:
        """Return one part of the record that a commit holds."""
        return self._repository.contents([f"{commit}:{name}"])[0]

    def has(self, commit: str) -> bool:
        """Tell whether a segment reaches a commit that is there."""
        if self._repository.is_at(segment(time.time()), commit):
            return True  # nearly always, and no process is started
        asked = ("rev-list", "--max-count=1", commit, "--not", f"--glob={PREFIX}")
        return not self._repository.ask(*asked).strip()

    def end_of(self, execution: str, since: int) -> str | None:
        """Return the commit of an end of the execution, appended after that moment (seconds)."""
        found = self._repository.ask(
            "rev-list",
            "--max-count=1",
            "--fixed-strings",
            f"--grep={trailer(execution)}",
            f"--max-age={max(since, 0)}",
            "--glob=" + PREFIX,
        )
        return found.decode().strip() or None


def trailer(execution: str) -> str:
    """Return the line of a commit's message that names the execution."""
    return f"Lineage-Execution: {execution}"
