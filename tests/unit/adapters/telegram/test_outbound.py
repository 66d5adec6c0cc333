"""What the bot has to say arrives, in order, at the pace Telegram allows."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.outbound import OutboundParts, TelegramOutbound
from bot.domain.operations import Severity
from bot.kit.clock import SystemClock
from bot.kit.markup import bold
from bot.ports.carriers import Verdict
from bot.ports.messages import Channel, MessageButton, OutgoingMessage
from tests.fakes.fast_clock import FastClock
from tests.fakes.messages import MemoryOutbox, MemoryStore
from tests.fakes.telegram_api import api_judge
from tests.fakes.telegram_flood import Flood
from tests.fakes.telegram_server import FakeTelegram, Refused
from tests.support.console import ADMIN, GROUP, VIEWER, Talk
from tests.support.telegram import Cockpit, fast

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def server():
    async with FakeTelegram() as running:
        yield running


@pytest.fixture
def cockpit(server) -> Cockpit:
    return Cockpit(server, Talk())


def message(text: str, chat: int = ADMIN, kind: str = "reply", **fields) -> OutgoingMessage:
    return OutgoingMessage(
        channel=Channel.TELEGRAM,
        recipient=str(chat),
        kind=kind,
        severity=Severity.INFO,
        text=text,
        **fields,
    )


def states(cockpit: Cockpit) -> list[tuple[str, str | None]]:
    return [(row.state, row.reason) for row in cockpit.talk.store.outbox]


async def test_a_chat_hears_everything_in_order(server, cockpit):
    await cockpit.outbox.put([message(f"n{number}") for number in range(30)])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert server.texts(ADMIN) == [f"n{number}" for number in range(30)]


async def test_flood_control_postpones_one_chat_and_not_the_others(server, cockpit):
    server.refusals["sendMessage"] = [Refused(429, "Too Many Requests", retry_after=1)]
    await cockpit.outbox.put([message("first"), message("second")])
    async with cockpit.running(inbound=False):
        await asyncio.sleep(0.3)
        await cockpit.outbox.put([message("other", VIEWER)])
        await server.answer(VIEWER, 1)
        assert server.texts(ADMIN) == []
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["first", "second"]


async def test_a_chat_that_blocked_the_bot_is_given_up_with_its_reason(server, cockpit):
    server.blocked.add(ADMIN)
    await cockpit.outbox.put([message("never"), message("there", VIEWER)])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert states(cockpit) == [
        ("failed", "Forbidden: bot was blocked by the user"),
        ("sent", None),
    ]


async def test_a_moved_group_is_given_up_with_its_new_id(server, cockpit):
    server.refusals["sendMessage"] = [
        Refused(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1_009)
    ]
    await cockpit.outbox.put([message("x", GROUP)])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert states(cockpit) == [("failed", "the group is now -1009; set that id")]


@pytest.mark.parametrize("kind", ["down", "server error", "token"])
async def test_what_may_pass_is_tried_until_it_has_passed(server, cockpit, kind):
    server.is_down = kind == "down"
    server.is_token_revoked = kind == "token"
    if kind == "server error":
        server.refusals["sendMessage"] = [Refused(502, "Bad Gateway")]
    await cockpit.outbox.put([message("late"), message("later")])
    async with cockpit.running(inbound=False):
        await asyncio.sleep(0.5)
        assert server.texts(ADMIN) == []
        server.is_down = server.is_token_revoked = False
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["late", "later"]


async def test_nothing_is_lost_over_a_restart(server, cockpit):
    server.is_down = True
    await cockpit.outbox.put([message("before")])
    async with cockpit.running(inbound=False):
        await asyncio.sleep(0.3)
    server.is_down = False
    await cockpit.outbox.put([message("after")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["before", "after"]


async def test_a_lost_answer_repeats_a_message_and_loses_none(server, cockpit):
    server.lose_answers["sendMessage"] = 1
    await cockpit.outbox.put([message("one"), message("two")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["one", "one", "two"]


async def test_a_database_that_dies_after_the_sending_does_not_repeat_it(server, cockpit):
    await cockpit.outbox.put([message("once")])
    server.slow_s = 0.3
    async with cockpit.running(inbound=False):
        await asyncio.sleep(0.15)
        cockpit.talk.store.is_away = True
        await server.answer(ADMIN, 1)
        await asyncio.sleep(1)
        cockpit.talk.store.is_away = False
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["once"]


async def test_only_the_leader_sends(server, cockpit):
    cockpit.epoch = None
    await cockpit.outbox.put([message("x")])
    async with cockpit.running(inbound=False):
        await asyncio.sleep(0.8)
        assert server.said == {}
        cockpit.epoch = 8
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["x"]


async def test_a_sender_that_is_deposed_stops_between_two_messages(server, cockpit):
    server.slow_s = 0.2
    await cockpit.outbox.put([message(f"n{number}") for number in range(5)])
    async with cockpit.running(inbound=False):
        await server.answer(ADMIN, 1)
        cockpit.epoch = None
        await asyncio.sleep(1)
        assert len(server.said[ADMIN]) <= 2
        cockpit.epoch = 8
        await cockpit.until_sent()
    assert server.texts(ADMIN) == [f"n{number}" for number in range(5)]


async def test_draining_beside_the_running_service_sends_nothing_twice(server, cockpit):
    server.slow_s = 0.1
    await cockpit.outbox.put([message(f"n{number}") for number in range(4)])
    async with cockpit.running(inbound=False):
        await asyncio.sleep(0.05)
        await cockpit.sender.drain()
        assert server.texts(ADMIN) == [f"n{number}" for number in range(4)]


async def test_draining_ends_although_the_database_is_away(server, cockpit):
    await cockpit.outbox.put([message("x")])
    cockpit.talk.store.is_away = True
    async with cockpit.running(inbound=False), asyncio.timeout(5):
        await cockpit.sender.drain()


async def test_a_text_that_is_too_long_is_split_and_keeps_its_markup_and_buttons(server, cockpit):
    text = "\n".join(bold(f"line {number:04d} " + "x" * 40) for number in range(200))
    button = ((MessageButton(label="Yes", data="yes:1"),),)
    await cockpit.outbox.put([message(text, buttons=button)])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    said = server.said[ADMIN]
    assert [bool(one.buttons) for one in said] == [False, False, True]
    assert "\n".join(one.text for one in said).count("line ") == 200


async def test_markup_that_telegram_refuses_goes_out_as_plain_text(server, cockpit):
    await cockpit.outbox.put([message("a <blink>b</blink> <b>c")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["a <blink>b</blink> c"]


async def test_a_backup_arrives_as_a_file(server, cockpit, tmp_path):
    path = tmp_path / "kalshi_20261121_071500.sqlite"
    path.write_bytes(b"SQLite format 3\x00" * 100)
    await cockpit.outbox.put([message("<b>Backup</b> done", attachment=str(path))])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    (said,) = server.said[ADMIN]
    assert (said.text, said.document_name) == ("Backup done", path.name)
    assert said.document == path.read_bytes()


async def test_a_long_text_goes_ahead_of_its_file(server, cockpit, tmp_path):
    path = tmp_path / "b.sqlite"
    path.write_bytes(b"x")
    await cockpit.outbox.put([message("word " * 300, attachment=str(path))])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    first, second = server.said[ADMIN]
    assert (first.document, second.document) == (None, b"x")


@pytest.mark.parametrize(("bytes_max", "says"), [(3, "Too large for Telegram (5 B)"), (10, "")])
async def test_a_file_that_is_too_large_is_named_instead(server, tmp_path, bytes_max, says):
    cockpit = Cockpit(server, Talk(), document_bytes_max=bytes_max)
    path = tmp_path / "b.sqlite"
    path.write_bytes(b"12345")
    await cockpit.outbox.put([message("Backup", attachment=str(path))])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    (said,) = server.said[ADMIN]
    assert (said.document is None) == bool(says)
    assert says in said.text
    assert not says or str(path) in said.text


async def test_a_file_that_telegram_finds_too_large_is_named_instead(server, cockpit, tmp_path):
    path = tmp_path / "b.sqlite"
    path.write_bytes(b"12345")
    server.refusals["sendDocument"] = [Refused(413, "Request Entity Too Large")]
    await cockpit.outbox.put([message("Backup", attachment=str(path))])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert "Telegram refused the file (5 B)" in server.texts(ADMIN)[0]


async def test_a_file_that_is_gone_is_said_to_be_gone(server, cockpit):
    await cockpit.outbox.put([message("Backup", attachment="/nowhere/b.sqlite")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert "not on this machine any more: /nowhere/b.sqlite" in server.texts(ADMIN)[0]


async def test_alerts_that_wait_behind_each_other_leave_as_one_behind_the_reply(server, cockpit):
    await cockpit.outbox.put([message(f"alert {n}", kind="stale") for n in range(5)])
    await cockpit.outbox.put([message("reply")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert server.texts(ADMIN) == [
        "reply",
        "\n\n".join(["5 alerts", *(f"alert {n}" for n in range(5))]),
    ]


async def test_a_sender_that_is_told_to_wait_waits_so_long_and_loses_nothing(server):
    speed, count = 5.0, 10
    server.flood = Flood(speed)
    clock = FastClock(SystemClock().now_us(), speed)
    store = MemoryStore(clock)
    box = MemoryOutbox(store)
    for chat in (ADMIN, GROUP):
        await box.put([message(f"n{number}", chat) for number in range(count)])
    settings = fast(server)  # it keeps no pace of its own
    async with open_bot(settings) as bot, asyncio.TaskGroup() as group:
        sender = TelegramOutbound(
            OutboundParts(
                bot=bot,
                settings=settings,
                outbox=box,
                clock=clock,
                may_send=lambda: True,
                speed=speed,
            )
        )
        running = group.create_task(sender.run())
        await server.until(
            lambda: all(len(server.said[one]) == count for one in (ADMIN, GROUP)), 20
        )
        running.cancel()
    for chat in (ADMIN, GROUP):
        assert server.texts(chat) == [f"n{number}" for number in range(count)]
    assert server.flood.refused > 0
    assert server.flood.too_early == 0


async def test_a_chat_whose_turn_has_not_come_holds_up_no_other(server):
    cockpit = Cockpit(server, Talk(), group_gap_s=5.0)
    await cockpit.outbox.put([message(f"n{number}", GROUP) for number in range(3)])
    async with cockpit.running(inbound=False):
        await server.answer(GROUP, 1)
        await cockpit.outbox.put([message("breaker", kind="breaker_tripped", is_urgent=True)])
        cockpit.sender.wake()
        assert (await server.answer(ADMIN, 1, within_s=4.0)).text == "breaker"
    assert server.texts(GROUP) == ["n0"]


async def test_topics_of_a_forum_share_the_turn_and_the_rest_of_their_chat(server):
    cockpit = Cockpit(server, Talk(), group_gap_s=0.3)
    server.refusals["sendMessage"].append(Refused(429, "Too Many Requests", retry_after=1))
    for topic in (5, 6):
        topics = [message(f"{topic}-{n}") for n in range(2)]
        await cockpit.outbox.put([replace(one, recipient=f"{GROUP}/{topic}") for one in topics])
    begun_us = SystemClock().monotonic_us()
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert sorted(server.texts(GROUP)) == ["5-0", "5-1", "6-0", "6-1"]
    # A second of rest for the whole chat, then one message after the other.
    assert SystemClock().monotonic_us() - begun_us >= 1_000_000 + 3 * 300_000


async def test_what_is_silent_arrives_without_a_sound(server, cockpit):
    await cockpit.outbox.put([message("hush", is_silent=True), message("loud")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    sent = [
        one.params.get("disable_notification") for one in server.requests if "text" in one.params
    ]
    assert [one == "true" for one in sent] == [True, False]


async def test_secrets_do_not_leave_with_a_message(server):
    cockpit = Cockpit(server, Talk(), secrets=("hunter2hunter2",))
    await cockpit.outbox.put([message("postgresql://bot:pass-word@db/x hunter2hunter2")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    (text,) = server.texts(ADMIN)
    assert "pass-word" not in text
    assert "hunter2" not in text


@pytest.fixture
def small_file(tmp_path) -> Path:
    path = tmp_path / "b.sqlite"
    path.write_bytes(b"x")
    return path


async def test_messages_and_files_are_as_the_bot_api_describes(server, cockpit, small_file):
    judge = api_judge()
    button = ((MessageButton(label="Yes", data="yes:1"),),)
    await cockpit.outbox.put(
        [message("text", buttons=button), message("file", attachment=str(small_file))]
    )
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert {one.method for one in server.requests} == {"sendMessage", "sendDocument"}
    assert [fault for request in server.requests for fault in judge.faults(request)] == []


async def test_a_message_is_renewed_in_its_place(server, cockpit):
    await cockpit.outbox.put(
        [message("old", buttons=((MessageButton(label="R", data="again:/s"),),))]
    )
    async with cockpit.running(inbound=False):
        shown = await server.answer(ADMIN, 1)
        await cockpit.outbox.put([message("<b>new</b>", edits=shown.message_id)])
        await cockpit.until_sent()
        # Again, because its answer was lost: nothing is left to change.
        await cockpit.outbox.put([message("<b>new</b>", edits=shown.message_id)])
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["new"]
    assert [state for state, _ in states(cockpit)] == ["sent"] * 3


@pytest.mark.parametrize(
    "why",
    [
        "Bad Request: message to edit not found",
        "Bad Request: message can't be edited",
        "Bad Request: there is no text in the message to edit",
    ],
)
async def test_what_cannot_be_renewed_is_sent_as_a_message_of_its_own(server, cockpit, why):
    server.refusals["editMessageText"] = [Refused(400, why)]
    await cockpit.outbox.put([message("new", edits=999)])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["new"]


async def test_a_renewal_waits_for_telegram_as_every_message_does(server, cockpit):
    await cockpit.outbox.put([message("old")])
    async with cockpit.running(inbound=False):
        shown = await server.answer(ADMIN, 1)
        server.refusals["editMessageText"] = [Refused(429, "Too Many Requests", retry_after=1)]
        await cockpit.outbox.put([message("new", edits=shown.message_id)])
        await cockpit.until_sent()
    assert server.texts(ADMIN) == ["new"]


async def test_a_picture_is_shown_with_its_caption(server, cockpit, tmp_path):
    path = tmp_path / "pnl.png"
    path.write_bytes(b"\x89PNG")
    await cockpit.outbox.put([message(bold("P&L"), attachment=str(path))])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    [said] = server.said[ADMIN]
    assert (said.text, said.document, said.is_picture) == ("P&L", b"\x89PNG", True)
    assert server.requests[-1].method == "sendPhoto"


async def test_a_picture_that_telegram_will_not_show_comes_as_a_file(server, cockpit, tmp_path):
    path = tmp_path / "pnl.png"
    path.write_bytes(b"\x89PNG")
    server.refusals["sendPhoto"] = [Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")]
    await cockpit.outbox.put([message("P&amp;L", attachment=str(path))])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    [said] = server.said[ADMIN]
    assert (said.text, said.document_name, said.is_picture) == ("P&L", "pnl.png", False)


async def test_pictures_and_renewals_are_as_the_bot_api_describes(server, cockpit, tmp_path):
    judge, path = api_judge(), tmp_path / "pnl.png"
    path.write_bytes(b"\x89PNG")
    await cockpit.outbox.put([message("old"), message("picture", attachment=str(path))])
    async with cockpit.running(inbound=False):
        shown = await server.answer(ADMIN, 1)
        await cockpit.outbox.put([message("new", edits=shown.message_id)])
        await cockpit.until_sent()
    assert {"sendPhoto", "editMessageText"} <= {request.method for request in server.requests}
    assert [fault for request in server.requests for fault in judge.faults(request)] == []


async def test_who_watches_the_channel_hears_how_each_delivery_ends(server, cockpit):
    server.blocked.add(ADMIN)
    server.refusals["sendMessage"] = [Refused(429, "Too Many Requests", retry_after=1)]
    await cockpit.outbox.put([message("never"), message("there", VIEWER)])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert sorted(cockpit.noted.ends) == [
        (str(ADMIN), Verdict.NEVER),
        (str(VIEWER), Verdict.DELIVERED),
    ]


async def test_a_revoked_token_shuts_the_channel(server, cockpit):
    server.refusals["sendMessage"] = [Refused(401, "Unauthorized")]
    await cockpit.outbox.put([message("later")])
    async with cockpit.running(inbound=False):
        await cockpit.until_sent()
    assert [verdict for _, verdict in cockpit.noted.ends] == [Verdict.SHUT, Verdict.DELIVERED]
