"""The past by the command line, as real processes: discovered, read, killed, read on, judged."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from bot.domain.ids import MarketTicker
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from bot.simulator.faults import CallFault, FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from bot.venue.markets import MarketResult
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.market import Market

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    """Twelve markets that were traded for an hour, closed and settled a day ago."""
    from bot.kit.clock import SystemClock  # noqa: PLC0415 - the fixture's alone

    settings = SimulatorSettings(
        world="empty",
        limits=RateLimits(is_on=False),
        speed=0,
        start_us=SystemClock().now_us() - DAY_US,
    )
    async with SimulatedExchange(settings) as running:
        markets = [Market(running, MarketTicker(f"KXFED-26NOV-T{n}")) for n in range(12)]
        random = Random(4)
        for _ in range(60):
            for number, market in enumerate(markets):
                bid = 600 + 700 * number + 100 * random.randrange(3)
                market.quote(bid, bid + 200)
                market.trade(bid + 200)
            live(running, MINUTE_US)
        for number, market in enumerate(markets):
            market.quote(600 + 700 * number, 800 + 700 * number)
        live(running, 2 * HOUR_US)
        for number, market in enumerate(markets):
            result = MarketResult.YES if number > random.randrange(12) else MarketResult.NO
            now_us = running.exchange.now_us()
            operations = running.exchange.venue.operations
            running.exchange.apply(operations.determine(market.ticker, result, now_us))
        live(running, SystemClock().now_us() - running.exchange.now_us() - SECOND_US)
        yield running


def live(running: SimulatedExchange, duration_us: int) -> None:
    running.exchange.clock.advance(duration_us)
    running.exchange.catch_up()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def home(
    exchange: SimulatedExchange, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Home]:
    url = request.getfixturevalue(f"{request.param}_url")
    async with home_of(tmp_path, url, exchange) as made:
        yield made


async def counts(home: Home) -> tuple[int, int, int]:
    query = (
        "SELECT (SELECT count(*) FROM market_candles WHERE period_minutes = 1),"
        " (SELECT count(*) FROM market_trades), (SELECT count(*) FROM market_settlements)"
    )
    return (await home.rows(query))[0]


def truth(exchange: SimulatedExchange) -> tuple[int, int, int]:
    """What was traded. A settlement moves the books once more, and is no candle of a market."""
    held = exchange.exchange
    candles = 0
    for each in held.catalog.markets:
        closed_s = held.market(each).close_us // SECOND_US
        candles += len(held.candles.read(each, 0, closed_s + 60, 1))
    return candles, len(list(held.trades(None))), len(held.catalog.markets)


async def test_killed_over_and_over_it_ends_with_everything_once(
    home: Home, exchange: SimulatedExchange
) -> None:
    words = ("backfill", "--series", "KXFED", "--minutes", "1", "--json")
    slow = FaultRule(kind=CallFault.LATENCY, path="/trade-api/v2/", count=0, delay_ms=60)
    exchange.exchange.faults.arm(slow)
    random = Random(9)
    for _ in range(4):
        program = home.start("-m", "bot", *words)
        await asyncio.sleep(1.5 + 2.5 * random.random())
        if program.is_running:
            await program.told(signal.SIGKILL)
    exchange.exchange.faults.disarm(None)
    done = await home.command(*words)
    assert done.code == 0, home.story()
    told = json.loads(done.out)
    assert (told["outcome"], told["left"], told["error"]) == ("complete", 0, None)
    assert await counts(home) == truth(exchange)
    again = json.loads((await home.command(*words)).out)
    assert (again["candles"], again["trades"]) == (0, 0)
    assert await counts(home) == truth(exchange)


async def test_an_interrupted_reading_says_where_it_stands(
    home: Home, exchange: SimulatedExchange
) -> None:
    slow = FaultRule(
        kind=CallFault.LATENCY, path="/trade-api/v2/markets/trades", count=0, delay_ms=400
    )
    exchange.exchange.faults.arm(slow)
    program = home.start("-m", "bot", "backfill", "--series", "KXFED", "--kind", "trades")
    query = "SELECT count(*) FROM market_trades"
    for _ in range(300):
        if (await home.rows(query))[0][0]:
            break
        await asyncio.sleep(0.1)
    ended = await program.told(signal.SIGINT)
    assert ended.code == 130, home.story()
    assert "of 12 read (trades:" in ended.err
    assert "the same command goes on from there" in ended.err


async def test_the_ledger_is_judged_in_numbers_and_in_a_picture(
    home: Home, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    empty = await home.command("calibration", "--picture", "c.png")
    assert empty.code == 1
    assert "no picture: of 0 settled markets none has a price at this horizon" in empty.err
    read = await home.command("backfill", "--market", "KXFED-26NOV-T3", "--json")
    assert json.loads(read.out)["settled"] == 1, home.story()
    await home.command("backfill", "--series", "KXFED", "--kind", "settlements")
    told = await home.command(
        "calibration", "--horizon", "15", "--max-age", "48", "--picture", "c.png"
    )
    assert told.code == 0, home.story()
    assert "12 of 12 settled markets, 1 event\n" in told.out
    assert "Brier" in told.out
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    facts = json.loads((await home.command("calibration", "--horizon", "15", "--json")).out)
    assert facts["count"] == 12
    assert sum(bucket["count"] for bucket in facts["buckets"]) == 12


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("backfill", "--market", "KXNONE-1"),
            2,
            "--market: the exchange knows no market KXNONE-1",
        ),
        (
            ("backfill", "--from", "yesterday"),
            2,
            "--from: 'yesterday' is no time; write 2026-11-29",
        ),
        (("backfill", "--from", "2026-11-02", "--to", "2026-11-01"), 2, "--from: must be before"),
        (("backfill", "--kind", "candels"), 2, "name one or more of candles, trades, settlements"),
        (("backfill", "--series", "A", "--market", "B"), 2, "exclude each other"),
        (("calibration", "--horizon", "7"), 2, "--horizon: 7 min is not kept; take one of 5, 15"),
        (("discover", "--series"), 2, "requires an argument"),
        (("discover", "--series", "KXNONE"), 2, "--series: the exchange lists no market of KXNONE"),
        (("backfill", "--series", "KXNONE"), 2, "--series: the exchange lists no market of KXNONE"),
        (("backfill", "--from", "2999-01-01"), 2, "--from: 2999-01-01 is not past yet"),
        (("export", "--series", "KXNONE"), 1, "nothing of KXNONE is stored: check the spelling"),
    ],
)
async def test_a_mistake_is_named_with_its_remedy(
    words: tuple[str, ...],
    code: int,
    said: str,
    exchange: SimulatedExchange,
    sqlite_url: str,
    tmp_path: Path,
) -> None:
    async with home_of(tmp_path, sqlite_url, exchange) as home:
        ended = await home.command(*words)
        assert (ended.code, said in ended.err) == (code, True), home.story()


async def test_an_exchange_that_is_away_is_told_and_exits_1(
    home: Home, exchange: SimulatedExchange
) -> None:
    exchange.exchange.faults.arm(FaultRule(kind=CallFault.UNAVAILABLE, count=0))
    ended = await home.command("discover", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["outcome"] == "partial"
    ended = await home.command("backfill", "--series", "KXFED")
    assert ended.code == 1
    assert "the markets could not be listed" in ended.err
