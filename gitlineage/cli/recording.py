"""`run`, as click shows it and reads what is not plain."""

from __future__ import annotations

import click

from gitlineage.cli import plain


def _options(command: click.Command) -> click.Command:
    for spellings, value, help_text in plain.OPTIONS:
        is_many = spellings[0] in plain.MANY
        name = spellings[-1].lstrip("-").replace("-", "_")
        command.params.append(
            click.Option(
                [*spellings, name],
                is_flag=not value,
                multiple=is_many,
                metavar=value or None,
                help=help_text,
            )
        )
    command.params.append(
        click.Argument(["command"], nargs=-1, type=click.UNPROCESSED, metavar="[--] [COMMAND...]")
    )
    return command


@click.pass_context
def _run(context: click.Context, /, **given: object) -> None:
    from gitlineage.cli.run import run

    options: dict[str, list[str]] = {}
    for spellings, _, _ in plain.OPTIONS:
        value = given.get(spellings[-1].lstrip("-").replace("-", "_"))
        if value not in (None, (), False):  # an empty text was given
            options[spellings[0]] = (
                [str(e) for e in value] if isinstance(value, tuple) else [str(value)]
            )
    words = given["command"]
    assert isinstance(words, tuple)
    if not words and "--step" not in options:
        raise click.MissingParameter(ctx=context, param=context.command.params[-1])
    context.exit(run({**options, "command": [str(word) for word in words]}))


run = _options(
    click.Command(
        "run",
        callback=_run,
        context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
        help="""Run a command and record the execution.

    Recorded are the code exactly as it is, committed or not, what goes in and what comes out by
    content, the machine, and what the command prints. The command has its terminal, its standard
    input and its exit code as if it had been started alone.

    Files written while it runs are outputs; files named as arguments are inputs unless git tracks
    them. A line of standard output that is a JSON object is metadata.

    \b
    Examples:
      git lineage run -- python train.py --epochs 3
      git lineage run -i data=raw.csv -o model.pkl -t baseline -- python train.py
      git lineage run --step train -p epochs=3 -i data=raw.csv
      git lineage run notebook.ipynb -p epochs=3
    """,
        short_help="Run a command and record the execution",
    )
)
