"""Which files an input has, and where a step finds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlineage.staging import Stage
from gitlineage.steps import Plan
from gitlineage.steps.inputs import collect

FILES = ("a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv", "sub/.hidden.csv", "odd[1]/e*.csv")


@pytest.fixture
def files(isolated: Path) -> Path:
    folder = isolated / "some [x]"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(("sources", "keep", "name", "placed"), [
    (["a.csv"], "none", None, {"a.csv": "a.csv"}),
    (["sub/c.csv"], "none", None, {"c.csv": "sub/c.csv"}),
    (["sub/c.csv"], "suffix", None, {"c.csv": "sub/c.csv"}),
    (["sub/c.csv"], "full", None, {"sub/c.csv": "sub/c.csv"}),
    (["sub/c.csv"], "none", "x.csv", {"x.csv": "sub/c.csv"}),
    (["sub/c.csv"], "none", "../../x.csv", {"x.csv": "sub/c.csv"}),
    (["*.csv"], "none", None, {"a.csv": "a.csv"}),
    (["**/*.csv"], "none", None, {"a.csv": "a.csv", "c.csv": "sub/c.csv",
                                  "d.csv": "sub/deep/d.csv", "e*.csv": "odd[1]/e*.csv"}),
    (["sub/**.csv"], "suffix", None, {"c.csv": "sub/c.csv", "deep/d.csv": "sub/deep/d.csv"}),
    (["sub/**.csv"], "full", None, {"sub/c.csv": "sub/c.csv", "sub/deep/d.csv": "sub/deep/d.csv"}),
    (["sub"], "none", None, {"c.csv": "sub/c.csv", "deep/d.csv": "sub/deep/d.csv",
                             ".hidden.csv": "sub/.hidden.csv"}),
    (["a.csv", "b.txt"], "none", "x", {"a.csv": "a.csv", "b.txt": "b.txt"}),
    (["a.csv", "./a.csv"], "none", None, {"a.csv": "a.csv"}),
    (["odd[1]/e*.csv"], "none", None, {"e*.csv": "odd[1]/e*.csv"}),
    (["file://@/a.csv"], "none", None, {"a.csv": "a.csv"}),
    ([], "none", None, {}),
])  # fmt: skip
def test_files_of_an_input(
    files: Path, sources: list[str], keep: str, name: str | None, placed: dict[str, str]
) -> None:
    given = [each.replace("@", str(files).replace(" ", "%20")) for each in sources]
    found = collect("data", given, str(files), keep=keep, name=name)
    assert dict(found.files) == {place: str(files / path) for place, path in placed.items()}


def test_what_has_no_content_is_left_out(files: Path) -> None:
    (files / "sub/link").symlink_to("nowhere")
    os.mkfifo(files / "sub/pipe")
    found = collect("data", ["sub/deep", "sub"], str(files), keep="none", name=None)
    assert [name for name, _ in found.files if "link" in name or "pipe" in name] == []


@pytest.mark.parametrize("source", ["none", "*.none"])
def test_what_is_no_file(files: Path, source: str) -> None:
    with pytest.raises(ValueError, match="no such file or directory"):
        collect("data", [source], str(files), keep="none", name=None)


@pytest.mark.parametrize("source", ["s3://a/b", "datum://x", "https://a.b/c"])
def test_what_is_elsewhere_is_named_where_nothing_is_fetched(files: Path, source: str) -> None:
    found = collect("data", [source], str(files), keep="none", name=None)
    assert (found.sources, found.files) == ((source,), ())


@given(step=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_step_has_a_folder_of_its_own(
    step: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("top")
    plan = Plan(
        step=step, config=str(top / "work/valohai.yaml"), text=b"", template=(), interpolated=(),
        command=(), shells=(), parameters={}, inputs=(), variables={}, image=None,
    )  # fmt: skip
    stage = Stage.open(str(top / "git"), plan)
    assert Path(stage.outputs).parent.parent == top / "work/outputs"
    second = Stage.open(str(top / "git"), plan)
    assert (stage.number, second.number) == (1, 2)
    Path(second.outputs, "kept").touch()
    for each in (stage, second):
        each.close()
    assert [path.name for path in (top / "work").rglob("*") if path.is_file()] == ["kept"]
    assert list((top / "git/steps").iterdir()) == []
