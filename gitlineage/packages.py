"""What is installed: packages as they lie in folders, and files that pin them. Starts nothing.

The folders are those that an interpreter looks in, in that order: of a package that is there
twice the first counts, as it does for an import.
"""

from __future__ import annotations

import os

from gitlineage import digest
from gitlineage.place import without_credentials
from gitlineage.records.parts import Package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

LOCK_FILES = (
    *("uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "pylock.toml", "constraints.txt"),
    *("conda-lock.yml", "environment.yml", "environment.yaml", "pixi.lock", "renv.lock"),
    *("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "Cargo.lock", "go.sum", "Gemfile.lock"),
    *("Manifest.toml",),
)
"""Names of files that pin packages; besides them `requirements*.txt`."""

LARGEST_LOCK = 64 << 20

HEAD = 2048
"""Bytes of a METADATA file in which name and version nearly always are."""


def installed(folders: Iterable[str]) -> tuple[Package, ...]:
    """Return the Python packages in these folders, by name."""
    found: dict[str, Package] = {}
    for folder in folders:
        for package in _in_folder(folder):
            found.setdefault(_canonical(package.name), package)
    return tuple(found[name] for name in sorted(found))


def conda(prefix: str) -> tuple[Package, ...]:
    """Return what conda has installed into an environment, by name."""
    found = []
    for name in _names(os.path.join(prefix, "conda-meta")):
        if name.endswith(".json") and name.count("-") >= 2:
            package, version, build = name.removesuffix(".json").rsplit("-", 2)
            found.append(Package(name=package, version=version, build=build))
    return tuple(sorted(found, key=lambda each: (each.name, each.version)))


def lock_files(top: str, folder: str) -> Mapping[str, bytes]:
    """Return the files that pin packages at the top of a work tree and in one folder of it."""
    found = {}
    for where in dict.fromkeys((top, folder)):
        for name in _names(where):
            if name in LOCK_FILES or (name.startswith("requirements") and name.endswith(".txt")):
                path = os.path.join(where, name)
                content = _read(path) if _size(path) <= LARGEST_LOCK else None
                if content is not None:
                    found[os.path.relpath(path, top)] = digest.of_bytes(content)
    return dict(sorted(found.items()))


def _in_folder(folder: str) -> Iterator[Package]:
    names = _names(folder)
    for name in names:
        if name.endswith((".dist-info", ".egg-info", ".egg")):
            if package := _package(folder, name):
                yield package
    for name in names:
        if name.endswith(".egg-link"):
            lines = (_read(os.path.join(folder, name)) or b"").decode(errors="replace").split("\n")
            linked = os.path.join(folder, lines[0].strip())
            for each in _in_folder(linked) if lines[0].strip() else ():
                yield each.replace(is_editable=True)


def _package(folder: str, name: str) -> Package | None:
    path = os.path.join(folder, name)
    if name.endswith(".dist-info"):
        head = _head(os.path.join(path, "METADATA"))
        direct = _read(os.path.join(path, "direct_url.json"))
        about = _direct(direct) if direct else {}
    elif name.endswith(".egg-info"):
        head, about = _head(os.path.join(path, "PKG-INFO")) or _head(path), {}
    else:
        head, about = _head(os.path.join(path, "EGG-INFO", "PKG-INFO")) or _in_archive(path), {}
    if head or name.endswith(".dist-info"):
        stem = name.rpartition(".")[0].split("-")
        found, version = head.get("name") or stem[0], head.get("version") or "".join(stem[1:2])
        if found and version:
            return Package(name=found, version=version, **about)
    return None


def _head(path: str) -> dict[str, str]:
    """Return name and version from a file of headers."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            found = _headers(head)
            return found if len(found) == 2 else _headers(head + file.read())
    except OSError:
        return {}


def _headers(content: bytes) -> dict[str, str]:
    found = {}
    for line in content.split(b"\n"):
        name, _, value = line.partition(b":")
        if name.lower() in (b"name", b"version"):
            found[name.lower().decode()] = value.strip().decode(errors="replace")
        if not line.strip() or len(found) == 2:
            break
    return found


def _in_archive(path: str) -> dict[str, str]:
    """Return name and version of an egg that is one file."""
    if not os.path.isfile(path):
        return {}
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return _headers(archive.read("EGG-INFO/PKG-INFO"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return {}


def _direct(content: bytes) -> Mapping[str, Any]:
    """Return what direct_url.json says of where a package was taken from."""
    import json

    try:
        said = json.loads(content)
        url = without_credentials(said["url"])
        if "vcs_info" in said:
            vcs = said["vcs_info"]
            return {"origin": f"{vcs['vcs']}+{url}@{vcs['commit_id']}"}
        if "dir_info" in said:  # where that folder is differs between machines
            return {"is_editable": bool(said["dir_info"].get("editable"))}
        return {} if url.startswith("file:") else {"origin": url}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _canonical(name: str) -> str:
    """Return the spelling by which names of packages are compared."""
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for word in words if word)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
