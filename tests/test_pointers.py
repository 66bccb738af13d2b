"""Pointers of Git LFS, git-annex and DVC: the parsers, and traces that go through them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last, of
from hypothesis import given
from hypothesis import strategies as st

import gitlineage
from gitlineage import pointers

DIGEST = hashlib.sha256(b"x").hexdigest()
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{DIGEST}\nsize 1\n".encode()

# Byte for byte as DVC 3.6x writes them.
DVC = b"""outs:
- md5: 9dd4e461268c8034f5c8564e155c67a6
  size: 1
  hash: md5
  path: x.csv
"""
LOCK = b"""schema: '2.0'
stages:
  make:
    cmd: python make.py
    deps:
    - path: make.py
      hash: md5
      md5: d41d8cd98f00b204e9800998ecf8427e
      size: 12
    params:
      params.yaml:
        md5: no digest
    outs:
    - path: 'it''s.csv'
      hash: md5
      md5: 9dd4e461268c8034f5c8564e155c67a6
      size: 1
    - path: folder
      hash: md5
      md5: 9dd4e461268c8034f5c8564e155c67a6.dir
      size: 1
      nfiles: 1
"""


def test_a_pointer_of_lfs() -> None:
    found = pointers.lfs(LFS)
    assert found is not None
    assert (found.algorithm, found.digest.hex(), found.size) == ("sha256", DIGEST, 1)


@pytest.mark.parametrize(
    "content",
    [b"", LFS[:-3], LFS + b"more\n", LFS.replace(b"1\n", b"-1\n"), LFS.replace(b"sha256", b"md5"),
     LFS.replace(b"size 1", b"size 9999999999999999999"), LFS + b"\0" * 2000],
)  # fmt: skip
def test_what_is_no_pointer_of_lfs(content: bytes) -> None:
    assert pointers.lfs(content) is None


def test_keys_of_annex() -> None:
    link = f"../.git/annex/objects/G5/6p/SHA256E-s1--{DIGEST}.csv/SHA256E-s1--{DIGEST}.csv"
    for text in (link, f"/annex/objects/SHA256E-s1--{DIGEST}.csv\n"):
        found = pointers.annex(text)
        assert found is not None
        assert (found.algorithm, found.digest.hex(), found.size) == ("sha256", DIGEST, 1)


@pytest.mark.parametrize(
    "key",
    ["URL--https&c%%a", "WORM-s1-m1--x", f"SHA256-s1--{DIGEST[:-1]}", f"SHA256-s1-S1-C1--{DIGEST}",
     f"MD5E-s1--{DIGEST}", f"SHA256E-s{'9' * 25}--{DIGEST}"],
)  # fmt: skip
def test_keys_without_a_digest_of_the_content(key: str) -> None:
    assert pointers.annex(f"../.git/annex/objects/{key}/{key}") is None


def test_files_of_dvc() -> None:
    (name, found), *others = pointers.dvc(DVC).items()
    assert (name, found.algorithm, found.digest.hex(), found.size) == (
        "x.csv", "md5", "9dd4e461268c8034f5c8564e155c67a6", 1
    )  # fmt: skip
    assert others == []
    assert sorted(pointers.dvc(LOCK)) == ["it's.csv", "make.py"]


@given(st.binary() | st.text().map(str.encode))
def test_nothing_of_strangers_ends_in_an_error(content: bytes) -> None:
    pointers.lfs(LFS[:40] + content)
    pointers.annex("/annex/objects/SHA1-s" + content.decode("utf-8", "replace"))
    pointers.dvc(DVC + content)


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not installed")


def users() -> list[str | None]:
    """Return the steps of the executions in the trace of the file here."""
    with gitlineage.open() as lineage:
        return [node.step for node in lineage.trace("model.bin").nodes if node.kind == "execution"]


@needs("git-lfs")
@pytest.mark.parametrize("is_first", [True, False])
def test_a_pointer_in_one_clone_is_the_content_in_another(
    repo: Path, lineage: Lineage, git: Git, tmp_path: Path, is_first: bool
) -> None:
    git("lfs", "install", "--local")
    git("lfs", "track", "*.bin")
    code = "print('model' * 100, file=open('model.bin', 'w'))"
    lineage("run", "-q", "--step", "make", "-o", "model.bin", "--", "python3", "-c", code)
    git("add", ".")
    git("commit", "-q", "-m", "Model")
    git("clone", "-q", "--bare", ".", str(tmp_path / "hub"))
    git("remote", "add", "hub", str(tmp_path / "hub"))
    os.environ["GIT_LFS_SKIP_SMUDGE"] = "1"
    git("clone", "-q", str(tmp_path / "hub"), str(tmp_path / "other"))
    os.chdir(tmp_path / "other")
    lineage("init")
    if is_first:  # the pointer is met before the content is
        lineage("run", "-q", "--step", "use", "-i", "model.bin", "--", "true")
        assert users() == ["use"]
    os.chdir(repo)
    lineage("push", "hub")
    os.chdir(tmp_path / "other")
    git("fetch", "-q")
    if not is_first:
        lineage("run", "-q", "--step", "use", "-i", "model.bin", "--", "true")
    found = of(last("@use").inputs, "model.bin")
    assert (found.kept_by, found.size, found.digest) == ("git-lfs", 501, None)
    assert users() == ["make", "use"]
    Path(".git/lineage/index.sqlite").unlink()
    assert users() == ["make", "use"]


@needs("git-annex")
def test_a_file_of_annex_has_the_digest_of_its_key(repo: Path, lineage: Lineage, git: Git) -> None:
    git("annex", "init", "-q", "here")
    Path("model.bin").write_text("model")
    git("annex", "add", "-q", "--backend=MD5E", "model.bin")
    git("commit", "-q", "-m", "Model")
    lineage("run", "-q", "--step", "use", "-i", "model.bin", "--", "true")
    found = of(last().inputs, "model.bin")
    assert found.kept_by == "git-annex"
    assert found.digests["md5"] == hashlib.md5(b"model").digest()
    assert found.digest is not None
    subprocess.run(["chmod", "-R", "u+w", ".git/annex"], check=True)


def test_a_file_of_dvc_has_its_digest_only_where_that_is_so(repo: Path, lineage: Lineage) -> None:
    Path("x.csv").write_text("x")
    Path("x.csv.dvc").write_bytes(DVC)
    lineage("run", "-q", "-i", "x.csv", "--", "true")
    found = of(last().inputs, "x.csv")
    assert (found.kept_by, found.digests["md5"].hex()) == (
        "dvc",
        "9dd4e461268c8034f5c8564e155c67a6",
    )
    Path("x.csv").write_text("y")
    lineage("run", "-q", "-i", "x.csv", "--", "true")
    assert of(last().inputs, "x.csv").kept_by is None
