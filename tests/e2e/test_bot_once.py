"""``python -m bot`` as cron and people call it: one cycle, and every fault as one clear line."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.kit.clock import SystemClock
from bot.ops import hostlock
from bot.simulator.faults import CallFault, FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from tests.e2e.support.bot import ROOT, SCOPE, Home, home_of
from tests.support.blackhole import BlackHole

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

EXAMPLE = ROOT / "config/config.example.yaml"


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    settings = SimulatorSettings(limits=RateLimits(is_on=False))
    async with SimulatedExchange(settings) as running:
        yield running


@pytest.fixture
async def home(exchange: SimulatedExchange, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Home]:
    async with home_of(tmp_path, sqlite_url, exchange) as made:
        yield made


def fault_lines(said: str) -> list[str]:
    """What a person reads: no log lines below a warning."""
    return [line for line in said.splitlines() if line and not line.startswith("{")]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_second_cycle_of_the_same_hour_inserts_nothing(
    kind: str, exchange: SimulatedExchange, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    async with home_of(tmp_path, url, exchange) as home:
        words = ("run-once", "--mode", "collect", "--config", str(EXAMPLE))
        first = await home.command(*words, BOT_COLLECT__SERIES=None, LOG_FORMAT="text")
        again = await home.command(*words, BOT_COLLECT__SERIES=None, LOG_FORMAT="text")
        assert (first.code, again.code) == (0, 0), home.story()
        assert "inserted=0 " not in first.out
        assert "inserted=0 " in again.out
        stored = await home.rows("SELECT count(*) FROM market_snapshots")
        assert stored[0][0] > 10
        status = json.loads((tmp_path / "status.json").read_text())
        assert status["last_outcome"] == "complete", status
        gaps = await home.command("gaps", "--json")
        assert (gaps.code, json.loads(gaps.out)["missing"]) == (0, 0)
        [market, hour, raw] = (
            await home.rows("SELECT market_id, snapshot_hour_utc, payload_json FROM snapshots")
        )[0]
        assert json.loads(raw)["ticker"] == market
        shown = await home.command("snapshots", market, "--hour", hour[:13], "--json")
        [one] = json.loads(shown.out)["snapshots"]
        assert (one["snapshot_hour_utc"], one["payload"]) == (hour, json.loads(raw))
        assert (await home.command("snapshots", market, "--payload")).out.strip() == raw
        line = (await home.command("snapshots", market)).out
        assert line.startswith(f"{hour}  bid ")
        none = await home.command("snapshots", "KXTYPO")
        assert none.code == 1
        assert "no snapshot of KXTYPO: check the spelling" in none.err
        wrong = await home.command("snapshots", market, "--hour", "noon")
        assert wrong.code == 2
        assert "'noon' is no hour; write it as 2026-11-21T07, in UTC" in wrong.err


async def test_an_exchange_that_is_down_costs_its_retries_and_is_written_down(
    home: Home, exchange: SimulatedExchange
) -> None:
    exchange.exchange.faults.arm(FaultRule(kind=CallFault.UNAVAILABLE, count=0))
    done = await home.command("run-once", "--mode", "collect", LOG_FORMAT="text")
    assert done.code == 1, done.said
    calls = exchange.exchange.faults.listing()[0]["fired"]
    assert calls >= 2, "it was asked again"
    status = json.loads((home.root / "status.json").read_text())
    assert status["last_outcome"] != "complete"
    assert status["last_error_message"], status
    rows = dict(await home.rows("SELECT key, value FROM status"))
    assert rows["last_error_message"] == status["last_error_message"]
    assert "last_success_at_utc" not in rows
    shown = await home.command("status", "--json")
    assert json.loads(shown.out)["last_error_message"] == status["last_error_message"]


async def test_a_held_lock_is_named_and_nothing_is_done(home: Home) -> None:
    with await hostlock.acquire(home.root / "bot.lock", SystemClock(), 0):
        done = await home.command("run-once", "--mode", "collect")
    assert done.code == 1
    told = fault_lines(done.said)
    assert len(told) == 1, done.said
    assert "Failed to acquire lock" in told[0]
    assert str(os.getpid()) in told[0]
    assert await home.rows("SELECT count(*) FROM market_snapshots") == [(0,)]


async def test_a_lock_that_is_waited_for_is_taken_when_it_is_free(home: Home) -> None:
    with await hostlock.acquire(home.root / "bot.lock", SystemClock(), 0):
        waiting = home.start("-m", "bot", "run-once", "--mode", "collect", "--lock-wait", "30")
        await asyncio.sleep(4)  # about when it finds the lock; it must end well either way
        assert waiting.is_running, waiting.story()
    assert (await waiting.ended()).code == 0


async def test_a_taken_port_ends_the_start_with_its_number(home: Home) -> None:
    port = str(home.exchange.port)
    done = await home.bot(PORT=port).ended()
    assert done.code == 2
    assert len(fault_lines(done.said)) == 1, done.said
    assert port in fault_lines(done.said)[0]


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        ({"KALSHI_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nAAAA"}, "KALSHI_PRIVATE_KEY"),
        ({"DATABASE_URL": "mysql://root:hunter2@db/x"}, "mysql"),
    ],
    ids=["key", "database"],
)
async def test_a_wrong_setting_registers_nothing_and_repeats_no_secret(
    home: Home, faulty: dict[str, str], words: str
) -> None:
    done = await home.bot(**faulty).ended()
    assert done.code == 2, done.said
    told = fault_lines(done.said)
    assert len(told) == 1, done.said
    assert words in told[0]
    for secret in ("hunter2", "AAAA"):
        assert secret not in done.said
    assert await home.rows("SELECT count(*) FROM bot_instances") == [(0,)]


async def test_a_key_the_exchange_does_not_know_is_named(home: Home) -> None:
    unknown = "11111111-2222-3333-4444-555555555555"
    done = await home.command("doctor", KALSHI_API_KEY_ID=unknown)
    assert done.code == 1, done.said
    assert "fail key: the exchange refuses it" in done.out.lower(), done.out
    once = await home.command("run-once", "--mode", "collect", KALSHI_API_KEY_ID=unknown)
    assert once.code == 0, "markets are public"
    ended = await home.bot(BOT_MODE="trade", KALSHI_API_KEY_ID=unknown).ended()
    assert ended.code == 2, ended.said
    (line,) = ended.err.splitlines()
    assert line.startswith("configuration: the exchange refuses the API key")
    assert await home.rows("SELECT count(*) FROM bot_instances") == [(0,)]


async def test_an_unreachable_database_fails_one_cycle_and_is_waited_for_by_the_bot(
    exchange: SimulatedExchange, tmp_path: Path, postgres_url: str
) -> None:
    port = int(postgres_url.rpartition(":")[2].partition("/")[0])
    async with home_of(tmp_path, postgres_url, exchange) as home:
        gone = postgres_url.replace(f":{port}/", ":1/").replace("postgres@", "bot:hunter2@")
        once = await home.command("run-once", "--mode", "collect", DATABASE_URL=gone)
        assert once.code == 1
        assert len(fault_lines(once.said)) == 1, once.said
        assert "hunter2" not in once.said
        async with BlackHole.running(port) as network:
            network.is_open = False
            address = postgres_url.replace(f":{port}/", f":{network.port}/")
            bot = home.bot(DATABASE_URL=address)
            await bot.until_said("database unreachable, waiting")
            assert (await bot.page("/health"))["status"] == "starting"
            network.is_open = True
            await bot.reach("leading")
            assert (await bot.told(signal.SIGTERM)).code == 0


async def test_the_bot_told_to_stop_while_it_waits_for_its_database_ends_with_zero(
    home: Home,
) -> None:
    bot = home.bot(DATABASE_URL="postgresql://bot:hunter2@127.0.0.1:1/x")
    await bot.until_said("database unreachable, waiting")
    done = await bot.told(signal.SIGTERM)
    assert done.code == 0
    assert "hunter2" not in done.said


async def test_an_interrupted_cycle_exits_130_and_the_next_one_completes(
    home: Home, exchange: SimulatedExchange
) -> None:
    exchange.exchange.faults.arm(FaultRule(kind=CallFault.LATENCY, count=0, delay_ms=4_500))
    running = home.start("-m", "bot", "run-once", "--mode", "collect")
    await home.until_rows("SELECT count(*) FROM collect_cycles", lambda rows: rows[0][0] == 1)
    done = await running.told(signal.SIGINT)
    assert done.code == 130, done.said
    assert fault_lines(done.err) == ["interrupted"]
    exchange.exchange.faults.disarm()
    assert (await home.command("run-once", "--mode", "collect")).code == 0
    assert dict(await home.rows("SELECT key, value FROM status"))["last_success_at_utc"]


async def test_what_is_machine_readable_parses(home: Home) -> None:
    assert (await home.command("run-once", "--mode", "collect")).code == 0
    for words, code in (
        (["status"], 0),
        (["gaps"], 0),
        (["migrate"], 0),
        (["healthcheck"], 1),
        (["instances"], 0),
        (["backup"], 0),
        (["halt", "for a test"], 0),
        (["reset-breaker", "daily_loss"], 1),
        (["run-once", "--mode", "collect"], 0),
    ):
        done = await home.command(*words, "--json")
        assert done.code == code, (words, done.said)
        assert isinstance(json.loads(done.out), dict)
    assert await home.rows("SELECT scope, halted, reason FROM risk_state") == [
        (SCOPE, True, "for a test")
    ]
