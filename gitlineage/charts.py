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

STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""How far apart numbers below a chart are, times a power of ten."""

ROUND = (1, 2, 5)
"""How far apart those beside it are, and which there are where its scale is logarithmic."""

ROWS = 3
"""Rows of a chart for each number beside it, at least."""

MARGIN = 19
"""Columns beside the chart: its scale, and what is around the name of the axis."""

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
    figure.width = max(width - MARGIN - len(chart.x_label), 20)
    figure.height = max(height, 5)
    figure.with_colors = is_colored
    figure.color_mode = "byte"
    figure.origin = False
    figure.x_label, figure.y_label = wording.safe(chart.x_label), ""
    drawn = [
        (each.x, [math.log10(y) for y in each.y] if chart.is_log else each.y)
        for each in chart.lines
    ]
    figure.set_x_limits(*_limits([x for xs, _ in drawn for x in xs], figure.width / TICK))
    low, high = _range([y for _, ys in drawn for y in ys])
    if not chart.is_log and 0 <= low < (high - low) / 4:
        low = 0.0  # it is near enough
    row = (high - low) / (figure.height - 0.5)  # what is highest is in the last row
    figure.set_y_limits(low, low + row * figure.height)
    ticks = _ticks(low, high, figure.height // ROWS, is_log=chart.is_log)
    figure.register_label_formatter(float, _scale(ticks, row))
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
    said += [each.rstrip() for each in str(figure.show()).split("\n")[2:]]
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
        from matplotlib.ticker import MaxNLocator
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
        if all(x.is_integer() for each in chart.lines for x in each.x):
            whole = MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True)
            axes.xaxis.set_major_locator(whole)
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


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest of values, or what is around the only one."""
    low, high = min(values), max(values)
    if low == high:
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    return low, high


def _limits(values: Sequence[float], count: float) -> tuple[float, float]:
    """Return where an axis begins and ends that has a number for each `TICK`: a round one."""
    low, high = _range(values)
    power: float = 10 ** math.floor(math.log10((high - low) / count))
    for step in (each * power for each in STEPS):
        start = math.floor(low / step) * step
        if start + step * count >= high:
            break
    return start, start + step * count


def _ticks(low: float, high: float, most: int, *, is_log: bool) -> list[tuple[float, str]]:
    """Return round numbers between two, so many at most: where each is, and as text."""
    if is_log:
        powers = range(math.floor(low), math.floor(high) + 1)
        for factors in (ROUND, (1,)):
            found = [(each, power) for power in powers for each in factors]
            all_places = [(math.log10(n) + power, f"{n * 10.0**power:.4g}") for n, power in found]
            places = [each for each in all_places if low <= each[0] <= high]
            if 2 <= len(places) <= most:
                return places
        if len(places) > most:
            return places[:: math.ceil(len(places) / most)]
        plain = _ticks(10**low, 10**high, most, is_log=False)
        return [(math.log10(at), shown) for at, shown in plain if at > 0]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (each * power for each in (*ROUND, 10)):
        first = math.ceil(low / step)
        last = math.floor(high / step)
        if last - first <= most:
            break
    return [(each * step, f"{each * step:.4g}") for each in range(first, last + 1)]


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


def _scale(ticks: Sequence[tuple[float, str]], row: float) -> Any:
    """Return what writes the numbers at both axes; beside a chart those rows have one that fit."""

    def written(value: float, chars: int, delta: float, left: bool = False) -> str:
        if left:
            return f"{value:.4g}".ljust(chars)
        first, last = value - row / 1e6, value + row * (1 - 1e-6)
        return next((shown for at, shown in ticks if first <= at < last), "").rjust(chars)

    return written


def nothing_to_draw(key: str) -> Refused:
    """Return the error for a key that has no numbers."""
    return Refused(reason=f"there are no numbers under {key}")
