"""One value has one spelling: what is written is read again, and nothing else is read."""

from __future__ import annotations

import importlib.util
import json
import math
import random
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import strategies
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_records import LAUNCH

from gitlineage import canonical, digest, encoding, records
from gitlineage.errors import InvalidRecord, NewerFormat
from gitlineage.records import Record
from gitlineage.records.alias import Alias
from gitlineage.records.artifact import Artifact
from gitlineage.records.deployment import Deployment, Retirement
from gitlineage.records.end import End, Log
from gitlineage.records.launch import Launch
from gitlineage.records.metadata import Metadata
from gitlineage.records.redaction import Redaction

END = End(execution="1" * 40, status="succeeded")
SMALL = {"format": 1, "execution": "1" * 40, "status": "failed"}


def raw(value: Any, **options: Any) -> bytes:
    """Return what a careless writer would make of a value: keys in the order that they have."""
    packed: bytes = msgpack.packb(value, use_bin_type=True, **options)
    return packed


def shown(value: Any) -> Any:
    """Return a value as it is told apart: 1 from 1.0 and True, 0.0 from -0.0, NaN as itself."""
    if isinstance(value, Record):
        return type(value).__name__, shown({n: getattr(value, n) for n in value._fields})
    if isinstance(value, dict):
        return sorted((key, shown(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [shown(each) for each in value]
    return repr(value)


def shuffled(value: Any, order: random.Random) -> Any:
    """Return the same value with the keys of all maps in another order."""
    if isinstance(value, dict):
        pairs = [(key, shuffled(each, order)) for key, each in value.items()]
        return dict(order.sample(pairs, len(pairs)))
    return [shuffled(each, order) for each in value] if isinstance(value, list) else value


def why(content: bytes) -> str:
    """Return why bytes are refused."""
    with pytest.raises(InvalidRecord) as caught:
        encoding.unpack(content, "3f07c1d2")
    assert caught.value.facts["record"] == "3f07c1d2"
    return str(caught.value.facts["reason"])


# -- there and back ------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True, params=["few", "many"])
def _reading(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read as where there are few records, and as where there are many."""
    before = encoding._decode
    encoding._decode = None
    if request.param == "many":
        encoding.hasten()
    yield
    encoding._decode = before


@settings(max_examples=80)
@given(strategies.stored)
def test_what_is_encoded_is_decoded_again(record: Record) -> None:
    content = encoding.encode(record)
    found = encoding.decode(type(record), content)
    assert shown(found) == shown(record)
    assert encoding.encode(found) == content


@given(strategies.plain)
@example([])
@example({})
def test_plain_data_is_unpacked_as_it_was(value: Any) -> None:
    content = encoding.pack(value)
    assert shown(encoding.unpack(content)) == shown(value)
    assert encoding.pack(encoding.unpack(content)) == content


@given(strategies.plain, st.randoms(use_true_random=False))
def test_the_order_of_insertion_does_not_matter(value: Any, order: random.Random) -> None:
    assert encoding.pack(shuffled(value, order)) == encoding.pack(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "c0"),
        (False, "c2"),
        (True, "c3"),
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (255, "ccff"),
        (256, "cd0100"),
        (65536, "ce00010000"),
        (1 << 32, "cf0000000100000000"),
        ((1 << 64) - 1, "cf" + "ff" * 8),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0df"),
        (-(1 << 63), "d38000000000000000"),
        (0.0, "cb0000000000000000"),
        (-0.0, "cb8000000000000000"),
        (1.0, "cb3ff0000000000000"),
        ("", "a0"),
        ("\u00e9", "a2c3a9"),
        (b"", "c400"),
        ("\udce9", "c401e9"),
        ("a\udcff", "c40261ff"),
        ([], "90"),
        ((1,), "9101"),
        ({"b": 1, "a": 2}, "82a16102a16201"),
        ({"\uffff": 1, "\U00010000": 2}, "82a3efbfbf01a4f090808002"),
        (1 << 64, "81a424696e74b4" + b"18446744073709551616".hex()),
        (-(1 << 63) - 1, "81a424696e74b4" + b"-9223372036854775809".hex()),
        (math.nan, "81a624666c6f6174a36e616e"),
        (math.inf, "81a624666c6f6174a3696e66"),
        (-math.inf, "81a624666c6f6174a42d696e66"),
        ({"$": 1}, "81a2242401"),
        ({"$int": 1}, "81a52424696e7401"),
        ({"$int": 1, "a": 2}, "82a424696e7401a16102"),
    ],
    ids=repr,
)
def test_spelling(value: Any, expected: str) -> None:
    assert encoding.pack(value).hex() == expected
    found = encoding.unpack(bytes.fromhex(expected))
    if isinstance(value, tuple):
        value = list(value)
    elif isinstance(value, str) and not value.isascii() and not value.isprintable():
        value = value.encode(errors="surrogateescape")
    assert shown(found) == shown(value)


def test_the_sign_of_a_nan_is_not_kept() -> None:
    negative = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
    assert encoding.pack(negative) == encoding.pack(math.nan)


# -- text that is not UTF-8 ----------------------------------------------------------------------


def test_paths_and_arguments_come_back_as_the_bytes_that_they_were() -> None:
    odd = b"caf\xe9/\xff\n".decode(errors="surrogateescape")
    launch = LAUNCH.replace(command=("cat", odd), directory=odd, parameters={"file": [odd]})
    found = encoding.decode(Launch, encoding.encode(launch))
    assert found == launch
    assert found.command[1].encode(errors="surrogateescape") == b"caf\xe9/\xff\n"
    assert b"\xc4\x07caf\xe9/\xff\n" in encoding.encode(launch)


@pytest.mark.parametrize(
    "changed", [{"status": b"failed"}, {"metadata": {"a": b"b"}}, {"metadata": {"a": [{"b": b""}]}}]
)
def test_text_that_is_utf8_is_not_read_from_bytes(changed: dict[str, Any]) -> None:
    content = encoding.pack({**SMALL, **changed})
    with pytest.raises(InvalidRecord) as caught:
        encoding.decode(End, content)
    assert str(caught.value.facts["reason"]).startswith(f"{next(iter(changed))} is not ")


def test_halves_of_a_character_that_are_no_bytes_are_spelled_out() -> None:
    # json.loads makes them of `"\\ud800"`; they have no UTF-8 and are no path.
    assert encoding.unpack(encoding.pack("\ud800x")) == "\\ud800x"
    assert encoding.unpack(encoding.pack({"\ud800": 1})) == {"\\ud800": 1}


def test_a_key_that_is_not_utf8_is_spelled_out_and_sorted_by_its_spelling() -> None:
    value = {"a": 1, "\udcff": 2, "b": 3, "\U0001f600": 4}
    found = encoding.unpack(encoding.pack(value))
    assert list(found.items()) == [("\\udcff", 2), ("a", 1), ("b", 3), ("\U0001f600", 4)]
    with pytest.raises(ValueError, match="two keys have one spelling"):
        encoding.pack({"\udcff": 1, "\\udcff": 2})


# -- what cannot be packed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [{1: 2}, {1: 2, "a": 3}, {b"a": 1}, {None: 1}, {1, 2}, object(), 1j, [object()]]
)
def test_what_is_not_plain_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encoding.pack(value)


def nested(levels: int, inner: Any, kind: str) -> Any:
    for _ in range(levels):
        inner = [inner] if kind == "list" else {"a": inner}
    return inner


@pytest.mark.parametrize("kind", ["list", "map"])
@pytest.mark.parametrize("inner", [1, "", 1.5, 10**30, math.inf], ids=repr)
def test_maps_and_lists_go_as_deep_in_one_another_as_agreed(kind: str, inner: Any) -> None:
    deepest = nested(canonical.DEEPEST, inner, kind)
    assert encoding.unpack(encoding.pack(deepest)) == deepest
    with pytest.raises(ValueError, match="nested too deeply"):
        encoding.pack(nested(canonical.DEEPEST + 1, inner, kind))
    too_deep = raw(nested(canonical.DEEPEST + 1, 1, kind))
    assert why(too_deep) == "nested too deeply"


def test_an_escaped_key_counts_as_one_level() -> None:
    escaped = nested(canonical.DEEPEST - 1, {"$a": 1}, "list")
    assert encoding.unpack(encoding.pack(escaped)) == escaped
    with pytest.raises(ValueError, match="nested too deeply"):
        encoding.pack([escaped])
    assert why(raw(nested(canonical.DEEPEST, {"$$a": 1}, "list")))


def test_an_integer_that_python_does_not_read_again_is_refused() -> None:
    with pytest.raises(ValueError):
        encoding.pack(10**5000)
    assert why(raw({"$int": "9" * 4999}))


# -- one spelling --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("82a16201a16102", id="keys not sorted"),
        pytest.param("83a16101a16201a16101", id="a key twice"),
        pytest.param("82a16101a16101", id="a key twice, same value"),
        pytest.param("8101c0", id="a key that is a number"),
        pytest.param("81c40161c0", id="a key that is bytes"),
        pytest.param("81c0c0", id="a key that is nothing"),
        pytest.param("cc01", id="8 bits for 1"),
        pytest.param("cd00ff", id="16 bits for 255"),
        pytest.param("ce0000ffff", id="32 bits for 65535"),
        pytest.param("cf00000000ffffffff", id="64 bits for 4294967295"),
        pytest.param("d001", id="signed 1"),
        pytest.param("d0ff", id="8 bits for -1"),
        pytest.param("d10080", id="signed 128"),
        pytest.param("d90161", id="8 bits for a length of 1"),
        pytest.param("da000161", id="16 bits for a length of 1"),
        pytest.param("c5000161", id="16 bits for a length of bytes"),
        pytest.param("dc000101", id="16 bits for a list of 1"),
        pytest.param("de0001a16101", id="16 bits for a map of 1"),
        pytest.param("ca3f800000", id="a float of 32 bits"),
        pytest.param("cb7ff8000000000000", id="NaN bare"),
        pytest.param("cb7ff0000000000000", id="infinity bare"),
        pytest.param("91cbfff0000000000000", id="minus infinity bare, in a list"),
        pytest.param("d40100", id="an extension of 1 byte"),
        pytest.param("c70001", id="an extension of nothing"),
        pytest.param("d6ff00000000", id="a timestamp"),
        pytest.param("d7ff" + "00" * 8, id="a timestamp of 8 bytes"),
        pytest.param("c70cff" + "00" * 12, id="a timestamp of 12 bytes"),
        pytest.param("81a16181c40162c0", id="a key that is bytes, inside"),
        pytest.param("c1", id="a byte without a meaning"),
        pytest.param("a2c328", id="text that is not UTF-8"),
        pytest.param("a3eda080", id="half a character as text"),
        pytest.param("", id="nothing"),
        pytest.param("92c0", id="the end missing"),
        pytest.param("a3", id="text missing"),
        pytest.param("c0c0", id="something behind"),
        pytest.param("c000", id="a zero behind"),
    ],
)
def test_any_other_spelling_is_refused(content: str) -> None:
    assert why(bytes.fromhex(content))


@pytest.mark.parametrize(
    "value",
    [
        {"$int": "1"},
        {"$int": str((1 << 64) - 1)},
        {"$int": str(-(1 << 63))},
        {"$int": "0" + "9" * 30},
        {"$int": "+" + "9" * 30},
        {"$int": " " + "9" * 30},
        {"$int": "9_" + "9" * 30},
        {"$int": "\u0669" * 30},
        {"$int": 1},
        {"$int": b"9" * 30},
        {"$int": ""},
        {"$float": "NaN"},
        {"$float": "-nan"},
        {"$float": "1.5"},
        {"$float": 1.5},
        {"$float": ["nan"]},
        {"$": 1},
        {"$decimal": "1"},
        {"$a": {}},
    ],
    ids=repr,
)
def test_a_tag_that_would_not_have_been_written_is_refused(value: Any) -> None:
    assert why(raw(value))
    assert why(raw([value]))
    assert encoding.unpack(encoding.pack(value)) == value  # escaped, it means itself


@given(strategies.plain, st.data())
def test_bytes_that_are_read_are_those_that_would_be_written(value: Any, data: Any) -> None:
    content = bytearray(encoding.pack(value))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    try:
        found = encoding.unpack(bytes(content))
    except InvalidRecord:
        return
    assert encoding.pack(found) == content


# -- hostile bytes -------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(strategies.STORED))
@example(b"", End)
@example(b"\x81\x90\xc0", End)
@example(b"\x81\x80\xc0", End)
@example(raw({"format": 1, "kind": {}}), Deployment)
def test_whatever_the_bytes_the_errors_are_ours(content: bytes, kind: type[Record]) -> None:
    try:
        encoding.decode(kind, content)
    except (InvalidRecord, NewerFormat) as error:
        assert str(error)


FIELDS = sorted({name for kind in strategies.STORED for name in kind._fields})


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(FIELDS), strategies.plain, max_size=6),
    st.sampled_from(strategies.STORED),
)
def test_whatever_the_fields_hold_the_errors_are_ours(
    fields: dict[str, Any], kind: type[Record]
) -> None:
    whole = encoding.unpack(encoding.encode({End: END, Launch: LAUNCH}.get(kind, DEPLOYMENT)))
    try:
        encoding.decode(kind, encoding.pack({**whole, **fields}))
    except (InvalidRecord, NewerFormat) as error:
        assert str(error)


DEPLOYMENT = Deployment(
    nonce=b"n",
    name="shop",
    deployed_at=1,
    agent=LAUNCH.agent,
    software=LAUNCH.software,
    artifacts=(),
)


@pytest.mark.parametrize(
    "begin", ["dd{:08x}", "df{:08x}", "dc{:04x}", "c6{:08x}", "db{:08x}", "91dd{:08x}"]
)
@pytest.mark.parametrize("size", [50, 5_000, 200_000])
def test_claimed_lengths_take_no_memory(begin: str, size: int) -> None:
    claim = min(size, 0xFFFF) if "04" in begin else size
    head = bytes.fromhex(begin.format(claim))
    content = (head * size)[:size]
    tracemalloc.start()
    assert why(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 26


def test_the_claims_of_all_levels_are_added_up() -> None:
    honest = raw([[[{"a": [1, 2, b"\xdd" * 9]}]]] * 2000)
    assert len(honest) > encoding.TRUSTED
    assert encoding.unpack(honest)[1999][0][0]["a"][2] == b"\xdd" * 9
    claim = struct.pack(">BI", 0xDD, encoding.TRUSTED)
    assert why(claim * 60 + bytes(encoding.TRUSTED)) == "shorter than it claims"
    assert why(raw("a" * encoding.TRUSTED)[:-1]) == "incomplete"


@settings(max_examples=50)
@given(st.lists(strategies.plain, min_size=1, max_size=5))
def test_long_data_of_every_type_is_read(values: list[Any]) -> None:
    values.append(b"x" * encoding.TRUSTED)
    content = encoding.pack(values)
    assert shown(encoding.unpack(content)) == shown(values)


def test_what_is_larger_than_the_bound_is_not_looked_at() -> None:
    assert why(b"\xc1" * (encoding.LARGEST + 1)) == f"larger than {encoding.LARGEST} bytes"
    with pytest.raises(InvalidRecord):
        encoding.unpack(encoding.pack("abc"), largest=3)
    assert encoding.unpack(encoding.pack("abc"), largest=4) == "abc"


# -- records -------------------------------------------------------------------------------------


def test_fields_that_are_empty_are_left_out_where_that_is_what_their_absence_means() -> None:
    end = {"execution": "1" * 40, "format": 1, "kind": "execution", "status": "succeeded"}
    assert encoding.unpack(encoding.encode(END)) == end
    zeros = END.replace(exit_code=0, duration=0, points_count=0, log=Log(size=0))
    expected = {**end, "exit_code": 0, "duration": 0, "log": {"size": 0}}
    assert encoding.unpack(encoding.encode(zeros)) == expected


def test_an_empty_list_stays_where_it_is_needed() -> None:
    empty = LAUNCH.replace(command=())
    assert encoding.decode(Launch, encoding.encode(empty)) == empty
    assert encoding.decode(Deployment, encoding.encode(DEPLOYMENT)) == DEPLOYMENT


def test_fields_of_a_later_version_are_kept_and_written_again() -> None:
    later = {**SMALL, "kind": "execution", "carbon": {"g": 1.5}, "raw": b"ab"}
    content = encoding.pack(later)
    end = encoding.decode(End, content)
    assert end.extra == {"carbon": {"g": 1.5}, "raw": b"ab"}
    assert encoding.encode(end) == content


def test_fields_of_a_later_version_inside_others_are_passed_over() -> None:
    known = encoding.unpack(encoding.encode(LAUNCH))
    known["agent"]["orcid"] = "0000"
    assert encoding.decode(Launch, encoding.pack(known)) == LAUNCH


@pytest.mark.parametrize("found", [2, 99, 1 << 70])
def test_a_newer_format_is_said_to_be_newer(found: int) -> None:
    content = encoding.pack({"format": found, "execution": 5})
    with pytest.raises(NewerFormat) as caught:
        encoding.decode(End, content, "3f07")
    assert caught.value.facts == {"record": "3f07", "found": found, "known": records.FORMAT}


@pytest.mark.parametrize("found", [None, 0, -1, "1", 1.0, True, [], b"1"])
def test_a_record_that_names_no_format_is_refused(found: Any) -> None:
    value = {**SMALL, "format": found}
    for content in (encoding.pack(value), encoding.pack({"status": "failed"})):
        with pytest.raises(InvalidRecord) as caught:
            encoding.decode(End, content, "3f07")
        assert caught.value.facts == {"record": "3f07", "reason": "it names no format"}


@pytest.mark.parametrize("value", [None, 1, "map", [], [SMALL]])
def test_what_is_not_a_map_is_no_record(value: Any) -> None:
    with pytest.raises(InvalidRecord) as caught:
        encoding.decode(End, encoding.pack(value))
    assert caught.value.facts["reason"] == "not a map"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": 1}, "status is not str"),
        ({"status": None}, "status is not str"),
        ({"exit_code": "0"}, "exit_code is not int"),
        ({"exit_code": True}, "exit_code is not int"),
        ({"exit_code": 1.0}, "exit_code is not int"),
        ({"exit_code": None}, "exit_code is not int"),
        ({"duration": 1 << 63}, "duration is not int"),
        ({"duration": -(1 << 63) - 1}, "duration is not int"),
        ({"duration": 1 << 64}, "duration is not int"),
        ({"is_recovered": 1}, "is_recovered is not bool"),
        ({"inputs": {}}, "inputs is not tuple[Artifact, ...]"),
        ({"inputs": [1]}, "inputs is not tuple[Artifact, ...]"),
        ({"inputs": [{"path": "a", "type": "file"}]}, "Artifact needs how"),
        ({"inputs": [{"path": 1, "type": "file", "how": ""}]}, "path is not str"),
        (
            {"outputs": [{"path": "", "type": "", "how": "", "digests": {"blake3": "ab"}}]},
            "digests is not Mapping[str, bytes]",
        ),
        ({"metadata": []}, "metadata is not Mapping[str, Any]"),
        ({"environment": []}, "environment is not Environment"),
        ({"warnings": ["a", 1]}, "warnings is not tuple[str, ...]"),
        ({"log": {}}, "Log needs size"),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        encoding.decode(End, encoding.pack({**SMALL, **changed}), "3f07")
    assert caught.value.facts == {"record": "3f07", "reason": reason}


def test_a_missing_field_is_refused_by_name() -> None:
    with pytest.raises(InvalidRecord) as caught:
        encoding.decode(End, encoding.pack({"format": 1, "status": "failed"}))
    assert caught.value.facts["reason"] == "End needs execution"


def test_numbers_keep_their_type_and_sign() -> None:
    values = {"a": 1, "b": 1.0, "c": True, "d": -0.0, "e": 0, "f": False}
    found = encoding.decode(End, encoding.encode(END.replace(metadata=values))).metadata
    assert shown(found) == shown(values)


def test_digests_and_links_between_records_stay_bytes() -> None:
    artifact = Artifact(
        path="a", type="file", how="declared", digests={"blake3": b"abc"}, previous=b"def"
    )
    end = END.replace(outputs=(artifact,))
    assert encoding.decode(End, encoding.encode(end)).outputs[0].previous == b"def"
    assert encoding.decode(End, encoding.encode(end)) == end


# -- golden vectors ------------------------------------------------------------------------------

GOLDEN = Path(__file__).parent / "golden"
VECTORS = sorted(path for path in GOLDEN.glob("*.json") if path.stem != "refused")


def untagged(value: Any) -> Any:
    """Return what stands in a vector's JSON as it is stored."""
    if isinstance(value, list):
        return [untagged(each) for each in value]
    if isinstance(value, dict) and value.keys() == {"$bytes"}:
        return bytes.fromhex(value["$bytes"])
    return {k: untagged(v) for k, v in value.items()} if isinstance(value, dict) else value


def parts_of(path: Path) -> dict[str, tuple[bytes, Any]]:
    parts = json.loads(path.read_text())["parts"]
    return {n: (bytes.fromhex(p["bytes"]), untagged(p.get("value"))) for n, p in parts.items()}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_golden_values_have_their_golden_bytes(path: Path) -> None:
    for name, (content, value) in parts_of(path).items():
        if name in ("log", "config", "forgotten"):
            continue
        assert raw(value) == content  # without our code: that the value is what is stored
        assert encoding.pack(encoding.unpack(content)) == content


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_golden_bytes_are_records(path: Path) -> None:
    vector, parts = json.loads(path.read_text()), parts_of(path)
    kinds = {"execution": End, "deployment": Deployment, "metadata": Metadata,
             "alias": Alias, "retirement": Retirement, "redaction": Redaction}  # fmt: skip
    kind = kinds[vector["kind"]]
    found = encoding.decode(kind, parts["record"][0])
    assert encoding.encode(found) == parts["record"][0]
    if "launch" in parts:
        assert isinstance(found, End)
        launch = encoding.decode(Launch, parts["launch"][0])
        assert vector["execution"] == digest.execution_id(parts["launch"][0])
        assert found.execution == (launch.redacted or vector["execution"])
        assert encoding.encode(launch) == parts["launch"][0]
    stored = [(name, content) for name, (content, _) in parts.items()]
    assert digest.record_id(vector["kind"], stored) == vector["record"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_golden_manifests_are_named_by_their_content(path: Path) -> None:
    for name, (content, _) in parts_of(path).items():
        if name.startswith("manifests/"):
            assert name == f"manifests/{digest.of_bytes(content).hex()}"


def test_some_golden_vector_has_every_field_and_every_kind_of_part() -> None:
    executions = [parts_of(path) for path in GOLDEN.glob("execution-*.json")]
    for kind, part in ((Launch, "launch"), (End, "record")):
        found = [encoding.decode(kind, each[part][0]) for each in executions]
        lacking = [n for n in kind._fields if not any(getattr(each, n) for each in found)]
        assert lacking == []
    names = {name.partition("/")[0] for each in executions for name in each}
    assert names == {
        *("launch", "record", "log", "metadata", "manifests"),
        *("config", "notebook", "usage"),
    }


@pytest.mark.parametrize(
    "vector",
    json.loads((GOLDEN / "refused.json").read_text()),
    ids=lambda vector: vector["about"],
)
def test_golden_refusals_are_refused(vector: dict[str, str]) -> None:
    assert why(bytes.fromhex(vector["bytes"]))


def test_golden_vectors_are_those_that_are_written_today() -> None:
    spec = importlib.util.spec_from_file_location("write", GOLDEN / "write.py")
    assert spec is not None and spec.loader is not None
    write = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write)
    for name, text in write.files().items():
        assert (GOLDEN / name).read_text() == text, f"{name} has changed: that is a new format"
