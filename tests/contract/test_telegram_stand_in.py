"""The stand-in for the Bot API, and what our adapter sends it, judged by others than us.

The judges are the library that real bots use and, where it is at hand, the Bot
API's own description; the rules about polling are the documented ones.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    MenuButtonCommands,
    Update,
)
from telegram.constants import (
    BotCommandLimit,
    FileSizeLimit,
    FloodLimit,
    InlineKeyboardButtonLimit,
    MessageLimit,
    ParseMode,
    PollingLimit,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, RetryAfter

from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.settings import TelegramSettings
from bot.console.handlers import command_table
from bot.kit.markup import CAPTION_LENGTH_MAX, MESSAGE_LENGTH_MAX
from tests.fakes.operator import HALTED
from tests.fakes.telegram_api import Judge, LibraryJudge, api_judge
from tests.fakes.telegram_server import TOKEN, FakeTelegram, Refused, Request
from tests.support.console import ACCESS, ADMIN, GROUP, TRADER, Talk
from tests.support.telegram import Cockpit, fast

pytestmark = pytest.mark.looptime(False)


@pytest.fixture(params=[LibraryJudge, api_judge], ids=["library", "description"])
def judge(request: pytest.FixtureRequest) -> Judge:
    made: Judge = request.param()
    return made


@pytest.fixture
async def server() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as running:
        yield running


@pytest.fixture
async def bot(server: FakeTelegram) -> AsyncIterator[Bot]:
    """The vendor's client."""
    async with open_bot(fast(server)) as opened:
        yield opened


def faults_of(judge: Judge, server: FakeTelegram) -> list[str]:
    assert server.requests
    return [fault for request in server.requests for fault in judge.faults(request)]


async def use_everything(bot: Bot, server: FakeTelegram) -> None:
    """Every method of the stand-in, with and without what is optional."""
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes:1")]])
    scope = BotCommandScopeChat(ADMIN)
    await bot.get_me()
    await bot.set_my_commands([BotCommand("status", "How it is")], scope=scope)
    await bot.delete_my_commands(scope=scope)
    await bot.set_chat_menu_button(ADMIN, MenuButtonCommands())
    await bot.send_message(GROUP, "<b>bold</b> &amp; plain", parse_mode=ParseMode.HTML)
    await bot.send_message(GROUP, "in a topic", message_thread_id=7)
    sent = await bot.send_message(ADMIN, "one", reply_markup=keyboard)
    await bot.edit_message_text("two", chat_id=ADMIN, message_id=sent.message_id)
    await bot.edit_message_reply_markup(ADMIN, sent.message_id, reply_markup=keyboard)
    await bot.send_document(ADMIN, InputFile(b"x", filename="b.sqlite"), caption="file")
    await bot.send_photo(ADMIN, InputFile(b"x", filename="pnl.png"))
    server.type(ADMIN, "/status")
    server.type(ADMIN, "/status", chat=GROUP)
    server.press(ADMIN, server.said[ADMIN][0], "Yes")
    found = await bot.get_updates(timeout=1)
    query = found[-1].callback_query
    assert query is not None
    await bot.answer_callback_query(query.id)
    await bot.set_webhook("https://example.org")
    await bot.get_webhook_info()
    await bot.delete_webhook()


async def test_every_answer_of_the_stand_in_is_one_of_the_bot_api(
    bot: Bot, server: FakeTelegram, judge: Judge
) -> None:
    await use_everything(bot, server)
    assert faults_of(judge, server) == []


async def test_every_request_of_ours_is_one_of_the_bot_api(
    server: FakeTelegram, judge: Judge, tmp_path
) -> None:
    cockpit = Cockpit(server, Talk())
    cockpit.talk.operator.halt_view = HALTED
    backup = tmp_path / "backup.sqlite"
    backup.write_bytes(b"x")
    cockpit.talk.operator.backup_path = str(backup)
    async with cockpit.running():
        await server.until(lambda: len(server.commands) == len(ACCESS.users))
        for spec in command_table().specs:
            server.type(ADMIN, f"/{spec.name}")
        await server.answer(ADMIN, len(command_table().specs), 20.0)
        server.type(TRADER, "/unhalt")
        asked = await server.answer(TRADER, 1)
        server.press(TRADER, asked, "End the halt")
        await server.answer(TRADER, 2)
        await server.until(lambda: asked.buttons == [])
        await cockpit.until_sent()
    methods = {request.method for request in server.requests}
    assert methods >= {"getMe", "getUpdates", "sendMessage", "sendDocument", "setMyCommands"}
    assert methods >= {"answerCallbackQuery", "editMessageReplyMarkup", "deleteMyCommands"}
    assert faults_of(judge, server) == []


