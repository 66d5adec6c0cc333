"""Every documented refusal of a create, and what it leaves behind: nothing."""

import pytest

from bot.domain.ids import MarketTicker
from bot.domain.market import PriceBand, PriceGrid
from bot.domain.money import Price, Quantity
from bot.domain.orders import OrderStatus
from bot.venue.accounts import AccountId
from bot.venue.orders import UpdateReason
from bot.venue.results import Refusal, RefusalCode
from bot.venue.settings import Collateral
from tests.unit.venue.floor import (
    ANN,
    ASK,
    BID,
    BOB,
    CAT,
    FOK,
    HOUR,
    IOC,
    SECOND,
    Floor,
    M,
    request_of,
    terms_of,
)

MAKER = AccountId("maker")


def test_an_unknown_account_or_market_is_not_found() -> None:
    floor = Floor()
    assert floor.refused(AccountId("nobody"), BID, 50) is RefusalCode.ACCOUNT_NOT_FOUND
    assert floor.refused(ANN, BID, 50, ticker="KXBAR") is RefusalCode.MARKET_NOT_FOUND


def test_a_market_is_not_found_on_another_shard() -> None:
    floor = Floor()
    assert floor.refused(ANN, BID, 50, exchange_index=1) is RefusalCode.MARKET_NOT_FOUND
    assert floor.order(ANN, BID, 50, exchange_index=0).remaining == 100


@pytest.mark.parametrize("price", [0, -100, 10_000, 10_100, 5_050, 1])
def test_a_price_off_the_grid_is_invalid(price: int) -> None:
    floor = Floor()
    assert floor.refused(ANN, BID, 50, price=Price(price)) is RefusalCode.INVALID_PRICE


def test_each_market_has_its_own_grid() -> None:
    tapered = PriceGrid(
        (
            PriceBand(Price(0), Price(1_000), Price(10)),
            PriceBand(Price(1_000), Price(9_000), Price(100)),
            PriceBand(Price(9_000), Price(10_000), Price(10)),
        )
    )
    floor = Floor(listed=False)
    floor.keep(floor.venue.operations.list_market(terms_of(grid=tapered), floor.tick()))
    assert floor.send(ANN, request_of(BID, 1, price=Price(990))).remaining == 100
    assert floor.refused(ANN, BID, 1, price=Price(1_010)) is RefusalCode.INVALID_PRICE


@pytest.mark.parametrize("quantity", [0, -100])
def test_an_order_of_nothing_has_an_invalid_size(quantity: int) -> None:
    floor = Floor()
    code = floor.refused(ANN, BID, 50, quantity=Quantity(quantity))
    assert code is RefusalCode.INVALID_ORDER_SIZE


@pytest.mark.parametrize(
    "flags",
    [
        {"post_only": True, "time_in_force": IOC},
        {"post_only": True, "time_in_force": FOK},
        {"reduce_only": True},
        {"reduce_only": True, "time_in_force": FOK},
        {"expires_us": 5 * HOUR, "time_in_force": IOC},
        {"expires_us": SECOND},
    ],
)
def test_flags_that_contradict_each_other_are_an_invalid_order(flags: dict) -> None:
    assert Floor().refused(ANN, BID, 50, **flags) is RefusalCode.INVALID_ORDER


def test_a_post_only_order_that_would_trade_is_refused_even_against_its_owner() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50)
    for account in (ANN, BOB):
        result = floor.send(account, request_of(BID, 50, post_only=True))
        assert result == Refusal(RefusalCode.INVALID_ORDER, "post only cross")
    assert floor.order(BOB, BID, 49, post_only=True).remaining == 100


def test_a_client_order_id_is_never_free_again() -> None:
    floor = Floor()
    first = floor.order(ANN, BID, 50, client_id="x")
    assert floor.refused(ANN, BID, 50, client_id="x") is RefusalCode.ORDER_ALREADY_EXISTS
    floor.cancel(ANN, first.order_id)
    assert floor.refused(ANN, BID, 50, client_id="x") is RefusalCode.ORDER_ALREADY_EXISTS
    assert floor.order(BOB, BID, 40, client_id="x").client_order_id == "x"


def test_a_killed_fill_or_kill_trades_nothing_and_uses_its_id_up() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 2)
    code = floor.refused(BOB, BID, 50, 3, time_in_force=FOK, client_id="k")
    assert code is RefusalCode.FILL_OR_KILL_INSUFFICIENT_RESTING_VOLUME
    assert floor.events == []
    assert floor.book() == ([], [(5_000, 200)])
    assert floor.refused(BOB, BID, 50, client_id="k") is RefusalCode.ORDER_ALREADY_EXISTS


