"""Where the account stands: all that sizing and checks ask of it, worked out once.

Between two events that may change it, every wish is weighed against the same value.
"""

from collections.abc import Mapping

import msgspec

from bot.domain.money import Money
from bot.portfolio.exposure import Exposures
from bot.risk.limits import RiskLimits, share_of, total_limit


class MoneyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that are shares of equity, in money."""

    market: Money
    event: Money
    series: Money
    release_group: Money
    total: Money
    reserve: Money
    """Cash that entries never touch."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The account at one moment."""

    equity: Money
    cash_free: Money
    """Cash less what resting entries will take."""
    limits: MoneyLimits
    exposures: Exposures
    open_positions: int
    """Brackets that are not over."""
    open_orders: int
    cash_by_shard: Mapping[int, Money]
    """As last stated; empty where the account has one pot."""
    taken_by_shard: Mapping[int, Money]
    """What entries take there since."""

    def shard_cash(self, shard: int) -> Money | None:
        """What is free on one shard; ``None`` where the account is not kept by shard."""
        if not self.cash_by_shard:
            return None
        return Money(self.cash_by_shard.get(shard, 0) - self.taken_by_shard.get(shard, 0))


def money_limits(equity: Money, limits: RiskLimits) -> MoneyLimits:
    """What the shares come to."""
    return MoneyLimits(
        market=share_of(equity, limits.market_max_bp),
        event=share_of(equity, limits.event_max_bp),
        series=share_of(equity, limits.series_max_bp),
        release_group=share_of(equity, limits.release_group_max_bp),
        total=total_limit(equity, limits),
        reserve=share_of(equity, limits.cash_reserve_bp),
    )
