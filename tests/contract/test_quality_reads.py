"""The report reads the same from both databases, terms, ticks and standing quotes included."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.adapters.storage import tables
from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.adapters.storage.quality import SqlQualityReads
from bot.collect.quality import Rule
from bot.collect.quality_report import judge_quality, quality_lines
from bot.domain.money import Price, Quantity
from bot.kit.times import HOUR_US, SECOND_US, hour_key, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome
from bot.ports.quality import QuoteSource
from tests.fakes.collection import snapshot
from tests.fakes.market_history import event, market

pytestmark = pytest.mark.looptime(False)

START = parse_rfc3339("2026-11-21T00:00:00Z")
EVENT = "KXFED-26DEC"


def hour(number: int) -> str:
    return hour_key(START + number * HOUR_US)


class Bench:
    def __init__(self, database) -> None:
        self.database = database
        self.reads = SqlQualityReads(database)
        self.cycles = 0

    async def stored(self, number: int, *rows) -> None:
        store = SqlCollectionStore(self.database)
        self.cycles += 1
        cycle = await store.open_cycle(
            Cycle(
                cycle_id=f"c{self.cycles}",
                mode="collect",
                snapshot_hour_utc=hour(number),
                attempt=1,
                outcome=CycleOutcome.RUNNING,
                started_us=self.cycles,
            )
        )
        await store.save_page(cycle, rows, [])

    async def known(self, *markets, seen_us: int = 0) -> None:
        store = SqlMarketHistoryStore(self.database)
        events = [event(EVENT, is_exclusive=True, fee_multiplier_override_e6=0)]
        await store.save_listing(events, markets, [], seen_us)

    async def ticked(self, number: int, name: str, bid: int, ask: int, at_us: int) -> None:
        async with self.database.begin() as connection:
            await connection.execute(
                tables.metadata.tables["market_numbers"].insert(),
                {"market_no": number, "ticker": name},
            )
            row = {
                "exchange_us": at_us,
                "received_us": at_us - 5 * SECOND_US,
                "volume_e2": 0,
                "open_interest_e2": 0,
                "bid_size_e2": 0,
                "ask_size_e2": 0,
                "market_no": number,
                "digest": number,
                "price_e4": 0,
                "bid_e4": bid,
                "ask_e4": ask,
            }
            earlier = row | {"exchange_us": at_us - 1, "bid_e4": 1, "ask_e4": 2, "digest": 99}
            await connection.execute(
                tables.metadata.tables["market_ticks"].insert(), [row, earlier]
            )


@pytest.fixture
def bench(database) -> Bench:
    return Bench(database)


def row(name: str, number: int, bid: int | None, ask: int | None, **changes):
    plain = snapshot(name, hour(number), close_us=START + 99 * HOUR_US)
    return replace(
        plain,
        yes_bid=None if bid is None else Price(bid),
        yes_ask=None if ask is None else Price(ask),
        **changes,
    )


async def test_nothing_stored_is_said_so(bench) -> None:
    report = await judge_quality(bench.reads)
    assert (report.hour, report.wrong, quality_lines(report)) == (None, 0, ["no snapshots yet"])
    earlier = await judge_quality(bench.reads, "2026-01-01T00:00:00Z")
    assert quality_lines(earlier) == [
        "2026-01-01T00:00:00Z: no snapshots of this hour; `python -m bot gaps` says why"
    ]


async def test_the_newest_hour_is_judged_with_the_terms_of_its_markets(bench) -> None:
    await bench.stored(0, row("KXFED-26DEC-T4", 0, 9_000, 1_000))
    await bench.stored(
        1,
        row("KXFED-26DEC-T4", 1, 2_000, 2_100),
        row("KXFED-26DEC-T5", 1, 8_500, 8_600),
        row("KXFED-26DEC-T6", 1, None, 100),
        row("KXFED-26DEC-T7", 1, None, None, close_us=START),
    )
    await bench.known(
        market("KXFED-26DEC-T4", floor_strike="4"),
        market("KXFED-26DEC-T5", floor_strike="5"),
        market("KXFED-26DEC-T6", floor_strike="6", updated_us=100 + 9 * SECOND_US),
        seen_us=100,
    )
    report = await judge_quality(bench.reads)
    assert (report.hour, report.snapshots, report.without_terms) == (hour(1), 4, 0)
    found = {one.rule: (one.count, one.worst[0].subject) for one in report.rules}
    assert found == {
        Rule.AFTER_CLOSE: (1, "KXFED-26DEC-T7"),
        Rule.BIDS_ABOVE_ONE: (1, EVENT),
        Rule.LADDER: (1, "KXFED-26DEC-T5"),
        Rule.CLOCK: (1, "KXFED-26DEC-T6"),
        Rule.ONE_SIDED: (1, "KXFED-26DEC-T6"),
        Rule.EMPTY: (1, "KXFED-26DEC-T7"),
    }
    assert report.wrong == 4
    assert [one.severity.value for one in report.rules] == ["wrong"] * 4 + ["odd"] * 2
    assert quality_lines(report)[1:3] == [
        "wrong snapshot after_close: 1",
        ("      KXFED-26DEC-T7: closed 2026-11-21T00:00:00Z, listed as open after it"),
    ]


async def test_a_given_hour_is_judged_and_unknown_terms_are_counted(bench) -> None:
    await bench.stored(0, row("A", 0, 9_000, 1_000, event_ticker="OTHER"))
    await bench.stored(1, row("A", 1, 100, 200))
    report = await judge_quality(bench.reads, hour(0))
    assert [(one.rule, one.count) for one in report.rules] == [(Rule.CROSSED, 1)]
    assert (report.without_terms, report.facts["wrong"]) == (1, 1)


async def test_quotes_that_stand_still_while_contracts_change_hands_are_found(bench) -> None:
    for number in range(14):
        moving = 100 + number
        await bench.stored(
            number,
            row("STILL", number, 100, None, open_interest=Quantity(number)),
            row("QUIET", number, 100, 200, open_interest=Quantity(7)),
            row("MOVES", number, moving, 5_000, open_interest=Quantity(number)),
            *([row("GONE", number, 1, 2, open_interest=Quantity(number))] if number < 13 else []),
        )
    report = await judge_quality(bench.reads)
    [found] = [one for one in report.rules if one.rule is Rule.FROZEN]
    assert [(one.subject, one.excess) for one in found.worst] == [("STILL", 14)]
    assert await bench.reads.frozen(hour(0), hour(13), 15) == []


async def test_the_last_tick_of_each_market_is_judged_too(bench) -> None:
    await bench.stored(1, row("A", 1, 100, 200))
    at_us = START + HOUR_US + 60 * SECOND_US
    await bench.ticked(1, "A", 5_000, 4_000, at_us)
    await bench.ticked(2, "B", 0, 10_000, at_us)
    await bench.ticked(3, "C", 100, 200, at_us + 2 * HOUR_US)
    report = await judge_quality(bench.reads)
    assert report.ticks == 2
    found = [one for one in report.rules if one.source is QuoteSource.TICK]
    assert [(one.rule, one.count) for one in found] == [
        (Rule.CROSSED, 1),
        (Rule.CLOCK, 2),
        (Rule.EMPTY, 1),
    ]


async def test_rows_do_not_become_values_on_the_loop(database) -> None:
    row = {
        "market_id": "KX1", "snapshot_hour_utc": hour(0), "payload_json": "{}",
        "created_at_utc": "no time", "event_ticker": EVENT, "macro_event_type": "other",
        "volume_24h_e2": 0, "open_interest_e2": 0, "close_us": 1,
    }  # fmt: skip
    async with database.begin() as connection:
        await connection.execute(tables.metadata.tables["market_snapshots"].insert(), row)
    with pytest.raises(ValueError, match="no time") as caught:
        await SqlQualityReads(database).quotes(hour(0))
    assert any(Path(one.path).match("concurrent/futures/thread.py") for one in caught.traceback)
