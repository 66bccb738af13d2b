"""Conditions: what they say, what fits, and where the mistake is."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Lineage
from hypothesis import given
from hypothesis import strategies as st

import gitlineage
from gitlineage import where
from gitlineage.errors import InvalidCondition
from gitlineage.index import Filters, conditions
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

KINDS = {
    "low": ({"lr": 0.001, "mode": "fast"}, {"accuracy": 0.95}),
    "high": ({"lr": 0.1, "mode": "o'slow"}, {"accuracy": 0.5, "learning rate": 1}),
    "text": ({"lr": "0.001"}, {"accuracy": "high", "done": True}),
    "none": ({}, {}),
}


@pytest.fixture
def filled(repo: Path) -> Path:
    with gitlineage.open() as here:
        for number, (title, (parameters, metadata)) in enumerate(KINDS.items()):
            launch = Launch(
                nonce=title.encode(), command=(title,), directory=".", step="train", title=title,
                started_at=1_700_000_000_000_000 - number, parameters=parameters,
                agent=Agent(name="Ada", email="ada@example.org"), code=Code(),
                software=Software(name="x", version="1"), place=Place(host="node"),
            )  # fmt: skip
            status = "failed" if title == "none" else "succeeded"
            here.append(
                launch, End(execution="", status=status, metadata=metadata, duration=2_500_000)
            )
        here.tag("sweep", ["@~1"])
        here.set_metadata("@~3", {"accuracy": 0.99})
    return repo


FIT = {
    "accuracy > 0.9": "low none",
    "accuracy > 0.96": "none",
    "not accuracy > 0.9": "high text",
    "accuracy = 'high'": "text",
    "accuracy > 0.9 and lr < 0.01": "low",
    "lr < 0.01 or tag = 'sweep'": "low high",
    "NOT (lr < 0.01 OR tag = 'sweep')": "text none",
    "parameter.lr >= 0.1": "high",
    "metadata.lr >= 0.1": "",
    "lr in (0.1, '0.001')": "high text",
    "mode = 'o''slow'": "high",
    "mode ~ 'FAS'": "low",
    '"learning rate" == 1': "high",
    'metadata."learning rate" = 1': "high",
    "done = true": "text",
    "author = 'ada@example.org' and author ~ 'ada'": "low high text none",
    "duration > 2 and duration < 3 and host = 'node' and step != 'x'": "low high text none",
    "status = 'failed' and title = 'none' and command = 'none'": "none",
    "mode = 'x'' OR 1=1 --'": "",
    "nowhere != 1": "",
}


def test_what_fits(filled: Path) -> None:
    with gitlineage.open() as here:
        for condition, titles in FIT.items():
            found = [each.launch.title for each in here.executions(where=condition) if each.launch]
            assert " ".join(map(str, found)) == titles, condition


MISTAKES = {
    "": ("expected", 1),
    "accuracy": ("expected", 9),
    "accuracy >": ("expected", 11),
    "accuracy > and": ("expected", 12),
    "accuracy > 0.9 lr": ("expected", 16),
    "(accuracy > 0.9": ("expected", 16),
    "a = 1; DROP TABLE record": ("expected", 6),
    "a = 'x": ("expected", 5),
    "x = 1 and metdata.a = 1": ("metdata is neither metadata nor parameter; did you mean", 11),
    "(" * 60 + "a = 1" + ")" * 60: ("nested too deeply", 1),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_where_the_mistake_is(text: str) -> None:
    with pytest.raises(InvalidCondition) as caught:
        where.parse(text)
    reason, place = MISTAKES[text]
    assert str(caught.value.facts["reason"]).startswith(reason)
    assert caught.value.facts["place"] == place


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        where.parse(text)
    except InvalidCondition:
        pass


def test_log_takes_it(filled: Path, lineage: Lineage) -> None:
    assert len(lineage("log", "--oneline", "--where", "lr < 1").stdout.splitlines()) == 2
    assert lineage("log", "--where", "lr <", check=False).returncode == 2


def test_a_name_that_nothing_has_is_said(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "-p", "rate=1", "--", "echo", '{"accuracy": 0.9}')
    said = lineage("log", "--where", "accurcy > 0.5 or metadata.titel = 'a' or zzz < 1")
    assert said.stdout == ""
    assert said.stderr.splitlines() == [
        "warning: no metadata and no parameter is named accurcy; did you mean accuracy?",
        "warning: no metadata and no parameter is named titel; did you mean title?",
        "warning: no metadata and no parameter is named zzz",
    ]
    for plain in ("accuracy > 0.95 and rate = 1", "step = 'none'", "accuracy > 0.5 or zzz = 1"):
        assert lineage("log", "--where", plain).stderr == ""


def test_what_has_an_index_is_asked_by_itself() -> None:
    condition = where.parse("(step = 'a' and tag = 'b') and not status = 'failed' and lr < 1")
    narrowed = conditions.narrowed(Filters(where=condition, tag="c"))
    assert narrowed == Filters(where=condition, tag="c", step="a")
    either = Filters(where=where.parse("step = 'a' or tag = 'b'"))
    assert conditions.narrowed(either) is either
