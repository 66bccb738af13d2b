"""What tests of installed packages share: real environments, and packages that pip can install."""

from __future__ import annotations

import json
import subprocess
import sys
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
