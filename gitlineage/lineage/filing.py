"""Which files are known: by path, pattern or digest, by who had them, in a directory, or here."""

from __future__ import annotations

import os

from gitlineage import artifacts
from gitlineage.errors import NotFound, UnknownId
from gitlineage.lineage.naming import Naming, is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gitlineage.index import Mention
    from gitlineage.index.files import Known, Position
    from gitlineage.inventory import Here

TOGETHER = 500
"""Files of which is looked up together who had them."""

FIRST = 20
"""Those that are there at once."""

MARKS = "*?["
"""What a pattern has in it."""


class Filing(Naming):
    """The part of `Lineage` that lists files."""

    def files(
        self,
        paths: Sequence[str] = (),
        *,
        made_by: str | None = None,
        used_by: str | None = None,
        deployed: bool = False,
    ) -> Iterator[Known]:
        """Yield the files that are known by content, by path, and at one path the newest first.

        `paths` are files, folders, patterns with `*`, `?` and `[...]`, digests or their beginning,
        and `DIRECTORY@EXECUTION`: what a directory held there. `made_by` and `used_by` are
        executions; the latter may be a deployment, too.
        Raises UnknownFile, UnknownId, AmbiguousId.
        """
        index = self.view().index
        chosen = self._chosen(made_by, used_by, deployed)
        digests = None if chosen is None else {each.digest for each in chosen}
        is_met: list[Callable[[str], bool]] = []
        if not paths:
            yield from _described(index.described, chosen) if chosen is not None else self._all()
        for given in paths:
            yield from self._listed(given, chosen, digests, is_met)

    def files_here(self, paths: Sequence[str] = ()) -> list[Here]:
        """Return the files in the work tree that are known, or that git does not track, by path.

        With `paths`, as for `files`, those that these are or hold, also where git ignores them.
        The `known` of each has who made, used and deployed it.
        """
        from gitlineage import inventory

        index = self.view().index
        wanted = [self._pattern(each) for each in paths]
        tests = [each.fits for each in wanted]
        roots = [each.root for each in wanted]
        found = inventory.look(
            self.repository,
            index,
            lambda path: not tests or any(test(path) for test in tests),
            roots,
        )
        known = {each.path: each.known for each in found if each.known is not None}
        told = dict(zip(known, _described(index.described, list(known.values())), strict=True))
        return [each.replace(known=told.get(each.path)) for each in found]

    def _chosen(
        self, made_by: str | None, used_by: str | None, is_deployed: bool
    ) -> list[Known] | None:
        """Return the files that fit all conditions; None where there is no condition."""
        index = self.view().index
        found: list[list[Known]] = []
        for name, direction in ((made_by, "output"), (used_by, "input")):
            if name is None:
                continue
            identity = self.resolve(name)
            row = index.row(identity)
            if row is not None and row.kind == "deployment":
                if direction == "output":
                    raise UnknownId(asked=name)
                direction = "deployed"
            found.append(index.files_had_by(identity, direction))
        if is_deployed:
            found.append(index.files_deployed())
        if not found:
            return None
        others = [{each.digest for each in some} for some in found[1:]]
        return [each for each in found[0] if all(each.digest in some for some in others)]

    def _listed(
        self,
        given: str,
        chosen: list[Known] | None,
        digests: set[str] | None,
        is_met: list[Callable[[str], bool]],
    ) -> Iterator[Known]:
        """Yield what one word stands for, but for paths that an earlier one has met."""
        index = self.view().index
        if given.startswith("blake3:") or is_digest(given):
            contents = index.contents_by_prefix(given, 1000)
            if not contents:
                raise self._unknown_file(given)
            rows = index.files_of(contents)
            yield from _described(index.described, _within(rows, digests))
            return
        wanted = self._pattern(given)
        is_there = wanted.is_open or os.path.lexists(given) or index.files_at([wanted.name])
        if not is_there and (had := _of_execution(given)):
            yield from self._held(*had, digests)
            return
        met = list(is_met)
        is_met.append(wanted.fits)

        def new(rows: Iterable[Known]) -> list[Known]:
            fit = (each for each in rows if wanted.fits(each.path))
            return [each for each in fit if not any(test(each.path) for test in met)]

        if chosen is not None:
            yield from _described(index.described, new(chosen))
            return
        count = 0
        for row in self._walked(wanted, new):
            count += 1
            yield row
        if not count and not met and not wanted.is_open:
            if (content := self._shortened(given)) is not None:
                rows = index.files_of([content])
                yield from _described(index.described, _within(rows, digests))
                return
            raise self._unknown_file(given)

    def _pattern(self, given: str) -> _Pattern:
        """Return what a path means; where there is a file of that name, it is no pattern."""
        name = self.recorded_name(given)
        is_open = any(mark in name for mark in MARKS)
        is_name = is_open and (os.path.lexists(given) or self.view().index.files_at([name]))
        return _Pattern(name, is_open=is_open and not is_name)

    def _walked(
        self, wanted: _Pattern, new: Callable[[Iterable[Known]], list[Known]]
    ) -> Iterator[Known]:
        """Yield all that is known at paths, a page at a time: there may be millions."""
        from gitlineage.index.files import below, only

        index = self.view().index
        if not wanted.is_open:
            has = set()
            for each in self._from(only(wanted.name), new):
                has.add(each.digest)
                yield each
            inside = [each for each in index.files_inside(wanted.name) if each.digest not in has]
            yield from _described(index.described, new(inside))
        for position in below(wanted.start):
            yield from self._from(position, new)

    def _all(self) -> Iterator[Known]:
        """Yield all that is known."""
        from gitlineage.index.files import below

        for position in below(""):
            yield from self._from(position, list)

    def _from(
        self, position: Position, new: Callable[[Iterable[Known]], list[Known]]
    ) -> Iterator[Known]:
        """Yield what is known from a position on, the first few at once."""
        index = self.view().index
        count = FIRST
        while rows := index.files_from(position, count):
            yield from index.described(new(rows))
            count = TOGETHER

    def _held(self, name: str, execution: str, digests: set[str] | None) -> Iterator[Known]:
        """Yield what a directory, or a folder or file in one, held in an execution."""
        from gitlineage.index.files import Known

        index = self.view().index
        identity = self.resolve(execution)
        path = self.recorded_name(name)
        had = [each for each in index.artifacts_of([identity]).get(identity, []) if each.digest]
        # What it was when the execution had ended goes before what it was at the start.
        had.sort(key=lambda each: (each.direction == "input", each.position))
        rows: dict[str, Known] = {}
        made: set[str] = set()
        for whole in had:
            if not (artifacts.is_inside(path, whole.path) or artifacts.is_inside(whole.path, path)):
                continue
            for part, held, size, type in self._parts(whole):
                if artifacts.is_inside(part, path) and part not in rows:
                    at = whole.started_at or 0
                    rows[part] = Known(path=part, digest=held, size=size, type=type, last_at=at)
                    made |= {part} if whole.direction == "output" else set()
        if not rows:
            raise NotFound(what=f"{name} in execution {identity[:12]}")
        wanted = _within((rows[part] for part in sorted(rows, key=os.fsencode)), digests)
        for each in _described(index.described, wanted, is_alone=True):
            is_own = each.made_by is None and each.path in made
            yield each.replace(made_by=identity, makers_count=1) if is_own else each

    def _parts(self, whole: Mention) -> Iterator[tuple[str, str, int | None, str]]:
        """Yield the files that a directory holds, with the whole path; of a file, itself."""
        from gitlineage.trace.parts import Parts

        if whole.type != "directory":
            yield whole.path, str(whole.digest), whole.size, whole.type
            return
        for inside, held in Parts(self._index()).of(str(whole.digest)):
            if held.type != "directory":
                yield f"{whole.path}/{inside}", held.digest, held.size, held.type


