"""What can be read of a chain of which a commit is lost. Knows commits as git stores them.

Must not know records: whether what is found belongs there is for others to tell.
"""

from __future__ import annotations

import os

from gitlineage import chains
from gitlineage.errors import GitFailed
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitlineage.repository import Repository

OURS = ("refs/lineage/*", "refs/lineage-remotes/*", "refs/lineage-scratch/*", "refs/notes/lineage")


class Link(Record):
    """A commit of a chain, with what holds it there."""

    id: str
    tree: str
    at: int
    """When it was appended, seconds."""
    parents: tuple[str, ...]


def walk(repository: Repository, tip: str) -> tuple[list[Link], list[str]]:
    """Return what a tip reaches, newest first, and the ids of commits that are lost."""
    asked = ("--no-commit-header", "--format=%H %T %ct %P", tip, "--")
    code, listed, _ = repository.start("rev-list", *asked).outcome()
    links = []
    for line in listed.decode().splitlines():
        id, tree, at, *parents = line.split()
        links.append(Link(id=id, tree=tree, at=int(at), parents=tuple(parents)))
    if code == 0:
        return links, []
    # Git ends at the first that it cannot read; behind others there may be more.
    seen = {each.id for each in links}
    left = [parent for each in links for parent in each.parents] or [tip]
    lost = []
    while left:
        at_id = left.pop()
        if at_id in seen:
            continue
        seen.add(at_id)
        try:
            raw = repository.contents([at_id])[0]
        except GitFailed:
            raw = None  # there, and broken
        if raw is None:
            lost.append(at_id)
            continue
        links.append(link_of(at_id, raw))
        left += links[-1].parents
    return links, lost


def link_of(id: str, raw: bytes) -> Link:
    """Return a commit from its bytes, which a stranger may have written."""
    commit = chains.again_of(raw)
    head = raw.decode(errors="replace").partition("\n\n")[0].split("\n")
    return Link(
        id=id,
        tree=str(commit.files[""]),
        at=commit.committer.at,
        parents=tuple(line[7:] for line in head if line.startswith("parent ")),
    )


def unreached(repository: Repository, known: Sequence[str]) -> Iterator[Link]:
    """Yield the commits among all objects that no other ref reaches and are not known."""
    form = "--batch-check=%(objectname) %(objecttype)"
    listed = repository.ask("cat-file", "--batch-all-objects", "--unordered", form)
    found = {
        line[:-7].decode() for line in listed.split(b"\n") if line.endswith(b" commit")
    }.difference(known)
    if found:
        others = (*(f"--exclude={each}" for each in OURS), "--all")
        reached = repository.start("rev-list", "--ignore-missing", *others).outcome()[1]
        found.difference_update(reached.decode().split())
    names = sorted(found)
    for id, raw in zip(names, repository.contents(names), strict=True):
        if raw is not None:
            yield link_of(id, raw)


def lost_of(folder: str) -> list[tuple[str, str]]:
    """Return the refs that were linked again, and the commits that they have lost by then."""
    try:
        with open(os.path.join(folder, "lost")) as file:
            pairs = [line.split() for line in file]
    except OSError:
        return []
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def note_lost(folder: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Remember which commits refs have lost, beside what is remembered already."""
    held = dict.fromkeys([*lost_of(folder), *pairs])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lost"), "w") as file:
        file.writelines(f"{ref} {id}\n" for ref, id in held)
