"""The venue's knobs: where its documents are silent, a setting says what we assume."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.money import Money

_ONE_CENT = Money(10_000)


class Collateral(StrEnum):
    """Whether resting orders hold cash back."""

    RESERVE = "reserve"
    """A new order must be payable on top of every resting one of its shard."""
    AT_MATCH = "at_match"
    """A new order must be payable alone; a resting one is canceled when a match finds no cash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSettings:
    """Assumptions and limits. Times in microseconds."""

    collateral: Collateral = Collateral.RESERVE
    balance_shows_reservation: bool = False
    reserves_fees: bool = True
    margin_tolerance: Money = _ONE_CENT
    """Rounding may leave a reserved account short by less than this without a MarginCancel."""
    refuses_flat_reduce_only: bool = False
    """Otherwise a reduce-only order with nothing to reduce is accepted and fills nothing."""
    expiry_sweep_us: int = 0
    """How long after its expiry an order is swept; until then it still matches."""
    close_cancel_us: int = 0
    """How long after the close the resting orders get their CloseCancel."""
    cancel_all_lingers_us: int = 0
    """How long after a cancel-all new resting orders are canceled as well."""
    trades_kept_per_market: int = 1_000
    trades_kept: int = 20_000
    groups_per_account_max: int = 100_000

    def __post_init__(self) -> None:
        for name in (
            "margin_tolerance",
            "expiry_sweep_us",
            "close_cancel_us",
            "cancel_all_lingers_us",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        for name in ("trades_kept_per_market", "trades_kept", "groups_per_account_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
