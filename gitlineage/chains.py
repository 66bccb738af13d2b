"""A ref that grows by appended commits only, and how two copies of it become one.

Knows commits; knows nothing of what they hold. Nothing points at a commit of a chain, so commits
that the other copy lacks are appended again behind its tip: 12 clones that pushed 10 records each
made 525 merge commits by merging, and none this way. Only signed ones cannot be appended again
without their signature: those are joined by a merge.
"""

from __future__ import annotations

import fcntl
import os
import time

from gitlineage.commits import Identity, NewCommit
from gitlineage.errors import GitFailed, RefLocked, RefMoved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.commits import Commit, Ref
    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository

SCRATCH = "refs/lineage-scratch/"

HELD = 3.0
"""Seconds after which a lock that has not changed is taken to be nobody's."""

ABANDONED = 600
"""Seconds after which a lock that nobody holds is removed: git itself never does that."""

SIGNED = b"\ngpgsig"
"""How a line begins in the head of a signed commit, also of one in a sha256 repository."""

MERGER = Identity(name="git-lineage", email="merge@git-lineage.invalid", at=0)
"""Who merges: the same everywhere, so that two copies that do the same make the same commit."""


def generation(ref: str) -> tuple[str, int] | None:
    """Return month and generation of a chain for a month; None for any other name.

    After something of a month was forgotten, it goes on under `<YYYY-MM>.<n>`.
    """
    month, dot, number = ref.rpartition("/")[2].partition(".")
    year, _, rest = month.partition("-")
    is_month = len(year) == 4 and len(rest) == 2 and (year + rest).isdecimal() and month.isascii()
    if not is_month or (dot and not (number.isdecimal() and number.isascii())):
        return None
    if number.startswith("0") or len(number) > 6:
        return None
    return month, int(number or 0)


def newest(repository: Repository, ref: str) -> str:
    """Return under which name a month's chain goes on now."""
    found = [(each[1], name) for name in repository.family(ref) if (each := generation(name))]
    return max(found, default=(0, ref))[1]


def append(
    repository: Repository,
    ref: str,
    build: Callable[[int], Sequence[NewCommit]],
    *,
    tip: Ref | None = None,
    derived: Mapping[str, NewCommit] | None = None,
    found: Callable[[], list[str] | None] | None = None,
) -> list[str]:
    """Add the commits that `build` makes for a committer's date; return their ids.

    `tip` is the ref as it was a moment ago, good for the first attempt; `derived` as in
    `Writer.append`. `found` tells what is there already, and is asked when the tip is known: what
    somebody adds after it has looked moves the ref, so that it looks again. Raises RefMoved when
    others kept appending for a minute, GitFailed otherwise.
    """

    def attempt() -> list[str] | None:
        nonlocal tip
        held, tip = tip or repository.tip(ref), None
        if found and (there := found()):
            return there
        # One commit dated before its parent would hide the rest from `git log --since`.
        at = max(int(time.time()), held.committed_at if held else 0)
        return repository.writer.append(ref, held.commit if held else None, build(at), derived)

    made: list[str] = retry(repository, ref, attempt)
    return made


def fold(repository: Repository, ref: str, theirs: str) -> bool:
    """Make a chain hold what another copy's tip holds too; tell whether anything changed.

    Our commits that the other copy lacks are appended again behind its tip, unless it has one
    with the same tree and the same further parents: that is the same record, or the same code.
    Where one of them is signed, a merge joins both tips.
    """

    def attempt() -> bool | None:
        ours = repository.tips(ref).get(ref)
        if ours is None:
            return True if repository.writer.set_ref(ref, theirs, None) else None
        new = links(repository, ref, [theirs], [ours]) if ours != theirs else []
        if not new:
            return False
        seen = {(each.tree, each.parents[1:]) for each in new}
        mine = links(repository, ref, [ours], [theirs])
        lacking = [
            each
            for each in mine
            if (each.tree, each.parents[1:]) not in seen and not (each.is_merge and is_ledger(ref))
        ]
        if not lacking:
            return True if repository.writer.set_ref(ref, theirs, ours) else None
        raw = repository.contents([each.id for each in lacking])
        at = max(int(time.time()), repository.committed_at(theirs))
        again = [again_of(content, at) for content in raw if content is not None]
        if len(again) < len(lacking):
            # Going on without it would let go of a record.
            raise GitFailed(command="cat-file", reason=f"a commit of {ref} cannot be read")
        if is_ledger(ref) and any(map(is_signed, raw)):
            return True if join(repository, ref, ours, theirs, mine) else None
        return True if replant(repository, ref, ours, theirs, again) else None

    changed: bool = retry(repository, ref, attempt)
    return changed


def join(repository: Repository, ref: str, ours: str, theirs: str, mine: Sequence[Commit]) -> bool:
    """Merge two tips of a chain, and move the ref there if it still is at `ours`.

    `mine` is what ours reaches beyond theirs. A merge among it that the other copy has not got is
    left out where it only joined an older tip of theirs: else each failed push would leave one.
    """
    beyond = {each.id: each for each in mine}
    tip = ours
    while tip in beyond and beyond[tip].is_merge:
        further = [each for each in beyond[tip].parents if each in beyond]
        if len(further) != 1:
            break
        tip = further[0]
    at = max(repository.committed_at(each) for each in (tip, theirs))
    who = MERGER.replace(at=at)
    merge = NewCommit(
        files={},
        message="merge\n",
        author=who,
        committer=who,
        parents=tuple(sorted((tip, theirs))),
    )
    if tip == ours:
        return repository.writer.append(ref, ours, [merge]) is not None
    return replant(repository, ref, ours, theirs, [merge])


