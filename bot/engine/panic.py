"""A person wants out: halt, cancel, sell everything, and have the exchange prove it.

Level-triggered like the brackets: every second, and with every read of the account,
whatever is still open is told to leave. A kill or a hand-over in between changes
nothing. Nobody's positions but ours are touched, unless the person said *everything*.
"""

from dataclasses import replace

from bot.domain.events import ExchangeRead, PanicCommanded, Role
from bot.domain.ids import ClientOrderId, EventTicker, MarketTicker
from bot.domain.money import Money, Quantity
from bot.domain.records import ExitReason, HaltRecord
from bot.engine import duty
from bot.engine.draft import Draft
from bot.engine.effects import CancelOrder, NoticeKind
from bot.engine.order_events import NO_COMMAND, halt
from bot.engine.reconcile import unexplained
from bot.engine.work import keep, situation, work
from bot.engine.world import World
from bot.execution.adoption import Contracts, adopted
from bot.execution.bracket import Bracket, dismissed, leaving
from bot.execution.panic import Panic, hindrance, is_beyond_selling, prove, to_record
from bot.kit.times import SECOND_US

_PROOF_EVERY_US = 5 * SECOND_US
_TELL_EVERY_US = 60 * SECOND_US


def begin(world: World, event: PanicCommanded, draft: Draft) -> str:
    """Stop entries and start leaving; the first word of the answer."""
    if world.stance.is_read_only:
        return "refused: this instance only watches the account; nothing is sent"
    halt(world, _halt_of(event.actor, world.now_us), NO_COMMAND, draft)
    before = world.panic
    is_under_way = before is not None and not before.is_over
    if before is not None and is_under_way:
        is_everything = before.is_everything or event.is_everything
        _keep(world, replace(before, is_everything=is_everything), draft)
    else:
        started = Panic(
            actor=event.actor, started_us=world.now_us, is_everything=event.is_everything
        )
        _keep(world, started, draft)
        draft.tell(NoticeKind.PANIC_BEGUN, by=event.actor, positions=len(world.desk.open()))
    go_on(world, draft)
    duty.ask_now(world, "panic", draft)
    again = "already under way; " if is_under_way else ""
    return f"{again}halted, leaving {len(world.desk.open())} positions and entries"


def halt_again(world: World, draft: Draft) -> None:
    """A panic of an earlier leadership holds, also when its halt could not be saved any more."""
    panic, stored = world.panic, world.stance.halt
    if panic is None or panic.is_over or (stored is not None and stored.halted):
        return
    halt(world, _halt_of(panic.actor, world.now_us), NO_COMMAND, draft)


def _halt_of(actor: str, now_us: int) -> HaltRecord:
    return HaltRecord(halted=True, reason="panic", set_by=actor, changed_us=now_us)


def go_on(world: World, draft: Draft) -> None:
    """Have everything leave that has not left yet, and say what hinders it."""
    panic = world.panic
    if panic is None or panic.is_over or not _is_in_charge(world):
        return
    for bracket in world.desk.open():
        if bracket.orphan_reason and panic.is_everything:
            keep(world, dismissed(bracket, world.now_us), draft)
            continue
        after = leaving(bracket, ExitReason.OPERATOR, world.now_us)
        if after is not bracket:
            work(world, after, draft)
    _tell_hindrances(world, panic, draft)
    is_due = world.read_asked_us is None or world.now_us - world.read_asked_us >= _PROOF_EVERY_US
    if is_due and not world.stance.is_paused and not _is_working(world):
        duty.ask_now(world, "proof of a panic", draft)


