"""Stores what the stream says: beside trading, or by a stream of its own in mode collect."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.storage.stream_postgres import PostgresStreamStore
from bot.adapters.storage.stream_reads import SqlIngestMarks, SqlStreamUpkeep
from bot.adapters.storage.stream_sqlite import SqliteStreamStore
from bot.adapters.storage.urls import Address
from bot.app.build import collect_settings, feed_of
from bot.app.fast_loop import fast_loop_factory
from bot.app.running import Running
from bot.app.settings import BotSettings
from bot.domain.alerts import AlertKind
from bot.domain.errors import BotError, ConfigurationFault
from bot.domain.events import Event
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.engine.listing import read_listings
from bot.kit.clock import Clock
from bot.kit.tasks import ServiceEndedEarly
from bot.kit.times import DAY_US, SECOND_US
from bot.marketdata.backpressure import Policy, Pressure, pressure_of
from bot.marketdata.feed import FeedTranslator
from bot.marketdata.shards import Shard, take_turn
from bot.marketdata.stream_keeper import StreamKeeper
from bot.marketdata.stream_queue import StreamQueue
from bot.marketdata.stream_storing import StoringSettings
from bot.marketdata.stream_tap import StreamTap
from bot.marketdata.stream_writer import StreamWriter
from bot.ports.exchange import ExchangeReads, MarketFeed
from bot.ports.recording import TapeMaker
from bot.ports.stream import StreamStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What one leadership stores its stream with."""

    queue: StreamQueue
    tap: StreamTap
    writer: StreamWriter
    on_death: Callable[[str], object]

    def keeper(self, pressure: Pressure, clock: Clock) -> StreamKeeper:
        """The service that goes with them."""
        keeper = StreamKeeper(self.queue, self.tap, self.writer, pressure, clock)
        keeper.on_death = self.on_death
        return keeper


def stream_parts(running: Running) -> StreamParts | None:
    """The parts, unless the stream is not stored."""
    settings = running.settings
    if not settings.is_streaming:
        return None
    section = settings.stream
    queue = StreamQueue(stream_name(settings), section.queue_max, section.batch_size)
    address, means = running.parts.database.address, running.parts.means
    writer = StreamWriter(
        queue,
        lambda: stream_store(address, section.min_free_mb << 20),
        StoringSettings(
            batch=section.batch_size,
            flush_us=_us(section.flush_s),
            heartbeat_us=_us(section.heartbeat_s),
            drops_repeats=section.dedup,
        ),
        means.clock,
        means.random,
        fast_loop_factory(),
    )
    post = running.alerts.post

    def on_death(words: str) -> None:
        post(AlertKind.CRITICAL_ERROR, {"error": words})

    return StreamParts(queue, StreamTap(queue), writer, on_death)


def stream_store(address: Address, free_min: int = 0) -> StreamStore:
    """A writer's own way into the database, which leaves ``free_min`` bytes of our own disk."""
    if address.dialect == "sqlite":
        return SqliteStreamStore(address.path, free_min)
    return PostgresStreamStore(address)


def stream_name(settings: BotSettings) -> str:
    """Whose stream: scope and shard, as ``paper:main:0 0/1``."""
    section = settings.stream
    return f"{settings.scope} {section.shard_id}/{section.shard_count}"


def shard_of_settings(settings: BotSettings) -> Shard:
    """The part of the markets that is ours.

    Raises:
        ConfigurationFault: there is no such part.
    """
    section = settings.stream
    try:
        return Shard(count=section.shard_count, number=section.shard_id, key=section.shard_key)
    except ValueError as error:
        raise ConfigurationFault([f"stream: {error}"]) from None


async def keep_stream(running: Running) -> dict[str, int]:
    """Make partitions ahead, and drop what is older than is kept."""
    now_us, days = running.clock.now_us(), running.settings.stream.retention_days
    before_us = now_us - round(days * DAY_US) if days else None
    return dict(await SqlStreamUpkeep(running.parts.database).keep(now_us, before_us))


