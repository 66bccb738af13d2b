"""Takes records, or a secret in them, out of what is stored. Knows what a record is made of.

The month goes on in a new generation that lacks them, and ends with the redaction that says who
took what, and why. Other clones do the same when they see that (`settling`).
"""

from __future__ import annotations

import base64
import json
import os
import time
from urllib.parse import quote

from gitlineage import chains, code, encoding, ledger
from gitlineage.capture import agent_of, identity, software
from gitlineage.commits import NewCommit
from gitlineage.errors import InvalidRecord, NothingToForget, OnlyElsewhere, Refused
from gitlineage.index.parts import name_in
from gitlineage.ledger import Ledger, Stored
from gitlineage.messages import redaction_message
from gitlineage.records import Record
from gitlineage.records.launch import GONE
from gitlineage.records.redaction import Redaction
from gitlineage.settling import Settling
from gitlineage.tags import PREFIX as TAGS
from gitlineage.tags import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gitlineage.commits import Commit
    from gitlineage.repository import Repository


class Forgotten(Record):
    """What was forgotten here, and where it may still be."""

    redactions: tuple[Redaction, ...]
    code_count: int
    """Snapshots of code that were let go."""
    unsigned_count: int
    """Records whose signature is gone, since what comes before them is another."""
    left: tuple[str, ...]
    """Where a secret still is: refs, and the paths below them."""


