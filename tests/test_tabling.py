"""Lists as tables: CSV, JSON lines, Parquet; and the index in DuckDB and Datasette."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Lineage

from gitlineage.index.views import VIEWS

INDEX = ".git/lineage/index.sqlite"


@pytest.fixture
def runs(repo: Path, lineage: Lineage) -> Path:
    """Return a repository with three runs, whose parameters and metadata differ in type."""
    for rate, said in (("0.5", '{"loss": 1}'), ("high", '{"loss": 0.25, "on": true}')):
        lineage("run", "-q", "-p", f"rate={rate}", "-t", "sweep", "-t", "a,b", "--step", "train",
                "--", "sh", "-c", f"echo '{said}'; echo {rate} >model")  # fmt: skip
    lineage("run", "-q", "--title", 'say "x",\ny\x1b[31m', "--", "false", check=False)
    lineage("deploy", "shop", "model")
    return repo


def binary(*words: str) -> bytes:
    return subprocess.run(["git", "lineage", *words], capture_output=True, check=True).stdout


def test_log_as_csv(runs: Path, lineage: Lineage) -> None:
    told = binary("log", "--format", "csv").decode()
    rows = list(csv.DictReader(io.StringIO(told)))
    assert [row["step"] for row in rows] == ["false", "train", "train"]
    assert [row["title"] for row in rows] == ['say "x",\ny\x1b[31m', "", ""]
    assert [row["parameter.rate"] for row in rows] == ["", "high", "0.5"]
    assert [row["metadata.loss"] for row in rows] == ["", "0.25", "1"]
    assert [row["metadata.on"] for row in rows] == ["", "true", ""]
    assert rows[1]["tags"] == "a,b, sweep"
    assert (rows[0]["status"], rows[0]["exit_code"]) == ("failed", "1")
    assert rows[0]["started_at"].endswith("Z")
    assert float(rows[0]["duration_seconds"]) > 0
    assert lineage("log", "--format", "csv", "--tag", "none").stdout.count("\n") == 1


def test_log_as_json_is_that_of_json(runs: Path, lineage: Lineage) -> None:
    assert lineage("log", "--format", "json").stdout == lineage("log", "--json").stdout
    assert lineage("files", "--format", "json").stdout == lineage("files", "--json").stdout


def test_log_as_parquet(runs: Path, lineage: Lineage) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(binary("log", "--format", "parquet")))
    assert table["step"].to_pylist() == ["false", "train", "train"]
    assert table["parameter.rate"].to_pylist() == [None, '"high"', "0.5"]  # of two types: JSON
    assert table["metadata.loss"].to_pylist() == [None, 0.25, 1.0]
    assert table["metadata.on"].to_pylist() == [None, True, None]
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["started_at"] == "timestamp[us, tz=UTC]"
    assert (kinds["exit_code"], kinds["is_adhoc"]) == ("int64", "bool")
    assert table["started_at"].to_pylist()[0].tzinfo is not None
    empty = parquet.read_table(io.BytesIO(binary("log", "--tag", "none", "--format", "parquet")))
    assert empty.num_rows == 0


def test_files_as_tables(runs: Path, lineage: Lineage) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    (row,) = csv.DictReader(io.StringIO(lineage("files", "--deployed", "--format", "csv").stdout))
    assert (row["path"], row["step"], row["makers_count"]) == ("model", "train", "1")
    assert len(row["deployed_by"]) == 40
    (here,) = csv.DictReader(io.StringIO(lineage("files", "--here", "--format", "csv").stdout))
    assert here["state"] == "recorded"
    table = parquet.read_table(io.BytesIO(binary("files", "--format", "parquet")))
    assert table["size"].to_pylist() == [5, 4]


def test_sql_as_tables(runs: Path, lineage: Lineage) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    told = binary(
        "sql", "--format", "parquet", "SELECT 1 AS a, 'x' AS a, NULL AS b UNION SELECT 2, 'y', 3"
    )
    table = parquet.read_table(io.BytesIO(told))
    assert table.to_pydict() == {"a": [1, 2], "a_2": ["x", "y"], "b": [None, 3]}


@pytest.mark.parametrize("verb", [["log"], ["files"]])
def test_a_form_that_is_none(runs: Path, lineage: Lineage, verb: list[str]) -> None:
    done = lineage(*verb, "--format", "xml", check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: invalid value for '--format': 'xml' is not one of 'csv', 'json', 'parquet'\n"
        f"hint: git lineage {verb[0]} -h\n"
    )


def test_duckdb_reads_every_view(runs: Path, lineage: Lineage) -> None:
    duckdb = pytest.importorskip("duckdb")
    extensions = pytest.importorskip("duckdb_extensions")
    pytest.importorskip("duckdb_extension_sqlite_scanner")
    lineage("log")
    lineage("metadata", "set", "model", "kind=small")
    lineage("log")
    with duckdb.connect() as database:
        extensions.import_extension("sqlite_scanner", con=database)
        database.execute("LOAD sqlite_scanner")
        database.execute(f"ATTACH '{INDEX}' AS lineage (TYPE sqlite, READ_ONLY)")
        for name, (_, columns, _) in VIEWS.items():
            found = database.execute(f"SELECT * FROM lineage.{name}")
            assert [each[0] for each in found.description] == [each[0] for each in columns], name
            told = json.loads(lineage("sql", "--json", f"SELECT count(*) AS n FROM {name}").stdout)
            assert len(found.fetchall()) == told["n"] > 0, name
        with pytest.raises(duckdb.Error):
            database.execute("DELETE FROM lineage.tagged")


def test_datasette_serves_every_view(runs: Path, lineage: Lineage) -> None:
    pytest.importorskip("datasette")
    lineage("metadata", "set", "model", "kind=small")
    lineage("log")
    for name, (_, columns, _) in VIEWS.items():
        done = subprocess.run(
            [Path(sys.executable).with_name("datasette"), "serve", "--immutable", INDEX,
             "--get", f"/index/{name}.json?_shape=array&_size=1"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        (row,) = json.loads(done.stdout)
        assert list(row) == [each[0] for each in columns]
