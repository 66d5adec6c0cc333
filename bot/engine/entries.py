"""From a quote to an entry: ask the strategies, weigh the wish, plan, place.

Every refusal is kept with its reason, but the same one not on every tick.
"""

from collections.abc import Sequence

import msgspec

from bot.domain.ids import BracketId, Epoch, MarketTicker, SignalId, StrategyId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, OrderIntent, Purpose, TimeInForce, own_price
from bot.domain.quotes import Quote
from bot.domain.records import Record
from bot.domain.signals import MILLION, Signal, SignalRecord, Verdict
from bot.engine import approvals
from bot.engine.draft import Draft
from bot.engine.effects import Commit
from bot.engine.markets import MarketNow
from bot.engine.weighing import Weighed, standing_of, weighed
from bot.engine.world import World
from bot.execution.bracket import Bracket, Plan, opened
from bot.execution.bracket_json import to_record
from bot.execution.order_names import entry_name
from bot.execution.order_state import submitted
from bot.execution.pricing import entry_limit
from bot.execution.ramp import Wish
from bot.kit.times import MINUTE_US
from bot.risk.checks import Denial
from bot.risk.decision import APPROVED
from bot.risk.sizing import Size
from bot.strategies.base import MarketView, Skip, Strategy

_REHEARSAL = StrategyId("rehearsal")
_NO_EPOCH = Epoch(0)


def consider(world: World, market: MarketNow, draft: Draft | None = None) -> Draft | None:
    """Ask the strategies about one market and act on the first wish.

    Without a draft one is begun by the first wish: most quotes bring none.
    """
    quote = market.live_quote
    if quote is None:
        return draft
    view = _view(world, market, quote)
    for strategy in world.strategies:
        opinion = strategy.on_quote(view)
        if isinstance(opinion, Skip):
            world.opinions[quote.ticker] = opinion.reason
            continue
        if draft is None:
            draft = Draft(world.stance.epoch)
        if _propose(world, market, opinion, draft):
            break
    return draft


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry would have been. It is no effect: nothing there is carries it out.

    If its intent got anywhere all the same, the fence would refuse it, as no epoch 0 ever
    leads, and the exchange an order of no contracts.
    """

    records: tuple[Record, ...]
    intent: OrderIntent


def rehearsed(
    world: World, market: MarketNow, understudies: Sequence[Strategy]
) -> Rehearsed | None:
    """Go the whole way of an entry here as if it were wanted, and change nothing.

    ``understudies`` are asked in the place of the strategies, which are not told of it.
    """
    quote, standing = market.live_quote, standing_of(world)
    if quote is None or quote.bid is None or standing is None:
        return None
    view = _view(world, market, quote)
    for strategy in understudies:
        strategy.on_quote(view)
    signal = _made_up(quote.ticker, quote.bid)
    price = entry_limit(market.listing.market.grid, signal.side, signal.price)
    if price is None:
        return None
    found = weighed(world, market, signal, price, standing)
    found.size = Size(Quantity(0), found.size.decided_by)
    draft = Draft(_NO_EPOCH)
    entry = _entry(world, market, signal, found, world.next_signal_id(), _NO_EPOCH)
    draft.record(entry.record)
    draft.place(entry.intent)
    draft.record(to_record(entry.bracket))
    (commit, _) = draft.effects()
    assert isinstance(commit, Commit)
    return Rehearsed(records=commit.records, intent=entry.intent)


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A wish that may be placed, ready to be."""

    record: SignalRecord
    intent: OrderIntent
    bracket: Bracket


def _propose(world: World, market: MarketNow, signal: Signal, draft: Draft) -> bool:
    """Size and check a wish; place it or remember why not. Returns whether it was placed."""
    grid = market.listing.market.grid
    price = entry_limit(grid, signal.side, own_price(signal.side, signal.price))
    standing = standing_of(world)
    if price is None or standing is None:
        why = "no valid price" if price is None else "the balance is not known yet"
        return _refuse(world, signal, None, Denial("ready", why), draft)
    found = weighed(world, market, signal, price, standing)
    if found.denial is not None:
        return _refuse(world, signal, found, found.denial, draft)
    own = own_price(signal.side, found.price)
    wish = Wish(
        ticker=signal.ticker,
        side=signal.side,
        own_price=own,
        quantity=found.size.quantity,
        worst_cost=Money(found.view.cost + found.view.fee),
    )
    if approvals.is_needed(world, wish):
        return _place_if_approved(world, market, signal, found, wish, draft)
    _place(world, market, signal, found, draft)
    return True


