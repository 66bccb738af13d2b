"""What a push would send, shown before the first time, and asked for where there is a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sharing import commit, git, objects, record, refs, steps, sync, tag

from gitlineage.errors import KeptFromRemote
from gitlineage.sync.outgoing import Uncommitted, outgoing

Lineage = Callable[..., subprocess.CompletedProcess[str]]
Pair = tuple[Path, Path]

SECRET = "in a file that nobody has committed"


@pytest.fixture
def ran(clone_pair: Pair, lineage: Lineage) -> Path:
    """Return a clone with an execution of code that was never committed, and its log."""
    ours, _ = clone_pair
    (ours / "new.txt").write_text(SECRET)
    lineage("run", "-q", "--step", "first", "--", "echo", "what it printed", cwd=ours)
    return ours


def on_terminal(folder: Path, answer: str, *words: str) -> tuple[int, str]:
    """Run `git lineage` on a terminal; return its status and what the terminal shows."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvp("git", ["git", "lineage", *words])
    os.write(terminal, answer.encode())
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode()


def sent(remote: Path) -> bool:
    return bool(refs(remote, "refs/lineage"))


# -- what is shown ---------------------------------------------------------------------------


def test_what_a_push_would_send(ran: Path, bare_remote: Path) -> None:
    tag(ran, "best", "0" * 40)
    found = outgoing(sync(ran), "origin")
    assert (found.remote, found.url, found.is_first) == ("origin", str(bare_remote), True)
    assert (found.records_count, found.tags_count, found.snapshots_count) == (1, 1, 1)
    assert found.log_bytes == len("what it printed\n")
    assert found.uncommitted == (Uncommitted(path="new.txt", size=len(SECRET)),)
    assert 0 < found.code_bytes < found.records_bytes < 4096
    assert not found.is_empty
    sync(ran).push("origin")
    assert outgoing(sync(ran), "origin").is_empty


def test_what_a_branch_has_is_not_listed(ran: Path) -> None:
    commit(ran, "new.txt", SECRET)
    assert outgoing(sync(ran), "origin").uncommitted == ()


def test_a_dry_run_sends_nothing(ran: Path, bare_remote: Path, lineage: Lineage) -> None:
    shown = lineage("push", "-n", cwd=ran).stdout
    assert shown.startswith(f"origin ({bare_remote}) would get\n  1 record, ")
    assert shown.endswith("\n  1 file that no branch has so:\n    new.txt  35 B\n")
    told = json.loads(lineage("push", "-n", "--json", cwd=ran).stdout)
    assert told["uncommitted"] == [{"path": "new.txt", "size": 35}]
    assert (told["remote"], told["records_count"], told["kept"]) == ("origin", 1, [])
    assert not sent(bare_remote)


# -- who is asked ----------------------------------------------------------------------------


def test_a_terminal_is_asked_once(ran: Path, bare_remote: Path) -> None:
    status, shown = on_terminal(ran, "n\n", "push")
    assert (status, sent(bare_remote)) == (1, False)
    assert "for the first time, origin" in shown
    assert "new.txt" in shown
    assert "error: nothing was sent to origin" in shown
    status, shown = on_terminal(ran, "y\n", "push")
    assert (status, sent(bare_remote)) == (0, True)
    record(ran, "second")
    status, shown = on_terminal(ran, "", "push")
    assert (status, shown) == (0, "lineage: sent 1 record to origin\r\n")


def test_who_says_yes_is_not_asked(ran: Path, bare_remote: Path) -> None:
    status, shown = on_terminal(ran, "", "push", "--yes")
    assert (status, sent(bare_remote)) == (0, True)
    assert "for the first time" in shown
    assert "send it?" not in shown


def test_it_is_shown_again_for_another_place(
    ran: Path, bare_remote: Path, lineage: Lineage
) -> None:
    assert "for the first time" in lineage("push", cwd=ran).stderr
    record(ran, "second")
    git(bare_remote.parent, "init", "-q", "--bare", "elsewhere.git")
    git(ran, "remote", "set-url", "origin", bare_remote.parent / "elsewhere.git")
    assert "elsewhere.git) gets\n" in lineage("push", cwd=ran).stderr


