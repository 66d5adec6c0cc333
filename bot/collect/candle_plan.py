"""Which candles to ask for next: pure arithmetic over what each market still lacks.

One live call covers up to 100 markets and 10,000 periods over all of them. Markets
read every few minutes have equal cursors and share calls; a market that lags is
read alone, in long spans, until it has caught up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.domain.ids import MarketTicker
from bot.kit.times import MINUTE_US, SECOND_US, to_datetime
from bot.ports.history_reads import (
    ARCHIVED_CANDLES_PER_CALL,
    CANDLE_MARKETS_PER_CALL,
    CANDLES_PER_CALL,
)

_NEW_YORK = ZoneInfo("America/New_York")
_DAY_MINUTES = 1_440
# A day of New York may have 25 hours.
_LONGEST_DAY_US = 25 * 60 * MINUTE_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What a market lacks of one period length: candles ending after ``from_us`` to ``to_us``."""

    ticker: MarketTicker
    from_us: int
    to_us: int
    is_archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleCall:
    """One call, and what it completes: each of ``lacks`` up to ``end_us``."""

    lacks: tuple[Lack, ...]
    start_us: int
    end_us: int

    def done_us(self, lack: Lack) -> int:
        """Until when the lack is filled once the call's rows are stored."""
        return min(self.end_us, lack.to_us)


def next_call(lacks: Sequence[Lack], minutes: int) -> CandleCall:
    """The call that serves the market that lags most, and others as far as they fit.

    Args:
        lacks: at least one, none of them empty.
        minutes: the period's length.
    """
    period_us = minutes * MINUTE_US
    behind = min(lacks, key=lambda lack: (lack.from_us, lack.ticker))
    start_us = behind.from_us
    if behind.is_archived:
        end_us = min(behind.to_us, start_us + ARCHIVED_CANDLES_PER_CALL * period_us)
        return CandleCall(lacks=(behind,), start_us=start_us + SECOND_US, end_us=end_us)
    alike = sorted(
        (lack for lack in lacks if not lack.is_archived),
        key=lambda lack: (lack.from_us, lack.ticker),
    )
    chosen = _fitting(alike, start_us, period_us)
    span_us = CANDLES_PER_CALL // len(chosen) * period_us
    end_us = min(max(lack.to_us for lack in chosen), start_us + span_us)
    served = tuple(lack for lack in chosen if lack.from_us < end_us)
    # The candle that ends at the cursor is stored.
    return CandleCall(lacks=served, start_us=start_us + SECOND_US, end_us=end_us)


def _fitting(alike: Sequence[Lack], start_us: int, period_us: int) -> list[Lack]:
    """As many as begin within the span that remains for so many."""
    chosen: list[Lack] = []
    for lack in alike[:CANDLE_MARKETS_PER_CALL]:
        span_us = CANDLES_PER_CALL // (len(chosen) + 1) * period_us
        if lack.from_us >= start_us + span_us:
            break
        chosen.append(lack)
    return chosen


def last_end(at_us: int, minutes: int) -> int:
    """The end of the last period that is over at ``at_us``. Days end at midnight in New York."""
    if minutes != _DAY_MINUTES:
        return at_us - at_us % (minutes * MINUTE_US)
    midnight = (
        to_datetime(at_us).astimezone(_NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    return int(midnight.timestamp()) * SECOND_US


def end_holding(at_us: int, minutes: int) -> int:
    """The end of the period that holds ``at_us``, or ends then."""
    last_us = last_end(at_us, minutes)
    if last_us == at_us:
        return at_us
    if minutes != _DAY_MINUTES:
        return last_us + minutes * MINUTE_US
    noon = to_datetime(last_us + _LONGEST_DAY_US // 2).astimezone(_NEW_YORK)
    midnight = noon.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int(midnight.timestamp()) * SECOND_US
