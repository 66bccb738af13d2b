"""Months in a file: moved there out of the refs, brought back, or read where they are.

Knows bundles of git, and which months are not to be fetched any more; nothing of what records say.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from gitlineage import ledger
from gitlineage.chains import generation
from gitlineage.errors import NoArchive, NothingToArchive, OnlyCopy, Refused
from gitlineage.gitprocess import GitProcess
from gitlineage.records import Record
from gitlineage.sync.fetching import Fetched, Fetcher
from gitlineage.sync.remotes import ARCHIVED, TRACKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.repository import Repository


_NAMED = "--format=%(refname) %(objectname)"


class Archived(Record):
    """What was moved into a file."""

    path: str
    months: tuple[str, ...]
    records_count: int
    is_only_copy: bool = False
    """Nobody else has all of it, as far as is known here."""


class Archives:
    """The archives of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def archive(self, before: str, path: str, *, is_forced: bool = False) -> Archived:
        """Move the months before a moment, those that had ended by then, into a new file.

        Raises NothingToArchive; Refused where the file is there; OnlyCopy, unless it is forced,
        where no remote has any of it, or one that lineage goes to lacks some. Killed in between,
        months are in the file and here: nothing is let go before the file is whole and on disk.
        """
        repository = self._repository
        # Whatever date was given, and `now` is the end of time to git: this month goes on.
        limit = min(_month(repository.moment(before)), _month(time.time_ns() // 1_000))
        live = repository.tips(ledger.PREFIX)
        chosen = {name: tip for name, tip in live.items()
                  if (found := generation(name)) and found[0] < limit}  # fmt: skip
        if not chosen:
            raise NothingToArchive(before=before)
        if os.path.lexists(path):
            raise Refused(reason=f"{path} is there already")
        count = sum(
            not each.is_merge for each in repository.commits(chosen.values(), is_joined=True)
        )
        lacking = self._lacking(chosen)
        if lacking and not is_forced:
            raise OnlyCopy(path=path, reason=lacking)
        self._write(chosen, path)
        months = sorted({found[0] for name in chosen if (found := generation(name))})
        for month in months:
            self._stop_fetching(month)
        for name, tip in repository.tips("refs/lineage/ledger/", TRACKING).items():
            is_chosen = name in chosen or (
                name.startswith(TRACKING)
                and name.split("/")[-2] == "ledger"
                and (generation(name) or ("",))[0] in months
            )
            if is_chosen:
                # A record that came meanwhile is not in the file: then the ref stays.
                repository.writer.set_ref(name, None, chosen.get(name, tip))
        Fetcher(repository).forget_seen(months)
        return Archived(
            path=path,
            months=tuple(months),
            records_count=count,
            is_only_copy=lacking is not None,
        )

    def _write(self, chosen: dict[str, str], path: str) -> None:
        """Write what is read back to the end, before anybody relies on it."""
        part = os.path.abspath(path) + ".part"
        for leftover in (part, part + ".lock"):
            if os.path.exists(leftover):
                os.unlink(leftover)
        self._repository.ask("bundle", "create", "-q", part, *chosen)
        folder = unpacked(part)  # `bundle verify` looks at the head only
        try:
            listed = GitProcess(("-C", folder, "for-each-ref", _NAMED)).finish()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        held = dict(line.split(" ") for line in listed.decode().splitlines())
        if any(held.get(name) != tip for name, tip in chosen.items()):
            raise Refused(reason=f"{path} is not what was written: it was changed meanwhile")
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.rename(part, path)
        above = os.open(os.path.dirname(part), os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)

    def bring(self, month: str, source: str | None) -> Fetched:
        """Bring one month back, from an archive or a remote. Raises Refused, NoArchive."""
        if generation(month) != (month, 0):
            raise Refused(reason=f"not a month such as 2026-11: {month}")
        fetcher = Fetcher(self._repository)
        if source is None or not os.path.isfile(source):
            name = fetcher.remote(source)
            self._fetch_again(month)
            return Fetcher(self._repository).fetch(name)
        folder = f"{TRACKING}archive/ledger/"
        before = self._repository.tips(ledger.PREFIX)
        spec = f"+{ledger.PREFIX}{month}*:{folder}{month}*"
        self._repository.ask("fetch", "-q", "--no-tags", "--no-write-fetch-head",
                             os.path.abspath(source), spec)  # fmt: skip
        found = self._repository.tips(folder)
        if not found:
            raise NoArchive(path=source, reason=f"it has nothing of {month}")
        self._fetch_again(month)
        fetcher.fold(found)
        for name, tip in found.items():
            self._repository.writer.set_ref(name, None, tip)
        after = self._repository.tips(ledger.PREFIX)
        return Fetched(remote=source, changed=tuple(n for n in after if after[n] != before.get(n)))

    def _lacking(self, chosen: dict[str, str]) -> str | None:
        """Tell who lacks any of what was chosen; None where all have it that lineage goes to."""
        fetcher = Fetcher(self._repository)
        shared = [each for each in self._repository.remotes() if fetcher.is_shared(each)]
        for remote in shared:
            theirs = self._repository.tips(fetcher.folder(remote) + "ledger/").values()
            lacking = self._repository.commits(chosen.values(), theirs, is_joined=True)
            if count := sum(not each.is_merge for each in lacking):
                return f"{remote} lacks {count} record{'s' * (count != 1)} of it"
        return None if shared else "lineage goes to no remote"

    def _stop_fetching(self, month: str) -> None:
        names = {ARCHIVED: month}
        for remote in self._repository.remotes():
            if Fetcher(self._repository).is_shared(remote):
                names[f"remote.{remote}.fetch"] = _not(month)
        for name, value in names.items():
            if value not in self._repository.words(name):  # somebody was killed behind this
                self._repository.ask("config", "--local", "--add", name, value)

    def _fetch_again(self, month: str) -> None:
        names = [ARCHIVED, *(f"remote.{each}.fetch" for each in self._repository.remotes())]
        for name, value in zip(names, [month, *[_not(month)] * len(names)], strict=False):
            asked = ("config", "--local", "--fixed-value", "--unset-all", name, value)
            self._repository.start(*asked).outcome()
        self._repository.config(self._repository.start_config())


def unpacked(path: str) -> str:
    """Return a bare repository, made for now, that has what an archive has. Raises NoArchive."""
    folder = tempfile.mkdtemp(prefix="git-lineage-")
    try:
        for words in (
            ("init", "-q", "--bare", folder),
            ("-C", folder, "fetch", "-q", os.path.abspath(path), "+refs/lineage/*:refs/lineage/*"),
        ):
            code, _, messages = GitProcess(words).outcome()
            if code:
                said = messages.decode(errors="replace").strip().partition("\n")[0]
                raise NoArchive(path=path, reason=said or "git cannot read it")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _not(month: str) -> str:
    return f"^{ledger.PREFIX}{month}*"


def _month(moment: int) -> str:
    return ledger.segment(moment / 1_000_000).removeprefix(ledger.PREFIX)
