"""Only what a person typed or pressed for this bot becomes a command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Bot, Update

from bot.adapters.telegram.updates import command_of
from bot.ports.messages import Channel
from tests.fakes.telegram_server import TOKEN

BOT = Bot(TOKEN)
ADA = {"id": 11, "is_bot": False, "first_name": "Ada", "last_name": "L"}
PRIVATE = {"id": 11, "type": "private", "first_name": "Ada"}
MESSAGE = {"message_id": 3, "date": 1_795_245_300, "chat": PRIVATE, "from": ADA, "text": "/halt x"}
QUERY = {"id": "9", "from": ADA, "chat_instance": "1", "data": "yes:1", "message": MESSAGE}


def read(content):
    return command_of(
        Update.de_json({"update_id": 5, **content}, BOT),
        bot_id=7,
        bot_name="Our_Bot",
        received_us=99,
    )


def test_a_typed_line_keeps_who_where_and_when():
    command = read({"message": MESSAGE})
    assert command is not None
    assert (command.channel, command.bot_id, command.update_id) == (Channel.TELEGRAM, 7, 5)
    assert (command.user_id, command.user_name, command.chat_id) == (11, "Ada L", 11)
    assert (command.is_private, command.text, command.button) == (True, "/halt x", None)
    assert (command.sent_us, command.received_us) == (1_795_245_300_000_000, 99)
    assert command.granted is None


def test_a_press_keeps_its_data_and_counts_from_its_arrival():
    command = read({"callback_query": QUERY})
    assert command is not None
    assert (command.text, command.button, command.sent_us) == ("", "yes:1", 99)


@pytest.mark.parametrize(
    "content",
    [
        {"edited_message": MESSAGE},
        {"channel_post": MESSAGE},
        {"message": {key: value for key, value in MESSAGE.items() if key != "from"}},
        {"message": MESSAGE | {"text": ""}},
        {"message": {key: value for key, value in MESSAGE.items() if key != "text"}},
        {"message": MESSAGE | {"text": "/halt@their_bot"}},
        {"message": MESSAGE | {"from": ADA | {"is_bot": True}}},
        {"message": MESSAGE | {"via_bot": ADA | {"is_bot": True}}},
        {"callback_query": {key: value for key, value in QUERY.items() if key != "message"}},
        {"callback_query": {key: value for key, value in QUERY.items() if key != "data"}},
        {"callback_query": QUERY | {"from": ADA | {"is_bot": True}}},
        {},
    ],
)
def test_anything_else_is_nothing(content):
    assert read(content) is None


@pytest.mark.parametrize("text", ["/halt@our_bot x", "/halt@Our_Bot x"])
def test_a_command_that_names_this_bot_is_for_it(text):
    assert read({"message": MESSAGE | {"text": text}}) is not None


@given(st.text(min_size=1), st.integers(-(10**13), 10**13))
def test_any_text_from_anywhere_is_a_command_or_nothing(text, chat):
    where = {"id": chat, "type": "private" if chat > 0 else "supergroup", "title": "x"}
    command = read({"message": MESSAGE | {"text": text, "chat": where}})
    assert command is None or (command.text == text[:4096] and command.is_private == (chat > 0))
