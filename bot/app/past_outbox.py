"""Messages that go straight to people: a test by hand, and what must be said while nobody leads.

The outbox is the leader's: who does not lead may not empty it, for its messages
would arrive twice. Nothing here is stored, tried again or kept in order.
"""

import asyncio
import contextlib
import platform
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bot import __version__
from bot.app.basics import Means
from bot.app.channels import open_carriers, open_telegram_carrier
from bot.app.settings import BotSettings
from bot.domain.events import Role
from bot.domain.ids import InstanceId
from bot.domain.operations import Banner, TradeMode
from bot.kit.clock import Clock
from bot.ports.carriers import Carrier, Parcel, Receipt, Verdict
from bot.ports.messages import Channel, OutgoingMessage, QueuedMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at one recipient."""

    channel: str
    recipient: str
    receipt: Receipt
    took_ms: int

    @property
    def is_good(self) -> bool:
        """Whether it arrived, as far as the other side says."""
        return self.receipt.verdict is Verdict.DELIVERED


def outside_banner(settings: BotSettings) -> Banner:
    """Who speaks, where no leader does."""
    return Banner(
        instance=InstanceId(f"a process on {platform.node()}"),
        mode=TradeMode(settings.trading_mode),
        role=Role.STANDBY,
        epoch=None,
        leading_since_us=None,
        version=__version__,
    )


async def send_now(
    settings: BotSettings, means: Means, messages: Sequence[OutgoingMessage]
) -> tuple[Attempt, ...]:
    """Try each message once, all together; those for the page are left out."""
    async with every_carrier(settings, means.clock) as carriers, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_attempt(carriers[message.channel], message, means))
            for message in messages
            if message.channel in carriers
        ]
    return tuple(task.result() for task in tasks)


@contextlib.asynccontextmanager
async def every_carrier(
    settings: BotSettings, clock: Clock
) -> AsyncIterator[Mapping[Channel, Carrier]]:
    """The ways out of every configured channel."""
    async with (
        open_carriers(settings, lambda: outside_banner(settings), clock) as carriers,
        open_telegram_carrier(settings) as telegram,
    ):
        found: Sequence[Carrier] = carriers if telegram is None else (*carriers, telegram)
        yield {one.channel: one for one in found}


async def _attempt(carrier: Carrier, message: OutgoingMessage, means: Means) -> Attempt:
    now_us, began_us = means.clock.now_us(), means.clock.monotonic_us()
    queued = QueuedMessage(
        # Outside the outbox's numbers, and another one each time.
        id=-means.random.getrandbits(31),
        attempts=0,
        created_us=now_us,
        due_us=now_us,
        message=message,
    )
    receipt = await carrier.carry(Parcel(messages=(queued,)))
    return Attempt(
        channel=message.channel.value,
        recipient=message.recipient,
        receipt=receipt,
        took_ms=(means.clock.monotonic_us() - began_us) // 1_000,
    )
