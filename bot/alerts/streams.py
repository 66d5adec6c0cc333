"""Which alerts belong together, for a forum with a topic for each. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from bot.domain.alerts import AlertKind


class Stream(StrEnum):
    """A topic's worth of alerts."""

    FILLS = "fills"
    """What was bought and sold, and what waits for a person's yes."""
    RISK = "risk"
    """What stops trading, and what may cost money."""
    SYSTEM = "system"
    """Everything else: who leads, connections, collection, backups, summaries."""


_FILLS = frozenset(
    {
        AlertKind.POSITION_OPENED,
        AlertKind.POSITION_CLOSED,
        AlertKind.FILL_SEEN,
        AlertKind.APPROVAL_WANTED,
        AlertKind.APPROVAL_ENDED,
    }
)
_RISK = frozenset(
    {
        AlertKind.HALT_SET,
        AlertKind.HALT_CLEARED,
        AlertKind.BREAKER_TRIPPED,
        AlertKind.BREAKER_RESET,
        AlertKind.STOPS_UNWATCHED,
        AlertKind.EXIT_STUCK,
        AlertKind.ORDER_UNKNOWN,
        AlertKind.FOREIGN_ACTIVITY,
        AlertKind.PANIC_BEGUN,
        AlertKind.PANIC_WAITS,
        AlertKind.PANIC_ENDED,
        AlertKind.WIN_RATE_LOW,
        AlertKind.POSITIONS_NEAR_LIMIT,
        AlertKind.DAILY_LOSS_NEAR,
        AlertKind.BALANCE_LOW,
        AlertKind.COST_LIMIT_HIT,
        AlertKind.LIVE_TRADING_ENABLED,
        AlertKind.CRITICAL_ERROR,
    }
)
KINDS: Mapping[Stream, frozenset[AlertKind]] = {
    Stream.FILLS: _FILLS,
    Stream.RISK: _RISK,
    Stream.SYSTEM: frozenset(AlertKind) - _FILLS - _RISK,
}
