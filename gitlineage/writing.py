"""Commits that are added, refs that are moved, and what a `git gc` meanwhile takes. Knows git.

Commits are written as loose objects, many at once as a pack; where git alone knows how objects are
to be written, by `git fast-import`. Refs are moved by the git executable, or through libgit2, whose
import costs 90 ms and each move then less: a process that adds many comes to use it by itself.
Where libgit2 refuses a repository (sha256, reftable) the executable does it all.
docs/decisions/0003 and 0023 have the numbers.
"""

from __future__ import annotations

import os
import time

from gitlineage import fastimport
from gitlineage.commits import NewCommit
from gitlineage.errors import GitFailed
from gitlineage.gitprocess import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.commits import Identity
    from gitlineage.gitprocess import GitProcess
    from gitlineage.loose import Loose
    from gitlineage.packing import Pack
    from gitlineage.repository import Repository

LIBRARY_AFTER = 8
"""Commits of one process through the executable (8 ms each) before libgit2 is imported (90 ms)."""

LOOSE_AT_MOST = 6700 // 256
"""Loose objects in one of 256 folders from which on git itself, by default, packs them."""

PACKED_FROM = 25
"""Commits of one append from which on they go into a pack: git's own limit is 100 objects."""

UNPACKED_BELOW = 100
"""Objects of a pack that are better apart: git's own limit for what it fetches."""

MANY = 2000
"""Files of one commit from which on they go into a pack, too."""

MAINTAINED_AFTER = 1000
"""Commits of one process between two times that git is asked to pack."""

_WITHOUT_REFLOG = ("-c", "core.logAllRefUpdates=false")

_IMPORT = ("--quiet", "--done", "--date-format=raw")


