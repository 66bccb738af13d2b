"""Lines as points: read fast, by column, they are what they are one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitlineage.parsing import KEYS_AT_MOST, LAST_VALUES_AT_MOST, REST, Gathering
from gitlineage.series import Block


def frames(pieces: list[bytes]) -> bytes:
    return b"".join(
        at.to_bytes(8, "little") + len(piece).to_bytes(4, "little") + piece
        for at, piece in enumerate(pieces, 5)
    )


def gathered(takes: list[list[bytes]], *, is_fast: bool, reads_text: bool = False) -> Any:
    """Return when each point was printed, and what it holds, and what was said in the end."""
    blocks: list[bytes] = []
    none = str(Path("none"))
    gathering = Gathering(none, none, blocks.append, is_fast=is_fast, reads_text=reads_text)
    for pieces in takes:
        gathering.take(frames(pieces))
    count, last, warnings = gathering.finish()
    points = [point for each in blocks for point in Block(each).points()]
    assert len(points) == count
    return repr(points), repr(sorted(last.items())), warnings


LINES = st.sampled_from([
    b'{"a": 1, "b": 0.5}\n', b'{"a": 2, "b": "x"}\n', b'{"a": "7", "b": null}\r\n', b'{"c": 1}\n',
    b'{"a": NaN, "b": 1}\n', b'{"a": [1], "b": 1}\n', b'{"a": 1,\n', b'"b": 2}\n', b"{}\n", b"\n",
    b'{"a": 1, "b": 1},{"a": 2, "b": 2}\n', b'{"a": "x\n', b'y", "b": 1}\n', b'{"a": {}, "b": ',
    b'{"a": [{}\n{}], "b": 3}\n', b'{"a": 1, "a": 3, "b": 2}\n', b'{"a": 1e400, "b": {"c": 1}}\n',
    b' {"a": 1, "b": 2}\n', b'{"a": "\\ud800", "b": 2}\n',
])  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.lists(LINES, max_size=6), max_size=5), st.booleans())
@example([[b'{"a": 1, "b": 2}\n'], [b'{"c": 1}\n'], [b'{"a": 1, "b": 2}\n']], True)
@example([[b'{"a": [{}\n{}]}\n', b'{"a": 1},{"a": 2}\n']], False)
def test_reading_fast_makes_no_difference(takes: list[list[bytes]], reads_text: bool) -> None:
    fast, slow = (gathered(takes, is_fast=each, reads_text=reads_text) for each in (True, False))
    assert fast == slow


def test_lines_that_are_alike_are_read_as_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gathering, "_point", None)
    monkeypatch.setattr(Gathering, "_take", None)
    lines = [b'{"a": %d, "b": {"c": 1.5}}\n' % number for number in range(200_000)]
    whole = b"".join(lines)
    takes = [[whole[at : at + 65536]] for at in range(0, len(whole), 65536)]
    points, last, warnings = gathered(takes, is_fast=True)
    assert points.count("'a'") == len(lines)
    assert (last, warnings) == ("[('a', 199999), ('b', {'c': 1.5})]", ())


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize("lines_at_once", [1, 7, 100_000])
def test_no_more_keys_than_a_series_has(is_fast: bool, lines_at_once: int) -> None:
    lines = [b'{"step": %d, "k%d": %d}\n' % (n, n, n) for n in range(KEYS_AT_MOST + 50)]
    lines += [b'{"k%d": 1}\n' % n for n in range(KEYS_AT_MOST, KEYS_AT_MOST + 100)]
    lines.append(b'{"k7": 8, "step": 9}\n')
    takes = [[b"".join(lines[n : n + lines_at_once])] for n in range(0, len(lines), lines_at_once)]
    blocks: list[bytes] = []
    gathering = Gathering("none", "none", blocks.append, is_fast=is_fast)
    for pieces in takes:
        gathering.take(frames(pieces))
    count, last, warnings = gathering.finish()
    points = [values for each in blocks for _, values in Block(each).points()]
    assert len(points) == count
    assert points == [
        *({"step": n, f"k{n}": n} for n in range(KEYS_AT_MOST - 1)),
        *({"step": n, REST: {f"k{n}": n}} for n in range(KEYS_AT_MOST - 1, KEYS_AT_MOST + 50)),
        *({REST: {f"k{n}": 1}} for n in range(KEYS_AT_MOST, KEYS_AT_MOST + 100)),
        {"k7": 8, "step": 9},
    ]
    assert (last["step"], last["k7"]) == (9, 8)
    assert REST not in last
    assert warnings == (
        f"{KEYS_AT_MOST - LAST_VALUES_AT_MOST} metadata keys are in the series only",
        f"metadata has more than {KEYS_AT_MOST} keys: 151 values of later ones are "
        f"in the series only, under {REST}",
    )


def test_of_one_line_with_too_many_keys_the_first_are_kept() -> None:
    blocks: list[bytes] = []
    gathering = Gathering("none", "none", blocks.append, is_fast=True)
    pairs = b", ".join(b'"k%d": %d' % (n, n) for n in range(KEYS_AT_MOST + 1))
    gathering.take(frames([b"{" + pairs + b"}\n", b'{"other": 1}\n', b"{}\n"]))
    gathering.take(frames([b'{"_more": 1, "k1": 2}\n']))
    assert gathering.finish()[0] == 4
    points = [values for each in blocks for _, values in Block(each).points()]
    assert points == [
        {f"k{n}": n for n in range(KEYS_AT_MOST)} | {REST: {f"k{KEYS_AT_MOST}": KEYS_AT_MOST}},
        {REST: {"other": 1}},
        {},
        {"k1": 2, REST: {REST: 1}},
    ]
