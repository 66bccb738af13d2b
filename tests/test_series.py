"""Series of metadata points as bytes, and back."""

from __future__ import annotations

import json
import math
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import encoding
from gitlineage.errors import InvalidRecord
from gitlineage.series import POINTS_AT_MOST, Block, Series, block

NUMBERS = (
    st.integers()
    | st.integers(-5, 5)
    | st.floats()
    | st.decimals(-1000, 1000, places=3).map(float)
    | st.sampled_from([0.0, -0.0, 1e300, 5e-324, math.inf, math.nan, 2**63, -(2**63), 2**64])
)
VALUES = NUMBERS | st.booleans() | st.none() | st.text(max_size=5) | st.lists(NUMBERS, max_size=3)
POINTS = st.lists(st.tuples(
    st.integers(-(2**62), 2**62), st.dictionaries(st.sampled_from("abcd"), VALUES),
), min_size=1, max_size=40)  # fmt: skip


def there_and_back(points: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    return list(Block(block([at for at, _ in points], [values for _, values in points])).points())


def as_text(value: object) -> str:
    """Return what tells 1 from 1.0 and True, 0.0 from -0.0, and one NaN from none."""
    return repr(sorted(value.items()) if isinstance(value, dict) else value)


@given(POINTS)
def test_points_come_back_as_they_are(points: list[tuple[int, dict[str, Any]]]) -> None:
    back = there_and_back(points)
    assert [at for at, _ in back] == [at for at, _ in points]
    assert [as_text(values) for _, values in back] == [as_text(values) for _, values in points]


@given(st.lists(NUMBERS, min_size=1, max_size=50))
def test_numbers_come_back_to_the_bit(numbers: list[Any]) -> None:
    back = there_and_back([(n, {"x": each}) for n, each in enumerate(numbers)])
    assert [repr(values["x"]) for _, values in back] == list(map(repr, numbers))


def test_what_changes_little_is_small() -> None:
    rows = random.Random(1)
    count = 50_000
    points = [(n * 1000, {"step": n, "loss": round(rows.random(), 4)}) for n in range(count)]
    assert len(block([at for at, _ in points], [each for _, each in points])) < 2.1 * count
    even = [{"step": n, "rate": 0.001} for n in range(count)]
    assert len(block(range(count), even)) < 200


def test_values_of_one_key_have_their_times() -> None:
    found = Block(block([1, 2, 3], [{"a": 1, "b": 2}, {"b": 3}, {"a": 4}]))
    assert found.values("a") == ([1, 3], [1, 4])
    assert found.values("b") == ([1, 2], [2, 3])
    assert found.values("c") == ([], [])


def test_blocks_are_one_series_in_order_of_time() -> None:
    series = Series([block([1, 5], [{"a": 1}, {"a": 5}]), block([3], [{"a": 3, "b": 0}])])
    assert len(series) == 3
    assert series.keys == ["a", "b"]
    assert list(series.points()) == [(1, {"a": 1}), (3, {"a": 3, "b": 0}), (5, {"a": 5})]
    assert series.values("a") == ([1, 3, 5], [1, 3, 5])


def test_the_first_form_is_read() -> None:
    points = [(n, {"a": n}) for n in range(POINTS_AT_MOST + 1)]
    assert (
        list(Series.first_form(encoding.pack([list(each) for each in points])).points()) == points
    )
    for refused in ([[1]], {}, [[1, 2]], [["x", {}]]):
        with pytest.raises(InvalidRecord):
            Series.first_form(encoding.pack(refused))


GOOD = encoding.unpack(block([1, 2, 4], [{"a": 1.5, "b": 2}, {"a": 2.25, "b": 2}, {"b": 4}]))


@pytest.mark.parametrize("wrong", [
    {"format": 2}, {"format": None}, {"count": -1}, {"count": 4}, {"count": 1 << 40},
    {"count": "3"}, {"at": ["plain", 0, 9, b""]}, {"at": ["plain", 0, 1, b"12"]},
    {"at": ["steps", 0, 1, b"12"]}, {"at": ["other", 0, 1, b"12"]}, {"at": [1]}, {"at": 7},
    {"keys": ["a", "a"]}, {"keys": ["a", 1]}, {"keys": ["a"]}, {"keys": 1}, {"keys": None},
    {"shapes": [[0, 1]]}, {"shapes": [[0, 2], [1]]}, {"shapes": [[-1], [1]]}, {"shapes": [1, 2]},
    {"shape": ["plain", -1, 0, b""]}, {"shape": ["plain", 5, 0, b""]}, {"columns": []},
    {"columns": [["float", b"1"], ["any", [1, 2, 3]]]},
    {"columns": [["any", [1]], ["any", [1, 2, 3]]]},
    {"columns": [["other", [1, 2]], ["any", [1, 2, 3]]]},
    {"columns": [["decimal", 400, "plain", 0, 0, b""], ["any", [1, 2, 3]]]},
    {"columns": [["number", b"\2\2", ["int", "plain", 0, 0, b""], ["any", []]], 1]},
    {"columns": [["number", b"", ["int", "plain", 0, 0, b""], ["any", []]], 1]},
    {"columns": [1, 2]}, {"columns": [[], []]}, {"columns": {"a": 1, "b": 2}},
], ids=lambda wrong: json.dumps(wrong, default=repr)[:40])  # fmt: skip
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    content = encoding.pack({**GOOD, **wrong})
    with pytest.raises(InvalidRecord):
        list(Block(content).points())


@given(st.binary(max_size=200))
def test_garbage_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRecord):
        list(Block(content).points())


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_damage_is_refused_or_is_another_series(place: int, damage: bytes) -> None:
    content = block([1, 2, 4], [{"a": 1.5, "b": 2}, {"a": 2.25, "b": "x"}, {"b": None}])
    place %= len(content)
    try:
        list(Block(content[:place] + damage + content[place + len(damage) :]).points())
    except InvalidRecord:
        return


def test_columns_that_take_no_bytes_are_bounded() -> None:
    """65,536 points of 1,000 equal numbers in 20 KB are a bomb of 65 million values."""
    keys = [f"{n:03}" for n in range(1000)]
    content = encoding.pack({
        "format": 1, "count": POINTS_AT_MOST, "at": ["plain", 0, 0, b""], "keys": keys,
        "shapes": [list(range(1000))], "shape": ["plain", 0, 0, b""],
        "columns": [["int", "plain", 7, 0, b""]] * 1000,
    })  # fmt: skip
    tracemalloc.start()
    with pytest.raises(InvalidRecord, match="too many values"):
        Block(content)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
