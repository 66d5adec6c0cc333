"""Pings come while the bot leads, stop when it does not, and hold up nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.adapters.webhook.carrier import open_web
from bot.adapters.webhook.ping import ExternalPing, address_of
from bot.adapters.webhook.settings import PingSettings
from bot.kit.clock import SystemClock
from bot.ports.carriers import Verdict
from tests.fakes.scripted_http import ScriptedServer, answer, hang, scripted_server
from tests.support.telegram import Noted

pytestmark = pytest.mark.looptime(False)


class Bench:
    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.is_alive = True
        self.noted = Noted()

    @asynccontextmanager
    async def pinging(self, **settings: Any) -> AsyncIterator[ExternalPing]:
        made = PingSettings(url=f"{self.server.base_url}/abc?x=1", every_s=0.05, **settings)
        async with open_web() as session, asyncio.TaskGroup() as group:
            ping = ExternalPing(
                session,
                made,
                is_alive=lambda: self.is_alive,
                watch=self.noted,
                clock=SystemClock(),
            )
            running = group.create_task(ping.run())
            yield ping
            running.cancel()

    def paths(self) -> list[str]:
        return ["/abc" + seen.path.partition("/abc")[2] for seen in self.server.seen]

    async def until_seen(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.server.seen) < count:  # noqa: ASYNC110 - the server has no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with scripted_server() as server:
        server.answers(answer())
        yield Bench(server)


async def test_it_asks_again_and_again_while_the_bot_leads(bench):
    async with bench.pinging():
        await bench.until_seen(3)
    assert set(bench.paths()) == {"/abc"}
    assert {verdict for _, verdict in bench.noted.ends} == {Verdict.DELIVERED}


async def test_it_is_silent_while_the_bot_does_not_lead(bench):
    bench.is_alive = False
    async with bench.pinging():
        await asyncio.sleep(0.3)
    assert bench.paths() == []


async def test_start_and_end_are_told_where_the_address_takes_them(bench):
    async with bench.pinging(has_signals=True):
        await bench.until_seen(3)
        bench.is_alive = False
        seen = len(bench.server.seen)
        await bench.until_seen(seen + 1)
    assert bench.paths()[0] == "/abc/start"
    assert bench.paths()[-1] == "/abc/fail"
    assert bench.server.seen[0].query == {"x": "1"}


async def test_an_address_that_does_not_answer_is_noted_and_asked_again(bench):
    bench.server.answers(hang, answer(status=500), answer())
    async with bench.pinging(request_s=0.1):
        await bench.until_seen(4)
    assert [verdict for _, verdict in bench.noted.ends[:3]] == [
        Verdict.LATER,
        Verdict.LATER,
        Verdict.DELIVERED,
    ]


@pytest.mark.parametrize(
    ("url", "suffix", "expected"),
    [
        ("https://hc-ping.com/abc", "", "https://hc-ping.com/abc"),
        ("https://hc-ping.com/abc/", "/fail", "https://hc-ping.com/abc/fail"),
        ("https://x.test/api?status=up", "/start", "https://x.test/api/start?status=up"),
    ],
)
def test_a_signal_follows_the_path(url, suffix, expected):
    assert address_of(url, suffix) == expected
