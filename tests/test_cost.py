"""What executions cost: recorded, shown, and summed over a log and over what a file was made of."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Git, Lineage
from executions import last

import gitlineage

SH = ("sh", "-c")


def test_a_price_that_is_given(repo: Path, lineage: Lineage) -> None:
    lineage("run", "-q", "--price", "3600 USD", "--", "true")
    cost, end = last().end.cost, last().end
    assert (cost.currency, cost.an_hour, cost.source) == ("USD", "3600", "--price")
    assert cost.amount == f"{end.duration / 1e6:.6f}"  # a dollar a second
    shown = lineage("show").stdout
    assert "(3600 an hour: --price)" in shown
    assert json.loads(lineage("show", "--json").stdout)["cost"]["amount"] == cost.amount


def test_a_price_that_is_none_runs_nothing(repo: Path, lineage: Lineage) -> None:
    done = lineage("run", "--price", "cheap", "--", "touch", "made", check=False)
    assert (done.returncode, done.stderr) == (
        125,
        "error: --price: 'cheap' is not a price an hour such as '2.40 USD'\n",
    )
    assert not Path("made").exists()


def test_a_configured_price_that_is_none_is_a_warning(
    repo: Path, lineage: Lineage, git: Git
) -> None:
    git("config", "lineage.price", "cheap")
    done = lineage("run", "--", "true")
    assert "warning: its cost is not known: lineage.price: 'cheap' is not a price" in done.stderr
    assert last().end.cost is None


def test_sums(repo: Path, lineage: Lineage, git: Git) -> None:
    git("config", "lineage.step a.price", "3600 EUR")
    git("config", "lineage.step b.price", "7200 EUR")
    lineage("run", "-q", "--step", "a", "--", *SH, "echo a > one")
    lineage("run", "-q", "--step", "b", "-i", "one", "--", *SH, "cat one one > two")
    lineage("run", "-q", "--step", "free", "-i", "one", "-i", "two", "--", *SH, "cat * > three")
    git("config", "lineage.price", "3600 CHF")
    lineage("run", "-q", "--step", "other", "--", "true")
    with gitlineage.open() as here:
        by_step = {each.launch.step: each for each in here.executions()}
        made = here.cost([by_step[step].id for step in ("a", "b", "free")])
        assert (made.executions_count, made.unpriced_count) == (3, 1)
        ((amount, currency),) = made.amounts
        assert currency == "EUR"
        durations = by_step["a"].end.duration + 2 * by_step["b"].end.duration
        assert abs(float(amount) - durations / 1e6) < 1e-5
    tree = lineage("trace", "three", "--cost", "--format", "tree").stdout
    assert tree.splitlines()[-1] == (
        f"cost: {amount.rstrip('0')} EUR for 3 executions, 1 without a price"
    )
    # What uses a file, or how much of its past is drawn, makes it no dearer.
    for words in (("--down",), ("--depth", "1"), ()):
        said = lineage("trace", "one", "--cost", "--json", *words).stderr
        assert said.startswith("cost: ")
        assert said.endswith(" EUR for 1 execution\n")
    total = lineage("log", "--cost", "--oneline").stdout.splitlines()[-1]
    assert total.startswith("cost: ")
    assert total.endswith(" EUR for 4 executions, 1 without a price")
    assert " CHF + " in total


def test_what_runs_inside_of_another_is_paid_once(repo: Path, lineage: Lineage, git: Git) -> None:
    git("config", "lineage.price", "3600 EUR")
    lineage("run", "-q", "--step", "outer", "--", "git-lineage", "run", "-q", "--", "true")
    with gitlineage.open() as here:
        inner, outer = here.executions()
        total = here.cost([inner.id, outer.id])
        assert inner.launch.parent == outer.id
        assert inner.end.cost is not None
        assert total.executions_count == 1
        assert total.amounts == ((outer.end.cost.amount, "EUR"),)
        assert here.cost([inner.id]).amounts == ((inner.end.cost.amount, "EUR"),)
        assert here.cost([]).amounts == ()
