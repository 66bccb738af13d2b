"""Records are immutable values, compared by what they hold."""

from __future__ import annotations

import copy
import re
from importlib import import_module
from pkgutil import iter_modules

import pytest
import strategies
from hypothesis import given, settings

from gitlineage import records
from gitlineage.records import Record
from gitlineage.records.artifact import Artifact
from gitlineage.records.end import End
from gitlineage.records.execution import Execution
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

ADA = Agent(name="Ada", email="ada@example.org")
LAUNCH = Launch(
    nonce=b"n",
    command=("true",),
    directory=".",
    step="true",
    started_at=1,
    agent=ADA,
    software=Software(name="git-lineage", version="1"),
    place=Place(host="h"),
    code=Code(),
    inputs=(Artifact(path="a", type="file", how="declared"),),
)


def classes() -> list[type[Record]]:
    for room in iter_modules(records.__path__, "gitlineage.records."):
        import_module(room.name)
    name = records.__name__
    return [each for each in Record.__subclasses__() if each.__module__.startswith(name)]


def test_a_field_cannot_be_set_added_or_deleted() -> None:
    with pytest.raises(AttributeError, match="Agent is immutable"):
        ADA.name = "Bob"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Agent is immutable"):
        ADA.other = "Bob"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="Agent is immutable"):
        del ADA.name
    assert Agent(name="Ada", email="ada@example.org") == ADA


def test_a_missing_field_is_named() -> None:
    with pytest.raises(TypeError, match=r"^Agent needs email$"):
        Agent(name="Ada")  # type: ignore[call-arg]


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(TypeError, match=r"^Agent has no age, zone$"):
        Agent(name="Ada", email="", age=36, zone="UTC")  # type: ignore[call-arg]


def test_fields_are_given_by_name_only() -> None:
    with pytest.raises(TypeError):
        Agent("Ada", "ada@example.org")  # type: ignore[misc]


def test_equal_means_the_same_class_and_the_same_fields() -> None:
    assert Agent(name="Ada", email="ada@example.org") == ADA
    assert Agent(name="Ada", email="ada@example.org", login="ada") != ADA
    assert Software(name="a", version="b") != Place(host="a", kind="b")
    assert ADA != "Ada"


@settings(max_examples=40)
@given(strategies.stored)
def test_equal_records_have_equal_hashes(record: Record) -> None:
    def turned(value: object) -> object:
        return dict(reversed(value.items())) if isinstance(value, dict) else value

    same = type(record)(**{name: turned(getattr(record, name)) for name in record._fields})
    assert same == record
    assert hash(same) == hash(record)
    assert len({same, record}) == 1


def test_numbers_that_are_equal_have_equal_hashes() -> None:
    one, real, true = (LAUNCH.replace(parameters={"n": n}) for n in (1, 1.0, True))
    assert one == real == true
    assert len({one, real, true}) == 1


def test_replace_changes_only_what_is_named() -> None:
    changed = LAUNCH.replace(step="train")
    assert (changed.step, LAUNCH.step) == ("train", "true")
    assert changed.replace(step="true") == LAUNCH
    with pytest.raises(TypeError, match=r"^Launch has no steps$"):
        LAUNCH.replace(steps="train")


def test_a_record_can_be_read_in_a_debugger() -> None:
    assert repr(ADA) == ("Agent(name='Ada', email='ada@example.org', login=None, actor=None)")
    assert copy.deepcopy(LAUNCH) == LAUNCH


def test_an_execution_without_an_end_is_running() -> None:
    running = Execution(id="1" * 40, launch=LAUNCH, end=None)
    assert running.status == "running"
    assert running.inputs == LAUNCH.inputs
    assert running.outputs == ()
    assert running.metadata == {}


def test_an_execution_shows_its_ends_facts_and_declared_inputs_first() -> None:
    out = Artifact(path="out", type="file", how="detected")
    late = Artifact(path="b", type="file", how="argument")
    end = End(execution="1" * 40, status="failed", inputs=(late,), outputs=(out,))
    found = Execution(id="1" * 40, launch=LAUNCH, end=end.replace(metadata={"loss": 0.5}))
    assert found.status == "failed"
    assert found.inputs == (*LAUNCH.inputs, late)
    assert found.outputs == (out,)
    assert found.metadata == {"loss": 0.5}
    assert found.replace(launch=None).inputs == (late,)


def test_the_identity_of_content_is_its_blake3_alone() -> None:
    both = {"sha256": bytes(32), "blake3": bytes.fromhex("ab" * 32)}
    known = Artifact(path="a", type="file", how="declared", digests=both)
    assert known.digest == "blake3:" + "ab" * 32
    assert known.replace(digests={"sha256": bytes(32)}).digest is None


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_class_says_what_it_is(kind: type[Record]) -> None:
    assert re.match(r"[A-Z].*\.$", (kind.__doc__ or "").splitlines()[0])


@pytest.mark.parametrize("kind", strategies.STORED, ids=lambda kind: kind.__name__)
def test_what_is_stored_says_its_format_and_kind_and_keeps_what_it_does_not_know(
    kind: type[Record],
) -> None:
    assert kind._defaults["format"] == records.FORMAT
    kinds = ("execution", "deployment", "retirement", "alias", "redaction")
    assert kind._defaults["kind"] in kinds
    assert kind._fields[-1] == "extra"
