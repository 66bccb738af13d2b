"""Loose objects: the same as git makes in both formats, readable, never written twice."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
from conftest import Git
from executions import python
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitlineage.commits import Identity, NewCommit
from gitlineage.repository import Repository

WHO = Identity(name="A U Thor", email="author@example.com", at=1_700_000_000, zone="+0100")
REF, OTHER = "refs/lineage/ledger/2026-11", "refs/lineage/other"

NAMES = st.sampled_from(["a", "a.b", "a-", "ab", "b", "manifests", "sp ace", "\u00e9"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def without_clashes(files: dict[str, bytes]) -> dict[str, bytes | str | None]:
    """Leave out a file where a folder of the same name is."""
    folders = {path[:at] for path in files for at, each in enumerate(path) if each == "/"}
    return {path: content for path, content in files.items() if path not in folders}


FILES = st.dictionaries(PATHS, st.binary(max_size=20), max_size=8).map(without_clashes)


def commit_of(files: dict[str, bytes | str | None], message: str = "m\n") -> NewCommit:
    return NewCommit(files=files, message=message, author=WHO, committer=WHO)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=FILES, later=FILES, gone=st.sets(PATHS, max_size=3), message=st.text(min_size=1),
)  # fmt: skip
def test_as_fast_import_does(
    repo: Path, git: Git, files: dict[str, bytes | str | None],
    later: dict[str, bytes | str | None], gone: set[str], message: str,
) -> None:  # fmt: skip
    repository = Repository.discover(str(repo))
    loose = repository.writer._loose()
    assert loose is not None

    def both(commit: NewCommit) -> str:
        (made,) = repository.writer._import(OTHER, None, [commit]) or []
        repository.writer.set_ref(OTHER, None, made)
        assert loose.commit(commit, ()) == made
        return made

    first = both(commit_of(files, message))
    tree = git("rev-parse", f"{first}^{{tree}}")
    if not set(later) & {path.partition("/")[0] for path in files}:
        changes = {**dict.fromkeys(gone & set(files)), **later}
        if not any(path.startswith(each + "/") for path in later for each in files):
            both(commit_of({"": tree, **changes}))


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_git_reads_what_is_written(tmp_path: Path, git: Git, algorithm: str) -> None:
    git("init", "-q", f"--object-format={algorithm}", str(tmp_path / "new"))
    os.chdir(tmp_path / "new")
    repository = Repository.discover()
    loose = repository.writer._loose()
    assert loose is not None
    made = loose.commit(commit_of({"record": b"x" * 100_000, "manifests/ab": b""}), ())
    assert git("ls-tree", "-r", "--name-only", made).split() == ["manifests/ab", "record"]
    assert git("cat-file", "-s", f"{made}:record") == "100000"
    again = loose.commit(commit_of({"record": b"x" * 100_000, "manifests/ab": b""}), (made,))
    assert git("log", "--format=%an %ae %ad %cn", "--date=raw", again, "-1") == (
        "A U Thor author@example.com 1700000000 +0100 A U Thor"
    )
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_what_is_there_is_made_young_again(repo: Path, git: Git) -> None:
    loose = Repository.discover().writer._loose()
    assert loose is not None
    made = loose.commit(commit_of({"record": b"one"}), ())
    path = repo / ".git/objects" / made[:2] / made[2:]
    os.utime(path, (1, 1))
    before = path.stat().st_ino
    assert loose.commit(commit_of({"record": b"one"}), ()) == made
    assert path.stat().st_ino == before
    assert path.stat().st_mtime > 1_000_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert not list((repo / ".git/objects").glob("*/tmp_obj_*"))


@pytest.mark.parametrize(("name", "value"), [
    ("core.sharedRepository", "group"), ("core.fsync", "all"), ("core.fsyncObjectFiles", "true"),
])  # fmt: skip
def test_git_writes_where_it_was_told_how(repo: Path, git: Git, name: str, value: str) -> None:
    git("config", name, value)
    repository = Repository.discover()
    assert repository.writer._loose() is None
    assert repository.writer.append(REF, None, [commit_of({"record": b"x"})])


def test_another_folder_for_objects(
    repo: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "objects").mkdir()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    assert Repository.discover().writer._loose() is None


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files have names from the start here")
def test_nothing_is_left_of_one_who_is_killed_while_writing(tmp_path: Path) -> None:
    done = python(
        "import os, sys\nfrom gitlineage.loose import Loose\n"
        "loose = Loose(sys.argv[1], 'sha1', lambda _: None, lambda _: os.kill(os.getpid(), 9))\n"
        "loose._write(b'blob', b'x')",
        tmp_path,
    )
    assert done.returncode == -signal.SIGKILL
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
