"""Shares lineage: fetch, become one, push. Knows remotes and refspecs; nothing of what is shared.

All network traffic goes through the git executable, so that credentials, proxies and protocols
are the user's own. What a remote had is kept under `refs/lineage-remotes/<remote>/`, outside of
`refs/lineage/`, which is what is pushed; nothing is ever fetched into a live ref. A push is one
connection, and none when the remote is known to have everything.
"""

from __future__ import annotations

import os
import time

from gitlineage import chains, code, ledger
from gitlineage.errors import LineageError, Refused, SyncRejected
from gitlineage.gitprocess import GitProcess, failure
from gitlineage.records import Record
from gitlineage.tags import PREFIX as TAGS
from gitlineage.tags import Tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitlineage.repository import Repository

LIVE = "refs/lineage/"

TRACKING = "refs/lineage-remotes/"

SHARED = {"ledger": ledger.PREFIX, "tags": TAGS}
"""What a plain fetch brings; code is fetched when it is asked for."""

NOTES = "refs/notes/lineage"

PUSHING = "GIT_LINEAGE_PUSHING"
"""Environment variable that tells our own hook that a push is ours."""

PATIENCE = 60.0
"""Seconds of trying again: a busy remote was seen to reject one push 88 times."""

RACES = (
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
)
"""What git says of a ref that someone else was moving; anything else is a refusal."""

FORGOTTEN_AFTER = 3600 * 10**9
"""Nanoseconds after which a scratch ref is taken for one whose maker was killed."""

DEEP = "1000000"
"""Depth that reaches the beginning of any chain. Git's own infinity, 2147483647, would bring the
whole history of the code as well, whatever refs are asked for."""


class Sent(Record):
    """What a push did."""

    remote: str
    records_count: int
    tags_count: int
    rounds: int
    """Connections that it took."""
    changed: tuple[str, ...] = ()
    """Live refs that hold more than before: others had sent something meanwhile."""
    warnings: tuple[str, ...] = ()


class Fetched(Record):
    """What a fetch brought."""

    remote: str
    changed: tuple[str, ...]
    """Live refs that hold more than before."""
    rewound: tuple[str, ...] = ()
    """Refs that the remote has set back or deleted; nothing is lost here."""
    warnings: tuple[str, ...] = ()


