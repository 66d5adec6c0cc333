"""The breakers' conditions: one reading each, judged against its limit.

Comparisons are inclusive. What is not known (no baseline yet, no balance) is
neither met nor good: it trips nothing and re-arms nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.money import Money, format_dollars
from bot.kit.times import SECOND_US
from bot.risk.limits import BASIS, share_of
from bot.risk.readings import BreakerLimits, Readings


@dataclass(frozen=True, slots=True)
class Reading:
    """One condition, judged. ``is_certain`` needs no confirmation."""

    is_met: bool
    value: str
    limit: str
    is_certain: bool = True
    is_known: bool = True


UNKNOWN = Reading(is_met=False, value="not known", limit="", is_known=False)

Judge = Callable[[Readings, BreakerLimits, int], Reading]
"""Readings, limits and the extra allowance (basis points) to a reading."""


def daily_loss(readings: Readings, limits: BreakerLimits, allowance_bp: int) -> Reading:
    """Loss of the day: realised at once, on paper when it lasts."""
    if readings.baseline is None:
        return UNKNOWN
    limit_bp = limits.daily_loss_bp + allowance_bp
    limit = Money(max(1, share_of(readings.baseline, limit_bp)))
    realized = Money(-readings.realized_today)
    marked = realized if readings.equity is None else Money(readings.baseline - readings.equity)
    worst = max(realized, marked)
    return Reading(
        is_met=worst >= limit,
        value=f"{_share(worst, readings.baseline)} ({format_dollars(Money(worst))})",
        limit=f"{_percent(limit_bp)} of {format_dollars(readings.baseline)}",
        is_certain=realized >= limit,
        is_known=readings.equity is not None or realized >= limit,
    )


def drawdown(readings: Readings, limits: BreakerLimits, allowance_bp: int) -> Reading:
    """Distance from the highest equity."""
    if readings.equity is None or readings.peak_equity <= 0:
        return UNKNOWN
    loss = Money(readings.peak_equity - readings.equity)
    limit_bp = limits.drawdown_bp + allowance_bp
    return Reading(
        is_met=loss >= max(1, share_of(readings.peak_equity, limit_bp)),
        value=_share(loss, readings.peak_equity),
        limit=f"{_percent(limit_bp)} of {format_dollars(readings.peak_equity)}",
        is_certain=False,
    )


def single_position_loss(readings: Readings, limits: BreakerLimits, allowance_bp: int) -> Reading:
    """The worst open position."""
    if readings.baseline is None or readings.equity is None:
        return UNKNOWN
    limit_bp = limits.position_loss_bp + allowance_bp
    loss = readings.worst_position_loss
    return Reading(
        is_met=loss >= max(1, share_of(readings.baseline, limit_bp)),
        value=_share(loss, readings.baseline),
        limit=_percent(limit_bp),
        is_certain=False,
    )


def consecutive_losses(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Losses in a row."""
    count = readings.loss_streak
    return Reading(count >= limits.losses_max, f"{count} losses", str(limits.losses_max))


def api_error_rate(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Share of failed calls, once there are enough of them."""
    calls, failed = readings.api_calls, readings.api_failed
    is_met = calls >= limits.api_calls_min and failed * BASIS >= calls * limits.api_error_bp
    value = f"{failed} of {calls} calls failed"
    return Reading(is_met, value, f"{_percent(limits.api_error_bp)} of {limits.api_calls_min}")


def websocket_silence(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Time without any frame."""
    seconds = readings.silence_us // SECOND_US
    is_met = readings.silence_us >= limits.silence_us
    return Reading(
        is_met, f"websocket silent for {seconds} s", f"{limits.silence_us // SECOND_US} s"
    )


def unknown_orders(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Orders nobody knows the fate of."""
    count = readings.unknown_orders
    return Reading(
        count >= limits.unknown_orders_max, f"{count} orders", str(limits.unknown_orders_max)
    )


def clock_skew(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Our clock against the exchange."""
    skew = abs(readings.clock_skew_us)
    return Reading(
        skew >= limits.clock_skew_us,
        f"{skew // 1_000} ms",
        f"{limits.clock_skew_us // 1_000} ms",
    )


def stale_books(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Share of watched books that are not trusted."""
    stale, watched = readings.stale_books, readings.watched_books
    is_met = stale >= limits.stale_books_min and stale * BASIS >= watched * limits.stale_books_bp
    return Reading(
        is_met, f"{stale} of {watched} books", _percent(limits.stale_books_bp), is_certain=False
    )


def rejected_orders(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Refusals in a row."""
    count = readings.rejections
    return Reading(count >= limits.rejections_max, f"{count} in a row", str(limits.rejections_max))


def flapping(readings: Readings, limits: BreakerLimits, _: int) -> Reading:
    """Unclean take-overs."""
    count = readings.takeovers
    return Reading(
        count >= limits.takeovers_max, f"{count} within an hour", str(limits.takeovers_max)
    )


def order_group(readings: Readings, _limits: BreakerLimits, _: int) -> Reading:
    """Order groups that tripped by themselves."""
    count = readings.groups_tripped
    return Reading(count > 0, f"{count} groups", "none may trip by itself")


def _share(loss: int, whole: Money) -> str:
    share_bp = loss * BASIS // whole if whole > 0 else 0
    sign = "-" if share_bp > 0 else ""
    return f"{sign}{_percent(abs(share_bp))}"


def _percent(share_bp: int) -> str:
    whole, rest = divmod(share_bp, 100)
    return f"{whole}.{rest:02d} %"
