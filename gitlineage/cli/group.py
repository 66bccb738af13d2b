"""The click group: loads the module of a verb when the verb is called."""

from __future__ import annotations

import importlib
import keyword
from typing import Any

import click

from gitlineage import __version__
from gitlineage.cli import READING, VERBS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HIDDEN = ("pre-push",)

ABOUT = {
    "init": "Make plain fetch and push carry lineage",
    "run": "Run a command and record the execution",
    "log": "List executions, newest first",
    "show": "Show all that is known of an execution",
    "trace": "Draw what made a file and what relies on it",
    "files": "List files by content, with who made and used them",
    "status": "Tell which outputs are current, changed, stale or deleted",
    "diff": "Tell in what two executions differ",
    "output": "Print what an execution printed",
    "code": "List, print or write out the code that ran",
    "metadata": "Set, show, plot and export metadata",
    "reproduce": "Run an execution again and compare what comes out",
    "tag": "List tags, tag executions and files, or take a tag away",
    "alias": "Give content a name that can be moved",
    "deploy": "Say what is deployed, and list what was",
    "sql": "Answer a query in SQL",
    "import": "Add executions from lines of JSON",
    "export": "Write executions as lines of JSON",
    "fetch": "Bring a remote's lineage here",
    "push": "Send lineage to a remote",
    "sync": "Fetch, then push",
    "forget": "Forget executions, a month, or a secret in what was recorded",
    "archive": "Move months into a file, out of the refs",
    "verify": "Check that every record is sound",
    "doctor": "Look whether all is set up well, and what is in the way",
}
"""What each verb does, as its command says too: a list of them imports none (30 ms)."""


ELSEWHERE = {
    "list": "log", "history": "log", "ls": "files", "plot": "metadata plot", "rerun": "reproduce",
    "repro": "reproduce", "compare": "diff", "graph": "trace", "dag": "trace", "help": "-h",
    "rm": "forget", "delete": "forget", "exec": "run", "record": "run", "pull": "fetch",
}  # fmt: skip
"""What other tools call a verb."""


class Group(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a first use."""
        return [verb for verb in VERBS if verb not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"gitlineage.cli.{VERBS[cmd_name]}")
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(module, f"{name}_" if keyword.iskeyword(name) else name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that is called; of a mistyped one say which is meant."""
        verb = args[0]
        if not verb.startswith("-") and verb not in VERBS:
            import difflib  # 8 ms: where there is a mistake

            near = difflib.get_close_matches(verb, self.list_commands(ctx), n=3)
            near = [ELSEWHERE[verb]] if verb in ELSEWHERE else near
            told = f" (did you mean {' or '.join(near)}?)" if near else ""
            ctx.fail(f"no such command {verb!r}{told}")
        return super().resolve_command(ctx, args)

    # When the reader of our output has gone: as git, which SIGPIPE ends; click would make it 1.

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the words, or print the help page that they ask for."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            raise click.exceptions.Exit(141) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Call the verb."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return 141

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs, as click does."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, ABOUT[verb]) for verb in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs and options that begin so, as click does."""
        from click.shell_completion import CompletionItem

        begun = [each for each in self.list_commands(ctx) if each.startswith(incomplete)]
        verbs = [CompletionItem(each, help=ABOUT[each]) for each in begun]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


class WithPaths(click.Command):
    """A command that takes paths after `--`, as git's own do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the paths away before click reads the rest, for which `--` says nothing."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["paths"] = args[at + 1 :]
        try:
            return super().parse_args(ctx, args[:at])
        except click.UsageError as error:
            if "unexpected extra argument" in error.message:
                raise click.UsageError(f"{error.message}; paths stand after --", ctx) from error
            raise

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- PATH...]"]

    @staticmethod
    def of(context: click.Context) -> tuple[str, ...]:
        """Return the paths that were given."""
        return tuple(context.meta["paths"])


class Limited(click.Command):
    """A command of which `-5` is `-n 5`, as git's own have it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Spell such numbers out."""
        spelled = [f"-n{each[1:]}" if each[:1] == "-" and each[1:].isdecimal() else each
                   for each in args]  # fmt: skip
        return super().parse_args(ctx, spelled)


def _refuse(context: click.Context, _: object, path: str | None) -> None:
    """Say which verbs read an archive; `main` has taken those away already."""
    if path is not None:
        raise click.UsageError(f"--archive goes before one of {', '.join(READING)}", context)


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`git lineage VERB -h` tells about a verb, `git help lineage` is the manual.",
)
@click.option(
    "--archive",
    metavar="FILE",
    callback=_refuse,
    expose_value=False,
    help="Read what `archive` has moved into a file, where it is.",
)
@click.version_option(__version__, prog_name="git-lineage", message="%(prog)s version %(version)s")
def group() -> None:
    """Record how files are made, and trace what relies on them, inside git."""
