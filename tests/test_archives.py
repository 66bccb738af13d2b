"""Months move into files, stay away from the refs, are read there, and come back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from executions import killed
from sharing import git, record, refs, steps, sync

import gitlineage
from gitlineage.archives import unpacked
from gitlineage.errors import NoArchive, NothingToArchive, OnlyCopy, Refused

Lineage = Callable[..., subprocess.CompletedProcess[str]]
Pair = tuple[Path, Path]

OLD = "refs/lineage/ledger/2025-03"


@pytest.fixture
def aged(clone_pair: Pair, lineage: Lineage) -> Path:
    """Return a clone with an old month and a new record, all pushed."""
    ours, _ = clone_pair
    lineage("init", cwd=ours)
    lineage("run", "-q", "--step", "old", "--", "echo", "of old", cwd=ours)
    (tip,) = refs(ours, "refs/lineage/ledger").items()
    git(ours, "update-ref", OLD, tip[1])
    git(ours, "update-ref", "-d", tip[0])
    record(ours, "new")
    sync(ours).push("origin")
    assert steps(ours) == ["new", "old"]
    return ours


def test_a_month_moves_into_a_file_and_stays_there(
    aged: Path, bare_remote: Path, lineage: Lineage
) -> None:
    done = lineage("archive", "--before", "2025-06-01", "2025.bundle", cwd=aged)
    assert done.stderr == "lineage: 1 record of 2025-03 moved to 2025.bundle\n"
    assert steps(aged) == ["new"]
    assert sync(aged).fetch("origin").rewound == ()
    git(aged, "fetch", "-q")
    git(aged, "push", "-q", "origin", "main")
    sync(aged).push("origin")
    assert steps(aged) == ["new"]
    assert not [each for each in refs(aged) if "2025-03" in each]
    assert OLD in refs(bare_remote)
    assert git(aged, "bundle", "verify", "2025.bundle") != ""


def test_an_archive_is_read_where_it_is(aged: Path, lineage: Lineage) -> None:
    lineage("archive", "--before", "2025-06-01", "2025.bundle", cwd=aged)
    before = refs(aged)
    said = lineage("--archive", "2025.bundle", "log", "--oneline", cwd=aged).stdout
    assert said.endswith(" old\n")
    assert lineage("--archive", "2025.bundle", "output", "@old", cwd=aged).stdout == "of old\n"
    assert '"step": "old"' in lineage("--archive", "2025.bundle", "show", "--json", cwd=aged).stdout
    assert refs(aged) == before
    assert steps(aged) == ["new"]
    done = lineage("show", "@old", cwd=aged, check=False)
    assert (done.returncode, done.stderr) == (
        3,
        "error: no execution or tag is called @old\n"
        "hint: what was recorded in 2025-03 is in a file: `git lineage --archive FILE show @old`\n",
    )
    outside = lineage("--archive", aged / "2025.bundle", "log", "--oneline", cwd=aged.parent)
    assert outside.stdout == said


@pytest.mark.parametrize("source", ["2025.bundle", "origin"])
def test_a_month_comes_back(aged: Path, lineage: Lineage, source: str) -> None:
    lineage("archive", "--before", "2025-06-01", "2025.bundle", cwd=aged)
    done = lineage("fetch", "--month", "2025-03", source, cwd=aged)
    assert done.stderr == f"lineage: 1 new record from {source}\n"
    assert steps(aged) == ["new", "old"]
    git(aged, "fetch", "-q")
    sync(aged).push("origin")
    assert steps(aged) == ["new", "old"]
    assert "2025-03" not in git(aged, "config", "--list")


def test_what_is_refused(aged: Path, lineage: Lineage) -> None:
    with gitlineage.open(aged) as opened:
        with pytest.raises(NothingToArchive):
            opened.archive("2025-03-20", "x.bundle")  # the month had not ended
        record(aged, "another")
        (aged / "there").write_text("something")
        with pytest.raises(Refused, match="is there already"):
            opened.archive("2025-06-01", str(aged / "there"))
        tip = git(aged, "commit-tree", "-p", OLD, "-m", "x", f"{OLD}^{{tree}}").strip()
        git(aged, "update-ref", OLD, tip)
        with pytest.raises(OnlyCopy, match="the only copy: origin lacks 1 record of it"):
            opened.archive("2025-06-01", str(aged / "x.bundle"))
        assert not list(aged.glob("x.bundle*"))
        with pytest.raises(NoArchive, match="cannot be read as an archive"):
            unpacked(str(aged / "there"))
        with pytest.raises(Refused, match="not a month"):
            opened.fetch_month("March")
    assert steps(aged) == ["another", "new", "old"]
    done = lineage("--archive", "there", "log", cwd=aged, check=False)
    assert done.returncode == 3


@pytest.mark.parametrize("before", ["now", "2999-01-01"])
def test_a_month_that_goes_on_is_never_moved(aged: Path, lineage: Lineage, before: str) -> None:
    done = lineage("archive", "--force", "--before", before, "2025.bundle", cwd=aged)
    assert done.stderr == "lineage: 1 record of 2025-03 moved to 2025.bundle\n"
    assert steps(aged) == ["new"]
    done = lineage("archive", "--force", "--before", before, "x.bundle", cwd=aged, check=False)
    assert (done.returncode, done.stderr) == (
        3,
        f"error: no month of the ledger had ended before {before}\n"
        "hint: only whole months are moved: those before the one that the date is in, and before "
        "this one\n",
    )
    assert (steps(aged), (aged / "x.bundle").exists()) == (["new"], False)


def test_a_path_is_traced_in_an_archive(aged: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--step", "make", "--", "sh", "-c", "mkdir d; echo >d/made.txt", cwd=aged)
    (ref,) = (each for each in refs(aged, "refs/lineage/ledger") if each != OLD)
    git(aged, "update-ref", OLD, ref)
    git(aged, "update-ref", "-d", ref)
    lineage("archive", "--force", "--before", "2025-06-01", "2025.bundle", cwd=aged)
    for folder, bundle in ((aged, "2025.bundle"), (aged.parent, aged / "2025.bundle")):
        asked = ("--archive", bundle, "trace", "d/made.txt", "--format", "tree")
        assert "make " in lineage(*asked, cwd=folder).stdout
    asked = ("--archive", "2025.bundle", "trace", "nothing.txt")
    done = lineage(*asked, cwd=aged, check=False)
    assert done.stderr.startswith("error: no execution knows nothing.txt\n")


def test_what_no_remote_has_is_moved_only_by_force(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--step", "old", "--", "true")
    ((ref, tip),) = refs(repo, "refs/lineage/ledger").items()
    git(repo, "update-ref", OLD, tip)
    git(repo, "update-ref", "-d", ref)
    asked = ("archive", "--before", "2025-06-01", "2025.bundle")
    done = lineage(*asked, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "error: 2025.bundle would be the only copy: lineage goes to no remote\n"
        "hint: `git lineage push` first; or use `--force`, and keep the file safe\n",
    )
    assert (steps(repo), list(repo.glob("2025*"))) == (["old"], [])
    done = lineage(*asked, "--force")
    assert done.stderr == (
        "lineage: 1 record of 2025-03 moved to 2025.bundle\n"
        "warning: keep 2025.bundle safe: nobody else has all of it\n"
    )
    assert refs(repo, "refs/lineage/ledger") == {}
    lineage("fetch", "--month", "2025-03", "2025.bundle")
    assert steps(repo) == ["old"]


def test_nothing_is_let_go_for_a_file_that_cannot_be_read_back(
    aged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(path: str) -> str:
        with open(path, "r+b") as file:  # a disk that returns other bytes than it was given
            file.seek(-40, os.SEEK_END)
            file.write(bytes(10))
        return unpacked(path)

    monkeypatch.setattr("gitlineage.archives.unpacked", damaged)
    before = refs(aged)
    with gitlineage.open(aged) as opened, pytest.raises(NoArchive):
        opened.archive("2025-06-01", str(aged / "2025.bundle"))
    assert refs(aged) == before
    assert not (aged / "2025.bundle").exists()


KILLED = {
    "while the file is written": ("gitlineage.archives:unpacked", "before"),
    "before it has its name": ("gitlineage.archives:os.rename", "before"),
    "when it has": ("gitlineage.archives:os.rename", "after"),
    "while months are let go": ("gitlineage.archives:Archives._stop_fetching", "after"),
    "when one is": ("gitlineage.writing:Writer.set_ref", "after"),
    "before that is remembered": ("gitlineage.sync.fetching:Fetcher.forget_seen", "before"),
}


@pytest.mark.parametrize("window", list(KILLED))
def test_killed_while_months_move(aged: Path, lineage: Lineage, window: str) -> None:
    asked = ("archive", "--before", "2025-06-01")
    killed(*KILLED[window], *asked, "one.bundle", cwd=aged)
    if refs(aged, OLD):
        assert steps(aged) == ["new", "old"]
        sync(aged).push("origin")  # what origin has may not be known here any more
        lineage(*asked, "two.bundle", cwd=aged)
    written = [each for each in aged.glob("*.bundle") if each.name in ("one.bundle", "two.bundle")]
    assert steps(aged) == ["new"]
    for each in written:
        said = lineage("--archive", each, "log", "--oneline", cwd=aged).stdout
        assert said.endswith(" old\n")
    assert written
    lineage("fetch", "--month", "2025-03", written[0], cwd=aged)
    assert steps(aged) == ["new", "old"]
    assert "2025-03" not in git(aged, "config", "--list", "--local")
