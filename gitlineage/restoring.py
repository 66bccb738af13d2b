"""Brings back what git has lost of the ledger from where it still is: a remote, or an archive.

Knows git's objects, and a repository that is thrown away; knows nothing of what records say. What
no ref reaches here is not brought: what was forgotten stays forgotten.
"""

from __future__ import annotations

import os
import shutil
import tempfile

from gitlineage import ledger, partial, tags
from gitlineage.errors import GitFailed
from gitlineage.objects import LARGEST_OBJECT
from gitlineage.records import Record
from gitlineage.remains import walk
from gitlineage.sync.remotes import NetworkProcess, Remotes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.repository import Repository

ROUNDS = 8
"""What a commit or a folder holds that was lost is known once that is here."""


class Restored(Record):
    """What was brought back from one place."""

    source: str
    objects_count: int
    reason: str = ""
    """Why nothing could be had from there."""


class Restorer:
    """Bringing back, in one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def lost(self, *, reads_all: bool = True) -> dict[str, list[str]]:
        """Return the objects that are lost or broken, by the ref of records or tags they belong to.

        Without `reads_all` those that are lost only: then not each has to be read.
        """
        repository = self._repository
        if partial.promisors(repository):
            return {}  # what is not there was not fetched
        found = {}
        for ref, tip in repository.tips(ledger.PREFIX, tags.PREFIX).items():
            links, lost = walk(repository, tip)
            trees = list(dict.fromkeys(each.tree for each in links))
            bad = set(self._unread(trees) if reads_all else self._missing(trees))
            lost += bad
            asked = "".join(f"{each}\n" for each in trees if each not in bad).encode()
            options = ("--objects", "--no-object-names", "--missing=print", "--stdin")
            listed = repository.start("rev-list", *options, content=asked).outcome()[1].decode()
            names = listed.split()
            lost += [each[1:] for each in names if each.startswith("?")]
            if reads_all:
                lost += self._unread([each for each in names if not each.startswith("?")])
            if lost:
                found[ref] = list(dict.fromkeys(lost))
        return found

    def restore(
        self, source: str | None = None, *, is_offline: bool = False
    ) -> tuple[list[Restored], int]:
        """Bring back what is lost; return from where how much was, and how much still is lost.

        `source` is a remote or an archive, otherwise all remotes that lineage goes to are asked.
        """
        lost, told = self.lost(), []
        for each in self._sources(source, is_offline=is_offline) if lost else ():
            folder = tempfile.mkdtemp(prefix="git-lineage-")
            try:
                self._fetch(each, list(lost), folder)
                count = 0
                for _ in range(ROUNDS):
                    made = self._take(folder, lost)
                    if not made:
                        break
                    count += made
                    lost = self.lost()
                told.append(Restored(source=each, objects_count=count))
            except GitFailed as error:
                reason = str(error.facts["reason"])
                told.append(Restored(source=each, objects_count=0, reason=reason))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        if any(each.objects_count for each in told):
            for name in ("index.sqlite", "index.sqlite-journal"):  # it was fed without these
                path = os.path.join(self._repository.lineage_dir, name)
                if os.path.exists(path):
                    os.unlink(path)
        return told, len({id for ids in lost.values() for id in ids})

    def _sources(self, source: str | None, *, is_offline: bool) -> list[str]:
        if source is not None and os.path.isfile(source):
            return [os.path.abspath(source)]
        if is_offline:
            return []
        remotes = Remotes(self._repository)
        if source is not None:
            return [remotes.remote(source)]
        return [each for each in self._repository.remotes() if remotes.is_shared(each)]

    def _fetch(self, source: str, refs: Sequence[str], folder: str) -> None:
        """Fetch all of some refs, and what their months go on as, into a repository of its own.

        Into ours git would not bring what our refs say is here.
        """
        repository = self._repository
        algorithm = repository.algorithm()
        repository.ask("init", "-q", "--bare", f"--object-format={algorithm}", folder)
        # A remote's address, and how one gets there, are set here.
        settings = (
            f"include.path={os.path.join(os.path.abspath(repository.common_dir), 'config')}",
            *("core.bare=true", "gc.auto=0", "maintenance.auto=false"),
        )
        specs = sorted({f"+{ref.partition('.')[0]}*:{ref.partition('.')[0]}*" for ref in refs})
        process = NetworkProcess(
            [
                *(word for each in settings for word in ("-c", each)),
                f"--git-dir={folder}",
                *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-filter"),
                *("--refmap=", source, *specs),
            ],
            directory=repository.home,
        )
        process.finish()

    def _take(self, folder: str, lost: Mapping[str, Sequence[str]]) -> int:
        """Put objects into our repository that the other one has; return how many."""
        repository = self._repository
        other = type(repository)(folder, folder, None, "")
        ids = list(dict.fromkeys(id for each in lost.values() for id in each))
        asked = "".join(f"{id}\n" for id in ids).encode()
        listed = other.ask("cat-file", "--batch-check=%(objectname) %(objecttype)", content=asked)
        kinds = dict(line.split(" ", 1) for line in listed.decode().splitlines())
        count = 0
        for id, content in zip(ids, other.contents(ids), strict=True):
            if content is not None:
                count += repository.writer.put_back(id, kinds[id], content)
        return count

    def _missing(self, ids: Sequence[str]) -> list[str]:
        are_there = self._repository.are_readable(ids) if ids else []
        return [id for id, is_there in zip(ids, are_there, strict=True) if not is_there]

    def _unread(self, ids: Sequence[str]) -> list[str]:
        """Return the objects that git cannot read: they are lost, or there and broken."""
        found: list[str] = []
        rest = list(ids)
        while rest:
            count = 0
            try:
                for content in self._repository.stream_contents(rest):
                    if content is None and not self._is_large(rest[count]):
                        found.append(rest[count])
                    count += 1
                break
            except GitFailed:
                # What git had not printed yet may be sound: one by one, up to the broken one.
                rest = rest[count:]
                while rest and self._is_sound(rest[0]):
                    rest.pop(0)
                found += rest[:1]
                rest = rest[1:]
        return found

    def _is_sound(self, id: str) -> bool:
        try:
            return self._repository.contents([id])[0] is not None or self._is_large(id)
        except GitFailed:
            return False

    def _is_large(self, id: str) -> bool:
        asked = ("cat-file", "--batch-check=%(objectsize)")
        size = self._repository.ask(*asked, content=id.encode() + b"\n").strip()
        return size.isdigit() and int(size) > LARGEST_OBJECT
