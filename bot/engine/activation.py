"""From nothing to trading: load what was stored, compare it with the exchange, agree.

Start-up, crash recovery and the regular comparison are one path. A difference
seen once may be a read model that lags; seen twice alike it is taken as the
exchange states it, reported, and left alone.
"""

from dataclasses import replace

from bot.domain.errors import InvariantBroken
from bot.domain.events import (
    Event,
    ExchangeRead,
    ExchangeTruth,
    FillReported,
    OrderEvent,
    SettlementReported,
)
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Quantity, cost, format_quantity
from bot.domain.orders import BookSide, VenuePosition, own_price
from bot.domain.records import BracketRecord, StoredState
from bot.domain.tradingday import trading_day
from bot.engine import adjusted, adjusting, approvals, duty, panic
from bot.engine.draft import Draft
from bot.engine.effects import NoticeKind, Reply
from bot.engine.ledger import PEAK, peak_of, peak_record
from bot.engine.order_events import on_order_event, on_settlement
from bot.engine.reconcile import Mismatch, mismatches, missed_events, unexplained
from bot.engine.work import keep, work_all
from bot.engine.world import FOREIGN, World
from bot.execution import ramp
from bot.execution.bracket import with_outside_exit
from bot.execution.panic import PANIC, from_record
from bot.portfolio.pnl import Result
from bot.portfolio.positions import Position
from bot.risk import breakers


def load_state(world: World, state: StoredState, draft: Draft) -> None:
    """Take the store's memory, once. A halt commanded in the meantime stays."""
    if world.is_loaded:
        raise InvariantBroken("the stored state was loaded twice in one leadership")
    world.is_loaded = True
    world.ledger.load(state)
    world.desk.load(state.brackets, state.orders, world.now_us)
    for record in sorted(state.brackets, key=lambda one: one.closed_us or 0):
        if record.closed_us is not None and record.entered:
            world.ledger.closed(_result(record, record.closed_us))
    left = _load_breakers(world, state)
    if world.stance.halt is None:
        world.stance.halt = state.halt
    panic.halt_again(world, draft)
    approvals.void(world, left, draft)
    if world.is_unclean_start:
        duty.count_takeover(world, draft)
    duty.ask_now(world, "take-over", draft)


def _load_breakers(world: World, state: StoredState) -> tuple[ramp.Proposal, ...]:
    """The breakers, and what else is kept beside them; returns what a predecessor asked."""
    left: tuple[ramp.Proposal, ...] = ()
    others = {stored.name: stored for stored in state.breakers}
    foreign, peak = others.pop(FOREIGN, None), others.pop(PEAK, None)
    stored = others.pop(PANIC, None)
    if stored is not None and world.panic is None:  # one given meanwhile is newer
        world.panic = from_record(stored)
    if (stored := others.pop(ramp.RAMP, None)) is not None:
        world.ramp, left = ramp.from_record(stored)
    if (stored := others.pop(adjusted.ADJUSTED, None)) is not None:
        adjusting.load(world, stored)
    if foreign is not None:
        world.foreign.load(foreign)
    if peak is not None:
        world.ledger.peak_equity = peak_of(peak)
    world.stance.breakers = breakers.from_records(others.values())
    return left


def on_exchange_read(world: World, read: ExchangeRead, draft: Draft) -> None:
    """Learn what was missed, compare positions, and tell whoever asked."""
    if not world.is_loaded:
        return
    if world.read_due_us is not None and read.requested_us >= world.read_due_us:
        world.read_due_us = None
    found = _compare(world, read, draft)
    waiting = [one for one in world.reads_awaited if one[1] <= read.requested_us]
    for command_id, _ in waiting:
        text = _word_of(world, found)
        draft.urgent(Reply(command_id=command_id, text=text, is_done=True))
    world.reads_awaited = [one for one in world.reads_awaited if one not in waiting]


def _word_of(world: World, found: tuple[Mismatch, ...]) -> str:
    if found:
        told = ", ".join(
            f"{one.ticker} {format_quantity(one.theirs)}, not {format_quantity(one.ours)}"
            for one in found
        )
        word = "seen again soon" if world.doubtful else "taken over"
        return f"the exchange states otherwise and is right ({word}): {told}"
    not_ours = ", ".join(sorted(world.foreign.seen)) or "nothing"
    positions = len(world.ledger.open_positions())
    return f"the exchange agrees: {positions} positions; not ours and not seen yet: {not_ours}"


