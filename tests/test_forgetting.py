"""What was forgotten is gone from every copy, and comes back from none."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sharing import commit, git, hook, record, refs, steps, sync, tag

import gitlineage
from gitlineage.errors import IsForgotten, NothingToForget, OnlyElsewhere, Refused
from gitlineage.forgetting import Forgotten
from gitlineage.records.execution import Execution
from gitlineage.records.launch import GONE

Lineage = Callable[..., subprocess.CompletedProcess[str]]
Pair = tuple[Path, Path]

SECRET = "zanzibar-4711"


def reached(repository: Path) -> bytes:
    """Return all that any ref of a repository reaches, in one piece."""
    listed = git(repository, "rev-list", "--objects", "--all").splitlines()
    ids = "".join(line.split(" ")[0] + "\n" for line in listed)
    done = subprocess.run(["git", "-C", repository, "cat-file", "--batch"], input=ids.encode(),
                          capture_output=True)  # fmt: skip
    return done.stdout


def has_secret(repository: Path) -> bool:
    """Tell whether a secret is in what refs reach, or in any file of our own."""
    folder = repository / ".git/lineage"
    kept = [each.read_bytes() for each in folder.rglob("*") if each.is_file()]
    return any(SECRET.encode() in each for each in (reached(repository), *kept))


def forget(clone: Path, *names: str, month: str | None = None, secret: str | None = None,
           why: str = "a mistake") -> Forgotten:  # fmt: skip
    with gitlineage.open(clone) as lineage:
        return lineage.forget(names, month=month, secret=secret, message=why)


def executions(clone: Path) -> list[Execution]:
    with gitlineage.open(clone) as lineage:
        return lineage.executions()


def month(clone: Path) -> str:
    """Return the name of the newest ledger chain, without its generation."""
    return max(refs(clone, "refs/lineage/ledger")).rpartition("/")[2].partition(".")[0]


@pytest.fixture
def team(clone_pair: Pair, bare_remote: Path, lineage: Lineage) -> tuple[Path, Path, Path]:
    """Return three clones that share an execution with a secret, each with one of its own."""
    ours, theirs = clone_pair
    others = ours.parent / "others"
    git(ours.parent, "clone", "-q", bare_remote, others)
    for clone in (ours, theirs, others):
        lineage("init", cwd=clone)
    run = ("sh", "-c", f'echo the word is {SECRET}; echo \'{{"word": "{SECRET}"}}\'')
    lineage("run", "-q", "--step", "leak", "--title", SECRET, "--", *run, cwd=ours)
    record(ours, "sound")
    sync(ours).push("origin")
    for clone, name in ((ours, "ours"), (theirs, "theirs"), (others, "others")):
        sync(clone).fetch("origin")
        record(clone, name)
        assert has_secret(clone)
    assert has_secret(bare_remote)
    return ours, theirs, others


# -- a secret --------------------------------------------------------------------------------


def test_a_secret_is_gone_from_three_clones_and_the_remote(
    team: tuple[Path, Path, Path], bare_remote: Path, lineage: Lineage
) -> None:
    ours, theirs, others = team
    with gitlineage.open(ours) as opened:
        id = opened.resolve("@leak")
    made = forget(ours, secret=SECRET, why="a password in the log")
    assert made.left == ()
    assert made.redactions[0].rewritten == (id,)
    sync(ours).push("origin")
    assert not has_secret(bare_remote)
    assert not has_secret(ours)

    (redaction,) = sync(theirs).fetch("origin").redactions  # one fetches, as it should
    assert (redaction.message, redaction.agent.name) == ("a password in the log", "Ada Lovelace")
    sync(theirs).push("origin")
    sync(others).push("origin")  # one pushes, and has not heard of it
    assert not has_secret(bare_remote)
    for clone in team:
        sync(clone).fetch("origin")
        assert steps(clone) == ["leak", "others", "ours", "sound", "theirs"]
        assert not has_secret(clone)
        with gitlineage.open(clone) as opened:
            assert opened.resolve("@leak") == id
            assert opened.output("@leak").startswith(b"the word is ***(forgotten)\n")
            assert opened.execution("@leak").metadata == {"word": GONE}
    assert refs(bare_remote, "refs/lineage/ledger").keys() == {
        f"refs/lineage/ledger/{month(ours)}.1"
    }
    assert git(bare_remote, "fsck", "--strict", "--no-dangling") == ""
    assert git(ours, "fsck", "--strict", "--no-dangling") == ""


def test_a_plain_fetch_is_enough(team: tuple[Path, Path, Path]) -> None:
    ours, theirs, _ = team
    forget(ours, secret=SECRET)
    sync(ours).push("origin")
    git(theirs, "fetch", "-q")  # which prunes nothing
    assert steps(theirs) == ["leak", "ours", "sound", "theirs"]
    assert not has_secret(theirs)


def test_a_secret_in_code_goes_with_the_snapshot(
    clone_pair: Pair, bare_remote: Path, lineage: Lineage
) -> None:
    ours, theirs = clone_pair
    lineage("run", "-q", "--step", "sound", "--", "true", cwd=ours)
    (ours / "conf.py").write_text(f"PASSWORD = '{SECRET}'\n")
    lineage("run", "-q", "--step", "leak", "--", "true", cwd=ours)
    (ours / "conf.py").unlink()
    sync(ours).push("origin")
    sync(theirs).fetch("origin", ("ledger", "tags", "code"))
    made = forget(ours, secret=SECRET)
    assert (made.code_count, made.left) == (1, ())
    sync(ours).push("origin")
    assert not has_secret(bare_remote)
    sync(theirs).fetch("origin")
    for clone in clone_pair:
        assert not has_secret(clone)
        assert steps(clone) == ["leak", "sound"]
    shown = lineage("code", "@sound", "--", "code.py", cwd=ours).stdout
    assert shown == (ours / "code.py").read_text()
    for clone in clone_pair:  # git has it still
        for words in (("-o", ours / "ran"), ()):
            refused = lineage("code", "@leak", *words, cwd=clone, check=False)
            assert refused.returncode == 3 and not refused.stdout
            assert " was forgotten by Ada Lovelace on " in refused.stderr
        assert (
            "its code was forgotten" in lineage("reproduce", "@leak", cwd=clone, check=False).stderr
        )
        page = lineage("show", "@leak", cwd=clone).stdout
        assert "  forgotten: " in page and "git lineage code" not in page
    assert not (ours / "ran").exists()


def test_where_it_still_is_gets_said(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    commit(ours, "conf.py", SECRET)
    record(ours, SECRET)
    (left,) = forget(ours, secret=SECRET).left
    assert left.startswith("conf.py (")


def test_a_tag_that_has_it_is_named(clone_pair: Pair, lineage: Lineage) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    lineage("tag", "-m", f"the key is {SECRET}", "good", cwd=ours)
    remedy = "the tag good: `git update-ref -d refs/lineage/tags/good` deletes it with its history"
    with pytest.raises(OnlyElsewhere, match=remedy):
        forget(ours, secret=SECRET)
    record(ours, SECRET)
    (left,) = forget(ours, secret=SECRET).left
    assert left.startswith(remedy)
    git(ours, "update-ref", "-d", "refs/lineage/tags/good")
    assert not has_secret(ours)


def test_what_is_not_there(clone_pair: Pair) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    with pytest.raises(NothingToForget, match="is or holds this text"):
        forget(ours, secret=SECRET)
    with pytest.raises(NothingToForget, match="2020-01"):
        forget(ours, month="2020-01")
    for wrong in ({"secret": "abc"}, {"month": "November"}, {}):
        with pytest.raises(Refused):
            forget(ours, **wrong)
    assert steps(ours) == ["a"]


# -- executions and months -------------------------------------------------------------------


def test_one_execution_is_forgotten_everywhere(
    team: tuple[Path, Path, Path], bare_remote: Path, lineage: Lineage
) -> None:
    ours, theirs, _ = team
    with gitlineage.open(ours) as opened:
        id = opened.resolve("@leak")
    lineage("metadata", "set", "@leak", f"said={SECRET}", cwd=ours)
    forget(ours, "@leak", why="not ours to keep")
    sync(ours).push("origin")
    git(theirs, "fetch", "-q", "--prune")
    for clone in (ours, theirs):
        assert "leak" not in steps(clone)
        assert not has_secret(clone)
        with gitlineage.open(clone) as opened:
            with pytest.raises(IsForgotten, match=r"Ada Lovelace on \d{4}.*: not ours to keep"):
                opened.execution(id)
            (left,) = opened.forgotten()
            assert left.forgotten == (id,)
    assert not has_secret(bare_remote)
    shown = json.loads(lineage("forget", "--json", cwd=theirs).stdout)
    assert (shown["message"], shown["forgotten"]) == ("not ours to keep", [id])
    assert "2 records forgotten by Ada Lovelace: not" in lineage("forget", cwd=theirs).stdout


def test_a_month_is_forgotten_and_what_others_had_not_pushed_stays(
    team: tuple[Path, Path, Path], bare_remote: Path
) -> None:
    ours, theirs, others = team
    forget(ours, month=month(ours))
    assert steps(ours) == []
    sync(ours).push("origin")
    for clone in (theirs, others):
        sync(clone).push("origin")
    record(ours, "new")
    sync(ours).push("origin")
    for clone in team:
        sync(clone).fetch("origin")
        assert steps(clone) == ["new", "others", "theirs"]
        assert not has_secret(clone)
    assert refs(bare_remote, "refs/lineage/ledger").keys() == {
        f"refs/lineage/ledger/{month(ours)}.1"
    }


def test_two_forget_at_the_same_time(team: tuple[Path, Path, Path], bare_remote: Path) -> None:
    ours, theirs, others = team
    forget(ours, "@leak")
    forget(theirs, "@sound")
    for clone in (ours, theirs, ours, others, theirs):
        sync(clone).push("origin")
    for clone in team:
        sync(clone).fetch("origin")
        sync(clone).push("origin")
        assert steps(clone) == ["others", "ours", "theirs"]
        assert not has_secret(clone)
        with gitlineage.open(clone) as opened:
            assert len(opened.forgotten()) == 2
    assert not has_secret(bare_remote)


def test_forgetting_twice(team: tuple[Path, Path, Path], bare_remote: Path) -> None:
    ours, theirs, others = team
    for name in ("@leak", "@sound"):
        forget(ours, name)
        sync(ours).push("origin")
    for clone in (theirs, others):
        sync(clone).push("origin")
        assert not has_secret(clone)
    sync(ours).fetch("origin")
    assert steps(ours) == ["others", "ours", "theirs"]
    assert refs(bare_remote, "refs/lineage/ledger").keys() == {
        f"refs/lineage/ledger/{month(ours)}.2"
    }


def test_a_remote_that_lets_nothing_be_deleted(
    team: tuple[Path, Path, Path], bare_remote: Path
) -> None:
    ours, theirs, _ = team
    refusing = hook(bare_remote, "update", 'case "$3" in *[1-9a-f]*) ;; *) exit 1 ;; esac\n')
    forget(ours, "@leak")
    (said,) = sync(ours).push("origin").warnings
    assert said.startswith(f"origin keeps the old ledger/{month(ours)}, with what was forgotten: ")
    sync(theirs).fetch("origin")
    assert steps(theirs) == ["ours", "sound", "theirs"]
    assert not has_secret(theirs)
    refusing.unlink()
    git(ours, "fetch", "-q")
    assert sync(ours).push("origin").warnings == ()
    assert not has_secret(bare_remote)


# -- what is beside it -----------------------------------------------------------------------


def test_records_go_on_in_the_new_generation(clone_pair: Pair, lineage: Lineage) -> None:
    ours, _ = clone_pair
    record(ours, "a")
    record(ours, "b")
    forget(ours, "@a")
    lineage("run", "-q", "--step", "c", "--", "true", cwd=ours)
    record(ours, "d")
    assert list(refs(ours, "refs/lineage/ledger")) == [f"refs/lineage/ledger/{month(ours)}.1"]
    assert steps(ours) == ["b", "c", "d"]
    old = f"refs/lineage/ledger/{month(ours)}"  # an old program goes on where it was
    tree = git(ours, "log", "-1", "--format=%T", f"{old}.1").strip()
    git(ours, "update-ref", old, git(ours, "commit-tree", "-m", "x", tree).strip())
    assert steps(ours) == ["b", "c", "d"]
    assert list(refs(ours, "refs/lineage/ledger")) == [f"{old}.1"]


def test_a_generation_without_a_redaction_hides_nothing(clone_pair: Pair) -> None:
    ours, theirs = clone_pair
    record(ours, "a")
    sync(ours).push("origin")
    chain = f"refs/lineage/ledger/{month(ours)}"
    tree = git(ours, "hash-object", "-w", "-t", "tree", "/dev/null").strip()
    odd = git(ours, "commit-tree", "-m", f"Lineage-Forgets: {month(ours)}", tree).strip()
    git(ours, "push", "-q", "origin", f"{odd}:{chain}.7")
    sync(theirs).fetch("origin")
    record(theirs, "b")
    sync(theirs).push("origin")
    assert steps(theirs) == ["a", "b"]
    sync(ours).fetch("origin")
    assert steps(ours) == ["a", "b"]


def test_tags_and_notes(clone_pair: Pair, lineage: Lineage) -> None:
    ours, _ = clone_pair
    for name in ("kept", "gone"):
        lineage("run", "-q", "--step", name, "--", "true", cwd=ours)
    with gitlineage.open(ours) as opened:
        tag(ours, "best", opened.resolve("@gone"))
    forget(ours, "@gone")
    shown = git(ours, "log", "--notes=lineage")
    assert "kept: succeeded" in shown
    assert "gone: succeeded" not in shown
    assert lineage("log", "--tag", "best", cwd=ours).stdout == ""
    assert lineage("tag", cwd=ours).stdout == ""
    assert "elsewhere" not in lineage("verify", cwd=ours).stderr


def test_what_is_forgotten_leaves_its_tags_in_every_clone(
    team: tuple[Path, Path, Path], lineage: Lineage
) -> None:
    ours, theirs, others = team
    with gitlineage.open(ours) as opened:
        gone, kept = opened.resolve("@leak"), opened.resolve("@sound")
        opened.tag("best", [gone, kept])
    sync(ours).push("origin")
    for clone in (theirs, others):
        sync(clone).fetch("origin")
    forget(ours, gone)
    for clone in (ours, theirs, others, ours):
        sync(clone).fetch("origin")
        sync(clone).push("origin")
    for clone in team:
        with gitlineage.open(clone) as opened:
            assert list(opened.members("best")) == [kept]
            assert not [e for e in opened.verify().problems if e.kind == "elsewhere"]
    tips = [refs(each, "refs/lineage/tags") for each in (ours, theirs)]
    assert tips[0] == tips[1]


def test_what_was_forgotten_is_not_imported(clone_pair: Pair, lineage: Lineage) -> None:
    ours, _ = clone_pair
    for name in ("kept", "gone"):
        lineage("run", "-q", "--step", name, "-t", name, "--", "true", cwd=ours)
    exported = lineage("export", cwd=ours).stdout
    with gitlineage.open(ours) as opened:
        gone = opened.resolve("@gone")
    forget(ours, gone)
    said = lineage("import", cwd=ours, input=exported).stderr
    assert said == (
        "lineage: 0 executions imported, 1 execution left out as known, "
        "1 execution left out as forgotten\n"
    )
    counts = json.loads(lineage("import", "--json", cwd=ours, input=exported).stdout)
    assert counts == {"imported": 0, "left_out": 1, "forgotten": 1}
    unnamed = [json.loads(each) for each in exported.splitlines()]
    stripped = "".join(
        json.dumps({k: v for k, v in each.items() if k != "execution"}) + "\n" for each in unnamed
    )
    assert "left out as forgotten" in lineage("import", cwd=ours, input=stripped).stderr
    assert gone not in [each.id for each in executions(ours)]
    assert lineage("tag", cwd=ours).stdout.startswith("kept ")
    assert lineage("show", gone, cwd=ours, check=False).stderr.startswith("error: ")


def test_the_secret_is_read_and_never_an_argument(
    team: tuple[Path, Path, Path], lineage: Lineage
) -> None:
    ours = team[0]
    done = lineage("forget", "--secret", "-m", "leaked", cwd=ours, input=SECRET + "\n")
    assert done.stderr.startswith(
        f"lineage: 1 record of {month(ours)} rewritten\nwarning: origin ("
    )
    assert lineage("forget", "@leak", cwd=ours, check=False).returncode == 2  # why?
    assert lineage("show", "@leak", cwd=ours).stdout.count(GONE) == 4


def test_what_is_left_is_exported_and_imported_as_what_it_is(
    clone_pair: Pair, lineage: Lineage
) -> None:
    ours, theirs = clone_pair
    lineage("run", "-q", "--step", "leak", "-o", "a=made", "--", "sh", "-c", f"echo {SECRET}>made",
            cwd=ours)  # fmt: skip
    record(ours, "sound")
    (before,) = (e.id for e in executions(ours) if e.launch and e.launch.step == "leak")
    forget(ours, secret=SECRET)
    exported = lineage("export", cwd=ours).stdout
    assert before in exported
    assert SECRET not in exported
    assert lineage("import", cwd=theirs, input=exported).stderr == (
        "lineage: 2 executions imported\n"
    )
    assert [each.id for each in executions(theirs)] == [each.id for each in executions(ours)]
    assert lineage("export", cwd=theirs).stdout == exported
    for clone in (ours, theirs):
        checked = lineage("verify", cwd=clone).stderr
        assert "all sound" in checked
        assert "of 1 execution something was forgotten" in checked
    again = lineage("import", cwd=theirs, input=exported).stderr
    assert again == "lineage: 0 executions imported, 2 executions left out as known\n"


@pytest.mark.parametrize("redacted", [None, "f" * 40, "f" * 39])
def test_a_line_that_does_not_give_its_id_is_refused(
    clone_pair: Pair, lineage: Lineage, redacted: str | None
) -> None:
    ours, theirs = clone_pair
    record(ours, "leak")
    line = json.loads(lineage("export", cwd=ours).stdout)
    line["launch"]["command"] = [GONE]
    if redacted:
        line["launch"]["redacted"] = redacted
    done = lineage("import", cwd=theirs, input=json.dumps(line), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: line 1: ")
    assert executions(theirs) == []


@pytest.mark.parametrize("given", [
    ("--", "sh", "-c", "echo ran >&2", "sh", SECRET),
    ("-p", f"word={SECRET}", "--", "sh", "-c", "echo ran >&2"),
])  # fmt: skip
def test_what_needs_a_forgotten_secret_is_not_run_again(
    clone_pair: Pair, lineage: Lineage, given: tuple[str, ...]
) -> None:
    ours = clone_pair[0]
    lineage("run", "-q", "--step", "needy", *given, cwd=ours)
    lineage("run", "-q", "--step", "loud", "--title", SECRET, "--", "true", cwd=ours)
    forget(ours, secret=SECRET)
    again = lineage("reproduce", "@needy", cwd=ours, check=False)
    assert again.returncode == 3 and "ran" not in again.stderr.splitlines()
    assert "secrets that it needs were forgotten" in again.stderr
    assert lineage("reproduce", "@loud", cwd=ours).returncode == 0


def test_one_who_was_offline_forgets_something_else(
    team: tuple[Path, Path, Path], bare_remote: Path, lineage: Lineage
) -> None:
    """Both months go on under the same name, and each has what the other took out."""
    ours, theirs, others = team
    forget(ours, "@sound")
    forget(theirs, "@leak")
    sync(theirs).push("origin")
    said = lineage("push", cwd=ours).stderr
    assert "keeps the old" not in said
    assert not has_secret(ours) and not has_secret(bare_remote)
    lineage("log", cwd=others)
    fetched = sync(others).fetch("origin")
    assert len(fetched.redactions) == 2
    assert sync(others).fetch("origin").redactions == ()
    for clone in (theirs, others, ours):
        sync(clone).push("origin")
        sync(clone).fetch("origin")
        assert not has_secret(clone)
        with gitlineage.open(clone) as opened:
            assert len(opened.forgotten()) == 2
    for clone in team:
        sync(clone).fetch("origin")
        assert steps(clone) == ["others", "ours", "theirs"]
    assert "lineage: -" not in lineage("fetch", cwd=ours).stderr