class Sync:
    """Sharing with the remotes of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._refspecs: dict[str, list[str]] = {}
        self._tried_notes: set[str] = set()

    def remote(self, name: str | None) -> str:
        """Return the remote to use. Raises Refused when there is none of that name, or none."""
        repository = self._repository
        remotes = repository.remotes()
        found = name or repository.lineage_remote(_branch(repository))
        if found is None and remotes:
            raise Refused(reason=f"there are several remotes, name one: {' '.join(remotes)}")
        if found is None:
            raise Refused(
                reason="there is no remote to share lineage with; "
                "add one with `git remote add origin URL`"
            )
        if found not in remotes:
            raise Refused(reason=f"there is no remote called {found}; `git remote -v` lists them")
        return found

    def is_shared(self, remote: str) -> bool:
        """Tell whether `init` was done for a remote, and nobody has opted out of it since."""
        said = self._repository.config().get(f"remote.{remote}.lineage", "true").lower()
        return said not in ("false", "no", "off", "0") and self._configured(remote) is not None

    def folder(self, remote: str) -> str:
        """Return the beginning of the names of a remote's tracking refs."""
        return self._configured(remote) or f"{TRACKING}{remote}/"

    def _configured(self, remote: str) -> str | None:
        # As its refspec says: a remote that was renamed keeps the tracking refs that it had.
        if remote not in self._refspecs:
            listed = self._repository.start("config", "-z", "--get-all", f"remote.{remote}.fetch")
            self._refspecs[remote] = os.fsdecode(listed.outcome()[1]).split("\0")[:-1]
        for spec in self._refspecs[remote]:
            source, _, target = spec.lstrip("+").partition(":")
            if source == ledger.PREFIX + "*" and target.startswith(TRACKING):
                return target.removesuffix("ledger/*")
        return None

    # -- fetch -----------------------------------------------------------------------------

    def fetch(self, remote: str, kinds: Sequence[str] = tuple(SHARED)) -> Fetched:
        """Fetch a remote's lineage and make the local refs hold it, too. Raises GitFailed."""
        folder = self.folder(remote)
        before = self._having(remote, kinds)
        # What a plain fetch brought and nobody has read yet may be what this one replaces.
        changed, _ = self._fold(before)
        specs = [f"+{LIVE}{kind}/*:{folder}{kind}/*" for kind in kinds]
        specs.append(self._notes_refspec(remote))
        # Pruned, so that what the remote lost is known to be missing there and is sent again.
        options = (
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--prune",
            "--no-filter",
        )
        self._network("fetch", *options, remote, *specs)
        after = self._having(remote, kinds)
        if self._are_cut(after.values()):
            self._network("fetch", *options, f"--depth={DEEP}", remote, *specs)
        known = self._known(remote, kinds)
        rewound = self._rewound(known, before, after)
        more, warnings = self._fold(after)
        self._remember({**dict.fromkeys(known), **after})
        return Fetched(
            remote=remote,
            changed=tuple(dict.fromkeys((*changed, *more))),
            rewound=tuple(rewound),
            warnings=tuple(warnings),
        )

    def tracked(self, remote: str | None = None) -> dict[str, str]:
        """Return what remotes had when last fetched: tracking refs and their tips."""
        return self._repository.tips(self.folder(remote) if remote else TRACKING)

    def fold(self, tracked: Mapping[str, str]) -> list[str]:
        """Make the live refs hold what these tracking refs hold; return those that changed."""
        return self._fold(tracked)[0]

    def _fold(
        self, tracked: Mapping[str, str], live: Mapping[str, str] | None = None
    ) -> tuple[list[str], list[str]]:
        """Return the live refs that changed, and what to say of those that could not be read."""
        live = self._repository.tips(LIVE) if live is None else live
        pairs = [
            (ref, tip)
            for name, tip in tracked.items()
            if (ref := _live(name)) and live.get(ref) != tip
        ]
        if not self._have_news(pairs, live):
            return [], []
        self._complete(pairs, live)
        changed, warnings = [], []
        asked = "".join(f"{tip}\n" for _, tip in pairs).encode()
        kinds = self._repository.ask("cat-file", "--batch-check=%(objecttype)", content=asked)
        for (ref, tip), kind in zip(pairs, kinds.split(), strict=True):
            try:
                if kind != b"commit":
                    warnings.append(f"{ref} is not a chain of commits there; it is left alone")
                elif self._are_cut([tip]):
                    # Appending ours behind a chain that begins nowhere would append all of it.
                    warnings.append(
                        f"{ref} is cut short by a shallow fetch; run `git lineage fetch`"
                    )
                elif (
                    Tags(self._repository).fold(ref, tip)
                    if ref.startswith(TAGS)
                    else chains.fold(self._repository, ref, tip)
                ):
                    changed.append(ref)
            except LineageError as error:
                # One ref that makes no sense does not keep the others away.
                warnings.append(f"{ref}: {error}")
        return changed, warnings

    def _have_news(self, pairs: Sequence[tuple[str, str]], live: Mapping[str, str]) -> bool:
        """Tell whether any tip reaches more than the live refs; one process for all."""
        if any(ref not in live for ref, _ in pairs):
            return True
        lines = [*(tip for _, tip in pairs), *(f"^{live[ref]}" for ref, _ in pairs)]
        code, found, _ = (
            self._repository.start(
                "rev-list", "--max-count=1", "--stdin", content="\n".join(lines).encode() + b"\n"
            ).outcome()
            if pairs
            else (0, b"", b"")
        )
        return code != 0 or bool(found)

    def _complete(self, pairs: Sequence[tuple[str, str]], live: Mapping[str, str]) -> None:
        """Bring what a plain fetch into a partial clone has left out, in one connection.

        Git itself would bring each blob when it is read, by a connection of its own.
        """
        config = self._repository.config()
        source = next(
            (
                each
                for each in self._repository.remotes()
                if config.get(f"remote.{each}.promisor") == "true"
            ),
            None,
        )
        if source is None:
            return
        lines = [
            *(tip for ref, tip in pairs if not ref.startswith(code.PREFIX)),
            *(f"^{live[ref]}" for ref, _ in pairs if ref in live),
        ]
        _, listed, _ = self._repository.start(
            "rev-list",
            "--objects",
            "--missing=print",
            "--stdin",
            content="\n".join(lines).encode() + b"\n",
        ).outcome()
        missing = [line[1:] for line in listed.split(b"\n") if line.startswith(b"?")]
        if missing:
            self._start_network(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--filter=blob:none",
                "--stdin",
                source,
                settings=["fetch.negotiationAlgorithm=noop"],
                content=b"\n".join(missing) + b"\n",
            ).outcome()

    def _having(self, remote: str, kinds: Iterable[str]) -> dict[str, str]:
        folder = self.folder(remote)
        return self._repository.tips(*(f"{folder}{kind}/" for kind in kinds))

    def _are_cut(self, tips: Iterable[str]) -> bool:
        """Tell whether chains end where a shallow fetch has cut them."""
        try:
            with open(os.path.join(self._repository.common_dir, "shallow")) as file:
                boundary = set(file.read().split())
        except OSError:
            return False
        roots = self._repository.ask(
            "rev-list",
            "--first-parent",
            "--max-parents=0",
            "--stdin",
            content="".join(each + "\n" for each in tips).encode(),
        )
        return not boundary.isdisjoint(roots.decode().split())

    # -- what a remote had -------------------------------------------------------------------

    @property
    def _seen_path(self) -> str:
        return os.path.join(self._repository.lineage_dir, "seen")

    def _seen(self) -> dict[str, str]:
        """Return the tips that remotes had, last time that we fetched or pushed."""
        try:
            with open(self._seen_path, errors="surrogateescape") as file:
                pairs = [line.rstrip("\n").split(" ", 1) for line in file]
        except OSError:
            return {}
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

    def _remember(self, tips: Mapping[str, str | None]) -> None:
        """Remember what remotes had beside the tracking refs, which any plain fetch moves."""
        before = self._seen()
        known = {**before, **tips}
        seen = {name: tip for name, tip in known.items() if tip is not None}
        if seen == before:
            return
        new = f"{self._seen_path}.{os.getpid()}"
        try:
            os.makedirs(self._repository.lineage_dir, exist_ok=True)
            with open(new, "w", errors="surrogateescape") as file:
                file.writelines(f"{tip} {name}\n" for name, tip in sorted(seen.items()))
            os.replace(new, self._seen_path)
        except OSError:
            return  # a repository that cannot be written to can still be pushed from

    def _known(self, remote: str, kinds: Sequence[str]) -> dict[str, str]:
        folder = self.folder(remote)
        return {
            name: tip
            for name, tip in self._seen().items()
            if name.startswith(folder) and name.split("/")[-2] in kinds
        }

    def _rewound(
        self, known: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]
    ) -> list[str]:
        found = []
        for name in sorted({**known, **before}):
            new = after.get(name)
            for old in {known.get(name), before.get(name)} - {None, new}:
                if new is None or not self._is_ancestor(old or "", new):
                    found.append(_live(name) or name)
                    break
        return found

    def _is_ancestor(self, old: str, new: str) -> bool:
        # An old tip that is gone altogether is not an ancestor of what is here.
        return self._repository.start("merge-base", "--is-ancestor", old, new).outcome()[0] == 0

    # -- push ------------------------------------------------------------------------------

    def push(self, remote: str, *, patience: float = PATIENCE) -> Sent:
        """Send lineage, never by force; fetch and try again when others were faster.

        Raises SyncRejected when the remote refuses or cannot be reached, or others keep pushing
        for too long; it tells what is not there yet.
        """
        end, rounds, pause = time.monotonic() + patience, 0, 0.05
        changed, warnings, refused = [], [], dict[str, str]()
        tips = self._look(remote)
        if os.access(self._repository.common_dir, os.W_OK):
            self._sweep(tips)
            folder = self.folder(remote)
            folded, said = self._fold(_below(tips, folder), _below(tips, LIVE))
            changed += folded
            warnings += said
            tips = self._look(remote) if folded else tips
        refs = self._unpushed(remote, tips)
        records, tags = self._counts(remote, tips)
        is_held_back = not self._is_published(remote, tips)
        if is_held_back:
            warnings.append(f"code stays here: some of it is not published on {remote}")
        while refs := {
            ref: tip
            for ref, tip in refs.items()
            if ref not in refused and not (is_held_back and ref.startswith(code.PREFIX))
        }:
            rounds += 1
            notes = self._notes(remote, tips) if rounds == 1 else None
            rejected = self._push_refs(remote, refs, notes)
            if not rejected:
                break
            before, codes = tips, _codes(rejected)
            changed += self.fetch(remote, (*SHARED, "code") if codes else tuple(SHARED)).changed
            tips = self._look(remote)
            for ref, why in rejected.items():
                name = _tracking(self.folder(remote), ref)
                if before.get(name) == tips.get(name) and not any(each in why for each in RACES):
                    refused[ref] = why
                elif time.monotonic() > end:
                    refused[ref] = f"others kept pushing for {int(patience)} s"
            if codes and codes.keys() < refused.keys():
                # Perhaps it is the code that a server's hook does not like, and it refused all of
                # the push for that: the records go alone.
                is_held_back, refused = True, {}
                warnings.append(f"code stays here: {remote} says {next(iter(codes.values()))}")
            refs = self._unpushed(remote, tips)
            if any(ref not in refused for ref in refs):
                _rest(pause)
                pause = min(pause * 2, 2.0)
        if kept := _codes(refused):
            warnings.append(f"code stays here: {remote} says {next(iter(kept.values()))}")
        if lacking := [why for ref, why in refused.items() if ref not in kept]:
            raise self._rejection(remote, lacking[0])
        return Sent(
            remote=remote,
            records_count=records,
            tags_count=tags,
            rounds=rounds,
            changed=tuple(dict.fromkeys(changed)),
            warnings=tuple(warnings),
        )

    def push_notes(self, remote: str) -> None:
        """Send the notes, unless a push of the records has tried to; they are a courtesy."""
        if remote not in self._tried_notes:
            tracking = _tracking(self.folder(remote), NOTES)
            found = self._repository.refs(NOTES, tracking)
            # By what they say: whoever fetches makes them anew.
            if NOTES not in found or (
                tracking in found and found[tracking].tree == found[NOTES].tree
            ):
                return
            tips = {name: each.commit for name, each in found.items()}
            self._push_refs(remote, {}, self._notes(remote, tips))

    def unpushed(self, remote: str) -> int:
        """Return how many records the remote has not got, as far as is known."""
        return self._counts(remote, self._look(remote))[0]

    def _rejection(self, remote: str, reason: str) -> SyncRejected:
        records, tags = self._counts(remote, self._look(remote))
        parts = [
            f"{count} {noun}{'s' * (count != 1)}"
            for count, noun in ((records, "record"), (tags, "tag"))
            if count
        ]
        left = f"; not there yet: {' and '.join(parts)}" if parts else ""
        return SyncRejected(remote=remote, command="push", reason=reason + left)

    def _look(self, remote: str) -> dict[str, str]:
        """Return all tips that a push is about: what is here, and what the remote had."""
        return self._repository.tips(LIVE, self.folder(remote), chains.SCRATCH, NOTES)

    def _unpushed(self, remote: str, tips: Mapping[str, str]) -> dict[str, str]:
        """Return live refs that differ from what the remote had; code first, then records."""
        folder = self.folder(remote)
        return {
            ref: tips[ref]
            for prefix in (code.PREFIX, ledger.PREFIX, TAGS)
            for ref in sorted(tips)
            if ref.startswith(prefix) and tips[ref] != tips.get(_tracking(folder, ref))
        }

    def _counts(self, remote: str, tips: Mapping[str, str]) -> tuple[int, int]:
        refs = self._unpushed(remote, tips)
        new = [tip for ref, tip in refs.items() if ref.startswith(ledger.PREFIX)]
        known = _below(tips, self.folder(remote) + "ledger/").values()
        records = len(self._repository.commits(new, known)) if new else 0
        return records, sum(ref.startswith(TAGS) for ref in refs)

    def _push_refs(
        self, remote: str, refs: Mapping[str, str], notes: tuple[str, str] | None
    ) -> dict[str, str]:
        """Push refs as they were read; return the rejected ones and why. Raises SyncRejected."""
        specs = [f"{tip}:{ref}" for ref, tip in refs.items()]
        options = ["--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"]
        if notes:
            self._tried_notes.add(remote)
            # The only ref that is replaced: what it says is made from the ledger. Whoever sent
            # other notes meanwhile wins, and what they say is made anew after the next fetch.
            options.append(f"--force-with-lease={NOTES}:{notes[1]}")
            specs.append(f"{notes[0]}:{NOTES}")  # a + would make the lease void
        is_mirror = f"remote.{remote}.mirror" in self._repository.config()
        status, output, messages = self._start_network(
            "push",
            *options,
            remote,
            *specs,
            settings=[f"remote.{remote}.mirror=false"] if is_mirror else [],
        ).outcome()
        told: dict[str, str] = {}
        for line in os.fsdecode(output).split("\n"):
            flag, _, rest = line.partition("\t")
            names, _, why = rest.partition("\t")
            if len(flag) == 1 and rest:
                ref = names.partition(":")[2]
                # With several URLs each has its say: one refusal is enough.
                told[ref] = told.get(ref) or (why if flag == "!" else "")
        if status and not refs.keys() <= told.keys():
            raise self._rejection(remote, str(failure(["push"], status, messages).facts["reason"]))
        sent = {ref: tip for ref, tip in refs.items() if not told.get(ref)}
        if notes and told.get(NOTES) == "":
            sent[NOTES] = notes[0]
        self._note_sent(remote, sent)
        if "stale info" in told.get(NOTES, ""):
            self._start_network(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                remote,
                self._notes_refspec(remote),
            ).outcome()
        return {ref: why for ref, why in told.items() if why and ref in refs}

    def _note_sent(self, remote: str, refs: Mapping[str, str]) -> None:
        """Move the tracking refs to what the remote has now, where git has not done so itself."""
        folder = self.folder(remote)
        moves = {_tracking(folder, ref): tip for ref, tip in refs.items()}
        if moves:
            # Where this cannot be written, the next push asks the remote once more: no harm.
            self._repository.start(
                "update-ref",
                "--stdin",
                content="".join(f"update {name} {tip}\n" for name, tip in moves.items()).encode(),
            ).outcome()
            self._remember({name: tip for name, tip in moves.items() if _live(name)})

    def _notes(self, remote: str, tips: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the commit of the notes and that of the remote's, where they differ."""
        ours, theirs = tips.get(NOTES), tips.get(_tracking(self.folder(remote), NOTES), "")
        return None if ours is None or ours == theirs else (ours, theirs)

    def _notes_refspec(self, remote: str) -> str:
        # Without a wildcard it would have to exist.
        return f"+{NOTES}*:{self.folder(remote)}notes/lineage*"

    def _is_published(self, remote: str, tips: Mapping[str, str]) -> bool:
        """Tell whether the code that would be sent builds only on commits that a remote has had.

        Where lineage goes may have changed since the code was kept, by a setting or by going to
        another branch, and no commit of a branch may travel unasked.
        """
        new = _codes(self._unpushed(remote, tips)).values()
        if not new:
            return True
        repository = self._repository
        links = repository.commits(new, _below(tips, self.folder(remote) + "code/").values())
        held = sorted({parent for link in links for parent in link.parents[1:]})
        bases: set[str] = set()
        mark = f"\nauthor {code.SNAPSHOT.name} <{code.SNAPSHOT.email}> ".encode()
        for commit, content in zip(held, repository.contents(held), strict=True):
            head = (content or b"").partition(b"\n\n")[0]
            if mark in head:
                bases.update(
                    line[7:].decode() for line in head.splitlines() if line.startswith(b"parent ")
                )
            else:
                bases.add(commit)
        if not bases:
            return True
        branches = repository.tips(f"refs/remotes/{remote}/")
        if self._are_reached(bases, branches.values()):
            return True
        # A branch may have been force-pushed since: the reflog knows what the remote has had.
        walk = (
            repository.start("rev-list", "--walk-reflogs", *branches).outcome()[1]
            if branches
            else b""
        )
        return self._are_reached(bases, {*walk.decode().split(), *branches.values()})

    def _are_reached(self, commits: Iterable[str], tips: Iterable[str]) -> bool:
        lines = [*sorted(commits), *(f"^{each}" for each in tips)]
        status, found, _ = self._repository.start(
            "rev-list", "--max-count=1", "--stdin", content="\n".join(lines).encode() + b"\n"
        ).outcome()
        return status == 0 and not found

    # -- pieces ----------------------------------------------------------------------------

    def _sweep(self, tips: Mapping[str, str]) -> None:
        """Remove scratch refs whose makers were killed."""
        for ref, tip in _below(tips, chains.SCRATCH).items():
            made = ref.rpartition(".")[2]
            if made.isdigit() and time.time_ns() - int(made) > FORGOTTEN_AFTER:
                self._repository.writer.set_ref(ref, None, tip)

    def _network(self, *arguments: str) -> bytes:
        return self._start_network(*arguments).finish()

    def _start_network(
        self, *arguments: str, settings: Sequence[str] = (), content: bytes = b""
    ) -> NetworkProcess:
        # Maintenance is started apart, when it is due. What git says is read: in its own words.
        options = [
            word
            for each in ("gc.auto=0", "maintenance.auto=false", *settings)
            for word in ("-c", each)
        ]
        process = NetworkProcess(
            [*options, *arguments],
            directory=self._repository.home,
            content=content,
            environment={**self._repository._pinned(), PUSHING: "1", "LC_ALL": "C"},
        )
        process.arguments = arguments  # errors tell the verb
        return process


class NetworkProcess(GitProcess):
    """A git that talks to a remote, and does not outlive whoever gave up waiting for it."""

    def outcome(self, *, accept: Sequence[int] = ()) -> tuple[int, bytes, bytes]:
        """As GitProcess.outcome."""
        try:
            code, output, messages = super().outcome()
        except BaseException:
            os.kill(self._pid, 15)  # SIGTERM; `signal` takes 10 ms to import
            raise
        if accept and code not in accept:
            raise failure(self.arguments, code, messages)
        return code, output, messages


def _live(tracking: str) -> str | None:
    """Return the live ref for a tracking ref; None for what is not folded."""
    kind, name = tracking.split("/")[-2:]  # a remote's name may hold slashes, these two do not
    return f"{LIVE}{kind}/{name}" if kind in ("ledger", "tags", "code") else None


def _tracking(folder: str, ref: str) -> str:
    return folder + ref.removeprefix(LIVE).removeprefix("refs/")


def _below(tips: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name: tip for name, tip in tips.items() if name.startswith(prefix)}


def _codes(refs: Mapping[str, str]) -> dict[str, str]:
    return {ref: why for ref, why in refs.items() if ref.startswith(code.PREFIX)}


def _rest(pause: float) -> None:
    """Let others go first, each for a different time."""
    import random

    time.sleep(pause * random.uniform(0.5, 1.5))


def _branch(repository: Repository) -> str | None:
    head = os.path.join(repository.git_dir, "HEAD")
    try:
        with open(head) as file:
            said = file.read().strip()
    except OSError:
        return None
    return said.removeprefix("ref: refs/heads/") if said.startswith("ref: refs/heads/") else None
