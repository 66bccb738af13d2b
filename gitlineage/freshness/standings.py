"""Which files in the work tree are still what would be made: current, changed, stale, deleted.

Knows who made what last and what that was made from; asks for content and code, and reads neither.
A file is stale when something that it was made from is another now: a file of the code, an input,
or what made an input. What is not there to be compared is not known to have changed, and a file
that was not there when something was made has not been read by it.
"""

from __future__ import annotations

from bisect import bisect_left

from gitlineage.artifacts import is_inside
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
    from typing import Any

    from gitlineage.index import Mention, Row

STATES = ("current", "changed", "stale", "deleted")


class Reason(Record):
    """Why a file is stale."""

    kind: str
    """`code` or `input`, which is another now; `parameter` or `image`, which a step's
    configuration has changed, or `image`, whose name stands for another one; `upstream`, which is
    stale itself."""
    path: str
    """Of that file; empty where there is none."""
    name: str | None = None
    """Of the parameter, or of the image that is another one."""
    was: Any = None
    """The parameter's value, or the image, that was used."""
    now: Any = None
    """What the step would use now; None for nothing."""


class Standing(Record):
    """How a file in the work tree stands to the execution that made it last."""

    path: str
    type: str
    """`file` or `directory`."""
    state: str
    """One of `STATES`."""
    execution: str
    """Id of the execution that made something there last."""
    step: str | None = None
    ended: str | None = None
    """That execution's status."""
    reasons: tuple[Reason, ...] = ()
    """Why it is stale."""


def standings(
    made: Sequence[Mention],
    rows: Mapping[str, Row],
    inputs: Mapping[str, Sequence[Mention]],
    *,
    content: Callable[[str], str | None],
    was_here: Callable[[str], bool],
    code: Callable[[str], Set[str]],
    is_code: Callable[[str, str], bool],
    planned: Callable[[str], Mapping[str, Sequence[Reason]]],
    image: Callable[[str], Reason | None] = lambda _id: None,
) -> list[Standing]:
    """Return how files stand, by path.

    `made` is what was made last at each path, `inputs` what the executions of it used. `content`
    tells a path's digest now, None where there is nothing; `was_here` whether something was made
    at a path on this machine; `code` which files of the code that an execution ran are others now,
    `is_code` whether a path is such a file; `planned` what the changes of a configuration mean,
    by its path; `image` whether the image that an execution ran in is another now.
    """
    whole = _whole(made)
    states: dict[str, str] = {}
    for each in whole:
        now = content(each.path)
        if now is not None:
            states[each.path] = "current" if now == each.digest else "changed"
        elif was_here(each.path):
            states[each.path] = "deleted"
    here = [each for each in whole if each.path in states]
    reasons = _reasons(
        {each.id for each in here}, here, inputs, content, code, is_code, planned, image, states
    )
    found = []
    for each in here:
        row, why = rows.get(each.id), tuple(reasons.get(each.id, ()))
        state = states[each.path]
        is_stale = state == "current" and bool(why)
        found.append(
            Standing(
                path=each.path,
                type=each.type,
                state="stale" if is_stale else state,
                execution=each.id,
                step=row.step if row else None,
                ended=row.status if row else None,
                reasons=why if is_stale else (),
            )
        )
    return sorted(found, key=lambda each: each.path)


def _whole(made: Sequence[Mention]) -> list[Mention]:
    """Return what was made, without the files of directories that the same execution made."""
    folders = {each.path: each.id for each in made if each.type == "directory"}
    return [
        each
        for each in made
        if each.digest is not None
        and not any(folders.get(folder) == each.id for folder in folders_of(each.path))
    ]


def _reasons(
    ids: Set[str],
    here: Sequence[Mention],
    inputs: Mapping[str, Sequence[Mention]],
    content: Callable[[str], str | None],
    code: Callable[[str], Set[str]],
    is_code: Callable[[str, str], bool],
    planned: Callable[[str], Mapping[str, Sequence[Reason]]],
    image: Callable[[str], Reason | None],
    states: Mapping[str, str],
) -> dict[str, list[Reason]]:
    """Return of each execution why what it made is stale."""
    found: dict[str, list[Reason]] = {}
    users: dict[str, list[tuple[str, str]]] = {}
    makers = {each.path: each.id for each in here}
    paths = sorted(makers)
    for id in ids:
        used = [each for each in inputs.get(id, ()) if each.digest and makers.get(each.path) != id]
        data = [each for each in used if each.how == "declared"]
        by_plan = planned(id)
        why = [
            reason
            for path in sorted(code(id))
            if makers.get(path) != id and not any(is_inside(path, each.path) for each in data)
            for reason in by_plan.get(path, (Reason(kind="code", path=path),))
        ]
        if (moved := image(id)) is not None:
            why.append(moved)
        for each in used:
            now = content(each.path)
            if now is not None and now != each.digest:
                # An untracked script is an argument and code: where it changed, the code tells.
                if each.how == "declared" or not is_code(id, each.path):
                    why.append(Reason(kind="input", path=each.path))
            elif now is not None:
                for path in _made_there(each.path, makers, paths):
                    users.setdefault(path, []).append((id, each.path))
        if why:
            found[id] = why
    _spread(found, here, users, states)
    for why in found.values():  # these came in the order of ids, which chance has made
        why.sort(key=lambda each: each.path if each.kind == "upstream" else "")
    return found


def _spread(
    found: dict[str, list[Reason]],
    here: Sequence[Mention],
    users: Mapping[str, Sequence[tuple[str, str]]],
    states: Mapping[str, str],
) -> None:
    """Add those that are made from what is stale, and from that, and so on."""
    made: dict[str, list[str]] = {}
    for each in here:
        if states[each.path] == "current":
            made.setdefault(each.id, []).append(each.path)
    waiting = sorted(found)
    seen = set(waiting)
    while waiting:
        id = waiting.pop()
        for path in made.get(id, ()):
            for user, used in users.get(path, ()):
                reason = Reason(kind="upstream", path=used)
                if user == id or reason in found.setdefault(user, []):
                    continue
                found[user].append(reason)
                if user not in seen:
                    seen.add(user)
                    waiting.append(user)


def _made_there(path: str, makers: Mapping[str, str], paths: Sequence[str]) -> Iterator[str]:
    """Yield what was made at a path, around it or in it."""
    if path in makers:
        yield path
    yield from (folder for folder in folders_of(path) if folder in makers)
    for inside in paths[bisect_left(paths, path + "/") :]:
        if not inside.startswith(path + "/"):
            break
        yield inside


def folders_of(path: str) -> Iterable[str]:
    """Return the folders that a path is in, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
