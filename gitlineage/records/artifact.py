"""Content as an execution called it, and what it said of it."""

from __future__ import annotations

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Remote(Record):
    """What a store said of a URI."""

    etag: str | None = None
    """Its entity tag, without quotes."""
    version: str | None = None
    """The store's id of this version."""
    checksums: Mapping[str, str] = {}
    """Algorithm to checksum, spelled as the store does."""
    modified_at: int | None = None
    """When it was last written, by the store's clock."""


class Artifact(Record):
    """Some content as one execution called it."""

    path: str
    """Relative to the top of the work tree with `/`; absolute outside of it; or a URI."""
    type: str
    """`file`, `directory`, `uri`, or `special`: a device or a pipe, whose content is not read."""
    how: str
    """How it is known: `declared`, `observed`, `argument`, `detected`."""
    digests: Mapping[str, bytes] = {}
    """Algorithm to digest; `blake3` is the identity of the content."""
    size: int | None = None
    """Bytes; of a directory, those of all files in it."""
    role: str | None = None
    """The name that the command's author gave it, or `stdin`, `stdout`."""
    given: str | None = None
    """The spelling that was given, where it differs from `path`."""
    host: str | None = None
    """For a path outside the work tree: whose file system."""
    change: str | None = None
    """Of an output: `created`, `overwritten`, `appended`, `renamed`, `deleted`."""
    previous: bytes | None = None
    """blake3 of what was there before: what an output overwrote, grew from, or was."""
    renamed_from: str | None = None
    """Of an output that was renamed: the path that it had."""
    is_executable: bool = False
    """A file that its owner may execute."""
    remote: Remote | None = None
    """Of a URI: what its store said."""
    kept_by: str | None = None
    """What else keeps the content and states its digests: `git-lfs`, `git-annex`, `dvc`. Without
    `blake3` among them, only a pointer to the content was there."""

    @property
    def digest(self) -> str | None:
        """The identity of the content, `blake3:<64 hex>`; none for what was not hashed."""
        found = self.digests.get("blake3")
        return None if found is None else "blake3:" + found.hex()


class FileMetadata(Record):
    """What an execution said of a file that it made, in a file beside it."""

    path: str
    """Relative to the top of the work tree; absolute outside of it."""
    digest: bytes
    """blake3 of the file: what is said is said of this content."""
    values: Mapping[str, Any]
    """Key to value; keys that begin with `valohai.` are those of Valohai's files."""
