"""Appends the records of deployments and of their ends: what is relied on elsewhere.

Knows when a deployment was in use; must not know how a file is found by its name.
"""

from __future__ import annotations

import os
import time

from gitlineage import digest, encoding
from gitlineage.capture import agent_of, identity, masking_of, software
from gitlineage.ledger import Ledger
from gitlineage.messages import deployment_message, retirement_message
from gitlineage.records.deployment import Deployment, Retirement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitlineage.index import Row
    from gitlineage.records.artifact import Artifact
    from gitlineage.repository import Repository


def deploy(
    repository: Repository,
    name: str,
    artifacts: Sequence[Artifact],
    manifests: Mapping[str, bytes | str],
    *,
    version: str | None,
    target: str | None,
    image: str | None,
    url: str | None,
    message: str = "",
) -> str:
    """Append the record of a deployment, and return its id."""
    deployment = Deployment(
        nonce=os.urandom(16),
        name=name,
        version=version,
        target=target,
        image=image,
        url=url,
        deployed_at=int(time.time() * 1_000_000),
        agent=agent_of(repository)[0],
        software=software(),
        artifacts=tuple(artifacts),
        message=message or None,
    )
    deployment = masking_of(repository).record(deployment)
    content = encoding.encode(deployment)
    parts = {"record": content, **{f"manifests/{each}": held for each, held in manifests.items()}}
    Ledger(repository).append(parts, deployment_message(deployment), identity(repository))
    return digest.record_id("deployment", [("record", content)])


def retire(repository: Repository, row: Row, message: str, at: int | None = None) -> None:
    """Append the record that a deployment has ended, now or at a moment in microseconds."""
    retirement = Retirement(
        nonce=os.urandom(16),
        deployment=row.id,
        # Clocks disagree: nothing ends before it began.
        retired_at=max(at or int(time.time() * 1_000_000), (row.started_at or 0) + 1),
        agent=agent_of(repository)[0],
        software=software(),
        message=message or None,
    )
    content = encoding.encode(masking_of(repository).record(retirement))
    said = retirement_message(row.step or "", row.version, row.id, message)
    Ledger(repository).append({"record": content}, said, identity(repository))


def was_in_use(row: Row, since: int, until: int) -> bool:
    """Tell whether a deployment was in use at any moment from one time to before another."""
    began = row.started_at or 0
    return began < until and (row.ended_at is None or row.ended_at > since)
