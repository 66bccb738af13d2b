"""What is meant by a name: content by its path, digest, alias or tag, or whose output it is."""

from __future__ import annotations

import os

from gitlineage import artifacts, named, wording
from gitlineage.digest import ID_LENGTH
from gitlineage.errors import (
    AmbiguousId,
    FileChanged,
    MadeUnseen,
    NotHere,
    NothingRecorded,
    NotSoCalled,
    OnlyCode,
    OnlyParts,
    Refused,
    UnknownAlias,
    UnknownContent,
    UnknownFile,
    UnknownId,
)
from gitlineage.lineage.reading import Reading
from gitlineage.lineage.resolving import SHORTEST_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gitlineage.records.artifact import Artifact
    from gitlineage.trace import Start


SUSPECT = 86_400_000_000
"""Microseconds after its beginning for which an execution whose recorder died is suspected of what
was written since."""


class Naming(Reading):
    """The part of `Lineage` that knows what files are called."""

    def contents(self, given: str) -> list[Artifact]:
        """Return the content that a name stands for; of an execution, all that it made.

        A name is a path here, a digest or its beginning, `EXECUTION:PATH` for an output,
        `alias:NAME`, a tag, or an execution. Content may be what no execution knows.
        Raises UnknownContent, UnknownAlias, UnknownId, AmbiguousId, Refused.
        """
        if (alias := named.alias_in(given)) is not None:
            return [self._aliased(alias)]
        if given.startswith("blake3:"):
            return [self._digested(given)]
        if not given.startswith("@") and self.repository.top and os.path.lexists(given):
            return [self._read(given)]
        members = self.view().index.tags().get(given, {})
        tagged = [f"blake3:{each}" for each in members if len(each) != ID_LENGTH]
        if tagged:
            return [self._digested(each) for each in sorted(tagged)]
        if not members and (output := named.output_in(given)) is not None:
            return [self._output(*output)]
        try:
            execution = self.execution(given)
        except (UnknownId, NothingRecorded):
            raise UnknownContent(asked=given) from None
        made = [each for each in execution.outputs if each.digest]
        if not made:
            raise Refused(reason=f"execution {execution.id[:12]} made no file")
        return [each.replace(change=None, previous=None, given=None) for each in made]

    def _aliased(self, alias: str) -> Artifact:
        move = self.view().index.alias(alias)
        if move is None or move.digest is None:
            raise UnknownAlias(asked=alias)
        found = self._digested(move.digest)
        return found.replace(path=move.path or found.path, given=f"alias:{alias}")

    def located(
        self, inputs: Sequence[str | tuple[str | None, str]]
    ) -> list[tuple[str | None, str]]:
        """Return inputs with their names, those that are aliases as the files that they stand for.

        Raises UnknownAlias, NotHere.
        """
        pairs = [(None, each) if isinstance(each, str) else each for each in inputs]
        return [
            (role, given if named.alias_in(given) is None else self._here(given))
            for role, given in pairs
        ]

    def _here(self, given: str) -> str:
        """Return the path, from the current folder, of a file here that an alias stands for."""
        from gitlineage.contents import Contents, Wanted
        from gitlineage.fingerprints import Fingerprints

        (artifact,) = self.contents(given)
        top = self.repository.work_tree()
        fingerprints = Fingerprints(self.repository.lineage_dir)
        path: str | None = os.path.join(top, artifact.path)
        if artifact.type == "directory":
            reader = artifacts.Reader(top, fingerprints)
            is_here = os.path.isdir(str(path))
            found = reader.read(artifact.path, how="declared").digest if is_here else None
            path = path if found == artifact.digest else None
        else:
            digest = artifact.digests["blake3"]
            wanted = Wanted(digest=digest, size=artifact.size, paths=(artifact.path,))
            source = Contents(self.repository, fingerprints).find([wanted]).get(digest)
            path = source.path if source else None
        if path is None:
            raise NotHere(asked=given, path=artifact.path, digest=str(artifact.digest)[:19])
        return os.path.relpath(path)

    def _digested(self, given: str) -> Artifact:
        """Return content by its digest, called as it was last."""
        from gitlineage.records.artifact import Artifact

        index = self.view().index
        known = index.contents_by_prefix(given)
        if len(known) > 1:
            shown = " ".join(each[:19] for each in known[:8])
            raise AmbiguousId(asked=given, count=len(known), candidates=shown)
        if not known and len(given) != len("blake3:") + 64:
            raise UnknownContent(asked=given)
        digest = known[0] if known else given
        last = None
        for look in (index.makers_of, index.relying_on):
            last = last or next(iter(look([digest]).get(digest, ())), None)
        try:
            digests = {"blake3": bytes.fromhex(digest.removeprefix("blake3:"))}
        except ValueError:
            raise UnknownContent(asked=given) from None
        if last is None:
            return Artifact(path=digest, type="file", how="declared", digests=digests)
        return Artifact(
            path=last.path, type=last.type, how="declared", digests=digests, size=last.size
        )

    def _read(self, given: str) -> Artifact:
        """Return a file or a folder as it is now."""
        from gitlineage.fingerprints import Fingerprints

        top = self.repository.work_tree()
        reader = artifacts.Reader(top, Fingerprints(self.repository.lineage_dir))
        try:
            found = reader.read(reader.name(given), how="declared", given=given)
        except OSError as error:
            raise Refused(reason=f"{given}: {(error.strerror or '').lower()}") from error
        if not found.digest:
            raise Refused(reason=f"{given} is no file with content")
        return found

    def _output(self, name: str, path: str) -> Artifact:
        """Return what an execution made at a path."""
        execution = self.execution(name)
        wanted = (path, self.recorded_name(path))
        for each in execution.outputs:
            if each.path in wanted and each.digest:
                return each.replace(
                    how="declared", change=None, previous=None, given=f"{name}:{path}"
                )
        raise UnknownContent(asked=f"{name}:{path}")

    def starts(self, target: str) -> list[Start]:
        """Return what a trace of a target starts from: a path here, content, what has a name."""
        from gitlineage.trace import Start

        index = self.view().index
        if (alias := named.alias_in(target)) is not None:
            found = self._aliased(alias)
            return [Start(kind="artifact", id=str(found.digest), path=found.path)]
        if not target.startswith(("@", "blake3:")):
            # Without a work tree, as in an archive, paths are as they were recorded.
            name = self.recorded_name(target)
            if self.repository.top is not None and os.path.exists(target):
                digest = self._known_content(target, name)
                return [Start(kind="artifact", id=digest, path=name)]
            if known := [each for each in index.mentions_of_path(name, 1) if each.digest]:
                return [Start(kind="artifact", id=str(known[0].digest), path=name)]
        if target in index.tags():
            ids = list(index.tags()[target])
            return [
                Start(kind="execution", id=each)
                if len(each) == ID_LENGTH
                else Start(kind="artifact", id=f"blake3:{each}")
                for each in ids
            ]
        if (content := index.known_as(target)) is not None:
            return [Start(kind="artifact", id=content)]
        if is_digest(target):
            contents = index.contents_by_prefix(target)
            if len(contents) > 1:
                shown = " ".join(each[:19] for each in contents[:8])
                raise AmbiguousId(asked=target, count=len(contents), candidates=shown)
            if contents:
                return [Start(kind="artifact", id=contents[0])]
        if (output := named.output_in(target)) is not None:
            found = self._output(*output)
            return [Start(kind="artifact", id=str(found.digest), path=found.path)]
        try:
            identity = self.resolve(target)
        except UnknownId:
            if target.startswith("@"):
                raise
            if (content := self._shortened(target)) is not None:
                return [Start(kind="artifact", id=content)]
            raise self._unknown_file(target) from None
        row = index.row(identity)
        return [Start(kind=row.kind if row else "execution", id=identity)]

    def had_as(self, given: str) -> str:
        """Return what `Filters` takes for a file: the digest where one is meant, else its path.

        Raises UnknownContent, UnknownAlias, AmbiguousId.
        """
        if given.startswith("blake3:") or named.alias_in(given) is not None:
            return str(self.contents(given)[0].digest)
        name, index = self.recorded_name(given), self.view().index
        is_here = self.repository.top is not None and os.path.lexists(given)
        if is_here or index.mentions_of_path(name, 1):
            return name
        if (output := named.output_in(given)) is not None:
            return str(self._output(*output).digest)
        return index.known_as(given) or self._shortened(given) or name

    def _shortened(self, text: str) -> str | None:
        """Return the content whose digest begins so, without `blake3:`, as lists and pictures say.

        Raises AmbiguousId.
        """
        if len(text) < wording.SHORT or not is_digest("blake3:" + text):
            return None
        contents = self.view().index.contents_by_prefix("blake3:" + text)
        if len(contents) > 1:
            shown = " ".join(each[:19] for each in contents[:8])
            raise AmbiguousId(asked=text, count=len(contents), candidates=shown)
        return contents[0] if contents else None

    def _known_content(self, path: str, name: str) -> str:
        """Return the digest of a file that is there. Raises UnknownFile, FileChanged."""
        index = self.view().index
        read = self._read(path)
        digest = read.digest
        asked = [digest] if digest else []
        if digest and any(look(asked).get(digest) for look in (index.makers_of, index.relying_on)):
            return digest
        if stated := self._pointed(read):
            return stated
        if makers := index.makers_of_path(name, 1):
            id = makers[0].id[:12]
            raise FileChanged(path=path, execution=id, did="made", before=f"{id}:{name}")
        if users := [e for e in index.mentions_of_path(name, 20) if e.direction == "input"]:
            id = users[0].id[:12]
            raise FileChanged(path=path, execution=id, did="used", before=id)
        if (suspect := self._interrupted_before(path)) is not None:
            raise MadeUnseen(asked=path, execution=suspect[:12])
        self._refuse_unrecorded(path, name)
        raise self._unknown_file(path)

    def _unknown_file(self, asked: str) -> UnknownFile:
        """Return the error for what nothing is known of, with what may have been meant."""
        index = self._index()
        near = [f"alias:{asked}"] if index.aliases().get(asked) else []
        near += index.paths_ending(asked) if asked.strip("./") else []
        if not near:
            return UnknownFile(asked=asked)
        return NotSoCalled(asked=asked, near=" or ".join(near))

    def _refuse_unrecorded(self, path: str, name: str) -> None:
        """Refuse what no execution has had, but is known. Raises OnlyCode, OnlyParts."""
        from gitlineage.index.files import below

        if os.path.isdir(path):
            inside = "" if name == "." else name + "/"
            index = self.view().index
            if any(index.files_from(position, 1) for position in below(inside)):
                raise OnlyParts(asked=path)
        elif not os.path.isabs(name):
            top = self.repository.work_tree()
            listed = ("--literal-pathspecs", "ls-files", "-z", "--", os.path.join(top, name))
            if self.repository.ask(*listed):
                raise OnlyCode(asked=path)

    def _interrupted_before(self, path: str) -> str | None:
        """Return the last execution without a known end that began a day at most before a file
        was written.
        """
        from gitlineage.index import Filters

        written = os.lstat(path).st_mtime_ns // 1000
        since = written - SUSPECT
        asked = Filters(status="interrupted", since=since, until=written)
        return next((each.id for each in self.view().index.executions(asked, 1)), None)

    def _pointed(self, read: Artifact) -> str | None:
        """Return the known content that a file is a pointer to, or that others state of it."""
        from gitlineage import capture, identity

        stated = capture.statements(self.repository).of(read)
        names = identity.names(read.path, stated.digests, {}) if stated.kept_by else []
        found = (self._index().known_as(each) for each in names)
        return next((each for each in found if each is not None), None)

    def subjects(self, target: str) -> list[tuple[str, str | None]]:
        """Return what tags and metadata go on: ids of executions, digests with their paths.

        A path that is there, a digest, `EXECUTION:PATH` and `alias:NAME` stand for content;
        anything else for an execution. Raises as `contents` and `resolve` do.
        """
        if self._is_content(target):
            return [(str(each.digest), each.path) for each in self.contents(target)]
        identity = self.resolve(target)
        self._refuse_deployment(identity)
        return [(identity, None)]

    def _is_content(self, target: str) -> bool:
        """Tell whether a name is one of content, whatever else is called so."""
        if target.startswith("@"):
            return named.output_in(target) is not None
        is_spelled_so = target.startswith("blake3:") or named.alias_in(target) is not None
        if is_spelled_so or (self.repository.top is not None and os.path.lexists(target)):
            return True
        return named.output_in(target) is not None and target not in self.view().index.tags()

    def _refuse_deployment(self, identity: str) -> None:
        row = self._index().row(identity)
        if row is not None and row.kind == "deployment":
            what = f"{identity[:12]} is a deployment"
            raise Refused(reason=f"{what}, which has no tags and no metadata of its own")

    def set_metadata(self, target: str, values: Mapping[str, Any]) -> list[str]:
        """Add metadata to an execution or to a file's content; return what it was added to.

        Raises UnknownContent, UnknownAlias, UnknownId, AmbiguousId, Refused, InvalidTag.
        """
        from gitlineage import metadata

        found = self._about(target)
        for id, path in found:
            metadata.add(self.repository, id.removeprefix("blake3:"), values, path)
        return [id for id, _ in found]

    def file_metadata(self, target: str) -> dict[str, dict[str, Any]]:
        """Return what was said of a file's content, by digest; empty for what is no file."""
        ids = [id for id, path in self._about(target) if path is not None]
        said = self._index().said_of(ids)
        return {each: said.get(each, {}) for each in ids}

    def _about(self, target: str) -> list[tuple[str, str | None]]:
        """Return what metadata is about: as `subjects`, but all that has a tag."""
        if self._is_content(target):
            return self.subjects(target)
        starts = self.starts(target)
        for each in starts:
            self._refuse_deployment(each.id)
        return [
            (each.id, each.path or each.id if each.kind == "artifact" else None) for each in starts
        ]


def is_digest(text: str) -> bool:
    """Tell whether a text is the digest of content, or its beginning, and nothing else."""
    digits = text.removeprefix("blake3:")
    is_hex = all(each in "0123456789abcdef" for each in digits)
    return is_hex and len(digits) >= SHORTEST_PREFIX and (digits != text or len(digits) > 40)
