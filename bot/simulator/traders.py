"""The other side of a generated market: one market maker and the flow that meets it.

Both trade on house accounts. They act at drawn times, look at nothing but the
hidden probability and the book, and never remember a client.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bot.domain.errors import InvalidAmount
from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus, PriceGrid
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide, OrderStatus, TimeInForce
from bot.kit.times import MINUTE_US
from bot.simulator.exchange import Exchange
from bot.simulator.latent import Claim, Latent
from bot.venue.accounts import AccountId
from bot.venue.orders import OrderRequest

FLOW = AccountId("house-flow")

_ONE = 100
_CENT = 100
_FINE_STEP = 20
_EDGE = 900
_TRADE_SHARE = 0.4
_SWEEP_SHARE = 0.06
_PASSIVE_SHARE = 0.2
_RELEASE_PULL_US = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a market maker quotes one market. Sizes in contracts, widths in $0.0001."""

    half_spread: int
    size: int
    levels: int
    pace: int
    """How many times slower than a busy market."""
    sides: tuple[BookSide, ...] = (BookSide.BID, BookSide.ASK)


DEEP = Style(half_spread=20, size=3_000, levels=6, pace=1)
NORMAL = Style(half_spread=70, size=900, levels=5, pace=2)
THIN = Style(half_spread=250, size=60, levels=2, pace=8)
BIDS_ONLY = Style(half_spread=300, size=80, levels=2, pace=10, sides=(BookSide.BID,))
ASKS_ONLY = Style(half_spread=300, size=80, levels=2, pace=10, sides=(BookSide.ASK,))


def draw_style(rng: Random, *, is_busy: bool) -> Style:
    """Most busy markets are deep; the others are a mixture."""
    weights = (60, 30, 6, 2, 2) if is_busy else (5, 35, 40, 10, 10)
    return rng.choices((DEEP, NORMAL, THIN, BIDS_ONLY, ASKS_ONLY), weights)[0]


@dataclass(slots=True, kw_only=True, eq=False)
class Desk:
    """One market and those who trade it. Each market has a maker of its own."""

    ticker: MarketTicker
    maker: AccountId
    claim: Claim
    latent: Latent
    style: Style
    grid: PriceGrid
    close_us: int
    rng: Random

    def act(self, exchange: Exchange, now_us: int) -> None:
        """One act: somebody trades, or the maker looks at his quotes."""
        view = exchange.venue.reads.market(self.ticker)
        if view is None or view.status is not MarketStatus.ACTIVE:
            return
        self.latent.move(now_us)
        if self.rng.random() < _TRADE_SHARE:
            self._trade(exchange, now_us)
        else:
            self.quote(exchange, now_us)

    # The maker

    def quote(self, exchange: Exchange, now_us: int) -> None:
        """Move the maker's orders to where they belong."""
        wanted = dict(self._wanted(now_us))
        venue = exchange.venue
        held: dict[tuple[BookSide, Price], Quantity] = {}
        for order in list(venue.reads.orders(self.maker, status=OrderStatus.RESTING)):
            place = (order.side, order.price)
            if place in wanted:
                held[place] = Quantity(held.get(place, 0) + order.remaining)
            else:
                exchange.apply(venue.cancel_order(self.maker, order.order_id, now_us))
        for (side, price), quantity in wanted.items():
            missing = quantity - held.get((side, price), 0)
            if missing * 2 > quantity:
                self._place(exchange, side, price, Quantity(missing), now_us)

    def _place(
        self, exchange: Exchange, side: BookSide, price: Price, quantity: Quantity, now_us: int
    ) -> None:
        request = OrderRequest(ticker=self.ticker, side=side, price=price, quantity=quantity)
        exchange.apply(exchange.venue.create_order(self.maker, request, now_us))

    def _wanted(self, now_us: int) -> Iterator[tuple[tuple[BookSide, Price], Quantity]]:
        middle = round(self.latent.probability(self.claim) * PAYOUT)
        width = self.style.half_spread
        if self.close_us - now_us < _RELEASE_PULL_US:
            width *= 3
        for side in self.style.sides:
            price = self._best(side, middle, width)
            for level in range(self.style.levels):
                if price is None:
                    break
                yield (side, price), self._size(price, level)
                price = self._behind(side, price)

    def _best(self, side: BookSide, middle: int, width: int) -> Price | None:
        try:
            if side is BookSide.BID:
                price = self.grid.snap_down(Price(middle - width))
            else:
                price = self.grid.snap_up(Price(middle + width))
        except InvalidAmount:
            return None
        return price if self.grid.accepts(price) else None

    def _behind(self, side: BookSide, price: Price) -> Price | None:
        is_edge = price < _EDGE or price > PAYOUT - _EDGE
        step = _FINE_STEP if is_edge else _CENT
        try:
            if side is BookSide.BID:
                behind = self.grid.snap_down(Price(price - step))
            else:
                behind = self.grid.snap_up(Price(price + step))
        except InvalidAmount:
            return None
        return behind if self.grid.accepts(behind) and behind != price else None

    def _size(self, price: Price, level: int) -> Quantity:
        # Depends on the place only, so that quotes that need not move stay as they are.
        wobble = (price * 2_654_435_761 + level * 40_503) % 1_000
        contracts = self.style.size * (600 + wobble) // 1_000 * (level + 2) // 2
        return Quantity(max(1, contracts) * _ONE)

    # The flow

    def _trade(self, exchange: Exchange, now_us: int) -> None:
        side = self.rng.choice((BookSide.BID, BookSide.ASK))
        book = exchange.venue.reads.book(self.ticker, 1)
        if book is None:
            return
        mine, other = (book.bids, book.asks) if side is BookSide.BID else (book.asks, book.bids)
        contracts = min(5_000, max(1, round(self.rng.lognormvariate(3.2, 1.3))))
        if self.style.size < _ONE:
            contracts = min(contracts, 25)
        if self.rng.random() < _SWEEP_SHARE:
            contracts *= 6
        if mine and self.rng.random() < _PASSIVE_SHARE:
            self._join(exchange, side, mine[0].price, contracts, now_us)
        elif other:
            self._take(exchange, side, other[0].price, contracts, now_us)

    def _take(
        self, exchange: Exchange, side: BookSide, price: Price, contracts: int, now_us: int
    ) -> None:
        request = OrderRequest(
            ticker=self.ticker,
            side=side,
            price=price,
            quantity=Quantity(contracts * _ONE),
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        exchange.apply(exchange.venue.create_order(FLOW, request, now_us))

    def _join(
        self, exchange: Exchange, side: BookSide, price: Price, contracts: int, now_us: int
    ) -> None:
        request = OrderRequest(
            ticker=self.ticker,
            side=side,
            price=price,
            quantity=Quantity(contracts * _ONE),
            expires_us=now_us + MINUTE_US,
            post_only=True,
        )
        exchange.apply(exchange.venue.create_order(FLOW, request, now_us))
