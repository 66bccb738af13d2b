"""What to run, and how, as it was asked for. Knows nothing of how that is done."""

from __future__ import annotations

from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gitlineage.records.artifact import Artifact
    from gitlineage.records.launch import Masked, Notebook
    from gitlineage.steps import Plan
    from gitlineage.steps.inputs import Placed


class Request(Record):
    """What to run, as the user asked for it."""

    command: tuple[str, ...]
    inputs: tuple[tuple[str | None, str], ...] = ()
    """Name or None, and path or URI as given."""
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = {}
    tags: tuple[str, ...] = ()
    title: str | None = None
    step: str | None = None
    image: str | None = None
    """The container image to run it in."""
    volumes: tuple[str, ...] = ()
    """For the container: `SOURCE:TARGET[:ro]`, beside the work tree at its own path."""
    variables: tuple[str, ...] = ()
    """For the container: `NAME=VALUE`, or `NAME` for one of ours."""
    network: str | None = None
    """For the container: the engine's name of a network."""
    gpus: str | None = None
    """For the container: `all`, a number, or `device=ID,ID`."""
    metrics: tuple[str, ...] = ()
    """Files and folders whose metrics become metadata at the end, as given."""
    price: str | None = None
    """What an hour costs, such as `2.40 USD`."""
    observe: bool = False
    """Its system calls are to tell which files it reads and writes."""
    reproduces: str | None = None
    """Id of the execution that this one repeats."""
    is_session: bool = False
    """What runs is this very process: its standard output goes on after the end."""
    notebook: Notebook | None = None
    """The notebook that runs, or its cell; its path as given."""
    cells: bytes | None = None
    """The part `notebook`: the cells that its kernel ran."""
    masked: tuple[Masked, ...] = ()
    """What was secret in these."""
    plan: Plan | None = None
    """What the command was made from, where it is a step's."""
    placed: tuple[Placed, ...] = ()
    """The inputs that it gets as files in a folder; those of a step's plan, and of a command those
    that were downloaded."""
    output_folder: str | None = None
    """A new folder: all files in it will be outputs."""

    @property
    def downloads(self) -> Mapping[str, Artifact]:
        """What was downloaded for it, by URI."""
        return {found.path: found for each in self.placed for found in each.fetched}
