"""Appends the record of a deployment: files that are relied on outside of the repository."""

from __future__ import annotations

import os
import time

from gitlineage import encoding
from gitlineage.artifacts import Reader
from gitlineage.capture import agent_of, identity, masking_of, software
from gitlineage.errors import InputMissing
from gitlineage.fingerprints import Fingerprints
from gitlineage.ledger import Ledger
from gitlineage.messages import deployment_message
from gitlineage.records.deployment import Deployment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitlineage.repository import Repository


def deploy(
    repository: Repository,
    name: str,
    files: Sequence[str],
    version: str | None,
    target: str | None,
) -> Deployment:
    """Append the record of a deployment of files as they are now."""
    reader = Reader(repository.work_tree(), Fingerprints(repository.lineage_dir))
    found = []
    for given in files:
        try:
            found.append(reader.read(reader.name(given), how="declared", given=given))
        except OSError as error:
            raise InputMissing(path=given, reason=(error.strerror or "").lower()) from error
    deployment = Deployment(
        nonce=os.urandom(16),
        name=name,
        version=version,
        target=target,
        deployed_at=int(time.time() * 1_000_000),
        agent=agent_of(repository)[0],
        software=software(),
        artifacts=tuple(found),
    )
    deployment = masking_of(repository).record(deployment)
    parts = {"record": encoding.encode(deployment)}
    for manifest, content in reader.manifests.items():
        parts[f"manifests/{manifest}"] = content
    message = deployment_message(deployment.name, deployment.version, files)
    Ledger(repository).append(parts, message, identity(repository))
    return deployment
