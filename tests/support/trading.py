"""An engine with its hands: a store in memory, an exchange in memory, answers on request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain.events import (
    CancelAcknowledged,
    CancelUnsettled,
    Event,
    ExchangeRead,
    ExchangeTruth,
    FillReported,
    HaltSaved,
    MarketsListed,
    OrderAcknowledged,
    OrderMissing,
    OrderReported,
    QuoteChanged,
    Role,
    RoleChanged,
    StateLoaded,
    TimeAdvanced,
)
from bot.domain.ids import (
    ClientOrderId,
    Epoch,
    EventTicker,
    FillId,
    InstanceId,
    MarketTicker,
    OrderId,
    Scope,
    SeriesTicker,
    StrategyId,
)
from bot.domain.listing import Listing
from bot.domain.market import CENT_GRID, FeeTerms, Market, MarketStatus
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import (
    Balance,
    BookSide,
    Fill,
    Order,
    OrderAck,
    OrderIntent,
    OrderStatus,
    Purpose,
    Settlement,
    TimeInForce,
    VenuePosition,
)
from bot.domain.quotes import Quote
from bot.domain.records import (
    ApprovalRecord,
    BaselineRecord,
    BracketRecord,
    BreakerRecord,
    HaltRecord,
    OrderRecord,
    PositionRecord,
    Record,
    SnapshotRecord,
    StoredOrder,
    StoredState,
)
from bot.domain.signals import Signal, SignalRecord
from bot.engine.effects import (
    CancelOrder,
    Commit,
    Effect,
    LookUpOrder,
    Notice,
    NoticeKind,
    ReadExchange,
    ReadFills,
    Reply,
    SaveHalt,
    SendOrder,
    TriggerEntryGroups,
)
from bot.engine.settings import EngineSettings
from bot.kit.times import HOUR_US, SECOND_US
from bot.strategies.base import MarketView, Opinion, Skip
from tests.support.rehearsed import RehearsedEngine

START_US = 1_790_000_000 * SECOND_US
"""Some moment in September 2026, noon in New York."""
TICKER = MarketTicker("KXFED-26DEC-T3.75")
CASH = Money(10_000_000_000)
RUNNING = HaltRecord(halted=False, reason="", set_by="test", changed_us=0)


EAGER = StrategyId("eager")


@dataclass(frozen=True)
class Eager:
    """Wants the bid of every market, so only the engine can hold it back."""

    side: BookSide = BookSide.BID
    strategy_id: StrategyId = EAGER
    stop_below: int = 1_000

    def on_quote(self, view: MarketView) -> Opinion:
        bid, ask = view.quote.bid, view.quote.ask
        if bid is None or ask is None:
            return Skip("one-sided")
        is_yes = self.side is BookSide.BID
        own = bid if is_yes else 10_000 - ask
        stop, target = own - self.stop_below, min(own + 300, 9_900)
        return Signal(
            strategy_id=self.strategy_id,
            ticker=view.quote.ticker,
            side=self.side,
            price=Price(bid if is_yes else ask),
            chance_e6=min(own * 100 + 60_000, 999_000),
            target_price=Price(target if is_yes else 10_000 - target),
            stop_price=Price(stop if is_yes else 10_000 - stop),
            lifetime_us=90 * SECOND_US,
        )


def a_listing(ticker: MarketTicker = TICKER, **changes: object) -> Listing:
    market = Market(
        ticker=ticker,
        event_ticker=EventTicker(ticker.rpartition("-")[0]),
        series_ticker=SeriesTicker(ticker.partition("-")[0]),
        title=f"Title of {ticker}",
        status=MarketStatus.ACTIVE,
        exchange_index=0,
        grid=CENT_GRID,
        open_us=0,
        close_us=START_US + 5 * HOUR_US,
        expected_expiration_us=None,
        updated_us=None,
        yes_bid=Price(9_500),
        yes_ask=Price(9_600),
        yes_bid_size=Quantity(500_000),
        yes_ask_size=Quantity(500_000),
        last_price=None,
        volume=Quantity(10_000_000),
        volume_24h=Quantity(10_000_000),
        open_interest=Quantity(0),
        strike_type=None,
        floor_strike=None,
        cap_strike=None,
        result="",
        settlement_value=None,
    )
    return Listing(
        market=replace(market, **changes),  # type: ignore[arg-type]
        fees=FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000),
        is_exclusive=False,
    )


@dataclass
class RestingOrder:
    intent: OrderIntent
    order_id: OrderId
    filled: int = 0
    is_open: bool = True

    def listed(self) -> Order:
        left = self.intent.quantity - self.filled if self.is_open else 0
        status = OrderStatus.RESTING
        if not self.is_open:
            is_full = self.filled >= self.intent.quantity
            status = OrderStatus.EXECUTED if is_full else OrderStatus.CANCELED
        return Order(
            order_id=self.order_id,
            client_order_id=self.intent.client_order_id,
            ticker=self.intent.ticker,
            exchange_index=0,
            side=self.intent.side,
            status=status,
            price=self.intent.price,
            initial=self.intent.quantity,
            filled=Quantity(self.filled),
            remaining=Quantity(left),
            order_group_id=None,
            created_us=self.intent.decided_us,
            updated_us=0,
        )


@dataclass
class Store:
    """What was committed: the newest of each key, and every fill."""

    halt: HaltRecord = RUNNING
    intents: dict[ClientOrderId, OrderIntent] = field(default_factory=dict)
    orders: dict[ClientOrderId, OrderRecord] = field(default_factory=dict)
    brackets: dict[str, BracketRecord] = field(default_factory=dict)
    positions: dict[MarketTicker, PositionRecord] = field(default_factory=dict)
    breakers: dict[str, BreakerRecord] = field(default_factory=dict)
    fills: dict[FillId, Fill] = field(default_factory=dict)
    signals: list[SignalRecord] = field(default_factory=list)
    baseline: BaselineRecord | None = None
    snapshots: list[SnapshotRecord] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    steps: list[ApprovalRecord] = field(default_factory=list)

    def commit(self, commit: Commit) -> None:
        self.notices += commit.notices
        for record in commit.records:
            if isinstance(record, OrderIntent):
                assert record.client_order_id not in self.intents, "an id is used once"
                assert record.epoch == commit.epoch
            elif isinstance(record, BracketRecord):
                assert record.entered >= record.exited, "never over-closed"
            self._keep(record)

    def _keep(self, record: Record) -> None:
        tables: dict[type, tuple[dict[object, object], str]] = {
            OrderIntent: (self.intents, "client_order_id"),
            OrderRecord: (self.orders, "client_order_id"),
            BracketRecord: (self.brackets, "bracket_id"),
            PositionRecord: (self.positions, "ticker"),
            BreakerRecord: (self.breakers, "name"),
            Fill: (self.fills, "fill_id"),
        }  # type: ignore[dict-item]
        if type(record) in tables:
            table, key = tables[type(record)]
            table[getattr(record, key)] = record
        elif isinstance(record, SignalRecord):
            self.signals.append(record)
        elif isinstance(record, BaselineRecord):
            self.baseline = record
        elif isinstance(record, SnapshotRecord):
            self.snapshots.append(record)
        elif isinstance(record, ApprovalRecord):
            assert record.key not in {one.key for one in self.steps}, "a step happens once"
            self.steps.append(record)

    def state(self) -> StoredState:
        orders = tuple(
            StoredOrder(
                intent=intent,
                progress=self.orders.get(
                    mine,
                    OrderRecord(
                        client_order_id=mine,
                        status=OrderStatus.SUBMITTING,
                        order_id=None,
                        filled=Quantity(0),
                        reason="",
                        updated_us=intent.decided_us,
                    ),
                ),
            )
            for mine, intent in self.intents.items()
        )
        return StoredState(
            halt=self.halt,
            breakers=tuple(self.breakers.values()),
            baseline=self.baseline,
            last_snapshot=self.snapshots[-1] if self.snapshots else None,
            peak_equity=Money(max((one.equity for one in self.snapshots), default=0)),
            brackets=tuple(self.brackets.values()),
            orders=orders,
            positions=tuple(one for one in self.positions.values() if one.quantity),
            recent_fills=tuple(self.fills.values()),
            last_epoch=Epoch(1),
        )


class Desk:
    """One engine, one store, one exchange. Sends wait in ``outgoing`` until answered."""

    def __init__(
        self,
        settings: EngineSettings | None = None,
        *,
        strategies: Sequence[object] = (Eager(),),
        store: Store | None = None,
        venue: Mapping[ClientOrderId, RestingOrder] | None = None,
        epoch: int = 1,
        now_us: int = START_US,
    ) -> None:
        self.store = store or Store()
        self.venue: dict[ClientOrderId, RestingOrder] = dict(venue or {})
        self.settings = settings or EngineSettings()
        self.engine = RehearsedEngine(
            self.settings,
            strategies,  # type: ignore[arg-type]
            Scope("paper:main:0"),
            InstanceId(f"i{epoch}"),
        )
        self.epoch = Epoch(epoch)
        self.now_us = now_us
        self.cash = CASH
        self.fee = Money(0)  # of every execution
        self.foreign_positions: dict[MarketTicker, int] = {}
        self.settlements: list[Settlement] = []
        self.outgoing: list[OrderIntent] = []
        self.journal: list[tuple[Event, tuple[Effect, ...]]] = []
        self.replies: list[Reply] = []
        self.triggers = 0
        self.made = len(self.venue)
        self.fills: list[Fill] = []
        self.positions: dict[MarketTicker, int] = {}
        self.told = self.answered = self.looked = 0

    # --- events in, effects out -------------------------------------------------------------

    def put(self, event: Event) -> tuple[Effect, ...]:
        effects = self.engine.handle(event)
        self.journal.append((event, effects))
        committed: set[ClientOrderId] = set()
        for effect in effects:
            match effect:
                case Commit():
                    self.store.commit(effect)
                    committed |= {
                        one.client_order_id
                        for one in effect.records
                        if isinstance(one, OrderIntent)
                    }
                case SendOrder():
                    assert effect.intent.client_order_id in committed, "commit before send"
                    self.outgoing.append(effect.intent)
                case Reply():
                    self.replies.append(effect)
                case TriggerEntryGroups():
                    self.triggers += 1
                case _:
                    pass
        return effects

    def lead(self, *, is_clean: bool = True) -> None:
        """Take the lead, read everything, agree."""
        self.put(
            RoleChanged(
                received_us=self.now_us, role=Role.ACTIVATING, epoch=self.epoch, is_clean=is_clean
            )
        )
        self.put(StateLoaded(received_us=self.now_us, state=self.store.state()))
        self.list_markets(TICKER)
        self.read()
        self.put(RoleChanged(received_us=self.now_us, role=Role.LEADING, epoch=self.epoch))

    def role(self, role: Role) -> None:
        self.put(RoleChanged(received_us=self.now_us, role=role, epoch=self.epoch))

    def list_markets(self, *tickers: str, **changes: object) -> None:
        listings = tuple(a_listing(MarketTicker(ticker), **changes) for ticker in tickers)
        self.put(MarketsListed(received_us=self.now_us, listings=listings))

    def quote(self, bid: int = 9_500, ask: int | None = None, ticker: str = TICKER) -> None:
        self.now_us += 1_000
        quote = Quote(
            ticker=MarketTicker(ticker),
            bid=Price(bid),
            ask=Price(ask if ask is not None else bid + 100),
            bid_size=Quantity(500_000),
            ask_size=Quantity(500_000),
            received_us=self.now_us,
        )
        self.put(QuoteChanged(received_us=self.now_us, quote=quote))

    def wait(self, seconds: int = 1) -> None:
        """Seconds pass one by one, as the runner's timer tells them."""
        for _ in range(seconds):
            self.now_us += SECOND_US
            self.put(TimeAdvanced(received_us=self.now_us))

    def read(self) -> tuple[Effect, ...]:
        return self.put(
            ExchangeRead(received_us=self.now_us, requested_us=self.now_us, truth=self.truth())
        )

    def save_halt(self) -> None:
        """The store makes the newest halt or unhalt durable."""
        saves = [
            effect
            for _, effects in self.journal
            for effect in effects
            if isinstance(effect, SaveHalt)
        ]
        self.store.halt = saves[-1].record
        self.put(HaltSaved(received_us=self.now_us, command_id=saves[-1].command_id))

    # --- the exchange -----------------------------------------------------------------------

    def accept(self, *, liquidity: int = 10**9) -> OrderIntent:
        """The oldest outgoing order reaches the exchange and is acknowledged."""
        intent = self.outgoing.pop(0)
        order = self.arrive(intent)
        if intent.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
            self.execute(intent, min(liquidity, intent.quantity), tell=False)
            order.is_open = False
        listed = order.listed()
        ack = OrderAck(
            order_id=order.order_id,
            client_order_id=intent.client_order_id,
            filled=listed.filled,
            remaining=listed.remaining,
            acknowledged_us=self.now_us,
        )
        self.put(OrderAcknowledged(received_us=self.now_us, ack=ack))
        self.tell_fills()
        return intent

    def arrive(self, intent: OrderIntent) -> RestingOrder:
        self.made += 1
        order = RestingOrder(intent, OrderId(f"v{self.made}"))
        self.venue[intent.client_order_id] = order
        return order

    def execute(self, intent: OrderIntent, quantity: int, *, tell: bool = True) -> Fill:
        order = self.venue[intent.client_order_id]
        order.filled += quantity
        order.is_open = order.filled < intent.quantity
        fill = Fill(
            fill_id=FillId(f"f{len(self.fills) + 1}"),
            order_id=order.order_id,
            ticker=intent.ticker,
            side=intent.side,
            price=intent.price,
            quantity=Quantity(quantity),
            fee=self.fee,
            is_taker=intent.reduce_only,
            executed_us=self.now_us,
        )
        self.fills.append(fill)
        own = intent.price if intent.side is BookSide.BID else 10_000 - intent.price
        held = self.position(intent.ticker)
        is_closing = intent.purpose is not Purpose.ENTRY
        gained = (10_000 - own) if is_closing else -own
        self.cash = Money(self.cash + gained * quantity - self.fee)
        self.positions[intent.ticker] = held + (
            quantity if intent.side is BookSide.BID else -quantity
        )
        if tell:
            self.tell_fills()
        return fill

    def position(self, ticker: MarketTicker = TICKER) -> int:
        return self.positions.get(ticker, 0)

    def tell_fills(self) -> None:
        for fill in self.fills[self.told :]:
            self.told += 1
            self.put(FillReported(received_us=self.now_us, fill=fill))

    def answer_cancels(self) -> None:
        """Every cancel asked for so far that the exchange has not seen."""
        for _, effects in self.journal[self.answered :]:
            for effect in effects:
                if isinstance(effect, CancelOrder):
                    self._cancel(effect)
        self.answered = len(self.journal)

    def answer_lookups(self) -> None:
        for _, effects in self.journal[self.looked :]:
            for effect in effects:
                if isinstance(effect, LookUpOrder):
                    self._look_up(effect.client_order_id)
                elif isinstance(effect, ReadFills):
                    self.told = 0
                    self.tell_fills()
        self.looked = len(self.journal)

    def _cancel(self, effect: CancelOrder) -> None:
        order = self.venue[effect.client_order_id]
        if not order.is_open:
            self.put(
                CancelUnsettled(
                    received_us=self.now_us,
                    client_order_id=effect.client_order_id,
                    reason="not_found",
                )
            )
            return
        left = order.intent.quantity - order.filled
        order.is_open = False
        self.put(
            CancelAcknowledged(
                received_us=self.now_us,
                client_order_id=effect.client_order_id,
                reduced_by=Quantity(left),
            )
        )

    def _look_up(self, mine: ClientOrderId) -> None:
        order = self.venue.get(mine)
        if order is None:
            self.put(OrderMissing(received_us=self.now_us, client_order_id=mine))
        else:
            self.put(OrderReported(received_us=self.now_us, order=order.listed()))

    def truth(self, **changes: object) -> ExchangeTruth:
        held = {
            ticker: self.position(ticker) + self.foreign_positions.get(ticker, 0)
            for ticker in {*self.positions, *self.foreign_positions}
        }
        truth = ExchangeTruth(
            positions=tuple(
                VenuePosition(
                    ticker=ticker,
                    exchange_index=0,
                    quantity=Quantity(quantity),
                    exposure=Money(abs(quantity) * 9_500),
                    realized=Money(0),
                    fees=Money(0),
                )
                for ticker, quantity in held.items()
                if quantity
            ),
            orders=tuple(order.listed() for order in self.venue.values()),
            fills=tuple(self.fills),
            settlements=tuple(self.settlements),
            balance=Balance(cash=self.cash, portfolio_value=Money(0), by_shard=((0, self.cash),)),
        )
        return replace(truth, **changes)  # type: ignore[arg-type]

    # --- shortcuts --------------------------------------------------------------------------

    def entries(self) -> tuple[OrderIntent, ...]:
        return tuple(one for one in self.store.intents.values() if one.purpose is Purpose.ENTRY)

    def bought(self, quantity: int | None = None) -> OrderIntent:
        """An entry is decided, rests and is filled; its take-profit is on its way."""
        self.quote()
        intent = self.accept()
        self.execute(intent, quantity if quantity is not None else intent.quantity)
        return intent

    def told_of(self, kind: NoticeKind) -> tuple[dict[str, str], ...]:
        return tuple(dict(notice.facts) for notice in self.store.notices if notice.kind is kind)

    def is_asking(self) -> bool:
        return any(isinstance(effect, ReadExchange) for effect in self.journal[-1][1])
