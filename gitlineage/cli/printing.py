"""Results as people read them: pager, color, the lines of the log."""

from __future__ import annotations

import os
import sys

from gitlineage import wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gitlineage.index import Row
    from gitlineage.records.execution import Execution

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

STATUS_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
}


class Printer:
    """Standard output, through a pager and in color where it is a terminal, as git does it."""

    def __init__(self, config: Mapping[str, str], verb: str = "") -> None:
        self._is_terminal = sys.stdout.isatty()
        self._config = config
        self._verb = verb
        self.is_colored = self._wants_color()
        self.width = _width() if self._is_terminal else None
        self.chart_width = self.width or _width()
        """Columns of a chart: those of `COLUMNS`, or 80, where there is no terminal."""

    def show(self, lines: Iterable[str]) -> None:
        """Print lines; through the pager where there is a terminal, stopping when it ends."""
        pager = self._pager()
        if pager is None:
            for line in lines:
                sys.stdout.write(line + "\n")
            return
        import subprocess

        # The settings with which git starts its pager.
        variables = {"LESS": "FRX", "LV": "-c", **os.environ}
        # Through a shell, as git does: the setting may be a command with options.
        process = subprocess.Popen(  # noqa: S602
            pager, shell=True, stdin=subprocess.PIPE, env=variables
        )
        assert process.stdin is not None
        try:
            for line in lines:
                process.stdin.write((line + "\n").encode(errors="replace"))
        except BrokenPipeError:
            pass  # quit before the end
        finally:
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
            process.wait()

    def paint(self, text: str, style: str) -> str:
        """Return text in a style, where there is color."""
        if not self.is_colored or not style:
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"

    def status(self, status: str) -> str:
        """Return a status in its color."""
        return self.paint(status, STATUS_STYLES.get(status, ""))

    def _wants_color(self) -> bool:
        wanted = self._config.get("color.lineage", self._config.get("color.ui", "auto")).lower()
        if wanted == "always":
            return True
        if wanted in ("never", "false", "no", "off") or "NO_COLOR" in os.environ:
            return False
        return self._is_terminal and os.environ.get("TERM", "dumb") != "dumb"

    def _pager(self) -> str | None:
        if not self._is_terminal or self._config.get("pager.lineage", "true") == "false":
            return None
        pager = (
            os.environ.get("GIT_PAGER")
            or self._config.get("core.pager")
            or os.environ.get("PAGER")
            or "less"
        )
        return None if pager in ("", "cat") else pager


def log_line(row: Row, tags: Iterable[str], printer: Printer) -> str:
    """Return an execution as one line of `log`."""
    took = wording.duration(row.duration) if row.duration is not None else ""
    status = row.status or "?"
    words = [
        printer.paint(row.id[:8], "yellow"),
        f"{moment(row.started_at):16}",
        printer.status(status) + " " * (11 - len(status)),
        f"{took:>9}",
        printer.paint(wording.safe(row.step or "?"), "bold"),
    ]
    if row.title:
        words.append(f"'{wording.safe(row.title)}'")
    if tagged := ", ".join(map(wording.safe, tags)):
        words.append(printer.paint(f"({tagged})", "cyan"))
    if row.reproduces:
        words.append(printer.paint(f"reproduces {_repeated(row)}", "dim"))
    values = [*_numbers(row.metadata), *_settings(row.parameters)]
    return " ".join([*words, *values])


def log_entry(row: Row, tags: Iterable[str], printer: Printer) -> list[str]:
    """Return an execution as the lines that `log` prints, in the manner of git's."""
    head = printer.paint(f"execution {row.id}", "yellow")
    if tagged := ", ".join(map(wording.safe, tags)):
        head += printer.paint(f" ({tagged})", "cyan")
    code = (row.code_commit or row.code_tree or "")[:12] + (" (ad-hoc)" if row.is_adhoc else "")
    took = f" in {wording.duration(row.duration)}" if row.duration is not None else ""
    lines = [
        head,
        f"Agent:   {wording.safe(row.agent_name or '?')} <{wording.safe(row.agent_email or '')}>",
        f"Date:    {moment(row.started_at)} on {wording.safe(row.host or '?')}",
        f"Status:  {printer.status(row.status or '?')}{took}",
    ]
    if row.reproduces:
        lines.append(f"Repeats: {_repeated(row)}")
    if code:
        lines.append(f"Code:    {code}")
    lines += [
        "",
        "    " + printer.paint(wording.safe(row.title or row.step or "?"), "bold"),
        "    $ " + wording.safe(row.command or ""),
    ]
    values = "  ".join([*_numbers(row.metadata), *_settings(row.parameters)])
    if values:
        lines.append("    " + values)
    return [*lines, ""]


def _repeated(row: Row) -> str:
    """Return which execution a reproduction repeats, and how it came out."""
    said = (row.reproduces or "")[:8]
    return f"{said}: {wording.safe(row.verdict)}" if row.verdict else said


def running_line(execution: Execution) -> str:
    """Return what to say of an execution that has not ended."""
    launch = execution.launch
    step, began = (launch.step, launch.started_at) if launch else ("?", None)
    return f"{execution.id[:8]} {wording.safe(step)} is running since {moment(began)}"


def _numbers(values: Mapping[str, Any]) -> list[str]:
    numbers = [
        (name, value)
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return [wording.safe(f"{name}={wording.number(value)}") for name, value in numbers[:4]]


def _settings(values: Mapping[str, Any]) -> list[str]:
    return [wording.safe(f"{name}={value}") for name, value in list(values.items())[:4]]


def moment(at: int | None) -> str:
    """Return a time for people; `?` where it is not known."""
    return wording.moment(at) if at is not None else "?"


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
