"""What of this repository and this machine may be in the way. Knows git's files and programs."""

from __future__ import annotations

import os
import re
import shutil

from gitlineage import ledger
from gitlineage.doctor.findings import Finding
from gitlineage.errors import GitFailed
from gitlineage.gitprocess import GitProcess
from gitlineage.restoring import Restorer
from gitlineage.running import Running
from gitlineage.salvage import Salvage
from gitlineage.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.repository import Repository

OLDEST_GIT = (2, 33)

TOOLS = {
    "dot": ("trace as SVG, PNG and PDF", "install Graphviz, on Debian: apt install graphviz"),
    "strace": ("run --observe", "install strace, on Debian: apt install strace"),
}


class Here:
    """A look at one repository and at the machine that it is on."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def findings(self) -> Iterator[Finding]:
        """Yield what is found."""
        yield from self._git()
        yield from self._identity()
        yield from self._signing()
        yield from self._ledger()
        yield from self._running()
        for tool, (what, remedy) in TOOLS.items():
            if shutil.which(tool) is None:
                message = f"{tool} is not installed, which {what} needs"
                yield Finding(kind="tool", level="note", message=message, remedy=remedy)

    def _git(self) -> Iterator[Finding]:
        said = GitProcess(["--version"]).finish().decode(errors="replace")
        found = re.search(r"(\d+)\.(\d+)", said)
        if found and tuple(map(int, found.groups())) < OLDEST_GIT:
            yield Finding(
                kind="git",
                level="problem",
                message=f"git {found.group()} is older than {'.'.join(map(str, OLDEST_GIT))}",
                remedy="install a newer git",
            )
        if not os.access(self._repository.common_dir, os.W_OK):
            yield Finding(
                kind="git",
                level="problem",
                message=f"{self._repository.common_dir} cannot be written to: nothing is recorded",
                remedy="make it writable, or record from a clone",
            )

    def _identity(self) -> Iterator[Finding]:
        config = self._repository.config()
        names = {"user.name": "GIT_AUTHOR_NAME", "user.email": "GIT_AUTHOR_EMAIL"}
        lacking = [each for each, variable in names.items()
                   if not config.get(each) and not os.environ.get(variable)]  # fmt: skip
        if lacking:
            yield Finding(
                kind="identity",
                level="warning",
                message=f"{' and '.join(lacking)} not set: records name the account as their maker",
                remedy="; ".join(f"git config --global {each} ..." for each in lacking),
            )

    def _signing(self) -> Iterator[Finding]:
        repository = self._repository
        if not repository.is_set(ledger.SIGN):
            return
        try:
            # An object that no ref reaches: git takes it away again.
            tree = repository.ask("mktree").decode().strip()
            signed = repository.ask("commit-tree", "--gpg-sign", "-m", "signed?", tree)
        except GitFailed as error:
            yield Finding(
                kind="signing",
                level="problem",
                message=f"records cannot be signed: {error.facts['reason']}",
                remedy="see `git config user.signingKey` and `git config gpg.format`",
            )
            return
        checked = repository.start("verify-commit", signed.decode().strip()).outcome()
        if checked[0]:
            yield Finding(
                kind="signing",
                level="warning",
                message="records are signed, and git here does not trust that key",
                remedy="for ssh, name it in the file of `git config gpg.ssh.allowedSignersFile`",
            )

    def _ledger(self) -> Iterator[Finding]:
        broken = set()
        for ref in Salvage(self._repository).broken():
            yield Finding(
                kind="ledger",
                level="problem",
                message=f"{ref} breaks off: an object of it is lost",
                remedy="git lineage doctor --repair, then git lineage fetch",
            )
            broken.add(ref)
        for ref, ids in Restorer(self._repository).lost(reads_all=False).items():
            if ref not in broken:
                yield Finding(
                    kind="ledger",
                    level="problem",
                    message=f"{ref} lacks {len(ids)} object{'s' * (len(ids) != 1)}, lost here",
                    remedy="git lineage doctor --repair, also with the file of an archive",
                )

    def index(self) -> str:
        """Return how the index stands: `current`, `behind`, or `none`; each read brings it up."""
        if not os.path.exists(os.path.join(self._repository.lineage_dir, "index.sqlite")):
            return "none"
        view = View(self._repository)
        try:
            return "current" if view.is_current() else "behind"
        finally:
            view.index.close()

    def _running(self) -> Iterator[Finding]:
        running = Running(self._repository.lineage_dir)
        entries = running.dead()
        count = sum(not each.commit() for each in entries)
        for each in entries:
            each.release()
        if count:
            yield Finding(
                kind="running",
                level="warning",
                message=f"{count} executions whose recorders died are not in the ledger yet",
                remedy="the next `git lineage log` records them",
            )
