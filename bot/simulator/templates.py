"""Which events a generated world lists: series, ladders, how uncertain, how often.

Names, fee types, strike fields and grids follow the venue's; the calendar is
denser, so that something closes and settles every few minutes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.domain.ids import SeriesTicker
from bot.domain.market import CENT_GRID, FeeTerms, PriceGrid
from bot.kit.times import HOUR_US, MINUTE_US, to_datetime
from bot.simulator.catalog import TAPERED_GRID, Series
from bot.simulator.ladders import Question, above, around, between, outcomes
from bot.simulator.latent import Uncertainty

_MAKER_FEES = FeeTerms(fee_type="quadratic_with_maker_fees", multiplier_e6=1_000_000)
_TAKER_FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LABELS_BEFORE_REPEAT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A series and how its events follow one another.

    ``busy`` is the number of contracts traded before the world began, of a
    typical market. ``ahead`` events are always listed; the first closes
    ``first_us`` after the start, the others every ``cycle_us``.
    """

    series: Series
    title: str
    uncertainty: Uncertainty
    questions: Callable[[Uncertainty], list[Question]]
    first_us: int
    cycle_us: int
    label: str = "month"
    ahead: int = 3
    busy: int = 60_000
    grid: PriceGrid = CENT_GRID
    is_exclusive: bool = False
    aligns: bool = False
    """Whether closes fall on whole cycles of the clock."""
    settlement_timer_us: int = 60_000_000


