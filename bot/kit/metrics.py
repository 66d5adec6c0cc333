"""Metric lines: ``metric=rest.discovery duration_s=1.204 events=12 markets=340 errors_total=0``.

One line for each round of a periodic work and for each event worth counting, so that logs
alone tell how a service fares. In text output the whole line is as above, behind stamp and
service; in JSON output ``message`` is ``metric=<name>`` and each fact a field of its own.
"""

import logging
from enum import StrEnum
from typing import TypeAlias

logger = logging.getLogger(__name__)

Fact: TypeAlias = int | float | str | bool | None
"""``None`` is left out; yes and no are written 1 and 0; seconds have three places."""


class Metric(StrEnum):
    """Every name there is. Operators' log searches depend on them: a name never changes."""

    DISCOVERY = "rest.discovery"
    BACKFILL = "rest.backfill"
    CLOSED_CLEANUP = "rest.closed_cleanup"
    COLLECT = "rest.collect"
    GAP_REPAIR = "rest.gap_repair"
    LOOP_BREAKER = "rest.loop_breaker"
    DISCOVERY_ITEM_ERROR = "discovery.item_error"
    BACKFILL_ITEM_ERROR = "backfill.item_error"
    KALSHI_RETRY = "kalshi.retry"
    WS_CONNECTED = "ws.connected"
    WS_RECONNECT = "ws.reconnect"
    WS_HEARTBEAT = "ws.heartbeat"
    WS_TICK_DROP = "ws.tick_drop"
    WS_QUEUE_DROP = "ws.queue_drop"


def emit(metric: Metric, *, level: int = logging.INFO, **facts: Fact) -> None:
    """Log one metric line.

    Units are in the names of the facts (``duration_s``, ``backoff_s``). A failed round says
    ``success=0`` and ``consecutive_failures``; give those a ``level`` of WARNING.
    """
    if logger.isEnabledFor(level):
        told = {name: _plain(value) for name, value in facts.items() if value is not None}
        logger.log(level, "metric=%s", metric.value, extra=told)


def _plain(value: Fact) -> int | float | str | None:
    if isinstance(value, bool):
        return int(value)
    return round(value, 3) if isinstance(value, float) else value
