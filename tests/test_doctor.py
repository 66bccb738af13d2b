"""Whether `doctor` finds what is in the way of lineage, by trying, and says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Lineage
from sharing import commit, git, hook, record, refs, sync
from test_wiring import push, wiring

from gitlineage.repository import Repository
from gitlineage.running import Running

Pair = tuple[Path, Path]


@pytest.fixture
def ours(clone_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone that shares lineage, with one record that is not pushed."""
    clone, _ = clone_pair
    wiring(clone).connect("origin")
    git(clone, "config", "remote.origin.lineage", "true")
    record(clone, "a")
    monkeypatch.chdir(clone)
    return clone


Told = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def told(lineage: Lineage) -> Told:
    """Return what tells kind and level of what `doctor` finds, notes aside, and checks its end."""

    def look(*words: str) -> list[tuple[str, str]]:
        done = lineage("doctor", "--json", *words, check=False)
        found = json.loads(done.stdout)
        is_well = not any(each["level"] == "problem" for each in found["findings"])
        assert (found["is_well"], done.returncode) == (is_well, 0 if is_well else 1)
        assert all(each["message"] and "\n" not in each["message"] for each in found["findings"])
        return [(e["kind"], e["level"]) for e in found["findings"] if e["level"] != "note"]

    return look


def test_all_is_well(ours: Path, lineage: Lineage, told: Told, bare_remote: Path) -> None:
    done = lineage("doctor")
    assert done.stderr == (
        "lineage: origin: 1 record here, 0 there, 1 unpushed\nlineage: nothing is in the way\n"
    )
    assert told() == told("--offline") == told("origin") == []
    assert refs(bare_remote, "refs/lineage") == {}
    push(ours)
    assert "origin: 1 record here, 1 there, 0 unpushed" in lineage("doctor").stderr
    lineage("log")
    assert json.loads(lineage("doctor", "--json").stdout)["index"] == "current"


def test_where_nothing_was_set_up(repo: Path, lineage: Lineage, told: Told) -> None:
    assert told() == []
    assert lineage("doctor").stdout.splitlines()[0].startswith("note     there is no remote")
    git(repo, "remote", "add", "origin", repo.parent / "nowhere")
    assert told() == [("refspec", "problem")]
    done = lineage("doctor", "other", check=False)
    assert (done.returncode, done.stderr.count("error: ")) == (3, 1)


def missing(clone: Path) -> None:
    (clone / ".git/hooks/pre-push").unlink()


def not_executable(clone: Path) -> None:
    (clone / ".git/hooks/pre-push").chmod(0o644)


def elsewhere(clone: Path) -> None:
    git(clone, "config", "core.hooksPath", "somewhere")


def replaced(clone: Path) -> None:
    hook(clone, "pre-push", "exit 0\n")


def by_pre_commit(clone: Path) -> None:
    (clone / ".pre-commit-config.yaml").write_text("repos: []\n")
    words = ("-m", "pre_commit", "install", "-f", "--hook-type", "pre-push")
    subprocess.run([sys.executable, *words], cwd=clone, check=True, capture_output=True)


