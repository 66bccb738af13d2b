"""Lines as points: read fast, by column, they are what they are one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitlineage.parsing import Gathering
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
