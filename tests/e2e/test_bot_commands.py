"""Commands to the whole bot through the Bot API, and what a kill or an outage does to them."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.faults import CallFault, FaultRule
from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import ADMIN, SCOPE, STRANGER, Home, Program, home_of
from tests.e2e.support.chat import Chat
from tests.e2e.support.market import Market
from tests.fakes.telegram_server import FakeTelegram
from tests.support.blackhole import BlackHole

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
    "BOT_TRADING__STARTS_UNHALTED": "true",
}
HALT = f"SELECT halted, reason FROM risk_state WHERE scope = '{SCOPE}'"
AUDIT = "SELECT command, outcome FROM command_audit ORDER BY id"


@pytest.fixture
async def home(
    exchange: SimulatedExchange,
    market: Market,
    telegram: FakeTelegram,
    database_url: str,
    tmp_path: Path,
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, database_url, exchange, telegram) as made:
        made.settings |= TRADING
        yield made


@pytest.fixture
async def postgres_home(
    exchange: SimulatedExchange,
    market: Market,
    telegram: FakeTelegram,
    postgres_url: str,
    tmp_path: Path,
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, postgres_url, exchange, telegram) as made:
        made.settings |= TRADING
        yield made


async def trip_drawdown(home: Home) -> None:
    """As if it had tripped in an earlier life: the running bot does not know yet."""
    await home.execute(
        "INSERT INTO breaker_state (scope, name, tripped, reason, data_json, changed_us, epoch)"
        f" SELECT scope, 'drawdown', {TRUE[home.database[:6]]}, 'equity 20 % below its peak',"
        f" '{{}}', 1, epoch FROM leader_lease WHERE scope = '{SCOPE}'"
        " ON CONFLICT (scope, name) DO UPDATE SET tripped = excluded.tripped,"
        " reason = excluded.reason"
    )


TRUE = {"sqlite": "1", "postgr": "TRUE"}


async def killed_and_started_again(home: Home, bot: Program) -> Program:
    bot.process.kill()
    bot.process.wait()
    again = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await again.reach("leading")
    return again


async def test_a_person_holds_the_controls_in_a_chat(home: Home, telegram: FakeTelegram) -> None:
    chat = Chat(telegram, home)
    bot = home.bot()
    await bot.reach("leading")
    shown = await chat.asks("/status", "TRADING")
    assert "PAPER" in shown.text
    assert "leading" in shown.text
    telegram.press(ADMIN, shown, "Refresh")
    await telegram.until(lambda: "as of " in shown.text)
    health = await chat.asks("/health", "Database: ")
    assert "WebSocket: up" in health.text
    watched = await chat.asks("/markets kxfed", "watched market")
    await chat.asks(f"/market {watched.text.splitlines()[1].split()[0]}", "our book")
    drawn = await chat.asks("/chart funnel", "seen")
    assert drawn.is_picture, drawn.text

    halted = await chat.asks("/halt lunch <now>", "HALTED, saved")
    assert "lunch <now>" in halted.text
    assert await home.rows(HALT) == [(True, "lunch <now>")]
    assert "lunch" in (await chat.asks("/status", "HALTED since")).text
    asked = await chat.asks("/unhalt", "End the halt?")
    await chat.presses(asked, "Leave it", "Left as it is")
    assert (await home.rows(HALT))[0][0]
    asked = await chat.asks("/unhalt", "End the halt?")
    await chat.presses(asked, "End the halt", "Done: The halt is ended")
    assert not (await home.rows(HALT))[0][0]
    outcomes = [outcome for command, outcome in await home.rows(AUDIT) if command == "/unhalt"]
    ended = [outcome for outcome in outcomes if outcome.startswith("done: the halt is ended")]
    assert len(ended) == 1, outcomes
    assert (await bot.told(signal.SIGTERM)).code == 0


async def test_a_backup_arrives_as_a_file_and_strangers_and_typing_errors_are_met_well(
    home: Home, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    bot = home.bot()
    await bot.reach("leading")
    sent = await chat.asks("/backup", "SHA-256")
    assert sent.document is not None
    copy = home.root / "received.sqlite"
    copy.write_bytes(sent.document)
    assert sent.document_name in {one.name for one in (home.root / "backups").iterdir()}
    stored = sqlite3.connect(copy)
    assert stored.execute("SELECT count(*) FROM leader_lease").fetchone() == (1,)
    stored.close()

    await chat.asks("/statsu", "Did you mean /status?")
    bad = await chat.asks("/reset_breaker daily_loss really now", "Usage")
    assert bad.text.splitlines()[0].count("Usage") == 1
    telegram.type(STRANGER, "/status")
    await bot.until_said(str(STRANGER))
    await chat.asks("/version", "Version")
    assert telegram.texts(STRANGER) == []


async def test_a_tripped_breaker_stays_tripped_over_a_restart_until_a_person_resets_it(
    home: Home, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    await trip_drawdown(home)
    again = await killed_and_started_again(home, bot)
    await chat.asks("/status", "TRIPPED drawdown")
    picked = await chat.asks("/reset_breaker", "Which breaker?")
    asked = await chat.presses(picked, "drawdown", "Reset drawdown?")
    await chat.presses(asked, "Reset drawdown", "Done: drawdown reset")
    states = f"SELECT tripped FROM breaker_state WHERE scope = '{SCOPE}' AND name = 'drawdown'"
    assert await home.rows(states) in ([(0,)], [(False,)])
    await chat.asks("/status", "TRADING")
    assert again.is_running


async def test_a_breaker_whose_condition_holds_is_reset_by_force_only(
    postgres_home: Home, exchange: SimulatedExchange, telegram: FakeTelegram
) -> None:
    home, chat = postgres_home, Chat(telegram, postgres_home)
    bot = home.bot(BOT_TRADING__REFRESH_S="0.2")
    await bot.reach("leading")
    exchange.exchange.faults.arm(
        FaultRule(kind=CallFault.SERVER_ERROR, path="/trade-api/v2/events", count=0)
    )
    exchange.exchange.faults.arm(
        FaultRule(kind=CallFault.SERVER_ERROR, path="/trade-api/v2/markets", count=0)
    )
    await chat.hears("api_error_rate")
    exchange.exchange.faults.disarm()
    await chat.asks("/status", "TRIPPED api_error_rate")
    refused = await chat.asks("/reset_breaker api_error_rate", "Not reset")
    assert "still" in refused.text
    asked = await chat.asks("/reset_breaker api_error_rate force", "Reset api_error_rate?")
    done = await chat.presses(asked, "Force api_error_rate", "Done")
    assert "granted" in done.text
    await chat.asks("/status", "TRADING")


async def hold_the_end_of_commands(home: Home) -> None:
    """From now on the last step of a command takes half a minute: time to be killed in."""
    await home.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$"
    )
    await home.execute(
        "CREATE TRIGGER hold BEFORE UPDATE ON command_inbox FOR EACH ROW"
        " WHEN (NEW.state = 'done') EXECUTE FUNCTION hold()"
    )


async def killed_before_its_reply(home: Home, bot: Program, outcome: str) -> None:
    """Kill it once the act is on record; its reply is not sent."""
    await home.until_rows(AUDIT, lambda rows: any(outcome in row[1] for row in rows))
    bot.process.kill()
    bot.process.wait()
    # The server has not noticed yet.
    await home.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await home.execute("DROP TRIGGER hold ON command_inbox")


async def test_an_unhalt_that_was_killed_before_its_reply_is_reported_and_not_repeated(
    postgres_home: Home, telegram: FakeTelegram
) -> None:
    home, chat = postgres_home, Chat(telegram, postgres_home)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1", BOT_TRADING__STARTS_UNHALTED="false")
    await bot.reach("leading")
    asked = await chat.asks("/unhalt", "first start")
    await hold_the_end_of_commands(home)
    telegram.press(ADMIN, asked, "End the halt")
    await killed_before_its_reply(home, bot, "the halt is ended")
    assert not (await home.rows(HALT))[0][0]
    # A halt given meanwhile must not be ended by the old command.
    halted = await home.command("halt", "meanwhile")
    assert halted.code == 0, halted.said
    home.bot(RAILWAY_DEPLOYMENT_ID="d1", BOT_TRADING__STARTS_UNHALTED="false")
    await chat.hears("ended, unless another came meanwhile (this was done before a restart)")
    assert await home.rows(HALT) == [(True, "meanwhile")]


async def test_a_reset_that_was_killed_before_its_reply_is_reported_and_not_repeated(
    postgres_home: Home, telegram: FakeTelegram
) -> None:
    home, chat = postgres_home, Chat(telegram, postgres_home)
    first = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await first.reach("leading")
    await trip_drawdown(home)
    bot = await killed_and_started_again(home, first)
    asked = await chat.asks("/reset_breaker drawdown", "Reset drawdown?")
    await hold_the_end_of_commands(home)
    telegram.press(ADMIN, asked, "Reset drawdown")
    await killed_before_its_reply(home, bot, "drawdown reset")
    home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await chat.hears("done: drawdown reset (this was done before a restart)")
    resets = "SELECT count(*) FROM outbox WHERE kind = 'breaker_reset' AND channel = 'telegram'"
    assert await home.rows(resets) == [(1,)]


async def test_a_backup_that_was_killed_before_its_reply_is_made_once(
    postgres_home: Home, telegram: FakeTelegram
) -> None:
    home, chat = postgres_home, Chat(telegram, postgres_home)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    await hold_the_end_of_commands(home)
    telegram.type(ADMIN, "/backup")
    await killed_before_its_reply(home, bot, "backup ")
    home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await chat.hears("(this was done before a restart)")
    made = [one for one in (home.root / "backups").iterdir() if one.suffix == ".sqlite"]
    assert len(made) == 1, made


async def test_telegram_down_loses_neither_alerts_nor_commands(
    home: Home, telegram: FakeTelegram
) -> None:
    chat = Chat(telegram, home)
    bot = home.bot()
    await bot.reach("leading")
    await chat.hears("Leading")
    telegram.is_down = True
    await asyncio.sleep(1)
    assert (await home.command("halt", "no telegram")).code == 0
    telegram.type(ADMIN, "/version")
    assert (await home.rows(HALT))[0] == (True, "no telegram")
    waiting = "SELECT count(*) FROM outbox WHERE channel = 'telegram' AND state = 'waiting'"
    await home.until_rows(waiting, lambda rows: rows[0][0] > 0)
    assert (await bot.page("/status"))["banner"]["role"] == "leading"
    telegram.is_down = False
    await chat.hears("no telegram")
    await chat.hears("Version")
    await home.until_rows(waiting, lambda rows: rows[0][0] == 0)
    assert len(chat.found("Version")) == 1


async def test_a_revoked_token_is_told_once_and_the_bot_goes_on_without_it(
    home: Home, telegram: FakeTelegram
) -> None:
    telegram.is_token_revoked = True
    bot = home.bot()
    await bot.reach("leading")
    await bot.until_said("token")
    # Some job: in an hour's last minute its collection is not begun any more.
    await home.until_rows("SELECT state FROM job_runs", lambda rows: ("done",) in rows)
    assert (await home.command("halt", "by hand")).code == 0
    complaints = [one["message"] for one in bot.log() if "token" in str(one).lower()]
    assert complaints
    assert len(set(complaints)) == len(complaints), "each part of the bot says it once"
    assert (await bot.told(signal.SIGTERM)).code == 0


async def test_a_database_that_is_gone_for_a_while_shuts_the_gate_and_loses_nothing(
    exchange: SimulatedExchange,
    market: Market,
    telegram: FakeTelegram,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    port = int(postgres_url.rpartition(":")[2].partition("/")[0])
    async with (
        home_of(tmp_path, postgres_url, exchange, telegram) as home,
        BlackHole.running(port) as network,
    ):
        home.settings |= TRADING
        chat = Chat(telegram, home)
        market.quote(8_000, 8_100)  # nothing to buy before the halt
        bot = home.bot(DATABASE_URL=postgres_url.replace(f":{port}/", f":{network.port}/"))
        await bot.reach("leading")
        await chat.hears("Leading")
        network.is_open = False
        await chat.asks("/halt database gone", "not yet saved")
        market.quote(8_000, 8_100)
        market.quote(9_400, 9_500)
        await bot.reach("standby")
        assert bot.is_running
        assert (await bot.page("/health"))["role"] == "standby"
        network.is_open = True
        await bot.reach("leading", times=2)
        await home.until_rows(HALT, lambda rows: rows == [(True, "database gone")])
        market.quote(8_000, 8_100)
        market.quote(9_400, 9_500)
        await chat.asks("/status", "HALTED since")
        assert await home.rows("SELECT count(*) FROM order_intents") == [(0,)]
        assert bot.log("order sent") == []
        asked = await chat.asks("/unhalt", "End the halt?")
        await chat.presses(asked, "End the halt", "Done: The halt is ended")
        market.quote(8_000, 8_100)
        market.quote(9_400, 9_500)
        await home.until_rows("SELECT status FROM order_intents", lambda rows: rows)
