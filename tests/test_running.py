"""The journal: locked means alive, and what is finished is there whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlineage import digest, encoding, running
from gitlineage.entries import Entry, Finished
from gitlineage.errors import NoRoom, ReadOnlyRepository
from gitlineage.running import Running

TOP = "/top"
FINISHED = Finished(
    parts={"launch": b"\0\xff", "record": b"r", "log": b"x" * 100_000},
    message="train: succeeded\n",
    author=("Ada Lovelace", "ada@example.org", 1_795_424_461, "+0200"),
    claims=("model.bin", "caf\udce9"),
    tags=("best", "caf\u00e9"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lineage"


@pytest.fixture
def journal(folder: Path) -> Running:
    return Running(str(folder))


def launch(text: str, **fields: object) -> bytes:
    return encoding.pack({"text": text, **fields})


def files(folder: Path) -> list[str]:
    names = os.listdir(folder / "running") if (folder / "running").is_dir() else []
    return sorted(name.removeprefix(name[:40]) or "entry" for name in names)


BEGIN = """
import subprocess, sys
sys.path[:0] = sys.argv[3:]
from test_running import *
entry = Running(sys.argv[1]).begin(launch(sys.argv[2]), TOP)
with open(entry.log_path, "wb") as file:
    file.write(b"what it printed")
# As the command does that is being recorded: it may outlive its recorder.
subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"])
print(entry.id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start another process that holds an entry; its command lives as long as its input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, folder, "other", *filter(None, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def held_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def killed(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


# -- one entry -----------------------------------------------------------------------------------


def test_an_entry_is_named_by_the_id_of_its_execution(journal: Running, folder: Path) -> None:
    content = launch("a")
    entry = journal.begin(content, TOP, ["out", "caf\udce9"])
    assert entry.id == digest.execution_id(content)
    assert journal.ids() == [entry.id]
    assert journal.launch(entry.id) == content
    assert entry.path == str(folder / "running" / entry.id)
    assert (entry.launch, entry.top) == (content, TOP)
    assert journal.points_path(entry.id) == entry.points_path
    assert abs(entry.started - os.stat(entry.path).st_ctime_ns) == 0
    assert files(folder) == [".end.part", "entry"]


def test_nothing_runs_where_nothing_ever_ran(journal: Running, folder: Path) -> None:
    assert journal.ids() == journal.dead() == journal.others("1" * 40, TOP, 0) == []
    assert journal.launch("1" * 40) is None
    assert journal.oldest() is None
    assert not journal.has_ended("1" * 40)
    assert not folder.exists()


def test_what_a_newer_version_runs_is_listed(journal: Running) -> None:
    entry = journal.begin(b"not to be read here", TOP)
    (found,) = journal.executions()
    assert (found.id, found.status, found.launch) == (entry.id, "running", None)


def test_an_entry_is_alive_as_long_as_it_is_held(journal: Running) -> None:
    entry = journal.begin(launch("a"), TOP)
    assert journal.dead() == []
    entry.release()
    (found,) = journal.dead()
    assert (found.id, found.launch, found.top) == (entry.id, launch("a"), TOP)
    assert journal.dead() == []  # the caller holds it now
    found.remove()
    assert journal.ids() == []


def test_an_entry_that_another_process_holds_is_alive_until_it_is_killed(
    journal: Running, other: subprocess.Popen[str], folder: Path
) -> None:
    id = held_by(other)
    assert journal.dead() == []
    killed(other)
    (entry,) = journal.dead()  # its command still runs, and holds nothing
    assert (entry.id, entry.finished(), entry.commit()) == (id, None, None)
    assert Path(entry.log_path).read_bytes() == b"what it printed"
    entry.remove()
    assert files(folder) == []


def test_what_is_finished_is_read_as_it_was(journal: Running, folder: Path) -> None:
    entry = journal.begin(launch("a"), TOP)
    assert entry.finished() is None
    assert not journal.has_ended(entry.id)
    entry.finish(FINISHED)
    assert entry.finished() == FINISHED
    assert journal.has_ended(entry.id)
    assert files(folder) == [".end", "entry"]
    entry.release()
    (found,) = journal.dead()
    assert found.finished() == FINISHED
    found.release()


def test_finishing_again_replaces_what_was_there(journal: Running) -> None:
    entry = journal.begin(launch("a"), TOP)
    entry.finish(FINISHED)
    shorter = FINISHED.replace(parts={"record": b"s"})
    entry.finish(shorter)
    assert entry.finished() == shorter


def test_the_commit_of_the_record_is_remembered(journal: Running) -> None:
    entry = journal.begin(launch("a"), TOP)
    assert entry.commit() is None
    entry.set_commit("c" * 40)
    assert entry.commit() == "c" * 40
    Path(entry.path + ".commit").write_bytes(b"")
    assert entry.commit() is None


def test_removing_takes_all_that_belongs_to_it(journal: Running, folder: Path) -> None:
    entry = journal.begin(launch("a"), TOP)
    entry.finish(FINISHED)
    entry.set_commit("c" * 40)
    for path in (entry.log_path, entry.points_path, entry.path + ".end.part"):
        Path(path).touch()
    stays = journal.begin(launch("b"), TOP)
    entry.remove()
    assert journal.ids() == [stays.id]
    assert files(folder) == [".end.part", "entry"]


def test_a_launch_of_many_megabytes_is_kept(journal: Running) -> None:
    content = encoding.pack("x" * (encoding.LARGEST + 1))
    entry = journal.begin(content, TOP)
    entry.release()
    (found,) = journal.dead()
    assert found.launch == content
    found.release()


# -- crashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 100, 99_000])
def test_a_finished_record_that_is_not_whole_does_not_count(length: int, journal: Running) -> None:
    entry = journal.begin(launch("a"), TOP)
    entry.finish(FINISHED)
    path = Path(entry.path + ".end")
    path.write_bytes(path.read_bytes()[:length])
    assert entry.finished() is None
    entry.release()
    (found,) = journal.dead()
    assert found.finished() is None
    found.remove()


@pytest.mark.parametrize(
    "value",
    [None, [], {}, "text", {"parts": {}}, {"parts": {}, "message": "", "author": ["a"]}],
    ids=repr,
)
def test_a_finished_record_that_is_something_else_does_not_count(
    value: object, journal: Running
) -> None:
    entry = journal.begin(launch("a"), TOP)
    Path(entry.path + ".end").write_bytes(encoding.pack(value))
    assert entry.finished() is None


def test_a_crash_while_finishing_leaves_nothing_or_all(journal: Running, folder: Path) -> None:
    entry = journal.begin(launch("a"), TOP)
    Path(entry.path + ".end.part").write_bytes(b"half of it")
    assert entry.finished() is None
    assert not journal.has_ended(entry.id)
    entry.finish(FINISHED)
    assert entry.finished() == FINISHED


WHOLE = encoding.pack({"launch": launch("a"), "top": TOP})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-1],
        b"garbage",
        encoding.pack([]),
        encoding.pack({"launch": launch("another"), "top": TOP}),
        encoding.pack({"launch": "text", "top": TOP}),
        encoding.pack({"launch": launch("a"), "top": 1}),
        encoding.pack({"launch": launch("a")}),
    ],
    ids=lambda content: ascii(content[:12]),
)
def test_an_entry_that_is_not_whole_is_removed(
    content: bytes, journal: Running, folder: Path
) -> None:
    id = digest.execution_id(launch("a"))
    (folder / "running").mkdir(parents=True)
    for ending in ("", ".log"):
        (folder / "running" / (id + ending)).write_bytes(content)
    whole = journal.begin(launch("b"), TOP)
    assert journal.launch(id) is None
    assert [each.id for each in journal.others(whole.id, TOP, 0)] == []
    assert journal.dead() == []
    assert journal.ids() == [whole.id]
    assert files(folder) == [".end.part", "entry"]


