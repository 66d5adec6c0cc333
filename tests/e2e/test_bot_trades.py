"""Mode trade on paper, as a process: what stands after an orderly end, a kill, a dry run."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import SCOPE, Home, Program, home_of
from tests.e2e.support.market import TICKER, Market

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__REFRESH_S": "1",
}
ENTRIES = "SELECT client_order_id, status FROM order_intents WHERE purpose = 'entry'"
CONTRACTS_E2 = 10_600
POSITION = f"SELECT quantity_e2 FROM positions WHERE scope = '{SCOPE}' AND ticker = '{TICKER}'"
EXITS = (
    "SELECT client_order_id, status, quantity_e2 FROM order_intents WHERE purpose = 'take_profit'"
)


@pytest.fixture
async def home(
    exchange: SimulatedExchange, market: Market, database_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, database_url, exchange) as made:
        made.settings |= TRADING
        yield made


async def bids(home: Home, market: Market) -> Program:
    """A bot whose entry rests."""
    market.quote(8_000, 8_100)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    market.quote(9_400, 9_500)
    await home.until_rows(ENTRIES, lambda rows: [row[1] for row in rows] == ["resting"])
    return bot


async def buys(home: Home, market: Market) -> Program:
    """A bot whose entry was filled and whose take-profit rests."""
    bot = await bids(home, market)
    market.quote(9_200, 9_300)
    await home.until_rows(POSITION, lambda rows: rows and rows[0][0] > 0)
    market.quote(9_400, 9_500)
    await home.until_rows(EXITS, lambda rows: [row[1] for row in rows] == ["resting"])
    return bot


async def paper_orders(home: Home) -> int:
    """How many orders ever reached the paper exchange."""
    found = await home.rows("SELECT count(*) FROM paper_journal WHERE kind = 'order'")
    count: int = found[0][0]
    return count


async def is_rearmed(home: Home, market: Market, bot: Program) -> None:
    """It manages the old position: the take-profit rests, and a falling market is sold into."""
    await bot.reach("leading")
    await home.until_rows(
        f"{EXITS} ORDER BY decided_us DESC", lambda rows: rows[0][1:] == ("resting", CONTRACTS_E2)
    )
    [position] = (await bot.page("/status"))["positions"]
    assert (position["ticker"], position["contracts"]) == (TICKER, str(CONTRACTS_E2 // 100))
    assert position["is_ours"]
    [reconciled] = [one["facts"] for one in bot.log("alert") if one["kind"] == "reconciled"]
    assert "'positions': '1'" in reconciled
    assert "'not_ours': 'nothing'" in reconciled
    market.quote(8_200, 8_300)
    market.quote(8_100, 8_200)
    await home.until_rows(POSITION, lambda rows: rows[0][0] == 0)
    assert (await bot.page("/status"))["positions"] == []


async def test_an_orderly_end_leaves_the_take_profit_and_the_next_start_goes_on(
    home: Home, market: Market
) -> None:
    bot = await buys(home, market)
    orders = await paper_orders(home)
    assert (await bot.told(signal.SIGTERM)).code == 0
    assert [row[1] for row in await home.rows(EXITS)] == ["resting"]
    again = home.bot(RAILWAY_DEPLOYMENT_ID="d2")
    await again.reach("leading")
    assert await paper_orders(home) == orders, "the resting take-profit was adopted"
    await is_rearmed(home, market, again)
    told = await home.command("decisions", "--json")
    assert told.code == 0, told.said
    decisions = json.loads(told.said)["decisions"]
    assert "taken" in {one["verdict"] for one in decisions}
    assert {one["judged_again"] for one in decisions} == {"equal"}


async def test_a_killed_bot_that_holds_a_position_manages_it_again(
    home: Home, market: Market
) -> None:
    bot = await buys(home, market)
    bot.process.kill()
    bot.process.wait()
    again = home.bot(RAILWAY_DEPLOYMENT_ID="d2")
    await is_rearmed(home, market, again)


async def test_an_orderly_end_cancels_a_resting_entry(home: Home, market: Market) -> None:
    bot = await bids(home, market)
    assert (await bot.told(signal.SIGTERM)).code == 0
    assert [row[1] for row in await home.rows(ENTRIES)] == ["canceled"]
    assert await home.rows(POSITION) == []


async def test_an_entry_of_a_killed_bot_is_cancelled_by_its_successor(
    home: Home, market: Market
) -> None:
    bot = await bids(home, market)
    [(first, _)] = await home.rows(ENTRIES)
    bot.process.kill()
    bot.process.wait()
    market.quote(9_500, 9_900)  # too wide for the successor, and nothing that fills the entry
    again = home.bot(RAILWAY_DEPLOYMENT_ID="d2")
    await again.reach("leading")
    await home.until_rows(
        f"{ENTRIES} AND client_order_id = '{first}'", lambda rows: rows[0][1] == "canceled"
    )
    market.quote(9_200, 9_300)
    assert await home.rows(POSITION) == [], "what was cancelled cannot fill"


async def test_a_dry_run_says_what_it_would_send_and_sends_nothing(
    home: Home, market: Market
) -> None:
    bot = home.bot("--dry-run")
    await bot.reach("leading")
    market.quote(8_000, 8_100)
    market.quote(9_400, 9_500)
    await bot.until_said("dry run")
    market.quote(9_200, 9_300)
    assert (await bot.told(signal.SIGTERM)).code == 0
    assert await paper_orders(home) == 0
    assert await home.rows(POSITION) == []
