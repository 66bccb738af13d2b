"""Metadata points: which lines are points, how they are kept while a command runs and after it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Git, Lineage
from executions import last
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gitlineage
from gitlineage import points as room
from gitlineage.parsing import LAST_VALUES_AT_MOST
from gitlineage.points import Collected, Points, read
from gitlineage.records import LONGEST_POINT
from gitlineage.repository import Repository
from gitlineage.series import Block

TINY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def entry(repo: Path) -> str:
    """Return the path of an entry that there is not."""
    return str(repo / ".git" / "entry")


def collected(path: str, *chunks: bytes) -> Collected:
    made = Points(path, Repository.discover())
    for chunk in chunks:
        made.take(chunk)
    return made.finish()


def held(found: Collected) -> list[Any]:
    assert found.count == sum(len(Block(each).at) for each in found.blocks)
    return [values for each in found.blocks for _, values in Block(each).points()]


def values(path: str, *chunks: bytes) -> list[Any]:
    return held(collected(path, *chunks))


# -- which lines are points ----------------------------------------------------------------------


def test_an_object_on_a_line_is_a_point(entry: str) -> None:
    before = time.time_ns() // 1000
    found = collected(entry, b'hello\n{"epoch": 1, "loss": 0.5}\n  {"epoch": 2}  \nbye\n')
    assert held(found) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2}]
    (block,) = found.blocks
    assert all(before <= at <= time.time_ns() // 1000 for at in Block(block).at)
    assert found.last == {"epoch": 2, "loss": 0.5}


LINES = b'{"a": 1}\r\ntext\n{"b": [{"c": "\xc3\xa9"}]}\n\n {"d": null} \n{"e": 1'


@TINY
@given(st.lists(st.integers(1, 9), max_size=30))
def test_wherever_a_line_is_cut_into_reads_it_is_the_same(entry: str, cuts: list[int]) -> None:
    chunks, at = [], 0
    for cut in [*cuts, len(LINES)]:
        chunks.append(LINES[at : at + cut])
        at += cut
    assert values(entry, *chunks) == [{"a": 1}, {"b": [{"c": "\u00e9"}]}, {"d": None}]


@TINY
@given(st.lists(st.binary(max_size=40) | st.sampled_from([
    b'{"a": 1}\n', b'{"b"', b": 2}", b"\n", b"{}\n", b" {", b"}\r\n", b"\n{",
])))  # fmt: skip
def test_pieces_make_no_difference(entry: str, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = repr(values(entry, whole))
    assert repr(values(entry, *pieces)) == expected
    assert repr(values(entry, *(bytes([byte]) for byte in whole))) == expected


def test_a_last_line_without_an_end_counts(entry: str) -> None:
    assert values(entry, b'{"a": 1}') == [{"a": 1}]
    assert values(entry, b'x\n{"a"', b": 1}") == [{"a": 1}]


def test_numbers_that_json_lacks_are_accepted(entry: str) -> None:
    (found,) = values(entry, b'{"a": NaN, "b": Infinity, "c": -Infinity, "d": 1e999}\n')
    assert math.isnan(found["a"])
    assert (found["b"], found["c"], found["d"]) == (math.inf, -math.inf, math.inf)


def test_values_of_every_kind_are_kept(entry: str) -> None:
    line = b'{"a": true, "b": null, "c": [1, "x"], "d": {"e": 1.5}, "f": 123456789012345678901}\n'
    assert values(entry, line) == [
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
def test_lines_that_are_no_objects_are_only_log(entry: str, line: bytes) -> None:
    assert values(entry, line + b'\n{"after": 1}\n') == [{"after": 1}]


def test_an_object_that_is_too_long_is_only_log_and_said(entry: str) -> None:
    text = b'{"a": "' + b"x" * LONGEST_POINT + b'"}\n'
    for chunks in ([text, b'{"b": 1}\n'], [text[:100], text[100:], b'{"b": 1}\n']):
        found = read_back(entry, *chunks)
        assert [found.count, found.last] == [1, {"b": 1}]
        assert found.warnings == ("1 line was too long to be metadata: more than 32.0 MiB",)


def read_back(path: str, *chunks: bytes) -> Collected:
    """Return what a later command finds, as after a kill."""
    made = Points(path, Repository.discover())
    made._reader = room._Reader(0, 0, 0)  # none is started
    for chunk in chunks:
        made.take(chunk)
    return read(path, Repository.discover())


def test_what_is_nested_too_deeply_is_said(entry: str) -> None:
    deep = [b'{"a":' + b"[" * n + b"]" * n + b"}\n" for n in (50, 100, 10_000)]
    found = collected(entry, *deep, b'{"b": 1}\n')
    assert [sorted(each) for each in held(found)] == [["a"], ["b"]]
    assert found.warnings == (
        "2 lines were nested too deeply to be stored as metadata, and in the log only",
    )


def test_more_keys_than_a_record_holds_are_in_the_series(entry: str) -> None:
    count = LAST_VALUES_AT_MOST + 100
    found = collected(entry, *(b'{"k%d": %d}\n' % (n, n) for n in range(count)))
    assert held(found) == [{f"k{n}": n} for n in range(count)]
    assert found.last == {f"k{n}": n for n in range(LAST_VALUES_AT_MOST)}
    assert found.warnings == ("100 metadata keys are in the series only",)


def test_of_a_key_that_stands_twice_the_last_counts(entry: str) -> None:
    assert values(entry, b'{"a": 1, "a": 2}\n') == [{"a": 2}]


def test_keys_that_are_no_text_are_spelled_out(entry: str) -> None:
    assert values(entry, b'{"\\ud800": 1}\n') == [{"\\ud800": 1}]


def test_text_that_spells_a_number_is_one_on_request(entry: str, git: Git) -> None:
    line = b'{"a": "0.5", "b": "3", "c": "nan", "d": "007", "e": "x1", "f": "1e-05", "g": [1]}\n'
    assert values(entry, line) == [
        {"a": "0.5", "b": "3", "c": "nan", "d": "007", "e": "x1", "f": "1e-05", "g": [1]}
    ]
    git("config", "lineage.numericText", "true")
    (found,) = values(entry, line)
    assert math.isnan(found.pop("c"))
    assert found == {"a": 0.5, "b": 3, "d": "007", "e": "x1", "f": 1e-05, "g": [1]}


# -- as they are kept ----------------------------------------------------------------------------


def test_what_was_logged_and_printed_is_in_order_of_time(entry: str) -> None:
    made = Points(entry, Repository.discover())
    made.take(b'{"a": 1, "b": 1}\n')
    room.append(room.logged_path(entry), {"a": 2})
    found = made.finish()
    assert found.last == {"a": 2, "b": 1}
    assert found.count == 2


def test_a_disk_that_is_full_costs_no_points(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "printed_path", lambda path: "/no/such/folder")
    assert values(entry, b'{"a": 1}\n', b'{"a": 2}\n') == [{"a": 1}, {"a": 2}]


PRINTS = """
import json, sys
for i in range(int(sys.argv[1])):
    print(json.dumps({"step": i, "loss": 1 / (i + 1), "nan": float("nan")}))
