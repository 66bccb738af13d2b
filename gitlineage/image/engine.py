"""The container engine: what it is asked, and what its answers mean. Knows the Docker SDK."""

from __future__ import annotations

import base64
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.utils import parse_repository_tag

from gitlineage.errors import (
    CaptureFailed,
    ContainerFailed,
    EngineUnreachable,
    PullFailed,
    UnknownImage,
)
from gitlineage.records.launch import Image

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    Progress = Callable[[str, int, int], None]
    """Told the image's name, the bytes that have come and those there are, as far as is known;
    once more when it is here, and only then are these the same."""

# os.FileMode of Go, in which an engine tells what a file is.
_DIRECTORY, _LINK = 1 << 31, 1 << 27

_FAILED = (DockerException, OSError)  # what requests raises is an OSError, too


class Engine:
    """The engine that DOCKER_HOST or Docker's own configuration names."""

    def __init__(self) -> None:
        """Connect. Raises EngineUnreachable."""
        host = os.environ.get("DOCKER_HOST") or "Docker's own socket"
        try:
            self._api = docker.from_env().api
        except (*_FAILED, ValueError) as error:
            raise EngineUnreachable(host=host, reason=_reason(error)) from error
        self._told: Mapping[str, Any] = {}
        if not self._api.base_url.startswith(("http+docker://localhost", "http://")):
            raise EngineUnreachable(host=host, reason="it is not on this machine")

    # -- images ----------------------------------------------------------------------------

    def image(self, name: str, on_pull: Progress | None = None) -> Image:
        """Return an image, pulled if it is not here. Raises UnknownImage, PullFailed."""
        if not name:
            raise UnknownImage(image=name, reason="the image has no name")
        described = None
        with _told(UnknownImage, image=name):
            try:
                found = self._api.inspect_image(name)
            except NotFound:  # a name that is none is another error
                described = self._pull(name, on_pull)
                found = self._api.inspect_image(name)
        described = found.get("Descriptor") or described or {}
        digest = described.get("digest")
        identity = _sha256(found["Id"])
        platform = (found.get("Os"), found.get("Architecture"), found.get("Variant"))
        return Image(
            name=name,
            id=identity,
            digest=_repository_digest(name, found.get("RepoDigests") or ()),
            index=digest if _is_index(described) else None,
            manifest=digest if described and not _is_index(described) else None,
            # Where images are kept as they came, the engine's id is that of the manifest or index.
            config=identity if identity != digest else None,
            platform="/".join(filter(None, platform)) or None,
            engine=self.name(),
        )

    def identity(self, name: str) -> str | None:
        """Return the id of the image that a name stands for now; None where that is not known."""
        try:
            return _sha256(self._api.inspect_image(name)["Id"])
        except (*_FAILED, KeyError):
            return None

    def _pull(self, name: str, on_pull: Progress | None) -> Mapping[str, Any] | None:
        """Pull an image, and return what its registry says of it where it says so."""
        repository, tag = parse_repository_tag(name)
        layers: dict[str, tuple[int, int]] = {}
        with _told(PullFailed, image=name):
            for event in self._api.pull(repository, tag or "latest", stream=True, decode=True):
                if "error" in event:
                    raise PullFailed(image=name, reason=_sentence(event["error"]))
                sizes = event.get("progressDetail") or {}
                if event.get("status") == "Downloading" and sizes.get("total"):
                    layers[event["id"]] = sizes["current"], sizes["total"]
                elif event.get("status") == "Download complete" and event["id"] in layers:
                    layers[event["id"]] = (layers[event["id"]][1],) * 2
                if on_pull is not None:
                    total = sum(each for _, each in layers.values())
                    have = sum(each for each, _ in layers.values())
                    on_pull(name, max(0, min(have, total - 1)), total)
        if on_pull is not None:
            on_pull(name, 1, 1)
        try:
            descriptor = self._api.inspect_distribution(name)["Descriptor"]
        except (*_FAILED, KeyError, ValueError):
            return None  # Podman does not answer that
        return {key[:1].lower() + key[1:]: value for key, value in descriptor.items()}

    def name(self) -> str:
        """Return what the engine is, and its version: `Docker 20.10.24`."""
        components = self._version().get("Components") or ()
        is_podman = any("Podman" in each["Name"] for each in components)
        return f"{'Podman' if is_podman else 'Docker'} {self._version()['Version']}"

    def is_of(self, platform: str) -> bool:
        """Tell whether a platform is the engine's own."""
        return platform.split("/")[:2] == [self._version()["Os"], self._version()["Arch"]]

    def _version(self) -> Mapping[str, Any]:
        if not self._told:
            with _told(ContainerFailed):
                self._told = self._api.version()
        return self._told

    def settings(self, image: str) -> Mapping[str, Any]:
        """Return what an image says of its containers: variables, entry point."""
        with _told(ContainerFailed):
            return self._api.inspect_image(image).get("Config") or {}

    def is_rootless(self) -> bool:
        """Tell whether the engine runs as an ordinary user, who is root in its containers."""
        with _told(ContainerFailed):
            return any("rootless" in each for each in self._api.info()["SecurityOptions"] or ())

    # -- containers ------------------------------------------------------------------------

    def create(self, host: Mapping[str, Any], size: tuple[int, int] | None, **options: Any) -> str:
        """Create a container, with a terminal of this many columns and lines, and return its id."""
        with _told(ContainerFailed):
            host_config = self._api.create_host_config(**host)
            if size is not None:
                host_config["ConsoleSize"] = [size[1], size[0]]  # older engines take no notice
            created = self._api.create_container(host_config=host_config, **options)
            return str(created["Id"])

    def attach(self, container: str) -> socket.SocketIO:
        """Return the connection that carries a container's standard streams."""
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with _told(ContainerFailed):
            attached: socket.SocketIO = self._api.attach_socket(container, wanted)
            return attached

    def start(self, container: str) -> None:
        """Start a container's command."""
        with _told(ContainerFailed):
            self._api.start(container)

    def inspect(self, container: str) -> Mapping[str, Any]:
        """Return all that the engine knows of a container."""
        with _told(ContainerFailed):
            found: Mapping[str, Any] = self._api.inspect_container(container)
            return found

    def is_program(self, container: str, path: str) -> bool | None:
        """Tell whether a path in a container leads to a program; None where nothing is there."""
        for _ in range(16):
            with _told(ContainerFailed):
                url = self._api._url("/containers/{0}/archive", container)
                answer = self._api.head(url, params={"path": path})
            if answer.status_code != 200:
                return None
            told = answer.headers["X-Docker-Container-Path-Stat"]
            stat = json.loads(base64.b64decode(told))
            if not stat["mode"] & _LINK or stat["linkTarget"] in ("", path):
                return bool(stat["mode"] & 0o111) and not stat["mode"] & _DIRECTORY
            path = os.path.join(os.path.dirname(path), stat["linkTarget"])
        return None

    def resize(self, container: str, columns: int, lines: int) -> None:
        """Give a container's terminal a size."""
        with _told(ContainerFailed):
            self._api.resize(container, height=lines, width=columns)

    def kill(self, container: str, signal: int) -> None:
        """Send a signal to a container's command."""
        with _told(ContainerFailed):
            self._api.kill(container, signal)

    def wait(self, container: str) -> int:
        """Wait until a container's command has ended, and return its exit code."""
        with _told(ContainerFailed):
            return int(self._api.wait(container, timeout=None)["StatusCode"])

    def errors(self, container: str) -> bytes:
        """Return what a container without a terminal has printed as errors."""
        with _told(ContainerFailed):
            said: bytes = self._api.logs(container, stdout=False, stderr=True)
            return said

    def stop(self, container: str) -> None:
        """End a container's command: ask for it, and have it killed after ten seconds."""
        with _told(ContainerFailed):
            self._api.stop(container, timeout=10)

    def remove(self, container: str) -> None:
        """Remove a container and what runs in it; one that is gone already is fine."""
        with _told(ContainerFailed):
            try:
                self._api.remove_container(container, force=True, v=True)
            except NotFound:
                pass

    def labeled(self, label: str) -> list[str]:
        """Return the ids of all containers with a label, running or not."""
        with _told(ContainerFailed):
            found = self._api.containers(all=True, filters={"label": label})
            return [str(each["Id"]) for each in found]

    def usage(self, container: str) -> tuple[int, int, int] | None:
        """Return microseconds of CPU, bytes, and bytes at the peak so far, of one that runs."""
        with _told(ContainerFailed):
            found = self._api.stats(container, stream=False, one_shot=True)
        memory, cpu = found["memory_stats"], found["cpu_stats"]["cpu_usage"]["total_usage"]
        if not memory.get("usage") or not cpu:
            return None
        about = memory.get("stats") or {}
        cached = about.get("inactive_file", about.get("total_inactive_file", 0))
        # Control groups of version 2 tell the engine no peak.
        peak = memory.get("max_usage") or memory["usage"]
        return cpu // 1000, memory["usage"] - cached, peak


@contextmanager
def _told(kind: type[CaptureFailed], **facts: str) -> Iterator[None]:
    try:
        yield
    except _FAILED as error:
        raise kind(reason=_reason(error), **facts) from error


def _reason(error: BaseException) -> str:
    """Return the engine's own sentence, or the system's about the way to it."""
    if isinstance(error, APIError) and error.explanation:
        return _sentence(str(error.explanation))
    deepest: BaseException | None = error
    found = None
    while deepest is not None:
        found = getattr(deepest, "strerror", None) or found
        deepest = deepest.__cause__ or deepest.__context__
    return _sentence(found or str(error))


def _sentence(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _sha256(identity: str) -> str:
    return identity if ":" in identity else f"sha256:{identity}"


def _is_index(descriptor: Mapping[str, Any]) -> bool:
    return str(descriptor.get("mediaType")).endswith((".list.v2+json", ".index.v1+json"))


def _repository_digest(name: str, known: Sequence[str]) -> str | None:
    """Return the digest under the name that was asked for, else another; Podman has long names."""
    repository = parse_repository_tag(name)[0]
    same = [each for each in known if f"/{each}".partition("@")[0].endswith(f"/{repository}")]
    return next(iter((*same, *known)), None)
