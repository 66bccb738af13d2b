"""`reproduce`: run an execution again and say whether the same came out.

Exit codes of its own: 0 identical, 1 different, 3 where it could not be told.
"""

from __future__ import annotations

import sys

import click

from gitlineage import lineage as api
from gitlineage.cli.maps import json_line
from gitlineage.errors import LineageError
from gitlineage.wording import duration, exact, safe, shell, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gitlineage.reproduction import Reproduced, Stranger

CODES = {"identical": 0, "different": 1, "not possible": 3}


@click.command(short_help="Run an execution again and compare what comes out")
@click.argument("name", metavar="[EXECUTION]", default="@")
@click.option("--chain", is_flag=True, help="First make again what it needs and is not here.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="FRACTION",
    help="Let numbers of metadata differ by this much, relatively: 1e-6.",
)
@click.option("--keep", metavar="DIR", help="Keep the work tree that it ran in, as DIR.")
@click.option("-y", "--yes", is_flag=True, help="Run commands of others without being asked.")
@click.option(
    "--json", "as_json", is_flag=True, help="As a JSON object; what it prints is dropped."
)
def reproduce(
    name: str, chain: bool, tolerance: float | None, keep: str | None, yes: bool, as_json: bool
) -> int:
    """Run an execution again from its code and its inputs, and compare what comes out.

    It runs in a work tree of its own, which is removed afterwards; HEAD, the staging area, the
    stash and your files stay as they are. Inputs are found by content: in the work tree, under
    other names too, among git's objects, in the store of LFS. The result is a new execution that
    points to the first.

    Exit status: 0 identical, 1 different, 3 not possible.
    """

    def confirm(strangers: Sequence[Stranger]) -> bool:
        for each in strangers:
            click.echo("\n".join(_about(each)), err=True)
        if yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return click.confirm("Run it?" if len(strangers) == 1 else "Run them?", err=True)

    try:
        with api.open() as lineage:
            done = lineage.reproduce(
                name,
                chain=chain,
                tolerance=tolerance,
                keep=keep,
                confirm=confirm,
                tell=lambda text: click.echo(f"lineage: {safe(text)}", err=True),
                is_quiet=as_json,
            )
    except LineageError as error:
        from gitlineage.cli import report

        report(error, ["--json"] if as_json else [])
        return 3 if error.exit_code == 1 else error.exit_code  # 1 says that it is different
    for each in done:
        if each.problem is not None:
            click.echo(f"error: the record is not in the ledger yet: {each.problem}", err=True)
    if as_json:
        *before, last = map(_map, done)
        click.echo(json_line({**last, "chain": before}))
    else:
        for line in _result(done[-1]):
            click.echo(line)
        if unseen := [each.first for each in done if _lacks_inputs(each)]:
            named = ", ".join(
                f"{each.launch.step if each.launch else '?'} {each.id[:8]}" for each in unseen
            )
            click.echo(
                f"hint: no inputs are known of {safe(named)}, so none were put there; declare "
                "what it reads with -i, or run it with --observe",
                err=True,
            )
    end = done[-1].end
    if end.status == "stopped" and done[-1].comparison.verdict == "not possible":
        return 128 + (end.signal or 2)
    return CODES[done[-1].comparison.verdict]


def _about(stranger: Stranger) -> list[str]:
    """Return what to show of a command before it is confirmed."""
    execution = stranger.execution
    launch = execution.launch
    assert launch is not None
    code = launch.code
    ad_hoc = ", ad-hoc" if code.is_adhoc else ""
    rows = [
        ("Execution", execution.id),
        ("Confirm", stranger.reason),
        ("Agent", f"{launch.agent.name} <{launch.agent.email}> on {launch.place.host}"),
        ("Code", f"{(code.commit or code.tree or '')[:12]}{ad_hoc}"),
        ("Image", (launch.image.digest or launch.image.name) if launch.image else ""),
        ("Directory", launch.directory),
        ("Command", shell(launch.command)),
    ]
    return [*(f"{name + ':':11}{safe(text)}" for name, text in rows if text), ""]


def _result(done: Reproduced) -> list[str]:
    """Return what came out, for people."""
    found, first = done.comparison, done.first
    took = f" in {duration(done.end.duration)}" if done.end.duration is not None else ""
    step = first.launch.step if first.launch else ""
    lines = [f"{done.id[:8]} reproduces {step} {first.id[:8]}{took}: {found.verdict}"]
    if found.reason:
        lines.append(f"  {found.reason}")
    lines += [f"  {each.verdict:11}{each.path}" for each in found.outputs]
    for key in found.metadata:
        both = [value(each[key], exact) if key in each else "none" for each in _values(done)]
        lines.append(f"  different  {key}: {both[0]} -> {both[1]}")
    return [safe(line) for line in lines]


def _lacks_inputs(done: Reproduced) -> bool:
    """Tell whether it failed now and not then, and nobody knows what it reads but the code."""
    then = done.first.end
    return (
        then is not None
        and then.status == "succeeded"
        and done.end.status == "failed"
        and not done.first.inputs
        and then.code_read is None
    )


def _values(done: Reproduced) -> tuple[Any, Any]:
    return done.first.end.metadata if done.first.end else {}, done.end.metadata


def _map(done: Reproduced) -> dict[str, Any]:
    found = done.comparison
    return {
        "id": done.id,
        "reproduces": done.first.id,
        "verdict": found.verdict,
        "reason": found.reason,
        "outputs": [{"path": each.path, "verdict": each.verdict} for each in found.outputs],
        "metadata": [
            {"name": key, "first": one.get(key), "second": other.get(key)}
            for key in found.metadata
            for one, other in (_values(done),)
        ],
        "tolerance": float(found.tolerance) if found.tolerance else None,
        "environment": [
            {"name": name, "first": then, "second": now} for name, then, now in done.differences
        ],
    }
