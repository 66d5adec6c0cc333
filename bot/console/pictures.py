"""Pictures of money, prices and the funnel, in the manner of ``charts``. Slow to load."""

from collections.abc import Sequence
from typing import Any, assert_never
from zoneinfo import ZoneInfo

import matplotlib.dates
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bot.console.chart_data import (
    CalibrationChart,
    ChartData,
    FunnelChart,
    Line,
    Mark,
    MoneyChart,
    Point,
    PriceChart,
)
from bot.console.charts import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    PALE,
    blank,
    calibration_picture,
    plain_axes,
    png,
)
from bot.kit.markup import zone_name
from bot.kit.times import to_datetime

_DATES: Any = matplotlib.dates
"""It has no types."""
_NOTHING_E = 0.005
"""Half a cent: less is no loss and no gain."""
_READABLE = (withStroke(linewidth=3, foreground="white"),)
"""Letters on lines keep a white edge."""
_APART = 0.055
"""Labels of levels keep this part of the height between them."""


def draw(data: ChartData) -> bytes:
    """The picture as PNG."""
    match data:
        case MoneyChart():
            return _money(data)
        case PriceChart():
            return _price(data)
        case FunnelChart():
            return _funnel(data)
        case CalibrationChart():
            return calibration_picture(data.made, data.title)
        case _:
            assert_never(data)


# --- money ----------------------------------------------------------------------------------


def _money(data: MoneyChart) -> bytes:
    figure = blank(data.title, data.note)
    if data.is_drawdown:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1.3))
    else:
        upper, lower = figure.subplots(), None
    shown = data.marked or data.closed
    upper.axhline(0, color=PALE, linewidth=1)
    if data.marked:
        x, y = _xy(data.marked)
        upper.plot(x, y, color=ACCENT, linewidth=1.5, label="with open positions")
    if data.closed:
        x, y = _xy(data.closed)
        upper.step(x, y, where="post", color=INK, linewidth=0.9, label="closed trades")
    if lower is not None:
        x, y = _xy(shown)
        peaks = _peaks(y)
        upper.step(x, peaks, where="post", color=PALE, linewidth=1.1, linestyle="--", label="peak")
        _below(lower, x, [now - peak for now, peak in zip(y, peaks, strict=True)])
    _end_label(upper, shown)
    upper.set_ylabel("result in dollars", fontsize=10, color=INK)
    upper.yaxis.set_major_formatter(FuncFormatter(_tick))
    upper.legend(loc="best", fontsize=8, frameon=False, labelcolor=INK)
    plain_axes(upper)
    _time_axis(lower or upper, data.zone, shown[-1].at_us)
    return png(figure)


def _below(axes: Axes, x: Sequence[float], depths: Sequence[float]) -> None:
    axes.fill_between(x, depths, 0, color=BAD, alpha=0.25, step="post", linewidth=0)
    axes.step(x, depths, where="post", color=BAD, linewidth=1.4)
    worst = min(range(len(depths)), key=depths.__getitem__)
    if depths[worst] < -_NOTHING_E:
        is_late = worst > len(depths) // 2
        axes.annotate(
            f"worst {_dollars(depths[worst])}",
            (x[worst], depths[worst]),
            xytext=(-4 if is_late else 4, -3),
            textcoords="offset points",
            ha="right" if is_late else "left",
            va="top",
            fontsize=8.5,
            color=INK,
            path_effects=_READABLE,
        )
    axes.set_ylim(min(depths[worst] * 1.25, -1), 0)
    axes.set_ylabel("below the peak", fontsize=10, color=INK)
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    plain_axes(axes)


def _peaks(values: Sequence[float]) -> list[float]:
    peaks: list[float] = []
    for value in values:
        peaks.append(max(value, peaks[-1] if peaks else 0.0))
    return peaks


def _end_label(axes: Axes, points: Sequence[Point]) -> None:
    last = points[-1]
    assert last.value is not None  # results have no gaps
    x = _DATES.date2num(to_datetime(last.at_us))
    axes.plot([x], [last.value], marker="o", markersize=5, color=ACCENT, zorder=4)
    axes.annotate(
        _signed(last.value),
        (x, last.value),
        xytext=(-2, 7),
        textcoords="offset points",
        ha="right",
        fontsize=9.5,
        fontweight="bold",
        color=INK,
        path_effects=_READABLE,
    )


# --- prices ---------------------------------------------------------------------------------


