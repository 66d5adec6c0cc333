"""The engine's regular duties: breakers, the trading day, snapshots, asking again."""

from bot.domain.money import Money
from bot.domain.records import BaselineRecord, SnapshotRecord
from bot.domain.tradingday import day_start_us, trading_day
from bot.engine.draft import Draft
from bot.engine.effects import (
    NoticeKind,
    ReadExchange,
    RenewEntryGroups,
    TriggerEntryGroups,
)
from bot.engine.ledger import Valuation, peak_record
from bot.engine.weighing import stakes
from bot.engine.world import World
from bot.kit.times import DAY_US, MINUTE_US, SECOND_US
from bot.portfolio.exposure import total_exposure
from bot.portfolio.pnl import loss_streak, tally
from bot.risk import breakers
from bot.risk.breakers import BreakerState
from bot.risk.readings import Readings

_OLD_SNAPSHOT_US = 14 * DAY_US
_INHERITED_PATIENCE_US = MINUTE_US
"""So long what a predecessor had on its way when it died may be looked up before it counts."""
_SUBSCRIBED_US = 2 * SECOND_US
"""So long after a connection the private channels may take to be on."""
_BOOKS_PATIENCE_US = MINUTE_US
"""So long the books may take to come before positions are written down at their cost."""


def readings(world: World) -> Readings:
    """Everything the breakers look at, now."""
    limits, ledger = world.settings.breakers, world.ledger
    valuation = ledger.value(world.markets, world.now_us)
    day = trading_day(world.now_us, world.settings.zone)
    baseline = ledger.baseline
    calls, failed = world.api.within(world.now_us, limits.api_window_us)
    stale, watched = world.markets.trust(world.now_us)
    is_today = baseline is not None and baseline.trading_day == day
    return Readings(
        trading_day=day,
        is_flat=not ledger.open_positions() and not world.desk.open(),
        baseline=baseline.equity if baseline is not None and is_today else None,
        equity=valuation.equity if valuation is not None else None,
        realized_today=_realized_today(world, day),
        peak_equity=ledger.peak_equity,
        worst_position_loss=valuation.worst_loss if valuation is not None else Money(0),
        loss_streak=loss_streak(ledger.results_since(_counted_from(world, "consecutive_losses"))),
        api_calls=calls,
        api_failed=failed,
        silence_us=0 if world.stance.is_paused else world.feed.silence_us(world.now_us),
        unknown_orders=_unknown_orders(world),
        clock_skew_us=world.clock_skew_us,
        stale_books=0 if world.stance.is_paused else stale,
        watched_books=watched,
        rejections=world.rejections,
        takeovers=len(_state(world, "flapping").marks),
        groups_tripped=world.groups_tripped,
    )


def judge_breakers(world: World, draft: Draft) -> None:
    """Trip what has to trip, re-arm what may; store and tell each change."""
    if not world.is_loaded:
        return
    now_readings = readings(world)
    states, changes = breakers.evaluate(
        world.stance.breakers, now_readings, world.settings.breakers, world.now_us
    )
    world.stance.breakers = states
    for change in changes:
        state = change.state
        draft.record(breakers.to_record(state))
        if state.is_tripped:
            shut_groups(world, f"{state.name}: {state.reason}", draft)
            draft.tell(NoticeKind.BREAKER_TRIPPED, name=state.name, reason=state.reason)
        else:
            forget_counts(world, state.name)
            draft.tell(NoticeKind.BREAKER_RESET, name=state.name, by=change.by)


def forget_counts(world: World, name: str) -> None:
    """A re-armed breaker counts anew."""
    if name == "api_error_rate":
        world.api.counts.clear()
    elif name == "rejected_orders":
        world.rejections = 0
    elif name == "order_group":
        world.groups_tripped = 0


def count_takeover(world: World, draft: Draft) -> None:
    """Remember that the leadership before ours did not end properly."""
    window_us = world.settings.breakers.takeovers_window_us
    state = breakers.marked(_state(world, "flapping"), world.now_us, window_us)
    replace_state(world, state)
    draft.record(breakers.to_record(state))


def replace_state(world: World, state: BreakerState) -> None:
    """Keep a breaker's new state."""
    world.stance.breakers = tuple(
        state if other.name == state.name else other for other in world.stance.breakers
    )


def shut_groups(world: World, reason: str, draft: Draft) -> None:
    """Stop entries at the exchange as well."""
    world.are_groups_shut = True
    draft.urgent(TriggerEntryGroups(reason=reason))


def reopen_groups(world: World, draft: Draft) -> None:
    """Entries are allowed again: a triggered group is never reset, so new ones are made."""
    if world.are_groups_shut:
        world.are_groups_shut = False
        draft.urgent(RenewEntryGroups(reason="entries are allowed again"))


