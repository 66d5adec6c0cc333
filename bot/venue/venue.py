"""The venue's front door: what an account may do, and the passing of time.

Every act takes ``now_us``, lets due timers run first, and returns an ``Outcome``
whose events tell everything that happened, in order. Time never runs backwards:
an earlier ``now_us`` counts as the latest one seen.
"""

from collections.abc import Callable, Sequence

from bot.domain.ids import OrderGroupId, OrderId
from bot.domain.money import Money, Quantity
from bot.venue import cash, changes, group_acts
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.acting import pass_time, perform
from bot.venue.entry import create
from bot.venue.events import VenueEvent
from bot.venue.groups import GroupView
from bot.venue.operations import Operations
from bot.venue.orders import (
    AmendRequest,
    CancelReceipt,
    DecreaseReceipt,
    OrderReceipt,
    OrderRequest,
)
from bot.venue.reads import Reads
from bot.venue.results import Done, Outcome, Refusal
from bot.venue.settings import VenueSettings
from bot.venue.state import VenueState


class Venue:
    """One exchange. ``new_id`` names its orders, trades and groups and must never repeat."""

    def __init__(self, *, new_id: Callable[[], str], settings: VenueSettings | None = None) -> None:
        self._state = VenueState(new_id, settings or VenueSettings())
        self.reads = Reads(self._state)
        self.operations = Operations(self._state)

    def advance(self, now_us: int) -> tuple[VenueEvent, ...]:
        """Run every timer due by ``now_us`` at its own time: open, close, expiry, settlement."""
        pass_time(self._state, now_us)
        return self._state.drain()

    def next_due_us(self) -> int | None:
        """When the next timer falls due."""
        return self._state.timers.next_due_us()

    # Accounts

    def open_account(self, terms: AccountTerms, now_us: int) -> Outcome[Done]:
        """Open an account without money. Refusal: ``account_already_exists``."""
        return perform(self._state, now_us, lambda: cash.open_account(self._state, terms))

    def deposit(
        self, account: AccountId, amount: Money, now_us: int, *, exchange_index: int = 0
    ) -> Outcome[Done]:
        """Add cash to a shard; a negative amount withdraws, as far as it is free."""
        return perform(
            self._state,
            now_us,
            lambda: cash.deposit(self._state, account, exchange_index, amount),
        )

    def transfer(
        self, account: AccountId, amount: Money, now_us: int, *, source: int, destination: int
    ) -> Outcome[Done]:
        """Move free cash between two shards."""
        return perform(
            self._state,
            now_us,
            lambda: cash.transfer(self._state, account, amount, (source, destination)),
        )

    # Orders

    def create_order(
        self, account: AccountId, request: OrderRequest, now_us: int
    ) -> Outcome[OrderReceipt]:
        """Match an order and let what is left rest, or refuse it."""
        return perform(self._state, now_us, lambda: create(self._state, account, request))

    def create_orders(
        self, account: AccountId, requests: Sequence[OrderRequest], now_us: int
    ) -> Outcome[tuple[OrderReceipt | Refusal, ...]]:
        """Create several, in order and independent of one another."""
        return perform(
            self._state,
            now_us,
            lambda: tuple(create(self._state, account, request) for request in requests),
        )

    def cancel_order(
        self,
        account: AccountId,
        order_id: OrderId,
        now_us: int,
        *,
        exchange_index: int | None = None,
    ) -> Outcome[CancelReceipt]:
        """Cancel a resting order. ``exchange_index`` ``None`` finds it on any shard."""
        return perform(
            self._state,
            now_us,
            lambda: changes.cancel_order(self._state, account, order_id, exchange_index),
        )

    def cancel_orders(
        self, account: AccountId, order_ids: Sequence[OrderId], now_us: int
    ) -> Outcome[tuple[CancelReceipt | Refusal, ...]]:
        """Cancel several, in order and independent of one another."""
        return perform(
            self._state,
            now_us,
            lambda: tuple(
                changes.cancel_order(self._state, account, order_id, None) for order_id in order_ids
            ),
        )

    def cancel_all(self, account: AccountId, now_us: int) -> Outcome[tuple[CancelReceipt, ...]]:
        """Cancel every resting order of the account whose market still allows it."""
        return perform(self._state, now_us, lambda: changes.cancel_all(self._state, account))

    def amend_order(
        self, account: AccountId, order_id: OrderId, request: AmendRequest, now_us: int
    ) -> Outcome[OrderReceipt]:
        """Change price, size or expiry; priority survives only a smaller size or a new expiry."""
        return perform(
            self._state,
            now_us,
            lambda: changes.amend_order(self._state, account, order_id, request),
        )

    def decrease_order(
        self,
        account: AccountId,
        order_id: OrderId,
        now_us: int,
        *,
        reduce_by: Quantity | None = None,
        reduce_to: Quantity | None = None,
        exchange_index: int | None = None,
    ) -> Outcome[DecreaseReceipt]:
        """Shrink a resting order by or to a size, keeping its priority; to 0 cancels it."""
        change = (reduce_by, reduce_to)
        return perform(
            self._state,
            now_us,
            lambda: changes.decrease_order(self._state, account, order_id, exchange_index, change),
        )

    # Order groups

    def create_group(
        self, account: AccountId, limit: Quantity, now_us: int, *, exchange_index: int = 0
    ) -> Outcome[GroupView]:
        """Make a group whose matched volume over 15 s may not pass ``limit``."""
        return perform(
            self._state,
            now_us,
            lambda: group_acts.create_group(self._state, account, limit, exchange_index),
        )

    def trigger_group(
        self, account: AccountId, group: OrderGroupId, now_us: int
    ) -> Outcome[GroupView]:
        """Cancel the group's resting orders and refuse new ones until a reset."""
        return perform(
            self._state, now_us, lambda: group_acts.trigger_group(self._state, account, group)
        )

    def reset_group(
        self, account: AccountId, group: OrderGroupId, now_us: int
    ) -> Outcome[GroupView]:
        """Empty the window and accept orders again."""
        return perform(
            self._state, now_us, lambda: group_acts.reset_group(self._state, account, group)
        )

    def limit_group(
        self, account: AccountId, group: OrderGroupId, limit: Quantity, now_us: int
    ) -> Outcome[GroupView]:
        """Set another limit; one below the volume in the window triggers at once."""
        return perform(
            self._state, now_us, lambda: group_acts.limit_group(self._state, account, group, limit)
        )

    def delete_group(
        self, account: AccountId, group: OrderGroupId, now_us: int
    ) -> Outcome[GroupView]:
        """Cancel the group's resting orders and forget it."""
        return perform(
            self._state, now_us, lambda: group_acts.delete_group(self._state, account, group)
        )
