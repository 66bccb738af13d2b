"""Traces with what is alike as one node: what may be one, what stays, and what is said of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_drawing import artifact, deployed, execution, made, used

from gitlineage import drawing
from gitlineage.trace import Edge, Node, Trace
from gitlineage.trace.alike import fold, name_of_all


def sweep(count: int, chosen: int = 3) -> Trace:
    """One input, a training for each rate, evaluations, the best model deployed; one has failed."""
    data, report = artifact("data.csv", "d1d1d1d1", 100), artifact("best.json", "e1e1e1e1", 9)
    choose = execution("choose", "cc000001")
    nodes, edges = [data], []
    for at in range(count):
        rate = (at + 1) / 100
        train = execution(
            "train", f"b{at:07d}", parameters={"lr": rate}, metadata={"loss": 1 - rate}
        )
        model = artifact(f"models/{rate}.pkl", f"a{at:07d}", 1000)
        evaluate = execution("evaluate", f"c{at:07d}", duration=1_000_000)
        score = artifact(f"scores/{rate}.json", f"f{at:07d}", 10)
        nodes += [train, model, evaluate, score]
        edges += [used(data, train), made(train, model), used(model, evaluate)]
        edges += [made(evaluate, score), used(score, choose)]
    failed = execution("train", "b9999999", status="failed", parameters={"lr": 9.0})
    api = Node(id="dd000001" * 5, kind="deployment", label="api", version="v1")
    models = [each for each in nodes if each.label.startswith("models/")]
    edges += [used(data, failed), made(choose, report), deployed(models[chosen], api)]
    return Trace(
        target=report.id,
        nodes=(*nodes, failed, choose, report.replace(is_target=True), api),
        edges=tuple(edges),
    )


def test_a_sweep_is_one_step_and_what_was_chosen_stays() -> None:
    assert drawing.draw(sweep(12), "tree", is_folded=True) == (
        "best.json  9 B  blake3:e1e1e1e1\n"
        "\n"
        "How it was made\n"
        "\u2514\u2500 choose cc000001  succeeded  12.3 s  2026-11-23 14:02\n"
        "   \u2514\u2500 scores/*.json x 12  120 B in all\n"
        "      \u2514\u2500 evaluate x 12  12.0 s in all\n"
        "         \u251c\u2500 models/*.pkl x 11  10.7 KiB in all  11 of 12\n"
        "         \u2502  \u2514\u2500 train x 11  lr 0.01 to 0.12  loss 0.88 to 0.99  "
        "2 m 15 s in all\n"
        "         \u2502     \u2514\u2500 data.csv  100 B  blake3:d1d1d1d1\n"
        "         \u2514\u2500 models/0.04.pkl  1000 B  blake3:a0000003  1 of 12\n"
        "            \u2514\u2500 train b0000003  succeeded  12.3 s  "
        "2026-11-23 14:02  loss=0.96  lr=0.04\n"
        "               \u2514\u2500 data.csv  see above\n"
        "\n"
        "Also in this trace\n"
        "   deployment api v1 dd000001\n"
        "   train b9999999  failed  12.3 s  2026-11-23 14:02  lr=9\n"
    )  # fmt: skip


def test_a_number_is_no_ending() -> None:
    data = artifact("data.csv", "d1d1d1d1", 100)
    steps = [(execution("train", f"b{at:07d}"), artifact(f"model-0.{at}", f"a{at:07d}", 10))
             for at in range(4)]  # fmt: skip
    edges = [each for train, model in steps for each in (used(data, train), made(train, model))]
    nodes = (data, *(each for pair in steps for each in pair))
    folded = fold(Trace(target=data.id, nodes=nodes, edges=tuple(edges)))
    assert [(each.label, len(each.members)) for each in folded.nodes] == [
        ("data.csv", 0), ("train", 4), ("model-*", 4),
    ]  # fmt: skip


def test_two_are_not_many() -> None:
    small = sweep(2, chosen=0)
    assert fold(small) == small


def test_how_many_of_a_group_are_adhoc_is_said() -> None:
    trace = sweep(4)
    some = [
        each.replace(is_adhoc=each.label == "evaluate" and each.id.startswith("c0000000"))
        for each in trace.nodes
    ]
    every = [each.replace(is_adhoc=each.label == "evaluate") for each in trace.nodes]
    for nodes, in_tree, in_picture in (
        (some, "1 of 4 ad-hoc", "1 of 4 ad-hoc"),
        (every, "4.0 s in all  ad-hoc\n", "ad-hoc code"),
    ):
        drawn = trace.replace(nodes=tuple(nodes))
        assert in_tree in drawing.draw(drawn, "tree", is_folded=True)
        assert in_picture in drawing.draw(drawn, "dot", is_folded=True)


def test_members_are_there_in_order() -> None:
    (node,) = (each for each in fold(sweep(40)).nodes if each.label == "evaluate")
    assert [each.id[:8] for each in node.members] == [f"c{at:07d}" for at in range(40)]
    assert node.id == node.members[0].id


def test_what_is_asked_for_is_not_lost_in_a_group() -> None:
    wide = sweep(12)
    marked = tuple(
        each.replace(is_target=True) if each.id.startswith("c0000005") else each
        for each in wide.nodes
    )
    folded = fold(wide.replace(nodes=marked))
    assert [(n.label, len(n.members)) for n in folded.nodes if n.is_target] == [
        ("evaluate", 0),
        ("best.json", 0),
    ]


def test_a_tag_keeps_an_execution_apart() -> None:
    wide = sweep(12)
    marked = tuple(
        each.replace(tags=("keep",)) if each.id.startswith("b0000005") else each
        for each in wide.nodes
    )
    assert [
        len(n.members) for n in fold(wide.replace(nodes=marked)).nodes if n.label == "train"
    ].count(0) == 3  # it, the chosen and the failed one


def test_shards_and_the_files_of_a_folder() -> None:
    merge, merged = execution("merge", "cc000001"), artifact("all.csv", "e1e1e1e1")
    nodes, edges = [], []
    for at in range(20):
        shard, clean = artifact(f"raw/{at}.csv", f"a{at:07d}"), execution("clean", f"b{at:07d}")
        part = artifact(f"clean/part-{at:04d}.csv", f"c{at:07d}")
        other = artifact(f"words/{'abcdefghijklmnopqrst'[at]}.{at}x", f"d{at:07d}")
        nodes += [shard, clean, part, other]
        edges += [used(shard, clean), made(clean, part), used(part, merge), used(other, merge)]
    edges.append(made(merge, merged))
    folded = fold(Trace(target=merged.id, nodes=(*nodes, merge, merged), edges=tuple(edges)))
    assert {(n.label, len(n.members)) for n in folded.nodes} == {
        ("raw/*.csv", 20),
        ("clean", 20),
        ("clean/part-*.csv", 20),
        ("words/*x", 20),
        ("merge", 0),
        ("all.csv", 0),
    }


def test_different_sources_of_few_stay_apart() -> None:
    join = execution("join", "cc000001")
    files = [artifact(f"raw/{name}.csv", f"a{name:>07.7}") for name in ("one", "two", "three")]
    trace = Trace(
        target=join.id, nodes=(*files, join), edges=tuple(used(each, join) for each in files)
    )
    assert fold(trace) == trace


def test_a_circle_stays_as_it_is() -> None:
    runs = [execution("step", f"b{at:07d}") for at in range(6)]
    files = [artifact(f"f{at}", f"a{at:07d}") for at in range(6)]
    edges = tuple(
        edge
        for at in range(6)
        for edge in (made(runs[at], files[at]), used(files[at], runs[(at + 1) % 6]))
    )
    trace = Trace(target=files[0].id, nodes=(*runs, *files), edges=edges)
    assert {each.id for each in fold(trace).nodes} == {each.id for each in trace.nodes}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["models/0.01.pkl", "models/0.1.pkl", "models/1.pkl"], "models/*.pkl"),
        (["models/finland.pkl", "models/poland.pkl", "models/france.pkl"], "models/*.pkl"),
        (["runs/lr=0.1/model.pkl", "runs/lr=0.02/model.pkl"], "runs/lr=*/model.pkl"),
        (["epoch1.ckpt", "epoch12.ckpt"], "epoch*.ckpt"),
        (["a", "aa"], "*"),
        (["same", "same"], "same*"),
        (["x", "y"], "*"),
    ],
)
def test_names_in_common(names: list[str], expected: str) -> None:
    assert name_of_all(names) == expected


@st.composite
def graphs(draw: st.DrawFn) -> Trace:
    """Return a random graph in which arrows lead forward."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    for at in range(draw(st.integers(1, 30))):
        run = execution(draw(st.sampled_from("ab")), f"b{at:07d}", parameters={"n": at})
        files = [each for each in nodes if each.kind == "artifact"]
        if files:
            taken = draw(st.lists(st.sampled_from(files), max_size=3, unique_by=lambda n: n.id))
            edges += [used(each, run) for each in taken]
        nodes.append(run)
        for number in range(draw(st.integers(0, 2))):
            file = artifact(f"{draw(st.sampled_from('pq'))}/{at}.x", f"{number}{at:07d}")
            nodes.append(file)
            edges.append(made(run, file))
    return Trace(target=nodes[-1].id, nodes=tuple(nodes), edges=tuple(edges))


@settings(deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_nothing_is_lost_and_nothing_invented(trace: Trace, chance: random.Random) -> None:
    folded = fold(trace)
    heads = {m.id: n.id for n in folded.nodes for m in (n.members or (n,))}
    assert sorted(heads) == sorted(each.id for each in trace.nodes)
    assert {(heads[e.source], heads[e.target], e.kind) for e in trace.edges} == {
        (e.source, e.target, e.kind) for e in folded.edges
    }
    place = {each.id: at for at, each in enumerate(folded.nodes)}
    assert all(place[e.source] < place[e.target] for e in folded.edges)
    for node in folded.nodes:
        assert len({(m.kind, m.label if m.kind == "execution" else "") for m in node.members}) <= 1
    if folded is trace:
        return
    edges = list(trace.edges)
    chance.shuffle(edges)
    assert fold(trace.replace(edges=tuple(edges))) == folded
