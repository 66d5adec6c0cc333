"""The chat at the command line, through the real inbox of a bot that answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from bot.app.chat import ChatAnswer, chat
from bot.app.running import Running
from bot.console.access import AccessSettings, Doorkeeper
from bot.console.confirmations import Confirmations
from bot.console.dispatch import Console
from bot.console.worker import CommandDesk, CommandWorker
from bot.domain.ids import Epoch
from bot.kit.tasks import together
from tests.fakes.operator import FakeOperator
from tests.support import rows
from tests.unit.app.support import running_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def running(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_at(sqlite_url, tmp_path) as made:
        yield made


@asynccontextmanager
async def answering(running: Running, operator: FakeOperator) -> AsyncIterator[None]:
    """A leader of the scope who answers."""
    await rows.grant_lease(running.parts.database, scope=running.scope)
    console = Console(
        operator=operator,
        audit=running.audit,
        doorkeeper=Doorkeeper(AccessSettings()),
        confirmations=Confirmations(Random(1)),
        clock=running.clock,
    )
    worker = CommandWorker(
        inbox=running.inbox,
        desk=CommandDesk(inbox=running.inbox, console=console, clock=running.clock),
        epoch=lambda: Epoch(1),
        replied=lambda: None,
    )
    async with together() as group:
        task = group.create_task(worker.run(), name="commands")
        yield
        task.cancel()


async def say(
    running: Running,
    line: str,
    *,
    yes: bool = False,
    agrees: Callable[[str, str], bool] | None = None,
) -> ChatAnswer:
    return await chat(
        running.settings, line, scope=None, wait_s=10.0, is_confirmed=yes, agrees=agrees
    )


async def test_a_command_is_answered_in_plain_text_and_done(running: Running) -> None:
    async with answering(running, FakeOperator()):
        answer = await say(running, "status")
    assert "<b>" not in answer.text
    assert answer.text.startswith("TRADING: entries are on")
    assert answer.is_done


async def test_a_question_stays_open_without_a_person_and_says_nothing_was_done(
    running: Running,
) -> None:
    operator = FakeOperator()
    async with answering(running, operator):
        answer = await say(running, "/close all")
    assert answer.outcome == "asked"
    assert not answer.is_done
    assert operator.acts == []


@pytest.mark.parametrize("is_agreed", [True, False])
async def test_a_person_answers_the_question_that_was_put(
    running: Running, is_agreed: bool
) -> None:
    operator, asked = FakeOperator(), []

    def agrees(text: str, label: str) -> bool:
        asked.append((text.splitlines()[0], label))
        return is_agreed

    async with answering(running, operator):
        answer = await say(running, "/close all", agrees=agrees)
    assert asked == [("Close everything we hold at the market?", "Close all")]
    assert [name for name, _ in operator.acts] == (["close all"] if is_agreed else [])
    assert answer.outcome == ("done: closing 1 position" if is_agreed else "declined")


async def test_yes_asks_nothing(running: Running) -> None:
    operator = FakeOperator()
    async with answering(running, operator):
        answer = await say(running, "/close all", yes=True)
    assert [name for name, _ in operator.acts] == ["close all"]
    assert answer.is_done


async def test_what_can_be_chosen_is_listed_as_lines_to_send(running: Running) -> None:
    async with answering(running, FakeOperator()):
        answer = await say(running, "/close")
    assert answer.choices == ("/close KXFED-26DEC-T4.25",)
    assert not answer.is_done


async def test_to_show_the_same_again_is_no_choice(running: Running) -> None:
    async with answering(running, FakeOperator()):
        answer = await say(running, "/pnl week")
    assert answer.choices == ("/pnl day", "/pnl month", "/pnl all")


@pytest.mark.parametrize("line", ["/nonsense", "/halt_now_please", "/approve 7-3 none"])
async def test_what_is_not_understood_is_not_done(running: Running, line: str) -> None:
    async with answering(running, FakeOperator()):
        assert not (await say(running, line)).is_done


async def test_with_nobody_leading_a_halt_is_stored_and_the_rest_is_refused(
    running: Running,
) -> None:
    refused = await say(running, "/status")
    assert refused.text == f"nobody leads {running.scope}: start the bot first"
    assert not refused.is_done
    halted = await say(running, "/halt lunch")
    assert halted.text.startswith("saved: halted")
    assert halted.is_done
