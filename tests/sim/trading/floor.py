"""The exchange of a storm: the pure venue, a house that quotes, a crowd, a person on our account.

It knows the truth. Whatever an order or a fill must never do is noticed here, at once.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from bot.domain.ids import MarketTicker, OrderGroupId, OrderId
from bot.domain.listing import Listing
from bot.domain.market import MarketStatus
from bot.domain.money import Money, Price, Quantity, complement
from bot.domain.orders import BookSide, OrderIntent, OrderStatus, Purpose, TimeInForce
from bot.kit.clock import Clock
from bot.kit.times import HOUR_US, SECOND_US
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import GroupChanged, OrderChanged, OwnFill, VenueEvent
from bot.venue.groups import GroupChange
from bot.venue.markets import MarketResult, MarketTerms
from bot.venue.orders import OrderReceipt, OrderRequest, OrderView
from bot.venue.results import Outcome, Refusal
from bot.venue.venue import Venue
from tests.fakes.trading import MemoryTradingStore
from tests.sim.trading.approvals import ApprovalJudge
from tests.support.trading import a_listing

OURS, HOUSE, CROWD = AccountId("ours"), AccountId("house"), AccountId("crowd")
TICKERS = tuple(MarketTicker(f"KXSIM{nth}-26DEC-T1") for nth in range(4))
_SIZE = 2_000_000
_BEFORE_STORM_US = HOUR_US
_PERSON_WINDOW_US = 75 * SECOND_US
"""A fill of a person's that the stream lost is known by the next reconciliation at the latest."""

T = TypeVar("T")


