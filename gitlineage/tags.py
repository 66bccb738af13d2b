"""Tags on executions and on content: refs with a history of their own. Knows their merge.

`refs/lineage/tags/<name>` is a chain of commits, one for each change, so that `git log` on it
tells what was tagged when and by whom. Its tree has one entry for each tagged execution (40 hex
digits) or content digest (64), a small text: when, who, and a message.
"""

from __future__ import annotations

import time

from gitlineage.chains import MERGER, retry
from gitlineage.commits import Identity, NewCommit
from gitlineage.errors import InvalidTag
from gitlineage.objects import files_in
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.repository import Repository

PREFIX = "refs/lineage/tags/"

LONGEST = 200
"""Bytes of a tag's name at most."""

LONGEST_FILE = 240
"""Bytes of its ref's last part at most: a loose ref is a file, and `.lock` is put behind it."""

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Member(Record):
    """One tagged thing."""

    id: str
    """Execution id, or the 64 hex digits of a content digest."""
    at: int
    """Microseconds."""
    tagger: str
    message: str = ""


def ref_of(name: str) -> str:
    """Return the ref of a tag. Raises InvalidTag."""
    if not name or name.strip() != name or len(name.encode(errors="replace")) > LONGEST:
        raise InvalidTag(name=name)
    if any(each < " " or each == "\x7f" for each in name):
        raise InvalidTag(name=name)
    try:
        content = name.encode()
    except UnicodeEncodeError:
        raise InvalidTag(name=name) from None
    # A dot is plain unless git forbids it there.
    dots = name[0] == "." or name[-1] == "." or ".." in name or name.endswith(".lock")
    plain = PLAIN if dots else PLAIN | {"."}
    encoded = "".join(chr(b) if chr(b) in plain else f"%{b:02X}" for b in content)
    if len(encoded) > LONGEST_FILE:
        raise InvalidTag(name=name)
    return PREFIX + encoded


def check_new(name: str) -> None:
    """Raise InvalidTag where nothing is to get a tag of this name: it would be read otherwise.

    What has such a tag keeps it, and can be rid of it.
    """
    ref_of(name)
    if name[0] in "@-":
        raise InvalidTag(name=name)


def name_of(ref: str) -> str | None:
    """Return the tag that a ref is for, or None when it is not one that we would write."""
    encoded = ref.removeprefix(PREFIX)
    pieces = encoded.split("%")
    try:
        content = pieces[0].encode() + b"".join(
            bytes([int(piece[:2], 16)]) + piece[2:].encode() for piece in pieces[1:]
        )
        name = content.decode()
        return name if ref_of(name) == PREFIX + encoded else None
    except (ValueError, InvalidTag):
        return None


