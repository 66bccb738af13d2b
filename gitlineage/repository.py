"""Everything that is asked of git. Knows git; knows nothing of what records mean.

Two ways to the same answers: the git executable, for one question 2 ms, and libgit2 through
pygit2, whose import costs 90 ms and each answer then 50 us. A command asks few questions, so it
starts git; a process that appends many records comes to use the library by itself. Where libgit2
refuses a repository (sha256, reftable, partial clones) the executable does everything.
docs/decisions/0003 has the numbers.
"""

from __future__ import annotations

import os

from gitlineage.errors import (
    GitFailed,
    NoRepository,
    NoWorkTree,
    ReadOnlyRepository,
    RefMoved,
    Refused,
    UnknownId,
)
from gitlineage.gitprocess import GitProcess, failure
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from gitlineage.loose import Loose

LIBRARY_AFTER = 8
"""Commits of one process through the executable (8 ms each) before libgit2 is imported (90 ms)."""

LARGEST_OBJECT = 64 << 20
"""Bytes of an object that is read at most: nothing that we write is larger."""

LOOSE_AT_MOST = 6700 // 256
"""Loose objects in one of 256 folders from which on git itself, by default, packs them."""

PACKED_FROM = 25
"""Commits of one append from which on they go into a pack: git's own limit is 100 objects."""

SINGLY = 5000
"""Untracked files up to which git is asked of each whether it is ignored, at 3 us each."""

MAINTAINED_AFTER = 1000
"""Commits of one process between two times that git is asked to pack."""

_LAST_MOMENT = (1 << 63) // 1_000_000 - 1
"""Seconds: git says the end of all time for `now`, and an index holds 64-bit microseconds."""

_WITHOUT_HOOKS = ("-c", f"core.hooksPath={os.devnull}")

# A reflog would keep each one that was ever replaced.
_WITHOUT_REFLOG = ("-c", "core.logAllRefUpdates=false")

_PLACES = ("--absolute-git-dir", "--git-common-dir", "--show-prefix", "--show-toplevel")

_IMPORT = ("--quiet", "--done", "--date-format=raw")


class Identity(Record):
    """A name, an address and a moment, as git writes them in a commit."""

    name: str
    email: str
    at: int
    """Seconds since 1970."""
    zone: str = "+0000"

    def line(self) -> bytes:
        """Return git's spelling; what git's own commands strip is stripped."""
        clean = {ord(each): None for each in "<>\n\0"}
        name = self.name.translate(clean).strip() or "unknown"
        email = self.email.translate(clean).strip()
        return _bytes(f"{name} <{email}> {max(self.at, 0)} {self.zone}")

    @classmethod
    def parse(cls, line: str) -> Identity:
        """Return what git's spelling says."""
        name, _, rest = line.partition(" <")
        email, _, when = rest.rpartition("> ")
        at, _, zone = when.partition(" ")
        # Whoever wrote it may have written anything; git reads such a moment as 1970.
        is_zone = len(zone) == 5 and zone[0] in "+-" and zone[1:].isdecimal() and zone.isascii()
        return cls(
            name=name,
            email=email,
            at=int(at) if at.isdecimal() and len(at) < 18 else 0,
            zone=zone if is_zone else "+0000",
        )


class NewCommit(Record):
    """A commit to be made: what it holds and says."""

    files: Mapping[str, bytes | str | None]
    """Path to content, or to the id of a blob that is there; `""` to the id of a tree to begin
    with, and then None for what goes."""
    trees: Mapping[str, bytes] = {}
    """Contents of trees to begin with that were read already, by id."""
    message: str
    author: Identity
    committer: Identity
    merged: tuple[str, ...] = ()
    """Further parents, after the commit that it is appended to."""
    parents: tuple[str, ...] | None = None
    """All parents, where they are not that; the ref's present commit is among them."""

    def text(self) -> bytes:
        """Return the message as it is stored."""
        return _bytes(self.message)

    def behind(self, parent: str | None) -> Sequence[str]:
        """Return its parents when it is appended to that one."""
        if self.parents is not None:
            return self.parents
        return (*((parent,) if parent else ()), *self.merged)


class Commit:
    """A commit of a chain as it was read; of millions, so lighter than a Record."""

    __slots__ = ("id", "parents", "tree")

    def __init__(self, commit: str, tree: str, parents: tuple[str, ...]) -> None:
        self.id = commit
        self.tree = tree
        self.parents = parents


class Ref(Record):
    """A ref as it was read."""

    name: str
    commit: str
    tree: str
    committed_at: int
    """Committer's date of the commit, seconds."""
    subject: str
    parents: tuple[str, ...]


