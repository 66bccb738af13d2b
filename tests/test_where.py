"""Conditions: what they say, what fits, and where the mistake is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark
import pytest
from conftest import Lineage
from hypothesis import example, given, settings
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


GRAMMAR = r"""
?start: either
?either: both ("or"i both)*
?both: unless ("and"i unless)*
?unless: "not"i unless -> negated
       | "(" either ")"
       | name OPERATOR value -> comparison
       | name "in"i "(" value ("," value)* ")" -> membership
name: WORD ("." (WORD | QUOTED))? | QUOTED
?value: NUMBER -> number | TEXT -> text | "true"i -> true | "false"i -> false
OPERATOR: "!=" | "<=" | ">=" | "==" | "=" | "<" | ">" | "~"
WORD: /(?!(and|or|not|in|true|false)\b)[A-Za-z_][\w\/-]*/i
QUOTED: /"[^"]+"/
TEXT: /'([^']|'')*'/
NUMBER: /[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?/
%ignore /\s+/
"""


class Reader(lark.Transformer):  # type: ignore[type-arg]
    """Makes of the parser's tree what ours makes of the text."""

    def either(self, parts: list[Any]) -> where.Junction:
        return where.Junction(kind="or", parts=tuple(parts))

    def both(self, parts: list[Any]) -> where.Junction:
        return where.Junction(kind="and", parts=tuple(parts))

    def negated(self, parts: list[Any]) -> where.Junction:
        return where.Junction(kind="not", parts=tuple(parts))

    def name(self, words: list[Any]) -> tuple[str | None, str]:
        first, *rest = words
        if rest:
            if first.lower() not in where.SCOPES:
                raise ValueError(first)
            return first.lower(), rest[0].strip('"')
        is_field = first.type == "WORD" and first.lower() in where.FIELDS
        return ("field", first.lower()) if is_field else (None, first.strip('"'))

    def comparison(self, parts: list[Any]) -> where.Comparison:
        (scope, name), operator, value = parts
        shown = "=" if operator == "==" else str(operator)
        return where.Comparison(scope=scope, name=name, operator=shown, values=(value,))

    def membership(self, parts: list[Any]) -> where.Comparison:
        (scope, name), *values = parts
        return where.Comparison(scope=scope, name=name, operator="in", values=tuple(values))

    def number(self, parts: list[Any]) -> int | float:
        return int(parts[0]) if parts[0].lstrip("+-").isdigit() else float(parts[0])

    def text(self, parts: list[Any]) -> str:
        return str(parts[0][1:-1]).replace("''", "'")

    true = staticmethod(lambda _: True)  # type: ignore[assignment]
    false = staticmethod(lambda _: False)  # type: ignore[assignment]


LARK = lark.Lark(GRAMMAR, parser="lalr")

WORDS = (
    "a", "step", "metadata.lr", 'parameter."x y"', "Tag", "and", "OR", "not", "in", "(", ")", ",",
    "=", "==", "!=", "<=", "~", "1", "-0.5e3", ".5", "'x'", "'it''s'", "true", "False", '"q"',
    "notx", "android", ".", "'", "%", "a = 1", "b in (2, 'c')",
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(["", " ", " ", "\n"]))))
@example([("a", ""), (".", ""), ("a", ""), ("=", ""), ("1", "")])
@example([("a = 1", " "), ("and", ""), ("b in (2, 'c')", "")])
@example([("not", " "), ("(", ""), ("a = 1", " "), ("or", " "), ("a = 1", ""), (")", "")])
def test_it_reads_what_a_parser_generator_reads(words: list[tuple[str, str]]) -> None:
    text = "".join(word + space for word, space in words)
    if text.count("(") + text.lower().count("not") > where.DEEPEST:
        return
    try:
        expected = Reader().transform(LARK.parse(text))
    except lark.exceptions.UnexpectedInput as error:
        at_end = error.column < 0 or getattr(getattr(error, "token", None), "type", "") == "$END"
        with pytest.raises(InvalidCondition) as caught:
            where.parse(text)
        if "is neither" not in str(caught.value.facts["reason"]):  # which is said at once
            place = len(text) if at_end else error.pos_in_stream
            assert caught.value.facts["place"] == (place or 0) + 1
        return
    except lark.exceptions.VisitError:
        with pytest.raises(InvalidCondition, match="is neither"):
            where.parse(text)
        return
    assert where.parse(text) == expected


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        where.parse(text)
    except InvalidCondition:
        pass


def test_log_takes_it(filled: Path, lineage: Lineage) -> None:
    assert len(lineage("log", "--oneline", "--where", "lr < 1").stdout.splitlines()) == 2
    assert lineage("log", "--where", "lr <", check=False).returncode == 2


def test_numbers_that_are_not_finite(repo: Path, lineage: Lineage) -> None:
    for value in ("NaN", "Infinity", "-Infinity", "1e400", "0.5", '"NaN and Infinity"'):
        lineage("run", "-q", "--step", "fit", "--", "echo", f'{{"loss": {value}}}')
    fits = {
        "loss < 1": ["-inf", "0.5"],
        "loss > 1": ["inf", "inf"],
        "loss = 'NaN'": ["nan"],
        "not loss < 1": ["nan", "inf", "inf", "NaN and Infinity"],
    }
    with gitlineage.open() as here:
        for text, values in fits.items():
            found = [str(each.metadata["loss"]) for each in here.executions(where=text)]
            assert found[::-1] == values, text
    asked = "SELECT typeof(value), count(*) FROM metadata GROUP BY 1 ORDER BY 1"
    assert lineage("sql", "--format", "csv", asked).stdout.split()[1:] == ["real,4", "text,2"]
    told = [json.loads(line)["metadata"]["loss"]
            for line in lineage("log", "--json").stdout.splitlines()]  # fmt: skip
    assert told == ["NaN and Infinity", 0.5, "Infinity", "-Infinity", "Infinity", "NaN"]


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
