"""``gaps``: what is missing and why, from the database alone."""

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.gaps import SqlGapStore
from bot.adapters.storage.stream_reads import SqlStreamReads
from bot.app.basics import open_existing_database, real_means
from bot.app.build import collect_settings
from bot.app.settings import BotSettings
from bot.collect.gaps import GapReport, find_gaps, gap_lines
from bot.collect.market_gaps import MarketGapReport, find_market_gaps, market_gap_lines
from bot.collect.tick_gaps import TickGapReport, find_tick_gaps, tick_gap_lines
from bot.domain.errors import BotError
from bot.domain.ids import SeriesTicker
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339
from bot.ports.gaps import Repair, RepairOutcome

_NAMES_SHOWN = 8
_NO_TICKS = TickGapReport(gaps=())
_NO_MARKETS = MarketGapReport(missing=0, not_listed=0, is_cut=False, gaps=())


class UnknownSeries(BotError):
    """A series that nothing stored and no setting knows; the text names those that are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapQuestion:
    """Which gaps: at most the ``hours`` finished last, or from ``since_us`` on; one series.

    ``detail_hours`` leaves single markets and the stream out of what is older.
    """

    hours: int | None = None
    since_us: int | None = None
    series: str | None = None
    detail_hours: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapAnswer:
    """Gaps for people and for machines."""

    hours: GapReport
    markets: MarketGapReport
    ticks: TickGapReport = _NO_TICKS
    repairs: tuple[Repair, ...] = ()

    @property
    def has_gaps(self) -> bool:
        """Whether a snapshot is missing. The stream has a gap at every reconnection."""
        return bool(self.hours.missing or self.markets.missing)

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``: the hours at the top, the rest under its name."""
        return asdict(self.hours) | {
            "markets": asdict(self.markets),
            "ticks": asdict(self.ticks),
            "repairs": [asdict(one) for one in self.repairs],
        }

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = gap_lines(self.hours)
        if self.markets.missing or self.markets.not_listed:
            lines += market_gap_lines(self.markets)
        if self.ticks.gaps:
            lines += tick_gap_lines(self.ticks)
        fetched = [one for one in self.repairs if one.outcome is RepairOutcome.REFETCHED]
        if fetched:
            rows = sum(one.rows for one in fetched)
            lines.append(f"fetched later for these gaps: {rows} rows in {len(fetched)} repairs")
        return lines


async def read_gaps(settings: BotSettings, question: GapQuestion) -> GapAnswer:
    """What is missing: from the first to the last stored hour, or in the time asked for.

    Raises:
        StorageUnavailable: there is no database.
        UnknownSeries: nobody ever heard of it.
    """
    async with open_existing_database(settings) as database:
        return await answer(settings, database, question, real_means().clock.now_us())


async def answer(
    settings: BotSettings, database: Database, question: GapQuestion, now_us: int
) -> GapAnswer:
    """The same on an open database."""
    store, facts = SqlCollectionStore(database), SqlGapStore(database)
    series = None
    if question.series is not None:
        configured = collect_settings(settings).series
        series = _known(question.series, {*await facts.series_known(), *configured})
    first, last = _window(question, now_us)
    hours = await find_gaps(store, facts, first_hour=first, last_hour=last, series=series)
    if not (hours.expected and hours.first_hour and hours.last_hour):
        return GapAnswer(hours=hours, markets=_NO_MARKETS)
    first_hour = _detailed(question, hours.first_hour, hours.last_hour)
    markets = await find_market_gaps(
        store, facts, first_hour=first_hour, last_hour=hours.last_hour, series=series
    )
    begin_us, end_us = parse_rfc3339(first_hour), parse_rfc3339(hours.last_hour) + HOUR_US
    ticks = _NO_TICKS
    if series is None:
        ticks = await find_tick_gaps(SqlStreamReads(database), facts, begin_us, end_us)
    repairs = await facts.repairs(begin_us, end_us)
    return GapAnswer(hours=hours, markets=markets, ticks=ticks, repairs=tuple(repairs))


def _window(question: GapQuestion, now_us: int) -> tuple[str | None, str | None]:
    since_us = question.since_us
    if question.hours is not None:
        since_us = now_us - question.hours * HOUR_US
    if since_us is None:
        return None, None
    # The running hour is not over: nothing is missing from it yet.
    return hour_key(since_us), hour_key(now_us - HOUR_US)


def _detailed(question: GapQuestion, first_hour: str, last_hour: str) -> str:
    if question.detail_hours is None:
        return first_hour
    earliest_us = parse_rfc3339(last_hour) - (question.detail_hours - 1) * HOUR_US
    return max(first_hour, hour_key(earliest_us))


def _known(asked: str, known: set[SeriesTicker]) -> SeriesTicker:
    series = SeriesTicker(asked.upper())
    if series in known:
        return series
    close = difflib.get_close_matches(series, known, n=1)
    names: Sequence[str] = sorted(known)[:_NAMES_SHOWN]
    more = f" and {len(known) - len(names)} more" if len(known) > len(names) else ""
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}{more}"
    raise UnknownSeries(f"series {asked!r} is neither stored nor configured; {hint}")
