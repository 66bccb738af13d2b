"""Content that is relied on outside of the repository, and until when."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record
from gitlineage.records.artifact import Artifact
from gitlineage.records.launch import Agent, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Deployment(Record):
    """Content that was put to use under a name, outside the repository."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "deployment"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: deploying the same twice is two deployments."""
    name: str
    """What is deployed: all deployments of one name are its history."""
    version: str | None = None
    """Which version of it."""
    target: str | None = None
    """Where it was put: a cluster, a device, a URL."""
    image: str | None = None
    """The container image that serves it."""
    url: str | None = None
    """Where it answers."""
    deployed_at: int
    """When."""
    agent: Agent
    """Who deployed it."""
    software: Software
    """What recorded it."""
    artifacts: tuple[Artifact, ...]
    """The content that is relied on."""
    message: str | None = None
    """What was said of it, and why."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""


class Retirement(Record):
    """The end of a deployment: its files are relied on no longer."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "retirement"
    """What kind of record this is."""
    nonce: bytes
    """Random bytes: retiring the same twice is two records."""
    deployment: str
    """Id of the deployment that ends."""
    retired_at: int
    """When."""
    agent: Agent
    """Who retired it."""
    software: Software
    """What recorded it."""
    message: str | None = None
    """Why."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""
