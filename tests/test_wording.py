"""How numbers, times and names are worded, and that recorded text cannot act on a terminal."""

from __future__ import annotations

import datetime
import subprocess
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import wording

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

ODD = st.sampled_from(
    "\x00\x1b\x7f\x9b\n\r\t\u200b\u200e\u202e\u2066\u2028\ufeff\udc80\udcff\ud800"
)
TEXTS = st.text(st.one_of(st.characters(), ODD))


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (102_348, "99.9 KiB"),
        (102_349, "100 KiB"),
        (1_048_063, "1023 KiB"),
        (1_048_064, "1.0 MiB"),
        (1_258_291, "1.2 MiB"),
        (340 << 30, "340 GiB"),
        (5 << 40, "5.0 TiB"),
        (1 << 64, "16.0 EiB"),
        (1 << 74, "16384 EiB"),
    ],
)
def test_sizes(count: int, expected: str) -> None:
    assert wording.size(count) == expected


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [
        (0, "0 ms"),
        (999, "<1 ms"),
        (1_000, "1 ms"),
        (310_000, "310 ms"),
        (999_499, "999 ms"),
        (999_500, "1.0 s"),
        (12_300_000, "12.3 s"),
        (59_949_999, "59.9 s"),
        (59_950_000, "1 m 00 s"),
        (2 * MINUTE + 5 * SECOND, "2 m 05 s"),
        (HOUR - 500_001, "59 m 59 s"),
        (HOUR - 500_000, "1 h 00 m"),
        (HOUR + 2 * MINUTE, "1 h 02 m"),
        (24 * HOUR - 1, "1 d 00 h"),
        (76 * HOUR, "3 d 04 h"),
        (-12_300_000, "-12.3 s"),
    ],
)
def test_durations(microseconds: int, expected: str) -> None:
    assert wording.duration(microseconds) == expected


@given(st.integers(0, 1000 * HOUR))
def test_a_duration_never_reaches_the_next_unit(microseconds: int) -> None:
    said = wording.duration(microseconds)
    bounds = {"ms": 1000, "s": 60, "m": 60, "h": 24, "d": 10_000}
    parts = said.removeprefix("<").split()
    assert all(float(n) < bounds[u] for n, u in zip(parts[::2], parts[1::2], strict=True)), said


def test_moments_are_in_the_zone_of_the_reader(zone: pytest.MonkeyPatch) -> None:
    at = 1_795_442_520 * SECOND
    zone.setenv("TZ", "UTC")
    time.tzset()
    assert wording.moment(at) == "2026-11-23 14:02"
    zone.setenv("TZ", "EET-2")
    time.tzset()
    assert wording.moment(at) == "2026-11-23 16:02"


@given(st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)))
def test_iso_times_say_what_the_calendar_says(at: datetime.datetime) -> None:
    since = at - datetime.datetime(1970, 1, 1)
    microseconds = since // datetime.timedelta(microseconds=1)
    assert wording.isoformat(microseconds) == at.isoformat(timespec="microseconds") + "Z"


