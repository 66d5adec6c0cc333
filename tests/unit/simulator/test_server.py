"""Starting, stopping, scripts. The wire itself is in the contract tests."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.domain.errors import ConfigurationFault
from bot.simulator.faults import FaultRule
from bot.simulator.server import FIRST_USER, SimulatedExchange
from bot.simulator.settings import KeyType, RateLimits, SimulatorSettings
from tests.support.simulator import Client

pytestmark = pytest.mark.looptime(False)


SMALL = SimulatorSettings(
    speed=0, world="empty", key_type=KeyType.ED25519, limits=RateLimits(is_on=False)
)


def small(**changes: Any) -> SimulatorSettings:
    return replace(SMALL, **changes)


async def test_a_script_is_armed_at_its_times(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    rules = [FaultRule(kind="503", at_ms=5_000), FaultRule(kind="trading_pause", at_ms=8_000)]
    path.write_bytes(msgspec.json.encode(rules))
    async with SimulatedExchange(small(faults=path)) as sim, Client(sim) as client:
        assert (await client.call("GET", "/exchange/status"))[0] == 200
        await sim.advance(seconds=5)
        assert (await client.call("GET", "/exchange/status"))[0] == 503
        await sim.advance(ms=3_000)
        _, status = await client.call("GET", "/exchange/status")
        assert status["trading_active"] is False


async def test_the_pump_moves_the_world_without_requests() -> None:
    async with SimulatedExchange(small(speed=1, tick_ms=5)) as sim:
        seen: list[int] = []
        enough = asyncio.Event()

        class World:
            def step(self, now_us: int) -> None:
                seen.append(now_us)
                if len(seen) == 3:
                    enough.set()

        sim.exchange.world = World()
        async with asyncio.timeout(5):
            await enough.wait()
        assert seen == sorted(seen)
        assert sim.clock.now_us() >= seen[-1]


async def test_the_handle_names_everything_a_test_needs() -> None:
    async with SimulatedExchange(small()) as sim:
        assert sim.base_url == f"http://127.0.0.1:{sim.port}/trade-api/v2"
        assert sim.ws_url == f"ws://127.0.0.1:{sim.port}/trade-api/ws/v2"
        assert sim.user_id == FIRST_USER
        assert sim.venue is sim.exchange.venue
        assert sim.exchange.accounts.find(FIRST_USER, 0) is not None


async def test_two_exchanges_run_side_by_side() -> None:
    async with SimulatedExchange(small()) as one, SimulatedExchange(small()) as two:
        assert one.port != two.port
        async with Client(one) as client:
            assert (await client.call("GET", "/exchange/status"))[0] == 200


async def test_late_answers_are_late() -> None:
    async with SimulatedExchange(small()) as sim, Client(sim) as client:
        await client.admin("POST", "/faults", {"kind": "latency", "delay_ms": 120})
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert (await client.call("GET", "/exchange/status"))[0] == 200
        assert loop.time() - before >= 0.12


async def test_a_port_that_is_taken_leaves_nothing_running() -> None:
    async with SimulatedExchange(small()) as one:
        other = SimulatedExchange(small(port=one.port))
        with pytest.raises(ConfigurationFault, match=f"cannot listen on 127.0.0.1:{one.port}"):
            await other.__aenter__()
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "simulator-pump"][1:]
