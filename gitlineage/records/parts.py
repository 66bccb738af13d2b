"""Lists that are parts of their own, beside launch and end."""

from __future__ import annotations

from gitlineage.records import FORMAT, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Package(Record):
    """Something that is installed."""

    name: str
    """As it calls itself."""
    version: str
    """As it calls itself."""
    build: str | None = None
    """Of a package of conda: which build of that version."""
    is_editable: bool = False
    """Its code is in a folder that is under work."""
    origin: str | None = None
    """Where it was taken from, where that was no index: a URL, with the commit, no credentials."""


class Packages(Record):
    """What is installed where the command runs: the same on two machines has the same bytes."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "packages"
    """What kind of part this is."""
    python: tuple[Package, ...] = ()
    """Those that the interpreter finds, by name."""
    conda: tuple[Package, ...] = ()
    """Those that conda has put into its environment, by name."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""


class Cell(Record):
    """A cell as it was when it ran, saved or not."""

    number: int
    """As in `In[7]`."""
    source: str
    """Its text."""


class Cells(Record):
    """The cell that ran, which is the last, and those that its kernel had run before, in order."""

    format: int = FORMAT
    """The format of this part."""
    kind: str = "cells"
    """What kind of part this is."""
    cells: tuple[Cell, ...] = ()
    """The last ones, a mebibyte of text at most."""
    extra: Mapping[str, Any] = {}
    """Fields of a later version, as they were stored."""
