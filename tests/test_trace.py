"""Traces: which producer a use resolves to, and that what is drawn is what there is."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import digest, encoding, manifests
from gitlineage.index import Index
from gitlineage.ledger import Stored
from gitlineage.records.artifact import Artifact
from gitlineage.records.deployment import Deployment
from gitlineage.records.end import End
from gitlineage.records.launch import Agent, Code, Launch, Place, Software
from gitlineage.trace import Start, Trace, flows, order, resolve_maker, resolve_makers, trace

NOON = 1_760_000_000_000_000
HOUR = 3_600_000_000
SOFTWARE = Software(name="git-lineage", version="1")
ADA = Agent(name="Ada", email="ada@example.org")


def of(text: str) -> str:
    return digest.of_text(digest.of_bytes(text.encode()))


def folder(text: str, into: dict[str, bytes]) -> bytes:
    """Return the digest of a directory spelled `{a=1,s/b=2}`; its manifests go into a map."""
    tree: dict[str, Any] = {}
    for word in text[1:-1].split(","):
        path, _, content = word.partition("=")
        *folders, name = path.split("/")
        at = tree
        for each in folders:
            at = at.setdefault(each, {})
        at[name] = content

    def pack(tree: dict[str, Any]) -> bytes:
        entries = [
            manifests.Entry(name, manifests.FOLDER, 1, pack(held))
            if isinstance(held, dict)
            else manifests.Entry(name, manifests.FILE, len(held), digest.of_bytes(held.encode()))
            for name, held in sorted(tree.items())
        ]
        content = manifests.pack(entries)
        found = digest.of_bytes(content)
        into[found.hex()] = content
        return found

    return pack(tree)


def artifact(spelled: str, held: dict[str, bytes] | None = None, **more: Any) -> Artifact:
    """Return an artifact from `path=content`; the content is the path where none is given.

    Content in braces is a directory's, whose manifests go into `held`.
    """
    path, _, text = spelled.partition("=")
    text = text if "=" in spelled else path
    if text.startswith("{") and held is not None:
        return Artifact(
            path=path, type="directory", how="declared", digests={"blake3": folder(text, held)}
        )
    return Artifact(
        path=path,
        type="file",
        how="declared",
        size=len(text),
        digests={"blake3": digest.of_bytes(text.encode())},
        **more,
    )


class Ledger:
    """Builds records in the order of the ledger and asks about them by name."""

    def __init__(self, folder: Any) -> None:
        self.index = Index(os.path.join(folder, "index.sqlite"))
        self.ids: dict[str, str] = {}
        self._records: list[Stored] = []
        self.manifests: dict[str, bytes] = {}
        self._is_fed = False

    def run(
        self,
        name: str,
        start: float,
        end: float | None,
        uses: str = "",
        makes: str = "",
        host: str = "here",
        parent: str | None = None,
        reproduces: str | None = None,
    ) -> str:
        """Add an execution that ran between two hours; artifacts are `path=content` words."""
        launch = encoding.encode(
            Launch(
                nonce=name.encode(),
                command=(name,),
                directory=".",
                step=name,
                started_at=NOON + int(start * HOUR),
                agent=ADA,
                software=SOFTWARE,
                place=Place(host=host),
                code=Code(),
                inputs=self._artifacts(uses),
                parent=None if parent is None else self.ids[parent],
                reproduces=None if reproduces is None else self.ids[reproduces],
            )
        )
        id = self.ids[name] = digest.execution_id(launch)
        self._append(
            (
                launch,
                encoding.encode(
                    End(
                        execution=id,
                        status="succeeded",
                        outputs=self._artifacts(makes),
                        finished_at=None if end is None else NOON + int(end * HOUR),
                    )
                ),
            )
        )
        return id

    def deploy(self, name: str, at: float, what: str) -> str:
        record = encoding.encode(
            Deployment(
                nonce=name.encode(),
                name=name,
                deployed_at=NOON + int(at * HOUR),
                agent=ADA,
                software=SOFTWARE,
                artifacts=self._artifacts(what),
                target="web",
            )
        )
        id = self.ids[name] = digest.record_id("deployment", [("record", record)])
        self._append((None, record))
        return id

    def _artifacts(self, words: str) -> tuple[Artifact, ...]:
        return tuple(artifact(each, self.manifests) for each in words.split())

    def _append(self, parts: tuple[bytes | None, bytes]) -> None:
        tree = hashlib.sha1(repr(parts).encode()).hexdigest()
        self._records.append(Stored(commit=tree, tree=tree, launch=parts[0], record=parts[1]))

    def fed(self) -> Index:
        if not self._is_fed:
            assert self.index.update(
                {"refs/a": "1"},
                expected={},
                added=self._records,
                look=lambda names: [self.manifests.get(each.split("/")[-1]) for each in names],
            )
            self._is_fed = True
        return self.index

    def maker(self, user: str, path: str) -> tuple[str | None, bool, int]:
        """Return who made what a user has at a path, whether that is sure, how many others did."""
        fed = self.fed()
        (use,) = (
            each
            for each in fed.artifacts_of([self.ids[user]])[self.ids[user]]
            if each.path == path and each.direction != "output"
        )
        (found,) = resolve_makers([use], fed)
        return (
            self._name(found.maker and found.maker.id),
            found.is_order_certain,
            found.others_count,
        )

    def trace(self, name: str, **more: Any) -> Trace:
        fed = self.fed()
        if "=" in name:
            path, _, text = name.partition("=")
            id = digest.of_text(folder(text, {})) if text.startswith("{") else of(text)
            return trace([Start(kind="artifact", id=id, path=path or None)], fed, **more)
        id = self.ids[name]
        row = fed.row(id)
        return trace([Start(kind=row.kind if row else "execution", id=id)], fed, **more)

    def edges(self, name: str, **more: Any) -> set[str]:
        """Return the edges of a trace as `a -> b`, artifacts by their content."""
        made = self.trace(name, **more)
        labels = {each.id: each.label for each in made.nodes}
        return {f"{labels[each.source]} -> {labels[each.target]}" for each in made.edges}

    def _name(self, id: str | None) -> str | None:
        return next((name for name, each in self.ids.items() if each == id), None)


@pytest.fixture
def ledger(tmp_path: Any) -> Ledger:
    return Ledger(tmp_path)


# -- which producer


def test_the_latest_earlier_maker_at_that_path(ledger: Ledger) -> None:
    ledger.run("first", 0, 1, makes="d=x")
    ledger.run("second", 2, 3, makes="d=x")
    ledger.run("user", 4, 5, uses="d=x")
    ledger.run("later", 6, 7, makes="d=x")
    assert ledger.maker("user", "d") == ("second", True, 2)


def test_the_path_goes_before_the_time(ledger: Ledger) -> None:
    ledger.run("there", 0, 1, makes="d=x")
    ledger.run("elsewhere", 2, 3, makes="copy=x")
    ledger.run("user", 4, 5, uses="d=x")
    assert ledger.maker("user", "d") == ("there", True, 1)


def test_a_copy_resolves_to_the_latest_that_made_the_bytes(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="a=x")
    ledger.run("two", 2, 3, makes="b=x")
    ledger.run("user", 4, 5, uses="c=x")
    assert ledger.maker("user", "c") == ("two", True, 1)


def test_an_empty_file_is_joined_at_its_path_only(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="out/_SUCCESS=")
    ledger.run("two", 2, 3, makes="other/_SUCCESS=")
    ledger.run("user", 4, 5, uses="out/_SUCCESS= third/_SUCCESS=")
    assert ledger.maker("user", "out/_SUCCESS") == ("one", True, 1)
    assert ledger.maker("user", "third/_SUCCESS") == (None, True, 2)


def test_nobody_made_it(ledger: Ledger) -> None:
    ledger.run("user", 4, 5, uses="raw.csv")
    assert ledger.maker("user", "raw.csv") == (None, True, 0)


def test_what_was_left_as_it_was_is_not_made(ledger: Ledger) -> None:
    ledger.run("maker", 0, 1, makes="d=x")
    ledger.run("toucher", 2, 3, uses="d=x", makes="d=x")
    ledger.run("user", 4, 5, uses="d=x")
    assert ledger.maker("user", "d") == ("maker", True, 0)
    assert ledger.edges("user", down=False) == {"maker -> d", "d -> user"}
    assert ledger.edges("toucher", up=False) == set()


def test_rewritten_in_place(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="d=x")
    ledger.run("two", 2, 3, uses="d=x", makes="d=y")
    ledger.run("three", 4, 5, uses="d=y", makes="d=z")
    assert ledger.maker("two", "d")[0] == "one"
    assert ledger.maker("three", "d")[0] == "two"
    assert len(ledger.trace("d=z").nodes) == 6


def test_an_execution_never_made_what_it_used(ledger: Ledger) -> None:
    ledger.run("copy", 0, 1, uses="a=x", makes="b=x")
    assert ledger.maker("copy", "a") == (None, True, 1)


def test_a_copy_does_not_make_its_source(ledger: Ledger) -> None:
    ledger.run("first", 0, 1, uses="a=x", makes="b=x")
    ledger.run("second", 2, 3, uses="a=x", makes="b=x")
    assert ledger.maker("second", "a") == (None, True, 2)
    assert ledger.edges("second", down=False) == {"a -> second"}
    assert ledger.trace("second").warnings == ()


def test_ended_at_the_moment_of_the_start_is_before(ledger: Ledger) -> None:
    ledger.run("maker", 0, 1, makes="d=x")
    ledger.run("user", 1, 2, uses="d=x")
    assert ledger.maker("user", "d") == ("maker", True, 0)


def test_streaming_overlap(ledger: Ledger) -> None:
    ledger.run("user", 1, 2, uses="d=x")
    ledger.run("server", 0, 5, makes="d=x")
    assert ledger.maker("user", "d") == ("server", False, 0)
    edge = next(each for each in ledger.trace("user").edges if each.kind == "generated")
    assert not edge.is_order_certain


def test_clock_ahead_is_seen_by_the_ledger(ledger: Ledger) -> None:
    ledger.run("maker", 3, 4, makes="d=x", host="ahead")
    ledger.run("user", 1, 2, uses="d=x")
    assert ledger.maker("user", "d") == ("maker", True, 0)


def test_clock_behind_is_seen_by_the_ledger(ledger: Ledger) -> None:
    ledger.run("maker", 0, 1, makes="d=x")
    ledger.run("user", 4, 5, uses="d=x")
    ledger.run("later", 2, 3, makes="d=x", host="behind")
    assert ledger.maker("user", "d") == ("maker", True, 1)


def test_on_one_machine_the_times_count(ledger: Ledger) -> None:
    ledger.run("user", 4, 5, uses="d=x")
    ledger.run("maker", 2, 3, makes="d=x")  # a clone that was pushed late
    ledger.run("overlapping", 3.5, 4.5, makes="d=x")
    assert ledger.maker("user", "d") == ("maker", True, 1)


def test_late_from_another_machine_is_uncertain(ledger: Ledger) -> None:
    ledger.run("user", 4, 5, uses="d=x")
    ledger.run("maker", 2, 3, makes="d=x", host="offline")
    assert ledger.maker("user", "d") == ("maker", False, 0)


def test_in_other_months_the_order_says_nothing(ledger: Ledger) -> None:
    ledger.run("user", 24 * 40, 24 * 40 + 1, uses="d=x")
    ledger.run("maker", 2, 3, makes="d=x", host="offline")
    assert ledger.maker("user", "d") == ("maker", True, 0)


def test_without_times_the_order_counts(ledger: Ledger) -> None:
    ledger.run("maker", 0, None, makes="d=x")
    ledger.run("user", 1, None, uses="d=x")
    assert ledger.maker("user", "d") == ("maker", True, 0)


def test_nested_run_goes_before_its_parents(ledger: Ledger) -> None:
    ledger.run("root", 0, 9, makes="d=x")
    ledger.run("middle", 1, 8, makes="d=x", parent="root")
    ledger.run("leaf", 2, 3, makes="d=x", parent="middle")
    ledger.run("user", 10, 11, uses="d=x")
    assert ledger.maker("user", "d") == ("leaf", True, 2)


def test_nested_through_one_that_made_nothing(ledger: Ledger) -> None:
    ledger.run("root", 0, 9, makes="d=x")
    ledger.run("middle", 1, 8, parent="root")
    ledger.run("leaf", 2, 3, makes="d=x", parent="middle")
    ledger.run("user", 10, 11, uses="d=x")
    assert ledger.maker("user", "d") == ("leaf", True, 1)


def test_what_relies_on_a_parent(ledger: Ledger) -> None:
    ledger.run("root", 0, 9, makes="d=x")
    ledger.run("leaf", 2, 3, makes="d=x", parent="root")
    ledger.run("user", 10, 11, uses="d=x")
    assert "d -> user" in ledger.edges("root")
    assert "d -> user" in ledger.edges("leaf")


def test_a_parent_is_not_before_its_child(ledger: Ledger) -> None:
    ledger.run("earlier", -2, -1, makes="d=x")
    ledger.run("root", 0, 9, makes="d=x")
    ledger.run("leaf", 2, 3, uses="d=x", parent="root")
    assert ledger.maker("leaf", "d") == ("earlier", True, 1)


def test_a_child_of_the_user_made_it(ledger: Ledger) -> None:
    ledger.run("root", 0, 9, uses="d=x")
    ledger.run("leaf", 2, 3, makes="d=x", parent="root")
    assert ledger.maker("root", "d") == ("leaf", False, 0)


def test_one_that_depends_on_the_user_is_not_taken(ledger: Ledger) -> None:
    ledger.run("user", 4, 5, uses="d=x", makes="e=y")
    ledger.run("circular", 6, 7, uses="e=y", makes="d=x")
    ledger.run("streaming", 1, 20, makes="d=x")
    assert ledger.maker("user", "d") == ("streaming", False, 1)


def test_a_cycle_is_drawn_and_reported(ledger: Ledger) -> None:
    ledger.run("a", 0, 5, uses="y", makes="x")
    ledger.run("b", 1, 6, uses="x", makes="y")
    for start in ("a", "b", "x=x"):
        made = ledger.trace(start)
        assert ledger.edges(start) == {"a -> x", "x -> b", "b -> y", "y -> a"}
        assert made.warnings == (
            f"these executions depend on one another: {ledger.ids['a'][:12]}, "
            f"{ledger.ids['b'][:12]}",
        )


def test_the_content_that_is_there_now(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="a=x b=")
    ledger.run("two", 2, 3, makes="c=x")
    fed = ledger.fed()

    def made_by(text: str, path: str | None) -> Any:
        found = resolve_maker(of(text), path, fed)
        return ledger._name(found.maker and found.maker.id), found.others_count

    assert made_by("x", "a") == ("one", 1)
    assert made_by("x", "moved") == ("two", 1)
    assert made_by("x", None) == ("two", 1)
    assert made_by("", "b") == ("one", 0)
    assert made_by("", "moved") == (None, 1)
    assert made_by("never", "a") == (None, 0)


def test_a_reproduction_makes_only_what_nobody_else_has(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="a=x")
    ledger.run("again", 2, 3, makes="a=x b=new", reproduces="one")
    ledger.run("use", 4, 5, uses="a=x b=new")
    fed = ledger.fed()
    for text, name, others in (("x", "one", 1), ("new", "again", 0)):
        found = resolve_maker(of(text), None, fed)
        assert found.maker is not None
        assert (ledger._name(found.maker.id), found.others_count) == (name, others)


# -- which graph


@pytest.fixture
def pipeline(ledger: Ledger) -> Ledger:
    ledger.run("prepare", 0, 1, uses="raw", makes="data rest")
    ledger.run("train", 2, 3, uses="data lib", makes="model log")
    ledger.run("evaluate", 4, 5, uses="model data", makes="score")
    ledger.deploy("shop", 6, "model")
    return ledger


def test_of_a_file_both_ways(pipeline: Ledger) -> None:
    assert pipeline.edges("model=model") == {
        "raw -> prepare",
        "prepare -> data",
        "data -> train",
        "lib -> train",
        "train -> model",
        "model -> evaluate",
        "evaluate -> score",
        "model -> shop",
    }


def test_up_only(pipeline: Ledger) -> None:
    assert pipeline.edges("model=model", down=False) == {
        "raw -> prepare",
        "prepare -> data",
        "data -> train",
        "lib -> train",
        "train -> model",
    }


def test_down_only(pipeline: Ledger) -> None:
    assert pipeline.edges("model=model", up=False) == {
        "model -> evaluate",
        "evaluate -> score",
        "model -> shop",
    }


def test_of_an_execution(pipeline: Ledger) -> None:
    assert pipeline.edges("train") == {
        "raw -> prepare",
        "prepare -> data",
        "data -> train",
        "lib -> train",
        "train -> model",
        "train -> log",
        "model -> evaluate",
        "evaluate -> score",
        "model -> shop",
    }


def test_of_a_deployment(pipeline: Ledger) -> None:
    assert pipeline.edges("shop") == {
        "raw -> prepare",
        "prepare -> data",
        "data -> train",
        "lib -> train",
        "train -> model",
        "model -> shop",
    }


def test_depth_counts_executions(pipeline: Ledger) -> None:
    def drawn(start: str, depth: int, **more: Any) -> tuple[int, bool]:
        made = pipeline.trace(start, depth=depth, **more)
        return len(made.nodes), made.is_limited

    assert [drawn("score=score", n) for n in range(4)] == [
        (1, True),
        (4, True),
        (8, False),
        (8, False),
    ]
    assert [drawn("prepare", n, up=False) for n in range(4)] == [
        (3, True),
        (9, False),
        (9, False),
        (9, False),
    ]
    assert [drawn("evaluate", n, down=False) for n in range(3)] == [
        (3, True),
        (7, False),
        (7, False),
    ]


def test_nodes_are_told_in_order(pipeline: Ledger) -> None:
    made = pipeline.trace("model=model")
    assert [each.label for each in made.nodes if each.kind != "artifact"] == [
        "prepare",
        "train",
        "evaluate",
        "shop",
    ]
    place = {each.id: number for number, each in enumerate(made.nodes)}
    assert all(place[each.source] < place[each.target] for each in made.edges)
    assert [each.is_target for each in made.nodes].count(True) == 1
    assert made == pipeline.trace("model=model")


def test_unknown_starts_are_drawn_as_unknown(ledger: Ledger) -> None:
    ledger.run("a", 0, 1)
    for start in (
        Start(kind="execution", id="0" * 40),
        Start(kind="deployment", id="1" * 40),
        Start(kind="artifact", id=of("nothing"), path="p"),
    ):
        made = trace([start], ledger.fed())
        (node,) = made.nodes
        assert (node.id, node.kind, node.is_known, node.is_target) == (
            start.id,
            start.kind,
            False,
            True,
        )


def test_several_starts(pipeline: Ledger) -> None:
    fed = pipeline.fed()
    made = trace(
        [
            Start(kind="execution", id=pipeline.ids["prepare"]),
            Start(kind="deployment", id=pipeline.ids["shop"]),
        ],
        fed,
        depth=0,
        target="best",
    )
    assert made.target == "best"
    assert {each.label for each in made.nodes} == {
        "raw",
        "prepare",
        "data",
        "rest",
        "model",
        "shop",
    }


def test_a_use_that_another_made_does_not_rely(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="a=x")
    ledger.run("two", 0, 1.5, makes="b=x")
    ledger.run("user", 4, 5, uses="b=x", makes="c")
    assert ledger.edges("one", up=False) == {"one -> a"}
    assert ledger.edges("two", up=False) == {"two -> b", "b -> user", "user -> c"}
    # Of this file nobody made use; asked by its content alone, all that used it relies on it.
    assert ledger.edges("a=x", up=False) == set()
    assert ledger.edges("b=x", up=False) == {"b -> user", "user -> c"}
    assert ledger.edges("=x", up=False) == {"b -> user", "user -> c"}


def test_files_without_digest_belong_to_one_execution(ledger: Ledger, tmp_path: Any) -> None:
    launch = encoding.encode(
        Launch(
            nonce=b"n",
            command=("x",),
            directory=".",
            step="s",
            started_at=NOON,
            agent=ADA,
            software=SOFTWARE,
            place=Place(host="h"),
            code=Code(),
            inputs=(Artifact(path="s3://b/k", type="uri", how="declared"),),
        )
    )
    id = digest.execution_id(launch)
    end = encoding.encode(End(execution=id, status="succeeded"))
    made = Index(str(tmp_path / "other.sqlite"))
    assert made.update(
        {}, expected={}, added=[Stored(commit="a" * 40, tree="b" * 40, launch=launch, record=end)]
    )
    drawn = trace([Start(kind="execution", id=id)], made)
    assert [(each.label, each.type, each.is_known) for each in drawn.nodes] == [
        ("s3://b/k", "uri", True),
        ("s", None, True),
    ]


def test_a_long_chain(ledger: Ledger) -> None:
    for n in range(5000):
        ledger.run(f"r{n}", n, n + 0.5, uses=f"f{n}", makes=f"f{n + 1}")
    ledger.fed()
    began = time.process_time()
    made = ledger.trace("r2500")
    assert len(made.nodes) == 10_001
    assert time.process_time() - began < 10


# -- directories


def parts(ledger: Ledger, name: str, **more: Any) -> dict[str, tuple[str | None, int | None]]:
    """Return who is joined to a directory by parts of it: the first path inside, how many."""
    made = ledger.trace(name, **more)
    labels = {each.id: each.label for each in made.nodes}
    return {labels[e.source]: (e.inside, e.parts_count) for e in made.edges if e.inside}


def test_a_directory_is_joined_with_who_made_files_in_it(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="d/a=x d/b=y")
    ledger.run("two", 2, 3, uses="raw", makes="d/s/c=z")
    ledger.run("user", 4, 5, uses="d={a=x,b=y,own=o,s/c=z}")
    expected = {"raw -> two", "one -> d", "two -> d", "d -> user"}
    for start in ("user", "d={a=x,b=y,own=o,s/c=z}"):
        assert ledger.edges(start) == expected
        assert parts(ledger, start) == {"one": ("a", 2), "two": ("s/c", 1)}
        assert ledger.trace(start).warnings == ("no execution made own in d, as far as is known",)
    assert {"d -> user", "one -> d"} <= ledger.edges("one", up=False)
    assert {"raw -> two", "two -> d", "d -> user"} <= ledger.edges("two")
    assert ledger.edges("d/s/c=z") == {"raw -> two", "two -> d/s/c", "d/s/c -> user"}


def test_a_file_is_joined_with_who_made_the_directory(ledger: Ledger) -> None:
    ledger.run("maker", 0, 1, uses="raw", makes="out={a=x,s/b=y}")
    ledger.run("user", 2, 3, uses="out/s/b=y", makes="score")
    expected = {
        "raw -> maker", "maker -> out/s/b", "out/s/b -> user", "user -> score",
    }  # fmt: skip
    assert ledger.maker("user", "out/s/b") == ("maker", True, 0)
    assert ledger.edges("score=score") == expected
    assert ledger.edges("out/s/b=y") == expected
    assert ledger.edges("maker") == expected | {"maker -> out"}
    assert ledger.edges("out={a=x,s/b=y}") == {
        "raw -> maker", "maker -> out", "out -> user", "user -> score",
    }  # fmt: skip


def test_a_directory_of_which_another_has_a_part(ledger: Ledger) -> None:
    ledger.run("maker", 0, 1, makes="out={a=x,s/b=y}")
    ledger.run("user", 2, 3, uses="all={out/a=x,out/s/b=y} some={s/b=y,own=o}")
    made = [each for each in ledger.trace("user").edges if each.inside]
    assert sorted((each.path, each.inside) for each in made) == [("out", "out"), ("out/s", "s")]
    assert ledger.edges("maker", up=False) == {
        "maker -> out", "maker -> all", "maker -> some", "all -> user", "some -> user",
    }  # fmt: skip


def test_who_made_the_whole_goes_before_who_made_parts(ledger: Ledger) -> None:
    ledger.run("part", 0, 1, makes="d/a=x")
    ledger.run("whole", 2, 3, makes="d={a=x,b=y}")
    ledger.run("user", 4, 5, uses="d={a=x,b=y}")
    assert ledger.edges("user") == {"whole -> d", "d -> user"}
    assert ledger.edges("part") == {"part -> d/a"}


def test_parts_made_earlier_go_before_a_whole_made_later(ledger: Ledger) -> None:
    ledger.run("part", 0, 1, makes="d/a=x")
    ledger.run("user", 2, 3, uses="d={a=x}")
    ledger.run("whole", 4, 5, makes="d={a=x}")
    assert ledger.edges("user", down=False) == {"part -> d", "d -> user"}


def test_what_a_directory_held_before_was_not_made_with_it(ledger: Ledger) -> None:
    ledger.run("first", 0, 1, makes="d={a=x,b=y}")
    ledger.run("changer", 2, 3, uses="d={a=x,b=y}", makes="d={a=x,b=z}")
    ledger.run("user", 4, 5, uses="d/a=x d/b=z")
    assert ledger.maker("user", "d/a") == ("first", True, 0)
    assert ledger.maker("user", "d/b") == ("changer", True, 0)


def test_a_deployed_directory(ledger: Ledger) -> None:
    ledger.run("maker", 0, 1, makes="d/a=x")
    ledger.deploy("shop", 6, "d={a=x,b=y}")
    assert ledger.edges("shop") == ledger.edges("maker", up=False) - {"maker -> d/a"}
    assert ledger.edges("shop") == {"maker -> d", "d -> shop"}


def test_empty_files_in_directories_are_joined_at_their_path_only(ledger: Ledger) -> None:
    ledger.run("one", 0, 1, makes="elsewhere/_SUCCESS=")
    ledger.run("user", 2, 3, uses="d={_SUCCESS=,a=x}")
    assert ledger.edges("user") == {"d -> user"}


# -- the same by the plainest means


DIRECTORIES = ("{a=1}", "{a=1,b=2}", "{a=2,b=2}", "{a=1,s/a=1,s/b=3}", "{s/a=1}", "{a=,b=4}")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, float, str, str]]:
    """Return executions in the order of their ends: start, end, uses, makes."""
    runs = []
    files = st.sampled_from(["", "1", "2", "3", "4"])
    words = st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["p", "q", "r", "p/a", "p/s/a", "q/b"]), files),
            st.tuples(st.sampled_from(["p", "q", "p/s"]), st.sampled_from(DIRECTORIES)),
        ),
        max_size=3,
        unique_by=lambda each: each[0].split("/")[0],
    )
    for end in range(draw(st.integers(1, 9))):
        start = end - draw(st.sampled_from([0.5, 0.5, 0.5, 3.5]))
        uses, makes = (" ".join(f"{path}={text}" for path, text in draw(words)) for _ in "um")
        runs.append((start, float(end), uses, makes))
    return runs


def pairs(words: str) -> list[tuple[str, str]]:
    return [(path, text) for word in words.split() for path, _, text in [word.partition("=")]]


def inside(text: str) -> list[tuple[str, str]]:
    """Return what a directory holds at any depth, folders before what is in them."""
    if not text.startswith("{"):
        return []
    files = [(path, held) for path, _, held in (w.partition("=") for w in text[1:-1].split(","))]
    found = []
    for name in dict.fromkeys(path.split("/")[0] for path, _ in files):
        below = [(path[len(name) + 1 :], held) for path, held in files if path.startswith(name)]
        if below[0][0]:
            folder = "{" + ",".join(f"{path}={held}" for path, held in below) + "}"
            found.append((name, folder))
            found += [(f"{name}/{path}", held) for path, held in inside(folder)]
        else:
            found.append((name, below[0][1]))
    return found


Use = tuple[int, str, str, tuple[str, str] | None]
"""Who used what at which path, and the directory that it is a part of."""


class Naive:
    """The definition of a trace, spelled out over a handful of runs."""

    def __init__(self, runs: list[tuple[float, float, str, str]], ids: list[str]) -> None:
        self.runs = runs
        self.ids = ids
        self.uses = [pairs(uses) for _, _, uses, _ in runs]
        self.outputs = [
            [each for each in pairs(makes) if each not in pairs(uses)] for _, _, uses, makes in runs
        ]
        self.makes = [
            [*outputs, *(e for e in self.below(outputs) if e not in [*uses, *self.below(uses)])]
            for outputs, uses in zip(self.outputs, self.uses, strict=True)
        ]

    def below(self, held: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(f"{path}/{name}", part) for path, text in held for name, part in inside(text)]

    def makers(self, use: Use) -> list[list[int]]:
        _, path, text, whole = use
        everywhere = [n for n, makes in enumerate(self.makes) if text in [t for _, t in makes]]
        there = [n for n in everywhere if (path, text) in self.makes[n]]
        users = [n for n, uses in enumerate(self.uses) if (path, text) in uses or whole in uses]
        first = min(users, key=lambda n: (self.runs[n][0], self.ids[n]))
        elsewhere = [n for n in everywhere if n != first and self.runs[n][0] <= self.runs[first][1]]
        return [there, elsewhere if text else []]

    def certain(self, use: Use) -> int | None:
        user = use[0]
        for tier in self.makers(use):
            earlier = [n for n in tier if n != user and self.runs[n][1] <= self.runs[user][0]]
            if earlier:
                return max(earlier, key=lambda n: self.runs[n][1])
        return None

    def parts(self, use: Use) -> list[Use]:
        user, path, text, _ = use
        return [(user, f"{path}/{name}", held, (path, text)) for name, held in inside(text)]

    def possible(self, use: Use) -> set[int]:
        found = self.certain(use)
        if found is not None:
            return {found}
        return {n for tier in self.makers(use) for n in tier}

    def depends(self, maker: int, user: int) -> bool:
        reached = {maker}
        while True:
            more = set(reached)
            for each in reached:
                for path, text in self.uses[each]:
                    use = (each, path, text, None)
                    more |= self.possible(use)
                    if self.certain(use) is None:
                        more |= {n for part in self.parts(use) for n in self.possible(part)}
            if more == reached:
                return user in reached - {maker} or user == maker
            reached = more

    def maker(self, use: Use) -> int | None:
        found = self.certain(use)
        if found is not None:
            return found
        user = use[0]
        tiers = [[n for n in tier if n != user] for tier in self.makers(use)]
        tiers = [
            sorted(tier, key=lambda n: abs(self.runs[n][1] - self.runs[user][0])) for tier in tiers
        ]
        for tier in tiers:
            for each in tier:
                if not self.depends(each, user):
                    return each
        return next((tier[0] for tier in tiers if tier), None)

    def sources(self, user: int, path: str, text: str) -> set[int]:
        """Return who made a use or, of a directory that nobody made earlier, its parts."""
        use = (user, path, text, None)
        found = self.certain(use)
        if found is not None:
            return {found}
        makers, is_certain, covered = set(), False, "/"
        for part in self.parts(use):
            earlier = self.certain(part)
            if part[1].startswith(covered) or (part[2].startswith("{") and earlier is None):
                continue
            if part[2].startswith("{"):
                covered = part[1] + "/"
            is_certain |= earlier is not None
            makers |= {self.maker(part)} - {None}
        whole = self.maker(use)
        return {whole} if whole is not None and not is_certain else makers

    def up(self, start: int) -> set[tuple[Any, ...]]:
        edges: set[tuple[Any, ...]] = set()
        waiting, seen = [start], {start}
        while waiting:
            user = waiting.pop()
            for path, text in self.uses[user]:
                edges.add(("used", text, user, path))
                for maker in self.sources(user, path, text):
                    edges.add(("generated", maker, text))
                    if maker not in seen:
                        seen.add(maker)
                        waiting.append(maker)
        return edges

    def down(self, start: int) -> set[tuple[Any, ...]]:
        edges: set[tuple[Any, ...]] = set()
        waiting, seen = [start], {start}
        while waiting:
            maker = waiting.pop()
            edges |= {("generated", maker, text) for _, text in self.outputs[maker]}
            for user, uses in enumerate(self.uses):
                for path, text in uses:
                    if maker in self.sources(user, path, text):
                        edges |= {("generated", maker, text), ("used", text, user, path)}
                        if user not in seen:
                            seen.add(user)
                            waiting.append(user)
        return edges


@settings(deadline=None, max_examples=100)
@given(histories(), st.data())
def test_equals_the_naive_closure(
    runs: list[tuple[float, float, str, str]], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(runs) - 1))
    with tempfile.TemporaryDirectory() as place:
        ledger = Ledger(place)
        for number, (begin, end, uses, makes) in enumerate(runs):
            ledger.run(str(number), begin, end, uses, makes)
        number_of = {id: int(name) for name, id in ledger.ids.items()}
        text_of = {of(text): text for text in ("", "1", "2", "3", "4")}
        folders = {t for each in DIRECTORIES for _, t in (("", each), *inside(each)) if "{" in t}
        text_of |= {digest.of_text(folder(text, {})): text for text in folders}
        naive = Naive(runs, [ledger.ids[str(n)] for n in range(len(runs))])
        for more, expected in (
            ({"down": False}, naive.up(start)),
            ({"up": False}, naive.down(start)),
        ):
            found = {
                ("used", text_of[e.source], number_of[e.target], e.path)
                if e.kind == "used"
                else ("generated", number_of[e.source], text_of[e.target])
                for e in ledger.trace(str(start), **more).edges
            }
            assert found == expected
            for depth in (None, 1, 2):
                one_by_one = ledger.trace(str(start), **more, depth=depth)
                with patch.object(flows, "FEWEST", 1):
                    assert ledger.trace(str(start), **more, depth=depth) == one_by_one
        ledger.index.close()


def test_what_flows_is_the_same_as_looked_at_one_by_one(ledger: Ledger) -> None:
    for n in range(60):
        ledger.run(f"p{n}", n, n + 0.5, uses=f"raw own{n}", makes=f"a{n} b{n} e{n}=")
        ledger.run(f"q{n}", n + 0.5, n + 1, uses=f"a{n} c/b{n}=b{n} e{n}=", makes=f"a{n}=x d{n}")
    ledger.run("all", 100, 101, uses=" ".join(f"d{n}" for n in range(60)), makes="all")
    ledger.deploy("shop", 102, "all d3")
    ledger.fed()
    for start in ("raw=raw", "all", "shop"):
        for depth in (None, 1, 2):
            at_once = ledger.trace(start, depth=depth)
            with patch.object(flows, "FEWEST", 1000):
                assert ledger.trace(start, depth=depth) == at_once
    assert len(ledger.trace("raw=raw", up=False).nodes) > 300


@given(
    st.lists(st.integers(-1, 4), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12),
)
def test_in_time_is_the_order_by_rank(ranks: list[int], arrows: list[tuple[int, int]]) -> None:
    names = {str(n): rank for n, rank in enumerate(ranks)}
    pairs = [(str(a), str(b)) for a, b in arrows if max(a, b) < len(ranks) and a != b]
    told = order.ordered(names, pairs)
    with patch.object(order, "_in_time", return_value=None):
        assert order.ordered(names, pairs) == told
    assert sorted(told) == sorted(names)
