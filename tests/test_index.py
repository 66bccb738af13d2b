"""The index: what goes in comes out, whatever the order, the company and the state of the file."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sqlite3
import stat
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import digest, encoding, index
from gitlineage.index import Filters, Index, file
from gitlineage.ledger import Stored
from gitlineage.records.artifact import Artifact
from gitlineage.records.deployment import Deployment
from gitlineage.records.end import Comparison, End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software

NOON = 1_760_000_000_000_000
SOFTWARE = Software(name="git-lineage", version="1")
ADA = Agent(name="Ada Lovelace", email="ada@example.org")
SNAPSHOT = Code(tree="aa" * 20, commit="bb" * 20, branch="main")


def content(text: str) -> bytes:
    return digest.of_bytes(text.encode())


def artifact(path: str, text: str | None = None, **more: Any) -> Artifact:
    facts = {"type": "file", "how": "declared", "path": path}
    if text is not None:
        facts |= {"digests": {"blake3": content(text)}, "size": len(text)}
    return Artifact(**facts | more)


def stored(launch: bytes | None, record: bytes | None, commit: str | None = None) -> Stored:
    tree = hashlib.sha1(b"%r %r" % (launch, record)).hexdigest()
    return Stored(
        commit=commit or hashlib.sha1(tree.encode()).hexdigest(),
        tree=tree,
        launch=launch,
        record=record,
    )


def moved(record: Stored, commit: str) -> Stored:
    """The same record in another commit."""
    return Stored(commit=commit, tree=record.tree, launch=record.launch, record=record.record)


def launched(number: int = 0, **facts: Any) -> bytes:
    return encoding.encode(
        Launch(
            **{
                "nonce": number.to_bytes(16, "big"),
                "command": ("python", "train.py"),
                "directory": ".",
                "step": "train",
                "started_at": NOON + number * 1_000_000,
                "agent": ADA,
                "software": SOFTWARE,
                "place": Place(host="here"),
                "code": SNAPSHOT,
            }
            | facts
        )
    )


def ended(launch: bytes, **facts: Any) -> bytes:
    return encoding.encode(
        End(
            **{"execution": digest.execution_id(launch), "status": "succeeded", "exit_code": 0}
            | facts
        )
    )


def execution(
    number: int = 0, outputs: Any = (), commit: str | None = None, **facts: Any
) -> Stored:
    launch = launched(number, **facts)
    return stored(launch, ended(launch, outputs=tuple(outputs)), commit)


def id_of(each: Stored) -> str:
    assert each.launch is not None
    return digest.execution_id(each.launch)


def deployed(name: str, *artifacts: Artifact, number: int = 0) -> Stored:
    return stored(
        None,
        encoding.encode(
            Deployment(
                nonce=number.to_bytes(16, "big"),
                name=name,
                version="2",
                target="cluster",
                deployed_at=NOON + 10**9 + number,
                agent=ADA,
                software=SOFTWARE,
                artifacts=artifacts,
            )
        ),
    )


@pytest.fixture
def fed(tmp_path: Any) -> Any:
    """Return a function that makes an index of records."""

    def feed(*given_records: Stored, **more: Any) -> Index:
        made = Index(str(tmp_path / "lineage" / "index.sqlite"))
        assert made.update({"refs/a": "1"}, expected={}, added=given_records, **more)
        return made

    return feed


def everything(made: Index) -> Any:
    """Return all that an index answers, whatever way it came to know it."""
    rows = made.executions()
    order = {
        each.id: place
        for place, each in enumerate(
            sorted(made.rows(made.by_prefix("", 10**6)).values(), key=lambda each: each.sequence)
        )
    }
    shown = []
    for each in made.rows(order).values():
        each.sequence = order[each.id]
        shown.append(each)
    mentions = made.artifacts_of(order)
    for had in mentions.values():
        for each in had:
            each.sequence = order[each.id]
    return (
        [each.id for each in rows],
        sorted(shown, key=lambda each: each.id),
        mentions,
        made.tags(),
        made.tips(),
        made.count(),
        sorted((each.kind, each.commit, each.reason) for each in made.problems()),
    )


def test_row_of_an_execution(fed: Any) -> None:
    launch = launched(
        title="first",
        parameters={"lr": 0.1},
        parent="0f" * 20,
        command=("sh", "-c", "it's"),
        inputs=(artifact("a.csv", "a"),),
        code=SNAPSHOT.replace(is_adhoc=True),
    )
    record = ended(
        launch,
        status="failed",
        exit_code=3,
        finished_at=NOON + 5,
        duration=5,
        inputs=(artifact("b.csv", "b"),),
        outputs=(artifact("m.bin", "m", role="model"),),
        metadata={"accuracy": 0.5, "path": b"\xff"},
        warnings=("slow",),
    )
    each = stored(launch, record)
    row = fed(each).row(digest.execution_id(launch))
    assert {
        name: getattr(row, name)
        for name in (*row.__slots__, "metadata", "parameters")
        if not name.startswith("_")
    } == {
        "sequence": 1,
        "kind": "execution",
        "id": digest.execution_id(launch),
        "commit": each.commit,
        "step": "train",
        "title": "first",
        "status": "failed",
        "exit_code": 3,
        "started_at": NOON,
        "finished_at": NOON + 5,
        "duration": 5,
        "agent_name": "Ada Lovelace",
        "agent_email": "ada@example.org",
        "host": "here",
        "code_commit": "bb" * 20,
        "code_tree": "aa" * 20,
        "is_adhoc": True,
        "branch": "main",
        "command": "sh -c 'it'\"'\"'s'",
        "parent": "0f" * 20,
        "reproduces": None,
        "verdict": None,
        "is_cut": False,
        "inputs_count": 2,
        "outputs_count": 1,
        "warnings_count": 1,
        "is_recovered": False,
        "is_checkable": True,
        "ends_count": 1,
        "version": None,
        "target": None,
        "retired_at": None,
        "replaced_at": None,
        "metadata": {"accuracy": 0.5, "path": "\udcff"},
        "parameters": {"lr": 0.1},
    }


def test_mentions_of_an_execution(fed: Any) -> None:
    each = execution(
        inputs=(artifact("a", "1"), artifact("same", "s")),
        outputs=(
            artifact("m", "m", change="overwritten", previous=content("old"), role="x"),
            artifact("same", "s"),
            artifact("gone", change="deleted"),
            artifact("\udcff\n", "odd"),
        ),
    )
    made = fed(each)
    had = made.artifacts_of([id_of(each)])[id_of(each)]
    assert [(m.direction, m.path, m.size) for m in had] == [
        ("input", "a", 1),
        ("input", "same", 1),
        ("output", "m", 1),
        ("output", "\udcff\n", 3),
        ("unchanged", "same", 1),
        ("unchanged", "gone", None),
    ]
    # An output that overwrote unseen content still names it.
    assert had[2].previous == digest.of_text(content("old"))
    assert (had[2].role, had[2].change, had[2].how) == ("x", "overwritten", "declared")
    assert [m.id for m in made.makers_of_path("\udcff\n")] == [id_of(each)]
    assert made.makers_of([digest.of_text(content("s"))]) == {}
    assert list(made.users_of([digest.of_text(content("s"))])) == [digest.of_text(content("s"))]


def test_deployment(fed: Any) -> None:
    each = deployed("shop", artifact("m", "m"))
    made = fed(each)
    (id,) = made.by_prefix("")
    assert each.record is not None
    assert id == index.deployment_name(each.record).hex()
    row = made.row(id)
    assert (row.kind, row.step, row.version, row.target) == ("deployment", "shop", "2", "cluster")
    (mention,) = made.deployments_of([digest.of_text(content("m"))])[digest.of_text(content("m"))]
    assert (mention.id, mention.direction, mention.path) == (id, "deployed", "m")
    assert made.count() == 0
    assert made.executions() == []


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [3, 2, 1, 0]),
    ({"step": "other"}, [1]),
    ({"step": "unknown"}, []),
    ({"status": "succeeded"}, [3, 2, 1, 0]),
    ({"status": "failed"}, []),
    ({"author": "BOB"}, [2]),
    ({"author": "example"}, [3, 2, 1, 0]),
    ({"since": NOON + 2_000_000}, [3, 2]),
    ({"until": NOON + 1_000_000}, [1, 0]),
    ({"commit": "cc" * 20}, [3]),
    ({"commit": "aa" * 20}, [3, 2, 1, 0]),
    ({"commit": "not hex"}, []),
    ({"uses": "in"}, [1]),
    ({"uses": digest.of_text(content("x"))}, [2, 1]),
    ({"produces": "out"}, [0]),
    ({"produces": digest.of_text(content("x"))}, [0]),
    ({"tag": "best"}, [3, 0]),
    ({"tag": "none"}, []),
    ({"tag": "best", "step": "train", "produces": "out"}, [0]),
]


@pytest.mark.parametrize(("asked", "expected"), FILTERS, ids=lambda each: str(each)[:40])
def test_filters(fed: Any, asked: Any, expected: list[int]) -> None:
    all_of_them = [
        execution(0, outputs=[artifact("out", "x")]),
        execution(1, step="other", inputs=(artifact("in", "x"),)),
        execution(
            2,
            agent=Agent(name="Bob", email="b@example.org"),
            inputs=(artifact("elsewhere", "x"),),
        ),
        execution(3, code=SNAPSHOT.replace(commit="cc" * 20)),
    ]
    members = {id_of(all_of_them[0]): 5, id_of(all_of_them[3]): 6, "blake3:" + "0" * 64: 7}
    made = fed(*all_of_them, tags={"best": members})
    found = [each.id for each in made.executions(Filters(**asked))]
    assert found == [id_of(all_of_them[number]) for number in expected]
    assert [each.id for each in made.executions(Filters(**asked), 1)] == found[:1]


def test_names(fed: Any) -> None:
    them = [execution(n, step="ab"[n % 2]) for n in range(4)]
    same_moment = execution(9, started_at=NOON + 3_000_000)
    made = fed(*them, same_moment)
    newest = sorted([id_of(them[3]), id_of(same_moment)])
    assert [made.nth_newest(n) for n in range(6)] == [
        *newest,
        id_of(them[2]),
        id_of(them[1]),
        id_of(them[0]),
        None,
    ]
    assert made.nth_newest(1, "a") == id_of(them[0])
    assert made.nth_newest(0, "c") is None
    assert made.by_prefix(id_of(them[0])[:39]) == [id_of(them[0])]
    assert made.by_prefix("x") == []
    assert made.by_prefix("0" * 41) == []
    assert made.by_prefix("") == sorted(map(id_of, (*them, same_moment)))
    assert made.row("not an id") is None


def test_contents_by_prefix(fed: Any) -> None:
    made = fed(execution(outputs=[artifact(str(n), str(n)) for n in range(30)]))
    wanted = sorted(digest.of_text(content(str(n))) for n in range(30))
    assert made.contents_by_prefix("", 100) == wanted
    assert made.contents_by_prefix(wanted[3][:20]) == [wanted[3]]
    assert made.contents_by_prefix(wanted[3][7:15]) == [wanted[3]]


def test_children(fed: Any) -> None:
    parent = execution(0)
    child, other = execution(2, parent=id_of(parent)), execution(1, parent=id_of(parent))
    made = fed(parent, child, other)
    assert made.children([id_of(parent), id_of(child)]) == {
        id_of(parent): [id_of(other), id_of(child)]
    }


def test_tags(fed: Any) -> None:
    made = fed(execution(0))
    made.set_tags("a", {"x": 1, "y": 2})
    made.set_tags("b\udcff", {"y": 3})
    made.set_tags("a", {"y": 4})
    assert made.tags() == {"a": {"y": 4}, "b\udcff": {"y": 3}}
    assert made.tags_of(["x", "y"]) == {"y": ["a", "b\udcff"]}
    made.drop_tag("a")
    assert made.tags_of(["y"]) == {"y": ["b\udcff"]}


# -- one execution, several ends; one record, several commits


def test_a_real_end_beats_a_recovered_one(fed: Any) -> None:
    launch = launched()
    ends = [
        stored(launch, ended(launch, status="interrupted", is_recovered=True)),
        stored(launch, ended(launch, status="failed", outputs=(artifact("o", "o"),))),
    ]
    for order in (ends, ends[::-1]):
        made = fed(*order)
        (row,) = made.executions()
        assert (row.status, row.ends_count, made.count()) == ("failed", 2, 1)
        made.close()
        os.remove(made._path)


def test_of_equal_ends_the_smallest_tree_is_shown(fed: Any) -> None:
    launch = launched()
    ends = [stored(launch, ended(launch, exit_code=code)) for code in range(5)]
    (row,) = fed(*ends).executions()
    assert row.commit == min(ends, key=lambda each: each.tree).commit


def test_an_end_without_launch_never_hides_one_with_it(fed: Any) -> None:
    launch = launched()
    whole = stored(launch, ended(launch, status="interrupted", is_recovered=True))
    redacted = stored(None, ended(launch))
    (row,) = fed(redacted, whole).executions()
    assert (row.commit, row.is_checkable, row.ends_count) == (whole.commit, True, 2)


def test_redacted_launch(fed: Any) -> None:
    launch = launched()
    (row,) = fed(stored(None, ended(launch))).executions()
    assert (row.id, row.is_checkable, row.step, row.started_at) == (
        digest.execution_id(launch),
        False,
        None,
        None,
    )


def test_forgetting_the_shown_end_shows_the_other(fed: Any) -> None:
    launch = launched()
    real = stored(launch, ended(launch, outputs=(artifact("real", "r"),)))
    recovered = stored(launch, ended(launch, status="interrupted", is_recovered=True))
    made = fed(real, recovered)
    assert made.update({}, expected={"refs/a": "1"}, added=[], dropped=[real.commit])
    (row,) = made.executions()
    assert (row.status, row.ends_count) == ("interrupted", 1)
    assert made.makers_of_path("real") == []


def test_appended_again(fed: Any) -> None:
    first, second = execution(0), execution(1)
    again = moved(first, "ee" * 20)
    made = fed(first, second)
    assert made.update(
        {"refs/a": "2"}, expected={"refs/a": "1"}, added=[again], dropped=[first.commit]
    )
    rows = made.rows([id_of(first), id_of(second)])
    assert rows[id_of(first)].commit == again.commit
    assert rows[id_of(second)].sequence < rows[id_of(first)].sequence
    assert made.count() == 2


def test_in_two_chains_at_once(fed: Any) -> None:
    here = execution(0, outputs=[artifact("o", "o")])
    there = moved(here, "ee" * 20)
    made = fed(here, execution(1), there)
    assert made.row(id_of(here)).commit == there.commit
    assert made.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=[], dropped=[there.commit])
    assert made.row(id_of(here)).commit == here.commit
    assert [each.id for each in made.makers_of_path("o")] == [id_of(here)]
    assert made.update({"refs/a": "3"}, expected={"refs/a": "2"}, added=[], dropped=[here.commit])
    assert made.row(id_of(here)) is None
    assert made.makers_of_path("o") == []


def test_update_that_others_were_faster_with(fed: Any) -> None:
    made = fed(execution(0))
    assert not made.update({"refs/a": "9"}, expected={}, added=[execution(1)])
    assert (made.tips(), made.count()) == ({"refs/a": "1"}, 1)


def test_a_failing_reader_leaves_nothing_behind(fed: Any) -> None:
    made = fed(execution(0))

    def added() -> Any:
        yield from (execution(n) for n in range(1, 2 * index.BATCH))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        made.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=added())
    assert (made.tips(), made.count()) == ({"refs/a": "1"}, 1)
    assert made.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=[execution(1)])


POOL = [
    *(
        execution(
            n,
            inputs=(artifact(f"f{n}", f"{n}"),),
            outputs=[artifact(f"f{n + 1}", f"{n + 1}"), artifact("same", "")],
            step="ab"[n % 2],
        )
        for n in range(4)
    ),
    *(
        stored(launch, ended(launch, status=status, is_recovered=status == "interrupted"))
        for launch in (launched(7), launched(8))
        for status in ("failed", "interrupted", "succeeded")
    ),
    stored(None, ended(launched(7))),
    deployed("shop", artifact("f1", "1")),
    stored(None, b"\xc1"),
    stored(launched(9), None),
    stored(launched(9), encoding.pack({"format": 99, "kind": "execution"})),
]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, len(POOL) - 1), st.integers(0, 2)), max_size=8, unique=True
        ),
        max_size=6,
    )
)
def test_any_sequence_of_updates_equals_rebuilding(states: list[list[tuple[int, int]]]) -> None:
    """Each state lists the commits that the refs reach: which record, in which of three chains."""
    with tempfile.TemporaryDirectory() as folder:
        grown = Index(os.path.join(folder, "grown.sqlite"))
        reached: list[tuple[int, int]] = []
        tips: dict[str, str] = {}
        for number, state in enumerate(states):
            # What stays keeps its place, as in a chain.
            added = [each for each in state if each not in reached]
            dropped = [each for each in reached if each not in state]
            now = {"refs/a": str(number)}
            assert grown.update(
                now,
                expected=tips,
                added=map(in_chain, added),
                dropped=[in_chain(each).commit for each in dropped],
            )
            tips = now
            reached = [each for each in reached if each in state] + added
        rebuilt = Index(os.path.join(folder, "rebuilt.sqlite"))
        assert rebuilt.update(tips, expected={}, added=map(in_chain, reached))
        assert everything(grown) == everything(rebuilt)
        grown.close()
        rebuilt.close()


def in_chain(which: tuple[int, int]) -> Stored:
    each = POOL[which[0]]
    return moved(each, f"{which[1]:02x}" + each.commit[2:])


# -- what strangers send


def changed(part: bytes, **changes: Any) -> bytes:
    return encoding.pack({**encoding.unpack(part), **changes})


LAUNCH = launched()
HOSTILE_LAUNCHES: list[dict[str, Any]] = [
    {"format": 0},
    {"format": True},
    {"format": None},
    {"kind": "other"},
    {"step": 5},
    {"step": None},
    {"step": ["a"]},
    {"started_at": "now"},
    {"started_at": 1 << 70},
    {"started_at": None},
    {"started_at": 1.5},
    {"agent": "me"},
    {"agent": {}},
    {"agent": {"name": [1], "email": 2}},
    {"agent": {"name": 1, "email": 2}},
    {"place": None},
    {"place": {"host": {}}},
    {"place": {"host": 3}},
    {"code": []},
    {"code": {"tree": "zz"}},
    {"code": {"tree": 7}},
    {"code": {"tree": []}},
    {"parent": "ab"},
    {"parent": 5},
    {"parent": "x" * 40},
    {"command": "ls"},
    {"command": [1]},
    {"command": {}},
    {"parameters": [1]},
    {"title": 5},
    {"title": ["x"]},
    {"code": {"branch": 4}},
    {"inputs": "abc"},
    {"inputs": {"a": 1}},
    {"inputs": [1]},
    {"inputs": [{}]},
    {"inputs": 5},
    *(
        {"inputs": [{"path": "p", "type": "file", "how": "declared", **odd}]}
        for odd in (
            {"path": 5},
            {"path": []},
            {"path": None},
            {"type": 5},
            {"type": None, "how": []},
            {"size": -1},
            {"size": 1 << 80},
            {"size": "1"},
            {"role": {}},
            {"role": 4},
            {"digests": 5},
            {"digests": ["blake3"]},
            {"digests": {"blake3": "text"}},
            {"digests": {"blake3": b"short"}},
            {"previous": b"short"},
            {"change": 1},
        )
    ),
]


@pytest.mark.parametrize("odd", HOSTILE_LAUNCHES, ids=lambda each: str(each)[:60])
def test_odd_launch_is_named_and_hides_nothing(fed: Any, odd: dict[str, Any]) -> None:
    launch = changed(LAUNCH, **odd)
    bad = stored(launch, ended(launch))
    made = fed(execution(1), bad, execution(2))
    assert made.count() == 2
    (problem,) = made.problems()
    assert (problem.kind, problem.commit, problem.id) == ("damaged", bad.commit, id_of(bad))
    assert problem.reason
    assert made.by_prefix(id_of(bad)) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"execution": "00" * 20},
        {"execution": None},
        {"execution": 5},
        {"status": 5},
        {"status": None},
        {"exit_code": "1"},
        {"exit_code": 1 << 70},
        {"finished_at": 0.5},
        {"metadata": [1]},
        {"metadata": "x"},
        {"warnings": 5},
        {"outputs": 3},
        {"kind": None},
        {"kind": "deployment"},
        {"kind": "metadata"},
        {"outputs": [{"path": "p"}]},
    ],
    ids=str,
)
def test_odd_end_is_named_and_hides_nothing(fed: Any, odd: dict[str, Any]) -> None:
    made = fed(execution(1), stored(LAUNCH, changed(ended(LAUNCH), **odd)))
    assert (made.count(), [each.kind for each in made.problems()]) == (1, ["damaged"])


@pytest.mark.parametrize(
    "parts",
    [
        (b"", b""),
        (None, b""),
        (b"\xc1", None),
        (LAUNCH, None),
        (LAUNCH, b"\x80"),
        (None, LAUNCH),
        (None, encoding.pack([])),
        (None, encoding.pack({"format": 1})),
        (LAUNCH, LAUNCH[:-1]),
        (None, encoding.pack({"format": 1, "kind": "deployment"})),
        (encoding.pack(5), ended(LAUNCH)),
        (None, b"\x91" * 3000),
        (LAUNCH, ended(LAUNCH) + b"\0"),
    ],
)
def test_what_does_not_decode(fed: Any, parts: Any) -> None:
    made = fed(stored(*parts), execution(1))
    assert (made.count(), [each.kind for each in made.problems()]) == (1, ["damaged"])


@pytest.mark.parametrize(
    "parts",
    [
        (changed(LAUNCH, format=2), ended(changed(LAUNCH, format=2))),
        (LAUNCH, changed(ended(LAUNCH), format=7)),
        (None, encoding.pack({"format": 1, "kind": "seal"})),
        (None, encoding.pack({"format": 2, "anything": 1})),
    ],
)
def test_written_by_a_newer_version(fed: Any, parts: Any) -> None:
    made = fed(stored(*parts), execution(1))
    assert (made.count(), [each.kind for each in made.problems()]) == (1, ["newer"])


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_damaged_bytes_never_stop_feeding(data: st.DataObject) -> None:
    parts = [bytearray(LAUNCH), bytearray(ended(LAUNCH, outputs=(artifact("o", "o"),)))]
    for _ in range(data.draw(st.integers(1, 4))):
        part = data.draw(st.sampled_from(parts))
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        made = Index(os.path.join(folder, "i"))
        assert made.update({}, expected={}, added=[stored(*map(bytes, parts)), execution(1)])
        assert made.count() + len(made.problems()) == 2
        made.executions()
        made.close()


def test_digests_that_share_their_first_bytes(fed: Any) -> None:
    same = b"123456"
    digests = [same + bytes([n]) * 26 for n in range(5)]
    them = [
        execution(n, outputs=[artifact(f"p{n}", digests={"blake3": each})])
        for n, each in enumerate(digests)
    ]
    made = fed(*them[:3])
    assert made.update({}, expected={"refs/a": "1"}, added=them[3:])
    for each, found in zip(them, digests, strict=True):
        text = digest.of_text(found)
        assert [m.id for m in made.makers_of([text])[text]] == [id_of(each)]
        assert made.artifacts_of([id_of(each)])[id_of(each)][0].digest == text
    assert len(made.contents_by_prefix(same.hex())) == 5
    assert made.makers_of([digest.of_text(same + b"x" * 26)]) == {}


def test_a_digest_of_zeros(fed: Any) -> None:
    text = digest.of_text(bytes(32))
    made = fed(execution(outputs=[artifact("z", digests={"blake3": bytes(32)})]))
    assert len(made.makers_of([text])[text]) == 1
    assert len(made.executions(Filters(produces=text))) == 1


def test_long_values_are_cut(fed: Any) -> None:
    launch = launched(
        command=("x" * 10_000,), title="t" * 10_000, parameters={"long": "v" * 10_000, "short": 1}
    )
    (row,) = fed(
        stored(launch, ended(launch, metadata={f"k{n}": n for n in range(5000)}))
    ).executions()
    assert (len(row.command), len(row.title), row.is_cut) == (500, 500, True)
    assert row.parameters == {"short": 1}
    assert 100 < len(row.metadata) < 5000


# -- the file


def feed_one(path: str, number: int) -> None:
    made = Index(path)
    for round in range(5):
        each = execution(number * 100 + round)
        while True:
            before = made.tips()
            if made.update({**before, f"refs/{number}": str(round)}, expected=before, added=[each]):
                break
    assert not made.is_in_memory


def test_eight_processes_feed_at_once(tmp_path: Any) -> None:
    path = str(tmp_path / "index.sqlite")
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=feed_one, args=(path, n)) for n in range(8)]
    for each in running:
        each.start()
    for each in running:
        each.join(120)
    assert [each.exitcode for each in running] == [0] * 8
    made = Index(path)
    assert made.count() == 40
    assert made.tips() == {f"refs/{n}": "4" for n in range(8)}


def test_answers_of_one_moment(tmp_path: Any) -> None:
    path = str(tmp_path / "index.sqlite")
    made = Index(path)
    assert made.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    with made.reading():
        with made.reading():
            assert made.count() == 1
        assert made.tips() == {"refs/a": "1"}
    assert made.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=[execution(1)])


def damage_nothing(path: str) -> None:
    del path


def damage_head(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(b"not a database at all")


def damage_pages(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(os.path.getsize(path) - 4096))


def damage_by_cutting(path: str) -> None:
    os.truncate(path, os.path.getsize(path) // 2)


def damage_by_emptying(path: str) -> None:
    os.truncate(path, 0)


def damage_by_text(path: str) -> None:
    with open(path, "w") as file:
        file.write("text\n" * 10_000)


def damage_version(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 4711")
    connection.execute("CREATE VIEW odd AS SELECT * FROM record")
    connection.close()


def damage_tables(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE record")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        damage_nothing,
        damage_head,
        damage_pages,
        damage_by_cutting,
        damage_by_emptying,
        damage_by_text,
        damage_version,
        damage_tables,
    ],
)
def test_a_bad_file_is_built_anew(tmp_path: Any, damage: Any) -> None:
    path = str(tmp_path / "index.sqlite")
    them = [execution(n, outputs=[artifact(f"o{n}", f"{n}")]) for n in range(200)]
    first = Index(path)
    assert first.update({"refs/a": "1"}, expected={}, added=them)
    first.close()
    damage(path)

    made = Index(path)

    def catch_up() -> None:
        for _ in range(4):
            before = made.tips()
            if before == {"refs/a": "1"}:
                return
            if made.update({"refs/a": "1"}, expected=before, added=them):
                return
        raise AssertionError("feeding did not end")

    made.refill = catch_up
    catch_up()
    assert made.count() == 200
    assert [each.id for each in made.executions()] == [id_of(each) for each in them[::-1]]
    assert len(made.makers_of_path("o7")) == 1
    assert not made.is_in_memory
    made.close()
    again = Index(path)
    assert again.count() == 200


def test_a_folder_in_its_place(tmp_path: Any) -> None:
    path = tmp_path / "index.sqlite"
    path.mkdir()
    made = Index(str(path))
    assert made.tips() == {}
    assert made.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    assert (made.count(), made.is_in_memory) == (1, True)


def test_a_file_in_place_of_its_folder(tmp_path: Any) -> None:
    (tmp_path / "lineage").write_text("")
    made = Index(str(tmp_path / "lineage" / "index.sqlite"))
    assert made.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    assert made.count() == 1


def test_a_folder_that_cannot_be_written(tmp_path: Any) -> None:
    path = tmp_path / "index.sqlite"
    first = Index(str(path))
    assert first.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    first.close()
    path.chmod(stat.S_IRUSR)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(tmp_path, os.W_OK):
        tmp_path.chmod(stat.S_IRWXU)
        pytest.skip("root may write everywhere")
    try:
        made = Index(str(path))
        assert made.tips() == {"refs/a": "1"}
        assert not made.update({"refs/a": "2"}, expected=made.tips(), added=[execution(1)])
        assert made.is_in_memory
        assert made.update({"refs/a": "2"}, expected=made.tips(), added=[execution(1)])
        assert made.count() == 2
        missing = Index(str(tmp_path / "other.sqlite"))
        assert missing.update({"refs/a": "1"}, expected={}, added=[execution(0)])
        assert missing.count() == 1
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_file_that_refuses_writing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "index.sqlite")
    first = Index(path)
    assert first.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    first.close()
    plain = file._connect

    def read_only(path: str) -> sqlite3.Connection:
        connection = plain(path)
        if path != ":memory:":
            connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr(file, "_connect", read_only)
    made = Index(path)
    assert made.tips() == {"refs/a": "1"}
    assert not made.is_in_memory
    assert not made.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=[execution(1)])
    assert made.tips() == {"refs/a": "1"}  # what was there need not be fed again
    assert made.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=[execution(1)])
    assert (made.count(), made.is_in_memory) == (2, True)


def test_a_file_that_another_keeps(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "PATIENCE", 0.05)
    path = str(tmp_path / "index.sqlite")
    first = Index(path)
    assert first.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    made = Index(path)
    assert made.tips() == {}
    assert made.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    assert (made.count(), made.is_in_memory) == (1, True)
    other.execute("ROLLBACK")
    assert Index(path).count() == 1


def test_reading_takes_no_lock_that_keeps_others_from_writing(tmp_path: Any) -> None:
    path = str(tmp_path / "index.sqlite")
    reader, writer = Index(path), Index(path)
    assert writer.update({"refs/a": "1"}, expected={}, added=[execution(0)])
    assert reader.count() == 1
    assert writer.update({"refs/a": "2"}, expected={"refs/a": "1"}, added=[execution(1)])
    assert (reader.count(), reader.tips()) == (2, {"refs/a": "2"})


def test_reproductions_of_an_execution(fed: Any) -> None:
    first = execution()
    again = [launched(number, reproduces=id_of(first)) for number in (1, 2)]
    verdict = Comparison(verdict="different")
    index = fed(
        first,
        stored(again[0], ended(again[0], comparison=verdict)),
        stored(again[1], ended(again[1])),
    )
    ids = [digest.execution_id(each) for each in again]
    assert index.reproductions([id_of(first), ids[0]]) == {id_of(first): ids}
    rows = [index.row(each) for each in ids]
    assert [row.verdict for row in rows] == ["different", None]
    assert {row.reproduces for row in rows} == {id_of(first)}


def test_a_first_feeding_of_many_is_written_anew(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitlineage.index.WORTH_COMPACTING", 3)
    path = str(tmp_path / "index.sqlite")
    made = Index(path)
    assert made.update({"refs/a": "1"}, expected={}, added=[execution(n) for n in range(5)])
    state = everything(made)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    other.execute("BEGIN")
    assert other.execute("SELECT count(*) FROM record").fetchone() == (5,)
    made._compact()  # somebody reads: it stays as it is, and nobody waits
    assert everything(made) == state
    other.close()
    made._compact()
    assert everything(made) == state == everything(Index(path))
