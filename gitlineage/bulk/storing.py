"""Puts made records into packs, and the ledger's ref behind them. Knows no record's fields.

Killed before the ref moves, nothing of a batch is there but a pack that no ref reaches; killed
behind it, tags and notes of that batch may lack.
"""

from __future__ import annotations

import heapq
import time
from concurrent.futures import ThreadPoolExecutor

from gitlineage import chains, encoding
from gitlineage.bulk.deltas import Deltas
from gitlineage.capture import identity
from gitlineage.commits import raw
from gitlineage.ledger import PREFIX, segment
from gitlineage.messages import summary
from gitlineage.notes import SHOWN, Notes
from gitlineage.packing import Pack
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.tags import Tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Self

    from gitlineage.bulk.making import Chunk
    from gitlineage.repository import Repository


class Store:
    """The ledger of one repository, for appending batches of records beside other work."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._newest: dict[str, list[tuple[int, str]]] = {}
        """Of each commit of code the newest executions: when they started, and their records."""
        self._counts: dict[str, int] = {}
        self._left = repository.tips(PREFIX)
        """Where the chains were before anybody asked what is known, and where we left them."""
        self._others: set[str] = set()
        """Trees of the records that others have appended since."""
        self._thread = ThreadPoolExecutor(1)
        self._under_way: Future[list[str]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def start(self, chunks: Sequence[Chunk]) -> list[str]:
        """Start to append a batch; return the ids of the one before it, which is there now."""
        before = self._wait()
        self._under_way = self._thread.submit(self._append_all, chunks)
        return before

    def finish(self) -> list[str]:
        """Return the ids of the last batch, once it is there; the notes are, too."""
        last = self._wait()
        self._note()
        return last

    def _wait(self) -> list[str]:
        under_way, self._under_way = self._under_way, None
        return under_way.result() if under_way else []

    def _append_all(self, chunks: Sequence[Chunk]) -> list[str]:
        """Append the records of some chunks, in one movement of the ref, and tag them."""
        if any(each.commits for each in chunks):
            self._append(chunks)
        self._tag(chunks)
        return [id for each in chunks for id in each.ids]

    def _append(self, chunks: Sequence[Chunk]) -> None:
        ref = chains.newest(self._repository, segment(time.time()))
        packs = self._packs()
        for each in chunks:
            for pack, objects in zip(packs, each.objects, strict=True):
                pack.take(objects)

        def attempt() -> list[str] | None:
            nonlocal packs
            tip = self._repository.tip(ref)
            self._leave_out(ref, tip.commit if tip else None, chunks)
            if not any(each.commits for each in chunks):
                return []
            at = max(int(time.time()), tip.committed_at if tip else 0)
            deltas = Deltas("commit", self._repository.algorithm())
            made = _commits(packs[0], deltas, chunks, tip.commit if tip else None, at)
            writer, kept = self._repository.writer, []
            try:
                for pack in packs:
                    if len(pack):
                        kept.append(writer.add_pack(pack))
                # Should somebody else have been faster, only the commits are to be made again.
                packs = self._packs()
                is_moved = writer.set_ref(ref, made[-1], tip.commit if tip else None)
            finally:
                for added in kept:
                    writer.let_go(added)
            return made if is_moved else None

        appended = chains.retry(self._repository, ref, attempt)
        if appended:
            self._left[ref] = appended[-1]
        made = iter(appended)
        for each in chunks:
            commits = [next(made) for _ in each.commits]
            for code, started_at, place in each.noted:
                self._counts[code] = self._counts.get(code, 0) + 1
                newest = self._newest.setdefault(code, [])
                push = heapq.heappush if len(newest) < SHOWN else heapq.heappushpop
                push(newest, (started_at, commits[place]))

    def _packs(self) -> tuple[Pack, Pack]:
        """Return two, since `git gc` keeps whole what is whole in a pack beside what is like it."""
        algorithm = self._repository.algorithm()
        return Pack(algorithm), Pack(algorithm)

    def _leave_out(self, ref: str, tip: str | None, chunks: Sequence[Chunk]) -> None:
        """Leave out what somebody else has brought in meanwhile: they may import the same file."""
        if tip is not None and tip != self._left.get(ref):
            new = self._repository.commits([tip], self._left.values(), is_joined=True)
            self._others.update(each.tree for each in new)
            self._left[ref] = tip
        for each in chunks if self._others else ():
            each.leave_out_trees(self._others)

    def _tag(self, chunks: Sequence[Chunk]) -> None:
        tagged: dict[str, list[str]] = {}
        for each in chunks:
            for tag, ids in each.tagged.items():
                tagged.setdefault(tag, []).extend(ids)
        for tag, ids in tagged.items():
            who = identity(self._repository)
            Tags(self._repository).add(tag, ids, who)

    def _note(self) -> None:
        """Write the notes of all commits whose code was run, those that are here."""
        commits = list(self._newest)
        here = self._repository.are_readable(commits) if commits else []
        asked = [
            (code, commit)
            for code, is_here in zip(commits, here, strict=True)
            if is_here
            for _, commit in sorted(self._newest[code], reverse=True)
        ]
        names = [f"{commit}:{part}" for _, commit in asked for part in ("launch", "record")]
        contents = iter(self._repository.contents(names))
        lines: dict[str, list[str]] = {}
        for (code, _), launch, end in zip(asked, contents, contents, strict=True):
            first, last = encoding.decode(Launch, launch or b""), encoding.decode(End, end or b"")
            lines.setdefault(code, []).append(summary(first, last, last.execution))
        if lines:
            Notes(self._repository).add_many(
                {code: (self._counts[code], each) for code, each in lines.items()}
            )


def _commits(
    pack: Pack, deltas: Deltas, chunks: Sequence[Chunk], parent: str | None, at: int
) -> list[str]:
    """Add a chain of commits to a pack, and return their ids."""
    made = []
    for each in chunks:
        for tree, who, started_at, message in each.commits:
            behind = b"parent %s\n" % parent.encode() if parent else b""
            content = b"tree %s\n%sauthor %s %d +0000\ncommitter %s %d +0000\n\n%s" % (
                *(tree.encode(), behind, who, started_at, who, at, raw(message)),
            )
            commit = deltas.packed(content)
            pack.take([commit])
            parent = commit[0].hex()
            made.append(parent)
    return made
