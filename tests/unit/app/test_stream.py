"""Which markets mode collect watches, and whose stream it is."""

import pytest

from bot.app.settings import load_settings
from bot.app.stream import Universe, shard_of_settings, stream_name
from bot.domain.errors import ExchangeUnavailable
from bot.domain.ids import SeriesTicker
from bot.marketdata.shards import Shard
from tests.fakes.exchange import FakeExchange
from tests.fakes.listing import listed, page

SERIES = (SeriesTicker("KXCPI"),)


def exchange_with(*tickers: str) -> FakeExchange:
    exchange = FakeExchange()
    exchange.pages["KXCPI", ""] = page(*(listed(one) for one in tickers))
    return exchange


async def test_every_open_market_is_watched_by_exactly_one_shard() -> None:
    tickers = [f"KXCPI-{event}-{strike}" for event in "ABCDEFGH" for strike in range(4)]
    watched = []
    for number in range(3):
        shard = Shard(count=3, number=number, key="market")
        universe = Universe(shard, 1_000, goes_round=True)
        await universe.look(exchange_with(*tickers), SERIES)
        assert universe.left_out == 0
        watched += universe.watched
    assert sorted(watched) == sorted(tickers)


async def test_markets_above_the_limit_take_turns() -> None:
    exchange = exchange_with("KXCPI-A-1", "KXCPI-A-2", "KXCPI-A-3")
    universe = Universe(Shard(), 2, goes_round=True)
    turns = []
    for _ in range(3):
        await universe.look(exchange, SERIES)
        turns.append(universe.watched)
    assert universe.left_out == 1
    assert turns == [
        ("KXCPI-A-1", "KXCPI-A-2"),
        ("KXCPI-A-3", "KXCPI-A-1"),
        ("KXCPI-A-2", "KXCPI-A-3"),
    ]


async def test_what_is_watched_stays_while_nothing_can_be_read() -> None:
    exchange = exchange_with("KXCPI-A-1")
    universe = Universe(Shard(), 10, goes_round=True)
    await universe.look(exchange, SERIES)
    exchange.faults["fee_terms"] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await universe.look(exchange, SERIES)
    assert universe.watched == ("KXCPI-A-1",)


def test_a_stream_is_named_by_scope_and_shard() -> None:
    settings = load_settings(None, {"stream.shard_count": 4, "stream.shard_id": 3})
    assert stream_name(settings) == "paper:main:0 3/4"
    assert shard_of_settings(settings) == Shard(count=4, number=3, key="event")
