"""What a partial clone lacks: told without fetching it, and brought at once. Knows promisors.

Git itself brings what is missing when something reads it, each object by a connection of its own.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.repository import Repository

ROUNDS = 3
"""Where trees are missing, the files in them are known only once those are here."""

_LIST = ("rev-list", "--objects", "--no-object-names")


def promisors(repository: Repository) -> list[str]:
    """Return the remotes that have what is missing here; none of an ordinary repository."""
    config = repository.config()
    first, last = "remote.", ".promisor"
    found = [config[each] for each in ("extensions.partialclone",) if each in config]
    for name, value in config.items():
        if name.startswith(first) and name.endswith(last) and value not in ("false", "no", "0"):
            found.append(name[len(first) : -len(last)])
    return list(dict.fromkeys(found))


def are_here(repository: Repository, ids: Sequence[str]) -> list[bool]:
    """Tell of each object, by its whole id, whether it is here. Nothing is fetched for that."""
    # `cat-file` would fetch: newer git than 2.44 can be told not to, in an environment variable.
    options = ("--no-walk", "--filter=tree:0", "--ignore-missing", "--missing=allow-any")
    found: set[str] = set()
    asked = set(ids)
    while asked:
        content = "".join(f"{each}\n" for each in sorted(asked)).encode()
        # Last, since what is read there is looked up at once, by the options before it.
        listed = repository.ask(*_LIST, *options, "--stdin", content=content).decode().split()
        found.update(listed)
        # The tree of a commit that was asked for, too, is left out: it is asked for by itself.
        asked = asked.difference(listed) if listed else set()
    return [each in found for each in ids]


def complete(repository: Repository, tips: Sequence[str], known: Sequence[str] = ()) -> bool:
    """Bring all that the tips reach, beyond what is known, and that is missing here.

    In one connection; where trees are missing as well, in two. Tells whether all of it is here.
    """
    sources = promisors(repository)
    if not sources or not tips:
        return True
    content = "".join(f"{each}\n" for each in (*tips, *(f"^{each}" for each in known))).encode()
    lacked: list[bytes] = []
    for _ in range(ROUNDS):
        code, listed, _ = repository.start(
            *_LIST, "--missing=print", "--stdin", content=content
        ).outcome()
        lacking = [line[1:] for line in listed.split(b"\n") if line.startswith(b"?")]
        if code:  # what it begins with is not here itself
            pairs = zip(tips, are_here(repository, tips), strict=True)
            lacking = [tip.encode() for tip, is_here in pairs if not is_here]
        if not lacking or lacking == lacked:
            return not lacking
        for source in sources:
            if _bring(repository, source, lacking):
                break
        lacked = lacking
    return False


def _bring(repository: Repository, source: str, ids: Sequence[bytes]) -> bool:
    """Fetch objects by their ids, as git itself does for those that it finds missing."""
    settings = ("fetch.negotiationAlgorithm=noop", "gc.auto=0", "maintenance.auto=false")
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    process = repository.start(
        *(word for each in settings for word in ("-c", each)),
        "fetch",
        *options,
        "--filter=blob:none",
        "--stdin",
        source,
        content=b"\n".join(ids) + b"\n",
    )
    return process.outcome()[0] == 0
