"""What is here goes to a remote, never by force: one connection, none where it has all of it."""

from __future__ import annotations

import os
import time

from gitlineage import chains, code, ledger
from gitlineage.errors import GitFailed, OptedOut, SyncRejected
from gitlineage.generations import Generations
from gitlineage.gitprocess import failure
from gitlineage.records import Record
from gitlineage.sync.remotes import LIVE, NOTES, SHARED, TRACKING, below, live_of, tracking_of
from gitlineage.sync.sending import Sending
from gitlineage.tags import PREFIX as TAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository

_LOOKED_AT = (LIVE, TRACKING, chains.SCRATCH, NOTES)

PATIENCE = 60.0
"""Seconds of trying again: a busy remote was seen to reject one push 88 times."""

RACES = (
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
    "stale info",
)
"""What git says of a ref that someone else was moving; anything else is a refusal."""


class Sent(Record):
    """What a push did."""

    remote: str
    records_count: int
    tags_count: int
    rounds: int
    """Connections that it took."""
    changed: tuple[str, ...] = ()
    """Live refs that hold more than before: others had sent something meanwhile."""
    warnings: tuple[str, ...] = ()


class Pusher(Sending):
    """Pushing to the remotes of one repository, which is to fetch as well."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self._tried_notes: set[str] = set()
        self._looking: GitProcess | None = None
        self._counted: dict[tuple[frozenset[str], frozenset[str]], int | GitProcess] = {}
        """How many records some tips reach beyond others, or who is to tell it."""

    def push(self, remote: str, *, patience: float = PATIENCE) -> Sent:
        """Send lineage, never by force; fetch and try again when others were faster.

        Raises SyncRejected when the remote refuses or cannot be reached, or others keep pushing
        for too long; it tells what is not there yet. Raises OptedOut.
        """
        if not self.is_allowed(remote):
            raise OptedOut(remote=remote)
        end, rounds, pause = time.monotonic() + patience, 0, 0.05
        changed, warnings, refused = [], [], dict[str, str]()
        tips = self.look(remote)
        old = Generations(self._repository).superseded(below(tips, self.folder(remote)))
        old_there = {name: tips[name] for name in old}
        set_back = self.rewound(remote, below(tips, self.folder(remote)))
        if os.access(self._repository.common_dir, os.W_OK):
            self._sweep(tips)
            folder = self.folder(remote)
            folded, said = self._fold(below(tips, folder), below(tips, LIVE))
            changed += folded
            warnings += said
            tips = self.look(remote) if folded or self.settled else tips
        is_unsure = bool(warnings)
        tips = self._trimmed(remote, tips)
        refs = self.unpushed_refs(remote, tips)
        records, tags = self.start_counts(remote, tips)
        is_held_back = not self.sends(remote, "code")
        if not is_held_back and not self._is_published(remote, tips):
            is_held_back = True
            warnings.append(f"code stays here: some of it is not published on {remote}")
        while refs := {
            ref: tip
            for ref, tip in refs.items()
            if ref not in refused and not (is_held_back and ref.startswith(code.PREFIX))
        }:
            rounds += 1
            notes = self._notes(remote, tips) if rounds == 1 else None
            leases = {} if is_unsure else self._leases(remote, refs, tips)
            rejected = self._push_refs(remote, refs, notes, leases)
            if not rejected:
                break
            before, codes = tips, _codes(rejected)
            if any(each in why for why in rejected.values() for each in RACES):
                # Before the fetch, not after it: what is pushed then is as new as can be.
                _rest(pause)
                pause = min(pause * 2, 2.0)
            fetched = self.fetch(remote, (*SHARED, "code") if codes else tuple(SHARED))
            changed += fetched.changed
            set_back += fetched.rewound
            is_unsure = bool(fetched.warnings)
            tips = self._trimmed(remote, self.look(remote))
            for ref, why in rejected.items():
                name = tracking_of(self.folder(remote), ref)
                if before.get(name) == tips.get(name) and not any(each in why for each in RACES):
                    refused[ref] = why
                elif time.monotonic() > end:
                    refused[ref] = f"others kept pushing for {int(patience)} s"
            if codes and codes.keys() < refused.keys():
                # Perhaps it is the code that a server's hook does not like, and it refused all of
                # the push for that: the records go alone.
                is_held_back, refused = True, {}
                warnings.append(f"code stays here: {remote} says {next(iter(codes.values()))}")
            refs = self.unpushed_refs(remote, tips)
        if kept := _codes(refused):
            warnings.append(f"code stays here: {remote} says {next(iter(kept.values()))}")
        if lacking := [why for ref, why in refused.items() if ref not in kept]:
            raise self._rejection(remote, lacking[0])
        warnings += self._let_go(remote, old_there)
        warnings += [f"{remote} has set back {ref}; it is sent again" for ref in set_back]
        if lost := self.unsigned_count:
            warnings.append(
                f"{lost} record{'s' * (lost != 1)} lost the signature with what stays here"
            )
        return Sent(
            remote=remote,
            records_count=records(),
            tags_count=tags,
            rounds=rounds,
            changed=tuple(dict.fromkeys(changed)),
            warnings=tuple(warnings),
        )

    def _leases(
        self, remote: str, refs: Mapping[str, str], tips: Mapping[str, str]
    ) -> dict[str, str]:
        """Return what the remote's chains have to be at still.

        Else a clone that has not heard that a month was forgotten would make it there again.
        """
        urls = self._repository.words(f"remote.{remote}.pushurl")
        if len(urls or self._repository.words(f"remote.{remote}.url")) > 1:
            return {}  # they may be at different tips
        folder = self.folder(remote)
        return {
            ref: tips[name]
            for ref in refs
            if not ref.startswith(TAGS) and (name := tracking_of(folder, ref)) in tips
        }

    def _let_go(self, remote: str, old: Mapping[str, str]) -> list[str]:
        """Have a remote let go of months that go on under another name; return what it refuses.

        That is the only push which takes anything away, and only what was looked at.
        """
        generations, folder = Generations(self._repository), self.folder(remote)
        if not generations.are_there:
            return []
        tips = below(self.look(remote), folder)
        old = {**old, **{name: tips[name] for name in generations.superseded(tips)}}
        gone = {live_of(name) or "": tip for name, tip in old.items()
                if generations.is_newer_there(name, tips)}  # fmt: skip
        if not gone:
            return []
        told = self._tell(
            remote,
            [f"--force-with-lease={ref}:{tip}" for ref, tip in gone.items()],
            [f":{ref}" for ref in gone],
        )[0]
        for ref, tip in gone.items():
            if not told.get(ref, "?"):
                self._repository.writer.set_ref(tracking_of(folder, ref), None, tip)
        kept = {ref: why for ref, why in told.items() if why}
        if any("stale info" in why for why in kept.values()):
            # Somebody else has had it deleted meanwhile, perhaps.
            listed = os.fsdecode(self._network("ls-remote", remote, *kept)).splitlines()
            kept = {ref: kept[ref] for ref in kept if any(ref in each for each in listed)}
        return [
            f"{remote} keeps the old {ref.removeprefix(LIVE)}, with what was forgotten: {why}"
            for ref, why in kept.items()
        ]

    def attempt(self, remote: str) -> dict[str, str]:
        """Try a push that sends nothing; return which refs would be refused, and why.

        Where nothing is here yet, the remote is only asked what it has. Raises GitFailed.
        """
        tips = self.look(remote)
        refs = {ref: tip for ref, tip in tips.items() if ref.startswith((ledger.PREFIX, TAGS))}
        specs = [f"{tip}:{ref}" for ref, tip in refs.items()]
        if not specs:
            self._network("ls-remote", remote, LIVE + "*")
            return {}
        told, status, messages = self._tell(remote, ["--dry-run"], specs)
        if status and not told:
            raise failure(["push"], status, messages)
        # Where others were faster, a push fetches first.
        return {ref: why for ref, why in told.items() if why and not any(e in why for e in RACES)}

    def meet(self, remote: str) -> None:
        """Ask a remote what it has, so that it is known to be there. Raises SyncRejected."""
        try:
            self._network("ls-remote", remote, LIVE + "*")
        except GitFailed as error:
            raise self._rejection(remote, str(error.facts["reason"])) from error

    def push_notes(self, remote: str) -> None:
        """Send the notes, unless a push of the records has tried to; they are a courtesy."""
        if remote not in self._tried_notes:
            tracking = tracking_of(self.folder(remote), NOTES)
            found = self._repository.refs(NOTES, tracking)
            # By what they say: whoever fetches makes them anew.
            if NOTES not in found or (
                tracking in found and found[tracking].tree == found[NOTES].tree
            ):
                return
            tips = {name: each.commit for name, each in found.items()}
            self._push_refs(remote, {}, self._notes(remote, tips))

    def unpushed(self, remote: str) -> int:
        """Return how many records the remote has not got, as far as is known."""
        return self.start_counts(remote, self.look(remote))[0]()

    def _rejection(self, remote: str, reason: str) -> SyncRejected:
        records, tags = self.start_counts(remote, self.look(remote))
        parts = [
            f"{count} {noun}{'s' * (count != 1)}"
            for count, noun in ((records(), "record"), (tags, "tag"))
            if count
        ]
        left = f"; not there yet: {' and '.join(parts)}" if parts else ""
        return SyncRejected(remote=remote, command="push", reason=reason + left)

    def look(self, remote: str) -> dict[str, str]:
        """Return all tips that a push is about: what is here, and what the remote had."""
        started, self._looking = self._looking, None
        found = self._repository.refs(*_LOOKED_AT, started=started)
        self._behind = {each.commit: each.parents for each in found.values()}
        folder = self.folder(remote)
        return {
            name: each.commit
            for name, each in found.items()
            if not name.startswith(TRACKING) or name.startswith(folder)
        }

    def start_looking(self) -> None:
        """Begin what the next `look` tells, which may be read meanwhile."""
        self._looking = self._repository.start_refs(*_LOOKED_AT)

    def _trimmed(self, remote: str, tips: dict[str, str]) -> dict[str, str]:
        """Return the tips once they send nothing that the remote is not to get."""
        while self.withhold(remote, tips):
            tips = self.look(remote)
        return tips

    def unpushed_refs(self, remote: str, tips: Mapping[str, str]) -> dict[str, str]:
        """Return live refs that differ from what the remote had; code first, then records."""
        folder = self.folder(remote)
        return {
            ref: tips[ref]
            for prefix in (code.PREFIX, ledger.PREFIX, TAGS)
            for ref in sorted(tips)
            if ref.startswith(prefix) and tips[ref] != tips.get(tracking_of(folder, ref))
        }

    def start_counts(self, remote: str, tips: Mapping[str, str]) -> tuple[Callable[[], int], int]:
        """Return what tells how many records the remote lacks, and how many tags it does.

        Git walks meanwhile, at 3 us a record.
        """
        refs = self.unpushed_refs(remote, tips)
        new = [tip for ref, tip in refs.items() if ref.startswith(ledger.PREFIX)]
        known = below(tips, self.folder(remote) + "ledger/").values()
        # One record more than the remote had is what most pushes send: no walk tells more.
        behind = [self._behind.get(tip, ()) for tip in new]
        records = sum(len(each) == 1 and each[0] in known for each in behind)
        asked = frozenset(new), frozenset(known)
        if records == len(new):
            self._counted[asked] = records
        elif asked not in self._counted:
            self._counted[asked] = chains.start_count(self._repository, new, known)

        def told() -> int:
            found = self._counted[asked]
            if not isinstance(found, int):
                found = self._counted[asked] = int(found.finish())
            return found

        return told, sum(ref.startswith(TAGS) for ref in refs)

    def _push_refs(
        self,
        remote: str,
        refs: Mapping[str, str],
        notes: tuple[str, str] | None,
        leases: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Push refs as they were read; return the rejected ones and why. Raises SyncRejected."""
        specs = [f"{tip}:{ref}" for ref, tip in refs.items()]
        # A month that the remote has let go of since is not made there once more.
        options = [f"--force-with-lease={ref}:{tip}" for ref, tip in (leases or {}).items()]
        if notes:
            self._tried_notes.add(remote)
            # The only ref that is replaced: what it says is made from the ledger. Whoever sent
            # other notes meanwhile wins, and what they say is made anew after the next fetch.
            options.append(f"--force-with-lease={NOTES}:{notes[1]}")
            specs.append(f"{notes[0]}:{NOTES}")  # a + would make the lease void
        told, status, messages = self._tell(remote, options, specs)
        if status and not refs.keys() <= told.keys():
            raise self._rejection(remote, str(failure(["push"], status, messages).facts["reason"]))
        sent = {ref: tip for ref, tip in refs.items() if not told.get(ref)}
        if notes and told.get(NOTES) == "":
            sent[NOTES] = notes[0]
        self._note_sent(remote, sent)
        if "stale info" in told.get(NOTES, ""):
            self._start_network(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                remote,
                self._notes_refspec(remote),
            ).outcome()
        return {ref: why for ref, why in told.items() if why and ref in refs}

    def _notes(self, remote: str, tips: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the commit of the notes and that of the remote's, where they differ."""
        ours, theirs = tips.get(NOTES), tips.get(tracking_of(self.folder(remote), NOTES), "")
        return None if ours is None or ours == theirs else (ours, theirs)

    def _is_published(self, remote: str, tips: Mapping[str, str]) -> bool:
        """Tell whether the code that would be sent builds only on commits that a remote has had.

        Where lineage goes may have changed since the code was kept, by a setting or by going to
        another branch, and no commit of a branch may travel unasked.
        """
        new = _codes(self.unpushed_refs(remote, tips)).values()
        if not new:
            return True
        repository = self._repository
        links = repository.commits(new, below(tips, self.folder(remote) + "code/").values())
        held = sorted({parent for link in links for parent in link.parents[1:]})
        bases: set[str] = set()
        mark = f"\nauthor {code.SNAPSHOT.name} <{code.SNAPSHOT.email}> ".encode()
        for commit, content in zip(held, repository.contents(held), strict=True):
            head = (content or b"").partition(b"\n\n")[0]
            if mark in head:
                bases.update(
                    line[7:].decode() for line in head.splitlines() if line.startswith(b"parent ")
                )
            else:
                bases.add(commit)
        if not bases:
            return True
        branches = repository.tips(f"refs/remotes/{remote}/")
        if self._are_reached(bases, branches.values()):
            return True
        # A branch may have been force-pushed since: the reflog knows what the remote has had.
        walk = (
            repository.start("rev-list", "--walk-reflogs", f"--remotes={remote}").outcome()[1]
            if branches
            else b""
        )
        return self._are_reached(bases, {*walk.decode().split(), *branches.values()})

    def _are_reached(self, commits: Iterable[str], tips: Iterable[str]) -> bool:
        lines = [*sorted(commits), *(f"^{each}" for each in tips)]
        status, found, _ = self._repository.start(
            "rev-list", "--max-count=1", "--stdin", content="\n".join(lines).encode() + b"\n"
        ).outcome()
        return status == 0 and not found


def _codes(refs: Mapping[str, str]) -> dict[str, str]:
    return {ref: why for ref, why in refs.items() if ref.startswith(code.PREFIX)}


def _rest(pause: float) -> None:
    """Let others go first, each for a different time."""
    import random

    time.sleep(pause * random.uniform(0.5, 1.5))
