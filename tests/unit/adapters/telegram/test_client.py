"""Errors are sorted by what to do about them."""

import logging
from datetime import timedelta

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.adapters.telegram.client import Fault, judge, open_bot
from bot.adapters.telegram.settings import TelegramSettings
from tests.fakes.telegram_server import TOKEN


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimedOut(), Fault.WAIT),
        (NetworkError("Bad Gateway"), Fault.WAIT),
        (TelegramError("odd"), Fault.WAIT),
        (BadRequest("chat not found"), Fault.NEVER),
        (Forbidden("blocked"), Fault.NEVER),
        (ChatMigrated(-1_009), Fault.NEVER),
        (Conflict("terminated by other getUpdates request"), Fault.CONFLICT),
        (InvalidToken(f"The token `{TOKEN}` was rejected"), Fault.TOKEN),
    ],
)
def test_every_error_asks_for_one_thing(error, fault):
    judged = judge(error)
    assert judged.fault is fault
    assert TOKEN not in judged.reason


def test_a_token_in_an_unexpected_place_is_taken_out():
    assert TOKEN not in judge(NetworkError(f"POST /bot{TOKEN}/getMe failed")).reason


@pytest.mark.filterwarnings("ignore:.*retry_after")
@pytest.mark.parametrize("wait", [7, timedelta(seconds=7)])
def test_flood_control_names_its_time_in_either_unit(wait):
    judged = judge(RetryAfter(wait))
    assert (judged.fault, judged.retry_after_s) == (Fault.SLOW_DOWN, 7.0)


@pytest.mark.looptime(False)
async def test_opening_sends_nothing_and_quietens_what_would_log_the_token():
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    async with open_bot(TelegramSettings(token=TOKEN, api_url="http://127.0.0.1:1/")) as bot:
        assert bot.base_url == f"http://127.0.0.1:1/bot{TOKEN}"
    assert {logging.getLogger(name).level for name in ("httpx", "httpcore")} == {logging.WARNING}
