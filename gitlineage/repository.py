"""Everything that is asked of git. Knows git; knows nothing of what records mean.

By the git executable, 2 ms for one question. What adds to a repository is its writer.
"""

from __future__ import annotations

import io
import os

from gitlineage import discovery
from gitlineage.commits import Commit, Ref
from gitlineage.errors import InvalidDate, NoRepository, NoWorkTree, UnknownCommit
from gitlineage.gitprocess import GitProcess, failure
from gitlineage.objects import answers, by_id, question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Literal

    from gitlineage.library import Library
    from gitlineage.writing import Writer

_LAST_MOMENT = (1 << 63) // 1_000_000 - 1
"""Seconds: git says the end of all time for `now`, and an index holds 64-bit microseconds."""

_PLACES = ("--absolute-git-dir", "--git-common-dir", "--show-prefix", "--show-toplevel")


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
        self.library: Library | Literal[False] | None = None
        """The same through libgit2, once its import is worth its time; False where it refuses."""
        self.early_status: GitProcess | None = None
        """A look at the work tree that was started before anything asked for it."""
        self.early_others: GitProcess | None = None
        """The same for the files that git does not track."""
        self.commits_made = 0
        """How many its writers have added."""
        self.maintained_at: int | None = None
        """How many those were when git was last asked to pack."""
        self.unsigned: str | None = None
        """Why the last commit that was to be signed is not."""
        self.was_collecting = False
        """Whether a `git gc` was ever seen to be under way."""
        self._is_apart = False
        """The work tree does not tell where its git folder is, only `core.worktree` does."""

    @staticmethod
    def start_discovery(path: str = ".") -> GitProcess | None:
        """Start looking for the repository that `path` is in, for `discover` to finish.

        None where it is found without git.
        """
        if discovery.find(path) is not None:
            return None
        if not os.path.isdir(path):
            raise NoRepository(path=f"{path} (no such folder)")
        return GitProcess(["rev-parse", *_PLACES], directory=path)

    @classmethod
    def discover(cls, path: str = ".", started: GitProcess | None = None) -> Repository:
        """Return the repository that `path` is in. Raises NoRepository."""
        if started is None:
            if (found := discovery.find(path)) is not None:
                top, prefix = found
                git_dir = os.path.join(top, ".git")
                return cls(git_dir, git_dir, top, prefix and prefix + "/")
            started = cls.start_discovery(path)
            assert started is not None
        asked = _PLACES
        code, output, messages = started.outcome()
        lines = os.fsdecode(output).split("\n")
        if len(lines) < 3:
            said = str(failure(["rev-parse"], code, messages).facts["reason"])
            raise discovery.refusal(os.path.abspath(path), said)
        if len(lines) > len(asked) + 1:  # a folder with a newline in its name
            lines = [
                os.fsdecode(
                    GitProcess(["rev-parse", each], directory=path).outcome()[1]
                ).removesuffix("\n")
                for each in asked
            ]
        common = os.path.realpath(os.path.join(path, lines[1]))
        # In a bare repository git stops at --show-toplevel, after answering the rest.
        seen = cls(lines[0], common, lines[3] if code == 0 else None, lines[2])
        seen._is_apart = seen.top is not None and not _is_of(seen.top, seen.git_dir)
        return seen

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
        through: Sequence[str] = (),
    ) -> GitProcess:
        """Start git at the top of the work tree; finish it when its answer is needed."""
        return GitProcess(
            arguments,
            directory=self.home,
            environment={**self._pinned(), **(environment or {})},
            content=content,
            takes_input=takes_input,
            through=through,
        )

    def _pinned(self) -> dict[str, str]:
        """Return what git is to be told, since it would not find it from the top by itself.

        That is so as well where variables hold paths relative to where we were started.
        """
        pinned = {}
        if self._is_apart or "GIT_DIR" in os.environ:
            pinned["GIT_DIR"] = self.git_dir
            if self.top is not None:
                pinned["GIT_WORK_TREE"] = self.top
        return pinned

    def ask(
        self, *arguments: str, content: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> bytes:
        """Run git and return what it printed. Raises GitFailed."""
        return self.start(*arguments, content=content, environment=environment).finish()

    @property
    def writer(self) -> Writer:
        """What adds to this repository."""
        from gitlineage.writing import Writer  # readers need not wait for it

        # Not kept: each would hold the other, and what libgit2 has open would not be closed.
        return Writer(self)

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
            listed = (started or self.start_config()).finish()
            parts = (each.partition("\n") for each in os.fsdecode(listed).split("\0")[:-1])
            # As git reads a name alone.
            self._entries = [(name, value if sep else "true") for name, sep, value in parts]
            self._config = dict(self._entries)
        return self._config

    def algorithm(self) -> str:
        """Return how objects are named here: sha1 or sha256."""
        return self.config().get("extensions.objectformat", "sha1")

    def is_set(self, name: str, *, default: bool = False) -> bool:
        """Tell whether a setting is true, as git spells that."""
        value = self.config().get(name)
        return default if value is None else value.lower() in ("true", "yes", "on", "1")

    def values(self, name: str) -> list[str]:
        """Return all values of a setting that may be there many times."""
        self.config()
        return [value for each, value in self._entries if each == name]

    def words(self, name: str) -> list[str]:
        """Return the words of all values of a setting that may be there many times."""
        return [word for value in self.values(name) for word in value.split()]

    def size(self, name: str, default: int) -> int:
        """Return a setting in bytes: `4m` is 4 MiB."""
        given = self.config().get(name, "").strip().lower()
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(given[-1:], 1)
        digits = given.rstrip("kmg")
        return int(digits) * factor if digits.isdigit() else default

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
        if self.library:
            return self.library.tip(name)
        return self.refs(name).get(name)

    def tips(self, *prefixes: str) -> dict[str, str]:
        """Return the ids that refs below the prefixes point at, by name."""
        listed = self.ask("for-each-ref", "--format=%(refname) %(objectname)", *prefixes)
        lines = os.fsdecode(listed).split("\n")[:-1]
        return {name: commit for name, _, commit in (line.partition(" ") for line in lines)}

    def family(self, name: str) -> list[str]:
        """Return which there are of a ref and of those that go on with its name, `NAME.*`."""
        if self.library:
            return self.library.family(name)
        return list(self.tips(name, name + ".*"))

    def merge_base(self, one: str, other: str) -> str | None:
        """Return git's merge base of two commits, or None when they are unrelated."""
        code, output, _ = self.start("merge-base", one, other).outcome(accept=(0, 1))
        return output.decode().split()[0] if code == 0 else None

    def commit_id(self, revision: str) -> str:
        """Return the id of a commit or tree that git finds. Raises UnknownCommit."""
        code, output, _ = self.start(
            "rev-parse", "--verify", "--quiet", "--end-of-options", revision
        ).outcome()
        if code:
            raise UnknownCommit(asked=revision)
        found = output.decode().strip()
        # A whole id is taken for an object's, whether or not there is one.
        code, kind, _ = self.start("cat-file", "-t", found).outcome()
        if code:
            raise UnknownCommit(asked=revision)
        return (
            self.ask("rev-parse", f"{found}^{{commit}}").decode().strip()
            if kind.strip() == b"tag"
            else found
        )

    def moment(self, text: str) -> int:
        """Return a date as git reads it, in microseconds since 1970. Raises InvalidDate."""
        # `rev-parse --since` takes anything for a date: what it cannot read is now.
        code, said, _ = self.start(
            "-c", f"asked.moment={text}", "config", "--type=expiry-date", "asked.moment"
        ).outcome()
        if code:
            raise InvalidDate(asked=text)
        return min(int(said), _LAST_MOMENT) * 1_000_000

    def committed_at(self, commit: str) -> int:
        """Return the committer's date of a commit, in seconds."""
        # Not `git log`, which says more where log.showSignature is set.
        return int(
            self.ask(
                "rev-list", "--max-count=1", "--no-commit-header", "--format=%ct", commit, "--"
            )
        )

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
        asked = b"".join(map(question, by_id(names, self.entries)))
        return self.start("cat-file", "--batch", "--buffer", content=asked)

    def objects(
        self, names: Sequence[str], started: GitProcess | None = None
    ) -> list[tuple[str, bytes] | None]:
        """Return the ids and contents of objects, as `contents`."""
        if not names:
            return []
        return list(answers([(started or self.start_objects(names)).finish()]))

    def stream_contents(self, names: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the contents of many objects in one pass, as `contents`."""
        process = self.start("cat-file", "--batch", "--buffer", takes_input=True)
        for found in answers(process.stream(map(question, names))):
            yield None if found is None else found[1]

    def are_readable(self, names: Sequence[str]) -> list[bool]:
        """Tell of each object whether it is there, without fetching any into a partial clone."""
        from gitlineage import partial  # most commands do not ask

        if partial.promisors(self) and all(_is_id(each) for each in names):
            return partial.are_here(self, names)
        asked = b"".join(map(question, by_id(names, self.entries)))
        listed = self.ask("cat-file", "--batch-check", "--buffer", content=asked)
        # Not splitlines(): a name may hold a carriage return, and git says it again.
        return [not line.endswith(b" missing") for line in listed.split(b"\n")[:-1]]

    def commits(
        self, tips: Iterable[str], excluded: Iterable[str] = (), *, is_joined: bool = False
    ) -> list[Commit]:
        """Return commits of chains, oldest first: what the tips reach beyond the excluded.

        Along first parents, since further ones are code; all of them where merges join chains.
        """
        lines = [*tips, *("^" + each for each in excluded)]
        listed = self.ask(
            "rev-list",
            "--reverse",
            "--topo-order",
            "--ignore-missing",
            "--no-commit-header",
            "--format=%H %T %P",
            *(() if is_joined else ("--first-parent",)),
            "--stdin",
            content="\n".join(lines).encode() + b"\n",
        )
        found = []
        last = ""
        for line in io.BytesIO(listed):  # of a million there is no second copy, nor one of parents
            commit, tree, *parents = line.decode().split()
            found.append(Commit(commit, tree, (last,) if parents == [last] else tuple(parents)))
            last = commit
        return found

    def entries(self, tree: str) -> dict[str, tuple[str, str]]:
        """Return a tree's files and their mode and id; nothing when the tree is not there."""
        code, listed, _ = self.start("ls-tree", "-r", "-z", "--full-tree", tree).outcome()
        found = {}
        for line in os.fsdecode(listed).split("\0")[:-1] if code == 0 else ():
            meta, path = line.split("\t", 1)
            mode, _, blob = meta.split(" ")
            found[path] = (mode, blob)
        return found


def _is_id(name: str) -> bool:
    return len(name) in (40, 64) and not name.strip("0123456789abcdef")


def _is_of(top: str, git_dir: str) -> bool:
    """Tell whether git finds its folder from the top of a work tree."""
    there = os.path.join(top, ".git")
    if os.path.isdir(there):
        return os.path.samefile(there, git_dir)
    return os.path.lexists(there)
