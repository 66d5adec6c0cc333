"""The operator of a process that only collects: what is done is durable and on record."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from typing_extensions import override

from bot.adapters.storage.leases import SqlLeaseStore
from bot.app.operator import BotOperator
from bot.app.replies import EngineReply
from bot.app.running import Running
from bot.app.trading import TradingDesk
from bot.domain.errors import ExchangeUnavailable
from bot.domain.events import CommandEvent
from bot.domain.ids import InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.domain.operations import BreakerView, Done, Refused, StopKind
from tests.unit.app.support import NUMBER, authority, running_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_at(database_url, tmp_path) as made:
        yield made


async def test_a_halt_and_its_end_are_stored(running: Running) -> None:
    operator = BotOperator(running, None)
    assert (await operator.halt_state()).reason == "first start; /unhalt to begin"
    view = await operator.halt(authority(1), "lunch")
    assert (view.is_halted, view.reason, view.set_by) == (True, "lunch", "telegram:11 Ada")
    assert isinstance(await operator.unhalt(authority(2)), Done)
    assert not (await operator.halt_state()).is_halted
    again = await operator.unhalt(authority(3))
    assert isinstance(again, Done)
    assert again.text == "There is no halt to end."


async def test_an_unhalt_is_on_record_with_its_effect_and_happens_once(running: Running) -> None:
    operator = BotOperator(running, None)
    await operator.unhalt(authority())
    entry = await running.audit.find(NUMBER)
    assert entry is not None
    assert (entry.command, entry.outcome) == ("/unhalt", "done: the halt is ended")
    await operator.halt(authority(NUMBER + 1), "meanwhile")
    await operator.unhalt(authority())
    assert (await operator.halt_state()).is_halted, "its number had acted before"


async def test_a_backup_is_on_record_with_its_file(running: Running) -> None:
    made = await BotOperator(running, None).backup(authority())
    stored = await asyncio.to_thread(Path(made.path).stat)
    assert stored.st_size == made.size_bytes
    entry = await running.audit.find(NUMBER)
    assert entry is not None
    assert entry.outcome == f"backup {made.path} {made.sha256}"


async def test_what_needs_an_engine_is_refused_with_its_remedy(running: Running) -> None:
    operator = BotOperator(running, None)
    refused = await operator.reset_breaker(authority(), "daily_loss", force=True)
    assert isinstance(refused, Refused)
    assert "--mode trade" in refused.remedy
    assert await running.audit.find(NUMBER) is None
    operator.halt_now(authority(), "nothing to shut")
    assert await operator.breakers() == ()
    assert await operator.positions() == ()


async def test_a_panic_without_an_engine_halts_and_says_what_it_cannot_do(running: Running) -> None:
    operator = BotOperator(running, None)
    await operator.unhalt(authority(1))
    refused = await operator.panic(authority(2), everything=False)
    assert isinstance(refused, Refused)
    assert "mode collect holds no positions" in refused.why
    assert (await operator.halt_state()).reason == "panic"


async def test_a_status_without_an_engine_says_that_it_collects(running: Running) -> None:
    operator = BotOperator(running, None)
    view = await operator.status()
    assert view.stop is not None
    assert view.stop.kind is StopKind.OFF
    assert (view.account, view.pnl, view.open_positions) == (None, None, None)
    assert (await operator.why(None)).funnel == ()
    assert (await operator.version()).deployment == "off a platform"
    assert operator.agreement() is None


async def test_on_paper_the_real_account_is_never_shown(running: Running) -> None:
    async with running.parts.exchange.open():
        with pytest.raises(ExchangeUnavailable, match="known in mode trade only"):
            await BotOperator(running, None).balance()
    assert running.parts.exchange.counter.take() == (0, 0)


def other(running: Running, name: str, scope: str | None = None) -> Candidate:
    mine = running.parts.candidate
    return replace(
        mine,
        instance_id=InstanceId(name),
        deployment_id=name,
        scope=Scope(scope) if scope else mine.scope,
    )


async def test_the_lead_is_given_to_another_living_instance_once(running: Running) -> None:
    store, operator = SqlLeaseStore(running.parts.database), BotOperator(running, None)
    me, scope = running.parts.candidate.instance_id, running.scope
    await store.register(running.parts.candidate)
    await store.register(other(running, "b"))
    reading = await store.read(scope, me)
    assert await store.claim(scope, me, None)
    assert await store.acquire(scope, me, reading.lease, 15_000_000)
    views = {view.instance: view for view in await operator.instances()}
    assert views[me].is_me
    assert views[me].leads_since_us is not None
    assert (views[InstanceId("b")].is_alive, views[InstanceId("b")].leads_since_us) == (True, None)
    assert isinstance(await operator.hand_over(authority(), InstanceId("b")), Done)
    reading = await store.read(scope, me)
    assert reading.active is not None
    assert reading.active.instance_id == "b"
    assert reading.lease.holder == me, "it is released when it has drained"
    entry = await running.audit.find(NUMBER)
    assert entry is not None
    assert entry.command == "/handover b"
    # The successor finds the command of the one that died over it.
    assert await operator.hand_over(authority(), me) == Done(text=f"{me} leads")


async def test_a_dead_a_mistyped_and_a_foreign_instance_do_not_get_the_lead(
    running: Running,
) -> None:
    store, operator = SqlLeaseStore(running.parts.database), BotOperator(running, None)
    await store.register(running.parts.candidate)
    await store.register(other(running, "stopped"))
    await store.retire(InstanceId("stopped"), "ended")
    await store.register(other(running, "foreign", "live:main:0"))
    for name in ("stopped", "mistyped", "foreign"):
        refused = await operator.hand_over(authority(), InstanceId(name))
        assert isinstance(refused, Refused), name
        assert name in refused.why
    assert await running.audit.find(NUMBER) is None


class Tripped(BotOperator):
    """With an engine that refuses each act."""

    said = ""

    @override
    async def breakers(self) -> tuple[BreakerView, ...]:
        return (
            BreakerView(
                name="drawdown",
                is_tripped=True,
                why="",
                value="",
                limit="",
                changed_us=None,
                rearms="",
            ),
        )

    @override
    async def _ask(self, event: CommandEvent) -> EngineReply:
        return EngineReply(text=self.said, is_refused=self.said.startswith("refused"))


async def test_the_command_line_is_pointed_to_no_command_of_the_chat(running: Running) -> None:
    operator = Tripped(
        running, cast(TradingDesk, SimpleNamespace(acts={}, engine=SimpleNamespace(world=None)))
    )
    operator.said = "refused: no breaker 'bogus'; known: drawdown"
    typed = replace(authority(), channel="cli")
    refused = await operator.reset_breaker(typed, "bogus", force=False)
    assert isinstance(refused, Refused)
    assert refused.remedy == "tripped now: drawdown"
    refused = await operator.reset_breaker(authority(), "bogus", force=False)
    assert isinstance(refused, Refused)
    assert "/breakers" in refused.remedy
    operator.said = "not halted"
    assert await operator.unhalt(typed) == Done(text="There is no halt to end.")
