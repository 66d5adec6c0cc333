"""Limits that a person may change while the bot runs: their names, units, and what is tighter.

Of every one of them less is tighter. The names are those of the configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from bot.domain.money import Money, format_dollars
from bot.risk.limits import RiskLimits
from bot.risk.readings import BreakerLimits

_DOLLAR_E6, _PERCENT_BP = 1_000_000, 100


class Unit(StrEnum):
    """What a limit is counted in."""

    DOLLARS = "dollars"
    PERCENT = "percent"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustable:
    """One limit."""

    name: str
    field: str
    unit: Unit
    help: str
    is_breaker: bool = False
    is_capped: bool = False
    """Whether it may not exceed the configuration: the exchange's fence was made for that."""


_WORDS = {
    Unit.DOLLARS: "an amount of dollars",
    Unit.PERCENT: "a percentage",
    Unit.COUNT: "a whole number",
}

ADJUSTABLE: Sequence[Adjustable] = (
    Adjustable(
        name="order_cost_max",
        field="order_cost_max_e6",
        unit=Unit.DOLLARS,
        help="what one order may cost",
        is_capped=True,
    ),
    Adjustable(
        name="market_max_pct",
        field="market_max_bp",
        unit=Unit.PERCENT,
        help="of equity, in one market",
    ),
    Adjustable(
        name="event_max_pct",
        field="event_max_bp",
        unit=Unit.PERCENT,
        help="of equity, in one event",
    ),
    Adjustable(
        name="series_max_pct",
        field="series_max_bp",
        unit=Unit.PERCENT,
        help="of equity, in one series",
    ),
    Adjustable(
        name="release_group_max_pct",
        field="release_group_max_bp",
        unit=Unit.PERCENT,
        help="of equity, on one release",
    ),
    Adjustable(
        name="total_max_pct", field="total_max_bp", unit=Unit.PERCENT, help="of equity, in all"
    ),
    Adjustable(
        name="max_concurrent",
        field="concurrent_max",
        unit=Unit.COUNT,
        help="positions at the same time",
    ),
    Adjustable(
        name="max_open_orders",
        field="open_orders_max",
        unit=Unit.COUNT,
        help="orders at the same time",
    ),
    Adjustable(
        name="max_entries_per_minute",
        field="entries_per_minute_max",
        unit=Unit.COUNT,
        help="entries in a minute",
    ),
    Adjustable(
        name="daily_loss_pct",
        field="daily_loss_bp",
        unit=Unit.PERCENT,
        help="of equity, lost in a day: then it trips",
        is_breaker=True,
    ),
    Adjustable(
        name="consecutive_losses",
        field="losses_max",
        unit=Unit.COUNT,
        help="losses in a row: then it trips",
        is_breaker=True,
    ),
)


def named(name: str) -> Adjustable | None:
    """The limit of this name."""
    return next((one for one in ADJUSTABLE if one.name == name), None)


def parsed(one: Adjustable, text: str) -> int:
    """What a person typed, in the limit's own integer.

    Raises:
        ValueError: it is no positive amount of this unit; the text says what is.
    """
    example = {Unit.DOLLARS: "25", Unit.PERCENT: "2.5", Unit.COUNT: "5"}[one.unit]
    wrong = ValueError(f"{one.name} is {_WORDS[one.unit]}, for example {example}")
    try:
        amount = Decimal(text.removeprefix("$").removesuffix("%"))
    except InvalidOperation:
        raise wrong from None
    scale = {Unit.DOLLARS: _DOLLAR_E6, Unit.PERCENT: _PERCENT_BP, Unit.COUNT: 1}[one.unit]
    if not amount.is_finite() or amount <= 0 or amount > _DOLLAR_E6 or amount * scale % 1:
        raise wrong
    return int(amount * scale)


def shown(one: Adjustable, value: int) -> str:
    """As a person reads it."""
    if one.unit is Unit.DOLLARS:
        return format_dollars(Money(value))
    if one.unit is Unit.PERCENT:
        return f"{value // _PERCENT_BP}.{value % _PERCENT_BP:02d} %"
    return str(value)


def value_in(one: Adjustable, limits: RiskLimits, breakers: BreakerLimits) -> int:
    """What holds in these settings."""
    value: int = getattr(breakers if one.is_breaker else limits, one.field)
    return value


def with_value(
    one: Adjustable, value: int, limits: RiskLimits, breakers: BreakerLimits
) -> tuple[RiskLimits, BreakerLimits]:
    """The settings with another value.

    Raises:
        ValueError: it contradicts the others; the text names the rule.
    """
    if one.is_breaker:
        return limits, replace(breakers, **{one.field: value})
    return replace(limits, **{one.field: value}), breakers


def all_values(
    values: Mapping[str, int], limits: RiskLimits, breakers: BreakerLimits
) -> tuple[RiskLimits, BreakerLimits]:
    """The settings with many other values at once; one that contradicts another is lowered."""
    chosen = {one.name: values.get(one.name, value_in(one, limits, breakers)) for one in ADJUSTABLE}
    chosen["event_max_pct"] = min(chosen["event_max_pct"], chosen["total_max_pct"])
    chosen["market_max_pct"] = min(chosen["market_max_pct"], chosen["event_max_pct"])
    chosen["daily_loss_pct"] = min(chosen["daily_loss_pct"], breakers.drawdown_bp)
    of_breakers = {one.field: chosen[one.name] for one in ADJUSTABLE if one.is_breaker}
    of_limits = {one.field: chosen[one.name] for one in ADJUSTABLE if not one.is_breaker}
    return replace(limits, **of_limits), replace(breakers, **of_breakers)
