"""What a person orders: each command once, each answered in words."""

from typing import assert_never

from bot.domain.events import (
    BracketCommanded,
    BreakerResetCommanded,
    CloseCommanded,
    CommandEvent,
    EntriesCancelCommanded,
    EntryJudged,
    ForeignAcknowledged,
    HaltCommanded,
    HaltFound,
    HaltSaved,
    LimitCommanded,
    PanicCommanded,
    ReconcileCommanded,
    Role,
    StrategyCommanded,
    UnhaltCommanded,
)
from bot.domain.money import format_quantity
from bot.domain.records import ExitReason, HaltRecord
from bot.engine import adjusting, approvals, panic
from bot.engine.draft import Draft
from bot.engine.duty import ask_now, forget_counts, readings, replace_state
from bot.engine.effects import CancelOrder, NoticeKind, Reply, SaveHalt, TriggerEntryGroups
from bot.engine.entries import consider
from bot.engine.order_events import NO_COMMAND, halt
from bot.engine.work import keep, work, work_all
from bot.engine.world import World
from bot.execution.bracket import dismissed, leaving
from bot.execution.order_state import cancel_sent
from bot.risk import breakers

_NAMED = 10  # tickers in one answer

OtherCommand = (
    BreakerResetCommanded
    | CloseCommanded
    | EntriesCancelCommanded
    | ForeignAcknowledged
    | PanicCommanded
    | EntryJudged
    | ReconcileCommanded
)


def on_command(world: World, event: CommandEvent, draft: Draft) -> None:
    """Carry it out, unless it was before."""
    if event.command_id in world.commands:
        _reply(draft, event, "done before", is_done=True)
        return
    world.commands.append(event.command_id)
    if isinstance(event, HaltCommanded):
        _halt(world, event, draft)
    elif isinstance(event, UnhaltCommanded):
        _unhalt(world, event, draft)
    elif isinstance(event, LimitCommanded | StrategyCommanded | BracketCommanded):
        _adjust(world, event, draft)
    else:
        _on_other(world, event, draft)


def _on_other(world: World, event: OtherCommand, draft: Draft) -> None:
    match event:
        case BreakerResetCommanded():
            _reset_breaker(world, event, draft)
        case CloseCommanded():
            _close(world, event, draft)
        case PanicCommanded():
            _reply(draft, event, panic.begin(world, event, draft), is_done=True)
        case EntryJudged():
            _judge_entry(world, event, draft)
        case ReconcileCommanded():
            world.reads_awaited.append((event.command_id, world.now_us))
            ask_now(world, "on demand", draft)
        case EntriesCancelCommanded():
            _cancel_entries(world, event, draft)
        case ForeignAcknowledged():
            _acknowledge(world, event, draft)
        case _:
            assert_never(event)


def on_halt_saved(world: World, event: HaltSaved, draft: Draft) -> None:
    """The store has it: say so, and let an unhalt take effect."""
    pending = world.pending_unhalt
    if pending is not None and pending[0] == event.command_id:
        world.pending_unhalt = None
        _end_halt(world, pending[1], event, draft)
    elif event.command_id in world.withdrawn_unhalts:
        # A halt came after this unhalt, and the store may have written them the other way round.
        world.withdrawn_unhalts.discard(event.command_id)
        _say(draft, event.command_id, "refused: a halt came in between")
        _save_again(world, draft)
        return
    elif event.command_id:
        _say(draft, event.command_id, "saved")
    world.stance.is_halt_saved = world.pending_unhalt is None and not world.withdrawn_unhalts


def _end_halt(world: World, record: HaltRecord, event: HaltSaved, draft: Draft) -> None:
    """Unless the store holds another halt by now, written by SQL or under another leader."""
    if event.instead is not None:
        world.stance.halt = event.instead
        _say(draft, event.command_id, f"refused: halted meanwhile: {event.instead.reason}")
        return
    world.stance.halt = record
    panic.give_up(world, draft)
    draft.tell(NoticeKind.HALT_CLEARED, by=record.set_by)
    _say(draft, event.command_id, "saved: entries are allowed, breakers permitting")


