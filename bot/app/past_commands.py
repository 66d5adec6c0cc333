"""Reading the past by hand: ``discover`` and ``backfill``. The bot may run beside them.

Cursors of a reading by hand are its own, named by where it begins: the same command given
again goes on where it was, and the bot's regular passes are neither helped nor hindered.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.app.basics import open_database, real_means
from bot.app.build import exchange_of, history_settings, signer_of
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.collect.asking import Asking, Past, Unanswered
from bot.collect.backfill import CANDLES, TRADES, Backfill, BackfillProgress, BackfillReport
from bot.collect.candle_backfill import Reading
from bot.collect.cursors import read_instant
from bot.collect.discovery import Discovery, record_pages
from bot.collect.history_settings import EVENT_STATUSES
from bot.collect.settling import ClosedCleanup
from bot.domain.errors import ConfigurationFault, ExchangeUnavailable, RequestRefused
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.kit.metrics import Metric
from bot.kit.times import MINUTE_US, SECOND_US, format_seconds
from bot.ports.exchange import ExchangeReads
from bot.ports.history_reads import EventQuery, RecordQuery
from bot.ports.market_history import KnownMarket

SETTLEMENTS = "settlements"
ALL_KINDS = (CANDLES, TRADES, SETTLEMENTS)
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read: of these markets, else of these series, else of the configured ones."""

    series: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    begin: str | None = None
    end: str | None = None
    kinds: tuple[str, ...] = ALL_KINDS
    minutes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it, and whether everything was read."""

    facts: dict[str, object]
    is_complete: bool


async def discover(
    settings: BotSettings, *, series: tuple[str, ...], is_full: bool, bar: OnAdvance
) -> Answer:
    """One pass of discovery.

    Raises:
        ConfigurationFault: the exchange lists nothing of a series that was named.
        StorageUnavailable: the database cannot be reached or refuses the rows.
    """
    async with _past(settings) as (past, _):
        report = await Discovery(past).run(series=_series(series), is_full=is_full, on_series=bar)
        if report.is_complete:
            await _refuse_strangers(past, series)
    return Answer(facts=report.facts, is_complete=report.is_complete)


async def backfill(settings: BotSettings, wanted: Wanted, bar: OnAdvance) -> Answer:
    """Read what is wanted and not there yet.

    Raises:
        ConfigurationFault: a time cannot be read, or a market or series does not exist.
        ExchangeUnavailable: not even the list of markets could be had.
        StorageUnavailable: the database cannot be reached or refuses the rows.
    """
    begin_us, end_us = _instant("--from", wanted.begin), _instant("--to", wanted.end)
    if begin_us is not None and end_us is not None and begin_us >= end_us:
        raise ConfigurationFault(["--from: must be before --to"])
    async with _past(settings) as (past, exchange):
        now_us = past.clock.now_us()
        if begin_us is not None and begin_us >= now_us:
            raise ConfigurationFault([f"--from: {wanted.begin} is not past yet"])
        until_us = min(end_us or now_us, now_us - past.settings.margin_s * SECOND_US)
        hand = _ByHand(past, exchange, wanted, bar)
        markets = await hand.find(begin_us, until_us)
        reading = Reading(
            until_us=until_us,
            from_us=begin_us,
            label="open" if begin_us is None else format_seconds(begin_us),
        )
        return await hand.read(markets, reading)


class _ByHand:
    """One reading by hand."""

    def __init__(self, past: Past, exchange: ExchangeReads, wanted: Wanted, bar: OnAdvance) -> None:
        self._past = past
        self._exchange = exchange
        self._wanted = wanted
        self._bar = bar
        self._asking = Asking(past.settings.outages_max, Metric.BACKFILL_ITEM_ERROR)

    async def find(self, begin_us: int | None, until_us: int) -> list[KnownMarket]:
        """The wanted markets that lived in the span, listed anew."""
        store = self._past.store
        tickers = tuple(MarketTicker(one) for one in self._wanted.markets)
        series = _series(self._wanted.series) or self._past.settings.series
        if tickers:
            for ticker in tickers:
                await self._learn(ticker)
            known = await store.markets_of(tickers=tickers, open_before_us=until_us)
        else:
            await self._list(series, begin_us)
            await _refuse_strangers(self._past, series)
            known = await store.markets_of(series=series, open_before_us=until_us)
        return [each for each in known if begin_us is None or each.close_us >= begin_us]

    async def read(self, markets: Sequence[KnownMarket], reading: Reading) -> Answer:
        """Read every wanted kind of these markets."""
        kinds = [kind for kind in self._wanted.kinds if kind != SETTLEMENTS]
        report = BackfillReport(markets=len(markets))
        if kinds:
            report = await Backfill(self._past).run(
                markets, reading, kinds, minutes=self._wanted.minutes, on_progress=self._show
            )
        facts = report.facts
        if SETTLEMENTS not in self._wanted.kinds:
            return Answer(facts=facts, is_complete=report.is_complete)
        grace_us = self._past.settings.grace_minutes * MINUTE_US
        closed_us = self._past.clock.now_us() - grace_us
        closed = [each for each in markets if each.close_us < closed_us]
        settled = await ClosedCleanup(self._past).run(markets=closed, on_series=self._bar)
        facts |= {"settled": settled.settled, "not_yet_settled": settled.waiting}
        is_complete = report.is_complete and settled.is_complete
        facts |= {
            "outcome": "complete" if is_complete else "partial",
            "errors": report.errors + settled.errors,
            "error": report.error or settled.error,
            "calls": report.calls + settled.calls,
        }
        return Answer(facts=facts, is_complete=is_complete)

    async def _list(self, series: Sequence[SeriesTicker], begin_us: int | None) -> None:
        """Store every market of the series, whatever its state, archived ones down to ``begin``."""
        thorough = replace(self._past.settings, discovery_statuses=EVENT_STATUSES)
        report = await Discovery(replace(self._past, settings=thorough)).run(
            series=series, is_full=True, on_series=self._bar
        )
        if not report.is_complete:
            raise ExchangeUnavailable(f"the markets could not be listed: {report.error}")
        for number, one in enumerate(series, start=1):
            await self._list_archive(one, begin_us)
            self._bar(number, len(series), f"archive of {one}")

    async def _list_archive(self, series: SeriesTicker, begin_us: int | None) -> None:
        """The archive lists what settled last first, so it can be left where ``begin`` is."""
        query = RecordQuery(series_ticker=series, is_archived=True)
        try:
            async for page in record_pages(self._past, query, self._asking):
                await self._past.set_aside(self._asking, page.quarantined)
                now_us = self._past.clock.now_us()
                await self._past.store.save_listing([], page.markets, [], now_us)
                settled = [each.settled_us or each.close_us for each in page.markets]
                if begin_us is not None and settled and max(settled) < begin_us:
                    return
        except Unanswered:
            told = self._asking.summary()
            raise ExchangeUnavailable(f"the archive could not be listed: {told}") from None

    async def _learn(self, ticker: MarketTicker) -> None:
        """Store a market and its event, if they are not known.

        Raises:
            ConfigurationFault: there is no such market.
        """
        if await self._past.store.markets_of(tickers=[ticker]):
            return
        try:
            event = (await self._exchange.market(ticker)).market.event_ticker
        except RequestRefused as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            query = RecordQuery(series_ticker=SeriesTicker(""), tickers=(ticker,), is_archived=True)
            page = await self._past.reads.record_page(query)
            if not page.markets:
                raise ConfigurationFault(
                    [f"--market: the exchange knows no market {ticker}"]
                ) from None
            event = page.markets[0].event_ticker
            listed = await self._past.reads.event_page(EventQuery(tickers=(event,)))
            series = [each.series_ticker for each in listed.events]
            if not series:
                raise ConfigurationFault(
                    [f"--market: the event of {ticker} is gone; name its --series instead"]
                ) from None
            records = [replace(each, series_ticker=series[0]) for each in page.markets]
            now_us = self._past.clock.now_us()
            await self._past.store.save_listing(listed.events, records, [], now_us)
            return
        listed = await self._past.reads.event_page(EventQuery(tickers=(event,)))
        now_us = self._past.clock.now_us()
        await self._past.store.save_listing(listed.events, listed.markets, [], now_us)

    def _show(self, seen: BackfillProgress) -> None:
        errors = f", {seen.errors} errors" if seen.errors else ""
        told = f"{seen.kind}: {seen.candles} candles, {seen.trades} trades{errors}"
        self._bar(seen.done, seen.total, told)


@asynccontextmanager
async def _past(settings: BotSettings) -> AsyncIterator[tuple[Past, ExchangeReads]]:
    means = real_means()
    async with (
        open_database(settings, migrated=True) as database,
        exchange_of(settings, means, signer_of(settings)).open() as exchange,
    ):
        past = Past(
            settings=history_settings(settings),
            reads=exchange.history,
            store=SqlMarketHistoryStore(database),
            clock=means.clock,
        )
        yield past, exchange


async def _refuse_strangers(past: Past, series: Sequence[str]) -> None:
    """A series that was just asked for, is no setting's, and has no market is mistyped."""
    for name in _series(series):
        if name in past.settings.series or await past.store.markets_of(series=[name]):
            continue
        raise ConfigurationFault(
            [f"--series: the exchange lists no market of {name}; check the spelling, e.g. KXCPI"]
        )


def _series(names: Sequence[str]) -> tuple[SeriesTicker, ...]:
    return tuple(SeriesTicker(one) for one in dict.fromkeys(names))


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    # A day alone is its beginning.
    at_us = read_instant(f"{text}T00:00:00Z" if len(text) == len("2026-11-29") else text)
    if at_us is None:
        raise ConfigurationFault(
            [f"{option}: {text!r} is no time; write 2026-11-29 or 2026-11-29T18:00:00Z"]
        )
    return at_us
