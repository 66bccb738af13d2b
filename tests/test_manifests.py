"""Manifests as bytes and back, and directories that are put together from them."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import digest, encoding, manifests
from gitlineage.errors import InvalidRecord
from gitlineage.manifests import Entry

NAMES = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1),
    st.binary(min_size=1, max_size=8).map(os.fsdecode),
).filter(lambda name: name not in (".", "..") and not {"/", "\0"} & set(name))

ENTRIES = st.dictionaries(
    NAMES,
    st.tuples(
        st.sampled_from(["file", "link", "directory"]),
        st.integers(0, 1 << 60),
        st.binary(min_size=32, max_size=32),
        st.booleans(),
    ),
).map(
    lambda found: [
        Entry(name, kind, size, content, is_executable=flag)
        for name, (kind, size, content, flag) in sorted(
            found.items(), key=lambda each: os.fsencode(each[0])
        )
    ]
)


@given(ENTRIES)
def test_a_manifest_is_canonical_and_comes_back(entries: list[Entry]) -> None:
    content = manifests.pack(entries)
    assert manifests.unpack(content) == entries
    assert content == encoding.pack(
        [
            {"name": each.name, "type": each.type, "size": each.size, "digest": each.digest}
            | ({"executable": True} if each.is_executable else {})
            for each in entries
        ]
    )


@given(ENTRIES, ENTRIES)
def test_manifests_are_equal_if_and_only_if_their_entries_are(
    one: list[Entry], other: list[Entry]
) -> None:
    assert (manifests.pack(one) == manifests.pack(other)) == (one == other)


GOOD = {"name": "a", "type": "file", "size": 1, "digest": bytes(32)}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        [1],
        [{}],
        [GOOD | {"name": "a/b"}],
        [GOOD | {"name": ".."}],
        [GOOD | {"name": ""}],
        [GOOD | {"name": "a\0"}],
        [GOOD | {"name": 1}],
        [GOOD | {"type": None}],
        [GOOD | {"size": "1"}],
        [GOOD | {"digest": bytes(31)}],
    ],
)
def test_what_is_no_manifest_is_refused(odd: Any) -> None:
    content = encoding.pack(odd)
    with pytest.raises(InvalidRecord):
        manifests.unpack(content)
    wanted = digest.of_bytes(content)
    assert manifests.read(wanted, {wanted: content}.get) is None


def test_a_directory_is_walked_folders_first() -> None:
    inner = manifests.pack([Entry("c", "file", 1, bytes(32))])
    sub = Entry("b", "directory", 1, digest.of_bytes(inner))
    lost = Entry("d", "directory", 1, b"x" * 32)
    outer = manifests.pack([Entry("a", "link", 1, bytes(32)), sub, lost])
    held = {digest.of_bytes(each): each for each in (inner, outer)}
    found = [path for path, _ in manifests.walk(digest.of_bytes(outer), held.get)]
    assert found == ["a", "b", "b/c", "d"]
    assert list(manifests.walk(b"y" * 32, held.get)) == []


def test_a_manifest_under_another_name_is_not_believed() -> None:
    content = manifests.pack([Entry("a", "directory", 0, b"x" * 32)])
    assert manifests.read(b"x" * 32, {b"x" * 32: content}.get) is None
    assert list(manifests.walk(b"x" * 32, {b"x" * 32: content}.get)) == []