def test_an_order_refused_for_another_reason_keeps_its_id() -> None:
    floor = Floor()
    assert floor.refused(ANN, BID, 99, 500, client_id="x") is RefusalCode.INSUFFICIENT_BALANCE
    assert floor.order(ANN, BID, 50, client_id="x").remaining == 100


def test_a_fill_or_kill_that_fits_fills_over_several_levels() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 2)
    floor.order(CAT, ASK, 51, 2)
    receipt = floor.order(BOB, BID, 51, 3, time_in_force=FOK)
    assert (receipt.filled, receipt.remaining, receipt.fill_cost) == (300, 0, 1_510_000)


def test_a_fill_or_kill_that_meets_its_owner_acts_like_immediate_or_cancel() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 1)
    floor.order(BOB, ASK, 51, 5)
    receipt = floor.order(BOB, BID, 51, 3, time_in_force=FOK)
    assert (receipt.filled, receipt.remaining) == (100, 0)
    again = floor.order(BOB, BID, 51, 9, time_in_force=FOK)
    assert (again.filled, again.remaining) == (0, 0)


def test_an_immediate_order_that_finds_nothing_is_accepted_and_gone() -> None:
    floor = Floor()
    receipt = floor.order(BOB, BID, 51, 3, time_in_force=IOC)
    assert (receipt.filled, receipt.remaining) == (0, 0)
    assert floor.reads.order(BOB, receipt.order_id).status is OrderStatus.CANCELED


def test_reduce_only_is_capped_at_the_position() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 50, 2)
    floor.order(BOB, BID, 50, 2)
    floor.order(CAT, BID, 40, 10)
    receipt = floor.order(BOB, ASK, 40, 5, reduce_only=True, time_in_force=IOC)
    assert (receipt.filled, receipt.remaining) == (200, 0)
    assert floor.position(BOB) == 0
    assert floor.reads.order(BOB, receipt.order_id).last_reason is UpdateReason.REDUCE_ONLY_CANCEL


@pytest.mark.parametrize("side", [BID, ASK])
def test_reduce_only_with_nothing_to_reduce_fills_nothing_or_is_refused(side) -> None:
    floor, strict = Floor(), Floor(refuses_flat_reduce_only=True)
    for each in (floor, strict):
        each.order(CAT, side.opposite, 50, 10)
    assert floor.order(BOB, side, 50, 5, reduce_only=True, time_in_force=IOC).filled == 0
    code = strict.refused(BOB, side, 50, 5, reduce_only=True, time_in_force=IOC)
    assert code is RefusalCode.INVALID_ORDER


def test_strict_reduce_only_takes_an_order_that_reduces() -> None:
    floor = Floor(refuses_flat_reduce_only=True)
    floor.order(CAT, ASK, 50)
    floor.order(BOB, BID, 50)
    floor.order(CAT, BID, 40)
    assert floor.order(BOB, ASK, 40, reduce_only=True, time_in_force=IOC).filled == 100


def test_a_fill_or_kill_counts_on_no_maker_that_cannot_pay() -> None:
    floor = Floor(dollars=1, collateral=Collateral.AT_MATCH)
    floor.order(ANN, BID, 60)
    floor.order(ANN, BID, 59)
    floor.open(MAKER, checks_funds=False)
    code = floor.refused(MAKER, ASK, 59, 2, time_in_force=FOK)
    assert code is RefusalCode.FILL_OR_KILL_INSUFFICIENT_RESTING_VOLUME
    floor.order(BOB, BID, 59)
    assert floor.order(MAKER, ASK, 59, 2, time_in_force=FOK).filled == 200


def test_a_price_between_the_bands_is_invalid() -> None:
    gap = PriceGrid((PriceBand(Price(0), Price(1_000), Price(100)),))
    floor = Floor(listed=False)
    floor.keep(floor.venue.operations.list_market(terms_of(grid=gap), floor.tick()))
    assert floor.refused(ANN, BID, 50) is RefusalCode.INVALID_PRICE


def test_money_must_cover_cost_and_fee_at_the_limit() -> None:
    floor = Floor(dollars=1)
    floor.open(MAKER, dollars=100)
    floor.order(MAKER, ASK, 45, 2)
    code = floor.refused(ANN, BID, 50, 2, time_in_force=IOC)
    assert code is RefusalCode.INSUFFICIENT_BALANCE
    assert floor.order(ANN, BID, 48, 2, time_in_force=IOC).filled == 200


def test_without_fee_reservation_the_cost_alone_must_be_covered() -> None:
    floor = Floor(dollars=1, reserves_fees=False)
    floor.open(MAKER, dollars=100)
    floor.order(MAKER, ASK, 45, 2)
    assert floor.order(ANN, BID, 50, 2, time_in_force=IOC).filled == 200


