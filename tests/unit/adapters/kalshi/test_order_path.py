"""What is kept ready for an order: signatures and a connection."""

import asyncio
import contextlib
from random import Random
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.order_path import OrderPathKeeper
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.kalshi.signing import Signer
from bot.domain.errors import OutcomeUnknown
from bot.domain.money import Quantity
from bot.kit.clock import SystemClock
from tests.fakes.scripted_http import answer, scripted_server
from tests.support.hands import intent

pytestmark = pytest.mark.looptime(False)


async def test_a_write_finds_a_signature_and_a_connection_waiting() -> None:
    connections = asyncio.Queue[asyncio.StreamWriter]()
    server = await asyncio.start_server(
        lambda _, writer: connections.put_nowait(writer), "127.0.0.1", 0
    )
    exchange = exchange_at(server.sockets[0].getsockname()[1])
    async with exchange.open(), asyncio.TaskGroup() as group:
        keeper = group.create_task(OrderPathKeeper(exchange).run())
        async with asyncio.timeout(5):
            writer = await connections.get()
        assert exchange.refresh_signatures() == 0
        keeper.cancel()
    writer.close()
    server.close()


async def test_orders_one_after_the_other_find_as_many_signatures() -> None:
    async with scripted_server() as server:
        server.answers(answer(b'{"order_group_id":"g"}'))
        exchange = exchange_at(urlsplit(server.base_url).port or 0)
        async with exchange.open(), asyncio.TaskGroup() as group:
            keeper = group.create_task(OrderPathKeeper(exchange).run())
            await asyncio.sleep(0.05)
            for _ in range(12):
                # What the server says is no acknowledgement; here only the way there counts.
                with contextlib.suppress(OutcomeUnknown):
                    await exchange.create_order(intent(), order_group_id=None)
            keeper.cancel()
        assert len(server.seen) == 12
        assert len({seen.headers["KALSHI-ACCESS-SIGNATURE"] for seen in server.seen}) == 12
    assert exchange.signed_inline == 0


async def test_an_exchange_that_is_away_does_not_stop_the_signatures() -> None:
    server = await asyncio.start_server(lambda _, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    exchange = exchange_at(port)
    async with exchange.open(), asyncio.TaskGroup() as group:
        keeper = group.create_task(OrderPathKeeper(exchange).run())
        await asyncio.sleep(0.05)
        assert not keeper.done()
        assert exchange.refresh_signatures() == 0
        with pytest.raises(Exception, match="not sent"):
            await exchange.create_order_group(Quantity(100), 0)
        keeper.cancel()


def exchange_at(port: int) -> KalshiExchange:
    return KalshiExchange(
        hosts_of("demo", f"http://127.0.0.1:{port}"),
        RestSettings(),
        signer=Signer("key", Ed25519PrivateKey.generate()),
        clock=SystemClock(),
        random=Random(1),
    )
