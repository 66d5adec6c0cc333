"""The account as the engine keeps it: cash, positions, results, the day and its baseline.

Cash is the venue's last word plus what our fills have moved since. What neither fills
nor fees nor payouts explain was paid in or out, and is no gain and no loss. Positions
are folds of fills and of settlements, ours and foreign ones alike, because the
exchange nets them all together.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.errors import InvariantBroken
from bot.domain.ids import FillId, MarketTicker
from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price
from bot.domain.orders import Fill, Purpose
from bot.domain.records import BaselineRecord, BreakerRecord, SnapshotRecord, StoredState
from bot.engine.markets import Markets
from bot.portfolio.pnl import Mark, Result, entitled, liquidation
from bot.portfolio.positions import Position, cash_change, flat, folded, paid_out, restored

PEAK = "peak_equity"
"""Kept beside the breakers."""
_RESULTS_MAX = 1_000
_ROUNDING = Money(1_000_000)
"""A dollar: the venue rounds, and nobody's limits depend on less."""
_RESERVED_FEE_PART = 20
"""A fee may be set aside with an order: never more than this part of its cost."""
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
        self.cash_by_shard: Mapping[int, Money] = {}
        """As the venue stated it last; empty where the account has one pot."""
        self.positions: dict[MarketTicker, Position] = {}
        self.results: list[Result] = []
        self.baseline: BaselineRecord | None = None
        self.last_snapshot: SnapshotRecord | None = None
        self.peak_equity = Money(0)
        self.unexplained = Money(0)
        """Cash of the last read that no fill, fee or payout accounts for. Until
        another read says whether it stays it is neither a gain nor a loss."""
        self._booked: Money | None = None
        """The cash as far as what we know explains it."""
        self._seen: set[FillId] = set()

    def load(self, state: StoredState) -> None:
        """What the store remembers. Results come from the brackets."""
        self.positions = {record.ticker: restored(record) for record in state.positions}
        self._seen = {fill.fill_id for fill in state.recent_fills}
        self.baseline = state.baseline
        self.last_snapshot = state.last_snapshot
        self.peak_equity = state.peak_equity
        self._booked = _cash_of_a_quiet_account(state)

    def explain_all(self, stated: Money) -> None:
        """Cash and positions were both taken as the venue states them: nothing is left over."""
        self._booked, self.unexplained = stated, Money(0)

    def transferred(self, stated: Money, reserved: Money) -> Money:
        """Deposits less withdrawals that the venue's cash shows; they move what losses count from.

        The venue does not say whether its cash is without what resting orders may cost
        (``reserved``), so anything between is explained. A difference counts once a second
        read shows it alike: a fill may be in the cash before we hear of it.
        """
        if self._booked is None:
            self._booked = stated
        highest = Money(stated + reserved + reserved // _RESERVED_FEE_PART)
        gap = Money(stated - self._booked if self._booked < stated else 0)
        if self._booked > highest:
            gap = Money(highest - self._booked)
        if abs(gap) <= _ROUNDING:
            self._booked = Money(self._booked + gap)
            self.unexplained = Money(0)
            return Money(0)
        if abs(gap - self.unexplained) > _ROUNDING:
            self.unexplained = gap
            return Money(0)
        self._booked, self.unexplained = Money(self._booked + gap), Money(0)
        self._move(gap)
        return gap

    def _move(self, transfer: Money) -> None:
        self.peak_equity = Money(max(0, self.peak_equity + transfer))
        if self.baseline is not None:
            equity = Money(self.baseline.equity + transfer)
            self.baseline = replace(self.baseline, equity=equity)

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

    def holds(self, ticker: MarketTicker) -> bool:
        """Whether there are contracts in this market."""
        position = self.positions.get(ticker)
        return position is not None and bool(position.quantity)

    def open_positions(self) -> tuple[Position, ...]:
        """Those with contracts."""
        return tuple([position for position in self.positions.values() if position.quantity])

    def closed(self, result: Result) -> None:
        """One more result, or a bracket's result anew after it was reopened by a late fill."""
        self.results = [one for one in self.results if one.bracket_id != result.bracket_id]
        self.results.append(result)
        del self.results[:-_RESULTS_MAX]

    def results_since(self, start_us: int) -> tuple[Result, ...]:
        """Results closed at or after this moment, oldest first."""
        return tuple(result for result in self.results if result.closed_us >= start_us)

    def value(self, markets: Markets, now_us: int) -> Valuation | None:
        """What everything would bring now; ``None`` until the cash is known."""
        if self.cash is None:
            return None
        held = self.open_positions()
        if not held:
            equity = Money(self.cash - self.unexplained)
            return Valuation(
                equity=equity, unrealized=Money(0), worst_loss=Money(0), is_guessed=False
            )
        marks = [(position, self.mark(position, markets, now_us)) for position in held]
        gains = [mark.value - position.cost for position, mark in marks]
        return Valuation(
            equity=Money(self.cash - self.unexplained + sum(mark.value for _, mark in marks)),
            unrealized=Money(sum(gains)),
            worst_loss=Money(max((-gain for gain in gains), default=0)),
            is_guessed=any(mark.is_guessed for _, mark in marks),
        )

    def mark(self, position: Position, markets: Markets, now_us: int) -> Mark:
        """What selling a position now would bring, after the fee of selling."""
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
        if self._booked is not None:
            self._booked = Money(self._booked + cash_change(before, after))
        return after


def _cash_of_a_quiet_account(state: StoredState) -> Money | None:
    """The cash of the last snapshot, when nothing that moves cash was stored after it."""
    snapshot = state.last_snapshot
    if snapshot is None or len(state.positions) != snapshot.open_positions:
        return None
    entries = [one.progress for one in state.orders if one.intent.purpose is Purpose.ENTRY]
    moved_us = [
        *(fill.executed_us for fill in state.recent_fills),
        *(position.updated_us for position in state.positions),
        *(bracket.updated_us for bracket in state.brackets),
        *(entry.updated_us for entry in entries),
    ]
    is_resting = any(not entry.status.is_final for entry in entries)
    is_quiet = max(moved_us, default=0) <= snapshot.taken_us and not is_resting
    return snapshot.cash if is_quiet else None


def peak_record(peak: Money, now_us: int) -> BreakerRecord:
    """The highest equity, corrected by transfers: the highest snapshot alone does not know them."""
    return BreakerRecord(
        name=PEAK,
        tripped=False,
        reason="",
        data_json=json.dumps({"equity_e6": peak}),
        changed_us=now_us,
    )


def peak_of(record: BreakerRecord) -> Money:
    """Read it back.

    Raises:
        InvariantBroken: it cannot be read.
    """
    try:
        return Money(int(json.loads(record.data_json)["equity_e6"]))
    except (ValueError, KeyError, TypeError) as fault:
        raise InvariantBroken(f"stored peak equity cannot be read: {fault}") from fault
