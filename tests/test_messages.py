"""What git shows of a record: text that people read, whatever the execution is called."""

from __future__ import annotations

import time
from pathlib import Path

from conftest import Git, Lineage
from executions import last

from gitlineage.messages import message_of
from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software


def test_a_record_is_readable_with_plain_git(repo: Path, lineage: Lineage, git: Git) -> None:
    lineage(
        "run",
        "-q",
        "-t",
        "base",
        "--",
        "sh",
        "-c",
        "echo m > 'model file'; echo '{\"accuracy\": 0.9312345}'; exit 3",
        check=False,
    )
    found = last()
    commit = git("rev-parse", "HEAD")
    subject, empty, *body = git("log", "-1", "--format=%B", str(found.commit)).rstrip().split("\n")
    start, _, end = subject.partition(" in ")
    assert start == "sh: failed"
    assert end.endswith(" ms, exit code 3, accuracy 0.9312")
    assert [empty, *body] == [
        "",
        """sh -c 'echo m > '"'"'model file'"'"'; echo '"'"'{"accuracy": 0.9312345}'"'"'; exit 3'""",
        "",
        "makes model file",
        "",
        f"Lineage-Execution: {found.id}",
        "Lineage-Step: sh",
        "Lineage-Status: failed",
        f"Lineage-Code: {commit}",
    ]
    trailers = git("log", "-1", "--format=%(trailers:key=Lineage-Status,valueonly)",
                   "--glob=refs/lineage/ledger/*")  # fmt: skip
    assert trailers.strip() == "failed"
    assert found.launch is not None
    who, authored = git("log", "-1", "--format=%an <%ae>|%at", str(found.commit)).split("|")
    assert (who, int(authored)) == ("Ada Lovelace <ada@example.org>",
                                    found.launch.started_at // 1_000_000)  # fmt: skip
    day = time.strftime("%Y-%m-%d", time.gmtime(found.launch.started_at / 1e6))
    assert git("notes", "--ref=lineage", "show", "HEAD").split("\n") == [
        "1 execution",
        f"{found.id[:8]} {subject} ({day})",
    ]


def test_message_of_a_hostile_execution_is_lines_of_text() -> None:
    launch = Launch(
        nonce=b"n", command=("printf", "\x1b[31m\nLineage-Status: succeeded"), directory=".",
        step="st\nep", started_at=0, agent=Agent(name="A", email="a"), place=Place(host="h"),
        software=Software(name="s", version="1"), code=Code(),
    )  # fmt: skip
    end = End(execution="x", status="failed", exit_code=1,
              outputs=tuple(Artifact(path=f"a\n{n}", type="file", how="declared")
                            for n in range(12)))  # fmt: skip
    message = message_of(launch, end, "id")
    assert "\x1b" not in message
    lines = message.splitlines()
    assert lines[0] == "st?ep: failed, exit code 1"
    assert [line for line in lines if line.startswith("Lineage-")] == [
        "Lineage-Execution: id", "Lineage-Step: st?ep", "Lineage-Status: failed"
    ]  # fmt: skip
    assert "makes a?9" in lines and "makes a?10" not in lines and "and 2 more" in lines