def without_program(clone: Path) -> None:
    path = clone / ".git/hooks/pre-push"
    text = path.read_text().replace("$(command -v git-lineage)", "$(command -v no-such-program)")
    path.write_text(text.replace("program='", "program='/nowhere"))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (missing, "there is no hook in "),
        (not_executable, "is not executable"),
        (elsewhere, "git looks for hooks in "),
        (replaced, "is another program's"),
        (by_pre_commit, "is pre-commit's"),
        (without_program, "was not reached"),
    ],
)
def test_a_hook_that_is_not_reached_and_init_mends_it(
    ours: Path, lineage: Lineage, told: Told, break_it: Callable[[Path], object], says: str,
    bare_remote: Path,
) -> None:  # fmt: skip
    break_it(ours)
    done = lineage("doctor", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("problem  origin: pushes carry no lineage: ")
    assert says in done.stdout
    assert "remedy: git lineage init --remote origin\n" in done.stdout
    wiring(ours).connect("origin")
    assert told() == []
    assert push(ours).returncode == 0
    assert refs(bare_remote, "refs/lineage") != {}


def test_hooks_of_others_are_asked_too(ours: Path, told: Told, isolated: Path) -> None:
    wiring(ours).disconnect(None)
    hook(ours, "pre-push", f"cat >{isolated}/seen; exit 0\n")
    wiring(ours).connect("origin")
    assert told() == []
    assert not (isolated / "seen").exists(), "what comes before ours need not run"
    own = ours / ".git/hooks/pre-push"
    own.rename(ours / ".git/hooks/theirs")
    hook(ours, "pre-push", 'exec "${0%/*}/theirs" "$@"\n')
    assert told() == []


def test_remotes_that_are_not_as_they_were(ours: Path, told: Told, lineage: Lineage) -> None:
    git(ours, "remote", "rename", "origin", "up")
    assert told() == [("refspec", "warning")]
    wiring(ours).connect("up")
    assert told() == []
    git(ours, "remote", "set-branches", "up", "main")
    assert told() == [("refspec", "problem")]
    wiring(ours).connect("up")
    git(ours, "config", "remote.up.lineage", "false")
    assert told() == []
    assert "plain pushes carry no lineage, as is configured" in lineage("doctor").stdout


def test_settings_that_take_lineage_away(ours: Path, told: Told) -> None:
    git(ours, "config", "--add", "remote.origin.fetch", "+refs/*:refs/*")
    git(ours, "config", "remote.origin.mirror", "true")
    git(ours, "config", "--add", "remote.origin.push", "+refs/*:refs/*")
    assert told("--offline") == [
        ("refspec", "problem"), ("mirror", "warning"), ("mirror", "warning")
    ]  # fmt: skip


def test_what_the_remote_is_set_to(ours: Path, bare_remote: Path, told: Told) -> None:
    git(bare_remote, "config", "receive.denyNonFastForwards", "true")
    git(bare_remote, "config", "receive.denyDeletes", "true")
    git(bare_remote, "config", "transfer.hideRefs", "refs/lineage")
    assert sorted(told()) == [("server", "problem"), ("server", "warning"), ("server", "warning")]


def test_a_remote_that_is_gone(ours: Path, bare_remote: Path, told: Told) -> None:
    bare_remote.rename(bare_remote.parent / "away")
    assert told() == [("push", "problem")]
    assert told("--offline") == []


def test_a_remote_that_was_set_back(ours: Path, bare_remote: Path, told: Told) -> None:
    sync(ours).push("origin")
    for name in refs(bare_remote, "refs/lineage"):
        git(bare_remote, "update-ref", "-d", name)
    git(ours, "fetch", "-q", "--prune", "origin", "+refs/lineage/*:refs/lineage-remotes/origin/*")
    assert told() == [("rewound", "warning")]


def test_clones_that_lack_something(
    ours: Path, bare_remote: Path, isolated: Path, lineage: Lineage, told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    record(ours, "b")
    sync(ours).push("origin")
    git(bare_remote, "config", "uploadpack.allowFilter", "true")
    url, partial = bare_remote.as_uri(), isolated / "partial"
    git(isolated, "clone", "-q", "--filter=blob:none", url, partial)
    monkeypatch.chdir(partial)
    lineage("init")
    assert told() == []
    assert "a partial clone" in lineage("doctor").stdout
    shallow = isolated / "shallow"
    git(isolated, "clone", "-q", "--depth=1", url, shallow)
    monkeypatch.chdir(shallow)
    wiring(shallow).connect("origin")
    git(shallow, "fetch", "-q", "--depth=1")
    assert told() == [("shallow", "warning")]
    lineage("fetch")
    assert told() == []


def test_this_machine(
    ours: Path, told: Told, lineage: Lineage, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(ours, "config", "--global", "--unset", "user.name")
    entry = Running(Repository.discover(str(ours)).lineage_dir).begin(b"launch", str(ours))
    entry.release()
    assert told("--offline") == [("identity", "warning"), ("running", "warning")]
    tools = isolated / "tools"
    tools.mkdir()
    for name in ("git", "sh", "cat", "ls", "grep"):
        real = subprocess.check_output(["sh", "-c", f"command -v {name}"], text=True).strip()
        (tools / name).symlink_to(real)
    program = subprocess.check_output(["sh", "-c", "command -v git-lineage"], text=True).strip()
    monkeypatch.setenv("PATH", str(tools))
    done = subprocess.run([program, "doctor", "--offline"], capture_output=True, text=True)
    assert "dot is not installed, which trace as SVG, PNG and PDF needs" in done.stdout
    assert "strace is not installed, which run --observe needs" in done.stdout


def test_signing_that_does_not_work(ours: Path, told: Told) -> None:
    git(ours, "config", "lineage.sign", "true")
    git(ours, "config", "gpg.format", "ssh")
    git(ours, "config", "user.signingKey", "/nowhere")
    assert told("--offline") == [("signing", "problem")]


def test_a_git_that_cannot_run_hooks(
    ours: Path, told: Told, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before 2.36."""
    real = subprocess.check_output(["sh", "-c", "command -v git"], text=True).strip()
    tools = isolated / "tools"
    tools.mkdir()
    said = "git: \\'hook\\' is not a git command. See \\'git --help\\'."
    (tools / "git").write_text(
        f'#!/bin/sh\n[ "$1" != hook ] || {{ echo {said} >&2; exit 1; }}\nexec {real} "$@"\n'
    )
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert told() == []
    not_executable(ours)
    assert told() == [("hook", "problem")]


def test_a_hook_that_hangs_is_given_up(
    ours: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitlineage.doctor import probe

    monkeypatch.setattr(probe, "PATIENCE", 0.5)
    hook(ours, "pre-push", "sleep 600\n")
    found = wiring(ours)
    asked = probe.Probe(Repository.discover(), found.hook, is_offline=True).ask("origin", "url")
    assert asked == (None, "no answer within 0.5 s")


# -- what is lost ------------------------------------------------------------------------------


def lose(name: str) -> None:
    path = Path(".git/objects") / name[:2] / name[2:]
    path.chmod(0o644)
    path.unlink()


def steps_of(lineage: Lineage) -> list[str]:
    lines = lineage("log", "--json").stdout.splitlines()
    return sorted(json.loads(each)["step"] for each in lines)


def test_repair_links_what_is_left_and_a_fetch_brings_the_rest(
    ours: Path, lineage: Lineage, told: Told, bare_remote: Path
) -> None:
    for name in "bcd":
        record(ours, name)
    sync(ours).push("origin")
    for name in "ef":
        record(ours, name)
    ((ref, tip),) = refs(ours, "refs/lineage/ledger").items()
    # Between what was pushed and what was not, and one that only this clone has.
    chain = git(ours, "rev-list", tip).split()
    lose(chain[3])
    lose(chain[1])
    assert steps_of(lineage) == ["a", "b", "d", "f"], "also behind the breaks"
    assert told("--offline") == [("ledger", "problem")] * 2
    done = lineage("doctor", "--repair")
    # What lies behind a break is not known to be lost: a fetch brings it afterwards.
    assert done.stderr.splitlines()[:5] == [
        "lineage: 0 lost objects brought back from origin",
        "warning: 1 object of the ledger cannot be read, and no place that was asked has it",
        f"lineage: {ref} was linked again: 4 records, 3 of them found again",
        *(f"warning: commit {id} is lost, unless a remote has it: git lineage fetch"
          for id in (chain[1], chain[3])),
    ]  # fmt: skip
    assert lineage("doctor", "--repair", "--offline").stderr.startswith("lineage: nothing to rep")
    verified = lineage("verify")
    assert "4 records in 1 month: all sound" in verified.stderr
    assert verified.stdout.count("is lost; what is left was linked again") == 2
    fetched = lineage("fetch")
    assert "set back" not in fetched.stderr
    assert steps_of(lineage) == ["a", "b", "c", "d", "f"]
    assert lineage("verify").stdout.count("is lost; what is left was linked again") == 1
    assert sync(ours).push("origin").records_count == 1
    assert git(bare_remote, "fsck", "--strict") == git(ours, "fsck", "--strict", "--no-dangling")


def test_repair_brings_nothing_back_that_was_forgotten(ours: Path, lineage: Lineage) -> None:
    for name in "bcd":
        record(ours, name)
    lineage("forget", "@c", "-m", "why")
    lineage("forget", "@b", "-m", "why")
    record(ours, "e")
    record(ours, "f")
    (ref,) = refs(ours, "refs/lineage/ledger")
    lose(git(ours, "rev-parse", f"{ref}~1").strip())
    lineage("doctor", "--repair", "--offline")
    assert steps_of(lineage) == ["a", "d", "f"]


def test_repair_keeps_here_what_was_kept_here(ours: Path, lineage: Lineage) -> None:
    git(ours, "config", "lineage.pushLog", "false")
    for name in "xyz":
        lineage("run", "-q", "--step", name, "--", "echo", name)
    sync(ours).push("origin")
    lineage("run", "-q", "--step", "w", "--", "true")
    lineage("run", "-q", "--step", "v", "--", "true")
    ((ref, tip),) = refs(ours, "refs/lineage/ledger").items()
    lose(git(ours, "rev-parse", f"{tip}~1").strip())
    lineage("doctor", "--repair", "--offline")
    assert steps_of(lineage) == ["a", "v", "w", "x", "y", "z"]
    kept = [line[:40] for line in git(ours, "log", "--format=%H %s", ref).splitlines()
            if line[41:42] in "xyz"]  # fmt: skip
    assert len(kept) == 3
    for each in kept:
        assert "log" not in git(ours, "ls-tree", "--name-only", each).split()


def test_repair_finds_a_record_of_which_only_the_commit_is_lost(
    ours: Path, lineage: Lineage
) -> None:
    for name in "xyz":
        lineage("run", "-q", "--step", name, "--", "echo", name)
    lineage("forget", "@z", "-m", "why")
    lineage("run", "-q", "--step", "w", "--", "true")
    (ref,) = refs(ours, "refs/lineage/ledger")
    chain = git(ours, "log", "--format=%H %s", ref).splitlines()
    lose(next(each[:40] for each in chain if " y: " in each))
    assert steps_of(lineage) == ["a", "w", "x"]
    done = lineage("doctor", "--repair", "--offline")
    assert "was linked again: 5 records, 3 of them found again" in done.stderr
    assert steps_of(lineage) == ["a", "w", "x", "y"], "and not what was forgotten"
    assert lineage("output", "@y").stdout == "y\n"
    assert "5 records in 1 month: all sound" in lineage("verify").stderr


def test_code_of_others_is_not_taken_for_records(ours: Path, lineage: Lineage) -> None:
    record(ours, "b")
    record(ours, "c")
    (ours / "record").write_text("1\n")
    git(ours, "add", ".")
    odd = commit(ours, "launch", "2\n")
    git(ours, "reset", "-q", "--hard", "HEAD~1")
    ((ref, tip),) = refs(ours, "refs/lineage/ledger").items()
    lose(git(ours, "rev-parse", f"{tip}~1").strip())
    lineage("doctor", "--repair", "--offline")
    assert odd not in git(ours, "rev-list", ref)
    assert steps_of(lineage) == ["a", "c"]
