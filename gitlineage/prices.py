"""What an execution costs: a price an hour, configured or given, times how long it ran.

Knows configuration keys and decimal arithmetic; knows nothing of what ran. Amounts are decimal
text, never floating point.

    git config lineage.price "0.12 EUR"                      # whatever else does not say
    git config "lineage.host gpu-*.price" "2.40 EUR"
    git config "lineage.instance p3.2xlarge.price" "3.06 USD"
    git config "lineage.image pytorch/*.price" "1.10 USD"
    git config "lineage.step train.price" "2.00 USD"
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase

from gitlineage.errors import Refused
from gitlineage.records import Record
from gitlineage.records.end import Cost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS = ("step", "image", "instance", "host")
"""What a price may be for; the first that has one says it."""

CURRENCY = "lineage.currency"
"""Configuration key with the currency of prices that name none."""

HOUR = 3_600_000_000
"""Microseconds."""

SMALLEST = Decimal("0.000001")
"""What amounts are rounded to, of any currency."""


class Price(Record):
    """What an hour costs."""

    an_hour: Decimal
    currency: str
    """Three letters, as ISO 4217 has them."""
    source: str
    """`--price`, or the configuration key that says it."""


class Total(Record):
    """What several executions cost together."""

    amounts: tuple[tuple[str, str], ...]
    """Decimal text and currency; one for each currency, in its order."""
    executions_count: int
    unpriced_count: int
    """Those of which no price was known."""


def parse(text: str, source: str, currency: str | None = None) -> Price:
    """Return the price that a text such as `2.40 USD` says. Raises Refused.

    `currency` stands where the text names none.
    """
    amount = text.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = (text.strip()[len(amount) :] or currency or "").upper()
    try:
        an_hour = Decimal(amount.strip())
    except InvalidOperation:
        an_hour = Decimal("NaN")
    if not an_hour.is_finite() or an_hour < 0 or len(unit) != 3:
        raise Refused(reason=f"{source}: {text!r} is not a price an hour such as '2.40 USD'")
    return Price(an_hour=an_hour, currency=unit, source=source)


def configured(config: Mapping[str, str], names: Mapping[str, str | None]) -> Price | None:
    """Return the price that the configuration has for what ran, if it has one. Raises Refused.

    `names` tells the step, image, instance type and host by `KINDS`. Of several patterns of one
    kind the longest counts.
    """
    currency = config.get(CURRENCY)  # of prices that name none
    for kind in KINDS:
        name = names.get(kind)
        patterns = [p for p in _patterns(config, kind) if name and fnmatchcase(name, p)]
        if patterns:
            key = f"lineage.{kind} {max(patterns, key=len)}.price"
            return parse(config[key], key, currency)
    general = config.get("lineage.price")
    return parse(general, "lineage.price", currency) if general else None


def cost(price: Price, duration: int) -> Cost:
    """Return what that many microseconds cost."""
    amount = (price.an_hour * duration / HOUR).quantize(SMALLEST)
    return Cost(
        amount=f"{amount:f}",
        currency=price.currency,
        an_hour=f"{price.an_hour:f}",
        source=price.source,
    )


def total(ids: Sequence[str], costs: Mapping[str, tuple[str, str]]) -> Total:
    """Return the sum of what executions cost: amounts with their currencies, by id."""
    sums: dict[str, Decimal] = {}
    for amount, currency in costs.values():
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
    return Total(
        amounts=tuple((f"{amount:f}", currency) for currency, amount in sorted(sums.items())),
        executions_count=len(ids),
        unpriced_count=sum(each not in costs for each in ids),
    )


def _patterns(config: Mapping[str, str], kind: str) -> list[str]:
    begin, end = f"lineage.{kind} ", ".price"
    return [
        key[len(begin) : -len(end)] for key in config if key.startswith(begin) and key.endswith(end)
    ]
