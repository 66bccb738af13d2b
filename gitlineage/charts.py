"""Series as charts: characters for a terminal, SVG and PNG. Knows numbers and labels only."""

from __future__ import annotations

import io
import math

from gitlineage import wording
from gitlineage.errors import Refused, ToolMissing
from gitlineage.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

FORMS = ("svg", "png", "pdf")

COLORS = (25, 166, 28, 124, 91, 94, 30, 162)
"""Of lines on a terminal, of its 256: readable on black and on white."""

MARKS = "ox+*#@%&"
"""Of lines where there is no color."""

TICK = 10
"""Columns between the numbers below a chart: plotille has it so."""

STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""How far apart numbers beside a chart are, times a power of ten."""

MARGIN = 24
"""Columns beside the chart: its scale and the name of the axis."""

POINTS_SHOWN = 4000
"""Points of a line that are drawn at most: the extremes of each stretch."""


class Line(Record):
    """One series of a chart."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Chart(Record):
    """Some lines over one axis."""

    lines: tuple[Line, ...]
    x_label: str
    y_label: str
    is_log: bool = False
    """The vertical axis is logarithmic."""


def line(label: str, pairs: Iterable[tuple[Any, Any]], *, is_log: bool = False) -> Line:
    """Return the line of those pairs that are numbers; what cannot be drawn is left out."""
    kept = [
        (float(x), float(y))
        for x, y in pairs
        if _is_number(x) and _is_number(y) and (y > 0 or not is_log)
    ]
    thin = _thinned(kept)
    return Line(label=label, x=tuple(x for x, _ in thin), y=tuple(y for _, y in thin))


def text(chart: Chart, width: int, height: int, *, is_colored: bool) -> str:
    """Return a chart as lines of characters."""
    import plotille

    figure = plotille.Figure()
    figure.width = max(width - MARGIN, 20)
    figure.height = max(height, 5)
    figure.with_colors = is_colored
    figure.color_mode = "byte"
    figure.x_label, figure.y_label = wording.safe(chart.x_label), ""
    drawn = [
        (each.x, [math.log10(y) for y in each.y] if chart.is_log else each.y)
        for each in chart.lines
    ]
    figure.set_x_limits(*_limits([x for xs, _ in drawn for x in xs], figure.width / TICK))
    figure.set_y_limits(*_limits([y for _, ys in drawn for y in ys], figure.height))
    figure.register_label_formatter(float, _scale(figure, is_log=chart.is_log))
    for number, (x, y) in enumerate(drawn):
        color = COLORS[number % len(COLORS)] if is_colored else None
        marker = MARKS[number % len(MARKS)] if len(drawn) > 1 and not is_colored else None
        if len(x) == 1:
            figure.scatter(x, y, lc=color, marker=marker or "o")
        elif marker:
            figure.scatter(*_spread(x, y, figure.width), marker=marker)
        else:
            figure.plot(x, y, lc=color)
    said = [f"{wording.safe(chart.y_label)}{', logarithmic' if chart.is_log else ''}"]
    said += [each.rstrip() for each in str(figure.show()).split("\n")[1:]]
    for number, each in enumerate(chart.lines):
        plain = MARKS[number % len(MARKS)] * 2 if len(drawn) > 1 else "--"
        mark = plain if not is_colored else f"\x1b[38;5;{COLORS[number % len(COLORS)]}m--\x1b[0m"
        said.append(f"{mark} {wording.safe(each.label)}")
    return "\n".join(said)


def picture(chart: Chart, form: str) -> bytes:
    """Return a chart as SVG, PNG or PDF. Raises ToolMissing."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolMissing(
            tool="matplotlib",
            what=f"a chart as {form.upper()}",
            remedy="install it with `pip install 'git-lineage[plot]'`",
        ) from error
    settings: Any = {
        "svg.hashsalt": "git-lineage",  # the same chart is the same file
        "svg.fonttype": "none",
        "font.family": "DejaVu Sans",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for each in chart.lines:
            marker = "o" if len(each.x) < 30 else ""
            axes.plot(each.x, each.y, label=each.label, marker=marker, markersize=3, linewidth=1.4)
        axes.set_xlabel(chart.x_label, parse_math=False)
        axes.set_ylabel(chart.y_label, parse_math=False)
        axes.grid(alpha=0.25)
        if chart.is_log:
            axes.set_yscale("log")
        for written in axes.legend(frameon=False).get_texts():
            written.set_parse_math(False)
        into = io.BytesIO()
        about = {"Date": None} if form == "svg" else {"CreationDate": None} if form == "pdf" else {}
        figure.savefig(into, format=form, dpi=150, metadata=about)
    return into.getvalue()


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # NaN is not


def _thinned(pairs: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return fewer points that draw the same line: the lowest and highest of each stretch."""
    if len(pairs) <= POINTS_SHOWN:
        return pairs
    size = math.ceil(2 * len(pairs) / POINTS_SHOWN)
    kept = []
    for start in range(0, len(pairs), size):
        some = range(start, min(start + size, len(pairs)))
        lowest = min(some, key=lambda n: pairs[n][1])
        highest = max(some, key=lambda n: pairs[n][1])
        kept += [pairs[n] for n in sorted({lowest, highest})]
    return kept


def _limits(values: Sequence[float], count: float) -> tuple[float, float]:
    """Return where an axis begins and ends, so that its numbers are round ones."""
    low, high = min(values), max(values)
    if low == high:
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    power: float = 10 ** math.floor(math.log10((high - low) / count))
    for step in (each * power for each in STEPS):
        start = math.floor(low / step) * step
        if start + step * count >= high:
            break
    return start, start + step * count


def _spread(
    x: Sequence[float], y: Sequence[float], columns: int
) -> tuple[list[float], list[float]]:
    """Return a point for each column of a line that characters draw."""
    first, last = x[0], x[-1]
    if sorted(x) != list(x) or first == last:
        return list(x), list(y)
    spread, place = [], 0
    for column in range(columns + 1):
        at = first + (last - first) * column / columns
        while place < len(x) - 2 and x[place + 1] < at:
            place += 1
        part = (at - x[place]) / ((x[place + 1] - x[place]) or 1)
        spread.append((at, y[place] + (y[place + 1] - y[place]) * min(max(part, 0.0), 1.0)))
    return [each for each, _ in spread], [each for _, each in spread]


def _scale(figure: Any, *, is_log: bool) -> Any:
    """Return what writes the numbers beside an axis; plotille asks the same for both."""

    def written(value: float, chars: int, delta: float, left: bool = False) -> str:
        shown = f"{value:.4g}"
        return shown.ljust(chars) if left else shown.rjust(chars)

    def logarithmic(value: float, chars: int, delta: float, left: bool = False) -> str:
        return written(value if left else 10**value, chars, delta, left)

    return logarithmic if is_log else written


def nothing_to_draw(key: str) -> Refused:
    """Return the error for a key that has no numbers."""
    return Refused(reason=f"there are no numbers under {key}")
