"""What people type arrives once, whatever Telegram, the network and the database do."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest

from bot.domain.alerts import AlertKind
from bot.kit.clock import SystemClock
from tests.fakes.messages import MemoryInbox
from tests.fakes.operator import BANNER, HALTED, STATUS
from tests.fakes.telegram_api import api_judge
from tests.fakes.telegram_server import TOKEN, FakeTelegram, Refused
from tests.support.console import ADMIN, GROUP, STRANGER, TRADER, VIEWER, Talk
from tests.support.telegram import Cockpit

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def server():
    async with FakeTelegram() as running:
        clock = SystemClock()
        running.date = clock.now_us() // 1_000_000
        running.conflict_pause_s = 0.2
        yield running


@pytest.fixture
def cockpit(server) -> Cockpit:
    talk = Talk()
    # People and bot share the real clock here: freshness is measured between them.
    talk.clock = SystemClock()
    talk.operator.the_banner = replace(BANNER, leading_since_us=0)
    talk.console = talk.fresh_console()
    return Cockpit(server, talk)


async def test_a_command_is_answered_in_its_chat(server, cockpit):
    async with cockpit.running():
        server.type(VIEWER, "/pnl")
        said = await server.answer(VIEWER, 1)
    assert said.text.startswith("Day 2026-11-21: +$12.34")
    assert said.text.endswith("#1 | PAPER | inst-7f")


async def test_a_dangerous_command_needs_its_button_and_the_button_goes_away(server, cockpit):
    cockpit.talk.operator.halt_view = HALTED
    async with cockpit.running():
        server.type(TRADER, "/unhalt")
        asked = await server.answer(TRADER, 1)
        assert asked.text.startswith("End the halt?")
        assert cockpit.talk.operator.acts == []
        server.press(TRADER, asked, "End the halt")
        done = await server.answer(TRADER, 2)
        await server.until(lambda: asked.buttons == [])
    assert done.text.startswith("Done: the halt has ended")
    assert cockpit.talk.operator.acts == [("unhalt", 2)]


async def test_a_halt_is_confirmed_twice_first_from_memory_then_from_the_store(server, cockpit):
    async with cockpit.running():
        update = server.type(TRADER, "/halt fire")
        await server.answer(TRADER, 2)
    texts = sorted(server.texts(TRADER), key=len)
    assert texts[0] == "HALTED HERE, not yet saved: fire"
    assert texts[1].startswith("HALTED, saved.")
    assert cockpit.talk.operator.halts_now == [(-update, "fire"), (1, "fire")]


async def test_a_halt_works_while_the_database_is_away_and_is_kept_for_later(server, cockpit):
    cockpit.talk.store.is_away = True
    async with cockpit.running():
        server.type(TRADER, "/halt")
        said = await server.answer(TRADER, 1)
        assert said.text.startswith("HALTED HERE, not yet saved")
        assert len(cockpit.talk.operator.halts_now) == 1
        server.type(TRADER, "/halt again")
        await server.answer(TRADER, 2)
        assert cockpit.talk.operator.acts == []
        cockpit.talk.store.is_away = False
        await server.answer(TRADER, 4)
    assert [name for name, _ in cockpit.talk.operator.acts] == ["halt", "halt"]
    # Delivered again and again meanwhile, each was acted on once from memory.
    assert len([n for n, _ in cockpit.talk.operator.halts_now if n < 0]) == 2


async def test_a_stranger_gets_silence_and_no_row(server, cockpit, caplog):
    async with cockpit.running():
        update = server.type(STRANGER, "/halt")
        await server.until(lambda: server.confirmed >= update)
    assert server.said == {}
    assert cockpit.talk.store.inbox == []
    assert cockpit.talk.operator.halts_now == []
    assert [r.user_id for r in caplog.records if "stranger" in r.getMessage()] == [STRANGER]


@pytest.mark.parametrize(
    "fields",
    [
        {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Bob"}},
        {"via_bot": {"id": 5, "is_bot": True, "first_name": "x"}},
        {"sender_chat": {"id": -5, "type": "channel", "title": "x"}},
        {"from": {"id": ADMIN, "is_bot": True, "first_name": "x"}},
    ],
)
async def test_second_hand_messages_are_not_commands(server, cockpit, fields):
    async with cockpit.running():
        update = server.type(ADMIN, "/halt", **fields)
        await server.until(lambda: server.confirmed >= update)
    assert cockpit.talk.store.inbox == []
    assert cockpit.talk.operator.halts_now == []


async def test_in_a_group_a_command_for_another_bot_is_not_ours(server, cockpit):
    async with cockpit.running():
        server.type(VIEWER, "/status@other_bot", chat=GROUP)
        server.type(VIEWER, "/status@Kalshi_Test_Bot", chat=GROUP)
        await server.answer(GROUP, 1)
        await asyncio.sleep(0.2)
    assert len(server.said[GROUP]) == 1


async def test_an_odd_update_does_not_hide_the_ones_behind_it(server, cockpit, caplog):
    server.deliver({"message": {"message_id": "not even a number"}})
    server.deliver({"callback_query": {"id": "1"}})
    server.type(VIEWER, "/pnl")
    async with cockpit.running():
        await server.answer(VIEWER, 1)
    assert "update not understood" in caplog.text


async def test_telegram_down_and_back_loses_nothing(server, cockpit):
    server.is_down = True
    async with cockpit.running():
        server.type(VIEWER, "/pnl")
        await asyncio.sleep(0.5)
        assert server.said == {}
        server.is_down = False
        await server.answer(VIEWER, 1)
        server.resets_left = 2
        server.type(VIEWER, "/balance")
        await server.answer(VIEWER, 2)
        await asyncio.sleep(0.3)
    assert len(server.said[VIEWER]) == 2


async def test_updates_that_are_delivered_twice_are_answered_once(server, cockpit):
    server.redeliver_confirmed = True
    async with cockpit.running():
        server.type(ADMIN, "/backup")
        await server.answer(ADMIN, 1)
        await server.until(lambda: server.polls > 10)
        server.redeliver_confirmed = False
    assert cockpit.talk.operator.acts == [("backup", 1)]
    assert len(server.said[ADMIN]) == 1


async def test_a_wrong_token_is_one_clear_line_and_heals_by_itself(server, cockpit, caplog):
    server.is_token_revoked = True
    with caplog.at_level(logging.INFO):
        async with cockpit.running():
            await asyncio.sleep(1.2)
            server.is_token_revoked = False
            server.type(VIEWER, "/pnl")
            await server.answer(VIEWER, 1)
    lines = [r for r in caplog.records if "not reachable for commands" in r.getMessage()]
    assert [line.reason for line in lines] == ["Telegram refuses the bot token"]
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(str(vars(record)) for record in caplog.records)


async def test_a_second_poller_is_outlived_while_we_lead_and_reported_after_a_while(server):
    talk = Talk()
    talk.clock = SystemClock()
    talk.console = talk.fresh_console()
    cockpit = Cockpit(server, talk, conflict_alert_s=1.0, conflict_retry_s=0.05)
    rival = Cockpit(server, Talk(), conflict_retry_s=0.05)
    async with cockpit.running(), rival.running(outbound=False):
        await server.until(lambda: cockpit.alerts.alerts, within_s=20)
        rival.epoch = None
        server.type(VIEWER, "/pnl")
        await server.answer(VIEWER, 1)
    kind, facts = cockpit.alerts.alerts[0]
    assert kind is AlertKind.TELEGRAM_CONFLICT
    assert facts["seconds"] >= 1
    assert server.conflicts >= 2


async def test_a_deposed_poller_stops_at_once_and_takes_nothing_along(server, cockpit):
    async with cockpit.running():
        await server.until(lambda: server.polls >= 1)
        cockpit.epoch = None
        await asyncio.sleep(0.5)
        polls = server.polls
        update = server.type(VIEWER, "/pnl")
        await asyncio.sleep(1)
        assert server.polls == polls
        assert server.confirmed < update
        cockpit.epoch = 8
        await server.answer(VIEWER, 1)


async def test_an_open_poll_ends_when_the_gate_shuts(server, cockpit):
    cockpit.settings = replace(cockpit.settings, poll_s=60)
    async with cockpit.running():
        await server.until(lambda: server.is_polled)
        cockpit.epoch = None
        await server.until(lambda: not server.is_polled)


async def test_what_arrives_after_the_gate_shut_is_left_to_the_successor(server, cockpit):
    async with cockpit.running():
        await server.until(lambda: server.is_polled)
        cockpit.epoch = None
        update = server.type(TRADER, "/pnl")
        await asyncio.sleep(0.5)
    assert cockpit.talk.store.inbox == []
    assert server.confirmed < update


async def test_draining_ends_the_poll_at_once(server, cockpit):
    cockpit.settings = replace(cockpit.settings, poll_s=60)
    async with cockpit.running():
        await server.until(lambda: server.is_polled)
        await cockpit.listener.drain()
        await server.until(lambda: not server.is_polled)
        server.type(VIEWER, "/pnl")
        await asyncio.sleep(0.5)
        assert not server.is_polled
    assert cockpit.talk.store.inbox == []


async def test_a_database_that_hangs_does_not_deafen_the_bot(server, cockpit):
    hanging = _HangingInbox(cockpit.talk.store)
    cockpit.inbox = hanging
    cockpit.settings = replace(cockpit.settings, store_s=0.2)
    async with cockpit.running():
        server.type(VIEWER, "/pnl")
        await server.until(lambda: hanging.puts >= 1)
        server.type(TRADER, "/halt")
        await server.answer(TRADER, 1)
        hanging.hangs = False
        await server.answer(VIEWER, 1)
        await server.answer(TRADER, 2)
    assert [name for name, _ in cockpit.talk.operator.acts] == ["halt"]


class _HangingInbox(MemoryInbox):
    puts = 0
    hangs = True

    async def put(self, commands):
        self.puts += 1
        if self.hangs:
            await asyncio.sleep(3_600)
        return await super().put(commands)


async def test_a_forgotten_webhook_is_removed(server, cockpit):
    server.webhook = "https://example.org/hook"
    async with cockpit.running():
        server.type(VIEWER, "/pnl")
        await server.answer(VIEWER, 1)
    assert server.webhook == ""


async def test_flood_control_is_obeyed_while_polling(server, cockpit):
    server.refusals["getUpdates"] = [
        Refused(429, "Too Many Requests: retry after 1", retry_after=1)
    ]
    async with cockpit.running():
        server.type(VIEWER, "/pnl")
        await asyncio.sleep(0.5)
        assert server.said == {}
        await server.answer(VIEWER, 1)


async def test_everyone_has_a_menu_of_what_they_may_do(server, cockpit):
    async with cockpit.running():
        await server.until(lambda: len(server.commands) == 3)
    by_user = {json.loads(scope)["chat_id"]: names for scope, names in server.commands.items()}
    assert "backup" in by_user[ADMIN]
    assert "halt" in by_user[TRADER]
    assert "backup" not in by_user[TRADER]
    assert "halt" not in by_user[VIEWER]


async def test_every_request_and_answer_is_as_the_bot_api_describes(server, cockpit):
    judge = api_judge()
    cockpit.talk.operator.halt_view = HALTED
    async with cockpit.running():
        await server.until(lambda: len(server.commands) == 3)
        server.type(TRADER, "/unhalt")
        asked = await server.answer(TRADER, 1)
        server.press(TRADER, asked, "Leave it")
        await server.answer(TRADER, 2)
        await server.until(lambda: asked.buttons == [])
    methods = {request.method for request in server.requests}
    assert {
        "getMe",
        "getUpdates",
        "sendMessage",
        "answerCallbackQuery",
        "editMessageReplyMarkup",
        "setMyCommands",
        "deleteMyCommands",
    } <= methods
    assert [fault for request in server.requests for fault in judge.faults(request)] == []


async def test_refresh_renews_the_answer_in_its_place_and_keeps_its_button(server, cockpit):
    async with cockpit.running():
        server.type(VIEWER, "/status")
        shown = await server.answer(VIEWER, 1)
        cockpit.talk.operator.view = replace(STATUS, open_positions=4)
        server.press(VIEWER, shown, "Refresh")
        await server.until(lambda: "Positions: 4 of 5" in shown.text)
        assert "as of " in shown.text
        assert "#2 | PAPER" in shown.text
        server.press(VIEWER, shown, "Refresh")
        await server.until(lambda: "#3 | PAPER" in shown.text)
    assert len(server.said[VIEWER]) == 1
    assert [button["text"] for button in shown.buttons] == ["Refresh"]


async def test_a_stranger_s_press_of_refresh_changes_nothing(server, cockpit):
    async with cockpit.running():
        server.type(VIEWER, "/status", chat=GROUP)
        shown = await server.answer(GROUP, 1)
        server.press(STRANGER, shown, "Refresh")
        server.press(VIEWER, shown, "Refresh")
        await server.until(lambda: "#2 | PAPER" in shown.text)
    assert [row.command.user_id for row in cockpit.talk.store.inbox] == [VIEWER, VIEWER]


async def test_a_key_that_was_pasted_by_mistake_is_not_stored(server, cockpit):
    async with cockpit.running():
        server.type(TRADER, f"/halt {TOKEN}")
        await server.until(lambda: any("saved." in text for text in server.texts(TRADER)))
    assert TOKEN not in f"{cockpit.talk.store}{server.texts(TRADER)}"


async def test_in_a_topic_it_answers_there_at_once_and_after(cockpit, server):
    async with cockpit.running():
        topic = {"message_thread_id": 12, "is_topic_message": True}
        server.type(ADMIN, "/whoami", chat=GROUP, **topic)
        told = await server.answer(GROUP, 1)
        assert told.topic == 12
        assert f"chat id {GROUP}, topic id 12, level admin" in told.text
        server.type(ADMIN, "/halt fire", chat=GROUP, **topic)
        await server.answer(GROUP, 3)
        assert [one.topic for one in server.said[GROUP]] == [12, 12, 12]
        server.type(ADMIN, "/close all", chat=GROUP, **topic)
        asked = await server.answer(GROUP, 4)
        server.press(ADMIN, asked, "Close all")
        assert (await server.answer(GROUP, 5)).text.startswith("Done: closing 1 position")


async def test_a_thread_of_replies_is_no_topic(cockpit, server):
    async with cockpit.running():
        server.type(ADMIN, "/whoami", chat=GROUP, message_thread_id=7)
        told = await server.answer(GROUP, 1)
        assert told.topic is None
        assert "topic id" not in told.text
