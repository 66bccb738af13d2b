"""The command line: which module has which verb, and the one place that turns errors into text.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 damaged, 70 a bug; `run` exits as its
command did, with 125 to 127 for what kept it from running. Ctrl-C is 130.
"""

from __future__ import annotations

import os
import sys

from gitlineage.errors import LineageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

VERBS = {
    "init": "sharing",
    "run": "recording",
    "log": "reading",
    "show": "reading",
    "trace": "tracing",
    "files": "files",
    "status": "comparing",
    "diff": "comparing",
    "output": "reading",
    "code": "reading",
    "metadata": "metadata",
    "reproduce": "reproducing",
    "tag": "tagging",
    "alias": "deploying",
    "deploy": "deploying",
    "sql": "querying",
    "import": "importing",
    "export": "importing",
    "fetch": "sharing",
    "push": "sharing",
    "sync": "sharing",
    "forget": "forgetting",
    "archive": "forgetting",
    "verify": "verifying",
    "doctor": "examining",
    "pre-push": "sharing",
}
"""Verb to the module of this folder that has it; only that one is imported."""

READING = ("log", "show", "trace", "files", "diff", "output", "metadata", "sql", "export", "verify")
"""Verbs that read an archive where it is: `git lineage --archive FILE VERB`."""

BUG = 70


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["--archive"] and len(words) > 2 and words[2] in READING:
            return _in_archive(words[1], words[2:])
        if words[:1] == ["run"]:
            # A recorded command is delayed by every import: plain uses of `run` are read without
            # click, which takes 37 ms to import (docs/decisions/0003).
            from gitlineage.cli import plain

            if (options := plain.parse(words[1:])) is not None:
                from gitlineage.cli import run

                return run.run(options)
        if words[:1] == ["pre-push"] and len(words) == 3:
            from gitlineage.cli import hook

            return hook.send(*words[1:])
        if words[:1] == ["push"] and not "".join(words[1:]).startswith("-") and len(words) < 3:
            from gitlineage.cli import hook

            if (code := hook.push(*words[1:])) is not None:
                return code
        return _click(words)
    except LineageError as error:
        return report(error, words)
    except KeyboardInterrupt:
        return 130
    except MemoryError:
        return report(LineageError(reason="out of memory"))
    except BrokenPipeError:
        # The reader of our output has gone, `| head` for instance: as git, end without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        # Full disks and closed permissions are nobody's bug: what, and why, in the system's words.
        where = os.fsdecode(error.filename) if error.filename else "cannot write"
        return report(LineageError(reason=f"{where}: {(error.strerror or str(error)).lower()}"))
    except Exception as error:
        if os.environ.get("GIT_LINEAGE_DEBUG"):
            raise
        return _bug(error)


def _in_archive(path: str, words: Sequence[str]) -> int:
    """Run a reading verb on what an archive has; nothing is brought into this repository."""
    import shutil

    from gitlineage import archives

    folder = archives.unpacked(path)
    before = os.environ.get("GIT_DIR")
    os.environ["GIT_DIR"] = folder
    try:
        return main(words)
    finally:
        os.environ.pop("GIT_DIR")
        if before is not None:
            os.environ["GIT_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def leave(code: int) -> NoReturn:
    """End the process. Taking the interpreter down costs milliseconds; nothing is left to do."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # closed by whoever started us
                stream.flush()
        except BrokenPipeError:
            code = 141
        except OSError as error:
            code = code or 1
            if stream is not sys.stderr:
                os.write(2, f"error: cannot write: {error.strerror}\n".encode())
    os._exit(code)


def _click(words: Sequence[str]) -> int:
    import click

    from gitlineage.cli.group import group

    try:
        result = group.main(args=list(words), prog_name="git lineage", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message().rstrip() + "\n")
        return 2
    except click.UsageError as error:
        sys.stderr.write(f"error: {_sentence(error.format_message())}\n")
        if error.ctx is not None:
            sys.stderr.write(f"hint: {error.ctx.command_path} -h\n")
        return 2
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return 130


def report(error: LineageError, words: Sequence[str] = ()) -> int:
    """Say an error the way git does, or as JSON where that was asked for; return its exit code."""
    if "--json" in words:
        import json

        told = {"kind": type(error).__name__, "message": str(error), "hint": error.advice() or None}
        facts = {name: str(value) for name, value in error.facts.items()}
        sys.stdout.write(json.dumps({"error": {**told, **facts}}) + "\n")
        return error.exit_code
    from gitlineage.wording import safe

    sys.stderr.write(f"error: {safe(str(error))}\n")
    if advice := error.advice():
        sys.stderr.write(f"hint: {safe(advice)}\n")
    if words and ("-v" in words or "--verbose" in words) and error.__cause__:
        sys.stderr.write(f"caused by: {safe(str(error.__cause__))}\n")
    return error.exit_code


def _sentence(text: str) -> str:
    """Return click's sentence in git's dialect: lower case, no full stop."""
    return text[:1].lower() + text[1:].rstrip(".")


def _bug(error: Exception) -> int:
    import platform
    import tempfile
    import traceback

    from gitlineage import __version__

    with tempfile.NamedTemporaryFile(
        "w", prefix="git-lineage-", suffix=".log", delete=False
    ) as log:
        log.write(
            f"git-lineage {__version__}, Python {platform.python_version()}, "
            f"{platform.platform()}\n\n"
        )
        traceback.print_exception(error, file=log)
    sys.stderr.write(
        f"error: this is a bug in git-lineage: {type(error).__name__}: {error}\n"
        f"hint: please report it with {log.name}\n"
    )
    return BUG
