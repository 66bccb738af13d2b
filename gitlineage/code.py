"""Keeps the code that executions ran alive, whatever becomes of branches. Knows the code chain.

`refs/lineage/code/<YYYY-MM>` is a chain of commits with the empty tree and two parents: the one
before, and the commit that holds the code. That is the user's own commit where it is published,
else a snapshot: exactly the tree that ran, on the nearest published ancestor. So no unpublished
commit travels, and 100 snapshots cost a push 8 KB each.
"""

from __future__ import annotations

import time

from gitlineage import chains
from gitlineage.commits import Identity, NewCommit
from gitlineage.errors import GitFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.commits import Ref
    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository

PREFIX = "refs/lineage/code/"

SNAPSHOT = Identity(name="git-lineage", email="snapshot@git-lineage.invalid", at=0)
"""Author of snapshots: the same tree on the same base is the same commit, whoever makes it."""


class CodeChain:
    """The code chain of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def start(self) -> GitProcess:
        """Start reading HEAD and the newest link, for `newest` to finish."""
        return self._repository.start_objects(_asked())

    def newest(self, started: GitProcess) -> tuple[str | None, tuple[str, str] | None]:
        """Return HEAD's tree, and the commit and tree that the newest link holds.

        Mostly that is the code that runs again, and then nothing else has to be asked.
        """
        head, held = self._repository.objects(_asked(), started)
        return head and _tree_of(head[1]), held and (held[0], _tree_of(held[1]))

    def keep(
        self,
        tree: str,
        commit: str | None,
        remote: str | None,
        agent: Identity,
        *,
        is_clean: bool,
        was_collecting: bool = False,
        newest: tuple[str, str] | None = None,
    ) -> str:
        """Make sure that the code with that tree stays, and return the commit that holds it.

        `commit` is HEAD, `is_clean` says that its tree is `tree`; `remote` is where lineage goes;
        `newest` is what the newest link holds, where that is known.
        `was_collecting` says that a gc was under way when the tree's objects were written: what
        it has taken of them raises GitFailed. Called before the command starts, so that no
        `git gc` during a long run takes the code.
        """
        if newest and newest[1] == tree:
            return newest[0]
        tips = self._repository.refs(PREFIX)
        for found in self._claims(tree, tips):
            if (is_clean and found == commit) or self._is_of(found, tree):
                return found
        held = self._hold(tree, commit, remote, is_clean)
        if was_collecting and held != commit and not self._repository.writer.secure(held):
            raise GitFailed(command="gc", reason="it takes objects as they are written")
        month = _month()

        def build(at: int) -> list[NewCommit]:
            who = agent.replace(at=at)
            link = NewCommit(
                files={}, message=_subject(tree) + "\n", author=who, committer=who, merged=(held,)
            )
            # The first of a month is the same everywhere: copies have a common root, and a walk
            # along first parents ends there instead of in the history of the code.
            return [link] if self._repository.tips(ref) else [_root(month), link]

        ref = chains.newest(self._repository, PREFIX + month)
        chains.append(self._repository, ref, build)
        return held

    def find(self, tree: str) -> str | None:
        """Return the commit in the chain that holds the code with that tree."""
        claims = self._claims(tree, self._repository.refs(PREFIX))
        return next((found for found in claims if self._is_of(found, tree)), None)

    def _is_of(self, commit: str, tree: str) -> bool:
        """Tell whether a commit's tree is the one that a link, perhaps a stranger's, says it is."""
        asked = self._repository.start("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
        return asked.outcome()[1].decode().strip() == tree

    def _claims(self, tree: str, tips: dict[str, Ref]) -> Iterator[str]:
        """Yield the commits that hold the code with that tree, as the links say."""
        # Mostly the code is the one that ran last, and the tips say so already.
        for tip in tips.values():
            if tip.subject == _subject(tree) and tip.parents:
                yield tip.parents[-1]
        if not tips:
            return
        listed = self._repository.ask(
            "rev-list",
            "--first-parent",
            "--no-commit-header",
            "--format=%P%x00%s",
            *(tip.commit for tip in tips.values()),
        )
        for line in listed.decode(errors="replace").split("\n"):
            parents, _, subject = line.partition("\0")
            if subject == _subject(tree) and parents:
                yield parents.split()[-1]

    def _hold(self, tree: str, commit: str | None, remote: str | None, is_clean: bool) -> str:
        base = self._published(commit, remote) if commit else None
        if is_clean and base == commit and commit is not None:
            return commit
        at = self._repository.committed_at(base) if base else 0
        who = SNAPSHOT.replace(at=at)
        return self._repository.writer.make_commit(tree, "snapshot\n", who, (base,) if base else ())

    def _published(self, commit: str, remote: str | None) -> str | None:
        """Return the nearest ancestor that the remote's tracking branches reach, or None."""
        if remote is None:
            return None
        branches = set(self._repository.tips(f"refs/remotes/{remote}/").values())
        if not branches or commit in branches:
            return commit if branches else None
        # Not `merge-base` with all branches: 26 ms instead of 490 where there are 20,000, and no
        # more arguments than a process may have. The boundary has what that would find.
        listed = self._repository.start(
            "rev-list", "--boundary", commit, "--not", f"--remotes={remote}"
        )
        code, output, _ = listed.outcome()
        if code:
            return None
        lines = output.decode().split()
        found = [line[1:] for line in lines if line.startswith("-")]
        if len(found) == len(lines):
            return commit  # nothing of it is unpublished
        if len(found) > 1:
            nearest = self._repository.start("merge-base", commit, *found).outcome()[1]
            found = nearest.decode().split()
        return found[0] if found else None


def is_snapshot(repository: Repository, commit: str) -> bool:
    """Tell whether a commit that holds code is a snapshot, not the user's own."""
    found = repository.contents([commit])[0] or b""
    head = found.partition(b"\n\n")[0]  # a message can say anything
    return f"\nauthor {SNAPSHOT.name} <{SNAPSHOT.email}> ".encode() in head


def _root(month: str) -> NewCommit:
    import calendar  # once a month

    start = calendar.timegm(time.strptime(month + " UTC", "%Y-%m %Z"))
    who = SNAPSHOT.replace(at=start)
    return NewCommit(files={}, message=f"code of {month}\n", author=who, committer=who)


def _subject(tree: str) -> str:
    return f"code {tree}"


def _month() -> str:
    return time.strftime("%Y-%m", time.gmtime())


def _asked() -> Sequence[str]:
    return ("HEAD", f"{PREFIX}{_month()}^2")


def _tree_of(commit: bytes) -> str:
    return commit[len("tree ") : commit.index(b"\n")].decode()
