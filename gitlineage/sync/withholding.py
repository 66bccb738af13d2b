"""What the configuration keeps from a remote is taken out of records that nobody else has yet.

Knows which parts that are. A record is never changed once it was sent; one that no remote has may
be appended again, and without its log its launch and its end are the same bytes as ever.
"""

from __future__ import annotations

from gitlineage import chains, ledger
from gitlineage.errors import GitFailed, InvalidRecord, KeptFromRemote
from gitlineage.home import KEPT, Home
from gitlineage.sync.fetching import Fetcher
from gitlineage.sync.remotes import LIVE, TRACKING, below, live_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitlineage.commits import NewCommit


class Withholding(Fetcher):
    """Taking parts out of records before they are sent."""

    unsigned_count = 0
    """Records whose signature is gone, since they, or what comes before them, are others now."""

    def withhold(self, remote: str, tips: Mapping[str, str]) -> bool:
        """Take out of what these tips would send what a remote is not to get.

        Tells whether anything moved: then what was read of the refs holds no longer. Raises
        KeptFromRemote where another remote has those parts: such records cannot be changed.
        """
        kept = {what: parts for what, parts in KEPT.items() if not self.sends(remote, what)}
        parts = [part for each in kept.values() for part in each]
        live = below(tips, ledger.PREFIX)
        is_moved = False
        for ref, tip in live.items() if parts else ():
            is_moved |= self._withhold(remote, ref, tip, parts, kept)
        return is_moved

    def _withhold(
        self, remote: str, ref: str, tip: str, parts: list[str], kept: Mapping[str, object]
    ) -> bool:
        repository = self._repository
        theirs = repository.tips(self.folder(remote) + "ledger/").values()
        lacking = [each.id for each in repository.commits([tip], theirs, is_joined=True)]
        asked = [(commit, part) for commit in lacking for part in parts]
        found = repository.are_readable([f"{commit}:{part}" for commit, part in asked])
        held: dict[str, list[str]] = {}
        for (commit, part), is_there in zip(asked, found, strict=True):
            if is_there:
                held.setdefault(commit, []).append(part)
        if not held:
            return False
        everywhere = {
            name: each
            for name, each in repository.tips(TRACKING).items()
            if (live_of(name) or "").startswith(LIVE + "ledger/")
        }
        unsent = repository.commits([tip], everywhere.values(), is_joined=True)
        if sent := held.keys() - {each.id for each in unsent}:
            what = next(iter(kept))
            raise KeptFromRemote(
                records=f"{len(sent)} record{'s' * (len(sent) != 1)}",
                remote=remote,
                what=what,
                setting=f"lineagePush{what.title()}",
            )
        first = next(place for place, each in enumerate(unsent) if each.id in held)
        # Behind a merge all goes into one chain. What only a tracking ref reaches then is folded
        # in again, by this very push.
        first = min(first, chains.unbranched(unsent))
        again = []
        rest = [each for each in unsent[first:] if not each.is_merge]
        contents = repository.contents([each.id for each in rest])
        # What no remote has was made here, and is signed anew by whoever signs here.
        is_signing = repository.is_set(ledger.SIGN)
        signed_count = sum(map(chains.is_signed, contents))
        for each, raw in zip(rest, contents, strict=True):
            new = chains.again_of(raw or b"")
            new = new.replace(is_signed=is_signing and chains.is_signed(raw))
            again.append(self._without(each.id, new, held[each.id]) if each.id in held else new)
        base = chains.below(unsent, first)
        if chains.replant(repository, ref, tip, base, again):
            self.unsigned_count += 0 if is_signing else signed_count
        return True  # also where somebody was faster: look again

    def _without(self, id: str, commit: NewCommit, parts: list[str]) -> NewCommit:
        """Return a commit without some parts, which are kept at home."""
        names = [f"{id}:{part}" for part in ("launch", "record", *parts)]
        launch, record, *contents = self._repository.contents(names)
        home = Home(self._repository.lineage_dir)
        execution = _execution(launch, record)
        for part, content in zip(parts, contents, strict=True):
            if content is None:
                raise GitFailed(command="cat-file", reason=f"{part} of {id} cannot be read")
            home.keep(execution, part, content)
        return commit.replace(files={**commit.files, **dict.fromkeys(parts)})


def _execution(launch: bytes | None, record: bytes | None) -> str:
    """Return the id of the execution that a record is of."""
    from gitlineage import encoding  # 10 ms, and only where something is kept back
    from gitlineage.digest import execution_id

    if launch is not None:
        return execution_id(launch)
    try:
        found = encoding.unpack(record or b"")["execution"]
        return bytes.fromhex(found).hex()
    except (InvalidRecord, KeyError, TypeError, ValueError):
        return "unknown"
