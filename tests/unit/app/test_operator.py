"""The operator of a process that only collects: what is done is durable and on record."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from typing_extensions import override

from bot.app.operator import BotOperator
from bot.app.replies import EngineReply
from bot.app.running import Running
from bot.app.trading import TradingDesk
from bot.domain.errors import ExchangeUnavailable
from bot.domain.events import CommandEvent
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
    operator = Tripped(running, cast(TradingDesk, SimpleNamespace(acts={})))
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
