"""How many contracts: a fraction of Kelly after fees, then the tightest cap.

For a contract held to settlement that costs ``c`` (fee included) and pays $1
with chance ``q``, Kelly stakes ``(q - c) / (1 - c)`` of the bankroll. Stops do not
protect through a release, so the stake is the whole loss. Integers throughout,
always rounded down.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import force_setattr

from bot.domain.fees import estimate_fee
from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.signals import MILLION
from bot.risk.limits import BASIS

CONTRACT = Quantity(100)
"""One whole contract: fees are exact for whole ones."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be bought: own price, own chance in millionths, and the fee terms of the fill."""

    own_price: Price
    chance_e6: int
    fees: FeeTerms
    is_taker: bool
    unit_cost: Money = Money(0)
    """One contract, fee included. Worked out, not given."""
    edge: Money = Money(0)
    """Expected profit of one contract after the entry fee; settlement is free."""

    def __post_init__(self) -> None:
        fee = estimate_fee(self.fees, self.own_price, CONTRACT, is_taker=self.is_taker)
        unit_cost = Money(cost(self.own_price, CONTRACT) + fee)
        force_setattr(self, "unit_cost", unit_cost)
        force_setattr(self, "edge", Money(self.chance_e6 - unit_cost))


class Size(msgspec.Struct, frozen=True):
    """Whole contracts, and what decided the number."""

    quantity: Quantity
    decided_by: str


def kelly_stake(offer: Offer, bankroll: Money, fraction_bp: int) -> Money:
    """Dollars to stake; 0 without an edge, never more than the bankroll's fraction."""
    unit = offer.unit_cost
    if offer.edge <= 0 or unit >= MILLION or bankroll <= 0:
        return Money(0)
    return Money(bankroll * offer.edge * fraction_bp // ((MILLION - unit) * BASIS))


def size(
    offer: Offer,
    stake: Money,
    money_caps: Iterable[tuple[str, Money]],
    contract_caps: Iterable[tuple[str, Quantity]],
) -> Size:
    """The largest whole number of contracts that the stake and every cap allow."""
    unit = offer.unit_cost
    decided_by, contracts = "kelly", stake // unit
    for name, money in money_caps:
        room = max(0, money) // unit
        if room < contracts:
            decided_by, contracts = name, room
    for name, quantity in contract_caps:
        room = max(0, quantity) // CONTRACT
        if room < contracts:
            decided_by, contracts = name, room
    return Size(Quantity(max(0, contracts) * CONTRACT), decided_by)