def _within(rows: Iterable[Known], digests: set[str] | None) -> list[Known]:
    return [each for each in rows if digests is None or each.digest in digests]


def _described(
    describe: Callable[..., list[Known]], rows: Sequence[Known], **more: bool
) -> Iterator[Known]:
    for start in range(0, len(rows), TOGETHER):
        yield from describe(rows[start : start + TOGETHER], **more)


def _of_execution(given: str) -> tuple[str, str] | None:
    """Return path and execution of `PATH@EXECUTION`, where the latter may begin with `@` itself."""
    path, mark, execution = given.rpartition("@")
    if not mark or not path:
        return None
    if path.endswith("@"):
        path, execution = path[:-1], "@" + execution
    return (path, execution) if path and execution else None


class _Pattern:
    """Which paths are meant: one and all that is in it, or those that fit."""

    def __init__(self, name: str, *, is_open: bool) -> None:
        self.name = name
        self.is_open = is_open or name == "."
        first = min((at for mark in MARKS if (at := name.find(mark)) >= 0), default=None)
        self.start = name[:first] if is_open else "" if name == "." else name + "/"
        """How all these paths begin, but for the one itself."""
        self.root = (name[:first].rpartition("/")[0] or ".") if is_open else name
        """The folder that they are in."""
        self._fits = None
        if is_open:
            import fnmatch
            import re

            self._fits = re.compile(fnmatch.translate(name)).match

    def fits(self, path: str) -> bool:
        """Tell whether a path is one of them."""
        if self._fits is not None:
            return self._fits(path) is not None
        return artifacts.is_inside(path, self.name)