class Writer:
    """What adds to one repository, which counts it."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def set_ref(self, name: str, commit: str | None, expected: str | None) -> bool:
        """Move or delete a ref if it still is what was expected; tell whether it was."""
        zero = "0" * len(commit or expected or "")
        arguments = ("-d", name) if commit is None else (name, commit)
        process = self._repository.start("update-ref", "--no-deref", *arguments, expected or zero)
        code, _, messages = process.outcome()
        return code == 0 or self._is_lost(process, code, messages, name, expected)

    def _is_lost(
        self, process: GitProcess, code: int, messages: bytes, ref: str, expected: str | None
    ) -> bool:
        """Return False when somebody else has moved a ref, or does now. Raises GitFailed else."""
        if self._repository.tips(ref).get(ref) != expected or (
            b"cannot lock ref" in messages and not _is_denied(messages)
        ):
            return False
        raise failure(process.arguments, code, messages)

    def append(
        self,
        ref: str,
        expected: str | None,
        commits: Sequence[NewCommit],
        derived: Mapping[str, NewCommit] | None = None,
    ) -> list[str] | None:
        """Add commits behind `expected` and move `ref` from there to the last of them.

        Returns their ids, or None when the ref was not at `expected` any more: nothing was moved
        then, and the caller reads and tries again. `derived` are replaced on the same occasion,
        as by `replace`.
        """
        was_collecting = self.is_collecting()
        made = self._append(ref, expected, commits, derived or {})
        if made is None or not (was_collecting or self.is_collecting()):
            return made
        if self.secure(made[-1], expected):
            return made
        # A ref that reaches what is gone would make each later gc and push fail.
        self.set_ref(ref, expected, made[-1])
        further = [parent for commit in commits for parent in commit.merged]
        if further and not all(self._repository.are_readable(further)):
            raise GitFailed(command="gc", reason="it takes objects as they are written")
        return None

    def _append(
        self,
        ref: str,
        expected: str | None,
        commits: Sequence[NewCommit],
        derived: Mapping[str, NewCommit],
    ) -> list[str] | None:
        repository = self._repository
        is_many = len(commits) >= PACKED_FROM or any(len(c.files) >= MANY for c in commits)
        if repository.library is None and repository.commits_made >= LIBRARY_AFTER and not is_many:
            from gitlineage.library import Library  # only for a process that adds many

            repository.library = Library.of(repository.git_dir, repository.common_dir)
        repository.commits_made += len(commits)
        if any(each.is_signed for each in commits):
            signed = self._signed(expected, commits)
            if not self._move(ref, signed[-1], expected, {}):
                return None
            for name, each in derived.items():
                self.replace(name, each)
            return signed
        if not is_many and (loose := self._loose()):
            further = [each for commit in commits for each in commit.parents or commit.merged]
            if further and not all(repository.are_readable(further)):
                raise GitFailed(command="append", reason="a parent is missing")
            try:
                made: list[str] = []
                for commit in commits:
                    made.append(loose.commit(commit, commit.behind(made[-1] if made else expected)))
                replaced = {name: loose.commit(each, ()) for name, each in derived.items()}
            except OSError:
                pass  # git will say why, in its own words
            else:
                return made if self._move(ref, made[-1], expected, replaced) else None
        found = self._import(ref, expected, commits)
        if found is not None:
            for name, each in derived.items():
                self.replace(name, each)
        return found

    def _signed(self, parent: str | None, commits: Sequence[NewCommit]) -> list[str]:
        """Write commits that no ref reaches yet, signed by git; one process for each.

        What cannot be signed is written all the same: a record is worth more than its signature.
        """
        made: list[str] = []
        for commit in commits:
            tree, parents = self._tree(commit), commit.behind(made[-1] if made else parent)
            try:
                how = "--gpg-sign" if commit.is_signed else "--no-gpg-sign"
                made.append(self._commit_tree(tree, commit, parents, how))
            except GitFailed as error:
                if not commit.is_signed:
                    raise
                self._repository.unsigned = str(error.facts["reason"])
                made.append(self._commit_tree(tree, commit, parents, "--no-gpg-sign"))
        return made

    def _tree(self, commit: NewCommit) -> str:
        """Write what a commit holds; return the tree's id."""
        if loose := self._loose():
            return loose.tree(commit)
        # A scratch ref, as where chains are replanted: killed here, it is swept up later.
        scratch = f"refs/lineage-scratch/signed.{time.time_ns()}"
        found = self._import(scratch, None, [commit.replace(parents=())])
        assert found, "nobody else has this ref"
        tree = self._repository.ask("rev-parse", f"{found[-1]}^{{tree}}").decode().strip()
        self.set_ref(scratch, None, found[-1])
        return tree

    def _import(
        self, ref: str, expected: str | None, commits: Sequence[NewCommit]
    ) -> list[str] | None:
        process = self._repository.start(
            "fast-import", *_IMPORT, content=fastimport.stream(ref, expected, commits)
        )
        code, output, messages = process.outcome()
        if code == 0:
            return output.decode().split()
        # fast-import moves a ref only to a descendant of what it is: the comparison that a
        # compare-and-swap needs. Losing the race for the ref's lock file is a lost race as well.
        # (Git believes what it has read of `packed-refs` until its second, size or inode change:
        # with refs packed 100 times a second 5 of 160 appends were seen to be overtaken.)
        lost = (b"Not updating", b"cannot lock ref", b"Unable to create")
        is_lost = any(each in messages for each in lost)
        if is_lost or self._repository.tips(ref).get(ref) != expected:
            if not _is_denied(messages):
                return None
        raise failure(process.arguments, code, messages)

    def _move(
        self, ref: str, commit: str, expected: str | None, derived: Mapping[str, str]
    ) -> bool:
        """Move a ref if it still is what was expected, then others whatever they were."""
        if self._repository.library and not derived:
            return self._repository.library.move(ref, commit, expected)
        lines = [f"start\nupdate {ref} {commit} {expected or '0' * len(commit)}\ncommit\n"]
        # In a transaction of its own each: that they cannot be moved is no harm.
        lines += (f"start\nupdate {name} {made}\ncommit\n" for name, made in derived.items())
        process = self._repository.start(
            *_WITHOUT_REFLOG,
            "update-ref",
            "--no-deref",
            "--stdin",
            content=os.fsencode("".join(lines)),
        )
        code, output, messages = process.outcome()
        return b"commit: ok" in output or self._is_lost(process, code, messages, ref, expected)

    def _loose(self) -> Loose | None:
        """Return what writes loose objects; None where git alone knows how they are to be."""
        if not self._is_plain():
            return None
        from gitlineage.loose import Loose  # 0.5 ms, when the command has ended

        compress = None
        if self._repository.commits_made > LIBRARY_AFTER:
            from gitlineage import packing  # worth its import for many objects

            compress = packing.compress
        return Loose(
            os.path.join(self._repository.common_dir, "objects"),
            self._repository.algorithm(),
            lambda tree: self._repository.contents([tree])[0],
            compress,
        )

    def _is_plain(self) -> bool:
        """Tell whether objects can be written as files; else git alone knows how."""
        config = self._repository.config()
        special = ("core.sharedrepository", "core.fsync", "core.fsyncobjectfiles")
        is_special = any(each in config for each in special)
        return not is_special and "GIT_OBJECT_DIRECTORY" not in os.environ

    def is_collecting(self) -> bool:
        """Tell whether a `git gc` is under way that may take what is new, as with --prune=now."""
        is_collecting = self._is_pruned()
        self._repository.was_collecting |= is_collecting
        return is_collecting

    def _is_pruned(self) -> bool:
        try:
            with open(os.path.join(self._repository.common_dir, "gc.pid")) as file:
                process, _, host = file.read().strip().partition(" ")
        except OSError:
            return False
        if host != os.uname().nodename or not process.isdigit() or not os.path.isdir("/proc/self"):
            return True
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return False  # it has ended, or was killed and left its file behind
        # Unless told otherwise git leaves what is younger than two weeks: its own `gc --auto`
        # is no danger, and making a pack for each append meanwhile would only feed the next.
        return "gc.pruneexpire" in self._repository.config() or any(
            w.startswith(b"--prune") for w in words
        )

    def secure(self, tip: str, expected: str | None = None) -> bool:
        """Put what a tip of ours reaches, beyond `expected`, where a running gc takes nothing.

        That is a new pack: a gc removes loose objects that no ref reached when it looked, and
        packs that were there then. Returns whether all of it was still there.
        """
        excluded = ("--not", "--exclude=refs/lineage/*", "--exclude=refs/notes/lineage", "--all")
        code, listed, _ = self._repository.start(
            "rev-list",
            "--objects",
            "--ignore-missing",
            tip,
            *([f"^{expected}"] if expected else ()),
            *excluded,
        ).outcome()
        if code or not listed.startswith(tip.encode()):
            return False
        pack = os.path.join(self._repository.common_dir, "objects", "pack", "pack")
        return (
            self._repository.start("pack-objects", "--quiet", pack, content=listed).outcome()[0]
            == 0
        )

    def put_back(self, id: str, kind: str, content: bytes) -> bool:
        """Write an object that was lost or is broken here; tell whether it is that one."""
        from gitlineage.loose import Loose

        objects = os.path.join(self._repository.common_dir, "objects")
        try:
            return Loose(objects, self._repository.algorithm(), lambda _: None).put_back(
                id, kind, content
            )
        except OSError as error:
            raise GitFailed(command="hash-object", reason=str(error.strerror)) from error

    def add_pack(self, pack: Pack) -> str | None:
        """Put a pack into the repository.

        Returns what to `let_go` of once a ref reaches its objects: until then no gc takes it.
        """
        if len(pack) < UNPACKED_BELOW:
            self._repository.ask("unpack-objects", "-q", content=pack.content())
            return None
        if self._is_plain():
            try:
                folder = os.path.join(self._repository.common_dir, "objects", "pack")
                os.makedirs(folder, exist_ok=True)
                return pack.write(folder)
            except OSError:
                pass  # git will say why, in its own words
        asked = ("index-pack", "--stdin", "--keep=git-lineage")
        name = self._repository.ask(*asked, content=pack.content()).decode().split()[-1]
        asked = ("rev-parse", "--git-path", f"objects/pack/pack-{name}.keep")
        path = os.fsdecode(self._repository.ask(*asked)).removesuffix("\n")
        return os.path.join(self._repository.home, path)

    def let_go(self, kept: str | None) -> None:
        """Treat a pack as others from now on."""
        if kept is not None and os.path.exists(kept):
            os.unlink(kept)

    def replace(self, ref: str, commit: NewCommit) -> None:
        """Make a commit without a parent and move a ref to it, whatever it was.

        For what is derived, never for records. Raises GitFailed.
        """
        content = fastimport.stream(ref, None, [commit])
        self._repository.ask(*_WITHOUT_REFLOG, "fast-import", "--force", *_IMPORT, content=content)

    def make_commit(self, tree: str, message: str, who: Identity, parents: Sequence[str]) -> str:
        """Write a commit that no ref reaches yet, and return its id."""
        commit = NewCommit(files={}, message=message, author=who, committer=who)
        return self._commit_tree(tree, commit, parents, "--no-gpg-sign")

    def _commit_tree(
        self, tree: str, commit: NewCommit, parents: Sequence[str], *options: str
    ) -> str:
        environment: dict[str, str] = {}
        for role, who in (("AUTHOR", commit.author), ("COMMITTER", commit.committer)):
            environment |= {
                f"GIT_{role}_NAME": who.name.strip() or "unknown",
                f"GIT_{role}_EMAIL": who.email,
                # Without the @ git takes small numbers for years.
                f"GIT_{role}_DATE": f"@{max(who.at, 0)} {who.zone}",
            }
        made = self._repository.ask(
            "-c",
            "i18n.commitEncoding=UTF-8",
            "commit-tree",
            *options,
            *(option for parent in parents for option in ("-p", parent)),
            tree,
            content=commit.text(),
            environment=environment,
        )
        return made.decode().strip()

    def maintain(self) -> None:
        """Let git pack loose objects when there are many, as its own commands do after writing.

        Looking costs one folder's listing; git goes on by itself unless it is configured not to.
        Not by `gc`: what no ref reaches, as earlier states of the notes, it leaves as files for
        two weeks, tries again at each commit, and warns the user each time.
        """
        repository = self._repository
        config = repository.config()
        is_off = config.get("gc.auto") == "0" or not repository.is_set(
            "maintenance.auto", default=True
        )
        made, last = self._repository.commits_made, self._repository.maintained_at
        if is_off or (last is not None and made < last + MAINTAINED_AFTER):
            return
        try:
            count = len(os.listdir(os.path.join(self._repository.common_dir, "objects", "17")))
        except OSError:
            return
        if count > LOOSE_AT_MOST:
            self._repository.maintained_at = made
            started = repository.start("maintenance", "run", "--task=loose-objects", "--quiet")
            detached = ("gc.autodetach", "maintenance.autodetach")
            if all(repository.is_set(each, default=True) for each in detached):
                started.leave()
            else:
                started.outcome()


def _is_denied(messages: bytes) -> bool:
    """Tell whether git said that trying again is of no use."""
    lasting = (b"Permission denied", b"Read-only", b"No space left", b"quota exceeded")
    return any(each in messages for each in lasting)
