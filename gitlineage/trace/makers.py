"""Who made what: the execution that a use of some content goes back to.

A use resolves to the latest execution that ended before the using one started and made that
content at that path; failing that, to the latest before it that made it anywhere, unless it is
empty, or was used at that path before (a copy does not make its source).

`precedence` has who is before whom. Who is not known to be before may still be: it is taken where
nobody else is, and marked.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from gitlineage.trace.parts import DIRECTORY, Parts
from gitlineage.trace.precedence import ended_at, had_ended, may_precede, started_at
from gitlineage.trace.resolved import Joined, Resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitlineage.index import Mention
    from gitlineage.trace.lookups import Lookups
    from gitlineage.trace.parts import Part

EMPTY = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""The digest of nothing: whoever made it need not be whose it was."""


class _Candidates:
    """Some makers of one content, the latest first, so that a use need not look at them all."""

    __slots__ = ("_ends", "_lowest", "makers", "nested")

    def __init__(self, makers: Iterable[Mention]) -> None:
        self.makers = tuple(makers)
        self.nested = [place for place, each in enumerate(self.makers) if each.parent is not None]
        are_several = len(self.makers) > 1
        self._ends = [-ended_at(each)[0] for each in self.makers] if are_several else []
        self._lowest = list(accumulate((each.sequence for each in self.makers), min))
        """Of each place: the lowest sequence up to there."""

    def before(self, use: Mention) -> int:
        """Return the place from which on a maker may be before a use.

        None is that ended after the use had started, unless the ledger has it first: where one
        content has 20,000 makers, that leaves few to be looked at for each of its 20,000 users.
        """
        if use.started_at is None:
            return 0
        place = bisect_left(self._ends, -use.started_at)
        return place if place and self._lowest[place - 1] > use.sequence else 0


_NOBODY = _Candidates(())


