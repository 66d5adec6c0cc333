"""The command menu that Telegram shows: everyone sees their own commands, strangers none."""

import logging

from telegram import Bot, BotCommand, BotCommandScopeChat
from telegram.error import TelegramError

from bot.adapters.telegram.client import judge
from bot.console.access import AccessSettings
from bot.console.handlers import command_table

logger = logging.getLogger(__name__)

_DESCRIPTION_MAX = 256


async def publish_menu(bot: Bot, access: AccessSettings) -> None:
    """Set the menu of every listed user. A chat that was never started is skipped."""
    table = command_table()
    try:
        # An earlier program may have left one that everybody sees.
        await bot.delete_my_commands()
    except TelegramError as error:
        logger.info("command menu not cleared", extra={"reason": judge(error).reason})
    for user in sorted(access.users):
        level = access.level_of_user(user)
        if level is None:
            continue
        commands = [
            BotCommand(spec.name, spec.help[:_DESCRIPTION_MAX]) for spec in table.allowed(level)
        ]
        try:
            await bot.set_my_commands(commands, scope=BotCommandScopeChat(user))
        except TelegramError as error:
            logger.info(
                "command menu not set", extra={"user_id": user, "reason": judge(error).reason}
            )
