"""One recorded event, whatever layout it was read from."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.domain.ids import MarketTicker


class Kind(StrEnum):
    """What a recorded event is."""

    SNAPSHOT = "orderbook_snapshot"
    DELTA = "orderbook_delta"
    TICKER = "ticker"
    TRADE = "trade"
    WATCH = "watch_market"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One event and when it happened: the venue's stamp, or the arrival where it has none."""

    at_us: int
    kind: Kind
    ticker: MarketTicker
    msg: dict[str, Any]
