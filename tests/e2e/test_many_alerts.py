"""Thousands of alerts through Telegram's flood limit, with kills in the middle: none is lost.

CI tells 600 of them; ``ALERTS=10000`` tells as many as the proof wants.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot.adapters.storage.database import Database
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.tables import outbox
from bot.domain.operations import Severity
from bot.kit.clock import SystemClock
from bot.ports.messages import Channel, OutgoingMessage
from tests.e2e.programs.teller import BREAKER_EVERY, GROUP, PERSON, SCOPE
from tests.fakes.fast_clock import FastClock
from tests.fakes.telegram_flood import Flood
from tests.fakes.telegram_server import FakeTelegram

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("ALERTS", "600"))  # noqa: TID251 - how long the test may take
SPEED = 100.0
WITHIN_S = 60.0 + COUNT / 50
NAME = re.compile(r"#(a[0-9a-z]{7,9})\b")


class Bot:
    """Processes of ``programs/teller.py``, one after the other."""

    def __init__(self, url: str, server: FakeTelegram) -> None:
        self._url = url
        self._server = server
        self.since_us = SystemClock().now_us()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        arguments = ["-m", "tests.e2e.programs.teller", self._url, self._server.url]
        arguments += ["--count", str(COUNT), "--since-us", str(self.since_us)]
        arguments += ["--speed", str(SPEED)]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)
        try:
            yield
            assert process.returncode is None
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
async def server() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as running:
        running.flood = Flood(SPEED)
        yield running


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def bot(database_url: str, server: FakeTelegram) -> Bot:
    return Bot(database_url, server)


async def stored(store: Database, *, is_open: bool = False) -> int:
    """How many alerts are stored, or wait to be delivered."""
    query = select(func.count(outbox.c.alert.distinct()))
    if is_open:
        query = select(func.count()).where(outbox.c.state.in_(("waiting", "held")))
    async with store.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def names(store: Database) -> list[str]:
    """Of the stored alerts, in the order in which they are to arrive."""
    query = (
        select(outbox.c.alert)
        .where(outbox.c.recipient == str(PERSON), outbox.c.alert.is_not(None))
        .order_by(outbox.c.rank, outbox.c.id)
    )
    async with store.read() as connection:
        return list((await connection.execute(query)).scalars())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await holds():  # noqa: ASYNC110 - other processes work
            await asyncio.sleep(0.05)


def arrived(server: FakeTelegram, chat: int) -> list[str]:
    """The names that a chat was told, in order, each for the first time."""
    found = (name for text in server.texts(chat) for name in NAME.findall(text))
    return list(dict.fromkeys(found))


@pytest.mark.timeout(3 * WITHIN_S)
async def test_a_backlog_is_joined_kept_in_order_and_survives_kills_under_the_flood_limit(
    bot: Bot, server: FakeTelegram, store: Database
) -> None:
    async with bot.running():
        await until(lambda: _is_at_least(stored(store), COUNT // 3))
    async with bot.running():  # the first was killed while it stored
        await until(lambda: _is_at_least(stored(store), COUNT))
        wanted = await names(store)
        await server.until(lambda: len(server.said[PERSON]) >= 4, WITHIN_S)
    breakers = wanted[: COUNT // BREAKER_EVERY]
    assert len(set(wanted)) == COUNT
    async with bot.running():  # the second was killed while it sent
        await server.until(lambda: len(server.said[PERSON]) >= 8, WITHIN_S)
        await SqlOutbox(store, SCOPE, FastClock(bot.since_us, SPEED)).put([_late_breaker()])
        before = len(server.said[PERSON])
        await server.until(lambda: "late breaker" in "".join(server.texts(PERSON)), WITHIN_S)
        at = next(i for i, text in enumerate(server.texts(PERSON)) if "late breaker" in text)
        await until(lambda: _is_nothing(stored(store, is_open=True)))

    for chat in (PERSON, GROUP):
        told = arrived(server, chat)
        assert told == wanted
        assert told[: len(breakers)] == breakers
        # A message whose delivery was not stored before the kill comes again, no other.
        assert len(server.texts(chat)) - len(set(server.texts(chat))) <= 1
        for number in range(COUNT):
            is_breaker = number % BREAKER_EVERY == BREAKER_EVERY // 2
            word = f"breaker{number}" if is_breaker else f"KX-{number}"
            assert any(re.search(rf"{word}\b", text) for text in server.texts(chat)), word
    # It passed the backlog: what was on its way, and one more, came before it.
    assert at <= before + 2
    # Joined as tightly as Telegram allows, and never faster than it allows.
    assert len(server.texts(PERSON)) < COUNT / 20
    assert server.flood is not None
    assert server.flood.too_early == 0
    # At a hundred times the speed a hiccup of this machine looks like haste, now and then.
    assert server.flood.refused <= 3 + len(server.texts(PERSON)) // 20


def _late_breaker() -> OutgoingMessage:
    return OutgoingMessage(
        channel=Channel.TELEGRAM,
        recipient=str(PERSON),
        kind="breaker_tripped",
        severity=Severity.CRITICAL,
        text="late breaker",
        is_urgent=True,
    )


async def _is_at_least(count: object, wanted: int) -> bool:
    return await count >= wanted


async def _is_nothing(count: object) -> bool:
    return await count == 0
