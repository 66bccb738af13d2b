"""Executions as lines of JSON, and back: the fields of launch and end as they are stored.

Knows the shape of these lines and what a line must not say; knows neither git nor who wrote them.
A line is checked, and most are encoded, by a library in a tenth of the time: what that one spells
differently (numbers that msgpack lacks, nested values) goes through `encoding`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Annotated, Any, Literal, Optional

import msgspec

from gitlineage import __version__, encoding
from gitlineage.records import FORMAT, Record
from gitlineage.records.end import STATUSES, End
from gitlineage.records.launch import Code, Launch, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LARGEST = (1 << 62) - 1
"""Times, durations and sizes at most."""

_ID = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]
_OBJECT = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
_INT = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
_LEAVES: dict[str, Any] = {"str": str, "int": int, "bool": bool, "bytes": bytes, "Any": Any}
_LEAVES_OF_TEXT = {**_LEAVES, "int": _INT, "bytes": str}

_MEANT: dict[tuple[str, str], Any] = {
    **{("Launch", name): _ID for name in ("parent", "root", "redacted", "reproduces")},
    **{("Code", name): _OBJECT for name in ("tree", "commit", "snapshot")},
    **{
        (half, "format"): Annotated[int, msgspec.Meta(ge=1, le=FORMAT)]
        for half in ("Launch", "End")
    },
    **{(half, "kind"): Literal["execution"] for half in ("Launch", "End")},
    ("End", "status"): Literal[STATUSES],
    ("Artifact", "type"): Literal["file", "directory", "uri", "special"],
    ("Artifact", "how"): Literal["declared", "observed", "argument", "detected"],
    ("Artifact", "size"): Annotated[int, msgspec.Meta(ge=0, le=LARGEST)],
}
"""What a field has to be beyond its type."""

_GIVEN = {
    *(("Launch", name) for name in ("nonce", "directory", "software", "code")),
    ("End", "execution"),
}
"""What a line may leave out, though a record has it."""


class NotRead(ValueError):
    """A line that is not one: why."""


class Read:
    """One execution of a line."""

    __slots__ = ("end", "execution", "is_plain", "launch", "log", "tags")

    def __init__(
        self,
        launch: Any,
        end: Any,
        log: bytes,
        is_plain: bool,
        tags: tuple[str, ...] | None = None,
    ) -> None:
        self.launch = launch
        """Has the attributes of a Launch, though it is none; the same with `end`."""
        self.end = end
        self.log = log
        self.tags: tuple[str, ...] = launch.tags if tags is None else tags
        self.execution: str | None = end.execution
        """The id that the line states."""
        self.is_plain = is_plain and _is_plain(launch, end)

    def encoded(self, half: Any) -> bytes:
        """Return the canonical bytes of its launch or end, as `encoding.encode` would.

        Raises NotRead for what cannot be stored.
        """
        if self.is_plain:
            try:
                content: bytes = _encode(half)
                if not _TAGGED.search(content):
                    return content
            except (OverflowError, UnicodeEncodeError):
                pass  # a number or a text that msgpack lacks
        try:
            return encoding.encode(as_record(half))
        except (TypeError, ValueError) as error:
            raise NotRead(_said(error)) from error


def read(line: bytes) -> Read:
    """Return the execution of a line. Raises NotRead."""
    try:
        try:
            if b'"$' in line:
                raise msgspec.DecodeError
            found, is_plain = _decode(line), True
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # NaN, text that is not UTF-8, and the tagged spellings of records.
            found, is_plain = msgspec.convert(json.loads(line, object_hook=_untagged), _Line), False
        launch, end = found.launch, found.end
        _complete(launch)
        _launch_bytes(launch)
        _end_bytes(end)
        return Read(launch, end, found.log.encode("utf-8", "surrogateescape"), is_plain,
                    found.tags)  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise NotRead(_said(error)) from error


def of_records(launch: Launch, end: End) -> Read:
    """Return an execution that is no line. Raises NotRead where it is no execution either."""
    try:
        return Read(
            msgspec.convert(launch, _LAUNCH, from_attributes=True),
            msgspec.convert(end, _END, from_attributes=True),
            b"",
            True,
        )
    except msgspec.ValidationError as error:
        raise NotRead(_said(error)) from error


def write(launch: bytes, end: bytes, log: bytes | None, tags: Sequence[str]) -> str:
    """Return the line of an execution from its stored parts and the tags that it has now.

    Raises InvalidRecord, NewerFormat.
    """
    start = encoding.decode(Launch, launch)
    line: dict[str, Any] = {"launch": _as_json(start), "end": _as_json(encoding.decode(End, end))}
    if log:
        line["log"] = encoding.as_text(log)
    if set(tags) != set(start.tags):
        line["tags"] = list(tags)
    return json.dumps(line)


def as_record(half: Any) -> Any:
    """Return what was read as a record."""
    kind = _KINDS.get(type(half))
    if kind is not None:
        return kind(**{name: as_record(getattr(half, name)) for name in kind._fields})
    if type(half) is tuple:
        return tuple(map(as_record, half))
    return half


# -- the shape of a line ------------------------------------------------------------------------


_KINDS: dict[type, type[Record]] = {}
_SHAPES: dict[tuple[type[Record], bool], Any] = {}


def _shape(kind: type[Record], is_text: bool) -> Any:
    """Return a record class as the library knows it; in text, digests are hexadecimal."""
    if (made := _SHAPES.get((kind, is_text))) is not None:
        return made
    fields: list[Any] = []
    for name in kind._fields:
        annotation = kind.__annotations__[name]
        meant = (kind.__name__, name)
        type_ = (_MEANT.get(meant) if is_text else None) or _type(
            kind, annotation.removesuffix(" | None"), is_text
        )
        if annotation.endswith(" | None"):
            type_ = type_ | None if isinstance(type_, type) else _optional(type_)
        if meant in _GIVEN and is_text:
            fields.append((name, _optional(type_), None))
        elif name not in kind._defaults:
            fields.append((name, type_))
        elif kind._defaults[name] or kind._defaults[name] == {}:
            # What is not left out when it is encoded: only an empty map of a factory is.
            default = kind._defaults[name]
            factory = dict if default == {} else lambda default=default: default
            fields.append((name, type_, msgspec.field(default_factory=factory)))
        else:
            fields.append((name, type_, kind._defaults[name]))
    made = msgspec.defstruct(
        kind.__name__,
        fields,
        kw_only=True,
        omit_defaults=True,
        forbid_unknown_fields=True,
        gc=False,
    )
    _KINDS[made] = kind
    _SHAPES[kind, is_text] = made
    return made


def _type(kind: type[Record], annotation: str, is_text: bool) -> Any:
    if annotation.startswith("tuple["):
        return tuple[_type(kind, annotation[6:].removesuffix(", ...]"), is_text), ...]  # type: ignore[misc]
    if annotation.startswith("Mapping["):
        return dict[str, _type(kind, annotation[8:-1].removeprefix("str, "), is_text)]  # type: ignore[misc]
    leaves = _LEAVES_OF_TEXT if is_text else _LEAVES
    return leaves.get(annotation) or _shape(_class(kind, annotation), is_text)


def _class(kind: type[Record], name: str) -> Any:
    """Return the class of a name where a record's field stands, if it is one."""
    return getattr(sys.modules[kind.__module__], name, None)


