"""A code made at the command line: whoever may read the database's address may let people in."""

import asyncio
from contextlib import suppress

from telegram.error import TelegramError

from bot.adapters.storage.people import SqlPeople
from bot.adapters.telegram.client import open_bot
from bot.app.basics import open_database, own_name, real_means, require_database
from bot.app.channel_settings import telegram_settings
from bot.app.people import make_invitation
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from bot.domain.ids import Scope
from bot.domain.operations import AccessLevel
from bot.kit.times import format_seconds

_NAME_WITHIN_S = 5.0


async def pair(settings: BotSettings, level: AccessLevel, scope: str | None) -> dict[str, object]:
    """Make a code for one person; the leader of the scope takes it.

    Raises:
        ConfigurationFault: there is no bot to send it to.
        StorageUnavailable: it could not be stored.
    """
    if settings.secrets.telegram_bot_token is None:
        raise ConfigurationFault(
            ["TELEGRAM_BOT_TOKEN: not set, so there is no chat to let anybody in; see BotFather"]
        )
    require_database(settings)
    means = real_means()
    chosen = Scope(scope) if scope is not None else settings.scope
    async with open_database(settings, migrated=True) as database:
        made = await make_invitation(
            SqlPeople(database, chosen),
            means.random,
            level=level,
            made_by=f"cli:{own_name()}",
            bot_name=await _bot_name(settings),
            now_us=means.clock.now_us(),
        )
    return {
        "send": f"/pair {made.code}",
        "link": made.link,
        "level": level.name.lower(),
        "scope": chosen,
        "valid_until": format_seconds(made.expires_us),
    }


async def _bot_name(settings: BotSettings) -> str | None:
    """How the bot is called at Telegram, for the link; nothing when that is not to be had now."""
    telegram = telegram_settings(settings)
    assert telegram is not None
    with suppress(TelegramError, TimeoutError):
        async with asyncio.timeout(_NAME_WITHIN_S), open_bot(telegram) as bot:
            return (await bot.get_me()).username
    return None
