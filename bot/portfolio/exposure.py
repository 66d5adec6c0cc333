"""What could be lost, by market, event, series, release group and in all.

Markets of an exclusive event cannot all lose: its exposure is the worst outcome,
each market winning in turn, or none (a set need not be complete). Orders that
may still fill count with their whole cost and never as a hedge.
"""

from collections.abc import Iterable

import msgspec

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import PAYOUT, Money, Quantity, cost


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """What is at risk in one market. ``quantity`` above zero is YES, below is NO."""

    ticker: MarketTicker
    event: EventTicker
    series: SeriesTicker | None
    release_group: str
    is_exclusive: bool
    quantity: Quantity
    cost: Money
    pending: Money
    """Cost of orders that may still open more."""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """The most that can be lost around one market, and in all."""

    market: Money
    event: Money
    series: Money
    release_group: Money
    total: Money

    def with_order(self, order_cost: Money) -> "Exposure":
        """After one more order in that market: it counts whole, everywhere around it."""
        return Exposure(
            market=Money(self.market + order_cost),
            event=Money(self.event + order_cost),
            series=Money(self.series + order_cost),
            release_group=Money(self.release_group + order_cost),
            total=Money(self.total + order_cost),
        )


class Exposures:
    """Everything at risk, added up once for many questions."""

    def __init__(self, stakes: Iterable[Stake]) -> None:
        self.stakes = tuple(stakes)
        self._by_event = worst_by_event(self.stakes)
        self._total = _sum(self._by_event, set(self._by_event))
        self._by_series: dict[SeriesTicker | None, Money] = {}
        self._by_group: dict[str, Money] = {}
        for series in {stake.series for stake in self.stakes}:
            events = {stake.event for stake in self.stakes if stake.series == series}
            self._by_series[series] = _sum(self._by_event, events)
        for group in {stake.release_group for stake in self.stakes}:
            events = {stake.event for stake in self.stakes if stake.release_group == group}
            self._by_group[group] = _sum(self._by_event, events)

    def beside(
        self, event: EventTicker, series: SeriesTicker | None, release_group: str
    ) -> Exposure | None:
        """``exposure_around`` a market of an event in which nothing is at risk.

        ``None`` where something is.
        """
        if event in self._by_event:
            return None
        nothing = Money(0)
        return Exposure(
            market=nothing,
            event=nothing,
            series=self._by_series.get(series, nothing) if series else nothing,
            release_group=self._by_group.get(release_group, nothing) if release_group else nothing,
            total=self._total,
        )


def exposure_around(stakes: Iterable[Stake], target: Stake) -> Exposure:
    """Exposure of everything that contains ``target``, whose stake replaces an older one."""
    every = [stake for stake in stakes if stake.ticker != target.ticker]
    if not every:
        # One market alone can always lose all that was paid for it, exclusive or not.
        alone = Money(target.cost + target.pending)
        return Exposure(market=alone, event=alone, series=alone, release_group=alone, total=alone)
    every.append(target)
    by_event = worst_by_event(every)
    same_series = {stake.event for stake in every if stake.series == target.series}
    same_group = {stake.event for stake in every if stake.release_group == target.release_group}
    return Exposure(
        market=Money(target.cost + target.pending),
        event=by_event[target.event],
        series=_sum(by_event, same_series if target.series else {target.event}),
        release_group=_sum(by_event, same_group if target.release_group else {target.event}),
        total=_sum(by_event, set(by_event)),
    )


def total_exposure(stakes: Iterable[Stake]) -> Money:
    """The most that can be lost in all."""
    by_event = worst_by_event(stakes)
    return _sum(by_event, set(by_event))


def worst_by_event(stakes: Iterable[Stake]) -> dict[EventTicker, Money]:
    """The worst case of each event."""
    events: dict[EventTicker, list[Stake]] = {}
    for stake in stakes:
        events.setdefault(stake.event, []).append(stake)
    return {event: _worst_case(members) for event, members in events.items()}


def _worst_case(members: list[Stake]) -> Money:
    pending = sum(stake.pending for stake in members)
    paid = sum(stake.cost for stake in members)
    if not all(stake.is_exclusive for stake in members):
        return Money(paid + pending)
    outcomes = [None, *(stake.ticker for stake in members)]
    least_back = min(_payout(members, winner) for winner in outcomes)
    return Money(max(0, paid - least_back) + pending)


def _payout(members: list[Stake], winner: MarketTicker | None) -> int:
    """What comes back when this market is the one that wins."""
    return sum(
        cost(PAYOUT, Quantity(abs(stake.quantity)))
        for stake in members
        if stake.quantity and (stake.ticker == winner) == (stake.quantity > 0)
    )


def _sum(by_event: dict[EventTicker, Money], events: set[EventTicker]) -> Money:
    return Money(sum(by_event[event] for event in events))
