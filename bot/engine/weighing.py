"""How much of a wish is bought, if any: sized and checked against the account. Changes nothing."""

from collections.abc import Sequence

import msgspec

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.orders import own_price
from bot.domain.quotes import Quote
from bot.domain.signals import Signal
from bot.engine.markets import MarketNow
from bot.engine.standing import Standing, money_limits
from bot.engine.world import World
from bot.execution.bracket import Bracket
from bot.execution.pricing import own_bid
from bot.kit.times import SECOND_US
from bot.portfolio.exposure import Exposure, Exposures, Stake, exposure_around
from bot.risk.checks import Denial, RiskView
from bot.risk.decision import EXPIRY, SizingCase, case_record, checked, sized
from bot.risk.limits import BASIS, RiskLimits
from bot.risk.sizing import CONTRACT, Offer, Size

_EXPIRY_MIN_US = 30 * SECOND_US
"""The exchange takes an expiry in the past as immediate-or-cancel: leave room for a slow send."""
_CLOSE_BUFFER_US = 10 * SECOND_US


class _Case(msgspec.Struct, kw_only=True):
    """What a wish is sized and checked by."""

    market: MarketNow
    standing: Standing
    around: Exposure
    offer: Offer
    displayed: Quantity


class Weighed(msgspec.Struct, kw_only=True):
    """A wish with its size, or why there is none."""

    price: Price
    """Of the YES leg."""
    size: Size
    denial: Denial | None
    expires_us: int
    by: SizingCase
    view: RiskView
    quote: Quote | None
    close_us: int

    def case(self, limits: RiskLimits) -> dict[str, object]:
        """What it follows from, to be written down."""
        return case_record(self.by, self.view, limits, self.quote, self.close_us)


def weighed(
    world: World, market: MarketNow, signal: Signal, price: Price, standing: Standing
) -> Weighed:
    """Size a wish at this price of the YES leg, and check it."""
    limits = world.settings.limits
    quote = market.live_quote
    case = _Case(
        market=market,
        standing=standing,
        around=_around(world, market, standing),
        offer=Offer(
            own_price=own_price(signal.side, price),
            chance_e6=signal.chance_e6,
            fees=market.listing.fees,
            is_taker=False,
        ),
        displayed=own_bid(signal.side, quote)[1] if quote is not None else Quantity(0),
    )
    by = _sizing_case(limits, case)
    size = sized(by, limits)
    view = _risk_view(world, case, size.quantity)
    expires_us = _expires_us(world, market, signal)
    denial = checked(view, limits, size.decided_by)
    if denial is None and expires_us < world.now_us + _EXPIRY_MIN_US:
        denial = Denial(EXPIRY, "closes before the entry could expire safely")
    return Weighed(
        price=price,
        size=size,
        denial=denial,
        expires_us=expires_us,
        by=by,
        view=view,
        quote=quote,
        close_us=market.close_us,
    )


def standing_of(world: World) -> Standing | None:
    """The account now; ``None`` until the balance is known. Kept until something may change it."""
    if world.standing is None:
        world.standing = _standing(world)
    return world.standing


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


def _standing(world: World) -> Standing | None:
    ledger, brackets = world.ledger, world.desk.open()
    valuation = ledger.value(world.markets, world.now_us)
    if valuation is None or ledger.cash is None:
        return None
    taken: dict[int, Money] = {}
    if ledger.cash_by_shard:
        for bracket in brackets:
            shard = bracket.plan.exchange_index
            taken[shard] = Money(taken.get(shard, 0) + _taken(bracket, world.shards_read_us))
    return Standing(
        equity=valuation.equity,
        cash_free=Money(ledger.cash - sum(_pending(bracket) for bracket in brackets)),
        limits=money_limits(valuation.equity, world.settings.limits),
        exposures=Exposures(stakes(world)),
        open_positions=len(brackets),
        open_orders=world.desk.open_orders(),
        cash_by_shard=ledger.cash_by_shard,
        taken_by_shard=taken,
    )


