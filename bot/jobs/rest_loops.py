"""The loops that read the exchange by REST share one breaker: collect, discovery, backfill.

Each already asks again within a call and ends early when nobody answers; the breaker stands
above that. After several rounds in a row without the exchange none of them asks for a while,
then the next round is the one try that decides.
"""

import asyncio
import logging

from bot.domain.errors import ExchangeUnavailable
from bot.jobs.registry import JobFunction
from bot.kit.clock import Clock
from bot.kit.loop_breaker import LoopBreaker
from bot.kit.metrics import Metric, emit
from bot.kit.times import seconds


class RestLoops:
    """Counts rounds, and keeps rounds waiting while the breaker is open."""

    def __init__(self, breaker: LoopBreaker, clock: Clock) -> None:
        self._breaker = breaker
        self._clock = clock

    async def rest(self) -> None:
        """Wait until a round may begin: at once, or when the cool-down is over."""
        while rest_us := self._breaker.rest_us(self._clock.monotonic_us()):  # noqa: ASYNC110 - time
            await asyncio.sleep(seconds(rest_us))

    def failed(self) -> None:
        """A round ended without the exchange."""
        breaker = self._breaker
        if breaker.failed(self._clock.monotonic_us()):
            emit(
                Metric.LOOP_BREAKER,
                level=logging.WARNING,
                state="open",
                consecutive_failures=breaker.failures,
                cooldown_s=seconds(breaker.cooldown_us),
            )

    def succeeded(self) -> None:
        """A round got what it asked for."""
        if self._breaker.succeeded():
            emit(Metric.LOOP_BREAKER, state="closed", consecutive_failures=0)

    @property
    def failures(self) -> int:
        """Rounds in a row that ended without the exchange."""
        return self._breaker.failures

    def guarded(self, work: JobFunction) -> JobFunction:
        """A job whose runs are rounds: it fails with ``ExchangeUnavailable`` or it succeeds.

        Whatever else it raises says nothing about the exchange.
        """

        async def run(slot_us: int) -> None:
            await self.rest()
            try:
                await work(slot_us)
            except ExchangeUnavailable:
                self.failed()
                raise
            self.succeeded()

        return run
