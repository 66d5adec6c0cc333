"""What the chat's pictures are drawn from: read from the store, the engine and the exchange."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import assert_never
from zoneinfo import ZoneInfo

from bot.adapters.storage.cockpit import AccountPoint, PricePoint, SqlCockpitReads, StoredTrade
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.app.drawing import Files
from bot.app.reasons import funnel_of
from bot.app.running import Running
from bot.app.trading import TradingDesk
from bot.collect.calibration import CalibrationRules, calibrate
from bot.console.amounts import counted, signed_dollars
from bot.console.chart_data import (
    Bar,
    CalibrationChart,
    ChartData,
    FunnelChart,
    Line,
    Mark,
    MoneyChart,
    Point,
    PriceChart,
)
from bot.domain.cockpit import Drawn, FillView, NotDrawn
from bot.domain.errors import BotError
from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT, Money, Price, complement
from bot.domain.operations import FunnelStage
from bot.domain.orders import own_price
from bot.engine import looks, views
from bot.execution.bracket import Bracket
from bot.kit.markup import bold, escape
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, to_datetime
from bot.ports.cockpit import Chart
from bot.ports.history_reads import CandleQuery

_ASKED_S = 5.0
_TITLE_WIDTH = 42
_TITLE_LINES = 2
_FILLS_SHOWN = 200
_SPAN_US = 24 * HOUR_US
"""How much of a market is shown where nothing is held; before an entry, an hour."""
_MINUTES_MAX = 24 * 60
"""Candles of a minute up to here, of an hour beyond."""
_NONE = "nothing has been closed yet"
_BARS_MAX = 13
_LEDGER_DAYS = 90
_E6, _E4, _E2 = 1_000_000, 10_000, 100


class Charting:
    """Pictures of one leadership."""

    def __init__(self, running: Running, desk: TradingDesk | None, files: Files) -> None:
        self._running = running
        self._desk = desk
        self._files = files
        self._reads = SqlCockpitReads(running.parts.database, running.scope)

    async def chart(self, chart: Chart, zone: ZoneInfo) -> Drawn | NotDrawn:
        """See ``Cockpit.chart``."""
        data: ChartData | NotDrawn
        match chart:
            case Chart.PNL | Chart.DRAWDOWN:
                data = await self._money(zone, is_drawdown=chart is Chart.DRAWDOWN)
            case Chart.FUNNEL:
                data = self._funnel()
            case Chart.CALIBRATION:
                data = await self._calibration()
            case _:
                assert_never(chart)
        return await self._drawn(chart.value, data)

    async def market(self, ticker: MarketTicker, zone: ZoneInfo) -> Drawn | NotDrawn:
        """See ``Cockpit.market_chart``."""
        return await self._drawn("market", await self._market(ticker, zone))

    async def _drawn(self, name: str, data: ChartData | NotDrawn) -> Drawn | NotDrawn:
        if isinstance(data, NotDrawn):
            return data
        path = await self._files.picture(name, data, self._running.clock.now_us())
        if isinstance(path, NotDrawn):
            return path
        head, _, rest = data.title.partition("\n")
        return Drawn(path=str(path), text=f"{bold(head)}\n{escape(rest)}".rstrip())

    async def _money(self, zone: ZoneInfo, *, is_drawdown: bool) -> MoneyChart | NotDrawn:
        trades = list(reversed(await self._reads.trades()))
        account = [*await self._reads.curve(0), *self._now()]
        closed, marked = curves(trades, account, self._running.clock.now_us())
        if not marked:
            return NotDrawn(why="nothing has been traded yet")
        last = marked[-1].value or 0.0
        since = to_datetime(marked[0].at_us).astimezone(zone)
        note = f"{self._mode()}   since {since:%d %b %Y}   after fees"
        wins = sum(one.view.profit > 0 for one in trades)
        told = f"{counted(len(trades), 'closed trade')}, {wins} with a gain" if trades else _NONE
        title = f"P&L: {_signed(last)}\n{told}"
        if is_drawdown:
            worst, now = depths(marked)
            title = f"Drawdown: {_signed(worst)} at worst\n{_signed(now)} from the peak now"
        return MoneyChart(
            title=title,
            note=note,
            zone=zone.key,
            closed=closed,
            marked=marked,
            is_drawdown=is_drawdown,
        )

    def _now(self) -> list[AccountPoint]:
        """The account at this moment; the last stored one may be minutes old."""
        world = self._desk.engine.world if self._desk else None
        account = views.account_view(world) if world else None
        if world is None or account is None:
            return []
        unrealized = views.pnl_view(world).unrealized
        return [AccountPoint(self._running.clock.now_us(), account.equity, unrealized)]

    def _funnel(self) -> FunnelChart | NotDrawn:
        stages = funnel_of(self._desk)
        if not stages or not stages[0].left:
            return NotDrawn(why="no markets have been read yet, or this mode does not trade")
        bars = funnel_bars(stages)
        seen, left = counted(bars[0].left, "market"), bars[-1].left
        return FunnelChart(
            title=f"{seen} seen, {left:,} left\nand why the others are out",
            note=f"{self._mode()}   pale: left out for the reason above the bar",
            bars=tuple(bars),
        )

    async def _calibration(self) -> CalibrationChart | NotDrawn:
        since_us = self._running.clock.now_us() - _LEDGER_DAYS * DAY_US
        store = SqlMarketHistoryStore(self._running.parts.database)
        ledger = await store.settlements(since_us=since_us)
        made = await asyncio.to_thread(calibrate, ledger, CalibrationRules())
        if not made.buckets:
            settled = counted(len(ledger), "settled market")
            why = f"of {settled} in {_LEDGER_DAYS} days none has a price an hour before its close"
            return NotDrawn(why=why)
        told = f"{counted(made.count, 'market')} of {counted(made.events, 'event')}"
        title = f"Price and outcome, {_LEDGER_DAYS} days\n1 h before the close, {told}"
        return CalibrationChart(title=title, made=made)

    async def _market(self, ticker: MarketTicker, zone: ZoneInfo) -> PriceChart | NotDrawn:
        now_us = self._running.clock.now_us()
        world = self._desk.engine.world if self._desk else None
        bracket = looks.bracket_of(world, ticker) if world else None
        since_us = now_us - _SPAN_US
        if bracket is not None:
            since_us = min(bracket.plan.opened_us - HOUR_US, now_us - 2 * HOUR_US)
        fills = await self._reads.fills(ticker, since_us, _FILLS_SHOWN)
        is_yes = is_yes_shown(bracket, fills)
        prices = await self._prices(ticker, since_us, now_us)
        market = world.markets.get(ticker) if world else None
        if market is not None and market.live_quote is not None:
            prices.append(PricePoint(now_us, market.live_quote.bid, market.live_quote.ask))
        if not any(one.bid or one.ask for one in prices) and not fills:
            return NotDrawn(why=f"no price of {ticker} is known: check how it is spelt")
        title = market.listing.market.title if market else ""
        lines = wrap(title or ticker, _TITLE_WIDTH, max_lines=_TITLE_LINES, placeholder=" ...")
        bids, asks = sides(prices, is_yes=is_yes)
        return PriceChart(
            title="\n".join(lines),
            note=f"{ticker}   {self._mode()}",
            zone=zone.key,
            side="YES" if is_yes else "NO",
            bids=bids,
            asks=asks,
            marks=tuple(_mark(one, is_yes=is_yes) for one in fills),
            lines=levels(bracket),
        )

    async def _prices(self, ticker: MarketTicker, since_us: int, now_us: int) -> list[PricePoint]:
        """From the exchange, which has every minute; from what was collected where it is away."""
        minutes = (now_us - since_us) // MINUTE_US
        query = CandleQuery(
            tickers=(ticker,),
            start_us=since_us,
            end_us=now_us,
            period_minutes=1 if minutes <= _MINUTES_MAX else 60,
        )
        try:
            async with asyncio.timeout(_ASKED_S):
                page = await self._running.parts.exchange.history.candles(query)
        except (BotError, TimeoutError):
            return await self._reads.prices(ticker, since_us, now_us)
        found = [
            PricePoint(one.end_us, one.bid.close or None, _ask(one.ask.close))
            for one in page.candles
            if one.ticker == ticker
        ]
        return found or await self._reads.prices(ticker, since_us, now_us)

    def _mode(self) -> str:
        return self._running.settings.trading_mode.upper()


def curves(
    trades: Sequence[StoredTrade], account: Sequence[AccountPoint], now_us: int
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The sum of closed trades (oldest first), and the same with what was open at its worth.

    Built from results, not from equity: what was paid in or out is no gain and no loss.
    """
    total, closed = 0, []
    for trade in trades:
        total += trade.view.profit
        closed.append((trade.view.closed_us, total))
    marked: list[Point] = []
    place = 0
    for point in account:
        while place < len(closed) and closed[place][0] <= point.at_us:
            place += 1
        sold = closed[place - 1][1] if place else 0
        marked.append(Point(point.at_us, (sold + point.unrealized) / _E6))
    if closed and (not marked or marked[-1].at_us < closed[-1][0]):
        marked.append(Point(closed[-1][0], closed[-1][1] / _E6))
    steps = [Point(at_us, value / _E6) for at_us, value in closed]
    if steps:
        first_us = min(steps[0].at_us, marked[0].at_us)
        steps = [Point(first_us, 0.0), *steps, Point(max(now_us, steps[-1].at_us), steps[-1].value)]
    return tuple(steps), tuple(marked)


