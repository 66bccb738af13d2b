"""What git has lost of the ledger comes back from a remote or from an archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Lineage
from sharing import git, launch_of, refs, sync, tag

import gitlineage
from gitlineage.records.end import End, Log

Pair = tuple[Path, Path]
Spoil = Callable[[str], None]


def path_of(name: str) -> Path:
    id = git(Path(), "rev-parse", name).strip()
    return Path(".git/objects") / id[:2] / id[2:]


def lose(name: str) -> None:
    path_of(name).unlink()


def spoil(name: str) -> None:
    path = path_of(name)
    path.chmod(0o644)
    path.write_bytes(b"x" * 40)


def spoil_in_a_pack(name: str) -> None:
    """Have git find an object in a pack, and not its content."""
    id = git(Path(), "rev-parse", name).strip()
    git(Path(), "repack", "-adq")
    (pack,) = Path(".git/objects/pack").glob("*.pack")
    listed = git(Path(), "verify-pack", "-v", str(pack).replace(".pack", ".idx")).splitlines()
    ((at, size),) = [(int(line.split()[4]), int(line.split()[3]))
                     for line in listed if line.startswith(id)]  # fmt: skip
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(at + 3)
        file.write(b"\xff" * (size - 4))


@pytest.fixture
def ours(clone_pair: Pair, lineage: Lineage, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone with three executions, all pushed."""
    clone, _ = clone_pair
    lineage("init", cwd=clone)
    monkeypatch.chdir(clone)
    with gitlineage.open(clone) as opened:
        for name in "abc":
            launch = launch_of(name)
            log = f"printed by {name}\n".encode()
            end = End(execution="", status="succeeded", log=Log(size=len(log)))
            tag(clone, "kept", opened.append(launch, end, log).id)
    sync(clone).push("origin")
    return clone


def check_all(lineage: Lineage, ours: Path) -> None:
    assert "3 records in 1 month: all sound" in lineage("verify").stderr
    assert [lineage("output", f"@{name}").stdout for name in "abc"] == [
        f"printed by {name}\n" for name in "abc"
    ]
    assert git(ours, "fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize(
    ("part", "spoiled"),
    [
        (":log", lose),
        (":log", spoil_in_a_pack),
        (":record", spoil),
        ("^{tree}", lose),
        ("^{tree}", spoil),
        ("", lose),
        ("", spoil_in_a_pack),
    ],
)
def test_what_is_lost_comes_from_the_remote(
    ours: Path, lineage: Lineage, part: str, spoiled: Spoil
) -> None:
    (ref,) = refs(ours, "refs/lineage/ledger")
    tips = refs(ours, "refs/lineage")
    spoiled(f"{ref}~1{part}")
    if part != ":log" or spoiled is lose:
        done = lineage("verify", check=False)
        assert done.returncode == 4
        assert "hint: `git lineage doctor --repair` asks remotes" in done.stderr
    done = lineage("doctor", "--repair")
    assert done.stderr.startswith("lineage: 1 lost object brought back from origin\n")
    assert "linked again" not in done.stderr
    if spoiled is not spoil_in_a_pack:
        check_all(lineage, ours)
    assert lineage("output", "@b").stdout == "printed by b\n"
    assert "all sound" in lineage("verify").stderr
    assert refs(ours, "refs/lineage") == tips


def test_doctor_says_what_is_lost(ours: Path, lineage: Lineage) -> None:
    (ref,) = refs(ours, "refs/lineage/ledger")
    lose(f"{ref}:log")
    done = lineage("doctor", "--offline", check=False)
    assert done.returncode == 1
    assert f"problem  {ref} lacks 1 object, lost here\n" in done.stdout
    done = lineage("doctor", "--repair", "--offline", check=False)
    assert "warning: 1 object of the ledger cannot be read, and no place" in done.stderr
    lineage("doctor", "--repair")
    check_all(lineage, ours)


def test_what_is_lost_comes_from_an_archive(
    ours: Path, bare_remote: Path, lineage: Lineage
) -> None:
    (ref,) = refs(ours, "refs/lineage/ledger")
    git(ours, "bundle", "create", "-q", "../kept.bundle", ref)
    lose(f"{ref}:log")
    lose(f"{ref}~2:record")
    bare_remote.rename(bare_remote.parent / "away")
    done = lineage("doctor", "--repair", check=False)
    assert done.stderr.startswith("warning: origin: ")
    assert "warning: 2 objects of the ledger cannot be read" in done.stderr
    done = lineage("doctor", "--repair", "--offline", "../kept.bundle")
    name = os.path.realpath("../kept.bundle")
    assert done.stderr.startswith(f"lineage: 2 lost objects brought back from {name}\n")
    check_all(lineage, ours)


def test_a_remote_that_has_not_got_it_either(ours: Path, lineage: Lineage) -> None:
    with gitlineage.open() as opened:
        opened.append(launch_of("d"), End(execution="", status="succeeded"), b"not pushed")
    (ref,) = refs(ours, "refs/lineage/ledger")
    lose(f"{ref}:log")
    done = lineage("doctor", "--repair", check=False)
    assert "lineage: 0 lost objects brought back from origin\n" in done.stderr
    assert "warning: 1 object of the ledger cannot be read" in done.stderr


def test_tags_come_back_too(ours: Path, lineage: Lineage) -> None:
    lose("refs/lineage/tags/kept~1^{tree}")
    assert lineage("doctor", "--repair").stderr.startswith("lineage: 1 lost object brought back")
    with gitlineage.open() as opened:
        assert len(opened.members("kept")) == 3


def test_nothing_is_lost(ours: Path, lineage: Lineage) -> None:
    assert lineage("doctor", "--repair").stderr.startswith("lineage: nothing to repair\n")
