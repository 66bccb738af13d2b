"""Names with what is to be said of each, below one another and as wide as the terminal.

Knows nothing of what they say.
"""

from __future__ import annotations

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitlineage.cli.printing import Printer

NAMES = 14
"""Columns for the names: the same on every page, so that pages can be laid side by side."""

NARROWEST = 20
"""Columns that are left for what is said, however narrow the terminal is."""


class Sheet:
    """The lines of a page while it is written."""

    def __init__(self, printer: Printer) -> None:
        self.lines: list[str] = []
        self._printer = printer
        self._columns = max(printer.width - NAMES, NARROWEST) if printer.width else None

    def add(self, name: str, *texts: object, style: str = "") -> None:
        """Add a name and what is said of it, each text on a line of its own, if there are any.

        A name that begins with spaces belongs to the one above.
        """
        said = [wording.safe(str(each)) for each in texts if each not in (None, "")]
        self._put(name, (line for each in said for line in self._wrapped(each)), style)

    def rows(self, rows: Iterable[tuple[str, str | list[str]]]) -> None:
        """Add several names, each with a text or with several."""
        for name, said in rows:
            self.add(name, *([said] if isinstance(said, str) else said))

    def command(self, name: str, *texts: str) -> None:
        """Add commands, which stay commands where they go on in the next line."""
        lines: list[str] = []
        for text in texts:
            columns = self._columns
            lines += wording.wrap_shell(text, columns) if columns else text.split("\n")
        self._put(name, map(wording.safe, lines))

    def head(self, text: str) -> None:
        """Add the line that says what the page is about."""
        self.lines.append(self._printer.paint(text, "yellow"))

    def gap(self) -> None:
        """Set what follows apart."""
        if self.lines[-1]:
            self.lines.append("")

    def _wrapped(self, text: str) -> list[str]:
        return wording.wrap(text, self._columns, "  ") if self._columns else [text]

    def _put(self, name: str, lines: Iterable[str], style: str = "") -> None:
        label = f"{name}:" if name else ""
        for line in lines:
            shown = f"{label:{NAMES - 1}} " if label else " " * NAMES
            painted = self._printer.paint(shown, "" if name.startswith(" ") else "bold")
            self.lines.append((painted if label else shown) + self._printer.paint(line, style))
            label = ""
