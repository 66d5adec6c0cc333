"""``panic`` at the command line: through the leader, or leading for as long as it takes.

The halt comes first and needs nobody. Where nobody leads, this process takes the lead
itself, on the same fences as any other: what it sends is stored under its epoch, the
groups of a dead predecessor are triggered, and a bot that starts meanwhile takes over.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from bot.adapters.storage.database import Database
from bot.adapters.storage.queries import SqlQueries, led_scopes
from bot.app.basics import Means, open_database, real_means
from bot.app.build import candidate_of, exchange_of, signer_of
from bot.app.leading import Leading
from bot.app.lifecycle import Lifecycle, Role, stop_on_signals
from bot.app.main import alongside, lifecycle_of, preflight
from bot.app.orders import CommandAnswer, ask_leader, give_command
from bot.app.portal import PageBackend
from bot.app.running import Parts, Running
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from bot.domain.ids import Scope
from bot.execution.panic import from_record
from bot.kit.times import SECOND_US
from bot.ops import hostlock

_HALT_WITHIN_S = 10.0
_LOOK_S = 0.2


async def get_out(
    settings: BotSettings, *, is_everything: bool, scope: str | None, wait_s: float
) -> CommandAnswer:
    """Halt, cancel, sell; returns with the exchange's proof or with what is still in the way.

    Raises:
        ConfigurationFault: nobody leads, and without a key the exchange cannot be reached.
        StorageUnavailable: the database cannot be reached.
        LockHeld: a bot runs on this host's SQLite database and does not lead.
    """
    halted = await give_command(settings, "/halt panic", scope=scope, wait_s=_HALT_WITHIN_S)
    line = f"/panic{' everything' if is_everything else ''}"
    target = Scope(scope) if scope is not None else settings.scope
    async with open_database(settings, migrated=True) as database:
        led = await led_scopes(database)
        if target in led:
            answer = await _through_leader(database, target, line, wait_s)
        elif scope is None and led:
            named = f"{settings.scope} has no leader, but {', '.join(led)} has: "
            return _after(halted, named + "name the one to sell with --scope", is_done=False)
        elif target != settings.scope:
            why = f"nobody leads {target}, and this configuration is {settings.scope}'s"
            return _after(halted, f"{why}: give the one of {target}", is_done=False)
        else:
            answer = await _lead_and_ask(settings, database, line, wait_s)
    return _after(halted, answer.text, is_done=answer.is_done)


def _after(halted: CommandAnswer, text: str, *, is_done: bool) -> CommandAnswer:
    return CommandAnswer(text=f"{halted.text}\n{text}", is_done=is_done)


async def _through_leader(
    database: Database, scope: Scope, line: str, wait_s: float
) -> CommandAnswer:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    answer = await ask_leader(database, scope, line, wait_s)
    if not answer.is_done:
        return answer
    queries = SqlQueries(database, scope)
    while True:
        record = await queries.panic()
        if record is None:
            return answer  # a leader that holds no positions: its answer says all
        if not record.tripped:
            return CommandAnswer(text=record.reason, is_done=from_record(record).is_clean)
        if loop.time() >= deadline:
            text = f"not out yet after {wait_s:.0f} s: {record.reason}; the leader goes on"
            return CommandAnswer(text=text, is_done=False)
        await asyncio.sleep(_LOOK_S)


async def _lead_and_ask(
    settings: BotSettings, database: Database, line: str, wait_s: float
) -> CommandAnswer:
    if settings.trading.read_only:
        raise ConfigurationFault(
            ["halted, but trading.read_only sends nothing: give the configuration that trades"]
        )
    settings = settings.model_copy(update={"mode": "trade"})
    if signer_of(settings) is None:
        raise ConfigurationFault(
            ["halted, but nobody leads: to sell, this needs KALSHI_API_KEY_ID and its private key"]
        )
    preflight(settings)
    means, stop = real_means(), asyncio.Event()
    async with _alone_on_sqlite(settings, means):
        stop_on_signals(stop)
        exchange = exchange_of(settings, means, signer_of(settings))
        async with exchange.open():
            running = Running(
                Parts(
                    settings=settings,
                    means=means,
                    database=database,
                    exchange=exchange,
                    signer=signer_of(settings),
                    candidate=candidate_of(settings, means, os.getpid()),
                )
            )
            leading = Leading(running, PageBackend(running), is_brief=True)
            lifecycle = lifecycle_of(running, leading, stop)
            async with alongside(running):
                return await _ask_ourselves(running, lifecycle, stop, line, wait_s)


@contextlib.asynccontextmanager
async def _alone_on_sqlite(settings: BotSettings, means: Means) -> AsyncIterator[None]:
    if not settings.database.is_sqlite:
        yield
        return
    lock = settings.lock_file or hostlock.default_path()
    with await hostlock.acquire(lock, means.clock, settings.lock_wait_s):
        yield


async def _ask_ourselves(
    running: Running, lifecycle: Lifecycle, stop: asyncio.Event, line: str, wait_s: float
) -> CommandAnswer:
    deadline_us = running.clock.monotonic_us() + round(wait_s * SECOND_US)
    async with asyncio.TaskGroup() as group:
        life = group.create_task(lifecycle.run(), name="life")
        while lifecycle.role is not Role.LEADING and not (life.done() or stop.is_set()):
            if running.clock.monotonic_us() >= deadline_us:
                break
            await asyncio.sleep(_LOOK_S)
        answer = CommandAnswer(text=f"could not lead within {wait_s:.0f} s", is_done=False)
        if lifecycle.role is Role.LEADING or life.done():
            # Ended at once, it left the lead to somebody who took it meanwhile: ask that one.
            left_s = max(_LOOK_S, (deadline_us - running.clock.monotonic_us()) / SECOND_US)
            answer = await _through_leader(running.parts.database, running.scope, line, left_s)
        stop.set()
    if answer.is_done:
        return answer
    note = "nobody leads from here on: start the bot, it goes on with it"
    return CommandAnswer(text=f"{answer.text}; {note}", is_done=False)