class Makers:
    """Who made what, as far as it was asked."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self.parts = Parts(lookups)
        self._made_parts: dict[str, Sequence[Part]] = {}
        self._makers: dict[str, _Candidates] = {}
        self._paths: dict[str, dict[str, _Candidates]] = {}
        self._counts: dict[str, int] = {}
        self._parents: dict[str, str | None] = {}
        self._first_uses: dict[tuple[str, str], Mention | None] = {}
        self._others: dict[tuple[str, ...], _Candidates] = {}

    def fetch(self, digests: Iterable[str]) -> None:
        """Look up the makers of content, for all at once."""
        wanted = [each for each in dict.fromkeys(digests) if each not in self._makers]
        if not wanted:
            return
        found = self._lookups.makers_of(wanted)
        for digest in wanted:
            if len(made := found.get(digest, ())) == 1:  # nearly always
                self._only(digest, made[0])
                continue
            makers = sorted(made, key=ended_at, reverse=True)
            self._counts[digest] = len({each.id for each in makers})
            # What a reproduction made was thrown away: it is a maker only where nobody else is.
            makers = [each for each in makers if not each.is_reproduction] or makers
            self._makers[digest] = _Candidates(makers)
            paths: dict[str, list[Mention]] = {}
            for each in makers:
                paths.setdefault(each.path, []).append(each)
                self._parents[each.id] = each.parent
            self._paths[digest] = {path: _Candidates(each) for path, each in paths.items()}

    def fetch_made(self, outputs: Iterable[Mention]) -> None:
        """Look up the makers of outputs: of nearly all there is no other."""
        lacking = {
            each.digest: each
            for each in outputs
            if each.digest is not None and each.digest not in self._makers
        }
        several = self._lookups.made_by_several(lacking)
        for digest, maker in lacking.items():
            if digest not in several:
                self._only(digest, maker)
        self.fetch(several)

    def _only(self, digest: str, maker: Mention) -> None:
        self._counts[digest] = 1
        self._makers[digest] = only = _Candidates((maker,))
        self._paths[digest] = {maker.path: only}
        self._parents[maker.id] = maker.parent

    def resolve(self, uses: Sequence[Mention]) -> list[Resolved]:
        """Return who made what each use has."""
        self.fetch(each.digest for each in uses if each.digest is not None)
        return [self._of(each) for each in uses]

    def sources(self, uses: Sequence[Mention]) -> list[list[Resolved]]:
        """Return who made what each use has: of a directory that nobody made, its parts.

        A folder in it that somebody made earlier is one part. Where no maker of any part is
        earlier, one of the whole is taken before those.
        """
        return [
            [resolved]
            if use.type != DIRECTORY or (resolved.maker is not None and resolved.is_order_certain)
            else self._of_parts(use, resolved)
            for use, resolved in zip(uses, self.resolve(uses), strict=True)
        ]

    def latest_sources(self, digest: str, path: str | None) -> list[Resolved]:
        """Return who made what is there now, or its parts."""
        self.fetch([digest])
        resolved = self.latest(digest, path)
        if resolved.maker is not None:
            return [resolved]
        found = Joined()
        for inside, held in self._made_inside(digest):
            if not found.covers(inside):
                at = None if path is None else f"{path}/{inside}"
                found.add(inside, held.type, self.latest(held.digest, at))
        return found.resolved() or [resolved]

    def _of_parts(self, use: Mention, whole: Resolved) -> list[Resolved]:
        found = Joined(use)
        for inside, held in self._made_inside(use.digest or ""):
            if found.covers(inside):
                continue
            part = use.part(inside, held)
            if held.type != DIRECTORY or self._certain(part):
                found.add(inside, held.type, self._of(part))
        if whole.maker is not None and not found.is_order_certain:
            return [whole]
        return found.resolved() or [whole]

    def unmade(self, directory: str, sources: Sequence[Resolved]) -> tuple[list[str], int]:
        """Return the files of a directory that nobody made, and how many it has in all.

        None of one in which nobody made a part: that is as with any file of which no more is known.
        """
        if not any(each.inside for each in sources):
            return [], 0
        made = {inside for inside, _ in self._made_inside(directory)}
        found, count, covered = [], 0, "/"
        for inside, held in self.parts.of(directory):
            if held.type == DIRECTORY:
                if inside in made and not inside.startswith(covered):
                    covered = inside + "/"
                continue
            count += 1
            if inside not in made and not inside.startswith(covered):
                found.append(inside)
        return found, count

    def _made_inside(self, directory: str) -> Sequence[Part]:
        """Return the parts of a directory that somebody made."""
        if directory not in self._made_parts:
            parts = self.parts.of(directory)
            self.fetch(held.digest for _, held in parts)
            self._made_parts[directory] = [
                each for each in parts if self._makers[each[1].digest].makers
            ]
        return self._made_parts[directory]

    def latest(self, digest: str, path: str | None) -> Resolved:
        """Return who made what is there now.

        As of a use: whoever made the same bytes after they were used at this path is not meant.
        """
        at_path = self._paths[digest].get(path, _NOBODY) if path is not None else _NOBODY
        elsewhere = _NOBODY
        if not at_path.makers and not self.is_empty(digest):
            elsewhere = self._makers[digest]
            if path is not None and elsewhere.makers and (first := self._first_use(digest, path)):
                elsewhere = _others(elsewhere.makers, first)
        for tier in (at_path, elsewhere):
            if tier.makers:
                nested = [tier.makers[place] for place in tier.nested if place]
                return self._resolved(digest, self._innermost(tier.makers[0], nested))
        return self._resolved(digest, None)

    def is_empty(self, digest: str) -> bool:
        """Tell whether content that was looked up is that of an empty file."""
        return _is_empty(digest, self._makers[digest].makers)

    def others_count(self, digest: str) -> int:
        """Return how many executions made the same bytes as one that did."""
        return max(0, self._counts.get(digest, 0) - 1)

    def is_inside(self, one: str, other: str) -> bool:
        """Tell whether one execution ran inside another."""
        return self._parents.get(one, "") is not None and other in self.around(one)

    def around(self, id: str) -> Iterator[str]:
        """Yield the executions that one ran inside, the innermost first."""
        seen = set()
        parent = self._parent(id)
        while parent is not None and parent not in seen:
            yield parent
            seen.add(parent)
            parent = self._parent(parent)

    def _parent(self, id: str) -> str | None:
        if id not in self._parents:
            row = self._lookups.rows([id]).get(id)
            self._parents[id] = None if row is None else row.parent
        return self._parents[id]

    def _of(self, use: Mention) -> Resolved:
        if use.digest is None:
            return Resolved(maker=None)
        self._parents.setdefault(use.id, use.parent)
        found = self._certain(use)
        if found is not None:
            return self._resolved(use.digest, found)
        return self._resolved(use.digest, self._nearest(use), is_order_certain=False)

    def _certain(self, use: Mention) -> Mention | None:
        """Return who made the content of a use before it."""
        return self._earlier(self._at_path(use), use) or self._earlier(self._elsewhere(use), use)

    def _at_path(self, use: Mention) -> _Candidates:
        """Return who made the content of a use at its path."""
        return self._paths[use.digest or ""].get(use.path, _NOBODY)

    def _elsewhere(self, use: Mention) -> _Candidates:
        """Return who may have made the content of a use at another path.

        Not an empty file's: those are all alike. And what was used at this path already was there
        before whoever made the same bytes later: a copy does not make its source.
        """
        digest = use.digest or ""
        makers = self._makers[digest].makers
        if not makers or use.size == 0 or _is_empty(digest, makers):
            return _NOBODY
        key: tuple[str, ...] = (digest, use.path)
        first = self._first_use(digest, use.path)
        if use.whole is not None and use.whole.digest is not None:
            key = (*key, use.whole.digest)
            other = self._first_use(use.whole.digest, use.whole.path)
            first = min((each for each in (first, other) if each), key=started_at, default=None)
        if first is None:  # of deployments, which are no uses
            return _others(makers, use)
        if key not in self._others:
            self._others[key] = _others(makers, first)
        return self._others[key]

    def _first_use(self, digest: str, path: str) -> Mention | None:
        key = (digest, path)
        if key not in self._first_uses:
            self._first_uses[key] = self._lookups.first_use(digest, path)
        return self._first_uses[key]

    def _earlier(self, candidates: _Candidates, use: Mention) -> Mention | None:
        makers = candidates.makers
        for place in range(candidates.before(use), len(makers)):
            if self.is_before(makers[place], use):
                inside = [
                    makers[other]
                    for other in candidates.nested
                    if other > place and self.is_before(makers[other], use)
                ]
                return self._innermost(makers[place], inside)
        return None

    def _innermost(self, found: Mention, others: Iterable[Mention]) -> Mention:
        """Return a maker, or the one of the others that ran deepest inside it."""
        for each in others:
            if self.is_inside(each.id, found.id):
                found = each
        return found

    def _nearest(self, use: Mention) -> Mention | None:
        """Return the maker nearest in time that does not depend on the user, else the nearest."""
        at = use.started_at or 0
        nearest = None
        for tier in (self._at_path(use), self._elsewhere(use)):
            others = [each for each in tier.makers if each.id != use.id]
            others.sort(key=lambda each: (abs(ended_at(each)[0] - at), each.id))
            for each in others:
                if not self._depends(each, use):
                    return each
            if nearest is None and others:
                nearest = others[0]
        return nearest

    def _depends(self, maker: Mention, use: Mention) -> bool:
        """Tell whether an execution is made from what another made.

        Where a use on the way has no earlier maker, anybody who made the content may be it.
        """
        seen = {maker.id}
        level = [maker.id]
        while level:
            had = self._lookups.artifacts_of(level)
            uses = [
                each
                for id in level
                for each in had.get(id, ())
                if each.direction == "input" and each.digest is not None
            ]
            self.fetch(each.digest for each in uses if each.digest is not None)
            level = []
            for each in uses:
                self._parents.setdefault(each.id, each.parent)
                for other in self._possible(each):
                    if other.id == use.id:
                        return True
                    if other.id not in seen:
                        seen.add(other.id)
                        level.append(other.id)
        return False

    def _possible(self, use: Mention) -> Iterator[Mention]:
        """Yield the earlier maker of a use; where there is none, whoever it may be."""
        found = self._certain(use)
        if found is not None:
            yield found
            return
        yield from self._at_path(use).makers
        yield from self._elsewhere(use).makers
        if use.type == DIRECTORY and use.whole is None:
            for inside, held in self._made_inside(use.digest or ""):
                yield from self._possible(use.part(inside, held))

    def is_before(self, maker: Mention, use: Mention) -> bool:
        """Tell whether a maker was before a user; neither of two that are nested is."""
        if maker.id == use.id or self.is_inside(maker.id, use.id):
            return False
        if self.is_inside(use.id, maker.id):
            return False
        return had_ended(maker, use)

    def _resolved(
        self, digest: str, maker: Mention | None, *, is_order_certain: bool = True
    ) -> Resolved:
        count = self._counts[digest]
        return Resolved(
            maker=maker,
            is_order_certain=is_order_certain or maker is None,
            others_count=count if maker is None else count - 1,
        )


def _others(makers: Iterable[Mention], first: Mention) -> _Candidates:
    return _Candidates(each for each in makers if each.id != first.id and may_precede(each, first))


def _is_empty(digest: str, makers: Sequence[Mention]) -> bool:
    return digest == EMPTY or any(each.size == 0 for each in makers[:1])
