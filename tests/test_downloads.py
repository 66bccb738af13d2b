# ruff: noqa: F811 - fixtures of another file
"""Inputs that are URIs: downloaded from a real server of S3, and kept."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import test_remote
from conftest import Git, Lineage
from executions import last
from test_relay import Terminal
from test_remote import bucket, s3, web  # noqa: F401 - fixtures

import gitlineage
from gitlineage import downloads, remote
from gitlineage.digest import of_bytes
from gitlineage.errors import RemoteFailed

STEP = """\
- step:
    name: count
    image: python:3.12
    command: cat $VH_INPUTS_DIR/data/* > $VH_OUTPUTS_DIR/all
    inputs:
      - {name: data, default: "s3://data/d/*.csv"}
- step:
    name: tree
    image: python:3.12
    command: (cd $VH_INPUTS_DIR/data && find . -type f) > $VH_OUTPUTS_DIR/all
    inputs:
      - {name: data, default: "s3://data/d/**.csv", keep-directories: suffix}
"""


@pytest.fixture
def project(bucket: Any, repo: Path) -> Path:
    (repo / "valohai.yaml").write_text(STEP)
    (repo / ".gitignore").write_text("outputs/\n")
    for each in bucket.list_objects_v2(Bucket="data", Prefix="d/").get("Contents", ()):
        bucket.delete_object(Bucket="data", Key=each["Key"])  # another test's: the server stays
    for key in ("d/1.csv", "d/2.csv", "d/q/3.csv"):
        bucket.put_object(Bucket="data", Key=key, Body=key.encode())
    return repo


def _kept(repo: Path) -> list[Path]:
    return sorted((repo / ".git/lineage/downloads/content").iterdir())


def test_inputs_are_downloaded_once(bucket: Any, project: Path, lineage: Lineage) -> None:
    said = lineage("run", "--step", "count").stderr
    assert said.splitlines()[:2] == [
        "downloading s3://data/d/1.csv",
        "downloading s3://data/d/2.csv",
    ]
    assert Path("outputs/count/1/all").read_text() == "d/1.csvd/2.csv"
    first, second = last().inputs
    assert (first.path, first.type, first.role) == ("s3://data/d/1.csv", "uri", "data")
    assert first.digests["blake3"] == of_bytes(b"d/1.csv")
    assert first.remote is not None and first.remote.version and first.remote.etag
    assert [each.name for each in _kept(project)] == sorted(
        each.digests["blake3"].hex() for each in (first, second)
    )
    assert not any((project / ".git/lineage/downloads/incoming").iterdir())
    assert "downloading" not in lineage("run", "--step", "count").stderr
    assert last().inputs == (first, second)
    bucket.put_object(Bucket="data", Key="d/1.csv", Body=b"new")
    said = lineage("run", "--step", "count").stderr
    assert said.count("downloading") == 1
    assert Path("outputs/count/3/all").read_text() == "newd/2.csv"


def test_folders_are_kept_as_asked(project: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--step", "tree")
    found = Path("outputs/tree/1/all").read_text().split()
    assert sorted(found) == ["./1.csv", "./2.csv", "./q/3.csv"]


def test_what_comes_is_joined_by_content(
    bucket: Any,
    project: Path,
    lineage: Lineage,
) -> None:
    lineage("run", "-q", "--step", "make", "-o", "rows", "--", "sh", "-c", "printf rows > rows")
    bucket.put_object(Bucket="data", Key="rows", Body=b"rows")
    lineage("run", "-q", "--step", "count", "-i", "data=s3://data/rows")
    with gitlineage.open() as opened:
        nodes = opened.trace("@count").nodes
    assert "make" in [node.step for node in nodes if node.kind == "execution"]


def verdict() -> str:
    end = last().end
    assert end is not None and end.comparison is not None
    return end.comparison.verdict


def test_it_is_reproduced_with_what_was_downloaded(
    bucket: Any, project: Path, lineage: Lineage, git: Git
) -> None:
    git("add", ".")
    git("commit", "-q", "-m", "Steps")
    lineage("run", "-q", "--step", "count")
    first = last()
    done = lineage("reproduce", first.id)
    assert "downloading" not in done.stderr
    assert (verdict(), last().inputs) == ("identical", first.inputs)
    # The store has other content now, and still the former version.
    for key in ("d/1.csv", "d/3.csv"):
        bucket.put_object(Bucket="data", Key=key, Body=b"new")
    shutil.rmtree(project / ".git/lineage/downloads")
    done = lineage("reproduce", first.id)
    assert "downloading s3://data/d/1.csv" in done.stderr
    assert verdict() == "identical"
    # Two have the same content; what a pattern stood for keeps its place.
    lineage("run", "-q", "--step", "tree")
    assert {each.path: each.digest is not None for each in last().inputs} == {
        f"s3://data/d/{name}.csv": True for name in ("1", "2", "3", "q/3")
    }
    lineage("reproduce")
    assert verdict() == "identical"
    # Given by hand, beside a file that is here.
    given = ["-i", "data=s3://data/d/q/3.csv", "-i", "data=.gitignore"]
    lineage("run", "-q", "--step", "count", *given)
    lineage("reproduce")
    assert verdict() == "identical"


def test_what_a_store_has_no_more_is_said(
    web: str, project: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://{web}/data.csv"
    lineage("run", "-q", "--step", "count", "-i", f"data={uri}")
    shutil.rmtree(project / ".git/lineage/downloads")
    lineage("reproduce")
    assert verdict() == "identical"
    shutil.rmtree(project / ".git/lineage/downloads")
    monkeypatch.setattr(test_remote, "CONTENT", b"9,9\n")
    done = lineage("reproduce", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "not possible to reproduce count" in done.stderr
    assert f"{uri}: it is not what it was then" in done.stderr
    assert lineage("log", "--json").stdout.count("\n") == 2  # nothing was run


def test_a_command_that_reads_a_uri_itself_is_reproduced(
    bucket: Any, repo: Path, lineage: Lineage
) -> None:
    bucket.put_object(Bucket="data", Key="rows", Body=b"rows")
    lineage("run", "-q", "-i", "s3://data/rows", "--", "sh", "-c", "echo made > out")
    lineage("reproduce")
    assert verdict() == "identical"
    assert [each.path for each in last().inputs] == ["s3://data/rows"]


@pytest.mark.parametrize(("uri", "reason"), [
    ("http://{}/secret", "the store does not allow it (403)"),
    ("http://{}/nowhere", "there is nothing at that address (404)"),
    ("s3://data/none/*.csv", "no file there is like that"),
])  # fmt: skip
def test_nothing_starts_without_its_inputs(
    project: Path,
    lineage: Lineage,
    web: str,
    uri: str,
    reason: str,
) -> None:
    uri = uri.format(web)
    done = lineage("run", "--step", "count", "-i", f"data={uri}", check=False)
    assert done.stderr.splitlines()[0] == f"error: {uri}: {reason}"
    assert done.returncode == 125
    assert not Path("outputs").exists()


def test_a_missing_library_is_named(
    project: Path, lineage: Lineage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fsspec.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = lineage("run", "--step", "count", check=False)
    assert done.returncode == 125
    assert done.stderr.splitlines() == [
        "error: s3://data/d/*.csv: what reads such URIs, git-lineage[remote], is not installed",
        "hint: install it with `pip install 'git-lineage[remote]'`",
    ]


def test_nothing_is_downloaded_to_look(project: Path, lineage: Lineage) -> None:
    assert "cat" in lineage("run", "--dry-run", "--step", "count").stdout
    assert not Path(".git/lineage/downloads").exists()


def test_what_was_written_to_comes_again(web: str, tmp_path: Path) -> None:
    kept = downloads.Downloads(str(tmp_path))
    told: list[tuple[str, int, int]] = []
    ((_, path),) = kept.fetch(f"http://{web}/data.csv", lambda *each: told.append(each))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    assert told[-1] == (f"http://{web}/data.csv", 4, 4)
    os.chmod(path, 0o644)
    Path(path).write_bytes(b"2,1\n")
    ((artifact, path),) = kept.fetch(f"http://{web}/data.csv")
    assert of_bytes(Path(path).read_bytes()) == artifact.digests["blake3"]


def test_what_is_kept_is_bounded(web: str, tmp_path: Path) -> None:
    kept = downloads.Downloads(str(tmp_path), limit=9)
    ((_, path),) = kept.fetch(f"http://{web}/data.csv")
    old, older = Path(path).with_name("old"), Path(path).with_name("older")
    for age, each in enumerate((old, older), 1):
        each.write_bytes(b"1234")
        os.utime(each, (time.time() - age * 7200, downloads.UNTOUCHED))
    kept.fetch(f"http://{web}/data.csv")
    assert (os.path.exists(path), old.exists(), older.exists()) == (True, True, False)


def test_a_download_that_fails_leaves_nothing(
    web: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    incoming = tmp_path / "downloads/incoming"
    incoming.mkdir(parents=True)
    (incoming / "killed").write_bytes(b"1")
    os.utime(incoming / "killed", (0, 0))
    answers = iter(range(2))
    real = remote.facts

    def changing(uri: str) -> remote.Facts:
        found = real(uri)
        return found.replace(remote=found.remote.replace(etag=str(next(answers))))

    monkeypatch.setattr(remote, "facts", changing)
    with pytest.raises(RemoteFailed, match="it changed while it was downloaded"):
        downloads.Downloads(str(tmp_path)).fetch(f"http://{web}/data.csv")
    assert not list(incoming.iterdir())
    assert not list((tmp_path / "downloads/content").iterdir())


# Commands without a step


def test_a_named_uri_of_a_command_is_downloaded(bucket: Any, repo: Path, lineage: Lineage) -> None:
    put = bucket.put_object(Bucket="data", Key="in/rows.csv", Body=b"1,2\n")
    bucket.put_object(Bucket="data", Key="in/more.csv", Body=b"3,4\n")
    (repo / "here.csv").write_text("5,6\n")
    words = [
        "run", "-i", "rows=s3://data/in/r*.csv", "-i", "rows=here.csv",
        "-i", "more=s3://data/in/more.csv", "--", "sh", "-c",
        'cd "$VH_INPUTS_DIR" && cat rows/rows.csv rows/here.csv more/more.csv;'
        " cat $VH_CONFIG_DIR/inputs.json",
    ]  # fmt: skip
    done = lineage(*words)
    printed, _, told = done.stdout.partition("{")
    assert printed == "1,2\n5,6\n3,4\n"
    described = json.loads("{" + told)
    assert [each["uri"] for each in described["more"]["files"]] == ["s3://data/in/more.csv"]
    assert done.stderr.splitlines()[:2] == [
        "downloading s3://data/in/rows.csv", "downloading s3://data/in/more.csv"
    ]  # fmt: skip
    first = last()
    found = {each.path: each for each in first.inputs}
    assert {path: each.role for path, each in found.items()} == {
        "s3://data/in/rows.csv": "rows", "here.csv": "rows", "s3://data/in/more.csv": "more",
    }  # fmt: skip
    assert found["s3://data/in/rows.csv"].digests["blake3"] == of_bytes(b"1,2\n")
    about = found["s3://data/in/rows.csv"].remote
    assert about is not None and about.version == put["VersionId"]
    assert not (repo / "outputs").exists()
    assert list((repo / ".git/lineage/steps").iterdir()) == []
    # Known by content: not again, as long as the store says the same.
    assert "downloading" not in lineage(*words).stderr
    assert "is reused" in lineage("run", "--reuse", *words[1:]).stderr
    bucket.put_object(Bucket="data", Key="in/rows.csv", Body=b"7,8\n")
    done = lineage("run", "--reuse", *words[1:])
    assert "downloading s3://data/in/rows.csv" in done.stderr
    assert done.stdout.startswith("7,8\n")
    lineage("reproduce", first.id)
    assert verdict() == "identical"
    assert {(each.path, each.digest) for each in last().inputs} == {
        (each.path, each.digest) for each in first.inputs
    }


def test_without_a_name_it_is_recorded_as_such(bucket: Any, repo: Path, lineage: Lineage) -> None:
    bucket.put_object(Bucket="data", Key="rows", Body=b"rows")
    done = lineage("run", "-i", "s3://data/rows", "--", "sh", "-c", "echo ${VH_INPUTS_DIR-none}")
    assert (done.stdout, "downloading" in done.stderr) == ("none\n", False)
    assert not Path(".git/lineage/downloads").exists()
    assert lineage("run", "--dry-run", "-i", "a=s3://data/rows", "--", "true").stdout == "true\n"
    assert not Path(".git/lineage/downloads").exists()


def test_a_command_does_not_start_without_what_it_is_to_be_given(
    web: str, repo: Path, lineage: Lineage
) -> None:
    for uri, said in (
        (f"http://{web}/nowhere", f"http://{web}/nowhere: there is nothing at that address (404)"),
        ("nosuch://x", "nosuch://x: Protocol not known: nosuch"),
    ):
        done = lineage("run", "-i", f"data={uri}", "--", "touch", "made", check=False)
        assert (done.returncode, done.stderr.splitlines()[0]) == (125, f"error: {said}")
    same = ["-i", f"data=http://{web}/data.csv", "-i", "data=data.csv"]
    (repo / "data.csv").write_text("other\n")
    done = lineage("run", "-q", *same, "--", "touch", "made", check=False)
    assert done.returncode == 125
    assert "would both be data.csv" in done.stderr
    assert not Path("made").exists()
    assert list(Path(".git/lineage/steps").glob("*")) == []


def test_a_download_on_a_terminal_shows_a_bar(web: str, repo: Path) -> None:
    words = ["git", "lineage", "run", "-q", "-i", f"data=http://{web}/data.csv", "--"]
    terminal = Terminal([*words, "sh", "-c", 'cat "$VH_INPUTS_DIR/data/data.csv"'])
    assert terminal.wait() == 0
    terminal.close()
    assert f"downloading http://{web}/data.csv [".encode() in terminal.printed
    assert terminal.printed.endswith(b"1,2\r\n")
