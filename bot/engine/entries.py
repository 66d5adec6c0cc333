"""From a quote to an entry: ask the strategies, size, check, plan, place.

Every refusal is kept with its reason, but the same one not on every tick.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.ids import BracketId, EventTicker, MarketTicker
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.orders import OrderIntent, Purpose, TimeInForce, own_price
from bot.domain.signals import Signal, SignalRecord, Verdict
from bot.engine import approvals
from bot.engine.draft import Draft
from bot.engine.markets import MarketNow
from bot.engine.world import World
from bot.execution.bracket import Bracket, Plan, opened
from bot.execution.order_names import entry_name
from bot.execution.order_state import submitted
from bot.execution.pricing import entry_limit, own_bid
from bot.execution.ramp import Wish
from bot.kit.times import SECOND_US
from bot.portfolio.exposure import Exposure, Stake, exposure_around
from bot.risk.checks import Denial, RiskView
from bot.risk.decision import APPROVED, EXPIRY, SizingCase, case_record, checked, sized
from bot.risk.limits import BASIS, share_of, total_limit
from bot.risk.sizing import Offer, Size
from bot.strategies.base import MarketView, Skip

_EXPIRY_MIN_US = 30 * SECOND_US
"""The exchange takes an expiry in the past as immediate-or-cancel: leave room for a slow send."""
_CLOSE_BUFFER_US = 10 * SECOND_US


def consider(world: World, market: MarketNow, draft: Draft) -> None:
    """Ask the strategies about one market and act on the first wish."""
    quote = market.live_quote
    if quote is None:
        return
    view = MarketView(
        listing=market.listing, quote=quote, close_us=market.close_us, now_us=world.now_us
    )
    for strategy in world.strategies:
        opinion = strategy.on_quote(view)
        if isinstance(opinion, Skip):
            world.opinions[quote.ticker] = opinion.reason
            continue
        if _propose(world, market, opinion, draft):
            return


def stakes(world: World) -> tuple[Stake, ...]:
    """What is at risk in every market: positions, and entries that may still fill."""
    open_in: dict[MarketTicker, list[Bracket]] = {
        position.ticker: [] for position in world.ledger.open_positions()
    }
    for bracket in world.desk.open():
        open_in.setdefault(bracket.plan.ticker, []).append(bracket)
    return tuple(
        _stake(world, ticker, brackets, world.markets.get(ticker))
        for ticker, brackets in open_in.items()
    )


@dataclass(slots=True, kw_only=True)
class _Case:
    """What a wish is sized and checked by, worked out once."""

    signal: Signal
    market: MarketNow
    offer: Offer
    equity: Money
    cash_free: Money
    """Cash less what resting entries will take."""
    shard_cash: Money | None
    around: Exposure
    displayed: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """The size, and how to write down what it follows from: most refusals are not written."""

    size: Size
    case: Callable[[], dict[str, object]]


_UNSIZED = _Verdict(size=Size(Quantity(0), ""), case=dict)


def _propose(world: World, market: MarketNow, signal: Signal, draft: Draft) -> bool:
    """Size and check a wish; place it or remember why not. Returns whether it was placed."""
    listing = market.listing
    own = own_price(signal.side, signal.price)
    price = entry_limit(listing.market.grid, signal.side, own)
    valuation = world.ledger.value(world.markets, world.now_us)
    if price is None or valuation is None or world.ledger.cash is None:
        why = "no valid price" if price is None else "the balance is not known yet"
        return _refuse(world, signal, _UNSIZED, Denial("ready", why), draft)
    own = own_price(signal.side, price)
    offer = Offer(own_price=own, chance_e6=signal.chance_e6, fees=listing.fees, is_taker=False)
    limits = world.settings.limits
    case = _case(world, market, signal, offer, valuation.equity)
    by = _sizing_case(world, case)
    size = sized(by, limits)
    view = _risk_view(world, case, size.quantity)
    denial = checked(view, limits, size.decided_by) or _expiry_denial(world, market, signal)
    verdict = _Verdict(size=size, case=partial(case_record, by, view, limits))
    if denial is not None:
        return _refuse(world, signal, verdict, denial, draft)
    if approvals.missing(world):
        return _place_if_approved(world, market, signal, price, verdict, draft)
    _place(world, market, signal, price, verdict, draft)
    return True


def _place_if_approved(
    world: World, market: MarketNow, signal: Signal, price: Price, verdict: _Verdict, draft: Draft
) -> bool:
    own, size = own_price(signal.side, price), verdict.size
    wish = Wish(ticker=signal.ticker, side=signal.side, own_price=own, quantity=size.quantity)
    allowed = approvals.judge(world, wish, market.listing.market, draft)
    if isinstance(allowed, Denial):
        return _refuse(world, signal, verdict, allowed, draft)
    approved = Size(allowed, f"{size.decided_by}{APPROVED}")
    _place(world, market, signal, price, replace(verdict, size=approved), draft)
    approvals.sent(world, wish, draft)
    return True


def _case(world: World, market: MarketNow, signal: Signal, offer: Offer, equity: Money) -> _Case:
    open_brackets = world.desk.open()
    here = [bracket for bracket in open_brackets if bracket.plan.ticker == signal.ticker]
    pending = sum(_pending(bracket) for bracket in open_brackets)
    return _Case(
        signal=signal,
        market=market,
        offer=offer,
        equity=equity,
        cash_free=Money((world.ledger.cash or 0) - pending),
        shard_cash=_shard_cash(world, market),
        around=exposure_around(stakes(world), _stake(world, signal.ticker, here, market)),
        displayed=_displayed(market, signal),
    )


def _sizing_case(world: World, case: _Case) -> SizingCase:
    limits, equity, around = world.settings.limits, case.equity, case.around
    money_caps = [
        ("order cost", Money(limits.order_cost_max_e6)),
        ("cash", Money(case.cash_free - share_of(equity, limits.cash_reserve_bp))),
        ("market limit", _room(equity, limits.market_max_bp, around.market)),
        ("event limit", _room(equity, limits.event_max_bp, around.event)),
        ("series limit", _room(equity, limits.series_max_bp, around.series)),
        ("release group limit", _room(equity, limits.release_group_max_bp, around.release_group)),
        ("account limit", Money(total_limit(equity, limits) - around.total)),
    ]
    if case.shard_cash is not None:
        money_caps.append(("cash on its shard", case.shard_cash))
    least = min(case.displayed, case.market.listing.market.volume_24h)
    depth = Quantity(least * limits.depth_share_max_bp // BASIS)
    return SizingCase(
        offer=case.offer, equity=equity, money_caps=money_caps, contract_caps=(("depth", depth),)
    )


def _risk_view(world: World, case: _Case, quantity: Quantity) -> RiskView:
    offer, market, ticker = case.offer, case.market, case.signal.ticker
    order_cost = cost(offer.own_price, quantity)
    fee = Money(quantity * (offer.unit_cost - cost(offer.own_price, Quantity(100))) // 100)
    after = case.around.with_order(order_cost)
    own_bracket = world.desk.in_market(ticker)
    has_position = own_bracket is not None or bool(world.ledger.position(ticker).quantity)
    left_us = world.desk.left_us.get(ticker)
    blocked = world.foreign.blocking(ticker)
    return RiskView(
        own_price=offer.own_price,
        quantity=quantity,
        cost=order_cost,
        fee=fee,
        equity=case.equity,
        cash_free=case.cash_free,
        shard_cash=case.shard_cash,
        market_after=after.market,
        event_after=after.event,
        series_after=after.series,
        release_group_after=after.release_group,
        total_after=after.total,
        open_positions=len(world.desk.open()),
        open_orders=world.desk.open_orders(),
        entries_last_minute=world.entries_last_minute(),
        displayed=case.displayed,
        volume_24h=market.listing.market.volume_24h,
        until_close_us=_until_blind_us(world, market),
        is_book_trusted=market.is_trusted,
        has_position=has_position,
        since_left_us=world.now_us - left_us if left_us is not None else None,
        foreign=blocked if world.settings.foreign_blocks_entries else "",
        unknown_orders=_unknown_orders(own_bracket),
    )


def _until_blind_us(world: World, market: MarketNow) -> int:
    """Until the close, or an earlier release: no stop protects through either."""
    settings, now_us = world.settings, world.now_us
    until_us = market.close_us - now_us
    release_us = settings.nearest_release_us(market.listing.release_group, now_us)
    if release_us is None or release_us + settings.rules.after_release_us < now_us:
        return until_us
    return min(until_us, max(0, release_us - now_us))


def _expiry_denial(world: World, market: MarketNow, signal: Signal) -> Denial | None:
    if _expires_us(world, market, signal) >= world.now_us + _EXPIRY_MIN_US:
        return None
    return Denial(EXPIRY, "closes before the entry could expire safely")


def _place(
    world: World, market: MarketNow, signal: Signal, price: Price, verdict: _Verdict, draft: Draft
) -> None:
    signal_id = world.new_signal_id()
    listed = market.listing.market
    plan = Plan(
        bracket_id=BracketId(signal_id),
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
        wanted=verdict.size.quantity,
        opened_us=world.now_us,
    )
    intent = OrderIntent(
        client_order_id=entry_name(signal_id),
        epoch=world.stance.epoch,
        strategy_id=signal.strategy_id,
        signal_id=signal_id,
        bracket_id=plan.bracket_id,
        purpose=Purpose.ENTRY,
        ticker=signal.ticker,
        exchange_index=listed.exchange_index,
        side=signal.side,
        price=price,
        quantity=verdict.size.quantity,
        time_in_force=TimeInForce.GOOD_TILL_CANCELED,
        post_only=True,
        reduce_only=False,
        expires_us=_expires_us(world, market, signal),
        decided_us=world.now_us,
    )
    draft.record(
        SignalRecord(
            signal_id=signal_id,
            signal=signal,
            quantity=verdict.size.quantity,
            verdict=Verdict.TAKEN,
            reason=verdict.size.decided_by,
            decided_us=world.now_us,
            case=verdict.case(),
        )
    )
    draft.place(intent)
    # A bracket that has just been opened has nothing to do before its entry is answered.
    world.desk.put(opened(plan, submitted(intent)), draft)
    world.entries_us.append(world.now_us)
    world.opinions.pop(signal.ticker, None)
    world.refusals.pop(signal.ticker, None)


def _refuse(world: World, signal: Signal, verdict: _Verdict, denial: Denial, draft: Draft) -> bool:
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
            quantity=verdict.size.quantity,
            verdict=Verdict.REFUSED,
            reason=reason,
            decided_us=world.now_us,
            case=verdict.case(),
        )
    )
    return False


def _expires_us(world: World, market: MarketNow, signal: Signal) -> int:
    """Whole seconds, as the exchange takes them."""
    latest = min(world.now_us + signal.lifetime_us, market.close_us - _CLOSE_BUFFER_US)
    return latest - latest % SECOND_US


def _stake(
    world: World, ticker: MarketTicker, brackets: Sequence[Bracket], market: MarketNow | None
) -> Stake:
    """``brackets`` are those of this market that are not over."""
    position = world.ledger.position(ticker)
    listed = market.listing if market is not None else None
    if listed is not None:
        event = listed.market.event_ticker
    else:
        # Not listed any more: an event of its own, so nothing is netted against it.
        event = brackets[0].plan.event_ticker if brackets else EventTicker(ticker)
    return Stake(
        ticker=ticker,
        event=event,
        series=listed.market.series_ticker if listed else None,
        release_group=listed.release_group if listed else "",
        is_exclusive=listed.is_exclusive if listed else False,
        quantity=position.quantity,
        cost=position.cost,
        pending=Money(sum(_pending(bracket) for bracket in brackets)),
    )


def _pending(bracket: Bracket) -> Money:
    """Cost of what the entry may still buy, and of claimed fills that are not booked yet."""
    entry = bracket.entry
    open_e2 = Quantity(entry.remaining + entry.filled - entry.booked)
    return cost(own_price(bracket.plan.side, entry.intent.price), open_e2)


def _shard_cash(world: World, market: MarketNow) -> Money | None:
    """Cash on the market's shard at the last read, less what entries there take since."""
    by_shard = world.ledger.cash_by_shard
    if not by_shard:
        return None
    shard = market.listing.market.exchange_index
    taken = sum(
        _taken(bracket, world.shards_read_us)
        for bracket in world.desk.open()
        if bracket.plan.exchange_index == shard
    )
    return Money(by_shard.get(shard, 0) - taken)


def _taken(bracket: Bracket, read_us: int) -> Money:
    """All of an entry that was decided since the read, else what it may still take."""
    if bracket.plan.opened_us < read_us:
        return _pending(bracket)
    return cost(own_price(bracket.plan.side, bracket.plan.entry_price), bracket.plan.wanted)


def _displayed(market: MarketNow, signal: Signal) -> Quantity:
    quote = market.live_quote
    return own_bid(signal.side, quote)[1] if quote is not None else Quantity(0)


def _room(equity: Money, share_bp: int, used: Money) -> Money:
    return Money(share_of(equity, share_bp) - used)


def _unknown_orders(bracket: Bracket | None) -> int:
    return sum(order.is_in_doubt for order in bracket.orders()) if bracket is not None else 0