def _price(data: PriceChart) -> bytes:
    figure = blank(data.title, data.note)
    axes = figure.subplots()
    drawn: list[float] = []
    for points, color, width, name in (
        (data.asks, PALE, 1.1, f"ask of {data.side}"),
        (data.bids, ACCENT, 1.8, f"bid of {data.side}"),
    ):
        if points:
            x, y = _xy(points)
            axes.step(x, y, where="post", color=color, linewidth=width, label=name)
            drawn += [value for value in y if value == value]  # noqa: PLR0124 - a gap is no number
    for is_buy, shape, color, name in ((True, "^", GOOD, "bought"), (False, "v", BAD, "sold")):
        some = [one for one in data.marks if one.is_buy is is_buy]
        _marks(axes, some, shape, color, name)
        drawn += [one.price for one in some]
    drawn += [one.price for one in data.lines]
    low, high = min(drawn), max(drawn)
    room = max((high - low) * 0.12, 0.01)
    axes.set_ylim(max(0.0, low - room), min(1.0, high + room))
    _levels(axes, data.lines)
    axes.set_ylabel(f"price of {data.side} in dollars", fontsize=10, color=INK)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value:.2f}"))
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
        fontsize=8,
        frameon=False,
        labelcolor=INK,
    )
    plain_axes(axes)
    points = (*data.bids, *data.asks)
    moments = [*(one.at_us for one in points), *(one.at_us for one in data.marks)]
    _time_axis(axes, data.zone, max(moments))
    return png(figure)


def _marks(axes: Axes, marks: Sequence[Mark], shape: str, color: str, name: str) -> None:
    if not marks:
        return
    axes.scatter(
        [_DATES.date2num(to_datetime(one.at_us)) for one in marks],
        [one.price for one in marks],
        marker=shape,
        s=70,
        color=color,
        edgecolors="white",
        linewidths=0.8,
        zorder=5,
        label=f"{name} {_contracts(sum(one.contracts for one in marks))}",
    )


def _levels(axes: Axes, lines: Sequence[Line]) -> None:
    """Lines across with their names at the right, kept apart where they lie close."""
    low, high = axes.get_ylim()
    apart = (high - low) * _APART
    placed = float("-inf")
    for line in sorted(lines, key=lambda one: one.price):
        color = INK if line.is_good is None else GOOD if line.is_good else BAD
        style = ":" if line.is_good is None else "--"
        axes.axhline(line.price, color=color, linewidth=1.3, linestyle=style, zorder=2)
        placed = max(line.price, placed + apart)
        axes.annotate(
            f"{line.name} ${line.price:.4f}".rstrip("0").ljust(len(line.name) + 6, "0"),
            (0.99, placed),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8.5,
            color=color,
            fontweight="bold",
            path_effects=_READABLE,
        )


# --- the funnel -----------------------------------------------------------------------------


def _funnel(data: FunnelChart) -> bytes:
    figure = blank(data.title, data.note)
    axes = figure.subplots()
    most = max(bar.left for bar in data.bars) or 1
    for place, bar in enumerate(data.bars):
        is_end = place == len(data.bars) - 1
        axes.barh(-place, bar.left, height=0.42, color=ACCENT, alpha=1.0 if is_end else 0.55)
        if bar.taken:
            axes.barh(-place, bar.taken, left=bar.left, height=0.42, color=PALE, alpha=0.35)
        name = f"{bar.taken:,} left out: {bar.name}" if place else bar.name
        axes.text(0, -place + 0.27, name, fontsize=8.5, color=INK, va="bottom")
        axes.text(
            bar.left + bar.taken + most * 0.015,
            -place,
            f"{bar.left:,}",
            fontsize=9.5,
            fontweight="bold",
            color=INK,
            va="center",
        )
    axes.set_xlim(0, most * 1.14)
    axes.set_ylim(-len(data.bars) + 0.5, 0.75)
    axes.set_axis_off()
    return png(figure)


# --- axes -----------------------------------------------------------------------------------


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    x = [float(_DATES.date2num(to_datetime(one.at_us))) for one in points]
    return x, [float("nan") if one.value is None else one.value for one in points]


def _time_axis(axes: Axes, zone: str, last_us: int) -> None:
    clock = ZoneInfo(zone)
    locator = _DATES.AutoDateLocator(tz=clock, minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    # Its own word for the day would stand over the name of the axis.
    ticks = _DATES.ConciseDateFormatter(locator, tz=clock, show_offset=False)
    axes.xaxis.set_major_formatter(ticks)
    day = f"{to_datetime(last_us).astimezone(clock):%d %b %Y}"
    axes.set_xlabel(f"until {day}, {zone_name(last_us, clock)}", fontsize=10, color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.margins(x=0.03)


def _dollars(value: float) -> str:
    sign = "-" if value < -_NOTHING_E else ""
    return f"{sign}${abs(value):,.2f}"


def _tick(value: float, _place: int) -> str:
    return _dollars(value).removesuffix(".00")


def _signed(value: float) -> str:
    return f"+{_dollars(value)}" if value > _NOTHING_E else _dollars(value)


def _contracts(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")
