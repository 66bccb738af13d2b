"""What tests of installed packages share: real environments, and packages that pip can install."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None, editable=False):
    name, version = NAME, VERSION
    info = f"{name}-{version}.dist-info"
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{file}", "w") as wheel:
        if editable:
            wheel.writestr(f"{name}.pth", __file__.rpartition("/")[0] + "/src\\n")
        else:
            wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA",
                       f"Metadata-Version: 2.1\\nName: {SPELLED}\\nVersion: {version}\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\n"
                       "Root-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return file

def build_editable(folder, config_settings=None, metadata_directory=None):
    return build_wheel(folder, editable=True)
"""


def wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel that holds nothing but its name and version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for inside, text in files.items():
            file.writestr(inside, text)
        file.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in (*files, "RECORD")))
    return path


def conda_prefix(folder: Path, name: str, version: str, build: str, **files: bytes) -> Path:
    """Make an environment of conda with one package, from a channel in a folder, by rattler."""
    about = {
        "name": name, "version": version, "build": build, "build_number": 0, "depends": [],
        "subdir": "noarch", "noarch": "generic",
    }  # fmt: skip
    paths = [
        {"_path": f"bin/{each}", "path_type": "hardlink", "size_in_bytes": len(content),
         "sha256": hashlib.sha256(content).hexdigest()}
        for each, content in files.items()
    ]  # fmt: skip
    inside = {
        **{f"bin/{each}": content for each, content in files.items()},
        "info/index.json": json.dumps(about).encode(),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": paths}).encode(),
        "info/files": "".join(f"bin/{each}\n" for each in files).encode(),
    }
    channel = folder / "channel"
    (channel / "noarch").mkdir(parents=True)
    archive = channel / "noarch" / f"{name}-{version}-{build}.tar.bz2"
    with tarfile.open(archive, "w:bz2") as file:
        for path, content in inside.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o755
            file.addfile(member, io.BytesIO(content))
    content = archive.read_bytes()
    described = {**about, "md5": hashlib.md5(content).hexdigest(), "size": len(content),
                 "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
    listed = {"info": {"subdir": "noarch"}, "packages": {archive.name: described}}
    (channel / "noarch/repodata.json").write_text(json.dumps(listed))

    import rattler

    async def install() -> None:
        sources = [rattler.Channel(channel.as_uri())]
        found = await rattler.solve(sources=sources, specs=[name], platforms=["noarch"])
        await rattler.install(found, target_prefix=folder / "prefix", cache_dir=folder / "cache")

    asyncio.run(install())
    return folder / "prefix"


def project(folder: Path, spelled: str, version: str = "1.0") -> Path:
    """Write a project that builds itself, and return its folder."""
    name = spelled.lower().replace("-", "_").replace(".", "_")
    (folder / "src").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{spelled}"\nversion = "{version}"\nrequires-python = ">=3.11"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    head = f"NAME, SPELLED, VERSION = {name!r}, {spelled!r}, {version!r}\n"
    (folder / "backend.py").write_text(head + BACKEND)
    return folder


def venv(folder: Path, *options: str) -> Path:
    """Make a virtual environment without pip, and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", *options, folder], check=True)
    return folder / "bin/python"


def pip(python: Path | str, *words: str | Path) -> str:
    """Run our pip on another environment."""
    command = [sys.executable, "-m", "pip", "--python", str(python), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def install(python: Path, *words: str | Path) -> None:
    pip(python, "install", "-q", "--no-index", "--no-deps", "--no-build-isolation", *words)


def listed(python: Path | str) -> list[tuple[str, str]]:
    """Return what pip says is installed."""
    found = json.loads(pip(python, "list", "--format", "json"))
    return sorted((each["name"], each["version"]) for each in found)
