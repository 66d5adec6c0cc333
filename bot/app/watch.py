"""Looks after what an operator would look at: stale collection, failing calls, a dead stream."""

import asyncio

from bot.app.operator import BotOperator
from bot.app.running import Running
from bot.domain.alerts import AlertKind
from bot.domain.errors import BotError
from bot.kit.times import SECOND_US, parse_rfc3339

_EVERY_S = 60.0
_CALLS_MIN = 20
_FAILED_SHARE = 20
"""One call in so many: 5 %, half of what trips the breaker."""


class OperatorWatch:
    """A service of the leader. Alerts are throttled by their catalogue, so it just tells."""

    name = "watch"

    def __init__(self, running: Running, operator: BotOperator) -> None:
        self._running = running
        self._operator = operator

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self._look()
            except BotError:
                continue  # what cannot be read now is told by whoever needs it

    async def drain(self) -> None:
        """Nothing to finish."""

    async def _look(self) -> None:
        status = await self._operator.status()
        api = status.api
        if api and api.calls >= _CALLS_MIN and api.failed * _FAILED_SHARE >= api.calls:
            facts: dict[str, str | int] = {"failed": api.failed, "calls": api.calls}
            self._running.alerts.post(AlertKind.API_ERROR_RATE, facts)
        await self._look_at_collection()

    async def _look_at_collection(self) -> None:
        status = await self._running.queries.collect_status()
        success = status.get("last_success_at_utc")
        since_us = parse_rfc3339(success) if success else self._running.started_us
        silent_s = (self._running.clock.now_us() - since_us) // SECOND_US
        if silent_s > self._running.settings.web.stale_after_s:
            facts: dict[str, str | int] = {"service": "collect", "seconds": silent_s}
            self._running.alerts.post(AlertKind.STALE, facts)
