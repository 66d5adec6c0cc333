"""Reads the public trades of one market, newest first, and never jumps over what it lacks.

A page's trades and the cursor that knows of them are stored together. Bounds of the
venue are whole seconds and pages may repeat; each trade is kept once by its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.collect.asking import Asking, Past, Unanswered
from bot.collect.candle_backfill import BORDER_US, Reading
from bot.collect.cursors import OpenWindow, TradeCursor, read_trade_cursor, trade_key
from bot.domain.errors import InvalidMessage, MarkMoved
from bot.domain.quotes import PublicTrade
from bot.kit.times import SECOND_US
from bot.ports.history_reads import HistoryCutoff, TradePage, TradeQuery
from bot.ports.market_history import KnownMarket, MarkMove


@dataclass(slots=True)
class TradeBackfill:
    """One pass over the trades of markets. ``new`` counts those nobody had seen."""

    past: Past
    asking: Asking
    reading: Reading
    cutoff: HistoryCutoff
    new: int = 0

    async def run(self, market: KnownMarket) -> bool:
        """Read one market to its end; whether that was reached.

        Raises:
            StorageUnavailable: rows could not be stored.
        """
        key = trade_key(market.ticker, self.reading.label)
        mark = (await self.past.store.marks([key])).get(key)
        found = None if mark is None else read_trade_cursor(mark)
        one = _OneMarket(self, market, key, mark, found)
        try:
            while not one.is_done:
                await one.read_window()
        except MarkMoved as fault:
            self.asking.failed(f"trades of {market.ticker}", fault)
            return False
        except Unanswered:
            return False
        return True


class _OneMarket:
    """The reading of one market: its cursor as stored, and as a value."""

    def __init__(
        self,
        backfill: TradeBackfill,
        market: KnownMarket,
        key: str,
        mark: str | None,
        found: TradeCursor | None,
    ) -> None:
        self._backfill = backfill
        self._past = backfill.past
        self._ticker = market.ticker
        self._key = key
        self._mark = mark
        self._cursor = found or TradeCursor(backfill.reading.begins_us(market))
        # Trades are stamped before the close; a second more costs nothing.
        self._end_us = min(backfill.reading.until_us, market.close_us + SECOND_US)

    @property
    def is_done(self) -> bool:
        """Whether nothing is lacking up to where this pass reads."""
        return self._cursor.window is None and self._cursor.done_us >= self._end_us

    async def read_window(self) -> None:
        """Read from the newest trade down to the cursor, live and then archived.

        Raises:
            Unanswered: a page was not had; the cursor says up to where the others are stored.
            MarkMoved: another reads this market.
        """
        self._cursor = self._cursor.opened(self._end_us)
        if not self._window.is_archive:
            await self._read_tier()
            border_us = self._backfill.cutoff.trades_us + BORDER_US
            needs_archive = self._cursor.done_us < border_us
            await self._save((), self._cursor.live_done(needs_archive=needs_archive))
        if self._cursor.window is not None:
            await self._read_tier()
            await self._save((), self._cursor.archive_done())

    async def _read_tier(self) -> None:
        query = TradeQuery(
            ticker=self._ticker,
            min_us=self._cursor.done_us,
            max_us=self._window.reached_us,
            is_archived=self._window.is_archive,
        )
        seen, cursor = {""}, ""
        for _ in range(self._past.settings.pages_max):
            page = await self._page(query, cursor)
            await self._past.set_aside(self._backfill.asking, page.quarantined)
            trades = [each for each in page.trades if each.ticker == self._ticker]
            if not page.cursor:
                await self._save(trades, self._cursor)
                return
            oldest_us = min((each.executed_us for each in trades), default=None)
            reached = self._cursor if oldest_us is None else self._cursor.reached(oldest_us)
            await self._save(trades, reached)
            if page.cursor in seen:
                # The venue answers a cursor it does not know with page one.
                raise self._stuck("the listing's cursor repeats")
            seen.add(page.cursor)
            cursor = page.cursor
        raise self._stuck(f"more than {self._past.settings.pages_max} pages")

    async def _page(self, query: TradeQuery, cursor: str) -> TradePage:
        asked = self._past.reads.trade_page(query, cursor)
        what = f"trades of {self._ticker}"
        return await self._backfill.asking.ask(what, asked)

    async def _save(self, trades: Sequence[PublicTrade], cursor: TradeCursor) -> None:
        text = cursor.text()
        if text == self._mark and not trades:
            return
        moves = [MarkMove(self._key, self._mark, text)]
        now_us = self._past.clock.now_us()
        self._backfill.new += await self._past.store.save_trades(trades, moves, now_us)
        self._mark, self._cursor = text, cursor

    def _stuck(self, why: str) -> Unanswered:
        self._backfill.asking.failed(f"trades of {self._ticker}", InvalidMessage(why))
        return Unanswered(is_missing=False)

    @property
    def _window(self) -> OpenWindow:
        assert self._cursor.window is not None
        return self._cursor.window
