"""Every bracket and order of ours, and whose order a message is about.

Fills carry the venue's order id only, and may come before the answer that tells
us that id. A fill nobody claims waits a little for its order before it counts
as somebody else's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from bot.domain.events import FillReported
from bot.domain.ids import BracketId, ClientOrderId, Epoch, MarketTicker, OrderId
from bot.domain.orders import BookSide, Order
from bot.domain.records import BracketRecord, ExitReason, StoredOrder
from bot.engine.draft import Draft
from bot.execution.bracket import Bracket, OrderChange, with_order
from bot.execution.bracket_json import from_json, to_record
from bot.execution.order_names import signal_of
from bot.execution.order_state import TrackedOrder, recovered
from bot.kit.times import SECOND_US

_CLAIM_PATIENCE_US = 15 * SECOND_US
_FINISHED_MAX = 1_000
_BY_A_PERSON = (ExitReason.OPERATOR, ExitReason.OUTSIDE)


@dataclass(frozen=True, slots=True)
class WaitingFill:
    """A fill whose order has not been named yet."""

    event: FillReported
    since_us: int


class Desk:
    """Brackets by id, by market and by order."""

    def __init__(self) -> None:
        self.brackets: dict[BracketId, Bracket] = {}
        self._open: dict[BracketId, None] = {}
        self._by_ticker: dict[MarketTicker, BracketId] = {}
        self._by_client: dict[ClientOrderId, BracketId] = {}
        self._client_of: dict[OrderId, ClientOrderId] = {}
        self.waiting: list[WaitingFill] = []
        self.left_us: dict[MarketTicker, int] = {}
        """When a person had a position closed, or closed it elsewhere, by market."""

    # --- reading ----------------------------------------------------------------------------

    def open(self) -> tuple[Bracket, ...]:
        """Every bracket that is not over, orphans included."""
        brackets = self.brackets
        return tuple([brackets[bracket_id] for bracket_id in self._open])

    def in_market(self, ticker: MarketTicker) -> Bracket | None:
        """The bracket that is not over in this market."""
        bracket_id = self._by_ticker.get(ticker)
        return self.brackets[bracket_id] if bracket_id is not None else None

    def of_order(self, client_order_id: ClientOrderId) -> Bracket | None:
        """The bracket an order of ours belongs to, over or not."""
        bracket_id = self._by_client.get(client_order_id)
        return self.brackets.get(bracket_id) if bracket_id is not None else None

    def client_of(self, order_id: OrderId, named: ClientOrderId | None) -> ClientOrderId | None:
        """Our id of an order of the venue, if it is ours."""
        if named is not None and named in self._by_client:
            return named
        return self._client_of.get(order_id)

    def unnamed(self, ticker: MarketTicker, side: BookSide) -> bool:
        """Whether an order of ours is out in this market whose venue id we do not know yet."""
        bracket = self.in_market(ticker)
        return bracket is not None and any(
            order.order_id is None and not order.is_final and order.intent.side is side
            for order in bracket.orders()
        )

    def unknown_orders(self, since: Epoch | None = None) -> int:
        """How many orders are in doubt, of all leaderships or of those from ``since`` on."""
        return sum(
            order.is_in_doubt and (since is None or order.intent.epoch >= since)
            for bracket in self.open()
            for order in bracket.orders()
        )

    def open_orders(self) -> int:
        """How many orders may still fill."""
        return sum(not order.is_final for bracket in self.open() for order in bracket.orders())

    # --- changing ---------------------------------------------------------------------------

    def recall(self, report: Order) -> ClientOrderId | None:
        """Learn an order of one of our brackets that the store has forgotten: it was restored."""
        name = report.client_order_id
        signal_id = signal_of(name) if name is not None else None
        if name is None or signal_id is None or BracketId(signal_id) not in self.brackets:
            return None
        self._by_client[name] = BracketId(signal_id)
        self._client_of[report.order_id] = name
        return name

    def load(
        self, records: Iterable[BracketRecord], orders: Iterable[StoredOrder], now_us: int
    ) -> None:
        """What the store remembers. Orders that were on their way are in doubt now."""
        for record in records:
            bracket = from_json(record.data_json)
            for order in tuple(bracket.orders()):
                after = recovered(order, now_us)
                if after is not order:
                    bracket = _with(bracket, order, after, now_us)
            self._index(bracket)
        for stored in orders:
            intent, order_id = stored.intent, stored.progress.order_id
            if intent.bracket_id is not None:
                self._by_client[intent.client_order_id] = intent.bracket_id
            if order_id is not None:
                self._client_of[order_id] = intent.client_order_id

    def put(self, bracket: Bracket, draft: Draft) -> None:
        """Keep a bracket's new value and record what differs from the old one."""
        before = self.brackets.get(bracket.plan.bracket_id)
        if before == bracket:
            return
        if before is not None:
            known = _progress(before)
            for client_order_id, order in _progress(bracket).items():
                old = known.get(client_order_id)
                if old is not None and old is not order and old.record() != order.record():
                    draft.record(order.record())
        self._index(bracket)
        draft.record(to_record(bracket))

    def change(
        self, client_order_id: ClientOrderId, change: OrderChange, now_us: int, draft: Draft
    ) -> Bracket | None:
        """Apply a change to one of our orders; returns its bracket as it is now."""
        bracket = self.of_order(client_order_id)
        if bracket is None:
            return None
        after = with_order(bracket, client_order_id, change, now_us)
        self.put(after, draft)
        return after

    def claim(self) -> tuple[FillReported, ...]:
        """Waiting fills whose order has got its name in the meantime."""
        claimed = [
            one for one in self.waiting if self._client_of.get(one.event.fill.order_id) is not None
        ]
        self.waiting = [one for one in self.waiting if one not in claimed]
        return tuple(one.event for one in claimed)

    def unclaimed(self, now_us: int) -> tuple[FillReported, ...]:
        """Waiting fills that nobody claimed in time, or whose market has no nameless order left."""
        late = [
            one
            for one in self.waiting
            if now_us - one.since_us >= _CLAIM_PATIENCE_US
            and not self.unnamed(one.event.fill.ticker, one.event.fill.side)
        ]
        self.waiting = [one for one in self.waiting if one not in late]
        return tuple(one.event for one in late)

    def _index(self, bracket: Bracket) -> None:
        plan = bracket.plan
        self.brackets[plan.bracket_id] = bracket
        for order in bracket.orders():
            self._by_client[order.intent.client_order_id] = plan.bracket_id
            if order.order_id is not None:
                self._client_of[order.order_id] = order.intent.client_order_id
        if not bracket.is_over:
            self._open[plan.bracket_id] = None
            self._by_ticker.setdefault(plan.ticker, plan.bracket_id)
            return
        if bracket.exit_reason in _BY_A_PERSON and bracket.closed_us is not None:
            self.left_us[plan.ticker] = max(
                bracket.closed_us, self.left_us.get(plan.ticker, bracket.closed_us)
            )
        self._open.pop(plan.bracket_id, None)
        if self._by_ticker.get(plan.ticker) == plan.bracket_id:
            del self._by_ticker[plan.ticker]

    def forget_old(self) -> None:
        """Bound the memory: the oldest finished brackets go, with their orders' names.

        Every second is often enough, and no order waits for it.
        """
        surplus = len(self.brackets) - len(self._open) - _FINISHED_MAX
        if surplus <= 0:
            return
        finished = (bid for bid, bracket in self.brackets.items() if bracket.is_over)
        oldest = set(islice(finished, surplus))
        for bracket_id in oldest:
            del self.brackets[bracket_id]
        gone = {client for client, owner in self._by_client.items() if owner in oldest}
        for client in gone:
            del self._by_client[client]
        self._client_of = {
            order_id: client for order_id, client in self._client_of.items() if client not in gone
        }


def _progress(bracket: Bracket) -> dict[ClientOrderId, TrackedOrder]:
    return {order.intent.client_order_id: order for order in bracket.orders()}


def _with(bracket: Bracket, before: TrackedOrder, after: TrackedOrder, now_us: int) -> Bracket:
    return with_order(bracket, before.intent.client_order_id, lambda _: after, now_us)
