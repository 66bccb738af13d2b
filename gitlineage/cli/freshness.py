"""How files in the work tree stand, as text and as JSON. Prints nothing itself."""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gitlineage.cli.printing import Printer
    from gitlineage.freshness import Standing, Status

LETTERS = {"current": "=", "changed": "M", "stale": "S", "deleted": "D"}
"""What `--porcelain` says; these stay."""

NAMED_AT_MOST = 3
"""Executions that are named in a hint."""

ALIKE_AT_MOST, ALIKE_SHOWN = 5, 3
"""Files that are alike which are all listed, and how many of more."""

REASONS_AT_MOST = 4
"""Reasons that are told of one file."""

DIGEST_SHOWN = 19
"""Characters of an image's id, with its algorithm."""

_HEADS = {
    "stale": ("Stale outputs:", "made from what has changed since: run these again"),
    "changed": ("Changed outputs:", "their content is not what the execution made"),
    "deleted": ("Deleted outputs:", "they were made here and are gone"),
    "current": ("Current outputs:", ""),
}
_STYLES = {"stale": "yellow", "changed": "red", "deleted": "red", "current": "green"}


def status_page(
    standings: Sequence[Standing], printer: Printer, *, is_listed: bool
) -> Iterator[str]:
    """Yield how files stand, in the manner of `git status`; current ones too where listed."""
    if not standings:
        yield "no execution has made what is here"
        return
    counts = {state: sum(each.state == state for each in standings) for state in LETTERS}
    told = [f"{count} {state}" for state, count in counts.items() if count]
    if len(told) == 1:
        told = [("all " if len(standings) > 1 else "") + standings[0].state]
    yield f"{len(standings)} output{'s' * (len(standings) != 1)}: {', '.join(told)}"
    for state, (head, meaning) in _HEADS.items():
        found = [each for each in standings if each.state == state]
        if not found or (state == "current" and not is_listed):
            continue
        yield ""
        yield head
        if meaning:
            yield printer.paint(f"  ({meaning})", "dim")
        # What one execution made, and stands so for the same reasons, is told together.
        alike: dict[tuple[str, tuple[str, ...]], list[Standing]] = {}
        for each in found:
            alike.setdefault((each.execution, tuple(_reasons(each))), []).append(each)
        for (_, reasons), members in alike.items():
            more = len(members) - ALIKE_SHOWN
            if is_listed or len(members) <= ALIKE_AT_MOST:
                more = 0
            for each in members[: len(members) - more]:
                path = wording.safe(each.path) + "/" * (each.type == "directory")
                yield f"    {printer.paint(path, _STYLES[state])}  {_maker(each)}"
                if not more:
                    yield from reasons
            if more:
                yield f"    and {more} more, all of them {_maker(members[0])}"
                yield from reasons


def hints(found: Status) -> Iterator[str]:
    """Yield what to say of how sure that is."""
    if found.unseen:
        yield (
            f"no inputs are known of {_named(found, found.unseen)}: what they read beside the code "
            "may have changed unseen; declare it with -i, or run with --observe"
        )
    if found.blamed:
        yield (
            f"{_named(found, found.blamed)} may not have read what changed of the code; "
            "with `run --observe`, only what is read counts"
        )


def _named(found: Status, ids: Sequence[str]) -> str:
    steps = {each.execution: each.step or "?" for each in found.standings}
    named = [wording.safe(f"{steps[id]} {id[:8]}") for id in ids]
    more = len(named) - NAMED_AT_MOST
    return ", ".join(named[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def standing_map(standing: Standing) -> dict[str, Any]:
    """Return how a file stands as `--json` prints it."""
    return {
        "path": standing.path,
        "type": standing.type,
        "state": standing.state,
        "execution": standing.execution,
        "step": standing.step,
        "status": standing.ended,
        "reasons": [
            {"kind": each.kind, "path": each.path}
            | ({"name": each.name} if each.name else {})
            | ({"was": each.was, "now": each.now} if each.kind in ("parameter", "image") else {})
            for each in standing.reasons
        ],
    }


def _maker(standing: Standing) -> str:
    ended = f", which {standing.ended}" if standing.ended not in ("succeeded", None) else ""
    maker = wording.safe(f"{standing.step or '?'} {standing.execution[:8]}{ended}")
    made = "made" if standing.state in ("current", "stale") else "last made"
    return f"{made} by {maker}"


def _reasons(standing: Standing) -> Iterator[str]:
    for each in standing.reasons:
        if each.kind in ("parameter", "image"):
            what = f"{each.kind} {each.name}" if each.name else "the step's image"
            length = DIGEST_SHOWN if each.kind == "image" and each.name else None
            was, now = (_value(value)[:length] for value in (each.was, each.now))
            said = f"is {now} now, was {was}" if now != was else "is passed in another way now"
            yield f"        {wording.safe(f'{what} {said}')}"
    for kind in ("code", "input", "upstream"):
        paths = [wording.safe(each.path) for each in standing.reasons if each.kind == kind]
        if not paths:
            continue
        more = len(paths) - REASONS_AT_MOST
        listed = ", ".join(paths[:REASONS_AT_MOST]) + (f" and {more} more" if more > 0 else "")
        yield f"        {_WHY[kind].format(listed, 'is' if len(paths) == 1 else 'are')}"


def _value(value: Any) -> str:
    return "not set" if value is None else str(value)


_WHY = {
    "code": "code changed: {}",
    "input": "input changed: {}",
    "upstream": "made from {}, which {} stale",
}
