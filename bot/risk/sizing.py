"""How many contracts: a fraction of Kelly after fees, then the tightest cap.

For a contract held to settlement that costs ``c`` (fee included) and pays $1
with chance ``q``, Kelly stakes ``(q - c) / (1 - c)`` of the bankroll. Stops do not
protect through a release, so the stake is the whole loss. Integers throughout,
always rounded down.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.fees import estimate_fee
from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.signals import MILLION
from bot.risk.limits import BASIS

CONTRACT = Quantity(100)
"""One whole contract: fees are exact for whole ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is to be bought: own price, own chance in millionths, and the fee terms of the fill."""

    own_price: Price
    chance_e6: int
    fees: FeeTerms
    is_taker: bool

    @property
    def unit_cost(self) -> Money:
        """One contract, fee included."""
        fee = estimate_fee(self.fees, self.own_price, CONTRACT, is_taker=self.is_taker)
        return Money(cost(self.own_price, CONTRACT) + fee)

    @property
    def edge(self) -> Money:
        """Expected profit of one contract after the entry fee; settlement is free."""
        return Money(self.chance_e6 - self.unit_cost)


@dataclass(frozen=True, slots=True)
class Size:
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
    rooms = [("kelly", stake // unit)]
    rooms += [(name, max(0, room) // unit) for name, room in money_caps]
    rooms += [(name, max(0, room) // CONTRACT) for name, room in contract_caps]
    name, contracts = min(rooms, key=lambda room: room[1])
    return Size(Quantity(max(0, contracts) * CONTRACT), name)
