"""Entries that wait for a person, one by one. Values; the engine acts.

The first orders with real money do, and whatever costs more than a person wants
spent unasked. A proposal expires harmlessly and is forgotten with its leadership. What
is approved is no order yet: the strategy and every check are asked again, and only an
entry that is no larger than what the person allowed and no dearer than what they saw is sent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.errors import InvariantBroken
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.records import BreakerRecord

RAMP = "ramp"
"""Kept beside the breakers."""
CONTRACT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An entry that every check allows. ``own_price`` is the bought side's.

    ``worst_cost`` is what all of it costs at that price, with its fee.
    """

    ticker: MarketTicker
    side: BookSide
    own_price: Price
    quantity: Quantity
    worst_cost: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A wish that a person was asked about. ``name`` holds the epoch: no other leader uses it."""

    name: str
    wish: Wish
    expires_us: int
    allowed: Quantity | None = None
    """How much the person said yes to; ``None`` while nobody did."""

    @property
    def is_approved(self) -> bool:
        """Whether a person said yes."""
        return self.allowed is not None

    def covers(self, wish: Wish) -> Quantity:
        """So much of this the person's yes is good for: same side, no dearer, no more."""
        if self.allowed is None or wish.side is not self.wish.side:
            return Quantity(0)
        if wish.own_price > self.wish.own_price:
            return Quantity(0)
        return Quantity(min(wish.quantity, self.allowed))


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


def expired(ramp: Ramp, now_us: int) -> tuple[Proposal, ...]:
    """What ``at`` leaves out."""
    return tuple(one for one in ramp.proposals if one.expires_us <= now_us)


def proposed(ramp: Ramp, epoch: int, wish: Wish, expires_us: int) -> tuple[Ramp, Proposal]:
    """Ask about one more wish; it takes the place of an older one in its market."""
    made = ramp.made + 1
    proposal = Proposal(name=f"{epoch}-{made}", wish=wish, expires_us=expires_us)
    return replace(ramp, made=made, proposals=(*_without(ramp, wish.ticker), proposal)), proposal


def refusal_of(proposal: Proposal, contracts: int | None) -> str:
    """Why a yes to so many contracts cannot be taken; empty where it can."""
    asked = proposal.wish.quantity
    if proposal.is_approved:
        return f"{proposal.name} was approved before"
    if contracts is not None and not 0 < contracts * CONTRACT <= asked:
        return f"{proposal.name} asked for {asked // CONTRACT}: fewer may be approved, not more"
    return ""


def approved(ramp: Ramp, proposal: Proposal, contracts: int | None) -> Ramp:
    """A person said yes, to all of it or to so many whole contracts.

    Raises:
        ValueError: they cannot; ``refusal_of`` says why.
    """
    if why := refusal_of(proposal, contracts):
        raise ValueError(why)
    asked = proposal.wish.quantity
    allowed = asked if contracts is None else Quantity(contracts * CONTRACT)
    others = _without(ramp, proposal.wish.ticker)
    return replace(ramp, proposals=(*others, replace(proposal, allowed=allowed)))


def skipped(ramp: Ramp, proposal: Proposal, until_us: int) -> Ramp:
    """A person said no."""
    ticker = proposal.wish.ticker
    muted = (*ramp.muted, (ticker, until_us))
    return replace(ramp, proposals=_without(ramp, ticker), muted=muted)


def sent(ramp: Ramp, ticker: MarketTicker) -> Ramp:
    """An approved entry is on its way."""
    return replace(ramp, sent=ramp.sent + 1, proposals=_without(ramp, ticker))


def to_record(ramp: Ramp, now_us: int) -> BreakerRecord:
    """What outlives a leadership: the count, and what a successor has to call void."""
    data: dict[str, object] = {"sent": ramp.sent}
    if ramp.proposals:
        data["open"] = [_plain(one) for one in ramp.proposals]
    return BreakerRecord(
        name=RAMP,
        tripped=False,
        reason=f"{ramp.sent} approved orders were sent",
        data_json=json.dumps(data),
        changed_us=now_us,
    )


def from_record(record: BreakerRecord) -> tuple[Ramp, tuple[Proposal, ...]]:
    """Read it back: what holds on, and the proposals that were open and are void now.

    Raises:
        InvariantBroken: it cannot be read.
    """
    try:
        data = json.loads(record.data_json)
        left = tuple(_proposal(one) for one in data.get("open", ()))
        return Ramp(sent=int(data["sent"])), left
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise InvariantBroken(f"the stored ramp cannot be read: {fault}") from fault


def _plain(proposal: Proposal) -> dict[str, object]:
    wish = proposal.wish
    return {
        "name": proposal.name,
        "ticker": wish.ticker,
        "side": wish.side.value,
        "own_price_e4": wish.own_price,
        "quantity_e2": wish.quantity,
        "worst_cost_e6": wish.worst_cost,
        "expires_us": proposal.expires_us,
    }


def _proposal(plain: Mapping[str, object]) -> Proposal:
    return Proposal(
        name=str(plain["name"]),
        wish=Wish(
            ticker=MarketTicker(str(plain["ticker"])),
            side=BookSide(str(plain["side"])),
            own_price=Price(_int(plain["own_price_e4"])),
            quantity=Quantity(_int(plain["quantity_e2"])),
            worst_cost=Money(_int(plain["worst_cost_e6"])),
        ),
        expires_us=_int(plain["expires_us"]),
    )


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _without(ramp: Ramp, ticker: MarketTicker) -> tuple[Proposal, ...]:
    return tuple(one for one in ramp.proposals if one.wish.ticker != ticker)
