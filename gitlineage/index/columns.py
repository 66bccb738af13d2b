"""Values of a record as they stand in columns that are read, not compared.

Knows shapes of values; must not know which record they are of.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_TEXT = 500
"""Characters kept of a title or command: what a line of `log` can show, and more."""

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")
"""What a shell takes literally."""


def encoder() -> Callable[[Any], str]:
    """Return what turns plain values into JSON, in which SQLite finds its way.

    An infinite number is one that is read as infinite again, and NaN, which is no number, is text:
    neither is greater or less than anything that is asked for.
    """
    from json import encoder as json_encoder  # 5 ms: only where there is something to keep

    # JSONEncoder.encode sets up the same C function on every call, at three times the price.
    make = getattr(json_encoder, "c_make_encoder", None)
    shape = (None, os.fsdecode, json_encoder.encode_basestring_ascii, None)
    exactly = json_encoder._make_iterencode(  # type: ignore[attr-defined]
        *shape, _finite, ":", ",", _sort_keys=False, _skipkeys=False, _one_shot=True
    )
    encode = exactly if make is None else make(*shape, ":", ",", False, False, True)

    def encoded(values: Any) -> str:
        text = "".join(encode(values, 0))
        if "NaN" in text or "Infinity" in text:
            text = "".join(exactly(values, 0))
        return text

    return encoded


def _finite(value: float) -> str:
    if value - value == 0:
        return float.__repr__(value)
    return '"NaN"' if value != value else "9e999" if value > 0 else "-9e999"


def readable(value: Any) -> str:
    """Return text to be read, not compared."""
    return value if type(value) is str else bytes.decode(value, errors="replace")


def reproduced(launch: Any, record: Any) -> tuple[bytes | None, str | None]:
    """Return which execution a reproduction repeats, and how it came out."""
    first = launch.get("reproduces")
    if first is None:
        return None, None
    name = bytes.fromhex(first)
    if len(name) != 20:
        raise ValueError("reproduces is no execution id")
    comparison = record.get("comparison")
    return name, None if comparison is None else readable(comparison["verdict"])[:20]


def git_id(value: Any) -> bytes | None:
    """Return the bytes of an id of git's, where there is one."""
    return None if value is None else bytes.fromhex(value)


def command(words: Any) -> str:
    """Return a command as a shell would read it."""
    if type(words) is not list:
        raise TypeError("command is not a list")
    try:
        if _SAFE.issuperset("".join(words)) and "" not in words:
            return " ".join(words)[:LONGEST_TEXT]
    except TypeError:
        words = list(map(readable, words))
    return " ".join(
        word if word and _SAFE.issuperset(word) else "'" + word.replace("'", "'\"'\"'") + "'"
        for word in words
    )[:LONGEST_TEXT]


def cost_of(stored: Any) -> tuple[str, str] | None:
    """Return an amount and its currency. What is no amount is left out, as a sum would have to."""
    if stored is None:
        return None
    amount, currency = stored["amount"], stored["currency"]
    whole, _, rest = amount.partition(".")
    is_amount = (whole + rest).isascii() and whole.isdigit() and (rest or "0").isdigit()
    if not is_amount or len(amount) > 40 or not (currency.isascii() and currency.isalpha()):
        return None
    return amount, currency[:3]
