"""Tries the channels by hand: sends a real message to every recipient and times it.

It goes past the outbox, so that it works without a leader and without a database. Where there is
one, admins who were let in by a code are among the recipients.
"""

from bot.adapters.webhook.carrier import open_web
from bot.adapters.webhook.ping import PING, ExternalPing
from bot.adapters.webhook.settings import PingSettings
from bot.alerts.catalogue import text_of
from bot.alerts.dispatcher import Recipient
from bot.app.basics import real_means
from bot.app.channel_settings import check_channels, ping_settings
from bot.app.past_outbox import Attempt, outside_banner, send_now
from bot.app.settings import BotSettings
from bot.app.told import everyone_told
from bot.domain.alerts import AlertKind
from bot.domain.operations import Banner, Severity
from bot.kit.clock import Clock
from bot.kit.markup import bold, code
from bot.ports.carriers import NoWatch
from bot.ports.messages import Channel, OutgoingMessage

TESTED = (Channel.TELEGRAM.value, Channel.EMAIL.value, Channel.WEBHOOK.value, PING)
_KIND = "test"
_HOW_TO = {
    Channel.TELEGRAM.value: "set TELEGRAM_BOT_TOKEN; then TELEGRAM_CHAT_ID or `python -m bot pair`",
    Channel.EMAIL.value: "set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and ALERT_EMAIL",
    Channel.WEBHOOK.value: "set ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET",
    PING: "set ALERT_PING_URL",
}


async def try_channels(settings: BotSettings, only: str | None) -> tuple[Attempt, ...]:
    """Send a test to everyone on every configured channel, or on one.

    The ping is tried only when it is named: somebody outside takes it for a sign of life.
    Empty when nothing is configured.

    Raises:
        ConfigurationFault: a channel is wrongly configured.
    """
    check_channels(settings)
    means = real_means()
    if only == PING:
        ping = ping_settings(settings)
        return () if ping is None else (await _try_ping(ping, means.clock),)
    banner = outside_banner(settings)
    messages = [
        _message(one, banner)
        for one in await everyone_told(settings)
        if only in {None, one.channel.value}
    ]
    return await send_now(settings, means, messages)


def how_to_configure(only: str | None) -> tuple[str, ...]:
    """What to set where nothing is configured, a line for each channel."""
    names = TESTED[:-1] if only is None else (only,)
    return tuple(f"{name}: {_HOW_TO[name]}" for name in names)


async def routes(settings: BotSettings) -> tuple[dict[str, object], ...]:
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
        for one in await everyone_told(settings)
    )


def catalogue() -> tuple[tuple[AlertKind, Severity, str], ...]:
    """Every alert with its severity and title."""
    return tuple((kind, text_of(kind).severity, text_of(kind).title) for kind in AlertKind)


async def _try_ping(ping: PingSettings, clock: Clock) -> Attempt:
    began_us = clock.monotonic_us()
    async with open_web() as session:
        service = ExternalPing(session, ping, is_alive=lambda: True, watch=NoWatch(), clock=clock)
        receipt = await service.once()
    return Attempt(
        channel=PING,
        recipient=ping.place,
        receipt=receipt,
        took_ms=(clock.monotonic_us() - began_us) // 1_000,
    )


def _message(recipient: Recipient, banner: Banner) -> OutgoingMessage:
    text = (
        f"{bold('Test')}: alerts of this bot arrive here\n"
        f"Sent by hand with {code('python -m bot alerts test')}\n"
        f"{bold(banner.mode.value.upper())} | {code(banner.instance)}"
    )
    return OutgoingMessage(
        channel=recipient.channel,
        recipient=recipient.address,
        kind=_KIND,
        severity=Severity.INFO,
        text=text,
        instance=banner.instance,
    )
