"""Wires a repository to its remotes: what `init` changes, and takes back. Knows hooks and config.

Recording works without it. Everything is idempotent, each change is said, and what was changed
is remembered in `lineage/wired`, so that only that is taken back.
"""

from __future__ import annotations

import os

from gitlineage.sync.remotes import ARCHIVED, NOTES, SHARED, TRACKING
from gitlineage.wiring.caller import Push as Push
from gitlineage.wiring.changes import Changes
from gitlineage.wiring.hook import Hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.repository import Repository

AWAY = f"^{SHARED['ledger']}"
"""How the refspec of a month begins that is in a file, and is not fetched any more."""


class Wiring:
    """The settings of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._changes = Changes(repository.lineage_dir)
        self.hook = Hook(repository, self._changes)

    def connect(self, remote: str | None) -> list[str]:
        """Make plain fetches and pushes carry lineage; return what was changed."""
        said = []
        if remote is not None:
            name = f"remote.{remote}.fetch"
            wanted = [f"+refs/lineage/{kind}/*:{TRACKING}{remote}/{kind}/*" for kind in SHARED]
            away = [f"{AWAY}{month}*" for month in self._repository.words(ARCHIVED)]
            for spec in self._refspecs(remote):
                if spec not in (*wanted, *away) and self._drop(name, spec):
                    # Of before the remote was renamed; another may have its old name by now.
                    said.append(f"fetches of {remote} no longer write {spec.partition(':')[2]}")
            for spec in wanted:
                if self._add(name, spec):
                    said.append(f"fetches of {remote} bring {spec.split(':')[0].lstrip('+')}")
            for spec in away:
                self._add(name, spec)
            try:
                said += self.hook.install()
            except OSError as error:
                said.append(
                    f"no hook, so that a plain push sends nothing: {error.filename}: "
                    f"{error.strerror}"
                )
        if self._add("notes.displayRef", NOTES):
            said.append("`git log` shows executions as notes on commits")
        return said

    def disconnect(self, remote: str | None) -> list[str]:
        """Take back what `connect` changed, for one remote or for all; return what that was.

        No record is touched. The hook and the display setting go with the last remote.
        """
        said = []
        remotes = list(self._repository.remotes()) if remote is None else [remote]
        for each in remotes:
            dropped = [
                self._drop(f"remote.{each}.fetch", spec)
                for spec in self._refspecs(each)
                if self._changes.has_refspec(spec) or spec.startswith(AWAY)
            ]
            if any(dropped):
                said.append(f"fetches of {each} bring no lineage")
        if any(self._refspecs(each) for each in self._repository.remotes() if each not in remotes):
            return said
        if self._changes.has(f"notes.displayRef {NOTES}") and self._drop("notes.displayRef", NOTES):
            said.append("`git log` shows no notes of executions")
        said += self.hook.uninstall()
        self._changes.write([])
        return said

    def _refspecs(self, remote: str) -> list[str]:
        """Return the refspecs of a remote that are ours."""
        sources = tuple(f"refs/lineage/{kind}/*:{TRACKING}" for kind in SHARED)
        return [
            each
            for each in self.values(f"remote.{remote}.fetch")
            if each.lstrip("+").startswith(sources) or each.startswith(AWAY)
        ]

    def has_lost_refspecs(self, remote: str) -> bool:
        """Tell whether `init` was done for a remote and something has removed its refspecs since.

        `git remote set-branches` does, for instance.
        """
        specs = [each for each in self._refspecs(remote) if not each.startswith(AWAY)]
        return not specs and any(
            line.startswith(f"remote.{remote}.fetch ") for line in self._changes.lines() or ()
        )

    # -- configuration ---------------------------------------------------------------------

    def values(self, name: str) -> list[str]:
        """Return all values of a setting of this repository."""
        listed = self._repository.start("config", "--local", "-z", "--get-all", name).outcome()
        return os.fsdecode(listed[1]).split("\0")[:-1]

    def _add(self, name: str, value: str) -> bool:
        if value in self.values(name):
            return False
        self._repository.ask("config", "--local", "--add", name, value)
        self._repository.config(self._repository.start_config())
        self._changes.add(f"{name} {value}")
        return True

    def _drop(self, name: str, value: str) -> bool:
        if value not in self.values(name):
            return False
        self._repository.ask("config", "--local", "--fixed-value", "--unset-all", name, value)
        self._repository.config(self._repository.start_config())
        return True
