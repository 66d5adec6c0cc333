"""Who is told from outside the leader: those of the settings, and admins let in by a code."""

import asyncio

from bot.adapters.storage.people import SqlPeople
from bot.alerts.dispatcher import Recipient
from bot.app.basics import open_existing_database
from bot.app.channel_settings import recipients
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.domain.operations import AccessLevel
from bot.ports.messages import Channel

_LOOK_WITHIN_S = 5.0


async def everyone_told(settings: BotSettings) -> tuple[Recipient, ...]:
    """As the leader tells them; without a database, or while it is away, those of the settings."""
    found = recipients(settings)
    if settings.secrets.telegram_bot_token is None or settings.telegram.alert_chat_ids:
        return found
    try:
        async with asyncio.timeout(_LOOK_WITHIN_S), open_existing_database(settings) as database:
            people = await SqlPeople(database, settings.scope).everybody()
    except (StorageUnavailable, ConfigurationFault, TimeoutError):
        return found
    let_in = (
        Recipient(channel=Channel.TELEGRAM, address=str(one.user_id))
        for one in people
        if one.level is AccessLevel.ADMIN
    )
    known = {(one.channel, one.address) for one in found}
    return (*found, *(one for one in let_in if (one.channel, one.address) not in known))
