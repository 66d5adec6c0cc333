"""A start that is wrong for certain: one line, the documented code, and a leader undisturbed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import SLACK_S, Home, Program, home_of
from tests.support.pgbouncer import NoPooler, pooler

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.looptime(False)]

LEAD = "SELECT i.instance_id, l.epoch FROM bot_instances i JOIN leader_lease l ON true"


@pytest.fixture
async def home(
    exchange: SimulatedExchange, postgres_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, postgres_url, exchange) as made:
        made.take_time()
        yield made


async def refused(program: Program, words: str) -> None:
    """Ended with 2 and one line that has these words."""
    ended = await program.ended(2 * SLACK_S)
    assert ended.code == 2, program.story()
    (line,) = ended.err.splitlines()
    assert line.startswith("configuration: ")
    assert words in line


async def test_each_wrong_start_is_told_in_one_line_and_disturbs_nobody(
    home: Home, exchange: SimulatedExchange, postgres_url: str
) -> None:
    leader = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await leader.reach("leading")
    before = await home.rows(LEAD)
    await home.execute("CREATE ROLE e2e_clerk LOGIN")
    cases = [
        ("use port 5432 (session mode)", "postgresql://me@db.example:6543/kalshi"),
        ("does not exist; correct DATABASE_URL", f"{postgres_url}_not"),
        ("permission denied", postgres_url.replace("postgres@", "e2e_clerk@")),
    ]
    async with AsyncExitStack() as stack:
        try:
            shared = await stack.enter_async_context(pooler(postgres_url, "transaction"))
            cases.append(("a transaction pooler answers", shared))
        except NoPooler:
            pass  # tests/contract/test_poolers.py says that it is missing
        for words, url in cases:  # one after the other: all at once they are slow
            await refused(home.bot(DATABASE_URL=url, RAILWAY_DEPLOYMENT_ID="d2"), words)
    exchange.exchange.skew_ms = 300_000
    await refused(home.bot(RAILWAY_DEPLOYMENT_ID="d2"), "s behind the exchange's clock")
    exchange.exchange.skew_ms = 0
    stranger = home.bot(KALSHI_API_KEY_ID=str(UUID(int=1)), RAILWAY_DEPLOYMENT_ID="d2")
    await refused(stranger, "the exchange refuses the API key")
    laptop = home.bot()
    await refused(laptop, "paper:main:0 was last led on the platform (deployment d1)")
    newer = "INSERT INTO schema_version (version, revision, min_code_version, applied_at_us)"
    await home.execute(f"{newer} VALUES (9999, '9999', 9999, 1)")
    await refused(home.bot(RAILWAY_DEPLOYMENT_ID="d2"), "its schema needs newer code")
    await home.execute("DROP OWNED BY e2e_clerk")
    await home.execute("DROP ROLE e2e_clerk")
    assert await home.rows(LEAD) == before, "the only instance, under the same epoch"
    assert leader.roles()[-1] == "leading"
    assert leader.is_running
