"""What a message of `datalad run` tells of a command. Knows DataLad's spelling, and no git."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

SUBJECT = "[DATALAD RUNCMD]"

LARGEST = 1 << 20
"""Bytes of a record in a side file, unpacked."""

FILLED_AT_MOST = 1000
"""Paths that a placeholder stands for; where it is more it stays."""

PATTERNS_AT_MOST = 100
"""Patterns that are looked at, each for each file."""

TITLE_AT_MOST = 200
"""Characters of a message's subject."""

_RECORD = re.compile(
    r"^=== Do not change lines below ===\n(.*)\n\^\^\^ Do not change lines above \^\^\^",
    re.MULTILINE | re.DOTALL,
)
_NAME = re.compile("[0-9a-f]{32}")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(inputs|outputs)(?:\[(\d{1,4})\])?\}")


class Run(Record):
    """What a message tells of a command."""

    title: str
    command: tuple[str, ...]
    directory: str
    """Where it ran, relative to the top."""
    inputs: tuple[str, ...] = ()
    """Paths and patterns, relative to that directory."""
    named_count: int = 0
    """How many of the inputs `{inputs}` stands for: the others are extra ones."""
    outputs: tuple[str, ...] = ()
    exit_code: int = 0


def parse(message: str, side_file: Callable[[str], bytes | None] = lambda name: None) -> Run | None:
    """Return what a commit's message tells of a command; None where it tells of none.

    `side_file` returns the content of a file, by its name, that a message may name instead.
    """
    subject = message.partition("\n")[0]
    found = _RECORD.search(message)
    if found is None or not subject.startswith(SUBJECT):
        return None
    told = _read(found[1])
    if type(told) is str and _NAME.fullmatch(told):
        told = _read(_unpacked(side_file(told) or b""))
    if type(told) is not dict:
        return None
    command, directory, code = told.get("cmd"), told.get("pwd", "."), told.get("exit", 0)
    if type(command) is str and command:
        words: tuple[str, ...] = ("sh", "-c", command)
    else:
        words = _texts(command)
    if not words or type(directory) is not str or type(code) is not int:
        return None
    return Run(
        title="datalad run: " + subject.removeprefix(SUBJECT).strip()[:TITLE_AT_MOST],
        command=words,
        directory=os.path.normpath(directory),
        inputs=(*_texts(told.get("inputs")), *_texts(told.get("extra_inputs"))),
        named_count=len(_texts(told.get("inputs"))),
        outputs=_texts(told.get("outputs")),
        exit_code=code if 0 <= code < 256 else 1,
    )


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _unpacked(content: bytes) -> str:
    """Return the one line of a side file; nothing for what is none, or is too large."""
    import lzma

    try:
        return lzma.LZMADecompressor().decompress(content, LARGEST).decode("utf-8", "replace")
    except (lzma.LZMAError, EOFError):
        return ""


def filled(run: Run, files: Iterable[str]) -> tuple[str, ...]:
    """Return the command as it ran, with `{inputs}` and `{outputs}` filled in.

    `files` are those that there were before. What else a placeholder may name is known where it
    ran only, and stays.
    """
    if not any(_PLACEHOLDER.search(each) for each in run.command):
        return run.command
    there = set(files)
    for path in tuple(there):
        while path := os.path.dirname(path):
            there.add(path)
    known = {
        "inputs": _expanded(run, run.inputs[: run.named_count], there),
        "outputs": _expanded(run, run.outputs, there),
    }
    is_shell = run.command[:2] == ("sh", "-c")

    def fill(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]  # doubled, it stands for itself
        paths = known[found[1]]
        if found[2]:
            paths = paths[int(found[2]) :][:1]
        if not 0 < len(paths) <= FILLED_AT_MOST:
            return found[0]
        return " ".join(map(shlex.quote, paths) if is_shell else paths)

    return tuple(_PLACEHOLDER.sub(fill, each) for each in run.command)


def _expanded(run: Run, patterns: Sequence[str], there: Iterable[str]) -> list[str]:
    """Return what patterns stand for, as seen from where the command ran; the order is theirs."""
    found = []
    for each in patterns[:PATTERNS_AT_MOST]:
        wanted = joined(run, each).split("/")
        hits = []
        if any(mark in each for mark in "*?["):
            split = ((path, path.split("/")) for path in there)
            hits = sorted(path for path, parts in split if len(parts) in _reached(parts, wanted))
        found += [os.path.relpath(path, run.directory) for path in hits] or [each]
    return [each for each in found if each != "."]


def chooser(run: Run, patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a path is among paths, folders and patterns of a command."""
    wanted = [joined(run, each) for each in patterns]
    named = frozenset(wanted)
    wild = [each.split("/") for each in wanted if any(mark in each for mark in "*?[")]
    wild = wild[:PATTERNS_AT_MOST]

    def is_chosen(path: str) -> bool:
        above = path
        while above and above not in named:
            above = os.path.dirname(above)
        parts = path.split("/")
        return bool(above) or "." in named or any(_reached(parts, each) for each in wild)

    return is_chosen


def _reached(parts: Sequence[str], pattern: Sequence[str]) -> set[int]:
    """Return how many parts of a path a pattern stands for: all, or those of a folder it is in.

    Folder by folder, so that no pattern of a stranger takes for ever.
    """
    places = {0}
    for each in pattern:
        if each == "**":
            places = set(range(min(places, default=len(parts)), len(parts) + 1))
        else:
            places = {at + 1 for at in places if at < len(parts) and _is_like(parts[at], each)}
    return places


def _is_like(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (name[0] != "." or pattern[0] == ".")


def joined(run: Run, path: str) -> str:
    """Return a path as seen from the top."""
    return os.path.normpath(os.path.join(run.directory, path))


def _texts(told: object) -> tuple[str, ...]:
    """Return a list of texts; nothing for anything else."""
    if type(told) is not list or not all(type(each) is str and each for each in told):
        return ()
    return tuple(told)
