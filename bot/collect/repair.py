"""Fetches again what can be fetched of what is missing, and says of the rest that it cannot.

An order book of the past exists nowhere: a missed snapshot stays missed, and nothing is put
in its place. What the exchange does keep (candles, public trades, how markets settled) is read
for the missed time, and each gap gets a record of what came of it. A repair that is made
again skips what is done, so it can be interrupted at any moment.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.ids import SeriesTicker
from bot.kit.clock import Clock
from bot.kit.metrics import Metric, emit
from bot.kit.times import HOUR_US, format_seconds, seconds
from bot.ports.gaps import GapStore, Repair, RepairOutcome

BOOKS, CANDLES, TRADES, SETTLEMENTS = "order books", "candles", "trades", "settlements"
SNAPSHOTS = "snapshots"
NO_HISTORY = "the exchange keeps no past order books"
NO_MARKETS = "no market of that time is known; run discovery first"
_DONE = frozenset({RepairOutcome.REFETCHED, RepairOutcome.IMPOSSIBLE})

OnAdvance = Callable[[int, int | None, str], None]
"""Takes what is done, the total, and a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A time for which something is missing: of everything, or of one series."""

    from_us: int
    to_us: int
    series: SeriesTicker | None
    reason: str
    of_stream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRead:
    """What one reading of the past gave; ``left`` markets were not read to the end."""

    markets: int
    rows: int
    left: int
    error: str | None = None


class PastReader(Protocol):
    """Reads what the exchange keeps. Rows that are there already are not counted."""

    async def candles(self, missing: Missing, on_advance: OnAdvance) -> PastRead:
        """Candles of the markets that were open then."""
        ...

    async def trades(self, missing: Missing, on_advance: OnAdvance) -> PastRead:
        """Public trades of the markets that were open then."""
        ...

    async def settlements(self, on_advance: OnAdvance) -> PastRead:
        """How markets settled that are not in the ledger yet, whenever that was."""
        ...


class RunningHour(Protocol):
    """Collects the hour that is not over, if it has not been collected."""

    async def collect(self, on_advance: OnAdvance) -> Repair | None:
        """What was collected now; ``None`` where the hour is complete, or somebody is at it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """What came of it. ``skipped`` repairs had been made before."""

    made: tuple[Repair, ...]
    skipped: int

    def _having(self, outcome: RepairOutcome) -> list[Repair]:
        return [one for one in self.made if one.outcome is outcome]

    @property
    def refetched(self) -> int:
        """New rows."""
        return sum(one.rows for one in self.made)

    @property
    def failed(self) -> list[Repair]:
        """What should be tried again."""
        return self._having(RepairOutcome.FAILED)

    @property
    def lines(self) -> list[str]:
        """For people: a line for each kind of data, then the faults."""
        told = [f"{self.refetched} rows refetched; {self.skipped} repairs were made before"]
        for what in dict.fromkeys(one.what for one in self.made):
            own = [one for one in self.made if one.what == what]
            told.append(_line(what, own))
        told += [f"failed: {one.what} {_where(one)}: {one.reason}" for one in self.failed]
        return told


