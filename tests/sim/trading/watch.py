"""Looks at the account every second: whatever we hold is watched, offered and left in time."""

from collections import Counter
from collections.abc import Callable

from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide, OrderStatus, Purpose, own_price
from bot.execution.bracket import Bracket
from tests.sim.trading.floor import OURS, TICKERS, Floor
from tests.sim.trading.process import Process
from tests.sim.trading.store import SlowStore

WATCHED_S = 20
"""So long a position may be without a bracket while a bot leads and the market is open."""
OFFERED_S = 75
"""So long a take-profit may be missing: the venue cancelled it, both frames that say so were
lost, and the next comparison with the exchange finds it a minute later."""
STOPPED_S = 20
"""So long the best bid may stand at the stop or below it before the position is being left."""
KNOWN_S = 75
"""So long a fill may stay unheard: the venue numbers no message of the private channels, so one
that is lost for good shows with the next comparison."""
LEFT_S = 75
"""So long leaving may take in a market that buys everything: a lost answer may have to wait for
a comparison as well."""


class Watch:
    """Counts seconds of each fault and market; too many in a row break what was promised."""

    def __init__(self, floor: Floor, store: SlowStore) -> None:
        self._floor, self._store = floor, store
        self._lasting: Counter[tuple[str, MarketTicker]] = Counter()

    def look(self, leader: Process) -> None:
        """One second more. Without a leader nothing is promised, and counting begins anew."""
        if not leader.is_leading or self._store.is_away:
            self._lasting.clear()
            return
        self._judge_groups(leader)
        held, selling = self._floor.positions(), offered(self._floor, self._store)
        for ticker in TICKERS:
            quantity = held.get(ticker, 0)
            is_calm = self._floor.is_open(ticker) and not self._floor.is_by_hand(ticker)
            if not is_calm or not self._floor.ours[ticker] * quantity > 0:
                self._forget(ticker)
                continue
            bracket = leader.engine.world.desk.in_market(ticker)
            is_watched = bracket is not None and not bracket.orphan_reason
            is_told = bracket is None and self._is_told_as_theirs(leader, ticker, quantity)
            self._count("watched", ticker, WATCHED_S, is_so=is_watched or is_told)
            if bracket is not None and is_watched:
                self._judge(bracket, selling[ticker])
                is_known = bracket.held >= min(abs(self._floor.ours[ticker]), abs(quantity))
                # In which order a person's trades are heard decides whose contracts went.
                is_shared = self._floor.was_by_hand(ticker)
                self._count("known", ticker, KNOWN_S, is_so=is_known or is_shared)

    def _judge(self, bracket: Bracket, selling: int) -> None:
        ticker, is_leaving = bracket.plan.ticker, bracket.wants_out is not None
        is_offered = is_leaving or selling >= bracket.held
        self._count("offered", ticker, OFFERED_S, is_so=is_offered)
        is_stopped = bracket.held > 0 and not is_leaving and self._is_below_stop(bracket)
        self._count("stopped", ticker, STOPPED_S, is_so=not is_stopped)
        is_stuck = is_leaving and bracket.exit_floor is None and bracket.held > 0
        self._count("left", ticker, LEFT_S, is_so=not is_stuck)

    def _is_told_as_theirs(self, leader: Process, ticker: MarketTicker, quantity: int) -> bool:
        """In which order a person's trades are heard decides whose contracts are left.

        No more than they traded that way themselves, and they were told of it.
        """
        foreign = leader.engine.world.foreign
        side = BookSide.BID if quantity > 0 else BookSide.ASK
        is_theirs = abs(quantity) <= self._floor.by_hand[ticker, side]
        return is_theirs and (ticker in foreign.seen or ticker in foreign.acknowledged)

    def _judge_groups(self, leader: Process) -> None:
        """What a leadership shut itself, or its predecessor, is no group that the venue tripped."""
        tripped = [one.name for one in leader.engine.world.stance.breakers if one.is_tripped]
        if "order_group" in tripped and not self._floor.groups_tripped:
            self._floor.broken.append("groups: one of ours is taken for tripped by the venue")

    def _is_below_stop(self, bracket: Bracket) -> bool:
        side, stop = bracket.plan.side, bracket.plan.stop_price
        bid = self._floor.best_bid(bracket.plan.ticker, side)
        return stop is not None and bid is not None and bid <= own_price(side, stop)

    def _count(self, what: str, ticker: MarketTicker, limit_s: int, *, is_so: bool) -> None:
        if is_so:
            self._lasting.pop((what, ticker), None)
            return
        self._lasting[what, ticker] += 1
        if self._lasting[what, ticker] == limit_s:
            self._floor.broken.append(f"protection: {ticker} is not {what} for {limit_s} s")

    def _forget(self, ticker: MarketTicker) -> None:
        for key in [key for key in self._lasting if key[1] == ticker]:
            del self._lasting[key]


def resting(floor: Floor, store: SlowStore, is_it: Callable[[Purpose], bool]) -> Counter[str]:
    """Contracts that rest of our orders of a purpose, by market."""
    found, intents = Counter[str](), store.tables.intents
    for one in floor.venue.reads.orders(OURS, status=OrderStatus.RESTING):
        intent = intents.get(one.client_order_id)  # type: ignore[arg-type]
        if intent is not None and is_it(intent.purpose):
            found[one.ticker] += one.remaining
    return found


def offered(floor: Floor, store: SlowStore) -> Counter[str]:
    """What rests of ours to leave positions, by market."""
    return resting(floor, store, lambda purpose: purpose is not Purpose.ENTRY)
