"""Many records are read by two processes, and come as they do from one, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_encoding import nested, raw
from test_index import LAUNCH, ended
from test_ledger import ADA

from gitlineage import ahead, encoding, ledger
from gitlineage.errors import GitFailed
from gitlineage.gitprocess import GitProcess
from gitlineage.ledger import Ledger, Stored
from gitlineage.repository import Repository
from gitlineage.view import View

LARGE = 40
"""Records that do not fit into pipes together."""


@pytest.fixture
def repository(repo: Path) -> Repository:
    return Repository.discover(str(repo))


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one record be many, and the machine have two processors."""
    monkeypatch.setattr(ledger, "MANY", 1)
    monkeypatch.setattr(ahead, "_processors", lambda: 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[GitProcess]:
    """Processes that read ahead."""
    found: list[GitProcess] = []
    start = Repository.start

    def noted(self: Repository, *arguments: str, **options: object) -> GitProcess:
        process = start(self, *arguments, **options)  # type: ignore[arg-type]
        if options.get("through"):
            found.append(process)
        return process

    monkeypatch.setattr(Repository, "start", noted)
    return found


def facts(stored: Iterator[Stored]) -> list[tuple[object, ...]]:
    return [(each.commit, each.tree, each.launch, each.record) for each in stored]


def appended(repository: Repository, parts: list[dict[str, bytes]]) -> list[str]:
    kept = Ledger(repository)
    return kept.append_all([(each, f"{number}\n", ADA) for number, each in enumerate(parts)])


def large(repository: Repository) -> str:
    body = [{"launch": LAUNCH, "record": encoding.pack(os.urandom(200_000))} for _ in range(LARGE)]
    return appended(repository, body)[-1]


ODD = {
    "too deep": raw(nested(65, 1, "list")),
    "cut off": ended(LAUNCH)[:-1],
    "something behind": ended(LAUNCH) + b"\xc0",
    "spelled out": encoding.pack({"$a": 1, "n": float("nan")}),
    "another order": raw({"b": 1, "a": 2}),
    "a number as a key": raw({"a": {1: 2}}),
    "a time": b"\x91\xd6\xff\0\0\0\0",
    "a time with parts of a second": b"\x91\xd7\xff" + bytes(8),
    "a long time ago": b"\x91\xc7\x0c\xff\0\0\0\1" + b"\xff" * 8,
    "extension": b"\x91\xd4\x01a",
    "claims more than it holds": b"\xdd\x00\x10\x00\x00" * 1000,
    "nothing": b"",
}


@pytest.mark.usefixtures("many")
def test_records_come_as_they_do_from_one_process(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, started: list[GitProcess]
) -> None:
    bodies = [{"launch": LAUNCH, "record": ended(LAUNCH)}, {"launch": LAUNCH}, {"other": b"x"}]
    bodies += [{"launch": LAUNCH, "record": each} for each in ODD.values()]
    bodies += [{"record": each} for each in ODD.values()]
    tip = appended(repository, [*bodies, bodies[0]])[-1]
    commits = repository.commits([tip])
    kept = Ledger(repository)
    found = list(kept.records(commits))
    monkeypatch.setattr(ledger, "MANY", 1000)
    assert facts(iter(found)) == facts(kept.records(commits))
    assert len(started) == 1
    assert len(found) == len(bodies)  # one of them is no record
    plain = [each.is_plain for each in found]
    assert plain[:2] == [True, True] and plain[-1] and not any(plain[2:-1])


@pytest.mark.usefixtures("many")
def test_the_index_is_the_same(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [{"launch": LAUNCH, "record": ended(LAUNCH)}]
    bodies += [{"launch": LAUNCH, "record": each} for each in ODD.values()]
    bodies += [{"record": each} for each in ODD.values()]
    appended(repository, bodies)
    dumps = []
    for count in (1, 1000):
        monkeypatch.setattr(ledger, "MANY", count)
        view = View(repository)
        view.refresh()
        connection = view.index._open()
        dumps.append(list(connection.iterdump()))
        view.index.close()
        Path(repository.lineage_dir, "index.sqlite").unlink()
    assert dumps[0] == dumps[1]


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_what_is_odd_is_not_called_plain(content: bytes) -> None:
    encoding.hasten()
    assert not encoding.is_plain(content)


def test_few_are_read_by_one_process_and_many_on_one_processor(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, started: list[GitProcess]
) -> None:
    bodies = [{"launch": LAUNCH, "record": encoding.pack(each)} for each in range(4)]
    commits = repository.commits([appended(repository, bodies)[-1]])
    monkeypatch.setattr(ledger, "MANY", len(bodies))
    for processors, some, count in ((2, commits[1:], 0), (1, commits, 0), (2, commits, 1)):
        monkeypatch.setattr(ahead, "_processors", lambda n=processors: n)
        assert len(list(Ledger(repository).records(some))) == len(some)
        assert len(started) == count


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_the_rest_is_read_where_the_other_is_killed(
    repository: Repository, started: list[GitProcess], way: signal.Signals
) -> None:
    commits = repository.commits([large(repository)])
    kept = Ledger(repository)
    found = kept.records(commits)
    first = next(found)
    os.kill(started[0]._pid, way)
    both = [first, *found]
    assert [each.commit for each in both] == [each.id for each in commits]
    assert not both[-1].is_plain  # read here
    assert facts(iter(both)) == facts(kept.records(commits))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false", "/bin/true", ""])
def test_the_rest_is_read_where_the_other_does_not_start(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    commits = repository.commits([large(repository)])
    monkeypatch.setattr(sys, "executable", program)
    found = list(Ledger(repository).records(commits))
    assert [each.commit for each in found] == [each.id for each in commits]


@pytest.mark.usefixtures("many")
def test_an_object_that_git_cannot_read_is_told_as_ever(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [{"launch": LAUNCH, "record": os.urandom(100_000)} for _ in range(9)]
    commits = repository.commits([appended(repository, bodies)[-1]])
    blob = repository.entries(commits[5].tree)["record"][1]
    broken = Path(repository.common_dir, "objects", blob[:2], blob[2:])
    broken.chmod(0o644)
    broken.write_bytes(broken.read_bytes()[:50_000])
    told = []
    for count in (1, 1000):
        monkeypatch.setattr(ledger, "MANY", count)
        read = []
        try:
            for each in Ledger(repository).records(commits):
                read.append(each.commit)
        except GitFailed as error:
            told.append((read, str(error)))
    assert len(told) == 2 and told[0] == told[1]


@pytest.mark.usefixtures("many")
def test_who_stops_early_leaves_nobody_behind(
    repository: Repository, started: list[GitProcess]
) -> None:
    found = Ledger(repository).records(repository.commits([large(repository)]))
    next(found)
    found.close()
    with pytest.raises(ProcessLookupError):
        os.kill(started[0]._pid, 0)


def test_whoever_is_killed_leaves_nobody_behind(repository: Repository, repo: Path) -> None:
    large(repository)
    program = (
        "import time; from gitlineage import ahead, ledger, view;"
        "from gitlineage.index import feeding;"
        "ledger.MANY = feeding.BATCH = 1; ahead._processors = lambda: 2;"
        "from gitlineage.repository import Repository;"
        "add = feeding.Feeding._add;"
        "feeding.Feeding._add = lambda *all: (add(*all), print('fed', flush=True), time.sleep(60));"
        "view.View(Repository.discover('.')).refresh()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=repo, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"fed\n"
    listed = children(process.pid)
    others = [*listed, *(below for each in listed for below in children(each))]
    assert len(others) == 2  # the one that reads ahead, and git
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    while any(map(is_there, others)):
        assert time.monotonic() < until
        time.sleep(0.02)
    view = View(repository)
    assert view.index.tips() == {}
    view.refresh()
    assert len(view.index.problems()) == LARGE
    view.index.close()


def children(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
