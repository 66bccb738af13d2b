"""What a command prints: the log that is kept, and the metadata in it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import printed as room
from gitlineage.printed import HEAD, LONGEST_LINE, TAIL, Printed, last_values
from gitlineage.records import Log, Point


def taken(*chunks: bytes, stream: int = 1) -> Printed:
    made = Printed()
    for chunk in chunks:
        made.take(stream, chunk)
    return made


def values(*chunks: bytes) -> list[Any]:
    return [point.values for point in taken(*chunks).points()]


# -- the log -------------------------------------------------------------------------------------


def test_what_is_short_is_kept_whole() -> None:
    made = Printed()
    made.take(1, b"out ")
    made.take(2, b"err\n")
    made.take(1, b"\xff\0\r")
    assert made.log() == (b"out err\n\xff\0\r", Log(size=11))


def test_nothing_is_nothing() -> None:
    assert Printed().log() == (b"", Log(size=0))
    assert Printed().points() == []


@pytest.mark.parametrize("size", [HEAD - 1, HEAD, HEAD + 1, HEAD + TAIL])
def test_up_to_the_bound_nothing_is_cut(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    assert taken(content[:size]).log() == (content[:size], Log(size=size))


@pytest.mark.parametrize("cut", [1, 10, 5_000_000])
@pytest.mark.parametrize("chunk", [1 << 10, 1 << 16, 1 << 30])
def test_head_and_tail_are_kept_and_the_cut_is_said(cut: int, chunk: int) -> None:
    content = os.urandom(HEAD + cut + TAIL)
    made = taken(*(content[at : at + chunk] for at in range(0, len(content), chunk)))
    kept, log = made.log()
    said = b"\n[git-lineage: %d bytes are not kept]\n" % cut
    assert kept == content[:HEAD] + said + content[-TAIL:]
    assert log == Log(size=len(content), cut=cut)


def test_a_command_that_prints_byte_by_byte_is_not_held_up() -> None:
    # A count, not a time: the tail is put together anew once in TAIL bytes.
    made = taken(b"x" * (HEAD + TAIL))
    moved = 0
    for _ in range(TAIL // 2):
        before = len(made._tail)
        made.take(1, b"y")
        moved += len(made._tail) <= before
    assert moved == 0
    assert made.log()[0].endswith(b"xy" + b"y" * (TAIL // 2 - 1))


def test_little_is_held_of_much() -> None:
    made = Printed()
    for _ in range(200):
        made.take(1, b"x" * 100_000)
    assert len(made._head) == HEAD
    assert len(made._tail) <= 2 * TAIL + 100_000
    assert len(made._line) <= LONGEST_LINE + 100_000


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=12)), max_size=12))
def test_wherever_it_is_cut_into_reads_the_log_is_the_same(
    chunks: list[tuple[int, bytes]],
) -> None:
    whole = b"".join(chunk for _, chunk in chunks)
    head, tail = room.HEAD, room.TAIL
    room.HEAD, room.TAIL = 10, 7
    try:
        made = Printed()
        for stream, chunk in chunks:
            made.take(stream, chunk)
        kept, log = made.log()
    finally:
        room.HEAD, room.TAIL = head, tail
    cut = max(len(whole) - 17, 0)
    said = b"\n[git-lineage: %d bytes are not kept]\n" % cut if cut else b""
    assert kept == whole[:10] + said + whole[10:][-7:]
    assert log == Log(size=len(whole), cut=cut)


def test_the_head_goes_to_disk_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    made = Printed(str(path))
    made.take(1, b"one ")
    made.take(2, b"two ")
    assert path.read_bytes() == b"one two "
    made.take(1, b"x" * (HEAD + 5))
    assert path.stat().st_size == HEAD
    made.close()
    made.take(1, b"more")
    made.close()
    assert made.log()[1].size == HEAD + 17
    assert path.stat().st_size == HEAD


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_does_not_stop_a_command(tmp_path: Path) -> None:
    for spool in ("/dev/full", str(tmp_path / "none/log")):
        made = Printed(spool)
        made.take(1, b"one ")
        made.take(1, b"two")
        assert made.log()[0] == b"one two"
        made.close()


# -- metadata ------------------------------------------------------------------------------------


def test_an_object_on_a_line_is_a_point() -> None:
    before = time.time_ns() // 1000
    found = taken(b'hello\n{"epoch": 1, "loss": 0.5}\n  {"epoch": 2}  \nbye\n').points()
    assert [point.values for point in found] == [{"epoch": 1, "loss": 0.5}, {"epoch": 2}]
    assert all(before <= point.at <= time.time_ns() // 1000 for point in found)


def test_standard_error_is_only_log() -> None:
    assert taken(b'{"a": 1}\n', stream=2).points() == []


LINES = b'{"a": 1}\r\ntext\n{"b": [{"c": "\xc3\xa9"}]}\n\n {"d": null} \n{"e": 1'


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(0, 3))
def test_wherever_a_line_is_cut_into_reads_it_is_the_same(cuts: list[int], between: int) -> None:
    made, at = Printed(), 0
    for cut in [*cuts, len(LINES)]:
        made.take(1, LINES[at : at + cut])
        at += cut
        if between:
            made.take(2, b"\n{" * between)  # standard error does not end a line of the other
    assert [point.values for point in made.points()] == [
        {"a": 1},
        {"b": [{"c": "\u00e9"}]},
        {"d": None},
    ]


def test_a_last_line_without_an_end_counts() -> None:
    assert values(b'{"a": 1}') == [{"a": 1}]
    assert values(b'x\n{"a"', b": 1}") == [{"a": 1}]


def test_points_may_be_asked_for_twice() -> None:
    made = taken(b'{"a": 1}')
    assert made.points() == made.points()


def test_numbers_that_json_lacks_are_accepted() -> None:
    (found,) = values(b'{"a": NaN, "b": Infinity, "c": -Infinity, "d": 1e999}\n')
    assert math.isnan(found["a"])
    assert (found["b"], found["c"], found["d"]) == (math.inf, -math.inf, math.inf)


def test_values_of_every_kind_are_kept() -> None:
    line = b'{"a": true, "b": null, "c": [1, "x"], "d": {"e": 1.5}, "f": 123456789012345678901}\n'
    assert values(line) == [
        {"a": True, "b": None, "c": [1, "x"], "d": {"e": 1.5}, "f": 123456789012345678901}
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"[1, 2]",
        b'["{}"]',
        b"1.5",
        b"null",
        b'"{}"',
        b"{",
        b"}",
        b"{}}",
        b"{a: 1}",
        b"{'a': 1}",
        b'{"a": 1} trailing',
        b'leading {"a": 1}',
        b'{"a": 1}{"b": 2}',
        b'{"a": }',
        b'{"a": \xff}',
        b'{"a": "\xff"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"\0\xff{}\xfe",
        b"{\0}",
        b"\xef\xbb\xbf{",
        b"{" + bytes(range(1, 10)) + b"}",
    ],
    ids=lambda line: ascii(line[:14]),
)
def test_lines_that_are_no_objects_are_only_log(line: bytes) -> None:
    made = taken(line + b'\n{"after": 1}\n')
    assert [point.values for point in made.points()] == [{"after": 1}]
    assert made.log()[0].startswith(line)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_garbage_is_no_error(chunks: list[bytes]) -> None:
    made = taken(*chunks)
    assert all(isinstance(point.values, dict) for point in made.points())


def test_an_object_that_is_too_long_is_only_log() -> None:
    text = b'{"a": "' + b"x" * LONGEST_LINE + b'"}\n'
    assert values(text, b'{"b": 1}\n') == [{"b": 1}]
    assert values(text[:100], text[100:], b'{"b": 1}\n') == [{"b": 1}]
    fits = b'{"a": "' + b"x" * (LONGEST_LINE - 9) + b'"}'
    assert len(fits) == LONGEST_LINE
    assert values(fits + b"\n") == [{"a": "x" * (LONGEST_LINE - 9)}]


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert values(b'{"a": 1, "a": 2}\n') == [{"a": 2}]


def test_the_last_value_of_each_key() -> None:
    points = [
        Point(at=1, values={"a": 1, "b": 1}),
        Point(at=2, values={"a": 2}),
        Point(at=3, values={"c": None}),
    ]
    assert last_values(points) == {"a": 2, "b": 1, "c": None}
    assert last_values([]) == {}
