"""What a command prints: the log that is kept of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import printed as room
from gitlineage.printed import HEAD, TAIL, Printed
from gitlineage.records.end import Log


def taken(*chunks: bytes) -> Printed:
    made = Printed()
    for chunk in chunks:
        made.take(chunk)
    return made


# -- the log -------------------------------------------------------------------------------------


def test_what_is_short_is_kept_whole() -> None:
    made = Printed()
    made.take(b"out ")
    made.take(b"err\n")
    made.take(b"\xff\0\r")
    assert made.log() == (b"out err\n\xff\0\r", Log(size=11))


def test_nothing_is_nothing() -> None:
    assert Printed().log() == (b"", Log(size=0))


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
        made.take(b"y")
        moved += len(made._tail) <= before
    assert moved == 0
    assert made.log()[0].endswith(b"xy" + b"y" * (TAIL // 2 - 1))


def test_little_is_held_of_much() -> None:
    made = Printed()
    for _ in range(200):
        made.take(b"x" * 100_000)
    assert len(made._head) == HEAD
    assert len(made._tail) <= 2 * TAIL + 100_000


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=12)), max_size=12))
def test_wherever_it_is_cut_into_reads_the_log_is_the_same(
    chunks: list[tuple[int, bytes]],
) -> None:
    whole = b"".join(chunk for _, chunk in chunks)
    head, tail = room.HEAD, room.TAIL
    room.HEAD, room.TAIL = 10, 7
    try:
        made = Printed()
        for _, chunk in chunks:
            made.take(chunk)
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
    made.take(b"one ")
    made.take(b"two ")
    assert path.read_bytes() == b"one two "
    made.take(b"x" * (HEAD + 5))
    assert path.stat().st_size == HEAD
    made.close()
    made.take(b"more")
    made.close()
    assert made.log()[1].size == HEAD + 17
    assert path.stat().st_size == HEAD


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_does_not_stop_a_command(tmp_path: Path) -> None:
    for spool in ("/dev/full", str(tmp_path / "none/log")):
        made = Printed(spool)
        made.take(b"one ")
        made.take(b"two")
        assert made.log()[0] == b"one two"
        made.close()


@given(st.integers(0, 3 * (HEAD + TAIL)), st.integers(1, 300_000))
def test_log_keeps_head_and_tail_whatever_the_pieces(size: int, step: int) -> None:
    content = (b"%07d\n" * (size // 8 + 1) % tuple(range(size // 8 + 1)))[:size]
    printed = Printed()
    for start in range(0, size, step):
        printed.take(content[start : start + step])
    kept, log = printed.log()
    assert log.size == size
    if size <= HEAD + TAIL:
        assert (kept, log.cut) == (content, 0)
    else:
        assert log.cut == size - HEAD - TAIL
        assert kept.startswith(content[:HEAD] + b"\n[git-lineage: %d bytes" % log.cut)
        assert kept.endswith(content[-TAIL:])
        assert len(kept) < HEAD + TAIL + 60


def test_spool_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    printed = Printed("/dev/full")
    printed.take(b'{"a": 1}\n')
    printed.take(b"more\n")
    assert printed.log()[0] == b'{"a": 1}\nmore\n'
    printed.close()
    other = Printed(str(tmp_path / "no" / "such" / "folder"))
    other.take(b"x")
    assert other.log()[0] == b"x"
