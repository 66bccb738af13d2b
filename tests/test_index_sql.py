"""Queries of others: they see the views, and can do nothing but read for a while."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Lineage

import gitlineage
from gitlineage.errors import InvalidQuery, QueryTooLong
from gitlineage.index.views import VIEWS

INDEX = Path(".git/lineage/index.sqlite")


def test_views_have_what_they_say(repo: Path, lineage: Lineage) -> None:
    Path("in.txt").write_text("x")
    words = ("-p", "rate=0.5", "-t", "a", "-i", "in.txt", "-o", "out", "--step", "copy")
    lineage("run", "-q", *words, "--", "sh", "-c", "cp in.txt out; echo '{\"loss\": 2}'")
    with gitlineage.open() as here:
        here.deploy("site", ["out"], version="1")
        found = here.execution()
        rows = {}
        for name, (_, columns, _) in VIEWS.items():
            answer = here.sql(f"SELECT * FROM {name}")
            assert answer.columns == tuple(column for column, _, _ in columns)
            rows[name] = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    (execution,) = rows["executions"]
    assert (execution["id"], execution["step"], execution["parent"]) == (found.id, "copy", None)
    assert execution["started_at"].startswith("20") and execution["started_at"].endswith("Z")
    assert rows["parameters"] == [{"execution": found.id, "name": "rate", "value": 0.5}]
    assert rows["metadata"] == [{"execution": found.id, "name": "loss", "value": 2}]
    assert [(each["direction"], each["path"]) for each in rows["artifacts"]] == [
        ("input", "in.txt"), ("output", "out"), ("deployed", "out"),
    ]  # fmt: skip
    assert rows["artifacts"][1]["digest"] == found.outputs[0].digest
    assert [(each["tag"], each["id"]) for each in rows["tags"]] == [("a", found.id)]
    assert [(each["name"], each["version"]) for each in rows["deployments"]] == [("site", "1")]


def test_of_what_was_said_of_a_file_the_last_counts(repo: Path, lineage: Lineage) -> None:
    Path("in.txt").write_text("x")
    lineage("run", "-q", "-i", "in.txt", "--", "true")
    for said in ("center=Paris", "center=Chicago", "side=12"):
        lineage("metadata", "set", "in.txt", said)
    lineage("metadata", "set", "@", "center=Rome")
    with gitlineage.open() as here:
        digest = here.execution().inputs[0].digest
        found = here.sql("SELECT digest, name, value FROM file_metadata ORDER BY name")
        assert list(found.rows) == [(digest, "center", "Chicago"), (digest, "side", 12)]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM record",
        "UPDATE record SET title = 'x'",
        "INSERT INTO tagged VALUES ('a', 'b', 1)",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "DROP VIEW executions",
        "ATTACH 'other.db' AS other",
        "DETACH main",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 0",
        "SELECT load_extension('x')",
        "SELECT writefile('x', 'y')",
        "BEGIN",
        "VACUUM INTO 'copy.db'",
        "EXPLAIN DELETE FROM record",
        "SELECT 1; DELETE FROM record",
        "SELECT * FROM nowhere",
        "SELECT ?",
        "SELEC 1",
        "",
        "-- nothing",
        "SELECT \x00",
        "SELECT randomblob(1000000000)",
    ],
)
def test_a_query_can_only_read(repo: Path, lineage: Lineage, query: str) -> None:
    lineage("run", "-q", "--", "true")
    with gitlineage.open() as here:
        here.view()
        before = INDEX.read_bytes()
        with pytest.raises(InvalidQuery):
            list(here.sql(query).rows)
        assert INDEX.read_bytes() == before
        assert len(here.executions()) == 1
    assert not list(Path().glob("*.db"))


def test_a_view_can_only_be_read(repo: Path) -> None:
    with gitlineage.open() as here, pytest.raises(InvalidQuery) as raised:
        list(here.sql("DELETE FROM executions").rows)
    assert raised.value.facts["reason"] == "a query can only read"


def test_a_query_ends(repo: Path) -> None:
    forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with gitlineage.open() as here:
        with pytest.raises(QueryTooLong):
            list(here.sql(forever, 0.05).rows)
        rows = here.sql(forever.replace("max(x)", "x")).rows
        assert [next(rows), next(rows)] == [(1,), (2,)]
        rows.close()
        assert here.append_all([]) == []

        assert here.sql("SELECT count(*) FROM executions").rows.__next__() == (0,)


COUNTING = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "


def test_the_time_of_whoever_reads_is_not_that_of_the_query(repo: Path) -> None:
    with gitlineage.open() as here:
        rows = here.sql(COUNTING + "SELECT x FROM n", 0.2).rows
        for _ in range(3):
            next(rows)
            time.sleep(0.1)
        with pytest.raises(QueryTooLong):
            list(rows)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT hex(zeroblob(3000000))", "string or blob too big"),
        (f"SELECT group_concat(hex(zeroblob(50000))) FROM ({COUNTING} SELECT 1 FROM n LIMIT 50)",
         "string or blob too big"),
        ("SELECT 'x' LIKE replace(hex(zeroblob(1000)), '0', '%')",
         "LIKE or GLOB pattern too complex"),
    ],
)  # fmt: skip
def test_values_have_a_size(repo: Path, query: str, reason: str) -> None:
    with gitlineage.open() as here, pytest.raises(InvalidQuery) as raised:
        list(here.sql(query).rows)
    assert raised.value.facts["reason"] == reason


@pytest.mark.parametrize(
    "query",
    [
        COUNTING + "SELECT x, hex(randomblob(60000)) AS y FROM n ORDER BY y",
        COUNTING + "SELECT count(DISTINCT hex(randomblob(60000))) FROM n",
        f"SELECT json_group_array(y) FROM ({COUNTING} SELECT hex(randomblob(60000)) AS y FROM n)",
    ],
)  # fmt: skip
def test_memory_has_a_bound(repo: Path, query: str) -> None:
    """In a process of its own, since SQLite takes the limit not back; 64 MB instead of 1 GiB."""
    code = (
        "import sys, gitlineage\n"
        "from gitlineage.errors import LineageError\n"
        "try:\n"
        "    list(gitlineage.open().sql(sys.argv[1], 60.0, 64 << 20).rows)\n"
        "except LineageError as error:\n"
        "    print(type(error).__name__, error)\n"
        # Not ru_maxrss, which begins with that of whoever started us.
        "told = dict(each.split(':', 1) for each in open('/proc/self/status'))\n"
        "print(int(told['VmHWM'].split()[0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, query], capture_output=True, text=True, check=True
    )
    said, peak = done.stdout.splitlines()
    assert said in (
        "QueryTooLarge the query took more memory than it may",
        "InvalidQuery the query is not answered: string or blob too big",
    )
    assert int(peak) < 200_000


def test_one_function_that_takes_hours_ends_with_the_process(repo: Path, lineage: Lineage) -> None:
    query = "SELECT instr(hex(zeroblob(2000000)), hex(zeroblob(999999)) || '1')"
    code = (
        "import sys\nfrom gitlineage.cli import main, querying\n"
        "querying.GRACE = 0.5\nsys.exit(main(['sql', '--seconds', '0.1', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, query], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("error: the query took more than 0.1 s\n")


def test_a_table_goes_on_for_ever_without_being_held(repo: Path) -> None:
    process = subprocess.Popen(
        ["git", "lineage", "sql", COUNTING + "SELECT x FROM n"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(150_000):
        process.stdout.readline()
    process.stdout.close()
    process.wait(60)


def test_others_read_the_file(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--step", "a", "--", "true")
    lineage("log")
    other = sqlite3.connect(f"file:{INDEX.resolve()}?mode=ro", uri=True)
    assert other.execute("SELECT step, status FROM executions").fetchall() == [("a", "succeeded")]
    other.close()


def test_forms(repo: Path, lineage: Lineage) -> None:
    query = "SELECT 1 AS a, NULL AS b, 'x,\ny' AS c, x'ff41' AS d"
    assert lineage("sql", "--format", "csv", query).stdout == 'a,b,c,d\n1,,"x,\ny",\\xffA\n'
    said = json.loads(lineage("sql", "--json", query).stdout)
    assert said == {"a": 1, "b": None, "c": "x,\ny", "d": "\\xffA"}
    done = lineage("sql", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: there is no query")
    assert lineage("sql", "--schema").stdout.startswith("executions: one row is an execution\n")
