"""What the chat looks at: implements ``Cockpit`` for one leadership. It changes nothing."""

import asyncio
import csv
import io
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bot.adapters.storage.cockpit import SqlCockpitReads, StoredTrade
from bot.app.charting import Charting
from bot.app.drawing import Files
from bot.app.loops import loop_views
from bot.app.machine import disk_free_bytes, last_backup, loop_lag_us, memory_bytes
from bot.app.running import Running
from bot.app.setting_lines import setting_lines
from bot.app.trading import TradingDesk
from bot.console.amounts import counted
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
    SeriesResult,
    SettingLine,
    TradeView,
    WebAddress,
)
from bot.domain.errors import BotError, RequestRefused, StorageUnavailable
from bot.domain.ids import BracketId, MarketTicker
from bot.domain.market import Market
from bot.domain.money import Money, Quantity, format_money, format_price, format_quantity
from bot.domain.operations import Decision, PositionView
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel
from bot.domain.tradingday import NEW_YORK, day_start_us, trading_day
from bot.engine import looks, views
from bot.engine.world import World
from bot.kit.secrecy import redact
from bot.kit.times import DAY_US, format_seconds
from bot.portfolio.pnl import Result, tally
from bot.ports.cockpit import Chart, Period
from bot.ports.messages import AuditEntry, Channel

_NOT_FOUND = 404
_PAST_SHOWN = 5
_FILLS_SHOWN = 20
_ANSWERED_WITHIN_S = 3.0
_DAYS = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30}
_HALF_DAY_US = DAY_US // 2
_COLUMNS = (
    "closed_utc",
    "entered_utc",
    "market",
    "title",
    "series",
    "strategy",
    "side",
    "contracts",
    "entry_price",
    "exit_price",
    "fees",
    "profit",
    "reason",
)


