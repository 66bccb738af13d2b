"""Copies that record, tag, fetch and push in any order become one, and nothing is lost."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sharing import (
    ADA,
    git,
    keep_code,
    members,
    record,
    refs,
    sync,
    tag,
    trees,
    untag,
)

from gitlineage import chains
from gitlineage.commits import NewCommit
from gitlineage.repository import Repository
from gitlineage.tags import Tags
from gitlineage.wiring import Wiring

CLONES = ("ours", "theirs")
ALL = ("ledger", "tags", "code")

clones = st.sampled_from(CLONES)
names = st.sampled_from(["prod", "good"])


class TwoClones(RuleBasedStateMachine):
    """Two clones of a bare remote, whose owners do what they like."""

    template: Path
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.template.parent / f"example{next(self.numbers)}"
        shutil.copytree(self.template, self.folder, symlinks=True)
        for name in CLONES:
            git(self.folder / name, "remote", "set-url", "origin", "../remote.git")
        self.executions: list[str] = []
        self.records: set[str] = set()
        self.there: set[str] = set()

    @invariant()
    def remote_keeps_what_it_has(self) -> None:
        there = set(trees(self.clone("remote.git")))
        assert self.there <= there
        self.there = there

    def clone(self, name: str) -> Path:
        return self.folder / name

    @rule(name=clones)
    def record(self, name: str) -> None:
        self.executions.append(record(self.clone(name), f"r{len(self.executions)}"))
        self.records |= set(trees(self.clone(name)))

    @rule(name=clones, number=st.integers(0, 1))
    def keep_code(self, name: str, number: int) -> None:
        (self.clone(name) / "code.py").write_text(f"print({number})\n")
        keep_code(self.clone(name), is_clean=False)

    @precondition(lambda self: self.executions)
    @rule(name=clones, tagged=names, data=st.data())
    def tag(self, name: str, tagged: str, data: st.DataObject) -> None:
        tag(self.clone(name), tagged, data.draw(st.sampled_from(self.executions[-2:])))

    @precondition(lambda self: self.executions)
    @rule(name=clones, tagged=names, data=st.data())
    def untag(self, name: str, tagged: str, data: st.DataObject) -> None:
        untag(self.clone(name), tagged, data.draw(st.sampled_from(self.executions[-2:])))

    @rule(name=clones)
    def fetch(self, name: str) -> None:
        sync(self.clone(name)).fetch("origin")

    @rule(name=clones)
    def push(self, name: str) -> None:
        sync(self.clone(name)).push("origin")

    @rule(name=clones)
    def plain_fetch(self, name: str) -> None:
        git(self.clone(name), "fetch", "-q")

    @rule(name=clones)
    def plain_push(self, name: str) -> None:
        git(self.clone(name), "push", "-q", "origin", "main")

    @rule(name=clones)
    def read(self, name: str) -> None:
        with_tracked = sync(self.clone(name))
        with_tracked.fold(with_tracked.tracked())

    def teardown(self) -> None:
        ours, theirs, remote = (self.clone(name) for name in (*CLONES, "remote.git"))
        # The second hears of the first's, and the first of what came of that.
        for clone in (ours, theirs):
            sync(clone).fetch("origin", ALL)
            assert sync(clone).push("origin").warnings == ()
        sync(ours).fetch("origin", ALL)
        assert refs(ours, "refs/lineage") == refs(theirs, "refs/lineage") == refs(
            remote, "refs/lineage")  # fmt: skip
        assert set(trees(ours)) == self.records
        assert len(trees(ours)) == len(self.records) == len(self.executions)
        assert members(ours) == members(theirs)
        for each in (ours, remote):
            assert git(each, "fsck", "--strict", "--no-dangling") == ""
        assert git(remote, "rev-list", "--count", "--remotes", "--branches") == "1\n"
        assert refs(ours, chains.SCRATCH) == {}
        shutil.rmtree(self.folder)


def test_two_clones_converge(clone_pair: tuple[Path, Path], isolated: Path) -> None:
    template = isolated / "template"
    template.mkdir()
    for path in (*clone_pair, isolated / "remote.git"):
        path.rename(template / path.name)
        shutil.rmtree(template / path.name / ".git/hooks", ignore_errors=True)
    for name in CLONES:
        git(template / name, "remote", "set-url", "origin", "../remote.git")
        Wiring(Repository.discover(str(template / name))).connect("origin")
    TwoClones.template = template
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        TwoClones,
        settings=settings(
            max_examples=10, stateful_step_count=14, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


# -- union of chains -------------------------------------------------------------------------

REF = "refs/lineage/ledger/2026-11"

record_sets = st.lists(st.integers(0, 5), unique=True, max_size=4)
few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def bare(bare_remote: Path) -> Repository:
    return Repository.discover(str(bare_remote))


def chain(repository: Repository, numbers: list[int], behind: str | None = None) -> str | None:
    """Return the tip of a chain with these records, behind another; none for none."""
    commits = [
        NewCommit(files={"record": str(n).encode()}, message=f"{n}\n", author=ADA, committer=ADA)
        for n in numbers
    ]
    if not commits:
        return behind
    scratch = "refs/scratch"
    repository.writer.set_ref(scratch, None, repository.tips(scratch).get(scratch))
    if behind is not None:
        repository.writer.set_ref(scratch, behind, None)
    made = repository.writer.append(scratch, behind, commits)
    assert made is not None
    return made[-1]


def fold(repository: Repository, *tips: str | None) -> str | None:
    """Return the tip of what becomes of copies that are folded in this order."""
    before = repository.tips(REF).get(REF)
    if before is not None:
        repository.writer.set_ref(REF, None, before)
    for tip in tips:
        if tip is not None:
            chains.fold(repository, REF, tip)
    return repository.tips(REF).get(REF)


def held(repository: Repository, tip: str | None) -> list[str]:
    return sorted(each.tree for each in repository.commits([tip])) if tip else []


@few
@given(shared=record_sets, a=record_sets, b=record_sets, c=record_sets)
def test_union_is_commutative_associative_and_idempotent(
    bare: Repository, shared: list[int], a: list[int], b: list[int], c: list[int]
) -> None:
    base = chain(bare, shared)
    kept = [[n for n in numbers if n not in shared] for numbers in (a, b, c)]
    # With a common beginning, or begun independently with the same records in it.
    x, y = chain(bare, kept[0], base), chain(bare, kept[1], base)
    z = chain(bare, [*reversed(shared), *kept[2]])
    everything = held(bare, chain(bare, sorted({*shared, *a, *b, *c})))
    assert held(bare, fold(bare, x, y, z)) == everything
    assert held(bare, fold(bare, z, y, x)) == everything
    assert held(bare, fold(bare, x, fold(bare, y, z))) == everything
    both = fold(bare, x, y)
    assert held(bare, both) == held(bare, fold(bare, y, x))
    assert fold(bare, both, x, y, both) == both
    assert bare.tips(chains.SCRATCH) == {}


# -- merges of tags --------------------------------------------------------------------------

IDS = [str(n) * 40 for n in range(3)]
copies = st.sampled_from(["a", "b", "c"])
changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), copies, st.sampled_from(IDS)),
        st.tuples(st.just("remove"), copies, st.sampled_from(IDS)),
        st.tuples(st.just("merge"), copies, copies),
    ),
    max_size=8,
)


@few
@given(changes=changes)
def test_copies_of_a_tag_converge(bare: Repository, changes: list[tuple[str, str, str]]) -> None:
    tags = Tags(bare)
    for ref, tip in tags.tips().items():
        bare.writer.set_ref(ref, None, tip)

    def merge(into: str, other: str) -> None:
        tip = tags.tips().get(f"refs/lineage/tags/{other}")
        if tip is not None:
            tags.fold(f"refs/lineage/tags/{into}", tip)

    doing: dict[str, Callable[[str, str], None]] = {
        "add": lambda copy, id: tags.add(copy, [id], ADA),
        "remove": lambda copy, id: tags.remove(copy, [id], ADA),
        "merge": merge,
    }
    for what, copy, other in changes:
        doing[what](copy, other)
    touched = {id for what, _, id in changes if what == "add"}
    removed = {id for what, _, id in changes if what == "remove"}
    for into, other in (("a", "b"), ("a", "c"), ("b", "a"), ("c", "a")):
        merge(into, other)
    found = [sorted(tags.members(tip)) for tip in tags.tips().values()]
    assert all(each == found[0] for each in found)
    assert len(set(tags.tips().values())) <= 1
    assert touched - removed <= set(found[0] if found else ()) <= touched


@few
@given(mine=changes, yours=changes)
def test_both_sides_of_a_merge_choose_the_same(
    bare: Repository, mine: list[tuple[str, str, str]], yours: list[tuple[str, str, str]]
) -> None:
    tags = Tags(bare)
    for ref, tip in tags.tips().items():
        bare.writer.set_ref(ref, None, tip)
    tags.add("a", IDS[:2], ADA)
    base = tags.tips()["refs/lineage/tags/a"]
    bare.writer.set_ref("refs/lineage/tags/b", base, None)
    for copy, side in (("a", mine), ("b", yours)):
        for what, _, id in side:
            if what != "merge":
                (tags.add if what == "add" else tags.remove)(copy, [id], ADA)
    a, b = (tags.tips()[f"refs/lineage/tags/{copy}"] for copy in "ab")
    before, here, there = (bare.entries(tip) for tip in (base, a, b))
    tags.fold("refs/lineage/tags/a", b)
    tags.fold("refs/lineage/tags/b", a)
    merged = tags.tips()
    assert merged["refs/lineage/tags/a"] == merged["refs/lineage/tags/b"]
    # Whoever changed something is right; where both did, what is there beats a removal.
    expected = [
        id for id in IDS
        if (here.get(id) if there.get(id) == before.get(id) else
            there.get(id) if here.get(id) == before.get(id) else
            here.get(id) or there.get(id))
    ]  # fmt: skip
    assert sorted(tags.members(merged["refs/lineage/tags/a"])) == expected


def test_the_order_of_records_is_kept(bare: Repository) -> None:
    base = chain(bare, [0])
    x, y = chain(bare, [1, 2], base), chain(bare, [3, 4], base)
    tip = fold(bare, x, y)
    listed = subprocess.run(["git", "log", "--reverse", "--format=%s", str(tip)], cwd=bare.git_dir,
                            capture_output=True, text=True, check=True)  # fmt: skip
    assert listed.stdout.split() == ["0", "3", "4", "1", "2"]
