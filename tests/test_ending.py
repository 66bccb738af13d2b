"""How an execution ended, and what is kept of that though something cannot be found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Lineage
from executions import last

from gitlineage.ending import status_of
from gitlineage.relay.outcome import Outcome


@pytest.mark.parametrize(("code", "signal", "status"), [
    (0, None, "succeeded"), (1, None, "failed"), (130, 2, "stopped"), (143, 15, "stopped"),
    (137, 9, "stopped"), (139, 11, "failed"), (130, None, "stopped"), (137, None, "failed"),
])  # fmt: skip
def test_status(code: int, signal: int | None, status: str) -> None:
    assert (
        status_of(
            Outcome(
                exit_code=code,
                signal=signal,
                started_at=0,
                finished_at=0,
                duration=0,
                cpu_time=0,
                peak_memory=0,
                had_terminal=False,
            )
        )
        == status
    )


def test_record_is_kept_though_outputs_cannot_be_listed(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "-q", "--", "sh", "-c", "echo x; echo broken > .git/index", check=False)
    Path(".git/index").unlink()
    assert (done.returncode, done.stdout) == (0, "x\n")
    (warning,) = done.stderr.splitlines()
    assert warning.startswith(
        "warning: its inputs and outputs are not known: git diff-files failed"
    )
    found = last()
    assert (found.status, found.outputs) == ("succeeded", ())
