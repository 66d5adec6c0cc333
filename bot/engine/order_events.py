"""What the exchange says about orders, fills and payouts, put where it belongs.

Messages come from the private channel, from answers, from lookups and from
polls, in any order and more than once. Ours go to their bracket; the rest is
foreign: booked, because it moves the position, and reported.
"""

from functools import partial
from typing import assert_never

from msgspec.structs import replace

from bot.domain.events import (
    CancelAcknowledged,
    CancelUnsettled,
    FillReported,
    OrderAcknowledged,
    OrderEvent,
    OrderGroupTripped,
    OrderMissing,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderReported,
)
from bot.domain.ids import ClientOrderId, MarketTicker
from bot.domain.money import PAYOUT, Price, Quantity, format_price, format_quantity
from bot.domain.orders import BookSide, Fill, Order, OrderStatus, Settlement
from bot.domain.records import HaltRecord
from bot.engine.desk import WaitingFill
from bot.engine.draft import Draft
from bot.engine.effects import CancelOrder, NoticeKind, SaveHalt, TriggerEntryGroups
from bot.engine.work import keep, work, work_market
from bot.engine.world import World
from bot.execution import order_state
from bot.execution.bracket import (
    Bracket,
    OrderChange,
    orphaned,
    with_fill,
    with_outside_exit,
    with_settlement,
)
from bot.execution.order_state import TrackedOrder
from bot.kit.times import MINUTE_US, SECOND_US

Answer = OrderAcknowledged | OrderNotSent | CancelAcknowledged | CancelUnsettled | OrderMissing

_ALREADY_EXISTS = "order_already_exists"
_POST_ONLY = "post only"
_HISTORY_US = 15 * MINUTE_US
_RECALL_PAUSE_US = 2 * SECOND_US
"""How long a forgotten exit may take to go, before its bracket makes another."""
"""Older fills are the account's history: they count, but nobody has to be told. A position that
they left is found by comparing positions."""
NO_COMMAND = 0
"""A halt the engine set itself: nobody waits for an answer."""


def on_order_event(world: World, event: OrderEvent, draft: Draft) -> None:
    """Apply one message.

    What is heard before the stored state would be booked onto nothing: the first comparison
    with the exchange tells it again.
    """
    if not world.is_loaded and not isinstance(event, OrderGroupTripped):
        return
    match event:
        case OrderRefused():
            _on_refused(world, event, draft)
        case OrderOutcomeUnknown():
            _on_unknown(world, event.client_order_id, event.reason, draft)
        case OrderReported():
            _on_report(world, event.order, draft)
        case FillReported():
            on_fill(world, event, draft)
        case OrderGroupTripped():
            world.groups_tripped += 1
            world.are_groups_shut = True
        case _:
            _on_answer(world, event, draft)


def _on_answer(world: World, event: Answer, draft: Draft) -> None:
    """The answers that concern one order and nothing else."""
    now = world.now_us
    match event:
        case OrderAcknowledged():
            world.rejections = 0
            mine = event.ack.client_order_id
            change: OrderChange = partial(order_state.acknowledged, ack=event.ack, now_us=now)
        case OrderNotSent():
            mine = event.client_order_id
            change = partial(order_state.not_sent, reason=event.reason, now_us=now)
        case CancelAcknowledged():
            mine, left = event.client_order_id, event.reduced_by
            change = partial(order_state.cancel_acknowledged, reduced_by=left, now_us=now)
        case CancelUnsettled():
            mine = event.client_order_id
            change = partial(order_state.cancel_unsettled, reason=event.reason, now_us=now)
        case OrderMissing():
            mine = event.client_order_id
            change = partial(order_state.missing, now_us=now)
        case _:
            assert_never(event)
    _change(world, mine, change, draft)


def on_fill(world: World, event: FillReported, draft: Draft) -> None:
    """Book an execution, once; without a known order it may have to wait."""
    fill = event.fill
    is_waiting = any(one.event.fill.fill_id == fill.fill_id for one in world.desk.waiting)
    if world.ledger.has_seen(fill.fill_id) or is_waiting:
        return
    mine = world.desk.client_of(fill.order_id, event.client_order_id)
    if mine is not None:
        _book_own(world, fill, mine, draft)
    elif world.desk.unnamed(fill.ticker, fill.side):
        world.desk.waiting.append(WaitingFill(event, world.now_us))
    else:
        _book_foreign(world, fill, draft)


