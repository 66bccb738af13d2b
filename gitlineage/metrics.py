"""Metrics that a command leaves in a file, as metadata points: JSON, YAML, CSV, TSV, DVCLive.

A JSON or YAML file is one point, and so is each row of a table. A folder is one of DVCLive's:
`metrics.json` with the last values, `plots/metrics/**/*.tsv` with a key's series each.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LARGEST = 64 << 20
"""Bytes of one such file that are read."""


def read(path: str, started_at: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield points: when they were written, as far as that is known, and their values.

    Raises OSError, and ValueError for what cannot be understood or is older than `started_at`.
    """
    if os.path.isdir(path):
        yield from _folder(path)
        return
    stat = os.stat(path)
    if stat.st_mtime_ns // 1000 < started_at - 20_000:  # a tick of the file system's clock
        raise ValueError("it was there before and was not written")
    if stat.st_size > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MiB")
    at = stat.st_mtime_ns // 1000
    ending = path.rpartition(".")[2].lower()
    if ending in ("csv", "tsv"):
        for row in _rows(path, "\t" if ending == "tsv" else ","):
            yield at, row
        return
    with open(path, "rb") as file:
        content = file.read()
    yield at, _object(_yaml(content) if ending in ("yaml", "yml") else _json(content))


def _folder(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield what DVCLive has written: a row's `timestamp` is in milliseconds."""
    series = os.path.join(path, "plots", "metrics")
    points: dict[tuple[int, Any], dict[str, Any]] = {}
    for folder, _, names in sorted(os.walk(series)):
        for name in sorted(names):
            if not name.endswith(".tsv"):
                continue
            for row in _rows(os.path.join(folder, name), "\t"):
                at = row.pop("timestamp", None)
                key = (int(at) * 1000 if type(at) in (int, float) else 0, row.get("step"))
                # One step's rows differ by milliseconds from file to file: the first counts.
                points.setdefault((0, key[1]), {"": key[0]}).update(row)
    for values in points.values():
        yield values.pop(""), values
    last = os.path.join(path, "metrics.json")
    if os.path.exists(last) or not points:
        with open(last, "rb") as file:
            yield os.stat(last).st_mtime_ns // 1000, _object(_json(file.read()))


def _rows(path: str, separator: str) -> Iterator[dict[str, Any]]:
    import csv

    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            for row in csv.DictReader(file, delimiter=separator):
                yield {name: _value(text) for name, text in row.items() if name and text}
        except csv.Error as error:
            raise ValueError(str(error)) from error


def _json(content: bytes) -> Any:
    import json

    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _yaml(content: bytes) -> Any:
    try:
        import yaml
    except ImportError:
        raise ValueError("PyYAML is not installed, and YAML needs it") from None
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error).replace("\n", " ")) from error


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("an object of names and values is needed")
    return {str(name): each for name, each in value.items()}


def _value(text: Any) -> Any:
    """Return the number or truth value that a cell spells, else its text."""
    if text in ("True", "true", "False", "false"):
        return text in ("True", "true")
    for kind in (int, float):
        try:
            return kind(text)
        except (ValueError, TypeError):
            continue
    return text
