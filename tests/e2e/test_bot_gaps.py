"""``gaps --repair`` and ``quality`` as a person runs them, against a simulated exchange."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.kit.clock import SystemClock
from bot.kit.times import HOUR_US, hour_key
from bot.simulator.faults import CallFault, FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.hours import wait_for_a_fresh_hour

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False), pytest.mark.timeout(300)]


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    settings = SimulatorSettings(limits=RateLimits(is_on=False))
    async with SimulatedExchange(settings) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def home(
    exchange: SimulatedExchange, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Home]:
    url = request.getfixturevalue(f"{request.param}_url")
    async with home_of(tmp_path, url, exchange) as made:
        yield made


async def one_snapshot_four_hours_ago(home: Home) -> None:
    """As if the bot had been down in between: a cycle now, and a row of four hours ago."""
    await wait_for_a_fresh_hour(90)
    now_us = SystemClock().now_us()
    first = await home.command("run-once", "--mode", "collect")
    assert first.code == 0, first.said
    before = hour_key(now_us - 4 * HOUR_US)
    await home.execute(
        "INSERT INTO market_snapshots (market_id, snapshot_hour_utc, payload_json, created_at_utc,"
        " event_ticker, series_ticker, macro_event_type, volume_24h_e2, open_interest_e2, close_us)"
        f" SELECT market_id, '{before}', payload_json, created_at_utc, event_ticker,"
        " series_ticker, macro_event_type, volume_24h_e2, open_interest_e2, close_us"
        " FROM market_snapshots ORDER BY market_id LIMIT 1"
    )


async def test_missed_hours_are_repaired_once_and_snapshots_are_never_made_up(home: Home) -> None:
    await one_snapshot_four_hours_ago(home)
    told = await home.command("gaps", "--json")
    facts = json.loads(told.out)
    assert (told.code, facts["missing"]) == (1, 3)
    assert [gap["reason"] for gap in facts["gaps"]] == ["the bot was not running"]
    snapshots = await home.rows("SELECT count(*) FROM market_snapshots")

    repaired = await home.command("gaps", "--repair", "--json")
    facts = json.loads(repaired.out)
    assert repaired.code == 0, repaired.said
    made = {one["what"]: one for one in facts["repair"]["made"]}
    assert made["snapshots"]["outcome"] == "impossible"
    assert (made["candles"]["outcome"], made["trades"]["outcome"]) == ("refetched", "refetched")
    assert facts["missing"] == 3, "a missed snapshot stays missed"
    assert await home.rows("SELECT count(*) FROM market_snapshots") == snapshots
    [[candles]] = await home.rows("SELECT count(*) FROM market_candles")
    assert candles == made["candles"]["rows"] > 0

    again = await home.command("gaps", "--repair", "--json")
    facts = json.loads(again.out)
    assert (again.code, facts["repair"]["rows"], facts["repair"]["skipped"]) == (0, 0, 3)
    assert await home.rows("SELECT count(*) FROM market_candles") == [(candles,)]
    shown = await home.command("gaps")
    assert f"fetched later for these gaps: {candles + made['trades']['rows']} rows" in shown.out


async def test_the_running_hour_is_collected_by_a_repair(home: Home) -> None:
    assert (await home.command("migrate")).code == 0
    repaired = await home.command("gaps", "--repair")
    assert repaired.code == 0, repaired.said
    assert "snapshots: " in repaired.out
    assert (await home.rows("SELECT outcome FROM collect_cycles")) == [("complete",)]
    assert (await home.command("gaps")).code == 0


async def test_an_interrupted_repair_exits_130_and_the_next_one_goes_on(
    home: Home, exchange: SimulatedExchange
) -> None:
    await one_snapshot_four_hours_ago(home)
    late = FaultRule(kind=CallFault.LATENCY, count=0, delay_ms=4_500)
    exchange.exchange.faults.arm(late)
    running = home.start("-m", "bot", "gaps", "--repair")
    await home.until_rows("SELECT count(*) FROM gap_repairs", lambda rows: rows[0][0] == 1)
    done = await running.told(signal.SIGINT)
    assert done.code == 130, done.said
    exchange.exchange.faults.disarm()
    told = await home.command("gaps", "--repair", "--json")
    assert told.code == 0, told.said
    repair = json.loads(told.out)["repair"]
    assert repair["skipped"] == 1
    assert {one["what"] for one in repair["made"]} == {"candles", "trades", "settlements"}


async def test_a_series_nobody_knows_is_a_usage_error(home: Home) -> None:
    assert (await home.command("migrate")).code == 0
    for words in (["gaps"], ["gaps", "--repair"]):
        told = await home.command(*words, "--series", "NOPE")
        assert told.code == 2
        assert "'NOPE' is neither stored nor configured" in told.err
        assert "Traceback" not in told.said


async def test_quality_judges_what_was_collected(home: Home) -> None:
    assert (await home.command("migrate")).code == 0
    empty = await home.command("quality")
    assert (empty.code, empty.out.strip()) == (0, "no snapshots yet")
    assert (await home.command("run-once", "--mode", "collect")).code == 0
    honest = await home.command("quality", "--json")
    facts = json.loads(honest.out)
    assert (honest.code, facts["wrong"]) == (0, 0), honest.said
    assert facts["snapshots"] > 0
    await home.execute(
        "UPDATE market_snapshots SET yes_bid_e4 = 6000, yes_ask_e4 = 4000 WHERE market_id ="
        " (SELECT min(market_id) FROM market_snapshots)"
    )
    crossed = await home.command("quality")
    assert crossed.code == 1
    assert "wrong snapshot crossed: 1" in crossed.out
