"""A recording as a world: its markets appear, move and close as they did, at the exchange's speed.

The first recorded moment becomes the exchange's start; books, tickers and
trades then pass through the normal channels under their own sids and sequence
numbers. There is nobody behind a recorded book, so such a market takes no
orders (HTTP 403 ``read_only_recording``).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.domain.ids import EventTicker, FillId, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID, MarketStatus, PriceGrid
from bot.domain.money import PAYOUT, Price, Quantity, parse_price, parse_quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel, BookSnapshot, PublicTrade
from bot.kit.times import DAY_US, MINUTE_US, SECOND_US, format_rfc3339, parse_rfc3339
from bot.simulator.capture_events import Kind, Recorded
from bot.simulator.captures import (
    capture_files,
    change_of,
    has_tickers,
    last_us,
    levels_of,
    read_captures,
    trade_of,
)
from bot.simulator.catalog import TAPERED_GRID, Event, MarketInfo, Series
from bot.simulator.exchange import Exchange
from bot.venue.accounts import AccountId
from bot.venue.events import BookChanged
from bot.venue.markets import MarketResult, MarketTerms, MarketView

NOBODY = AccountId("recording")

_CENT = 100
_TRADES_KEPT = 5_000
_LIFE_US = 15 * MINUTE_US
_DECIDED_HIGH, _DECIDED_LOW = Price(9_000), Price(1_000)
_TICKER_FIELDS = (
    "price_dollars", "yes_bid_dollars", "yes_ask_dollars", "volume_fp", "open_interest_fp",
    "dollar_volume", "dollar_open_interest", "yes_bid_size_fp", "yes_ask_size_fp",
    "last_trade_size_fp",
)  # fmt: skip


class RecordedMarket:
    """One market's recorded book, ticker and trades so far."""

    def __init__(self, ticker: MarketTicker) -> None:
        self.ticker = ticker
        self.is_known = False
        self._sides: dict[BookSide, dict[Price, Quantity]] = {BookSide.BID: {}, BookSide.ASK: {}}
        self._clock = 0
        self._at_us = 0
        self._trades: deque[PublicTrade] = deque(maxlen=_TRADES_KEPT)
        self._last: Price | None = None
        self._last_size = Quantity(0)
        self._volume = Quantity(0)
        self._interest = Quantity(0)

    @property
    def last_price(self) -> Price | None:
        """The last traded price the recording told."""
        return self._last

    def snapshot(self) -> BookSnapshot:
        """See :class:`RecordedBook`."""
        bids, asks = self._sides[BookSide.BID], self._sides[BookSide.ASK]
        return BookSnapshot(
            ticker=self.ticker,
            bids=tuple(BookLevel(p, bids[p]) for p in sorted(bids, reverse=True)),
            asks=tuple(BookLevel(p, asks[p]) for p in sorted(asks)),
            received_us=self._at_us,
            clock=self._clock,
        )

    def overlay(self, view: MarketView) -> MarketView:
        """See :class:`RecordedBook`."""
        bids, asks = self._sides[BookSide.BID], self._sides[BookSide.ASK]
        bid, ask = max(bids, default=None), min(asks, default=None)
        return replace(
            view,
            yes_bid=bid,
            yes_ask=ask,
            yes_bid_size=Quantity(0) if bid is None else bids[bid],
            yes_ask_size=Quantity(0) if ask is None else asks[ask],
            last_price=self._last,
            last_size=self._last_size,
            volume=self._volume,
            volume_24h=self._volume,
            open_interest=self._interest,
            clock=self._clock,
        )

    def trades(self) -> Iterable[PublicTrade]:
        """See :class:`RecordedBook`."""
        return tuple(self._trades)

    def replace_book(self, msg: dict[str, Any], at_us: int) -> None:
        """Take a recorded snapshot."""
        self.is_known = True
        self._tick(at_us)
        for side, leg in ((BookSide.BID, "yes"), (BookSide.ASK, "no")):
            self._sides[side] = dict(levels_of(msg, leg))

    def change(self, side: BookSide, price: Price, change: Quantity, at_us: int) -> int:
        """Take a recorded delta and give its clock."""
        self._tick(at_us)
        levels = self._sides[side]
        left = levels.get(price, 0) + change
        if left > 0:
            levels[price] = Quantity(left)
        else:
            levels.pop(price, None)
        return self._clock

    def note_ticker(self, msg: dict[str, Any]) -> None:
        """Take the figures of a recorded ticker."""
        self._last = parse_price(msg["price_dollars"])
        self._volume = parse_quantity(msg["volume_fp"])
        self._interest = parse_quantity(msg["open_interest_fp"])
        self._last_size = parse_quantity(msg.get("last_trade_size_fp", "0.00"))

    def note_trade(self, trade: PublicTrade, *, counts: bool) -> None:
        """Take a recorded trade; it counts as volume where no ticker says so."""
        self._trades.append(trade)
        self._last, self._last_size = trade.price, trade.quantity
        if counts:
            self._volume = Quantity(self._volume + trade.quantity)

    def is_on_cents(self) -> bool:
        """Whether every level lies on a whole cent."""
        return all(price % _CENT == 0 for levels in self._sides.values() for price in levels)

    def _tick(self, at_us: int) -> None:
        self._clock += 1
        self._at_us = at_us