def funnel_bars(stages: Sequence[FunnelStage]) -> list[Bar]:
    """A bar for each stage; where there are too many, the last of them share one."""
    bars = [Bar(name="markets seen", left=stages[0].left, taken=0)]
    for before, stage in pairwise(stages):
        name = stage.name.removeprefix("without ").replace("_", " ")
        bars.append(Bar(name=name, left=stage.left, taken=before.left - stage.left))
    if len(bars) > _BARS_MAX:
        rest = bars[_BARS_MAX - 1 :]
        taken = sum(one.taken for one in rest)
        name = f"{len(rest)} further reasons"
        bars = [*bars[: _BARS_MAX - 1], Bar(name=name, left=rest[-1].left, taken=taken)]
    return bars


def depths(points: Sequence[Point]) -> tuple[float, float]:
    """How far a curve lay below its own peak: at worst, and at its end. Never above 0."""
    peak, worst, now = 0.0, 0.0, 0.0
    for point in points:
        value = point.value or 0.0
        peak = max(peak, value)
        now = value - peak
        worst = min(worst, now)
    return worst, now


def is_yes_shown(bracket: Bracket | None, fills: Sequence[FillView]) -> bool:
    """Whose prices are shown: those of the side we hold, or bought first."""
    if bracket is not None:
        return own_price(bracket.plan.side, Price(1)) == 1
    return fills[-1].is_bid if fills else True