def _optional(type_: Any) -> Any:
    return Optional[type_]  # noqa: UP045 - it is no type by itself


_LAUNCH, _END = _shape(Launch, False), _shape(End, False)

_Line: Any = msgspec.defstruct(
    "Line",
    [
        ("launch", _shape(Launch, True)),
        ("end", _shape(End, True)),
        ("log", str, ""),
        ("tags", Optional[tuple[str, ...]], None),  # noqa: UP045
    ],
    forbid_unknown_fields=True,
)
_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.msgpack.Encoder(order="sorted").encode


def _complete(launch: Any) -> None:
    """Put in what a line may leave out."""
    if launch.nonce is None:
        launch.nonce = os.urandom(16).hex()
    if launch.directory is None:
        launch.directory = "."
    if launch.software is None:
        launch.software = _SOFTWARE
    if launch.code is None:
        launch.code = _shape(Code, True)()


_SOFTWARE = _shape(Software, True)(name="git-lineage", version=__version__)


_FROM_HEX = bytes.fromhex


# -- digests ------------------------------------------------------------------------------------


def _hexadecimal(kind: type[Record]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Return the fields that hold digests or records with digests, and what turns them to bytes."""
    found: list[tuple[str, Callable[[Any], Any]]] = []
    for name in kind._fields:
        inner = kind.__annotations__[name].removesuffix(" | None")
        if inner == "bytes":
            found.append((name, _digest if name == "previous" else _bytes))
        elif inner == "Mapping[str, bytes]":
            found.append((name, _digests))
        else:
            word = inner.removeprefix("tuple[").removesuffix(", ...]")
            held = _class(kind, word)
            if held is not None and (within := _hexadecimal(held)):
                found.append((name, _Within(within, inner != word)))
    return tuple(found)


class _Within:
    """Turns the digests in records within a record to bytes."""

    def __init__(
        self, fields: tuple[tuple[str, Callable[[Any], Any]], ...], are_many: bool
    ) -> None:
        self._fields = fields
        self._are_many = are_many

    def __call__(self, held: Any) -> Any:
        fields = self._fields
        for each in held if self._are_many else (held,):
            for name, turn in fields:
                # What holds digests is changed where it is; put back is what was text.
                if (value := getattr(each, name)) and (turned := turn(value)) is not value:
                    setattr(each, name, turned)
        return held


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text)


def _digest(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != 32:
        raise NotRead("a blake3 digest has 64 hexadecimal digits")
    return found


def _digests(named: dict[str, Any]) -> dict[str, Any]:
    for name in named:
        named[name] = _FROM_HEX(named[name])
    if "blake3" in named and len(named["blake3"]) != 32:
        raise NotRead("a blake3 digest has 64 hexadecimal digits")
    return named


_launch_bytes = _Within(_hexadecimal(Launch), False)
_end_bytes = _Within(_hexadecimal(End), False)


# -- what JSON and msgpack spell differently ----------------------------------------------------

_TAGGED = re.compile(rb"\x81(?:[\xa1-\xbf]|\xd9.)\$", re.DOTALL)
"""A map of one key that begins with `$`; or digits of a digest that look so."""

_SCALARS = frozenset((str, int, bool, type(None)))


def _is_plain(launch: Any, end: Any) -> bool:
    """Tell whether the values of names that people choose are spelled alike everywhere."""
    if launch.extra or end.extra:
        return False
    values = (launch.parameters, end.metadata, *(each.values for each in end.file_metadata))
    return all(
        type(value) in _SCALARS or (type(value) is float and value - value == 0)
        for held in values
        for value in held.values()
    )


def _untagged(held: dict[str, Any]) -> Any:
    """Return what a map of one key that begins with `$` stands for."""
    if len(held) != 1:
        return held
    ((key, value),) = held.items()
    if key == "$float" and value in ("nan", "inf", "-inf"):
        return float(value)
    if key == "$int" and isinstance(value, str):
        return int(value)
    if key == "$bytes" and isinstance(value, str):
        return bytes.fromhex(value)
    return {key[1:]: value} if key.startswith("$$") else held


def _as_json(value: Any) -> Any:
    """Return a record, or what it holds, as JSON has it; `_untagged` takes the tags away again."""
    if isinstance(value, Record):
        return {
            name: _as_json(held)
            for name in value._fields
            if (held := getattr(value, name)) not in (None, (), {}) or name not in value._defaults
        }
    if isinstance(value, (tuple, list)):
        return [_as_json(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        made = {name: _as_json(each) for name, each in value.items()}
        (first, *rest) = (*made, "")
        return {"$" + first: made[first]} if first[:1] == "$" and rest == [""] else made
    if isinstance(value, float) and value - value != 0:
        return {"$float": float.__repr__(value)}
    return value


def _said(error: Exception) -> str:
    """Return why a line is refused, as people read it."""
    text = str(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg.lower()} at character {error.pos + 1}"
    reason, separator, place = text.partition(" - at `$")
    return (
        reason[:1].lower()
        + reason[1:]
        + (" in " + place.strip("`.") if separator and place != "`" else "")
    )
