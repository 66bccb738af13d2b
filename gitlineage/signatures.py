"""Who signed what in the ledger, as git itself checks it. Knows `git log`'s letters for that.

Must not know keys: `gpg.format`, `gpg.ssh.allowedSignersFile` and the like are the user's own, for
commits and records alike.
"""

from __future__ import annotations

import os

from gitlineage import chains
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitlineage.repository import Repository

STANDINGS = {
    "G": "good",
    "U": "unknown",  # good in itself, by a key that nobody here vouches for
    "E": "unknown",  # the key is not here
    "N": "unknown",  # there is one, and git cannot check it: no allowed signers are configured
    "X": "expired",
    "Y": "expired",
    "R": "revoked",
    "B": "bad",
}

TOGETHER = 256
"""Commits that one git checks: each takes gpg or ssh-keygen some 10 ms."""


class Signature(Record):
    """What git says of a commit's signature."""

    standing: str
    """`good`, `unknown`, `expired`, `revoked` or `bad`."""
    signer: str
    """As the key, or the file of allowed signers, names them; may be empty."""
    key: str
    """Its fingerprint, or the end of it."""

    @property
    def is_trusted(self) -> bool:
        """The key was good when it signed, and is known here."""
        return self.standing in ("good", "expired")

    def line(self) -> str:
        """Return it in a few words."""
        who = self.signer if self.standing != "unknown" else ""
        key = f"key {self.key.removeprefix('SHA256:')[:16]}" if self.key else "a key"
        by = f"by {who} ({key})" if who else f"by {key}"
        words = {"good": "", "unknown": ", which is not known here", "expired": ", expired by now",
                 "revoked": ", which was revoked", "bad": ", and it does not fit"}  # fmt: skip
        return by + words[self.standing]


def signed(repository: Repository, commits: Sequence[str]) -> list[str]:
    """Return the commits that have a signature; no program is started for any."""
    if not commits:
        return []
    contents = repository.stream_contents(commits)
    return [each for each, raw in zip(commits, contents, strict=False) if chains.is_signed(raw)]


def check(repository: Repository, commits: Sequence[str]) -> Iterator[tuple[str, Signature]]:
    """Yield what git says of signed commits, on all cores."""
    pieces = [commits[at : at + TOGETHER] for at in range(0, len(commits), TOGETHER)]
    if len(pieces) < 2:
        for piece in pieces:
            yield from _check(repository, piece)
        return
    from concurrent.futures import ThreadPoolExecutor  # 10 ms

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda piece: _check(repository, piece), pieces):
            yield from found


def _check(repository: Repository, commits: Sequence[str]) -> list[tuple[str, Signature]]:
    output = repository.ask(
        *("-c", "log.showSignature=false", "log", "-z", "--no-walk=unsorted", "--stdin"),
        "--format=tformat:%H%x00%G?%x00%GS%x00%GF%x00%GK",
        content="".join(f"{each}\n" for each in commits).encode(),
        environment={"LC_ALL": "C"},
    )
    words = iter(output.decode(errors="replace").split("\0"))
    return [
        (
            commit,
            Signature(standing=STANDINGS.get(letter, "bad"), signer=signer, key=fingerprint or key),
        )
        for commit, letter, signer, fingerprint, key in zip(*[words] * 5, strict=False)
    ]
