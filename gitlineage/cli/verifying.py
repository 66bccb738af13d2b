"""`verify`: whether every record is sound."""

from __future__ import annotations

import click

from gitlineage import lineage as api
from gitlineage.cli.hook import counted, say
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import Damaged
from gitlineage.wording import safe

UNSOUND = Damaged.exit_code


@click.command(short_help="Check that every record is sound")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def verify(as_json: bool) -> int:
    """Check that every record is sound: exit status 4 where one is not.

    Each record decodes and has the id that its content gives, each month is whole, and logs,
    series, manifests and the code that ran are there; tags are on what is here. What was not
    fetched is counted, and is no damage. `git fsck` checks the bytes of all objects.
    """
    with api.open() as lineage:
        found = lineage.verify()
        if as_json:
            counts = {name: getattr(found, name) for name in found._fields if name != "problems"}
            problems = [
                {"kind": each.kind, "where": each.where, "reason": each.reason}
                for each in found.problems
            ]
            told = {"is_sound": found.is_sound, **counts, "problems": problems}
            printer_for(lineage).show([json_line(told)])
            return 0 if found.is_sound else UNSOUND
        printer_for(lineage).show(
            f"{each.kind:<9}  {_short(each.where)}  {safe(each.reason)}" for each in found.problems
        )
        serious = sum(each.is_serious for each in found.problems)
        said = (
            f"{counted(found.records_count, 'record')} in {counted(found.segments_count, 'month')}"
        )
        say(
            f"lineage: {said}: " + (counted(serious, "problem") if serious else "all sound"),
            *_asides(found.redacted_count, found.absent_code_count),
        )
        return 0 if found.is_sound else UNSOUND


def _short(where: str) -> str:
    return safe(where) if where.startswith("refs/") else where[:12]


def _asides(redacted: int, absent: int) -> list[str]:
    told = []
    if redacted:
        told.append(f"lineage: of {counted(redacted, 'execution')} something was forgotten")
    if absent:
        told.append(f"lineage: the code of {counted(absent, 'tree')} is not here")
    return told