def test_times_that_no_calendar_has_are_seconds() -> None:
    assert wording.isoformat(10**40) == wording.moment(10**40) == f"@{10**34}"
    assert wording.isoformat(-(10**40)) == wording.moment(-(10**40)) == f"@-{10**34}"
    assert wording.isoformat(10**18) == wording.moment(10**18) == "@1000000000000"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.93062, "0.9306"),
        (0.1, "0.1"),
        (1.0, "1"),
        (12345.6, "12346"),
        (9999.4, "9999"),
        (9999.6, "10000"),
        (1e-05, "1e-05"),
        (1.5e300, "1.5e+300"),
        (1234567, "1234567"),
        (10**18, "1.000e+18"),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_numbers(value: float, expected: str) -> None:
    assert wording.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.26607, "1.26607"),
        (12345.678, "12345.678"),
        (1.0, "1.0"),
        (10**18, "1000000000000000000"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_exact_numbers(value: float, expected: str) -> None:
    assert wording.exact(value) == expected
    assert wording.value({"a": [value]}, wording.exact) == f"{{a: [{expected}]}}"


def test_numbers_that_python_does_not_write_out() -> None:
    assert wording.exact(10**5000) == "Infinity"


def test_values_of_any_kind_are_one_line() -> None:
    content = {"a": [1, 0.25, None, True], "b\n": "c\x1b", "d": b"\xff"}
    assert wording.value(content) == r"{a: [1, 0.25, null, true], b\n: c\x1b, d: \xff}"


def test_pairs_are_shortened_by_value() -> None:
    assert wording.pairs({"lr": 0.1, "x": "a" * 30}, 5) == ["lr=0.1", "x=a\u2026aaa"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models/m.pkl", "models/m.pkl"),
        ("na\u00efve \u65e5\u672c", "na\u00efve \u65e5\u672c"),
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\x1b[31mred\x9b0m\x7f", r"\x1b[31mred\x9b0m\x7f"),
        ("gpj\u202etxt.exe", r"gpj\u202etxt.exe"),
        ("\u2066x\u2069 \ufeff\u200b\u2028", r"\u2066x\u2069 \ufeff\u200b\u2028"),
        ("\udcffbytes\udc80", r"\xffbytes\x80"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_does_not_print_is_made_visible(text: str, expected: str) -> None:
    assert wording.safe(text) == expected


def test_what_the_terminal_has_no_character_for_is_made_visible() -> None:
    assert wording.safe("\u00e4\u65e5", "latin-1") == "\u00e4\\u65e5"
    assert wording.safe("\u00e4\u65e5", "ascii") == r"\xe4\u65e5"


@given(TEXTS)
def test_safe_text_prints_and_stays_as_it_is(text: str) -> None:
    said = wording.safe(text)
    assert said.isprintable()
    said.encode()
    assert wording.safe(said) == said


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("short", 5, "short"),
        ("abcdefghijklmnop", 8, "ab\u2026lmnop"),
        ("models/experiments/very/model-0.1.pkl", 20, "model\u2026/model-0.1.pkl"),
        ("a/b/" + "n" * 40, 12, "a/b\u2026nnnnnnnn"),
        ("\u65e5\u672c\u8a9e\u65e5\u672c\u8a9e", 7, "\u65e5\u2026\u672c\u8a9e"),
        ("abc", 2, "ab"),
        ("abc", 0, ""),
        ("abc", -3, ""),
    ],
)
def test_shortening_keeps_the_name_in_a_path(text: str, columns: int, expected: str) -> None:
    assert wording.shorten(text, columns) == expected


def test_clipping_keeps_the_start() -> None:
    assert wording.clip("second try, larger", 12) == "second try,\u2026"
    assert wording.clip("second try", 10) == "second try"


@given(TEXTS, st.integers(1, 60))
def test_nothing_is_wider_than_asked_for(text: str, columns: int) -> None:
    text = wording.safe(text)
    assert wording.width(wording.shorten(text, columns)) <= columns
    assert wording.width(wording.clip(text, columns)) <= columns


def test_wrapping_breaks_at_blanks_and_then_anywhere() -> None:
    text = "warning: two clocks disagree: " + "x" * 25
    assert wording.wrap(text, 16) == [
        "warning: two",
        "   clocks",
        "   disagree:",
        "   xxxxxxxxxxxxx",
        "   xxxxxxxxxxxx",
    ]


@given(TEXTS, st.integers(8, 60))
def test_wrapping_loses_nothing(text: str, columns: int) -> None:
    text = wording.safe(text)
    lines = wording.wrap(text, columns)
    assert all(wording.width(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_wrapped_command_is_the_same_to_a_shell() -> None:
    text = """python train.py 'a title  of words' --rate 0.1 "x \\" y" --epochs 3"""
    lines = wording.wrap_shell(text, 24)
    assert lines == [
        "python train.py 'a title  of words' \\",
        '  --rate 0.1 "x \\" y" \\',
        "  --epochs 3",
    ]
    for each in (text, "\n".join(lines)):
        said = subprocess.check_output(["sh", "-c", f"printf '%s|' {each}"], text=True)
        assert said == 'python|train.py|a title  of words|--rate|0.1|x " y|--epochs|3|'
    assert wording.wrap_shell("python -c 'import sys\nprint(1, 2)' a b", 24) == [
        "python -c 'import sys", "print(1, 2)' a b",
    ]  # fmt: skip
    assert wording.wrap_shell("make all # the lot of it", 10) == ["make all # the lot of it"]


def test_short_ids() -> None:
    assert wording.short_id("3f07c1d2a9b4" + "0" * 28) == "3f07c1d2"
    assert wording.short_id("blake3:" + "ab12cd34" * 8) == "blake3:ab12cd34"
    assert wording.short_id("x\x1b[31m" * 9) == r"x\x1b[31mx\x1b"