class WorkTree(Record):
    """How the work tree differs from HEAD; paths relative to its top."""

    commit: str | None
    branch: str | None
    changed: tuple[str, ...]
    """Tracked by HEAD or the staging area, and different from HEAD in the work tree."""
    submodules: Mapping[str, bool]
    """Changed submodules: path to whether their own work tree is dirty."""


class Repository:
    """One repository, as seen from a folder in it."""

    def __init__(self, git_dir: str, common_dir: str, top: str | None, prefix: str) -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir
        """Shared by all linked work trees."""
        self.top = top
        """Top of the work tree; None in a bare repository."""
        self.prefix = prefix
        """The folder that was asked from, relative to the top, and a `/`; or nothing."""
        self._config: Mapping[str, str] | None = None
        self._library: Any = None
        self._commits_made = 0
        self._early: GitProcess | None = None
        self._maintained_at = -MAINTAINED_AFTER
        self.was_collecting = False
        """Whether a `git gc` was ever seen to be under way."""

    @staticmethod
    def start_discovery(path: str = ".") -> GitProcess:
        """Start looking for the repository that `path` is in, for `discover` to finish."""
        if not os.path.isdir(path):
            raise NoRepository(path=path, reason=" (no such folder)")
        return GitProcess(["rev-parse", *_PLACES], directory=path)

    @classmethod
    def discover(cls, path: str = ".", started: GitProcess | None = None) -> Repository:
        """Return the repository that `path` is in. Raises NoRepository."""
        asked = _PLACES
        code, output, messages = (started or cls.start_discovery(path)).outcome()
        lines = os.fsdecode(output).split("\n")
        if len(lines) < 3:
            said = str(failure(["rev-parse"], code, messages).facts["reason"])
            plain = said.startswith("not a git repository")
            raise NoRepository(path=os.path.abspath(path), reason="" if plain else f" ({said})")
        if len(lines) > len(asked) + 1:  # a folder with a newline in its name
            lines = [
                os.fsdecode(
                    GitProcess(["rev-parse", each], directory=path).outcome()[1]
                ).removesuffix("\n")
                for each in asked
            ]
        common = os.path.realpath(os.path.join(path, lines[1]))
        # In a bare repository git stops at --show-toplevel, after answering the rest.
        top = lines[3] if code == 0 else None
        return cls(lines[0], common, top, lines[2])

    @property
    def lineage_dir(self) -> str:
        """Folder of what is not shared: running executions, the index, fingerprints."""
        return os.path.join(self.common_dir, "lineage")

    @property
    def home(self) -> str:
        """The folder that git is started in."""
        return self.top or self.git_dir

    def work_tree(self) -> str:
        """Return the top of the work tree. Raises NoWorkTree."""
        if self.top is None:
            raise NoWorkTree(path=self.git_dir)
        return self.top

    def start(
        self,
        *arguments: str,
        content: bytes = b"",
        takes_input: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> GitProcess:
        """Start git at the top of the work tree; finish it when its answer is needed."""
        return GitProcess(
            arguments,
            directory=self.home,
            environment={**self._pinned(), **(environment or {})},
            content=content,
            takes_input=takes_input,
        )

    def _pinned(self) -> dict[str, str]:
        """Return git's variables that hold paths relative to where we were started."""
        pinned = {}
        if "GIT_DIR" in os.environ:
            pinned["GIT_DIR"] = self.git_dir
            if self.top is not None:
                pinned["GIT_WORK_TREE"] = self.top
        return pinned

    def ask(
        self, *arguments: str, content: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> bytes:
        """Run git and return what it printed. Raises GitFailed."""
        return self.start(*arguments, content=content, environment=environment).finish()

    def mentions(self, tree: str, text: str) -> bool:
        """Tell whether a file of a tree has some text; pages do not count."""
        paths = (".", ":(exclude)*.md", ":(exclude)*.rst")
        asked = ("grep", "-q", "-I", "-F", "-e", text, tree, "--", *paths)
        return self.start(*asked).outcome()[0] == 0

    # -- configuration ---------------------------------------------------------------------

    def start_config(self) -> GitProcess:
        """Start reading the configuration, for `config` to finish."""
        return self.start("config", "--list", "-z")

    def config(self, started: GitProcess | None = None) -> Mapping[str, str]:
        """Return git's configuration: `section.name` in lower case to its last value."""
        if self._config is None or started is not None:
            found: dict[str, str] = {}
            entries = []
            listed = (started or self.start_config()).finish()
            for entry in os.fsdecode(listed).split("\0")[:-1]:
                name, separator, value = entry.partition("\n")
                found[name] = value if separator else "true"  # as git reads a name alone
                entries.append((name, found[name]))
            self._config, self._entries = found, entries
        return self._config

    def is_set(self, name: str, *, default: bool = False) -> bool:
        """Tell whether a setting is true, as git spells that."""
        value = self.config().get(name)
        return default if value is None else value.lower() in ("true", "yes", "on", "1")

    def words(self, name: str) -> list[str]:
        """Return the words of all values of a setting that may be there many times."""
        self.config()
        return [word for each, value in self._entries if each == name for word in value.split()]

    def remotes(self) -> Mapping[str, str]:
        """Return the remotes' names and URLs, as configured."""
        return {
            name[len("remote.") : -len(".url")]: value
            for name, value in self.config().items()
            if name.startswith("remote.") and name.endswith(".url")
        }

    def lineage_remote(self, branch: str | None = None) -> str | None:
        """Return the name of the remote that lineage goes to, by git's own order of preference."""
        config, remotes = self.config(), self.remotes()
        for name in (
            "lineage.remote",
            f"branch.{branch}.pushremote",
            "remote.pushdefault",
            f"branch.{branch}.remote",
        ):
            if config.get(name) in remotes:
                return config[name]
        if "origin" in remotes:
            return "origin"
        return next(iter(remotes)) if len(remotes) == 1 else None

    # -- refs ------------------------------------------------------------------------------

    def start_refs(self, *prefixes: str) -> GitProcess:
        """Start listing refs, for `refs` to finish."""
        form = "%(refname)%00%(objectname)%00%(tree)%00%(committerdate:unix)%00%(parent)"
        form += "%00%(subject)"
        return self.start("for-each-ref", "--format=" + form, *prefixes)

    def refs(self, *prefixes: str, started: GitProcess | None = None) -> dict[str, Ref]:
        """Return the refs below the prefixes, by name."""
        listed = (started or self.start_refs(*prefixes)).finish()
        found = {}
        # Not splitlines(): what strangers wrote may hold what Unicode calls the end of a line.
        for line in os.fsdecode(listed).split("\n")[:-1]:
            name, commit, tree, date, parents, subject = line.split("\0", 5)
            found[name] = Ref(
                name=name,
                commit=commit,
                tree=tree,
                committed_at=int(date or 0),
                parents=tuple(parents.split()),
                subject=subject,
            )
        return found

    def tip(self, name: str) -> Ref | None:
        """Return one ref, or None when there is none of that name."""
        if self._library:
            found: Ref | None = self._library.tip(name)
            return found
        return self.refs(name).get(name)

    def tips(self, *prefixes: str) -> dict[str, str]:
        """Return the ids that refs below the prefixes point at, by name."""
        listed = self.ask("for-each-ref", "--format=%(refname) %(objectname)", *prefixes)
        lines = os.fsdecode(listed).split("\n")[:-1]
        return {name: commit for name, _, commit in (line.partition(" ") for line in lines)}

    def merge_base(self, one: str, other: str) -> str | None:
        """Return git's merge base of two commits, or None when they are unrelated."""
        code, output, _ = self.start("merge-base", one, other).outcome(accept=(0, 1))
        return output.decode().split()[0] if code == 0 else None

    def commit_id(self, revision: str) -> str:
        """Return the id of a commit or tree that git finds. Raises UnknownId."""
        code, output, _ = self.start(
            "rev-parse", "--verify", "--quiet", "--end-of-options", revision
        ).outcome()
        if code:
            raise UnknownId(asked=revision)
        found = output.decode().strip()
        # A whole id is taken for an object's, whether or not there is one.
        code, kind, _ = self.start("cat-file", "-t", found).outcome()
        if code:
            raise UnknownId(asked=revision)
        return (
            self.ask("rev-parse", f"{found}^{{commit}}").decode().strip()
            if kind.strip() == b"tag"
            else found
        )

    def moment(self, text: str) -> int:
        """Return a date as git reads it, in microseconds since 1970. Raises Refused."""
        # `rev-parse --since` takes anything for a date: what it cannot read is now.
        code, said, _ = self.start(
            "-c", f"asked.moment={text}", "config", "--type=expiry-date", "asked.moment"
        ).outcome()
        if code:
            raise Refused(reason=f"not a date: {text}")
        return min(int(said), _LAST_MOMENT) * 1_000_000

    def committed_at(self, commit: str) -> int:
        """Return the committer's date of a commit, in seconds."""
        # Not `git log`, which says more where log.showSignature is set.
        return int(
            self.ask(
                "rev-list", "--max-count=1", "--no-commit-header", "--format=%ct", commit, "--"
            )
        )

    def set_ref(self, name: str, commit: str | None, expected: str | None) -> bool:
        """Move or delete a ref if it still is what was expected; tell whether it was."""
        zero = "0" * len(commit or expected or "")
        arguments = ("-d", name) if commit is None else (name, commit)
        process = self.start("update-ref", "--no-deref", *arguments, expected or zero)
        code, _, messages = process.outcome()
        return code == 0 or self._is_lost(process, code, messages, name, expected)

    def _is_lost(
        self, process: GitProcess, code: int, messages: bytes, ref: str, expected: str | None
    ) -> bool:
        """Return False when somebody else has moved a ref, or does now. Raises GitFailed else."""
        if self.tips(ref).get(ref) != expected or (
            b"cannot lock ref" in messages and not _is_denied(messages)
        ):
            return False
        raise failure(process.arguments, code, messages)

    def is_at(self, ref: str, commit: str) -> bool:
        """Tell whether a ref surely is at a commit; where it is not plain to see, False."""
        try:
            with open(os.path.join(self.common_dir, ref)) as file:
                return file.read(len(commit) + 2) == commit + "\n"
        except OSError:
            return False  # packed, or kept in another way

    # -- objects ---------------------------------------------------------------------------

    def contents(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the contents of objects, named as git names them; None for what is not there.

        None as well for what is larger than `LARGEST_OBJECT`.
        """
        return [None if found is None else found[1] for found in self.objects(names)]

    def start_objects(self, names: Sequence[str]) -> GitProcess:
        """Start reading objects, for `objects` to finish."""
        asked = b"".join(map(_question, names))
        return self.start("cat-file", "--batch", "--buffer", content=asked)

    def objects(
        self, names: Sequence[str], started: GitProcess | None = None
    ) -> list[tuple[str, bytes] | None]:
        """Return the ids and contents of objects, as `contents`."""
        if not names:
            return []
        return list(_objects([(started or self.start_objects(names)).finish()]))

    def stream_contents(self, names: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the contents of many objects in one pass, as `contents`."""
        process = self.start("cat-file", "--batch", "--buffer", takes_input=True)
        for found in _objects(process.stream(map(_question, names))):
            yield None if found is None else found[1]

    def are_readable(self, names: Sequence[str]) -> list[bool]:
        """Tell of each object whether it is there."""
        listed = self.ask(
            "cat-file", "--batch-check", "--buffer", content=b"".join(map(_question, names))
        )
        return [not line.endswith(b" missing") for line in listed.splitlines()]

    def commits(self, tips: Iterable[str], excluded: Iterable[str] = ()) -> list[Commit]:
        """Return commits of chains, oldest first: what the tips reach beyond the excluded."""
        lines = [*tips, *("^" + each for each in excluded)]
        listed = self.ask(
            "rev-list",
            "--reverse",
            "--topo-order",
            "--ignore-missing",
            "--no-commit-header",
            "--format=%H %T %P",
            "--first-parent",
            "--stdin",
            content="\n".join(lines).encode() + b"\n",
        )
        lines = listed.decode().splitlines()
        return [
            Commit(
                line[:width], line[width + 1 : 2 * width + 1], tuple(line[2 * width + 2 :].split())
            )
            for line in lines
            for width in (line.index(" "),)
        ]

    def entries(self, tree: str) -> dict[str, tuple[str, str]]:
        """Return a tree's files and their mode and id; nothing when the tree is not there."""
        code, listed, _ = self.start("ls-tree", "-r", "-z", "--full-tree", tree).outcome()
        found = {}
        for line in os.fsdecode(listed).split("\0")[:-1] if code == 0 else ():
            meta, path = line.split("\t", 1)
            mode, _, blob = meta.split(" ")
            found[path] = (mode, blob)
        return found

    # -- writing ---------------------------------------------------------------------------

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
        if further and not all(self.are_readable(further)):
            raise GitFailed(command="gc", reason="it takes objects as they are written")
        return None

    def _append(
        self,
        ref: str,
        expected: str | None,
        commits: Sequence[NewCommit],
        derived: Mapping[str, NewCommit],
    ) -> list[str] | None:
        is_many = len(commits) >= PACKED_FROM
        if self._library is None and self._commits_made >= LIBRARY_AFTER and not is_many:
            self._library = _Library.of(self.git_dir)
        self._commits_made += len(commits)
        if not self._library and not is_many and (loose := self._loose()):
            further = [each for commit in commits for each in commit.parents or commit.merged]
            if further and not all(self.are_readable(further)):
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
        found: list[str] | None
        if self._library and not is_many:
            found = self._library.append(ref, expected, commits)
        else:
            found = self._import(ref, expected, commits)
        if found is not None:
            for name, each in derived.items():
                self.replace(name, each)
        return found

    def _import(
        self, ref: str, expected: str | None, commits: Sequence[NewCommit]
    ) -> list[str] | None:
        process = self.start("fast-import", *_IMPORT, content=_fast_import(ref, expected, commits))
        code, output, messages = process.outcome()
        if code == 0:
            return output.decode().split()
        # fast-import moves a ref only to a descendant of what it is: the comparison that a
        # compare-and-swap needs. Losing the race for the ref's lock file is a lost race as well.
        # (Git believes what it has read of `packed-refs` until its second, size or inode change:
        # with refs packed 100 times a second 5 of 160 appends were seen to be overtaken.)
        lost = (b"Not updating", b"cannot lock ref", b"Unable to create")
        if any(each in messages for each in lost) or self.tips(ref).get(ref) != expected:
            if not _is_denied(messages):
                return None
        raise failure(process.arguments, code, messages)

    def _move(
        self, ref: str, commit: str, expected: str | None, derived: Mapping[str, str]
    ) -> bool:
        """Move a ref if it still is what was expected, then others whatever they were."""
        lines = [f"start\nupdate {ref} {commit} {expected or '0' * len(commit)}\ncommit\n"]
        # In a transaction of its own each: that they cannot be moved is no harm.
        lines += (f"start\nupdate {name} {made}\ncommit\n" for name, made in derived.items())
        process = self.start(
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
        config = self.config()
        special = ("core.sharedrepository", "core.fsync", "core.fsyncobjectfiles")
        if "GIT_OBJECT_DIRECTORY" in os.environ or any(each in config for each in special):
            return None
        from gitlineage.loose import Loose  # 0.5 ms, when the command has ended

        return Loose(
            os.path.join(self.common_dir, "objects"),
            config.get("extensions.objectformat", "sha1"),
            lambda tree: self.contents([tree])[0],
        )

    def is_collecting(self) -> bool:
        """Tell whether a `git gc` is under way that may take what is new, as with --prune=now."""
        is_collecting = self._is_pruned()
        self.was_collecting |= is_collecting
        return is_collecting

    def _is_pruned(self) -> bool:
        try:
            with open(os.path.join(self.common_dir, "gc.pid")) as file:
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
        return "gc.pruneexpire" in self.config() or any(w.startswith(b"--prune") for w in words)

    def secure(self, tip: str, expected: str | None = None) -> bool:
        """Put what a tip of ours reaches, beyond `expected`, where a running gc takes nothing.

        That is a new pack: a gc removes loose objects that no ref reached when it looked, and
        packs that were there then. Returns whether all of it was still there.
        """
        excluded = ("--not", "--exclude=refs/lineage/*", "--exclude=refs/notes/lineage", "--all")
        code, listed, _ = self.start(
            "rev-list",
            "--objects",
            "--ignore-missing",
            tip,
            *([f"^{expected}"] if expected else ()),
            *excluded,
        ).outcome()
        if code or not listed.startswith(tip.encode()):
            return False
        pack = os.path.join(self.common_dir, "objects", "pack", "pack")
        return self.start("pack-objects", "--quiet", pack, content=listed).outcome()[0] == 0

    def replace(self, ref: str, commit: NewCommit) -> None:
        """Make a commit without a parent and move a ref to it, whatever it was.

        For what is derived, never for records. Raises GitFailed.
        """
        content = _fast_import(ref, None, [commit])
        self.ask(*_WITHOUT_REFLOG, "fast-import", "--force", *_IMPORT, content=content)

    def make_commit(self, tree: str, message: str, who: Identity, parents: Sequence[str]) -> str:
        """Write a commit that no ref reaches yet, and return its id."""
        when = f"@{who.at} {who.zone}"  # without the @ git takes small numbers for years
        environment = {
            "GIT_AUTHOR_NAME": who.name,
            "GIT_AUTHOR_EMAIL": who.email,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_NAME": who.name,
            "GIT_COMMITTER_EMAIL": who.email,
            "GIT_COMMITTER_DATE": when,
        }
        options = [option for parent in parents for option in ("-p", parent)]
        made = self.ask(
            "-c",
            "i18n.commitEncoding=UTF-8",
            "commit-tree",
            "--no-gpg-sign",
            *options,
            tree,
            content=_bytes(message),
            environment=environment,
        )
        return made.decode().strip()

    def maintain(self) -> None:
        """Let git pack loose objects when there are many, as its own commands do after writing.

        Looking costs one folder's listing; git detaches itself to do the work.
        """
        if self._commits_made < self._maintained_at + MAINTAINED_AFTER:
            return
        try:
            count = len(os.listdir(os.path.join(self.common_dir, "objects", "17")))
        except OSError:
            return
        if count > LOOSE_AT_MOST:
            self._maintained_at = self._commits_made
            self.start("maintenance", "run", "--auto", "--quiet").outcome()

    # -- the work tree ---------------------------------------------------------------------

    def look_early(self) -> None:
        """Start looking at the work tree for the next `start_status`, which is about to come."""
        self._early = self.start_status()

    def start_status(self) -> GitProcess:
        """Start looking at the work tree, for `status` to finish."""
        if self._early is not None:
            started, self._early = self._early, None
            return started
        return self.start(
            "status",
            "--porcelain=v2",
            "-z",
            "--branch",
            "--no-renames",
            "--no-ahead-behind",
            "--untracked-files=no",
            "--ignore-submodules=none",  # else what is untracked in them would not count
        )

    def status(self, started: GitProcess | None = None) -> WorkTree:
        """Return how the work tree differs from HEAD."""
        commit = branch = None
        changed: list[str] = []
        submodules: dict[str, bool] = {}
        listed = (started or self.start_status()).finish()
        for entry in os.fsdecode(listed).split("\0"):
            mark = entry[:2]
            if mark in ("1 ", "u "):
                fields = entry.split(" ", 8 if mark == "1 " else 10)
                if fields[2].startswith("S"):
                    submodules[fields[-1]] = fields[2][2:] != ".."
                changed.append(fields[-1])
            elif entry.startswith("# branch.oid ") and not entry.endswith(" (initial)"):
                commit = entry[len("# branch.oid ") :]
            elif entry.startswith("# branch.head ") and not entry.endswith(" (detached)"):
                branch = entry[len("# branch.head ") :]
        return WorkTree(
            commit=commit,
            branch=branch,
            changed=tuple(changed),
            submodules=submodules,
        )

    def start_untracked(self, excluded: Sequence[str] = ()) -> GitProcess:
        """Start listing the files that git does not track, but for those of the patterns."""
        # Not by `git status`: it would walk through all folders once more, 11 ms of 20,000 files.
        options = [option for pattern in excluded for option in ("-x", pattern)]
        return self.start("ls-files", "--others", "-z", *options)

    def untracked(self, started: GitProcess | None = None) -> list[str]:
        """Return the files that git does not track, ignored ones too; repositories end in `/`."""
        return os.fsdecode((started or self.start_untracked()).finish()).split("\0")[:-1]

    def start_ignored(self, untracked: Sequence[str]) -> GitProcess | None:
        """Start asking which untracked files git ignores, for `ignored` to finish."""
        if not untracked:
            return None
        if len(untracked) > SINGLY:
            return self.start("ls-files", "--others", "--ignored", "--exclude-standard", "-z")
        content = b"".join(os.fsencode(path) + b"\0" for path in untracked)
        return self.start("check-ignore", "--no-index", "--stdin", "-z", content=content)

    def ignored(self, started: GitProcess | None) -> frozenset[str]:
        """Return the files that git ignores."""
        if started is None:
            return frozenset()
        return frozenset(os.fsdecode(started.finish(accept=(0, 1))).split("\0"))

    def tree_with(self, paths: Sequence[str]) -> str:
        """Return the id of the staging area's tree with `paths` as the work tree has them.

        The objects are written; the user's staging area is not: git works on a private copy of
        it, and runs the clean filters (LFS and others) that libgit2 does not.
        """
        private = os.path.join(self.lineage_dir, f"index.{os.urandom(8).hex()}")
        environment = {"GIT_INDEX_FILE": private}
        theirs = os.path.join(
            self.home, os.environ.get("GIT_INDEX_FILE") or os.path.join(self.git_dir, "index")
        )
        try:
            os.makedirs(self.lineage_dir, exist_ok=True)
            if os.path.exists(theirs):
                # The entries' stat data come along, so that git reads only what has changed.
                with open(theirs, "rb") as source, open(private, "wb") as copy:
                    while chunk := source.read(1 << 20):
                        copy.write(chunk)
                    before = os.fstat(source.fileno())
                # And its time: what was changed in the same second as the staging area is looked
                # at again, since its size and times do not tell.
                os.utime(private, ns=(before.st_atime_ns, before.st_mtime_ns))
            content = b"".join(os.fsencode(path) + b"\0" for path in paths)
            if content:
                # safecrlf would refuse what `git add` is to refuse, not a snapshot; and hooks
                # would be told of a change to the staging area that is none.
                self.ask(
                    "-c",
                    "core.safecrlf=false",
                    *_WITHOUT_HOOKS,
                    "update-index",
                    "-z",
                    "--add",
                    "--remove",
                    "--stdin",
                    content=content,
                    environment=environment,
                )
            return self.ask(*_WITHOUT_HOOKS, "write-tree", environment=environment).decode().strip()
        except OSError as error:
            raise ReadOnlyRepository(path=self.lineage_dir, reason=error.strerror) from error
        finally:
            for leftover in (private, private + ".lock"):
                if os.path.exists(leftover):
                    os.unlink(leftover)

    def check_out(self, tree: str, folder: str) -> None:
        """Write a tree's files into a folder.

        By git itself, on a private staging area: it refuses paths that leave the folder, and runs
        the filters that the files were stored with.
        """
        os.makedirs(folder, exist_ok=True)
        private = os.path.join(self.lineage_dir, f"index.{os.urandom(8).hex()}")
        environment = {"GIT_INDEX_FILE": private}
        try:
            self.ask("read-tree", tree, environment=environment)
            self.ask("checkout-index", "--all", f"--prefix={folder}/", environment=environment)
        finally:
            for leftover in (private, private + ".lock"):
                if os.path.exists(leftover):
                    os.unlink(leftover)


def _objects(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes] | None]:
    """Yield what `git cat-file --batch` prints: id and content, None for what is not there."""
    buffer = bytearray()
    needed = skipped = 0
    for chunk in chunks:
        buffer += chunk[skipped:]
        skipped = max(skipped - len(chunk), 0)
        if len(buffer) < needed:
            continue  # a large object comes in many pieces, and is looked at once it is whole
        at = needed = 0
        while (end := buffer.find(b"\n", at)) >= 0:
            header = buffer[at:end].rsplit(b" ", 2)
            if len(header) < 3 or not header[2].isdigit():  # `NAME missing`, `NAME ambiguous`
                yield None
                at = end + 1
                continue
            size = int(header[2])
            after = end + size + 2
            if size > LARGEST_OBJECT:
                yield None
                skipped = max(after - len(buffer), 0)
            elif len(buffer) < after:
                needed = after - at
                break
            else:
                yield header[0].decode(), bytes(buffer[end + 1 : after - 1])
            at = after
        del buffer[:at]


def _question(name: str) -> bytes:
    """Return what asks `git cat-file` for an object.

    A name with a newline would be two questions; the empty one asks for what is not there.
    """
    return b"\n" if "\n" in name else os.fsencode(name) + b"\n"


def _fast_import(ref: str, parent: str | None, commits: Sequence[NewCommit]) -> bytes:
    """Return the commits as git fast-import reads them."""
    lines: list[bytes] = []
    for number, commit in enumerate(commits, 1):
        message = commit.text()
        lines += (
            b"commit %s\nmark :%d\n" % (os.fsencode(ref), number),
            b"author %s\ncommitter %s\n" % (commit.author.line(), commit.committer.line()),
            b"data %d\n%s\n" % (len(message), message),
        )
        for nth, each in enumerate(commit.behind(f":{number - 1}" if number > 1 else parent)):
            lines.append(b"%s %s\n" % (b"merge" if nth else b"from", each.encode()))
        lines.append(b"deleteall\n")
        # The tree to begin with sorts first, as it has to.
        for path, content in sorted(commit.files.items()):
            if content is None:
                lines.append(b"D %s\n" % path.encode())
            elif isinstance(content, str):
                mode, name = (b"100644", path.encode()) if path else (b"040000", b'""')
                lines.append(b"M %s %s %s\n" % (mode, content.encode(), name))
            else:
                lines.append(b"M 100644 inline %s\ndata %d\n" % (path.encode(), len(content)))
                lines += (content, b"\n")
        lines.append(b"get-mark :%d\n" % number)
    return b"".join(lines) + b"done\n"


class _Library:
    """The same append through libgit2."""

    def __init__(self, pygit2: Any, repository: Any) -> None:
        self._pygit2 = pygit2
        self._repository = repository

    @classmethod
    def of(cls, git_dir: str) -> _Library | bool:
        """Return the library's view of a repository, or False where it refuses it."""
        import pygit2  # 90 ms: only for a process that appends many records

        try:
            return cls(pygit2, pygit2.Repository(git_dir))
        except (pygit2.GitError, KeyError, ValueError):
            return False

    def tip(self, name: str) -> Ref | None:
        """As `Repository.tip`."""
        held = self._repository.references.get(name)
        if held is None:
            return None
        commit = self._repository[held.target]
        subject = commit.raw_message.partition(b"\n")[0]
        return Ref(
            name=name,
            commit=str(commit.id),
            tree=str(commit.tree_id),
            committed_at=commit.commit_time,
            subject=os.fsdecode(subject),
            parents=tuple(map(str, commit.parent_ids)),
        )

    def append(
        self, ref: str, expected: str | None, commits: Sequence[NewCommit]
    ) -> list[str] | None:
        """As `Repository.append`."""
        pygit2, repository = self._pygit2, self._repository
        try:
            # The reference object remembers what it was read as, and libgit2 moves it only from
            # there: reading it again before moving it would undo the comparison.
            held = repository.references.get(ref)
            if (str(held.target) if held else None) != expected:
                return None
            made: list[str] = []
            parent = expected
            for commit in commits:
                parents = commit.behind(parent)
                # Not create_commit: it writes no name that is not UTF-8.
                if not all(each in repository for each in parents):
                    raise GitFailed(command="append", reason="a parent is missing")
                head = [
                    b"tree %s" % str(self._tree(commit.files)).encode(),
                    *(b"parent %s" % each.encode() for each in parents),
                    b"author " + commit.author.line(),
                    b"committer " + commit.committer.line(),
                ]
                content = b"\n".join(head) + b"\n\n" + commit.text()
                parent = str(repository.write(pygit2.enums.ObjectType.COMMIT, content))
                made.append(parent)
            if held is None:
                repository.references.create(ref, made[-1])
            else:
                held.set_target(made[-1])
        except pygit2.AlreadyExistsError:
            return None
        except (pygit2.GitError, ValueError, OSError) as error:
            if self._moved(ref, expected) or "lock" in str(error):
                return None
            raise GitFailed(command="append", reason=str(error)) from error
        return made

    def _moved(self, ref: str, expected: str | None) -> bool:
        held = self._repository.references.get(ref)
        return (str(held.target) if held else None) != expected

    def _tree(self, files: Mapping[str, bytes | str | None]) -> Any:
        folders: dict[str, dict[str, bytes | str | None]] = {}
        start = files.get("")
        builder = self._repository.TreeBuilder(*([self._repository[start]] if start else []))
        modes = self._pygit2.enums.FileMode
        for path, content in files.items():
            folder, _, name = path.partition("/")
            if not path:
                continue
            if name:
                folders.setdefault(folder, {})[name] = content
            elif content is None:
                if builder.get(path) is not None:
                    builder.remove(path)
            else:
                blob = content if type(content) is str else self._repository.create_blob(content)
                builder.insert(path, blob, modes.BLOB)
        for folder, held in folders.items():
            before = builder.get(folder)
            is_there = before is not None and before.filemode == modes.TREE
            if is_there:
                held[""] = str(before.id)
            tree = self._tree(held)
            if len(self._repository[tree]):
                builder.insert(folder, tree, modes.TREE)
            elif is_there:
                builder.remove(folder)
        return builder.write()


def _bytes(text: str) -> bytes:
    """Return text as it goes into a commit, which holds no NUL; what is no text is replaced."""
    text = text.replace("\0", "")
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def _is_denied(messages: bytes) -> bool:
    """Tell whether git said that trying again is of no use."""
    lasting = (b"Permission denied", b"Read-only", b"No space left", b"quota exceeded")
    return any(each in messages for each in lasting)


def retry(ref: str, attempt: Any, seconds: float = 60.0) -> Any:
    """Call `attempt` until it returns something else than None, with growing, random pauses.

    Bounded by time, not by a count: a busy ref was seen to move 88 times during one push.
    Raises RefMoved.
    """
    if (made := attempt()) is not None:
        return made
    import random
    import time

    end, pause = time.monotonic() + seconds, 0.002
    while (made := attempt()) is None:
        if time.monotonic() > end:
            raise RefMoved(ref=ref, seconds=int(seconds), command="update-ref", reason="it moved")
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 0.5)
    return made
