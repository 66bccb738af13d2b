"""The options of `run`, and a reader of their plain uses that imports nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPTIONS: Sequence[tuple[tuple[str, ...], str, str]] = (
    (
        ("-i", "--input"),
        "[NAME=]PATH|URI",
        "Declare an input: a file, a directory or a URI. A URI with a name is downloaded.",
    ),
    (("-o", "--output"), "PATH", "Declare an output: a file or a directory."),
    (("-p", "--param"), "NAME=VALUE", "Record a parameter."),
    (("-t", "--tag"), "TAG", "Tag the execution."),
    (("--title",), "TEXT", "Give the execution a title."),
    (
        ("--step",),
        "NAME",
        "Name the step; the script's or program's name else. Without a command, run this step of"
        " valohai.yaml or lineage.yaml.",
    ),
    (("--image",), "IMAGE", "Run the command in a container of this image, pulled where needed."),
    (("--in-image",), "", "Run the step in a container of the image that it names."),
    (
        ("-v", "--volume"),
        "SOURCE:TARGET[:ro]",
        "Mount a path or a volume into the container, beside the work tree.",
    ),
    (
        ("-e", "--env"),
        "NAME[=VALUE]",
        "Give the container a variable, with the value that it has here unless one is given.",
    ),
    (("--network",), "NAME", "Connect the container to this network: none, host, ..."),
    (("--gpus",), "GPUS", "Give the container GPUs: all, a number, or device=ID,ID."),
    (("--observe",), "", "Find out which files it reads and writes, from its system calls."),
    (("--dry-run",), "", "Print the command that would run, and stop."),
    (
        ("--metrics",),
        "FILE",
        "Take metrics from a file when it ends: JSON, YAML, CSV, TSV, or a folder of DVCLive's.",
    ),
    (
        ("--reuse",),
        "",
        "Do not run where an execution would only be repeated: say which one it is.",
    ),
    (("--price",), "PRICE", "What an hour costs, such as '2.40 USD'; else as configured."),
    (("-q", "--quiet"), "", "Do not print the closing line."),
)
"""Spellings, what the value is called (nothing for a flag), help. Read by click as well."""

MANY = ("-i", "-o", "-p", "-t", "-v", "-e", "--metrics")
"""Options that may be given several times."""

OF_IMAGE = ("-v", "-e", "--network", "--gpus")
"""Options that mean nothing without a container."""


def parse(words: Sequence[str]) -> Mapping[str, list[str]] | None:
    """Return the values of each option by its first spelling, and the command under `command`.

    None for anything that is not plain: help, unknown or abbreviated options, a missing value or
    command. Click reads those, and says what is wrong with them.
    """
    takes_value = {each: bool(value) for spellings, value, _ in OPTIONS for each in spellings}
    first = {each: spellings[0] for spellings, _, _ in OPTIONS for each in spellings}
    found: dict[str, list[str]] = {}
    rest = list(words)
    command: list[str] = []
    while rest:
        # What follows a notebook are options of ours: it takes none.
        if not command and is_notebook(rest[:1]):
            command.append(rest.pop(0))
            continue
        if not rest[0].startswith("-") or rest[0] == "-":
            break
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            name, has_value, value = word.partition("=")
        else:
            name, value = word[:2], word[2:]
            has_value = value
        if name not in takes_value or (has_value and not takes_value[name]):
            return None
        if takes_value[name] and not has_value:
            if not rest:
                return None
            value = rest.pop(0)
        found.setdefault(first[name], []).append(value)
    command += rest
    if not command and "--step" not in found:
        return None
    if any(len(given) > 1 for name, given in found.items() if name not in MANY):
        return None
    return {**found, "command": command}


def is_notebook(command: Sequence[str]) -> bool:
    """Tell whether a command is a notebook alone, which is run through papermill."""
    return len(command) == 1 and command[0].endswith(".ipynb")
