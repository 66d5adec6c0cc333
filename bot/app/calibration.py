"""The ledger judged from the command line: table, scores, picture."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.app.basics import open_existing_database
from bot.app.settings import BotSettings
from bot.collect.calibration import Bucket, Calibration, CalibrationRules, calibrate
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.domain.ids import SeriesTicker

_NOT_ENOUGH = (
    "no picture: of {settled} settled markets none has a price at this horizon{left_out};"
    " `python -m bot backfill --series TICKER` reads the past"
)


_NAMED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationAnswer:
    """The judgement for people and for machines."""

    made: Calibration
    series: tuple[str, ...]
    picture: Path | None

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return self.made.facts | {
            "series": list(self.series),
            "picture": None if self.picture is None else str(self.picture),
        }

    @property
    def lines(self) -> list[str]:
        """For people."""
        made = self.made
        lines = [
            (
                f"market prices {_span(made.horizon_minutes)} before the close,"
                f" {made.count} of {_counted(made.settled, 'settled market')},"
                f" {_counted(made.events, 'event')}"
            ),
            *_left_out(made),
        ]
        if not made.settled:
            which = f" of {', '.join(self.series)}: check the spelling," if self.series else ":"
            lines.append(f"no settled market{which} `python -m bot backfill` reads the past")
        if made.buckets:
            lines += ["", f"{'price':>13} {'markets':>8} {'mean':>7} {'was YES':>8}   95 %"]
            lines += [_line(bucket) for bucket in made.buckets]
            lines += ["", *_scores(made)]
        if self.picture is not None:
            lines.append(f"picture: {self.picture}")
        return lines


async def read_calibration(
    settings: BotSettings, rules: CalibrationRules, *, series: tuple[str, ...], picture: Path | None
) -> CalibrationAnswer:
    """Judge the ledger.

    Raises:
        ConfigurationFault: the horizon is not one that is kept.
        StorageUnavailable: there is no database, or nothing to draw a picture of.
    """
    kept = settings.history.horizons_minutes
    if rules.horizon_minutes not in kept:
        horizons = ", ".join(str(one) for one in kept)
        raise ConfigurationFault(
            [
                (
                    f"--horizon: {rules.horizon_minutes} min is not kept; take one of {horizons},"
                    " or add it to history.horizons_minutes"
                )
            ]
        )
    async with open_existing_database(settings) as database:
        ledger = await SqlMarketHistoryStore(database).settlements(
            series=tuple(SeriesTicker(one) for one in series)
        )
    made = calibrate(ledger, rules)
    if picture is not None:
        if not made.buckets:
            told = "".join(f" ({line})" for line in _left_out(made))
            raise StorageUnavailable(_NOT_ENOUGH.format(settled=made.settled, left_out=told))
        await asyncio.to_thread(_draw, made, series, picture)
    return CalibrationAnswer(made=made, series=series, picture=picture)


def _draw(made: Calibration, series: tuple[str, ...], picture: Path) -> None:
    from bot.console.charts import calibration_picture  # noqa: PLC0415 - slow to load

    picture.write_bytes(calibration_picture(made, title_of(made, series)))


def title_of(made: Calibration, series: tuple[str, ...]) -> str:
    """What stands above the picture."""
    what = ", ".join(series) if 0 < len(series) <= _NAMED else f"{len(series) or 'all'} series"
    title = f"{what}: price and outcome\n{_span(made.horizon_minutes)} before the close"
    return f"{title}, {_counted(made.count, 'market')} of {_counted(made.events, 'event')}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _left_out(made: Calibration) -> list[str]:
    words = {
        "not_binary": "scalar",
        "void": "void or paid in between",
        "closed_early": "closed early by their outcome",
        "no_price": "without both prices then",
        "too_old": "with prices too old",
        "too_wide": "with too wide a spread",
    }
    counts = [(getattr(made.left_out, name), told) for name, told in words.items()]
    told = [f"{count} {word}" for count, word in counts if count]
    return [f"left out: {', '.join(told)}"] if told else []


def _line(bucket: Bucket) -> str:
    low, high = bucket.interval
    return (
        f"{bucket.low:>6.0%} - {bucket.high:>4.0%} {bucket.count:>8} {bucket.forecast_mean:>7.1%}"
        f" {bucket.yes_rate:>8.1%}   {low:.1%} - {high:.1%}"
    )


def _scores(made: Calibration) -> list[str]:
    skill = "-" if made.skill is None else f"{made.skill:+.1%} over the base rate"
    return [
        f"Brier {made.brier:.4f}, log loss {made.log_loss:.4f}, skill {skill}",
        (
            f"Brier = reliability {made.reliability:.4f} - resolution {made.resolution:.4f}"
            f" + uncertainty {made.uncertainty:.4f} + within buckets {made.within:.4f}"
        ),
        f"YES in {made.yes_rate:.1%}",
    ]


def _span(minutes: int) -> str:
    for unit, length in (("d", 1_440), ("h", 60)):
        if minutes % length == 0:
            return f"{minutes // length} {unit}"
    return f"{minutes} min"
