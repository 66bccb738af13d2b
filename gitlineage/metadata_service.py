"""What a cloud's metadata service tells of the machine. Knows three of them; asked for only.

The service answers on an address that no other machine has. It is asked without a proxy, within
`PATIENCE` in all, and for nothing but region, zone, kind and id of the machine: its other answers
hold secrets.
"""

from __future__ import annotations

from gitlineage.errors import InvalidSetting
from gitlineage.records.launch import Cloud

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

ADDRESS = "http://169.254.169.254"

PATIENCE = 1.0
"""Seconds for all questions together."""

LARGEST = 64 << 10

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


def address(setting: str) -> str | None:
    """Return where `lineage.metadataService` says that the service is. Raises InvalidSetting."""
    if setting.lower() in FALSE:
        return None
    if setting.lower() in TRUE:
        return ADDRESS
    if setting.startswith("http://"):
        return setting
    allowed = "true, false, or a URL that begins with http://"
    raise InvalidSetting(name="lineage.metadataService", value=setting, allowed=allowed)


def start(url: str, known: Cloud | None) -> Callable[[], Cloud | None]:
    """Ask the service, and return what waits for its answer: `known`, if none comes in time."""
    import threading

    found: list[Cloud | None] = []
    # A thread, since a service that answers letter by letter outlives any limit of a socket's.
    thread = threading.Thread(target=lambda: found.append(_ask(url, known)), daemon=True)
    thread.start()

    def wait() -> Cloud | None:
        thread.join(PATIENCE)
        return found[0] if found else known

    return wait


def _ask(url: str, known: Cloud | None) -> Cloud | None:
    for provider in [known.provider] if known else list(_QUESTIONS):
        try:
            return _QUESTIONS[provider](url)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # another cloud's service, or none
    return known


def _get(url: str, path: str, headers: Mapping[str, str], method: str = "GET") -> str:
    """Return one answer. Raises OSError, ValueError."""
    import http.client
    from contextlib import closing

    host, _, prefix = url.removeprefix("http://").rstrip("/").partition("/")
    try:
        with closing(http.client.HTTPConnection(host, timeout=PATIENCE)) as connection:
            where = f"/{prefix}{path}" if prefix else path
            connection.request(method, where, headers=dict(headers))
            response = connection.getresponse()
            if response.status != 200:
                raise OSError(response.status)
            return response.read(LARGEST).decode()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error


def _of_aws(url: str) -> Cloud:
    import json

    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = {"X-aws-ec2-metadata-token": _get(url, "/latest/api/token", ttl, "PUT")}
    said: Any = json.loads(_get(url, "/latest/dynamic/instance-identity/document", token))
    return Cloud(
        provider="aws",
        region=str(said["region"]),
        zone=_text(said.get("availabilityZone")),
        instance_type=_text(said.get("instanceType")),
        instance=_text(said.get("instanceId")),
    )


def _of_gcp(url: str) -> Cloud:
    def get(name: str) -> str:
        path = f"/computeMetadata/v1/instance/{name}"
        return _get(url, path, {"Metadata-Flavor": "Google"}).strip().rpartition("/")[2]

    zone = get("zone")
    return Cloud(
        provider="gcp",
        region=zone.rpartition("-")[0] or None,
        zone=zone,
        instance_type=get("machine-type") or None,
        instance=get("id") or None,
    )


def _of_azure(url: str) -> Cloud:
    import json

    path = "/metadata/instance/compute?api-version=2021-02-01&format=json"
    said: Any = json.loads(_get(url, path, {"Metadata": "true"}))
    return Cloud(
        provider="azure",
        region=str(said["location"]),
        zone=_text(said.get("zone")),
        instance_type=_text(said.get("vmSize")),
        instance=_text(said.get("vmId")),
    )


_QUESTIONS: Mapping[str, Callable[[str], Cloud]] = {
    "aws": _of_aws,
    "gcp": _of_gcp,
    "azure": _of_azure,
}


def _text(found: object) -> str | None:
    return str(found) if found else None
