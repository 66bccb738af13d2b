"""`doctor`: whether this repository is set up well, and what would go wrong."""

from __future__ import annotations

import os

import click

from gitlineage import lineage as api
from gitlineage.cli.hook import counted, say
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.doctor import Examined
    from gitlineage.restoring import Restored
    from gitlineage.salvage import Repaired

UNWELL = 1


@click.command(short_help="Look whether all is set up well, and what is in the way")
@click.argument("remote", required=False, metavar="[REMOTE|ARCHIVE]")
@click.option("--offline", is_flag=True, help="Ask no remote.")
@click.option(
    "--repair",
    is_flag=True,
    help="Bring back what the ledger has lost, from remotes or an archive; link again what is left "
    "of it.",
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def doctor(remote: str | None, offline: bool, repair: bool, as_json: bool) -> int:
    """Look whether all is set up well: exit status 1 where something is in the way.

    That a push carries lineage is tried: git runs the hook that it would run, with those of others
    as when there is nothing to push, and ours tries a push that sends nothing.
    """
    with api.open() as lineage:
        restored, lost = lineage.restore(remote, offline=offline) if repair else ([], 0)
        repaired = lineage.repair() if repair else []
        is_file = repair and remote is not None and os.path.isfile(remote)
        found = lineage.examine(None if is_file else remote, offline=offline)
        printer = printer_for(lineage)
        if as_json:
            told = {
                "is_well": found.is_well,
                "findings": [_map(each) for each in found.findings],
                "index": found.index,
                "counts": [_map(each) for each in found.counts],
                **(
                    {
                        "restored": [_map(each) for each in restored],
                        "repaired": [_map(each) for each in repaired],
                    }
                    if repair
                    else {}
                ),
            }
            printer.show([json_line(told)])
            return 0 if found.is_well else UNWELL
        printer.show(_lines(found))
        say(*_restored(restored, lost), *_repaired(repaired))
        if repair and not (restored or repaired or lost):
            say("lineage: nothing to repair")
        for each in found.counts:
            said = f"{counted(each.local, 'record')} here, {each.fetched} there"
            say(f"lineage: {each.remote}: {said}, {each.unpushed} unpushed")
        count = sum(each.level == "problem" for each in found.findings)
        say("lineage: " + (counted(count, "problem") if count else "nothing is in the way"))
        return 0 if found.is_well else UNWELL


def _lines(found: Examined) -> Iterator[str]:
    for each in found.findings:
        about = f"{each.remote}: " if each.remote else ""
        yield f"{each.level:<8} {safe(about + each.message)}"
        if each.remedy:
            yield f"         remedy: {safe(each.remedy)}"


def _restored(restored: list[Restored], lost: int) -> Iterator[str]:
    for each in restored:
        said = f"{counted(each.objects_count, 'lost object')} brought back from {safe(each.source)}"
        yield (
            f"warning: {safe(each.source)}: {safe(each.reason)}"
            if each.reason
            else (f"lineage: {said}")
        )
    if lost:
        said = counted(lost, "object")
        yield f"warning: {said} of the ledger cannot be read, and no place that was asked has it"


def _repaired(repaired: list[Repaired]) -> Iterator[str]:
    for each in repaired:
        said = f"{counted(each.records_count, 'record')}, {each.found_count} of them found again"
        yield f"lineage: {each.ref} was linked again: {said}"
        if each.unsigned_count:
            yield f"warning: {counted(each.unsigned_count, 'record')} appended without signature"
        for id in each.lost:
            yield f"warning: commit {id} is lost, unless a remote has it: git lineage fetch"


def _map(record: object) -> dict[str, object]:
    values = {name: getattr(record, name) for name in record._fields}  # type: ignore[attr-defined]
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
