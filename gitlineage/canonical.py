"""What plain data looks like in canonical form, and what it means. Knows no msgpack library.

`encoding` says which form is canonical. What is checked here is what decoding alone does not tell:
order and spelling of keys, values that are spelled with `$`, nesting, and lengths that lie.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEEPEST = 64
"""Maps and lists inside one another at most."""


def claimed(content: bytes) -> int:
    """Return how many members all lists and maps claim together, whatever is nested in what.

    Raises ValueError where the bytes end early.
    """
    at, claimed, end = 0, 0, len(content)
    while at < end and claimed <= end:
        first = content[at]
        at += 1
        if first < 0x80 or first >= 0xE0 or 0xC0 <= first <= 0xC3:
            continue
        if first < 0x90:
            claimed += 2 * (first & 15)
        elif first < 0xA0:
            claimed += first & 15
        elif first < 0xC0:
            at += first & 31
        else:
            width, factor = _WIDTHS[first - 0xC4]
            if factor is None:
                at += width
                continue
            length = int.from_bytes(content[at : at + width], "big")
            at += width
            if factor:
                claimed += factor * length
            else:
                at += length
    if at > end:
        raise ValueError("incomplete")
    return claimed


_WIDTHS: tuple[tuple[int, int | None], ...] = (
    *((1, 0), (2, 0), (4, 0)),  # bin: a length of so many bytes, and that many bytes
    *((1, 0), (2, 0), (4, 0)),  # ext, which is refused later
    *((4, None), (8, None)),  # float: so many bytes
    *((1, None), (2, None), (4, None), (8, None)) * 2,  # unsigned and signed integers
    *((2, None), (3, None), (5, None), (9, None), (17, None)),  # ext of a fixed length
    *((1, 0), (2, 0), (4, 0)),  # text
    *((2, 1), (4, 1)),  # list: a number of so many bytes, and that many members
    *((2, 2), (4, 2)),  # map
)
"""What follows the first bytes 0xC4 to 0xDF."""


def form_of(value: Any, deep: int) -> Any:
    """Return what is to be encoded for plain data that is nested no deeper than `deep`.

    Raises TypeError and ValueError for what has no canonical form.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return _not_utf8(value)
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else {"$int": str(value)}
    if isinstance(value, float):
        return value if value - value == 0 else {"$float": float.__repr__(value)}
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if deep == 0 and isinstance(value, (list, tuple, dict)):
        raise ValueError("nested too deeply")
    if isinstance(value, (list, tuple)):
        return [form_of(each, deep - 1) for each in value]
    if isinstance(value, dict):
        keys = sorted(value)
        if len(keys) == 1 and isinstance(keys[0], str) and keys[0].startswith("$"):
            return {_key("$" + keys[0]): form_of(value[keys[0]], deep - 1)}
        made = {_key(key): form_of(value[key], deep - 1) for key in keys}
        if len(made) < len(keys):
            raise ValueError("two keys have one spelling")
        # A key that was not UTF-8 may have changed its place.
        return made if list(made) == keys else {key: made[key] for key in sorted(made)}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _not_utf8(text: str) -> bytes | str:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # From JSON such as `"\\ud800"`: no bytes have that meaning, so it is spelled out.
        return text.encode("utf-8", "backslashreplace").decode()


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("keys are text")
    return key if key.isascii() else key.encode("utf-8", "backslashreplace").decode()


def meaning_of(value: Any, deep: int) -> Any:
    """Return what a decoded value means; check the order of keys on the way, else ValueError.

    Lists and maps are changed in place: copying them doubled the time of reading a record. What
    is in them is looked at here where it holds nothing else: a call for each took as long again.
    """
    kind = type(value)
    if kind is dict:
        keys = tuple(value)
        if len(keys) == 1 and keys[0].startswith("$"):
            return _tagged(keys[0], value[keys[0]], deep)
        if deep == 0:
            raise ValueError("nested too deeply")
        if keys not in _IN_ORDER:
            _check_order(keys)
        for key, each in value.items():
            of = type(each)
            if of is dict or of is list:
                value[key] = meaning_of(each, deep - 1)
            elif of not in _SCALARS or (of is float and each - each != 0):
                raise _not_allowed(each)
    elif kind is list:
        if deep == 0:
            raise ValueError("nested too deeply")
        for place, each in enumerate(value):
            of = type(each)
            if of is dict or of is list:
                value[place] = meaning_of(each, deep - 1)
            elif of not in _SCALARS or (of is float and each - each != 0):
                raise _not_allowed(each)
    elif kind not in _SCALARS or (kind is float and value - value != 0):
        raise _not_allowed(value)
    return value


_SCALARS = frozenset((str, int, bytes, bool, float, type(None)))

_IN_ORDER: set[tuple[str, ...]] = set()
"""Keys of maps that were found to be in order: most records have the same ones."""


def _check_order(keys: tuple[Any, ...]) -> None:
    """Raise ValueError where keys are not sorted text."""
    # A key that stood twice has become one here, and the bytes written again are shorter.
    # Text and bytes cannot be sorted together: where the first is text, all are.
    if list(keys) != sorted(keys) or (keys and type(keys[0]) is not str):
        raise ValueError("keys are not sorted text")
    if len(_IN_ORDER) < 1000 and len(keys) < 50:
        _IN_ORDER.add(keys)


def _not_allowed(value: Any) -> ValueError:
    if type(value) is float:
        return ValueError("a non-finite number stands bare")
    return ValueError(f"{type(value).__name__} is not allowed")


def _tagged(key: str, value: Any, deep: int) -> Any:
    if key == "$int" and isinstance(value, str) and len(value) < 5000:
        number = int(value)
        if -(1 << 63) <= number < 1 << 64 or str(number) != value:
            raise ValueError("a tagged integer that msgpack could have held")
        return number
    if key == "$float" and value in ("nan", "inf", "-inf"):
        return float(value)
    if key.startswith("$$") and deep:
        return {key[1:]: meaning_of(value, deep - 1)}
    raise ValueError("an unknown tagged value")
