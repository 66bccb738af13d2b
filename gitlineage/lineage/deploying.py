"""Deployments and aliases: what content is relied on elsewhere, and what is called by a name."""

from __future__ import annotations

import os

from gitlineage import artifacts
from gitlineage.errors import NotDeployed, Refused, UnknownAlias
from gitlineage.lineage.naming import Naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitlineage.index import Move, Row
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.execution import Execution


class Deploying(Naming):
    """The part of `Lineage` about deployments and aliases."""

    def deploy(
        self,
        name: str,
        files: Sequence[str],
        *,
        version: str | None = None,
        target: str | None = None,
        image: str | None = None,
        url: str | None = None,
        message: str = "",
    ) -> str:
        """Record that files are relied on outside of the repository; return the deployment's id.

        It takes the place of the deployment of the same name to the same target. Files are named
        as for `contents`; that no execution made one is no obstacle.
        """
        from gitlineage import deployment

        if not name.strip() or not name.isprintable():
            raise Refused(reason=f"not a name for a deployment: {name!r}")
        found = [each for given in files for each in self.contents(given)]
        return deployment.deploy(
            self.repository,
            name,
            found,
            self._manifests(found),
            version=version,
            target=target,
            image=image,
            url=url,
            message=message,
        )

    def deployments(
        self, name: str | None = None, *, since: int | None = None, until: int | None = None
    ) -> list[Row]:
        """Return deployments, newest first: of one name, in use from one moment to another."""
        from gitlineage.deployment import was_in_use

        found = self.view().index.deployments(name)
        if name is not None and not found:
            raise NotDeployed(asked=name)
        if since is None:
            return found
        return [each for each in found if was_in_use(each, since, until or since + 1)]

    def deployed_at(self, date: str, name: str | None = None) -> list[Row]:
        """Return what was in use at a moment, or in a day, a month or a year (`2026-03`)."""
        first, last = self.span(date)
        return self.deployments(name, since=first, until=last + 1)

    def retire(self, name: str, *, target: str | None = None, message: str = "") -> list[str]:
        """End the deployments of a name that are in use, all or those to a target; return ids."""
        from gitlineage import deployment

        found = [
            each
            for each in self.deployments(name)
            if each.ended_at is None and target in (None, each.target)
        ]
        if not found:
            where = f" to {target}" if target else ""
            raise Refused(reason=f"no deployment of {name}{where} is in use")
        for each in found:
            deployment.retire(self.repository, each, message)
        return [each.id for each in found]

    def relied_on(self, digests: Iterable[str | None]) -> dict[str, list[Row]]:
        """Return for each content the deployments that rely on it, oldest first."""
        index = self._index()
        found = index.deployments_of([each for each in digests if each])
        rows = index.rows({each.id for mentions in found.values() for each in mentions})
        return {
            content: [rows[id] for id in dict.fromkeys(each.id for each in mentions)]
            for content, mentions in found.items()
        }

    def deployed_from(self, execution: Execution) -> list[Row]:
        """Return the deployments that rely on what an execution made, oldest first."""
        found = self.relied_on(each.digest for each in execution.outputs)
        rows = {row.id: row for held in found.values() for row in held}
        return sorted(rows.values(), key=lambda row: (row.started_at or 0, row.id))

    def names_of(self, digests: Iterable[str | None]) -> dict[str, str]:
        """Return the tags and aliases of content, in one line: `tag best, alias model-prod`."""
        index = self._index()
        wanted = [each for each in digests if each]
        tags, aliases = index.tags_of(wanted), index.aliases_of(wanted)
        return {
            each: ", ".join(
                [f"tag {tag}" for tag in tags.get(each, ())]
                + [f"alias {alias}" for alias in aliases.get(each, ())]
            )
            for each in wanted
            if each in tags or each in aliases
        }

    def unmade(self, id: str) -> list[str]:
        """Return the files of a deployment that no execution made, by path."""
        index = self._index()
        had = index.artifacts_of([id]).get(id, [])
        made = index.makers_of([each.digest for each in had if each.digest])
        return [each.path for each in had if each.digest not in made]

    # -- aliases ---------------------------------------------------------------------------

    def aliases(self) -> dict[str, Move]:
        """Return what aliases stand for."""
        return self.view().index.aliases()

    def alias_history(self, name: str) -> list[Move]:
        """Return all moves of an alias, newest first. Raises UnknownAlias."""
        found = self.view().index.moves_of(name)
        if not found:
            raise UnknownAlias(asked=name)
        return found

    def alias(self, name: str, file: str, message: str = "") -> Artifact:
        """Let an alias stand for a file's content, and return that. Raises InvalidAlias.

        The file is named as for `contents`.
        """
        from gitlineage import alias

        alias.check(name)
        found = self.contents(file)
        if len(found) != 1:
            raise Refused(reason=f"{file} stands for {len(found)} files; an alias is for one")
        alias.move(self.repository, name, found[0], self.view().index.alias(name), message)
        return found[0]

    def delete_alias(self, name: str, message: str = "") -> None:
        """Let an alias stand for nothing from now on; its history stays. Raises UnknownAlias."""
        from gitlineage import alias

        last = self.view().index.alias(name)
        if last is None or last.digest is None:
            raise UnknownAlias(asked=name)
        alias.move(self.repository, name, None, last, message)

    def _manifests(self, found: Sequence[Artifact]) -> dict[str, bytes | str]:
        """Return the manifests of directories that are here, by digest."""
        from gitlineage.fingerprints import Fingerprints

        fingerprints = Fingerprints(self.repository.lineage_dir)
        reader = artifacts.Reader(self.repository.top or os.getcwd(), fingerprints)
        held: dict[str, bytes | str] = {}
        for each in found:
            if each.type == "directory" and os.path.isdir(reader.locate(each.path)):
                read = reader.read(each.path, how=each.how)
                if read.digest == each.digest:
                    held.update(reader.manifests)
        return held
