"""What positions are worth now, and how the closed ones went.

Equity counts a position at what it could be sold for at once: best bid of the
held side less the taker's fee. That is the number losses are judged by. A win
rate says nothing by itself (a favourite bought at 95 cents wins 95 times in 100
and loses money), so it always comes with the rate that would break even.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.fees import estimate_fee
from bot.domain.ids import BracketId
from bot.domain.market import FeeTerms
from bot.domain.money import PAYOUT, Money, Price, Quantity, cost
from bot.domain.orders import BookSide, own_price
from bot.domain.quotes import Quote
from bot.domain.signals import MILLION
from bot.portfolio.positions import Position

SCRATCH = Price(50)
"""Half a cent a contract: a result within it is neither won nor lost."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a position would bring now.

    ``is_stale``: from an old bid, not a present one. ``is_guessed``: nobody has told any
    price yet, and the cost stands in.
    """

    value: Money
    is_stale: bool
    is_guessed: bool = False


def liquidation(position: Position, quote: Quote | None, fees: FeeTerms, *, is_live: bool) -> Mark:
    """Best bid of the held side less the taker's fee; nobody bidding is worth nothing.

    ``is_live`` false (book distrusted, market closed and not yet settled): the
    last quote is used and the mark says so. Without any quote the cost stands in.
    """
    if not position.quantity:
        return Mark(Money(0), is_stale=False)
    if quote is None:
        return Mark(position.cost, is_stale=True, is_guessed=True)
    bid = _own_bid(position, quote)
    if bid is None:
        return Mark(Money(0), is_stale=not is_live)
    fee = estimate_fee(fees, bid, position.size, is_taker=True)
    return Mark(Money(max(0, cost(bid, position.size) - fee)), is_stale=not is_live)


def entitled(position: Position, value: Price) -> Mark:
    """A determined market is worth what it will pay, whatever its last bid was."""
    return Mark(cost(own_price(position.side, value), position.size), is_stale=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One closed position, after fees. A late fill gives its bracket another, better one."""

    bracket_id: BracketId
    contracts: Quantity
    cost: Money
    fees: Money
    profit: Money
    closed_us: int

    @property
    def is_win(self) -> bool:
        """Earned more than a scratch."""
        return self.profit > cost(SCRATCH, self.contracts)

    @property
    def is_loss(self) -> bool:
        """Lost more than a scratch; breaking even is not a loss."""
        return self.profit < -cost(SCRATCH, self.contracts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Results in sum. Rates are millionths; ``None`` without any result."""

    trades: int
    wins: int
    losses: int
    profit: Money
    fees: Money
    win_rate_e6: int | None
    break_even_e6: int | None
    """The win rate at which these positions, held to settlement, would earn nothing."""


def tally(results: Iterable[Result]) -> Tally:
    """Count results."""
    every = list(results)
    wins = sum(result.is_win for result in every)
    losses = sum(result.is_loss for result in every)
    contracts = sum(result.contracts for result in every)
    paid = sum(result.cost + result.fees for result in every)
    judged = wins + losses
    return Tally(
        trades=len(every),
        wins=wins,
        losses=losses,
        profit=Money(sum(result.profit for result in every)),
        fees=Money(sum(result.fees for result in every)),
        win_rate_e6=wins * MILLION // judged if judged else None,
        break_even_e6=paid * MILLION // (contracts * PAYOUT) if contracts else None,
    )


def loss_streak(results: Iterable[Result], streak: int = 0) -> int:
    """Losses in a row at the end, oldest result first, continuing ``streak``. Scratches pass by."""
    for result in results:
        if result.is_loss:
            streak += 1
        elif result.is_win:
            streak = 0
    return streak


def _own_bid(position: Position, quote: Quote) -> Price | None:
    price = quote.bid if position.side is BookSide.BID else quote.ask
    return own_price(position.side, price) if price is not None else None
