"""From elected to leading: what activation waits for, and what ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.app.lifecycle import Tenure
from bot.app.operator import BotOperator
from bot.app.running import Running
from bot.app.sections import TradingSection
from bot.app.trading import TradingDesk
from bot.domain.errors import ExchangeUnavailable
from bot.domain.events import Role
from bot.domain.ids import Epoch
from bot.domain.leadership import Acquisition, LeaseRow
from bot.domain.operations import Done, Refused
from bot.engine.rivals import find_rival
from bot.kit.tasks import run_services
from bot.leadership.gate import LeaderGate
from bot.leadership.lease import LeaseTerms
from tests.fakes.exchange import FakeExchange
from tests.fakes.paper import ScriptedFeed
from tests.support import rows
from tests.unit.app.support import NUMBER, authority, running_at

pytestmark = pytest.mark.looptime(False)

PREVIOUS = LeaseRow(
    epoch=Epoch(0),
    holder=None,
    generation=0,
    renew_seq=0,
    acquired_us=None,
    renewed_us=None,
    expires_us=0,
    clean_release=True,
    stood_down=False,
)


class Bot:
    """A desk with its services, on a store where we hold the lease."""

    def __init__(self, running: Running, exchange: FakeExchange) -> None:
        self.exchange = exchange
        self.confirmed = 0
        self.running = running
        epoch = Epoch(rows.EPOCH)
        self.desk = TradingDesk(
            running,
            Tenure(
                instance_id=running.parts.candidate.instance_id,
                epoch=epoch,
                gate=LeaderGate(LeaseTerms(), running.clock),
                acquisition=Acquisition(epoch=epoch, previous=PREVIOUS, database_now_us=1),
                confirm=self.confirm,
            ),
            exchange,
            ScriptedFeed(),
        )

    async def confirm(self) -> bool:
        self.confirmed += 1
        return True

    @property
    def role(self) -> Role:
        return self.desk.engine.world.stance.role

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_services(self.desk.services(), stop, 5.0))
            yield stop
            stop.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 - the engine is a value, it signals nothing
                await asyncio.sleep(0.01)


@pytest.fixture
async def bot(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Bot]:
    async with running_at(sqlite_url, tmp_path) as running:
        await rows.grant_lease(running.parts.database)
        yield Bot(running, FakeExchange())


async def test_activation_ends_in_leading_and_a_drain_ends_that(bot: Bot) -> None:
    async with bot.serving():
        await bot.until(bot.desk.activation.done.is_set)
        await bot.until(lambda: bot.role is Role.LEADING)
    assert bot.confirmed == 1
    assert bot.role is Role.DRAINING


async def test_a_drain_ends_an_activation_under_way(bot: Bot) -> None:
    bot.exchange.gates["positions"] = asyncio.Event()
    async with bot.serving() as stop:
        await bot.until(lambda: bool(bot.exchange.named("positions")))
        stop.set()
        bot.exchange.gates["positions"].set()
        await bot.until(lambda: bot.role is Role.DRAINING)
    assert bot.desk.engine.world.stance.is_reconciled
    assert bot.confirmed == 0
    assert bot.role is Role.DRAINING
    assert not bot.desk.activation.done.is_set()


async def test_a_drain_before_the_activation_began_leaves_it_out(bot: Bot) -> None:
    async with bot.serving() as stop:
        stop.set()
    assert bot.exchange.named("positions") == []
    assert bot.role is not Role.LEADING


@pytest.fixture
async def demo_bot(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Bot]:
    trading = TradingSection(live=True, starts_unhalted=True)
    async with running_at(sqlite_url, tmp_path, trading=trading) as running:
        await rows.grant_lease(running.parts.database, scope=running.scope)
        yield Bot(running, FakeExchange())


async def test_beside_another_bot_it_leads_halted_until_an_operator_decides(demo_bot: Bot) -> None:
    demo_bot.exchange.groups["theirs"] = False
    async with demo_bot.serving():
        await demo_bot.until(demo_bot.desk.activation.done.is_set)
    stop = demo_bot.desk.engine.world.stance.halt
    assert stop is not None
    assert stop.halted
    assert stop.reason.startswith("another bot trades on this account: 1 order groups")
    assert (await demo_bot.desk.store.halt()).reason == stop.reason
    assert demo_bot.exchange.groups == {"theirs": False}


@pytest.mark.parametrize("decision", ["override", "adopt"])
async def test_what_an_operator_decides_on_another_bot_holds_at_the_next_start(
    demo_bot: Bot, decision: str
) -> None:
    desk, groups = demo_bot.desk, demo_bot.exchange.groups
    groups["theirs"] = False
    async with demo_bot.serving():
        await demo_bot.until(desk.activation.done.is_set)
        operator = BotOperator(demo_bot.running, desk)
        if decision == "adopt":
            told = await operator.adopt(authority())
            assert isinstance(told, Done)
            assert told.text.startswith("1 order groups are shut")
            entry = await demo_bot.running.audit.find(NUMBER)
            assert entry is not None
            assert (await operator.halt_state()).is_halted, "that is another decision"
            again = await operator.adopt(authority())
            assert again == Done(text="nothing of another bot is left to take over")
        assert isinstance(await operator.unhalt(authority(NUMBER + 1)), Done)
        await demo_bot.until(lambda: not desk.engine.world.stance.halt.halted)
    assert groups == {"theirs": decision == "adopt"}
    now_us = demo_bot.running.clock.now_us()
    assert await find_rival(demo_bot.exchange, desk.store, now_us) is None


async def test_a_group_that_cannot_be_shut_leaves_the_other_bot_undecided(demo_bot: Bot) -> None:
    demo_bot.exchange.groups["theirs"] = False
    async with demo_bot.serving():
        await demo_bot.until(demo_bot.desk.activation.done.is_set)
        demo_bot.exchange.faults["trigger_order_group"] = [ExchangeUnavailable("down")]
        refused = await BotOperator(demo_bot.running, demo_bot.desk).adopt(authority())
        assert isinstance(refused, Refused)
        assert "down" in refused.why
        assert demo_bot.desk.other_bot.found is not None


async def test_alone_on_its_account_it_is_not_halted(demo_bot: Bot) -> None:
    demo_bot.exchange.faults["order_groups"] = [ExchangeUnavailable("down")]
    async with demo_bot.serving():
        await demo_bot.until(demo_bot.desk.activation.done.is_set)
    assert not (await demo_bot.desk.store.halt()).halted
