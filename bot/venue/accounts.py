"""Accounts: cash per shard, and the permanent memory of their client order ids."""

from dataclasses import dataclass
from typing import NewType

from bot.domain.money import Money
from bot.venue.fees import DIRECT_MEMBER_GRID

AccountId = NewType("AccountId", str)
"""One cash-holding account: a user's subaccount. The venue knows no users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """How the venue treats one account.

    A *house* account (``checks_funds`` and ``keeps_records`` false) is the other
    side of a simulated market: it may owe, its finished orders and fills are
    forgotten and it gets no private events. Its money still balances.
    """

    account: AccountId
    balance_grid: Money = DIRECT_MEMBER_GRID
    checks_funds: bool = True
    keeps_records: bool = True

    def __post_init__(self) -> None:
        if self.balance_grid <= 0 or 1_000_000 % self.balance_grid:
            raise ValueError("balance_grid must divide a dollar: use 100 or 10_000")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardBalance:
    """The cash of one shard. ``reserved`` is what resting orders would cost at worst."""

    exchange_index: int
    cash: Money
    reserved: Money

    @property
    def free(self) -> Money:
        """What a new order may cost."""
        return Money(self.cash - self.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """An account's money. ``available`` is what the venue states as balance.

    Whether resting orders lower it at once is a setting, as the venue does not
    document it. ``portfolio_value`` marks positions at the last price.
    """

    shards: tuple[ShardBalance, ...]
    available: Money
    portfolio_value: Money
