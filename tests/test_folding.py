"""Folders that stand for their files: against the file system, looked at in another way."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from gitlineage.capture.folding import fold


def folded(top: Path, *names: str) -> tuple[list[str], list[str]]:
    return fold(names, lambda name: os.path.join(top, name))


def test_what_is_folded(tmp_path: Path) -> None:
    for name in ("a/b/1", "a/b/2", "a/c/3", "d/4", "d/5", "e/6", "7"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "f").mkdir()
    (tmp_path / "f/8").write_text("")
    (tmp_path / "f/link").symlink_to("8")
    assert folded(tmp_path, "a/b/1", "a/b/2", "a/c/3", "d/4", "e/6", "7", "f/8") == (
        ["a"], ["7", "d/4", "e/6", "f/8"],
    )  # fmt: skip
    assert folded(tmp_path, "a/b/1", "a/b/2", "f/8", "f/link") == (["a/b"], ["f/8", "f/link"])
    assert folded(tmp_path, "gone/1", "gone/2", "7") == ([], ["7", "gone/1", "gone/2"])
    (tmp_path / "d/empty").mkdir()
    assert folded(tmp_path, "d/4", "d/5") == ([], ["d/4", "d/5"])
    outside = [str(tmp_path / each) for each in ("a/b/1", "a/b/2")]
    assert folded(tmp_path / "d", *outside) == ([str(tmp_path / "a/b")], [])
    assert folded(tmp_path) == ([], [])


PATHS = some.sets(
    some.lists(some.sampled_from("abc"), min_size=1, max_size=4).map(lambda e: "/".join(e) + "/x"),
    min_size=1,
    max_size=12,
)


@given(PATHS, some.data())
def test_nothing_is_lost_and_nothing_added(
    tmp_path_factory, paths: set[str], data: some.DataObject
) -> None:
    top = tmp_path_factory.mktemp("top")
    for name in paths:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("")
    names = data.draw(some.sets(some.sampled_from(sorted(paths))))
    folders, others = folded(top, *names)
    held = [
        str(each.relative_to(top))
        for folder in folders
        for each in (top / folder).rglob("*")
        if each.is_file()
    ]
    assert sorted([*held, *others]) == sorted(names)
