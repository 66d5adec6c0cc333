"""What the chat may look at, beside the operator's own reads. Nothing here changes anything.

Any call may raise ``StorageUnavailable``, ``NotLeader`` or ``ExchangeUnavailable``; the
console answers those with one line. What needs a trading engine and finds none gives
``None`` or nothing.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from bot.domain.cockpit import (
    CycleView,
    Drawn,
    ExposureView,
    HealthView,
    LimitView,
    LogLine,
    MarketDetail,
    MarketsView,
    NotDrawn,
    OrderView,
    PeriodResult,
    PingView,
    PositionDetail,
    SettingLine,
    TradeView,
    WebAddress,
)
from bot.domain.ids import MarketTicker
from bot.domain.operations import Decision
from bot.ports.messages import AuditEntry


class Period(StrEnum):
    """Trading days that end with the running one: 1, 7, 30, or all."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"


class Chart(StrEnum):
    """A picture that needs no market."""

    PNL = "pnl"
    DRAWDOWN = "drawdown"
    CALIBRATION = "calibration"
    FUNNEL = "funnel"


class Cockpit(Protocol):
    """See the module."""

    async def health(self) -> HealthView:
        """The process and what it stands on."""
        ...

    async def ping(self) -> PingView:
        """How quickly the parts answer now."""
        ...

    async def position(self, ticker: MarketTicker) -> PositionDetail | None:
        """One held market; ``None`` where nothing is held."""
        ...

    async def orders(self) -> Sequence[OrderView]:
        """Our orders that may still change, those in doubt first."""
        ...

    async def trades(self, limit: int) -> Sequence[TradeView]:
        """The newest closed positions, newest first."""
        ...

    async def trades_file(self, limit: int) -> Drawn:
        """The same as a table in a file."""
        ...

    async def period(self, period: Period) -> PeriodResult:
        """What was closed in it."""
        ...

    async def exposure(self) -> ExposureView | None:
        """What could be lost; ``None`` without an engine or before the balance is known."""
        ...

    async def limits(self) -> Sequence[LimitView]:
        """Every limit with its use; nothing without an engine."""
        ...

    async def markets(self, query: str, limit: int) -> MarketsView:
        """Watched markets whose ticker or title holds every word of the query."""
        ...

    async def market(self, ticker: MarketTicker) -> MarketDetail | None:
        """One market, watched or not; ``None`` where the exchange does not know it."""
        ...

    async def decisions(self, limit: int) -> Sequence[Decision]:
        """The newest verdicts on signals, newest first."""
        ...

    async def cycles(self, limit: int) -> Sequence[CycleView]:
        """The newest cycles of the collection, newest first."""
        ...

    async def logs(self, limit: int, level: str) -> Sequence[LogLine]:
        """The newest kept log lines of at least this level, newest first, without secrets."""
        ...

    async def settings(self) -> Sequence[SettingLine]:
        """The effective settings, without secrets."""
        ...

    async def audit(self, limit: int) -> Sequence[AuditEntry]:
        """The newest commands, newest first."""
        ...

    def web_address(self) -> WebAddress:
        """Where the page is."""
        ...

    async def chart(self, chart: Chart, zone: ZoneInfo) -> Drawn | NotDrawn:
        """A picture. ``zone`` is that of its times."""
        ...

    async def market_chart(self, ticker: MarketTicker, zone: ZoneInfo) -> Drawn | NotDrawn:
        """A market's price with our fills, stop and target."""
        ...
