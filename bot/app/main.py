"""Running the bot: one cycle for cron, or the managed process that leads, trades and answers.

The managed start is a sequence of named steps. What is wrong for certain
(configuration, key, lock, port, schema) ends it before the working leader
elsewhere is touched; what may pass (database, exchange, Telegram) is waited for.
"""

import asyncio
import contextlib
import logging
import os
import platform
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.adapters.storage.logs import SqlLogs
from bot.app.basics import Means, open_database, real_means
from bot.app.build import (
    candidate_of,
    collect_settings,
    exchange_of,
    history_settings,
    lease_terms,
    signer_of,
)
from bot.app.channel_settings import check_channels
from bot.app.clocks import require_clock
from bot.app.deploy_check import log_deployment
from bot.app.fast_loop import fast_loop_factory
from bot.app.key_check import key_fault
from bot.app.leading import Leading, access_settings
from bot.app.lifecycle import Lifecycle, stop_on_signals
from bot.app.log_keeper import LogKeeper
from bot.app.logging import log_settings
from bot.app.place import require_place
from bot.app.portal import PageBackend
from bot.app.progress import OnAdvance
from bot.app.room import require_room
from bot.app.running import Parts, Running
from bot.app.settings import BotSettings
from bot.app.trading_settings import (
    engine_settings,
    group_settings,
    market_filter,
    monitor_settings,
    strategies,
)
from bot.app.unled import NobodyLeads
from bot.collect.cycle_report import CycleReport
from bot.collect.snapshots import Collector
from bot.domain.errors import BotError, ConfigurationFault, StorageUnavailable
from bot.kit.backoff import Backoff
from bot.leadership.elector import Elector
from bot.leadership.elector import Means as ElectorMeans
from bot.leadership.watchdog import Watchdog
from bot.ops import hostlock
from bot.ops.pulse import Identity, Pulse
from bot.web.server import WebServer

logger = logging.getLogger(__name__)

T = TypeVar("T")
_DATABASE_RETRY = Backoff(base_s=0.5, cap_s=15.0)
_LIMITS_RETRY = Backoff(base_s=5.0, cap_s=300.0)
_LAST_WORDS_S = 2.0


async def run_once(settings: BotSettings, bar: OnAdvance) -> CycleReport:
    """One collect cycle under the host lock.

    Raises:
        LockHeld: another run holds it.
        StorageUnavailable: the database cannot be reached.
    """
    means = real_means()
    signer = signer_of(settings)
    collect = collect_settings(settings)
    require_room(settings)
    lock = settings.lock_file or hostlock.default_path()
    with await hostlock.acquire(lock, means.clock, settings.lock_wait_s):
        async with (
            open_database(settings, migrated=True) as database,
            exchange_of(settings, means, signer).open() as exchange,
        ):
            collector = Collector(
                collect, exchange, SqlCollectionStore(database), means.clock, means.ids
            )
            return await collector.run(
                lambda seen: bar(seen.series_done, seen.series_total, seen.series)
            )


def run_managed(settings: BotSettings, pulse: Pulse | None = None) -> int:
    """Lead, or leave to whoever does; the exit code of the process.

    ``pulse`` leads to the supervisor that started us, if one did.
    """
    if pulse is not None:
        pulse.watch()
    return run_on_fast_loop(_managed(settings, pulse))


def run_on_fast_loop(main: Coroutine[object, object, T]) -> T:
    """Run on uvloop where it exists."""
    with asyncio.Runner(loop_factory=fast_loop_factory()) as runner:
        return runner.run(main)


async def _managed(settings: BotSettings, pulse: Pulse | None) -> int:
    means = real_means()
    preflight(settings)
    log_deployment(settings)
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        if settings.database.is_sqlite:
            # Before the port: a running bot has that too, and only the lock tells who it is.
            lock = settings.lock_file or hostlock.default_path()
            if settings.lock_wait_s:
                logger.info("waiting for the host lock", extra={"limit_s": settings.lock_wait_s})
            stack.enter_context(await hostlock.acquire(lock, means.clock, settings.lock_wait_s))
        stop_on_signals(stop)  # not earlier: nothing would end a wait for the lock
        token = settings.secrets.portal_token
        web = WebServer(
            settings.web.host, settings.web.port, token.get_secret_value() if token else None
        )
        await web.start()
        stack.push_async_callback(web.stop)
        unled = NobodyLeads(settings, means)
        await stack.enter_async_context(unled.watching())
        exchange = exchange_of(settings, means, signer_of(settings))
        await stack.enter_async_context(exchange.open())
        database = await _database(stack, settings, means, exchange, stop)
        if database is None:
            return 0  # told to stop while waiting for the database
        parts = Parts(
            settings=settings,
            means=means,
            database=database,
            exchange=exchange,
            signer=signer_of(settings),
            candidate=candidate_of(
                settings, means, os.getpid(), start_id=pulse.start_id if pulse else ""
            ),
        )
        unled.running = running = Running(parts)
        try:
            return await _live(running, web, stop, _watchdog(parts, pulse))
        finally:
            unled.end()


