"""What a remote has becomes part of what is here. Knows chains and tags as sets that grow."""

from __future__ import annotations

import os
import time

from gitlineage import chains, code, partial, rewinds
from gitlineage.errors import LineageError
from gitlineage.generations import Generations
from gitlineage.records import Record
from gitlineage.sync.remotes import (
    ARCHIVED,
    LIVE,
    SHARED,
    TRACKING,
    Remotes,
    below,
    live_of,
    tracking_of,
)
from gitlineage.tags import PREFIX as TAGS
from gitlineage.tags import Tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitlineage.records.redaction import Redaction
    from gitlineage.repository import Repository
    from gitlineage.settling import Settled

DEEP = "1000000"
"""Depth that reaches the beginning of any chain. Git's own infinity, 2147483647, would bring the
whole history of the code as well, whatever refs are asked for."""


FORGOTTEN_AFTER = 3600 * 10**9
"""Nanoseconds after which a scratch ref is taken for one whose maker was killed."""

READ_AT_ONCE = 10_000
"""Commits that a fetch brings at most for them to be looked at then."""


class Fetched(Record):
    """What a fetch brought."""

    remote: str
    changed: tuple[str, ...]
    """Live refs that hold more than before."""
    rewound: tuple[str, ...] = ()
    """Refs that the remote has set back or deleted; nothing is lost here."""
    warnings: tuple[str, ...] = ()
    redactions: tuple[Redaction, ...] = ()
    """What others have forgotten, and is forgotten here since."""
    commits_count: int = 0
    """Commits of the remote's ledger that were not here; most of them hold records that are new."""

    @property
    def is_much(self) -> bool:
        """The next who reads puts it into the index: that takes longer than to bring it."""
        return self.commits_count > READ_AT_ONCE


