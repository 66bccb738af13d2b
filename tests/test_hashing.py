"""Files read by content, alone and with other processes."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from gitlineage import digest, hashing
from gitlineage.hashing import Readers, Share, read_file, shares


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / os.fsdecode(b"caf\xe9")
    made.mkdir()
    for number in range(50):
        (made / os.fsdecode(b"caf\xe9\n%d" % number)).write_bytes(b"x" * number)
    return made


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have three processes, which are given little at once."""
    monkeypatch.setattr(hashing, "MANY", 8)
    monkeypatch.setattr(hashing, "SHARE", 3)
    monkeypatch.setattr(hashing, "_processors", lambda: 3)


def listed(folder: Path) -> tuple[list[bytes], list[bytes]]:
    names = sorted(os.listdir(os.fsencode(folder)), key=lambda each: (len(each), each))
    return names, [hashing.stamp(os.lstat(os.fsencode(folder) + b"/" + each)) for each in names]


def contents(found: list[Share]) -> list[bytes | None]:
    return [content for each in found for content in each.digests or [b"unread"]]


def read_all(folder: Path) -> list[Share]:
    names, stamps = listed(folder)
    given = list(shares(os.fsencode(folder), names, stamps))
    readers = Readers()
    try:
        for each in given:
            readers.add(each)
        readers.finish()
    finally:
        readers.close()
    return given


def expected(count: int = 50) -> list[bytes]:
    return [digest.of_bytes(b"x" * number) for number in range(count)]


def test_files_are_read_in_the_order_asked(folder: Path, tmp_path: Path) -> None:
    assert contents(read_all(folder)) == expected()
    (tmp_path / "empty").mkdir()
    assert read_all(tmp_path / "empty") == []


def test_what_is_handed_over_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, stamps = listed(folder)
    given = list(shares(b"x", names, stamps))
    assert [len(each.names) for each in given] == [50]
    monkeypatch.setattr(hashing, "SHARE", 20)
    assert [len(each.names) for each in shares(b"x", names, stamps)] == [20, 20, 10]
    monkeypatch.setattr(hashing, "SHARE_BYTES", 40)
    given = list(shares(b"x", names, stamps))
    assert [len(each.names) for each in given][-3:] == [1, 1, 1]
    assert [name for each in given for name in each.names] == names


def test_other_processes_read_the_same(
    folder: Path, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = []
    read = Share.read

    def noting(share: Share) -> None:
        here.extend(share.names)
        # As long as the others take to start: until then all would be read here.
        for other in readers._others:
            other._poller.poll()
        read(share)

    monkeypatch.setattr(Share, "read", noting)
    names, stamps = listed(folder)
    given = list(shares(os.fsencode(folder), names, stamps))
    readers = Readers()
    for each in given:
        readers.add(each)
    readers.finish()
    readers.close()
    assert contents(given) == expected()
    assert 0 < len(here) < 50


@pytest.mark.parametrize("program", ["", "/nowhere", "/bin/false"])
def test_without_other_processes_all_is_read_here(
    program: str, folder: Path, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert contents(read_all(folder)) == expected()


def test_what_a_killed_process_was_given_is_read_here(
    folder: Path, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, stamps = listed(folder)
    given = list(shares(os.fsencode(folder), names, stamps))
    readers = Readers()
    for each in given:
        readers.add(each)
    for other in readers._others:
        os.kill(other._pid, signal.SIGKILL)
    readers.finish()
    readers.close()
    assert contents(given) == expected()


def test_short_pipes_are_long_enough(
    folder: Path, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = os.pipe

    def short() -> tuple[int, int]:
        made = pipe()
        fcntl.fcntl(made[1], fcntl.F_SETPIPE_SZ, 4096)
        return made

    monkeypatch.setattr(os, "pipe", short)
    monkeypatch.setattr(hashing, "SHARE", 128)
    for number in range(3000):
        (folder / f"{number:0>250}").write_bytes(b"y")
    assert contents(read_all(folder)) == [*expected(), *[digest.of_bytes(b"y")] * 3000]


def test_what_is_another_file_by_then_is_told(folder: Path) -> None:
    names, stamps = listed(folder)
    paths = [folder / os.fsdecode(each) for each in names[:5]]
    for each in paths[:3]:
        each.unlink()
    os.mkfifo(paths[1])
    paths[2].symlink_to(paths[4])
    paths[3].write_bytes(b"yyy")
    share = Share(os.fsencode(folder), names[:5], stamps[:5])
    share.read()
    assert share.digests == [None, None, None, None, expected()[4]]
    gone = Share(b"/nowhere", names, stamps)
    gone.read()
    assert gone.digests == [None] * 50


def test_what_is_no_file_is_not_read(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(folder)
    for name, number in (("none", 2), ("pipe", 2), ("link", 40)):
        with pytest.raises(OSError) as error:
            read_file(str(tmp_path / name))
        assert error.value.errno == number


def test_a_large_share_is_read_in_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "SMALL", 10)
    assert contents(read_all(folder)) == expected()


def test_a_large_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "SMALL", 10)
    monkeypatch.setattr(digest, "PIECE", 1000)
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)) * 25)
    read = read_file(str(path))
    assert read.digest == digest.of_bytes(bytes(range(250)) * 25)
    assert hashing.size_in(read.stamp) == 6250
    assert read.is_steady


def test_a_file_that_changes_all_the_time_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a")
    of_bytes = digest.of_bytes

    def changing(content: bytes) -> bytes:
        with path.open("ab") as file:
            file.write(b"b")
        return of_bytes(content)

    monkeypatch.setattr(digest, "of_bytes", changing)
    read = read_file(str(path))
    assert not read.is_steady
    assert read.digest == of_bytes(b"abb")
    assert hashing.size_in(read.stamp) == 3


def test_a_stamp_tells_what_stat_does(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    path.chmod(0o755)
    stamp = hashing.stamp(path.stat())
    assert len(stamp) == hashing.STAMP_SIZE
    assert hashing.size_in(stamp) == 3
    assert hashing.is_executable_in(stamp)
    assert hashing.changed_in(stamp) == path.stat().st_ctime_ns
    path.chmod(0o655)
    assert not hashing.is_executable_in(hashing.stamp(path.stat()))
