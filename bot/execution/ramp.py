"""The first orders with real money wait for a person, one by one. Values; the engine acts.

A proposal expires harmlessly and is forgotten with its leadership. What is approved
is no order yet: the strategy and every check are asked again, and only an entry that
is no larger and no dearer than what the person saw is sent.
"""

import json
from dataclasses import dataclass, replace

from bot.domain.errors import InvariantBroken
from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.records import BreakerRecord

RAMP = "ramp"
"""Kept beside the breakers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An entry that every check allows. ``own_price`` is the bought side's."""

    ticker: MarketTicker
    side: BookSide
    own_price: Price
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A wish that a person was asked about. ``name`` holds the epoch: no other leader uses it."""

    name: str
    wish: Wish
    expires_us: int
    is_approved: bool = False

    def covers(self, wish: Wish) -> bool:
        """Whether the person's yes is good for this: same side, no dearer."""
        return (
            self.is_approved
            and wish.side is self.wish.side
            and wish.own_price <= self.wish.own_price
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """``sent`` orders were approved and left, ever; the rest is this leadership's."""

    sent: int = 0
    made: int = 0
    proposals: tuple[Proposal, ...] = ()
    muted: tuple[tuple[MarketTicker, int], ...] = ()
    """Markets a person skipped, and until when they are not asked about again."""

    def of_market(self, ticker: MarketTicker) -> Proposal | None:
        """The proposal that waits or was approved in this market."""
        return next((one for one in self.proposals if one.wish.ticker == ticker), None)

    def named(self, name: str) -> Proposal | None:
        """A proposal that has not expired."""
        return next((one for one in self.proposals if one.name == name), None)

    def is_muted(self, ticker: MarketTicker) -> bool:
        """Whether a person skipped this market lately."""
        return any(one == ticker for one, _ in self.muted)


def at(ramp: Ramp, now_us: int) -> Ramp:
    """What has not expired."""
    live = tuple(one for one in ramp.proposals if one.expires_us > now_us)
    muted = tuple(one for one in ramp.muted if one[1] > now_us)
    if live == ramp.proposals and muted == ramp.muted:
        return ramp
    return replace(ramp, proposals=live, muted=muted)


def proposed(ramp: Ramp, epoch: int, wish: Wish, expires_us: int) -> tuple[Ramp, Proposal]:
    """Ask about one more wish; it takes the place of an older one in its market."""
    made = ramp.made + 1
    proposal = Proposal(name=f"{epoch}-{made}", wish=wish, expires_us=expires_us)
    return replace(ramp, made=made, proposals=(*_without(ramp, wish.ticker), proposal)), proposal


def approved(ramp: Ramp, proposal: Proposal) -> Ramp:
    """A person said yes."""
    others = _without(ramp, proposal.wish.ticker)
    return replace(ramp, proposals=(*others, replace(proposal, is_approved=True)))


def skipped(ramp: Ramp, proposal: Proposal, until_us: int) -> Ramp:
    """A person said no."""
    ticker = proposal.wish.ticker
    muted = (*ramp.muted, (ticker, until_us))
    return replace(ramp, proposals=_without(ramp, ticker), muted=muted)


def sent(ramp: Ramp, ticker: MarketTicker) -> Ramp:
    """An approved entry is on its way."""
    return replace(ramp, sent=ramp.sent + 1, proposals=_without(ramp, ticker))


def to_record(ramp: Ramp, now_us: int) -> BreakerRecord:
    """What outlives a leadership."""
    return BreakerRecord(
        name=RAMP,
        tripped=False,
        reason=f"{ramp.sent} approved orders were sent",
        data_json=json.dumps({"sent": ramp.sent}),
        changed_us=now_us,
    )


def from_record(record: BreakerRecord) -> Ramp:
    """Read it back.

    Raises:
        InvariantBroken: it cannot be read.
    """
    try:
        return Ramp(sent=int(json.loads(record.data_json)["sent"]))
    except (ValueError, KeyError, TypeError) as fault:
        raise InvariantBroken(f"the stored ramp cannot be read: {fault}") from fault


def _without(ramp: Ramp, ticker: MarketTicker) -> tuple[Proposal, ...]:
    return tuple(one for one in ramp.proposals if one.wish.ticker != ticker)
