"""What a strategy wants, before sizing and risk have had their say.

A signal is a wish. It becomes an order only after sizing, the chain of checks
and the gate, and every refusal is kept with its reason.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from bot.domain.ids import MarketTicker, SignalId, StrategyId
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide

MILLION = 1_000_000
"""Probabilities are whole millionths (``_e6``) wherever money follows from them."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One wish to open one position, with the exits that belong to it.

    All prices are of the YES leg. ``chance_e6`` is the strategy's estimate, in
    millionths, that the *bought side* wins. ``target_price`` and ``stop_price``
    are where the position is closed with a profit and given up; ``None`` means
    held to settlement on that side. ``lifetime_us`` is how long the entry may rest.
    """

    strategy_id: StrategyId
    ticker: MarketTicker
    side: BookSide
    price: Price
    chance_e6: int
    target_price: Price | None
    stop_price: Price | None
    lifetime_us: int
    inputs: tuple[tuple[str, str], ...] = ()
    """What the decision was made from, as text, for the record and the chat."""


class Verdict(StrEnum):
    """What became of a signal."""

    TAKEN = "taken"
    REFUSED = "refused"


class SignalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A signal with its outcome. ``quantity`` is 0 where sizing gave nothing."""

    signal_id: SignalId
    signal: Signal
    quantity: Quantity
    verdict: Verdict
    reason: str
    decided_us: int
    case: Mapping[str, object] = msgspec.field(default_factory=dict)
    """What it was sized and checked by (``bot.risk.decision``), as plain values; empty before."""
