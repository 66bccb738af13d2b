"""Files read by content, alone and with other processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gitlineage import digest, hashing
from gitlineage.hashing import Read, read_all, read_file


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    made = []
    for number in range(50):
        path = tmp_path / os.fsdecode(b"caf\xe9\n%d" % number)
        path.write_bytes(b"x" * number)
        made.append(str(path))
    return made


def contents(found: list[Read | int]) -> list[bytes]:
    return [each.digest if isinstance(each, Read) else b"" for each in found]


def expected(count: int = 50) -> list[bytes]:
    return [digest.of_bytes(b"x" * number) for number in range(count)]


def test_files_are_read_in_the_order_asked(files: list[str]) -> None:
    assert contents(read_all(files)) == expected()
    assert read_all([]) == []


def test_other_processes_read_the_same(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    alone = read_all(files)
    monkeypatch.setattr(hashing, "MANY", 8)
    monkeypatch.setattr(hashing, "_processors", lambda: 3)
    monkeypatch.setattr(hashing, "_attempt", _only_some(hashing._attempt, 17))
    together = read_all(files)
    assert contents(together) == expected()
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, Read) and isinstance(other, Read)
        assert (one.stamp, one.is_steady) == (other.stamp, other.is_steady)


def _only_some(attempt: object, most: int) -> object:
    """Return what reads no more files in this process than its share of them."""
    count = 0

    def counting(path: str) -> object:
        nonlocal count
        count += 1
        assert count <= most
        return attempt(path)  # type: ignore[operator]

    return counting


@pytest.mark.parametrize("program", ["", "/nowhere", "/bin/false"])
def test_without_other_processes_all_is_read_here(
    program: str, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MANY", 8)
    monkeypatch.setattr(hashing, "_processors", lambda: 3)
    monkeypatch.setattr(sys, "executable", program)
    assert contents(read_all(files)) == expected()


def test_what_cannot_be_read_is_told_by_its_number(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(files[0])
    odd = [str(tmp_path / name) for name in ("none", "pipe", "link")]
    assert read_all(odd) == [2, 2, 40]
    monkeypatch.setattr(hashing, "MANY", 8)
    monkeypatch.setattr(hashing, "_processors", lambda: 2)
    assert read_all(odd * 8) == [2, 2, 40] * 8


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
