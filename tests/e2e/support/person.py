"""Somebody who trades with the same key, as in the app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.kit.clock import SystemClock
from bot.simulator.server import SimulatedExchange


@asynccontextmanager
async def person(exchange: SimulatedExchange) -> AsyncIterator[KalshiExchange]:
    """The hands of a person with the bot's key."""
    address = f"127.0.0.1:{exchange.port}"
    made = KalshiExchange(
        hosts_of("demo", f"http://{address}", f"ws://{address}"),
        RestSettings(requests_per_second=100),
        signer=load_signer(exchange.keys.key_id, exchange.keys.private_pem.decode()),
        clock=SystemClock(),
        random=Random(1),
    )
    async with made.open():
        yield made
