"""What a trace asks of those who know the records. Names questions; answers none."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from gitlineage.index import Bare, Held, Mention, Row

    class Lookups(Protocol):
        """What a trace asks; `Index` answers."""

        def reading(self) -> AbstractContextManager[None]:
            """Return a context in which all answers are of one moment."""

        def bare(self) -> Bare:
            """Return bare rows, for all of a level at once."""

        def rows(self, ids: Iterable[str]) -> Mapping[str, Row]:
            """Return executions and deployments."""

        def artifacts_of(self, ids: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return what they have, inputs first."""

        def outputs_of(self, ids: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return what executions made."""

        def made_by_several(self, digests: Iterable[str]) -> set[str]:
            """Return the content that several may have made, alone or in a directory."""

        def makers_of(self, digests: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return who made content, alone or in a directory; not who left it as it was."""

        def relying_on(self, digests: Iterable[str]) -> Mapping[str, Sequence[Mention]]:
            """Return who used or deployed content."""

        def holders_of(self, digests: Iterable[str]) -> set[str]:
            """Return the directories that hold content, at any depth."""

        def held_in(self, digests: Iterable[str]) -> Mapping[str, Sequence[Held]]:
            """Return what directories hold, one level deep."""

        def first_use(self, digest: str, path: str) -> Mention | None:
            """Return the earliest use of content at a path."""

        def tags_of(self, ids: Iterable[str]) -> Mapping[str, Sequence[str]]:
            """Return tags of executions and of content."""

        def aliases_of(self, digests: Iterable[str]) -> Mapping[str, Sequence[str]]:
            """Return the aliases that stand for content."""
