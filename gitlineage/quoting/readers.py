"""Programs that read an argument as code: another shell, an interpreter, `eval`, and their like."""

from __future__ import annotations

import os

from gitlineage.wording import PLAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = PLAIN - set("%@+=:,./-")
"""Characters of a variable's name."""

SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"))
LANGUAGES = {"python": "c", "pypy": "c", "perl": "eE", "ruby": "e", "node": "ep", "php": "r"}
"""Interpreters, and the letters of their options whose argument is a script; a shell's is `c`."""

READERS = frozenset((
    "eval", "trap", "alias", "let", "declare", "typeset", "local", "readonly", "unset",
    "read", "mapfile", "readarray", "getopts", "[[", "ssh", "watch", "parallel", "sed",
    "awk", "gawk", "mawk", "make", "gmake", "sbatch",
))  # fmt: skip
"""Commands that read an argument as code, at least in some shell or with some option."""

BEFORE = frozenset(["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"])
"""Words that a command may follow."""

STARTERS = frozenset((
    "sudo", "doas", "su", "runuser", "env", "nohup", "nice", "ionice", "exec", "command",
    "builtin", "timeout", "xargs", "stdbuf", "setsid", "strace", "srun", "mpirun", "uv",
    "poetry", "pipenv", "conda", "docker", "podman", "find", "chroot", "unshare",
    "busybox", "script", "flock", "torchrun", "accelerate",
))  # fmt: skip
"""Commands that start another one, which their arguments name."""


def reader(words: Sequence[str]) -> str | None:
    """Return the program that reads what stands at the end of these words as code, if one does."""
    rest = _without_redirections(words[:-1])
    while rest and (rest[0] in BEFORE or _is_assignment(rest[0])):
        rest.pop(0)
    while rest:
        name = os.path.basename(rest.pop(0))
        if name in READERS:
            return name
        if name in ("test", "[", "printf"):
            return f"{name} -v" if "-v" in rest else None
        is_unknown = not set("?$`").isdisjoint(name)
        if name in ("su", "runuser", "script", "flock") and _has_letter(rest, "c"):
            return f"{name} -c"
        letters = "c" if name in SHELLS or is_unknown else LANGUAGES.get(name.rstrip("0123456789."))
        if letters and (found := _reads_option(rest, words[-1], letters)):
            return f"{name} -{found}"
        if name not in STARTERS and not is_unknown:
            return None
        while rest and not _is_command(rest[0]):
            rest.pop(0)
    return None


def _is_command(word: str) -> bool:
    name = os.path.basename(word)
    return name in READERS | SHELLS | STARTERS or name.rstrip("0123456789.") in LANGUAGES


def _reads_option(rest: Sequence[str], last: str, letters: str) -> str:
    """Return the letter whose argument comes last, after an interpreter's options; or nothing."""
    found = ""
    waiting = [*rest]
    while waiting:
        word = waiting.pop(0)
        if word[:1] not in ("-", "+"):
            return ""  # the script, or the argument of the option; what follows is for that
        if word in ("-o", "-O", "+o", "+O", "-W", "-X", "-I"):
            waiting = waiting[1:]
        elif not word.startswith("--"):
            found = found or next((each for each in letters if each in word), "")
    if last.startswith("-") and not last.startswith("--"):
        found = found or next((each for each in letters if each in last), "")
    return found


def _has_letter(words: Sequence[str], letter: str) -> bool:
    return any(each[:1] == "-" != each[1:2] and letter in each for each in words)


def _is_assignment(word: str) -> bool:
    name, separator, _ = word.partition("=")
    return bool(separator) and set(name) <= NAME


def _without_redirections(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    is_target = False
    for word in words:
        mark = word.lstrip("0123456789&")
        if mark[:1] in ("<", ">"):
            is_target = not mark.strip("<>&|")
        elif is_target:
            is_target = False
        else:
            kept.append(word)
    return kept
