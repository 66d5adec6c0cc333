"""The real Telegram channel against the stand-in, over the in-memory store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.inbound import InboundParts, Pairing, TelegramInbound
from bot.adapters.telegram.outbound import OutboundParts, TelegramOutbound
from bot.adapters.telegram.settings import TelegramSettings
from bot.console.worker import CommandDesk, CommandWorker
from bot.domain.alerts import AlertFacts, AlertKind
from bot.kit.clock import SystemClock
from bot.ports.carriers import Receipt, Verdict
from bot.ports.messages import Channel, Inbox, Outbox
from tests.fakes.people import NobodyPairs
from tests.fakes.telegram_server import TOKEN, FakeTelegram
from tests.support.console import EPOCH, Talk


class Heard:
    """An ``AlertSink`` that remembers."""

    def __init__(self) -> None:
        self.alerts: list[tuple[AlertKind, dict[str, Any]]] = []

    def post(self, kind: AlertKind, facts: AlertFacts) -> None:
        self.alerts.append((kind, dict(facts)))


def fast(server: FakeTelegram, **changes: Any) -> TelegramSettings:
    """Settings that wait little."""
    settings = TelegramSettings(
        token=TOKEN,
        api_url=server.url,
        poll_s=2,
        request_s=2.0,
        retry_cap_s=0.3,
        conflict_retry_s=0.2,
        token_retry_s=0.3,
        store_s=1.0,
        private_gap_s=0.0,
        group_gap_s=0.0,
        all_gap_s=0.0,
    )
    return replace(settings, **changes)


class Noted:
    """A ``DeliveryWatch`` that remembers."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, Verdict]] = []

    async def delivered(self, recipient: str) -> None:
        self.ends.append((recipient, Verdict.DELIVERED))

    async def failed(self, recipient: str, receipt: Receipt) -> None:
        self.ends.append((recipient, receipt.verdict))


class Cockpit:
    """Inbound, worker and outbound of one process."""

    def __init__(self, server: FakeTelegram, talk: Talk, **changes: Any) -> None:
        self.server = server
        self.talk = talk
        self.settings = fast(server, **changes)
        self.epoch: int | None = EPOCH
        self.alerts = Heard()
        self.noted = Noted()
        self.inbox: Inbox = talk.inbox
        self.outbox: Outbox = talk.outbox
        self.pairing: Pairing = NobodyPairs()

    @asynccontextmanager
    async def running(self, *, inbound: bool = True, outbound: bool = True) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            bot = await stack.enter_async_context(open_bot(self.settings))
            sender = TelegramOutbound(
                OutboundParts(
                    bot=bot,
                    settings=self.settings,
                    outbox=self.outbox,
                    clock=SystemClock(),
                    may_send=lambda: self.epoch is not None,
                    watch=self.noted,
                )
            )
            self.sender = sender
            desk = CommandDesk(inbox=self.inbox, console=self.talk.console, clock=self.talk.clock)
            worker = CommandWorker(
                inbox=self.inbox, desk=desk, epoch=lambda: self.epoch, replied=sender.wake
            )
            self.listener = TelegramInbound(
                InboundParts(
                    bot=bot,
                    settings=self.settings,
                    inbox=self.inbox,
                    console=self.talk.console,
                    doorkeeper=self.talk.doorkeeper,
                    pairing=self.pairing,
                    alerts=self.alerts,
                    clock=SystemClock(),
                    random=Random(1),
                    may_poll=lambda: self.epoch is not None,
                    stored=worker.wake,
                )
            )
            services = [worker]
            services += [self.listener] if inbound else []
            services += [sender] if outbound else []
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(service.run()) for service in services]
                yield
                for task in tasks:
                    task.cancel()

    async def until_sent(self, within_s: float = 10.0) -> None:
        """Until nothing waits to be delivered."""
        async with asyncio.timeout(within_s):
            while await self.outbox.waiting(Channel.TELEGRAM):  # noqa: ASYNC110 - another task works
                await asyncio.sleep(0.02)
