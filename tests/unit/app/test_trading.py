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
from bot.domain.events import Role, StateLoaded
from bot.domain.ids import Epoch, InstanceId
from bot.domain.leadership import Acquisition, LeaseRow
from bot.domain.operations import Done, Refused
from bot.engine.core import Engine
from bot.engine.rivals import find_rival
from bot.engine.settings import EngineSettings
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


async def test_a_limit_is_durable_on_return_and_a_later_leadership_goes_by_it(bot: Bot) -> None:
    async with bot.serving():
        await bot.until(bot.desk.activation.done.is_set)
        operator = BotOperator(bot.running, bot.desk)
        outcome = await operator.adjusting.set_limit(
            authority(7), "max_concurrent", "3", may_loosen=False
        )
        assert outcome == Done(text="max_concurrent is 3, was 10")
        again = await operator.adjusting.set_limit(
            authority(8), "max_concurrent", "3", may_loosen=False
        )
        assert again == Done(text="max_concurrent is 3 already")
        refused = await operator.adjusting.set_limit(
            authority(9), "max_concurrent", "11", may_loosen=False
        )
        assert isinstance(refused, Refused)
        off = await operator.adjusting.switch(authority(10), None, is_on=False)
        assert off == Done(text="near_expiry: off")
        assert [one.is_on for one in operator.adjusting.strategies()] == [False]
        stored = await bot.desk.store.load(bot.running.clock.now_us())
    entry = await bot.running.audit.find(7)
    assert entry is not None
    assert (entry.command, entry.outcome) == (
        "/limit max_concurrent 3",
        "done: max_concurrent is 3, was 10",
    )
    assert await bot.running.audit.find(9) is None
    later = Engine(EngineSettings(), (), bot.running.scope, InstanceId("later"))
    later.handle(StateLoaded(received_us=bot.running.clock.now_us(), state=stored))
    assert later.world.settings.limits.concurrent_max == 3
    assert later.world.adjusted.off == {"near_expiry"}


async def test_one_that_only_collects_has_nothing_to_adjust(bot: Bot) -> None:
    adjusting = BotOperator(bot.running, None).adjusting
    assert (adjusting.limits(), adjusting.strategies(), adjusting.brackets()) == ((), (), ())
    outcome = await adjusting.set_limit(authority(7), "max_concurrent", "3", may_loosen=True)
    assert isinstance(outcome, Refused)
    assert outcome.remedy == "start it with --mode trade"
