"""Pre-trade checks, each one small and named.

A check answers one question about one entry and returns the reason it says no.
It never raises for an ordinary refusal, never logs and never looks anything up:
what it needs is in the view. Exits are not checked; they only take risk away.
"""

from collections.abc import Callable, Sequence

import msgspec

from bot.domain.money import Money, Price, Quantity, format_dollars, format_price
from bot.kit.times import SECOND_US
from bot.risk.limits import BASIS, RiskLimits, share_of, total_limit


class RiskView(msgspec.Struct, kw_only=True):
    """What the engine knows at the moment of the decision, this entry included.

    ``own_price`` and ``cost`` are the bought side's. The ``*_after`` amounts are
    exposures with the entry in them. ``foreign`` and ``unknown_orders`` concern
    this market only.
    """

    own_price: Price
    quantity: Quantity
    cost: Money
    fee: Money
    equity: Money
    cash_free: Money
    shard_cash: Money | None
    """Free on the market's own shard; ``None`` where the account is not kept by shard."""
    market_after: Money
    event_after: Money
    series_after: Money
    release_group_after: Money
    total_after: Money
    open_positions: int
    open_orders: int
    entries_last_minute: int
    displayed: Quantity
    volume_24h: Quantity
    until_close_us: int
    is_book_trusted: bool
    has_position: bool
    since_left_us: int | None
    """Since a person had a position closed here; ``None`` if nobody did."""
    foreign: str
    unknown_orders: int


class Denial(msgspec.Struct, frozen=True):
    """Why an order was not sent. ``check`` is stable: it appears in logs, chat and the store."""

    check: str
    reason: str


Check = Callable[[RiskView, RiskLimits], str | None]


def first_denial(
    view: RiskView, limits: RiskLimits, checks: Sequence[tuple[str, Check]] | None = None
) -> Denial | None:
    """Run the checks in order and stop at the first refusal."""
    for name, check in checks if checks is not None else CHECKS:
        if reason := check(view, limits):
            return Denial(name, reason)
    return None


def stale_book(view: RiskView, _: RiskLimits) -> str | None:
    """Never open risk on a book that may be wrong."""
    return None if view.is_book_trusted else "the book is stale or distrusted"


def one_position(view: RiskView, _: RiskLimits) -> str | None:
    """One position per market: a market that stays attractive is not bought on every tick."""
    return "there is a position or order of ours already" if view.has_position else None


def left_by_person(view: RiskView, limits: RiskLimits) -> str | None:
    """What a person has just sold is not bought back at once."""
    if view.since_left_us is None or view.since_left_us >= limits.reentry_pause_us:
        return None
    left_us = limits.reentry_pause_us - view.since_left_us
    return f"a person had it closed; again in {left_us // SECOND_US} s"


def unknown_order(view: RiskView, _: RiskLimits) -> str | None:
    """While one order's fate is unknown, its market is frozen."""
    return "an order's outcome is unknown here" if view.unknown_orders else None


def foreign_activity(view: RiskView, _: RiskLimits) -> str | None:
    """What is not ours has to be seen by a person first."""
    return f"not ours and not acknowledged: {view.foreign}" if view.foreign else None


def some_size(view: RiskView, _: RiskLimits) -> str | None:
    """A size that rounds to nothing is no order."""
    return None if view.quantity > 0 else "no contracts"


def price_band(view: RiskView, limits: RiskLimits) -> str | None:
    """Neither longshots nor near-certainties."""
    if limits.price_min_e4 <= view.own_price <= limits.price_max_e4:
        return None
    return f"price {format_price(view.own_price)} is outside the band"


def time_to_close(view: RiskView, limits: RiskLimits) -> str | None:
    """Not in the last minutes before the close or a release: no stop protects there."""
    if view.until_close_us >= limits.close_distance_min_us:
        return None
    return f"closes, or figures come, in {max(0, view.until_close_us) // SECOND_US} s"


