"""Records behind a break: found among all objects of git, shown, and linked again on request.

Knows which records were forgotten, and those stay so. Ids of records are over their bytes, so what
is found by chance is what it was when it was appended.
"""

from __future__ import annotations

import os

from gitlineage import chains, encoding, ledger
from gitlineage.commits import Commit, Identity, NewCommit
from gitlineage.digest import execution_id
from gitlineage.errors import GitFailed, LineageError
from gitlineage.index.parts import name_in
from gitlineage.ledger import Stored
from gitlineage.messages import message_of
from gitlineage.records import Record
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.remains import Link, note_lost, unreached, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.repository import Repository

TRACKING = "refs/lineage-remotes/"


class Repaired(Record):
    """One month that was linked again."""

    ref: str
    records_count: int
    """That it holds now."""
    found_count: int
    """Of these, that no ref reached any more."""
    unsigned_count: int
    """That had a signature, and were appended again without."""
    lost: tuple[str, ...]
    """Commits that are lost."""


class Salvage:
    """What is left of the broken chains of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._forgotten: set[str] = set()
        """Trees and ids that redactions name."""

    def broken(self) -> dict[str, str]:
        """Return the segments of the ledger, live ones and others', of which a commit is lost."""
        tips = {
            name: tip
            for name, tip in self._repository.tips(ledger.PREFIX, TRACKING).items()
            if chains.generation(name) and name.split("/")[-2] == "ledger"
        }
        if not tips or self._is_whole(tips.values()):
            return {}
        return {name: tip for name, tip in tips.items() if not self._is_whole([tip])}

    def _is_whole(self, tips: Iterable[str]) -> bool:
        asked = "".join(f"{each}\n" for each in tips).encode()
        process = self._repository.start("rev-list", "--count", "--stdin", content=asked)
        return process.outcome()[0] == 0

    def survivors(self, tips: Mapping[str, str]) -> tuple[list[Link], list[str]]:
        """Return all that can be read of chains, oldest first, and which commits are lost."""
        held: dict[str, Link] = {}
        lost: dict[str, None] = {}
        for tip in dict.fromkeys(tips.values()):
            links, gone = walk(self._repository, tip)
            held.update((each.id, each) for each in links)
            lost.update(dict.fromkeys(gone))
        if lost:
            found = self._found(tips, held)
            held.update((each.id, each) for each in found)
            parents = {id for each in found for id in each.parents if id not in held}
            names = sorted(parents)
            are_there = self._repository.are_readable(names) if names else []
            lost.update((id, None) for id, is_there in zip(names, are_there, strict=True)
                        if not is_there)  # fmt: skip
        return _ordered(held), list(lost)

    def _found(self, tips: Mapping[str, str], held: Mapping[str, Link]) -> list[Link]:
        """Return the ledger's commits of these months that no tip reaches any more."""
        names = [found for name in tips if (found := chains.generation(name))]
        others = [each for each in unreached(self._repository, list(held))
                  if _month(each.at) in {month for month, _ in names}]  # fmt: skip
        both = [*held.values(), *others]
        asked = [f"{each.id}:{part}" for each in both for part in ("launch", "record", "forgotten")]
        contents = iter(self._repository.contents(asked))
        forgotten: set[str] = set()
        redacted: set[str] = set()
        read: list[tuple[Link, bytes | None, bytes | None]] = []
        for link, launch, record, ids in zip(both, contents, contents, contents, strict=True):
            opened = _opened(launch if record is None else record)
            if opened is None:
                continue  # code, or a merge
            read.append((link, launch, record))
            if opened.get("kind") == "redaction":
                forgotten.update((ids or b"").decode(errors="replace").split())
                forgotten.update(map(str, opened.get("forgotten") or ()))
                redacted.add(str(opened.get("month")))
        self._forgotten |= forgotten
        # Without the redaction nobody knows what of the month was to be forgotten.
        closed = {month for month, number in names if number and month not in redacted}
        known = {link.tree for link, _, _ in read if link.id in held}
        parts = {(launch, record) for link, launch, record in read if link.id in held}
        chosen: dict[tuple[bytes | None, bytes | None], Link] = {}
        for link, launch, record in read:
            stored = Stored(commit=link.id, tree=link.tree, launch=launch, record=record)
            name = name_in(stored)[0]
            key = (launch, record)
            if link.tree in known or key in parts or _month(link.at) in closed:
                continue
            if not forgotten.isdisjoint((link.tree, name.hex())):
                continue
            # Of one that was written anew, to keep a part of it here, that is the one to keep.
            if key not in chosen or self._size(link) < self._size(chosen[key]):
                chosen[key] = link
        return list(chosen.values())

    def _size(self, link: Link) -> int:
        return len(self._repository.entries(link.tree))

    # -- linking again -----------------------------------------------------------------------

    def repair(self) -> list[Repaired]:
        """Link again what can be read of broken months. What remotes had is fetched anew."""
        broken = self.broken()
        done = []
        for ref, tip in broken.items():
            if ref.startswith(TRACKING):
                # They lack the same objects; what a fetch brings is what makes them whole.
                self._repository.writer.set_ref(ref, None, tip)
                continue
            done.append(self._link(ref, tip))
        if broken:
            lost = ((each.ref, id) for each in done for id in each.lost)
            note_lost(self._repository.lineage_dir, lost)
            for name in ("index.sqlite", "index.sqlite-journal"):
                path = os.path.join(self._repository.lineage_dir, name)
                if os.path.exists(path):
                    os.unlink(path)
        return done

    def _link(self, ref: str, tip: str) -> Repaired:
        repository = self._repository
        links, lost = self.survivors({ref: tip})
        reached = {each.id for each in walk(repository, tip)[0]}
        base, kept = _base(links)
        rest = [each for each in links if each.id not in kept and len(each.parents) < 2]
        readable = repository.are_readable([f"{each.id}^{{tree}}" for each in rest]) if rest else []
        rest = [each for each, is_there in zip(rest, readable, strict=True) if is_there]
        raw = repository.contents([each.id for each in rest])
        again, at = [], base.at if base else 0
        for content in raw:
            commit = chains.again_of(content or b"")
            at = max(at, commit.committer.at)
            again.append(commit.replace(committer=commit.committer.replace(at=at)))
        start = base.id if base else None
        orphans = self._orphans(ref, links) if lost else []
        again += (each.replace(committer=each.committer.replace(at=at)) for each in orphans)
        if again:
            is_moved = chains.replant(repository, ref, tip, start, again)
        else:
            is_moved = repository.writer.set_ref(ref, start, tip)
        if not is_moved:
            raise GitFailed(command="update-ref", reason=f"{ref} was moved meanwhile")
        ids = {each.id for each in rest} | {
            e.id for e in links if e.id in kept and not e.parents[1:]
        }
        return Repaired(
            ref=ref,
            records_count=len(ids) + len(orphans),
            found_count=len(ids - reached) + len(orphans),
            unsigned_count=sum(map(chains.is_signed, raw)),
            lost=tuple(lost),
        )

    def _orphans(self, ref: str, links: Sequence[Link]) -> list[NewCommit]:
        """Return executions of a month of which all is there but the commit, to be appended."""
        month, number = chains.generation(ref) or ("", 0)
        if number and not self._forgotten:
            return []
        form = "--batch-check=%(objectname) %(objecttype)"
        listed = self._repository.ask("cat-file", "--batch-all-objects", "--unordered", form)
        trees = {line[:-5].decode() for line in listed.split(b"\n") if line.endswith(b" tree")}
        names = sorted(trees - {each.tree for each in links} - self._forgotten)
        contents = self._repository.stream_contents(names)
        names = [name for name, raw in zip(names, contents, strict=False)
                 if raw and b" launch\0" in raw and b" record\0" in raw]  # fmt: skip
        asked = [f"{each}:{part}" for each in [*(each.id for each in links), *names]
                 for part in ("launch", "record")]  # fmt: skip
        parts = iter(self._repository.contents(asked))
        pairs = list(zip(parts, parts, strict=True))
        known = set(pairs[: len(links)])
        found: dict[tuple[bytes | None, bytes | None], tuple[int, NewCommit]] = {}
        for name, pair in zip(names, pairs[len(links) :], strict=True):
            made = self._execution(name, *pair, month) if pair not in known else None
            size = len(self._repository.entries(name)) if made else 0
            if made and (pair not in found or size < found[pair][0]):
                found[pair] = (size, made)
        return [made for _, made in sorted(found.values(), key=lambda each: each[1].committer.at)]

    def _execution(
        self, tree: str, launch: bytes | None, record: bytes | None, month: str
    ) -> NewCommit | None:
        try:
            first = encoding.decode(Launch, launch or b"")
            end = encoding.decode(End, record or b"")
        except LineageError:
            return None  # code with files of these names
        id = execution_id(launch or b"")
        began = first.started_at // 1_000_000
        at = (end.finished_at or first.started_at) // 1_000_000
        if end.execution != id or id in self._forgotten or _month(at) != month:
            return None
        who = Identity(name=first.agent.name, email=first.agent.email, at=began)
        return NewCommit(
            files={"": tree},
            message=message_of(first, end, id),
            author=who,
            committer=who.replace(at=at),
        )


