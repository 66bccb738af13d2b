"""Tables of every stored field, and golden vectors, for format.md. Knows records/ as a text."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from gitlineage.records import (
    Record,
    alias,
    artifact,
    deployment,
    end,
    launch,
    metadata,
    parts,
    redaction,
)

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"

ROOMS = (alias, artifact, deployment, end, launch, metadata, parts, redaction)

TYPES = {"str": "text", "int": "integer", "bytes": "bytes", "bool": "boolean", "Any": "anything"}


def described() -> dict[str, dict[str, str]]:
    """Return class to field to what is said about it, the class's own sentence under ''."""
    found = {}
    for node in (node for room in ROOMS for node in ast.parse(inspect.getsource(room)).body):
        if isinstance(node, ast.ClassDef):
            said = {"": ast.get_docstring(node) or ""}
            for field, following in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    said[field.target.id] = _text(following)
            found[node.name] = said
    return found


def _text(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def stored_type(annotation: str) -> str:
    """Return the type of a field in words: `list of [Artifact](#artifact)`."""
    held = annotation.removesuffix(" | None")
    if held.startswith("tuple["):
        return f"list of {stored_type(held[6:].removesuffix(', ...]'))}"
    if held.startswith("Mapping[str, "):
        return f"map to {stored_type(held[13:-1])}"
    return TYPES.get(held) or f"[{held}](#{held.lower()})"


def class_of(name: str) -> type[Record]:
    """Return a class of records."""
    (found,) = {vars(room)[name] for room in ROOMS if name in vars(room)}
    return found


def rows(name: str) -> Iterator[str]:
    """Yield the rows of a class's table."""
    kind, said = class_of(name), described()[name]
    for field in kind._fields:
        if field == "extra":
            continue
        default = kind._defaults.get(field)
        is_needed = field not in kind._defaults or bool(default)
        meaning = said[field].replace("|", "\\|")
        kind_of = stored_type(kind.__annotations__[field])
        yield f"| `{field}` | {kind_of} | {'always' if is_needed else ''} | {meaning} |"


def table(name: str) -> str:
    """Return a section with the fields of a class."""
    head = ["| field | type | there | meaning |", "|---|---|---|---|"]
    return "\n".join([f"### {name}", "", described()[name][""], "", *head, *rows(name)])


def tables(*names: str) -> str:
    """Return the sections of several classes."""
    return "\n\n".join(table(name) for name in names)


def vector(name: str) -> str:
    """Return a golden vector as Markdown: each part's value and bytes, and the ids."""
    found = json.loads((GOLDEN / f"{name}.json").read_text())
    pieces = []
    for part, held in found["parts"].items():
        value = json.dumps(held["value"], ensure_ascii=False)
        lines = textwrap.wrap(held["bytes"], 96)
        pieces += [f"`{part}`:", "", "```json", *textwrap.wrap(value, 96), "```", ""]
        pieces += ["```text", *lines, "```", ""]
    pieces += [f"The id of the execution is `{found['execution']}`."]
    pieces += [f"The id of the record is `{found['record']}`."]
    return "\n".join(pieces)
