"""Notes tell readers with plain git what ran on a commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Git

from gitlineage import notes
from gitlineage.notes import Notes
from gitlineage.repository import Repository


@pytest.fixture
def kept(repo: Path) -> Notes:
    return Notes(Repository.discover(str(repo)))


def test_git_log_shows_the_note(kept: Notes, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    kept.add(head, "3f07c1d2 train: succeeded in 12 s")
    kept.add(head, "aa00bb11 train: failed, exit code 1")
    expected = (
        "2 executions\naa00bb11 train: failed, exit code 1\n3f07c1d2 train: succeeded in 12 s\n"
    )
    assert kept.read(head) == expected
    assert git("notes", "--ref=lineage", "show", head) + "\n" == expected
    shown = git("log", "-1", "--notes=lineage", "--format=%s%n%N")
    assert shown == f"Begin\n{expected}"
    git("fsck", "--strict")


def test_the_newest_are_listed_and_the_others_counted(kept: Notes, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    for number in range(notes.SHOWN + 3):
        kept.add(head, f"{number:08d} train: succeeded")
    said = kept.read(head).splitlines()
    assert said[0] == "13 executions"
    assert said[1:-1] == [f"{n:08d} train: succeeded" for n in range(12, 2, -1)]
    assert said[-1] == "and 3 earlier"


def test_one_is_one(kept: Notes, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    kept.add(head, "line")
    assert kept.read(head) == "1 execution\nline\n"


def test_a_commit_without_a_note_has_none(kept: Notes) -> None:
    assert kept.read("1" * 40) == ""


def test_writing_anew_forgets_what_was_there(kept: Notes, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    other = git("commit-tree", "-m", "x", "HEAD^{tree}")
    kept.add(head, "old")
    kept.add(other, "stays")
    kept.write({head: ["new 2", "new 1"]})
    assert kept.read(head) == "2 executions\nnew 2\nnew 1\n"
    assert kept.read(other) == "1 execution\nstays\n"


def test_notes_are_one_commit_without_history_and_fanned_out(kept: Notes, git: Git) -> None:
    ids = [f"{number:040x}" for number in range(1, 400 * 977, 977)]
    kept.write({each: [f"on {each}"] for each in ids})
    kept.add(ids[7], "again")
    assert git("rev-list", "--count", notes.REF) == "1"
    assert git("log", "-1", "--format=%an <%ae>", notes.REF) == (
        "git-lineage <notes@git-lineage.invalid>"
    )
    files = git("ls-tree", "-r", "--name-only", notes.REF).splitlines()
    assert sorted(files) == sorted(f"{each[:2]}/{each[2:]}" for each in ids)
    assert kept.read(ids[7]) == f"2 executions\nagain\non {ids[7]}\n"
    assert kept.read(ids[399 if len(ids) > 399 else -1]).startswith("1 execution\n")
    assert len(git("notes", "--ref=lineage", "list").splitlines()) == len(ids)
    git("fsck", "--strict")


@pytest.mark.parametrize(
    "said",
    [b"\xff\xfe", b"", b"\n", b"\xc2\xb2 executions\nx\n", b"9" * 5000, b"written by hand\nmore\n"],
    ids=lambda said: ascii(said[:12]),
)
def test_a_note_that_somebody_else_wrote_is_no_error(said: bytes, kept: Notes, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    Path("note").write_bytes(said)
    blob = git("hash-object", "-w", "note")
    tree = subprocess.run(
        ["git", "mktree"],
        input=f"040000 tree {mktree(f'100644 blob {blob}', head[2:])}\t{head[:2]}\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    git("update-ref", notes.REF, git("commit-tree", "-m", "by hand", tree))
    kept.add(head, "line")
    assert kept.read(head).splitlines()[1] == "line"


def mktree(entry: str, name: str) -> str:
    done = subprocess.run(
        ["git", "mktree"], input=f"{entry}\t{name}\n", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_several_writers_lose_no_line(kept: Notes, repo: Path, git: Git) -> None:
    commits = [git("commit-tree", "-m", str(number), "HEAD^{tree}") for number in range(3)]
    script = (
        "import sys; sys.path[:0] = sys.argv[4:]\n"
        "import test_notes as t\n"
        "kept = t.Notes(t.Repository.discover(sys.argv[1]))\n"
        "for n in range(3):\n"
        "    for commit in sys.argv[3].split():\n"
        "        kept.add(commit, f'{sys.argv[2]} {n}')\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, repo, str(n), " ".join(commits), *filter(None, sys.path)]
        )
        for n in range(3)
    ]
    assert [each.wait() for each in writers] == [0] * 3
    for commit in commits:
        said = kept.read(commit).splitlines()
        assert said[0] == "9 executions"
        assert sorted(said[1:]) == sorted(f"{w} {n}" for w in range(3) for n in range(3))