def on_read(world: World, read: ExchangeRead, draft: Draft) -> None:
    """The account was read, and agrees with ours or not: see whether it is done."""
    panic = world.panic
    if panic is None or panic.is_over or not _is_in_charge(world) or world.doubtful:
        return
    if panic.is_everything:
        _take_what_is_not_ours(world, read, draft)
    if _is_working(world) or _is_older_than_our_acts(world, panic, read):
        return
    if not world.stance.is_halt_saved:
        return  # until then only this makes a successor halt
    truth, ledger = read.truth, world.ledger
    if any(one.quantity != ledger.position(one.ticker).quantity for one in truth.positions):
        return  # something moved while it was read
    proof = prove(
        truth.positions,
        truth.orders,
        lambda order_id: world.desk.client_of(order_id, None) is not None,
        world.held_by_brackets(),
    )
    if proof.foreign and panic.is_everything:
        return
    ended = replace(
        panic, ended_us=world.now_us, outcome=proof.outcome, is_clean=not proof.ours, hindrance=""
    )
    _keep(world, ended, draft)
    draft.tell(
        NoticeKind.PANIC_ENDED,
        outcome=proof.outcome,
        seconds=(world.now_us - panic.started_us) // SECOND_US,
    )


def give_up(world: World, draft: Draft) -> None:
    """A person ended the halt, and this with it. What is leaving goes on leaving."""
    panic = world.panic
    if panic is not None and not panic.is_over:
        outcome = "given up: the halt was ended"
        _keep(world, replace(panic, ended_us=world.now_us, outcome=outcome), draft)


def _keep(world: World, panic: Panic, draft: Draft) -> None:
    world.panic = panic
    draft.record(to_record(panic, world.now_us))


def _is_in_charge(world: World) -> bool:
    return world.stance.role is Role.LEADING and world.stance.is_reconciled


def _is_working(world: World) -> bool:
    """Whether something of ours may still be sold, cancelled or found out."""
    return any(
        not is_beyond_selling(bracket, situation(world, bracket))
        or not all(order.is_final for order in bracket.orders())
        for bracket in world.desk.open()
    )


def _is_older_than_our_acts(world: World, panic: Panic, read: ExchangeRead) -> bool:
    """Whether it was read before the last thing that happened to our orders."""
    acts_us = (bracket.updated_us for bracket in world.desk.brackets.values())
    return read.requested_us < max((panic.started_us, *acts_us))


def _tell_hindrances(world: World, panic: Panic, draft: Draft) -> None:
    found = {
        bracket.plan.ticker: why
        for bracket in world.desk.open()
        if (why := hindrance(bracket, situation(world, bracket)))
    }
    text = "; ".join(f"{ticker}: {why}" for ticker, why in found.items())
    if world.stance.is_paused and text:
        text = "the exchange is paused; it goes on when it opens"
    is_quiet = world.now_us - panic.told_us < _TELL_EVERY_US
    if text == panic.hindrance or (text and is_quiet):
        return
    _keep(
        world,
        replace(panic, hindrance=text, told_us=world.now_us if text else panic.told_us),
        draft,
    )
    if text:
        draft.tell(NoticeKind.PANIC_WAITS, why=text)


def _take_what_is_not_ours(world: World, read: ExchangeRead, draft: Draft) -> None:
    for order in read.truth.orders:
        if not order.status.is_final and world.desk.client_of(order.order_id, None) is None:
            mine = order.client_order_id or ClientOrderId("")
            draft.cancel(
                CancelOrder(client_order_id=mine, order_id=order.order_id, ticker=order.ticker)
            )
    shards = {one.ticker: one.exchange_index for one in read.truth.positions}
    over = unexplained(world.ledger.open_positions(), world.held_by_brackets())
    for ticker, quantity in over.items():
        if ticker in shards:
            bracket = _adopted(world, ticker, quantity, shards[ticker])
            work(world, leaving(bracket, ExitReason.OPERATOR, world.now_us), draft)


def _adopted(world: World, ticker: MarketTicker, quantity: Quantity, shard: int) -> Bracket:
    market, position = world.markets.get(ticker), world.ledger.position(ticker)
    listed = market.listing.market if market is not None else None
    contracts = Contracts(
        ticker=ticker,
        event_ticker=listed.event_ticker if listed is not None else EventTicker(ticker),
        title=listed.title if listed is not None else ticker,
        exchange_index=shard,
        quantity=quantity,
        paid=Money(position.cost * abs(quantity) // max(position.size, abs(quantity))),
    )
    return adopted(contracts, world.new_signal_id(), world.stance.epoch, world.now_us)