def on_halt_found(world: World, event: HaltFound, draft: Draft) -> None:
    """Take over a halt of the store's: it holds already, and is neither saved nor answered.

    One that was read before the newest unhalt was saved is over, and no news.
    """
    before, found = world.stance.halt, event.record
    is_old = before is not None and (before.halted or found.changed_us < before.changed_us)
    if not found.halted or before is None or is_old:
        return
    world.stance.halt = event.record
    world.are_groups_shut = True
    draft.urgent(TriggerEntryGroups(reason=event.record.reason))
    draft.tell(NoticeKind.HALT_SET, reason=event.record.reason, by=event.record.set_by)
    work_all(world, draft)


def _save_again(world: World, draft: Draft) -> None:
    if world.stance.halt is not None:
        draft.urgent(SaveHalt(record=world.stance.halt, command_id=NO_COMMAND))


def _halt(world: World, event: HaltCommanded, draft: Draft) -> None:
    record = HaltRecord(
        halted=True, reason=event.reason, set_by=event.actor, changed_us=world.now_us
    )
    halt(world, record, event.command_id, draft)
    _reply(draft, event, "halted here, not yet saved", is_done=False)
    work_all(world, draft)


def _unhalt(world: World, event: UnhaltCommanded, draft: Draft) -> None:
    stance = world.stance
    if stance.halt is not None and not stance.halt.halted:
        _reply(draft, event, "not halted", is_done=True)
        return
    if stance.role is not Role.LEADING or not stance.is_reconciled:
        _reply(draft, event, "refused: the account is not reconciled yet", is_done=False)
        return
    if not stance.is_halt_saved:
        _reply(draft, event, "refused: the halt is still being saved", is_done=False)
        return
    record = HaltRecord(halted=False, reason="", set_by=event.actor, changed_us=world.now_us)
    world.pending_unhalt = (event.command_id, record)
    stance.is_halt_saved = False
    draft.urgent(SaveHalt(record=record, command_id=event.command_id, ends=stance.halt))
    _reply(draft, event, "ending the halt, not yet saved", is_done=False)


def _reset_breaker(world: World, event: BreakerResetCommanded, draft: Draft) -> None:
    state = next((one for one in world.stance.breakers if one.name == event.name), None)
    if state is None:
        known = ", ".join(breaker.name for breaker in breakers.BREAKERS)
        _reply(draft, event, f"refused: no breaker {event.name!r}; known: {known}", is_done=False)
        return
    now_readings, limits = readings(world), world.settings.breakers
    refusal = breakers.refusal(state, now_readings, limits)
    if refusal and not (event.is_forced and state.is_tripped):
        _reply(draft, event, f"refused: {refusal}", is_done=False)
        return
    after = breakers.reset(state, now_readings, limits, world.now_us, is_forced=event.is_forced)
    replace_state(world, after)
    forget_counts(world, state.name)
    draft.record(breakers.to_record(after))
    draft.tell(NoticeKind.BREAKER_RESET, name=state.name, by=event.actor)
    breaker = breakers.breaker_named(state.name)
    granted = f"; granted: {breaker.grant}" if refusal and breaker is not None else ""
    _reply(draft, event, f"{state.name} reset{granted}", is_done=True)


def _close(world: World, event: CloseCommanded, draft: Draft) -> None:
    chosen = [
        bracket for bracket in world.desk.open()
        if event.ticker is None or bracket.plan.ticker == event.ticker
    ]  # fmt: skip
    for bracket in chosen:
        work(world, leaving(bracket, ExitReason.OPERATOR, world.now_us), draft)
    if not chosen:
        if event.ticker is None:
            _reply(draft, event, "nothing of ours is open", is_done=True)
            return
        held = ", ".join(sorted(bracket.plan.ticker for bracket in world.desk.open())[:_NAMED])
        text = f"nothing of ours is open in {event.ticker}; open: {held or 'nothing'}"
        # A mistyped market must not read as one that was sold.
        _reply(draft, event, f"refused: {text}", is_done=False)
        return
    noun = "position" if len(chosen) == 1 else "positions"
    hindrance = "" if world.stance.may_exit else "; exits wait until trading is possible"
    _reply(draft, event, f"closing {len(chosen)} {noun}{hindrance}", is_done=True)


