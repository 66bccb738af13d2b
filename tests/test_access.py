"""What is kept beside git's own files is for those whom git's own are for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlineage import access


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("above", [0o755, 0o2775, 0o3777, 0o700, 0o2770])
def test_folders_are_as_the_one_above(above: int, tmp_path: Path) -> None:
    tmp_path.chmod(above)
    for _ in range(2):
        access.make_folder(str(tmp_path / "lineage/running"))
    expected = above if above & 0o022 else 0o755
    assert mode(tmp_path / "lineage") == mode(tmp_path / "lineage/running") == expected


@pytest.mark.parametrize(
    ("above", "expected"), [(0o755, 0o600), (0o775, 0o664), (0o770, 0o660), (0o777, 0o666)]
)
def test_files_are_for_those_who_may_write_to_the_folder(
    above: int, expected: int, tmp_path: Path
) -> None:
    tmp_path.chmod(above)
    file = tmp_path / "file"
    file.touch(0o600)
    access.share(str(file))
    assert mode(file) == expected
    access.share(str(tmp_path / "none"))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        access.make_folder(str(tmp_path / "file/folder"))
