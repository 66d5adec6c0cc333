"""Whether the clocks agree well enough to start: ours, the database's, the exchange's. Pure.

Seconds are the breaker's business while the bot runs. A start looks for minutes:
a wrong time zone typed into the clock, a battery, a machine that slept. Who
leads never depends on a clock of the wall; hours, trading days and signatures do.
"""

from dataclasses import dataclass

_SECOND_US = 1_000_000
OFF_US = 60 * _SECOND_US
"""From here on a start is refused."""
_FIX = "switch time synchronisation on (`timedatectl set-ntp true`), then start again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFault:
    """A clock that is minutes off. ``is_ours`` keeps the bot from starting."""

    is_ours: bool
    told: str


def judge_clocks(*, database_ahead_us: int, exchange_ahead_us: int | None) -> ClockFault | None:
    """The exchange is the judge; ``None`` where it could not be asked.

    Amounts say by how much the other clock is ahead of ours for sure.
    """
    if exchange_ahead_us is not None and abs(exchange_ahead_us) >= OFF_US:
        return ClockFault(is_ours=True, told=_ours("exchange", exchange_ahead_us))
    if abs(database_ahead_us) < OFF_US:
        return None
    if exchange_ahead_us is None:
        return ClockFault(is_ours=True, told=_ours("database", database_ahead_us))
    side = "ahead of" if database_ahead_us > 0 else "behind"
    seconds = abs(database_ahead_us) // _SECOND_US
    told = f"the database's clock is {seconds} s {side} ours and the exchange's; mend it there"
    return ClockFault(is_ours=False, told=told)


def _ours(other: str, ahead_us: int) -> str:
    side = "behind" if ahead_us > 0 else "ahead of"
    seconds = abs(ahead_us) // _SECOND_US
    return f"clock: this machine is {seconds} s {side} the {other}'s clock; {_FIX}"
