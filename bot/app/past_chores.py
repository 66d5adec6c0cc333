"""The leader's readers of the past as jobs: discovery, backfill, closed cleanup.

A pass that lacks something fails its slot, so that the record of runs says so; its cursors
say where the next one goes on. Whoever trades loses nothing by it, so people are told only
when passes have failed for a while, and once.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.app.build import history_settings
from bot.app.running import Running
from bot.app.sections import HistorySection
from bot.collect.asking import Past
from bot.collect.backfill import Backfill
from bot.collect.discovery import Discovery
from bot.collect.gap_reasons import OUTAGE_WORDS
from bot.collect.settling import ClosedCleanup
from bot.domain.alerts import AlertKind
from bot.domain.errors import ExchangeUnavailable, InvalidMessage
from bot.jobs.registry import JobFunction
from bot.kit.times import SECOND_US

DISCOVERY, BACKFILL, CLEANUP = "discovery", "backfill", "closed_cleanup"
PAST_JOBS = frozenset({DISCOVERY, BACKFILL, CLEANUP})
_TOLD_AFTER = 3


class Report(Protocol):
    """What every reader says of a pass."""

    error: str | None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lacking."""
        ...


def past_of(running: Running) -> Past:
    """The exchange's past, and our store of it."""
    return Past(
        settings=history_settings(running.settings),
        reads=running.parts.exchange.history,
        store=SqlMarketHistoryStore(running.parts.database),
        clock=running.clock,
    )


Tell: TypeAlias = Callable[[AlertKind, Mapping[str, str | int]], Awaitable[None]]
"""Makes an alert."""


class PastChores:
    """The readers of one leadership."""

    def __init__(self, past: Past, section: HistorySection, tell: Tell) -> None:
        self._clock = past.clock
        self._section = section
        self._tell = tell
        self._discovery, self._backfill = Discovery(past), Backfill(past)
        self._cleanup = ClosedCleanup(past)
        self._failed = dict.fromkeys(PAST_JOBS, 0)
        self._good_us = dict.fromkeys(PAST_JOBS, past.clock.now_us())

    def jobs(self) -> dict[str, JobFunction]:
        """The jobs that are switched on, by the names of :class:`JobFunctions`."""
        section = self._section
        wanted: tuple[tuple[str, int, Callable[[], Awaitable[Report]]], ...] = (
            (DISCOVERY, section.discovery_s, self._discovery.run),
            (BACKFILL, section.backfill_s, self._backfill.run_regular),
            (CLEANUP, section.closed_cleanup_s, self._cleanup.run),
        )
        return {name: self._job(name, run) for name, period_s, run in wanted if period_s}

    def _job(self, name: str, run: Callable[[], Awaitable[Report]]) -> JobFunction:
        async def job(_slot_us: int) -> None:
            report = await run()
            await self._judge(name, report)

        return job

    async def _judge(self, name: str, report: Report) -> None:
        """Count the pass; one that is not complete raises.

        Raises:
            ExchangeUnavailable: because the exchange did not answer.
            InvalidMessage: for another reason.
        """
        now_us = self._clock.now_us()
        if report.is_complete:
            self._failed[name], self._good_us[name] = 0, now_us
            return
        self._failed[name] += 1
        if self._failed[name] == _TOLD_AFTER:
            silent_s = (now_us - self._good_us[name]) // SECOND_US
            await self._tell(AlertKind.STALE, {"service": name, "seconds": silent_s})
        why = report.error or "not everything could be read"
        if any(word in why for word in OUTAGE_WORDS):
            raise ExchangeUnavailable(why)
        raise InvalidMessage(why)