def _around(world: World, market: MarketNow, standing: Standing) -> Exposure:
    listing, exposures = market.listing, standing.exposures
    listed = listing.market
    beside = exposures.beside(listed.event_ticker, listed.series_ticker, listing.release_group)
    if beside is not None:
        return beside
    ticker = listed.ticker
    here = [bracket for bracket in world.desk.open() if bracket.plan.ticker == ticker]
    return exposure_around(exposures.stakes, _stake(world, ticker, here, market))


def _sizing_case(limits: RiskLimits, case: _Case) -> SizingCase:
    standing, around = case.standing, case.around
    caps, listed = standing.limits, case.market.listing.market
    money_caps = [
        ("order cost", Money(limits.order_cost_max_e6)),
        ("cash", Money(standing.cash_free - caps.reserve)),
        ("market limit", Money(caps.market - around.market)),
        ("event limit", Money(caps.event - around.event)),
        ("series limit", Money(caps.series - around.series)),
        ("release group limit", Money(caps.release_group - around.release_group)),
        ("account limit", Money(caps.total - around.total)),
    ]
    shard_cash = standing.shard_cash(listed.exchange_index)
    if shard_cash is not None:
        money_caps.append(("cash on its shard", shard_cash))
    depth = Quantity(min(case.displayed, listed.volume_24h) * limits.depth_share_max_bp // BASIS)
    return SizingCase(
        offer=case.offer,
        equity=standing.equity,
        money_caps=money_caps,
        contract_caps=(("depth", depth),),
    )


def _risk_view(world: World, case: _Case, quantity: Quantity) -> RiskView:
    market, standing, around, offer = case.market, case.standing, case.around, case.offer
    listed, desk = market.listing.market, world.desk
    ticker = listed.ticker
    order_cost = cost(offer.own_price, quantity)
    fee = Money(quantity * (offer.unit_cost - cost(offer.own_price, CONTRACT)) // CONTRACT)
    bracket = desk.in_market(ticker)
    left_us = desk.left_us.get(ticker)
    is_blocked = world.settings.foreign_blocks_entries
    return RiskView(
        own_price=offer.own_price,
        quantity=quantity,
        cost=order_cost,
        fee=fee,
        equity=standing.equity,
        cash_free=standing.cash_free,
        shard_cash=standing.shard_cash(listed.exchange_index),
        market_after=Money(around.market + order_cost),
        event_after=Money(around.event + order_cost),
        series_after=Money(around.series + order_cost),
        release_group_after=Money(around.release_group + order_cost),
        total_after=Money(around.total + order_cost),
        open_positions=standing.open_positions,
        open_orders=standing.open_orders,
        entries_last_minute=world.entries_last_minute(),
        displayed=case.displayed,
        volume_24h=listed.volume_24h,
        until_close_us=_until_blind_us(world, market),
        is_book_trusted=market.is_trusted,
        has_position=bracket is not None or world.ledger.holds(ticker),
        since_left_us=world.now_us - left_us if left_us is not None else None,
        foreign=world.foreign.blocking(ticker) if is_blocked else "",
        unknown_orders=_unknown_orders(bracket),
    )


def _until_blind_us(world: World, market: MarketNow) -> int:
    """Until the close, or an earlier release: no stop protects through either."""
    settings, now_us = world.settings, world.now_us
    until_us = market.close_us - now_us
    if not settings.releases:
        return until_us
    release_us = settings.nearest_release_us(market.listing.release_group, now_us)
    if release_us is None or release_us + settings.rules.after_release_us < now_us:
        return until_us
    return min(until_us, max(0, release_us - now_us))


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


def _taken(bracket: Bracket, read_us: int) -> Money:
    """All of an entry that was decided since the read, else what it may still take."""
    if bracket.plan.opened_us < read_us:
        return _pending(bracket)
    return cost(own_price(bracket.plan.side, bracket.plan.entry_price), bracket.plan.wanted)


def _unknown_orders(bracket: Bracket | None) -> int:
    return sum(order.is_in_doubt for order in bracket.orders()) if bracket is not None else 0
