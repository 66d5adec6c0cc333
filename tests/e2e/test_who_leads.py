"""Who may trade, situation by situation, as processes on one PostgreSQL.

``docs/leadership_reference.md`` lists which test proves which situation.
"""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bench import SLACK_S, Bench
from tests.e2e.support.bot import Home, home_of
from tests.support.blackhole import BlackHole

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.looptime(False)]


@pytest.fixture
def bench(postgres_url: str) -> Iterator[Bench]:
    built = Bench(postgres_url)
    yield built
    built.end()


@pytest.fixture
async def home(
    exchange: SimulatedExchange, postgres_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, postgres_url, exchange) as made:
        yield made


async def test_each_account_and_mode_has_a_lead_of_its_own(bench: Bench) -> None:
    scopes = ("paper:main:0", "live:main:0", "live:main:1", "live:second:0")
    leaders = [bench.start("d1", "--scope", scope) for scope in scopes]
    for leader in leaders:
        await leader.reach("leading", SLACK_S)
    assert all(leader.process.poll() is None for leader in leaders)
    assert await bench.sql("SELECT count(*) FROM leader_lease WHERE holder IS NOT NULL") == 4


async def test_two_services_with_one_account_compete_for_its_lead(bench: Bench) -> None:
    ours = bench.start("service-a-d1", "--scope", "live:main:0")
    await ours.reach("leading", SLACK_S)
    copy = bench.start("service-b-d1", "--scope", "live:main:0")
    await copy.reach("leading", SLACK_S)
    assert await ours.exit_code(SLACK_S) == 0
    bench.judge()


async def test_the_old_one_stands_ready_without_trading_until_the_successor_leads(
    bench: Bench,
) -> None:
    old = bench.start("d1")
    await old.reach("leading", SLACK_S)
    new = bench.start("d2", "--activation-s", "4")
    await old.reach("released", SLACK_S)
    await new.reach("activating", SLACK_S)
    traded = len(old.trades())
    assert old.process.poll() is None
    assert await old.exit_code(SLACK_S) == 0
    assert "leading" in new.roles()
    assert len(old.trades()) == traded
    bench.judge()


async def test_an_old_one_that_stands_ready_is_told_to_stop_and_ends_with_zero(
    bench: Bench,
) -> None:
    old = bench.start("d1")
    await old.reach("leading", SLACK_S)
    new = bench.start("d2", "--activation-s", "60")
    await old.reach("released", SLACK_S)
    old.process.send_signal(signal.SIGTERM)
    assert await old.exit_code(SLACK_S) == 0
    assert new.roles() == ["activating"], "the successor is not disturbed"


async def test_an_older_build_that_restarts_is_superseded_and_a_rollback_leads(
    bench: Bench,
) -> None:
    first = bench.start("d1")
    await first.reach("leading", SLACK_S)
    second = bench.start("d2")
    await second.reach("leading", SLACK_S)
    assert await first.exit_code(SLACK_S) == 0
    restarted = bench.start("d1")
    assert await restarted.exit_code(SLACK_S) == 0
    assert restarted.said[-1]["reason"].startswith(f"superseded: {second.instance} leads")
    assert "activating" not in restarted.roles()
    # The platform redeploys the build of d1: the same code under a new id.
    rollback = bench.start("d3")
    await rollback.reach("leading", SLACK_S)
    assert await second.exit_code(SLACK_S) == 0
    bench.judge()


async def test_off_the_platform_every_start_leads(home: Home) -> None:
    """So that an older build from another checkout leads; there is no deployment to rank by."""
    first = home.bot()
    await first.reach("leading")
    second = home.bot()
    await second.reach("leading")
    assert (await first.ended()).code == 0
    assert second.is_running


async def test_an_exchange_that_is_away_at_the_start_is_waited_for_and_commands_are_answered(
    home: Home,
) -> None:
    home.settings |= {"BOT_MODE": "trade", "ENABLE_LIVE_TRADING": "true"}
    async with BlackHole.running(home.exchange.port) as network:
        network.is_open = False
        bot = home.bot(KALSHI_REST_URL=f"http://127.0.0.1:{network.port}")
        await bot.reach("activating")
        await bot.say("/halt before it began")
        await home.until_rows(
            "SELECT reason FROM risk_state WHERE halted",
            lambda rows: rows == [("before it began",)],
        )
        assert "leading" not in bot.roles()
        network.is_open = True
        await bot.reach("leading")


async def test_telegram_away_at_the_start_keeps_nobody_from_leading(home: Home) -> None:
    home.settings |= {
        "TELEGRAM_BOT_TOKEN": "123456:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr",
        "TELEGRAM_ADMIN_IDS": "11",
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
    }
    bot = home.bot()
    await bot.reach("leading")
    await bot.until_said("telegram")
    assert bot.is_running
    assert (await bot.told(signal.SIGTERM)).code == 0