def sort_waiting_fills(world: World, draft: Draft) -> None:
    """Book the fills whose order is known by now, and give up on those that waited too long."""
    for event in world.desk.claim():
        on_fill(world, event, draft)
    for event in world.desk.unclaimed(world.now_us):
        if not world.ledger.has_seen(event.fill.fill_id):
            _book_foreign(world, event.fill, draft)


def on_settlement(world: World, settlement: Settlement, draft: Draft) -> None:
    """A market paid out; without a stated value the result tells it."""
    value = settlement.value
    if value is None:
        value = {"yes": PAYOUT, "no": Price(0)}.get(settlement.result)
    if value is not None:
        settle(world, settlement.ticker, value, draft)


def settle(world: World, ticker: MarketTicker, value: Price, draft: Draft) -> None:
    """Pay out everything in a market. A repeat finds nothing left."""
    for bracket in world.desk.open():
        if bracket.plan.ticker == ticker:
            keep(world, with_settlement(bracket, value, world.now_us), draft)
    if world.ledger.position(ticker).quantity:
        draft.record(world.ledger.pay_out(ticker, value, world.now_us).record())
    work_market(world, ticker, draft)


def _on_refused(world: World, event: OrderRefused, draft: Draft) -> None:
    if event.code == _ALREADY_EXISTS:
        # It may be ours from a send we believed lost: find it, and compare it.
        _on_unknown(world, event.client_order_id, event.code, draft)
        return
    if _POST_ONLY not in event.reason:
        world.rejections += 1
    change = partial(order_state.refused, code=event.code, reason=event.reason, now_us=world.now_us)
    _change(world, event.client_order_id, change, draft)


def _on_unknown(world: World, client_order_id: ClientOrderId, reason: str, draft: Draft) -> None:
    change = partial(order_state.outcome_unknown, reason=reason, now_us=world.now_us)
    bracket = world.desk.of_order(client_order_id)
    order = _find(bracket, client_order_id) if bracket is not None else None
    _change(world, client_order_id, change, draft)
    if bracket is not None and order is not None and order.status is OrderStatus.SUBMITTING:
        draft.tell(
            NoticeKind.ORDER_UNKNOWN,
            ticker=bracket.plan.ticker,
            client_order_id=client_order_id,
            reason=reason,
        )


def _on_report(world: World, report: Order, draft: Draft) -> None:
    mine = world.desk.client_of(report.order_id, report.client_order_id)
    bracket = world.desk.of_order(mine) if mine is not None else None
    if mine is None or bracket is None:
        _on_unknown_order(world, report, draft)
        return
    order = _find(bracket, mine)
    if order is None:
        _cancel_stray(mine, report, draft)
        return
    if order.status is OrderStatus.UNKNOWN and not order_state.matches(order.intent, report):
        _contradiction(world, bracket, f"{mine} is another order at the exchange", draft)
        return
    change = partial(order_state.reported, report=report, now_us=world.now_us)
    _change(world, mine, change, draft)


def _change(
    world: World, client_order_id: ClientOrderId, change: OrderChange, draft: Draft
) -> None:
    bracket = world.desk.of_order(client_order_id)
    if bracket is None:
        return
    after = world.desk.change(client_order_id, change, world.now_us, draft)
    if after is None:
        return
    if after != bracket:
        sort_waiting_fills(world, draft)
    work(world, world.desk.brackets[bracket.plan.bracket_id], draft)


def _book_own(world: World, fill: Fill, mine: ClientOrderId, draft: Draft) -> None:
    bracket = world.desk.of_order(mine)
    assert bracket is not None, "an order of ours has a bracket"
    draft.record(fill)
    draft.record(world.ledger.fold(fill).record())
    keep(world, with_fill(bracket, mine, fill, world.now_us), draft)
    _give_up_what_is_gone(world, fill, draft)
    work(world, world.desk.brackets[bracket.plan.bracket_id], draft)


