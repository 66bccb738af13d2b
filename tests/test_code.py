"""The code that ran stays, whatever becomes of branches, and nothing unpublished travels along."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Git

from gitlineage import code, worktree
from gitlineage.code import CodeChain, is_snapshot
from gitlineage.commits import Identity
from gitlineage.repository import Repository

ADA = Identity(name="Ada Lovelace", email="ada@example.org", at=1_795_424_461)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class Here:
    """A repository, and what git says of it."""

    def __init__(self, path: Path, git: Git) -> None:
        self.path = path
        self.repository = Repository.discover(str(path))
        self.chain = CodeChain(self.repository)
        self._git = git

    def git(self, *arguments: str | Path, **variables: str) -> str:
        return self._git(*arguments, cwd=self.path, **variables)

    def tree(self, text: str) -> str:
        """Return the tree of HEAD with another file in it."""
        (self.path / "extra").write_text(text)
        return worktree.tree_with(self.repository, ["extra"])

    def keep(self, tree: str | None = None, remote: str | None = "origin") -> str:
        """Keep the code that is here now; return the commit that holds it."""
        unborn = not self.git("rev-list", "-n1", "--all", "--glob=refs/heads")
        head = None if unborn else self.git("rev-parse", "HEAD")
        own = None if unborn else self.git("rev-parse", "HEAD^{tree}")
        tree = tree or own
        assert tree is not None
        return self.chain.keep(tree, head, remote, ADA, is_clean=tree == own)

    def links(self) -> list[str]:
        """Return the links of the chain, oldest first: subject and the commit that holds code."""
        refs = self.git("for-each-ref", "--format=%(refname)", code.PREFIX).split()
        listed = self.git("log", "--first-parent", "--reverse", "--format=%s|%P|%T", *refs, "--")
        return listed.splitlines() if refs else []


@pytest.fixture
def here(repo: Path, git: Git) -> Here:
    return Here(repo, git)


@pytest.fixture
def pair(clone_pair: tuple[Path, Path], git: Git) -> tuple[Here, Here]:
    return Here(clone_pair[0], git), Here(clone_pair[1], git)


def test_a_published_commit_is_kept_as_itself(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    head = here.git("rev-parse", "HEAD")
    assert here.keep() == head
    root, link = here.links()
    assert root == f"code of {time.strftime('%Y-%m', time.gmtime())}||{EMPTY_TREE}"
    subject, parents, tree = link.split("|")
    assert subject == f"code {here.git('rev-parse', 'HEAD^{tree}')}"
    assert parents.split()[1] == head
    assert tree == EMPTY_TREE
    assert not is_snapshot(here.repository, head)


def test_an_unpublished_commit_does_not_travel(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    published = here.git("rev-parse", "HEAD")
    for name in ("one", "two"):
        (here.path / name).write_text(name)
        here.git("add", ".")
        here.git("commit", "-q", "-m", f"secret {name}")
    held = here.keep()
    assert is_snapshot(here.repository, held)
    assert here.git("rev-parse", f"{held}^{{tree}}") == here.git("rev-parse", "HEAD^{tree}")
    assert here.git("log", "--format=%P", "-1", held) == published
    reached = here.git("log", "--format=%s", "--glob=refs/lineage/code/")
    assert "secret" not in reached


def test_a_snapshot_of_changed_files_stands_on_the_nearest_published_commit(
    pair: tuple[Here, Here],
) -> None:
    here = pair[0]
    tree = here.tree("changed")
    held = here.keep(tree)
    raw = here.git("cat-file", "commit", held)
    base = here.git("rev-parse", "origin/main")
    at = here.git("log", "-1", "--format=%ct", base)
    who = f"git-lineage <snapshot@git-lineage.invalid> {at} +0000"
    assert raw == f"tree {tree}\nparent {base}\nauthor {who}\ncommitter {who}\n\nsnapshot"
    here.git("fsck", "--strict")


def test_two_clones_make_the_same_snapshot(pair: tuple[Here, Here]) -> None:
    ours, theirs = pair
    theirs.git("config", "user.name", "Somebody Else")
    theirs.git("config", "i18n.commitEncoding", "ISO-8859-1")
    assert ours.keep(ours.tree("same")) == theirs.keep(theirs.tree("same"))
    assert ours.keep(ours.tree("other")) != theirs.keep(theirs.tree("same"))


def test_nothing_is_published_without_a_remote(here: Here) -> None:
    held = here.keep(remote=None)
    assert is_snapshot(here.repository, held)
    raw = here.git("cat-file", "commit", held)
    assert "\nparent " not in raw
    assert "> 0 +0000\n" in raw
    assert here.git("rev-parse", f"{held}^{{tree}}") == here.git("rev-parse", "HEAD^{tree}")


def test_the_nearest_published_commit_is_the_one_that_git_would_find(here: Here) -> None:
    # Two lines of work, half of each published, brought together twice; and many other branches.
    tree, made = here.git("rev-parse", "HEAD^{tree}"), [here.git("rev-parse", "HEAD")]

    def commit(*parents: str) -> str:
        words = [word for each in parents for word in ("-p", each)]
        made.append(here.git("commit-tree", "-m", str(len(made)), *words, tree))
        return made[-1]

    root = made[0]
    one, other = [root], [root]
    for _ in range(3):
        one.append(commit(one[-1]))
        other.append(commit(other[-1]))
    joined = commit(one[3], other[1])
    tip = commit(commit(joined, other[3]))
    unrelated = here.git("commit-tree", "-m", "alone", tree)
    published = ([], [root], [one[2]], [one[2], other[2]], [one[1], other[3]],
                 [one[1], one[3], other[1]], [joined], [tip], [unrelated])  # fmt: skip
    for count, branches in enumerate(published):
        for ref in here.git("for-each-ref", "--format=%(refname)", "refs/remotes").split():
            here.git("update-ref", "-d", ref)
        for number, each in enumerate(branches):
            here.git("update-ref", f"refs/remotes/origin/{count}/{number}", each)
        for asked in (tip, joined, one[1], other[3]):
            command = ["git", "merge-base", "--all", asked, *(branches or [unrelated])]
            bases = subprocess.run(command, cwd=here.path, capture_output=True, text=True)
            found = here.chain._published(asked, "origin")
            assert found in (bases.stdout.split() or [None]), (count, asked)


def test_only_the_remote_that_lineage_goes_to_counts_as_published(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    here.git("remote", "add", "other", "nowhere")
    held = here.keep(remote="other")
    assert is_snapshot(here.repository, held)
    assert here.git("log", "-1", "--format=%P", held) == ""


def test_the_same_code_is_kept_once(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    tree = here.tree("changed")
    held = here.keep(tree)
    clean = here.keep()
    before = here.links()
    assert len(before) == 3
    assert (here.keep(tree), here.keep()) == (held, clean)
    (here.path / "extra").touch()
    assert here.keep(here.tree("changed")) == held
    assert here.links() == before
    assert (here.chain.find(tree), here.chain.find("1" * 40)) == (held, None)


def test_code_of_an_earlier_month_is_found(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = here.tree("changed")
    held = here.keep(tree, remote=None)
    month = time.strftime("%Y-%m", time.gmtime())
    here.git("update-ref", code.PREFIX + "2020-01", code.PREFIX + month)
    here.git("update-ref", "-d", code.PREFIX + month)
    assert here.keep(tree, remote=None) == held
    assert here.keep(here.tree("new"), remote=None) != held
    assert here.git("for-each-ref", "--format=%(refname)", code.PREFIX).split() == [
        code.PREFIX + "2020-01",
        code.PREFIX + month,
    ]
    assert here.chain.find(tree) == held


def test_the_first_of_a_month_is_the_same_everywhere(pair: tuple[Here, Here]) -> None:
    roots = []
    for each in pair:
        each.keep()
        (ref,) = each.git("for-each-ref", "--format=%(refname)", code.PREFIX).split()
        roots.append(each.git("rev-list", "--first-parent", "--max-parents=0", ref))
    assert roots[0] == roots[1]


def test_a_walk_along_first_parents_never_enters_the_users_history(here: Here) -> None:
    here.keep(remote=None)
    here.keep(here.tree("changed"), remote=None)
    tips = list(here.repository.tips(code.PREFIX).values())
    assert len(here.repository.commits(tips)) == 3


def test_git_gc_keeps_the_code_whatever_becomes_of_branches(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    here.git("checkout", "-q", "-b", "topic")
    (here.path / "kept").write_text("committed, then thrown away")
    here.git("add", ".")
    here.git("commit", "-q", "-m", "thrown away")
    kept = [here.keep(), here.keep(here.tree("never committed"))]
    here.git("checkout", "-q", "-f", "main")
    here.git("branch", "-q", "-D", "topic")
    here.git("reflog", "expire", "--expire=now", "--all")
    here.git("gc", "-q", "--prune=now")
    assert here.git("cat-file", "blob", f"{kept[0]}:kept") == "committed, then thrown away"
    assert here.git("cat-file", "blob", f"{kept[1]}:extra") == "never committed"
    here.git("fsck", "--strict")


def test_code_before_the_first_commit_is_kept(isolated: Path, git: Git) -> None:
    git("init", "-q", isolated / "new")
    here = Here(isolated / "new", git)
    held = here.keep(here.tree("first"))
    assert here.git("log", "-1", "--format=%P", held) == ""
    assert here.git("cat-file", "blob", f"{held}:extra") == "first"


def test_the_empty_tree_is_code_too(isolated: Path, git: Git) -> None:
    git("init", "-q", isolated / "new")
    here = Here(isolated / "new", git)
    tree = worktree.tree_with(here.repository, [])
    held = here.keep(tree)
    assert (tree, here.git("rev-parse", f"{held}^{{tree}}")) == (EMPTY_TREE, EMPTY_TREE)
    here.git("fsck", "--strict")


def test_a_detached_head_is_kept_as_any_other(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    here.git("checkout", "-q", "--detach")
    assert here.keep() == here.git("rev-parse", "origin/main")
    here.git("commit", "-q", "--allow-empty", "-m", "on no branch")
    (here.path / "x").write_text("x")
    here.git("add", ".")
    here.git("commit", "-q", "-m", "on no branch")
    assert is_snapshot(here.repository, here.keep())


def test_an_unrelated_branch_stands_on_nothing(pair: tuple[Here, Here]) -> None:
    here = pair[0]
    here.git("checkout", "-q", "--orphan", "other")
    (here.path / "code.py").write_text("other")
    here.git("commit", "-q", "-a", "-m", "other")
    held = here.keep()
    assert here.git("log", "-1", "--format=%an|%P", held) == "git-lineage|"


def test_links_that_we_would_not_have_made_are_passed_over(here: Here) -> None:
    tree = here.git("rev-parse", "HEAD^{tree}")
    ref = code.PREFIX + "2020-01"
    for parents in ([], ["-p", here.git("commit-tree", "-m", f"code {tree}", EMPTY_TREE)]):
        here.git("update-ref", ref, here.git("commit-tree", "-m", f"code {tree}", *parents, tree))
        if not parents:
            assert here.chain.find(tree) is None
    assert is_snapshot(here.repository, here.keep(remote=None))


def test_a_message_does_not_make_a_snapshot(here: Here) -> None:
    said = "x\n\nauthor git-lineage <snapshot@git-lineage.invalid> 0 +0000\n"
    mine = here.git("commit-tree", "-m", said, "HEAD^{tree}")
    assert not is_snapshot(here.repository, mine)
    assert not is_snapshot(here.repository, "1" * 40)


def test_many_keep_code_at_once(here: Here) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "import test_code as t\n"
        "r = t.Repository.discover(sys.argv[1])\n"
        "for tree in sys.argv[2].split():\n"
        "    t.CodeChain(r).keep(tree, None, None, t.ADA, is_clean=False)\n"
    )
    trees = [here.tree(str(number)) for number in range(12)]
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                script,
                here.path,
                " ".join(trees[n::4]),
                *filter(None, sys.path),
            ]
        )
        for n in range(4)
    ]
    assert [each.wait() for each in started] == [0] * 4
    assert sorted(line.split("|")[0] for line in here.links()[1:]) == sorted(
        f"code {tree}" for tree in trees
    )