def test_a_plain_push_shows_and_is_never_kept_waiting(
    ran: Path, bare_remote: Path, lineage: Lineage
) -> None:
    lineage("init", cwd=ran)
    done = subprocess.run(["git", "push"], cwd=ran, capture_output=True, text=True)
    assert done.stderr.startswith(f"lineage: for the first time, origin ({bare_remote}) gets\n")
    assert done.stderr.endswith("lineage: sent 1 record to origin\nEverything up-to-date\n")
    record(ran, "second")
    done = subprocess.run(["git", "push"], cwd=ran, capture_output=True, text=True)
    assert done.stderr == "lineage: sent 1 record to origin\nEverything up-to-date\n"


# -- what stays here -------------------------------------------------------------------------


def test_code_stays_here(ran: Path, bare_remote: Path) -> None:
    git(ran, "config", "lineage.pushCode", "false")
    assert outgoing(sync(ran), "origin").kept == ("code",)
    sent = sync(ran).push("origin")
    assert (sent.records_count, sent.warnings) == (1, ())
    assert not refs(bare_remote, "refs/lineage/code")
    blob = git(ran, "hash-object", "new.txt").strip()
    assert blob in objects(ran)
    assert blob not in objects(bare_remote)


def test_logs_stay_here(ran: Path, clone_pair: Pair, bare_remote: Path, lineage: Lineage) -> None:
    git(ran, "config", "lineage.pushLog", "false")
    sync(ran).push("origin")
    record(ran, "second")
    sync(ran).push("origin")
    tips = refs(bare_remote, "refs/lineage/ledger").values()
    names = [git(bare_remote, "log", "--format=", "--name-only", "--root", tip) for tip in tips]
    assert set("".join(names).split()) == {"launch", "record"}
    printed = git(ran, "hash-object", "-w", "--stdin-paths", check=False)
    assert printed == ""
    assert lineage("output", "@first", cwd=ran).stdout == "what it printed\n"
    theirs = clone_pair[1]
    sync(theirs).fetch("origin")
    assert steps(theirs) == steps(ran) == ["first", "second"]
    done = lineage("output", "@first", cwd=theirs, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert " was not sent; it stays on " in done.stderr
    sync(ran).fetch("origin")
    assert steps(ran) == ["first", "second"]
    lineage("log", cwd=ran)  # completes what seems to be lacking: nothing is
    assert sync(ran).unpushed("origin") == 0


def test_one_remote_gets_what_another_does_not(ran: Path, bare_remote: Path) -> None:
    git(bare_remote.parent, "init", "-q", "--bare", "public.git")
    git(ran, "remote", "add", "public", bare_remote.parent / "public.git")
    git(ran, "config", "lineage.pushLog", "false")
    git(ran, "config", "lineage.pushCode", "false")
    git(ran, "config", "remote.origin.lineagePushLog", "true")
    git(ran, "config", "remote.origin.lineagePushCode", "true")
    sync(ran).push("origin")
    with pytest.raises(KeptFromRemote, match="not to get the log of 1 record, and"):
        sync(ran).push("public")
    assert not sent(bare_remote.parent / "public.git")
    git(ran, "config", "remote.public.lineagePushLog", "true")
    sync(ran).push("public")
    assert not refs(bare_remote.parent / "public.git", "refs/lineage/code")
    assert refs(bare_remote, "refs/lineage/code")


def test_a_remote_that_is_to_get_none(ran: Path, bare_remote: Path, lineage: Lineage) -> None:
    git(ran, "config", "remote.origin.lineage", "false")
    for words in (("push",), ("push", "-y"), ("push", "--dry-run"), ("sync", "-y")):
        done = lineage(*words, cwd=ran, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-2:] == [
            "error: origin is to get no lineage: remote.origin.lineage is false",
            "hint: `git config --unset remote.origin.lineage` takes that back",
        ]
    assert not sent(bare_remote)


def test_what_was_fetched_and_not_changed_goes_on(clone_pair: Pair) -> None:
    ours, theirs = clone_pair
    record(theirs, "theirs")
    sync(theirs).push("origin")
    git(ours, "config", "lineage.pushLog", "false")
    record(ours, "ours")
    assert sync(ours).push("origin").rounds == 2
    sync(theirs).fetch("origin")
    assert steps(theirs) == steps(ours) == ["ours", "theirs"]
