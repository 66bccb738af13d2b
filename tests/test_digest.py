"""The identity of content, of executions and of records."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import digest

EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""BLAKE3 of nothing, from the test vectors of its authors."""

LENGTHS = {
    0: EMPTY,
    1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    1023: "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
    1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    102400: "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
}
"""From the same vectors: bytes 0, 1, ... 250, 0, 1, ... of some lengths."""


def pattern(length: int) -> bytes:
    return bytes(n % 251 for n in range(length))


@pytest.mark.parametrize(("length", "expected"), LENGTHS.items())
def test_content_is_blake3(length: int, expected: str, tmp_path: Path) -> None:
    content = pattern(length)
    path = tmp_path / "file"
    path.write_bytes(content)
    assert digest.of_bytes(content).hex() == expected
    assert digest.of_file(str(path))[0]["blake3"].hex() == expected
    assert digest.of_file(str(path), sha256_limit=-1)[0]["blake3"].hex() == expected


def test_people_see_the_algorithm_and_all_digits() -> None:
    assert digest.of_text(digest.of_bytes(b"")) == f"blake3:{EMPTY}"


def test_a_file_up_to_the_limit_has_a_sha256_too_and_a_larger_one_has_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pattern(1000))
    both = {
        "blake3": blake3.blake3(pattern(1000)).digest(),
        "sha256": hashlib.sha256(pattern(1000)).digest(),
    }
    assert digest.of_file(str(path), sha256_limit=1000) == (both, 1000)
    assert digest.of_file(str(path), sha256_limit=999) == ({"blake3": both["blake3"]}, 1000)


def test_a_file_that_becomes_shorter_while_it_is_read_ends_nobody(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open(path, "wb") as file:
        file.truncate(2 << 30)
    script = (
        "import os, sys, threading\n"
        "from gitlineage import digest\n"
        "threading.Timer(0.03, os.truncate, (sys.argv[1], 1)).start()\n"
        "print(digest.of_file(sys.argv[1])[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 2 << 30


@given(st.integers(0, 3 * digest.CHUNK))
def test_both_ways_of_reading_a_file_agree(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "grown"
    with open(path, "wb") as file:
        file.write(b"begin")
        file.truncate(size)
    read, mapped = digest.of_file(str(path)), digest.of_file(str(path), sha256_limit=-1)
    assert read[0]["blake3"] == mapped[0]["blake3"]
    assert read[1] == mapped[1] == size


def test_reading_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    digest.of_file(str(path), sha256_limit=0)  # whatever is imported on the way
    for limit in (0, 1 << 30):
        tracemalloc.start()
        digest.of_file(str(path), sha256_limit=limit)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * digest.PIECE


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\n\xe9"
    with open(path, "wb") as file:
        file.write(b"odd")
    for limit in (0, 100):
        assert digest.of_file(os.fsdecode(path), sha256_limit=limit)[0]["blake3"] == (
            digest.of_bytes(b"odd")
        )


@pytest.mark.parametrize("limit", [0, 100])
def test_a_file_that_cannot_be_read_is_an_os_error(limit: int, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest.of_file(str(tmp_path / "none"), sha256_limit=limit)
    with pytest.raises(OSError):
        digest.of_file(str(tmp_path), sha256_limit=1 << 30)


def test_an_execution_is_known_by_its_launch_under_a_prefix_of_its_kind() -> None:
    whole = blake3.blake3(b"execution\0launch").hexdigest()
    assert digest.execution_id(b"launch") == whole[:40]
    assert digest.execution_id(b"launch") == "f6a25a53f65983e146ac34fb62e641d97743ffa7"
    assert not digest.of_bytes(b"launch").hex().startswith(whole[:40])


def test_a_record_is_known_by_its_kind_and_all_its_parts() -> None:
    said = b"record\0execution\0launch\x002\0llrecord\x003\0rrr"
    parts = [("launch", b"ll"), ("record", b"rrr")]
    expected = blake3.blake3(said).hexdigest()[:40]
    assert digest.record_id("execution", parts) == expected
    assert digest.record_id("execution", reversed(parts)) == expected
    assert digest.record_id("deployment", parts) != expected
    assert digest.record_id("execution", parts[:1]) != expected


SETS = st.dictionaries(st.sampled_from(["a", "ab", "b"]), st.binary(max_size=6), max_size=3)


@given(SETS, SETS, st.sampled_from(["a", "b", "ab"]), st.sampled_from(["a", "b", "ab"]))
def test_no_two_records_have_the_same_id(
    one: dict[str, bytes], other: dict[str, bytes], kind: str, kind_of_other: str
) -> None:
    is_same = (one, kind) == (other, kind_of_other)
    ids = digest.record_id(kind, one.items()), digest.record_id(kind_of_other, other.items())
    assert (ids[0] == ids[1]) is is_same
