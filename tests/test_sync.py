"""Two copies become one: fetch, union, push, and what happens when someone else was faster."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Lineage
from executions import until
from sharing import (
    Trace,
    commit,
    executions,
    git,
    hook,
    keep_code,
    members,
    objects,
    record,
    refs,
    steps,
    sync,
    tag,
    trees,
    untag,
)

from gitlineage.cli import main
from gitlineage.errors import GitFailed, Refused, SyncRejected, UnknownRemote
from gitlineage.gitprocess import GitProcess
from gitlineage.repository import Repository
from gitlineage.sync import fetching
from gitlineage.sync.pushing import Pusher
from gitlineage.wiring import Wiring

Pair = tuple[Path, Path]


def connect(clone: Path, remote: str = "origin") -> None:
    Wiring(Repository.discover(str(clone))).connect(remote)


def another_clone(of: Path, name: str) -> Path:
    path = of.parent / name
    git(of.parent, "clone", "-q", of, path)
    return path


# -- what it costs ---------------------------------------------------------------------------


def test_a_push_of_one_record_is_one_connection(clone_pair: Pair, tmp_path: Path) -> None:
    ours, _ = clone_pair
    keep_code(ours)
    record(ours, "first")
    sync(ours).push("origin")
    record(ours, "second")
    with Trace(tmp_path / "trace") as trace:
        sent = sync(ours).push("origin")
    assert (sent.records_count, sent.rounds) == (1, 1)
    assert trace.connections() == ["receive-pack"]
    assert trace.started() == [
        "rev-parse",        # which repository this is
        "config",           # where the remote's tracking refs are, what it may have
        "for-each-ref",     # what is here, and what the remote had
        "push",
    ]  # fmt: skip


def test_new_code_costs_four_questions_more(clone_pair: Pair, tmp_path: Path) -> None:
    ours, _ = clone_pair
    record(ours, "first")
    sync(ours).push("origin")
    record(ours, "second")
    keep_code(ours)
    with Trace(tmp_path / "trace") as trace:
        sync(ours).push("origin")
    assert trace.connections() == ["receive-pack"]
    assert trace.started() == [
        "rev-parse", "config", "for-each-ref",
        "rev-list",         # the new code
        "cat-file",         # what it builds on
        "for-each-ref",     # the remote's branches
        "rev-list",         # do they reach that?
        "push",
    ]  # fmt: skip
    assert refs(ours, "refs/lineage/code").keys() == {_month(ours, "code")}


def test_a_push_without_news_connects_to_nothing(clone_pair: Pair, tmp_path: Path) -> None:
    ours, _ = clone_pair
    record(ours, "first")
    sync(ours).push("origin")
    with Trace(tmp_path / "trace") as trace:
        sent = sync(ours).push("origin")
    assert (sent.records_count, sent.tags_count, sent.rounds) == (0, 0, 0)
    assert trace.connections() == []


def test_the_command_pushes_in_one_connection(
    repo: Path, bare_remote: Path, tmp_path: Path, lineage: Callable[..., object]
) -> None:
    git(repo, "remote", "add", "origin", bare_remote)
    git(repo, "push", "-q", "origin", "main")
    git(repo, "config", "remote.origin.lineage", "true")
    lineage("init")
    lineage("run", "-q", "--", "true")
    with Trace(tmp_path / "trace") as trace:
        done = lineage("push")
    assert getattr(done, "stderr", "") == "lineage: sent 1 record to origin\n"
    assert trace.connections() == ["receive-pack"]
    assert set(refs(bare_remote)) == {
        "refs/heads/main", _month(repo, "code"), _month(repo, "ledger"), "refs/notes/lineage",
    }  # fmt: skip
    with Trace(tmp_path / "again") as trace:
        assert getattr(lineage("push"), "stderr", "") == "lineage: origin is up to date\n"
    assert trace.connections() == ["upload-pack"]


def test_a_remote_that_is_gone_is_not_up_to_date(
    clone_pair: Pair, bare_remote: Path, lineage: Callable[..., Any]
) -> None:
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    record(ours, "a")
    sync(ours).push("origin")
    lineage("push", cwd=ours)
    bare_remote.rename(bare_remote.with_name("away"))
    for words in (("push",), ("push", "-y"), ("push", "origin"), ("sync",), ("fetch",)):
        done = lineage(*words, cwd=ours, check=False)
        assert done.returncode in (1, 3) and done.stderr.startswith("error: "), words
        assert "up to date" not in done.stderr
    # The hook has nothing to send, and neither asks nor fails: what git says is git's.
    done = lineage("pre-push", "origin", str(bare_remote), cwd=ours)
    assert (done.returncode, done.stderr) == (0, "")


def _month(clone: Path, kind: str) -> str:
    (ref,) = refs(clone, f"refs/lineage/{kind}")
    return ref


# -- union -----------------------------------------------------------------------------------


def test_much_is_put_into_the_index_by_who_reads_next(
    clone_pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = clone_pair
    monkeypatch.setattr(fetching, "READ_AT_ONCE", 2)
    connect(ours)
    record(ours, "mine")
    for name in "abc":
        record(theirs, name)
    sync(theirs).push("origin")
    monkeypatch.chdir(ours)
    assert main(["fetch"]) == 0
    assert capsys.readouterr().err == "lineage: 3 new records from origin\n"
    assert steps(ours) == ["a", "b", "c", "mine"]
    assert main(["fetch"]) == 0
    assert capsys.readouterr().err == "lineage: 0 new records from origin\n"


def test_what_was_said_of_an_execution_is_a_new_record(
    clone_pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = clone_pair
    connect(ours)
    record(theirs, "a")
    monkeypatch.chdir(theirs)
    assert main(["metadata", "set", "@", "accuracy=0.9"]) == 0
    sync(theirs).push("origin")
    monkeypatch.chdir(ours)
    assert main(["fetch"]) == 0
    assert capsys.readouterr().err.endswith("lineage: 2 new records from origin\n")


def test_two_clones_push_one_after_the_other(clone_pair: Pair, bare_remote: Path) -> None:
    ours, theirs = clone_pair
    for clone, name in ((ours, "a"), (theirs, "b")):
        record(clone, f"{name}1")
        record(clone, f"{name}2")
    first, second = sync(ours).push("origin"), sync(theirs).push("origin")
    assert (first.rounds, first.records_count, first.changed) == (1, 2, ())
    assert (second.rounds, second.records_count) == (2, 2)
    assert second.changed == (_month(ours, "ledger"),)
    assert sync(ours).fetch("origin").changed == (_month(ours, "ledger"),)
    assert steps(ours) == steps(theirs) == ["a1", "a2", "b1", "b2"]
    assert refs(ours, "refs/lineage") == refs(theirs, "refs/lineage")
    assert trees(bare_remote) == trees(ours)
    assert git(bare_remote, "rev-list", "--merges", "--all") == ""
    assert git(bare_remote, "fsck", "--strict") == ""
    # Both pushed without force, and the first one's commits are where they were.
    assert git(ours, "log", "--format=%s", "--reverse", _month(ours, "ledger")).splitlines() == [
        f"{name}: succeeded" for name in ("a1", "a2", "b1", "b2")
    ]


def test_a_plain_fetch_is_folded_before_the_push(clone_pair: Pair, tmp_path: Path) -> None:
    ours, theirs = clone_pair
    connect(theirs)
    record(ours, "a")
    sync(ours).push("origin")
    record(theirs, "b")
    git(theirs, "fetch", "-q")
    with Trace(tmp_path / "trace") as trace:
        sent = sync(theirs).push("origin")
    assert (sent.rounds, sent.records_count, len(sent.changed)) == (1, 1, 1)
    assert trace.connections() == ["receive-pack"]
    assert steps(theirs) == ["a", "b"]


def test_three_clones_and_an_offline_month(clone_pair: Pair, bare_remote: Path) -> None:
    clones = [*clone_pair, another_clone(bare_remote, "third")]
    for number, clone in enumerate(clones):
        record(clone, f"now{number}")
    # The third was away since March: what it recorded stands in that month.
    record(clones[2], "march")
    month = _month(clones[2], "ledger")
    git(clones[2], "update-ref", "refs/lineage/ledger/2026-03", month)
    git(clones[2], "update-ref", month, f"{month}~")
    for clone in (*clones, *clones):
        sync(clone).fetch("origin")
        sync(clone).push("origin")
    for clone in clones:
        sync(clone).fetch("origin")
    expected = ["march", "now0", "now1", "now2"]
    assert [steps(clone) for clone in clones] == [expected] * 3
    assert refs(clones[0], "refs/lineage") == refs(clones[2], "refs/lineage")
    assert set(trees(bare_remote)) == set(trees(clones[0]))
    assert len(set(trees(bare_remote))) == 4


def test_concurrent_pushers_lose_nothing(clone_pair: Pair, bare_remote: Path) -> None:
    clones = [*clone_pair, *(another_clone(bare_remote, f"other{n}") for n in range(2))]
    for number, clone in enumerate(clones):
        for count in range(3):
            record(clone, f"{number}.{count}")
    code = (
        "import sys; from gitlineage.repository import Repository;"
        "from gitlineage.sync.pushing import Pusher;"
        "print(Pusher(Repository.discover(sys.argv[1])).push('origin').records_count)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, clone], stdout=subprocess.PIPE, text=True)
        for clone in clones
    ]
    assert [each.communicate()[0] for each in started] == ["3\n"] * 4
    assert len(trees(bare_remote)) == len(set(trees(bare_remote))) == 12
    assert git(bare_remote, "rev-list", "--merges", "--all") == ""


def test_removing_a_tag_travels_and_adding_it_again_too(clone_pair: Pair) -> None:
    ours, theirs = clone_pair
    one, other = record(ours, "one"), record(ours, "other")
    both = sorted([one, other])

    def share() -> None:
        for clone in (ours, theirs, ours):
            sync(clone).fetch("origin")
            sync(clone).push("origin")

    tag(ours, "prod", one, other)
    share()
    assert members(theirs) == members(ours) == {"prod": both}
    untag(theirs, "prod", one)
    share()
    assert members(theirs) == members(ours) == {"prod": [other]}
    tag(ours, "prod", one)
    untag(theirs, "prod", other)
    share()
    assert members(theirs) == members(ours) == {"prod": [one]}
    untag(ours, "prod", one)
    share()
    assert members(theirs) == members(ours) == {"prod": []}


def test_what_is_there_beats_a_removal_made_at_the_same_time(clone_pair: Pair) -> None:
    ours, theirs = clone_pair
    one = record(ours, "one")
    tag(ours, "prod", one)
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    untag(theirs, "prod", one)
    untag(ours, "prod", one)
    tag(ours, "prod", one)
    for clone in (theirs, ours, theirs, ours):
        sync(clone).fetch("origin")
        sync(clone).push("origin")
    assert members(theirs) == members(ours) == {"prod": [one]}


def test_a_ref_that_makes_no_sense_keeps_no_other_away(clone_pair: Pair, bare_remote: Path) -> None:
    ours, theirs = clone_pair
    record(ours, "good")
    sync(ours).push("origin")
    blob = git(bare_remote, "hash-object", "-w", bare_remote / "HEAD").strip()
    git(bare_remote, "update-ref", "refs/lineage/ledger/2000-01", blob)
    git(bare_remote, "update-ref", "refs/lineage/tags/odd", blob)
    record(theirs, "mine")
    fetched = sync(theirs).fetch("origin")
    assert fetched.warnings == tuple(
        f"refs/lineage/{name} is not a chain of commits there; it is left alone"
        for name in ("ledger/2000-01", "tags/odd")
    )
    assert steps(theirs) == ["good", "mine"]
    assert refs(theirs, "refs/lineage").keys() == {_month(ours, "ledger")}


# -- a remote that is set back ---------------------------------------------------------------


def test_a_rewound_remote_takes_nothing_away(clone_pair: Pair, bare_remote: Path) -> None:
    ours, theirs = clone_pair
    record(ours, "a")
    sync(ours).push("origin")
    ref = _month(ours, "ledger")
    before = refs(bare_remote)[ref]
    record(ours, "b")
    sync(ours).push("origin")
    sync(theirs).fetch("origin")
    git(bare_remote, "update-ref", ref, before)
    fetched = sync(theirs).fetch("origin")
    assert (fetched.rewound, fetched.changed) == ((ref,), ())
    assert sync(theirs).fetch("origin").rewound == ()
    assert steps(theirs) == ["a", "b"]
    assert sync(theirs).push("origin").records_count == 1
    assert trees(bare_remote) == trees(theirs)


def test_a_rewound_remote_is_noticed_behind_a_plain_fetch(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    connect(ours)
    record(ours, "a")
    sync(ours).push("origin")
    ref = _month(ours, "ledger")
    record(ours, "b")
    sync(ours).push("origin")
    git(bare_remote, "update-ref", ref, f"{ref}~")
    git(ours, "fetch", "-q")
    assert sync(ours).fetch("origin").rewound == (ref,)
    assert steps(ours) == ["a", "b"]


def test_a_remote_that_was_made_anew_gets_all_of_it_again(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    one = record(ours, "a")
    tag(ours, "prod", one)
    keep_code(ours)
    sync(ours).push("origin")
    before = refs(bare_remote, "refs/lineage")
    shutil.rmtree(bare_remote)
    git(ours, "init", "-q", "--bare", bare_remote)
    git(ours, "push", "-q", "origin", "main")
    fetched = sync(ours).fetch("origin", ("ledger", "tags", "code"))
    assert sorted(fetched.rewound) == sorted(before)
    sent = sync(ours).push("origin")
    assert (sent.records_count, sent.tags_count) == (1, 1)
    assert refs(bare_remote, "refs/lineage") == before


def test_the_command_reports_a_rewound_remote(
    repo: Path, bare_remote: Path, lineage: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    git(repo, "remote", "add", "origin", bare_remote)
    record(repo, "a")
    record(repo, "b")
    sync(repo).push("origin")
    ref = _month(repo, "ledger")
    git(bare_remote, "update-ref", ref, f"{ref}~")
    assert lineage("fetch").stderr == (
        f"warning: origin has set back {ref}; nothing is lost here\n"
        "lineage: 0 new records from origin\n"
    )


# -- refusals --------------------------------------------------------------------------------


def test_one_refused_ref_does_not_keep_the_others(clone_pair: Pair, bare_remote: Path) -> None:
    ours, _ = clone_pair
    one = record(ours, "a")
    tag(ours, "good", one)
    tag(ours, "bad", one)
    hook(bare_remote, "update", 'case $1 in */bad) echo "no bad tags"; exit 1;; esac\n')
    with pytest.raises(SyncRejected) as caught:
        sync(ours).push("origin")
    assert (
        str(caught.value)
        == "origin did not take lineage: [remote rejected] (hook declined); not there yet: 1 tag"
    )
    assert (
        caught.value.advice() == "what is unpushed stays here; try `git lineage push origin` again"
    )
    assert set(refs(bare_remote, "refs/lineage")) == {_month(ours, "ledger"),
                                                      "refs/lineage/tags/good"}  # fmt: skip
    hook(bare_remote, "update", "exit 0\n")
    assert sync(ours).push("origin").tags_count == 1
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")


def test_a_server_that_refuses_lineage_gets_none_and_says_so(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    tag(ours, "good", record(ours, "a"))
    hook(bare_remote, "pre-receive", "exit 1\n")
    with pytest.raises(SyncRejected) as caught:
        sync(ours).push("origin")
    assert str(caught.value) == (
        "origin did not take lineage: [remote rejected] (pre-receive hook declined); "
        "not there yet: 1 record and 1 tag"
    )
    assert refs(bare_remote, "refs/lineage") == {}


def test_a_server_that_refuses_the_code_gets_the_records(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    keep_code(ours)
    hook(bare_remote, "pre-receive", "! grep -q refs/lineage/code\n")
    sent = sync(ours).push("origin")
    assert sent.warnings == (
        "code stays here: origin says [remote rejected] (pre-receive hook declined)",
    )
    assert refs(bare_remote, "refs/lineage").keys() == {_month(ours, "ledger")}


def test_an_unreachable_remote_is_told_with_what_is_unpushed(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    bare_remote.rename(bare_remote.parent / "away")
    with pytest.raises(SyncRejected) as caught:
        sync(ours).push("origin")
    assert str(caught.value) == (
        f"origin did not take lineage: '{bare_remote}' does not appear to be a git repository; "
        "not there yet: 1 record"
    )
    with pytest.raises(GitFailed) as failed:
        sync(ours).fetch("origin")
    assert (
        str(failed.value)
        == f"git fetch failed: '{bare_remote}' does not appear to be a git repository"
    )


def test_which_remote(repo: Path) -> None:
    def reason(name: str | None = None) -> str:
        with pytest.raises(Refused if name is None else UnknownRemote) as caught:
            sync(repo).remote(name)
        return str(caught.value)

    assert reason() == ("there is no remote to share lineage with; "
                        "add one with `git remote add origin URL`")  # fmt: skip
    git(repo, "remote", "add", "one", "nowhere")
    assert sync(repo).remote(None) == "one"
    git(repo, "remote", "add", "two", "nowhere")
    assert reason() == "there are several remotes, name one: one two"
    assert reason("three") == "there is no remote called three"
    git(repo, "config", "branch.main.remote", "two")
    assert sync(repo).remote(None) == "two"


class Interrupted(Repository):
    """A repository whose owner goes away at one of git's answers."""

    at = ""

    def start(self, *arguments: str, **options: object) -> GitProcess:
        if self.at in arguments:
            raise KeyboardInterrupt
        return super().start(*arguments, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", ["update-ref", "rev-list", "for-each-ref", "--stdin"])
def test_a_push_that_was_broken_off_is_completed_by_the_next(
    clone_pair: Pair, bare_remote: Path, verb: str
) -> None:
    ours, theirs = clone_pair
    record(theirs, "b")
    sync(theirs).push("origin")
    tag(ours, "prod", record(ours, "a"))
    repository = Interrupted.discover(str(ours))
    repository.at = verb  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        Pusher(repository).push("origin")
    sync(ours).push("origin")
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")
    assert len(trees(bare_remote)) == 2
    assert refs(ours, "refs/lineage-scratch") == {}


def test_a_killed_push_is_completed_by_the_next(
    clone_pair: Pair, bare_remote: Path, tmp_path: Path
) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    reached, go = tmp_path / "reached", tmp_path / "go"
    os.mkfifo(go)
    hook(bare_remote, "pre-receive", f"touch '{reached}'; read line <'{go}'\n")
    push = subprocess.Popen(["git-lineage", "push"], cwd=ours)
    until(reached.exists)
    push.send_signal(signal.SIGKILL)
    push.wait()
    go.write_text("\n")
    hook(bare_remote, "pre-receive", "exit 0\n")
    until(lambda: refs(bare_remote, "refs/lineage"), "the abandoned push")
    record(ours, "b")
    sync(ours).push("origin")
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")
    assert steps(ours) == ["a", "b"]


def test_scratch_refs_of_the_killed_are_removed(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    old, young = time.time_ns() - 2 * 3600 * 10**9, time.time_ns()
    for made in (old, young):
        git(ours, "update-ref", f"refs/lineage-scratch/2026-11.{made}", "HEAD")
    sync(ours).push("origin")
    assert refs(ours, "refs/lineage-scratch").keys() == {f"refs/lineage-scratch/2026-11.{young}"}


# -- what must not travel --------------------------------------------------------------------


def test_no_unpublished_commit_travels_with_the_code(clone_pair: Pair, bare_remote: Path) -> None:
    ours, theirs = clone_pair
    published = git(ours, "rev-parse", "HEAD").strip()
    secret = commit(ours, "code.py", "secret = 1\n", "Not yet for others")
    blob = git(ours, "rev-parse", "HEAD:code.py").strip()
    final = commit(ours, "code.py", "secret = 2\n", "Nor this")
    clean = keep_code(ours)
    (ours / "new.py").write_text("new\n")
    dirty = keep_code(ours, is_clean=False)
    record(ours, "a")
    assert sync(ours).push("origin").warnings == ()
    there = objects(bare_remote)
    assert {clean, dirty} <= there
    assert not {secret, final, blob} & there
    assert "Not yet" not in git(bare_remote, "log", "--all", "--format=%B")
    for each in (clean, dirty):
        assert git(bare_remote, "log", "-1", "--format=%P", each).strip() == published
    # The other clone gets exactly the code that ran.
    sync(theirs).fetch("origin", ("ledger", "tags", "code"))
    assert git(theirs, "show", f"{dirty}:new.py") == "new\n"
    assert git(theirs, "show", f"{clean}:code.py") == "secret = 2\n"


def test_code_that_is_published_elsewhere_stays(
    clone_pair: Pair, bare_remote: Path, isolated: Path
) -> None:
    ours, _ = clone_pair
    private = isolated / "private.git"
    git(ours, "init", "-q", "--bare", private)
    git(ours, "remote", "add", "private", private)
    git(ours, "checkout", "-q", "-b", "internal")
    secret = commit(ours, "code.py", "secret = 1\n", "For us alone")
    git(ours, "push", "-q", "-u", "private", "internal")
    assert keep_code(ours, "private") == secret
    record(ours, "a")
    sent = sync(ours).push("private")
    assert (sent.warnings, secret in objects(private)) == ((), True)
    # On the other branch lineage goes to origin, which has never seen that commit.
    git(ours, "checkout", "-q", "main")
    sent = sync(ours).push("origin")
    assert sent.warnings == ("code stays here: some of it is not published on origin",)
    assert sent.records_count == 1
    assert secret not in objects(bare_remote)
    assert refs(bare_remote, "refs/lineage").keys() == {_month(ours, "ledger")}
    git(ours, "push", "-q", "origin", "internal")
    assert sync(ours).push("origin").warnings == ()
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")


def test_a_snapshot_on_a_private_base_stays_too(
    clone_pair: Pair, bare_remote: Path, isolated: Path
) -> None:
    ours, _ = clone_pair
    private = isolated / "private.git"
    git(ours, "init", "-q", "--bare", private)
    git(ours, "remote", "add", "private", private)
    base = commit(ours, "code.py", "secret = 1\n", "For us alone")
    git(ours, "push", "-q", "private", "main")
    (ours / "new.py").write_text("new\n")
    keep_code(ours, "private", is_clean=False)
    record(ours, "a")
    assert len(sync(ours).push("origin").warnings) == 1
    assert base not in objects(bare_remote)


def test_a_branch_that_was_forced_since_is_still_known_as_published(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, _ = clone_pair
    kept = commit(ours, "code.py", "one\n")
    git(ours, "push", "-q", "origin", "main")
    assert keep_code(ours) == kept
    git(ours, "commit", "-q", "--amend", "-m", "Another word")
    git(ours, "push", "-q", "--force", "origin", "main")
    record(ours, "a")
    assert sync(ours).push("origin").warnings == ()
    assert refs(bare_remote, "refs/lineage") == refs(ours, "refs/lineage")


def test_no_tag_and_no_branch_goes_along(clone_pair: Pair, bare_remote: Path) -> None:
    ours, _ = clone_pair
    git(ours, "config", "push.followTags", "true")
    git(ours, "config", "remote.origin.push", "refs/heads/*:refs/heads/*")
    git(ours, "tag", "-a", "-m", "release", "v1")
    git(ours, "branch", "other")
    keep_code(ours)
    record(ours, "a")
    sync(ours).push("origin")
    assert set(refs(bare_remote)) - set(refs(ours, "refs/lineage")) == {"refs/heads/main"}


# -- odd repositories ------------------------------------------------------------------------


def test_a_mirror_takes_a_push_of_lineage(clone_pair: Pair, isolated: Path) -> None:
    ours, _ = clone_pair
    mirror = isolated / "mirror.git"
    git(ours, "init", "-q", "--bare", mirror)
    git(ours, "remote", "add", "--mirror=push", "mirror", mirror)
    record(ours, "a")
    sync(ours).push("mirror")
    assert refs(mirror) == refs(ours, "refs/lineage")


@pytest.mark.parametrize("name", ["team/fork", "ümlaut", "a=b", "a.b"])
def test_odd_names_of_remotes(clone_pair: Pair, bare_remote: Path, name: str) -> None:
    ours, theirs = clone_pair
    git(theirs, "remote", "rename", "origin", name)
    tag(ours, "prod", record(ours, "a"))
    sync(ours).push("origin")
    connect(theirs, name)
    assert sync(theirs).is_shared(name)
    record(theirs, "b")
    git(theirs, "fetch", "-q", name)
    sent = sync(theirs).push(name)
    assert (sent.rounds, sent.records_count) == (1, 1)
    assert refs(theirs, "refs/lineage") == refs(bare_remote, "refs/lineage")
    assert len(trees(theirs)) == 2


def test_sha256(isolated: Path) -> None:
    remote = isolated / "sha256.git"
    git(isolated, "init", "-q", "--bare", "--object-format=sha256", remote)
    ours, theirs = isolated / "a", isolated / "b"
    for clone in (ours, theirs):  # cloning an empty one would forget the format, in git 2.39
        git(isolated, "init", "-q", "--object-format=sha256", clone)
        git(clone, "remote", "add", "origin", remote)
    commit(ours, "code.py", "1\n")
    git(ours, "push", "-q", "origin", "HEAD")
    keep_code(ours)
    for clone, name in ((ours, "a"), (theirs, "b")):
        tag(clone, "prod", record(clone, name))
        sync(clone).push("origin")
    sync(theirs).fetch("origin", ("ledger", "tags", "code"))
    assert refs(remote, "refs/lineage") == refs(theirs, "refs/lineage")
    assert len(trees(remote)) == len(members(theirs)["prod"]) == 2


def test_a_renamed_remote_keeps_its_tracking_refs(clone_pair: Pair, tmp_path: Path) -> None:
    ours, _ = clone_pair
    connect(ours)
    record(ours, "a")
    sync(ours).push("origin")
    git(ours, "remote", "rename", "origin", "upstream")
    assert sync(ours).is_shared("upstream")
    with Trace(tmp_path / "trace") as trace:
        assert sync(ours).push("upstream").rounds == 0
    assert trace.connections() == []


def test_opting_out(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    assert not sync(ours).is_shared("origin")
    connect(ours)
    assert sync(ours).is_shared("origin")
    git(ours, "config", "remote.origin.lineage", "off")
    assert not sync(ours).is_shared("origin")


def test_a_chain_that_a_shallow_fetch_has_cut_is_deepened(
    clone_pair: Pair, bare_remote: Path, isolated: Path
) -> None:
    ours, _ = clone_pair
    for number in range(5):
        commit(ours, "code.py", f"{number}\n")
    git(ours, "push", "-q", "origin", "main")
    for name in "abc":
        record(ours, name)
    sync(ours).push("origin")
    shallow = isolated / "shallow"
    git(isolated, "clone", "-q", "--depth=1", bare_remote.as_uri(), shallow)
    connect(shallow)
    sync(shallow).fetch("origin")
    record(shallow, "mine")
    record(ours, "d")
    sync(ours).push("origin")
    git(shallow, "fetch", "-q", "--depth=1")
    assert "mine" in steps(shallow)  # and nothing was appended again behind a cut chain
    fetched = sync(shallow).fetch("origin")
    assert (fetched.warnings, fetched.rewound) == ((), ())
    sync(shallow).push("origin")
    assert steps(shallow) == ["a", "b", "c", "d", "mine"]
    assert len(trees(bare_remote)) == 5
    # The code's history is as short as it was.
    assert git(shallow, "rev-list", "--count", "main") == "1\n"


def test_the_code_of_a_shallow_clone(clone_pair: Pair, bare_remote: Path, isolated: Path) -> None:
    shallow = isolated / "shallow"
    git(isolated, "clone", "-q", "--depth=1", bare_remote.as_uri(), shallow)
    (shallow / "new.py").write_text("new\n")
    kept = keep_code(shallow, is_clean=False)
    record(shallow, "a")
    sync(shallow).push("origin")
    assert git(bare_remote, "show", f"{kept}:new.py") == "new\n"
    assert git(bare_remote, "fsck", "--strict") == ""


def test_a_partial_clone_gets_whole_records(
    clone_pair: Pair, bare_remote: Path, isolated: Path, tmp_path: Path
) -> None:
    ours, _ = clone_pair
    git(bare_remote, "config", "uploadpack.allowFilter", "true")
    for number in range(4):
        record(ours, f"r{number}")
    sync(ours).push("origin")
    partial = isolated / "partial"
    git(isolated, "clone", "-q", "--filter=blob:none", bare_remote.as_uri(), partial)
    connect(partial)
    sync(partial).fetch("origin")
    with Trace(tmp_path / "whole") as trace:
        assert len(executions(partial)) == 4
    assert trace.connections() == []
    # What a plain fetch brings is not whole; what is missing comes at once when it is read.
    for number in range(4):
        record(ours, f"s{number}")
    sync(ours).push("origin")
    git(partial, "fetch", "-q")
    with Trace(tmp_path / "completed") as trace:
        assert len(executions(partial)) == 8
    assert trace.connections() == ["upload-pack"]


def test_a_plain_fetch_that_prunes_does_no_harm(clone_pair: Pair) -> None:
    ours, theirs = clone_pair
    connect(ours)
    git(ours, "fetch", "-q", "--prune")  # a remote without any lineage
    record(ours, "a")
    keep_code(ours)
    sync(ours).push("origin")
    connect(theirs)
    git(theirs, "config", "fetch.prune", "true")
    git(theirs, "pull", "-q")
    record(theirs, "b")
    git(theirs, "fetch", "-q", "--prune", "--tags")
    assert steps(theirs) == ["a", "b"]
    before = refs(ours)
    git(ours, "fetch", "-q", "--prune")
    assert refs(ours) == before


def test_notes_are_sent_with_a_lease_and_stale_ones_are_not(
    clone_pair: Pair, bare_remote: Path
) -> None:
    ours, theirs = clone_pair
    for clone, name in ((ours, "a"), (theirs, "b")):
        record(clone, name)
        git(clone, "notes", "--ref=lineage", "add", "-m", name, "HEAD")
    sync(ours).push("origin")
    first = refs(bare_remote)["refs/notes/lineage"]
    sync(theirs).push("origin")
    assert refs(bare_remote)["refs/notes/lineage"] == first
    # Now that they know of ours, they may replace it.
    git(theirs, "notes", "--ref=lineage", "add", "-f", "-m", "a and b", "HEAD")
    sync(theirs).push_notes("origin")
    assert git(bare_remote, "notes", "--ref=lineage", "show", "main") == "a and b\n"
    assert re.fullmatch(r"[0-9a-f]{40}", first)


def test_what_a_remote_has_set_back_stays_told(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage
) -> None:
    """Also when a plain fetch has brought it, and a push is what sees it."""
    ours, _ = clone_pair
    record(ours, "a")
    sync(ours).push("origin")
    ((ref, tip),) = refs(bare_remote, "refs/lineage/ledger").items()
    record(ours, "b")
    sync(ours).push("origin")
    git(bare_remote, "update-ref", ref, tip)
    git(ours, "fetch", "-q", "origin", "+refs/lineage/*:refs/lineage-remotes/origin/*")
    record(ours, "c")
    assert sync(ours).push("origin").warnings == (f"origin has set back {ref}; it is sent again",)
    assert sync(ours).push("origin").warnings == ()
    done = lineage("verify", cwd=ours)
    assert done.stdout.startswith(f"rewound    {ref}  origin had set it back by 2")
    assert steps(ours) == ["a", "b", "c"]
