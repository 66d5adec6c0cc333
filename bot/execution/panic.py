"""Getting out of everything: what is wanted, what hinders it, and what proves it done.

A panic is a value beside the brackets, so that a new leader goes on with it. Every
bracket leaves by its own rules (``protection``): this only says that it must, and
when the exchange's account shows that it has.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.domain.errors import InvariantBroken
from bot.domain.ids import MarketTicker, OrderId
from bot.domain.money import Quantity, format_quantity
from bot.domain.orders import Order, VenuePosition
from bot.domain.records import BreakerRecord
from bot.execution.bracket import Bracket
from bot.execution.pricing import own_bid
from bot.execution.protection import Situation
from bot.kit.values import from_plain, to_plain

PANIC = "panic"
"""Kept beside the breakers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panic:
    """A person's order to get out. ``outcome`` is empty until the exchange has proved it."""

    actor: str
    started_us: int
    is_everything: bool
    """Also what is not the bot's: orders and positions of a person on the account."""
    hindrance: str = ""
    """Why positions are still open, as last told."""
    told_us: int = 0
    ended_us: int | None = None
    outcome: str = ""
    is_clean: bool = False
    """Whether nothing was left of what was to be closed."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.ended_us is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the exchange's account shows: lines for people, empty where nothing is left."""

    ours: tuple[str, ...]
    foreign: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """One line."""
        if not self.ours and not self.foreign:
            return "flat: the exchange states no position and no resting order"
        told = (
            [f"still there: {', '.join(self.ours)}"] if self.ours else ["nothing of ours is left"]
        )
        if self.foreign:
            told.append(f"not ours, left alone: {', '.join(self.foreign)}")
        return "; ".join(told)


def to_record(panic: Panic, now_us: int) -> BreakerRecord:
    """What is stored; ``tripped`` while it goes on."""
    return BreakerRecord(
        name=PANIC,
        tripped=not panic.is_over,
        reason=panic.outcome or panic.hindrance or "closing everything",
        data_json=json.dumps(to_plain(panic), sort_keys=True),
        changed_us=now_us,
    )


def from_record(record: BreakerRecord) -> Panic:
    """Read it back.

    Raises:
        InvariantBroken: it cannot be read.
    """
    try:
        return from_plain(Panic, json.loads(record.data_json))
    except (ValueError, KeyError, TypeError) as fault:
        raise InvariantBroken(f"a stored panic cannot be read: {fault}") from fault


def hindrance(bracket: Bracket, now: Situation) -> str:
    """Why this bracket cannot be sold at this moment; empty while its exit is being worked."""
    if bracket.orphan_reason:
        return f"not understood ({bracket.orphan_reason}); /acknowledge {bracket.plan.ticker}"
    if not bracket.held and bracket.entry.is_final:
        return ""
    return _closed(now) or _unquoted(bracket, now)


def _closed(now: Situation) -> str:
    if now.now_us >= now.close_us:
        return "closed, it settles by itself"
    return "" if now.is_open else "no trading there now"


def _unquoted(bracket: Bracket, now: Situation) -> str:
    if now.quote is None:
        return "its book is not known now"
    return "" if own_bid(bracket.plan.side, now.quote)[0] is not None else "nobody bids for it"


def is_beyond_selling(bracket: Bracket, now: Situation) -> bool:
    """Whether waiting longer brings nothing: the market is closed, or a person must look."""
    return bool(bracket.orphan_reason) or now.now_us >= now.close_us


def prove(
    positions: Iterable[VenuePosition],
    orders: Iterable[Order],
    is_ours: Callable[[OrderId], bool],
    held: Mapping[MarketTicker, Quantity],
) -> Proof:
    """Sort what the exchange states into ours (``held`` by brackets) and not ours."""
    resting = [order for order in orders if not order.status.is_final]
    ours = [f"resting order in {one.ticker}" for one in resting if is_ours(one.order_id)]
    foreign = [f"resting order in {one.ticker}" for one in resting if not is_ours(one.order_id)]
    for position in positions:
        mine = held.get(position.ticker, 0)
        if mine:
            ours.append(f"{format_quantity(Quantity(abs(mine)))} in {position.ticker}")
        if position.quantity != mine:
            rest = Quantity(abs(position.quantity - mine))
            foreign.append(f"{format_quantity(rest)} in {position.ticker}")
    return Proof(ours=tuple(ours), foreign=tuple(foreign))
