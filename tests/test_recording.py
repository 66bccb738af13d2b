"""What a record holds and where: its parts, and the pieces it is made of."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import Git, Lineage
from executions import everything, last, left_running

from gitlineage import digest, encoding


def test_parts_of_a_record(repo: Path, lineage: Lineage, git: Git) -> None:
    lineage("run", "-q", "--", "true")
    assert git("ls-tree", "-r", "--name-only", str(last().commit)).split() == ["launch", "record"]
    Path("data").mkdir()
    Path("data/x").write_text("x")
    lineage("run", "-q", "-i", "data", "--", "sh", "-c", "echo '{\"a\": 1}'; echo '{\"a\": 2}'")
    found = last()
    (folder,) = found.inputs
    manifest = f"manifests/{folder.digests['blake3'].hex()}"
    assert git("ls-tree", "-r", "--name-only", str(found.commit)).split() == [
        "launch", "log", manifest, "metadata/00000", "record"
    ]  # fmt: skip
    content = subprocess.run(["git", "cat-file", "-p", f"{found.commit}:{manifest}"],
                             capture_output=True, check=True).stdout  # fmt: skip
    assert digest.of_bytes(content) == folder.digests["blake3"]
    assert encoding.unpack(content) == [
        {"name": "x", "type": "file", "size": 1, "digest": digest.of_bytes(b"x")}
    ]
    launch = subprocess.run(["git", "cat-file", "-p", f"{found.commit}:launch"],
                            capture_output=True, check=True).stdout  # fmt: skip
    assert digest.execution_id(launch) == found.id


def test_many_short_ones_inside_of_one(repo: Path, lineage: Lineage) -> None:
    lineage(
        "run",
        "-q",
        "--step",
        "outer",
        "--",
        "sh",
        "-c",
        'for i in 1 2 3 4 5 6; do git lineage run -q -- sh -c "echo $i > out$i"; done',
    )
    found = everything()
    assert len(found) == 7
    assert last("@outer").outputs == ()
    lineage("log")
    assert left_running(repo) == []
