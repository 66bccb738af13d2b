"""How an execution ended, and what is kept of that though something cannot be found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Lineage
from executions import last

import gitlineage
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


# What fails, and what is said of it; that the command has ended, and how, is recorded all the same.
FAILURES = {
    "prices.cost": "its cost is not known: planted",
    "metrics.read": "its metrics files are not known: planted",
    "sidecars.read": "metadata of files is not known: planted",
    "points.Points.finish": "its metadata is not known: planted",
    "environment.Gathered.is_current": "its environment is not known: planted",
    "capture.Capture.collect": "its inputs and outputs are not known: planted",
    "ending.with_masked": "nothing but how it ended is known: ArithmeticError",
    "printed.Printed.log": "nothing but how it ended is known: ArithmeticError",
}


@pytest.mark.parametrize("place", FAILURES)
def test_an_end_is_recorded_whatever_cannot_be_worked_out(
    place: str, repo: Path, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ArithmeticError("planted")

    command = ["sh", "-c", "mkdir out; echo x > out/x; echo 1 > m.csv; exit 3"]
    with monkeypatch.context() as planted, gitlineage.open() as here:
        planted.setattr(f"gitlineage.{place}", fail)
        recording = here.run(command, outputs=["out"], price="1 EUR", metrics=["m.csv"])
    assert recording.problem is None
    found = last()
    assert (found.status, found.ends_count) == ("failed", 1)
    assert found.end is not None
    assert (found.end.exit_code, found.end.is_recovered) == (3, False)
    assert found.end.finished_at and found.end.duration
    assert FAILURES[place] in found.end.warnings
    assert lineage("log", "--oneline").stderr == ""