"""


def test_many_points_are_read_while_it_runs(repo: Path, lineage: Lineage, git: Git) -> None:
    (repo / "prints.py").write_text(PRINTS)
    lineage("run", "-q", "--", "python", "prints.py", "100000")
    found = last()
    assert found.end is not None
    assert (found.end.points_count, found.metadata["step"]) == (100_000, 99_999)
    assert (found.end.warnings, found.outputs) == ((), ())
    with gitlineage.open() as here:
        series = list(here.series(found).points())
    assert [values["step"] for _, values in series] == list(range(100_000))
    assert all(values["loss"] == 1 / (n + 1) for n, (_, values) in enumerate(series))
    assert [at for at, _ in series] == sorted(at for at, _ in series)
    # What git keeps is what the file beside the entry holds, until a later command removes it.
    lineage("log")
    assert os.listdir(repo / ".git/lineage/running") == []
    assert "dangling" not in git("fsck", "--strict")


def test_points_outlive_a_recorder_and_its_blobs(
    repo: Path, lineage: Lineage, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "prints.py").write_text(PRINTS + "import os, signal; sys.stdout.flush()\n"
                                    "os.kill(os.getppid(), signal.SIGKILL)\n")  # fmt: skip
    lineage("run", "-q", "--", "python", "prints.py", "50000", check=False)
    git("gc", "-q", "--prune=now")
    lineage("log")
    found = last()
    assert found.status == "interrupted"
    with gitlineage.open() as here:
        count = len(here.series(found))
    assert count == (found.end.points_count if found.end else 0) > 40_000
