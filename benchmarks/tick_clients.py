"""The contestants, one process each: the floor, and the bot with each store.

The floor is a socket that writes a fixed order as soon as the trigger's bytes arrive: no
parsing, no book, no decision, no signature. The bot is the real one from the
WebSocket client to the HTTP client.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from random import SystemRandom
from typing import NamedTuple

import uvloop
from typing_extensions import override

from benchmarks.chat_bot import serve_chat
from benchmarks.tick_exchange import MARKETS, TRIGGER_BYTES
from bot.adapters.kalshi.gateway import KalshiExchange, KalshiFeed
from bot.adapters.kalshi.order_path import OrderPathKeeper
from bot.adapters.kalshi.rehearsal import StreamRehearsal
from bot.adapters.kalshi.settings import RestSettings, StreamSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.tables import leader_lease
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.sections import TradingSection
from bot.domain.events import MarketsListed, Role, RoleChanged, StateLoaded, TimeAdvanced
from bot.domain.ids import (
    ClientOrderId,
    Epoch,
    EventTicker,
    InstanceId,
    MarketTicker,
    OrderGroupId,
    Scope,
    SeriesTicker,
    StrategyId,
)
from bot.domain.listing import Listing
from bot.domain.market import CENT_GRID, FeeTerms, Market, MarketStatus
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.records import HaltRecord, Record, StoredState
from bot.domain.signals import Signal
from bot.engine.core import Engine
from bot.engine.effects import Notice
from bot.engine.executor import EffectExecutor
from bot.engine.groups import GroupSettings, OrderGroups
from bot.engine.inbox import EngineInbox
from bot.engine.rehearsing import Rehearser, Understudies, rehearsing_reader
from bot.engine.runner import EngineRunner
from bot.engine.sending import Surroundings
from bot.engine.settings import EngineSettings
from bot.kit.clock import SystemClock
from bot.kit.times import HOUR_US, SECOND_US
from bot.marketdata.feed import FeedTranslator
from bot.ports.messages import AuditEntry, OutgoingMessage
from bot.ports.trading import StoredGroup, TradingStore
from bot.risk.limits import RiskLimits
from bot.strategies.base import MarketView, Opinion, Skip

READY = "ready"
"""The bot that rehearses as much as its owner allows."""
_READY_PERCENT = 25
_SCOPE = Scope("paper:benchmark:0")
_EPOCH = Epoch(1)
_TRIGGER = Price(9_600)
_ORDER = (
    b'{"ticker":"KXBENCH-26DEC-0","client_order_id":"00000000-0000-7000-8000-000000000000",'
    b'"side":"bid","count":"100.00","price":"0.9600","time_in_force":"good_till_canceled",'
    b'"self_trade_prevention_type":"taker_at_cross","exchange_index":0,"post_only":true}'
)


async def _floor(port: int) -> None:
    loop = asyncio.get_running_loop()
    request = (
        b"POST /trade-api/v2/portfolio/events/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"KALSHI-ACCESS-KEY: floor\r\nKALSHI-ACCESS-TIMESTAMP: 1790000000000\r\n"
        b"KALSHI-ACCESS-SIGNATURE: %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (b"A" * 88, len(_ORDER), _ORDER)
    )
    orders, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)

    class Echo(asyncio.Protocol):
        @override
        def data_received(self, data: bytes) -> None:
            if TRIGGER_BYTES in data:
                orders.write(request)

    stream, _ = await loop.create_connection(Echo, "127.0.0.1", port)
    stream.write(
        b"GET /trade-api/ws/v2 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nKALSHI-ACCESS-KEY: floor\r\n\r\n"
    )
    await asyncio.Event().wait()


class WantsTheTrigger:
    """Joins the best bid when it is at the trigger's price, and wants nothing else."""

    strategy_id = StrategyId("benchmark")

    def on_quote(self, view: MarketView) -> Opinion:
        """See :class:`bot.strategies.base.Strategy`."""
        if view.quote.bid != _TRIGGER:
            return Skip("no trigger")
        return Signal(
            strategy_id=self.strategy_id,
            ticker=view.quote.ticker,
            side=BookSide.BID,
            price=_TRIGGER,
            chance_e6=990_000,
            target_price=Price(9_900),
            stop_price=Price(8_600),
            lifetime_us=90 * SECOND_US,
        )


