"""Service: asks an address outside for nothing, again and again, so that silence is noticed.

A bot that is gone cannot say so. Somebody else raises the alarm once the pings
stop, and they stop whenever this process does not lead.
"""

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.adapters.webhook.answers import judge_answer, judge_fault
from bot.adapters.webhook.settings import PingSettings
from bot.kit.clock import Clock
from bot.ports.carriers import DeliveryWatch, Receipt, Verdict

logger = logging.getLogger(__name__)

PING = "ping"
_VARIABLE = "ALERT_PING_URL"
_LOOK_S = 1.0


class ExternalPing:
    """A service of the leader. Its failures delay nothing and are told by the watch."""

    name = "external ping"

    def __init__(
        self,
        session: ClientSession,
        settings: PingSettings,
        *,
        is_alive: Callable[[], bool],
        watch: DeliveryWatch,
        clock: Clock,
    ) -> None:
        self._session = session
        self._settings = settings
        self._is_alive = is_alive
        self._watch = watch
        self._clock = clock
        self._timeout = ClientTimeout(total=settings.request_s)

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        signals = self._settings.has_signals
        if signals:
            await self._ask("/start")
        while True:
            while not self._is_alive():  # noqa: ASYNC110 - the lead has no event
                await asyncio.sleep(_LOOK_S)
            await self._ping()
            await asyncio.sleep(self._settings.every_s)
            if signals and not self._is_alive():
                await self._ask("/fail")

    async def drain(self) -> None:
        """Nothing to finish: whoever leads next goes on."""

    async def once(self) -> Receipt:
        """Ping now, whether or not anybody leads."""
        return await self._ask("")

    async def _ping(self) -> None:
        receipt = await self._ask("")
        if receipt.verdict is Verdict.DELIVERED:
            await self._watch.delivered(self._settings.place)
        else:
            await self._watch.failed(self._settings.place, receipt)

    async def _ask(self, suffix: str) -> Receipt:
        settings = self._settings
        try:
            async with self._session.get(
                address_of(settings.url, suffix), timeout=self._timeout, allow_redirects=False
            ) as answer:
                receipt = judge_answer(
                    answer.status,
                    answer.headers,
                    settings.place,
                    _VARIABLE,
                    self._clock.now_us(),
                )
        except (ClientError, OSError) as error:
            receipt = judge_fault(error, settings.place, _VARIABLE)
        if receipt.verdict is not Verdict.DELIVERED:
            logger.info("ping not taken", extra={"reason": receipt.reason, "signal": suffix})
        return receipt


def address_of(url: str, suffix: str) -> str:
    """``suffix`` behind the path; a query stays behind both."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/") + suffix if suffix else parts.path
    return urlunsplit(parts._replace(path=path))
