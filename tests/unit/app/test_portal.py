"""The page's backend: commands take the road of all commands, and a halt waits for nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from bot.app.portal import PageBackend, PageMessages
from bot.app.running import Running
from bot.console.access import AccessSettings, Doorkeeper
from bot.console.confirmations import Confirmations
from bot.console.dispatch import Console
from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.ids import Epoch
from bot.domain.operations import Severity, WatchView
from bot.ports.messages import Channel, OutgoingMessage
from tests.fakes.operator import FakeOperator
from tests.unit.app.support import running_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def running(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_at(sqlite_url, tmp_path) as made:
        yield made


class Shut:
    """A halt that is told at once, whatever the store does."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def __call__(self, _authority: object, reason: str) -> None:
        self.reasons.append(reason)


def led(running: Running) -> tuple[PageBackend, Shut]:
    shut, operator = Shut(), FakeOperator()
    operator.halt_now = shut  # type: ignore[method-assign]
    console = Console(
        operator=operator,
        audit=running.audit,
        doorkeeper=Doorkeeper(AccessSettings()),
        confirmations=Confirmations(Random(1)),
        clock=running.clock,
    )
    page = PageBackend(running)
    page.answer_from(operator, console)  # type: ignore[arg-type]
    return page, shut


async def test_a_process_that_does_not_lead_takes_no_commands(running: Running) -> None:
    page = PageBackend(running)
    with pytest.raises(NotLeader):
        await page.say("/halt", None)
    led_page, _ = led(running)
    led_page.answer_from_nobody()
    with pytest.raises(NotLeader):
        await led_page.say("/halt", None)
    assert await running.inbox.waiting() == 0
    status = await page.status()
    assert status["why_not_trading"] == "not leading; the lead is with nobody"


@pytest.mark.parametrize(
    ("text", "is_urgent"),
    [("/halt fire", True), ("/stop", True), ("/HALT", True), ("/status", False), ("hello", False)],
)
async def test_what_is_typed_is_stored_in_its_lane(
    running: Running, text: str, is_urgent: bool
) -> None:
    page, _ = led(running)
    woken: list[str] = []
    running.wakes.commands.append(lambda: woken.append("commands"))
    await page.say(text, None)
    assert woken == ["commands"]
    assert (await running.inbox.claim(Epoch(1), urgent=True) is not None) is is_urgent
    assert (await running.inbox.claim(Epoch(1), urgent=False) is not None) is not is_urgent


async def test_a_halt_acts_although_nothing_can_be_stored(running: Running) -> None:
    page, shut = led(running)

    async def away(_: object) -> int:
        raise StorageUnavailable("no answer")

    running.inbox.put = away  # type: ignore[method-assign, assignment]
    with pytest.raises(StorageUnavailable):
        await page.say("/halt fire", None)
    with pytest.raises(StorageUnavailable):
        await page.say("/status", None)
    assert shut.reasons == ["fire"]


async def test_messages_of_the_page_are_delivered_by_being_stored(running: Running) -> None:
    message = OutgoingMessage(
        channel=Channel.PORTAL,
        recipient="page",
        kind="reply",
        severity=Severity.INFO,
        text="<b>hello</b>",
    )
    await running.outbox.put([message])
    await PageMessages(running).drain()
    assert await running.outbox.waiting(Channel.PORTAL) == 0
    [shown] = await PageBackend(running).chat(0)
    assert (shown["text"], shown["kind"]) == ("<b>hello</b>", "reply")


async def test_the_page_shows_pictures_and_tables_and_nothing_else(
    running: Running, tmp_path: Path
) -> None:
    page, _ = led(running)
    names = ("a.png", "b.csv", "backup.sqlite", "gone.png")
    for name in names:
        if name != "gone.png":
            (tmp_path / name).write_bytes(name.encode())
        await running.outbox.put(
            [
                OutgoingMessage(
                    channel=Channel.PORTAL,
                    recipient="page",
                    kind="reply",
                    severity=Severity.INFO,
                    text=name,
                    attachment=str(tmp_path / name),
                    edits=1 if name == "b.csv" else None,
                )
            ]
        )
    shown = await page.chat(0)
    assert [one["file"] for one in shown] == ["a.png", "b.csv", None, "gone.png"]
    assert [one["edits"] for one in shown] == [None, 1, None, None]
    found = [await page.picture(int(str(one["id"]))) for one in shown]
    assert [one and (one.name, one.content_type) for one in found] == [
        ("a.png", "image/png"),
        ("b.csv", "text/csv"),
        None,
        None,
    ]
    assert await page.picture(999) is None


async def test_a_file_of_another_channel_is_not_the_page_s(
    running: Running, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    await running.outbox.put(
        [
            OutgoingMessage(
                channel=Channel.TELEGRAM,
                recipient="1",
                kind="reply",
                severity=Severity.INFO,
                text="a",
                attachment=str(tmp_path / "a.png"),
            )
        ]
    )
    assert await PageBackend(running).picture(1) is None


async def test_a_press_on_the_page_names_its_message(running: Running) -> None:
    page, _ = led(running)
    await page.say("", "again:/status", 12)
    claimed = await running.inbox.claim(Epoch(1), urgent=False)
    assert claimed is not None
    assert (claimed.command.button, claimed.command.message_id) == ("again:/status", 12)


async def test_health_names_what_is_not_calm_and_no_figure(running: Running) -> None:
    page = PageBackend(running)
    assert page.health()["watched"] == "not looked yet"
    calm = WatchView(name="win rate", is_calm=True, text="40 of 50 won")
    wrong = WatchView(name="money", is_calm=False, text="$1.00 free")
    running.standing.watches = (calm,)
    assert page.health()["watched"] == "all calm"
    running.standing.watches = (calm, wrong)
    assert page.health()["watched"] == "money"
