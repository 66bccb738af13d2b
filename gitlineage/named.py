"""Names for content: which text can be an alias, and how one is spelled. Knows no content."""

from __future__ import annotations

SPELLINGS = ("alias:", "datum://")
"""What stands before an alias where paths may stand, too; the second is Valohai's."""

LONGEST = 200
"""Bytes of a name at most."""


def is_alias(name: str) -> bool:
    """Tell whether a text can be the name of an alias: one line that is not a digest or an id."""
    if not name or name.strip() != name or name[0] == "-" or ":" in name or not name.isprintable():
        return False
    try:
        return len(name.encode()) <= LONGEST
    except UnicodeEncodeError:
        return False


def alias_in(given: str) -> str | None:
    """Return the alias that is spelled so, `alias:NAME`; None for anything else."""
    for each in SPELLINGS:
        if given.startswith(each):
            return given[len(each) :]
    return None


def output_in(given: str) -> tuple[str, str] | None:
    """Return execution and path of `EXECUTION:PATH`; None for what cannot be that."""
    execution, separator, path = given.partition(":")
    if not separator or not execution or not path or path.startswith("//"):
        return None
    return None if execution in ("blake3", "alias") else (execution, path)
