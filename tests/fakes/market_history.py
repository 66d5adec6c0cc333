"""``MarketHistoryStore`` in memory. Passes ``tests/contract/test_market_history_store.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.errors import MarkMoved, StorageUnavailable
from bot.domain.ids import EventTicker, FillId, MarketTicker, SeriesTicker
from bot.domain.market import MarketStatus
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import PublicTrade
from bot.kit.times import MINUTE_US
from bot.ports.collection import QuarantinedItem
from bot.ports.market_history import (
    Candle,
    EventRecord,
    KnownMarket,
    MarketRecord,
    MarkMove,
    PriceBefore,
    SettlementRecord,
    Span,
)


def event(ticker: str = "KXFED-26DEC", **changes) -> EventRecord:
    plain = EventRecord(
        event_ticker=EventTicker(ticker),
        series_ticker=SeriesTicker(ticker.partition("-")[0]),
        title='Fed "funds" rate',
        sub_title="",
        is_exclusive=True,
        collateral_return_type="MECNET",
        strike_us=None,
        strike_period="hour",
        fee_type_override=None,
        fee_multiplier_override_e6=500_000,
        exchange_index=0,
        updated_us=None,
    )
    return replace(plain, **changes)


def market(ticker: str = "KXFED-26DEC-T4", **changes) -> MarketRecord:
    plain = MarketRecord(
        ticker=MarketTicker(ticker),
        event_ticker=EventTicker(ticker.rpartition("-")[0]),
        series_ticker=SeriesTicker(ticker.partition("-")[0]),
        title="above 4 %?",
        market_type="binary",
        status=MarketStatus.ACTIVE,
        exchange_index=0,
        strike_type="greater",
        floor_strike="4.00",
        cap_strike=None,
        open_us=1_000,
        close_us=5_000_000_000,
        expected_expiration_us=None,
        latest_expiration_us=6_000_000_000,
        can_close_early=True,
        settlement_timer_s=60,
        price_ranges_json='[["0.0000","1.0000","0.0100"]]',
        details_json='{"rules_primary":"Köln \\"quoted\\""}',
        result="",
        settlement_value=None,
        settled_us=None,
        yes_bid=Price(4_700),
        yes_ask=None,
        last_price=Price(5_000),
        volume=Quantity(300),
        open_interest=Quantity(200),
        created_us=500,
        updated_us=None,
    )
    return replace(plain, **changes)


def candle(ticker: str = "KXFED-26DEC-T4", end_min: int = 1, **changes) -> Candle:
    """``end_min`` is the end in minutes since 1970."""
    plain = Candle(
        ticker=MarketTicker(ticker),
        period_minutes=1,
        end_us=end_min * MINUTE_US,
        bid=Span(Price(4_000), Price(4_200), Price(3_900), Price(4_100)),
        ask=Span(Price(4_400), Price(4_600), Price(4_300), Price(4_500)),
        price=None,
        mean=None,
        previous=Price(4_050),
        volume=Quantity(0),
        open_interest=Quantity(9),
    )
    return replace(plain, **changes)


def trade(trade_id: str, ticker: str = "KXFED-26DEC-T4", **changes) -> PublicTrade:
    plain = PublicTrade(
        trade_id=FillId(trade_id),
        ticker=MarketTicker(ticker),
        price=Price(4_321),
        quantity=Quantity(250),
        taker_side=BookSide.ASK,
        is_block=False,
        executed_us=1_000,
        received_us=2_000,
    )
    return replace(plain, **changes)


def settled(ticker: str = "KXFED-26DEC-T4", **changes) -> SettlementRecord:
    plain = SettlementRecord(
        ticker=MarketTicker(ticker),
        event_ticker=EventTicker(ticker.rpartition("-")[0]),
        series_ticker=SeriesTicker(ticker.partition("-")[0]),
        macro_event_type="fed_rate",
        market_type="binary",
        result="yes",
        settlement_value=PAYOUT,
        expiration_value="4.25",
        open_us=1_000,
        close_us=5_000_000_000,
        first_close_us=5_000_000_000,
        settled_us=None,
        volume=Quantity(300),
    )
    return replace(plain, **changes)


def price_before(horizon: int, bid: int | None = 4_000, ask: int | None = 4_200) -> PriceBefore:
    return PriceBefore(
        horizon_minutes=horizon,
        yes_bid=None if bid is None else Price(bid),
        yes_ask=None if ask is None else Price(ask),
        last_price=Price(4_100),
        observed_us=1_000,
        source="candle_1",
    )


class MemoryMarketHistoryStore:
    """Keeps everything in dictionaries. ``is_down`` makes every call fail."""

    def __init__(self) -> None:
        self.events: dict[EventTicker, EventRecord] = {}
        self.listed: dict[MarketTicker, tuple[MarketRecord, int, int, int]] = {}
        self.candles: dict[tuple[MarketTicker, int, int], Candle] = {}
        self.trades: dict[FillId, PublicTrade] = {}
        self.ledger: dict[MarketTicker, SettlementRecord] = {}
        self.state: dict[str, str] = {}
        self.quarantine: list[QuarantinedItem] = []
        self.is_down = False

    async def save_listing(
        self,
        events: Sequence[EventRecord],
        markets: Sequence[MarketRecord],
        quarantined: Sequence[QuarantinedItem],
        at_us: int,
    ) -> int:
        self._require_up()
        for one in events:
            known = self.events.get(one.event_ticker)
            if known is None or (one.updated_us or 0) >= (known.updated_us or 0):
                self.events[one.event_ticker] = one
        new = 0
        for each in markets:
            held = self.listed.get(each.ticker)
            if held is None:
                new += 1
                self.listed[each.ticker] = (each, each.close_us, at_us, at_us)
            elif (each.updated_us or 0) >= (held[0].updated_us or 0) and at_us >= held[3]:
                self.listed[each.ticker] = (each, held[1], held[2], at_us)
        self.quarantine += quarantined
        return new

    async def missing_events(self, tickers: Sequence[EventTicker]) -> Sequence[EventTicker]:
        self._require_up()
        return [each for each in dict.fromkeys(tickers) if each not in self.events]

    async def markets_of(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        tickers: Sequence[MarketTicker] = (),
        open_before_us: int | None = None,
        live_since_us: int | None = None,
    ) -> Sequence[KnownMarket]:
        self._require_up()
        return self._known(
            each
            for each, _, first_seen_us, _ in self.listed.values()
            if (not series or each.series_ticker in series)
            and (not tickers or each.ticker in tickers)
            and (open_before_us is None or each.open_us < open_before_us)
            and (live_since_us is None or max(each.close_us, first_seen_us) >= live_since_us)
        )

    async def unsettled(
        self, closed_before_us: int, series: Sequence[SeriesTicker] = ()
    ) -> Sequence[KnownMarket]:
        self._require_up()
        return self._known(
            each
            for each, *_ in self.listed.values()
            if each.close_us < closed_before_us
            and each.ticker not in self.ledger
            and (not series or each.series_ticker in series)
        )

    async def save_candles(
        self, candles: Sequence[Candle], moves: Sequence[MarkMove], at_us: int
    ) -> int:
        self._move(moves)
        changed = 0
        for each in {(one.ticker, one.period_minutes, one.end_us): one for one in candles}.values():
            key = (each.ticker, each.period_minutes, each.end_us)
            changed += self.candles.get(key) != each
            self.candles[key] = each
        return changed

    async def save_trades(
        self, trades: Sequence[PublicTrade], moves: Sequence[MarkMove], at_us: int
    ) -> int:
        self._move(moves)
        before = len(self.trades)
        for each in trades:
            self.trades.setdefault(each.trade_id, each)
        return len(self.trades) - before

    async def prices_before(
        self, ticker: MarketTicker, close_us: int, horizons_minutes: Sequence[int]
    ) -> Sequence[PriceBefore]:
        self._require_up()
        found = []
        for horizon in sorted(horizons_minutes):
            at_us = close_us - horizon * MINUTE_US
            held = [
                each
                for each in self.candles.values()
                if each.ticker == ticker and each.end_us <= at_us
            ]
            if held:
                last = max(held, key=lambda each: (each.end_us, -each.period_minutes))
                found.append(
                    PriceBefore(
                        horizon_minutes=horizon,
                        yes_bid=last.bid.close or None,
                        yes_ask=None if last.ask.close == PAYOUT else last.ask.close,
                        last_price=last.price.close if last.price else last.previous,
                        observed_us=last.end_us,
                        source=f"candle_{last.period_minutes}",
                    )
                )
        return found

    async def save_settlements(self, settled: Sequence[SettlementRecord], at_us: int) -> int:
        self._require_up()
        changed = 0
        for each in settled:
            held = self.ledger.get(each.ticker)
            changed += held is None or replace(held, prices=()) != replace(each, prices=())
            prices = sorted(each.prices, key=lambda price: price.horizon_minutes)
            self.ledger[each.ticker] = replace(each, prices=tuple(prices))
        return changed

    async def settlements(
        self,
        *,
        series: Sequence[SeriesTicker] = (),
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Sequence[SettlementRecord]:
        self._require_up()
        found = [
            each
            for each in self.ledger.values()
            if (not series or each.series_ticker in series)
            and (since_us is None or each.close_us >= since_us)
            and (until_us is None or each.close_us < until_us)
        ]
        return sorted(found, key=lambda each: (each.close_us, each.ticker))

    async def markets_with_past(
        self, before_us: int, after: MarketTicker, limit: int
    ) -> Sequence[MarketTicker]:
        self._require_up()
        old = {one.ticker for one in self.candles.values() if one.end_us < before_us}
        old |= {one.ticker for one in self.trades.values() if one.executed_us < before_us}
        return sorted(ticker for ticker in old if ticker > after)[:limit]

    async def prune_past(self, tickers: Sequence[MarketTicker], before_us: int, batch: int) -> int:
        self._require_up()
        candles = [key for key in self.candles if key[0] in tickers and key[2] < before_us]
        trades = [
            key
            for key, one in self.trades.items()
            if one.ticker in tickers and one.executed_us < before_us
        ]
        for candle_key in candles[:batch]:
            del self.candles[candle_key]
        for trade_key in trades[:batch]:
            del self.trades[trade_key]
        return len(candles[:batch]) + len(trades[:batch])

    async def marks(self, keys: Sequence[str]) -> Mapping[str, str]:
        self._require_up()
        return {key: self.state[key] for key in keys if key in self.state}

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        self._require_up()
        self.state |= marks

    def _move(self, moves: Sequence[MarkMove]) -> None:
        self._require_up()
        if any(self.state.get(move.key) != move.before for move in moves):
            raise MarkMoved("another was faster")
        self.state |= {move.key: move.after for move in moves}

    def _known(self, markets) -> list[KnownMarket]:
        found = []
        for each in sorted(markets, key=lambda one: (one.close_us, one.ticker)):
            of_event = self.events.get(each.event_ticker)
            found.append(
                KnownMarket(
                    ticker=each.ticker,
                    event_ticker=each.event_ticker,
                    series_ticker=each.series_ticker,
                    market_type=each.market_type,
                    status=each.status,
                    strike_period=of_event.strike_period if of_event else None,
                    open_us=each.open_us,
                    close_us=each.close_us,
                    first_close_us=self.listed[each.ticker][1],
                    settled_us=each.settled_us,
                    result=each.result,
                    settlement_value=each.settlement_value,
                    volume=each.volume,
                )
            )
        return found

    def _require_up(self) -> None:
        if self.is_down:
            raise StorageUnavailable("the test took the database away")
