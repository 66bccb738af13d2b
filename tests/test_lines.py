"""Lines of JSON: what is read is what is stored, and what is no execution is said."""

from __future__ import annotations

import json

import pytest
import strategies
from hypothesis import given, settings

from gitlineage import digest, encoding, lines
from gitlineage.records.end import End
from gitlineage.records.launch import Launch

LINE = {
    "launch": {
        "command": ["python", "train.py"],
        "step": "train",
        "started_at": 1_700_000_000_000_000,
        "agent": {"name": "Ada", "email": "ada@example.org"},
        "place": {"host": "a"},
    },
    "end": {"status": "succeeded"},
}


def changed(**changes: object) -> bytes:
    """Return the line as text, with some fields of a half, `half_field`, put in."""
    line = {half: dict(fields) for half, fields in LINE.items()}
    for name, value in changes.items():
        half, _, field = name.partition("_")
        line.setdefault(half, {})[field] = value
    return json.dumps(line).encode()


def stored(found: lines.Read) -> tuple[bytes, bytes]:
    found.end.execution = found.end.execution or "a" * 40
    return found.encoded(found.launch), found.encoded(found.end)


@given(strategies.record(Launch), strategies.record(End))
@settings(max_examples=100, deadline=None)
def test_records_are_encoded_as_ever(launch: Launch, end: End) -> None:
    end = end.replace(execution="b" * 40)
    try:
        expected = encoding.encode(launch), encoding.encode(end)
    except (TypeError, ValueError):
        return  # of keys that have one spelling
    assert stored(lines.of_records(launch, end)) == expected


@given(strategies.record(Launch), strategies.record(End))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read(launch: Launch, end: End) -> None:
    try:
        content = encoding.encode(launch)
        halves = content, encoding.encode(end.replace(execution=digest.execution_id(content)))
        line = lines.write(*halves, b"\xff printed\n", ["a"]).encode()
    except (TypeError, ValueError):
        return
    try:
        found = lines.read(line)
    except lines.NotRead:
        return  # a Record may hold what no execution has
    assert found.log == b"\xff printed\n"
    assert stored(found) == halves


def test_what_a_line_may_leave_out() -> None:
    found = lines.read(changed(end_metadata={"loss": 0.5}))
    launch, end = (
        encoding.decode(kind, half) for kind, half in zip((Launch, End), stored(found), strict=True)
    )
    assert (launch.directory, launch.software.name, len(launch.nonce)) == (".", "git-lineage", 16)
    assert (launch.code.commit, end.metadata) == (None, {"loss": 0.5})
    assert lines.read(changed()).launch.nonce != found.launch.nonce


ODD = {
    b"{}": "object missing required field `launch`",
    b"": "not JSON: expecting value at character 1",
    b"[1]": "expected `object`, got `array`",
    b'{"launch"': "not JSON: expecting ':' delimiter at character 10",
    changed(launch_stepp="x"): "object contains unknown field `stepp` in launch",
    changed(launch_command="x"): "expected `array`, got `str` in launch.command",
    changed(end_status="good"): "invalid enum value 'good' in end.status",
    changed(launch_format=2): "expected `int` <= 1 in launch.format",
    changed(launch_exit=1 << 62): "object contains unknown field `exit` in launch",
    changed(end_exit_code=1 << 62): "expected `int` <= 4611686018427387903 in end.exit_code",
    changed(launch_nonce="zz"): "non-hexadecimal number found in fromhex() arg at position 0",
    changed(end_outputs=[{"path": "a", "type": "file", "how": "declared",
                          "digests": {"blake3": "ab"}}]):
        "a blake3 digest has 64 hexadecimal digits",
    changed(end_metadata={"a": 1}).replace(b'"a": 1', b'"a": ' + b"[" * 70 + b"]" * 70):
        "nested too deeply",
}  # fmt: skip


@pytest.mark.parametrize("line", ODD, ids=list(ODD.values()))
def test_what_is_no_execution_is_said(line: bytes) -> None:
    with pytest.raises(lines.NotRead) as caught:
        found = lines.read(line)
        found.encoded(found.end)
    assert str(caught.value) == ODD[line]