MESSAGE = {"message_id": 1, "date": 1, "chat": {"id": 11, "type": "private"}, "text": "x"}


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        ({"chat_id": "11"}, MESSAGE),
        ({"chat_id": "11", "text": "x", "markdown": "yes"}, MESSAGE),
        ({"chat_id": "11", "text": "x"}, {"message_id": 1, "date": 1}),
        ({"chat_id": "11", "text": "x"}, MESSAGE | {"author": "Ada"}),
        ({"chat_id": "11", "text": "x"}, MESSAGE | {"chat": {"id": 11, "type": "x", "y": 1}}),
    ],
)
def test_a_judge_sees_what_is_missing_and_what_is_made_up(judge: Judge, params, answer) -> None:
    right = Request("sendMessage", {"chat_id": "11", "text": "x"}, {}, MESSAGE)
    assert judge.faults(right) == []
    assert len(judge.faults(Request("sendMessage", params, {}, answer))) == 1


def test_our_limits_are_the_documented_ones() -> None:
    settings = TelegramSettings(token=TOKEN)
    assert MESSAGE_LENGTH_MAX == MessageLimit.MAX_TEXT_LENGTH
    assert CAPTION_LENGTH_MAX == MessageLimit.CAPTION_LENGTH
    assert settings.document_bytes_max <= FileSizeLimit.FILESIZE_UPLOAD
    assert settings.private_gap_s >= 1 / FloodLimit.MESSAGES_PER_SECOND_PER_CHAT
    assert settings.group_gap_s >= 60 / FloodLimit.MESSAGES_PER_MINUTE_PER_GROUP
    assert settings.all_gap_s >= 1 / FloodLimit.MESSAGES_PER_SECOND


def test_the_table_fits_the_menu() -> None:
    specs = command_table().specs
    assert len(specs) <= BotCommandLimit.MAX_COMMAND_NUMBER
    for spec in specs:
        command = BotCommand(spec.name, spec.help)
        assert 1 <= len(command.command) <= BotCommandLimit.MAX_COMMAND, spec.name
        assert command.command.replace("_", "").isalnum(), spec.name
        assert command.command == command.command.lower(), spec.name
        assert 1 <= len(command.description) <= BotCommandLimit.MAX_DESCRIPTION, spec.name


# --- polling ----------------------------------------------------------------------------


async def ids(bot: Bot, **arguments: int) -> list[int]:
    return [one.update_id for one in await bot.get_updates(**arguments)]


async def test_updates_stay_until_a_higher_offset_confirms_them(
    bot: Bot, server: FakeTelegram
) -> None:
    first, second, third = (server.type(ADMIN, "/status") for _ in range(3))
    assert await ids(bot) == [first, second, third]
    assert await ids(bot) == [first, second, third]
    assert await ids(bot, limit=2) == [first, second]
    assert await ids(bot, offset=second) == [second, third]
    assert await ids(bot) == [second, third]
    assert await ids(bot, offset=third + 1) == []
    assert await ids(bot) == []


async def test_a_negative_offset_forgets_all_but_the_last(bot: Bot, server: FakeTelegram) -> None:
    sent = [server.type(ADMIN, "/status") for _ in range(4)]
    assert await ids(bot, offset=-2) == sent[2:]
    assert await ids(bot) == sent[2:]
    assert await ids(bot, offset=-9) == sent[2:]


async def test_a_poll_gives_at_most_a_hundred(bot: Bot, server: FakeTelegram) -> None:
    sent = [server.type(ADMIN, "/status") for _ in range(PollingLimit.MAX_LIMIT + 1)]
    assert await ids(bot, limit=PollingLimit.MAX_LIMIT) == sent[: PollingLimit.MAX_LIMIT]
    assert await ids(bot, limit=1_000) == sent[: PollingLimit.MAX_LIMIT]
    assert await ids(bot, limit=0) == sent[:1]


async def test_only_the_kinds_that_were_asked_for_come(bot: Bot, server: FakeTelegram) -> None:
    await bot.send_message(
        ADMIN,
        "?",
        reply_markup=InlineKeyboardMarkup.from_button(
            InlineKeyboardButton("Yes", callback_data="yes:1")
        ),
    )
    server.type(ADMIN, "/status")
    pressed = server.press(ADMIN, server.said[ADMIN][0], "Yes")
    (only,) = await bot.get_updates(allowed_updates=[Update.CALLBACK_QUERY])
    assert only.update_id == pressed


