"""Shares lineage: fetch, become one, push. Knows remotes, refspecs and hooks.

All network traffic goes through the git executable, so that credentials, proxies and protocols
are the user's own. What a remote had is kept under `refs/lineage-remotes/<remote>/`, outside of
`refs/lineage/`, which is what is pushed; nothing is ever fetched into a live ref.
"""

from __future__ import annotations

import os
import time

from gitlineage import chains, code, ledger
from gitlineage.errors import Refused, SyncRejected
from gitlineage.gitprocess import failure
from gitlineage.records import Record
from gitlineage.tags import PREFIX as TAGS
from gitlineage.tags import Tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.gitprocess import GitProcess
    from gitlineage.repository import Repository

TRACKING = "refs/lineage-remotes/"

SHARED = {"ledger": ledger.PREFIX, "tags": TAGS}
"""What a plain fetch brings; code is fetched when it is asked for."""

NOTES = "refs/notes/lineage"

PUSHING = "GIT_LINEAGE_PUSHING"
"""Environment variable that tells our own hook that a push is ours."""

PATIENCE = 60.0
"""Seconds of trying again: a busy remote was seen to reject one push 88 times."""


class Sent(Record):
    """What a push did."""

    remote: str
    records_count: int
    tags_count: int
    rounds: int
    warnings: tuple[str, ...] = ()


class Fetched(Record):
    """What a fetch brought."""

    remote: str
    changed: tuple[str, ...]
    """Live refs that hold more than before."""
    rewound: tuple[str, ...] = ()
    """Refs that the remote has set back; nothing is lost here."""


