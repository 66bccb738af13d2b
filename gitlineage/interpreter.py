"""Which Python a command uses, and where that looks for packages. Knows commands, not packages.

A virtual environment is read as it lies there. Its interpreter is asked for its version alone,
without `site`, so that nobody else's code runs for our sake. Where the folders follow from the
system's own rules, it is asked for them as well. A command whose Python cannot be known has none.
"""

from __future__ import annotations

import os
import sys

from gitlineage import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CARRIERS = (
    *("env", "nice", "ionice", "chrt", "nohup", "setsid", "stdbuf", "time", "timeout", "taskset"),
    *("numactl", "xvfb-run", "catchsegv", "srun", "mpirun", "mpiexec", "jsrun", "aprun"),
)
"""Programs that run the command that stands behind their own options."""

UV_OPTIONS = (
    *(
        "--project",
        "--directory",
        "--python",
        "-p",
        "--package",
        "--extra",
        "--group",
        "--env-file",
    ),
    *("--no-extra", "--no-group", "--only-group", "--index", "--default-index", "-m", "--module"),
    *("--cache-dir", "--color", "--config-file", "--refresh-package", "--upgrade-package"),
)
"""Options of `uv run` that take a value."""

QUESTION = (
    "import sys; sys.stdout.write('\\1' + '\\0'.join(["
    "'.'.join(map(str, sys.version_info[:3])), sys.implementation.name, sys.executable, sys.prefix"
    "] + sys.path))"
)

PATIENCE = 10.0
"""Seconds that an interpreter has to answer."""


class Toolchain:
    """The Python and the environment that a command uses."""

    __slots__ = (
        *("folders", "implementation", "is_settled", "manager", "prefix", "python", "version"),
    )

    def __init__(self, python: str | None, prefix: str | None = None, manager: str | None = None):
        self.python = python
        self.prefix = prefix
        """The virtual or conda environment, where it is one."""
        self.manager = manager
        """What keeps that environment: `venv`, `conda`, `uv`, `poetry`."""
        self.version: str | None = None
        self.implementation: str | None = None
        self.folders: list[str] | None = None
        """Where packages are, in the order in which the interpreter looks; None if not known."""
        self.is_settled = manager != "uv"
        """Whether it is known for good: uv makes its environment when it runs the command."""


def own() -> Toolchain:
    """Return the Python that this process is."""
    prefix = sys.prefix if sys.prefix != sys.base_prefix else None
    found = Toolchain(sys.executable, prefix, "venv" if prefix else None)
    _look_for_conda(found)
    found.version = ".".join(map(str, sys.version_info[:3]))
    found.implementation = sys.implementation.name
    found.folders = [each for each in sys.path if each]
    return found


def find(command: Sequence[str], variables: Mapping[str, str]) -> Toolchain | None:
    """Return what a command that starts here uses, or None."""
    found = _of_command(list(command), variables, 3)
    if found is None:
        return None
    if found.python is not None:
        _look_for_venv(found)
    _look_for_conda(found)
    if found.python is not None:
        _complete(found, variables)
    return found


def _of_command(words: list[str], variables: Mapping[str, str], deep: int) -> Toolchain | None:
    path = program.which(words[0], variables) if words else None
    if path is None or not deep:
        return None
    name = os.path.basename(words[0])
    if name.startswith(("python", "pypy")):
        return Toolchain(path)
    if name in RUNNERS and "run" in words:
        at = words.index("run")
        return RUNNERS[name](path, words[1:at] + words[at + 1 :], variables)
    if name in CARRIERS:
        behind = (words[at:] for at in range(1, len(words)))
        tried = (_of_command(each, variables, deep - 1) for each in behind)
        return next((each for each in tried if each is not None), None)
    first = _first_line(path)
    if first:
        found = _of_command(first, variables, deep - 1)
        if found is not None:
            return found
    # What conda has installed may be no Python at all.
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(path)))
    return Toolchain(None, prefix) if _is_conda(prefix) else None


def _first_line(path: str) -> list[str]:
    """Return the words of a script's `#!`."""
    try:
        with open(path, "rb") as file:
            line = file.readline(256)
    except OSError:
        return []
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    return [each for each in words if each != "-S"] if words[1:2] == ["-S"] else words


