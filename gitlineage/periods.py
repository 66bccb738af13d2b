"""Days, months and years as people write them. Knows this machine's time zone, and no git."""

from __future__ import annotations

import time


def period(text: str) -> tuple[int, int] | None:
    """Return when a day, a month or a year begins here, and the next; None for other text."""
    words = text.split("-")
    if not all(each.isascii() and each.isdecimal() for each in words) or len(words) > 3:
        return None
    if [len(each) for each in words] != [4, 2, 2][: len(words)]:
        return None
    given = [int(each) for each in words]
    following = [*given[:-1], given[-1] + 1]
    ends = []
    for year, month, day in ((*each, 1, 1)[:3] for each in (given, following)):
        try:
            at = time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))
        except (OverflowError, ValueError):
            return None
        ends.append(int(at) * 1_000_000)
    is_real = len(given) < 2 or 1 <= given[1] <= 12
    if len(given) == 3:
        is_real = is_real and time.localtime(ends[0] // 1_000_000)[1:3] == tuple(given[1:])
    return (ends[0], ends[1]) if is_real else None
