"""Content that one execution alone made and others used later at the same path, for all at once.

Pure over the lookups. Nearly all that a large trace meets is such content, and whose it is needs
no choice: see the rules in `makers`, which has all the rest. Must not know what is drawn.
"""

from __future__ import annotations

from gitlineage.trace.graph import Part, new
from gitlineage.trace.parts import DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitlineage.index import Bare
    from gitlineage.index.bare import Has, Manner, Told

    Use = tuple[str, bool, Manner]
    """Who used or deployed it, which of both, and how that is known."""

FEWEST = 50
"""Executions of which it is worth to look at all at once."""


class Flow(Part):
    """Some content, who made it if anybody did, and who used it."""

    digest: str
    path: str
    type: str
    size: int | None
    maker: tuple[str, Manner] | None
    uses: list[Use]


class Flows:
    """What flows from executions or to them, as far as that is plain."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare

    def onward(self, ids: Sequence[str]) -> tuple[list[Flow], set[str]]:
        """Return what executions made and who relies on it, and who made something else besides."""
        if len(ids) < FEWEST:
            return [], set(ids)
        bare = self._bare
        made = bare.outputs(bare.numbers(ids))
        contents = {each[2] for each in made if each[2] is not None}
        relying = _by_content(bare.relying(contents))
        several = bare.made_by_several(contents)
        found: list[Flow] = []
        others: set[str] = set()
        for each in made:
            content = each[2]
            flow = None
            if content is not None and content not in several:
                flow = self._flow(each, each, relying.get(content, ()))
            if flow is None:
                others.add(bare.ran[each[0]][0])  # type: ignore[index]
            else:
                found.append(flow)
        return found, others

    def backward(self, ids: Sequence[str]) -> tuple[list[Flow], set[str]]:
        """Return what executions used and who made it, and who used something else besides."""
        if len(ids) < FEWEST:
            return [], set(ids)
        bare = self._bare
        used = _by_content(bare.inputs(bare.numbers(ids)))
        contents = {each for each in used if each is not None}
        several = bare.made_by_several(contents)
        makers = _by_content(bare.makers(contents - several))
        found: list[Flow] = []
        others: set[str] = set()
        for content, uses in used.items():
            flow = None
            if content is not None and content not in several:
                made = makers.get(content)
                flow = self._flow(uses[0], made[0] if made else None, uses)
            if flow is None:
                others.update(bare.ran[each[0]][0] for each in uses)  # type: ignore[index]
            else:
                found.append(flow)
        return found, others

    def executions(self, ids: Sequence[str]) -> Mapping[str, Told]:
        """Return what is told of executions, as far as that is plain."""
        return self._bare.executions(ids) if len(ids) >= FEWEST else {}

    def _flow(self, first: Has, made: Has | None, uses: Sequence[Has]) -> Flow | None:
        """Return what flows from a maker to its users, or None where that is not plain."""
        bare = self._bare
        ran, manners = bare.ran, bare.manners
        _, _, content, path, manner, size = first
        type = manners[manner][0]
        maker, record, ended = None, -1, 0
        if made is not None:
            record, _, _, path, manner, _ = made
            execution = ran[record]
            if execution is None or execution[3] or execution[2] is None:
                return None
            maker, ended = (execution[0], manners[manner]), execution[2]
        if content is None or type == DIRECTORY:
            return None
        found: list[Use] = []
        for other, direction, _, there, how, held in uses:
            user = ran[other]
            if user is None:
                continue
            if there != path or manners[how][0] != type:
                return None
            if maker and (other <= record or user[3] or user[1] is None or user[1] < ended):
                return None
            if size is None:
                size = held
            found.append((user[0], direction == 2, manners[how]))
        return new(Flow, (bare.digests[content], bare.texts[path], type, size, maker, found))


def _by_content(rows: Iterable[Has]) -> Mapping[int | None, list[Has]]:
    found: dict[int | None, list[Has]] = {}
    for row in rows:
        if row[2] in found:
            found[row[2]].append(row)
        else:
            found[row[2]] = [row]
    return found