class Tags:
    """The tags of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def tips(self) -> dict[str, str]:
        """Return tag refs and their tips."""
        return self._repository.tips(PREFIX)

    def members(self, tip: str) -> dict[str, Member]:
        """Return what a tag's commit has tagged, by id."""
        return self.all_members([tip])[0]

    def all_members(self, tips: Sequence[str]) -> list[dict[str, Member]]:
        """Return what each of many commits has tagged: as many questions to git as for one."""
        trees = self._repository.contents([f"{each}^{{tree}}" for each in tips])
        held = [
            {name: id for name, id in files_in(tree or b"", len(tip) // 2).items() if _is_id(name)}
            for tip, tree in zip(tips, trees, strict=True)
        ]
        contents = iter(self._repository.contents([id for each in held for id in each.values()]))
        return [
            {
                name: _member(name, content)
                for name, content in zip(each, contents, strict=False)
                if content is not None
            }
            for each in held
        ]

    def add(
        self,
        name: str,
        ids: Sequence[str],
        who: Identity,
        message: str = "",
        *,
        is_again: bool = False,
    ) -> None:
        """Tag executions or content; `is_again`, those that are not yet. Raises InvalidTag."""
        at = int(time.time() * 1_000_000)
        entry = f"{at} {who.name} <{who.email}>\n" + (f"\n{message}\n" if message else "")
        content = entry.encode(errors="replace")
        changes: dict[str, bytes | None] = dict.fromkeys(ids, content)
        self._change(name, changes, who, message or f"add {_listed(ids)}", is_again=is_again)

    def remove(self, name: str, ids: Sequence[str], who: Identity, message: str = "") -> None:
        """Take a tag from executions or content. Raises InvalidTag."""
        self._change(name, dict.fromkeys(ids), who, message or f"remove {_listed(ids)}")

    def _change(
        self,
        name: str,
        changes: Mapping[str, bytes | None],
        who: Identity,
        message: str,
        *,
        is_again: bool = False,
    ) -> None:
        ref = ref_of(name)

        def attempt() -> list[str] | bool | None:
            tip = self._repository.tip(ref)
            files: dict[str, bytes | str | None] = dict(changes)
            if tip:
                held = self._repository.entries(tip.commit)
                files = {
                    each: content
                    for each, content in files.items()
                    if (each in held if content is None else not (is_again and each in held))
                }
                if not files:
                    return True
                files[""] = tip.tree
            else:
                files = {each: content for each, content in files.items() if content is not None}
            if not any(files):  # nothing to add, and nothing there to take away
                return True
            at = max(int(time.time()), tip.committed_at if tip else 0)
            commit = NewCommit(
                files=files,
                message=f"{name}: {message}\n",
                author=who,
                committer=who.replace(at=at),
            )
            return self._repository.writer.append(ref, tip.commit if tip else None, [commit])

        retry(self._repository, ref, attempt)

    def fold(self, ref: str, theirs: str) -> bool:
        """Merge another copy's tip into a tag; tell whether anything changed here.

        A three-way merge of the entries with git's own merge base, so that a removal counts on
        both sides; unrelated histories give the union.
        """

        def attempt() -> bool | None:
            repository = self._repository
            ours = repository.tips(ref).get(ref)
            if ours is None:
                return True if repository.writer.set_ref(ref, theirs, None) else None
            # In one order: of several merge bases git returns the first, and both copies are to
            # take the same.
            base = repository.merge_base(*sorted((ours, theirs)))
            if base == theirs:
                return False
            if base == ours:
                return True if repository.writer.set_ref(ref, theirs, ours) else None
            return True if self._merge(ref, base, ours, theirs) else None

        changed: bool = retry(self._repository, ref, attempt)
        return changed

    def _merge(self, ref: str, base: str | None, ours: str, theirs: str) -> bool:
        before, here, there = (
            {
                name: blob
                for name, (_, blob) in self._repository.entries(each).items()
                if _is_id(name)
            }
            if each
            else {}
            for each in (base, ours, theirs)
        )
        chosen = {}
        for name in here.keys() | there.keys():
            mine, other, old = here.get(name), there.get(name), before.get(name)
            # Changed on one side only: that side. On both: what is there beats a removal, and of
            # two texts the one with the smaller id, so that both copies choose the same.
            if mine == old:
                kept = other
            elif other == old:
                kept = mine
            else:
                kept = min(each for each in (mine, other) if each is not None)
            if kept is not None:
                chosen[name] = ours if kept == mine else theirs
        contents = self._repository.contents([f"{tip}:{name}" for name, tip in chosen.items()])
        files = dict(zip(chosen, contents, strict=True))
        at = max(self._repository.committed_at(each) for each in (ours, theirs))
        who = MERGER.replace(at=at)
        merge = NewCommit(
            files=files,
            message="merge\n",
            author=who,
            committer=who,
            parents=tuple(sorted((ours, theirs))),
        )
        return self._repository.writer.append(ref, ours, [merge]) is not None


def _is_id(name: str) -> bool:
    return len(name) in (40, 64) and all(each in "0123456789abcdef" for each in name)


def _listed(ids: Sequence[str]) -> str:
    return " ".join(each[:12] for each in ids[:4]) + (" ..." if len(ids) > 4 else "")


def _member(name: str, content: bytes) -> Member:
    head, _, message = content.decode(errors="replace").partition("\n\n")
    at, _, tagger = head.strip().partition(" ")
    return Member(
        id=name,
        at=int(at) if at.isdecimal() and len(at) < 19 else 0,
        tagger=tagger,
        message=message.strip(),
    )