class Forgetter:
    """Forgetting in one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._ledger = Ledger(repository)
        self._unsigned_count = 0

    def forget(
        self,
        *,
        ids: Sequence[str] = (),
        month: str | None = None,
        secret: str | None = None,
        message: str,
    ) -> Forgotten:
        """Forget executions and deployments, a month, or a text wherever it stands.

        Raises NothingToForget.
        """
        choice = _Choice(self._repository, ids, month, secret)
        made, forgotten = [], set()
        if secret is not None:
            forgotten = self._snapshots_with(choice)
        code_count = len(forgotten)
        refs = self._repository.tips(ledger.PREFIX)
        old = Settling(self._repository).superseded(refs)
        for ref in sorted(refs.keys() - old):
            found = chains.generation(ref)
            if found is None or month not in (None, found[0]):
                continue
            if redaction := self._redact(ref, found, choice, message, forgotten):
                made.append(redaction)
        if not made and forgotten:
            # No record has it, so that a month that is there has to say that code was let go.
            ref = max(refs.keys() - old)
            found = chains.generation(ref) or ("", 0)
            made.append(self._replace(ref, found, [], message, forgotten, 0))
        if not made:
            if secret is not None and (left := self._left(choice)):
                raise OnlyElsewhere(asked=choice.asked(), where=left[0])
            raise NothingToForget(asked=choice.asked())
        generations = Settling(self._repository)
        gone = set().union(*(each for _, each in generations.redactions()))
        months = {each.month for each in made}
        codes = map(chains.generation, self._repository.tips(code.PREFIX))
        for name in sorted(months | {each[0] for each in codes if each}):
            generations.go_on(name, gone)
        generations.finish(made, gone)
        left = self._left(choice) if secret is not None else []
        return Forgotten(
            redactions=tuple(made),
            code_count=code_count,
            unsigned_count=self._unsigned_count,
            left=tuple(left),
        )

    def _redact(
        self,
        ref: str,
        generation: tuple[str, int],
        choice: _Choice,
        message: str,
        others: set[str],
    ) -> Redaction | None:
        """Make a month go on without what was chosen; None where it has nothing of that."""
        while True:
            tip = self._repository.tips(ref)[ref]
            changes = []
            for stored in self._ledger.records(self._repository.commits([tip], is_joined=True)):
                change = choice.change(stored)
                if change is not None:
                    changes.append(change)
            if not changes:
                return None
            made = self._replace(ref, generation, changes, message, others, len(changes), tip)
            if made is not None:
                return made

    def _replace(
        self,
        ref: str,
        generation: tuple[str, int],
        changes: Sequence[_Change],
        message: str,
        others: set[str],
        count: int,
        tip: str | None = None,
    ) -> Redaction:
        repository = self._repository
        tip = tip or repository.tips(ref)[ref]
        month, number = generation
        gone = sorted({each.id for each in changes if each.new is None and each.id})
        redaction = Redaction(
            nonce=os.urandom(16),
            month=month,
            generation=number + 1,
            forgotten=tuple(gone),
            rewritten=tuple(sorted({e.id for e in changes if e.new and e.id} - set(gone))),
            records_count=count,
            forgotten_at=int(time.time() * 1_000_000),
            agent=agent_of(repository)[0],
            software=software(),
            message=message,
        )
        trees = {each.tree for each in changes} | others
        changed = {each.commit: each for each in changes}
        commits = repository.commits([tip], is_joined=True)
        first = next((n for n, e in enumerate(commits) if e.id in changed), len(commits))
        first = min(first, chains.unbranched(commits))
        base = chains.below(commits, first)
        again = self._again(commits[first:], changed)
        who = identity(repository)
        at = max([int(time.time()), *(each.committer.at for each in again)])
        again.append(
            NewCommit(
                files={
                    "record": encoding.encode(redaction),
                    "forgotten": "".join(f"{each}\n" for each in sorted(trees)).encode(),
                },
                message=redaction_message(redaction),
                author=who.replace(at=at),
                committer=who.replace(at=at, zone="+0000"),
                is_signed=repository.is_set(ledger.SIGN),
            )
        )
        made = f"{ledger.PREFIX}{month}.{number + 1}"

        def attempt() -> bool | None:
            if repository.tips(made):
                raise Refused(reason=f"somebody else forgets something of {month}: try again")
            return chains.replant(repository, made, None, base, again) or None

        chains.retry(repository, made, attempt)
        generations = Settling(repository)
        generations.begin([redaction])
        generations.know(made)
        return redaction

    def _again(self, commits: Sequence[Commit], changed: dict[str, _Change]) -> list[NewCommit]:
        again = []
        commits = [each for each in commits if not each.is_merge]
        raw = self._repository.contents([each.id for each in commits])
        for each, content in zip(commits, raw, strict=True):
            change = changed.get(each.id)
            if change is None:
                again.append(chains.again_of(content or b""))
            elif change.new is not None:
                again.append(change.new)
            else:
                continue
            self._unsigned_count += chains.is_signed(content)
        return again

    # -- code --------------------------------------------------------------------------------

    def _snapshots_with(self, choice: _Choice) -> set[str]:
        """Return the snapshots in which a secret stands, and no commit of a branch has it."""
        tips = self._repository.tips(code.PREFIX).values()
        held = {link.parents[-1] for link in self._repository.commits(tips) if link.parents[1:]}
        found = set()
        for each in sorted(held):
            if code.is_snapshot(self._repository, each):
                files = self._repository.entries(each)
                blobs = sorted({blob for mode, blob in files.values() if mode != "160000"})
                for content in self._repository.stream_contents(blobs):
                    if content is not None and choice.is_in(content):
                        found.add(each)
                        break
        return found

    def _left(self, choice: _Choice) -> list[str]:
        """Return where a secret still is in what refs reach: tags, paths, messages."""
        found = []
        for ref in self._repository.tips(TAGS):
            name = name_of(ref) or ref
            if choice.is_in(name.encode()) or self._reached(choice, ref):
                found.append(
                    f"the tag {name}: `git update-ref -d {ref}` deletes it with its history, "
                    f"in each clone, and `git push REMOTE :{ref}` there"
                )
        # What remotes have is said apart.
        others = ("--exclude=refs/lineage-remotes/*", f"--exclude={TAGS}*", "--all")
        reached = self._reached(choice, *others).items()
        return [*found, *(f"{path or 'a message'} ({id[:12]})" for id, path in reached)]

    def _reached(self, choice: _Choice, *refs: str) -> dict[str, str]:
        """Return the objects that refs reach in which a secret is, and their paths."""
        asked = ("rev-list", "--objects", *refs, "--missing=allow-any", "--ignore-missing")
        listed = self._repository.ask(*asked).split(b"\n")[:-1]
        pairs = [each.partition(b" ") for each in listed]
        contents = self._repository.stream_contents(id.decode() for id, _, _ in pairs)
        found: dict[str, str] = {}
        for (id, _, path), content in zip(pairs, contents, strict=False):
            if content is not None and choice.is_in(content):
                found[id.decode()] = os.fsdecode(path)
        return found


class _Change(Record):
    """One record that is forgotten, or appended again without something."""

    commit: str
    tree: str
    id: str
    new: NewCommit | None


class _Choice:
    """What is to be forgotten."""

    def __init__(
        self,
        repository: Repository,
        ids: Sequence[str],
        month: str | None,
        secret: str | None,
    ) -> None:
        self._repository = repository
        self._ids = set(ids)
        self._month = month
        self._secret = secret
        self._forms = _forms(secret) if secret else []

    def asked(self) -> str:
        """Return what was asked for, which a secret is not."""
        return self._month or ", ".join(sorted(self._ids)) or "this text"

    def is_in(self, content: bytes) -> bool:
        """Tell whether the secret is in some bytes, as it is or as it is commonly written."""
        return any(each in content for each in self._forms)

    def change(self, stored: Stored) -> _Change | None:
        """Return what is to become of a record; None where it stays."""
        id = name_in(stored)[0].hex()
        if self._secret is None:
            if self._is_redaction(stored):
                return None
            is_chosen = not self._ids or id in self._ids or self._is_about(stored)
            if not is_chosen:
                return None
            named = id if not self._ids or id in self._ids else ""
            return _Change(commit=stored.commit, tree=stored.tree, id=named, new=None)
        raw = self._repository.contents([stored.commit])[0] or b""
        files = self._rewritten(stored, id)
        if not files and not self.is_in(raw):
            return None
        again = chains.again_of(raw)
        new = again.replace(
            files={**again.files, **files},
            message=self._text(again.message),
            author=again.author.replace(
                name=self._text(again.author.name), email=self._text(again.author.email)
            ),
            committer=again.committer.replace(
                name=self._text(again.committer.name), email=self._text(again.committer.email)
            ),
        )
        return _Change(commit=stored.commit, tree=stored.tree, id=id, new=new)

    def _is_redaction(self, stored: Stored) -> bool:
        found = _opened(stored.record)
        return isinstance(found, dict) and found.get("kind") == "redaction"

    def _is_about(self, stored: Stored) -> bool:
        """Tell whether a record says something of what is forgotten."""
        found = _opened(stored.record) if stored.launch is None else None
        named = ("subject", "deployment", "execution")
        return isinstance(found, dict) and any(found.get(each) in self._ids for each in named)

    def _rewritten(self, stored: Stored, id: str) -> dict[str, bytes | None]:
        """Return the parts in which the secret was, without it."""
        made: dict[str, bytes | None] = {}
        for name, content in Ledger(self._repository).parts(stored.commit).items():
            if not self.is_in(content):
                continue
            new: bytes | None = content
            if name in ("log", "config"):
                new = self._bytes(content)
            else:
                try:
                    value = self._plain(encoding.unpack(content))
                    if name == "launch":
                        value["redacted"] = id
                    new = encoding.pack(value)
                except (InvalidRecord, ValueError, TypeError):
                    new = None
            # What cannot be read goes as a whole, unless it is what the record is known by.
            made[name] = None if new is None or self.is_in(new) else new
        return made

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes):
            return self._bytes(value)
        if isinstance(value, (list, tuple)):
            return [self._plain(each) for each in value]
        if isinstance(value, dict):
            return {self._text(name): self._plain(each) for name, each in value.items()}
        return value

    def _text(self, text: str) -> str:
        return self._bytes(text.encode(errors="surrogateescape")).decode(errors="surrogateescape")

    def _bytes(self, content: bytes) -> bytes:
        for form in self._forms:
            content = content.replace(form, GONE.encode())
        return content


def _forms(secret: str) -> list[bytes]:
    """Return a secret as it is, and as JSON, a URL and base64 have it; longest first."""
    raw = secret.encode(errors="surrogateescape")
    quoted = json.dumps(secret)[1:-1].encode()
    whole = base64.b64encode(raw).rstrip(b"=")
    # What goes before shifts the letters of base64; the first and the last then are not its own.
    shifted = [base64.b64encode(b"x" * n + raw)[4:].rstrip(b"=")[:-1] for n in (1, 2)]
    made = {raw, quoted, quote(secret, safe="").encode(errors="replace"), whole[:-1], *shifted}
    return sorted((each for each in made if len(each) >= 4 or each == raw), key=len, reverse=True)


def _opened(record: bytes | None) -> Any:
    try:
        return encoding.unpack(record or b"")
    except InvalidRecord:
        return None