class CockpitDesk:
    """Implements ``Cockpit``."""

    def __init__(self, running: Running, desk: TradingDesk | None) -> None:
        self._running = running
        self._desk = desk
        self._reads = SqlCockpitReads(running.parts.database, running.scope)
        self._files = Files(running.settings.collect.reports_dir / "chat")
        self._charting = Charting(running, desk, self._files)

    # --- the process ------------------------------------------------------------------------

    async def health(self) -> HealthView:
        """See ``Cockpit.health``."""
        running, world = self._running, self._world
        settings = running.settings
        database_us = await self._database_us()
        backup, free, memory = await asyncio.to_thread(
            lambda: (last_backup(settings), disk_free_bytes(settings), memory_bytes())
        )
        return HealthView(
            now_us=running.clock.now_us(),
            started_us=running.started_us,
            database=running.parts.database.dialect,
            database_us=database_us,
            loop_lag_us=await loop_lag_us(running.clock),
            feed=views.feed_view(world) if world else None,
            commands_waiting=await running.inbox.waiting(),
            messages_waiting=await running.outbox.waiting(Channel.TELEGRAM),
            events_waiting=self._desk.events_waiting() if self._desk else None,
            memory_bytes=memory,
            disk_free_bytes=free,
            backup=backup,
            loops=loop_views(running),
        )

    async def ping(self) -> PingView:
        """See ``Cockpit.ping``."""
        clock = self._running.clock
        database_us = await self._database_us()
        begun_us = clock.monotonic_us()
        exchange_us: int | None = None
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN_S):
                await self._running.parts.exchange.status()
            exchange_us = clock.monotonic_us() - begun_us
        except (TimeoutError, BotError):
            pass
        return PingView(database_us=database_us, exchange_us=exchange_us)

    async def cycles(self, limit: int) -> Sequence[CycleView]:
        """See ``Cockpit.cycles``."""
        return await self._reads.cycles(limit)

    async def logs(self, limit: int, level: str) -> Sequence[LogLine]:
        """See ``Cockpit.logs``. They were stored without secrets; those of today are looked for."""
        secrets = self._running.settings.secrets.values()
        return [
            LogLine(
                at_us=one.at_us,
                level=one.level,
                logger=one.logger,
                message=redact(one.message, secrets),
                facts=tuple((key, redact(value, secrets)) for key, value in one.facts),
            )
            for one in await self._reads.logs(limit, level)
        ]

    async def settings(self) -> Sequence[SettingLine]:
        """See ``Cockpit.settings``."""
        return setting_lines(self._running.settings)

    async def audit(self, limit: int) -> Sequence[AuditEntry]:
        """See ``Cockpit.audit``."""
        return await self._running.audit.latest(limit)

    def web_address(self) -> WebAddress:
        """See ``Cockpit.web_address``."""
        section = self._running.settings.web
        if section.public_url is None:
            return WebAddress(url=f"http://{section.host}:{section.port}", is_public=False)
        url = section.public_url
        return WebAddress(url=url if "://" in url else f"https://{url}", is_public=True)

    # --- orders and results -----------------------------------------------------------------

    async def position(self, ticker: MarketTicker) -> PositionDetail | None:
        """See ``Cockpit.position``."""
        world = self._world
        held = None if world is None else _held(world, ticker)
        if world is None or held is None:
            return None
        bracket, market = looks.bracket_of(world, ticker), world.markets.get(ticker)
        since_us = bracket.plan.opened_us if bracket else world.now_us - 7 * DAY_US
        past = await self._reads.trades(limit=_PAST_SHOWN, ticker=ticker)
        is_open = bool(market and market.is_open(world.now_us))
        return PositionDetail(
            position=held,
            strategy_id=bracket.plan.strategy_id if bracket else None,
            state=bracket.state.value if bracket else "not ours",
            entry_price=looks.mean_price(held.cost, held.quantity),
            entered_us=bracket.entered_us if bracket else None,
            close_us=market.close_us if market else None,
            is_mark_live=is_open and bool(market and market.is_trusted),
            orders=looks.order_views(world, ticker),
            fills=tuple(await self._reads.fills(ticker, since_us, _FILLS_SHOWN)),
            past=tuple(one.view for one in past),
        )

    async def orders(self) -> Sequence[OrderView]:
        """See ``Cockpit.orders``."""
        return looks.order_views(self._world) if self._world else ()

    async def trades(self, limit: int) -> Sequence[TradeView]:
        """See ``Cockpit.trades``."""
        return [one.view for one in await self._reads.trades(limit=limit)]

    async def trades_file(self, limit: int) -> Drawn:
        """See ``Cockpit.trades_file``.

        Raises:
            StorageUnavailable: the file cannot be written.
        """
        found = [one.view for one in await self._reads.trades(limit=limit)]
        content = table_of(found).encode()
        path = await self._files.keep("trades.csv", content, self._running.clock.now_us())
        if isinstance(path, NotDrawn):
            raise StorageUnavailable(path.why)
        return Drawn(path=str(path), text=f"{counted(len(found), 'trade')}, the newest first")

    async def period(self, period: Period) -> PeriodResult:
        """See ``Cockpit.period``."""
        world = self._world
        zone = world.settings.zone if world else NEW_YORK
        first_day = first_day_of(period, self._running.clock.now_us(), zone)
        since_us = None if first_day is None else day_start_us(first_day, zone)
        found = await self._reads.trades(since_us=since_us)
        unrealized = views.pnl_view(world).unrealized if world else None
        return result_of(found, first_day, unrealized)

    async def exposure(self) -> ExposureView | None:
        """See ``Cockpit.exposure``."""
        return looks.exposure_view(self._world) if self._world else None

    async def limits(self) -> Sequence[LimitView]:
        """See ``Cockpit.limits``."""
        return looks.limit_views(self._world) if self._world else ()

    async def decisions(self, limit: int) -> Sequence[Decision]:
        """See ``Cockpit.decisions``."""
        return await self._running.queries.decisions(limit)

    # --- markets ----------------------------------------------------------------------------

    async def markets(self, query: str, limit: int) -> MarketsView:
        """See ``Cockpit.markets``."""
        if self._desk is None:
            return MarketsView(found=(), matching=0, watched=0)
        watched = self._desk.monitor.selection.watched
        return looks.markets_view(self._desk.engine.world, watched, query, limit)

    async def market(self, ticker: MarketTicker) -> MarketDetail | None:
        """See ``Cockpit.market``. The exchange is asked where we do not keep the book."""
        exchange, world = self._running.parts.exchange, self._world
        known = world.markets.get(ticker) if world else None
        book = self._desk.monitor.books.get(ticker) if self._desk else None
        is_trusted = bool(known and known.is_trusted and book and book.is_trusted)
        if known is not None and book is not None and is_trusted:
            listed, status, close_us = known.listing.market, known.status.value, known.close_us
            bids, asks = book.levels(BookSide.BID), book.levels(BookSide.ASK)
        else:
            try:
                listed = (await exchange.market(ticker)).market
                snapshot = await exchange.order_book(ticker)
            except RequestRefused as fault:
                if fault.status == _NOT_FOUND:
                    return None
                raise
            status, close_us = listed.status.value, listed.close_us
            bids, asks = snapshot.bids, snapshot.asks
        return self._detail(listed, (bids, asks), status=status, close_us=close_us, ours=is_trusted)

    def _detail(
        self,
        listed: Market,
        book: tuple[Sequence[BookLevel], Sequence[BookLevel]],
        *,
        status: str,
        close_us: int,
        ours: bool,
    ) -> MarketDetail:
        (bids, asks), world, desk = book, self._world, self._desk
        ticker = listed.ticker
        left_out = desk.monitor.selection.left_out.get(ticker, "") if desk else ""
        watched = desk.monitor.selection.watched if desk else ()
        return MarketDetail(
            ticker=ticker,
            event_ticker=listed.event_ticker,
            title=listed.title,
            status=status,
            bid=bids[0].price if bids else None,
            ask=asks[0].price if asks else None,
            bid_size=bids[0].quantity if bids else Quantity(0),
            ask_size=asks[0].quantity if asks else Quantity(0),
            bid_depth=_depth(bids),
            ask_depth=_depth(asks),
            last_price=listed.last_price,
            volume_24h=listed.volume_24h,
            open_interest=listed.open_interest,
            close_us=close_us,
            is_watched=any(one.market.ticker == ticker for one in watched),
            is_trusted=ours,
            position=_held(world, ticker) if world else None,
            why_not=looks.why_not(world, ticker, left_out) if world else "mode collect",
        )

    # --- pictures ---------------------------------------------------------------------------

    async def chart(self, chart: Chart, zone: ZoneInfo) -> Drawn | NotDrawn:
        """See ``Cockpit.chart``."""
        return await self._charting.chart(chart, zone)

    async def market_chart(self, ticker: MarketTicker, zone: ZoneInfo) -> Drawn | NotDrawn:
        """See ``Cockpit.market_chart``."""
        return await self._charting.market(ticker, zone)

    @property
    def _world(self) -> World | None:
        return self._desk.engine.world if self._desk else None

    async def _database_us(self) -> int:
        begun_us = self._running.clock.monotonic_us()
        await self._running.queries.collect_status()
        return self._running.clock.monotonic_us() - begun_us


