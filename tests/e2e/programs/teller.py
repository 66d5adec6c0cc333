"""A bot that only tells: real alerts, store and Telegram channel, on a clock that runs faster.

Each alert has its place in a row of ``--count``; a successor goes on where the store ends, and
sends once all are stored.
"""

import argparse
import asyncio
import logging

from sqlalchemy import func, select

from bot.adapters.storage.database import Database
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.tables import outbox
from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.outbound import OutboundParts, TelegramOutbound
from bot.adapters.telegram.settings import TelegramSettings
from bot.alerts.dispatcher import Alerts, AlertSettings, Recipient
from bot.domain.alerts import AlertKind
from bot.domain.ids import Scope
from bot.ports.messages import Channel
from tests.fakes.fast_clock import FastClock
from tests.fakes.operator import BANNER
from tests.fakes.telegram_server import TOKEN

SCOPE = Scope("paper:e2e:0")
PERSON, GROUP = 11, -100
BREAKER_EVERY = 250
WINDOW_US = 30_000_000
_KINDS = (AlertKind.POSITION_OPENED, AlertKind.POSITION_CLOSED, AlertKind.COLLECT_FAILED)
_AT_ONCE = 500


async def run(arguments: argparse.Namespace) -> None:
    clock = FastClock(arguments.since_us, arguments.speed)
    database = await Database.open(arguments.database)
    box = SqlOutbox(database, SCOPE, clock)
    settings = TelegramSettings(token=TOKEN, api_url=arguments.telegram)
    async with open_bot(settings) as bot, asyncio.TaskGroup() as group:
        sender = TelegramOutbound(
            OutboundParts(
                bot=bot,
                settings=settings,
                outbox=box,
                clock=clock,
                may_send=lambda: True,
                speed=arguments.speed,
            )
        )
        alerts = Alerts(
            outbox=box,
            clock=clock,
            banner=lambda: BANNER,
            settings=AlertSettings(
                recipients=tuple(
                    Recipient(channel=Channel.TELEGRAM, address=str(one)) for one in (PERSON, GROUP)
                ),
                window_us=WINDOW_US,
            ),
            queued=sender.wake,
        )
        group.create_task(alerts.run())
        await _tell(alerts, database, arguments.count)
        await alerts.drain()
        # What the limit holds back is due then: the whole backlog stands in its order.
        await asyncio.sleep(2 * WINDOW_US / 1_000_000 / arguments.speed)
        group.create_task(sender.run())


async def _tell(alerts: Alerts, database: Database, count: int) -> None:
    query = select(func.count(outbox.c.alert.distinct()))
    async with database.read() as connection:
        begin: int = (await connection.execute(query)).scalar_one()
    for number in range(begin, count):
        if number % BREAKER_EVERY == BREAKER_EVERY // 2:
            facts = {"name": f"breaker{number}", "reason": "loss"}
            alerts.post(AlertKind.BREAKER_TRIPPED, facts)
        else:
            facts = {"ticker": f"KX-{number}", "error": f"KX-{number}"}
            alerts.post(_KINDS[number % len(_KINDS)], facts)
        while alerts.backlog >= _AT_ONCE:  # noqa: ASYNC110 - the store has to catch up
            await asyncio.sleep(0.001)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("telegram")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--since-us", type=int, required=True)
    parser.add_argument("--speed", type=float, required=True)
    logging.disable(logging.ERROR)  # each alert is a line of the log as well
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
