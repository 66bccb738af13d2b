"""Months move into files, stay away from the refs, are read there, and come back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sharing import git, record, refs, steps, sync

import gitlineage
from gitlineage.archives import unpacked
from gitlineage.errors import NoArchive, NothingToArchive, Refused

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
        with pytest.raises(Refused, match="origin lacks some of it: push first"):
            opened.archive("2025-06-01", str(aged / "x.bundle"))
        with pytest.raises(NoArchive, match="cannot be read as an archive"):
            unpacked(str(aged / "there"))
        with pytest.raises(Refused, match="not a month"):
            opened.fetch_month("March")
    assert steps(aged) == ["another", "new", "old"]
    done = lineage("--archive", "there", "log", cwd=aged, check=False)
    assert done.returncode == 3