def close_times(template: Template, start_us: int) -> Iterator[int]:
    """When the events of a template close, for ever."""
    first_us = start_us + template.first_us
    if template.aligns:
        first_us = -(-first_us // template.cycle_us) * template.cycle_us
    index = 0
    while True:
        yield first_us + index * template.cycle_us
        index += 1


def event_label(template: Template, index: int, start_us: int, close_us: int) -> str:
    """The part of an event's ticker after the series."""
    if template.label == "month":
        start = to_datetime(start_us)
        months = start.year * 12 + start.month - 1 + index % _LABELS_BEFORE_REPEAT
        round_ = index // _LABELS_BEFORE_REPEAT
        tail = f"R{round_}" if round_ else ""
        return f"{months // 12 % 100:02d}{_MONTHS[months % 12]}{tail}"
    close = to_datetime(close_us)
    day = f"{close.year % 100:02d}{_MONTHS[close.month - 1]}{close.day:02d}"
    return f"{day}{close.hour:02d}{close.minute:02d}"


def _economics(ticker: str, title: str, frequency: str = "monthly") -> Series:
    return Series(
        ticker=SeriesTicker(ticker),
        title=title,
        category="Economics",
        frequency=frequency,
        tags=("Macro",),
        fees=_MAKER_FEES,
        source="Bureau of Simulated Statistics",
    )


def _steps(first: float, count: int, step: float) -> list[float]:
    return [round(first + i * step, 4) for i in range(count)]


_FED_MOVES = outcomes(
    [
        ("C26", "Cut more than 25bps", None, -37.5),
        ("C25", "Cut 25bps", -37.5, -12.5),
        ("H0", "Fed maintains rate", -12.5, 12.5),
        ("H25", "Hike 25bps", 12.5, 37.5),
        ("H26", "Hike more than 25bps", 37.5, None),
    ]
)


def _macro(
    series: Series,
    title: str,
    spread: tuple[float, float, float],
    questions: Callable[[Uncertainty], list[Question]],
    times: tuple[int, int],
    *,
    busy: int = 60_000,
    is_exclusive: bool = False,
) -> Template:
    centre, drift, release = spread
    first_min, cycle_min = times
    return Template(
        series=series,
        title=title,
        uncertainty=Uncertainty(centre=centre, drift=drift, release=release),
        questions=questions,
        first_us=first_min * MINUTE_US,
        cycle_us=cycle_min * MINUTE_US,
        busy=busy,
        is_exclusive=is_exclusive,
    )


def macro_templates() -> list[Template]:
    """Releases of the economy; what one publication decides closes together."""
    return [
        _macro(
            _economics("KXJOBLESSCLAIMS", "Initial jobless claims", "weekly"),
            "Initial jobless claims above a level in {label}?",
            (225_000, 3_000, 6_500),
            above(_steps(205_000, 9, 5_000), "{:,.0f}"),
            (12, 90),
        ),
        _macro(
            _economics("KXCPI", "CPI month over month"),
            "CPI month-over-month in {label}?",
            (0.3, 0.04, 0.08),
            above(_steps(0.0, 7, 0.1), "{:.1f}%"),
            (25, 240),
            busy=150_000,
        ),
        _macro(
            _economics("KXCPIYOY", "CPI year over year"),
            "CPI year-over-year in {label}?",
            (2.9, 0.05, 0.1),
            above(_steps(2.5, 9, 0.1), "{:.1f}%"),
            (25, 240),
            busy=120_000,
        ),
        _macro(
            _economics("KXCPICORE", "Core CPI month over month"),
            "Core CPI month-over-month in {label}?",
            (0.3, 0.03, 0.07),
            above(_steps(0.0, 6, 0.1), "{:.1f}%"),
            (25, 240),
        ),
        _macro(
            _economics("KXPAYROLLS", "Jobs added"),
            "Jobs numbers in {label}?",
            (90_000, 20_000, 50_000),
            above(_steps(-50_000, 12, 25_000), "{:,.0f}"),
            (75, 300),
            busy=90_000,
        ),
        _macro(
            _economics("KXU3", "Unemployment rate"),
            "Unemployment rate in {label}?",
            (4.4, 0.04, 0.09),
            above(_steps(4.1, 7, 0.1), "{:.1f}%"),
            (75, 300),
            busy=80_000,
        ),
        _macro(
            _economics("KXFED", "Federal funds rate"),
            "Upper bound of the federal funds rate after the {label} meeting?",
            (3.63, 0.08, 0.1),
            above(_steps(3.0, 6, 0.25), "{:.2f}%"),
            (180, 360),
            busy=200_000,
        ),
        _macro(
            _economics("KXFEDDECISION", "Fed decision"),
            "Fed decision in {label}?",
            (-6.0, 5.0, 6.0),
            _FED_MOVES,
            (180, 360),
            busy=900_000,
            is_exclusive=True,
        ),
        _macro(
            _economics("KXGDP", "Real GDP growth", "quarterly"),
            "Real GDP growth in {label}?",
            (2.1, 0.25, 0.5),
            above(_steps(0.5, 7, 0.5), "{:.1f}%"),
            (300, 480),
        ),
        _macro(
            _economics("KXADP", "ADP employment"),
            "ADP employment change in {label}?",
            (70_000, 15_000, 35_000),
            above(_steps(0, 7, 25_000), "{:,.0f}"),
            (45, 240),
            busy=40_000,
        ),
        _macro(
            _economics("KXPCECORE", "Core PCE"),
            "Core PCE month-over-month in {label}?",
            (0.2, 0.03, 0.06),
            above(_steps(0.0, 5, 0.1), "{:.1f}%"),
            (240, 480),
            busy=40_000,
        ),
        _macro(
            _economics("KXISMPMI", "ISM manufacturing index"),
            "ISM manufacturing PMI in {label}?",
            (48.8, 0.5, 1.0),
            above(_steps(46.0, 7, 1.0), "{:.1f}"),
            (130, 360),
            busy=30_000,
        ),
    ]


def other_templates() -> list[Template]:
    """What moves all the time: prices, weather, games."""
    crypto = Series(
        ticker=SeriesTicker("KXBTCD"),
        title="Bitcoin price, hourly",
        category="Crypto",
        frequency="hourly",
        tags=("BTC",),
        fees=_TAKER_FEES,
        exchange_index=2,
        source="Simulated index",
    )
    quarter = Series(
        ticker=SeriesTicker("KXBTC15M"),
        title="Bitcoin up or down, 15 minutes",
        category="Crypto",
        frequency="fifteen_min",
        tags=("BTC",),
        fees=_TAKER_FEES,
        exchange_index=2,
        source="Simulated index",
    )
    stocks = Series(
        ticker=SeriesTicker("KXINXU"),
        title="S&P 500, hourly",
        category="Financials",
        frequency="hourly",
        fees=FeeTerms(fee_type="quadratic", multiplier_e6=500_000),
        source="Simulated index",
    )
    weather = Series(
        ticker=SeriesTicker("KXHIGHNY"),
        title="Highest temperature in New York",
        category="Climate and Weather",
        frequency="daily",
        source="Simulated weather service",
    )
    games = Series(
        ticker=SeriesTicker("KXNBAGAME"),
        title="Professional basketball game",
        category="Sports",
        frequency="custom",
        fees=_MAKER_FEES,
        exchange_index=3,
        source="Simulated league",
    )
    return [
        Template(
            series=crypto,
            title="Bitcoin price on {label}?",
            uncertainty=Uncertainty(centre=84_000, drift=420, release=5, jumps=3),
            questions=around(12, 250, "${:,.2f}"),
            first_us=20 * MINUTE_US,
            cycle_us=HOUR_US,
            label="time",
            aligns=True,
            grid=TAPERED_GRID,
            settlement_timer_us=10_000_000,
        ),
        Template(
            series=quarter,
            title="BTC price up in the 15 minutes to {label}?",
            uncertainty=Uncertainty(centre=84_000, drift=190, release=2, jumps=3),
            questions=around(1, 10, "${:,.2f}"),
            first_us=2 * MINUTE_US,
            cycle_us=15 * MINUTE_US,
            label="time",
            ahead=2,
            aligns=True,
            grid=TAPERED_GRID,
            settlement_timer_us=5_000_000,
        ),
        Template(
            series=stocks,
            title="S&P 500 above a level on {label}?",
            uncertainty=Uncertainty(centre=6_900, drift=14, release=0.3, jumps=2),
            questions=around(9, 10, "{:,.2f}"),
            first_us=30 * MINUTE_US,
            cycle_us=HOUR_US,
            label="time",
            aligns=True,
            settlement_timer_us=30_000_000,
        ),
        Template(
            series=weather,
            title="Highest temperature in NYC on {label}?",
            uncertainty=Uncertainty(centre=51, drift=1.2, release=0.8),
            questions=between([46, 48, 50, 52, 54], "{:.0f} degrees"),
            first_us=210 * MINUTE_US,
            cycle_us=360 * MINUTE_US,
            label="time",
            is_exclusive=True,
            busy=25_000,
        ),
        Template(
            series=games,
            title="Winner of the game on {label}?",
            uncertainty=Uncertainty(centre=4.0, drift=9.0, release=0.5, jumps=6),
            questions=outcomes([("NYK", "New York", 0.0, None), ("BOS", "Boston", None, 0.0)]),
            first_us=50 * MINUTE_US,
            cycle_us=60 * MINUTE_US,
            label="time",
            is_exclusive=True,
            busy=300_000,
        ),
    ]


def quiet_template(index: int) -> Template:
    """A market nobody looks at, for load tests with many of them."""
    series = Series(
        ticker=SeriesTicker("KXQUIET"),
        title="Quiet questions",
        category="World",
        frequency="custom",
        source="Nobody",
    )
    return Template(
        series=series,
        title=f"Quiet question {index} by {{label}}?",
        uncertainty=Uncertainty(centre=0, drift=1, release=1),
        questions=outcomes([(f"Q{index}", f"Question {index}", 0.3, None)]),
        first_us=(20 + index % 200) * 24 * HOUR_US + index * MINUTE_US,
        cycle_us=240 * 24 * HOUR_US,
        label="time",
        ahead=1,
        busy=200,
    )


def far_template(template: Template) -> Template:
    """The same question for a date weeks away."""
    return Template(
        series=template.series,
        title=template.title,
        uncertainty=Uncertainty(
            centre=template.uncertainty.centre,
            drift=template.uncertainty.drift * 3,
            release=template.uncertainty.release,
        ),
        questions=template.questions,
        first_us=template.first_us + 30 * 24 * HOUR_US,
        cycle_us=45 * 24 * HOUR_US,
        label="time",
        ahead=2,
        busy=template.busy // 6,
        grid=template.grid,
        is_exclusive=template.is_exclusive,
    )
