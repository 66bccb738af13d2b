"""Text that is a number to those who print one, and text that is none."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gitlineage.numerals import number


@pytest.mark.parametrize(("text", "value"), [
    ("3", 3), ("-3", -3), ("0", 0), ("0.5", 0.5), ("1.", 1.0), ("1e-05", 1e-5), ("-inf", -math.inf),
])  # fmt: skip
def test_text_that_is_a_number(text: str, value: Any) -> None:
    found = number(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("value", ["", "007", "1_000", " 1", "1\n", "x1", "\u0663", 1, [1]])
def test_what_stays_as_it_is(value: Any) -> None:
    assert number(value) is value


def test_what_is_no_number_is_one() -> None:
    assert math.isnan(number("nan"))
