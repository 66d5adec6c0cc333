"""How well the market's prices before the close foretold the results, from our own ledger.

A forecast is the middle of bid and ask at a horizon before the close, or the last trade
where a side was empty and that is asked for. Only yes and no count: what paid in between
and what was void is left out and told, as are markets whose outcome closed them early,
because a horizon counted back from such a close knows that the outcome has come.

Probabilities are floats here: nothing of this is money.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import log, sqrt

from bot.collect.macro_filter import BUCKET_EDGES
from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.market_history import PriceBefore, SettlementRecord

_Z95 = 1.959964
# A forecast of 0 or 1 that fails would cost without end: half a tick is the least doubt.
_LEAST = 0.00005


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRules:
    """What counts as a forecast. ``max_age_us`` is how old its prices may be at the horizon."""

    horizon_minutes: int = 60
    max_age_us: int = 24 * HOUR_US
    max_spread_e4: int = 2_000
    uses_last_price: bool = False
    includes_early_close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the market said, and whether it came true."""

    ticker: MarketTicker
    probability: float
    is_yes: bool


@dataclass(slots=True)
class LeftOut:
    """Settled markets that are no forecast, by the reason."""

    not_binary: int = 0
    """Scalar markets."""
    void: int = 0
    """Paid in between, or no result."""
    closed_early: int = 0
    no_price: int = 0
    """Nothing was seen at the horizon, or one side was empty."""
    too_old: int = 0
    too_wide: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Forecasts between two probabilities: their mean, how often it was yes, and within what."""

    low: float
    high: float
    count: int
    forecast_mean: float
    yes_rate: float
    interval: tuple[float, float]
    """Wilson's, of 95 %: too narrow where markets of one event are decided together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The whole judgement of one horizon.

    ``brier`` is ``reliability - resolution + uncertainty + within``: how far the buckets lie
    from the diagonal, how far their outcomes lie apart, how uncertain the outcomes are on
    the whole, and what lies inside the buckets.
    """

    horizon_minutes: int
    settled: int
    count: int
    events: int
    left_out: LeftOut
    buckets: tuple[Bucket, ...] = ()
    yes_rate: float | None = None
    brier: float | None = None
    reliability: float | None = None
    resolution: float | None = None
    uncertainty: float | None = None
    within: float | None = None
    log_loss: float | None = None
    skill: float | None = None
    """How much better than always saying the base rate: ``1 - brier / uncertainty``."""

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self)


def calibrate(ledger: Sequence[SettlementRecord], rules: CalibrationRules) -> Calibration:
    """Judge the market's forecasts of these settled markets at one horizon."""
    left_out = LeftOut()
    forecasts: list[Forecast] = []
    events: set[str] = set()
    for record in ledger:
        forecast = forecast_of(record, rules, left_out)
        if forecast is not None:
            forecasts.append(forecast)
            events.add(record.event_ticker)
    plain = Calibration(
        horizon_minutes=rules.horizon_minutes,
        settled=len(ledger),
        count=len(forecasts),
        events=len(events),
        left_out=left_out,
    )
    return _judged(plain, forecasts) if forecasts else plain


def forecast_of(
    record: SettlementRecord, rules: CalibrationRules, left_out: LeftOut
) -> Forecast | None:
    """What the market said of itself, or ``None`` with the reason counted in ``left_out``."""
    is_yes = _is_yes(record)
    if record.market_type != "binary":
        left_out.not_binary += 1
    elif is_yes is None:
        left_out.void += 1
    elif record.close_us < record.first_close_us and not rules.includes_early_close:
        left_out.closed_early += 1
    else:
        probability = _probability(record, rules, left_out)
        if probability is not None:
            return Forecast(ticker=record.ticker, probability=probability, is_yes=is_yes)
    return None


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a rate of ``hits`` in ``count``; count is at least 1."""
    rate, spread = hits / count, _Z95 * _Z95 / count
    middle = rate + spread / 2
    half = _Z95 * sqrt(rate * (1 - rate) / count + spread / (4 * count))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    # A rounded edge must not leave out the rate itself.
    return max(0.0, min(rate, low)), min(1.0, max(rate, high))


def _is_yes(record: SettlementRecord) -> bool | None:
    paid = {"yes": PAYOUT, "no": 0}.get(record.result)
    if paid is None or record.settlement_value not in (paid, None):
        return None
    return paid == PAYOUT


def _probability(
    record: SettlementRecord, rules: CalibrationRules, left_out: LeftOut
) -> float | None:
    seen = next(
        (one for one in record.prices if one.horizon_minutes == rules.horizon_minutes), None
    )
    middle_e4 = None if seen is None else _middle_e4(seen, uses_last=rules.uses_last_price)
    if seen is None or middle_e4 is None:
        left_out.no_price += 1
        return None
    horizon_us = record.close_us - rules.horizon_minutes * MINUTE_US
    if horizon_us - seen.observed_us > rules.max_age_us:
        left_out.too_old += 1
        return None
    if (
        seen.yes_bid is not None
        and seen.yes_ask is not None
        and seen.yes_ask - seen.yes_bid > rules.max_spread_e4
    ):
        left_out.too_wide += 1
        return None
    return middle_e4 / PAYOUT


def _middle_e4(seen: PriceBefore, *, uses_last: bool) -> float | None:
    if seen.yes_bid is not None and seen.yes_ask is not None:
        return (seen.yes_bid + seen.yes_ask) / 2
    return seen.last_price if uses_last else None


def _judged(plain: Calibration, forecasts: Sequence[Forecast]) -> Calibration:
    groups = _grouped(forecasts)
    count = len(forecasts)
    base = sum(each.is_yes for each in forecasts) / count
    uncertainty = base * (1 - base)
    brier = sum(_square(each) for each in forecasts) / count
    reliability = sum(each.count * (each.forecast_mean - each.yes_rate) ** 2 for each in groups)
    resolution = sum(each.count * (each.yes_rate - base) ** 2 for each in groups)
    reliability, resolution = reliability / count, resolution / count
    return Calibration(
        horizon_minutes=plain.horizon_minutes,
        settled=plain.settled,
        count=count,
        events=plain.events,
        left_out=plain.left_out,
        buckets=groups,
        yes_rate=base,
        brier=brier,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=brier - reliability + resolution - uncertainty,
        log_loss=sum(_surprise(each) for each in forecasts) / count,
        skill=1 - brier / uncertainty if uncertainty else None,
    )


def _grouped(forecasts: Iterable[Forecast]) -> tuple[Bucket, ...]:
    last = len(BUCKET_EDGES) - 2
    groups: dict[int, list[Forecast]] = {}
    for each in forecasts:
        # One on an edge belongs above it, and 1 to the last.
        number = min(last, bisect_right(BUCKET_EDGES, round(each.probability * PAYOUT, 1)) - 1)
        groups.setdefault(number, []).append(each)
    return tuple(_bucket(number, groups[number]) for number in sorted(groups))


def _bucket(number: int, group: Sequence[Forecast]) -> Bucket:
    hits, count = sum(each.is_yes for each in group), len(group)
    return Bucket(
        low=BUCKET_EDGES[number] / PAYOUT,
        high=BUCKET_EDGES[number + 1] / PAYOUT,
        count=count,
        forecast_mean=sum(each.probability for each in group) / count,
        yes_rate=hits / count,
        interval=wilson(hits, count),
    )


def _square(forecast: Forecast) -> float:
    return (forecast.probability - forecast.is_yes) ** 2


def _surprise(forecast: Forecast) -> float:
    said = forecast.probability if forecast.is_yes else 1 - forecast.probability
    return -log(max(said, _LEAST))
