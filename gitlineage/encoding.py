"""Canonical bytes of a record, and back. Knows msgpack; knows nothing of git or files.

Canonical means: keys sorted by their UTF-8 bytes, shortest integers, 64-bit floats, no extension
types, no key twice; text that is not valid UTF-8 is `bin`. What msgpack lacks is a map with one
key that begins with `$`: `{"$int": "123"}` beyond 64 bits, `{"$float": "nan"}` (also `inf`,
`-inf`); a map of that shape that means itself has one more `$` on its key. Any other form is
refused on reading, so that one value has one spelling and one id.
"""

from __future__ import annotations

import sys

import msgpack

from gitlineage import canonical, records
from gitlineage.errors import InvalidRecord, NewerFormat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    R = TypeVar("R", bound=records.Record)

LARGEST = 64 << 20
"""Bytes of one part at most: what is fetched comes from strangers. (300,000 declared inputs, or
700,000 files in one folder; git's objects are read up to this size as well.)"""

TRUSTED = 4 << 10
"""Bytes from which on the lengths that they claim are added up before anything is decoded."""


def pack(value: Any) -> bytes:
    """Return the canonical bytes of plain data: maps, lists, text, numbers, bytes, None.

    Raises TypeError for anything else, ValueError for nesting deeper than `canonical.DEEPEST` and
    for an integer of more digits than Python reads again.
    """
    packed: bytes = msgpack.packb(canonical.form_of(value, canonical.DEEPEST), use_bin_type=True)
    return packed


def pack_ordered(entries: list[dict[str, Any]]) -> bytes:
    """Return the canonical bytes of flat maps of text, small integers and bytes, keys in order.

    Raises ValueError where that is more than is read again.
    """
    try:
        packed: bytes = msgpack.packb(entries, use_bin_type=True)
    except UnicodeEncodeError:  # some text is no UTF-8: then each is looked at
        packed = pack(entries)
    if len(packed) > LARGEST:
        raise ValueError(f"larger than {LARGEST} bytes")
    return packed


def unpack(content: bytes, record: str = "?", largest: int = LARGEST) -> Any:
    """Return the plain data of canonical bytes; `record` names it in errors.

    Raises InvalidRecord for anything that `pack` would have written differently.
    """
    if len(content) > largest:
        raise InvalidRecord(record=record, reason=f"larger than {largest} bytes")
    try:
        # msgpack makes a list as long as it claims to be, bounded by the bytes that there are:
        # 4 MiB of nested claims are 32 GiB of lists. All claims together may not be more.
        if len(content) > TRUSTED and canonical.claimed(content) > len(content):
            raise ValueError("shorter than it claims")
        if _decode is not None and (found := _read_plain(content)) is not None:
            return found
        value = msgpack.unpackb(content, raw=False, strict_map_key=True, max_ext_len=0)
        again = msgpack.packb(value, use_bin_type=True)
        plain = canonical.meaning_of(value, canonical.DEEPEST)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise InvalidRecord(record=record, reason=str(error) or "malformed") from error
    if again != content:
        raise InvalidRecord(record=record, reason="not in canonical form")
    return plain


def is_plain(content: bytes) -> bool:
    """Tell whether `unpack_plain` reads bytes as `unpack` does, once there was `hasten`.

    Nearly all that records hold is plain; what is not may be canonical all the same.
    """
    return (
        len(content) <= LARGEST
        and (len(content) <= TRUSTED or canonical.claimed(content) <= len(content))
        and _read_plain(content) is not None
    )


def unpack_plain(content: bytes) -> Any:
    """Return the plain data of bytes that `is_plain` was told of: nothing is checked again."""
    hasten()
    assert _decode is not None
    return _decode(content)


def hasten() -> None:
    """Prepare for reading many: 15 ms of import, and a third of the time for each from then on."""
    global _decode, _encode_sorted, _refusals, _find_tag, _find_no_number, _find_times
    if _decode is None:
        import re

        import msgspec

        # Patterns with a fixed beginning are found faster than bytes are by `in`.
        # A map of one key, and that begins with `$`.
        _find_tag = re.compile(rb"(?s)\x81(?:[\xa0-\xbf]|\xd9.|\xda..|\xdb....)\$").search
        _find_no_number = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]").search
        # What the extension type of times begins with, in 4, 8 and 12 bytes.
        begins = (rb"\xd6\xff", rb"\xd7\xff", rb"\xc7\x0c\xff")
        _find_times = tuple(re.compile(each).search for each in begins)
        _refusals = (ValueError, TypeError, RecursionError, msgspec.MsgspecError)
        _encode_sorted = msgspec.msgpack.Encoder(order="sorted").encode
        _decode = msgspec.msgpack.Decoder(ext_hook=_refuse).decode


