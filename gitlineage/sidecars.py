"""What a command says of the files that it made, in files beside them. Knows Valohai's two forms.

`<file>.metadata.json` is one JSON object; `valohai.metadata.jsonl` has an object on each line, with
`file` (relative to the folder that it is in) and `metadata`. Knows files; stores nothing.
"""

from __future__ import annotations

import json
import os

from gitlineage import encoding
from gitlineage.errors import InvalidTag
from gitlineage.records.artifact import FileMetadata
from gitlineage.tags import check_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from gitlineage.records.artifact import Artifact

ENDING = ".metadata.json"
LINES = "valohai.metadata.jsonl"

TAGS = "valohai.tags"
"""The key whose value is tags for the content."""

LARGEST = 8 << 20
"""Bytes of one such file that are read."""

LARGEST_VALUES = 64 << 10
"""Bytes that are kept of what is said of one file."""

LARGEST_OF_ALL = 1 << 20


def read(
    outputs: Sequence[Artifact], top: str, digest_of: Callable[[str], bytes | None]
) -> tuple[tuple[FileMetadata, ...], list[str]]:
    """Return what is said of outputs and of files in them, and what to say of the rest.

    `digest_of` gives the content of a recorded path, or None where there is no such file.
    """
    said: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    for name in sorted(set(_carriers(outputs, top)), key=lambda name: not name.endswith(LINES)):
        try:
            for target, values in _said_in(name, top):
                said.setdefault(target, {}).update(values)
        except (OSError, ValueError, RecursionError) as error:
            warnings.append(f"{name} is not metadata of files: {_reason(error)}")
    found, size = [], 0
    for target, values in sorted(said.items()):
        content = digest_of(target)
        if content is None:
            warnings.append(f"metadata of {target} is left out: there is no such file")
            continue
        try:
            packed = len(encoding.pack(values))
        except (TypeError, ValueError) as error:
            warnings.append(f"metadata of {target} cannot be stored: {error}")
            continue
        size += packed
        if packed > LARGEST_VALUES or size > LARGEST_OF_ALL:
            warnings.append(f"metadata of {target} is left out: it is too large")
            continue
        found.append(FileMetadata(path=target, digest=content, values=values))
    return tuple(found), warnings


def tags(said: Sequence[FileMetadata]) -> dict[str, list[str]]:
    """Return the tags that are asked for, each with the digests that get it."""
    found: dict[str, list[str]] = {}
    for each in said:
        for tag in tags_in(each.values):
            found.setdefault(tag, []).append(each.digest.hex())
    return found


def tags_in(values: Mapping[str, Any]) -> list[str]:
    """Return the tags that metadata names, without those that cannot be one."""
    named = values.get(TAGS, ())
    found = []
    for each in named if type(named) is list else ():
        try:
            check_new(each)
        except (InvalidTag, AttributeError):
            continue
        found.append(each)
    return found


def _carriers(outputs: Sequence[Artifact], top: str) -> Iterator[str]:
    for each in outputs:
        if each.type == "file":
            names = [each.path]
        elif each.type == "directory":
            names = [
                os.path.join(os.path.relpath(folder, top), name) if name else ""
                for folder, _, names in os.walk(os.path.join(top, each.path))
                for name in names
            ]
        else:
            continue
        for name in names:
            if name.endswith(ENDING) or os.path.basename(name) == LINES:
                yield os.path.normpath(name)


def _said_in(name: str, top: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield recorded paths, and what a file says of them."""
    with open(os.path.join(top, name), "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MiB")
    if not name.endswith(LINES):
        yield name.removesuffix(ENDING), _object(json.loads(content))
        return
    for line in filter(bytes.strip, content.split(b"\n")):
        entry = _object(json.loads(line))
        given = os.path.normpath(str(entry.get("file")))
        if os.path.isabs(given) or given.split("/")[0] == "..":
            raise ValueError("it names a file outside of its folder")
        yield os.path.join(os.path.dirname(name), given), _object(entry.get("metadata"))


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("an object is needed")
    return value


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
