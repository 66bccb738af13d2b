"""Who runs a command and what it is called. Knows configuration and habits; looks into no file."""

from __future__ import annotations

import os
import time

from gitlineage import place
from gitlineage.commits import Identity
from gitlineage.masking import Masking
from gitlineage.records.launch import Agent, Software

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitlineage.repository import Repository

INTERPRETERS = (
    "python",
    "pypy",
    "ipython",
    "bash",
    "sh",
    "zsh",
    "dash",
    "ksh",
    "perl",
    "ruby",
    "node",
    "julia",
    "Rscript",
    "R",
    "php",
    "lua",
    "java",
    "octave",
    "uv",
    "poetry",
    "env",
    "time",
    "nice",
    "nohup",
    "srun",
    "mpirun",
    "torchrun",
    "accelerate",
)
"""Programs that run a script, whose name says more than theirs."""


def agent_of(repository: Repository) -> tuple[Agent, bool]:
    """Return who git would name as author, and whether that was configured."""
    config = repository.config()
    name = os.environ.get("GIT_AUTHOR_NAME") or config.get("author.name") or config.get("user.name")
    email = (
        os.environ.get("GIT_AUTHOR_EMAIL")
        or config.get("author.email")
        or config.get("user.email")
        or os.environ.get("EMAIL")
    )
    login = place.login()
    host = os.uname().nodename
    agent = Agent(
        name=name or login or "unknown",
        email=email or f"{login or 'unknown'}@{host}",
        login=login,
        actor=place.actor(os.environ),
    )
    return agent, bool(name and email)


def identity(repository: Repository) -> Identity:
    """Return who is at work here, as the author of a commit that is made now."""
    who = agent_of(repository)[0]
    return Identity(name=who.name, email=who.email, at=int(time.time()), zone=time.strftime("%z"))


def software() -> Software:
    """Return this program."""
    from gitlineage import __version__

    return Software(name="git-lineage", version=__version__)


def step_of(
    command: Sequence[str], is_there: Callable[[str], bool] = lambda path: os.path.exists(path)
) -> str:
    """Return the step's name: that of the script or program, without its extension."""
    words = list(command)
    program = os.path.basename(words[0])
    stem = program.rstrip("0123456789.")
    if stem in INTERPRETERS:
        rest = words[1:]
        while rest:
            word = rest.pop(0)
            if word == "-m" and rest:
                return rest[0].rpartition(".")[2]
            if word in ("-c", "-e", "--command"):
                break
            if not word.startswith("-") and ("." in os.path.basename(word) or is_there(word)):
                return os.path.basename(word).partition(".")[0] or program
        return stem
    return program.rpartition(".")[0] or program


def masking_of(repository: Repository) -> Masking:
    """Return what masks secrets, as the configuration has it."""
    return Masking(
        os.environ,
        repository.words("lineage.secretnames"),
        is_on=repository.is_set("lineage.mask", default=True),
    )
