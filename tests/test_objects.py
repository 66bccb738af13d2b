"""What `git cat-file` answers, wherever it is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Git
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import objects
from gitlineage.repository import Repository


@pytest.fixture
def plain(repo: Path) -> Repository:
    return Repository.discover(str(repo))


def test_what_is_too_large_is_passed_over_and_not_kept(
    plain: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LARGEST_OBJECT", 100_000)
    sizes = [100_001, 5, 1_000_000, 100_000, 200_000, 200_000, 1]
    blobs = []
    for size in sizes:
        Path("file").write_bytes(b"\n" * size)
        blobs.append(git("hash-object", "-w", "file"))
    expected = [None if size > 100_000 else b"\n" * size for size in sizes]
    assert list(plain.stream_contents(blobs)) == expected
    assert plain.contents(blobs) == expected


@settings(max_examples=60)
@given(
    st.lists(st.none() | st.binary(max_size=30), max_size=6),
    st.lists(st.integers(1, 40), max_size=10),
)
def test_answers_are_understood_wherever_they_are_cut(
    contents: list[bytes | None], cuts: list[int]
) -> None:
    whole = b"".join(
        b"HEAD:none missing\n" if each is None else b"%040d blob %d\n%b\n" % (1, len(each), each)
        for each in contents
    )
    chunks, at = [], 0
    for cut in [*cuts, len(whole)]:
        chunks.append(whole[at : at + cut])
        at += cut
    largest, objects.LARGEST_OBJECT = objects.LARGEST_OBJECT, 20
    try:
        found = list(objects.answers(filter(None, chunks)))
    finally:
        objects.LARGEST_OBJECT = largest
    assert [each and each[1] for each in found] == [
        None if each is None or len(each) > 20 else each for each in contents
    ]


def test_many_files_of_one_tree_are_asked_for_by_their_ids() -> None:
    tree, other = "a" * 40, "b" * 40
    held = {f"d/{n}": ("100644", f"{n:040x}") for n in range(objects.MANY)}
    asked: list[str] = []

    def entries(name: str) -> dict[str, tuple[str, str]]:
        asked.append(name)
        return held

    names = [f"{tree}:{path}" for path in held]
    few = [f"{other}:d/1", tree, f"{tree}:d", f"{tree}:nothing"]
    ids = [id for _, id in held.values()]
    assert objects.by_id([*few, *names], entries) == [*few, *ids]
    assert asked == [tree]  # once, and not the one of which little is asked
    refs = [f"refs/notes/x:{path}" for path in held]
    for each in (names[1:], refs, []):
        assert objects.by_id(each, entries) == each
    assert asked == [tree]


def test_files_of_a_folder_from_its_object(plain: Repository, repo: Path, git: Git) -> None:
    (repo / "d").mkdir()
    (repo / "d/inside").write_text("1")
    (repo / "ü").write_text("2")
    git("add", ".")
    git("commit", "-q", "-m", "More")
    (tree,) = plain.contents([f"{git('rev-parse', 'HEAD')}^{{tree}}"])
    assert tree is not None
    names = ("README.md", "code.py", "ü")
    expected = {name: git("rev-parse", f"HEAD:{name}") for name in names}
    assert objects.files_in(tree, 20) == expected
    for end in range(len(tree)):  # whatever is left of it
        assert objects.files_in(tree[:end], 20).items() <= expected.items()
    assert objects.files_in(b"", 20) == {}
