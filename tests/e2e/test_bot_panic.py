"""The emergency stop at the command line: with a leader, with a dead one, and by SQL."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus, TimeInForce
from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import SCOPE, Home, Program, home_of
from tests.e2e.support.market import TICKER, Market
from tests.e2e.support.person import person
from tests.support.hands import intent

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
}
POSITION = f"SELECT quantity_e2 FROM positions WHERE scope = '{SCOPE}' AND ticker = '{TICKER}'"
ENTRIES = "SELECT status FROM order_intents WHERE purpose = 'entry'"
HALT = f"SELECT halted, reason FROM risk_state WHERE scope = '{SCOPE}'"
FLAT = "flat: the exchange states no position and no resting order"


@pytest.fixture
async def home(exchange: SimulatedExchange, market: Market, tmp_path: Path) -> AsyncIterator[Home]:
    async with home_of(tmp_path, f"sqlite:///{tmp_path / 'bot.sqlite'}", exchange) as made:
        made.settings |= TRADING
        yield made


@pytest.fixture
async def any_home(
    exchange: SimulatedExchange, market: Market, database_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, database_url, exchange) as made:
        made.settings |= TRADING
        yield made


async def buys(home: Home, market: Market) -> Program:
    """A bot that holds a position."""
    market.quote(8_000, 8_100)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    market.quote(9_400, 9_500)
    await home.until_rows(ENTRIES, lambda rows: [row[0] for row in rows] == ["resting"])
    market.quote(9_200, 9_300)
    await home.until_rows(POSITION, lambda rows: rows and rows[0][0] > 0)
    return bot


async def test_a_panic_has_the_leader_sell_everything_and_prove_it(
    home: Home, market: Market
) -> None:
    bot = await buys(home, market)
    ended = await home.command("panic", "--yes", "--json")
    answer = json.loads(ended.out)
    assert (ended.code, answer["done"]) == (0, True), ended.said
    assert answer["answer"].endswith(FLAT)
    assert await home.rows(POSITION) == [(0,)]
    assert await home.rows(HALT) == [(True, "panic")]
    market.quote(9_400, 9_500)
    assert (await bot.told(signal.SIGTERM)).code == 0
    assert len(await home.rows(ENTRIES)) == 1, "no entry after a halt"


async def test_a_panic_needs_no_leader(any_home: Home, market: Market) -> None:
    home = any_home
    bot = await buys(home, market)
    bot.process.kill()
    bot.process.wait()
    ended = await home.command("panic", "--yes")
    assert ended.code == 0, ended.said
    assert ended.out.strip().endswith(FLAT)
    assert await home.rows(POSITION) == [(0,)]
    again = home.bot(RAILWAY_DEPLOYMENT_ID="d2")
    await again.reach("leading")
    assert (await again.page("/status"))["positions"] == []
    assert await home.rows(HALT) == [(True, "panic")]


async def test_at_the_exchange_itself_a_person_is_spared_unless_everything_shall_go(
    home: Home, exchange: SimulatedExchange, market: Market
) -> None:
    home.take_time()
    home.settings |= {"ENABLE_LIVE_TRADING": "true"}
    market.quote(8_000, 8_100)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    market.quote(9_400, 9_500)
    await home.until_rows(ENTRIES, lambda rows: [row[0] for row in rows] == ["resting"])
    async with person(exchange) as hand:
        market.quote(9_200, 9_300)  # somebody sells to the bot
        await home.until_rows(
            POSITION.replace(SCOPE, "demo:main:0"), lambda rows: rows and rows[0][0] > 0
        )
        assert (await bot.told(signal.SIGTERM)).code == 0
        bought = msgspec.structs.replace(
            intent("app-1"),
            ticker=TICKER,
            price=Price(9_300),
            quantity=Quantity(500),
            post_only=False,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        assert (await hand.create_order(bought, order_group_id=None)).filled == 500
        bid = msgspec.structs.replace(intent("app-2"), ticker=TICKER, price=Price(1_000))
        await hand.create_order(bid, order_group_id=None)

        spared = await home.command("panic", "--yes")
        assert spared.code == 0, spared.said
        assert f"not ours, left alone: resting order in {TICKER}, 5.00 in {TICKER}" in spared.out
        assert [one.quantity for one in await hand.positions()] == [500]
        resting = await hand.orders(status=OrderStatus.RESTING)
        assert [one.client_order_id for one in resting] == ["app-2"]

        gone = await home.command("panic", "--yes", "--everything")
        assert gone.code == 0, gone.said
        assert gone.out.strip().endswith(FLAT)
        assert await hand.positions() == []
        assert await hand.orders(status=OrderStatus.RESTING) == []


async def test_a_declined_panic_has_halted_all_the_same(home: Home) -> None:
    assert (await home.command("migrate")).code == 0
    await home.execute(
        "INSERT INTO risk_state (scope, halted, reason, set_by, changed_us)"
        f" VALUES ('{SCOPE}', FALSE, '', 'test', 1)"
    )
    assert (await home.command("panic")).code != 0  # nobody answers the question
    assert await home.rows(HALT) == [(True, "panic")]


async def test_a_halt_by_sql_stops_a_running_bot_and_its_resting_entry(
    home: Home, market: Market
) -> None:
    market.quote(8_000, 8_100)
    bot = home.bot()
    await bot.reach("leading")
    market.quote(9_400, 9_500)
    await home.until_rows(ENTRIES, lambda rows: [row[0] for row in rows] == ["resting"])
    await home.execute(
        "UPDATE risk_state SET halted = TRUE, reason = 'by SQL', set_by = 'ann'"
        f" WHERE scope = '{SCOPE}'"
    )
    await home.until_rows(ENTRIES, lambda rows: [row[0] for row in rows] == ["canceled"])
    assert "by SQL" in json.dumps(await bot.page("/status"))


async def test_what_the_bot_holds_in_one_market_is_sold_on_command(
    home: Home, market: Market
) -> None:
    await buys(home, market)
    ended = await home.command("flatten", TICKER, "--yes")
    assert ended.code == 0, ended.said
    await home.until_rows(POSITION, lambda rows: rows[0][0] == 0)
    assert await home.rows(HALT) == [(False, "")]
