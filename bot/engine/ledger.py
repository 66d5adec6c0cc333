"""The account as the engine keeps it: cash, positions, results, the day and its baseline.

Cash is the venue's last word plus what our fills have moved since. Positions
are folds of fills and of settlements, ours and foreign ones alike, because the
exchange nets them all together.
"""

from dataclasses import dataclass

from bot.domain.ids import FillId, MarketTicker
from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price
from bot.domain.orders import Fill
from bot.domain.records import BaselineRecord, SnapshotRecord, StoredState
from bot.engine.markets import Markets
from bot.portfolio.pnl import Mark, Result, entitled, liquidation
from bot.portfolio.positions import Position, cash_change, flat, folded, paid_out, restored

_RESULTS_MAX = 1_000
_UNKNOWN_FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)
"""For a position in a market we have no terms of: the usual taker's fee."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """Everything at what it would bring now, as far as anyone has told.

    One market without a present bid never hides the rest: it counts at its last mark.
    ``is_guessed``: a position counts at its cost, because no price of it was ever heard.
    """

    equity: Money
    unrealized: Money
    worst_loss: Money
    is_guessed: bool


class Ledger:
    """One account, one leadership."""

    def __init__(self) -> None:
        self.cash: Money | None = None
        self.positions: dict[MarketTicker, Position] = {}
        self.results: list[Result] = []
        self.baseline: BaselineRecord | None = None
        self.last_snapshot: SnapshotRecord | None = None
        self.peak_equity = Money(0)
        self._seen: set[FillId] = set()

    def load(self, state: StoredState) -> None:
        """What the store remembers. Results come from the brackets."""
        self.positions = {record.ticker: restored(record) for record in state.positions}
        self._seen = {fill.fill_id for fill in state.recent_fills}
        self.baseline = state.baseline
        self.last_snapshot = state.last_snapshot
        self.peak_equity = state.peak_equity

    def balance_read(self, cash: Money, transferred: Money) -> None:
        """The venue's word. Deposits and withdrawals move what losses are measured from."""
        self.cash = cash
        if transferred and self.baseline is not None:
            self.baseline = BaselineRecord(
                trading_day=self.baseline.trading_day,
                equity=Money(self.baseline.equity + transferred),
                taken_us=self.baseline.taken_us,
            )
        self.peak_equity = Money(max(0, self.peak_equity + transferred))

    def has_seen(self, fill_id: FillId) -> bool:
        """Whether this execution is already in the positions."""
        return fill_id in self._seen

    def fold(self, fill: Fill) -> Position:
        """Book one execution, never seen before."""
        assert fill.fill_id not in self._seen
        self._seen.add(fill.fill_id)
        return self._replace(folded(self.position(fill.ticker), fill))

    def pay_out(self, ticker: MarketTicker, value: Price, now_us: int) -> Position:
        """Book a settlement; a second one finds nothing left to pay."""
        return self._replace(paid_out(self.position(ticker), value, now_us))

    def adopt(self, position: Position) -> None:
        """Take the venue's word for a position. Cash comes from the venue as well."""
        self.positions[position.ticker] = position

    def position(self, ticker: MarketTicker) -> Position:
        """The position in a market, flat where there is none."""
        return self.positions.get(ticker) or flat(ticker)

    def open_positions(self) -> tuple[Position, ...]:
        """Those with contracts."""
        return tuple(position for position in self.positions.values() if position.quantity)

    def closed(self, result: Result) -> None:
        """One more result."""
        self.results.append(result)
        del self.results[:-_RESULTS_MAX]

    def results_since(self, start_us: int) -> tuple[Result, ...]:
        """Results closed at or after this moment, oldest first."""
        return tuple(result for result in self.results if result.closed_us >= start_us)

    def value(self, markets: Markets, now_us: int) -> Valuation | None:
        """What everything would bring now; ``None`` until the cash is known."""
        if self.cash is None:
            return None
        marks = [
            (position, self._mark(position, markets, now_us)) for position in self.open_positions()
        ]
        gains = [mark.value - position.cost for position, mark in marks]
        return Valuation(
            equity=Money(self.cash + sum(mark.value for _, mark in marks)),
            unrealized=Money(sum(gains)),
            worst_loss=Money(max((-gain for gain in gains), default=0)),
            is_guessed=any(mark.is_guessed for _, mark in marks),
        )

    def _mark(self, position: Position, markets: Markets, now_us: int) -> Mark:
        market = markets.get(position.ticker)
        if market is None:
            return liquidation(position, None, _UNKNOWN_FEES, is_live=False)
        if market.value is not None:
            return entitled(position, market.value)
        is_live = market.is_trusted and market.is_open(now_us)
        quote = market.quote if is_live else market.mark
        return liquidation(position, quote, market.listing.fees, is_live=is_live)

    def _replace(self, after: Position) -> Position:
        before = self.position(after.ticker)
        self.positions[after.ticker] = after
        if self.cash is not None:
            self.cash = Money(self.cash + cash_change(before, after))
        return after
