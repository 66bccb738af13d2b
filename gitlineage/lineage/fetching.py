"""What a command is given comes here first where it is elsewhere, and is put where it looks."""

from __future__ import annotations

import os

from gitlineage import artifacts
from gitlineage.errors import Refused
from gitlineage.lineage.naming import Naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.image import Progress
    from gitlineage.records.artifact import Artifact
    from gitlineage.steps.inputs import Placed


class Fetching(Naming):
    """The part of `Lineage` that downloads inputs."""

    def _fetch(self, uri: str, on_fetch: Progress | None) -> Sequence[tuple[Artifact, str]]:
        """Return the files that a URI stands for, and where they are here now."""
        from gitlineage.downloads import LIMIT, Downloads

        limit = self.repository.size("lineage.downloadlimit", LIMIT)
        return Downloads(self.repository.lineage_dir, limit).fetch(uri, on_fetch)

    def _placed(
        self, inputs: Sequence[str | tuple[str | None, str]], on_fetch: Progress | None
    ) -> tuple[Sequence[tuple[str | None, str]], tuple[Placed, ...]]:
        """Return inputs with their names, and those of a command that are to be in a folder: by
        the names under which there are URIs, which are downloaded.

        Raises Refused, RemoteFailed, RemoteLibraryMissing, ReadOnlyRepository.
        """
        named = self.located(inputs)
        names = {name: None for name, given in named if name and artifacts.is_uri(given)}
        if not names:
            return named, ()
        from gitlineage.steps.inputs import collect  # brings Valohai's package: 60 ms

        came: dict[str, list[str]] = {}

        def fetch(uri: str) -> Sequence[tuple[Artifact, str]]:
            found = self._fetch(uri, on_fetch)
            came[uri] = [artifact.path for artifact, _ in found]
            return found

        placed = []
        for name in names:
            sources = [given for role, given in named if role == name]
            try:
                if name in (".", "..") or "/" in name:
                    raise ValueError("a name that is to be a folder's has no /")
                placed.append(
                    collect(name, sources, os.getcwd(), keep="none", name=None, fetch=fetch)
                )
            except ValueError as error:
                raise Refused(reason=f"input {name}: {error}") from error
        pairs = [(role, each) for role, given in named for each in
                 (came.get(given, [given]) if role in names else [given])]  # fmt: skip
        return pairs, tuple(placed)
