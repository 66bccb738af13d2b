"""Deltas: whatever objects are, git reads from a pack what was put in."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from conftest import Git
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.bulk.deltas import LARGEST, MOST_SHAPES, TRIES, Deltas
from gitlineage.packing import Pack


def read(git: Git, pack: Pack) -> dict[str, tuple[bytes, bool]]:
    """Return the objects of a pack as git reads them, and whether each is a delta there."""
    kept = Path(pack.write(str(Path(".git/objects/pack").resolve())))
    told = git("verify-pack", "-v", str(kept.with_suffix(".idx"))).splitlines()
    lines = [each.split() for each in told]
    return {
        each[0]: (git("cat-file", "blob", each[0]).encode("latin-1"), len(each) > 5)
        for each in lines
        if each[1:2] == ["blob"]
    }


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_git_reads_what_was_put_in(algorithm: str, git: Git, isolated: Path) -> None:
    git("init", "-q", f"--object-format={algorithm}")
    chance, deltas, pack = random.Random(1), Deltas("blob", algorithm), Pack(algorithm)
    letters = b"%0123456789abcdefghijklmnopqrstuvwxyz"
    put: dict[str, bytes] = {}

    def take(content: bytes) -> None:
        made = deltas.packed(content)
        pack.take([made])
        put[made[0].hex()] = content

    for size in (1, 8, 37, 256, 1000, 37 << 7, LARGEST, LARGEST + 1):
        base = bytes(chance.choices(letters, k=size))
        take(base)
        for _ in range(12):
            # Digests here and there, longer than one instruction holds; the rest is the same.
            content = bytearray(base)
            for start in (0, size // 3, size - 40) if size > 100 else (0,):
                some = chance.choices(letters, k=min(size - start, size // 8 or 1))
                content[start : start + len(some)] = some
            take(bytes(content))
        take(base)
    found = read(git, pack)
    assert {name: content for name, (content, _) in found.items()} == put
    assert sum(is_delta for _, is_delta in found.values()) > 60
    assert git("fsck", "--strict", "--no-dangling") == ""


def test_what_is_made_again_is_no_delta_on_itself(git: Git, isolated: Path) -> None:
    git("init", "-q")
    deltas, pack = Deltas("blob", "sha1"), Pack("sha1")
    contents = [b"%d %s" % (number, b"the same for all of them " * 8) for number in range(4)]
    # As chunks of one batch: in each another one is whole, and the others are deltas on it.
    for order in ([0, 1, 2, 3], [3, 2], [1, 3, 0], [2, 0], [0, 0, 2, 1]):
        deltas.begin()
        pack.take([deltas.packed(contents[each]) for each in order])
    found = read(git, pack)
    assert sorted(content for content, _ in found.values()) == sorted(contents)
    assert any(is_delta for _, is_delta in found.values())


def test_what_is_too_different_is_whole() -> None:
    deltas, chance = Deltas("blob", "sha1"), random.Random(2)
    alike = [b"a long beginning, the same in both, and then %d" % each for each in range(2)]
    whole = len(deltas.packed(alike[0])[1])
    for _ in range(TRIES + 1):
        content = chance.randbytes(len(alike[0]))
        assert len(deltas.packed(content)[1]) > len(content)
    # Enough were looked at: no more places are added, and what would need some is whole.
    assert len(deltas.packed(alike[1])[1]) == whole


def test_sizes_without_end_take_no_memory_without_end() -> None:
    deltas = Deltas("blob", "sha1")
    for size in range(100, 100 + 3 * MOST_SHAPES):
        for letter in (b"a", b"b"):
            deltas.packed(letter + b"x" * size)
        deltas.begin()
    assert 0 < len(deltas._shapes) <= MOST_SHAPES + 1


@given(st.lists(st.binary(min_size=24, max_size=24).map(lambda some: some + b"x" * 200)))
def test_a_delta_is_small_and_means_the_object(contents: list[bytes]) -> None:
    deltas = Deltas("blob", "sha1")
    for content in contents:
        name, entry = deltas.packed(content)
        assert name == Deltas("blob", "sha1").packed(content)[0]
        assert len(entry) < 100
