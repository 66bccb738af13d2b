"""`verify`: whether every record is sound."""

from __future__ import annotations

import sys
import time

import click

from gitlineage import lineage as api
from gitlineage.cli.hook import counted, say
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import Damaged
from gitlineage.wording import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlineage.verify import Verified

REMEDY = "hint: `git lineage doctor --repair` asks remotes, or an archive, for what is lost"

UNSOUND = Damaged.exit_code

NESTED = ("problems", "signed_count", "signers")

EACH = 0.2
"""Seconds between two times that it is shown how far it is."""

SHOWN = 10
"""Signers that are listed."""


@click.command(short_help="Check that every record is sound")
@click.option("--signatures", "with_signatures", is_flag=True, help="Check who signed, too.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def verify(with_signatures: bool, as_json: bool) -> int:
    """Check that every record is sound: exit status 4 where one is not.

    Each record decodes and has the id that its content gives, each month is whole, and logs,
    series, manifests and the code that ran are there; tags are on what is here. What was not
    fetched is counted, and is no damage. `git fsck` checks the bytes of all objects.

    With --signatures each one that there is has to be good, by a key that you trust, as git has it:
    `gpg.ssh.allowedSignersFile`, the keyring of GnuPG. Records without one are counted.
    """
    with api.open() as lineage:
        found = lineage.verify(signatures=with_signatures, progress=_progress())
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        if as_json:
            names = [name for name in found._fields if name not in NESTED]
            counts = {name: getattr(found, name) for name in names}
            if with_signatures:
                counts["signed_count"], counts["signers"] = found.signed_count, dict(found.signers)
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
            *([REMEDY] if any(e.kind in ("damaged", "missing") for e in found.problems) else []),
            *_asides(found.redacted_count, found.absent_code_count),
            *_signed(found),
        )
        return 0 if found.is_sound else UNSOUND


def _progress() -> Callable[[int], None] | None:
    """Return what shows on a terminal how far it is."""
    if not sys.stderr.isatty():
        return None
    shown_at = time.monotonic()

    def show(count: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at > EACH:
            shown_at = time.monotonic()
            sys.stderr.write(f"\rlineage: {count:,} records read\x1b[K")
            sys.stderr.flush()

    return show


def _signed(found: Verified) -> list[str]:
    """Return what to say of signatures, where that was asked."""
    if found.signed_count is None:
        return []
    none = found.records_count - found.signed_count
    who = sorted(found.signers.items(), key=lambda each: (-each[1], each[0]))
    return [
        f"lineage: {found.signed_count} signed, {none} not",
        *(f"lineage:   {count} by {name}" for name, count in who[:SHOWN]),
        *([f"lineage:   and {len(who) - SHOWN} others"] if len(who) > SHOWN else []),
    ]


def _short(where: str) -> str:
    return safe(where) if where.startswith("refs/") else where[:12]


def _asides(redacted: int, absent: int) -> list[str]:
    told = []
    if redacted:
        told.append(f"lineage: of {counted(redacted, 'execution')} something was forgotten")
    if absent:
        told.append(f"lineage: the code of {counted(absent, 'tree')} is not here")
    return told
