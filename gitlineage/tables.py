"""Series as tables that other programs read: CSV, JSON lines, Parquet. Knows points only."""

from __future__ import annotations

import json

from gitlineage import wording
from gitlineage.errors import ToolMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, BinaryIO

    Rows = Iterable[tuple[str, int, dict[str, Any]]]

FORMS = ("csv", "json", "parquet")

FIRST = ("execution", "_time")
"""The columns before those of the keys."""

TOGETHER = 1 << 16
"""Rows that are written at once."""


def write(rows: Rows, keys: Sequence[str], form: str, into: BinaryIO) -> None:
    """Write points: the execution's id, when, and a value or nothing for each key.

    Raises ToolMissing.
    """
    if form == "csv":
        _write_csv(rows, keys, into)
    elif form == "json":
        for execution, at, values in rows:
            row = {"execution": execution, "_time": wording.isoformat(at), **values}
            text = json.dumps(wording.plain(row), ensure_ascii=False, allow_nan=False)
            into.write(text.encode() + b"\n")
    else:
        _write_parquet(rows, keys, into)


def _write_csv(rows: Rows, keys: Sequence[str], into: BinaryIO) -> None:
    import csv
    import io

    text = io.TextIOWrapper(into, encoding="utf-8", errors="replace", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*FIRST, *keys))
    writer.writerows(
        (execution, wording.isoformat(at), *(_cell(values.get(key)) for key in keys))
        for execution, at, values in rows
    )
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    """Return a value as CSV has it: nothing for none, JSON for lists and maps."""
    if type(value) in (list, dict, bool):
        return json.dumps(wording.plain(value), ensure_ascii=False)
    return value


def _write_parquet(rows: Rows, keys: Sequence[str], into: BinaryIO) -> None:
    """Write columns of one type each: where values differ in type, all are JSON."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ToolMissing(
            tool="pyarrow",
            what="Parquet",
            remedy="install it with `pip install 'git-lineage[parquet]'`",
        ) from error
    kept = list(rows)
    kinds: dict[str, set[type]] = {key: set() for key in keys}
    for _, _, values in kept:
        for key, value in values.items():
            kinds[key].add(type(value))
    fields = [
        pyarrow.field("execution", pyarrow.string()),
        pyarrow.field("_time", pyarrow.timestamp("us", tz="UTC")),
    ]
    readers = {}
    for key in keys:
        kind, readers[key] = _column(kinds[key] - {type(None)}, pyarrow)
        fields.append(pyarrow.field(key, kind))
    schema = pyarrow.schema(fields)
    with pyarrow.parquet.ParquetWriter(into, schema, compression="zstd") as writer:
        for some in _batches(kept):
            columns = [[each[0] for each in some], [each[1] for each in some]]
            columns += [
                [None if (v := each[2].get(key)) is None else readers[key](v) for each in some]
                for key in keys
            ]
            arrays = [
                pyarrow.array(column, type=field.type)
                for column, field in zip(columns, fields, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _column(kinds: set[type], pyarrow: Any) -> tuple[Any, Any]:
    if kinds == {bool}:
        return pyarrow.bool_(), bool
    if kinds == {int}:
        return pyarrow.int64(), _within
    if kinds and kinds <= {int, float}:
        return pyarrow.float64(), float
    if kinds == {str}:
        return pyarrow.string(), _utf8
    return pyarrow.string(), lambda value: json.dumps(wording.plain(value), ensure_ascii=False)


def _within(value: int) -> int | None:
    return value if -(1 << 63) <= value < 1 << 63 else None


def _utf8(value: str) -> str:
    return value.encode(errors="replace").decode()


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), TOGETHER):
        yield rows[start : start + TOGETHER]
