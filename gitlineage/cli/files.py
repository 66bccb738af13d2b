"""`files`: which files are known by content, and those that are here."""

from __future__ import annotations

import os
import sys

import click

from gitlineage import lineage as api
from gitlineage import wording
from gitlineage.cli import tabling
from gitlineage.cli.maps import json_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import WrongUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from gitlineage.cli.printing import Printer
    from gitlineage.index import Row
    from gitlineage.index.files import Known
    from gitlineage.inventory import Here
    from gitlineage.lineage import Lineage

    Found = tuple[Known | Here, Known | None, str | None]
    """A file, what is known of it, and of one that is here how it stands to that."""

PAGE = 500
"""Files that are set below one another."""

WIDEST = 44
"""Columns of a path at most, where the path is not alone and there is a terminal."""

NARROWEST = 16

WITH_DIGEST = 72
"""Columns of a terminal from which on there is room for the beginning of a digest, too."""

STATES = {"recorded": "green", "changed": "yellow", "unknown": "red"}


@click.command(short_help="List files by content, with who made and used them")
@click.argument("paths", nargs=-1, metavar="[PATH|DIGEST|DIR@EXECUTION]...")
@click.option(
    "-n",
    "--max-count",
    "limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show at most N files.",
)
@click.option("--made-by", metavar="EXECUTION", help="Only what this execution made.")
@click.option("--used-by", metavar="EXECUTION", help="Only what it used; or a deployment.")
@click.option("--deployed", is_flag=True, help="Only what was ever deployed.")
@click.option("--here", "is_here", is_flag=True, help="Those in the work tree, and how they stand.")
@click.option("-z", "ends_with_nul", is_flag=True, help="Only paths, each with NUL behind it.")
@tabling.form_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def files(
    paths: tuple[str, ...],
    limit: int | None,
    made_by: str | None,
    used_by: str | None,
    deployed: bool,
    is_here: bool,
    ends_with_nul: bool,
    form: str | None,
    as_json: bool,
) -> None:
    """List files that are known by content: size, path, who made, used and deployed them.

    By path, and at one path what was there last first. PATH is a file, a folder or a pattern with
    `*`, `?` and `[...]`; DIGEST may be the beginning of one (blake3:...); DIR@EXECUTION lists what
    a directory held in an execution.

    With --here, those in the work tree: `recorded` as they are, `changed` since, or `unknown`.
    Of files that git ignores, unknown ones are listed where PATH names them or their folder.
    """
    if is_here and (made_by or used_by or deployed):
        raise WrongUsage(reason="--here takes no --made-by, --used-by, --deployed", verb="files")
    with api.open() as lineage:
        lineage.hold()
        found: Iterator[Found]
        if is_here:
            found = ((each, each.known, each.state) for each in lineage.files_here(paths))
        else:
            rows = lineage.files(paths, made_by=made_by, used_by=used_by, deployed=deployed)
            found = ((each, each, None) for each in rows)
        if limit is not None:
            found = (each for _, each in zip(range(limit), found, strict=False))
        if ends_with_nul:
            _names(found)
            return
        told = _pages(lineage, found)
        if form in ("csv", "parquet"):
            maps = (each.as_map() for some in told for each in some)
            tabling.files(maps, form, with_state=is_here)
            return
        printer = printer_for(lineage)
        if as_json or form == "json":
            lines = (json_line(each.as_map()) for some in told for each in some)
        else:
            lines = (line for some in told for line in _lines(some, printer))
        printer.show(lines)


def _names(found: Iterable[Found]) -> None:
    """Print each path once: they come in order."""
    last = None
    for file, _, _ in found:
        if file.path != last:
            last = file.path
            sys.stdout.buffer.write(os.fsencode(last) + b"\0")


