"""Differences between the exchange's account and ours, as facts to learn."""

from dataclasses import replace

from bot.domain.events import (
    CancelUnsettled,
    ExchangeRead,
    FillReported,
    OrderOutcomeUnknown,
    OrderReported,
)
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Quantity
from bot.domain.orders import VenuePosition
from bot.engine.reconcile import Mismatch, mismatches, missed_events, unexplained
from bot.kit.times import SECOND_US
from bot.portfolio.positions import Position, flat
from tests.support.trading import TICKER, Desk

OTHER = MarketTicker("KXCPI-26DEC-T0.3")


def position(quantity: int, updated_us: int = 0) -> Position:
    return replace(flat(TICKER), quantity=Quantity(quantity), updated_us=updated_us)


def venue(ticker: MarketTicker, quantity: int) -> VenuePosition:
    return VenuePosition(
        ticker=ticker,
        exchange_index=0,
        quantity=Quantity(quantity),
        exposure=Money(0),
        realized=Money(0),
        fees=Money(0),
    )


def test_positions_are_compared_both_ways() -> None:
    found = mismatches({TICKER: position(500)}, [venue(OTHER, 200)], requested_us=10**9)
    assert found == (
        Mismatch(ticker=OTHER, ours=Quantity(0), theirs=Quantity(200)),
        Mismatch(ticker=TICKER, ours=Quantity(500), theirs=Quantity(0)),
    )
    assert mismatches({TICKER: position(500)}, [venue(TICKER, 500)], 10**9) == ()


def test_a_position_that_moved_while_we_were_reading_is_not_judged() -> None:
    moving = {TICKER: position(500, updated_us=10**9 - 4 * SECOND_US)}
    assert mismatches(moving, [venue(TICKER, 300)], requested_us=10**9) == ()
    moved = {TICKER: position(500, updated_us=10**9 - 6 * SECOND_US)}
    assert len(mismatches(moved, [venue(TICKER, 300)], requested_us=10**9)) == 1


def test_what_our_brackets_do_not_hold_is_not_ours() -> None:
    held = {TICKER: Quantity(300)}
    assert unexplained([position(500)], held) == {TICKER: 200}
    assert unexplained([position(300)], held) == {}


def test_orders_come_before_the_fills_that_need_them_and_known_fills_not_at_all() -> None:
    desk = Desk()
    desk.lead()
    intent = desk.bought(500)
    desk.execute(intent, 100, tell=False)
    read = ExchangeRead(received_us=desk.now_us, requested_us=desk.now_us, truth=desk.truth())
    seen = frozenset(desk.store.fills)
    events = missed_events(read, [], seen)
    kinds = [type(event) for event in events]
    assert kinds == [OrderReported, FillReported]


def test_orders_that_should_rest_and_do_not_are_doubted_unless_they_are_young() -> None:
    desk = Desk()
    desk.lead()
    desk.bought(500)
    brackets = desk.engine.world.desk.open()
    empty = desk.truth(orders=(), fills=())

    def doubts(later_us: int) -> list[type]:
        at_us = desk.now_us + later_us
        read = ExchangeRead(received_us=at_us, requested_us=at_us, truth=empty)
        return [type(event) for event in missed_events(read, brackets, frozenset())]

    assert doubts(4 * SECOND_US) == []
    assert doubts(6 * SECOND_US) == [CancelUnsettled, OrderOutcomeUnknown]
