"""A bot that only listens: the real Telegram channel, console and store around counted acts.

Kills itself with SIGKILL at the point named by ``--die-at``, when it comes there for
the ``--after``-th time. Every act leaves one row in ``logs``, in the same transaction
as its audit row.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import insert

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlInbox, record_act
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.tables import logs
from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.settings import TelegramSettings
from bot.console.access import AccessSettings
from bot.domain.ids import Epoch, MarketTicker, Scope
from bot.domain.operations import Authority, BackupFile, Banner, Done, HaltView, Outcome
from bot.kit.clock import SystemClock
from bot.ports.messages import (
    AuditEntry,
    Channel,
    ClaimedCommand,
    IncomingCommand,
    OutgoingMessage,
)
from tests.fakes.operator import BANNER, HALTED, FakeOperator
from tests.fakes.telegram_server import TOKEN
from tests.support.chat_services import ChatParts, chat_services

SCOPE = Scope("paper:e2e:0")
ADMIN = 11
TRADERS = (21, 22)
GROUP = -100
CLOCK = SystemClock()
POINTS = ("stored", "claimed", "acting", "acted", "answered", "finished", "sent")


class Doom:
    """Dies at one point."""

    def __init__(self, point: str | None, button: str | None, after: int = 1) -> None:
        self._point = point
        self._button = button
        self._is_due = button is None
        self._left = after

    def met(self, command: IncomingCommand) -> None:
        """With ``--after-press`` a press has to come first."""
        self._is_due = self._is_due or command.button is not None

    def at(self, point: str) -> None:
        if point == self._point and self._is_due:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedInbox:
    def __init__(self, inbox: SqlInbox, doom: Doom) -> None:
        self._inbox = inbox
        self._doom = doom

    async def put(self, commands: Sequence[IncomingCommand]) -> int:
        stored = await self._inbox.put(commands)
        for command in commands:
            self._doom.met(command)
        self._doom.at("stored")
        return stored

    async def claim(self, epoch: Epoch, *, urgent: bool) -> ClaimedCommand | None:
        claimed = await self._inbox.claim(epoch, urgent=urgent)
        if claimed is not None:
            self._doom.at("claimed")
        return claimed

    async def open(self, command: IncomingCommand, epoch: Epoch) -> ClaimedCommand:
        return await self._inbox.open(command, epoch)

    async def finish(
        self, claimed: ClaimedCommand, audit: AuditEntry, replies: Sequence[OutgoingMessage]
    ) -> None:
        self._doom.at("answered")
        await self._inbox.finish(claimed, audit, replies)
        self._doom.at("finished")

    async def waiting(self) -> int:
        return await self._inbox.waiting()

    async def prune(self, before_us: int) -> int:
        return await self._inbox.prune(before_us)


class DoomedOutbox(SqlOutbox):
    def __init__(self, database: Database, doom: Doom) -> None:
        super().__init__(database, SCOPE, CLOCK)
        self._doom = doom

    async def mark_sent(self, ids: Sequence[int], now_us: int) -> None:
        self._doom.at("sent")
        await super().mark_sent(ids, now_us)


class CountingOperator(FakeOperator):
    """Its acts are rows; an act under a known number does not happen again."""

    def __init__(self, database: Database, doom: Doom, banner: Banner) -> None:
        super().__init__(halt_view=HALTED, the_banner=banner)
        self._database = database
        self._doom = doom

    async def halt(self, authority: Authority, reason: str) -> HaltView:
        await self._record(authority, "halt")
        return await super().halt(authority, reason)

    async def unhalt(self, authority: Authority) -> Outcome:
        await self._record(authority, "unhalt")
        return Done(text="the halt has ended")

    async def backup(self, authority: Authority) -> BackupFile:
        await self._record(authority, "backup")
        return await super().backup(authority)

    async def cancel_entries(self, authority: Authority, chosen: str | None = None) -> Outcome:
        await self._record(authority, "cancel")
        return await super().cancel_entries(authority, chosen)

    async def reconcile(self, authority: Authority) -> Outcome:
        await self._record(authority, "reconcile")
        return await super().reconcile(authority)

    async def close(self, authority: Authority, ticker: MarketTicker | None) -> Outcome:
        await self._record(authority, "close")
        return await super().close(authority, ticker)

    async def acknowledge(self, authority: Authority, ticker: MarketTicker) -> Outcome:
        await self._record(authority, "acknowledge")
        return await super().acknowledge(authority, ticker)

    async def _record(self, authority: Authority, name: str) -> None:
        entry = AuditEntry(
            number=authority.number,
            at_us=authority.at_us,
            channel=Channel.TELEGRAM,
            actor=authority.actor,
            command=f"/{name}",
            outcome=f"done: {name}",
            epoch=self.the_banner.epoch,
        )
        row = {
            "at_us": authority.at_us,
            "level": "INFO",
            "service": "e2e",
            "logger": "act",
            "message": name,
            "data_json": str(authority.number),
        }
        async with self._database.begin() as connection:
            if await record_act(connection, SCOPE, entry):
                await connection.execute(insert(logs).values(row))
                self._doom.at("acting")
        self._doom.at("acted")


async def run(arguments: argparse.Namespace) -> None:
    """Until cancelled, or killed."""
    database = await Database.open(arguments.database)
    try:
        await _serve(arguments, database)
    finally:
        await database.close()


async def _serve(arguments: argparse.Namespace, database: Database) -> None:
    doom = Doom(arguments.die_at, "press" if arguments.after_press else None, arguments.after)
    epoch = Epoch(arguments.epoch)
    settings = TelegramSettings(
        token=TOKEN,
        api_url=arguments.telegram,
        poll_s=2,
        retry_cap_s=0.3,
        conflict_retry_s=0.2,
        private_gap_s=0.0,
        group_gap_s=0.0,
    )
    access = AccessSettings(
        admins=frozenset({ADMIN}), traders=frozenset(TRADERS), groups=frozenset({GROUP})
    )
    banner = replace(BANNER, epoch=epoch, leading_since_us=0)
    async with open_bot(settings) as bot, asyncio.TaskGroup() as group:
        parts = ChatParts(
            bot=bot,
            settings=settings,
            access=access,
            database=database,
            scope=SCOPE,
            epoch=epoch,
            operator=CountingOperator(database, doom, banner),
            inbox=DoomedInbox(SqlInbox(database, SCOPE, CLOCK), doom),
            outbox=DoomedOutbox(database, doom),
        )
        for service in chat_services(parts):
            group.create_task(service.run())


def read(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, or words as on one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("telegram")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--die-at", choices=POINTS)
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--after-press", action="store_true")
    return parser.parse_args(words)


def main() -> None:
    asyncio.run(run(read()))


if __name__ == "__main__":
    main()
