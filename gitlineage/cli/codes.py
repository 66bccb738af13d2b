"""Which code an execution ran, and why it is ad-hoc, as lines for people. Prints nothing itself."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.records.execution import Execution
    from gitlineage.records.launch import Code
    from gitlineage.records.redaction import Redaction

LISTED_AT_MOST = 10
"""Files of one kind that are listed."""

_LEFT_OUT = {
    "large": "too large",
    "secret": "named like a secret",
    "unreadable": "cannot be read",
    "many": "too many files",
    "hidden": "git is told not to look at it",
}

_LETTERS = {"A": "new", "D": "deleted", "T": "of another type"}


def code_rows(
    execution: Execution,
    differing: Sequence[tuple[str, str]],
    committed: Sequence[str] = (),
    redaction: Redaction | None = None,
) -> Iterator[tuple[str, str | list[str]]]:
    """Yield names and what is said of each; `differing` are git's letters and paths of files that
    are not as in the commit, where that is known, `committed` the commits that it became later,
    `redaction` says who has had it forgotten.
    """
    launch = execution.launch
    if launch is None:
        return
    code, short = launch.code, execution.id[:8]
    if code.tree is not None:
        yield "Commit", [_headline(code), *_reasons(code, differing)]
        yield "  remotes", [f"{name} {url}" for name, url in code.remotes.items()]
        yield "  committed", list(_listed([each[:12] for each in committed]))
        if redaction is not None:
            day = wording.moment(redaction.forgotten_at)[:10]
            yield "  forgotten", f"by {redaction.agent.name} on {day}: {redaction.message}"
        elif code.is_adhoc:
            yield "  all of it", f"git lineage code {short} -o FOLDER"
    left = []
    for out in code.left_out:
        size = f", {wording.size(out.size)}" if out.size is not None else ""
        left.append(f"{out.path} ({_LEFT_OUT.get(out.reason, out.reason)}{size})")
    yield "  left out", list(_listed(left))
    if notebook := code.notebook:
        path = notebook.path or "a notebook"
        if notebook.cell is None:
            yield "  notebook", path
        else:
            before = f"{notebook.before_count} cell{'s' * (notebook.before_count != 1)} before it"
            seen = f"git lineage code {short} --cells"
            yield "  notebook", f"cell In[{notebook.cell}] of {path}, {before}: {seen}"
    if execution.end and execution.end.code_read is not None:
        yield "  read", f"{_files(len(execution.end.code_read))} of it, as system calls tell"


def _reasons(code: Code, differing: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield why the code is not that of the commit."""
    modules = {each.path: each.commit[:12] for each in code.submodules}
    told = []
    for letter, path in differing:
        what = f"submodule at {modules[path]}" if path in modules else _LETTERS.get(letter)
        told.append(f"{what or 'modified'}: {path}")
    yield from _listed(told)
    for each in code.submodules:
        if each.is_dirty:
            what = "has changes of its own, which are not kept"
            yield f"submodule {each.path} at {each.commit[:12]}: {what}"
    told_count = sum(each.reason == "hidden" for each in code.left_out)
    told_count += sum(each.is_dirty for each in code.submodules)
    if code.commit and code.differs_count > told_count and not differing:
        yield "which: not known here, without the code and its commit"


def _headline(code: Code) -> str:
    if code.commit is None:
        adhoc = f", ad-hoc: {_files(code.differs_count)}" if code.differs_count else ""
        return "no commit yet" + adhoc
    where = f" on {code.branch}" if code.branch else ", no branch checked out"
    if not code.is_adhoc:
        return code.commit[:12] + where
    verb = "differs" if code.differs_count == 1 else "differ"
    differ = f", {_files(code.differs_count)} {verb}" if code.differs_count else ""
    return f"ad-hoc: {code.commit[:12]}{where}{differ}"


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _listed(texts: Sequence[str]) -> Iterator[str]:
    yield from texts[:LISTED_AT_MOST]
    if len(texts) > LISTED_AT_MOST:
        yield f"and {len(texts) - LISTED_AT_MOST} more"