class MemoryStore:
    """A store that costs nothing: what the bot would be without durability."""

    async def load(self, now_us: int) -> StoredState:
        """A fresh scope that is not halted."""
        return StoredState(
            halt=HaltRecord(halted=False, reason="", set_by="benchmark", changed_us=1),
            breakers=(),
            baseline=None,
            last_snapshot=None,
            peak_equity=Money(0),
            brackets=(),
            orders=(),
            positions=(),
            recent_fills=(),
            last_epoch=_EPOCH,
        )

    def __init__(self) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    def commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> Awaitable[None]:
        """Forget them: done in the call."""
        return self._done

    async def save_halt(
        self, halt: HaltRecord, act: AuditEntry | None = None, *, ends: HaltRecord | None = None
    ) -> HaltRecord:
        """Forget it."""
        return halt

    async def halt(self) -> HaltRecord:
        """Not halted."""
        return (await self.load(0)).halt

    async def fill_cursor_us(self) -> int | None:
        """Nothing is stored."""
        return None

    async def add_group(self, epoch: Epoch, group: StoredGroup, now_us: int) -> None:
        """Forget it."""

    async def open_groups(self) -> Sequence[StoredGroup]:
        """Nothing is stored."""
        return ()

    async def known_groups(self, groups: Sequence[OrderGroupId]) -> frozenset[OrderGroupId]:
        """Nothing is stored."""
        return frozenset()

    async def known_orders(self, orders: Sequence[ClientOrderId]) -> frozenset[ClientOrderId]:
        """Nothing is stored."""
        return frozenset()

    async def mark_triggered(self, epoch: Epoch, group: OrderGroupId) -> None:
        """Nothing is stored."""


class _Gate:
    def may_trade(self) -> bool:
        return True


class _Silence:
    def reply(self, command_id: int, text: str, *, is_done: bool) -> None:
        pass


async def _bot(name: str, port: int, directory: Path, database: str, telegram: str) -> None:
    clock, random = SystemClock(), SystemRandom()
    signer = load_signer(name, (directory / "key.pem").read_text())
    hosts = hosts_of("demo", f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
    rest = RestSettings(requests_per_second=1_000_000)
    exchange = KalshiExchange(hosts, rest, signer=signer, clock=clock, random=random)
    feed = KalshiFeed(hosts, StreamSettings(), signer=signer, clock=clock, random=random)
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)
    async with exchange.open(), _store(name, database) as kept, asyncio.TaskGroup() as group:
        store = kept.store
        inbox = EngineInbox()
        engine = Engine(
            EngineSettings(limits=_limits(), reconcile_every_us=HOUR_US),
            (WantsTheTrigger(),),
            _SCOPE,
            InstanceId(name),
        )
        groups = OrderGroups(exchange, store, clock, _EPOCH, GroupSettings())
        around = Surroundings(
            exchange=exchange,
            store=store,
            gate=_Gate(),
            groups=groups,
            clock=clock,
            random=random,
            replies=_Silence(),
            messages_of=_no_messages,
        )
        runner = EngineRunner(engine, EffectExecutor(around, inbox.put), inbox)
        group.create_task(runner.run())
        rehearser = _rehearser(name, engine, runner, around, exchange)
        group.create_task(rehearser.run())
        group.create_task(OrderPathKeeper(exchange).run())
        group.create_task(_seconds(inbox, clock))
        group.create_task(_report(told_to_end, exchange))
        if telegram and kept.database is not None:
            # As in the bot: the same pool, other transactions.
            chat = serve_chat(kept.database, _SCOPE, _EPOCH, engine, telegram)
            group.create_task(chat)
        await _lead(engine, inbox, store, clock)
        await feed.watch([MarketTicker(market) for market in MARKETS])
        # As the real start does: what lives for ever is not looked at again by the collector.
        gc.collect()
        gc.freeze()
        await feed.run(FeedTranslator(inbox.put, feed.refresh, runner))


def _rehearser(
    name: str,
    engine: Engine,
    runner: EngineRunner,
    around: Surroundings,
    exchange: KalshiExchange,
) -> Rehearser:
    store, clock = around.store, around.clock
    understudies = Understudies(
        gate=around.gate,
        clock=clock,
        make_rows=store.rehearse if isinstance(store, SqlTradingStore) else _forget,
        make_request=exchange.rehearse_order,
        strategies=(WantsTheTrigger(),),
    )
    reader = rehearsing_reader(engine, understudies)
    books = FeedTranslator(_forget, _forget, reader)
    step = StreamRehearsal(books, clock, StreamSettings()).step
    percent = _READY_PERCENT if name == READY else TradingSection().rehearse_percent
    return Rehearser(runner, step, clock, every_us=4_000, percent_max=percent)


