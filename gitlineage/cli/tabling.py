"""Lists as tables for other programs: which columns `log` and `files` have, and where they go."""

from __future__ import annotations

import sys

import click

from gitlineage.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gitlineage.index import Index, Row

    Columns = Mapping[str, str]

EXECUTION: Columns = {
    "id": "text", "step": "text", "title": "text", "status": "text", "exit_code": "integer",
    "started_at": "time", "finished_at": "time", "duration_seconds": "number",
    "agent_name": "text", "agent_email": "text", "host": "text", "code_commit": "text",
    "code_tree": "text", "is_adhoc": "flag", "branch": "text", "command": "text",
    "parent": "text", "reproduces": "text", "verdict": "text", "inputs_count": "integer",
    "outputs_count": "integer", "warnings_count": "integer", "cost": "text", "currency": "text",
    "tags": "text",
}  # fmt: skip

FILE: Columns = {
    "path": "text", "digest": "text", "type": "text", "size": "integer", "made_by": "text",
    "step": "text", "makers_count": "integer", "users_count": "integer", "deployed_by": "text",
}  # fmt: skip

FORMS = ("csv", "json", "parquet")

PAGE = 500
"""Executions of which tags and costs are looked up together."""

form_option: Callable[..., Any] = click.option(
    "--format", "form", type=click.Choice(FORMS), help="A table for other programs."
)


def write(columns: Columns, rows: Iterable[Sequence[Any]], form: str) -> None:
    """Write a table to standard output. Raises Refused, ToolMissing."""
    from gitlineage import tables  # 6 ms: the codecs

    is_terminal = sys.stdout.isatty()
    if form == "parquet" and is_terminal:
        raise Refused(reason="parquet is not for a terminal: send it to a file with `>`")
    tables.write_rows(columns, rows, form, sys.stdout.buffer, is_terminal=is_terminal)


def executions(index: Index, rows: Sequence[Row], form: str) -> None:
    """Write executions: what `sql` shows of them, tags, parameters and the last metadata."""
    parameters = sorted({name for row in rows for name in row.parameters})
    metadata = sorted({name for row in rows for name in row.metadata})

    def listed() -> Iterable[Sequence[Any]]:
        for start in range(0, len(rows), PAGE):
            some = rows[start : start + PAGE]
            ids = [row.id for row in some]
            tags, costs = index.tags_of(ids), index.costs_of(ids)
            for row in some:
                given, told = row.parameters, row.metadata
                yield (
                    *_fields(row),
                    *costs.get(row.id, (None, None)),
                    ", ".join(tags.get(row.id, ())) or None,
                    *map(given.get, parameters),
                    *map(told.get, metadata),
                )

    columns = {
        **EXECUTION,
        **dict.fromkeys((f"parameter.{name}" for name in parameters), "any"),
        **dict.fromkeys((f"metadata.{name}" for name in metadata), "any"),
    }
    write(columns, listed(), form)


def _fields(row: Row) -> tuple[Any, ...]:
    took = None if row.duration is None else row.duration / 1e6
    return (
        row.id, row.step, row.title, row.status, row.exit_code, row.started_at, row.finished_at,
        took, row.agent_name, row.agent_email, row.host, row.code_commit, row.code_tree,
        row.is_adhoc, row.branch, row.command, row.parent, row.reproduces, row.verdict,
        row.inputs_count, row.outputs_count, row.warnings_count,
    )  # fmt: skip


def files(maps: Iterable[Mapping[str, Any]], form: str, *, with_state: bool) -> None:
    """Write files: who made, used and deployed them, and of those that are here how they stand."""
    columns = {**FILE, **({"state": "text"} if with_state else {})}
    rows = ([_cell(each.get(name)) for name in columns] for each in maps)
    write(columns, rows, form)


def _cell(value: Any) -> Any:
    """Return the ids of deployments as one text."""
    return ", ".join(each["id"] for each in value) or None if type(value) is list else value
