"""A trading floor for tests: one venue, a market or two, accounts with money, a ticking clock."""

from itertools import count

from bot.domain.ids import ClientOrderId, EventTicker, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, SelfTradePrevention, TimeInForce
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import VenueEvent
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderReceipt, OrderRequest
from bot.venue.results import Outcome, Refusal, RefusalCode
from bot.venue.settings import VenueSettings
from bot.venue.venue import Venue

M = MarketTicker("KXFOO-1")
E = EventTicker("KXFOO")
ANN, BOB, CAT = AccountId("ann"), AccountId("bob"), AccountId("cat")
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DOLLAR = 1_000_000
BID, ASK = BookSide.BID, BookSide.ASK
GTC = TimeInForce.GOOD_TILL_CANCELED
IOC = TimeInForce.IMMEDIATE_OR_CANCEL
FOK = TimeInForce.FILL_OR_KILL
TAKER_GIVES_WAY = SelfTradePrevention.TAKER_AT_CROSS
MAKER_GIVES_WAY = SelfTradePrevention.MAKER


def terms_of(ticker: str = M, **changes: object) -> MarketTerms:
    given: dict = {
        "ticker": MarketTicker(ticker),
        "event_ticker": E,
        "open_us": 0,
        "close_us": 10 * HOUR,
    }
    return MarketTerms(**(given | changes))


class Floor:
    """Every act takes a second. Prices in cents or 1e-4 dollars, sizes in contracts."""

    def __init__(self, *, dollars: int = 100, listed: bool = True, **settings: object) -> None:
        numbers = count(1)
        self.venue = Venue(new_id=lambda: f"id-{next(numbers)}", settings=VenueSettings(**settings))
        self.now_us = SECOND
        self.events: list[VenueEvent] = []
        if listed:
            self.keep(self.venue.operations.list_market(terms_of(), self.now_us))
        for account in (ANN, BOB, CAT):
            self.open(account, dollars=dollars)

    @property
    def reads(self):
        return self.venue.reads

    def open(self, account: AccountId, *, dollars: int = 100, **terms: object) -> None:
        self.keep(self.venue.open_account(AccountTerms(account=account, **terms), self.now_us))
        self.keep(self.venue.deposit(account, Money(dollars * DOLLAR), self.now_us))

    def keep(self, outcome: Outcome):
        """Remember the events and hand the result on."""
        self.events = list(outcome.events)
        return outcome.result

    def tick(self, us: int = SECOND) -> int:
        self.now_us += us
        return self.now_us

    def send(self, account: AccountId, request: OrderRequest) -> OrderReceipt | Refusal:
        return self.keep(self.venue.create_order(account, request, self.tick()))

    def order(
        self, account: AccountId, side: BookSide, cents: int, contracts: int = 1, **flags: object
    ) -> OrderReceipt:
        result = self.send(account, request_of(side, cents, contracts, **flags))
        assert isinstance(result, OrderReceipt), result
        return result

    def refused(
        self, account: AccountId, side: BookSide, cents: int, contracts: int = 1, **flags: object
    ) -> RefusalCode:
        result = self.send(account, request_of(side, cents, contracts, **flags))
        assert isinstance(result, Refusal), result
        return result.code

    def cancel(self, account: AccountId, order_id: OrderId):
        return self.keep(self.venue.cancel_order(account, order_id, self.tick()))

    def advance(self, us: int) -> list[VenueEvent]:
        self.events = list(self.venue.advance(self.tick(us)))
        return self.events

    def told(self, kind: type) -> list:
        """The events of one kind in the last act."""
        return [event for event in self.events if isinstance(event, kind)]

    def cash(self, account: AccountId, shard: int = 0) -> int:
        return self.reads.balance(account, shard).shards[0].cash

    def reserved(self, account: AccountId, shard: int = 0) -> int:
        return self.reads.balance(account, shard).shards[0].reserved

    def position(self, account: AccountId, ticker: str = M) -> int:
        found = self.reads.position(account, MarketTicker(ticker))
        return found.quantity if found else 0

    def book(self, ticker: str = M) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        book = self.reads.book(MarketTicker(ticker))
        return (
            [(level.price, level.quantity) for level in book.bids],
            [(level.price, level.quantity) for level in book.asks],
        )

    def group(self, account: AccountId, contracts: int) -> OrderGroupId:
        limit = Quantity(contracts * 100)
        return self.keep(self.venue.create_group(account, limit, self.tick())).order_group_id


def request_of(
    side: BookSide, cents: int, contracts: int = 1, *, client_id: str | None = None, **flags: object
) -> OrderRequest:
    given: dict = {
        "ticker": M,
        "side": side,
        "price": Price(cents * 100),
        "quantity": Quantity(contracts * 100),
        "client_order_id": ClientOrderId(client_id) if client_id else None,
    }
    return OrderRequest(**(given | flags))