class Sync:
    """Sharing with the remotes of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def remote(self, name: str | None) -> str:
        """Return the remote to use. Raises Refused when there is none of that name, or none."""
        repository = self._repository
        found = name or repository.lineage_remote(_branch(repository))
        if found is None:
            raise Refused(reason="there is no remote to share lineage with; "
                                 "add one with `git remote add origin URL`")
        if found not in repository.remotes():
            raise Refused(reason=f"there is no remote called {found}; `git remote -v` lists them")
        return found

    def is_shared(self, remote: str) -> bool:
        """Tell whether `init` was done for a remote, and nobody has opted out of it since."""
        config = self._repository.config()
        if config.get(f"remote.{remote}.lineage", "true").lower() in ("false", "no", "off", "0"):
            return False
        listed = self._repository.start("config", "--get-all", f"remote.{remote}.fetch").outcome()
        return _refspec(remote, "ledger") in os.fsdecode(listed[1]).splitlines()

    # -- fetch -----------------------------------------------------------------------------

    def fetch(self, remote: str, kinds: Sequence[str] = tuple(SHARED)) -> Fetched:
        """Fetch a remote's lineage and make the local refs hold it, too. Raises GitFailed."""
        before = self.tracked(remote)
        specs = [_refspec(remote, kind) for kind in kinds]
        self._network("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, *specs)
        after = self.tracked(remote)
        rewound = tuple(
            name for name, old in before.items()
            if name in after and after[name] != old
            and self._repository.merge_base(old, after[name]) != old
        )
        return Fetched(remote=remote, changed=tuple(self.fold(after)), rewound=rewound)

    def tracked(self, remote: str | None = None) -> dict[str, str]:
        """Return what remotes had when last fetched: tracking refs and their tips."""
        return self._repository.tips(TRACKING + (f"{remote}/" if remote else ""))

    def fold(self, tracked: Mapping[str, str]) -> list[str]:
        """Make the live refs hold what these tracking refs hold; return those that changed."""
        changed = []
        live = self._repository.tips("refs/lineage/")
        for name, tip in tracked.items():
            kind, _, rest = name.removeprefix(TRACKING).partition("/")[2].partition("/")
            ref = f"refs/lineage/{kind}/{rest}"
            if live.get(ref) == tip:
                continue
            if kind == "tags":
                is_changed = Tags(self._repository).fold(ref, tip)
            elif kind in ("ledger", "code"):
                is_changed = chains.fold(self._repository, ref, tip)
            else:
                continue
            if is_changed:
                changed.append(ref)
        return changed

    # -- push ------------------------------------------------------------------------------

    def push(self, remote: str, *, patience: float = PATIENCE) -> Sent:
        """Send lineage, never by force; fetch and try again when others were faster.

        Raises SyncRejected when the remote refuses for another reason, or for too long.
        """
        end, rounds, warnings = time.monotonic() + patience, 0, []
        records, tags = self._unpushed_counts(remote)
        is_code_sent = self._is_code_allowed(remote)
        if not is_code_sent:
            warnings.append(f"code stays here: some of it is not published on {remote}")
        while refs := self._outdated(remote, with_code=is_code_sent):
            rounds += 1
            rejected = self._push_refs(remote, refs)
            if not rejected:
                break
            kinds = (*SHARED, "code") if any("/code/" in each for each in rejected) else \
                tuple(SHARED)
            before = self.tracked(remote)
            self.fetch(remote, kinds)
            is_moved = self.tracked(remote) != before
            if not is_moved and not any("fetch first" in why or "non-fast" in why or
                                        "lock" in why for why in rejected.values()):
                raise SyncRejected(remote=remote, reason=next(iter(rejected.values())),
                                   command="push")
            if time.monotonic() > end:
                raise SyncRejected(remote=remote, command="push",
                                   reason=f"others kept pushing for {int(patience)} s")
        return Sent(remote=remote, records_count=records, tags_count=tags, rounds=rounds,
                    warnings=tuple(warnings))

    def push_notes(self, remote: str) -> None:
        """Send the notes, for readers without this program; what anyone else sent meanwhile wins."""
        tracking = f"{TRACKING}{remote}/notes/lineage"
        tips = self._repository.tips(NOTES, tracking)
        if tips.get(NOTES) in (None, tips.get(tracking)):
            return
        lease = f"--force-with-lease={NOTES}:{tips.get(tracking, '')}"
        process = self._start_network("push", "--quiet", "--no-verify", lease, remote,
                                      f"+{NOTES}:{NOTES}")
        if process.outcome()[0] == 0:
            self._repository.set_ref(tracking, tips[NOTES], tips.get(tracking))
        else:
            self._start_network("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote,
                                f"+{NOTES}:{tracking}").outcome()

    def unpushed(self, remote: str) -> int:
        """Return how many records the remote has not got, as far as is known."""
        return self._unpushed_counts(remote)[0]

    def _unpushed_counts(self, remote: str) -> tuple[int, int]:
        refs = self._outdated(remote, with_code=False)
        tracked = list(self.tracked(remote).values())
        tips = [tip for ref, tip in refs.items() if ref.startswith(ledger.PREFIX)]
        records = len(self._repository.commits(tips, tracked)) if tips else 0
        return records, sum(ref.startswith(TAGS) for ref in refs)

    def _outdated(self, remote: str, *, with_code: bool) -> dict[str, str]:
        """Return live refs that differ from what the remote had; code first, then records."""
        prefixes = [code.PREFIX] if with_code else []
        prefixes += [ledger.PREFIX, TAGS]
        live = self._repository.tips("refs/lineage/")
        tracked = self.tracked(remote)
        return {
            ref: live[ref] for prefix in prefixes for ref in sorted(live)
            if ref.startswith(prefix) and live[ref] != tracked.get(_tracking(remote, ref))
        }

    def _push_refs(self, remote: str, refs: Mapping[str, str]) -> dict[str, str]:
        """Push refs as they were read; return the rejected ones and why."""
        specs = [f"{tip}:{ref}" for ref, tip in refs.items()]
        process = self._start_network("push", "--porcelain", "--no-verify", remote, *specs)
        status, output, messages = process.outcome()
        rejected = {}
        seen = 0
        for line in os.fsdecode(output).splitlines():
            flag, _, rest = line.partition("\t")
            names, _, why = rest.partition("\t")
            ref = names.partition(":")[2]
            if ref not in refs or len(flag) != 1:
                continue
            seen += 1
            if flag == "!":
                rejected[ref] = why
                continue
            tracking = _tracking(remote, ref)
            held = self._repository.tips(tracking).get(tracking)
            if held != refs[ref]:  # git has moved it already where the refspec says so
                self._repository.set_ref(tracking, refs[ref], held)
        if status and not rejected and seen < len(refs):
            raise failure(["push"], status, messages)
        return rejected

    def _is_code_allowed(self, remote: str) -> bool:
        """Tell whether all code in the chain builds on what the remote has.

        The remote that lineage goes to had it when it was recorded; any other is asked.
        """
        repository = self._repository
        if remote == repository.lineage_remote(_branch(repository)):
            return True
        tips = list(repository.tips(code.PREFIX).values())
        links = repository.commits(tips)
        held = [parent for link in links for parent in link.parents[1:]]
        snapshots = {each.id: each for each in repository.commits(held)} if held else {}
        bases = {base for each in held
                 for base in (snapshots[each].parents if code.is_snapshot(repository, each)
                              else (each,))}
        if not bases:
            return True
        missing = repository.ask("rev-list", "--max-count=1", *sorted(bases), "--not",
                                 f"--remotes={remote}")
        return not missing.strip()

    def _network(self, *arguments: str) -> bytes:
        return self._start_network(*arguments).finish()

    def _start_network(self, *arguments: str) -> GitProcess:
        # Maintenance is started apart, when it is due.
        return self._repository.start("-c", "gc.auto=0", "-c", "maintenance.auto=false", *arguments,
                                      environment={PUSHING: "1"})


def _refspec(remote: str, kind: str) -> str:
    return f"+refs/lineage/{kind}/*:{TRACKING}{remote}/{kind}/*"


def _tracking(remote: str, ref: str) -> str:
    return f"{TRACKING}{remote}/{ref.removeprefix('refs/lineage/')}"


def _branch(repository: Repository) -> str | None:
    head = os.path.join(repository.git_dir, "HEAD")
    try:
        with open(head) as file:
            said = file.read().strip()
    except OSError:
        return None
    return said.removeprefix("ref: refs/heads/") if said.startswith("ref: refs/heads/") else None