def links(
    repository: Repository, ref: str, tips: Iterable[str], excluded: Iterable[str] = ()
) -> list[Commit]:
    """Return the commits of a chain, oldest first: what the tips reach beyond the excluded."""
    return repository.commits(tips, excluded, is_joined=is_ledger(ref))


def is_ledger(ref: str) -> bool:
    """Tell whether a chain, live or a remote's, may have merges: one of code has none."""
    return ref.rpartition("/")[0].rpartition("/")[2] != "code"


def is_signed(raw: bytes | None) -> bool:
    """Tell whether a commit, as git stores it, has a signature."""
    return SIGNED in (raw or b"").partition(b"\n\n")[0]


def unbranched(commits: Sequence[Commit]) -> int:
    """Return how many of these, from the oldest on, are behind each other."""
    for number in range(1, len(commits)):
        if commits[number].parents[:1] != (commits[number - 1].id,):
            return number
    return len(commits)


def below(commits: Sequence[Commit], first: int) -> str | None:
    """Return what comes before one of them, which are behind each other until there."""
    return commits[first - 1].id if first else next(iter(commits[0].parents), None)


def replant(
    repository: Repository,
    ref: str,
    ours: str | None,
    theirs: str | None,
    commits: Sequence[NewCommit],
) -> bool:
    """Append commits behind another tip, and move the ref there if it still is at `ours`.

    They are built on a scratch ref, since an append moves a ref only forward. Killed in between,
    the scratch ref is left behind, unshared, and the next fold begins anew.
    """
    scratch = f"{SCRATCH}{ref.rpartition('/')[2]}.{time.time_ns()}"
    if theirs and not repository.writer.set_ref(scratch, theirs, None):
        return False
    tip = theirs
    try:
        made = repository.writer.append(scratch, theirs, commits)
        if made is None:
            return False
        tip = made[-1]
        return repository.writer.set_ref(ref, tip, ours)
    finally:
        if tip:
            repository.writer.set_ref(scratch, None, tip)


def again_of(raw: bytes, at: int | None = None) -> NewCommit:
    """Return a commit like the raw one, to be put behind another parent; at a new moment."""
    head, _, message = raw.decode(errors="surrogateescape").partition("\n\n")
    # Not splitlines(): a name may hold what Unicode calls the end of a line.
    fields = [line.partition(" ") for line in head.split("\n") if not line.startswith(" ")]
    named = {name: value for name, _, value in fields}
    parents = [value for name, _, value in fields if name == "parent"]
    committer = Identity.parse(named.get("committer", ""))
    return NewCommit(
        files={"": named["tree"]},
        message=message,
        merged=tuple(parents[1:]),
        author=Identity.parse(named.get("author", "")),
        committer=committer if at is None else committer.replace(at=at),
    )


def count(repository: Repository, tips: Sequence[str], excluded: Iterable[str] = ()) -> int:
    """Return how many records the tips of ledgers reach beyond the excluded."""
    return int(start_count(repository, tips, excluded).finish()) if tips else 0


def start_count(
    repository: Repository, tips: Iterable[str], excluded: Iterable[str] = ()
) -> GitProcess:
    """Begin to count the records that some tips of ledgers reach beyond the excluded."""
    asked = "".join(f"{each}\n" for each in (*tips, *(f"^{each}" for each in excluded)))
    words = ("rev-list", "--count", "--no-merges", "--ignore-missing", "--stdin")
    return repository.start(*words, content=asked.encode())


def retry(repository: Repository, ref: str, attempt: Any, seconds: float = 60.0) -> Any:
    """Call `attempt` until it returns something else than None, with growing, random pauses.

    Bounded by time, not by a count: a busy ref was seen to move 88 times during one push.
    Raises RefMoved, and RefLocked where a git that died has left its lock.
    """
    if (made := attempt()) is not None:
        return made
    import random

    end, pause = time.monotonic() + seconds, 0.002
    lock = _Lock(repository, ref)
    while (made := attempt()) is None:
        if time.monotonic() > end:
            raise RefMoved(ref=ref, seconds=int(seconds), command="update-ref", reason="it moved")
        lock.look()
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 0.5)
    return made


class _Lock:
    """The file by which git locks a ref while it moves it: for milliseconds, or it was killed."""

    def __init__(self, repository: Repository, ref: str) -> None:
        self._ref = ref
        self._path = os.path.join(repository.common_dir, f"{ref}.lock")
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def look(self) -> None:
        """Remove the lock if it is old, and raise RefLocked if it has not changed for seconds."""
        try:
            with open(self._path, "rb") as file:
                found = os.fstat(file.fileno())
                if time.time() - found.st_mtime > ABANDONED:
                    self._remove(file.fileno(), found)
                    return
        except OSError:
            self._seen = None
            return
        now, seen = time.monotonic(), (found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            self._seen, self._since = seen, now
        elif now - self._since > HELD:
            raise RefLocked(
                ref=self._ref,
                path=self._path,
                minutes=ABANDONED // 60,
                command="update-ref",
                reason="it is locked",
            )

    def _remove(self, descriptor: int, found: os.stat_result) -> None:
        # Of several who find it, those who come later see under its flock that the path is gone,
        # or is the lock of somebody who lives.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.samestat(os.stat(self._path), found):
            os.unlink(self._path)
