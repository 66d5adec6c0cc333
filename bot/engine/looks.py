"""The engine's knowledge looked at closely: orders, exposure, limits, markets. Reads only."""

from collections.abc import Iterable

from bot.domain.cockpit import (
    ExposureLine,
    ExposureView,
    LimitView,
    MarketLine,
    MarketsView,
    OrderView,
)
from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.listing import Listing
from bot.domain.money import Money, Price, Quantity, cost, format_dollars, shown_price
from bot.domain.orders import BookSide, own_price
from bot.engine import views
from bot.engine.standing import Standing
from bot.engine.weighing import stakes, standing_of
from bot.engine.world import World
from bot.execution.bracket import Bracket
from bot.execution.order_state import TrackedOrder
from bot.kit.times import MINUTE_US
from bot.portfolio.exposure import Stake, worst_by_event
from bot.risk.limits import BASIS, RiskLimits

_MILLION = 1_000_000


def order_views(world: World, ticker: MarketTicker | None = None) -> tuple[OrderView, ...]:
    """Orders that may still change, in one market or in all, those in doubt first."""
    found = [
        _order(bracket, order)
        for bracket in world.desk.open()
        for order in bracket.orders()
        if not order.is_final and ticker in (None, bracket.plan.ticker)
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_in_doubt, one.ticker, one.decided_us)))


def bracket_of(world: World, ticker: MarketTicker) -> Bracket | None:
    """What guards a market, if anything of ours does."""
    return world.desk.in_market(ticker)


