"""Reading the account: complete or not at all, and the newer word counts."""

from dataclasses import replace

import pytest

from bot.domain.errors import ExchangeUnavailable
from bot.domain.orders import OrderStatus
from bot.engine.account_read import read_account
from bot.kit.times import HOUR_US, MINUTE_US
from tests.fakes.exchange import FakeExchange
from tests.support.hands import intent

NOW = 1_795_000_000_000_000


async def test_reading_goes_back_a_little_before_the_newest_known_fill() -> None:
    exchange = FakeExchange()
    await read_account(exchange, NOW, NOW + HOUR_US)
    since_us = NOW - 10 * MINUTE_US
    assert exchange.named("fills") == [(since_us, None)]
    assert (None, since_us) in exchange.named("orders")
    assert (OrderStatus.RESTING, None) in exchange.named("orders")
    assert exchange.named("settlements") == [(since_us - 24 * HOUR_US,)]


async def test_without_any_known_fill_only_the_last_day_is_read() -> None:
    exchange = FakeExchange()
    await read_account(exchange, None, NOW)
    since_us = NOW - 24 * HOUR_US - 10 * MINUTE_US
    assert exchange.named("fills") == [(since_us, None)]
    assert (None, since_us) in exchange.named("orders")
    assert exchange.named("settlements") == [(since_us - 24 * HOUR_US,)]


@pytest.mark.parametrize("name", ["positions", "orders", "fills", "settlements", "balance"])
async def test_an_account_with_a_part_missing_is_no_account(name: str) -> None:
    exchange = FakeExchange()
    exchange.faults[name] = [ExchangeUnavailable("down")]
    with pytest.raises(ExchangeUnavailable):
        await read_account(exchange, NOW, NOW + HOUR_US)


async def test_an_order_that_ended_between_the_two_reads_has_ended() -> None:
    class Busy(FakeExchange):
        async def orders(self, *, status=None, ticker=None, min_created_us=None):
            found = await super().orders(status=status, min_created_us=min_created_us)
            for order_id, order in self.known.items():
                self.known[order_id] = replace(order, status=OrderStatus.EXECUTED)
            return found

    exchange = Busy()
    await exchange.create_order(intent(decided_us=NOW), order_group_id=None)
    truth = await read_account(exchange, NOW, NOW + HOUR_US)
    assert [order.status for order in truth.orders] == [OrderStatus.EXECUTED]
