"""Pictures of traces: whole ones, and what hostile text can do to them (nothing)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import drawing, wording
from gitlineage.errors import LineageError, Refused, ToolMissing
from gitlineage.trace import Edge, Node, Trace

GOLDEN = Path(__file__).parent / "golden" / "drawing"

NOON = 1_795_442_520_000_000

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")

HOSTILE = [
    "<b>bold</b>",
    "<",
    "<>",
    '"quoted"',
    'a"];b[label="x',
    "back\\slash\\",
    "\\N \\G \\L \\E \\T \\l",
    '\\"',
    "two\nlines\r\n",
    "a -> b; c",
    "&lt;b&gt; &amp; &#60; &nosuch;",
    "a:port:n",
    "{a|b}",
    "\x1b[31mred\x1b[0m\x9b",
    "gpj\u202etxt",
    "\udcff\udc80",
    "\x00",
    "",
    "   ",
    "]]> <!-- %% -->",
    "#quot; `code` **b** $$x$$ fa:fa-car",
    "end",
    "\u65e5\u672c\u8a9e",
    "x" * 5000,
]
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from('<>&"\\|{}\n-;#`$:\x1b\u202e\udcff/ ')))


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def execution(name: str, id: str, **more: object) -> Node:
    fields: dict[str, object] = {
        "status": "succeeded",
        "started_at": NOON,
        "duration": 12_300_000,
        "agent": "Ada Lovelace <ada@example.org>",
        "commit": "c0" * 20,
    }
    return Node(id=id * 5, kind="execution", label=name, step=name, **{**fields, **more})


def artifact(path: str, id: str, size: int | None = None, **more: object) -> Node:
    fields: dict[str, object] = {"type": "file", "paths": (path,)}
    id = "blake3:" + id * 8
    return Node(id=id, kind="artifact", label=path, size=size, **{**fields, **more})


def used(source: Node, target: Node, **more: object) -> Edge:
    fields: dict[str, object] = {"path": source.label, "how": "declared"}
    return Edge(source=source.id, target=target.id, kind="used", **{**fields, **more})


def made(source: Node, target: Node, **more: object) -> Edge:
    fields: dict[str, object] = {"path": target.label, "how": "observed"}
    return Edge(source=source.id, target=target.id, kind="generated", **{**fields, **more})


def deployed(source: Node, target: Node) -> Edge:
    path = source.label
    return Edge(source=source.id, target=target.id, kind="deployed", path=path, how="declared")


def pipeline() -> Trace:
    """Two trainings that share an input, the better one deployed."""
    raw = artifact("data/digits.csv", "d1d1d1d1", 1_234_567)
    prepare = execution("prepare", "aa000001", duration=1_800_000)
    data = artifact("data/train.npz", "d2d2d2d2", 822_000)
    weak, good = (
        execution(
            "train",
            id,
            parameters={"C": c, "seed": 7},
            metadata={"accuracy": accuracy, "epoch": 10},
        )
        for id, c, accuracy in (("bb000001", 0.1, 0.9306), ("bb000002", 1.0, 0.96114))
    )
    first = artifact("models/0.1.pkl", "e1e1e1e1", 1_258_291)
    second = artifact("models/1.pkl", "e2e2e2e2", 1_258_291)
    choose = execution("choose", "cc000001", duration=310_000, is_adhoc=True)
    best = artifact("models/best.pkl", "f0f0f0f0", 1_258_291, is_target=True)
    api = Node(
        id="dd000001" * 5,
        kind="deployment",
        label="digits-api",
        version="v3",
        target="production",
        started_at=NOON,
    )
    return Trace(
        target=best.id,
        nodes=(raw, prepare, data, weak, good, first, second, choose, best, api),
        edges=(
            used(raw, prepare),
            made(prepare, data),
            used(data, weak),
            used(data, good),
            made(weak, first),
            made(good, second),
            used(first, choose),
            used(second, choose),
            made(choose, best),
            deployed(best, api),
        ),
    )


def oddities() -> Trace:
    """Whatever a trace can have besides: failures, doubts, unknown and long things."""
    gone = Node(id="9f" * 20, kind="execution", label="9f9f9f9f", is_known=False)
    weights = artifact("weights/base.safetensors", "77777777", is_known=False, type=None)
    remote = artifact("s3://bucket/digits/v3/all.parquet", "a3a3a3a3", 1 << 40, type="uri")
    failed = execution(
        "train_with_a_long_name_of_a_step",
        "f0000001",
        status="failed",
        duration=7_384_000_000,
        title='second try, "larger" batches, more of them',
        parameters={"learning_rate": 1e-05, "raw": b"\xff"},
        metadata={"loss": float("nan"), "best": float("-inf"), "nested": {"a": [1, float("inf")]}},
        tags=("keep",),
    )
    long = artifact(
        "experiments/2026-11-23/a-very-long-name/checkpoints/epoch=10-step=123456-loss=0.1234.ckpt",
        "c3c3c3c3",
        9 << 30,
        is_target=True,
    )
    tune = execution("fine-tune", "f0000002", status="running", duration=None)
    folder = artifact("checkpoints", "c4c4c4c4", 12 << 30, type="directory")
    empty = artifact("caf\udce9/_SUCCESS", "00e000e0", 0)
    sweep = execution("sweep", "f0000003", status="stopped")
    return Trace(
        target=long.id,
        nodes=(weights, remote, failed, long, tune, folder, empty, sweep),
        edges=(
            made(gone, weights),
            used(weights, failed),
            used(remote, failed, is_order_certain=False),
            made(failed, long, how="detected"),
            used(long, tune, path="ckpt/latest.ckpt", role="checkpoint"),
            made(tune, folder, how="detected"),
            made(failed, empty, others_count=12),
            used(empty, sweep, is_order_certain=False),
        ),
        warnings=("the clocks of two machines disagree: \x1b[31mfine-tune\x1b[0m overlaps",),
        is_limited=True,
    )


TRACES = {"pipeline": pipeline, "oddities": oddities}


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("form", ["60.tree", "160.tree", "dot", "json", "mermaid"])
def test_whole_pictures(name: str, form: str) -> None:
    width, _, kind = form.rpartition(".")
    drawn = drawing.draw(TRACES[name](), kind, width=int(width) if width else None)
    # REWRITE=1 writes what is drawn now: look at the difference before it is kept.
    if os.environ.get("REWRITE"):
        (GOLDEN / f"{name}.{form}").write_text(str(drawn), encoding="utf-8")
    assert drawn == (GOLDEN / f"{name}.{form}").read_text(encoding="utf-8")


def one(text: str) -> Trace:
    """A trace of one file from one execution that says a text wherever there is text."""
    source = artifact(text, "a1a1a1a1", 3, tags=(text,))
    run = execution(
        text,
        "b1b1b1b1",
        status="failed",
        title=text,
        agent=text,
        commit=text,
        parameters={text: text},
        metadata={text: text, "nested": [text]},
        tags=(text,),
    )
    target = artifact("model.pkl", "c1c1c1c1", 3, is_target=True, paths=(text, "other " + text))
    to = Node(id=text + "x", kind="deployment", label=text, version=text, target=text)
    edges = (
        used(source, run, path="p" + text, how=text, role=text, is_order_certain=False),
        made(run, target, path="q" + text, others_count=2),
        deployed(target, to),
    )
    nodes = (source, run, target, to)
    return Trace(target=target.id, nodes=nodes, edges=edges, warnings=(text,), is_limited=True)


def lines_of(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    found = root.iter("{http://www.w3.org/2000/svg}text")
    return [(text.text or "").replace("\xa0", " ") for text in found]


def elements_of(svg: str) -> set[str]:
    return {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}


def says_all(svg: str, expected: str) -> bool:
    # An entity or a blank at an end is how Graphviz writes it, not what it says.
    return expected.strip() in [line.strip() for line in lines_of(svg)]


# Tree.


def test_a_tree_of_one_node() -> None:
    node = artifact("a.txt", "a1a1a1a1", 5, is_target=True)
    assert drawing.draw(Trace(target=node.id, nodes=(node,), edges=()), "tree") == (
        "a.txt  5 B  blake3:a1a1a1a1\nnothing else is recorded about it\n"
    )


def test_a_tree_without_box_characters() -> None:
    drawn = drawing.draw(pipeline(), "tree", width=40, encoding="ascii")
    assert drawn == (
        "models/best.pkl  1.2 MiB ...\n"
        "\n"
        "How it was made\n"
        "`- choose cc000001  310 ms  ad-hoc ...\n"
        "   |- models/0.1.pkl  1.2 MiB ...\n"
        "   |  `- train bb000001  C=0.1 ...\n"
        "   |     `- data/train.npz  803 KiB ...\n"
        "   |        `- prepare aa000001 ...\n"
        "   |           `- data/digits.csv ...\n"
        "   `- models/1.pkl  1.2 MiB ...\n"
        "      `- train bb000002  C=1 ...\n"
        "         `- data/train.npz  see above\n"
        "\n"
        "What relies on it\n"
        "`- deployment digits-api v3 dd000001 ...\n"
    )


def test_color_adds_nothing_but_color() -> None:
    colored = drawing.draw(oddities(), "tree", width=100, is_colored=True)
    assert isinstance(colored, str)
    assert "\x1b[1;31mfailed\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == drawing.draw(oddities(), "tree", width=100)


def test_a_tree_of_an_execution_says_what_went_in_and_what_came_out() -> None:
    source, target = artifact("in", "a1a1a1a1"), artifact("out", "c1c1c1c1")
    run = execution("run", "b1b1b1b1")
    edges = (used(source, run), made(run, target))
    trace = Trace(target=run.id, nodes=(source, run, target), edges=edges)
    assert drawing.draw(trace, "tree") == (
        "run b1b1b1b1  succeeded  12.3 s  2026-11-23 14:02\n"
        "\n"
        "What went into it\n"
        "\u2514\u2500 in  blake3:a1a1a1a1\n"
        "\n"
        "What came of it\n"
        "\u2514\u2500 out  blake3:c1c1c1c1\n"
    )


def chain(count: int) -> Trace:
    nodes, edges = [artifact("f0", "a0000000")], []
    for at in range(1, count + 1):
        run, made_file = execution("step", f"b{at:07d}"), artifact(f"f{at}", f"a{at:07d}")
        edges += [used(nodes[-1], run), made(run, made_file)]
        nodes += [run, made_file]
    return Trace(target=nodes[-1].id, nodes=tuple(nodes), edges=tuple(edges))


def test_a_deep_tree_starts_again_at_the_left() -> None:
    assert drawing.draw(chain(4), "tree", width=36) == (
        "f4  blake3:a0000004\n"
        "\n"
        "How it was made\n"
        "\u2514\u2500 step b0000004  12.3 s \u2026\n"
        "   \u2514\u2500 f3  blake3:a0000003\n"
        "      \u2514\u2500 step b0000003  12.3 s \u2026\n"
        "         \u2514\u2500 f2  blake3:a0000002\n"
        "            \u2514\u2500 step b0000002 \u2026\n"
        "               \u2514\u2500 f1  see below \u2026\n"
        "\n"
        "f1  blake3:a0000001  continued\n"
        "\u2514\u2500 step b0000001  12.3 s \u2026\n"
        "   \u2514\u2500 f0  blake3:a0000000\n"
    )


@pytest.mark.parametrize("width", [20, 60, 160, 100_000, None])
def test_a_very_deep_tree_shows_every_node(width: int | None) -> None:
    drawn = drawing.draw(chain(2000), "tree", width=width)
    assert isinstance(drawn, str)
    assert {f"f{at}" for at in range(2001)} <= set(re.findall(r"\bf\d+\b", drawn))


def test_a_cycle_is_drawn_once() -> None:
    first, second = execution("first", "b1b1b1b1"), execution("second", "b2b2b2b2")
    there, back = artifact("there", "a1a1a1a1"), artifact("back", "a2a2a2a2", is_target=True)
    edges = (made(first, there), used(there, second), made(second, back), used(back, first))
    trace = Trace(target=back.id, nodes=(first, there, second, back), edges=edges)
    drawn = drawing.draw(trace, "tree", width=60)
    assert drawn == (
        "back  blake3:a2a2a2a2\n"
        "\n"
        "How it was made\n"
        "\u2514\u2500 second b2b2b2b2  succeeded  12.3 s  2026-11-23 14:02\n"
        "   \u2514\u2500 there  blake3:a1a1a1a1\n"
        "      \u2514\u2500 first b1b1b1b1  succeeded  12.3 s  2026-11-23 14:02\n"
        "         \u2514\u2500 back  see above\n"
        "\n"
        "What relies on it\n"
        "\u2514\u2500 first b1b1b1b1  see above\n"
    )


@given(TEXTS, st.integers(20, 200), st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_no_line_is_wider_than_the_terminal(text: str, width: int, encoding: str) -> None:
    drawn = drawing.draw(one(text), "tree", width=width, encoding=encoding)
    assert isinstance(drawn, str)
    drawn.encode(encoding)
    for line in drawn.split("\n"):
        assert line.isprintable()
        assert wording.width(line) <= width, line


def test_how_it_ended_is_said_however_narrow() -> None:
    run = execution("a-step-with-quite-a-long-name", "b1b1b1b1", status="failed", is_target=True)
    trace = Trace(target=run.id, nodes=(run,), edges=())
    drawn = drawing.draw(trace, "tree", width=30)
    assert (
        drawn == "a-s\u2026ng-name b1b1b1b1  failed \u2026\nnothing e\u2026is recorded about it\n"
    )


# DOT and what is made of it.


def render(source: str, form: str) -> str:
    done = subprocess.run(
        ["dot", f"-T{form}"], input=source, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == ""
    return done.stdout


@needs_dot
@pytest.mark.parametrize("name", TRACES)
def test_dot_reads_what_is_drawn(name: str) -> None:
    source = str(drawing.draw(TRACES[name](), "dot"))
    assert render(source, "canon").startswith("digraph")
    assert ElementTree.fromstring(render(source, "svg")).tag.endswith("svg")


@needs_dot
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_the_picture(text: str) -> None:
    trace = one(text)
    svg = drawing.draw(trace, "svg")
    assert isinstance(svg, str)
    assert elements_of(svg) <= {"svg", "g", "a", "title", "polygon", "polyline", "path", "text"}
    nodes = ElementTree.fromstring(svg).findall(".//*[@class='node']")
    assert len(nodes) == len(trace.nodes)
    assert says_all(svg, wording.shorten(wording.safe(text.strip(" ")) or "(no name)", 26))
    assert all(line.isprintable() for line in lines_of(svg))
    render(str(drawing.draw(trace, "dot")), "canon")


@needs_dot
@settings(max_examples=60)
@given(TEXTS)
def test_any_text_is_text_in_the_picture(text: str) -> None:
    svg = drawing.draw(one(text), "svg")
    assert isinstance(svg, str)
    assert says_all(svg, wording.shorten(wording.safe(text.strip(" ")) or "(no name)", 26))
    assert elements_of(svg) <= {"svg", "g", "a", "title", "polygon", "polyline", "path", "text"}


@needs_dot
def test_a_svg_has_the_full_path_and_stable_ids() -> None:
    svg = str(drawing.draw(oddities(), "svg"))
    ids = {element.get("id") for element in ElementTree.fromstring(svg).iter()}
    assert "artifact-blake3-" + "c3c3c3c3" * 8 in ids
    assert "execution-" + "f0000001" * 5 in ids
    assert oddities().nodes[3].label in svg.replace("&#45;", "-")


@needs_dot
@pytest.mark.parametrize(("form", "magic"), [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-")])
def test_pictures_are_of_their_kind(form: str, magic: bytes) -> None:
    drawn = drawing.draw(pipeline(), form)
    assert isinstance(drawn, bytes)
    assert drawn.startswith(magic)


@needs_dot
def test_an_empty_trace_is_an_empty_picture() -> None:
    trace = Trace(target="x", nodes=(), edges=())
    assert lines_of(str(drawing.draw(trace, "svg"))) == []
    assert drawing.draw(trace, "tree") == "\n"
    assert json.loads(drawing.draw(trace, "json"))["nodes"] == []


def test_without_dot_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as raised:
        drawing.draw(pipeline(), "svg")
    assert str(raised.value) == "dot is not installed, and drawing SVG needs it"
    assert raised.value.advice() == (
        "install Graphviz, for instance with `apt install graphviz`; "
        "or ask for --format mermaid or tree, which need nothing"
    )


def test_a_dot_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "dot"
    fake.write_text("#!/bin/sh\ncat >/dev/null\nprintf 'no \\033[31mfonts' >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(LineageError) as raised:
        drawing.draw(pipeline(), "png")
    assert str(raised.value) == r"dot failed: no \x1b[31mfonts"


def test_a_form_that_is_not_there() -> None:
    with pytest.raises(Refused) as raised:
        drawing.draw(pipeline(), "gif")
    assert str(raised.value) == (
        "cannot draw gif; there are tree, dot, json, mermaid, svg, png, pdf"
    )


# JSON.


def refuse(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_every_text(text: str) -> None:
    drawn = str(drawing.draw(one(text), "json"))
    loaded = json.loads(drawn, parse_constant=refuse)
    visible = "".join(wording.safe(c) if "\ud800" <= c <= "\udfff" else c for c in text)
    assert loaded["nodes"][1]["title"] == visible
    assert loaded["warnings"] == [visible]


@given(TEXTS)
def test_json_always_loads_and_prints(text: str) -> None:
    drawn = str(drawing.draw(one(text), "json"))
    assert json.loads(drawn, parse_constant=refuse)["is_limited"] is True
    assert drawn.replace("\n", "").isprintable()
    drawn.encode()


PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
)


@settings(max_examples=30)
@given(st.dictionaries(TEXTS, PLAIN))
def test_any_metadata_is_drawn(metadata: dict[str, object]) -> None:
    run = execution("run", "b1b1b1b1", metadata=metadata, parameters=metadata)
    trace = Trace(target=run.id, nodes=(run,), edges=())
    json.loads(str(drawing.draw(trace, "json")), parse_constant=refuse)
    for form in ("tree", "dot", "mermaid"):
        assert drawing.draw(trace, form)


# Mermaid.


@given(TEXTS)
def test_mermaid_labels_hold_nothing_with_a_meaning(text: str) -> None:
    drawn = str(drawing.draw(one(text), "mermaid"))
    for line in drawn.splitlines():
        assert line.isprintable()
        if line.startswith("    %%"):
            continue
        for label in re.findall(r'"(.*)"', line):
            bare = label.replace("<br/>", "")
            assert re.fullmatch(r"(?:\w|[ ,/=.()]|(?<=\w)-(?=\w)|#\d+;|[^\x00-\x7f])*", bare), label


def in_a_row(count: int) -> Trace:
    """Return so many executions, each of a step of its own, and what they made from one another."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    for at in range(count):
        step = execution(f"step {at}", f"{at:08x}")
        file = artifact(f"data/{at}-{at * 7919 % 97}.bin", f"{at:08x}", at)
        if nodes:
            edges.append(used(nodes[-1], step))
        nodes += [step, file]
        edges.append(made(step, file))
    return Trace(target=nodes[-1].id, nodes=tuple(nodes), edges=tuple(edges))


