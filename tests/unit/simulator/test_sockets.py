"""The queue between the exchange and one slow reader."""

import asyncio

import aiohttp
import pytest

from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import KeyType, SimulatorSettings
from bot.simulator.subscriptions import Channel
from tests.support.simulator import Client

pytestmark = pytest.mark.looptime(False)


async def test_a_reader_that_owes_too_much_loses_its_subscription_and_keeps_its_socket() -> None:
    settings = SimulatorSettings(speed=0, key_type=KeyType.ED25519, socket_buffer_frames=40)
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        socket = await client.socket()
        await socket.subscribe(["ticker"], send_initial_snapshot=True)
        frames = [await socket.frame()]
        while frames[-1]["type"] != "error":
            frames.append(await socket.frame())
        assert frames[-1]["msg"]["code"] == 25
        await socket.command(id=5, cmd="list_subscriptions")
        assert (await socket.frame())["msg"] == []


async def test_a_client_may_ping_too() -> None:
    settings = SimulatorSettings(speed=0, world="empty", key_type=KeyType.ED25519)
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        socket = await client.socket()
        await socket.raw.ping(b"are you there")
        message = await socket.raw.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"are you there")


async def test_a_closed_connection_is_forgotten() -> None:
    settings = SimulatorSettings(speed=0, world="empty", key_type=KeyType.ED25519)
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        socket = await client.socket()
        await socket.subscribe(["trade"])
        await socket.frame()
        assert len(sim.exchange.hub.listeners(Channel.TRADE, None)) == 1
        await socket.raw.close()
        async with asyncio.timeout(5):
            # The far side notices on its own; there is nothing to wait on from here.
            while sim.exchange.hub.listeners(Channel.TRADE, None):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
