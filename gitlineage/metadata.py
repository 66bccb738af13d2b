"""Adds metadata to an execution or to content later. Knows one kind of record."""

from __future__ import annotations

import os
import time

from gitlineage import encoding
from gitlineage.capture import agent_of, identity, masking_of, software
from gitlineage.errors import Refused
from gitlineage.ledger import Ledger
from gitlineage.messages import metadata_message
from gitlineage.records.metadata import Metadata
from gitlineage.sidecars import TAGS
from gitlineage.tags import Tags, check_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gitlineage.repository import Repository

LARGEST = 64 << 10
"""Bytes of what is said at once."""


def add(
    repository: Repository, subject: str, values: Mapping[str, Any], path: str | None = None
) -> Metadata:
    """Append what is said of an execution (its id) or of content (64 digits), and tag content.

    Raises Refused and InvalidTag for what cannot be stored.
    """
    metadata = Metadata(
        nonce=os.urandom(16),
        subject=subject,
        path=path,
        values=values,
        set_at=int(time.time() * 1_000_000),
        agent=agent_of(repository)[0],
        software=software(),
    )
    metadata = masking_of(repository).record(metadata)
    try:
        content = encoding.encode(metadata)
    except (TypeError, ValueError) as error:
        raise Refused(reason=f"this metadata cannot be stored: {error}") from error
    if len(content) > LARGEST:
        raise Refused(reason=f"this metadata is too large: {LARGEST >> 10} KiB at most")
    named = values.get(TAGS, ())
    tags = [str(each) for each in named] if type(named) is list else []
    for tag in tags:
        check_new(tag)
    message = metadata_message(subject, path, metadata.values)
    who = identity(repository)
    Ledger(repository).append({"record": content}, message, who)
    for tag in tags:
        Tags(repository).add(tag, [subject], who)
    return metadata