async def _lead(
    engine: Engine, inbox: EngineInbox, store: TradingStore, clock: SystemClock
) -> None:
    now_us = clock.now_us()
    inbox.put(RoleChanged(received_us=now_us, role=Role.ACTIVATING, epoch=_EPOCH))
    inbox.put(StateLoaded(received_us=now_us, state=await store.load(now_us)))
    inbox.put(MarketsListed(received_us=now_us, listings=tuple(map(_listing, MARKETS))))
    async with asyncio.timeout(20):
        while not engine.world.stance.is_reconciled:  # noqa: ASYNC110 - the engine is a value
            await asyncio.sleep(0.01)
    inbox.put(RoleChanged(received_us=clock.now_us(), role=Role.LEADING, epoch=_EPOCH))


async def _report(told_to_end: asyncio.Event, exchange: KalshiExchange) -> None:
    """Say at the end what only this process knows."""
    await told_to_end.wait()
    print(json.dumps({"signed_inline": exchange.signed_inline}), flush=True)
    os._exit(0)


async def _seconds(inbox: EngineInbox, clock: SystemClock) -> None:
    while True:
        inbox.put(TimeAdvanced(received_us=clock.now_us()))
        await asyncio.sleep(1)


def _forget(_: object) -> None:
    """Nobody is told."""


def _no_messages(_notice: Notice) -> Sequence[OutgoingMessage]:
    return ()


class _Kept(NamedTuple):
    """Where trading is stored, and the database behind it, if there is one."""

    store: TradingStore
    database: Database | None


@contextlib.asynccontextmanager
async def _store(name: str, url: str) -> AsyncIterator[_Kept]:
    if not url:
        yield _Kept(MemoryStore(), None)
        return
    database = await Database.open(url)
    try:
        await migrate(database)
        async with database.begin() as connection:
            await connection.execute(
                leader_lease.insert().values(
                    scope=_SCOPE,
                    epoch=_EPOCH,
                    holder=name,
                    generation=1,
                    renew_seq=1,
                    expires_us=SystemClock().now_us() + HOUR_US,
                    clean_release=False,
                )
            )
        store = SqlTradingStore(database, _SCOPE)
        await store.save_halt(HaltRecord(halted=False, reason="", set_by="benchmark", changed_us=1))
        await database.prepare_writes()
        yield _Kept(store, database)
    finally:
        await database.close()


def _limits() -> RiskLimits:
    return RiskLimits(
        concurrent_max=1_000,
        open_orders_max=1_000,
        entries_per_minute_max=1_000_000,
        series_max_bp=10_000,
        event_max_bp=10_000,
        release_group_max_bp=10_000,
        total_max_bp=10_000,
    )


def _listing(ticker: str) -> Listing:
    now_us = SystemClock().now_us()
    market = Market(
        ticker=MarketTicker(ticker),
        event_ticker=EventTicker("KXBENCH-26DEC"),
        series_ticker=SeriesTicker("KXBENCH"),
        title=ticker,
        status=MarketStatus.ACTIVE,
        exchange_index=0,
        grid=CENT_GRID,
        open_us=0,
        close_us=now_us + 5 * HOUR_US,
        expected_expiration_us=None,
        updated_us=None,
        yes_bid=Price(9_500),
        yes_ask=Price(9_800),
        yes_bid_size=Quantity(500_000),
        yes_ask_size=Quantity(500_000),
        last_price=None,
        volume=Quantity(10_000_000),
        volume_24h=Quantity(10_000_000),
        open_interest=Quantity(0),
        strike_type=None,
        floor_strike=None,
        cap_strike=None,
        result="",
        settlement_value=None,
    )
    fees = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)
    return Listing(market=market, fees=fees, is_exclusive=False)


def main() -> int:
    """Be one contestant until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", help="floor, or any name for a bot")
    parser.add_argument("port", type=int)
    parser.add_argument("directory", type=Path, help="where key.pem is")
    parser.add_argument("database", nargs="?", default="", help="nothing is stored without one")
    parser.add_argument("--telegram", default="", help="address of the Bot API to listen to")
    chosen = parser.parse_args()
    is_floor = chosen.name == "floor"
    bot = (chosen.name, chosen.port, chosen.directory, chosen.database, chosen.telegram)
    work = _floor(chosen.port) if is_floor else _bot(*bot)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
