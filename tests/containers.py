"""Container engines for tests, with images of their own, and a registry on loopback.

Each is started once for all tests of a process, in a folder of its own, and reached through a
socket there; nothing of the machine's own engines is used or changed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from executions import until

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin:/usr/libexec/podman:/usr/lib/podman"

IMAGE = "toolbox:1"
"""Busybox, and folders to mount the host's programs into."""


class Engine:
    """An engine that runs, and the image that tests run commands in."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.api = docker.DockerClient(host, timeout=60).api
        self.identity = self.make(IMAGE)

    def make(
        self,
        name: str,
        *,
        architecture: str = "",
        config: Mapping[str, Any] = {},
        files: Mapping[str, bytes] = {},
        **programs: bytes,
    ) -> str:
        """Make an image of busybox, programs, and files by their paths, and return its id."""
        layer = _layer({**{f"bin/{each}": content for each, content in programs.items()}, **files})
        settings = json.dumps({
            "architecture": architecture or self.api.version()["Arch"], "os": "linux",
            "config": config, "rootfs": {
                "type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
            },
        }).encode()  # fmt: skip
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        archive = _tar({
            "layer.tar": layer, "config.json": settings,
            "manifest.json": json.dumps(manifest).encode(),
        })  # fmt: skip
        list(self.api.load_image(archive))
        return f"sha256:{hashlib.sha256(settings).hexdigest()}"

    def containers(self) -> list[str]:
        """Return the names of all containers that there are, running or not."""
        return [each["Names"][0].lstrip("/") for each in self.api.containers(all=True)]

    def clear(self) -> list[str]:
        """Remove all containers, and return their names."""
        found = self.containers()
        for each in found:
            self.api.remove_container(each, force=True)
        return found


def _layer(files: Mapping[str, bytes]) -> bytes:
    """Return a root directory with busybox, files, and links to folders to mount there."""
    busybox = shutil.which("busybox", path=PATH)
    assert busybox
    applets = subprocess.check_output([busybox, "--list"], text=True).split()
    links = {**{f"bin/{each}": "busybox" for each in applets if each != "busybox"},
             "lib": "usr/lib", "lib64": "usr/lib64"}  # fmt: skip
    found = {"bin/busybox": Path(busybox).read_bytes(), **files}
    return _tar(found, folders={"bin": 0o755, "tmp": 0o1777, "usr": 0o755}, links=links)


def _tar(
    files: Mapping[str, bytes], folders: Mapping[str, int] = {}, links: Mapping[str, str] = {}
) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, mode in folders.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return written.getvalue()


@contextmanager
def docker_engine(configuration: Mapping[str, Any] = {}) -> Iterator[Engine]:
    """Start dockerd; skip the test, and say why, where that cannot be."""
    _need("dockerd", "busybox")
    settings = json.dumps(configuration)
    with _folder() as folder, _served(
        "dockerd", f"--host=unix://{folder}/socket", "--iptables=false", "--bridge=none",
        "--storage-driver=vfs", f"--data-root={folder}/data", f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid", f"--config-file={_file(folder / 'daemon.json', settings)}",
        folder=folder, address=f"{folder}/socket",
    ), _emptied(Engine(f"unix://{folder}/socket")) as engine:  # fmt: skip
        os.chmod(f"{folder}/socket", 0o666)
        yield engine


@contextmanager
def podman_engine() -> Iterator[Engine]:
    """Start Podman's service; skip the test, and say why, where that cannot be."""
    _need("podman", "catatonit", "busybox")
    # More files than some machines let anyone have are the default.
    limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
    with _folder() as folder, _served(
        "podman", f"--root={folder}/data", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp",
        "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file",
        "system", "service", "--time=0", f"unix://{folder}/socket",
        folder=folder, address=f"{folder}/socket",
        CONTAINERS_CONF=_file(folder / "containers.conf", limits),
    ), _emptied(Engine(f"unix://{folder}/socket")) as engine:  # fmt: skip
        yield engine


@contextmanager
def _folder() -> Iterator[Path]:
    # Not among pytest's own: the paths of sockets have to be short, and of what an engine leaves
    # mounted when it is killed pytest would complain at its end.
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def _emptied(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.clear()


@contextmanager
def registry(users: str = "") -> Iterator[str]:
    """Start a registry on loopback and return its address; with users only those may read."""
    _need("docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _folder() as folder:
        auth = ""
        if users:
            auth = f"auth: {{htpasswd: {{realm: here, path: {_file(folder / 'users', users)}}}}}\n"
        config = _file(folder / "config.yml", (
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/images}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n{auth}"
        ))  # fmt: skip
        address = ("127.0.0.1", port)
        with _served("docker-registry", "serve", config, folder=folder, address=address):
            yield f"127.0.0.1:{port}"


def _need(*programs: str) -> None:
    if os.geteuid():
        pytest.skip("container engines are started by root only")
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"{program} is not installed")


@contextmanager
def _served(
    *command: str, folder: Path, address: tuple[str, int] | str, **variables: str
) -> Iterator[None]:
    log = folder / f"{command[0]}.log"
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
            start_new_session=True, env={**os.environ, "PATH": PATH, **variables},
        )  # fmt: skip
    try:
        until(lambda: _is_open(address) or process.poll() is not None, command[0])
        if process.poll() is not None:
            said = log.read_text().strip().rpartition("\n")[2]
            pytest.skip(f"{command[0]} does not run here: {said}")
        yield
    finally:
        process.terminate()
        process.wait()


def _is_open(address: tuple[str, int] | str) -> bool:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as asked:
        return asked.connect_ex(address) == 0


def _file(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)