def _book_foreign(world: World, fill: Fill, draft: Draft) -> None:
    """Somebody else traded on the account; contracts of ours may have gone with it."""
    draft.record(fill)
    draft.record(world.ledger.fold(fill).record())
    if world.settings.is_read_only:
        _tell_watched(world, fill, draft)
    elif world.now_us - fill.executed_us < _HISTORY_US:
        what = f"fill of {format_quantity(fill.quantity)} at {format_price(fill.price)}"
        world.note_foreign(fill.ticker, what, draft)
    _give_up_what_is_gone(world, fill, draft)
    work_market(world, fill.ticker, draft)


def _give_up_what_is_gone(world: World, fill: Fill, draft: Draft) -> None:
    """Brackets hold together no more than the account: it nets a person's trades with ours.

    What a person bought is what they sell first; beyond that they sell ours, and what they
    had sold before we bought is missing from ours too.
    """
    ticker = fill.ticker
    over = world.ledger.position(ticker).quantity - world.held_by_brackets().get(ticker, 0)
    loser, left = (BookSide.ASK, over) if over > 0 else (BookSide.BID, -over)
    for bracket in world.desk.open():
        if left and bracket.plan.ticker == ticker and bracket.plan.side is loser:
            after, taken = with_outside_exit(bracket, Quantity(left), fill.price, world.now_us)
            left -= taken
            keep(world, after, draft)


def _tell_watched(world: World, fill: Fill, draft: Draft) -> None:
    """Somebody traded on an account that is only watched."""
    if world.now_us - fill.executed_us >= _HISTORY_US:
        return
    draft.tell(
        NoticeKind.FILL_SEEN,
        ticker=fill.ticker,
        side=fill.side,
        contracts=format_quantity(fill.quantity),
        price=format_price(fill.price),
        position=format_quantity(world.ledger.position(fill.ticker).quantity),
    )


def _on_unknown_order(world: World, report: Order, draft: Draft) -> None:
    """Somebody else's, or one that a restored database has forgotten: its bracket never knew it."""
    mine = world.desk.recall(report)
    bracket = world.desk.of_order(mine) if mine is not None else None
    if mine is None or bracket is None:
        _on_foreign_order(world, report, draft)
        return
    _cancel_stray(mine, report, draft)
    if not report.status.is_final:
        # Until it is surely gone, a second exit beside it could sell more than is held.
        next_us = max(bracket.next_order_us, world.now_us + _RECALL_PAUSE_US)
        keep(world, replace(bracket, next_order_us=next_us), draft)


def _on_foreign_order(world: World, report: Order, draft: Draft) -> None:
    if report.status.is_final:
        return
    what = f"order of {format_quantity(report.remaining)} at {format_price(report.price)}"
    world.note_foreign(report.ticker, what, draft)


def _cancel_stray(mine: ClientOrderId, report: Order, draft: Draft) -> None:
    """An order of ours whose bracket is done with it must not rest."""
    if not report.status.is_final:
        draft.cancel(
            CancelOrder(client_order_id=mine, order_id=report.order_id, ticker=report.ticker)
        )


def _contradiction(world: World, bracket: Bracket, what: str, draft: Draft) -> None:
    """Two facts that cannot both be true: stop trading and hand the market to a person."""
    keep(world, orphaned(bracket, what, world.now_us), draft)
    halt(world, HaltRecord(
        halted=True, reason=what, set_by="engine", changed_us=world.now_us
    ), NO_COMMAND, draft)  # fmt: skip


def halt(world: World, record: HaltRecord, command_id: int, draft: Draft) -> None:
    """Stop entries here and now; the store and the reply follow.

    The first halt of several is the one that is told: the others change nothing.
    An unhalt that is still being saved is withdrawn: the halt came after it.
    """
    if world.pending_unhalt is not None:
        world.withdrawn_unhalts.add(world.pending_unhalt[0])
        world.pending_unhalt = None
    is_news = world.stance.halt is None or not world.stance.halt.halted
    world.stance.halt = record
    world.stance.is_halt_saved = False
    world.are_groups_shut = True
    draft.urgent(TriggerEntryGroups(reason=record.reason))
    draft.urgent(SaveHalt(record=record, command_id=command_id))
    if is_news:
        draft.tell(NoticeKind.HALT_SET, reason=record.reason, by=record.set_by)


def _find(bracket: Bracket, mine: ClientOrderId) -> TrackedOrder | None:
    return next((order for order in bracket.orders() if order.intent.client_order_id == mine), None)
