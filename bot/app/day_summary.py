"""The trading day that ended, told once: what it came to, and its curve as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.adapters.storage.cockpit import AccountPoint, SqlCockpitReads, StoredTrade
from bot.app.charting import curves
from bot.app.cockpit import result_of
from bot.app.drawing import Files
from bot.app.running import Running
from bot.console.amounts import counted, dollars, signed_dollars
from bot.console.chart_data import MoneyChart, Point
from bot.domain.alerts import AlertKind
from bot.domain.cockpit import NotDrawn, PeriodResult
from bot.domain.money import Money
from bot.domain.operations import BreakerView, GapsView, PositionView
from bot.domain.tradingday import NEW_YORK, day_start_us, trading_day
from bot.kit.times import HOUR_US, hour_key
from bot.ports.operator import Operator

_HALF_DAY_US = 12 * HOUR_US


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingDay:
    """One day of New York."""

    name: str
    begins_us: int
    ends_us: int

    def holds(self, at_us: int) -> bool:
        """Whether a moment is of this day."""
        return self.begins_us <= at_us < self.ends_us


def day_before(at_us: int) -> TradingDay:
    """The trading day that was over last."""
    ends_us = day_start_us(trading_day(at_us, NEW_YORK), NEW_YORK)
    # From the middle of a day: there are days of 23 and 25 hours.
    name = trading_day(ends_us - _HALF_DAY_US, NEW_YORK)
    return TradingDay(name=name, begins_us=day_start_us(name, NEW_YORK), ends_us=ends_us)


class DaySummary:
    """Tells a day. Told again, by whichever leader, it is not stored a second time."""

    def __init__(self, running: Running, operator: Operator) -> None:
        self._running = running
        self._operator = operator
        self._reads = SqlCockpitReads(running.parts.database, running.scope)
        self._files = Files(running.settings.collect.reports_dir / "chat")

    async def tell(self, slot_us: int) -> None:
        """Tell the trading day that was over at ``slot_us``.

        Raises:
            StorageUnavailable: its facts cannot be read.
        """
        day = day_before(slot_us)
        facts: dict[str, str | int] = {"trading_day": day.name}
        picture = None
        if self._running.settings.mode == "trade":
            found = await self._reads.trades(since_us=day.begins_us)
            trades = [one for one in reversed(found) if day.holds(one.view.closed_us)]
            facts |= trade_facts(
                result_of(trades, day.name, None),
                await self._operator.positions(),
                await self._operator.breakers(),
            )
            picture = await self._picture(day, trades)
        facts["collection"] = collection_line(await self._operator.gaps(), day)
        await self._running.alerts.tell(
            AlertKind.DAILY_SUMMARY, facts, once=f"day {day.name}", attachment=picture
        )

    async def _picture(self, day: TradingDay, trades: Sequence[StoredTrade]) -> str | None:
        """Where the day's curve lies; nothing where there is none, or it cannot be drawn."""
        account = [one for one in await self._reads.curve(day.begins_us) if day.holds(one.at_us)]
        chart = self._chart(day, trades, account)
        if chart is None:
            return None
        made = await self._files.picture("day", chart, self._running.clock.now_us())
        return str(made) if not isinstance(made, NotDrawn) else None

    def _chart(
        self, day: TradingDay, trades: Sequence[StoredTrade], account: Sequence[AccountPoint]
    ) -> MoneyChart | None:
        closed, marked = curves(trades, account, day.ends_us)
        if len(marked) < 2:  # noqa: PLR2004 - a line has two ends
            return None
        # What was open when the day began is no gain of this day.
        begun = (account[0].unrealized if account else 0) / 1_000_000
        settings = self._running.settings
        result = Money(sum(one.view.profit for one in trades))
        told = f"{counted(len(trades), 'closed trade')}, {signed_dollars(result)} after fees"
        return MoneyChart(
            title=f"{day.name}\n{told}",
            note=f"{settings.trading_mode.upper()}   trading day of New York, after fees",
            zone=settings.operator.zone.key,
            closed=closed,
            marked=tuple(Point(one.at_us, (one.value or 0.0) - begun) for one in marked),
        )


def trade_facts(
    result: PeriodResult, positions: Sequence[PositionView], breakers: Sequence[BreakerView]
) -> dict[str, str | int]:
    """What a day came to, and how things stand after it, in words."""
    judged = result.wins + result.losses
    tripped = ", ".join(one.name for one in breakers if one.is_tripped)
    return {
        "profit": signed_dollars(result.profit),
        "fees": dollars(result.fees),
        "trades": f"{counted(result.trades, 'trade')} closed, {result.wins} won, "
        f"{result.losses} lost",
        "win_rate": _percent(result.win_rate_e6) if judged else "none",
        "break_even": _percent(result.break_even_e6),
        "open": _held(positions),
        "breakers": f"tripped: {tripped}" if tripped else "none tripped",
    }


def collection_line(view: GapsView, day: TradingDay) -> str:
    """How many hours of the day were not collected."""
    if view.first_hour is None:
        return "nothing stored yet"
    hours = range(day.begins_us, day.ends_us, HOUR_US)
    missing = {hour_key(one) for one in hours} & set(view.missing)
    told = f"{counted(len(missing), 'hour')} missing" if missing else "no hour missing"
    is_more = len(view.missing) > len(missing)
    return f"{told}, {len(view.missing)} in all" if is_more else told


def _held(positions: Sequence[PositionView]) -> str:
    if not positions:
        return "nothing"
    known = [one.unrealized for one in positions if one.unrealized is not None]
    worth = f", {signed_dollars(Money(sum(known)))} unrealized" if known else ""
    return f"{counted(len(positions), 'position')}{worth}"


def _percent(rate_e6: int | None) -> str:
    return "none" if rate_e6 is None else f"{rate_e6 // 1_000 / 10:.1f} %"
