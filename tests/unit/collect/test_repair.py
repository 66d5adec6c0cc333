"""What can be fetched is fetched once; what cannot is said to be lost, never made up."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.repair import (
    NO_HISTORY,
    NO_MARKETS,
    Missing,
    PastRead,
    Repairer,
    whole_hours,
)
from bot.domain.ids import SeriesTicker
from bot.kit.times import HOUR_US
from bot.ports.gaps import Repair, RepairOutcome
from tests.fakes.clock import ManualClock
from tests.fakes.gaps import MemoryGapStore

START = 500 * HOUR_US
GAP = Missing(from_us=START, to_us=START + 2 * HOUR_US, series=None, reason="the bot was down")
ONE = Missing(
    from_us=START + 5 * HOUR_US,
    to_us=START + 6 * HOUR_US,
    series=SeriesTicker("KXFED"),
    reason="the cycle was partial",
)
STREAM = Missing(from_us=START, to_us=START + HOUR_US, series=None, reason="stream", of_stream=True)


class Past:
    """An exchange with a fixed past, that may fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.answers: dict[str, PastRead] = {
            "candles": PastRead(markets=3, rows=120, left=0),
            "trades": PastRead(markets=3, rows=7, left=0),
            "settlements": PastRead(markets=2, rows=2, left=0),
        }
        self.stop_at: str | None = None

    async def candles(self, missing, on_advance) -> PastRead:
        return self._answer("candles", missing.from_us)

    async def trades(self, missing, on_advance) -> PastRead:
        return self._answer("trades", missing.from_us)

    async def settlements(self, on_advance) -> PastRead:
        return self._answer("settlements", 0)

    def _answer(self, what: str, at_us: int) -> PastRead:
        if self.stop_at == what:
            raise asyncio.CancelledError
        self.asked.append((what, at_us))
        return self.answers[what]


class Bench:
    def __init__(self, hour=None) -> None:
        self.facts = MemoryGapStore()
        self.past = Past()
        self.repairer = Repairer(self.facts, self.past, ManualClock(), hour)

    def kept(self) -> set[tuple[str, str, str, int]]:
        return {
            (one.what, one.subject, one.outcome.value, one.rows) for one in self.facts.kept.values()
        }


async def test_candles_trades_and_settlements_are_fetched_and_snapshots_are_lost() -> None:
    bench = Bench()
    report = await bench.repairer.run([GAP, ONE])
    assert report.refetched == 2 * 127 + 2
    assert bench.kept() == {
        ("snapshots", "", "impossible", 0),
        ("candles", "", "refetched", 120),
        ("trades", "", "refetched", 7),
        ("snapshots", "KXFED", "impossible", 0),
        ("candles", "KXFED", "refetched", 120),
        ("trades", "KXFED", "refetched", 7),
        ("settlements", "", "refetched", 2),
    }
    assert report.lines == [
        "256 rows refetched; 0 repairs were made before",
        f"snapshots: 2 gaps stay as they are: {NO_HISTORY}",
        "candles: 240 rows for 2 of 2 gaps",
        "trades: 14 rows for 2 of 2 gaps",
        "settlements: 2 rows for 1 of 1 gaps",
    ]


async def test_a_repair_made_again_asks_for_nothing_that_is_done() -> None:
    bench = Bench()
    await bench.repairer.run([GAP])
    bench.past.asked.clear()
    again = await bench.repairer.run([GAP])
    assert bench.past.asked == [("settlements", 0)]
    assert again.skipped == 3


async def test_what_failed_is_tried_again_and_named() -> None:
    bench = Bench()
    bench.past.answers["trades"] = PastRead(markets=3, rows=4, left=1, error="HTTP 503")
    report = await bench.repairer.run([GAP])
    assert [(one.what, one.reason) for one in report.failed] == [("trades", "HTTP 503")]
    assert report.lines[-1].endswith("HTTP 503")
    bench.past.answers["trades"] = PastRead(markets=3, rows=3, left=0)
    bench.past.asked.clear()
    report = await bench.repairer.run([GAP])
    assert bench.past.asked == [("trades", START), ("settlements", 0)]
    assert not report.failed
    assert ("trades", "", "refetched", 7) in bench.kept(), "the rows of both tries"


async def test_without_a_known_market_nothing_is_called_refetched() -> None:
    bench = Bench()
    nothing = PastRead(markets=0, rows=0, left=0)
    bench.past.answers |= {"candles": nothing, "trades": nothing}
    report = await bench.repairer.run([GAP])
    assert {one.reason for one in report.failed} == {NO_MARKETS}


async def test_an_interruption_keeps_what_was_recorded_of_earlier_gaps() -> None:
    bench = Bench()
    await bench.repairer.run([GAP])
    bench.past.stop_at = "trades"
    with pytest.raises(asyncio.CancelledError):
        await bench.repairer.run([GAP, ONE])
    assert ("candles", "KXFED", "refetched", 120) in bench.kept()
    assert ("trades", "KXFED", "refetched", 7) not in bench.kept()
    bench.past.stop_at = None
    report = await bench.repairer.run([GAP, ONE])
    assert report.skipped == 5
    assert [one.what for one in report.made] == ["trades", "settlements"]


async def test_a_gap_of_the_stream_loses_its_order_books() -> None:
    bench = Bench()
    await bench.repairer.run([STREAM])
    assert ("order books", "", "impossible", 0) in bench.kept()
    assert all(one.what != "snapshots" for one in bench.facts.kept.values())


async def test_the_running_hour_is_collected_first() -> None:
    late = Repair(
        what="snapshots",
        subject="",
        from_us=START + 9 * HOUR_US,
        to_us=START + 10 * HOUR_US,
        outcome=RepairOutcome.REFETCHED,
        rows=40,
        reason="collected late",
        at_us=1,
    )

    class Hour:
        async def collect(self, on_advance) -> Repair | None:
            return late

    bench = Bench(Hour())
    report = await bench.repairer.run([])
    assert (report.made, report.refetched) == ((late,), 40)
    assert list(bench.facts.kept.values()) == [late]


@given(st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 10**10)), max_size=12))
def test_whole_hours_cover_every_span_and_never_touch(spans) -> None:
    given_spans = [(start, start + length) for start, length in spans]
    found = list(whole_hours(given_spans))
    assert all(start % HOUR_US == 0 == end % HOUR_US and start < end for start, end in found)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(found))
    for start, end in given_spans:
        assert any(begin <= start and end <= stop for begin, stop in found)
