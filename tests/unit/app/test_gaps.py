"""``gaps`` answers from the database, and knows what it does not know."""

from pathlib import Path

import pytest

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.database import Database
from bot.app.gaps import GapQuestion, UnknownSeries, answer
from bot.app.repair import missing_of
from bot.app.settings import BotSettings
from bot.app.stream import stream_store
from bot.domain.ids import MarketTicker
from bot.kit.times import HOUR_US, hour_key, parse_rfc3339
from bot.ports.collection import Cycle, CycleOutcome
from bot.ports.stream import GapReason, StreamBatch
from tests.fakes.collection import snapshot
from tests.fakes.stream import gap
from tests.unit.app.support import settings_at

pytestmark = pytest.mark.looptime(False)

START = parse_rfc3339("2026-11-21T00:00:00Z")
NOW = START + 10 * HOUR_US + HOUR_US // 2


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> BotSettings:
    return settings_at(database_url, tmp_path)


@pytest.fixture
async def filled(database: Database) -> Database:
    """Hours 0, 1, 2 and 5 stored; one of two markets missing from hour 1."""
    store = SqlCollectionStore(database)
    for number, markets in ((0, "AB"), (1, "A"), (2, "AB"), (5, "AB")):
        hour = hour_key(START + number * HOUR_US)
        cycle = await store.open_cycle(
            Cycle(
                cycle_id=f"c{number}",
                mode="collect",
                snapshot_hour_utc=hour,
                attempt=1,
                outcome=CycleOutcome.RUNNING,
                started_us=START + number * HOUR_US,
            )
        )
        await store.save_page(cycle, [snapshot(name, hour) for name in markets], [])
    return database


async def test_everything_stored_is_looked_at(settings, filled) -> None:
    told = await answer(settings, filled, GapQuestion(), NOW)
    assert (told.hours.expected, told.hours.missing, told.markets.missing) == (6, 2, 1)
    assert told.has_gaps
    assert told.facts["missing"] == 2
    assert [line.partition(":")[0] for line in told.lines] == [
        "2 of 6 hours missing, 2026-11-21T00",
        "2026-11-21T03",
        "1 snapshots of single markets missing from other hours",
        "KXFED 2026-11-21T01",
    ]


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        (GapQuestion(hours=4), 4),
        (GapQuestion(hours=6), 5),
        (GapQuestion(since_us=START + 5 * HOUR_US), 4),
        (GapQuestion(since_us=START + 4 * HOUR_US + 1), 5),
        (GapQuestion(since_us=NOW), 0),
        (GapQuestion(series="kxfed"), 2),
    ],
)
async def test_a_time_or_a_series_narrows_it(settings, filled, question, missing) -> None:
    assert (await answer(settings, filled, question, NOW)).hours.missing == missing


async def test_a_series_nobody_knows_is_no_series_without_gaps(settings, filled) -> None:
    with pytest.raises(UnknownSeries, match="'NOPE' is neither stored nor configured; known: "):
        await answer(settings, filled, GapQuestion(series="NOPE"), NOW)
    with pytest.raises(UnknownSeries, match="did you mean KXFED"):
        await answer(settings, filled, GapQuestion(series="KXFDE"), NOW)


async def test_what_was_let_go_on_purpose_is_not_repaired(settings, filled) -> None:
    lost = (gap(START + HOUR_US, to_us=START + HOUR_US + 9),)
    left = [gap(START, reason=GapReason.UNWATCHED, ticker=MarketTicker(one)) for one in "AB"]
    store = stream_store(filled.address)
    await store.append(StreamBatch(gaps=[*lost, *left]), may_repeat=False)
    await store.close()
    told = await answer(settings, filled, GapQuestion(), NOW)
    assert told.ticks.total == 3
    of_stream = [one for one in await missing_of(told, filled) if one.of_stream]
    assert [(one.from_us, one.to_us) for one in of_stream] == [
        (START + HOUR_US, START + 2 * HOUR_US)
    ]