class Floor:
    """One venue; ``heard`` is told of everything that happens there."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        store: MemoryTradingStore,
        approvals: ApprovalJudge,
    ) -> None:
        self.approvals = approvals
        self.broken: list[str] = []
        self.happened: Counter[str] = Counter()
        self.fenced_epoch = 0
        """Since this epoch fenced its predecessors, no entry of theirs may be taken."""
        self.ours: Counter[MarketTicker] = Counter()
        """What our own orders have bought and not sold: signed contracts."""
        self.by_hand: Counter[tuple[MarketTicker, BookSide]] = Counter()
        """What a person bought (``BID``) and sold there in all."""
        self.heard: Callable[[VenueEvent], None] = lambda _: None
        self.groups_tripped = 0
        """Groups that the venue cancelled on their limit."""
        self.groups_shut: set[OrderGroupId] = set()
        """Groups that the bot asked to trigger."""
        self.silent: set[str] = set()
        """Orders of ours that the stream tells nothing of: only asking finds them."""
        self._clock, self._random, self._store = clock, random, store
        self._issued = 0
        self._bids = {ticker: random.randrange(6_000, 9_400, 100) for ticker in TICKERS}
        self._signals: set[str] = set()
        self._quoted: dict[MarketTicker, list[OrderId]] = {}
        self._person_us: dict[MarketTicker, int] = {}
        self.venue = Venue(new_id=self._new_id)
        for account in (OURS, HOUSE, CROWD):
            is_ours = account == OURS
            terms = AccountTerms(account=account, checks_funds=is_ours, keeps_records=is_ours)
            self.do(self.venue.open_account(terms, clock.now_us()))
        self.do(self.venue.deposit(OURS, Money(10_000_000_000), clock.now_us()))
        for ticker in TICKERS:
            self._list(ticker)

    # --- doing ------------------------------------------------------------------------------

    def do(self, outcome: Outcome[T]) -> T | Refusal:
        """Let an act on the venue be known."""
        for event in outcome.events:
            if isinstance(event, OwnFill) and event.account == OURS:
                self._judge_fill(event)
            if isinstance(event, GroupChanged) and event.change is GroupChange.TRIGGERED:
                self.groups_tripped += event.order_group_id not in self.groups_shut
            if not self._is_silent(event):
                self.heard(event)
        return outcome.result

    def _is_silent(self, event: VenueEvent) -> bool:
        match event:
            case OwnFill():
                return event.client_order_id in self.silent
            case OrderChanged():
                return event.order.client_order_id in self.silent
            case _:
                return False

    def now_us(self) -> int:
        """The venue's time is everybody's."""
        return self._clock.now_us()

    def pass_time(self) -> None:
        """Whatever is due at the venue happens."""
        self.do(Outcome(None, self.venue.advance(self._clock.now_us())))

    def move(self, ticker: MarketTicker) -> None:
        """A market breathes: other prices, somebody sells, somebody buys."""
        random, now_us = self._random, self._clock.now_us()
        step = random.choice((-300, -100, -100, 0, 0, 100, 100, 300, -1_500))
        self._bids[ticker] = min(max(self._bids[ticker] + step, 3_000), 9_500)
        if random.random() < 0.7:
            self._trade(CROWD, ticker, random.choice(tuple(BookSide)), random.randint(1, 4_000))
        for order_id in self._quoted.pop(ticker, ()):
            self.do(self.venue.cancel_order(HOUSE, order_id, now_us))
        self._quote(ticker)

    def trade_by_hand(self, ticker: MarketTicker) -> None:
        """A person trades on our account: buys more, or sells of what is held."""
        side = self._random.choice(tuple(BookSide))
        self._person_us[ticker] = self._clock.now_us()
        self._trade(OURS, ticker, side, self._random.randint(100, 2_000))
        self._person_us[ticker] = self._clock.now_us()
        self.happened["trades by hand"] += 1

    def settle(self, ticker: MarketTicker) -> None:
        """A market closes early and is decided."""
        result = self._random.choice((MarketResult.YES, MarketResult.NO))
        self.do(self.venue.operations.determine(ticker, result, self._clock.now_us()))
        self.happened["settlements"] += 1

    def switch(self, *, is_active: bool) -> None:
        """Trading stops or goes on everywhere."""
        operations, now_us = self.venue.operations, self._clock.now_us()
        self.do(operations.set_trading_active(now_us, is_active=is_active))

    def take(self, intent: OrderIntent, request: OrderRequest) -> object:
        """An order of the bot's arrives; the venue's answer. Judged if it is accepted."""
        # A market is bid in once: a lost answer freezes it until the order is found.
        others = self._resting(intent.ticker, Purpose.ENTRY)
        result = self.do(self.venue.create_order(OURS, request, self._clock.now_us()))
        if isinstance(result, Refusal):
            self.happened["orders refused"] += 1
            return result
        if others and intent.purpose is Purpose.ENTRY:
            self.broken.append(f"twice: entry {intent.client_order_id} while one rests")
        self.happened["orders taken"] += 1
        self._judge_order(intent)
        self._judge_offer(intent)
        return result

    # --- truth ------------------------------------------------------------------------------

    def positions(self) -> dict[MarketTicker, int]:
        """What the account holds."""
        every = self.venue.reads.positions(OURS)
        return {one.ticker: int(one.quantity) for one in every if one.quantity}

    def listings(self) -> tuple[Listing, ...]:
        """The markets as a listing shows them now."""
        return tuple(self._listing(ticker) for ticker in TICKERS)

    def is_open(self, ticker: MarketTicker) -> bool:
        """Whether orders can be filled there."""
        view = self.venue.reads.market(ticker)
        assert view is not None
        return view.status is MarketStatus.ACTIVE and self.venue.reads.is_trading_active()

    def best_bid(self, ticker: MarketTicker, side: BookSide) -> Price | None:
        """What others pay now for YES (``BID``) or NO."""
        view = self.venue.reads.market(ticker)
        assert view is not None
        if side is BookSide.BID:
            return view.yes_bid
        return None if view.yes_ask is None else complement(view.yes_ask)

    def is_by_hand(self, ticker: MarketTicker) -> bool:
        """Whether a person has just traded there, so that we may not know yet."""
        at_us = self._person_us.get(ticker)
        return at_us is not None and self._clock.now_us() - at_us < _PERSON_WINDOW_US

    def was_by_hand(self, ticker: MarketTicker) -> bool:
        """Whether a person ever traded there."""
        return ticker in self._person_us

    def _listing(self, ticker: MarketTicker) -> Listing:
        view = self.venue.reads.market(ticker)
        assert view is not None
        return a_listing(
            ticker,
            status=view.status,
            close_us=view.close_us,
            yes_bid=view.yes_bid,
            yes_ask=view.yes_ask,
            settlement_value=view.settlement_value,
            result=str(view.result or ""),
        )

    # --- judging ----------------------------------------------------------------------------

    def _resting(self, ticker: MarketTicker, purpose: Purpose) -> list[OrderView]:
        """Orders of ours that rest."""
        every = self.venue.reads.orders(OURS, ticker=ticker, status=OrderStatus.RESTING)
        intents = self._store.tables.intents
        return [
            one
            for one in every
            if (mine := one.client_order_id) in intents and intents[mine].purpose is purpose  # type: ignore[index]
        ]

    def _judge_order(self, intent: OrderIntent) -> None:
        mine = intent.client_order_id
        if mine not in self._store.tables.intents:
            self.broken.append(f"I6 {mine} was taken and is not stored")
        if intent.purpose is not Purpose.ENTRY:
            return
        if intent.signal_id in self._signals:
            self.broken.append(f"I5 a second order of signal {intent.signal_id} was taken")
        self._signals.add(str(intent.signal_id))
        if intent.epoch < self.fenced_epoch:
            self.broken.append(f"I4 entry {mine} of epoch {intent.epoch} was taken, fenced")
        if wrong := self.approvals.verdict(intent):
            self.broken.append(wrong)

    def _judge_offer(self, intent: OrderIntent) -> None:
        """What rests to take a profit is never more than what is held, not for a moment."""
        ticker = intent.ticker
        if intent.purpose is not Purpose.TAKE_PROFIT or self.is_by_hand(ticker):
            return
        resting = self._resting(ticker, Purpose.TAKE_PROFIT)
        offered, held = sum(one.remaining for one in resting), abs(self.positions().get(ticker, 0))
        if offered > held:
            self.broken.append(f"sign: {offered} of {ticker} are for sale, held are {held}")

    def judge_departure(self, intent: OrderIntent) -> None:
        """An order leaves the process."""
        stored = self._store.stored_halt
        if intent.purpose is Purpose.ENTRY and stored is not None and stored.halted:
            self.broken.append(f"I10 entry {intent.client_order_id} left after a saved halt")

    def _judge_fill(self, event: OwnFill) -> None:
        self.happened["fills"] += 1
        intent = self._store.tables.intents.get(event.client_order_id or "")  # type: ignore[call-overload]
        after = event.post_position
        signed = event.fill.quantity if event.fill.side is BookSide.BID else -event.fill.quantity
        before = after - signed
        is_entry = intent is not None and intent.purpose is Purpose.ENTRY
        if intent is None:
            self.by_hand[event.fill.ticker, event.fill.side] += event.fill.quantity
        self._count_ours(event.fill.ticker, signed, after, is_entry=is_entry)
        if intent is None or intent.purpose is Purpose.ENTRY or self.is_by_hand(event.fill.ticker):
            return
        if before * after < 0 or abs(after) > abs(before):
            self.broken.append(f"sign: an exit took {event.fill.ticker} from {before} to {after}")

    def _count_ours(self, ticker: MarketTicker, signed: int, after: int, *, is_entry: bool) -> None:
        """What a person sold of it is not ours any more, also when they buy it back.

        Nor is what they had sold before we bought: the account holds that much less. Where a
        person's sale and our resting take-profit meet, one of them goes through zero: no order
        that rests can be told to reduce only. What is held then is not ours to protect.
        """
        ours = self.ours[ticker]
        if is_entry:
            self.ours[ticker] = ours + signed
        elif ours * signed < 0:
            self.ours[ticker] = ours + signed if abs(signed) < abs(ours) else 0
        lowest, highest = min(0, after), max(0, after)
        self.ours[ticker] = min(highest, max(lowest, self.ours[ticker]))

    # --- the market -------------------------------------------------------------------------

    def _new_id(self) -> str:
        self._issued += 1
        return f"v{self._issued}"

    def _list(self, ticker: MarketTicker) -> None:
        now_us, listing = self._clock.now_us(), a_listing(ticker)
        terms = MarketTerms(
            ticker=ticker,
            event_ticker=listing.market.event_ticker,
            open_us=now_us - _BEFORE_STORM_US,
            close_us=listing.market.close_us,
            fees=listing.fees,
            settlement_timer_us=5 * SECOND_US,
        )
        self.do(self.venue.operations.list_market(terms, now_us))
        self._quote(ticker)

    def _quote(self, ticker: MarketTicker) -> None:
        bid = self._bids[ticker]
        for side, price in ((BookSide.BID, bid), (BookSide.ASK, bid + 200)):
            request = OrderRequest(
                ticker=ticker, side=side, price=Price(price), quantity=Quantity(_SIZE)
            )
            made = self.do(self.venue.create_order(HOUSE, request, self._clock.now_us()))
            if isinstance(made, OrderReceipt):
                self._quoted.setdefault(ticker, []).append(made.order_id)

    def _trade(self, account: AccountId, ticker: MarketTicker, side: BookSide, size: int) -> None:
        request = OrderRequest(
            ticker=ticker,
            side=side,
            price=Price(9_900 if side is BookSide.BID else 100),
            quantity=Quantity(size),
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        if account == CROWD:
            # Not through the whole book: where our own orders stand best, they are filled.
            bid = self._bids[ticker]
            price = bid + 200 if side is BookSide.BID else bid
            request = replace(request, price=Price(price))
        self.do(self.venue.create_order(account, request, self._clock.now_us()))
