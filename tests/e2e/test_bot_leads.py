"""Deployments of the whole bot on one PostgreSQL: hand-over, kills, double starts."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import ADMIN, ROOT, SLACK_S, Home, Program, eventually, home_of
from tests.e2e.support.chat import Chat
from tests.fakes.telegram_server import FakeTelegram

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.looptime(False)]

UNDONE = "SELECT count(*) FROM command_inbox WHERE state <> 'done'"


@pytest.fixture
async def home(
    exchange: SimulatedExchange, telegram: FakeTelegram, postgres_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, postgres_url, exchange, telegram) as made:
        yield made


async def command_all_the_time(telegram: FakeTelegram, stop: asyncio.Event) -> int:
    """Acts that would show if they happened twice; returns how many were sent."""
    sent = 0
    while not stop.is_set():
        telegram.type(ADMIN, f"/halt number {sent}")
        sent += 1
        await asyncio.sleep(0.4)
    return sent


async def test_a_new_deployment_takes_over_and_no_command_is_lost_or_doubled(
    home: Home, telegram: FakeTelegram
) -> None:
    old = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await old.reach("leading")
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        typing = group.create_task(command_all_the_time(telegram, stop))
        new = home.bot(RAILWAY_DEPLOYMENT_ID="d2")
        await new.reach("leading")
        assert (await old.ended()).code == 0
        await asyncio.sleep(1)
        stop.set()
    sent = typing.result()
    await home.until_rows(UNDONE, lambda rows: rows == [(0,)])
    acted = await home.rows(
        "SELECT outcome, count(*) FROM command_audit WHERE command LIKE '/halt%' GROUP BY outcome"
    )
    expected = {f"halted, saved: number {number}" for number in range(sent)}
    assert {outcome for outcome, _ in acted} == expected
    assert {count for _, count in acted} == {1}
    by_both = await home.rows("SELECT count(DISTINCT epoch) FROM command_audit")
    assert by_both == [(2,)], "both deployments answered"
    assert (await home.rows("SELECT reason FROM risk_state"))[0][0] == f"number {sent - 1}"
    replies = await home.rows(
        "SELECT count(*) FROM outbox WHERE kind = 'reply' AND channel = 'telegram'"
    )
    assert replies == [(sent,)]
    assert new.is_running
    assert telegram.conflicts <= 2


async def test_every_reply_of_a_hand_over_arrives(home: Home, telegram: FakeTelegram) -> None:
    chat = Chat(telegram, home)
    old = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await old.reach("leading")
    for number in range(3):
        telegram.type(ADMIN, f"/halt before {number}")
    home.bot(RAILWAY_DEPLOYMENT_ID="d2")
    assert (await old.ended()).code == 0
    telegram.type(ADMIN, "/halt after")
    for words in ("before 0", "before 1", "before 2", "after"):
        await chat.hears(words)
    # Its first word is no answer yet: that is queued when the command is done.
    await home.until_rows(
        "SELECT count(*) FROM command_inbox WHERE state = 'done'", lambda rows: rows == [(4,)]
    )
    await home.until_rows(
        "SELECT count(*) FROM outbox WHERE channel = 'telegram' AND state = 'waiting'",
        lambda rows: rows == [(0,)],
    )

    def numbered() -> int:
        return sum("| PAPER |" in text and "HALTED" in text for text in chat.texts)

    await eventually(lambda: numbered() >= 4, lambda: str(chat.texts))
    assert numbered() == 4, chat.texts


async def test_a_leader_killed_three_times_leads_again_and_does_each_command_once(
    home: Home, telegram: FakeTelegram
) -> None:
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    epochs = []
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        typing = group.create_task(command_all_the_time(telegram, stop))
        for _ in range(3):
            bot.process.kill()
            bot.process.wait()
            bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
            await bot.reach("leading")
            epochs.append(bot.log("lease acquired")[0]["epoch"])
        stop.set()
    assert epochs == sorted(set(epochs))
    sent = typing.result()
    done = "SELECT count(*), count(DISTINCT outcome) FROM command_audit WHERE command LIKE '/halt%'"
    await home.until_rows(done, lambda rows: rows[0][1] == sent)
    assert await home.rows(done) == [(sent, sent)], "none lost, none twice"
    assert (await home.rows("SELECT reason FROM risk_state"))[0][0] == f"number {sent - 1}"
    complete = "SELECT count(*) FROM collect_cycles WHERE outcome = 'complete'"
    await home.until_rows(complete, lambda rows: rows != [(0,)])
    assert await home.rows(complete) == [(1,)], "one cycle an hour, whoever leads"


async def test_a_second_start_of_the_same_deployment_stands_by_with_zero(home: Home) -> None:
    first = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await first.reach("leading")
    second = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    ended = await second.ended()
    assert ended.code == 0
    assert "standby: " in second.log("role changed")[-1]["reason"]
    assert first.is_running
    assert _leads(first)


async def test_deactivation_by_sql_ends_the_bot_and_the_chat_says_that_nobody_leads(
    home: Home, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    await chat.hears("Leading")
    await home.execute("UPDATE bot_instances SET is_active = FALSE")
    ended = await bot.ended(SLACK_S)
    assert ended.code == 0
    listed = await home.command("instances")
    assert "wanted" not in listed.out
    assert (await home.command("status")).out.count("nobody") == 1


async def test_an_activation_that_gets_nowhere_is_handed_back_from_the_chat(
    home: Home, telegram: FakeTelegram
) -> None:
    home.settings |= {"BOT_MODE": "trade", "ENABLE_LIVE_TRADING": "true"}
    chat = Chat(telegram, home)
    old = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await old.reach("leading")
    new = home.bot(RAILWAY_DEPLOYMENT_ID="d2", KALSHI_REST_URL="http://127.0.0.1:9")
    await new.reach("activating")
    ids = {bot: bot.log("lease acquired")[0]["instance"] for bot in (old, new)}
    listed = await chat.asks("/instances", "LEADS since")
    assert ids[old] in listed.text
    refused = await chat.asks(f"/handover {ids[old][:-1]}x", "Did you mean")
    assert "there is no instance" in refused.text
    asked = await chat.asks(f"/handover {ids[old]}", "Hand the lead to")
    await chat.presses(asked, "Hand over", f"handing over to {ids[old]}")
    await old.reach("leading", times=2)
    assert (await new.ended()).code == 0
    assert "leading" not in new.roles()
    acted = await home.rows(
        "SELECT count(*) FROM command_audit WHERE outcome LIKE 'done: handing over%'"
    )
    assert acted == [(1,)]


async def test_the_front_door_lists_activates_and_stands_down(home: Home) -> None:
    door = str(ROOT / "instance_manager.py")
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    listed = await home.start(door, "--list", "--json").ended()
    assert bot.log("deployed")[0]["deployment"] == "d1"
    assert "DRAINING_SECONDS is not set" in bot.log("deployment setting")[0]["reason"]
    (row,) = json.loads(listed.out)["instances"]
    assert (row["has_lease"], row["is_alive"], row["deployment_id"]) == (True, True, "d1")
    refused = await home.start(door, "--activate", "mistyped").ended()
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("activation refused: no instance mistyped;")
    assert bot.is_running
    stood_down = await home.start(door, "--deactivate-all", "--json").ended()
    assert json.loads(stood_down.out)["deactivated"] == [row["instance_id"]]
    assert (await bot.ended()).code == 0
    dead = await home.start(door, "--activate", row["instance_id"], "--json").ended()
    assert dead.code == 1
    assert "is not alive" in dead.err


async def test_the_procfiles_line_run_by_a_shell_gets_the_signal(home: Home) -> None:
    line = (ROOT / "Procfile").read_text().strip().removeprefix("web: ")
    (home.root / "railway_startup.py").symlink_to(ROOT / "railway_startup.py")
    shell = "import os, sys; os.execvp('sh', ['sh', '-c', sys.argv[1]])"
    bot = home.start(
        *("-c", shell, line),
        PATH=f"{Path(sys.executable).parent}:{os.defpath}",
        RAILWAY_DEPLOYMENT_ID="d1",
        RAILWAY_DEPLOYMENT_DRAINING_SECONDS="30",
    )
    await bot.reach("leading")
    assert bot.log("deployed")[0]["draining_s"] == 30
    assert bot.log("deployment setting") == []
    assert (await bot.told(signal.SIGTERM)).code == 0
    assert bot.log("lease released")[-1]["is_clean"]


def _leads(bot: Program) -> bool:
    return bot.roles()[-1] == "leading"