def order_cost(view: RiskView, limits: RiskLimits) -> str | None:
    """A single order's cost."""
    return _over("order costs", Money(view.cost + view.fee), Money(limits.order_cost_max_e6))


def cash(view: RiskView, limits: RiskLimits) -> str | None:
    """Cash that is there, less the reserve."""
    reserve = share_of(view.equity, limits.cash_reserve_bp)
    return _over("order costs", Money(view.cost + view.fee), Money(view.cash_free - reserve))


def shard_cash(view: RiskView, _: RiskLimits) -> str | None:
    """Money must lie on the market's shard: the exchange moves none by itself."""
    if view.shard_cash is None:
        return None
    return _over("order costs on its shard", Money(view.cost + view.fee), view.shard_cash)


def market_exposure(view: RiskView, limits: RiskLimits) -> str | None:
    """What one market may cost."""
    return _over("market risks", view.market_after, share_of(view.equity, limits.market_max_bp))


def event_exposure(view: RiskView, limits: RiskLimits) -> str | None:
    """What one event's worst outcome may cost."""
    return _over("event risks", view.event_after, share_of(view.equity, limits.event_max_bp))


def series_exposure(view: RiskView, limits: RiskLimits) -> str | None:
    """What one series may cost."""
    return _over("series risks", view.series_after, share_of(view.equity, limits.series_max_bp))


def release_group_exposure(view: RiskView, limits: RiskLimits) -> str | None:
    """What one publication may cost across all its series."""
    limit = share_of(view.equity, limits.release_group_max_bp)
    return _over("release group risks", view.release_group_after, limit)


def total_exposure(view: RiskView, limits: RiskLimits) -> str | None:
    """What everything may cost."""
    return _over("account risks", view.total_after, total_limit(view.equity, limits))


def concurrent_positions(view: RiskView, limits: RiskLimits) -> str | None:
    """How many positions at a time (``max_concurrent``)."""
    if view.open_positions < limits.concurrent_max:
        return None
    held = f"{view.open_positions} positions are open or being opened"
    return f"{held}, the limit is {limits.concurrent_max}"


def open_orders(view: RiskView, limits: RiskLimits) -> str | None:
    """How many orders may rest or be on their way (``max_open_orders``)."""
    if view.open_orders < limits.open_orders_max:
        return None
    return f"{view.open_orders} orders are open, the limit is {limits.open_orders_max}"


def order_rate(view: RiskView, limits: RiskLimits) -> str | None:
    """A runaway strategy is stopped before the exchange does it (``max_entries_per_minute``)."""
    if view.entries_last_minute < limits.entries_per_minute_max:
        return None
    return f"{view.entries_last_minute} entries within a minute"


def depth_share(view: RiskView, limits: RiskLimits) -> str | None:
    """Never more than a share of what is displayed or traded."""
    least = min(view.displayed, view.volume_24h)
    allowed = least * limits.depth_share_max_bp // BASIS
    if view.quantity <= allowed:
        return None
    return f"{view.quantity} of {least} hundredths of a contract displayed or traded"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("stale_book", stale_book),
    ("one_position", one_position),
    ("left_by_person", left_by_person),
    ("unknown_order", unknown_order),
    ("foreign_activity", foreign_activity),
    ("price_band", price_band),
    ("time_to_close", time_to_close),
    ("concurrent_positions", concurrent_positions),
    ("open_orders", open_orders),
    ("order_rate", order_rate),
    ("some_size", some_size),
    ("depth_share", depth_share),
    ("order_cost", order_cost),
    ("cash", cash),
    ("shard_cash", shard_cash),
    ("market_exposure", market_exposure),
    ("event_exposure", event_exposure),
    ("series_exposure", series_exposure),
    ("release_group_exposure", release_group_exposure),
    ("total_exposure", total_exposure),
)
"""Facts about the market first, then counts, then money: the first reason is the simplest one."""


def _over(what: str, amount: Money, limit: Money) -> str | None:
    if amount <= limit:
        return None
    return f"{what} {format_dollars(amount)}, the limit is {format_dollars(Money(max(0, limit)))}"