def _pages(lineage: Lineage, found: Iterator[Found]) -> Iterator[list[_Told]]:
    """Yield files, some at a time, with their names and deployments."""
    index = lineage.view().index
    while some := [each for _, each in zip(range(PAGE), found, strict=False)]:
        names = lineage.names_of({file.digest for file, _, _ in some})
        deployed = {id for _, known, _ in some if known for id in known.deployed_by}
        rows = index.rows(deployed) if deployed else {}
        yield [
            _Told(
                file,
                known,
                state,
                names.get(file.digest, ""),
                [rows[id] for id in (known.deployed_by if known else ()) if id in rows],
            )
            for file, known, state in some
        ]


class _Told:
    """A file and all that is said of it."""

    def __init__(
        self,
        file: Known | Here,
        known: Known | None,
        state: str | None,
        names: str,
        deployments: Sequence[Row],
    ) -> None:
        self.file = file
        self.known = known
        self.state = state
        self.names = names
        self.deployments = deployments

    def said(self) -> list[str]:
        """Return who had it, in words."""
        known = self.known
        if known is None:
            return [self.names] if self.names else []
        said = []
        if self.state == "changed":
            said.append(f"was {short(known.digest)}")
        if known.made_by:
            others = known.makers_count - 1
            more = f" +{others}" if others > 0 else ""
            said.append(f"made by {wording.safe(known.step or '?')} {known.made_by[:8]}{more}")
        if known.users_count:
            said.append(f"used by {known.users_count}")
        for row in self.deployments[-1:]:
            more = f" +{len(self.deployments) - 1}" if len(self.deployments) > 1 else ""
            version = f" {row.version}" if row.version else ""
            said.append(f"deployed as {wording.safe(f'{row.step}{version}')}{more}")
        if self.names:
            said.append(wording.safe(self.names))
        return said

    def as_map(self) -> dict[str, Any]:
        """Return it as `--json` prints it: promised names."""
        file, known = self.file, self.known
        found: dict[str, Any] = {"path": file.path}
        if self.state is not None:
            found["state"] = self.state
        found |= {"digest": file.digest, "type": file.type, "size": file.size}
        found |= {
            "made_by": known.made_by if known else None,
            "step": known.step if known else None,
            "makers_count": known.makers_count if known else 0,
            "users_count": known.users_count if known else 0,
            "deployed_by": [
                {"id": each.id, "name": each.step, "standing": each.standing}
                for each in self.deployments
            ],
        }
        if self.state == "changed" and known is not None:
            found["recorded_digest"] = known.digest
        return found


def _lines(told: Sequence[_Told], printer: Printer) -> Iterator[str]:
    """Yield a line for each file, as wide as the terminal."""
    names = [wording.safe(each.file.path) + "/" * (each.file.type == "directory") for each in told]
    width = max(map(wording.width, names))
    if printer.width:
        width = min(width, max(NARROWEST, min(WIDEST, printer.width - 44)))
    for each, name in zip(told, names, strict=True):
        words = []
        if each.state is not None:
            words.append(printer.paint(f"{each.state:8}", STATES[each.state]))
        digest = short(each.file.digest)
        size = "" if each.file.size is None else wording.size(each.file.size)
        is_wide = not printer.width or printer.width >= WITH_DIGEST
        words += [printer.paint(f"{digest:8}", "yellow")] if is_wide else []
        words.append(f"{size:>9}")
        said = each.said()
        if printer.width:
            name = wording.shorten(name, width)
            taken = 2 * (len(words) + 1) + 9 + 8 * (len(words) - 1) + width
            said = _fitting(said, printer.width - taken)
        padded = name + " " * (width - wording.width(name)) if said else name
        words.append(printer.paint(padded, "bold"))
        yield "  ".join([*words, ", ".join(said)]).rstrip()


def _fitting(said: Sequence[str], columns: int) -> list[str]:
    """Return as much as there is room for, whole; the first in any case."""
    for count in range(len(said), 1, -1):
        more = [wording.ELLIPSIS] if count < len(said) else []
        if wording.width(", ".join([*said[:count], *more])) <= columns:
            return [*said[:count], *more]
    return [wording.clip(each, max(columns, NARROWEST)) for each in said[:1]]


def short(digest: str) -> str:
    """Return the first digits of a digest, or the end of another name."""
    return wording.short_id(digest).rpartition(":")[2][:8]
