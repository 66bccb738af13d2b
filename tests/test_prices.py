"""Prices an hour, and what they come to: exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import prices
from gitlineage.errors import Refused
from gitlineage.records.end import Cost

CONFIG = {
    "lineage.price": "0.12",
    "lineage.currency": "EUR",
    "lineage.host gpu-*.price": "2.40 usd",
    "lineage.host gpu-big-*.price": "9 USD",
    "lineage.instance p3.2xlarge.price": "3.06USD",
    "lineage.step train.price": "1e0 CHF",
    "lineage.image pytorch/*.price": "1.10 USD",
}


@pytest.mark.parametrize(("names", "said"), [
    ({}, "0.12 EUR lineage.price"),
    ({"host": "gpu-1"}, "2.40 USD lineage.host gpu-*.price"),
    ({"host": "gpu-big-1"}, "9 USD lineage.host gpu-big-*.price"),
    ({"host": "gpu-1", "instance": "p3.2xlarge"}, "3.06 USD lineage.instance p3.2xlarge.price"),
    ({"host": "gpu-1", "image": "pytorch/pytorch:2", "instance": None},
     "1.10 USD lineage.image pytorch/*.price"),
    ({"host": "gpu-1", "step": "train", "image": "pytorch/x"}, "1 CHF lineage.step train.price"),
])  # fmt: skip
def test_the_nearest_price_counts(names: dict[str, str | None], said: str) -> None:
    found = prices.configured(CONFIG, names)
    assert found is not None
    assert f"{found.an_hour:f} {found.currency} {found.source}" == said


def test_no_price_is_no_cost() -> None:
    assert prices.configured({"lineage.step train.price": "1 USD"}, {"step": "test"}) is None


@pytest.mark.parametrize("text", ["", "USD", "2,40 USD", "two USD", "-1 USD", "nan USD", "1 dollar",
                                  "inf USD", "1 $", "1", "1 2 USD"])  # fmt: skip
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(Refused, match=r"is not a price an hour such as '2\.40 USD'"):
        prices.parse(text, "--price")


def test_an_hour_and_a_second() -> None:
    price = prices.parse("2.40 USD", "--price")
    assert prices.cost(price, 3_600_000_000).amount == "2.400000"
    assert prices.cost(price, 1_000_000) == Cost(
        amount="0.000667", currency="USD", an_hour="2.40", source="--price"
    )


@given(st.lists(st.tuples(st.decimals(0, 10**6, places=6), st.sampled_from(["EUR", "USD"]))))
def test_sums_are_exact(amounts: list[tuple[Decimal, str]]) -> None:
    costs = {str(n): (f"{each[0]:f}", each[1]) for n, each in enumerate(amounts)}
    total = prices.total([*costs, "free"], costs)
    assert (total.executions_count, total.unpriced_count) == (len(amounts) + 1, 1)
    found = {currency: Decimal(amount) for amount, currency in total.amounts}
    assert found == {
        currency: sum((a for a, c in amounts if c == currency), Decimal(0))
        for currency in {c for _, c in amounts}
    }
