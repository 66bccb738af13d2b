"""A current view of all lineage: what is here and what was fetched, through the index.

Knows how the index is kept up with the refs; knows nothing of what is asked of it. One question
to git tells whether anything has moved; only then is anything read.
"""

from __future__ import annotations

import os

from gitlineage import ledger
from gitlineage.errors import GitFailed, LineageError
from gitlineage.generations import Generations
from gitlineage.index import Filters, Index
from gitlineage.ledger import Ledger
from gitlineage.messages import summary
from gitlineage.notes import SHOWN, Notes
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.sync.fetching import Fetcher
from gitlineage.sync.remotes import TRACKING
from gitlineage.tags import PREFIX as TAGS
from gitlineage.tags import Tags, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitlineage.commits import Commit
    from gitlineage.ledger import Stored
    from gitlineage.repository import Repository

ROUNDS = 20
"""How often others may move refs or feed the index while we do, before what we have is enough."""


class View:
    """The records of one repository, as a reader sees them."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._ledger = Ledger(repository)
        self.lost: list[str] = []
        """Commits that chains have lost, where that was just seen."""
        self.index = Index(os.path.join(repository.lineage_dir, "index.sqlite"), self.refresh)

    def refresh(self) -> None:
        """Make the index hold all that the refs reach."""
        for _ in range(ROUNDS):
            tips = self._current_tips()
            known = self.index.tips()
            if tips == known:
                return
            fetched = {
                name: tip
                for name, tip in tips.items()
                if name.startswith(TRACKING) and known.get(name) != tip
            }
            if fetched and self._fold(fetched):
                tips = self._current_tips()
            if self._feed(tips, known, renews_notes=bool(fetched)):
                return

    def is_current(self) -> bool:
        """Tell whether the index holds all that the refs reach."""
        return self._current_tips() == self.index.tips()

    def _tips(self) -> dict[str, str]:
        tips = self._repository.tips(ledger.PREFIX, TAGS, TRACKING)
        return {
            name: tip
            for name, tip in tips.items()
            if not name.startswith(TRACKING) or name.split("/")[-2] in ("ledger", "tags")
        }

    def _current_tips(self) -> dict[str, str]:
        """Return the tips that count: what was forgotten elsewhere is forgotten here first."""
        tips = self._tips()
        generations = Generations(self._repository)
        if generations.are_new(tips) or any(
            not name.startswith(TRACKING) for name in generations.superseded(tips)
        ):
            from gitlineage.settling import Settling  # rarely needed

            try:
                if Settling(self._repository).settle():
                    self.index.close()  # it was removed, since it held what was forgotten
            except (LineageError, OSError):
                pass  # a repository that cannot be written to is read as it is
            tips = self._tips()
        old = generations.superseded(tips)
        return {name: tip for name, tip in tips.items() if name not in old}

    def _fold(self, fetched: Mapping[str, str]) -> bool:
        fetcher = Fetcher(self._repository)
        try:
            changed = fetcher.fold(fetched)
        except LineageError:
            return False  # a repository that cannot be written to is read as it is
        if fetcher.settled:
            self.index.close()
        return bool(changed or fetcher.settled)

    def _feed(
        self, tips: Mapping[str, str], known: Mapping[str, str], *, renews_notes: bool
    ) -> bool:
        """Feed what lies between two states of the refs; False where others were faster."""
        new, old = _ledgers(tips), _ledgers(known)
        is_moved = new != old
        moved = {
            name: tips.get(ref)
            for ref in {**tips, **known}
            if ref.startswith(TAGS) and tips.get(ref) != known.get(ref) and (name := name_of(ref))
        }
        held = {name: tip for name, tip in moved.items() if tip is not None}
        changed: dict[str, Mapping[str, int] | None] = dict.fromkeys(moved)
        for name, members in zip(
            held, Tags(self._repository).all_members(list(held.values())), strict=True
        ):
            changed[name] = {each.id: each.at for each in members.values()} or None
        gained, left = set(new).difference(old), set(old).difference(new)
        following = None
        if len(gained) == 1 and len(left) < 2:  # nearly always: one record after another
            following = self._ledger.following(*gained, *(left or (None,)))
        if following is not None:
            added, left = iter([following]), set()
        else:
            try:
                commits = self._repository.commits(new, old, is_joined=True) if is_moved else []
            except GitFailed:
                commits, old = self._survivors(tips), []
            # What all old tips are still reached from has lost nothing; git need not be asked.
            left = set(old).difference(new, (each for one in commits for each in one.parents))
            added = self._ledger.records(commits)
        ran: set[str] = set()
        is_fed = self.index.update(
            tips,
            expected=known,
            tags=changed,
            look=self._repository.contents,
            added=_noting(added, ran) if renews_notes else added,
            dropped=[each.id for each in self._repository.commits(old, new, is_joined=True)]
            if left
            else (),
        )
        if is_fed and ran:
            self._renew_notes(dict.fromkeys(ran))
        return is_fed

    def _survivors(self, tips: Mapping[str, str]) -> list[Commit]:
        """Return all that can be read where a chain breaks off: also what is behind the break."""
        from gitlineage import salvage  # hopefully never

        ledgers = _ledgers(tips)
        chosen = {name: tip for name, tip in tips.items() if tip in ledgers}
        links, self.lost = salvage.Salvage(self._repository).survivors(chosen)
        if not self.lost:
            raise GitFailed(command="rev-list", reason="the ledger cannot be read")
        return salvage.commits(links)

    def renew_rewritten(self) -> None:
        """Write the notes of commits that have code which ran as another, or before it was one.

        History may have been rewritten since: what was noted there has no reader any more.
        """
        from gitlineage import history  # with what it asks 5 ms: after a fetch only

        ran: dict[str, dict[str, int]] = {}
        ran_as: dict[str, int] = {}
        for tree, commit, count in self.index.codes():
            ran.setdefault(tree, {})[commit] = count
            ran_as[commit] = ran_as.get(commit, 0) + count
        lacking: dict[str, str] = {}
        notes = Notes(self._repository)
        held = history.commits_of(self._repository, ran)
        trees = {commit: tree for tree, commits in held.items() for commit in commits}
        for commit, count in notes.counts(trees).items():
            counts = ran[trees[commit]]
            if count != sum(counts.values()) + ran_as.get(commit, 0) - counts.get(commit, 0):
                lacking[commit] = trees[commit]
        if lacking:
            self._renew_notes(lacking)

    def _renew_notes(self, commits: Mapping[str, str | None]) -> None:
        """Write the notes of these commits anew, where it is given with what ran their tree."""
        lines: dict[str, list[str]] = {}
        found = {
            commit: self.index.executions(Filters(commit=commit, tree=tree))
            for commit, tree in commits.items()
        }
        shown = [row.commit for rows in found.values() for row in rows[:SHOWN]]
        asked = [f"{each}:{part}" for each in shown for part in ("launch", "record")]
        contents = iter(self._repository.contents(asked))
        for commit, rows in found.items():
            told = []
            for row, launch, record in zip(rows[:SHOWN], contents, contents, strict=False):
                try:
                    both = halves(launch, record, row.commit)
                except LineageError:
                    continue
                if both[0] and both[1]:
                    told.append(summary(both[0], both[1], row.id))
            # Of those that a note does not list it tells the number only.
            lines[commit] = [*told, *[""] * (len(rows) - len(told))]
        try:
            Notes(self._repository).write(lines)
        except (LineageError, OSError):
            return  # derived: a repository that cannot be written to goes without


def _noting(stored: Iterable[Stored], commits: set[str]) -> Iterator[Stored]:
    """Pass records on, and note the commits of the code that they ran."""
    from gitlineage import encoding

    for each in stored:
        try:
            code = encoding.unpack(each.launch or b"").get("code", {})
            commits.update([code["commit"]] if isinstance(code["commit"], str) else ())
        except (LineageError, KeyError, AttributeError, TypeError):
            pass  # of a record that cannot be read, no note is written
        yield each


def halves(
    launch: bytes | None, record: bytes | None, commit: str
) -> tuple[Launch | None, End | None]:
    """Return both halves of an execution's record. Raises InvalidRecord, NewerFormat."""
    from gitlineage import encoding

    return (
        encoding.decode(Launch, launch, commit[:12]) if launch is not None else None,
        encoding.decode(End, record, commit[:12]) if record is not None else None,
    )


def _ledgers(tips: Mapping[str, str]) -> list[str]:
    return sorted(
        {
            tip
            for name, tip in tips.items()
            if name.startswith(ledger.PREFIX)
            or (name.startswith(TRACKING) and name.split("/")[-2] == "ledger")
        }
    )
