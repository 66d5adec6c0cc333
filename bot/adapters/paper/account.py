"""The paper account: a pure exchange of one customer, rebuilt from its journal.

The same entries in the same order give the same account, ids included; time
alone runs timers and is not written. The other side of every trade is the
*house*, which is there only for the moment of the trade.
"""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from bot.adapters.paper.operations import (
    CancelAll,
    CancelOrder,
    CreateGroup,
    Deposit,
    HouseTrade,
    ListMarket,
    MoveClose,
    Operation,
    Pause,
    PlaceOrder,
    SetActive,
    SetTerms,
    Settle,
    TriggerGroup,
    read_operation,
)
from bot.domain.errors import InvariantBroken
from bot.domain.ids import MarketTicker, Scope
from bot.domain.orders import OrderStatus, TimeInForce
from bot.domain.quotes import BookLevel
from bot.ports.paper import JournalEntry
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import VenueEvent
from bot.venue.groups import GroupView
from bot.venue.markets import MarketView
from bot.venue.orders import CancelReceipt, OrderReceipt, OrderRequest, OrderView
from bot.venue.results import Done, Outcome, Refusal
from bot.venue.venue import Venue

OURS = AccountId("paper")
_HOUSE = AccountId("house")

Result: TypeAlias = (
    OrderReceipt
    | CancelReceipt
    | tuple[CancelReceipt, ...]
    | GroupView
    | MarketView
    | Done
    | Refusal
)


@dataclass(frozen=True, slots=True)
class Applied:
    """What an entry gave, and everything that happened up to it."""

    result: Result
    events: tuple[VenueEvent, ...]


class PaperAccount:
    """Applies journal entries. ``seq`` is the last one; the next must be ``seq + 1``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._issued = 0
        self._venue = Venue(new_id=self._new_id)
        self._venue.open_account(AccountTerms(account=OURS), 0)
        self._venue.open_account(
            AccountTerms(account=_HOUSE, checks_funds=False, keeps_records=False), 0
        )
        self._shards: dict[MarketTicker, int] = {}
        self.reads = self._venue.reads
        self.seq = 0

    def apply(self, entry: JournalEntry) -> Applied:
        """Do what an entry says; also a refusal is an outcome.

        Raises:
            InvariantBroken: the journal has a gap or cannot be read.
        """
        if entry.seq != self.seq + 1:
            raise InvariantBroken(f"paper journal: entry {entry.seq} comes after {self.seq}")
        operation = read_operation(entry.kind, entry.data_json)
        self.seq = entry.seq
        self._issued = 0
        return self._perform(operation, entry.at_us)

    def advance(self, now_us: int) -> tuple[VenueEvent, ...]:
        """Let expiries and closes happen that are due."""
        return self._venue.advance(now_us)

    def next_due_us(self) -> int | None:
        """When something is due."""
        return self._venue.next_due_us()

    def shard_of(self, ticker: MarketTicker) -> int:
        """The real shard of a market; the account itself has one pot of cash for all."""
        return self._shards.get(ticker, 0)

    def resting(self, ticker: MarketTicker | None = None) -> list[OrderView]:
        """Our resting orders, oldest first."""
        found = self.reads.orders(OURS, ticker=ticker, status=OrderStatus.RESTING)
        return list(found)[::-1]

    def held(self) -> set[MarketTicker]:
        """Markets with a position or a resting order."""
        positions = {each.ticker for each in self.reads.positions(OURS) if each.quantity}
        return positions | {order.ticker for order in self.resting()}

    def _perform(self, operation: Operation, now_us: int) -> Applied:
        venue = self._venue
        outcome: Outcome[Result]
        match operation:
            case PlaceOrder():
                return self._place(operation, now_us)
            case HouseTrade():
                outcome = venue.create_order(_HOUSE, _house_taker(operation), now_us)
            case CancelOrder():
                outcome = venue.cancel_order(OURS, operation.order_id, now_us)
            case CancelAll():
                outcome = venue.cancel_all(OURS, now_us)
            case CreateGroup():
                outcome = venue.create_group(OURS, operation.limit, now_us)
            case TriggerGroup():
                outcome = venue.trigger_group(OURS, operation.order_group_id, now_us)
            case Deposit():
                outcome = venue.deposit(OURS, operation.amount, now_us)
            case _:
                return self._follow_market(operation, now_us)
        return _applied(outcome)

    def _follow_market(
        self,
        operation: ListMarket | SetTerms | SetActive | MoveClose | Settle | Pause,
        now_us: int,
    ) -> Applied:
        exchange = self._venue.operations
        steps: tuple[Outcome[Result], ...]
        match operation:
            case ListMarket():
                return self._list(operation, now_us)
            case Settle():
                return self._settle(operation, now_us)
            case SetTerms():
                steps = (
                    exchange.set_grid(operation.ticker, operation.grid, now_us),
                    exchange.set_fees(operation.ticker, operation.fees, now_us),
                )
            case SetActive():
                change = exchange.activate if operation.is_active else exchange.deactivate
                steps = (change(operation.ticker, now_us),)
            case MoveClose():
                steps = (exchange.move_close(operation.ticker, operation.close_us, now_us),)
            case Pause():
                steps = (
                    exchange.set_trading_active(now_us, is_active=operation.is_trading_active),
                    exchange.set_exchange_active(now_us, is_active=operation.is_exchange_active),
                )
            case _:
                assert_never(operation)
        return _applied(*steps)

    def _list(self, operation: ListMarket, now_us: int) -> Applied:
        terms = operation.terms
        listed = self._venue.operations.list_market(terms, now_us)
        if isinstance(listed.result, Refusal):
            return _applied(listed)
        self._shards[terms.ticker] = operation.exchange_index
        if operation.is_active:
            return _applied(listed)
        stopped = self._venue.operations.deactivate(terms.ticker, now_us)
        return _applied(listed, stopped)

    def _settle(self, operation: Settle, now_us: int) -> Applied:
        """Markets are listed without a settlement delay: the real one has passed already."""
        known = self._venue.operations.determine(
            operation.ticker, operation.result, now_us, value=operation.value
        )
        paid = self._venue.advance(now_us)
        return Applied(known.result, (*known.events, *paid))

    def _place(self, operation: PlaceOrder, now_us: int) -> Applied:
        request = operation.request
        events: list[VenueEvent] = []
        house = []
        for level in operation.liquidity:
            placed = self._venue.create_order(_HOUSE, _house_maker(request, level), now_us)
            events += placed.events
            if isinstance(placed.result, OrderReceipt):
                house.append(placed.result.order_id)
        ours = self._venue.create_order(OURS, request, now_us)
        gone = self._venue.cancel_orders(_HOUSE, house, now_us)
        return Applied(ours.result, (*events, *ours.events, *gone.events))

    def _new_id(self) -> str:
        self._issued += 1
        return f"{self._scope}/{self.seq}.{self._issued}"


def _house_maker(request: OrderRequest, level: BookLevel) -> OrderRequest:
    """Post-only: where an order of ours rests in the way, that level is not there for us."""
    return OrderRequest(
        ticker=request.ticker,
        side=request.side.opposite,
        price=level.price,
        quantity=level.quantity,
        post_only=True,
    )


def _house_taker(operation: HouseTrade) -> OrderRequest:
    return OrderRequest(
        ticker=operation.ticker,
        side=operation.side,
        price=operation.price,
        quantity=operation.quantity,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
    )


def _applied(*steps: Outcome[Result]) -> Applied:
    """The events of every step, the result of the last."""
    return Applied(steps[-1].result, tuple(event for step in steps for event in step.events))
