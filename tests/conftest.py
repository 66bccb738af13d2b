"""What every test stands on: an isolated git world, real repositories, and the real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

Git = Callable[..., str]
Lineage = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sysconfig.get_path("scripts")

# Started under nohup or in a script's background, signals may be ignored, and children inherit it.
for each in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(each, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis keeps examples in the current directory otherwise, which here is somebody's repository.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".hypothesis"))
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

CONFIG = """\
[user]
    name = Ada Lovelace
    email = ada@example.org
[init]
    defaultBranch = main
[protocol "file"]
    allow = always
[gc]
    autoDetach = false
[maintenance]
    autoDetach = false
"""
# Whoever runs the tests, and wherever: git's own variables, ours, and what tells of the place.
INHERITED = (
    "GIT_", "XDG_", "LC_", "LANG", "PAGER", "LESS", "EDITOR", "VISUAL", "COLUMNS", "LINES",
    "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "MAKE", "MFLAGS", "CI", "GITHUB_", "GITLAB_", "BUILD",
    "JENKINS_", "SLURM_", "KUBERNETES_", "VH_", "CIRCLE", "TF_BUILD", "LSB_", "PBS_", "UV_",
    "CONDA_", "VIRTUAL_ENV", "POD_", "NODE_NAME", "DOCKER_", "PYTHONUNBUFFERED",
)  # fmt: skip
COMMIT_DATES = {
    "GIT_AUTHOR_DATE": "2026-01-05T10:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-05T10:00:00Z",
}


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give git, libgit2 and the command a world of their own; return its folder.

    The test starts in an empty directory that is in no repository, and ends where it came from.
    """
    world = tmp_path_factory.mktemp("world").resolve()
    home, empty = world / "home", world / "empty"
    home.mkdir()
    empty.mkdir()
    (home / ".gitconfig").write_text(CONFIG)
    for name in [name for name in os.environ if name.startswith(INHERITED)]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CEILING_DIRECTORIES": str(world.parent),
        "GIT_TERMINAL_PROMPT": "0",
        "PATH": os.pathsep.join((SCRIPTS, os.environ["PATH"])),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "PAGER": "cat",
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, value)
    isolate_libgit2(home)
    monkeypatch.chdir(empty)
    return world


def isolate_libgit2(home: Path) -> None:
    # libgit2 looks for configuration files once, when it is loaded, and knows no GIT_CONFIG_*.
    import pygit2
    from pygit2.enums import ConfigLevel

    paths = pygit2.settings.search_path
    paths[ConfigLevel.GLOBAL] = str(home)
    paths[ConfigLevel.XDG] = str(home / ".config/git")
    paths[ConfigLevel.SYSTEM] = paths[ConfigLevel.PROGRAMDATA] = str(home / "no-such-folder")


@pytest.fixture
def outside() -> Iterator[Path]:
    """Return a folder that may hold data: `/dev`, where tests may work, is the system's."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def git() -> Git:
    """Run git and return what it printed, without the last newline; a failure fails the test."""

    def run(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> str:
        return execute(["git", *arguments], cwd=cwd, env=variables).stdout.removesuffix("\n")

    return run


@pytest.fixture
def lineage() -> Lineage:
    """Run `git lineage` as installed; `check=False` lets it fail, `env` adds variables."""

    def run(
        *arguments: str | Path,
        cwd: Path | None = None,
        input: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        command = ["git", "lineage", *arguments]
        return execute(command, cwd=cwd, input=input, check=check, env=env or {})

    return run


def execute(
    command: list[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    input: str | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        input=input or "",
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
    )
    if check and done.returncode:
        words = " ".join(map(str, command))
        pytest.fail(f"{words}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


@pytest.fixture
def repo(git: Git, isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with README.md and code.py in one commit, whose id is always the same."""
    path = isolated / "repo"
    git("init", "-q", path)
    (path / "README.md").write_text("# A project\n")
    (path / "code.py").write_text('print("hello")\n')
    git("add", ".", cwd=path)
    git("commit", "-q", "-m", "Begin", cwd=path, **COMMIT_DATES)
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def bare_remote(git: Git, isolated: Path) -> Path:
    """Return an empty bare repository."""
    path = isolated / "remote.git"
    git("init", "-q", "--bare", path)
    return path


@pytest.fixture
def clone_pair(git: Git, isolated: Path, bare_remote: Path) -> tuple[Path, Path]:
    """Return two clones of `bare_remote`, `ours` and `theirs`, which share one pushed commit."""
    ours, theirs = isolated / "ours", isolated / "theirs"
    git("clone", "-q", bare_remote, ours)
    (ours / "code.py").write_text('print("hello")\n')
    git("add", ".", cwd=ours)
    git("commit", "-q", "-m", "Begin", cwd=ours, **COMMIT_DATES)
    git("push", "-q", "-u", "origin", "main", cwd=ours)
    git("clone", "-q", bare_remote, theirs)
    return ours, theirs
