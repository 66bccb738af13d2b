"""What a record holds and where: its parts, and the pieces it is made of."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import everything, last, left_running
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import digest, encoding
from gitlineage.artifacts import Reader, is_inside, is_uri
from gitlineage.fingerprints import Fingerprints
from gitlineage.printed import HEAD, TAIL, Printed
from gitlineage.recording import status_of
from gitlineage.relay.outcome import Outcome
from gitlineage.running import Running

# --- the record -----------------------------------------------------------------------------------


def test_parts_of_a_record(repo: Path, lineage: Lineage, git: Git) -> None:
    lineage("run", "-q", "--", "true")
    assert git("ls-tree", "-r", "--name-only", str(last().commit)).split() == ["launch", "record"]
    Path("data").mkdir()
    Path("data/x").write_text("x")
    lineage("run", "-q", "-i", "data", "--", "sh", "-c", "echo '{\"a\": 1}'; echo '{\"a\": 2}'")
    found = last()
    (folder,) = found.inputs
    manifest = f"manifests/{folder.digests['blake3'].hex()}"
    assert git("ls-tree", "-r", "--name-only", str(found.commit)).split() == [
        "launch", "log", manifest, "metadata/00000", "record"
    ]  # fmt: skip
    content = subprocess.run(["git", "cat-file", "-p", f"{found.commit}:{manifest}"],
                             capture_output=True, check=True).stdout  # fmt: skip
    assert digest.of_bytes(content) == folder.digests["blake3"]
    assert encoding.unpack(content) == [
        {"name": "x", "type": "file", "size": 1, "digest": digest.of_bytes(b"x")}
    ]
    launch = subprocess.run(["git", "cat-file", "-p", f"{found.commit}:launch"],
                            capture_output=True, check=True).stdout  # fmt: skip
    assert digest.execution_id(launch) == found.id


@pytest.mark.parametrize(("code", "signal", "status"), [
    (0, None, "succeeded"), (1, None, "failed"), (130, 2, "stopped"), (143, 15, "stopped"),
    (137, 9, "stopped"), (139, 11, "failed"), (130, None, "stopped"), (137, None, "failed"),
])  # fmt: skip
def test_status(code: int, signal: int | None, status: str) -> None:
    assert (
        status_of(
            Outcome(
                exit_code=code,
                signal=signal,
                started_at=0,
                finished_at=0,
                duration=0,
                cpu_time=0,
                peak_memory=0,
                had_terminal=False,
            )
        )
        == status
    )


def test_record_is_kept_though_outputs_cannot_be_listed(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "-q", "--", "sh", "-c", "echo x; echo broken > .git/index", check=False)
    Path(".git/index").unlink()
    assert (done.returncode, done.stdout) == (0, "x\n")
    (warning,) = done.stderr.splitlines()
    assert warning.startswith(
        "warning: its inputs and outputs are not known: git diff-files failed"
    )
    found = last()
    assert (found.status, found.outputs) == ("succeeded", ())


def test_many_short_ones_inside_of_one(repo: Path, lineage: Lineage) -> None:
    lineage(
        "run",
        "-q",
        "--step",
        "outer",
        "--",
        "sh",
        "-c",
        'for i in 1 2 3 4 5 6; do git lineage run -q -- sh -c "echo $i > out$i"; done',
    )
    found = everything()
    assert len(found) == 7
    assert last("@outer").outputs == ()
    lineage("log")
    assert left_running(repo) == []


# --- what is printed ------------------------------------------------------------------------------


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


# --- paths ----------------------------------------------------------------------------------------


def test_names_of_paths(repo: Path, isolated: Path) -> None:
    reader = Reader(str(repo), Fingerprints(str(repo / ".git/lineage")))
    (repo / "sub").mkdir()
    (isolated / "link").symlink_to(repo / "sub")
    for given_path, name in (
        ("code.py", "code.py"), ("./a/../code.py", "code.py"), (str(repo / "x/y"), "x/y"),
        (".", "."), (str(repo), "."), ("..", str(isolated)), ("../other", str(isolated / "other")),
        (str(isolated / "link/new"), "sub/new"), (f"{repo}-suffix", f"{repo}-suffix"),
    ):  # fmt: skip
        assert reader.name(given_path) == name
        assert os.path.normpath(reader.locate(name)) in (
            os.path.normpath(os.path.join(os.getcwd(), given_path)), str(repo / "sub/new")
        )  # fmt: skip


@pytest.mark.parametrize(("given_text", "expected"), [
    ("s3://bucket/key", True), ("git+ssh://host/x", True), ("https://a", True), ("a://", False),
    ("file.txt", False), ("://x", False), ("1s://x", False), ("a b://x", False), ("C:/x", False),
])  # fmt: skip
def test_uris(given_text: str, expected: bool) -> None:
    assert is_uri(given_text) is expected


@pytest.mark.parametrize(("path", "folder", "expected"), [
    ("a/b", "a", True), ("a", "a", True), ("ab", "a", False), ("a", "a/b", False),
    ("x", ".", True), ("/x", ".", False), ("/a/b", "/a", True),
])  # fmt: skip
def test_inside(path: str, folder: str, expected: bool) -> None:
    assert is_inside(path, folder) is expected


# --- the journal ----------------------------------------------------------------------------------


def test_journal_tells_the_living_from_the_dead(tmp_path: Path) -> None:
    running = Running(str(tmp_path))
    entry = running.begin(encoding.pack({"nonce": "1"}), "/top", ["out"])
    assert running.ids() == [entry.id]
    assert running.dead() == []
    (other,) = running.others("me", "/top", 0)
    assert (other.id, other.finished, other.claims) == (entry.id, None, ("out",))
    assert running.others("me", "/elsewhere", 0) == []
    assert running.others(entry.id, "/top", 0) == []
    assert running.oldest() == entry.started
    entry.release()
    (dead,) = running.dead()
    assert running.dead() == []  # held by whoever found it
    dead.remove()
    assert (running.ids(), os.listdir(tmp_path / "running")) == ([], [])
