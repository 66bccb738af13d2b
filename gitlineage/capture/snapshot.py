"""The code as it stands: HEAD's tree, or a snapshot of what differs from it. Knows what is code.

Which files are data, secrets or too much for a snapshot is decided here; where a snapshot is kept
is not.
"""

from __future__ import annotations

import os
import stat as modes
import time

from gitlineage import worktree
from gitlineage.artifacts import is_inside
from gitlineage.code import CodeChain
from gitlineage.commits import Identity
from gitlineage.errors import GitFailed
from gitlineage.fingerprints import LEFT, left_as
from gitlineage.place import without_credentials
from gitlineage.records.launch import Code, LeftOut, Submodule
from gitlineage.running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.artifacts import Reader
    from gitlineage.capture.before import Before, Given
    from gitlineage.fingerprints import Fingerprints
    from gitlineage.records.launch import Agent
    from gitlineage.repository import Repository
    from gitlineage.worktree import WorkTree

LARGE = 4 << 20
"""Untracked files above this size are data, not code: they stay out of snapshots
(`lineage.snapshotLimit` changes it)."""

HIDDEN = "lineage.snapshothidden"
"""Setting: whether snapshots take files as they are that git is told not to look at."""

MANY = 5000
"""Untracked files that a snapshot takes at most."""

