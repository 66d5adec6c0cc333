"""The one door to the paper account: journal first, then the account, then the answer.

Operations go one at a time. Before each, what another process has written is
read and applied; a number that is taken shows that something was missed. So two
processes may knock, but never act on two different accounts.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bot.adapters.paper.account import OURS, Applied, PaperAccount, Result
from bot.adapters.paper.operations import Deposit, Operation, write_operation
from bot.adapters.paper.views import order_of
from bot.domain.errors import ExchangeUnavailable, OutcomeUnknown, StorageUnavailable
from bot.domain.ids import Scope
from bot.domain.money import Money
from bot.kit.clock import Clock
from bot.ports.exchange import FeedNews, OrderGroupChanged, OwnFill, OwnOrder
from bot.ports.paper import JournalEntry, PaperJournal
from bot.venue.events import GroupChanged, OrderChanged, VenueEvent
from bot.venue.events import OwnFill as VenueFill

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES = 5


class PaperDesk:
    """Owns the account. ``starting_cash`` is deposited when the journal is empty."""

    def __init__(
        self, journal: PaperJournal, scope: Scope, clock: Clock, starting_cash: Money
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._starting_cash = starting_cash
        self._account = PaperAccount(scope)
        self._lock = asyncio.Lock()
        self._is_current = False
        """False from before an entry is written until it is applied, and before the first read."""
        self._listeners: list[Callable[[FeedNews], None]] = []

    async def look(self, read: Callable[[PaperAccount], T]) -> T:
        """Read the account as it is now, other processes' operations included.

        Raises:
            ExchangeUnavailable: the journal cannot be read.
        """
        async with self._lock:
            # What another process did meanwhile is not known to us: reads always ask.
            self._is_current = False
            await self._catch_up()
            self._tell(self._account.advance(self._clock.now_us()))
            return read(self._account)

    def peek(self, read: Callable[[PaperAccount], T]) -> T:
        """Read without asking the journal: what this process last knew."""
        return read(self._account)

    async def operate(self, decide: Callable[[PaperAccount], Operation | None]) -> Result | None:
        """Write and do what ``decide`` wants on the account as it is then; ``None`` is nothing.

        Raises:
            ExchangeUnavailable: nothing was done.
            OutcomeUnknown: it may have been done.
        """
        async with self._lock:
            for _ in range(_TRIES):
                await self._catch_up()
                operation = decide(self._account)
                if operation is None:
                    return None
                applied = await self._write(operation)
                if applied is not None:
                    return applied.result
            raise ExchangeUnavailable("another process is trading this paper account")

    async def operate_on_sight(self, decide: Callable[[PaperAccount], Operation | None]) -> bool:
        """The same for what the market does to us: given up if another process was first.

        It has seen the same market, and one trade must not fill an order twice.
        """
        async with self._lock:
            if not self._is_current:
                return False
            operation = decide(self._account)
            return operation is not None and await self._write(operation) is not None

    async def pass_time(self) -> None:
        """Let what is due happen. Nothing is written: time alone decides it.

        Raises:
            ExchangeUnavailable: the journal had to be read, and cannot be.
        """
        async with self._lock:
            await self._catch_up()
            self._tell(self._account.advance(self._clock.now_us()))

    @contextmanager
    def listening(self, heard: Callable[[FeedNews], None]) -> Iterator[None]:
        """Call ``heard`` with each fill, order and group change of the account."""
        self._listeners.append(heard)
        try:
            yield
        finally:
            self._listeners.remove(heard)

    async def _write(self, operation: Operation) -> Applied | None:
        """``None`` if another process took the number."""
        account = self._account
        kind, data_json = write_operation(operation)
        entry = JournalEntry(
            seq=account.seq + 1,
            at_us=max(self._clock.now_us(), account.reads.now_us),
            kind=kind,
            data_json=data_json,
        )
        self._is_current = False
        try:
            is_written = await self._journal.append(entry)
        except StorageUnavailable as fault:
            raise OutcomeUnknown(f"paper journal: {fault}") from fault
        if not is_written:
            logger.warning("paper account also in use elsewhere", extra={"seq": entry.seq})
            return None
        applied = account.apply(entry)
        self._is_current = True
        self._tell(applied.events)
        return applied

    async def _catch_up(self) -> None:
        if self._is_current:
            return
        is_first = self._account.seq == 0
        try:
            entries = await self._journal.read(self._account.seq)
        except StorageUnavailable as fault:
            raise ExchangeUnavailable(f"paper journal: {fault}") from fault
        for entry in entries:
            events = self._account.apply(entry).events
            if not is_first:
                self._tell(events)
        if self._account.seq == 0:
            await self._write(Deposit(amount=self._starting_cash))
            # Whoever lost this race finds the other's deposit.
            await self._catch_up()
        self._is_current = True

    def _tell(self, events: tuple[VenueEvent, ...]) -> None:
        now_us = self._clock.now_us()
        for event in events:
            told = self._translated(event, now_us)
            if told is None:
                continue
            for heard in self._listeners:
                heard(told)

    def _translated(self, event: VenueEvent, now_us: int) -> FeedNews | None:
        match event:
            case VenueFill(account=account) if account == OURS:
                return OwnFill(
                    fill=event.fill, client_order_id=event.client_order_id, received_us=now_us
                )
            case OrderChanged(account=account) if account == OURS:
                order = order_of(event.order, self._account.shard_of(event.order.ticker))
                return OwnOrder(order=order, received_us=now_us)
            case GroupChanged(account=account) if account == OURS:
                return OrderGroupChanged(
                    order_group_id=event.order_group_id,
                    kind=event.change.value,
                    received_us=now_us,
                )
            case _:
                return None
