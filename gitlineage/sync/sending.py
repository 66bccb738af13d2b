"""One push of some refs by git, and what git tells of each. Knows options; decides nothing."""

from __future__ import annotations

import os

from gitlineage import code
from gitlineage.sync.remotes import SHARED, live_of, tracking_of
from gitlineage.sync.withholding import Withholding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Sending(Withholding):
    """Pushing refs as they were read, in one connection."""

    def _tell(
        self, remote: str, options: Sequence[str], specs: Sequence[str]
    ) -> tuple[dict[str, str], int, bytes]:
        """Push; return why each ref was rejected, or nothing, the status, and what git said."""
        is_mirror = f"remote.{remote}.mirror" in self._repository.config()
        settings = [f"remote.{remote}.mirror=false"] if is_mirror else []
        if "=" not in remote:
            # What the remote has then is noted by git, also where no refspec of `init` says where.
            kinds = (
                {"code": code.PREFIX}
                if self._configured(remote)
                else {**SHARED, "code": code.PREFIX}
            )
            noted = [f"+{ref}*:{self.folder(remote)}{kind}/*" for kind, ref in kinds.items()]
            noted.append(self._notes_refspec(remote))
            settings += [f"remote.{remote}.fetch={each}" for each in noted]
        status, output, messages = self._start_network(
            "push",
            *("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"),
            *options,
            remote,
            *specs,
            settings=settings,
        ).outcome()
        told: dict[str, str] = {}
        for line in os.fsdecode(output).split("\n"):
            flag, _, rest = line.partition("\t")
            names, _, why = rest.partition("\t")
            if len(flag) == 1 and rest:
                ref = names.partition(":")[2]
                # With several URLs each has its say: one refusal is enough.
                told[ref] = told.get(ref) or (why if flag == "!" else "")
        return told, status, messages

    def _note_sent(self, remote: str, refs: Mapping[str, str]) -> None:
        """Move the tracking refs to what the remote has now, where git has not done so itself."""
        folder = self.folder(remote)
        moves = {tracking_of(folder, ref): tip for ref, tip in refs.items()}
        # Most of them git has moved itself, by the refspecs.
        left = [(name, tip) for name, tip in moves.items() if not self._repository.is_at(name, tip)]
        if left:
            # Where this cannot be written, the next push asks the remote once more: no harm.
            self._repository.start(
                "update-ref",
                "--stdin",
                content="".join(f"update {name} {tip}\n" for name, tip in left).encode(),
            ).outcome()
        self._remember({name: tip for name, tip in moves.items() if live_of(name)})
