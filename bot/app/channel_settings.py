"""Where alerts go: which channels are configured, and who hears what on each.

Half a configuration is a fault: an operator who set a password believes to be told.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from bot.adapters.email.settings import EmailSettings, Security
from bot.adapters.telegram.settings import TelegramSettings
from bot.adapters.webhook.settings import BodyFormat, PingSettings, WebhookSettings
from bot.alerts.dispatcher import Recipient
from bot.alerts.streams import KINDS, Stream
from bot.app.settings import BotSettings
from bot.domain.alerts import AlertKind
from bot.domain.errors import ConfigurationFault
from bot.ports.messages import Channel

logger = logging.getLogger(__name__)

T = TypeVar("T")
PAGE_RECIPIENT = "page"
_TLS_PORT = 465


def check_channels(settings: BotSettings) -> None:
    """Find every fault of every channel at once.

    Raises:
        ConfigurationFault: with one line for each.
    """
    faults: list[str] = []
    for check in (telegram_settings, email_settings, webhook_settings, ping_settings):
        try:
            check(settings)
        except ConfigurationFault as fault:
            faults += fault.faults
    if faults:
        raise ConfigurationFault(faults)


def if_right(read: Callable[[BotSettings], T | None], settings: BotSettings) -> T | None:
    """A channel; ``None`` where it is not configured, or wrongly.

    No start goes on with a wrong one, but a panic does.
    """
    try:
        return read(settings)
    except ConfigurationFault as fault:
        logger.error("channel left out", extra={"fault": str(fault)})  # noqa: TRY400 - its text says it all
        return None


def _of_chat(chat: int, topics: Mapping[Stream, int]) -> list[Recipient]:
    """A chat, or a group with some streams in topics of their own."""
    if chat > 0 or not topics:
        return [Recipient(channel=Channel.TELEGRAM, address=str(chat))]
    rest = frozenset[AlertKind]().union(*(KINDS[one] for one in Stream if one not in topics))
    by_topic: dict[str, frozenset[AlertKind]] = {str(chat): rest} if rest else {}
    for stream, topic in topics.items():
        address = f"{chat}/{topic}"
        by_topic[address] = by_topic.get(address, frozenset()) | KINDS[stream]
    return [
        Recipient(channel=Channel.TELEGRAM, address=address, only=kinds)
        for address, kinds in by_topic.items()
    ]


def recipients(settings: BotSettings) -> tuple[Recipient, ...]:
    """Everyone who is told, the page first; a channel that is wrongly configured has nobody."""
    email, webhook = if_right(email_settings, settings), if_right(webhook_settings, settings)
    found = [Recipient(channel=Channel.PORTAL, address=PAGE_RECIPIENT)]
    if settings.secrets.telegram_bot_token is not None:
        chats = settings.telegram.alert_chat_ids or settings.telegram.admin_ids
        for chat in dict.fromkeys(chats):
            found += _of_chat(chat, settings.telegram.alert_topics)
    if email is not None:
        found += [
            Recipient(
                channel=Channel.EMAIL,
                address=address,
                at_least=settings.email.min_severity,
                also=settings.email.also,
            )
            for address in email.recipients
        ]
    if webhook is not None:
        found.append(
            Recipient(
                channel=Channel.WEBHOOK,
                address=webhook.place,
                at_least=settings.webhook.min_severity,
            )
        )
    return tuple(found)


def outside_channels(told: Iterable[Recipient]) -> tuple[Channel, ...]:
    """The channels that leave this machine; Telegram's replies do so without any recipient."""
    named = [Channel.TELEGRAM, *(one.channel for one in told)]
    return tuple(one for one in dict.fromkeys(named) if one is not Channel.PORTAL)


def telegram_settings(settings: BotSettings) -> TelegramSettings | None:
    """The Telegram channel, if a token is set.

    Raises:
        ConfigurationFault: the token is none.
    """
    token = settings.secrets.telegram_bot_token
    if token is None:
        return None
    try:
        return TelegramSettings(
            token=token.get_secret_value(),
            api_url=settings.telegram.api_url,
            secrets=settings.secrets.values(),
            zone=settings.operator.zone,
        )
    except ValueError as error:
        raise ConfigurationFault([f"telegram: {error}"]) from None


def email_settings(settings: BotSettings) -> EmailSettings | None:
    """The e-mail channel, if a server is named.

    Raises:
        ConfigurationFault: what is set makes no channel.
    """
    section, secrets = settings.email, settings.secrets
    password = secrets.smtp_password
    if section.host is None:
        if not (section.recipients or password):
            return None
        named = "ALERT_EMAIL" if section.recipients else "SMTP_PASSWORD"
        raise ConfigurationFault([f"email: {named} is set and SMTP_HOST is not; set both"])
    user = secrets.smtp_user
    sender = section.sender or (user if user and "@" in user else None)
    if sender is None:
        raise ConfigurationFault(["email: SMTP_FROM is missing: the address that alerts come from"])
    security = section.security or ("tls" if section.port == _TLS_PORT else "starttls")
    try:
        return EmailSettings(
            host=section.host,
            port=section.port,
            security=Security(security),
            user=user,
            password=password.get_secret_value() if password else None,
            sender=sender,
            recipients=section.recipients,
            ca_file=section.ca_file,
            is_unencrypted_allowed=section.unencrypted_allowed,
            zone=settings.operator.zone,
            secrets=secrets.values(),
        )
    except ValueError as error:
        raise ConfigurationFault([f"email: {error}"]) from None


def webhook_settings(settings: BotSettings) -> WebhookSettings | None:
    """The webhook, if an address is set.

    Raises:
        ConfigurationFault: what is set makes no channel.
    """
    secrets = settings.secrets
    if secrets.webhook_url is None:
        if secrets.webhook_secret is None:
            return None
        raise ConfigurationFault(
            ["webhook: ALERT_WEBHOOK_SECRET is set and ALERT_WEBHOOK_URL is not; set both"]
        )
    key = secrets.webhook_secret
    try:
        return WebhookSettings(
            url=secrets.webhook_url.get_secret_value(),
            key=key.get_secret_value() if key else None,
            format=BodyFormat(settings.webhook.format),
            secrets=secrets.values(),
        )
    except ValueError as error:
        raise ConfigurationFault([f"webhook: {error}"]) from None


def ping_settings(settings: BotSettings) -> PingSettings | None:
    """The dead man's switch, if an address is set.

    Raises:
        ConfigurationFault: it is no address.
    """
    url = settings.secrets.ping_url
    if url is None:
        return None
    try:
        return PingSettings(
            url=url.get_secret_value(),
            every_s=settings.ping.every_s,
            has_signals=settings.ping.signals,
        )
    except ValueError as error:
        raise ConfigurationFault([f"ping: {error}"]) from None
