"""The engine's knowledge as operators see it. Reads only; nothing here changes the world."""

from collections import Counter
from collections.abc import Iterable

from bot.domain.handles import EntryView, ProposalView
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Price
from bot.domain.operations import (
    AccountView,
    ApiView,
    BreakerView,
    FeedView,
    HaltView,
    PnlView,
    PositionView,
    StopReason,
)
from bot.domain.orders import BookSide, own_price
from bot.domain.tradingday import day_start_us, trading_day
from bot.engine.duty import readings
from bot.engine.weighing import stakes, standing_of
from bot.engine.world import World
from bot.execution.bracket import Bracket
from bot.portfolio.exposure import total_exposure
from bot.portfolio.pnl import Tally, tally
from bot.portfolio.positions import Position
from bot.risk import breakers
from bot.risk.breakers import BreakerState
from bot.risk.limits import share_of


def stop_reason(world: World) -> StopReason | None:
    """The first thing that would have to change before an entry may be sent."""
    return world.stance.why_not_trading()


def open_entries(world: World) -> tuple[int, int]:
    """Entries that may still fill: those known to, and those of which nobody knows."""
    entries = [one.entry for one in world.desk.open() if not one.entry.is_final]
    doubted = sum(entry.is_in_doubt for entry in entries)
    return len(entries) - doubted, doubted


def entry_views(world: World) -> tuple[EntryView, ...]:
    """Our entries that rest, the oldest first."""
    resting = sorted(
        (one for one in world.desk.open() if one.entry.is_working),
        key=lambda one: one.plan.opened_us,
    )
    return tuple(
        EntryView(
            ticker=one.plan.ticker,
            order_id=one.entry.order_id,
            is_yes=one.plan.side is BookSide.BID,
            own_price=own_price(one.plan.side, one.entry.intent.price),
            left=one.entry.remaining,
        )
        for one in resting
        if one.entry.order_id is not None
    )


def proposal_views(world: World) -> tuple[ProposalView, ...]:
    """Entries that wait for a person's yes."""
    return tuple(
        ProposalView(
            name=one.name,
            ticker=one.wish.ticker,
            own_price=one.wish.own_price,
            quantity=one.wish.quantity,
        )
        for one in world.ramp.proposals
        if not one.is_approved and one.expires_us > world.now_us
    )


def halt_view(world: World) -> HaltView | None:
    """The person's stop; ``None`` until the store has been read."""
    halt = world.stance.halt
    if halt is None:
        return None
    return HaltView(
        is_halted=halt.halted,
        reason=halt.reason,
        set_by=halt.set_by,
        changed_us=halt.changed_us,
        is_saved=world.stance.is_halt_saved,
    )


def breaker_views(world: World) -> tuple[BreakerView, ...]:
    """Every breaker, in the table's order."""
    now_readings, limits = readings(world), world.settings.breakers

    def view(state: BreakerState) -> BreakerView:
        reading = breakers.judged(state, now_readings, limits)
        row = breakers.breaker_named(state.name)
        assert row is not None  # states are made from the table
        refusal = breakers.refusal(state, now_readings, limits) if state.is_tripped else ""
        return BreakerView(
            name=state.name,
            is_tripped=state.is_tripped,
            why=state.reason or row.condition,
            value=reading.value,
            limit=reading.limit,
            changed_us=state.changed_us or None,
            rearms=row.rearm.value,
            blocked_by=refusal,
            force_grants=row.grant.value if refusal else "",
        )

    return tuple(view(state) for state in world.stance.breakers)


def account_view(world: World) -> AccountView | None:
    """Money now; ``None`` until the balance has been read."""
    cash = world.ledger.cash
    valuation = world.ledger.value(world.markets, world.now_us)
    if cash is None or valuation is None:
        return None
    baseline = world.ledger.baseline
    return AccountView(
        as_of_us=world.now_us,
        cash=cash,
        equity=valuation.equity,
        exposure=total_exposure(stakes(world)),
        baseline=baseline.equity if baseline else None,
        by_shard=tuple(sorted(world.ledger.cash_by_shard.items())),
    )


def pnl_view(world: World) -> PnlView:
    """The running trading day: what was closed in it, and what is open since its entry."""
    zone = world.settings.zone
    day = trading_day(world.now_us, zone)
    today = tally(world.ledger.results_since(day_start_us(day, zone)))
    valuation = world.ledger.value(world.markets, world.now_us)
    baseline = world.ledger.baseline
    # What is open counts since its entry, so what the entry cost in fees does too.
    open_fees = sum(bracket.fees for bracket in world.desk.open())
    return PnlView(
        trading_day=day,
        realized=Money(today.profit + today.fees),
        unrealized=valuation.unrealized if valuation else Money(0),
        fees=Money(today.fees + open_fees),
        baseline=baseline.equity if baseline else None,
        trades=today.trades,
        wins=today.wins,
        losses=today.losses,
        break_even_e6=today.break_even_e6,
    )