def test_what_a_kill_before_the_beginning_left_is_removed(journal: Running, folder: Path) -> None:
    (folder / "running").mkdir(parents=True)
    old, young = (folder / "running" / f"{n * 40}.new" for n in "12")
    whole = folder / "running" / f"{'3' * 40}.new"
    for path in (old, young):
        path.touch()
    whole.write_bytes(WHOLE)
    os.utime(old, (1, 1))
    assert journal.dead() == []
    # One that is empty and young may be about to be locked by whoever makes it.
    assert [path.exists() for path in (old, young, whole)] == [False, True, False]
    assert journal.ids() == []


def test_one_that_is_just_being_made_is_left_alone(journal: Running, folder: Path) -> None:
    import fcntl

    (folder / "running").mkdir(parents=True)
    path = folder / "running" / f"{'1' * 40}.new"
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(WHOLE)
        file.flush()
        os.utime(path, (1, 1))
        Path(f"{str(path).removesuffix('.new')}.end.part").touch()
        assert journal.dead() == []
        assert path.exists()
        assert files(folder) == [".end.part", ".new"]


def test_what_belongs_to_no_entry_is_removed(journal: Running, folder: Path) -> None:
    entry = journal.begin(launch("a"), TOP)
    for ending in (".points", ".log", ".commit", ".end.part"):
        (folder / "running" / ("1" * 40 + ending)).touch()
    Path(entry.points_path).touch()
    journal.dead()
    assert files(folder) == [".end.part", ".points", "entry"]


