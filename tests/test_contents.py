"""Content is found by what it is: in the work tree, among git's objects, in the store of LFS."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from conftest import Git

from gitlineage.contents import Contents, Source, Wanted
from gitlineage.digest import of_bytes
from gitlineage.fingerprints import Fingerprints
from gitlineage.repository import Repository


@pytest.fixture
def contents(repo: Path) -> Contents:
    repository = Repository.discover()
    return Contents(repository, Fingerprints(repository.lineage_dir))


def wanted(content: bytes, *paths: str) -> Wanted:
    sha256 = hashlib.sha256(content).digest()
    return Wanted(digest=of_bytes(content), size=len(content), sha256=sha256, paths=paths)


def written(contents: Contents, asked: Wanted, path: Path) -> bytes:
    contents.write(contents.find([asked])[asked.digest], str(path))
    return path.read_bytes()


def test_where_it_was(contents: Contents, repo: Path) -> None:
    (repo / "a").write_bytes(b"data")
    asked = wanted(b"data", "a").replace(size=None)
    assert contents.find([asked]) == {asked.digest: Source(path=str(repo / "a"))}


def test_anywhere_in_the_work_tree(contents: Contents, repo: Path, tmp_path: Path) -> None:
    (repo / "deep/er").mkdir(parents=True)
    (repo / "deep/er/b").write_bytes(b"data")
    (repo / "same size").write_bytes(b"atad")
    assert written(contents, wanted(b"data", "a"), tmp_path / "out") == b"data"


def test_among_objects_that_nothing_reaches(
    contents: Contents, repo: Path, git: Git, tmp_path: Path
) -> None:
    big = b"x" * (65 << 20)
    (repo / "big").write_bytes(big)
    git("hash-object", "-w", "big")
    (repo / "big").unlink()
    assert written(contents, wanted(big, "big"), tmp_path / "out") == big


def test_in_the_store_of_lfs(contents: Contents, repo: Path, git: Git) -> None:
    git("config", "lfs.storage", "elsewhere")
    name = hashlib.sha256(b"data").hexdigest()
    path = repo / ".git/elsewhere/objects" / name[:2] / name[2:4] / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"data")
    asked = wanted(b"data")
    assert contents.find([asked])[asked.digest].path == str(path)
    path.write_bytes(b"date")  # a name is not believed


def test_nothing_is_always_there(contents: Contents, tmp_path: Path) -> None:
    assert written(contents, wanted(b""), tmp_path / "out") == b""


def test_what_is_nowhere_is_left_out(contents: Contents) -> None:
    assert contents.find([wanted(b"lost"), wanted(b"lost").replace(size=None)]) == {}


def test_what_was_just_made_is_known(contents: Contents, tmp_path: Path) -> None:
    asked = wanted(b"new")
    contents.add(asked.digest, str(tmp_path / "new"))
    assert contents.find([asked]) == {asked.digest: Source(path=str(tmp_path / "new"))}
