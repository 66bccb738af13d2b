"""A file that has not changed is not read again, and one that may have changed always is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from repositories import let_in

from gitlineage import digest, fingerprints
from gitlineage.fingerprints import COARSE_TICK, TICK, WORTH_ASKING, Fingerprints

LONG_AGO = 1_600_000_000_123_456_789


class Reads:
    """The real `digest.of_file`, which counts."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._real = digest.of_file

    def of_file(self, path: str) -> tuple[Mapping[str, bytes], int]:
        self.paths.append(os.path.basename(path))
        return self._real(path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counting = Reads()
    monkeypatch.setattr(digest, "of_file", counting.of_file)
    return counting


@pytest.fixture
def kept(tmp_path: Path) -> Fingerprints:
    return Fingerprints(str(tmp_path / "lineage"))


def large(path: Path, fill: bytes = b"x", size: int = WORTH_ASKING) -> Path:
    path.write_bytes(fill * size)
    return path


def settled(path: Path) -> Path:
    """Wait until the file system's clock is past a file's last change, as any later command is."""
    probe = path.with_name("probe")
    changed = path.stat().st_ctime_ns
    while probe_time(probe) < changed + 2 * TICK:
        continue
    return path


def probe_time(probe: Path) -> int:
    probe.write_bytes(b"")
    return probe.stat().st_ctime_ns


def test_digests_are_those_of_the_content(kept: Fingerprints, tmp_path: Path) -> None:
    path = large(tmp_path / "file")
    found, stat = kept.digests(str(path))
    assert found["blake3"] == digest.of_bytes(path.read_bytes())
    assert set(found) == {"blake3", "sha256"}
    assert stat.st_size == WORTH_ASKING


def test_a_file_that_has_not_changed_is_not_read_again(
    kept: Fingerprints, reads: Reads, tmp_path: Path
) -> None:
    path = settled(large(tmp_path / "file"))
    first = kept.digests(str(path))[0]
    assert kept.digests(str(path))[0] == first
    again = Fingerprints(str(tmp_path / "lineage"))
    assert again.digests(str(path))[0] == first
    assert kept.known(str(path), path.stat()) == first
    assert reads.paths == ["file"]


def test_a_digest_without_a_sha256_is_remembered_without_one(
    kept: Fingerprints, reads: Reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = digest.of_file
    monkeypatch.setattr(digest, "of_file", lambda path: ({"blake3": whole(path)[0]["blake3"]}, 1))
    path = settled(large(tmp_path / "file"))
    assert set(kept.digests(str(path))[0]) == {"blake3"}
    assert set(kept.digests(str(path))[0]) == {"blake3"}
    assert reads.paths == ["file"]


@pytest.mark.parametrize("changed", ["content", "size", "mtime", "replaced", "mode"])
def test_a_file_that_changed_is_read_again(
    changed: str, kept: Fingerprints, reads: Reads, tmp_path: Path
) -> None:
    path = settled(large(tmp_path / "file"))
    kept.digests(str(path))
    before = path.stat()
    if changed == "content":
        # Same size, and the time put back: only the change time tells.
        large(path, b"y")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif changed == "size":
        with open(path, "ab") as file:
            file.write(b"x")
    elif changed == "mtime":
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    elif changed == "replaced":
        large(tmp_path / "other", b"y")
        os.replace(tmp_path / "other", path)
    else:
        path.chmod(0o700)
    found = kept.digests(str(path))[0]
    assert found["blake3"] == digest.of_bytes(path.read_bytes())
    assert reads.paths == ["file", "file"]


def test_a_file_that_was_just_written_is_not_believed(
    kept: Fingerprints, reads: Reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tick as long as the test: whatever is written in it may be written again unseen.
    monkeypatch.setattr(fingerprints, "TICK", 10**15)
    path = large(tmp_path / "file")
    kept.digests(str(path))
    large(path, b"y")
    assert kept.digests(str(path))[0]["blake3"] == digest.of_bytes(b"y" * WORTH_ASKING)
    assert reads.paths == ["file", "file"]
    assert kept.known(str(path), path.stat()) is None


def test_times_in_whole_seconds_are_believed_later() -> None:
    assert fingerprints.tick_of(LONG_AGO) == TICK
    assert fingerprints.tick_of(LONG_AGO - LONG_AGO % 10**9) == COARSE_TICK


def test_a_file_that_is_changed_while_it_is_read_is_not_remembered(
    kept: Fingerprints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settled(large(tmp_path / "file"))
    real = digest.of_file

    def meanwhile(name: str) -> tuple[Mapping[str, bytes], int]:
        found = real(name)
        with open(name, "ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(digest, "of_file", meanwhile)
    _, stat = kept.digests(str(path))
    assert stat.st_size == WORTH_ASKING + 4
    assert kept.known(str(path), path.stat()) is None


def test_a_file_from_the_future_is_read_every_time(
    kept: Fingerprints, reads: Reads, tmp_path: Path
) -> None:
    path = settled(large(tmp_path / "file"))
    os.utime(path, (4_102_444_800, 4_102_444_800))
    for _ in range(2):
        kept.digests(str(path))
    assert reads.paths == ["file", "file"]


def test_small_files_are_read_every_time_and_open_nothing(
    kept: Fingerprints, reads: Reads, tmp_path: Path
) -> None:
    path = settled(large(tmp_path / "file", size=WORTH_ASKING - 1))
    for _ in range(2):
        kept.digests(str(path))
    assert reads.paths == ["file", "file"]
    assert not (tmp_path / "lineage").exists()


def test_a_large_file_that_was_just_written_is_waited_for_and_remembered(
    kept: Fingerprints, reads: Reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "WORTH_WAITING", WORTH_ASKING)
    path = large(tmp_path / "file")
    for _ in range(2):
        kept.digests(str(path))
    assert reads.paths == ["file"]


def test_paths_are_remembered_as_the_bytes_that_they_are(
    kept: Fingerprints, reads: Reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(b"caf\xe9\n")
    settled(large(tmp_path / odd))
    kept.digests(str(tmp_path / odd))
    monkeypatch.chdir(tmp_path)
    kept.digests(odd)
    assert reads.paths == [odd]
    assert kept.known(odd, os.stat(odd)) is not None


def test_a_missing_file_is_an_os_error(kept: Fingerprints, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kept.digests(str(tmp_path / "none"))


def test_what_executions_made_is_remembered(kept: Fingerprints, tmp_path: Path) -> None:
    path, odd = str(tmp_path / "made"), str(tmp_path / "\udcff")
    assert kept.made(path) is None
    kept.set_made({path: b"1" * 32, odd: b"2" * 32})
    kept.set_made({path: b"3" * 32})
    again = Fingerprints(str(tmp_path / "lineage"))
    assert (again.made(path), again.made(odd)) == (b"3" * 32, b"2" * 32)
    assert again.made(str(tmp_path / "other")) is None


# -- a file that is not as it should be ----------------------------------------------------------


def remember(folder: Path, count: int = 400) -> Path:
    """Make a file of fingerprints of many pages; return it."""
    kept = Fingerprints(str(folder))
    kept.set_made({f"/some/quite/long/path/{n:060d}": b"%032d" % n for n in range(count)})
    assert kept._opened is not None
    kept._opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept._opened.close()
    return folder / "fingerprints.sqlite"


@pytest.mark.parametrize(
    "damage", ["garbage", "empty", "head", "middle", "cut", "version", "journal"]
)
def test_a_damaged_file_begins_anew(damage: str, tmp_path: Path, reads: Reads) -> None:
    path = remember(tmp_path / "lineage")
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = b"not SQLite at all\n" * 500
    elif damage == "empty":
        content.clear()
    elif damage == "head":
        content[:100] = bytes(100)
    elif damage == "middle":
        content[4096:] = b"\xff" * (len(content) - 4096)
    elif damage == "cut":
        del content[4096 + 100 :]
    elif damage == "version":
        content[60:64] = (99).to_bytes(4, "big")
    else:
        content[:] = b"garbage" * 1000
        Path(f"{path}-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    path.write_bytes(content)
    file = settled(large(tmp_path / "file"))
    expected = digest.of_bytes(file.read_bytes())
    for _ in range(3):
        fresh = Fingerprints(str(tmp_path / "lineage"))
        fresh.made(str(file))
        assert fresh.digests(str(file))[0]["blake3"] == expected
        fresh.set_made({str(file): b"1" * 32})
        if fresh._opened is not None:
            fresh._opened.close()
    # After that it remembers again.
    last = Fingerprints(str(tmp_path / "lineage"))
    assert last.made(str(file)) == b"1" * 32
    before = len(reads.paths)
    last.digests(str(file))
    assert len(reads.paths) == before


def test_where_nothing_can_be_written_files_are_read(tmp_path: Path, reads: Reads) -> None:
    (tmp_path / "in the way").touch()
    kept = Fingerprints(str(tmp_path / "in the way/lineage"))
    path = settled(large(tmp_path / "file"))
    for _ in range(2):
        assert kept.digests(str(path))[0]["blake3"] == digest.of_bytes(path.read_bytes())
    kept.set_made({str(path): b"1" * 32})
    assert kept.made(str(path)) is None
    assert reads.paths == ["file", "file"]


def test_a_file_that_may_only_be_read_is_no_error(tmp_path: Path) -> None:
    path = remember(tmp_path / "lineage")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and setpriv is not installed")
    command = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from gitlineage.fingerprints import Fingerprints\n"
        "kept = Fingerprints(sys.argv[1])\n"
        "kept.set_made({'/x': b'1' * 32})\n"
        "assert kept.made('/x') is None\n"
        "print('fine')\n"
    )
    if command:
        let_in(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    done = subprocess.run(
        [*command, sys.executable, "-c", script, str(path.parent), *filter(None, sys.path)],
        capture_output=True,
        text=True,
    )
    path.parent.chmod(0o755)
    if "gitlineage" in done.stderr and "No module named" in done.stderr:
        pytest.skip("another user cannot read the program here")
    assert done.stdout == "fine\n", done.stderr


def test_two_processes_remember_side_by_side(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from gitlineage.fingerprints import Fingerprints\n"
        "for n in range(20):\n"
        "    Fingerprints(sys.argv[1]).set_made({f'/{sys.argv[2]}/{n}': b'%032d' % n})\n"
    )
    folder = tmp_path / "lineage"
    Fingerprints(str(folder)).set_made({"/first": b"0" * 32})
    started = [
        subprocess.Popen([sys.executable, "-c", script, folder, name, *filter(None, sys.path)])
        for name in "ab"
    ]
    assert [each.wait() for each in started] == [0, 0]
    kept = Fingerprints(str(folder))
    assert all(kept.made(f"/{name}/{n}") == b"%032d" % n for name in "ab" for n in range(20))


def test_another_process_that_holds_the_file_is_no_error(tmp_path: Path) -> None:
    path = remember(tmp_path / "lineage")
    holder = sqlite3.connect(path)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    kept = Fingerprints(str(tmp_path / "lineage"))
    connect = sqlite3.connect
    try:
        sqlite3.connect = lambda name, timeout: connect(name, timeout=0)  # type: ignore[assignment]
        kept.set_made({"/x": b"1" * 32})
        assert kept.made("/x") is None
    finally:
        sqlite3.connect = connect
        holder.rollback()
        holder.close()
    assert Fingerprints(str(tmp_path / "lineage")).made(f"/some/quite/long/path/{7:060d}")


def test_no_writing_waits_for_the_disk(tmp_path: Path) -> None:
    for _ in range(2):  # as the one that makes the file, and as any later one
        kept = Fingerprints(str(tmp_path))
        kept.set_made({"/a": b"1"})
        assert kept._open().execute("PRAGMA synchronous").fetchone() == (0,)
        kept.close()
