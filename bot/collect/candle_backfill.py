"""Reads the candles that markets lack, several markets a call, and moves their cursors.

A cursor moves in the transaction of the last rows it speaks of, and only for a market that
the tier answered for. One that settled long ago is asked for in the archive, and live
if it has not arrived there yet; one that nobody knows keeps its cursor and is told.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from bot.collect.asking import Asking, Past, Unanswered, pieces
from bot.collect.candle_plan import CandleCall, Lack, end_holding, last_end, next_call
from bot.collect.cursors import candle_key, read_instant, write_instant
from bot.domain.errors import InvalidMessage, MarkMoved
from bot.domain.ids import MarketTicker
from bot.kit.times import DAY_US, SECOND_US
from bot.ports.history_reads import CandlePage, CandleQuery, HistoryCutoff
from bot.ports.market_history import Candle, KnownMarket, MarkMove

# Orders that the close cancels leave the book a moment later.
_CLOSING_US = 2 * SECOND_US
BORDER_US = DAY_US
"""What is so near to the border between the tiers may cross it while it is being read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one pass is to read: until when, and from when on where nothing was read yet.

    ``label`` names cursors of its own; empty for the regular ones. Without ``from_us``
    a market is read from its opening.
    """

    until_us: int
    from_us: int | None
    label: str = ""

    def begins_us(self, market: KnownMarket) -> int:
        """From when on a market that nobody has read yet is read, in whole seconds.

        A second early: what ends or happens with the opening itself belongs to it.
        """
        begin_us = market.open_us - SECOND_US
        if self.from_us is not None:
            begin_us = max(begin_us, self.from_us)
        return begin_us - begin_us % SECOND_US


class CandleBackfill:
    """One pass over the candles of one period length."""

    def __init__(
        self, past: Past, asking: Asking, reading: Reading, cutoff: HistoryCutoff, minutes: int
    ) -> None:
        self._past = past
        self._asking = asking
        self._reading = reading
        self._border_us = cutoff.markets_us + BORDER_US
        self._minutes = minutes
        self._marks: dict[MarketTicker, str | None] = {}
        self.left: set[MarketTicker] = set()
        """Markets that are not read to the end."""
        self.changed = 0
        """Candles that are new, or differ from what was stored."""

    async def run(self, markets: Sequence[KnownMarket]) -> AsyncIterator[int]:
        """Read; yields after each call how many markets are done or given up.

        Raises:
            StorageUnavailable: rows could not be stored.
        """
        lacks = await self._lacking(markets)
        self.left = set(lacks)
        while lacks and not self._asking.is_over:
            call = next_call(list(lacks.values()), self._minutes)
            filled = await self._serve(call)
            for lack in call.lacks:
                del lacks[lack.ticker]
            for lack in filled:
                if lack.from_us < lack.to_us:
                    lacks[lack.ticker] = lack
                else:
                    self.left.discard(lack.ticker)
            yield len(markets) - len(lacks)

    async def _lacking(self, markets: Sequence[KnownMarket]) -> dict[MarketTicker, Lack]:
        keys = {each.ticker: self._key(each.ticker) for each in markets}
        marks = await self._past.store.marks(list(keys.values()))
        self._marks = {ticker: marks.get(key) for ticker, key in keys.items()}
        lacks = [self._lack(each) for each in markets]
        return {lack.ticker: lack for lack in lacks if lack.from_us < lack.to_us}

    def _lack(self, market: KnownMarket) -> Lack:
        mark = self._marks[market.ticker]
        stored_us = None if mark is None else read_instant(mark)
        until_us = last_end(self._reading.until_us, self._minutes)
        return Lack(
            ticker=market.ticker,
            from_us=self._reading.begins_us(market) if stored_us is None else stored_us,
            to_us=min(until_us, end_holding(market.close_us + _CLOSING_US, self._minutes)),
            is_archived=market.settled_us is not None and market.settled_us < self._border_us,
        )

    async def _serve(self, call: CandleCall) -> list[Lack]:
        """Make the call and store what it brought; returns what its markets lack then.

        A market that was not answered for, or that another reader is at, is left out.
        """
        try:
            page = await self._page(call)
        except Unanswered:
            return []
        for lack in call.lacks:
            if lack.ticker not in page.known:
                self._asking.failed(lack.ticker, InvalidMessage("the exchange does not know it"))
        await self._past.set_aside(self._asking, page.quarantined)
        known = [lack for lack in call.lacks if lack.ticker in page.known]
        try:
            return await self._store(call, known, page.candles)
        except MarkMoved as fault:
            self._asking.failed(f"candles of {call.lacks[0].ticker}", fault)
            return []

    async def _page(self, call: CandleCall) -> CandlePage:
        query = CandleQuery(
            tickers=tuple(lack.ticker for lack in call.lacks),
            start_us=call.start_us,
            end_us=call.end_us,
            period_minutes=self._minutes,
        )
        what = f"candles of {query.tickers[0]}"
        if call.lacks[0].is_archived:
            archived = self._past.reads.candles(replace(query, is_archived=True))
            try:
                return await self._asking.ask(what, archived, may_be_missing=True)
            except Unanswered as why:
                if not why.is_missing:
                    raise
        return await self._asking.ask(what, self._past.reads.candles(query))

    async def _store(
        self, call: CandleCall, known: Sequence[Lack], candles: Sequence[Candle]
    ) -> list[Lack]:
        """Store the rows with the cursors of ``known``; returns what those lack then."""
        names = {lack.ticker for lack in known}
        rows = [
            each
            for each in candles
            if each.ticker in names and call.start_us <= each.end_us <= call.end_us
        ]
        after = {lack.ticker: write_instant(call.done_us(lack)) for lack in known}
        moves = [
            MarkMove(self._key(ticker), self._marks[ticker], text) for ticker, text in after.items()
        ]
        now_us = self._past.clock.now_us()
        *first, last = pieces(rows)
        for some in first:
            self.changed += await self._past.store.save_candles(some, [], now_us)
        # The cursors come with the last: what they say is there.
        self.changed += await self._past.store.save_candles(last, moves, now_us)
        self._marks |= after
        return [replace(lack, from_us=call.done_us(lack)) for lack in known]

    def _key(self, ticker: MarketTicker) -> str:
        return candle_key(ticker, self._minutes, self._reading.label)
