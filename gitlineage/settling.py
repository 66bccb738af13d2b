"""What was forgotten stays forgotten: what redactions say, done here as well. Knows chains.

A redaction is the record that says what of a month was forgotten, in its part `forgotten` the git
ids of trees of records and of commits that held code. The month goes on as `<YYYY-MM>.<n>`, which
holds the redaction. Whoever sees it appends there what it has alone, and lets go of the old chain.
"""

from __future__ import annotations

import os

from gitlineage import access, chains, code, encoding, ledger
from gitlineage.commits import Identity
from gitlineage.entries import Entry
from gitlineage.errors import LineageError
from gitlineage.generations import BEGUN, OBEYED, TRACKING, Generations, split
from gitlineage.home import Home
from gitlineage.messages import FORGETS
from gitlineage.notes import Notes
from gitlineage.records import Record
from gitlineage.records.redaction import Redaction
from gitlineage.tags import Tags, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.commits import Commit, NewCommit
    from gitlineage.records.launch import Code


class Settled(Record):
    """What was found to be forgotten elsewhere, and is forgotten here from now on."""

    redaction: Redaction
    ref: str
    """Under which the month goes on."""


class Settling(Generations):
    """Forgetting what others have had forgotten, in one repository."""

    def begin(self, redactions: Iterable[Redaction]) -> None:
        """Remember redactions that are about to be obeyed.

        Killed before `obey`, `is_unfinished` tells the next command, which does all of it again.
        """
        self._note(BEGUN, redactions)

    def obey(self, redactions: Iterable[Redaction]) -> None:
        """Remember redactions that are obeyed here, all of it, so that they are told once."""
        self._note(OBEYED, redactions)

    def _note(self, word: str, redactions: Iterable[Redaction]) -> None:
        nonces = {each.nonce.hex() for each in redactions} - self.noted(word)
        if nonces:
            access.make_folder(self._repository.lineage_dir)
            with open(self._path, "a") as file:
                file.writelines(f"{word} {each}\n" for each in sorted(nonces))
            access.share(self._path)

    # -- what was forgotten ----------------------------------------------------------------

    def redactions(self, tips: Iterable[str] | None = None) -> list[tuple[Redaction, set[str]]]:
        """Return the redactions that chains hold, and the git ids that they name.

        Without `tips`: those of all months that were forgotten something of.
        """
        if tips is None:
            known = self.known()
            held = self._repository.tips(ledger.PREFIX) if known else {}
            tips = [tip for name, tip in held.items() if known.intersection(split(name))]
        lines = "".join(f"{tip}\n" for tip in tips).encode()
        if not lines:
            return []
        asked = ("rev-list", "--fixed-strings", f"--grep={FORGETS}", "--stdin")
        commits = self._repository.ask(*asked, content=lines).decode().split()
        names = [f"{each}:{part}" for each in commits for part in ("record", "forgotten")]
        contents = iter(self._repository.contents(names))
        found = []
        for record, ids in zip(contents, contents, strict=True):
            try:
                redaction = encoding.decode(Redaction, record or b"")
            except LineageError:
                continue  # a message can say anything
            if redaction.kind == "redaction":
                found.append((redaction, set((ids or b"").decode(errors="replace").split())))
        return found

    def forgotten_ids(self) -> set[str]:
        """Return the ids of the executions and deployments that are not to come back."""
        return {id for each, _ in self.redactions() for id in each.forgotten}

    def of_code(self, code: Code) -> Redaction | None:
        """Return how code was forgotten, where it was; until garbage is collected, git has it."""
        if code.snapshot is None or not self.are_there:
            return None
        return next((each for each, ids in self.redactions() if code.snapshot in ids), None)

    def settle(self) -> list[Settled]:
        """Forget what redactions name that came from elsewhere; return those that were new.

        What is here alone goes on in the new generation; nothing that was forgotten comes back.
        """
        told = []
        before = self.known(with_void=True)
        obeyed = self.noted(OBEYED)
        months = set()
        for name, tip in sorted(self._repository.tips(ledger.PREFIX).items()):
            for kind, month, number in split(name):
                if number:
                    held = [each for each, _ in self.redactions([tip]) if each.month == month]
                    months.add(month)
                    new = [each for each in held if each.nonce.hex() not in obeyed]
                    self.begin(new)
                    if (kind, month, number) not in before:
                        self.know(name, is_void=not held)
                    told += [Settled(redaction=each, ref=name) for each in new]
        forgotten = set().union(*(ids for _, ids in self.redactions()))
        for name in self._repository.tips(code.PREFIX) if forgotten else ():
            if any(number for _, _, number in split(name)):
                self.know(name)
        months |= {each[1] for name in self._repository.tips(code.PREFIX) for each in split(name)}
        for month in sorted(months):
            self.go_on(month, forgotten)
        self.finish([each.redaction for each in told], forgotten)
        return told

    def finish(self, redactions: Sequence[Redaction], forgotten: set[str]) -> None:
        """Remove what is left beside the months, and remember that these are obeyed."""
        if redactions:
            for name, tip in self._repository.tips(chains.SCRATCH).items():
                # Somebody was killed while chains became one; whoever lives begins anew.
                if self._has(name, forgotten):
                    self._repository.writer.set_ref(name, None, tip)
            self.clear([id for each in redactions for id in (*each.forgotten, *each.rewritten)])
            for each in redactions:
                self._untag(each)
            self.obey(redactions)

    def _untag(self, redaction: Redaction) -> None:
        """Take what was forgotten out of the tags, in the name of whoever had it forgotten.

        Killed before, or behind some of the tags, `finish` is done again. Clones that do the same
        have made the same of a tag's entries, which their histories become one with.
        """
        tags, gone = Tags(self._repository), set(redaction.forgotten)
        agent, at = redaction.agent, redaction.forgotten_at // 1_000_000
        who = Identity(name=agent.name, email=agent.email, at=at)
        for ref, tip in tags.tips().items() if gone else ():
            name = name_of(ref)
            if name and (ids := sorted(gone.intersection(self._repository.entries(tip)))):
                tags.remove(name, ids, who)

    def go_on(self, month: str, forgotten: set[str]) -> None:
        """Leave the old chains of a month, of records and of code, for the newest.

        What no remote has yet and was not forgotten is appended there again.
        """
        for prefix in (ledger.PREFIX, code.PREFIX):
            mine = {
                number: name
                for name in self._repository.tips(prefix)
                for _, each, number in split(name)
                if each == month
            }
            if not mine:
                continue
            newest = mine[max(mine)]
            bad = [name for name in mine.values() if self._has(name, forgotten)]
            if newest in bad:
                newest = self._rebuild(newest, forgotten)
            if bad:
                self.know(newest)
            tips = self._repository.tips("refs/lineage/", TRACKING)
            old = [
                name
                for name in self.superseded(tips)
                for kind, each, _ in split(name)
                if each == month and prefix.endswith(f"/{kind}/")
            ]
            if old:
                self._move([tips[each] for each in old], newest, forgotten)
            for name in old:
                is_live = not name.startswith(TRACKING)
                if is_live or self.is_newer_there(name, tips) or self._is_told(name, tips):
                    self._repository.writer.set_ref(name, None, tips[name])

    def _has(self, ref: str, forgotten: set[str]) -> bool:
        """Tell whether a chain holds anything that was forgotten."""
        if not forgotten:
            return False
        tips = self._repository.tips(ref).values()
        commits = chains.links(self._repository, ref, tips)
        return any(_is_forgotten(each, forgotten) for each in commits)

    def _is_told(self, name: str, tips: Iterable[str]) -> bool:
        """Tell whether a remote has a redaction, so that its code was let go of, too."""
        folder, _, kind = name.rpartition("/")[0].rpartition("/")
        known = self.known()
        others = [each for each in tips if each.startswith(f"{folder}/ledger/")]
        return kind == "code" and any(known.intersection(split(each)) for each in others)

    def _move(self, sources: Sequence[str], newest: str, forgotten: set[str]) -> None:
        """Append what other chains have beyond the newest, and was not forgotten."""
        repository = self._repository

        def attempt() -> bool | None:
            tip = repository.tips(newest)[newest]
            there = {_key(each) for each in chains.links(repository, newest, [tip])}
            lacking = []
            for each in chains.links(repository, newest, sources):
                if each.is_merge and chains.is_ledger(newest):
                    continue
                if _key(each) not in there and not _is_forgotten(each, forgotten):
                    there.add(_key(each))
                    lacking.append(each.id)
            if not lacking:
                return True
            at = repository.committed_at(tip)
            again = [_later(raw, at) for raw in repository.contents(lacking) if raw is not None]
            return True if chains.replant(repository, newest, tip, tip, again) else None

        chains.retry(repository, newest, attempt)

    def _rebuild(self, ref: str, forgotten: set[str]) -> str:
        """Make the next generation of a chain, without what was forgotten; return its name."""
        repository = self._repository
        folder, _, name = ref.rpartition("/")
        month, number = chains.generation(name) or ("", 0)
        made = f"{folder}/{month}.{number + 1}"

        def attempt() -> bool | None:
            tip = repository.tips(ref)[ref]
            commits = chains.links(repository, ref, [tip])
            first = next(n for n, each in enumerate(commits) if _is_forgotten(each, forgotten))
            first = min(first, chains.unbranched(commits))
            rest = [e for e in commits[first:] if not (e.is_merge and chains.is_ledger(ref))]
            kept = [each.id for each in rest if not _is_forgotten(each, forgotten)]
            again = [chains.again_of(raw) for raw in repository.contents(kept) if raw is not None]
            base = chains.below(commits, first)
            if again:
                return True if chains.replant(repository, made, None, base, again) else None
            return True if base and repository.writer.set_ref(made, base, None) else None

        chains.retry(repository, made, attempt)
        return made

    # -- what is derived -------------------------------------------------------------------

    def clear(self, ids: Sequence[str]) -> None:
        """Remove what this machine has of executions beside the chains."""
        home = Home(self._repository.lineage_dir)
        for id in ids:
            if len(id) == 40 and id.isalnum():
                home.forget(id)
                path = os.path.join(self._repository.lineage_dir, "running", id)
                if os.path.exists(path) and (entry := Entry.take(path)):
                    entry.remove()
        Notes(self._repository).forget(ids)
        for name in ("index.sqlite", "index.sqlite-journal"):
            path = os.path.join(self._repository.lineage_dir, name)
            if os.path.exists(path):
                os.unlink(path)


def _key(commit: Commit) -> tuple[str, tuple[str, ...]]:
    return commit.tree, commit.parents[1:]


def _is_forgotten(commit: Commit, forgotten: set[str]) -> bool:
    held = commit.parents[1:]
    return (not held and commit.tree in forgotten) or not forgotten.isdisjoint(held)


def _later(raw: bytes, at: int) -> NewCommit:
    """Return a commit again, dated no earlier than what it goes behind."""
    again = chains.again_of(raw)
    return again.replace(committer=again.committer.replace(at=max(at, again.committer.at)))
