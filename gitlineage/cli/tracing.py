"""`trace`: what made a file and what relies on it, and how one thing came from another."""

from __future__ import annotations

import gc
import sys

import click

from gitlineage import lineage as api
from gitlineage.cli.pages import total_line
from gitlineage.cli.reading import printer_for
from gitlineage.errors import Refused, WrongUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitlineage.lineage import Lineage
    from gitlineage.trace import Trace

FORMS = ("tree", "dot", "json", "svg", "png", "pdf", "mermaid")


@click.command(short_help="Draw what made a file and what relies on it")
@click.argument("target", required=False)
@click.option("--up", "is_up", is_flag=True, help="Only what made it.")
@click.option("--down", "is_down", is_flag=True, help="Only what relies on it.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="At most N executions away.")
@click.option("--between", nargs=2, metavar="A B", help="All ways in which data went from A to B.")
@click.option("--why", nargs=2, metavar="A B", help="The shortest of them.")
@click.option("--same-content", is_flag=True, help="Draw who else made the same bytes.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="tree on a terminal, dot elsewhere, or what FILE's ending says.",
)
@click.option("-o", "--output", "path", metavar="FILE", help="Write to FILE.")
@click.option("--all", "is_whole", is_flag=True, help="Draw each of those that are alike.")
@click.option("--cost", "with_cost", is_flag=True, help="Say what making it has cost, too.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def trace(
    target: str | None,
    is_up: bool,
    is_down: bool,
    depth: int | None,
    between: tuple[str, str] | None,
    why: tuple[str, str] | None,
    same_content: bool,
    form: str | None,
    path: str | None,
    is_whole: bool,
    as_json: bool,
    with_cost: bool,
) -> None:
    """Draw what made a file and what relies on it.

    TARGET is a path, a digest or its beginning, an execution, a deployment or a tag;
    so are A and B. With --up, what is between them is told from B on.

    Three and more executions of one step that used what is alike are drawn as one, with their
    number and the bounds of their parameters, and so are files; JSON always has each of them.
    """
    from gitlineage import drawing

    if sum(each is not None for each in (target, between, why)) != 1:
        raise WrongUsage(reason="trace one of TARGET, --between A B, --why A B", verb="trace")
    form = "json" if as_json else form or _form_for(path)
    gc.disable()  # 100,000s of values without cycles: looking for some took a third of the time
    with api.open() as lineage:
        lineage.hold()
        if target is not None:
            found = lineage.trace(
                target,
                up=is_up or not is_down,
                down=is_down or not is_up,
                depth=depth,
                same_content=same_content,
            )
        else:
            found = _ways(lineage, between, why, is_up and not is_down, depth, same_content)
        printer = printer_for(lineage)
        drawn: Iterable[bytes | str] = drawing.pieces(found)
        if form != "json":
            drawn = [
                drawing.draw(
                    found,
                    form,
                    is_folded=not is_whole,
                    width=printer.width,
                    is_colored=printer.is_colored and not path,
                )
            ]
        for warning in found.warnings:
            click.echo(f"warning: {warning}", err=True)
        if path:
            try:
                with open(path, "wb") as file:
                    file.writelines(map(_as_bytes, drawn))
            except OSError as error:
                raise Refused(reason=f"cannot write {path}: {error.strerror}") from error
        elif form in ("png", "pdf"):
            if sys.stdout.isatty():
                raise Refused(reason=f"{form} is not for a terminal: give -o FILE")
            sys.stdout.buffer.writelines(map(_as_bytes, drawn))
        elif form == "tree":
            printer.show("".join(map(str, drawn)).rstrip("\n").split("\n"))
        elif form == "json":
            for piece in drawn:
                sys.stdout.write(str(piece))  # click.echo looks for escape sequences: 1 ms a MB
        else:
            click.echo("".join(map(str, drawn)).rstrip("\n"))
        if with_cost:
            # With all its ancestors, whatever of them is drawn; of ways, what is on them.
            makers = found.nodes if target is None else lineage.trace(target, down=False).nodes
            ids = [each.id for each in makers if each.kind == "execution"]
            click.echo(total_line(lineage.cost(ids)), err=form != "tree" or bool(path))


def _as_bytes(drawn: bytes | str) -> bytes:
    return drawn if isinstance(drawn, bytes) else drawn.encode(errors="replace")


def _ways(
    lineage: Lineage,
    between: tuple[str, str] | None,
    why: tuple[str, str] | None,
    is_upward: bool,
    depth: int | None,
    same_content: bool,
) -> Trace:
    """Return how data went from one to another, told from there or from here."""
    first, second = between or why or ("", "")
    found = lineage.between(
        first, second, shortest=why is not None, depth=depth, same_content=same_content
    )
    if is_upward:
        ends = (each.id for each in found.nodes if each.is_target and each.id not in found.roots)
        return found.replace(roots=tuple(ends), is_upward=True)
    return found


def _form_for(path: str | None) -> str:
    """Return the form that a file's ending says; a terminal gets a tree."""
    if path is None:
        return "tree" if sys.stdout.isatty() else "dot"
    ending = path.rpartition(".")[2]
    form = {"mmd": "mermaid", "gv": "dot", "txt": "tree"}.get(ending, ending)
    if form not in FORMS:
        raise WrongUsage(reason=f"{path} does not say which format; give --format", verb="trace")
    return form