def preflight(settings: BotSettings) -> None:
    """Everything that can be known to be wrong before anybody is disturbed.

    Raises:
        ConfigurationFault: with what is wrong.
    """
    signer_of(settings)
    lease_terms(settings)
    collect_settings(settings)
    history_settings(settings)
    require_room(settings)
    access_settings(settings)
    check_channels(settings)
    if settings.mode == "trade":
        engine_settings(settings)
        group_settings(settings)
        market_filter(settings)
        monitor_settings(settings)
        strategies(settings)


async def _database(
    stack: contextlib.AsyncExitStack,
    settings: BotSettings,
    means: Means,
    exchange: KalshiExchange,
    stop: asyncio.Event,
) -> Database | None:
    """The migrated database, waited for as long as it cannot be reached.

    Raises:
        ConfigurationFault: it cannot be used, this machine's clock is minutes off, or the
            exchange refuses the API key.
    """
    for wait_s in _DATABASE_RETRY.waits(means.random):
        try:
            async with contextlib.AsyncExitStack() as attempt:
                opening = open_database(settings, migrated=True)
                database = await attempt.enter_async_context(opening)
                await _require_clock_and_key(database, exchange, means)
                await require_place(database, settings, platform.node())
                stack.push_async_callback(attempt.pop_all().aclose)
                return database
        except StorageUnavailable as fault:
            logger.warning("database unreachable, waiting", extra={"reason": str(fault)})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stop.wait()
        if stop.is_set():
            return None
    raise AssertionError("the waits never end")


async def _require_clock_and_key(
    database: Database, exchange: KalshiExchange, means: Means
) -> None:
    """Both at once: an exchange that is away delays a start by one wait, not by two."""
    try:
        async with asyncio.TaskGroup() as group:
            key = group.create_task(key_fault(exchange.adopt_limits))
            # First: on a wrong clock no signature is good.
            await require_clock(database, exchange.status, means.clock)
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None
    if (told := key.result()) is not None:
        raise ConfigurationFault([told])


def _watchdog(parts: Parts, pulse: Pulse | None) -> Watchdog:
    """Ours, and through it the supervisor's, which must know whom to bury."""
    clock = parts.means.clock
    if pulse is None:
        return Watchdog(clock)
    pulse.introduce(
        Identity(
            instance_id=parts.candidate.instance_id,
            scope=parts.candidate.scope,
            database=parts.settings.database.url.get_secret_value(),
        )
    )
    return Watchdog(clock, told=pulse.beat)


async def _live(running: Running, web: WebServer, stop: asyncio.Event, watchdog: Watchdog) -> int:
    page = PageBackend(running)
    web.serve(page)
    lifecycle = lifecycle_of(running, Leading(running, page), stop, watchdog)
    async with alongside(running):
        return await lifecycle.run()


def lifecycle_of(
    running: Running, leading: Leading, stop: asyncio.Event, watchdog: Watchdog | None = None
) -> Lifecycle:
    """The life of a process that seeks the lead; ``stop`` ends it."""
    settings, means = running.settings, running.parts.means
    watchdog = watchdog or Watchdog(means.clock)
    terms = lease_terms(settings)
    elector = Elector(
        store=SqlLeaseStore(running.parts.database),
        candidate=running.parts.candidate,
        terms=terms,
        means=ElectorMeans(clock=means.clock, random=means.random, watchdog=watchdog),
        is_exclusive=settings.database.is_sqlite,
        is_warm=running.warmth.is_warm,
    )
    return Lifecycle(
        elector=elector,
        lead=leading.lead,
        terms=terms,
        clock=means.clock,
        stop=stop,
        told=running.told,
    )


@contextlib.asynccontextmanager
async def alongside(running: Running) -> AsyncIterator[None]:
    """What outlives a leadership: what is told or logged at its end must still be stored."""
    keeper = LogKeeper(SqlLogs(running.parts.database), log_settings(running.settings))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(running.alerts.run(), name="alerts"),
            group.create_task(keeper.run(), name=keeper.name),
            group.create_task(_adopt_limits(running), name="account limits"),
            group.create_task(running.warmth.run(), name="warm-up"),
        ]
        try:
            yield
        finally:
            with contextlib.suppress(StorageUnavailable, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await running.alerts.drain()
                    await keeper.drain()
            for task in tasks:
                task.cancel()


async def _adopt_limits(running: Running) -> None:
    """Pace our calls by the account's own limits, once the exchange tells them."""
    for wait_s in _LIMITS_RETRY.waits(running.parts.means.random):
        try:
            granted = await running.parts.exchange.adopt_limits()
        except BotError as fault:
            logger.info("account limits not read yet", extra={"reason": str(fault)})
            await asyncio.sleep(1 + wait_s)
            continue
        if granted is not None:
            logger.info("account limits read", extra={"limits": str(granted)})
        return
