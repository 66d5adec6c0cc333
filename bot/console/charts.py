"""Pictures for a chat and a report: drawn without a display, large enough for a phone.

Colours keep apart for those who see few of them; nothing is said by colour alone.
"""

from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from bot.collect.calibration import Bucket, Calibration

INK, PALE, ACCENT = "#1f2933", "#9aa5b1", "#0b6e99"
GOOD, BAD = "#2a7f4f", "#c2571a"
_DPI = 250
# 1080 x 1350 pixels: what a phone shows upright without cutting. Few inches make large letters.
_SIZE_IN = (4.32, 5.4)
_FEW = 10


def blank(title: str, note: str) -> Figure:
    """An empty picture with what it shows above and what explains it beneath."""
    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10.5, fontweight="bold", color=INK)
    figure.supxlabel(note, fontsize=7.5, color=INK)
    return figure


def png(figure: Figure) -> bytes:
    """The finished picture."""
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def calibration_picture(made: Calibration, title: str) -> bytes:
    """A reliability diagram over a histogram of the forecasts, as PNG.

    Args:
        made: with at least one bucket.
        title: what was judged, in a few words.
    """
    figure = blank(title, _scores(made))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    _reliability(upper, made)
    _histogram(lower, made.buckets)
    return png(figure)


def _reliability(axes: Axes, made: Calibration) -> None:
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1.2, linestyle="--", zorder=1)
    axes.text(
        0.03,
        0.97,
        "above: YES more often than priced",
        fontsize=8,
        color=INK,
        va="top",
    )
    axes.text(0.97, 0.03, "below: less often", fontsize=8, color=INK, ha="right", va="bottom")
    if made.yes_rate is not None:
        axes.axhline(made.yes_rate, color=PALE, linewidth=0.8, linestyle=":", zorder=1)
    for bucket in made.buckets:
        _point(axes, bucket)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("how often it was YES", fontsize=10, color=INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    plain_axes(axes)


def _point(axes: Axes, bucket: Bucket) -> None:
    low, high = bucket.interval
    at, rate = bucket.forecast_mean, bucket.yes_rate
    # Few markets say little: their point is hollow.
    fill = ACCENT if bucket.count >= _FEW else "white"
    axes.plot([at, at], [low, high], color=ACCENT, linewidth=1.6, zorder=2)
    axes.plot([at], [rate], marker="o", markersize=8, color=ACCENT, markerfacecolor=fill, zorder=3)


def _histogram(axes: Axes, buckets: Sequence[Bucket]) -> None:
    most = max(bucket.count for bucket in buckets)
    for bucket in buckets:
        width = bucket.high - bucket.low
        axes.bar(
            bucket.low,
            bucket.count,
            width=width,
            align="edge",
            color=ACCENT,
            alpha=0.35,
            edgecolor="white",
        )
        axes.text(
            bucket.low + width / 2,
            bucket.count + most * 0.04,
            f"{bucket.count}",
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=INK,
        )
    axes.set_ylim(0, most * 1.28)
    axes.set_yticks([])
    axes.set_ylabel("markets", fontsize=10, color=INK)
    axes.set_xlabel("price of YES (middle of bid and ask)", fontsize=10, color=INK)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    plain_axes(axes)


def _scores(made: Calibration) -> str:
    if made.brier is None or made.log_loss is None:
        return ""
    skill = "" if made.skill is None else f"   skill {made.skill:+.0%}"
    scores = f"Brier {made.brier:.4f}   log loss {made.log_loss:.3f}{skill}"
    return f"{scores}\nbars: 95 %   hollow: under {_FEW} markets   dotted: share of YES"


def plain_axes(axes: Axes) -> None:
    """As little ink as can be read."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PALE)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(visible=True, color=PALE, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
