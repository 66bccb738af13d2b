"""Tables that other programs read: CSV, JSON lines, Parquet; series and lists. Knows no records."""

from __future__ import annotations

import json

from gitlineage import wording
from gitlineage.errors import ToolMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, BinaryIO

    Rows = Iterable[tuple[str, int, dict[str, Any]]]

FORMS = ("csv", "json", "parquet")

FIRST = {"execution": "text", "_time": "time"}
"""The columns before those of the keys."""

TOGETHER = 1 << 16
"""Rows that are written at once."""


def write(rows: Rows, keys: Sequence[str], form: str, into: BinaryIO) -> None:
    """Write points: the execution's id, when, and a value or nothing for each key.

    Raises ToolMissing.
    """
    if form == "json":
        for execution, at, values in rows:
            row = {"execution": execution, "_time": wording.isoformat(at), **values}
            text = json.dumps(wording.plain(row), ensure_ascii=False, allow_nan=False)
            into.write(text.encode() + b"\n")
        return
    columns = {**FIRST, **dict.fromkeys(keys, "any")}
    listed = ((id, at, *map(values.get, keys)) for id, at, values in rows)
    write_rows(columns, listed, form, into)


def write_rows(
    columns: Mapping[str, str],
    rows: Iterable[Sequence[Any]],
    form: str,
    into: BinaryIO,
    *,
    is_terminal: bool = False,
) -> None:
    """Write rows as `csv` or `parquet`; of each column what it has.

    That is `text`, `integer`, `number`, `flag`, `time` (microseconds), or `any`. To a terminal no
    control characters are written. Raises ToolMissing.
    """
    if form == "csv":
        _write_csv(columns, rows, into, is_terminal)
    else:
        _write_parquet(columns, rows, into)


def _write_csv(
    columns: Mapping[str, str], rows: Iterable[Sequence[Any]], into: BinaryIO, is_terminal: bool
) -> None:
    import csv
    import io

    def cell(kind: str, value: Any) -> Any:
        if kind == "time" and value is not None:
            return wording.isoformat(value)
        shown = _cell(value)
        return wording.safe(shown) if is_terminal and type(shown) is str else shown

    text = io.TextIOWrapper(into, encoding="utf-8", errors="replace", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    kinds = tuple(columns.values())
    writer.writerows(map(cell, kinds, row) for row in rows)
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    """Return a value as CSV has it: nothing for none, JSON for lists and maps."""
    if type(value) in (list, dict, bool):
        return json.dumps(wording.plain(value), ensure_ascii=False)
    return value


def _write_parquet(
    columns: Mapping[str, str], rows: Iterable[Sequence[Any]], into: BinaryIO
) -> None:
    """Write columns of one type each: where values of `any` differ in type, all are JSON."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ToolMissing(
            tool="pyarrow",
            what="Parquet",
            remedy="install it with `pip install 'git-lineage[parquet]'`",
        ) from error
    fixed: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "text": (pyarrow.string(), _utf8),
        "integer": (pyarrow.int64(), _within),
        "number": (pyarrow.float64(), float),
        "flag": (pyarrow.bool_(), bool),
        "time": (pyarrow.timestamp("us", tz="UTC"), _within),
    }
    if "any" in columns.values():
        rows = list(rows)
        found: list[set[type]] = [set() for _ in columns]
        for row in rows:
            for types, value in zip(found, row, strict=True):
                types.add(type(value))
        made = [
            fixed[kind] if kind in fixed else _column(types - {type(None)}, pyarrow)
            for kind, types in zip(columns.values(), found, strict=True)
        ]
    else:
        made = [fixed[kind] for kind in columns.values()]
    schema = pyarrow.schema(
        [pyarrow.field(name, kind) for name, (kind, _) in zip(columns, made, strict=True)]
    )
    with pyarrow.parquet.ParquetWriter(into, schema, compression="zstd") as writer:
        for some in _batches(rows):
            arrays = [
                pyarrow.array([None if v is None else read(v) for v in values], type=kind)
                for values, (kind, read) in zip(zip(*some, strict=True), made, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _column(kinds: set[type], pyarrow: Any) -> tuple[Any, Callable[[Any], Any]]:
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


def _batches(rows: Iterable[Any]) -> Iterator[Sequence[Any]]:
    waiting = iter(rows)
    while some := [each for _, each in zip(range(TOGETHER), waiting, strict=False)]:
        yield some
