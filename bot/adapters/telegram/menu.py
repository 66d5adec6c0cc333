"""The command menu that Telegram shows: everyone sees their own commands, strangers none."""

import logging
from collections.abc import Mapping

from telegram import Bot, BotCommand, BotCommandScopeChat, MenuButtonCommands
from telegram.error import TelegramError

from bot.adapters.telegram.client import judge
from bot.console.handlers import command_table
from bot.domain.operations import AccessLevel

logger = logging.getLogger(__name__)

_DESCRIPTION_MAX = 256


async def publish_menu(
    bot: Bot, levels: Mapping[int, AccessLevel], shown: Mapping[int, AccessLevel]
) -> None:
    """Set the menus of ``levels`` as far as ``shown`` differs, and clear those of who is out.

    A chat that was never started is skipped. The first time, with nothing shown, whatever an
    earlier program left for everybody goes.
    """
    if not shown:
        await _first(bot)
    for user in sorted(set(shown) - set(levels)):
        try:
            await bot.delete_my_commands(scope=BotCommandScopeChat(user))
        except TelegramError as error:
            _not_set(user, error)
    table = command_table()
    for user, level in sorted(levels.items()):
        if shown.get(user) is level:
            continue
        commands = [
            BotCommand(spec.name, spec.help[:_DESCRIPTION_MAX]) for spec in table.allowed(level)
        ]
        try:
            await bot.set_my_commands(commands, scope=BotCommandScopeChat(user))
        except TelegramError as error:
            _not_set(user, error)


async def _first(bot: Bot) -> None:
    try:
        await bot.delete_my_commands()
        await bot.set_chat_menu_button(menu_button=MenuButtonCommands())
    except TelegramError as error:
        logger.info("command menu not cleared", extra={"reason": judge(error).reason})


def _not_set(user: int, error: TelegramError) -> None:
    logger.info("command menu not set", extra={"user_id": user, "reason": judge(error).reason})