def _compare(world: World, read: ExchangeRead, draft: Draft) -> tuple[Mismatch, ...]:
    world.ledger.cash = read.truth.balance.cash
    world.ledger.cash_by_shard = dict(read.truth.balance.by_shard)
    world.shards_read_us = read.requested_us
    learned = _learn(world, read, draft)
    found = mismatches(world.ledger.positions, read.truth.positions, read.requested_us)
    stated = {one.ticker: one.theirs for one in found}
    # A fill that waits for its order explains a difference soon: taken now, it would count twice.
    waiting = {one.event.fill.ticker for one in world.desk.waiting}
    is_settled = waiting.isdisjoint(stated) and all(
        world.doubtful.get(ticker) == what for ticker, what in stated.items()
    )
    if found and not is_settled:
        world.doubtful = stated
        return found
    world.doubtful = {}
    by_ticker = {position.ticker: position for position in read.truth.positions}
    for mismatch in found:
        _take_their_word(world, mismatch, by_ticker.get(mismatch.ticker), draft)
    _explain_cash(world, read.truth, draft, is_adopted=bool(found))
    for ticker, quantity in unexplained(
        world.ledger.open_positions(), world.held_by_brackets()
    ).items():
        world.note_foreign(ticker, f"position of {format_quantity(quantity)}", draft)
    if not world.stance.is_reconciled:
        world.stance.is_reconciled = True
        world.reconciled_us = world.now_us
        _tell_reconciled(world, learned, len(found), draft)
    work_all(world, draft)
    panic.on_read(world, read, draft)
    return found


def _explain_cash(world: World, truth: ExchangeTruth, draft: Draft, *, is_adopted: bool) -> None:
    """Tell trading from transfers. An adopted position explains the cash that went with it."""
    ledger, stated = world.ledger, truth.balance.cash
    if is_adopted:
        ledger.explain_all(stated)
        return
    if world.desk.waiting:
        return  # fills that are in the cash and not yet in a position
    resting = (order for order in truth.orders if not order.status.is_final)
    reserved = sum(cost(own_price(order.side, order.price), order.remaining) for order in resting)
    transfer = ledger.transferred(stated, Money(reserved))
    if not transfer:
        return
    draft.record(peak_record(ledger.peak_equity, world.now_us))
    if ledger.baseline is not None:
        draft.record(ledger.baseline)


def _learn(world: World, read: ExchangeRead, draft: Draft) -> int:
    """Feed the missed events through the ordinary doors; returns how many fills were new."""
    seen = frozenset(
        fill.fill_id for fill in read.truth.fills if world.ledger.has_seen(fill.fill_id)
    )
    cash = world.ledger.cash
    new_fills = 0
    for event in missed_events(read, world.desk.open(), seen):
        new_fills += isinstance(event, FillReported)
        _apply(world, event, draft)
    # The balance was read last: it holds everything these fills and payouts moved already.
    world.ledger.cash = cash
    return new_fills


def _apply(world: World, event: Event, draft: Draft) -> None:
    if isinstance(event, SettlementReported):
        on_settlement(world, event.settlement, draft)
    elif isinstance(event, OrderEvent):
        on_order_event(world, event, draft)


def _take_their_word(
    world: World, mismatch: Mismatch, theirs: VenuePosition | None, draft: Draft
) -> None:
    """Two reads agree with each other and not with us: the exchange is right about what is."""
    ticker = mismatch.ticker
    position = world.ledger.position(ticker)
    if theirs is None:
        adopted = replace(position, quantity=Quantity(0), cost=Money(0), updated_us=world.now_us)
    else:
        adopted = _adopted(position, theirs, world.now_us)
    world.ledger.adopt(adopted)
    draft.record(adopted.record())
    what = f"position is {format_quantity(mismatch.theirs)}, not {format_quantity(mismatch.ours)}"
    world.note_foreign(ticker, what, draft)
    _shrink_brackets(world, ticker, mismatch.theirs, draft)


def _shrink_brackets(world: World, ticker: MarketTicker, theirs: Quantity, draft: Draft) -> None:
    """Contracts the exchange does not hold for us any more cannot be sold by us either."""
    for bracket in world.desk.open():
        if bracket.plan.ticker != ticker:
            continue
        is_yes = bracket.plan.side is BookSide.BID
        still_there = max(0, theirs if is_yes else -theirs)
        gone = Quantity(max(0, bracket.held - still_there))
        after, _ = with_outside_exit(bracket, gone, bracket.plan.entry_price, world.now_us)
        keep(world, after, draft)


def _adopted(position: Position, theirs: VenuePosition, now_us: int) -> Position:
    return replace(
        position,
        quantity=theirs.quantity,
        cost=theirs.exposure,
        updated_us=now_us,
    )


def _tell_reconciled(world: World, learned: int, adopted: int, draft: Draft) -> None:
    opened = world.desk.open()
    draft.tell(
        NoticeKind.RECONCILED,
        epoch=world.stance.epoch,
        day=trading_day(world.now_us, world.settings.zone),
        positions=len(world.ledger.open_positions()),
        brackets=len(opened),
        fills_learned=learned,
        positions_adopted=adopted,
        not_ours=", ".join(sorted(world.foreign.seen)) or "nothing",
    )


def _result(record: BracketRecord, closed_us: int) -> Result:
    return Result(
        bracket_id=record.bracket_id,
        contracts=record.entered,
        cost=record.entry_cost,
        fees=record.fees,
        profit=Money(record.exit_value - record.entry_cost - record.fees),
        closed_us=closed_us,
    )