SECRET_NAMES = (".env", ".netrc", ".pypirc", ".pgpass", ".htpasswd", "credentials", "secrets")
SECRET_STARTS = (".env.", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials.", "secrets.")
SECRET_ENDINGS = (".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".asc")
"""Names of files that hold secrets, compared in lower case: never taken into a snapshot unless
git tracks them already."""

KEPT_AT_LAST = 20
"""Attempts to keep the code: a gc with --prune=now may take objects as they are written."""


class Snapshot:
    """The code of one work tree; what it finds out about other files goes to `before`."""

    def __init__(
        self,
        repository: Repository,
        fingerprints: Fingerprints,
        reader: Reader,
        given: Given,
        before: Before,
    ) -> None:
        self._repository = repository
        self._fingerprints = fingerprints
        self._reader = reader
        self._given = given
        self._before = before

    def keep(
        self,
        work_tree: WorkTree,
        untracked: Sequence[str],
        head_tree: str | None,
        agent: Agent,
        newest: tuple[str, str] | None,
    ) -> Code:
        """Return the code as it stands, kept alive; again when a gc takes it meanwhile.

        `untracked` are the files that git neither tracks nor ignores; `newest` is the commit and
        tree that the code chain's newest link holds.
        """
        repository = self._repository
        remote = repository.lineage_remote(work_tree.branch)
        for attempt in range(1, KEPT_AT_LAST + 1):
            was_collecting = repository.writer.is_collecting()
            try:
                code = self.take(work_tree, untracked, head_tree)
                assert code.tree is not None
                snapshot = CodeChain(repository).keep(
                    code.tree,
                    code.commit,
                    remote,
                    Identity(name=agent.name, email=agent.email, at=int(time.time())),
                    is_clean=code.tree == head_tree,
                    was_collecting=was_collecting,
                    newest=newest,
                )
                break
            except GitFailed:
                if attempt == (KEPT_AT_LAST if repository.was_collecting else 3):
                    raise
        return code.replace(snapshot=snapshot)

    def take(self, work_tree: WorkTree, untracked: Sequence[str], head_tree: str | None) -> Code:
        """Return the code as it stands: HEAD's tree, or a snapshot's, which nothing keeps yet."""
        repository = self._repository
        taken, left_out = self._untracked(untracked)
        changed = [
            path
            for path in work_tree.changed
            if path not in work_tree.submodules and path != self._given.stdout
        ]
        paths = []
        takes_hidden = self._repository.is_set(HIDDEN)
        for path in dict.fromkeys((*changed, *work_tree.hidden)):
            if path in work_tree.hidden and (reason := self._hides(path, takes_hidden)):
                left_out.append(reason)
                continue
            kind, is_readable = self._kind(path)
            if kind is None:
                self._before.missing.add(path)
            if is_readable:
                paths.append(path)
            else:
                left_out.append(LeftOut(path=path, reason="unreadable"))
        is_staged = not set(changed).issubset(paths)  # what is left out may be staged
        paths += [*work_tree.submodules, *taken]
        tree = head_tree
        if paths or is_staged or tree is None:
            revealed = {path: work_tree.hidden[path] for path in paths if path in work_tree.hidden}
            tree = worktree.tree_with(repository, paths, revealed)
        # What ran is not what was committed, also where the difference is in no snapshot.
        hidden_count = sum(each.path in work_tree.hidden for each in left_out)
        dirty = bool(hidden_count) or any(work_tree.submodules.values())
        remotes = {name: without_credentials(url) for name, url in repository.remotes().items()}
        return Code(
            tree=tree,
            commit=work_tree.commit,
            branch=work_tree.branch,
            is_adhoc=tree != head_tree or dirty,
            differs_count=len(paths) + hidden_count if tree != head_tree or dirty else 0,
            remotes=remotes,
            left_out=tuple(left_out),
            submodules=self._submodules(work_tree),
        )

    def _hides(self, path: str, is_wanted: bool) -> LeftOut | None:
        """Tell why a file that git is told not to look at stays out of the snapshot."""
        try:
            size = os.lstat(self._reader.locate(path)).st_size
        except OSError:
            return None if is_wanted else LeftOut(path=path, reason="hidden")
        if is_wanted and is_secret(path):
            return LeftOut(path=path, reason="secret", size=size)
        return None if is_wanted else LeftOut(path=path, reason="hidden", size=size)

    def _kind(self, path: str) -> tuple[int | None, bool]:
        """Return a path's file type, None when it is gone, and whether git could read it."""
        full = self._reader.locate(path)
        try:
            kind = modes.S_IFMT(os.lstat(full).st_mode)
        except OSError:
            return None, True
        if kind == modes.S_IFREG:
            return kind, os.access(full, os.R_OK)
        return kind, kind in (modes.S_IFLNK, modes.S_IFDIR)

    def _untracked(self, untracked: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
        """Choose which untracked files are code; what is left out of code is said."""
        limit = self._limit()
        taken: list[str] = []
        left_out: list[LeftOut] = []
        theirs = self._declared() if untracked else ()
        data = (*self._given.inputs, *self._given.outputs, *theirs)
        for path in untracked:
            full = self._reader.locate(path)
            if path.endswith("/") or any(is_inside(path, each) for each in data if each != "."):
                continue  # a repository of its own; or data by declaration
            if self._given.is_stream(path):
                continue
            try:
                stat = os.lstat(full)
            except OSError:
                continue
            if is_secret(path):
                left_out.append(LeftOut(path=path, reason="secret", size=stat.st_size))
            elif not modes.S_ISREG(stat.st_mode) and not modes.S_ISLNK(stat.st_mode):
                continue
            elif self._was_made(full, stat):
                continue  # an execution's output, unchanged: the ledger knows it
            elif stat.st_size > limit:
                left_out.append(LeftOut(path=path, reason="large", size=stat.st_size))
            elif not modes.S_ISLNK(stat.st_mode) and not os.access(full, os.R_OK):
                left_out.append(LeftOut(path=path, reason="unreadable", size=stat.st_size))
            elif len(taken) >= MANY:
                left_out.append(LeftOut(path=path, reason="many", size=stat.st_size))
            else:
                taken.append(path)
        return taken, left_out[:MANY]

    def _declared(self) -> list[str]:
        """Return the data of executions that run now: half written, perhaps, and theirs."""
        return Running(self._repository.lineage_dir).declared(self._repository.work_tree())

    def _was_made(self, full: str, stat: os.stat_result) -> bool:
        made = self._fingerprints.made(full)
        if made is None or not modes.S_ISREG(stat.st_mode):
            return False
        if made.startswith(LEFT):
            return made == left_as(stat)
        try:
            is_same = self._fingerprints.digests(full)[0]["blake3"] == made
        except OSError:
            return False
        if is_same:
            name = self._reader.name(full)
            self._before.digests[name], self._before.sizes[name] = made, stat.st_size
        return is_same

    def _limit(self) -> int:
        return self._repository.size("lineage.snapshotlimit", LARGE)

    def _submodules(self, work_tree: WorkTree) -> tuple[Submodule, ...]:
        if not os.path.exists(self._reader.locate(".gitmodules")):
            return ()
        listed = os.fsdecode(self._repository.ask("ls-files", "--stage", "-z"))
        found = []
        for line in listed.split("\0"):
            if line.startswith("160000 "):
                commit, path = line.split(" ", 2)[1], line.partition("\t")[2]
                if path in work_tree.submodules:
                    asked = self._repository.start("-C", path, "rev-parse", "HEAD").outcome()
                    commit = asked[1].decode().strip() or commit
                found.append(
                    Submodule(
                        path=path, commit=commit, is_dirty=work_tree.submodules.get(path, False)
                    )
                )
        return tuple(found)


def is_secret(path: str) -> bool:
    """Tell whether a file's name is one that secrets have."""
    name = os.path.basename(path).lower()
    return (
        name in SECRET_NAMES or name.startswith(SECRET_STARTS) or name.endswith(SECRET_ENDINGS)
    ) and not name.endswith(".pub")
