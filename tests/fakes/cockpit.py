"""What a bot without a bot shows closely: fixed values, or nothing at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from bot.domain.cockpit import (
    CycleView,
    Drawn,
    ExposureLine,
    ExposureView,
    FillView,
    HealthView,
    LastBackup,
    LimitView,
    LogLine,
    MarketDetail,
    MarketLine,
    MarketsView,
    NotDrawn,
    OrderView,
    PeriodResult,
    PingView,
    PositionDetail,
    SeriesResult,
    SettingLine,
    TradeView,
    WebAddress,
)
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import Epoch, EventTicker, MarketTicker, OrderId, StrategyId
from bot.domain.money import Money, Price, Quantity
from bot.domain.operations import Decision, FeedView, LoopView, PositionView, SignalFacts
from bot.domain.orders import BookSide, OrderStatus, Purpose
from bot.ports.cockpit import Chart, Period
from bot.ports.messages import AuditEntry, Channel

NOW_US = 1_795_245_300_000_000
SECOND_US, MINUTE_US, HOUR_US = 1_000_000, 60_000_000, 3_600_000_000
TICKER = MarketTicker("KXFED-26DEC-T4.25")
STRATEGY = StrategyId("near_expiry")

HELD = PositionView(
    ticker=TICKER,
    title="Fed <rate> above 4.25 % & more",
    quantity=Quantity(1_000),
    cost=Money(8_500_000),
    mark=Price(8_650),
    unrealized=Money(150_000),
    stop_price=Price(8_075),
    target_price=Price(9_012),
    is_stop_watched=True,
)
TARGET = OrderView(
    ticker=TICKER,
    purpose=Purpose.TAKE_PROFIT,
    is_yes=True,
    price=Price(9_012),
    quantity=Quantity(1_000),
    filled=Quantity(0),
    status=OrderStatus.RESTING,
    is_in_doubt=False,
    decided_us=NOW_US - 2 * HOUR_US,
    expires_us=None,
    order_id=OrderId("o1"),
)
DOUBTED = OrderView(
    ticker=MarketTicker("KXCPI-26NOV-T0.3"),
    purpose=Purpose.ENTRY,
    is_yes=False,
    price=Price(9_100),
    quantity=Quantity(550),
    filled=Quantity(150),
    status=OrderStatus.SUBMITTING,
    is_in_doubt=True,
    decided_us=NOW_US - 12 * SECOND_US,
    expires_us=NOW_US + 78 * SECOND_US,
    order_id=None,
)
WON = TradeView(
    closed_us=NOW_US - 26 * HOUR_US,
    entered_us=NOW_US - 29 * HOUR_US,
    ticker=TICKER,
    title="Fed <rate> above 4.25 % & more",
    series="KXFED",
    strategy_id=STRATEGY,
    is_yes=True,
    quantity=Quantity(1_250),
    entry_price=Price(9_012),
    exit_price=Price(10_000),
    fees=Money(70_000),
    profit=Money(1_165_000),
    reason="settlement",
)
LOST = replace(
    WON,
    ticker=MarketTicker("KXCPI-26OCT-T0.2"),
    title="CPI above 0.2 %",
    series="KXCPI",
    is_yes=False,
    entry_price=Price(9_300),
    exit_price=Price(8_400),
    fees=Money(140_000),
    profit=Money(-1_265_000),
    reason="stop_loss",
    closed_us=NOW_US - 28 * HOUR_US,
)
POSITION = PositionDetail(
    position=HELD,
    strategy_id=STRATEGY,
    state="tp_working",
    entry_price=Price(8_500),
    entered_us=NOW_US - 2 * HOUR_US,
    close_us=NOW_US + 3 * HOUR_US,
    is_mark_live=True,
    orders=(TARGET,),
    fills=(
        FillView(
            executed_us=NOW_US - 2 * HOUR_US,
            price=Price(8_500),
            quantity=Quantity(1_000),
            fee=Money(0),
            is_bid=True,
            is_taker=False,
        ),
    ),
    past=(WON,),
)
PERIOD = PeriodResult(
    first_day="2026-11-15",
    trades=12,
    wins=11,
    losses=1,
    profit=Money(-100_000),
    fees=Money(940_000),
    win_rate_e6=916_667,
    break_even_e6=927_300,
    best=Money(1_165_000),
    worst=Money(-1_265_000),
    by_series=(
        SeriesResult(series="KXCPI", trades=1, profit=Money(-1_265_000)),
        SeriesResult(series="KXFED", trades=11, profit=Money(1_165_000)),
    ),
    unrealized=Money(150_000),
)
EXPOSURE = ExposureView(
    equity=Money(1_012_340_000),
    total=Money(112_340_000),
    total_limit=Money(303_702_000),
    events=(
        ExposureLine(
            name="KXFED-26DEC", at_risk=Money(85_000_000), limit=Money(101_234_000), markets=2
        ),
        ExposureLine(
            name="KXCPI-26NOV", at_risk=Money(27_340_000), limit=Money(101_234_000), markets=1
        ),
    ),
    series=(
        ExposureLine(name="KXFED", at_risk=Money(85_000_000), limit=Money(151_851_000), markets=2),
        ExposureLine(name="KXCPI", at_risk=Money(27_340_000), limit=Money(151_851_000), markets=1),
    ),
    release_groups=(
        ExposureLine(name="cpi", at_risk=Money(27_340_000), limit=Money(202_468_000), markets=1),
    ),
)
LIMITS = (
    LimitView(name="account at risk", used="$112.34", limit="$303.70", used_e6=369_902),
    LimitView(name="largest event", used="$85.00", limit="$101.23", used_e6=839_638),
    LimitView(name="positions", used="10", limit="10", used_e6=1_000_000),
    LimitView(name="own price", used="", limit="$0.0200 to $0.9800", used_e6=None),
)
MARKETS = MarketsView(
    found=(
        MarketLine(
            ticker=TICKER,
            title="Fed <rate> above 4.25 % & more",
            bid=Price(8_650),
            ask=Price(8_700),
            close_us=NOW_US + 3 * HOUR_US,
            is_held=True,
            is_trusted=True,
        ),
        MarketLine(
            ticker=MarketTicker("KXCPI-26NOV-T0.3"),
            title="CPI " + "very " * 20,
            bid=None,
            ask=Price(500),
            close_us=NOW_US + 5 * HOUR_US,
            is_held=False,
            is_trusted=False,
        ),
    ),
    matching=14,
    watched=20,
)
MARKET = MarketDetail(
    ticker=TICKER,
    event_ticker=EventTicker("KXFED-26DEC"),
    title="Fed <rate> above 4.25 % & more",
    status="active",
    bid=Price(8_650),
    ask=Price(8_700),
    bid_size=Quantity(120_000),
    ask_size=Quantity(5_050),
    bid_depth=Quantity(900_000),
    ask_depth=Quantity(450_000),
    last_price=Price(8_700),
    volume_24h=Quantity(123_456_700),
    open_interest=Quantity(9_876_500),
    close_us=NOW_US + 3 * HOUR_US,
    is_watched=True,
    is_trusted=True,
    position=HELD,
    why_not="",
)
DECISIONS = (
    Decision(
        at_us=NOW_US - MINUTE_US,
        ticker=TICKER,
        verdict="denied",
        reason="event_exposure: event risks $120.00, the limit is $101.23",
        quantity=Quantity(2_500),
        signal=SignalFacts(strategy_id=STRATEGY, side=BookSide.ASK, price=Price(600), inputs=()),
    ),
    Decision(at_us=NOW_US - 2 * HOUR_US, ticker=TICKER, verdict="sent", reason=""),
)
CYCLES = (
    CycleView(
        hour="2026-11-21T07:00:00Z",
        outcome="running",
        scanned=120,
        inserted=0,
        errors=0,
        started_us=NOW_US - 20 * SECOND_US,
        finished_us=None,
        error="",
    ),
    CycleView(
        hour="2026-11-21T06:00:00Z",
        outcome="partial",
        scanned=1_240,
        inserted=1_239,
        errors=1,
        started_us=NOW_US - HOUR_US,
        finished_us=NOW_US - HOUR_US + 31 * SECOND_US,
        error="KXFED: HTTP 503 <html>",
    ),
)
LOGS = (
    LogLine(
        at_us=NOW_US - MINUTE_US,
        level="ERROR",
        logger="bot.adapters.kalshi.rest",
        message="page <failed>",
        facts=(("series", "KXFED"), ("tries", "5")),
    ),
    LogLine(
        at_us=NOW_US - HOUR_US, level="WARNING", logger="bot.app.main", message="slow", facts=()
    ),
)
SETTINGS = (
    SettingLine(name="mode", value="trade", origin="command line"),
    SettingLine(name="secrets.kalshi_key_id", value="set", origin="KALSHI_API_KEY_ID"),
    SettingLine(name="secrets.openai_api_key", value="not set", origin="default"),
    SettingLine(name="trading.max_concurrent", value="5", origin="file"),
    SettingLine(name="trading.refresh_s", value="60", origin="default"),
)
ACTS = (
    AuditEntry(
        number=41,
        at_us=NOW_US - MINUTE_US,
        channel=Channel.TELEGRAM,
        actor="telegram:11 Ada",
        command="/halt lunch",
        outcome="halted, saved: lunch",
        epoch=Epoch(7),
    ),
    AuditEntry(
        number=40,
        at_us=NOW_US - 2 * MINUTE_US,
        channel=Channel.TELEGRAM,
        actor="telegram:33 Ada",
        command="/status",
        outcome="shown",
        epoch=Epoch(7),
    ),
)
HEALTH = HealthView(
    now_us=NOW_US,
    started_us=NOW_US - 26 * HOUR_US,
    database="postgresql",
    database_us=2_400,
    loop_lag_us=900,
    feed=FeedView(is_connected=True, changed_us=None, last_frame_us=NOW_US - SECOND_US),
    commands_waiting=1,
    messages_waiting=0,
    events_waiting=3,
    memory_bytes=187_000_000,
    disk_free_bytes=2_300_000_000,
    backup=LastBackup(
        name="kalshi_20261118.sqlite",
        size_bytes=12_345_678,
        made_us=NOW_US - 77 * HOUR_US,
        is_durable=False,
    ),
    loops=(LoopView(name="rest", state="closed", failures=0, rest_us=0),),
)
NO_TRADES = PeriodResult(
    first_day="2026-11-21",
    trades=0,
    wins=0,
    losses=0,
    profit=Money(0),
    fees=Money(0),
    win_rate_e6=None,
    break_even_e6=None,
    best=None,
    worst=None,
    by_series=(),
    unrealized=None,
)


@dataclass
class FakeCockpit:
    """Implements ``Cockpit``."""

    is_away: bool = False
    is_empty: bool = False

    async def health(self) -> HealthView:
        self._check()
        bare = {"feed": None, "events_waiting": None, "memory_bytes": None, "backup": None}
        return replace(HEALTH, **bare) if self.is_empty else HEALTH

    async def ping(self) -> PingView:
        self._check()
        exchange_us = None if self.is_empty else 48_000
        return PingView(database_us=700, exchange_us=exchange_us)

    async def position(self, ticker: MarketTicker) -> PositionDetail | None:
        return POSITION if ticker == TICKER and not self.is_empty else None

    async def orders(self) -> Sequence[OrderView]:
        return () if self.is_empty else (DOUBTED, TARGET)

    async def trades(self, limit: int) -> Sequence[TradeView]:
        self._check()
        return () if self.is_empty else (WON, LOST, *[WON] * 30)[: min(limit, 32)]

    async def trades_file(self, limit: int) -> Drawn:
        self._check()
        return Drawn(path="reports/chat/trades.csv", text=f"{limit} trades, the newest first")

    async def period(self, period: Period) -> PeriodResult:
        self._check()
        return NO_TRADES if self.is_empty else PERIOD

    async def exposure(self) -> ExposureView | None:
        return None if self.is_empty else EXPOSURE

    async def limits(self) -> Sequence[LimitView]:
        return () if self.is_empty else LIMITS

    async def markets(self, query: str, limit: int) -> MarketsView:
        if self.is_empty:
            return MarketsView(found=(), matching=0, watched=0)
        found = MARKETS.found if not query else MARKETS.found[:1]
        return replace(MARKETS, found=found[:limit], matching=len(found) if query else 14)

    async def market(self, ticker: MarketTicker) -> MarketDetail | None:
        return MARKET if ticker == TICKER and not self.is_empty else None

    async def decisions(self, limit: int) -> Sequence[Decision]:
        self._check()
        return () if self.is_empty else DECISIONS[:limit]

    async def cycles(self, limit: int) -> Sequence[CycleView]:
        self._check()
        return () if self.is_empty else CYCLES[:limit]

    async def logs(self, limit: int, level: str) -> Sequence[LogLine]:
        self._check()
        some = LOGS if level == "WARNING" else LOGS[:1]
        return () if self.is_empty else some[:limit]

    async def settings(self) -> Sequence[SettingLine]:
        return SETTINGS

    async def audit(self, limit: int) -> Sequence[AuditEntry]:
        self._check()
        return () if self.is_empty else ACTS[:limit]

    def web_address(self) -> WebAddress:
        return WebAddress(url="http://127.0.0.1:8080", is_public=False)

    async def chart(self, chart: Chart, zone: ZoneInfo) -> Drawn | NotDrawn:
        self._check()
        if self.is_empty:
            return NotDrawn(why="nothing has been traded yet")
        return Drawn(path=f"reports/chat/{chart.value}.png", text=f"<b>{chart.value}</b>")

    async def market_chart(self, ticker: MarketTicker, zone: ZoneInfo) -> Drawn | NotDrawn:
        self._check()
        if ticker != TICKER or self.is_empty:
            return NotDrawn(why=f"no price of {ticker} is known: check how it is spelt")
        return Drawn(path="reports/chat/market.png", text="<b>Fed rate</b>")

    def _check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database is away")
