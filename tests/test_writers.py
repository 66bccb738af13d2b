"""Many who write to one server, and what goes wrong on the way: all arrives, once, unforced."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import servers
import team
from executions import until
from sharing import commit, git, hook, members, record, refs, steps, sync, tag, trees

Lineage = Callable[..., subprocess.CompletedProcess[str]]
Pair = tuple[Path, Path]

SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "path": lambda folder: nullcontext(f"{folder}/"),
    "http": lambda folder: servers.http(folder, folder / "server"),
    "ssh": lambda folder: servers.ssh(folder, folder / "server"),
}


@pytest.mark.parametrize(("kind", "clones", "count"), [("path", 4, 2), ("http", 3, 2),
                                                       ("ssh", 3, 2)])  # fmt: skip
def test_all_that_many_clones_push_at_once_arrives(
    clone_pair: Pair, bare_remote: Path, isolated: Path, kind: str, clones: int, count: int
) -> None:
    try:
        with SERVERS[kind](isolated) as start:
            made = team.gather(start + bare_remote.name, isolated, clones)
            told = team.write(made, count)
            team.check(bare_remote, made, count)
    except servers.Missing as missing:
        pytest.skip(str(missing))
    assert sum(each["tries"] for each in told) <= 2 * clones


def test_clocks_that_are_hours_apart(
    clone_pair: Pair, bare_remote: Path, isolated: Path
) -> None:  # fmt: skip
    """Some are in another month already: then there are two segments, and each holds its own."""
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed")
    clones = team.gather(str(bare_remote), isolated, 3)
    team.write(clones, 2, [["faketime", "-m", "-f", each] for each in ("-20d", "+7h", "+20d")])
    team.check(bare_remote, clones, 2)
    assert len(refs(bare_remote, "refs/lineage/ledger")) >= 2
    for ref in refs(bare_remote, "refs/lineage/ledger"):
        dates = git(bare_remote, "log", "--first-parent", "--format=%ct", ref).split()
        assert dates == sorted(dates, key=int, reverse=True)


def test_two_begin_a_month_without_knowing_of_each_other(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, theirs = clone_pair
    for clone, name in ((ours, "a"), (theirs, "b")):
        record(clone, name)
    heads = [refs(each, "refs/lineage/ledger") for each in clone_pair]
    assert heads[0].keys() == heads[1].keys() and heads[0] != heads[1]
    assert git(ours, "fetch", "-q", theirs, "+refs/lineage/ledger/*:refs/other/*") == ""
    (tip,), (other,) = heads[0].values(), refs(ours, "refs/other").values()
    unrelated = subprocess.run(["git", "merge-base", tip, other], cwd=ours, capture_output=True)
    assert unrelated.returncode == 1
    for clone in (ours, theirs, ours):
        sync(clone).push("origin")
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 2
    assert git(bare_remote, "rev-list", "--merges", "--glob=refs/lineage/ledger/*") == ""
    sync(ours).fetch("origin")
    assert steps(ours) == steps(theirs) == ["a", "b"]


# -- the line ----------------------------------------------------------------------------------


@pytest.fixture
def line(clone_pair: Pair, bare_remote: Path) -> Iterator[servers.BadLine]:
    """Have ours reach the remote by a line that can be cut."""
    try:
        with servers.daemon(bare_remote.parent) as url:
            found = servers.BadLine(int(url.rstrip("/").rpartition(":")[2]))
            where = f"git://127.0.0.1:{found.port}/{bare_remote.name}"
            git(clone_pair[0], "remote", "set-url", "origin", where)
            yield found
            found.close()
    except servers.Missing as missing:
        pytest.skip(str(missing))


CUTS = [("up", 20), ("up", 300), ("up", 700), ("up", 1200), ("down", 100), ("answer", 600)]


@pytest.mark.parametrize(("way", "at"), CUTS)
def test_a_connection_that_breaks(
    clone_pair: Pair, bare_remote: Path, line: servers.BadLine, lineage: Lineage, way: str, at: int
) -> None:
    """Also where the server has all of it, and only its answer is lost: it is not sent twice."""
    ours, theirs = clone_pair
    git(ours, "config", "remote.origin.lineage", "true")
    tag(ours, "good", record(ours, "a"))
    record(ours, "b")
    setattr(line, way, at)
    done = lineage("push", cwd=ours, check=False)
    assert line.cut_count == 1
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[0].startswith("error: origin did not take lineage: ")
    assert said[0].endswith("; not there yet: 2 records and 1 tag")
    assert said[1:] == ["hint: what is unpushed stays here; try `git lineage push origin` again"]
    setattr(line, way, None)
    lineage("push", cwd=ours)
    record(ours, "c")
    lineage("push", cwd=ours)
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 3
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")
    sync(theirs).fetch("origin")
    assert (steps(theirs), members(theirs)) == (["a", "b", "c"], members(ours))


def test_a_fetch_that_breaks(
    clone_pair: Pair, line: servers.BadLine, lineage: Lineage
) -> None:  # fmt: skip
    ours, theirs = clone_pair
    record(theirs, "theirs")
    sync(theirs).push("origin")
    record(ours, "ours")
    for at in (50, 400, 700):
        line.down = at
        done = lineage("fetch", cwd=ours, check=False)
        assert (done.returncode, done.stderr[:7]) == (1, "error: ")
        assert steps(ours) == ["ours"]
    line.down = None
    lineage("fetch", cwd=ours)
    assert steps(ours) == ["ours", "theirs"]
    assert git(ours, "fsck", "--strict", "--no-dangling") == ""


def test_a_plain_push_goes_through_where_only_lineage_is_cut(
    clone_pair: Pair, bare_remote: Path, line: servers.BadLine, lineage: Lineage
) -> None:
    ours, _ = clone_pair
    git(ours, "config", "remote.origin.lineage", "true")
    lineage("init", cwd=ours)
    commit(ours, "code.py", "print(2)\n")
    (ours / "noise").write_bytes(os.urandom(30_000))
    lineage("run", "-q", "--step", "a", "--", "true", cwd=ours)  # sends a snapshot: the noise
    line.up = 20_000
    done = subprocess.run(["git", "push", "-q", "origin", "main"], cwd=ours, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    assert line.cut_count == 1
    assert done.returncode == 0
    assert "warning: lineage was not sent: " in done.stderr
    assert "not there yet: 1 record\n" in done.stderr
    assert refs(bare_remote)["refs/heads/main"] == refs(ours)["refs/heads/main"]
    line.up = None
    lineage("push", cwd=ours)
    assert len(trees(bare_remote)) == 1


# -- the server's own will -----------------------------------------------------------------------

REFUSALS = {
    "update": "case $1 in refs/lineage/*) exit 1;; esac\n",
    "pre-receive": "! grep -q refs/lineage/\n",
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_servers_hook_that_rejects_lineage(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage, name: str
) -> None:
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    git(ours, "config", "remote.origin.lineage", "true")
    record(ours, "a")
    tag(ours, "good", record(ours, "b"))
    commit(ours, "code.py", "print(2)\n")
    installed = hook(bare_remote, name, REFUSALS[name])
    done = subprocess.run(["git", "push", "-q", "origin", "main"], cwd=ours, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    assert done.returncode == 0
    warning, hint = done.stderr.splitlines()[:2]
    assert warning.startswith("warning: lineage was not sent: origin did not take lineage: ")
    assert warning.endswith("declined); not there yet: 2 records and 1 tag")
    assert hint == "hint: the code goes on its way; later `git lineage push origin`"
    assert refs(bare_remote)["refs/heads/main"] == refs(ours)["refs/heads/main"]
    assert refs(bare_remote, "refs/lineage") == {}
    installed.unlink()
    lineage("push", cwd=ours)
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")


# -- who is killed -------------------------------------------------------------------------------

# What is killed, by the words on its command line: the hook's program or its git, here or there.
VICTIMS = {
    "ours": "git-lineage pre-push origin",
    "git": "push --porcelain",
    "server": "git-receive-pack",
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_push_that_is_killed_and_repeated(
    clone_pair: Pair, bare_remote: Path, tmp_path: Path, lineage: Lineage, victim: str
) -> None:
    ours, theirs = clone_pair
    lineage("init", cwd=ours)
    git(ours, "config", "remote.origin.lineage", "true")
    tag(ours, "good", record(ours, "a"))
    reached, go = tmp_path / "reached", tmp_path / "go"
    os.mkfifo(go)
    held = hook(bare_remote, "pre-receive", "grep -q refs/lineage/ || exit 0\n"
                f"touch '{reached}'; read line <'{go}'\n")  # fmt: skip
    push = subprocess.Popen(["git", "push", "-q", "origin", "main"], cwd=ours,
                            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    until(reached.exists)
    (sending,) = (each for each, words in below(push.pid) if " pre-push origin" in words
                  and "git-lineage" in words)  # fmt: skip
    for process, words in below(sending):
        if VICTIMS[victim] in words:
            os.kill(process, signal.SIGKILL)
    held.unlink()
    (tmp_path / "let").write_text(f"echo >'{go}'")
    subprocess.run(["timeout", "5", "sh", tmp_path / "let"], check=False)
    assert push.wait(60) == 0
    record(ours, "b")
    lineage("push", cwd=ours)
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 2
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")
    sync(theirs).fetch("origin")
    assert (steps(theirs), members(theirs)) == (["a", "b"], members(ours))
    assert git(bare_remote, "fsck", "--strict", "--no-dangling") == ""


def below(process: int) -> list[tuple[int, str]]:
    """Return the processes that descend from one, and it, with their command lines."""
    words, parents = {}, {}
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            words[int(each.name)] = (each / "cmdline").read_text().replace("\0", " ")
            parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
    found = {process}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return [(each, words[each]) for each in found & words.keys()]


def test_a_member_who_is_killed_all_the_time(clone_pair: Pair, bare_remote: Path) -> None:
    """Whenever it comes: what is there is there once, and the next push goes on from it."""
    ours, theirs = clone_pair
    script = "from gitlineage.cli import main; import sys; sys.exit(main(['push', 'origin']))"
    git(ours, "config", "remote.origin.lineage", "true")
    record(theirs, "theirs")
    sync(theirs).push("origin")
    for number in range(8):
        record(ours, str(number))
        push = subprocess.Popen([sys.executable, "-c", script], cwd=ours, start_new_session=True,
                                stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            push.wait(0.04 * (number + 1))
        except subprocess.TimeoutExpired:
            os.killpg(push.pid, signal.SIGKILL)
            push.wait()
    for lock in bare_remote.glob("refs/**/*.lock"):
        lock.unlink()  # git's own, which it tells its owner to remove
    sync(ours).push("origin")
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 9
    sync(theirs).fetch("origin")
    assert steps(ours) == steps(theirs) == [*map(str, range(8)), "theirs"]
