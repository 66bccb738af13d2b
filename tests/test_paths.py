"""Ways from one to another: all of them, the shortest, and never one that data did not go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_trace import Ledger, ledger, of

from gitlineage import drawing
from gitlineage.trace import Start, Trace
from gitlineage.trace.alike import fold
from gitlineage.trace.others import with_others
from gitlineage.trace.paths import between

__all__ = ["ledger"]


def start(ledger: Ledger, name: str) -> Start:
    """Return where a way begins or ends: an execution's name, or `path=content`."""
    if "=" in name:
        path, _, text = name.partition("=")
        return Start(kind="artifact", id=of(text), path=path or None)
    id = ledger.ids[name]
    row = ledger.fed().row(id)
    return Start(kind=row.kind if row else "execution", id=id)


def found(ledger: Ledger, first: str, second: str, **more: Any) -> Trace:
    starts, ends = [start(ledger, first)], [start(ledger, second)]
    return between(starts, ends, ledger.fed(), target=second, **more)


def ways(ledger: Ledger, first: str, second: str, **more: Any) -> str:
    """Return the edges between two as `a>b`, sorted."""
    made = found(ledger, first, second, **more)
    labels = {each.id: each.label for each in made.nodes}
    return " ".join(sorted(f"{labels[each.source]}>{labels[each.target]}" for each in made.edges))


@pytest.fixture
def diamond(ledger: Ledger) -> Ledger:
    """Return raw > prepare > a, b; a > left, b > right, both > join > z; b > z by skip, too."""
    ledger.run("prepare", 0, 1, uses="raw", makes="a b")
    ledger.run("left", 2, 3, uses="a other", makes="l")
    ledger.run("right", 2.5, 3, uses="b", makes="r")
    ledger.run("join", 4, 5, uses="l r", makes="z log")
    ledger.run("beside", 6, 7, uses="a", makes="y")
    ledger.run("after", 8, 9, uses="z", makes="w")
    return ledger


def test_all_ways_and_nothing_beside_them(diamond: Ledger) -> None:
    assert ways(diamond, "raw=raw", "z=z") == (
        "a>left b>right join>z l>join left>l prepare>a prepare>b r>join raw>prepare right>r"
    )
    assert ways(diamond, "a=a", "z=z") == "a>left join>z l>join left>l"
    assert ways(diamond, "prepare", "join") == (
        "a>left b>right l>join left>l prepare>a prepare>b r>join right>r"
    )


def test_the_other_way_round_nothing_leads(diamond: Ledger) -> None:
    assert ways(diamond, "z=z", "raw=raw") == ""
    assert ways(diamond, "y=y", "z=z") == ""
    assert ways(diamond, "left", "right") == ""


def test_both_ends_are_what_was_asked_for_and_it_is_told_from_the_first(diamond: Ledger) -> None:
    made = found(diamond, "a=a", "z=z")
    assert [each.label for each in made.nodes if each.is_target] == ["a", "z"]
    assert made.roots == (of("a"),)


def test_the_shortest_is_one_of_the_ways_that_count_fewest(diamond: Ledger) -> None:
    shortest = ways(diamond, "raw=raw", "z=z", is_shortest=True)
    assert shortest in (
        "a>left join>z l>join left>l prepare>a raw>prepare",
        "b>right join>z prepare>b r>join raw>prepare right>r",
    )
    assert ways(diamond, "raw=raw", "z=z", is_shortest=True) == shortest


def test_a_shorter_way_goes_before_one_that_began_earlier(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, uses="raw", makes="a")
    ledger.run("two", 2, 3, uses="a", makes="b")
    ledger.run("three", 4, 5, uses="b raw", makes="c")
    assert ways(ledger, "raw=raw", "c=c", is_shortest=True) == "raw>three three>c"
    assert ways(ledger, "raw=raw", "c=c", depth=1) == "raw>three three>c"
    assert found(ledger, "raw=raw", "c=c", depth=1).is_limited
    assert not found(ledger, "raw=raw", "c=c", depth=3).is_limited
    assert len(found(ledger, "raw=raw", "c=c", depth=2).edges) == 2
    assert len(found(ledger, "raw=raw", "c=c", depth=3).edges) == 7


def test_to_a_deployment(diamond: Ledger) -> None:
    diamond.deploy("model", 10, "z")
    assert ways(diamond, "r=r", "model") == "join>z r>join z>model"
    assert ways(diamond, "model", "r=r") == ""


def test_the_same_bytes_made_by_others_are_no_way(ledger: Ledger) -> None:
    ledger.run("first", 0, 1, uses="a", makes="out/m=same")
    ledger.run("reader", 2, 3, uses="out/m=same", makes="r")
    ledger.run("second", 2, 3, uses="b", makes="new/m=same")
    ledger.run("writer", 4, 5, uses="new/m=same r", makes="w")
    assert ways(ledger, "b=b", "r=r") == ""
    assert ways(ledger, "b=b", "w=w") == "b>second new/m>writer second>new/m writer>w"
    assert (
        ways(ledger, "a=a", "w=w") == "a>first first>new/m new/m>reader r>writer reader>r writer>w"
    )