def commits(links: Sequence[Link]) -> list[Commit]:
    """Return links as the ledger reads them."""
    return [Commit(each.id, each.tree, each.parents) for each in links]


def _ordered(held: Mapping[str, Link]) -> list[Link]:
    """Return links in an order in which each comes behind its parents, else by time."""
    done: dict[str, Link] = {}
    for link in sorted(held.values(), key=lambda each: (each.at, each.id)):
        left = [link]
        while left:
            each = left[-1]
            before = [held[id] for id in each.parents if id in held and id not in done]
            if before and each.id not in done:
                left += before
            else:
                done.setdefault(each.id, left.pop())
    return list(done.values())


def _base(links: Sequence[Link]) -> tuple[Link | None, set[str]]:
    """Return the link with the most behind it, none of it lost, and the ids of all that."""
    by_id = {each.id: each for each in links}
    counts: dict[str, int] = {}
    for each in links:
        if all(parent in counts for parent in each.parents):
            counts[each.id] = 1 + sum(counts[parent] for parent in each.parents)
    if not counts:
        return None, set()
    base = max(counts, key=lambda id: (counts[id], id))
    kept: set[str] = set()
    left = [base]
    while left:
        if (id := left.pop()) not in kept:
            kept.add(id)
            left += by_id[id].parents
    return by_id[base], kept


def _opened(content: bytes | None) -> dict[str, Any] | None:
    """Return a part of a record; None for what is none."""
    try:
        found = encoding.unpack(content or b"")
    except LineageError:
        return None
    return found if type(found) is dict and type(found.get("format")) is int else None


def _month(at: int) -> str:
    return ledger.segment(at).removeprefix(ledger.PREFIX)
