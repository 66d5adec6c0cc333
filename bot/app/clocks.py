"""Compares this machine's clock with the database's and the exchange's before a start."""

import asyncio
import logging

from bot.adapters.storage.database import Database
from bot.adapters.storage.preflight import database_ahead_us
from bot.domain.errors import BotError, ConfigurationFault
from bot.kit.clock import Clock
from bot.kit.tasks import together
from bot.ops.clocks import judge_clocks
from bot.ops.doctor import ReadStatus, certain_skew_us

logger = logging.getLogger(__name__)

_ASK_EXCHANGE_S = 3.0
"""An exchange that is away does not keep a start waiting: the database's clock must do."""


async def require_clock(database: Database, status: ReadStatus, clock: Clock) -> None:
    """Refuse to start on a clock that is minutes off.

    A database's clock that the exchange proves wrong is told and lived with: nothing that
    keeps two leaders apart is read from it, and a bot that stays away watches no stop.

    Raises:
        ConfigurationFault: this machine's clock is wrong.
        StorageUnavailable: the database does not answer.
    """
    async with together() as group:
        of_database = group.create_task(database_ahead_us(database, clock), name="database clock")
        of_exchange = group.create_task(_exchange_ahead_us(status, clock), name="exchange clock")
    fault = judge_clocks(
        database_ahead_us=of_database.result(), exchange_ahead_us=of_exchange.result()
    )
    if fault is None:
        return
    if fault.is_ours:
        raise ConfigurationFault([fault.told])
    logger.error("clock off", extra={"reason": fault.told})


async def _exchange_ahead_us(status: ReadStatus, clock: Clock) -> int | None:
    before_us = clock.now_us()
    try:
        async with asyncio.timeout(_ASK_EXCHANGE_S):
            server_us = (await status()).server_us
    except (BotError, TimeoutError) as fault:
        why = str(fault) or f"no answer within {_ASK_EXCHANGE_S:.0f} s"
        logger.info("clock not compared with the exchange's", extra={"reason": why})
        return None
    return None if server_us is None else -certain_skew_us(before_us, clock.now_us(), server_us)
