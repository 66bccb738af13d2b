"""Which code an execution ran, and why it is ad-hoc, as lines for people. Prints nothing itself."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.records.launch import Code

LISTED_AT_MOST = 10
"""Files of one kind that are listed."""

_LEFT_OUT = {
    "large": "too large",
    "secret": "named like a secret",
    "unreadable": "cannot be read",
    "many": "too many files",
}

_LETTERS = {"A": "new", "D": "deleted", "T": "of another type"}


def code_rows(code: Code, differing: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield names and values, safe to show; `differing` are git's letters and paths of files that
    are not as in the commit, where that is known.
    """
    if code.tree is not None:
        yield "Code", wording.safe(_headline(code))
    told = [f"{_LETTERS.get(letter, 'modified')}: {path}" for letter, path in differing]
    for text in _listed(told):
        yield "", wording.safe(text)
    for each in code.submodules:
        if each.is_dirty:
            what = "has changes of its own, which are not kept"
            yield "", wording.safe(f"submodule {each.path} at {each.commit[:12]}: {what}")
    left = []
    for out in code.left_out:
        size = f", {wording.size(out.size)}" if out.size is not None else ""
        left.append(f"{out.path} ({_LEFT_OUT.get(out.reason, out.reason)}{size})")
    for number, text in enumerate(_listed(left)):
        yield "" if number else "  left out", wording.safe(text)


def _headline(code: Code) -> str:
    if code.commit is None:
        adhoc = f", ad-hoc: {_files(code.differs_count)}" if code.differs_count else ""
        return "no commit yet" + adhoc
    where = f" on {code.branch}" if code.branch else ", no branch checked out"
    if not code.is_adhoc:
        return code.commit[:12] + where
    verb = "differs" if code.differs_count == 1 else "differ"
    return f"ad-hoc: {code.commit[:12]}{where}, {_files(code.differs_count)} {verb}"


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _listed(texts: Sequence[str]) -> Iterator[str]:
    yield from texts[:LISTED_AT_MOST]
    if len(texts) > LISTED_AT_MOST:
        yield f"and {len(texts) - LISTED_AT_MOST} more"
