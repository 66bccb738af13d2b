"""What an execution needs: the files of its inputs, by content, those in directories one by one.

Knows records and manifests; knows nothing of where content is found or put.
"""

from __future__ import annotations

import os

from gitlineage import encoding
from gitlineage.contents import Wanted
from gitlineage.digest import of_bytes, of_text
from gitlineage.errors import InvalidRecord, NotPossible
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitlineage.index import Index
    from gitlineage.records.artifact import Artifact
    from gitlineage.records.execution import Execution
    from gitlineage.repository import Repository

PLACES_AT_MOST = 20
"""Executions that are asked where they had some content."""


class Need(Record):
    """A file or a link that an execution needs."""

    path: str
    digest: bytes
    """Of a link: of its target's text."""
    size: int | None = None
    sha256: bytes | None = None
    is_executable: bool = False
    is_link: bool = False
    source: Artifact
    """The input that it is, or is in."""
    is_optional: bool = False
    """What an output has replaced: it may have mattered."""

    @property
    def is_outside(self) -> bool:
        """Tell whether it lies outside of the work tree, where nothing is put."""
        return os.path.isabs(self.source.path)


def needs_of(execution: Execution, repository: Repository) -> list[Need]:
    """Return what an execution needs. Raises NotPossible."""
    found: list[Need] = []
    grown = {each.path for each in execution.outputs if each.change == "appended"}
    for each in execution.inputs:
        content = each.digests.get("blake3")
        if content is None or each.type == "uri":
            continue  # a URI, a device or a pipe; what was downloaded is not put anywhere
        if each.type == "directory":
            found += _inside(execution, repository, each, each.path, content)
            continue
        found.append(
            Need(
                path=each.path,
                digest=content,
                size=each.size,
                sha256=each.digests.get("sha256"),
                is_executable=each.is_executable,
                source=each,
                # A log that grows with each run is no reason not to run again.
                is_optional=each.path in grown and each.how != "declared",
            )
        )
    used = {each.path for each in execution.inputs}
    for each in execution.outputs:
        path = each.renamed_from or each.path
        if each.previous is not None and each.type == "file" and path not in used:
            if not os.path.isabs(path):
                found.append(Need(path=path, digest=each.previous, source=each, is_optional=True))
    return found


def _inside(
    execution: Execution, repository: Repository, source: Artifact, path: str, digest: bytes
) -> Iterator[Need]:
    """Yield what is in a directory, by its manifest."""
    manifest = repository.contents([f"{execution.commit}:manifests/{digest.hex()}"])[0]
    try:
        entries = encoding.unpack(manifest or b"")
        for entry in entries:
            name, content = os.fsdecode(entry["name"]), entry["digest"]
            if entry["type"] == "directory":
                yield from _inside(execution, repository, source, f"{path}/{name}", content)
                continue
            yield Need(
                path=f"{path}/{name}",
                digest=content,
                size=entry.get("size"),
                is_executable=entry.get("executable", False),
                is_link=entry["type"] == "link",
                source=source,
            )
    except (InvalidRecord, LookupError, TypeError, AttributeError) as error:
        reason = f"what was in directory {path} is not known"
        raise impossible(execution, reason) from error


def wanted(need: Need, index: Index) -> Wanted:
    """Return what to look for, with the paths where executions had it."""
    text = of_text(need.digest)
    mentions = [
        each
        for asked in (index.users_of, index.makers_of)
        for each in asked([text]).get(text, ())[:PLACES_AT_MOST]
    ]
    sizes = [each.size for each in mentions if each.size is not None]
    return Wanted(
        digest=need.digest,
        size=need.size if need.size is not None else next(iter(sizes), None),
        sha256=need.sha256,
        paths=tuple(dict.fromkeys((need.path, *(each.path for each in mentions)))),
    )


def is_link_there(need: Need, repository: Repository) -> bool:
    """Tell whether a link is as it was; only its target's digest is recorded, not the target."""
    try:
        target = os.readlink(os.path.join(repository.home, need.path))
    except OSError:
        return False
    return of_bytes(os.fsencode(target)) == need.digest


def called(execution: Execution) -> str:
    """Return what an execution is called: `train 3f07c1d2`."""
    step = execution.launch.step if execution.launch else None
    return f"{step} {execution.id[:8]}" if step else execution.id[:8]


def impossible(execution: Execution, reason: str, remedy: str = "") -> NotPossible:
    """Return why an execution cannot be reproduced, and what would help."""
    return NotPossible(execution=called(execution), reason=reason, remedy=remedy)