def _judge_entry(world: World, event: EntryJudged, draft: Draft) -> None:
    proposal = world.ramp.named(event.proposal)
    said = approvals.answer(world, event, draft)
    if said or proposal is None:
        _reply(draft, event, said, is_done=True)
        return
    ticker = proposal.wish.ticker
    market = world.markets.get(ticker)
    if market is not None and world.stance.may_enter and world.desk.in_market(ticker) is None:
        consider(world, market, draft)
    bracket = world.desk.in_market(ticker)
    if bracket is not None and world.ramp.named(proposal.name) is None:
        wanted, asked = bracket.plan.wanted, proposal.wish.quantity
        less = "" if wanted == asked else f": {format_quantity(wanted)} of {format_quantity(asked)}"
        _reply(draft, event, f"{proposal.name} approved and sent{less}", is_done=True)
        return
    stop = world.stance.why_not_trading()
    why = stop.why if stop is not None else world.opinions.get(ticker, "no trusted book")
    text = f"{proposal.name} approved, not sent now: {why}; it is sent if that changes in time"
    _reply(draft, event, text, is_done=True)


def _cancel_entries(world: World, event: EntriesCancelCommanded, draft: Draft) -> None:
    cancelled = 0
    for bracket in world.desk.open():
        entry = bracket.entry
        if not entry.is_working or entry.order_id is None:
            continue
        if event.chosen is not None and event.chosen not in (entry.order_id, bracket.plan.ticker):
            continue
        cancelled += 1
        mine = entry.intent.client_order_id
        draft.cancel(
            CancelOrder(client_order_id=mine, order_id=entry.order_id, ticker=bracket.plan.ticker)
        )
        world.desk.change(mine, lambda order: cancel_sent(order, world.now_us), world.now_us, draft)
    if event.chosen is not None and not cancelled:
        # A mistyped order must not read as one that was cancelled.
        _reply(draft, event, f"refused: no entry of ours rests as {event.chosen}", is_done=False)
        return
    noun = "entry" if cancelled == 1 else "entries"
    # What was bid once is soon bid again: who wants an end of it has to be told how.
    is_trading = world.stance.why_not_trading() is None
    again = "; strategies may bid again, /halt keeps them from it" if is_trading else ""
    text = f"cancelling {cancelled} {noun}; take-profits stay{again}"
    _reply(draft, event, text, is_done=True)


def _adjust(
    world: World, event: LimitCommanded | StrategyCommanded | BracketCommanded, draft: Draft
) -> None:
    match event:
        case LimitCommanded():
            text = adjusting.set_limit(world, event, draft)
        case StrategyCommanded():
            text = adjusting.switch(world, event, draft)
        case BracketCommanded():
            text = adjusting.change_bracket(world, event, draft)
        case _:
            assert_never(event)
    _reply(draft, event, text, is_done=not text.startswith("refused"))


def _acknowledge(world: World, event: ForeignAcknowledged, draft: Draft) -> None:
    orphans = [
        bracket for bracket in world.desk.open()
        if bracket.plan.ticker == event.ticker and bracket.orphan_reason
    ]  # fmt: skip
    if event.ticker not in world.foreign.seen and not orphans:
        _reply(draft, event, f"nothing to acknowledge in {event.ticker}", is_done=True)
        return
    if world.foreign.seen.pop(event.ticker, None) is not None:
        world.foreign.acknowledged.add(event.ticker)
        draft.record(world.foreign.record(world.now_us))
    for bracket in orphans:
        keep(world, dismissed(bracket, world.now_us), draft)
    left = f"; {len(orphans)} brackets are left to you" if orphans else ""
    _reply(draft, event, f"{event.ticker} acknowledged{left}", is_done=True)


def _reply(draft: Draft, event: CommandEvent, text: str, *, is_done: bool) -> None:
    draft.urgent(Reply(command_id=event.command_id, text=text, is_done=is_done))


def _say(draft: Draft, command_id: int, text: str) -> None:
    draft.urgent(Reply(command_id=command_id, text=text, is_done=True))