def test_a_picture_that_would_take_minutes_is_not_begun() -> None:
    with pytest.raises(LineageError) as raised:
        drawing.draw(in_a_row(5000), "svg", is_folded=True)
    assert str(raised.value) == (
        "10,000 nodes and 9,999 edges are too many for a picture; 2,000 and 5,000 are drawn"
    )
    assert "--depth" in raised.value.advice()


def test_10_000_nodes_are_there_at_once_in_all_other_forms() -> None:
    large = in_a_row(5000)
    began = time.process_time()
    for form in ("tree", "json", "dot", "mermaid"):
        drawn = drawing.draw(large, form, is_folded=True, width=80)
        assert len(drawn.splitlines() if isinstance(drawn, str) else b"") >= 10_000
    assert time.process_time() - began < 20  # 2 s where nothing else runs


@needs_dot
def test_many_that_are_alike_are_drawn_as_one() -> None:
    steps = [(execution("train", f"{at:08x}"), artifact(f"m-{at}.bin", f"{at:08x}", 1))
             for at in range(3000)]  # fmt: skip
    data = artifact("data.csv", "d1d1d1d1", 100)
    edges = [each for step, file in steps for each in (used(data, step), made(step, file))]
    nodes = (data, *(each for pair in steps for each in pair))
    sweep = Trace(target=data.id, nodes=nodes, edges=tuple(edges))
    assert "train x 3000" in str(drawing.draw(sweep, "svg", is_folded=True))
    with pytest.raises(LineageError):
        drawing.draw(sweep, "svg")


@pytest.mark.parametrize("form", ["tree", "mermaid"])
def test_that_others_made_the_same_is_said_once(form: str) -> None:
    run, other = execution("make", "aaaa"), execution("make", "bbbb")
    files = [artifact(f"m{at}", f"{at:08x}", 1) for at in range(3)]
    last = execution("join", "cccc")
    edges = [made(run, files[0], others_count=1), made(run, files[1], others_count=1),
             made(other, files[2], others_count=1)]  # fmt: skip
    edges += [used(each, last) for each in files]
    whole = Trace(target=last.id, nodes=(run, other, last, *files), edges=tuple(edges))
    # Of each that made some, however many files these were.
    assert str(drawing.draw(whole, form, width=120)).count("made the same bytes") == 2
