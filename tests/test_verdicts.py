"""Whether two results are the same."""

from __future__ import annotations

from typing import Any

import pytest

from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End, Environment
from gitlineage.records.execution import Execution
from gitlineage.records.parts import Package, Packages
from gitlineage.verdicts import compare, is_close, of_environment

NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "expected"),
    [
        (1, 1.0, None, True),
        (1.0, 1.0 + 1e-9, None, False),
        (1.0, 1.0 + 1e-9, 1e-6, True),
        (1.0, 1.1, 1e-6, False),
        (0.0, 1e-300, 1e-6, False),
        (NAN, NAN, None, True),
        (NAN, 1.0, 1e-6, False),
        (float("inf"), float("inf"), 1e-6, True),
        (True, 1, 1e-6, False),
        (True, True, None, True),
        ("1", 1, 1e-6, False),
        (None, None, None, True),
        ({"a": [1.0, "x"]}, {"a": [1.0 + 1e-9, "x"]}, 1e-6, True),
        ({"a": 1}, {"b": 1}, 1e-6, False),
        ([1], [1, 2], 1e-6, False),
    ],
)
def test_values(one: Any, other: Any, tolerance: float | None, expected: bool) -> None:
    assert is_close(one, other, tolerance) is expected
    assert is_close(other, one, tolerance) is expected


def output(path: str, content: bytes | None, **more: Any) -> Artifact:
    digests = {"blake3": content} if content else {}
    return Artifact(path=path, type="file", how="detected", digests=digests, **more)


def end(**more: Any) -> End:
    return End(**{"execution": "", "status": "succeeded", "exit_code": 0, **more})


def verdicts(first: End, second: End, files: dict[str, bytes]) -> dict[str, str]:
    execution = Execution(id="", launch=None, end=first)
    found = compare(execution, second, files.get, None)
    return {each.path: each.verdict for each in found.outputs}


def test_outputs_are_read_where_they_are() -> None:
    """A nested execution may have made them: that it is there counts, not whose it is."""
    first = end(outputs=(output("a", b"1"), output("b", b"1"), output("c", b"1")))
    second = end(outputs=(output("b", b"2"), output("d", b"1")))
    found = verdicts(first, second, {"a": b"1", "b": b"2", "d": b"1"})
    assert found == {"a": "identical", "b": "different", "c": "missing", "d": "additional"}


def test_what_was_deleted_is_to_be_gone() -> None:
    first = end(outputs=(output("a", None, change="deleted"), output("pipe", None)))
    assert verdicts(first, end(), {}) == {"a": "identical"}
    assert verdicts(first, end(), {"a": b"1"}) == {"a": "different"}


@pytest.mark.parametrize(
    ("first", "second", "verdict", "reason"),
    [
        (end(), end(), "identical", None),
        (end(status="failed", exit_code=2), end(status="failed", exit_code=2), "identical", None),
        (end(status="failed", exit_code=2), end(status="failed", exit_code=3), "different",
         "it failed with exit code 3, and the first failed with exit code 2"),
        (end(), end(status="stopped", exit_code=130), "not possible", "it was stopped"),
    ],
)  # fmt: skip
def test_how_it_ended(first: End, second: End, verdict: str, reason: str | None) -> None:
    found = compare(Execution(id="", launch=None, end=first), second, lambda path: None, None)
    assert (found.verdict, found.reason) == (verdict, reason)


def test_metadata_of_either_counts() -> None:
    first = Execution(id="", launch=None, end=end(metadata={"a": 1, "b": 1, "c": 0.5}))
    second = end(metadata={"a": 1, "c": 0.6, "d": 1})
    found = compare(first, second, lambda path: None, 0.5)
    assert (found.verdict, found.metadata, found.tolerance) == ("different", ("b", "d"), "0.5")


def test_environments() -> None:
    then = Environment(distribution="Debian 12", python="3.11.2", cpu_count=8, packages=b"1")
    now = Environment(distribution="Debian 12", python="3.12.1", cpu_count=2, packages=b"2")
    one = Packages(python=(Package(name="numpy", version="1.26"), Package(name="b", version="1")))
    other = Packages(python=(Package(name="numpy", version="2.0"), Package(name="a", version="1")))
    assert of_environment(then, now, (one, other)) == [
        ("processors", "8", "2"),
        ("Python", "3.11.2", "3.12.1"),
        ("a", "none", "1"),
        ("b", "1", "none"),
        ("numpy", "1.26", "2.0"),
    ]
    assert of_environment(None, now, (None, other)) == []
    assert of_environment(then, then, (one, one)) == []