def first_day_of(period: Period, now_us: int, zone: str) -> str | None:
    """The first trading day of a period that ends with the running one."""
    days = _DAYS.get(period)
    if days is None:
        return None
    today_us = day_start_us(trading_day(now_us, zone), zone)
    # From the middle of a day: days of 23 and 25 hours lie between.
    return trading_day(today_us + _HALF_DAY_US - (days - 1) * DAY_US, zone)


def result_of(
    trades: Sequence[StoredTrade], first_day: str | None, unrealized: Money | None
) -> PeriodResult:
    """What these trades came to."""
    results = [
        Result(
            bracket_id=BracketId(one.bracket_id),
            contracts=one.view.quantity,
            cost=one.cost,
            fees=one.view.fees,
            profit=one.view.profit,
            closed_us=one.view.closed_us,
        )
        for one in trades
    ]
    every = tally(results)
    profits = [one.profit for one in results]
    of_series: dict[str, list[Money]] = {}
    for trade in trades:
        of_series.setdefault(trade.view.series, []).append(trade.view.profit)
    by_series = [
        SeriesResult(series=series, trades=len(some), profit=Money(sum(some)))
        for series, some in of_series.items()
    ]
    return PeriodResult(
        first_day=first_day,
        trades=every.trades,
        wins=every.wins,
        losses=every.losses,
        profit=every.profit,
        fees=every.fees,
        win_rate_e6=every.win_rate_e6,
        break_even_e6=every.break_even_e6,
        best=max(profits, default=None),
        worst=min(profits, default=None),
        by_series=tuple(sorted(by_series, key=lambda one: (-abs(one.profit), one.series))),
        unrealized=unrealized,
    )


def table_of(trades: Sequence[TradeView]) -> str:
    """Closed positions as CSV: times in UTC, dollars, contracts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in trades:
        writer.writerow(
            (
                format_seconds(one.closed_us),
                format_seconds(one.entered_us),
                one.ticker,
                one.title,
                one.series,
                one.strategy_id,
                "yes" if one.is_yes else "no",
                format_quantity(one.quantity),
                format_price(one.entry_price),
                format_price(one.exit_price),
                format_money(one.fees),
                format_money(one.profit),
                one.reason,
            )
        )
    return out.getvalue()


def _held(world: World, ticker: MarketTicker) -> PositionView | None:
    return next((one for one in views.position_views(world) if one.ticker == ticker), None)


def _depth(levels: Sequence[BookLevel]) -> Quantity:
    return Quantity(sum(one.quantity for one in levels))
