"""Commits, refs and those who made them, as values. Knows how git spells a person and a moment."""

from __future__ import annotations

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Identity(Record):
    """A name, an address and a moment, as git writes them in a commit."""

    name: str
    email: str
    at: int
    """Seconds since 1970."""
    zone: str = "+0000"

    def line(self) -> bytes:
        """Return git's spelling; what git's own commands strip is stripped."""
        clean = {ord(each): None for each in "<>\n\0"}
        name = self.name.translate(clean).strip() or "unknown"
        email = self.email.translate(clean).strip()
        return raw(f"{name} <{email}> {max(self.at, 0)} {self.zone}")

    @classmethod
    def parse(cls, line: str) -> Identity:
        """Return what git's spelling says."""
        name, _, rest = line.partition(" <")
        email, _, when = rest.rpartition("> ")
        at, _, zone = when.partition(" ")
        # Whoever wrote it may have written anything; git reads such a moment as 1970.
        is_zone = len(zone) == 5 and zone[0] in "+-" and zone[1:].isdecimal() and zone.isascii()
        return cls(
            name=name,
            email=email,
            at=int(at) if at.isdecimal() and len(at) < 18 else 0,
            zone=zone if is_zone else "+0000",
        )


class NewCommit(Record):
    """A commit to be made: what it holds and says."""

    files: Mapping[str, bytes | str | None]
    """Path to content, or to the id of a blob that is there; `""` to the id of a tree to begin
    with, and then None for what goes."""
    trees: Mapping[str, bytes] = {}
    """Contents of trees to begin with that were read already, by id."""
    message: str
    author: Identity
    committer: Identity
    merged: tuple[str, ...] = ()
    """Further parents, after the commit that it is appended to."""
    parents: tuple[str, ...] | None = None
    """All parents, where they are not that; the ref's present commit is among them."""
    is_signed: bool = False
    """With git's own key and program, where those can be had."""

    def text(self) -> bytes:
        """Return the message as it is stored."""
        return raw(self.message)

    def behind(self, parent: str | None) -> Sequence[str]:
        """Return its parents when it is appended to that one."""
        if self.parents is not None:
            return self.parents
        return (*((parent,) if parent else ()), *self.merged)


class Commit:
    """A commit of a chain as it was read; of millions, so lighter than a Record."""

    __slots__ = ("id", "parents", "tree")

    def __init__(self, commit: str, tree: str, parents: tuple[str, ...]) -> None:
        self.id = commit
        self.tree = tree
        self.parents = parents

    @property
    def is_merge(self) -> bool:
        """Of a ledger: it joins two chains, and holds no record."""
        return len(self.parents) > 1


class Ref(Record):
    """A ref as it was read."""

    name: str
    commit: str
    tree: str
    committed_at: int
    """Committer's date of the commit, seconds."""
    subject: str
    parents: tuple[str, ...]


def raw(text: str) -> bytes:
    """Return text as it goes into a commit, which holds no NUL; what is no text is replaced."""
    text = text.replace("\0", "")
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")
