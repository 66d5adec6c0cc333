"""How much may be risked. Shares are of equity, in basis points (100 = 1 %)."""

from dataclasses import dataclass

from bot.domain.money import PAYOUT, Money
from bot.kit.times import MINUTE_US

BASIS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Start values for a small account; every one is a setting."""

    order_cost_max_e6: int = 100_000_000
    market_max_bp: int = 500
    event_max_bp: int = 1_000
    series_max_bp: int = 1_500
    release_group_max_bp: int = 2_000
    total_max_bp: int = 3_000
    total_cost_max_e6: int = 0
    """What everything may cost in dollars, whatever the equity; 0 leaves it to the share."""
    concurrent_max: int = 10
    """Positions open or being opened at the same time."""
    open_orders_max: int = 40
    entries_per_minute_max: int = 20
    price_min_e4: int = 200
    price_max_e4: int = 9_800
    """Own price of the bought side."""
    depth_share_max_bp: int = 2_500
    """Of the size displayed at the best bid we join, or of 24 hours' volume: whichever is less."""
    reentry_pause_us: int = 60 * MINUTE_US
    """How long a market is left alone after a person had its position closed."""
    close_distance_min_us: int = 10 * MINUTE_US
    kelly_fraction_bp: int = 2_500
    """Share of the full Kelly stake."""
    cash_reserve_bp: int = 500
    """Cash that entries never touch."""

    def __post_init__(self) -> None:
        shares = (
            self.market_max_bp,
            self.event_max_bp,
            self.series_max_bp,
            self.release_group_max_bp,
            self.total_max_bp,
        )
        if not all(0 < share <= BASIS for share in shares):
            raise ValueError("market_max_bp ... total_max_bp must lie in 1..10000 (100 % = 10000)")
        if not self.market_max_bp <= self.event_max_bp <= self.total_max_bp:
            raise ValueError("market_max_bp <= event_max_bp <= total_max_bp must hold")
        if not 0 < self.price_min_e4 < self.price_max_e4 < PAYOUT:
            raise ValueError("price_min_e4 < price_max_e4, both inside $0 and $1, must hold")
        if min(self.concurrent_max, self.open_orders_max, self.entries_per_minute_max) < 1:
            raise ValueError("concurrent_max, open_orders_max, entries_per_minute_max: at least 1")
        if not 0 < self.kelly_fraction_bp <= BASIS or not 0 < self.depth_share_max_bp <= BASIS:
            raise ValueError("kelly_fraction_bp and depth_share_max_bp must lie in 1..10000")
        if self.total_cost_max_e6 < 0:
            raise ValueError("total_cost_max_e6 must be 0 (off) or positive")
        if self.order_cost_max_e6 <= 0 or not 0 <= self.cash_reserve_bp < BASIS:
            raise ValueError("order_cost_max_e6 must be positive, cash_reserve_bp in 0..9999")


def total_limit(equity: Money, limits: RiskLimits) -> Money:
    """What everything may cost: the share of equity, or the fixed sum where that is less."""
    share = share_of(equity, limits.total_max_bp)
    fixed = limits.total_cost_max_e6
    return Money(min(share, fixed)) if fixed else share


def share_of(equity: Money, share_bp: int) -> Money:
    """A share of equity, rounded down; nothing of a negative equity."""
    return Money(equity * share_bp // BASIS) if equity > 0 else Money(0)