_decode: Callable[[bytes], Any] | None = None
_encode_sorted: Callable[[Any], bytes] = bytes
_refusals: tuple[type[Exception], ...] = ()
_find_tag: Callable[[bytes], object] = bool
_find_no_number: Callable[[bytes], object] = bool
_find_times: tuple[Callable[[bytes], object], ...] = ()


def _read_plain(content: bytes) -> Any:
    """Return what plain bytes hold; None for all that another look is needed at."""
    assert _decode is not None
    if not _is_simple(content):
        return None
    try:
        value = _decode(content)
        # Keys that are no text are refused here.
        return value if _encode_sorted(value) == content else None
    except _refusals:
        return None


def _refuse(code: int, _: object) -> None:
    raise ValueError(f"extension type {code}")


def _is_simple(content: bytes) -> bool:
    """Tell whether bytes are canonical if they are what their value with sorted keys is written as.

    That leaves open what no encoder tells: values that are spelled with `$`, floats that are no
    numbers, which begin so, nesting, which is no deeper than there are lists and maps, and times,
    the one extension type that msgspec has a value for.
    """
    return (
        not _find_tag(content)
        and not _find_no_number(content)
        and len(content.translate(None, _NO_LISTS)) <= canonical.DEEPEST
        and (b"\xff" not in content or not any(find(content) for find in _find_times))
    )


_NO_LISTS = bytes(each for each in range(256) if not (0x80 <= each < 0xA0 or 0xDC <= each < 0xE0))
"""All bytes that no list and no map begins with."""


def encode(record: records.Record) -> bytes:
    """Return the canonical bytes of a record.

    A field that is None, False, zero or empty is left out where that is what its absence means, so
    that a record has the same bytes when later versions know more fields.
    """
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


def as_text(content: bytes) -> str:
    """Return what stands for bytes in text; not by the locale, as `os.fsdecode` would."""
    return content.decode("utf-8", "surrogateescape")


def _as_map(record: records.Record) -> dict[str, Any]:
    made = {}
    for name in record._fields:
        value = getattr(record, name)
        if name == "extra":
            made.update(value)
        elif _is_left_out(record._defaults, name, value):
            continue
        elif isinstance(value, records.Record):
            made[name] = _as_map(value)
        elif isinstance(value, tuple):
            made[name] = [_as_map(e) if isinstance(e, records.Record) else e for e in value]
        else:
            made[name] = value
    return made


def _is_left_out(defaults: Mapping[str, Any], name: str, value: Any) -> bool:
    if name not in defaults or (default := defaults[name]):
        return False
    return value is default or (type(value) is type(default) and value == default)


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
            known[name] = _as_field(kind, shape, found, record)
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


def _as_field(kind: type[records.Record], shape: str, found: Any, record: str) -> Any:
    """Return a field's value. Raises TypeError where it is not of the shape that is annotated."""
    if shape == "str":
        if type(found) is bytes:
            return _text(found)
        if type(found) is str:
            return found
    elif shape == "int":
        # No count, size or time is larger; SQLite and others could not hold it.
        if type(found) is int and -(1 << 63) <= found < 1 << 63:
            return found
    elif shape in ("bytes", "bool"):
        if type(found).__name__ == shape:
            return found
    elif shape.startswith("tuple["):
        if type(found) is list:
            each = shape[6:].removesuffix(", ...]")
            return tuple(_as_field(kind, each, member, record) for member in found)
    elif shape.startswith("Mapping["):
        if type(found) is dict:
            held = shape[8:-1].removeprefix("str, ")
            if held == "Any":
                return _texts(found)
            return {key: _as_field(kind, held, member, record) for key, member in found.items()}
    elif type(found) is dict:
        return _as_record(getattr(sys.modules[kind.__module__], shape), found, record)
    raise TypeError(shape)


def _text(content: bytes) -> str:
    """Return text that was stored as bytes, which is not UTF-8: else it has another spelling."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return as_text(content)
    raise TypeError("text stored as bytes")


def _texts(value: Any) -> Any:
    """Return parameters or metadata with text that is not UTF-8 as text; they hold no bytes."""
    if type(value) is bytes:
        return _text(value)
    if type(value) is list:
        return [_texts(each) for each in value]
    if type(value) is dict:
        return {key: _texts(each) for key, each in value.items()}
    return value
