"""Metadata: of files, from files, afterwards; shown, drawn and exported."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from conftest import Git, Lineage
from executions import last

from gitlineage import charts, metrics

PRINTS = """
import json
for n in range(1, 6):
    print(json.dumps({"epoch": n, "loss": 1 / n, "note": "x"}))
"""


@pytest.fixture
def trained(repo: Path, lineage: Lineage) -> Path:
    (repo / "train.py").write_text(PRINTS)
    for _ in range(2):
        lineage("run", "-q", "--", "python", "train.py")
    return repo


def test_metadata_is_added_to_an_execution(trained: Path, lineage: Lineage) -> None:
    id = last().id
    done = lineage("metadata", "set", "@", "loss=0.5", "who=Ada", "list=[1, null]")
    assert (done.stdout, done.stderr) == ("", f"metadata of {id[:8]}: loss, who, list\n")
    lineage("metadata", "set", "@", "who=Grace", "loss=NaN")
    found = last()
    assert found.end is not None and found.end.metadata["loss"] == 0.2  # nothing was changed
    assert {**found.metadata, "loss": None} == {
        "epoch": 5, "loss": None, "note": "x", "who": "Grace", "list": [1, None]
    }  # fmt: skip
    assert "loss=NaN" in lineage("log", "--oneline", "-n", "1").stdout
    assert "who = Grace" in lineage("show").stdout
    shown = json.loads(lineage("metadata", "show", "--json").stdout)
    assert shown == {"id": id, "metadata": {"epoch": 5, "loss": "NaN", "note": "x",
                                            "who": "Grace", "list": [1, None]}}  # fmt: skip
    os.unlink(trained / ".git/lineage/index.sqlite")
    assert last().metadata["who"] == "Grace"


def test_numbers_are_shown_in_full(repo: Path, lineage: Lineage) -> None:
    for loss in ("1.26607", "1.26609"):
        lineage("run", "-q", "-p", "rate=0.123456", "--", "echo", f'{{"loss": {loss}}}')
    shown = lineage("show").stdout
    assert "loss = 1.26609" in shown
    assert "rate = 0.123456" in shown
    assert lineage("metadata", "show").stdout.endswith("  loss = 1.26609\n")
    assert "1.26607 -> 1.26609 (+2e-05)" in lineage("diff").stdout
    assert "loss=1.266 " in lineage("log", "--oneline").stdout


def test_metadata_that_is_added_travels(
    clone_pair: tuple[Path, Path], lineage: Lineage, git: Git
) -> None:
    ours, theirs = clone_pair
    lineage("run", "-q", "--", "true", cwd=ours)
    lineage("metadata", "set", "@", "seen=true", cwd=ours)
    lineage("push", cwd=ours)
    lineage("fetch", cwd=theirs)
    assert lineage("metadata", "show", cwd=theirs).stdout.endswith("  seen = true\n")
    assert git("fsck", "--strict", cwd=theirs) == ""


@pytest.mark.parametrize(("words", "message", "status"), [
    (["set", "@", "loss"], "loss is not KEY=VALUE", 2),
    (["set", "loss=1"], "say what it is about, and then KEY=VALUE: such as `@ loss=1`", 2),
    (["set", "@"], "say what it is about, and then KEY=VALUE", 2),
    (["set", "@", "=1"], "=1 is not KEY=VALUE", 2),
    (["set", "@nothing", "a=1"], "no execution or tag is called @nothing", 3),
    (["set", "@", "a=" + "x" * 70_000], "this metadata is too large: 64 KiB at most", 1),
    (["set", "@", "a=" + "[" * 80 + "]" * 80], "this metadata cannot be stored", 1),
    (["set", "@", 'valohai.tags=[""]'], "not a tag name: ", 1),
    (["show", "--series", "nope"], "has no metadata called nope", 1),
    (["show", "nope"], "no execution knows nope", 3),
    (["plot", "-k", "note"], "there are no numbers under note", 1),
    (["plot", "-o", "x.gif"], "x.gif does not say which format: .svg, .png or .pdf", 2),
    (["plot", "-o", "x.svg"], "say which key to draw, with -k", 2),
    (["export", "-o", "no/such/x.csv"], "cannot write no/such/x.csv", 1),
])  # fmt: skip
def test_what_cannot_be_done_is_said(
    trained: Path, lineage: Lineage, words: list[str], message: str, status: int
) -> None:
    done = lineage("metadata", *words, check=False)
    assert done.returncode == status
    assert done.stderr.startswith("error: ") and message in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


def test_series_are_exported_whole(trained: Path, lineage: Lineage) -> None:
    rows = list(csv.DictReader(lineage("metadata", "export", "@", "@~1").stdout.splitlines()))
    assert len(rows) == 10
    assert {row["execution"] for row in rows} == {last().id, last("@~1").id}
    assert [float(row["loss"]) for row in rows[:5]] == [1 / n for n in range(1, 6)]
    lines = lineage("metadata", "export", "--json").stdout.splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    parquet = pytest.importorskip("pyarrow.parquet")
    lineage("metadata", "export", "-o", "x.parquet")
    table = parquet.read_table("x.parquet")
    assert table["loss"].to_pylist() == [1 / n for n in range(1, 6)]
    assert str(table.schema.field("_time").type) == "timestamp[us, tz=UTC]"


def test_values_of_all_kinds_are_exported(repo: Path, lineage: Lineage) -> None:
    Path("lines").write_text(
        '{"a": 1, "b": [1, "x"], "c": "\\ud800"}\n{"a": "text", "d": NaN, "b": null}\n'
        '{"big": 123456789012345678901, "mixed": 1}\n{"mixed": 0.5, "d": 1.5}\n'
    )
    lineage("run", "-q", "--", "cat", "lines")
    for form in ("csv", "json", "parquet"):
        lineage("metadata", "export", f"--{form}", "-o", f"x.{form}")
    rows = list(csv.DictReader(Path("x.csv").read_text().splitlines()))
    assert (rows[0]["b"], rows[1]["a"], rows[1]["d"]) == ('[1, "x"]', "text", "nan")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table("x.parquet")["a"].to_pylist() == ["1", '"text"', None, None]


def test_charts(trained: Path, lineage: Lineage) -> None:
    drawn = lineage("metadata", "plot", "-k", "loss", "-x", "epoch", "@", "@~1").stdout
    assert drawn.startswith("loss\n")
    assert drawn.endswith(f"oo train {last().id[:8]}\nxx train {last('@~1').id[:8]}\n")
    assert max(map(len, drawn.splitlines())) <= 80
    every = lineage("metadata", "plot", "--log").stdout
    assert "epoch, logarithmic\n" in every and "loss, logarithmic\n" in every
    narrow = lineage("metadata", "plot", "-k", "loss", env={"COLUMNS": "50"}).stdout
    assert 40 < max(map(len, narrow.splitlines())) <= 50
    pytest.importorskip("matplotlib")
    for form, start in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        lineage("metadata", "plot", "-k", "loss", "-o", f"x.{form}")
        assert Path(f"x.{form}").read_bytes().startswith(start)


@pytest.mark.parametrize(("values", "is_log", "numbers"), [
    ([1.81, 0.33], False, ["0", "0.5", "1", "1.5"]),
    ([1.43, 0.65], False, ["0.8", "1", "1.2", "1.4"]),
    ([0, 100], False, ["0", "20", "40", "60", "80", "100"]),
    ([7, 7], False, ["6.5", "7", "7.5"]),
    ([-3e-9, 4e-9], False, ["-2e-09", "0", "2e-09", "4e-09"]),
    ([1.43, 0.1015], True, ["0.2", "0.5", "1"]),
    ([1e-9, 1], True, ["1e-09", "1e-07", "1e-05", "0.001", "0.1"]),
    ([101, 109], True, ["102", "104", "106", "108"]),
])  # fmt: skip
def test_numbers_beside_a_chart_are_round(
    values: list[float], is_log: bool, numbers: list[str]
) -> None:
    line = charts.line("x", enumerate(values), is_log=is_log)
    chart = charts.Chart(lines=(line,), x_label="n", y_label="x", is_log=is_log)
    rows = charts.text(chart, 70, 16, is_colored=False).splitlines()[1:17]
    beside = [row.partition("|")[0].strip() for row in rows]
    assert [each for each in reversed(beside) if each] == numbers
    drawn = [row.partition("|")[2].strip("\u2800 ") for row in rows]
    assert drawn[0] or values[0] == values[1]  # all of its height is used


# -- of files ------------------------------------------------------------------------------------


def test_what_is_said_of_files_belongs_to_their_content(repo: Path, lineage: Lineage) -> None:
    Path("make.sh").write_text(
        "echo weights > model.bin; mkdir -p out/sub; echo 1 > out/sub/a.csv\n"
        'echo \'{"rows": 1, "valohai.tags": ["best", ""]}\' > model.bin.metadata.json\n'
        'echo \'{"file": "sub/a.csv", "metadata": {"kind": "table"}}\''
        " > out/valohai.metadata.jsonl\n"
    )
    assert lineage("run", "-q", "-o", "out", "--", "sh", "make.sh").stderr == ""
    end = last().end
    assert end is not None
    assert {each.path: each.values for each in end.file_metadata} == {
        "model.bin": {"rows": 1, "valohai.tags": ["best", ""]},
        "out/sub/a.csv": {"kind": "table"},
    }
    assert lineage("tag").stdout == "best  1\n"
    lineage("metadata", "set", "model.bin", "license=MIT")
    os.rename("model.bin", "renamed.bin")
    (shown,) = lineage("metadata", "show", "renamed.bin", "--json").stdout.splitlines()
    assert json.loads(shown)["metadata"] == {
        "rows": 1, "valohai.tags": ["best", ""], "license": "MIT"
    }  # fmt: skip


@pytest.mark.parametrize("content", [
    "not json", "[1]", '{"a": ' + "[" * 5000, '{"a": "' + "x" * 70_000 + '"}', "",
], ids=lambda content: content[:9])  # fmt: skip
def test_what_says_nothing_of_a_file_is_a_warning(
    repo: Path, lineage: Lineage, content: str
) -> None:
    Path("said").write_text(content)
    done = lineage("run", "-q", "--", "sh", "-c", "echo x > m; cp said m.metadata.json")
    assert done.stderr.startswith("warning: ") and "m" in done.stderr
    assert last().end is not None and last().end.file_metadata == ()  # type: ignore[union-attr]


def test_no_file_outside_of_the_folder_is_spoken_of(repo: Path, lineage: Lineage) -> None:
    Path("said").write_text('{"file": "../code.py", "metadata": {"a": 1}}\n')
    done = lineage("run", "-q", "--", "sh", "-c", "mkdir o; cp said o/valohai.metadata.jsonl")
    assert "it names a file outside of its folder" in done.stderr


# -- from files ----------------------------------------------------------------------------------


def test_metrics_files_are_points(repo: Path, lineage: Lineage) -> None:
    Path("t").write_text("epoch,loss,name\n1,0.5,a\n2,0.25,\n")
    Path("j").write_text('{"accuracy": {"top1": 0.9}, "f1": NaN}')
    done = lineage(
        "run", "-q", "--metrics", "t.csv", "--metrics", "j.json", "--metrics", "no.json", "--",
        "sh", "-c", "cp t t.csv; cp j j.json",
    )  # fmt: skip
    assert done.stderr == "warning: metrics no.json cannot be read: no such file or directory\n"
    found = last().metadata
    assert str(found.pop("f1")) == "nan"
    assert found == {"epoch": 2, "loss": 0.25, "name": "a", "accuracy": {"top1": 0.9}}
    again = lineage("run", "-q", "--metrics", "j.json", "--", "true")
    assert "it was there before and was not written" in again.stderr


def test_folders_of_dvclive(tmp_path: Path) -> None:
    plots = tmp_path / "plots/metrics/train"
    plots.mkdir(parents=True)
    (plots / "loss.tsv").write_text("timestamp\tstep\ttrain/loss\n1700000000000\t0\t0.5\n"
                                    "1700000001000\t1\t0.25\n")  # fmt: skip
    (plots / "acc.tsv").write_text("timestamp\tstep\ttrain/acc\n1700000000001\t0\t0.9\n")
    (tmp_path / "metrics.json").write_text('{"train": {"loss": 0.25}, "step": 1}')
    first, second, final = metrics.read(str(tmp_path), 0)
    assert first == (1_700_000_000_001_000, {"step": 0, "train/loss": 0.5, "train/acc": 0.9})
    assert second == (1_700_000_001_000_000, {"step": 1, "train/loss": 0.25})
    assert final[1] == {"train": {"loss": 0.25}, "step": 1}


@pytest.mark.parametrize(("name", "content"), [
    ("x.json", "{"), ("x.json", "[1]"), ("x.json", "[" * 100_000), ("x.json", "\xff"),
    ("x.csv", "a\n" + "x" * 200_000), ("x.yaml", "a: [1"), ("x.yaml", "- 1"), ("x", ""),
])  # fmt: skip
def test_metrics_that_are_none_are_an_error(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ValueError):
        list(metrics.read(str(path), 0))
