"""What a push would send: counts, sizes, and files that nobody has committed. Sends nothing."""

from __future__ import annotations

import os

from gitlineage import code, ledger
from gitlineage.errors import OptedOut
from gitlineage.records import Record
from gitlineage.sync.pushing import Pusher
from gitlineage.sync.remotes import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.repository import Repository


class Uncommitted(Record):
    """A file of the code that ran which no branch has as it was."""

    path: str
    size: int


class Outgoing(Record):
    """What a push would send to a remote."""

    remote: str
    url: str
    """Without credentials."""
    is_first: bool
    """Nobody here has agreed yet that lineage goes there."""
    records_count: int
    records_bytes: int
    """Bytes that they take, compressed."""
    log_bytes: int
    """Bytes of what commands printed."""
    tags_count: int
    snapshots_count: int
    code_bytes: int
    """Bytes of code that the remote's branches lack, compressed."""
    uncommitted: tuple[Uncommitted, ...]
    """Files in snapshots that no branch has as they were, by path."""
    kept: tuple[str, ...]
    """What the configuration keeps from this remote: `code`, `log`."""

    @property
    def is_empty(self) -> bool:
        """Nothing would be sent."""
        return not (self.records_count or self.tags_count or self.snapshots_count)


class _Object(Record):
    id: str
    kind: str
    size: int
    disk: int
    path: str


def outgoing(pusher: Pusher, remote: str) -> Outgoing:
    """Return what a push would send, as far as is known of the remote. Raises OptedOut."""
    if not pusher.is_allowed(remote):
        raise OptedOut(remote=remote)
    repository, tips, folder = pusher.repository, pusher.look(remote), pusher.folder(remote)
    kept = tuple(each for each in ("code", "log") if not pusher.sends(remote, each))
    refs = pusher.unpushed_refs(remote, tips)
    new = [tip for ref, tip in refs.items() if ref.startswith(ledger.PREFIX)]
    records, tags = pusher.start_counts(remote, tips)
    records_bytes, log_bytes = _sizes(repository, new, below(tips, folder + "ledger/").values())
    links = [tip for ref, tip in refs.items() if ref.startswith(code.PREFIX)]
    if "code" in kept:
        links = []
    known = list(below(tips, folder + "code/").values())
    added = [link.parents[-1] for link in repository.commits(links, known) if link.parents[1:]]
    snapshots = sorted({each for each in added if code.is_snapshot(repository, each)})
    branches = repository.tips(f"refs/remotes/{remote}/").values()
    sent = _objects(repository, links, [*known, *branches])
    return Outgoing(
        remote=remote,
        url=pusher.url(remote),
        is_first=not pusher.is_agreed(remote),
        records_count=records(),
        records_bytes=records_bytes,
        log_bytes=0 if "log" in kept else log_bytes,
        tags_count=tags,
        snapshots_count=len(snapshots),
        code_bytes=sum(each.disk for each in sent),
        uncommitted=_uncommitted(repository, snapshots),
        kept=kept,
    )


def _uncommitted(repository: Repository, snapshots: Sequence[str]) -> tuple[Uncommitted, ...]:
    """Return the files of snapshots that no branch has as they were."""
    if not snapshots:
        return ()
    branches = set(repository.tips("refs/heads/", "refs/remotes/", "refs/tags/").values())
    found = [each for each in _objects(repository, snapshots, branches) if each.kind == "blob"]
    if not found:
        return ()
    # What a branch has at its tip counts as committed, also where it is no ancestor.
    listed = repository.start(
        "rev-list", "--objects", "--no-object-names", "--no-walk", "--missing=allow-any", "--stdin",
        content="\n".join(branches).encode() + b"\n",
    ).finish()  # fmt: skip
    there = frozenset(listed.decode().split())
    return tuple(
        Uncommitted(path=each.path, size=each.size)
        for each in sorted(found, key=lambda each: (each.path, each.size))
        if each.id not in there
    )


def _sizes(repository: Repository, tips: Sequence[str], known: Iterable[str]) -> tuple[int, int]:
    """Return what records take, compressed, and how much of them is logs, in bytes.

    An object in a line of Python each took as long as git needs for all of this.
    """
    import re

    told = _told(repository, tips, known, "%(objectsize:disk) %(objectsize) %(rest)")
    # What is missing has its name in front instead, which is longer than any size.
    disk = re.findall(rb"^\d{1,19}(?= )", told, re.MULTILINE)
    logs = re.findall(rb"^\d{1,19} (\d+) log$", told, re.MULTILINE)
    return sum(map(int, disk)), sum(map(int, logs))


def _objects(repository: Repository, tips: Sequence[str], known: Iterable[str]) -> list[_Object]:
    """Return the objects that the tips reach and the known commits do not."""
    form = "%(objectname) %(objecttype) %(objectsize) %(objectsize:disk) %(rest)"
    found = []
    for line in os.fsdecode(_told(repository, tips, known, form)).split("\n")[:-1]:
        id, kind, size, *rest = line.split(" ", 4)
        if len(rest) == 2:  # else it is missing
            found.append(_Object(id=id, kind=kind, size=int(size), disk=int(rest[0]), path=rest[1]))
    return found


def _told(repository: Repository, tips: Sequence[str], known: Iterable[str], form: str) -> bytes:
    """Return what git tells of the objects that the tips reach and the known commits do not."""
    if not tips:
        return b""
    asked = "".join(f"{each}\n" for each in (*tips, *(f"^{each}" for each in known)))
    listed = repository.start(
        "rev-list", "--objects", "--ignore-missing", "--missing=allow-any", "--stdin",
        content=asked.encode(),
    ).finish()  # fmt: skip
    return repository.ask("cat-file", f"--batch-check={form}", "--buffer", content=listed)
