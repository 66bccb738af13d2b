"""Remotes: which to use, what it had when last seen, and the way to it. Knows refspecs."""

from __future__ import annotations

import os

from gitlineage import access, ledger
from gitlineage.errors import Refused, UnknownRemote
from gitlineage.gitprocess import GitProcess, failure
from gitlineage.tags import PREFIX as TAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.repository import Repository

LIVE = "refs/lineage/"

TRACKING = "refs/lineage-remotes/"

SHARED = {"ledger": ledger.PREFIX, "tags": TAGS}
"""What a plain fetch brings; code is fetched when it is asked for."""

ARCHIVED = "lineage.archived"
"""Months that are in files, and are not fetched any more."""

NOTES = "refs/notes/lineage"

PUSHING = "GIT_LINEAGE_PUSHING"
"""Environment variable that tells our own hook that a push is ours."""


PROBE = "GIT_LINEAGE_PROBE"
"""Environment variable that has our hook say that it was reached: the file to say it in."""

OFFLINE = "offline"
"""What that file has where no remote is to be asked."""


class Remotes:
    """The remotes of one repository."""

    def __init__(self, repository: Repository) -> None:
        self.repository = self._repository = repository
        self._refspecs: dict[str, list[str]] = {}

    def remote(self, name: str | None) -> str:
        """Return the remote to use. Raises UnknownRemote; Refused when none is clear."""
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
            raise UnknownRemote(asked=found)
        return found

    def is_shared(self, remote: str) -> bool:
        """Tell whether `init` was done for a remote, and nobody has opted out of it since."""
        return self.is_allowed(remote) and self._configured(remote) is not None

    def sends(self, remote: str, what: str) -> bool:
        """Tell whether `code` or `log` may go to a remote: its own setting, else that of all."""
        repository = self._repository
        everywhere = repository.is_set(f"lineage.push{what}", default=True)
        return repository.is_set(f"remote.{remote}.lineagepush{what}", default=everywhere)

    def folder(self, remote: str) -> str:
        """Return the beginning of the names of a remote's tracking refs."""
        return self._configured(remote) or f"{TRACKING}{remote}/"

    def _configured(self, remote: str) -> str | None:
        # As its refspec says: a remote that was renamed keeps the tracking refs that it had.
        if remote not in self._refspecs:
            self._refspecs[remote] = self._repository.values(f"remote.{remote}.fetch")
        for spec in self._refspecs[remote]:
            source, _, target = spec.lstrip("+").partition(":")
            if source == ledger.PREFIX + "*" and target.startswith(TRACKING):
                return target.removesuffix("ledger/*")
        return None

    # -- whether it may have anything -----------------------------------------------------

    def url(self, remote: str) -> str:
        """Return where pushes to a remote go, without credentials."""
        from gitlineage.place import without_credentials  # 8 ms, and rarely asked

        return without_credentials(self._destination(remote))

    def is_agreed(self, remote: str) -> bool:
        """Tell whether somebody here has agreed that lineage goes to where a remote is."""
        if f"remote.{remote}.lineage" in self._repository.config():
            return self.is_allowed(remote)
        return self._destination(remote) in self._agreed()

    def is_allowed(self, remote: str) -> bool:
        """Tell whether nobody has opted out of lineage on a remote."""
        return self._repository.is_set(f"remote.{remote}.lineage", default=True)

    def agree(self, remote: str) -> None:
        """Remember that lineage goes to where a remote is; asked for again once that changes."""
        if (url := self._destination(remote)) not in (agreed := self._agreed()):
            try:
                access.make_folder(self._repository.lineage_dir)
                with open(self._agreed_path, "w", errors="surrogateescape") as file:
                    file.writelines(f"{each}\n" for each in (*agreed, url))
                access.share(self._agreed_path)
            except OSError:
                return  # a repository that cannot be written to: it is asked once more

    def _agreed(self) -> list[str]:
        try:
            with open(self._agreed_path, errors="surrogateescape") as file:
                return file.read().splitlines()
        except OSError:
            return []

    @property
    def _agreed_path(self) -> str:
        return os.path.join(self._repository.lineage_dir, "agreed")

    def _destination(self, remote: str) -> str:
        config = self._repository.config()
        return config.get(f"remote.{remote}.pushurl") or config.get(f"remote.{remote}.url", "")

    # -- what a remote had ---------------------------------------------------------------

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
            access.make_folder(self._repository.lineage_dir)
            with open(new, "w", errors="surrogateescape") as file:
                file.writelines(f"{tip} {name}\n" for name, tip in sorted(seen.items()))
            os.replace(new, self._seen_path)
        except OSError:
            return  # a repository that cannot be written to can still be pushed from

    def forget_seen(self, months: Sequence[str]) -> None:
        """Miss no month that was moved into a file."""
        gone = [n for n in self._seen() if n.rpartition("/")[2].partition(".")[0] in months]
        self._remember(dict.fromkeys(gone))

    # -- the way to it -------------------------------------------------------------------

    def _notes_refspec(self, remote: str) -> str:
        # Without a wildcard it would have to exist.
        return f"+{NOTES}*:{self.folder(remote)}notes/lineage*"

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


def live_of(tracking: str) -> str | None:
    """Return the live ref for a tracking ref; None for what is not folded."""
    kind, name = tracking.split("/")[-2:]  # a remote's name may hold slashes, these two do not
    return f"{LIVE}{kind}/{name}" if kind in ("ledger", "tags", "code") else None


def tracking_of(folder: str, ref: str) -> str:
    """Return the name of the tracking ref for a live ref."""
    return folder + ref.removeprefix(LIVE).removeprefix("refs/")


def below(tips: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the refs whose names begin so."""
    return {name: tip for name, tip in tips.items() if name.startswith(prefix)}


def _branch(repository: Repository) -> str | None:
    head = os.path.join(repository.git_dir, "HEAD")
    try:
        with open(head) as file:
            said = file.read().strip()
    except OSError:
        return None
    return said.removeprefix("ref: refs/heads/") if said.startswith("ref: refs/heads/") else None
