"""Tags, and what goes to remotes and comes from them."""

from __future__ import annotations

from gitlineage.errors import NotTagged, Refused, UnknownTag
from gitlineage.lineage.naming import Naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitlineage.archives import Archived
    from gitlineage.doctor import Examined
    from gitlineage.forgetting import Forgotten
    from gitlineage.records.redaction import Redaction
    from gitlineage.restoring import Restored
    from gitlineage.salvage import Repaired
    from gitlineage.sync.fetching import Fetched
    from gitlineage.sync.outgoing import Outgoing
    from gitlineage.sync.pushing import Sent
    from gitlineage.tags import Member
    from gitlineage.verify import Verified


SHORTEST_SECRET = 4
"""Characters of a text that can be forgotten: a shorter one is part of too much else."""


class Sharing(Naming):
    """The part of `Lineage` that tags and shares."""

    def tags(self) -> dict[str, dict[str, int]]:
        """Return tags, and when each of their members got them (microseconds)."""
        return self.view().index.tags()

    def members(self, tag: str) -> dict[str, Member]:
        """Return what a tag is on, with who put it there and why."""
        from gitlineage.tags import Tags, ref_of

        tip = self.repository.tips(ref_of(tag)).get(ref_of(tag))
        return Tags(self.repository).members(tip) if tip else {}

    def tag(self, name: str, targets: Sequence[str] = ("@",), message: str = "") -> list[str]:
        """Tag executions and files, by content; return ids and digests.

        Raises InvalidTag, UnknownContent, UnknownAlias, UnknownId, AmbiguousId, Refused.
        """
        from gitlineage.capture import identity
        from gitlineage.tags import Tags, check_new

        check_new(name)
        ids = [id for each in targets for id, _ in self.subjects(each)]
        members = [each.removeprefix("blake3:") for each in ids]
        Tags(self.repository).add(name, members, identity(self.repository), message)
        return ids

    def untag(
        self, name: str, targets: Sequence[str] | None = None, message: str = ""
    ) -> list[str]:
        """Take a tag from executions and files, or from all that have it; return their ids."""
        from gitlineage.capture import identity
        from gitlineage.tags import Tags

        held = self.members(name)
        ids = (
            list(held)
            if targets is None
            else [id.removeprefix("blake3:") for each in targets for id, _ in self.subjects(each)]
        )
        lacking = [each for each in ids if each not in held]
        if not held:
            raise UnknownTag(asked=name)
        if lacking:
            raise NotTagged(asked=lacking[0][:12], tag=name)
        Tags(self.repository).remove(name, ids, identity(self.repository), message)
        return ids

    def fetch(self, remote: str | None = None) -> Fetched:
        """Bring a remote's lineage here. Raises GitFailed, Refused."""
        from gitlineage.sync.fetching import Fetcher

        fetcher = Fetcher(self.repository)
        fetched = fetcher.fetch(fetcher.remote(remote))
        # What others have run is noted on its commits, and on those that have the same code now.
        if not fetched.is_much:
            self.view().renew_rewritten()
        return fetched

    def outgoing(self, remote: str | None = None) -> Outgoing:
        """Return what a push would send to a remote, as far as is known of it. Raises Refused."""
        from gitlineage.sync.outgoing import outgoing
        from gitlineage.sync.pushing import Pusher

        pusher = Pusher(self.repository)
        return outgoing(pusher, pusher.remote(remote))

    def agree(self, remote: str) -> None:
        """Remember that lineage may go to where a remote is."""
        from gitlineage.sync.remotes import Remotes

        Remotes(self.repository).agree(remote)

    def push(self, remote: str | None = None) -> Sent:
        """Send lineage to a remote, never by force. Raises SyncRejected, GitFailed, Refused."""
        from gitlineage.sync.pushing import Pusher

        pusher = Pusher(self.repository)
        name = pusher.remote(remote)
        sent = pusher.push(name)
        if sent.changed:
            self.view()
        pusher.push_notes(name)  # where no push of records has carried them
        return sent

    def sync(self, remote: str | None = None) -> tuple[Fetched, Sent]:
        """Fetch, then push."""
        return self.fetch(remote), self.push(remote)

    def forget(
        self,
        names: Sequence[str] = (),
        *,
        month: str | None = None,
        secret: str | None = None,
        message: str,
    ) -> Forgotten:
        """Forget executions and deployments, all of a month, or a text wherever it was recorded.

        What is left is a redaction, which says who did it, when and why; other clones do the same
        at their next fetch. Raises Refused, UnknownId, AmbiguousId, NothingToForget.
        """
        from gitlineage.chains import generation
        from gitlineage.forgetting import Forgetter

        if sum((bool(names), month is not None, secret is not None)) != 1:
            raise Refused(reason="name executions, or a month, or a secret to forget")
        if month is not None and generation(month) != (month, 0):
            raise Refused(reason=f"not a month such as 2026-11: {month}")
        if secret is not None and len(secret) < SHORTEST_SECRET:
            raise Refused(reason=f"a text of fewer than {SHORTEST_SECRET} characters is everywhere")
        ids = [self.resolve(each) for each in names]
        self._end_replaced(ids)
        made = Forgetter(self.repository).forget(
            ids=ids, month=month, secret=secret, message=message
        )
        self.close()
        return made

    def _end_replaced(self, ids: Sequence[str]) -> None:
        """Say of deployments that they have ended which nothing else will show once these are gone.

        Killed before these are forgotten, what it says is true already.
        """
        from gitlineage import deployment

        index = self.view().index
        for gone in (index.row(each) for each in ids):
            if gone is None or gone.kind != "deployment":
                continue
            others = [e for e in index.deployments(gone.step) if e.target == gone.target]
            before = next((e for e in others if e.replaced_at == gone.started_at), None)
            if before is not None and before.retired_at is None and before.id not in ids:
                why = "replaced by what was forgotten since"
                deployment.retire(self.repository, before, why, before.replaced_at)

    def archive(self, before: str, path: str, *, is_forced: bool = False) -> Archived:
        """Move the months that had ended before a date into a file, out of the refs.

        Raises NothingToArchive, Refused.
        """
        from gitlineage.archives import Archives

        self.view()
        return Archives(self.repository).archive(before, path, is_forced=is_forced)

    def fetch_month(self, month: str, source: str | None = None) -> Fetched:
        """Bring a month back, from an archive or a remote. Raises Refused, NoArchive, GitFailed."""
        from gitlineage.archives import Archives

        fetched = Archives(self.repository).bring(month, source)
        self.close()
        return fetched

    def verify(
        self, *, signatures: bool = False, progress: Callable[[int], None] | None = None
    ) -> Verified:
        """Return whether every record here is sound, and what is not; `signatures`, too, if asked.

        `progress` is called now and then with how many records were read.
        """
        from gitlineage.verify import Verifier

        verifier = Verifier(self.repository, checks_signatures=signatures, progress=progress)
        return verifier.verify()

    def examine(self, remote: str | None = None, *, offline: bool = False) -> Examined:
        """Return whether all is set up well here, and what is in the way. Raises Refused."""
        from gitlineage.doctor import examine

        return examine(self.repository, remote, is_offline=offline)

    def restore(
        self, source: str | None = None, *, offline: bool = False
    ) -> tuple[list[Restored], int]:
        """Bring back what git has lost of the ledger, from a remote, an archive, or all remotes.

        Return from where how much was, and how many objects still are lost. Raises Refused.
        """
        from gitlineage.restoring import Restorer

        made = Restorer(self.repository).restore(source, is_offline=offline)
        self.close()
        return made

    def repair(self) -> list[Repaired]:
        """Link again what can be read of a ledger that breaks off; return the months of it."""
        from gitlineage.salvage import Salvage

        done = Salvage(self.repository).repair()
        self.close()
        return done

    def forgotten(self) -> list[Redaction]:
        """Return what was forgotten of the ledger, newest first."""
        from gitlineage.settling import Settling

        self.view()
        found = [each for each, _ in Settling(self.repository).redactions()]
        return sorted(found, key=lambda each: -each.forgotten_at)

    def init(self, remote: str | None = None, *, undo: bool = False) -> list[str]:
        """Make plain `git fetch` and `git push` carry lineage; return what was changed."""
        from gitlineage.sync.remotes import Remotes
        from gitlineage.wiring import Wiring

        wiring = Wiring(self.repository)
        if undo:
            return wiring.disconnect(remote)
        name: str | None = None
        if remote is not None or self.repository.lineage_remote() is not None:
            name = Remotes(self.repository).remote(remote)
        return wiring.connect(name)
