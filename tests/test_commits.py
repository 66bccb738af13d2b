"""How people and moments are spelled in commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.commits import Identity


@given(st.text(max_size=10), st.text(max_size=10), st.integers(0, 1 << 40))
def test_an_identity_is_read_as_it_was_written(name: str, email: str, at: int) -> None:
    who = Identity(name=name, email=email, at=at, zone="-0330")
    again = Identity.parse(who.line().decode())
    assert again.line() == who.line()
    assert (again.at, again.zone) == (at, "-0330")


@pytest.mark.parametrize(
    "line",
    ["", "a", "a <b>", "a <b> x", "a <b> x y", "a <b> 1 +0", "a <b> 1 abcde", "a <b> \u00b2 +0000",
     "a <b> " + "9" * 5000 + " +0000", "a <b> 1 +\u0660\u0660\u0660\u0660", "<> -1 ", "a <b> 1"],
    ids=lambda line: ascii(line[:20]),
)  # fmt: skip
def test_an_identity_that_nobody_should_have_written_is_read(line: str) -> None:
    found = Identity.parse(line)
    assert found.at in (0, 1)
    assert found.zone == "+0000"
