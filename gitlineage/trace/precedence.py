"""Which of two executions was before the other, as their clocks and the ledger have it.

Knows mentions alone; that neither of two is before the other where one runs inside it is for
`makers` to see. Otherwise the first of these that says anything decides:

1. Of two on one machine, one is before the other when it ended before the other started.
2. Of two on different machines that is so too, unless the ledger has their ends the other way
   round; and where the times say that it ended even after the other had ended, but the ledger has
   its end first, a clock is wrong and the ledger is right.
3. Where times are missing, the one whose end the ledger has first.

The order in the ledger is known within a segment only; two ends are taken to be in one when they
finished in the same month.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitlineage.index import Mention

SKEW = 24 * 3600 * 1_000_000
"""Microseconds that the clocks of two machines are believed to differ at most."""


def had_ended(maker: Mention, use: Mention) -> bool:
    """Tell whether a maker had ended before a user started."""
    ended = maker.finished_at if maker.finished_at is not None else maker.started_at
    if ended is None or use.started_at is None:
        return maker.sequence < use.sequence
    if ended <= use.started_at:
        return maker.sequence <= use.sequence or not _is_compared(maker, ended, use)
    return (
        use.finished_at is not None
        and ended > use.finished_at
        and maker.sequence < use.sequence
        and _is_compared(maker, ended, use)
    )


def may_precede(maker: Mention, use: Mention) -> bool:
    """Tell whether a maker may have begun before a use ended, clocks considered."""
    if maker.started_at is None or use.started_at is None:
        return True
    slack = 0 if maker.host == use.host else SKEW
    return maker.started_at <= (use.finished_at or use.started_at) + slack


def ended_at(mention: Mention) -> tuple[int, int, str]:
    """Return what executions are ordered by: when they ended, as far as that is known."""
    at = mention.finished_at if mention.finished_at is not None else mention.started_at
    return (at or 0, mention.sequence, mention.id)


def started_at(mention: Mention) -> tuple[int, str]:
    """Return what executions are ordered by where their beginning counts."""
    return (mention.started_at or 0, mention.id)


def _is_compared(maker: Mention, ended: int, use: Mention) -> bool:
    """Tell whether the order of the ledger says which of two ended first, rather than clocks."""
    return (
        maker.host != use.host
        and use.finished_at is not None
        and _month(ended) == _month(use.finished_at)
    )


def _month(at: int) -> tuple[int, int]:
    import time

    return time.gmtime(at // 1_000_000)[:2]