def _place_if_approved(
    world: World, market: MarketNow, signal: Signal, found: Weighed, wish: Wish, draft: Draft
) -> bool:
    allowed = approvals.judge(world, wish, market.listing.market, draft)
    if isinstance(allowed, Denial):
        return _refuse(world, signal, found, allowed, draft)
    found.size = Size(allowed, f"{found.size.decided_by}{APPROVED}")
    _place(world, market, signal, found, draft)
    approvals.sent(world, wish, allowed, draft)
    return True


def _place(world: World, market: MarketNow, signal: Signal, found: Weighed, draft: Draft) -> None:
    entry = _entry(world, market, signal, found, world.new_signal_id(), world.stance.epoch)
    draft.record(entry.record)
    draft.place(entry.intent)
    # A bracket that has just been opened has nothing to do before its entry is answered.
    world.desk.put(entry.bracket, draft)
    world.note_entry()
    world.opinions.pop(signal.ticker, None)
    world.refusals.pop(signal.ticker, None)


def _entry(
    world: World,
    market: MarketNow,
    signal: Signal,
    found: Weighed,
    signal_id: SignalId,
    epoch: Epoch,
) -> _Entry:
    listed, price, quantity = market.listing.market, found.price, found.size.quantity
    now_us = world.now_us
    bracket_id = BracketId(signal_id)
    plan = Plan(
        bracket_id=bracket_id,
        signal_id=signal_id,
        strategy_id=signal.strategy_id,
        ticker=signal.ticker,
        event_ticker=listed.event_ticker,
        title=listed.title,
        exchange_index=listed.exchange_index,
        side=signal.side,
        entry_price=price,
        stop_price=signal.stop_price,
        target_price=signal.target_price,
        wanted=quantity,
        opened_us=now_us,
    )
    intent = OrderIntent(
        client_order_id=entry_name(signal_id),
        epoch=epoch,
        strategy_id=signal.strategy_id,
        signal_id=signal_id,
        bracket_id=bracket_id,
        purpose=Purpose.ENTRY,
        ticker=signal.ticker,
        exchange_index=listed.exchange_index,
        side=signal.side,
        price=price,
        quantity=quantity,
        time_in_force=TimeInForce.GOOD_TILL_CANCELED,
        post_only=True,
        reduce_only=False,
        expires_us=found.expires_us,
        decided_us=now_us,
    )
    record = SignalRecord(
        signal_id=signal_id,
        signal=signal,
        quantity=quantity,
        verdict=Verdict.TAKEN,
        reason=found.size.decided_by,
        decided_us=now_us,
        case=found.case(world.settings.limits),
    )
    return _Entry(record=record, intent=intent, bracket=opened(plan, submitted(intent)))


def _refuse(
    world: World, signal: Signal, found: Weighed | None, denial: Denial, draft: Draft
) -> bool:
    reason = f"{denial.check}: {denial.reason}"
    world.opinions[signal.ticker] = reason
    check, told_us = world.refusals.get(signal.ticker, ("", 0))
    if check == denial.check and world.now_us - told_us < world.settings.refusal_repeat_us:
        return False
    world.refusals[signal.ticker] = (denial.check, world.now_us)
    draft.record(
        SignalRecord(
            signal_id=world.new_signal_id(),
            signal=signal,
            quantity=found.size.quantity if found is not None else Quantity(0),
            verdict=Verdict.REFUSED,
            reason=reason,
            decided_us=world.now_us,
            case=found.case(world.settings.limits) if found is not None else {},
        )
    )
    return False


def _view(world: World, market: MarketNow, quote: Quote) -> MarketView:
    return MarketView(
        listing=market.listing, quote=quote, close_us=market.close_us, now_us=world.now_us
    )


def _made_up(ticker: MarketTicker, bid: Price) -> Signal:
    """A wish that nobody has."""
    return Signal(
        strategy_id=_REHEARSAL,
        ticker=ticker,
        side=BookSide.BID,
        price=bid,
        chance_e6=MILLION - 1,
        target_price=None,
        stop_price=None,
        lifetime_us=MINUTE_US,
    )