def test_where_one_path_is_meant_the_same_bytes_elsewhere_lead_nowhere(ledger: Ledger) -> None:
    ledger.run("user", 0, 1, uses="here=x", makes="h")
    ledger.run("other", 0, 1, uses="there=x", makes="t")
    ledger.run("both", 2, 3, uses="h t", makes="z")
    assert ways(ledger, "here=x", "z=z") == "both>z h>both here>user user>h"
    assert ways(ledger, "=x", "z=z").count(">both") == 2


def test_over_a_copy_of_where_it_begins(ledger: Ledger) -> None:
    ledger.run("copy", 0, 1, uses="raw=x", makes="a=x")
    ledger.run("other", 0, 1, uses="raw=x", makes="o")
    ledger.run("train", 2, 3, uses="a=x", makes="m")
    assert ways(ledger, "raw=x", "m=m") == "copy>raw raw>copy raw>train train>m"
    assert ways(ledger, "raw=x", "o=o") == "other>o raw>other"
    assert ways(ledger, "a=x", "m=m") == "a>train train>m"


def test_through_a_directory(ledger: Ledger) -> None:
    ledger.run("part", 0, 1, uses="raw", makes="d/p=1")
    ledger.run("whole", 2, 3, uses="d={p=1,q=2}", makes="z")
    assert ways(ledger, "raw=raw", "z=z") == "d>whole part>d raw>part whole>z"
    assert ways(ledger, "d/q=2", "z=z") == "d/q>whole whole>z"


def test_who_else_made_the_bytes(ledger: Ledger) -> None:
    ledger.run("first", 0, 1, uses="a", makes="m=same")
    ledger.run("second", 2, 3, uses="b", makes="m=same")
    ledger.run("third", 2.5, 3, makes="elsewhere=same")
    ledger.run("reader", 4, 5, uses="m=same", makes="r")
    plain = ledger.trace("r=r")
    made = with_others(plain, ledger.fed())
    others = [each for each in made.edges if each.is_other]
    names = {each.id: each.label for each in made.nodes}
    assert [(names[each.source], each.path) for each in others] == [
        ("first", "m"),
        ("third", "elsewhere"),
    ]
    assert len(made.nodes) == len(plain.nodes) + 2
    drawn = drawing.draw(made, "tree")
    assert drawn.count("made the same bytes") == 2
    assert "+2 others" not in drawn
    edges = json.loads(drawing.draw(made, "json"))["edges"]
    assert [each.get("is_other", False) for each in edges].count(True) == 2
    assert {each["others_count"] for each in edges if each["path"] == "m"} >= {2}
    assert with_others(made, ledger.fed()) == made


def test_others_of_a_sweep_are_one(ledger: Ledger) -> None:
    ledger.run("first", 0, 1, makes="m=same")
    for number in range(5):
        ledger.run("again" + "x" * number, 2, 3, makes="m=same")
    ledger.run("reader", 4, 5, uses="m=same", makes="r")
    made = with_others(ledger.trace("r=r"), ledger.fed())
    assert len([each for each in made.edges if each.is_other]) == 5
    alike = made.replace(
        nodes=tuple(
            each.replace(label="again", step="again") if each.label.startswith("again") else each
            for each in made.nodes
        )
    )
    joined = [each for each in fold(alike).edges if each.is_other]
    assert sorted(each.sources_count for each in joined) == [1, 4]  # one more is gone back to


STEPS = st.lists(
    st.tuples(
        st.frozensets(st.integers(0, 9), max_size=3), st.frozensets(st.integers(0, 9), max_size=2)
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 9), st.integers(0, 9))
def test_ways_are_those_of_the_graph(tmp_path_factory: Any, steps: Any, a: int, b: int) -> None:
    """Each content is made once here, so that the naive closure over the edges is right."""
    ledger = Ledger(tmp_path_factory.mktemp("ways"))
    made: set[int] = set()
    arrows: set[tuple[str, str]] = set()
    for number, (uses, makes) in enumerate(steps):
        makes = makes - made - uses
        made |= makes
        used = {
            each for each in uses if each in made or each not in {m for _, s in steps for m in s}
        }
        ledger.run(
            f"e{number}",
            number,
            number + 0.5,
            uses=" ".join(f"f{each}" for each in sorted(used)),
            makes=" ".join(f"f{each}" for each in sorted(makes)),
        )
        arrows |= {(f"f{each}", f"e{number}") for each in used}
        arrows |= {(f"e{number}", f"f{each}") for each in makes}
    if a == b:
        return

    def reached(begin: str, arrows: set[tuple[str, str]]) -> set[str]:
        seen, waiting = {begin}, [begin]
        while waiting:
            at = waiting.pop()
            new = {end for source, end in arrows if source == at} - seen
            seen |= new
            waiting += new
        return seen

    forth = reached(f"f{a}", arrows)
    back = reached(f"f{b}", {(end, source) for source, end in arrows})
    expected = {
        f"{source}>{end}"
        for source, end in arrows
        if source in forth and end in back and source != f"f{b}" and end != f"f{a}"
    }
    shown = ways(ledger, f"f{a}=f{a}", f"f{b}=f{b}").split()
    assert set(shown) == expected
    assert len(shown) == len(expected)
    shortest = ways(ledger, f"f{a}=f{a}", f"f{b}=f{b}", is_shortest=True).split()
    assert set(shortest) <= expected
    assert bool(shortest) == bool(expected)
