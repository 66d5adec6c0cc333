"""Tries the channels by hand: sends a real message to every recipient and times it.

It goes past the outbox, so that it works without a leader and without a database.
"""

import asyncio
import contextlib
import platform
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bot import __version__
from bot.adapters.webhook.carrier import open_web
from bot.adapters.webhook.ping import PING, ExternalPing
from bot.alerts.catalogue import text_of
from bot.alerts.dispatcher import Recipient
from bot.app.basics import Means, real_means
from bot.app.channel_settings import check_channels, ping_settings, recipients
from bot.app.channels import open_carriers, open_telegram_carrier
from bot.app.settings import BotSettings
from bot.domain.alerts import AlertKind
from bot.domain.events import Role
from bot.domain.ids import InstanceId
from bot.domain.operations import Banner, Severity, TradeMode
from bot.kit.clock import Clock
from bot.kit.markup import bold, code
from bot.ports.carriers import Carrier, NoWatch, Parcel, Receipt, Verdict
from bot.ports.messages import Channel, OutgoingMessage, QueuedMessage

TESTED = (Channel.TELEGRAM.value, Channel.EMAIL.value, Channel.WEBHOOK.value, PING)
_KIND = "test"
_HOW_TO = {
    Channel.TELEGRAM.value: "set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID (or telegram.admin_ids)",
    Channel.EMAIL.value: "set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and ALERT_EMAIL",
    Channel.WEBHOOK.value: "set ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET",
    PING: "set ALERT_PING_URL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attempt at one recipient."""

    channel: str
    recipient: str
    receipt: Receipt
    took_ms: int

    @property
    def is_good(self) -> bool:
        """Whether it arrived, as far as the other side says."""
        return self.receipt.verdict is Verdict.DELIVERED

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "channel": self.channel,
            "recipient": self.recipient,
            "ok": self.is_good,
            "reason": self.receipt.reason,
            "took_ms": self.took_ms,
        }

    @property
    def line(self) -> str:
        """For people."""
        end = "sent" if self.is_good else f"FAILED: {self.receipt.reason}"
        return f"{self.channel} to {self.recipient}: {end} ({self.took_ms} ms)"


async def try_channels(settings: BotSettings, only: str | None) -> tuple[Trial, ...]:
    """Send a test to everyone on every configured channel, or on one.

    The ping is tried only when it is named: somebody outside takes it for a sign of life.
    Empty when nothing is configured.

    Raises:
        ConfigurationFault: a channel is wrongly configured.
    """
    check_channels(settings)
    means = real_means()
    wanted = [
        one
        for one in recipients(settings)
        if one.channel is not Channel.PORTAL and only in {None, one.channel.value}
    ]
    async with every_carrier(settings, means.clock) as carriers, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_try(carriers[one.channel], one, settings, means))
            for one in wanted
            if one.channel in carriers
        ]
        if only == PING and ping_settings(settings) is not None:
            tasks.append(group.create_task(_try_ping(settings, means.clock)))
    return tuple(task.result() for task in tasks)


def how_to_configure(only: str | None) -> tuple[str, ...]:
    """What to set where nothing is configured, a line for each channel."""
    names = TESTED[:-1] if only is None else (only,)
    return tuple(f"{name}: {_HOW_TO[name]}" for name in names)


def routes(settings: BotSettings) -> tuple[dict[str, object], ...]:
    """What goes where.

    Raises:
        ConfigurationFault: a channel is wrongly configured.
    """
    check_channels(settings)
    return tuple(
        {
            "channel": one.channel.value,
            "recipient": one.address,
            "at_least": one.at_least.value,
            "also": sorted(kind.value for kind in one.also),
            "kinds": sum(one.hears(kind, {}) for kind in AlertKind),
        }
        for one in recipients(settings)
    )


def catalogue() -> tuple[tuple[AlertKind, Severity, str], ...]:
    """Every alert with its severity and title."""
    return tuple((kind, text_of(kind).severity, text_of(kind).title) for kind in AlertKind)


@contextlib.asynccontextmanager
async def every_carrier(
    settings: BotSettings, clock: Clock
) -> AsyncIterator[Mapping[Channel, Carrier]]:
    """The ways out of every configured channel."""
    async with (
        open_carriers(settings, lambda: _banner(settings), clock) as carriers,
        open_telegram_carrier(settings) as telegram,
    ):
        found: Sequence[Carrier] = carriers if telegram is None else (*carriers, telegram)
        yield {one.channel: one for one in found}


async def _try(
    carrier: Carrier, recipient: Recipient, settings: BotSettings, means: Means
) -> Trial:
    parcel = Parcel(messages=(_message(recipient, settings, means),))
    began_us = means.clock.monotonic_us()
    receipt = await carrier.carry(parcel)
    return Trial(
        channel=recipient.channel.value,
        recipient=recipient.address,
        receipt=receipt,
        took_ms=(means.clock.monotonic_us() - began_us) // 1_000,
    )


async def _try_ping(settings: BotSettings, clock: Clock) -> Trial:
    ping = ping_settings(settings)
    assert ping is not None
    began_us = clock.monotonic_us()
    async with open_web() as session:
        service = ExternalPing(session, ping, is_alive=lambda: True, watch=NoWatch(), clock=clock)
        receipt = await service.once()
    return Trial(
        channel=PING,
        recipient=ping.place,
        receipt=receipt,
        took_ms=(clock.monotonic_us() - began_us) // 1_000,
    )


def _message(recipient: Recipient, settings: BotSettings, means: Means) -> QueuedMessage:
    banner = _banner(settings)
    text = (
        f"{bold('Test')}: alerts of this bot arrive here\n"
        f"Sent by hand with {code('python -m bot alerts test')}\n"
        f"{bold(banner.mode.value.upper())} | {code(banner.instance)}"
    )
    now_us = means.clock.now_us()
    return QueuedMessage(
        # Outside the outbox's numbers, and another one each time.
        id=-means.random.getrandbits(31),
        attempts=0,
        created_us=now_us,
        due_us=now_us,
        message=OutgoingMessage(
            channel=recipient.channel,
            recipient=recipient.address,
            kind=_KIND,
            severity=Severity.INFO,
            text=text,
            instance=banner.instance,
        ),
    )


def _banner(settings: BotSettings) -> Banner:
    return Banner(
        instance=InstanceId(f"command line on {platform.node()}"),
        mode=TradeMode(settings.trading_mode),
        role=Role.STANDBY,
        epoch=None,
        leading_since_us=None,
        version=__version__,
    )