def test_an_entry_that_cannot_be_written_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in the way").touch()
    with pytest.raises(ReadOnlyRepository) as caught:
        Running(str(tmp_path / "in the way")).begin(launch("a"), TOP)
    assert caught.value.facts["reason"] == "Not a directory"
    journal = Running(str(tmp_path))
    first = journal.begin(launch("a"), TOP)
    Path(first.path + ".new").touch()
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(ReadOnlyRepository):
        journal.begin(launch("a"), TOP)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_is_an_error_before_anything_is_run(
    journal: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(
        running.os, "write", lambda descriptor, content: write(os.open("/dev/full", 1), content)
    )
    with pytest.raises(ReadOnlyRepository) as caught:
        journal.begin(launch("a"), TOP)
    assert caught.value.facts["reason"] == "No space left on device"
    monkeypatch.undo()
    assert files(folder) == []
    assert journal.begin(launch("a"), TOP)


def test_a_share_of_the_disk_that_is_used_up_is_an_error_before_anything_is_run(
    journal: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by a real quota: common kernels are built without them.
    def refuse(*_: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(running.os, "posix_fallocate", refuse)
    with pytest.raises(NoRoom) as caught:
        journal.begin(launch("a"), TOP)
    assert str(caught.value) == f"cannot write to {folder}/running: Disk quota exceeded"
    assert files(folder) == []


# -- others --------------------------------------------------------------------------------------


def ended(journal: Running, entry: Entry, at: int, claims: tuple[str, ...] = ()) -> None:
    """Finish an entry, at some moment of the file system's clock."""
    entry.finish(FINISHED.replace(claims=claims))
    os.utime(entry.path + ".end", ns=(at, at))


def test_others_are_those_of_the_same_work_tree(journal: Running) -> None:
    mine = journal.begin(launch("mine"), TOP)
    same = journal.begin(launch("same", parent=mine.id), TOP, ["declared", "caf\udce9"])
    journal.begin(launch("elsewhere"), "/elsewhere")
    (found,) = journal.others(mine.id, TOP, mine.started)
    assert (found.id, found.top, found.parent) == (same.id, TOP, mine.id)
    assert (found.started, found.finished) == (same.started, None)
    assert found.claims == ("declared", "caf\udce9")


def test_others_that_ended_before_do_not_count(journal: Running) -> None:
    short = journal.begin(launch("short"), TOP, ["declared"])
    mine = journal.begin(launch("mine"), TOP)
    for at, is_counted in (
        (mine.started - 1, False),
        (mine.started, True),
        (mine.started + 1, True),
    ):
        ended(journal, short, at, ("made",))
        found = journal.others(mine.id, TOP, mine.started)
        assert bool(found) is is_counted
        if found:
            assert (found[0].finished, found[0].claims) == (at, ("made",))


def test_an_ended_entry_stays_while_an_older_one_runs(journal: Running) -> None:
    older = journal.begin(launch("older"), TOP)
    entry = journal.begin(launch("entry"), TOP)
    ended(journal, entry, older.started + 10**9)
    assert journal.oldest() == older.started
    assert journal.may_go(entry, journal.oldest()) is False
    ended(journal, older, older.started + 2 * 10**9)
    assert journal.oldest() is None


def test_an_ended_entry_may_go_when_all_that_run_began_later(journal: Running) -> None:
    entry = journal.begin(launch("entry"), TOP)
    ended(journal, entry, entry.started - 10**9)
    journal.begin(launch("younger"), TOP)
    assert journal.may_go(entry, journal.oldest()) is True


def test_one_that_ended_in_this_tick_of_the_clock_stays(
    journal: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = journal.begin(launch("entry"), TOP)
    entry.finish(FINISHED)
    monkeypatch.setattr(running, "TICK", 10**15)
    assert journal.may_go(entry, None) is False
    monkeypatch.setattr(running, "TICK", 0)
    assert journal.may_go(entry, None) is True


def test_an_entry_without_an_end_may_go(journal: Running) -> None:
    entry = journal.begin(launch("entry"), TOP)
    assert journal.may_go(entry, journal.oldest()) is True


def test_the_oldest_is_the_one_that_began_first(journal: Running) -> None:
    entries = [journal.begin(launch(str(n)), TOP) for n in range(3)]
    assert journal.oldest() == min(each.started for each in entries) == entries[0].started
    entries[0].finish(FINISHED)
    assert journal.oldest() == entries[1].started


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