def keep_day(world: World, draft: Draft) -> None:
    """Set the day's baseline and the highest equity, once they are known."""
    valuation = _settled_valuation(world)
    if valuation is None:
        return
    world.ledger.peak_equity = Money(max(world.ledger.peak_equity, valuation.equity))
    day = trading_day(world.now_us, world.settings.zone)
    baseline = world.ledger.baseline
    if baseline is not None and baseline.trading_day == day:
        return
    equity = _equity_at_midnight(world, day, valuation)
    record = BaselineRecord(trading_day=day, equity=equity, taken_us=world.now_us)
    world.ledger.baseline = record
    draft.record(record)


def take_snapshot(world: World, draft: Draft) -> None:
    """Write the account down, every few minutes."""
    valuation = _settled_valuation(world)
    is_due = world.now_us - world.snapshot_us >= world.settings.snapshot_every_us
    cash = world.ledger.cash
    if valuation is None or cash is None or not is_due:
        return
    world.snapshot_us = world.now_us
    day = trading_day(world.now_us, world.settings.zone)
    today = tally(world.ledger.results_since(day_start_us(day, world.settings.zone)))
    stop = world.stance.why_not_trading()
    record = SnapshotRecord(
        taken_us=world.now_us,
        cash=cash,
        equity=valuation.equity,
        exposure=total_exposure(stakes(world)),
        realized_today=today.profit,
        unrealized=valuation.unrealized,
        open_positions=len(world.ledger.open_positions()),
        trades_today=today.trades,
        wins_today=today.wins,
        losses_today=today.losses,
        stopped_by=f"{stop.kind} {stop.name}".strip() if stop is not None else "",
    )
    world.ledger.last_snapshot = record
    draft.record(record)
    draft.record(peak_record(world.ledger.peak_equity, world.now_us))


def ask_for_account(world: World, draft: Draft) -> None:
    """Compare with the exchange from time to time, and again soon while it does not agree.

    A pause stops orders and no payouts. It may be an outage too, so then there is no hurry.
    """
    if not world.is_loaded:
        return
    settings, stance = world.settings, world.stance
    agrees = stance.is_reconciled and not world.doubtful and not world.ledger.unexplained
    is_calm = agrees or stance.is_paused
    every_us = settings.reconcile_every_us if is_calm else settings.reconcile_retry_us
    asked_us = world.read_asked_us
    if asked_us is None or world.now_us - asked_us >= every_us or _is_extra_due(world):
        ask_now(world, "take-over" if not world.stance.is_reconciled else "regular", draft)


def _is_extra_due(world: World) -> bool:
    """Until one is answered: the first may fail, as the stream just did."""
    due_us, asked_us = world.read_due_us, world.read_asked_us
    if due_us is None or world.now_us < due_us:
        return False
    waited_us = world.settings.reconcile_retry_us
    return asked_us is None or asked_us < due_us or world.now_us - asked_us >= waited_us


def ask_after_silence(world: World) -> None:
    """Fills and orders of a time without stream are told by nobody: compare once it is complete."""
    if world.is_loaded:
        world.read_due_us = world.now_us + _SUBSCRIBED_US


def ask_now(world: World, reason: str, draft: Draft) -> None:
    """Read the account."""
    world.read_asked_us = world.now_us
    draft.ask(ReadExchange(reason=reason))


def _equity_at_midnight(world: World, day: str, valuation: Valuation) -> Money:
    """Now, when we saw midnight pass; else the last snapshot before it."""
    last = world.ledger.last_snapshot
    start_us = day_start_us(day, world.settings.zone)
    is_usable = last is not None and start_us - _OLD_SNAPSHOT_US <= last.taken_us < start_us
    was_running = world.reconciled_us is not None and world.reconciled_us < start_us
    if last is None or not is_usable or was_running:
        return valuation.equity
    return last.equity


def _settled_valuation(world: World) -> Valuation | None:
    """The value now, to be remembered: right after a start the books get a little time to come.

    A market that has closed will never be quoted, so a guess is taken in the end.
    """
    if not world.stance.is_reconciled or world.reconciled_us is None:
        return None
    valuation = world.ledger.value(world.markets, world.now_us)
    is_early = world.now_us - world.reconciled_us < _BOOKS_PATIENCE_US
    return None if valuation is None or (valuation.is_guessed and is_early) else valuation


def _unknown_orders(world: World) -> int:
    """A killed leader leaves as many as it had in flight: that is no fault of the exchange."""
    agreed_us = world.reconciled_us
    is_new = agreed_us is None or world.now_us - agreed_us < _INHERITED_PATIENCE_US
    return world.desk.unknown_orders(world.stance.epoch if is_new else None)


def _realized_today(world: World, day: str) -> Money:
    start_us = day_start_us(day, world.settings.zone)
    return tally(world.ledger.results_since(start_us)).profit


def _counted_from(world: World, name: str) -> int:
    return _state(world, name).counted_from_us


def _state(world: World, name: str) -> BreakerState:
    return next((one for one in world.stance.breakers if one.name == name), breakers.fresh(name))
