"""Menus are set for whom they can be, and a failing one stops nobody."""

import json

import pytest

from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.menu import publish_menu
from tests.fakes.telegram_server import FakeTelegram, Refused
from tests.support.console import ADMIN, LEVELS, TRADER, VIEWER
from tests.support.telegram import fast

pytestmark = pytest.mark.looptime(False)


async def test_a_chat_that_was_never_started_is_skipped():
    async with FakeTelegram() as server, open_bot(fast(server)) as bot:
        server.commands["default"] = ["left_over"]
        server.refusals["setMyCommands"] = [Refused(400, "Bad Request: chat not found")]
        await publish_menu(bot, LEVELS, {})
        chats = {json.loads(scope)["chat_id"] for scope in server.commands if scope != "default"}
    assert chats == {TRADER, VIEWER}
    assert ADMIN not in chats
    assert "default" not in server.commands


async def test_telegram_away_costs_only_the_menu():
    async with FakeTelegram() as server, open_bot(fast(server)) as bot:
        server.is_down = True
        await publish_menu(bot, LEVELS, {})
    assert server.commands == {}