# --- programs that run a command in an environment of their own -----------------------------------


def _of_uv(path: str, words: list[str], variables: Mapping[str, str]) -> Toolchain | None:
    options, rest = _options(words, UV_OPTIONS)
    if any(name.startswith(("--with", "--isolated")) for name in options):
        return None  # an environment for this one run, which nobody else can see
    active = variables.get("VIRTUAL_ENV")
    if active and "--active" in options:
        return _in_prefix(active, "uv")
    asked = [f"{name}={value}" if value else name for name, value in options.items()
             if name in ("--project", "--directory", "--no-project")]  # fmt: skip
    script = "--script" in options or "-s" in options or (rest and _has_script_block(rest[0]))
    asked += ["--script", rest[0]] if script and rest else []
    python = _ask([path, "python", "find", "--offline", *asked], variables)
    return Toolchain(python.strip(), manager="uv") if python else None


def _has_script_block(path: str) -> bool:
    """Tell whether a script names what it needs in its own first lines."""
    try:
        with open(path, "rb") as file:
            return b"\n# /// script" in b"\n" + file.read(8192)
    except OSError:
        return False


def _of_poetry(path: str, words: list[str], variables: Mapping[str, str]) -> Toolchain | None:
    options, _ = _options(words, ("-C", "--directory", "-P", "--project"))
    where = [word for name, value in options.items() if value for word in (name, value)]
    prefix = _ask([path, "env", "info", "--path", "--no-ansi", *where], variables)
    return _in_prefix(prefix.strip(), "poetry") if prefix else None


def _of_pipenv(path: str, words: list[str], variables: Mapping[str, str]) -> Toolchain | None:
    asked = _ask([path, "--venv"], variables)
    return _in_prefix(asked.strip(), "pipenv") if asked else None


def _of_conda(path: str, words: list[str], variables: Mapping[str, str]) -> Toolchain | None:
    options, _ = _options(words, ("-n", "--name", "-p", "--prefix", "--cwd"))
    prefix = options.get("-p") or options.get("--prefix")
    name = options.get("-n") or options.get("--name")
    if prefix is None:
        places = list(_conda_environments(path, variables))
        if name is None:
            prefix = variables.get("CONDA_PREFIX") or (places[0] if places else None)
        elif name in ("base", "root"):
            prefix = places[0] if places else None
        else:
            prefix = next((each for each in places if os.path.basename(each) == name), None)
    return _in_prefix(os.path.abspath(prefix), "conda") if prefix else None


def _conda_environments(path: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield conda's root and then the environments that it may have, whatever their names."""
    program_path = os.path.realpath(variables.get("CONDA_EXE") or path)
    root = variables.get("MAMBA_ROOT_PREFIX") or os.path.dirname(os.path.dirname(program_path))
    yield root
    home = variables.get("HOME", "")
    folders = (variables.get("CONDA_ENVS_PATH") or variables.get("CONDA_ENVS_DIRS") or "").split(
        ":"
    )
    for folder in (*folders, os.path.join(root, "envs"), os.path.join(home, ".conda/envs")):
        if folder and os.path.isdir(folder):
            yield from sorted(each.path for each in os.scandir(folder) if each.is_dir())
    try:
        with open(os.path.join(home, ".conda/environments.txt"), encoding="utf-8") as file:
            yield from file.read().splitlines()
    except (OSError, ValueError):
        return


RUNNERS = {
    "uv": _of_uv,
    "poetry": _of_poetry,
    "pipenv": _of_pipenv,
    "conda": _of_conda,
    "mamba": _of_conda,
    "micromamba": _of_conda,
}


def _options(words: Sequence[str], valued: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options before a command, those that take a value with it; and the command."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, is_joined, value = rest.pop(0).partition("=")
        if name == "--":
            break
        if not is_joined and name in valued and rest:
            value = rest.pop(0)
        found[name] = value
    return found, rest


def _in_prefix(prefix: str, manager: str) -> Toolchain:
    python = os.path.join(prefix, "bin", "python")
    return Toolchain(python if os.path.exists(python) else None, prefix, manager)


# --- where an interpreter looks -------------------------------------------------------------------


def _look_for_venv(found: Toolchain) -> None:
    """See whether a Python is that of a virtual environment, by the rules of CPython's start."""
    assert found.python is not None
    folder = os.path.dirname(os.path.abspath(found.python))
    for prefix in (folder, os.path.dirname(folder)):
        settings = _settings(prefix)
        if settings is not None:
            found.prefix, found.manager = prefix, found.manager or "venv"
            found.is_settled |= "uv" in settings


def _look_for_conda(found: Toolchain) -> None:
    prefix = found.prefix
    if prefix is None and found.python is not None:
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(found.python)))
    if prefix is not None and _is_conda(prefix):
        found.prefix, found.manager = prefix, found.manager or "conda"


