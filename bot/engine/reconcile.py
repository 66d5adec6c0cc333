"""The exchange's account against ours: what to learn, what to look up, what is not ours.

The exchange is right about what happened, we are right about what we meant.
Missing fills, orders and settlements become ordinary events. What we cannot
explain is somebody else's: reported, never fought, never flattened.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.events import (
    CancelUnsettled,
    Event,
    ExchangeRead,
    FillReported,
    OrderOutcomeUnknown,
    OrderReported,
    SettlementReported,
)
from bot.domain.ids import ClientOrderId, FillId, MarketTicker, OrderId
from bot.domain.money import Quantity
from bot.domain.orders import OrderStatus, VenuePosition
from bot.execution.bracket import Bracket
from bot.execution.order_state import TrackedOrder
from bot.kit.times import SECOND_US
from bot.portfolio.positions import Position

_YOUNG_US = 5 * SECOND_US
"""Read models lag: an order younger than this may be missing from a listing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A market where the venue holds something else than we can explain by fills."""

    ticker: MarketTicker
    ours: Quantity
    theirs: Quantity


def missed_events(
    read: ExchangeRead, brackets: Iterable[Bracket], seen: frozenset[FillId]
) -> tuple[Event, ...]:
    """What we have not heard of, as the events that would have told us.

    Orders first, so that every fill finds the order it belongs to; then fills in
    their order, then settlements, then our orders that ought to rest and do not.
    """
    truth, at_us = read.truth, read.received_us
    events: list[Event] = [OrderReported(received_us=at_us, order=order) for order in truth.orders]
    events += [
        FillReported(received_us=at_us, fill=fill)
        for fill in truth.fills
        if fill.fill_id not in seen
    ]
    events += [
        SettlementReported(received_us=at_us, settlement=settlement)
        for settlement in truth.settlements
    ]
    listed = {order.order_id for order in truth.orders}
    ours = (order for bracket in brackets for order in bracket.orders())
    return (*events, *_vanished(ours, listed, read))


def mismatches(
    positions: Mapping[MarketTicker, Position],
    theirs: Iterable[VenuePosition],
    requested_us: int,
) -> tuple[Mismatch, ...]:
    """Markets where the quantities differ, but for those that moved while we were reading."""
    by_ticker = {position.ticker: position for position in theirs}
    tickers = sorted({*by_ticker, *(t for t, position in positions.items() if position.quantity)})
    found: list[Mismatch] = []
    for ticker in tickers:
        mine = positions.get(ticker)
        quantity = mine.quantity if mine is not None else Quantity(0)
        stated = by_ticker[ticker].quantity if ticker in by_ticker else Quantity(0)
        is_moving = mine is not None and mine.updated_us >= requested_us - _YOUNG_US
        if quantity != stated and not is_moving:
            found.append(Mismatch(ticker=ticker, ours=quantity, theirs=stated))
    return tuple(found)


def unexplained(
    positions: Iterable[Position], held: Mapping[MarketTicker, Quantity]
) -> Mapping[MarketTicker, Quantity]:
    """Contracts beyond what our brackets hold, by market: signed, YES above zero."""
    over: dict[MarketTicker, Quantity] = {}
    for position in positions:
        difference = position.quantity - held.get(position.ticker, 0)
        if difference:
            over[position.ticker] = Quantity(difference)
    return over


def _vanished(
    ours: Iterable[TrackedOrder], listed: set[OrderId], read: ExchangeRead
) -> list[Event]:
    """Orders we believe to rest that the venue did not list, and sends nobody answered."""
    events: list[Event] = []
    for order in ours:
        is_young = order.updated_us >= read.requested_us - _YOUNG_US
        if order.is_final or order.is_in_doubt or is_young:
            continue
        mine: ClientOrderId = order.intent.client_order_id
        if order.status is OrderStatus.SUBMITTING:
            events.append(
                OrderOutcomeUnknown(
                    received_us=read.received_us, client_order_id=mine, reason="never answered"
                )
            )
        elif order.order_id not in listed:
            events.append(
                CancelUnsettled(
                    received_us=read.received_us, client_order_id=mine, reason="not listed"
                )
            )
    return events
