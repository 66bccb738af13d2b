"""Canonical bytes of a record, and back. Knows msgpack; knows nothing of git or files.

Canonical means: keys sorted by their UTF-8 bytes, shortest integers, 64-bit floats, no extension
types, no key twice; text that is not valid UTF-8 is `bin`. What msgpack lacks is a map with one
key that begins with `$`: `{"$int": "123"}` beyond 64 bits, `{"$float": "nan"}` (also `inf`,
`-inf`); a map of that shape that means itself has one more `$` on its key. Any other form is
refused on reading, so that one value has one spelling and one id.
"""

from __future__ import annotations

import os

import msgpack

from gitlineage import records
from gitlineage.errors import InvalidRecord, NewerFormat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    R = TypeVar("R", bound=records.Record)

LARGEST = 4 << 20
"""Bytes of one part at most: what is fetched comes from strangers."""

DEEPEST = 64
"""Levels of nesting at most."""


def pack(value: Any) -> bytes:
    """Return the canonical bytes of plain data: maps, lists, text, numbers, bytes, None.

    Raises TypeError for anything else, ValueError for nesting deeper than `DEEPEST`.
    """
    packed: bytes = msgpack.packb(_canonical(value, DEEPEST), use_bin_type=True)
    return packed


def unpack(content: bytes, record: str = "?", largest: int = LARGEST) -> Any:
    """Return the plain data of canonical bytes; `record` names it in errors.

    Raises InvalidRecord for anything that `pack` would have written differently.
    """
    if len(content) > largest:
        raise InvalidRecord(record=record, reason=f"larger than {largest} bytes")
    try:
        # Lengths that the bytes only claim are bounded by the bytes themselves.
        value = msgpack.unpackb(content, raw=False, strict_map_key=True, max_ext_len=0)
        plain = _plain(value, DEEPEST)
        again = msgpack.packb(value, use_bin_type=True)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise InvalidRecord(record=record, reason=str(error) or "malformed") from error
    if again != content:
        raise InvalidRecord(record=record, reason="not in canonical form")
    return plain


def encode(record: records.Record) -> bytes:
    """Return the canonical bytes of a record; fields that are None or empty are left out."""
    return pack(_as_map(record))


def decode(kind: type[R], content: bytes, record: str = "?") -> R:
    """Return the record of that class that the bytes hold; unknown fields go into `extra`.

    Raises InvalidRecord, and NewerFormat for a format that this version does not know.
    """
    value = unpack(content, record)
    if not isinstance(value, dict):
        raise InvalidRecord(record=record, reason="not a map")
    found = value.get("format")
    if type(found) is not int or found < 1:
        raise InvalidRecord(record=record, reason="it names no format")
    if found > records.FORMAT:
        raise NewerFormat(record=record, found=found, known=records.FORMAT)
    return _as_record(kind, value, record)


def _canonical(value: Any, deep: int) -> Any:
    if deep < 0:
        raise ValueError("nested too deeply")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else {"$int": str(value)}
    if isinstance(value, float):
        return value if value - value == 0 else {"$float": repr(value)}
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return [_canonical(each, deep - 1) for each in value]
    if isinstance(value, dict):
        keys = sorted(value)
        if len(keys) == 1 and keys[0].startswith("$"):
            return {"$" + keys[0]: _canonical(value[keys[0]], deep - 1)}
        return {_key(key): _canonical(value[key], deep - 1) for key in keys}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("keys are text")
    key.encode()
    return key


def _plain(value: Any, deep: int) -> Any:
    """Return what a decoded value means; check the order of keys on the way."""
    if deep < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        keys = list(value)
        if len(keys) == 1 and keys[0].startswith("$"):
            return _tagged(keys[0], value[keys[0]], deep)
        # A key that stood twice has become one here, and the bytes written again are shorter.
        if any(type(key) is not str for key in keys) or keys != sorted(keys):
            raise ValueError("keys are not sorted text")
        return {
            key: each if type(each) in _SCALARS else _plain(each, deep - 1)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [each if type(each) in _SCALARS else _plain(each, deep - 1) for each in value]
    if type(value) is float and value - value != 0:
        raise ValueError("a non-finite number stands bare")
    if type(value) not in _PLAIN:
        raise ValueError(f"{type(value).__name__} is not allowed")
    return value


_SCALARS = (str, int, bytes, bool, type(None))
_PLAIN = (*_SCALARS, float)


def _tagged(key: str, value: Any, deep: int) -> Any:
    if key == "$int" and isinstance(value, str) and len(value) < 5000:
        number = int(value)
        if -(1 << 63) <= number < 1 << 64 or str(number) != value:
            raise ValueError("a tagged integer that msgpack could have held")
        return number
    if key == "$float" and value in ("nan", "inf", "-inf"):
        return float(value)
    if key.startswith("$$"):
        return {key[1:]: _plain(value, deep - 1)}
    raise ValueError("an unknown tagged value")


def _as_map(record: records.Record) -> dict[str, Any]:
    made = {}
    for name in record._fields:
        value = getattr(record, name)
        if name == "extra":
            made.update(value)
        elif value is None or value is False or value == () or value == {}:
            continue
        elif isinstance(value, records.Record):
            made[name] = _as_map(value)
        elif isinstance(value, tuple):
            made[name] = [_as_map(e) if isinstance(e, records.Record) else e for e in value]
        else:
            made[name] = value
    return made


def _as_record(kind: type[R], value: Mapping[str, Any], record: str) -> R:
    shapes = _shapes(kind)
    known: dict[str, Any] = {}
    extra = {}
    for name, found in value.items():
        shape = shapes.get(name)
        if shape is None:
            extra[name] = found
            continue
        try:
            known[name] = _as_field(shape, found, record)
        except TypeError:
            raise InvalidRecord(record=record, reason=f"{name} is not {shape}") from None
    if extra and "extra" in kind._fields:
        known["extra"] = extra
    try:
        return kind(**known)
    except TypeError as error:
        raise InvalidRecord(record=record, reason=str(error)) from error


def _shapes(kind: type[records.Record]) -> Mapping[str, str]:
    """Return field name to its annotation, which is text (PEP 563); built once for each class."""
    found = _SHAPES.get(kind)
    if found is None:
        found = _SHAPES[kind] = {
            name: kind.__annotations__[name].removesuffix(" | None")
            for name in kind._fields
            if name != "extra"
        }
    return found


_SHAPES: dict[type[records.Record], Mapping[str, str]] = {}


def _as_field(shape: str, found: Any, record: str) -> Any:
    """Return a field's value. Raises TypeError where it is not of the shape that is annotated."""
    if shape == "str":
        if type(found) is bytes:
            return os.fsdecode(found)
        if type(found) is str:
            return found
    elif shape in ("int", "bytes", "bool"):
        if type(found).__name__ == shape:
            return found
    elif shape.startswith("tuple["):
        if type(found) is list:
            each = shape[6:].removesuffix(", ...]")
            return tuple(_as_field(each, member, record) for member in found)
    elif shape.startswith("Mapping["):
        if type(found) is dict:
            held = shape[8:-1].removeprefix("str, ")
            if held == "Any":
                return found
            return {key: _as_field(held, member, record) for key, member in found.items()}
    elif type(found) is dict:
        return _as_record(getattr(records, shape), found, record)
    raise TypeError(shape)
