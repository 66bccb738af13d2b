"""How numbers, times and names are worded for people; makes recorded text safe for a terminal.

Knows nothing of records, colors or where the words go.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

ELLIPSIS = "\u2026"

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
"""Characters that no shell gives a meaning."""

SHORT = 8
"""Characters of an id that are shown."""


def size(count: int) -> str:
    """Return a number of bytes as `512 B`, `1.2 MiB`, `340 GiB`."""
    if abs(count) < 1024:
        return f"{count} B"
    amount, unit = float(count), 0
    # 1023.5 would be shown as 1024.
    while abs(amount) >= 1023.5 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    digits = 1 if abs(amount) < 99.95 else 0
    return f"{amount:.{digits}f} {UNITS[unit]}"


def duration(microseconds: int) -> str:
    """Return a length of time as `310 ms`, `12.3 s`, `2 m 05 s`, `1 h 02 m`, `3 d 04 h`."""
    if microseconds < 0:
        return "-" + duration(-microseconds)
    if 0 < microseconds < 1000:
        return "<1 ms"
    # Each bound is where rounding would reach the next form's smallest value.
    if microseconds < 999_500:
        return f"{(microseconds + 500) // 1000} ms"
    if microseconds < 59_950_000:
        return f"{microseconds / 1e6:.1f} s"
    seconds = (microseconds + 500_000) // 1_000_000
    if seconds < 3600:
        return f"{seconds // 60} m {seconds % 60:02d} s"
    minutes = (seconds + 30) // 60
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} m"
    hours = (minutes + 30) // 60
    return f"{hours // 24} d {hours % 24:02d} h"


def moment(microseconds: int) -> str:
    """Return a time in the zone of whoever reads it: `2026-11-23 14:02`."""
    try:
        at = time.localtime(microseconds // 1_000_000)
    except (OverflowError, ValueError, OSError):
        return _raw(microseconds)
    if not 0 <= at.tm_year <= 9999:
        return _raw(microseconds)
    return f"{at.tm_year:04d}-{at.tm_mon:02d}-{at.tm_mday:02d} {at.tm_hour:02d}:{at.tm_min:02d}"


def isoformat(microseconds: int) -> str:
    """Return a time as ISO 8601 in UTC: `2026-11-23T12:02:41.000123Z`."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    days, rest = divmod(seconds, 86_400)
    day = _days.get(days)
    if day is None:
        try:
            at = time.gmtime(seconds)
        except (OverflowError, ValueError, OSError):
            return _raw(microseconds)
        if not 0 <= at.tm_year <= 9999:
            return _raw(microseconds)
        day = f"{at.tm_year:04d}-{at.tm_mon:02d}-{at.tm_mday:02d}"
        if len(_days) < 10_000:
            _days[days] = day
    minutes, second = divmod(rest, 60)
    return f"{day}T{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{fraction:06d}Z"


_days: dict[int, str] = {}
"""Days since 1970 as they are written: a trace of 100,000 nodes has few of them."""


def _raw(microseconds: int) -> str:
    # No calendar has it: git's way of writing seconds since 1970.
    return f"@{microseconds // 1_000_000}"


def number(value: float) -> str:
    """Return a number with four significant digits; integers whole, up to fifteen digits."""
    if isinstance(value, int):
        try:
            return str(value) if abs(value) < 10**15 else f"{value:.3e}"
        except OverflowError:
            return "Infinity" if value > 0 else "-Infinity"
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    # `g` would write 12345.6 as 1.235e+04.
    return f"{value:.0f}" if 9999.5 <= abs(value) < 1e15 else f"{value:.4g}"


def exact(value: float) -> str:
    """Return a number with all of its digits, as Python writes it."""
    if value != value or value in (float("inf"), float("-inf")):
        return number(value)
    try:
        return repr(value)
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        return number(value)