def mean_price(paid: Money, quantity: Quantity) -> Price:
    """What a contract cost, to the nearest $0.0001."""
    size = abs(quantity)
    whole = cost(Price(1), Quantity(size))
    return Price((paid + whole // 2) // whole) if whole else Price(0)


def exposure_view(world: World) -> ExposureView | None:
    """What could be lost at worst; ``None`` until the balance is known."""
    standing = _standing(world)
    if standing is None:
        return None
    every, limits = stakes(world), standing.limits
    by_event = worst_by_event(every)
    of_series: dict[str, list[Stake]] = {}
    of_group: dict[str, list[Stake]] = {}
    of_event: dict[str, list[Stake]] = {}
    for stake in every:
        of_event.setdefault(stake.event, []).append(stake)
        if stake.series:
            of_series.setdefault(stake.series, []).append(stake)
        if stake.release_group:
            of_group.setdefault(stake.release_group, []).append(stake)
    return ExposureView(
        equity=standing.equity,
        total=Money(sum(by_event.values())),
        total_limit=limits.total,
        events=_lines(of_event, by_event, limits.event),
        series=_lines(of_series, by_event, limits.series),
        release_groups=_lines(of_group, by_event, limits.release_group),
    )


def limit_views(world: World) -> tuple[LimitView, ...]:
    """Every limit with its use, money first; nothing until the balance is known."""
    standing = _standing(world)
    if standing is None:
        return ()
    every, money, limits = stakes(world), standing.limits, world.settings.limits
    exposure = exposure_view(world)
    assert exposure is not None  # there is a standing
    market = max((Money(one.cost + one.pending) for one in every), default=Money(0))
    return (
        _money("account at risk", exposure.total, exposure.total_limit),
        _money("largest market", market, money.market),
        _money("largest event", _most(exposure.events), money.event),
        _money("largest series", _most(exposure.series), money.series),
        _money("largest release group", _most(exposure.release_groups), money.release_group),
        _count("positions", standing.open_positions, limits.concurrent_max),
        _count("open orders", standing.open_orders, limits.open_orders_max),
        _count(
            "entries within a minute", world.entries_last_minute(), limits.entries_per_minute_max
        ),
        *_rules(limits),
    )


def markets_view(world: World, watched: Iterable[Listing], query: str, limit: int) -> MarketsView:
    """Watched markets whose ticker or title holds every word of the query."""
    words = query.lower().split()
    every = list(watched)
    found = [
        one
        for one in every
        if all(word in f"{one.market.ticker} {one.market.title}".lower() for word in words)
    ]
    found.sort(key=lambda one: (one.market.close_us, one.market.ticker))
    return MarketsView(
        found=tuple(_line(world, one) for one in found[:limit]),
        matching=len(found),
        watched=len(every),
    )


def why_not(world: World, ticker: MarketTicker, left_out: str) -> str:
    """The newest reason not to buy in a market; empty where there is none."""
    if left_out:
        return f"not watched: {left_out}"
    if world.desk.in_market(ticker) is not None:
        return ""
    stop = world.stance.why_not_trading()
    if stop is not None:
        return f"{stop.kind.value}: {stop.why}"
    return views.opinion_of(world, ticker)


def _standing(world: World) -> Standing | None:
    # Not kept here: what the engine's next decision rests on is worked out by the engine.
    before = world.standing
    found = standing_of(world)
    world.standing = before
    return found


def _order(bracket: Bracket, order: TrackedOrder) -> OrderView:
    intent = order.intent
    # An exit is the other side of the book and the same side of the question.
    return OrderView(
        ticker=intent.ticker,
        purpose=intent.purpose,
        is_yes=bracket.plan.side is BookSide.BID,
        price=own_price(bracket.plan.side, intent.price),
        quantity=intent.quantity,
        filled=order.filled,
        status=order.status,
        is_in_doubt=order.is_in_doubt,
        decided_us=intent.decided_us,
        expires_us=intent.expires_us,
        order_id=order.order_id,
    )


def _lines(
    members: dict[str, list[Stake]], by_event: dict[EventTicker, Money], limit: Money
) -> tuple[ExposureLine, ...]:
    lines = [
        ExposureLine(
            name=name,
            at_risk=Money(sum(by_event[event] for event in {one.event for one in some})),
            limit=limit,
            markets=len(some),
        )
        for name, some in members.items()
    ]
    return tuple(sorted(lines, key=lambda one: (-one.at_risk, one.name)))


def _most(lines: tuple[ExposureLine, ...]) -> Money:
    return max((one.at_risk for one in lines), default=Money(0))


def _money(name: str, used: Money, limit: Money) -> LimitView:
    return LimitView(
        name=name,
        used=format_dollars(used),
        limit=format_dollars(limit),
        used_e6=used * _MILLION // limit if limit > 0 else None,
    )


def _count(name: str, used: int, limit: int) -> LimitView:
    return LimitView(name=name, used=str(used), limit=str(limit), used_e6=used * _MILLION // limit)


def _rules(limits: RiskLimits) -> tuple[LimitView, ...]:
    """Limits of a single order: nothing of them is used up."""
    low, high = (shown_price(Price(one)) for one in (limits.price_min_e4, limits.price_max_e4))
    rules = (
        ("one order's cost", format_dollars(Money(limits.order_cost_max_e6))),
        ("own price", f"{low} to {high}"),
        ("share of the depth", f"{limits.depth_share_max_bp * 100 // BASIS} %"),
        ("time to the close", f"{limits.close_distance_min_us // MINUTE_US} min at least"),
        ("share of the full Kelly stake", f"{limits.kelly_fraction_bp * 100 // BASIS} %"),
    )
    return tuple(LimitView(name=name, used="", limit=limit, used_e6=None) for name, limit in rules)


def _line(world: World, listing: Listing) -> MarketLine:
    listed = listing.market
    now = world.markets.get(listed.ticker)
    quote = now.quote if now is not None else None
    return MarketLine(
        ticker=listed.ticker,
        title=listed.title,
        bid=quote.bid if quote else listed.yes_bid,
        ask=quote.ask if quote else listed.yes_ask,
        close_us=now.close_us if now is not None else listed.close_us,
        is_held=world.ledger.holds(listed.ticker),
        is_trusted=bool(now and now.is_trusted),
    )
