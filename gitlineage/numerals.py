"""Text that spells a number, as JSON, NumPy or Python print it. Knows nothing else."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LAST = frozenset("0123456789.nf")
"""How numbers end: 1, 1., nan, inf."""


def number(value: Any) -> Any:
    """Return the number that a text spells as JSON, NumPy or Python print it, else the value."""
    if type(value) is not str or value[-1:] not in _LAST or len(value) > 40 or "_" in value:
        return value
    if value.strip() != value or not value.isascii():
        return value
    digits = value.removeprefix("-")
    if digits[:1] == "0" and digits[1:2].isdigit():
        return value  # 00501 is a name
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