def track_record(world: World, trades_max: int) -> Tally:
    """How the newest closed positions went, of any day."""
    return tally(world.ledger.results_since(0)[-trades_max:])


def day_loss_limit(world: World) -> tuple[Money, Money] | None:
    """Today's result by the worse of its two measures, and the loss that stops entries."""
    now = readings(world)
    if now.baseline is None:
        return None
    results = [now.realized_today]
    if now.equity is not None:
        results.append(Money(now.equity - now.baseline))
    return min(results), share_of(now.baseline, world.settings.breakers.daily_loss_bp)


def purses(world: World) -> tuple[tuple[int | None, Money, Money], ...]:
    """Shard (``None``: the one pot), what is free there, and what the next entry may cost.

    Shards are those of the listed markets.
    """
    standing = standing_of(world)
    if standing is None:
        return ()
    need = min(Money(world.settings.limits.order_cost_max_e6), standing.limits.market)
    if not standing.cash_by_shard:
        return ((None, Money(standing.cash_free - standing.limits.reserve), need),)
    shards = {one.listing.market.exchange_index for one in world.markets.by_ticker.values()}
    return tuple((shard, standing.shard_cash(shard) or Money(0), need) for shard in sorted(shards))


def position_views(world: World) -> tuple[PositionView, ...]:
    """Every held market, largest cost first."""
    held = sorted(world.ledger.open_positions(), key=lambda one: (-one.cost, one.ticker))
    by_brackets = world.held_by_brackets()
    return tuple(_position(world, one, is_ours=bool(by_brackets.get(one.ticker))) for one in held)


def feed_view(world: World) -> FeedView:
    """The stream's pulse."""
    feed = world.feed
    return FeedView(
        is_connected=feed.is_connected,
        changed_us=feed.changed_us or None,
        last_frame_us=feed.last_frame_us,
    )


def api_view(world: World) -> ApiView:
    """Calls within the breaker's window."""
    calls, failed = world.api.within(world.now_us, world.settings.breakers.api_window_us)
    return ApiView(calls=calls, failed=failed)


def opinion_of(world: World, ticker: MarketTicker) -> str:
    """The newest reason not to buy in one market; empty where there is none."""
    return world.opinions.get(ticker, "")


def verdicts(world: World, watched: Iterable[MarketTicker]) -> Counter[str]:
    """Why watched markets are not traded: each one's newest reason, without its figures."""
    found: Counter[str] = Counter()
    for ticker in watched:
        market = world.markets.get(ticker)
        if world.desk.in_market(ticker) is not None:
            continue
        if market is None or market.live_quote is None:
            found["a book not trusted yet"] += 1
        elif not world.stance.may_enter:
            continue  # the first line of the answer says why, for all of them
        else:
            found[world.opinions.get(ticker, "not looked at yet").partition(":")[0]] += 1
    return found


def held_markets(world: World) -> frozenset[MarketTicker]:
    """Markets with a position or an unfinished bracket, watched whatever the filter says."""
    brackets = {bracket.plan.ticker for bracket in world.desk.open()}
    return frozenset(brackets | {one.ticker for one in world.ledger.open_positions()})


def _position(world: World, position: Position, *, is_ours: bool) -> PositionView:
    market = world.markets.get(position.ticker)
    bracket = world.desk.in_market(position.ticker)
    quote = market.quote if market else None
    is_yes = position.quantity > 0
    mark = (quote.bid if is_yes else quote.ask) if quote else None
    worth = world.ledger.mark(position, world.markets, world.now_us)
    return PositionView(
        ticker=position.ticker,
        title=market.listing.market.title if market else "",
        quantity=position.quantity,
        cost=position.cost,
        mark=mark,
        unrealized=None if worth.is_guessed else Money(worth.value - position.cost),
        stop_price=_or_none(bracket.plan.stop_price) if bracket else None,
        target_price=_or_none(bracket.plan.target_price) if bracket else None,
        is_stop_watched=_is_stop_watched(world, bracket),
        is_ours=is_ours,
    )


def _or_none(price: Price | None) -> Price | None:
    return price or None


def _is_stop_watched(world: World, bracket: Bracket | None) -> bool:
    return bool(bracket and bracket.plan.stop_price and world.stance.may_exit)
