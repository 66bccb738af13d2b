"""What may keep lineage from a remote, or from coming here. Knows hooks, refspecs and settings."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from gitlineage.doctor.findings import Count, Finding
from gitlineage.doctor.probe import Probe
from gitlineage.gitprocess import GitProcess
from gitlineage.ledger import PREFIX as LEDGER
from gitlineage.rewinds import noted
from gitlineage.sync.pushing import Pusher
from gitlineage.sync.remotes import LIVE, NOTES, TRACKING, below
from gitlineage.wiring import Wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitlineage.repository import Repository

REFUSALS = {
    "receive.denynonfastforwards": "it refuses notes, which are replaced; records are not refused",
    "receive.denydeletes": "what is forgotten stays there: old generations cannot be deleted",
}
"""Settings of a server's repository that get in the way of something."""


class There:
    """A look at the remotes of one repository."""

    def __init__(self, repository: Repository, *, is_offline: bool) -> None:
        self._repository = repository
        self._pusher = Pusher(repository)
        self._wiring = Wiring(repository)
        self._is_offline = is_offline

    def names(self, remote: str | None) -> list[str]:
        """Return the remotes to look at: the one named, else those that lineage goes to."""
        if remote is not None:
            return [self._pusher.remote(remote)]
        remotes = self._repository.remotes()
        found = [each for each in remotes if self._pusher.is_shared(each)]
        found += [each for each in remotes if self._wiring.has_lost_refspecs(each)]
        default = self._repository.lineage_remote()
        return list(dict.fromkeys([*found, *([default] if default else [])]))

    def count(self, remote: str) -> Count:
        """Return how much of the ledger is where, as far as is known here."""
        tips = self._pusher.look(remote)
        here = below(tips, LEDGER).values()
        there = below(tips, self._pusher.folder(remote) + "ledger/").values()
        return Count(
            remote=remote,
            local=self._records(here),
            fetched=self._records(there),
            unpushed=self._records(here, there),
        )

    def _records(self, tips: Iterable[str], known: Iterable[str] = ()) -> int:
        lines = [*tips, *(f"^{each}" for each in known)]
        if not lines or lines[0].startswith("^"):
            return 0
        asked = ("rev-list", "--count", "--max-parents=1", "--ignore-missing", "--stdin")
        content = "".join(f"{each}\n" for each in lines).encode()
        code, said, _ = self._repository.start(*asked, content=content).outcome()
        return int(said) if code == 0 else 0

    def findings(self, remote: str) -> Iterator[Finding]:
        """Yield what is found of a remote."""
        for kind, level, message, remedy in (
            *self._fetching(remote),
            *self._pushing(remote),
            *self._lacking(remote),
            *self._serving(remote),
        ):
            yield Finding(kind=kind, level=level, message=message, remedy=remedy, remote=remote)

    # -- what comes here ---------------------------------------------------------------------

    def _fetching(self, remote: str) -> Iterator[tuple[str, str, str, str]]:
        again = f"git lineage init --remote {remote}"
        specs = self._wiring.values(f"remote.{remote}.fetch")
        ours = [each for each in specs if TRACKING in each]
        if not ours:
            lost = self._wiring.has_lost_refspecs(remote)
            said = "its refspecs have been removed" if lost else "`init` was not done"
            yield "refspec", "problem", f"nothing fetches lineage: {said}", again
        elif any(TRACKING + remote + "/" not in each for each in ours):
            # Of before it was renamed: another remote of that name would write there, too.
            old = ours[0].partition(TRACKING)[2].partition("/")[0]
            yield "refspec", "warning", f"{remote} still fetches lineage as {old}", again
        for spec in specs:
            target = spec.partition(":")[2]
            if target and (LIVE + "ledger/x").startswith(target.partition("*")[0]):
                yield (
                    *("refspec", "problem"),
                    f"a fetch replaces the ledger here, unpushed records with it: {spec}",
                    f"git config --unset --fixed-value remote.{remote}.fetch '{spec}'",
                )

    # -- what goes there ---------------------------------------------------------------------

    def _pushing(self, remote: str) -> Iterator[tuple[str, str, str, str]]:
        config = self._repository.config()
        if not self._pusher.is_allowed(remote):
            yield (
                *("setting", "note", "plain pushes carry no lineage, as is configured"),
                f"git config --unset remote.{remote}.lineage",
            )
            return
        if self._repository.is_set(f"remote.{remote}.mirror"):
            yield (
                *("mirror", "warning"),
                "a push to this mirror deletes there what is not here, lineage of others as well",
                f"git lineage fetch {remote} first, or git config --unset remote.{remote}.mirror",
            )
        for spec in self._wiring.values(f"remote.{remote}.push"):
            if spec.startswith("+") and (LIVE + "x").startswith(spec[1:].partition("*")[0]):
                yield (
                    *("mirror", "warning", f"a push replaces lineage there by force: {spec}"),
                    f"git config --unset --fixed-value remote.{remote}.push '{spec}'",
                )
        if self._pusher.is_shared(remote):
            url = config.get(f"remote.{remote}.url", remote)
            probe = Probe(self._repository, self._wiring.hook, is_offline=self._is_offline)
            yield from probe.findings(remote, url)

    def _lacking(self, remote: str) -> Iterator[tuple[str, str, str, str]]:
        repository = self._repository
        if repository.config().get(f"remote.{remote}.promisor") == "true":
            yield "partial", "note", "a partial clone: what records name comes when it is read", ""
        if self._pusher.are_cut(remote):
            yield (
                *("shallow", "warning", "a shallow fetch has cut the ledger short"),
                f"git lineage fetch {remote}",
            )
        back = set(self._pusher.set_back(remote))
        back.update(each.ref for each in noted(repository.lineage_dir) if each.remote == remote)
        for ref in sorted(back):
            yield (
                *("rewound", "warning", f"it has set back {ref}; nothing is lost here"),
                f"git lineage push {remote} sends it again",
            )

    def _serving(self, remote: str) -> Iterator[tuple[str, str, str, str]]:
        """Look into the remote's own settings, where it is a folder of this machine."""
        url = self._repository.config().get(f"remote.{remote}.url", "")
        path = unquote(urlsplit(url).path) if url.startswith("file://") else url
        path = os.path.join(self._repository.home, path)
        if not os.path.isdir(path):
            return
        listed = GitProcess(["config", "--list", "-z"], directory=path).outcome()[1]
        for entry in os.fsdecode(listed).split("\0"):
            name, _, value = entry.partition("\n")
            if name in REFUSALS and value.lower() in ("true", "yes", "on", "1", ""):
                yield "server", "warning", f"{name} is set there: {REFUSALS[name]}", ""
            if name in ("transfer.hiderefs", "receive.hiderefs", "uploadpack.hiderefs"):
                if (LIVE + "x").startswith(value.rstrip("/") + "/") or value == NOTES:
                    yield "server", "problem", f"{name} is {value} there", "have it taken out"
