"""The senders of the configured channels: for the leader, and for a test by hand."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from bot.adapters.email.carrier import EmailCarrier
from bot.adapters.storage.channel_states import SqlChannelStates
from bot.adapters.telegram.carrier import TelegramCarrier
from bot.adapters.telegram.client import open_bot
from bot.adapters.webhook.carrier import WebhookCarrier, open_web
from bot.adapters.webhook.ping import PING, ExternalPing
from bot.alerts.channel_watch import ChannelWatch
from bot.alerts.courier import Courier, CourierParts
from bot.app.channel_settings import (
    email_settings,
    if_right,
    ping_settings,
    telegram_settings,
    webhook_settings,
)
from bot.app.lifecycle import Tenure
from bot.app.running import Running
from bot.app.settings import BotSettings
from bot.domain.events import Role
from bot.domain.operations import Banner, ChannelView
from bot.kit.clock import Clock
from bot.kit.tasks import Service
from bot.ports.carriers import Carrier
from bot.ports.messages import Channel


@contextlib.asynccontextmanager
async def open_carriers(
    settings: BotSettings, banner: Callable[[], Banner], clock: Clock
) -> AsyncIterator[tuple[Carrier, ...]]:
    """The ways out beside Telegram. Nothing is sent yet; what is wrongly configured is left out."""
    carriers: list[Carrier] = []
    async with contextlib.AsyncExitStack() as stack:
        if (email := if_right(email_settings, settings)) is not None:
            carriers.append(EmailCarrier(email, settings.scope, banner))
        if (webhook := if_right(webhook_settings, settings)) is not None:
            session = await stack.enter_async_context(open_web())
            carriers.append(WebhookCarrier(session, webhook, settings.scope, banner, clock))
        yield tuple(carriers)


@contextlib.asynccontextmanager
async def open_telegram_carrier(settings: BotSettings) -> AsyncIterator[Carrier | None]:
    """Telegram as one more of them, for tests by hand: the bot's own words go their own way."""
    telegram = if_right(telegram_settings, settings)
    if telegram is None:
        yield None
        return
    async with open_bot(telegram) as bot:
        yield TelegramCarrier(bot)


def watch_of(running: Running, channel: Channel) -> ChannelWatch:
    """Whoever notices that a channel's messages do not arrive."""
    return ChannelWatch(
        channel.value,
        states=SqlChannelStates(running.parts.database, running.scope),
        alerts=running.alerts,
        clock=running.clock,
        recipients={one.address for one in running.recipients if one.channel is channel},
    )


async def failing_channels(running: Running) -> tuple[ChannelView, ...]:
    """Where messages do not arrive now, of what is configured."""
    told = {(one.channel.value, one.address) for one in running.recipients}
    ping = if_right(ping_settings, running.settings)
    if ping is not None:
        told.add((PING, ping.place))
    states = SqlChannelStates(running.parts.database, running.scope)
    return tuple(
        ChannelView(
            channel=one.channel,
            recipient=one.recipient,
            reason=one.reason,
            since_us=one.changed_us,
        )
        for one in await states.read()
        if one.is_failing and (one.channel, one.recipient) in told
    )


async def channel_services(
    stack: contextlib.AsyncExitStack, running: Running, tenure: Tenure
) -> Sequence[Service]:
    """The leader's senders of e-mail and webhook, and the dead man's ping."""
    settings, means = running.settings, running.parts.means
    carriers = await stack.enter_async_context(open_carriers(settings, running.banner, means.clock))
    services: list[Service] = []
    for carrier in carriers:
        courier = Courier(
            CourierParts(
                carrier=carrier,
                outbox=running.outbox,
                clock=means.clock,
                random=means.random,
                may_send=tenure.gate.is_held,
                watch=watch_of(running, carrier.channel),
            )
        )
        running.wakes.messages.append(courier.wake)
        services.append(courier)
    ping = if_right(ping_settings, settings)
    if ping is not None:
        services.append(
            ExternalPing(
                await stack.enter_async_context(open_web()),
                ping,
                is_alive=lambda: tenure.gate.is_held() and running.standing.role is Role.LEADING,
                watch=ChannelWatch(
                    PING,
                    states=SqlChannelStates(running.parts.database, running.scope),
                    alerts=running.alerts,
                    clock=running.clock,
                    recipients={ping.place},
                    meanwhile="whoever watches it will raise the alarm, though the bot leads",
                ),
                clock=means.clock,
            )
        )
    return services