def _is_conda(prefix: str) -> bool:
    return os.path.isdir(os.path.join(prefix, "conda-meta"))


def _settings(prefix: str) -> dict[str, str] | None:
    """Return what a virtual environment's pyvenv.cfg says."""
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            pairs = [line.partition("=") for line in file]
    except OSError:
        return None
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _complete(found: Toolchain, variables: Mapping[str, str]) -> None:
    """Find out the version, and where packages are."""
    assert found.python is not None
    settings = _settings(found.prefix) if found.prefix else None
    is_closed = settings is not None and (
        settings.get("include-system-site-packages", "").lower() != "true"
    )
    if is_closed and os.path.realpath(found.python) == os.path.realpath(sys.executable):
        found.version = ".".join(map(str, sys.version_info[:3]))
        found.implementation = sys.implementation.name
    else:
        options = ["-I", "-S"] if is_closed else []
        told = _ask([found.python, *options, "-c", QUESTION], variables)
        answer = told.rpartition("\1")[2].split("\0") if told and "\1" in told else []
        if len(answer) < 4:
            return
        found.version, found.implementation, executable, _, *path = answer
        if not is_closed:
            found.folders = [each for each in path if each]
            if found.prefix is None and executable != found.python:
                # A stand-in, as pyenv has them, has told which interpreter it starts.
                real = Toolchain(executable)
                _look_for_venv(real)
                _look_for_conda(real)
                found.prefix, found.manager = real.prefix, found.manager or real.manager
    if is_closed and found.prefix and found.version:
        found.folders = [
            *filter(None, variables.get("PYTHONPATH", "").split(os.pathsep)),
            *_site_packages(found.prefix, found.version),
        ]


def _site_packages(prefix: str, version: str) -> list[str]:
    """Return a virtual environment's site-packages, and the folders that its .pth files add."""
    found: list[str] = []
    number = ".".join(version.split(".")[:2])
    for library in ("lib", "lib64"):
        for name in (f"python{number}", f"python{number}t", f"pypy{number}"):
            folder = os.path.join(prefix, library, name, "site-packages")
            same = (os.path.samefile(folder, each) for each in found if os.path.isdir(folder))
            if os.path.isdir(folder) and not any(same):
                found.append(folder)
    return [path for folder in found for path in (folder, *_added(folder))]


def _added(folder: str) -> Iterator[str]:
    """Yield the folders that .pth files name; what they execute is not."""
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".pth") or name.startswith("."):
            continue
        try:
            with open(os.path.join(folder, name), encoding="utf-8-sig", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            path = os.path.join(folder, line.rstrip())
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                if os.path.isdir(path):
                    yield path


def _ask(command: Sequence[str], variables: Mapping[str, str]) -> str | None:
    """Return what a program prints, which is none of the execution's own."""
    import subprocess

    hidden = ("GIT_LINEAGE_EXECUTION", "GIT_LINEAGE_DIR", "GIT_LINEAGE_MASK")
    kept = {name: value for name, value in variables.items() if name not in hidden}
    try:
        asked = subprocess.run(
            command,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
            stdin=subprocess.DEVNULL,
            env={**kept, "PYTHONIOENCODING": "utf-8:surrogateescape"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.decode("utf-8", "surrogateescape")