def value(content: object, number: Callable[[float], str] = number) -> str:
    """Return one metadata or parameter value on one line, safe to show; `number` words numbers."""
    if content is None or isinstance(content, bool):
        return {None: "null", True: "true", False: "false"}[content]
    if isinstance(content, (int, float)):
        return number(content)
    if isinstance(content, bytes):
        return safe(content.decode("utf-8", "surrogateescape"))
    if isinstance(content, dict):
        pairs = (f"{value(k, number)}: {value(v, number)}" for k, v in content.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(content, (list, tuple)):
        return "[" + ", ".join(value(v, number) for v in content) + "]"
    return safe(str(content))


def pairs(values: Mapping[str, object], width: int = 24) -> list[str]:
    """Return `name=value` of each, the value shortened to a width."""
    return [f"{safe(str(k))}={shorten(value(v), width)}" for k, v in values.items()]


def safe(text: str, encoding: str = "utf-8") -> str:
    r"""Return recorded text with what is not printable made visible, as `\x1b` or `\u202e`.

    That is: control characters, and with them escape sequences and line ends, marks that change
    the direction of the text, invisible characters, bytes that were not valid UTF-8 (`\xff`), and
    what `encoding` has no character for.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _visible(c) for c in text)
    if text.isascii() or encoding == "utf-8":
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    named = {9: r"\t", 10: r"\n", 13: r"\r"}.get(code)
    if named:
        return named
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(c) for c in text)


def _columns(character: str) -> int:
    import unicodedata  # 1 ms: only once there is text that is not ASCII

    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, columns: int, ellipsis: str = ELLIPSIS) -> str:
    """Return a text cut in the middle to a width, keeping more of its end: paths tell more there.

    Where the last part of a path fits, it is kept whole.
    """
    if width(text) <= columns:
        return text
    room = columns - width(ellipsis)
    if room < 2:
        return _head(text, max(columns, 0))
    tail = room - room // 3
    name = width(text.rpartition("/")[2]) + 1
    if tail < name <= room - 2:
        tail = name
    end = _head(text[::-1], tail)[::-1]
    return _head(text, room - tail) + ellipsis + end


def clip(text: str, columns: int, ellipsis: str = ELLIPSIS) -> str:
    """Return a text cut at its end to a width."""
    if width(text) <= columns:
        return text
    return _head(text, columns - width(ellipsis)).rstrip() + ellipsis


def wrap(text: str, columns: int, indent: str = "   ") -> list[str]:
    """Return a text as lines of a width, those after the first indented; long words are broken."""
    lines = [""]
    for word in text.split(" "):
        start, rest = " " if lines[-1].strip() else "", word
        if width(lines[-1] + start + rest) > columns and start:
            lines.append(indent)
            start = ""
        lines[-1] += start
        while width(lines[-1] + rest) > columns and len(lines) < len(text) + 2:
            part = _head(rest, columns - width(lines[-1]))
            lines[-1] += part
            rest = rest[len(part) :]
            lines.append(indent)
        lines[-1] += rest
    return lines


def wrap_shell(text: str, columns: int, indent: str = "  ") -> list[str]:
    r"""Return what a shell reads as lines of a width that are, copied, the same to it.

    Where a line was broken it ends with a backslash; words and what is quoted are not broken.
    """
    lines, quote, is_escaped = [], "", False
    for line in text.split("\n"):
        lines.append("")
        for number, word in enumerate(line.split(" ")):
            is_inside, is_escaped = bool(quote) or is_escaped, False
            if word.startswith("#") and not is_inside:
                return text.split("\n")  # a comment cannot go on in the next line
            for character in word:
                if is_escaped:
                    is_escaped = False
                elif character == "\\" and quote != "'":
                    is_escaped = True
                elif character in (quote or "'\""):
                    quote = "" if quote else character
            space = " " if number else ""
            is_fitting = width(lines[-1] + space + word) <= columns - 2
            if is_inside or is_fitting or not lines[-1].strip():
                lines[-1] += space + word
            else:
                lines[-1] += " \\"
                lines.append(indent + word)
        is_escaped = False
    return lines


def _head(text: str, columns: int) -> str:
    used = 0
    for at, character in enumerate(text):
        used += 1 if character.isascii() else _columns(character)
        if used > columns:
            return text[:at]
    return text


def shell(words: Iterable[str]) -> str:
    """Return a command as a shell would read it; `shlex.join`, without importing `re`."""
    return " ".join(
        word if word and PLAIN.issuperset(word) else "'" + word.replace("'", "'\"'\"'") + "'"
        for word in words
    )


def short_id(full: str) -> str:
    """Return the start of an id, `3f07c1d2`, or of a content digest, `blake3:ab12cd34`."""
    algorithm, colon, digits = full.partition(":")
    return safe(algorithm[:16] + colon + digits[:SHORT] if colon else full[:SHORT])


def plain(value: Any) -> Any:
    """Return plain data as JSON has it: no NaN, no bytes, no text that is not valid UTF-8."""
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return number(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "".join(safe(c) if "\ud800" <= c <= "\udfff" else c for c in value)
        return value
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "items"):
        return {plain(k): plain(v) for k, v in value.items()}
    return value