class Fetcher(Remotes):
    """Fetching from the remotes of one repository."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.settled: list[Settled] = []
        """What others have forgotten, and is forgotten here since."""
        self._behind: dict[str, tuple[str, ...]] = {}
        """Tips, and the commits that they stand behind, as far as is known."""

    def fetch(self, remote: str, kinds: Sequence[str] = tuple(SHARED)) -> Fetched:
        """Fetch a remote's lineage and make the local refs hold it, too. Raises GitFailed."""
        folder = self.folder(remote)
        before = self._having(remote, kinds)
        tips = self._repository.tips(SHARED["ledger"], TRACKING, chains.SCRATCH)
        here = {tip for name, tip in tips.items() if not name.startswith(chains.SCRATCH)}
        self._sweep(tips)
        # What a plain fetch brought and nobody has read yet may be what this one replaces.
        changed, _ = self._fold(before)
        specs = [f"+{LIVE}{kind}/*:{folder}{kind}/*" for kind in kinds]
        specs.append(self._notes_refspec(remote))
        # What is in an archive stays there; a plain fetch knows by negative refspecs as well.
        specs += [f"^{SHARED['ledger']}{month}*" for month in self._repository.words(ARCHIVED)]
        # Pruned, so that what the remote lost is known to be missing there and is sent again.
        options = (
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--prune",
            "--no-filter",
        )
        # A first fetch has nothing in common with what comes. Told of branches all the same, the
        # remote walks all of its lineage for them: 0.4 s with 100,000 records.
        is_first = not tips and "code" not in kinds
        self._start_network(
            *("fetch", *options, remote, *specs),
            settings=("fetch.negotiationAlgorithm=noop",) if is_first else (),
        ).finish()
        after = self._having(remote, kinds)
        if self._are_cut(after.values()):
            self._network("fetch", *options, f"--depth={DEEP}", remote, *specs)
        known = self._known(remote, kinds)
        more, warnings = self._fold(after)
        # A month that goes on under another name was not set back.
        old = Generations(self._repository).superseded({**known, **before})
        rewound = [
            each
            for each in self._rewound(known, before, after)
            if tracking_of(folder, each) not in old
        ]
        self._remember({**dict.fromkeys(known), **after})
        rewinds.note(self._repository.lineage_dir, remote, rewound)
        return Fetched(
            remote=remote,
            changed=tuple(dict.fromkeys((*changed, *more))),
            rewound=tuple(rewound),
            warnings=tuple(warnings),
            redactions=tuple(each.redaction for each in self.settled),
            commits_count=chains.count(
                self._repository,
                [tip for name, tip in after.items() if before.get(name) != tip
                 and name.startswith(f"{folder}ledger/")],
                here,
            ),
        )  # fmt: skip

    def set_back(self, remote: str) -> list[str]:
        """Return what a remote has set back since we last fetched or pushed."""
        kinds = tuple(SHARED)
        known, after = self._known(remote, kinds), self._having(remote, kinds)
        old = Generations(self._repository).superseded(known)
        return self._rewound({n: t for n, t in known.items() if n not in old}, {}, after)

    def are_cut(self, remote: str) -> bool:
        """Tell whether what a remote had was cut short by a shallow fetch."""
        return self._are_cut(self._having(remote, tuple(SHARED)).values())

    def rewound(self, remote: str, tips: Mapping[str, str]) -> list[str]:
        """Return what a remote has set back, as a plain `git fetch` has brought it.

        `tips` are the tracking refs now; they are remembered.
        """
        known = self._known(remote, tuple(SHARED))
        after = {name: tip for name, tip in tips.items() if name in known}
        old = Generations(self._repository).superseded(known)
        moved = {name: tip for name, tip in known.items()
                 if name not in old and after.get(name, tip) != tip}  # fmt: skip
        found = self._rewound(moved, {}, after) if moved else []
        rewinds.note(self._repository.lineage_dir, remote, found)
        return found

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
        generations = Generations(self._repository)
        old = generations.superseded(tracked)
        pairs = [
            (ref, tip)
            for name, tip in tracked.items()
            if (ref := live_of(name)) and live.get(ref) != tip and name not in old
        ]
        # Also what a `forget` of ours was killed with: what it was about is not to be sent.
        is_unsettled = bool(old) or generations.are_new(live)
        if not self._have_news(pairs, live):
            if is_unsettled:
                self._settle()
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
        if is_unsettled or generations.are_rewritten(changed):
            # Also where a redaction of ours is there already: what each took out, the other has.
            self._settle()
        return changed, warnings

    def _sweep(self, tips: Mapping[str, str]) -> None:
        """Remove scratch refs whose makers were killed."""
        for ref, tip in below(tips, chains.SCRATCH).items():
            made = ref.rpartition(".")[2]
            if made.isdigit() and time.time_ns() - int(made) > FORGOTTEN_AFTER:
                self._repository.writer.set_ref(ref, None, tip)

    def _settle(self) -> None:
        from gitlineage.settling import Settling  # 20 ms, and rarely needed

        self.settled += Settling(self._repository).settle()

    def _have_news(self, pairs: Sequence[tuple[str, str]], live: Mapping[str, str]) -> bool:
        """Tell whether any tip reaches more than the live refs; one process for all."""
        if any(ref not in live for ref, _ in pairs):
            return True
        pairs = [(ref, tip) for ref, tip in pairs if tip not in self._behind.get(live[ref], ())]
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
        """Bring what a plain fetch into a partial clone has left out, at once."""
        tips = [tip for ref, tip in pairs if not ref.startswith(code.PREFIX)]
        partial.complete(self._repository, tips, [live[ref] for ref, _ in pairs if ref in live])

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
                    found.append(live_of(name) or name)
                    break
        return found

    def _is_ancestor(self, old: str, new: str) -> bool:
        # An old tip that is gone altogether is not an ancestor of what is here.
        return self._repository.start("merge-base", "--is-ancestor", old, new).outcome()[0] == 0