class StreamCollector:
    """Mode collect's own stream: which markets it watches, and its books. A service."""

    name = "stream collector"

    def __init__(
        self, running: Running, parts: StreamParts, tapes: TapeMaker | None = None
    ) -> None:
        """``tapes`` keep the raw frames."""
        settings, means = running.settings, running.parts.means
        assert running.parts.signer is not None  # settings refuse a stream without a key
        channels = settings.stream.channels
        feed = feed_of(
            settings,
            means,
            running.parts.signer,
            session=SessionSettings(
                wants_private=False,
                wants_books="orderbook_delta" in channels,
                wants_trades="trade" in channels,
            ),
            tapes=tapes,
        )
        running.loops["websocket"] = feed.breaker
        section = settings.stream
        self._feed: MarketFeed = parts.tap.beside(feed)
        self._exchange: ExchangeReads = running.parts.exchange
        self._series = collect_settings(settings).series
        self._universe = Universe(
            shard_of_settings(settings), section.max_active_tickers, goes_round=section.round_robin
        )
        self._marks = SqlIngestMarks(running.parts.database)
        self._cursor_mark = f"ws_active_cursor:{stream_name(settings)}"
        self._refresh_s = section.refresh_s
        self._clock = means.clock
        self._translator = FeedTranslator(_nobody_decides, self._feed.refresh)
        self._is_wanted = True
        policy = Policy(section.backpressure)
        self.pressure = pressure_of(policy, parts.queue, self._hold, self._subscribe)

    async def run(self) -> None:
        """Collect until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(), name="stream feed")
            group.create_task(self._watch(), name="stream watch list")

    async def drain(self) -> None:
        """Nothing to finish: what was heard is the keeper's."""

    async def _pump(self) -> None:
        await self._feed.run(self._translator)
        raise ServiceEndedEarly("the feed ended")

    async def _watch(self) -> None:
        await self._tried(self._remember)
        while True:
            await self._tried(self._refresh)
            await asyncio.sleep(self._refresh_s)

    async def _tried(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except BotError as fault:
            logger.warning("api error", extra={"task": "stream", "reason": str(fault)})

    async def _remember(self) -> None:
        self._universe.cursor = await self._marks.mark(self._cursor_mark) or ""

    async def _refresh(self) -> None:
        before = self._universe.watched
        await self._universe.look(self._exchange, self._series)
        gone = set(before) - set(self._universe.watched)
        self._translator.forget(gone)
        if self._is_wanted:
            await self._feed.watch(self._universe.watched)
        if self._universe.left_out:
            now_us = self._clock.now_us()
            await self._marks.put_mark(self._cursor_mark, self._universe.cursor, now_us)
            logger.info("markets wait for their turn", extra={"left_out": self._universe.left_out})

    def _hold(self, is_held: bool) -> None:
        self._feed.hold(is_held=is_held)

    async def _subscribe(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        await self._feed.watch(self._universe.watched if is_wanted else ())


class Universe:
    """The open markets of some series that one shard watches."""

    def __init__(self, shard: Shard, limit: int, *, goes_round: bool) -> None:
        self.watched: tuple[MarketTicker, ...] = ()
        self.left_out = 0
        self.cursor = ""
        self._shard = shard
        self._limit = limit
        self._goes_round = goes_round

    async def look(self, exchange: ExchangeReads, series: tuple[SeriesTicker, ...]) -> None:
        """Read what is open, and take the next turn.

        Raises:
            ExchangeUnavailable: nothing could be read; the watched markets stay.
        """
        markets = [one.market for one in await read_listings(exchange, series)]
        ours = (one.ticker for one in markets if self._shard.holds(one.ticker, one.event_ticker))
        turn = take_turn(ours, self._limit, self.cursor, goes_round=self._goes_round)
        self.watched, self.left_out, self.cursor = turn.watched, turn.left_out, turn.cursor


def _nobody_decides(_: Event) -> None:
    """Books are kept to be stored."""


def _us(duration_s: float) -> int:
    return round(duration_s * SECOND_US)