class Repairer:
    """Goes through gaps, oldest first."""

    def __init__(
        self, facts: GapStore, past: PastReader, clock: Clock, hour: RunningHour | None = None
    ) -> None:
        self._facts = facts
        self._past = past
        self._clock = clock
        self._hour = hour

    async def run(
        self, missing: Sequence[Missing], on_advance: OnAdvance | None = None
    ) -> RepairReport:
        """Repair each gap, the running hour and the ledger of settlements.

        Faults of the exchange are results. Cancelled, what was recorded stays, and the next run
        goes on from there.

        Raises:
            StorageUnavailable: something could not be stored.
        """
        advance, began_us = on_advance or _ignore, self._clock.monotonic_us()
        made: list[Repair] = []
        skipped = 0
        if self._hour is not None and (late := await self._hour.collect(advance)) is not None:
            await self._facts.record_repair(late)
            made.append(late)
        for done, each in enumerate(missing):
            advance(done, len(missing), format_seconds(each.from_us))
            known = await self._known(each)
            async for repair in self._repaired(each, known, advance):
                await self._facts.record_repair(repair)
                made.append(repair)
            skipped += len(known)
        if missing:
            made.append(await self._settled(missing, advance))
        report = RepairReport(made=tuple(made), skipped=skipped)
        emit(
            Metric.GAP_REPAIR,
            level=logging.WARNING if report.failed else logging.INFO,
            duration_s=seconds(self._clock.monotonic_us() - began_us),
            gaps=len(missing),
            rows=report.refetched,
            skipped=skipped,
            errors_total=len(report.failed),
        )
        return report

    async def _known(self, missing: Missing) -> set[str]:
        """What needs no second repair."""
        subject = missing.series or ""
        return {
            one.what
            for one in await self._facts.repairs(missing.from_us, missing.to_us)
            if (one.subject, one.from_us, one.to_us) == (subject, missing.from_us, missing.to_us)
            and one.outcome in _DONE
            and one.what != SETTLEMENTS
        }

    async def _repaired(
        self, missing: Missing, known: set[str], on_advance: OnAdvance
    ) -> AsyncIterator[Repair]:
        """Each as soon as it is made, so that it is recorded before the next begins."""
        lost = BOOKS if missing.of_stream else SNAPSHOTS
        if lost not in known:
            yield self._of(missing, lost, RepairOutcome.IMPOSSIBLE, NO_HISTORY)
        if CANDLES not in known:
            yield self._read(missing, CANDLES, await self._past.candles(missing, on_advance))
        if TRADES not in known:
            yield self._read(missing, TRADES, await self._past.trades(missing, on_advance))

    async def _settled(self, missing: Sequence[Missing], on_advance: OnAdvance) -> Repair:
        """The ledger as a whole: its record is of the whole time that is missing."""
        read = await self._past.settlements(on_advance)
        span = Missing(
            from_us=min(one.from_us for one in missing),
            to_us=max(one.to_us for one in missing),
            series=None,
            reason="settled meanwhile",
        )
        outcome = RepairOutcome.FAILED if read.error or read.left else RepairOutcome.REFETCHED
        reason = read.error or span.reason
        repair = self._of(span, SETTLEMENTS, outcome, reason, rows=read.rows)
        await self._facts.record_repair(repair)
        return repair

    def _read(self, missing: Missing, what: str, read: PastRead) -> Repair:
        if not read.markets:
            return self._of(missing, what, RepairOutcome.FAILED, NO_MARKETS)
        if read.error or read.left:
            why = read.error or f"{read.left} markets not read to the end"
            return self._of(missing, what, RepairOutcome.FAILED, why, rows=read.rows)
        return self._of(missing, what, RepairOutcome.REFETCHED, missing.reason, rows=read.rows)

    def _of(
        self, missing: Missing, what: str, outcome: RepairOutcome, reason: str, *, rows: int = 0
    ) -> Repair:
        return Repair(
            what=what,
            subject=missing.series or "",
            from_us=missing.from_us,
            to_us=missing.to_us,
            outcome=outcome,
            rows=rows,
            reason=reason,
            at_us=self._clock.now_us(),
        )


def whole_hours(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans widened to whole hours and joined where they touch, oldest first."""
    current: tuple[int, int] | None = None
    for start_us, end_us in sorted(spans):
        begin_us, stop_us = start_us - start_us % HOUR_US, -(-end_us // HOUR_US) * HOUR_US
        if current is not None and begin_us <= current[1]:
            current = (current[0], max(current[1], stop_us))
            continue
        if current is not None:
            yield current
        current = (begin_us, max(stop_us, begin_us + HOUR_US))
    if current is not None:
        yield current


def _line(what: str, own: Sequence[Repair]) -> str:
    if all(one.outcome is RepairOutcome.IMPOSSIBLE for one in own):
        return f"{what}: {len(own)} gaps stay as they are: {own[0].reason}"
    good = sum(one.outcome is RepairOutcome.REFETCHED for one in own)
    return f"{what}: {sum(one.rows for one in own)} rows for {good} of {len(own)} gaps"


def _where(repair: Repair) -> str:
    span = f"{format_seconds(repair.from_us)} to {format_seconds(repair.to_us)}"
    return f"{repair.subject} {span}" if repair.subject else span


def _ignore(_done: int, _total: int | None, _note: str) -> None:
    """Nobody watches."""
