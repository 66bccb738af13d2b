"""Generated pages: the manual page, help texts, table of errors. Knows click and the errors only.

`python docs/generate.py` writes docs/git-lineage.1, with `--check` it says whether that is up to
date; the functions that return Markdown are called by the cog blocks of cli.md and errors.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from gitlineage import __version__, errors
from gitlineage.cli.group import group

PAGE = Path(__file__).with_name("git-lineage.1")

FILES = {
    "refs/lineage/ledger/YYYY-MM": "The records of one month, one commit each; `git log` reads it.",
    "refs/lineage/code/YYYY-MM": "Keeps the code that executions ran alive.",
    "refs/lineage/tags/TAG": "What a tag stands on, and as its history what it stood on before.",
    "refs/notes/lineage": "A summary on each commit that ran: `git log --notes=lineage`.",
    "refs/lineage-remotes/REMOTE/": "What a remote had when it was last fetched.",
    "lineage/": "In the git directory: executions that still run, and what can be made again.",
}
ENVIRONMENT = {
    "GIT_LINEAGE_EXECUTION": "Set for the command that runs: the id of its execution.",
    "GIT_LINEAGE_DIR": "Set for the command that runs: where the execution is kept until it ends.",
    "GIT_LINEAGE_MASK": "Set for the command that runs: names of secrets that are configured.",
    "GIT_LINEAGE_PUSHING": "Set while lineage is pushed, so that the pre-push hook lets it pass.",
    "GIT_LINEAGE_HOOK": "Set while the pre-push hook runs, so that each push enters it once.",
    "GIT_LINEAGE_PROBE": "Set by `doctor`: the hook says that it was reached, and sends nothing.",
    "GIT_LINEAGE_QUEUED_AT": "When the job was submitted, as ISO 8601 or in seconds since 1970.",
    "DOCKER_HOST": "Where the container engine listens: `unix:///path/to/its.sock`.",
    "GIT_LINEAGE_DEBUG": "When set, a bug shows its traceback.",
}
CONFIGURATION = {
    "lineage.remote": "The remote that lineage goes to; otherwise the one that git would push to.",
    "remote.NAME.lineage": "When false, plain pushes to that remote carry no lineage; when true, "
    "what goes there for the first time is neither shown nor asked for.",
    "lineage.archived": "Months that `git lineage archive` has moved into files, and that are not "
    "fetched any more; may be given many times.",
    "lineage.pushCode, remote.NAME.lineagePushCode": "When false, the code of executions is not "
    "pushed, nor the cells of notebooks and the text of configurations: everywhere, or there.",
    "lineage.pushLog, remote.NAME.lineagePushLog": "When false, what commands printed is not "
    "pushed: everywhere, or there.",
    "lineage.sign": "When true, records are signed, as git signs commits: `gpg.format`, "
    "`user.signingKey`, `gpg.program` and their like. See docs/verify.md.",
    "color.lineage, pager.lineage": "As git has them for its own commands.",
    "lineage.metadataService": "When true, or an http:// URL, the metadata service of a cloud is "
    "asked for region and kind of the machine, while the command runs; otherwise never.",
    "lineage.observe": "`always`: commands are observed, or do not start; `auto`: where strace "
    "may be used; `never`, unless said otherwise. See docs/observation.md.",
    "lineage.observeIgnore": "Patterns of files that are nobody's data, as in .gitignore, `~/` and "
    "`/` from the machine's top; may be given many times.",
    "lineage.price": "What an hour costs, such as `0.12 EUR`; see docs/cost.md for steps, images, "
    "types of machines and hosts.",
    "lineage.currency": "The currency of prices that name none.",
    "lineage.imageEnv": "Names of variables, with spaces between them, that containers get.",
    "lineage.env": "Names of variables that are recorded beside the usual ones, `*` for anything; "
    "may be given many times.",
    "lineage.envNames": "When true, the names of all other variables are recorded, without values.",
    "lineage.mask": "When false, secrets are not masked.",
    "lineage.secretNames": "Names whose values are secret, `*` for anything, beside those that "
    "docs/secrets.md lists; may be given many times.",
    "lineage.numericText": 'When true, text that spells a number, such as "0.5", is a number in '
    "metadata; NumPy's scalars are printed so by `valohai.logger()`.",
    "lineage.downloadLimit": "What steps download is kept up to this size, such as 500m; what was "
    "not used for longest goes first: 10g, 10 GiB, unless said otherwise.",
    "lineage.snapshotLimit": "Files larger than this that git does not know yet stay out of the "
    "code that is kept, and are listed: 4m, 4 MiB, unless said otherwise.",
    "lineage.snapshotHidden": "When true, files that git is told not to look at (assume-unchanged, "
    "skip-worktree) are kept as they are with the code, unless named like a secret; else they are "
    "listed as left out.",
}
EXIT_STATUS = {
    "0": "It was done.",
    "1": "It was not done; the line that begins with `error:` says why. Of `git lineage "
    "reproduce`: something different came out, and never an error.",
    "2": "The command line is wrong; nothing was done.",
    "3": "What was asked for is not there. Of `git lineage reproduce`: not possible.",
    "4": "Stored data is damaged, or was written by a later version.",
    "70": "A bug in git-lineage.",
    "125, 126, 127": "`git lineage run` could not start the command: 127 when there is no such "
    "command, 126 when it cannot be executed. Once started, its own exit status is returned.",
    "130": "Interrupted.",
    "141": "What read the output has stopped reading.",
}
SEE_ALSO = (("git", 1), ("git-log", 1), ("git-notes", 1), ("dot", 1))


# --- what click knows -----------------------------------------------------------------------------


def context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    """Return a context in which help comes out the same on every terminal."""
    settings = {**command.context_settings, "terminal_width": 80, "color": False}
    return click.Context(command, parent=parent, info_name=name, **settings)


def walk(verb: str = "") -> Iterator[click.Context]:
    """Yield the context of every visible command, or of one verb and its own commands."""

    def below(parent: click.Context) -> Iterator[click.Context]:
        if not isinstance(parent.command, click.Group):
            yield parent
            return
        if parent.parent is not None:
            yield parent
        for name in parent.command.list_commands(parent):
            command = parent.command.get_command(parent, name)
            if command is not None and not command.hidden:
                yield from below(context(command, parent, name))

    for found in below(context(group, None, "git lineage")):
        if not verb or f"{found.command_path} ".startswith(f"git lineage {verb} "):
            yield found


def help_page(verb: str = "") -> str:
    """Return what `git lineage VERB -h` prints, as fenced Markdown, its own commands included."""
    pages = [found.get_help() for found in walk(verb)] if verb else []
    pages = pages or [context(group, None, "git lineage").get_help()]
    return "\n\n".join(f"```text\n{page}\n```" for page in pages)


def help_pages() -> str:
    """Return a Markdown section for every verb."""
    top = context(group, None, "git lineage")
    return "\n\n".join(f"## {verb}\n\n{help_page(verb)}" for verb in group.list_commands(top))


def exit_statuses() -> str:
    """Return a Markdown table of the statuses that a verb can end with."""
    rows = [f"| {status} | {meaning} |" for status, meaning in EXIT_STATUS.items()]
    return "\n".join(["| exit status | means |", "|--:|---|", *rows])


# --- errors ---------------------------------------------------------------------------------------


def error_classes(root: type[errors.LineageError]) -> Iterator[type[errors.LineageError]]:
    """Yield a class of error and all that are finer, in the order in which they are written."""
    yield root
    for finer in root.__subclasses__():
        yield from error_classes(finer)


def errors_table() -> str:
    """Return a Markdown table of every error: its code, when it is raised, what the user reads."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|")

    def code(text: str) -> str:
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    rows = ["| error | exit status | raised when | message | hint |", "|---|--:|---|---|---|"]
    for found in error_classes(errors.LineageError):
        when = cleandoc(found.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        columns = (code(found.__name__), str(found.exit_code), when, code(found.message))
        rows.append(f"| {' | '.join(map(cell, (*columns, found.hint)))} |")
    return "\n".join(rows)


def views() -> str:
    """Return the views of the index, each as a table of its columns."""
    from gitlineage.index.views import VIEWS

    pages = []
    for name, (row, columns, _) in VIEWS.items():
        lines = [f"### `{name}`", "", f"One row is {row}.", "", "| column | what |", "|---|---|"]
        lines += (f"| `{column}` | {meaning} |" for column, _, meaning in columns)
        pages.append("\n".join(lines))
    return "\n\n".join(pages)


# --- the manual page ------------------------------------------------------------------------------


def roff(text: str) -> str:
    """Return text in which roff finds nothing of its own; `this` becomes bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text).replace("`", "\\(ga")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """Yield docstring help as roff; a paragraph that click marks with \\b keeps its lines."""
    text = cleandoc(text).split("\f")[0].strip()
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
        if number:
            yield ".PP"
        lines = [line.rstrip() for line in paragraph.split("\n")]
        if lines[0] == "\b":
            yield from (".nf", *map(roff, lines[1:]), ".fi")
        else:
            yield roff(" ".join(line.strip() for line in lines))


def synopsis(found: click.Context) -> str:
    """Return a command line: the words of the command bold, what it takes as click writes it."""
    pieces = " ".join(found.command.collect_usage_pieces(found))
    return f"\\fB{roff(found.command_path)}\\fR {roff(pieces)}".rstrip()


def definitions(entries: dict[str, str]) -> Iterator[str]:
    """Yield a list of terms with what they mean."""
    for term, meaning in entries.items():
        yield from (".TP", f"\\fB{roff(term)}\\fR", roff(meaning))


def options(found: click.Context) -> dict[str, str]:
    """Return how each option of a command is written, and its help."""
    records = (option.get_help_record(found) for option in found.command.get_params(found))
    return {names: text for names, text in filter(None, records) if text and "--help" not in names}


def manual_page() -> str:
    """Return the manual page as roff."""
    top = context(group, None, "git lineage")
    lines = [
        '.\\" Written by docs/generate.py from the commands themselves.',
        f'.TH GIT\\-LINEAGE 1 "" "git\\-lineage {__version__}" "Git Manual"',
        ".SH NAME",
        f"git\\-lineage \\- {roff(group.get_short_help_str(200).rstrip('.'))}",
        ".SH SYNOPSIS",
        f"{synopsis(top)}",
        ".SH DESCRIPTION",
        *paragraphs(group.help or ""),
        *definitions(options(top)),
        ".SH COMMANDS",
    ]
    for found in walk():
        lines += [f'.SS "{roff(found.command_path)}"', synopsis(found), ".PP"]
        lines += [*paragraphs(found.command.help or ""), *definitions(options(found))]
    for title, entries in (
        ("EXIT STATUS", EXIT_STATUS),
        ("FILES", FILES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("CONFIGURATION", CONFIGURATION),
    ):
        lines += [f'.SH "{title}"', *definitions(entries)]
    lines += ['.SH "SEE ALSO"', roff(", ".join(f"`{page}`({part})" for page, part in SEE_ALSO))]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the manual page, or with --check say whether it is up to date."""
    page = manual_page()
    if arguments == ["--check"]:
        stale = not PAGE.exists() or PAGE.read_text() != page
        print(f"{PAGE.name}: {'stale; run `make docs`' if stale else 'up to date'}")
        return int(stale)
    PAGE.write_text(page)
    print(f"{PAGE.name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