def open_recording(exchange: Exchange, root: Path) -> "RecordingPlayer":
    """A player of the captures under ``root``.

    Raises:
        ValueError: there is no capture.
    """
    captures = capture_files(root)
    events = read_captures(captures)
    first = next(events, None)
    if first is None:
        raise ValueError(f"{root} holds no capture that can be played")
    # Raw frames do not say when a market closes: when its frames end, it has closed.
    ends_us = max(map(last_us, captures), default=0)
    player = RecordingPlayer(
        exchange,
        events,
        first,
        ends_us=ends_us,
        passes_tickers=has_tickers(captures),
    )
    player.step(exchange.now_us())
    return player


class RecordingPlayer:
    """Plays events when their time has come."""

    def __init__(
        self,
        exchange: Exchange,
        events: Iterator[Recorded],
        first: Recorded,
        *,
        ends_us: int,
        passes_tickers: bool,
    ) -> None:
        self._exchange = exchange
        self._events = events
        self._next: Recorded | None = first
        self._offset_us = exchange.clock.start_us - first.at_us
        self._ends_us = ends_us
        self._passes_tickers = passes_tickers
        self._markets: dict[MarketTicker, RecordedMarket] = {}

    @property
    def is_over(self) -> bool:
        """Whether everything was played."""
        return self._next is None

    def step(self, now_us: int) -> None:
        """See :class:`World`."""
        while self._next is not None and self._next.at_us + self._offset_us <= now_us:
            self._play(self._next, self._next.at_us + self._offset_us)
            self._next = next(self._events, None)

    def _play(self, event: Recorded, at_us: int) -> None:
        market = self._markets.get(event.ticker)
        if market is None:
            market = self._appear(event, at_us)
        match event.kind:
            case Kind.SNAPSHOT:
                market.replace_book(event.msg, at_us)
                self._exchange.publisher.snapshot(event.ticker)
                self._own_ticker(event.ticker, at_us)
            case Kind.DELTA:
                self._delta(market, event, at_us)
            case Kind.TICKER:
                self._ticker(market, event, at_us)
            case Kind.TRADE:
                self._trade(market, event, at_us)
            case Kind.WATCH:
                return

    def _delta(self, market: RecordedMarket, event: Recorded, at_us: int) -> None:
        if not market.is_known:
            return  # what it changes was never recorded
        side, price, change = change_of(event.msg)
        clock = market.change(side, price, change, at_us)
        self._exchange.publisher.delta(
            BookChanged(
                ticker=event.ticker,
                side=side,
                price=price,
                change=change,
                clock=clock,
                account=NOBODY,
                client_order_id=None,
                at_us=at_us,
            )
        )
        self._own_ticker(event.ticker, at_us)

    def _ticker(self, market: RecordedMarket, event: Recorded, at_us: int) -> None:
        market.note_ticker(event.msg)
        info = self._exchange.catalog.markets[event.ticker]
        msg = {name: event.msg[name] for name in _TICKER_FIELDS if name in event.msg}
        msg |= {
            "market_id": info.market_id,
            "market_ticker": event.ticker,
            "ts": at_us // SECOND_US,
            "ts_ms": at_us // 1_000,
            "time": format_rfc3339(at_us),
        }
        self._exchange.publisher.ticker(event.ticker, msg)
        self._note_candle(event.ticker, at_us)

    def _trade(self, market: RecordedMarket, event: Recorded, at_us: int) -> None:
        price, quantity, side = trade_of(event.msg)
        trade = PublicTrade(
            trade_id=FillId(event.msg["trade_id"]),
            ticker=event.ticker,
            price=price,
            quantity=quantity,
            taker_side=side,
            is_block=bool(event.msg.get("is_block_trade", False)),
            executed_us=at_us,
            received_us=at_us,
        )
        market.note_trade(trade, counts=not self._passes_tickers)
        self._exchange.publisher.trade(trade)
        self._exchange.candles.trade(trade)
        self._own_ticker(event.ticker, at_us)

    def _own_ticker(self, ticker: MarketTicker, at_us: int) -> None:
        """Where no ticker was recorded, one is made from the book."""
        if not self._passes_tickers:
            self._exchange.publisher.refresh_ticker(ticker, at_us)
            self._note_candle(ticker, at_us)

    def _note_candle(self, ticker: MarketTicker, at_us: int) -> None:
        view = self._exchange.market(ticker)
        if view is not None:
            self._exchange.candles.quote(view, at_us)

    # Listing

    def _appear(self, event: Recorded, at_us: int) -> RecordedMarket:
        market = RecordedMarket(event.ticker)
        if event.kind is Kind.SNAPSHOT:
            market.replace_book(event.msg, at_us)
        self._markets[event.ticker] = market
        self._exchange.recorded[event.ticker] = market
        grid = CENT_GRID if event.kind is Kind.SNAPSHOT and market.is_on_cents() else TAPERED_GRID
        self._list(event, at_us, grid)
        return market

    def _list(self, event: Recorded, at_us: int, grid: PriceGrid) -> None:
        close_us = self._close_of(event, at_us)
        # Recordings name neither event nor series; on the venue both are the head of the ticker.
        event_ticker = EventTicker(event.ticker.rpartition("-")[0] or event.ticker)
        series_ticker = SeriesTicker(event.ticker.partition("-")[0])
        strike = event.msg.get("strike")
        series = Series(
            ticker=series_ticker, title=series_ticker, category="Recorded", frequency="custom"
        )
        listed = Event(
            ticker=event_ticker,
            series_ticker=series_ticker,
            title=f"Recorded: {event_ticker}",
            sub_title="",
            is_exclusive=False,
            strike_us=close_us,
            created_us=at_us - DAY_US,
        )
        info = MarketInfo(
            ticker=event.ticker,
            event_ticker=event_ticker,
            series_ticker=series_ticker,
            title=f"Recorded: {event.ticker}",
            yes_sub_title="Yes",
            no_sub_title="No",
            rules_primary="This market replays a recording.",
            created_us=at_us - DAY_US,
            expected_expiration_us=close_us,
            latest_expiration_us=close_us + DAY_US,
            strike_type="greater" if isinstance(strike, int | float) else None,
            floor_strike=strike if isinstance(strike, int | float) else None,
        )
        terms = MarketTerms(
            ticker=event.ticker,
            event_ticker=event_ticker,
            open_us=min(at_us, close_us - _LIFE_US),
            close_us=close_us,
            grid=grid,
        )
        self._exchange.list_event(series, listed, [(info, terms)], at_us)
        self._exchange.agenda.add(close_us + SECOND_US, lambda: self._determine(event.ticker))

    def _close_of(self, event: Recorded, at_us: int) -> int:
        close = event.msg.get("close_time")
        if isinstance(close, str):
            return max(parse_rfc3339(close) + self._offset_us, at_us + SECOND_US)
        ends_us = self._ends_us + self._offset_us if self._ends_us else at_us + _LIFE_US
        return max(ends_us, at_us) + MINUTE_US

    def _determine(self, ticker: MarketTicker) -> None:
        """Decide a closed market where its last price leaves no doubt."""
        last = self._markets[ticker].last_price
        view = self._exchange.venue.reads.market(ticker)
        if last is None or view is None or view.status is not MarketStatus.CLOSED:
            return
        if _DECIDED_LOW < last < _DECIDED_HIGH:
            return
        result = MarketResult.YES if last * 2 > PAYOUT else MarketResult.NO
        operations, now_us = self._exchange.venue.operations, self._exchange.now_us()
        self._exchange.apply(operations.determine(ticker, result, now_us))