def sides(
    prices: Sequence[PricePoint], *, is_yes: bool
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Bids and asks of one side in dollars: NO's bid is what is left of YES's ask."""
    bids, asks = [], []
    for one in prices:
        bid, ask = (one.bid, one.ask) if is_yes else (_other(one.ask), _other(one.bid))
        bids.append(Point(one.at_us, None if bid is None else bid / _E4))
        asks.append(Point(one.at_us, None if ask is None else ask / _E4))
    return tuple(bids), tuple(asks)


def levels(bracket: Bracket | None) -> tuple[Line, ...]:
    """Entry, stop and target of what is held, in its own prices."""
    if bracket is None:
        return ()
    plan, found = bracket.plan, []
    for name, price, is_good in (
        ("stop", plan.stop_price, False),
        ("target", plan.target_price, True),
    ):
        if price:
            found.append(Line(name=name, price=own_price(plan.side, price) / _E4, is_good=is_good))
    if bracket.entered:
        mean = looks.mean_price(bracket.entry_cost, bracket.entered)
        found.append(Line(name="entry", price=mean / _E4, is_good=None))
    return tuple(found)


def _mark(fill: FillView, *, is_yes: bool) -> Mark:
    price = fill.price if is_yes else complement(fill.price)
    return Mark(
        at_us=fill.executed_us,
        price=price / _E4,
        contracts=fill.quantity / _E2,
        is_buy=fill.is_bid is is_yes,
    )


def _ask(price: Price) -> Price | None:
    return None if price == PAYOUT else price


def _other(price: Price | None) -> Price | None:
    return None if price is None else complement(price)


def _signed(value: float) -> str:
    return signed_dollars(Money(round(value * _E6)))
