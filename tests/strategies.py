"""Hypothesis strategies for every kind of record, and for the plain data that they hold."""

from __future__ import annotations

import math
import sys
from typing import Any

from hypothesis import strategies as st

from gitlineage.records import FORMAT, Record
from gitlineage.records.alias import Alias
from gitlineage.records.deployment import Deployment, Retirement
from gitlineage.records.end import End
from gitlineage.records.launch import Launch
from gitlineage.records.redaction import Redaction

BYTES = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
"""What stands in text for bytes that are not UTF-8."""


def _has_one_spelling(text: str) -> bool:
    # `\udcc3\udca9` are two bytes that are UTF-8 together: no path or argument comes like that.
    return text == text.encode(errors="surrogateescape").decode(errors="surrogateescape")


texts = st.text(max_size=20)
odd_texts = st.text(st.characters(codec="utf-8") | BYTES, max_size=20).filter(_has_one_spelling)
"""As paths and arguments are: mostly UTF-8."""

integers = st.integers() | st.sampled_from(
    [
        *(edge + step for edge in (0, 128, 256, 1 << 16, 1 << 32, 1 << 63) for step in (-1, 0)),
        *(-edge + step for edge in (32, 128, 1 << 15, 1 << 31, 1 << 63) for step in (-1, 0)),
        *((1 << 64) - 1, 1 << 64, 10**300, -(10**300)),
    ]
)
counts = st.integers(-(1 << 63), (1 << 63) - 1)
floats = st.floats() | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan])
keys = texts | st.sampled_from(["$", "$int", "$float", "$$int", "$$"])
scalars = st.none() | st.booleans() | integers | floats


def _nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


values = _nested(scalars | odd_texts)
"""What JSON can hold, and numbers that it cannot."""

plain = _nested(scalars | texts | st.binary(max_size=20))
"""All that can be packed, and comes back as what it was."""

mappings = st.dictionaries(keys, values, max_size=4)

LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "str": odd_texts,
    "int": counts,
    "bytes": st.binary(max_size=32),
    "bool": st.booleans(),
    "Mapping[str, Any]": mappings,
    "Mapping[str, str]": st.dictionaries(texts, odd_texts, max_size=3),
    "Mapping[str, bytes]": st.dictionaries(texts, st.binary(max_size=32), max_size=3),
    "tuple[str, ...]": st.lists(odd_texts, max_size=4).map(tuple),
}


def record(kind: type[Record]) -> st.SearchStrategy[Any]:
    """Return a strategy for a class of records, made from its annotations.

    A field of a new shape fails here until it has a strategy of its own.
    """
    fields, room = {}, sys.modules[kind.__module__]
    for name in kind._fields:
        shape = kind.__annotations__[name]
        held = shape.removesuffix(" | None")
        if name == "format":
            made: st.SearchStrategy[Any] = st.just(FORMAT)
        elif name == "extra":
            made = extras(kind)
        elif held in LEAVES:
            made = LEAVES[held]
        elif held.startswith("tuple["):
            member = record(getattr(room, held[6:].removesuffix(", ...]")))
            made = st.lists(member, max_size=2).map(tuple)
        else:
            made = record(getattr(room, held))
        fields[name] = st.none() | made if shape != held else made
    return st.fixed_dictionaries(fields).map(lambda chosen: kind(**chosen))


def extras(kind: type[Record]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for fields of a later version: not those of today."""
    names = texts.filter(lambda name: name not in kind._fields)
    return st.dictionaries(names, plain, max_size=2)


STORED = (Launch, End, Deployment, Retirement, Alias, Redaction)
"""The kinds that have bytes of their own."""

launches = record(Launch)
ends = record(End)
deployments = record(Deployment)
stored = launches | ends | deployments