def test_resting_orders_are_reserved_for_and_count_against_the_next() -> None:
    floor = Floor(dollars=1)
    floor.order(ANN, BID, 60, 1)
    assert floor.reserved(ANN) == 600_000
    assert floor.refused(ANN, BID, 41, 1) is RefusalCode.INSUFFICIENT_BALANCE
    assert floor.order(ANN, ASK, 70, 1).remaining == 100
    assert floor.reserved(ANN) == 900_000


def test_resting_orders_reserve_nothing_where_cash_is_checked_at_the_match() -> None:
    floor = Floor(dollars=1, collateral=Collateral.AT_MATCH)
    for _ in range(5):
        floor.order(ANN, BID, 60, 1)
    assert floor.reserved(ANN) == 0
    assert floor.refused(ANN, BID, 60, 2) is RefusalCode.INSUFFICIENT_BALANCE


def test_money_on_another_shard_does_not_count() -> None:
    floor = Floor(listed=False)
    floor.keep(floor.venue.operations.list_market(terms_of(exchange_index=2), floor.tick()))
    assert floor.refused(ANN, BID, 50) is RefusalCode.INSUFFICIENT_BALANCE
    floor.keep(floor.venue.transfer(ANN, 10**6, floor.tick(), source=0, destination=2))
    assert floor.order(ANN, BID, 50).remaining == 100


def test_closing_costs_nothing_even_for_an_account_without_a_cent() -> None:
    floor = Floor(dollars=1)
    floor.order(CAT, ASK, 90, 1)
    floor.order(ANN, BID, 90, 1)
    floor.keep(floor.venue.deposit(ANN, -floor.cash(ANN), floor.tick()))
    take_profit = floor.order(ANN, ASK, 92, 1)
    assert floor.reserved(ANN) == 0
    floor.order(BOB, BID, 5, 1)
    assert floor.order(ANN, ASK, 5, 1, time_in_force=IOC, reduce_only=True).filled == 100
    gone = floor.reads.order(ANN, take_profit.order_id)
    assert (gone.status, gone.last_reason) == (OrderStatus.CANCELED, UpdateReason.MARGIN_CANCEL)


def test_orders_that_cost_nothing_survive_a_shortage() -> None:
    floor = Floor(dollars=1)
    second = MarketTicker("KXFOO-2")
    floor.open(MAKER)
    floor.keep(floor.venue.operations.list_market(terms_of(second), floor.tick()))
    for ticker in (M, second):
        floor.order(MAKER, ASK, 40, ticker=ticker)
        floor.order(ANN, BID, 40, ticker=ticker)
    costly = floor.order(ANN, ASK, 50)
    free = floor.order(ANN, ASK, 50, ticker=second)
    floor.keep(floor.venue.deposit(ANN, -floor.cash(ANN), floor.tick()))
    floor.order(BOB, BID, 5)
    floor.order(ANN, ASK, 5, time_in_force=IOC)
    assert floor.reads.order(ANN, costly.order_id).last_reason is UpdateReason.MARGIN_CANCEL
    assert floor.reads.order(ANN, free.order_id).status is OrderStatus.RESTING


def test_a_second_order_to_close_the_same_position_must_be_paid() -> None:
    floor = Floor(dollars=1)
    floor.order(CAT, ASK, 90, 1)
    floor.order(ANN, BID, 90, 1)
    floor.order(ANN, ASK, 95, 1)
    assert floor.refused(ANN, ASK, 40, 3) is RefusalCode.INSUFFICIENT_BALANCE
    assert floor.order(ANN, ASK, 96, 1).remaining == 100


def test_a_group_must_exist_on_the_markets_shard() -> None:
    floor = Floor()
    elsewhere = floor.keep(
        floor.venue.create_group(ANN, Quantity(100), floor.tick(), exchange_index=1)
    )
    for group in ("unknown", elsewhere.order_group_id):
        code = floor.refused(ANN, BID, 50, order_group_id=group)
        assert code is RefusalCode.ORDER_GROUP_NOT_FOUND


def test_a_refusal_says_its_code_in_words() -> None:
    assert Refusal(RefusalCode.ORDER_ALREADY_EXISTS).message == "order already exists"
    assert Refusal(RefusalCode.MARKET_NOT_ACTIVE).message == "market not active"


def test_an_inactive_and_an_unopened_market_take_no_orders() -> None:
    floor = Floor()
    floor.keep(floor.venue.operations.deactivate(M, floor.tick()))
    assert floor.refused(ANN, BID, 50) is RefusalCode.MARKET_NOT_ACTIVE
    unopened = terms_of("KXFOO-2", open_us=5 * HOUR)
    floor.keep(floor.venue.operations.list_market(unopened, floor.tick()))
    assert floor.refused(ANN, BID, 50, ticker="KXFOO-2") is RefusalCode.MARKET_NOT_ACTIVE