async def test_the_newer_of_two_polls_evicts_the_older_one(bot: Bot, server: FakeTelegram) -> None:
    server.conflict_pause_s = 0.3
    loop = asyncio.get_running_loop()

    async def evicted() -> float:
        began_s = loop.time()
        with pytest.raises(Conflict):
            await bot.get_updates(timeout=5)
        return loop.time() - began_s

    async with asyncio.TaskGroup() as group:
        oldest = group.create_task(evicted())
        await server.until(lambda: server.polls == 1)
        older = group.create_task(evicted())
        await server.until(lambda: server.polls == 2)
        newest = group.create_task(ids(bot, timeout=5))
        await server.until(lambda: server.polls == 3)
        await server.until(lambda: server.conflicts == 2)
        sent = server.type(ADMIN, "/status")
    assert newest.result() == [sent]
    assert oldest.result() < 0.3
    assert older.result() >= 0.3


async def test_a_short_poll_evicts_nobody(bot: Bot, server: FakeTelegram) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(ids(bot, timeout=5))
        await server.until(lambda: server.is_polled)
        assert await ids(bot) == []
        sent = server.type(ADMIN, "/status")
    assert waiting.result() == [sent]


async def test_a_webhook_refuses_every_poll(bot: Bot, server: FakeTelegram) -> None:
    await bot.set_webhook("https://example.org")
    with pytest.raises(Conflict, match="webhook"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await ids(bot) == []


# --- refusals ---------------------------------------------------------------------------


async def test_flood_control_names_its_seconds_where_the_library_looks(
    bot: Bot, server: FakeTelegram
) -> None:
    server.refusals["sendMessage"] = [
        Refused(429, "Too Many Requests: retry after 7", retry_after=7)
    ]
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(ADMIN, "x")
    assert refused.value._retry_after.total_seconds() == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * (MessageLimit.MAX_TEXT_LENGTH + 1), "message is too long"),
        ("\N{SNOWMAN}" * MessageLimit.MAX_TEXT_LENGTH, ""),
        ("\N{ROCKET}" * (MessageLimit.MAX_TEXT_LENGTH // 2 + 1), "message is too long"),
        ("<b>open", "can't parse entities"),
        ("<b><i>crossed</b></i>", "can't parse entities"),
        ("<h1>no</h1>", "can't parse entities"),
        (" ", "text is empty"),
    ],
)
async def test_a_text_is_refused_or_taken_as_documented(bot: Bot, text: str, said: str) -> None:
    if not said:
        assert (await bot.send_message(ADMIN, text, parse_mode=ParseMode.HTML)).text == text
        return
    with pytest.raises(BadRequest, match=f"(?i){said}"):
        await bot.send_message(ADMIN, text, parse_mode=ParseMode.HTML)


@pytest.mark.parametrize("size", [1, InlineKeyboardButtonLimit.MAX_CALLBACK_DATA])
async def test_button_data_has_its_limit(bot: Bot, server: FakeTelegram, size: int) -> None:
    def keyboard(data: str) -> InlineKeyboardMarkup:
        return InlineKeyboardMarkup.from_button(InlineKeyboardButton("x", callback_data=data))

    await bot.send_message(ADMIN, "x", reply_markup=keyboard("d" * size))
    assert server.said[ADMIN][0].buttons[0]["callback_data"] == "d" * size
    with pytest.raises(BadRequest, match=r"(?i)BUTTON_DATA_INVALID"):
        await bot.send_message(ADMIN, "x", reply_markup=keyboard("d" * 65))


async def test_other_refusals_are_the_classes_that_bots_branch_on(
    bot: Bot, server: FakeTelegram
) -> None:
    server.blocked.add(ADMIN)
    with pytest.raises(Forbidden):
        await bot.send_message(ADMIN, "x")
    with pytest.raises(BadRequest, match="not found"):
        await bot.edit_message_text("x", chat_id=TRADER, message_id=1)
    server.is_token_revoked = True
    with pytest.raises(InvalidToken):
        await bot.get_me()


async def test_an_edit_that_changes_nothing_is_refused(bot: Bot) -> None:
    sent = await bot.send_message(ADMIN, "same")
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("same", chat_id=ADMIN, message_id=sent.message_id)
