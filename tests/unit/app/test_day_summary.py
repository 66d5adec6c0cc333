"""The day that ended, as it is told: with the real store, once, and with its curve."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.app.chores import Chores
from bot.app.day_summary import DaySummary, collection_line, day_before
from bot.app.running import Running
from bot.app.sections import AlertsSection, CollectSection, OperatorSection
from bot.domain.ids import Epoch
from bot.kit.markup import plain
from bot.kit.times import DAY_US, HOUR_US, format_seconds, to_us
from bot.ports.messages import Channel
from tests.contract.test_trading_store import snapshot
from tests.fakes.operator import FakeOperator
from tests.unit.app.support import running_at
from tests.unit.app.test_cockpit import stored, won

pytestmark = pytest.mark.looptime(False)

NEW_YORK = ZoneInfo("America/New_York")
PNG = b"\x89PNG\r\n"


@pytest.fixture
async def running(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    changes = {
        "mode": "trade",
        "collect": CollectSection(reports_dir=tmp_path / "reports"),
        "operator": OperatorSection(time_zone="Europe/Vienna"),
    }
    async with running_at(sqlite_url, tmp_path, **changes) as made:
        yield made


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


async def told(running: Running) -> list:
    return list(await running.queries.chat(Channel.PORTAL, 0, 100))


@pytest.mark.parametrize(
    ("now", "name", "hours"),
    [
        ("2026-11-21T02:00:00", "2026-11-20", 24),
        ("2026-11-21T00:00:00", "2026-11-20", 24),
        ("2026-11-20T23:59:59", "2026-11-19", 24),
        ("2026-11-02T03:00:00", "2026-11-01", 25),
        ("2026-03-09T03:00:00", "2026-03-08", 23),
    ],
)
def test_the_day_that_was_over_last(now: str, name: str, hours: int) -> None:
    day = day_before(at(now))
    assert (day.name, (day.ends_us - day.begins_us) // HOUR_US) == (name, hours)
    assert day.holds(day.begins_us)
    assert not day.holds(day.ends_us)


async def test_a_day_is_told_with_its_results_and_its_curve_and_only_its_own(
    running: Running,
) -> None:
    day = day_before(running.clock.now_us())
    noon_us = day.begins_us + 12 * HOUR_US
    await stored(
        running,
        won("br-1", noon_us, 3_000_000),
        won("br-2", noon_us + HOUR_US, -1_000_000),
        won("br-before", day.begins_us - 1, 50_000_000),
        won("br-after", day.ends_us, 70_000_000),
        snapshot(noon_us - HOUR_US, 1_000_000),
        snapshot(noon_us + HOUR_US, 3_000_000),
    )
    summary = DaySummary(running, FakeOperator())
    await summary.tell(running.clock.now_us())
    (one,) = await told(running)
    lines = plain(one.text).splitlines()
    assert lines[:6] == [
        f"Day: {day.name}: +$2.00 after $0.00 of fees",
        "2 trades closed, 1 won, 1 lost",
        lines[2],
        "Open now: 2 positions, +$0.15 unrealized",
        "Breakers: tripped: loss_streak",
        "Collection: no hour missing, 2 in all",
    ]
    assert lines[2].startswith("Win rate 50.0 %, break-even ")
    assert one.attachment is not None
    content = Path(one.attachment).read_bytes()  # noqa: ASYNC240 - a small file
    assert content.startswith(PNG)


async def test_a_day_is_told_once_whoever_tells_it_again(running: Running) -> None:
    now_us = running.clock.now_us()
    for _ in range(2):
        await DaySummary(running, FakeOperator()).tell(now_us)
    await DaySummary(running, FakeOperator()).tell(now_us - DAY_US)
    days = [one.text.split(": ")[1].split(",")[0] for one in await told(running)]
    assert days == [day_before(now_us).name, day_before(now_us - DAY_US).name]


async def test_a_day_without_a_trade_says_so_and_has_no_picture(running: Running) -> None:
    await DaySummary(running, FakeOperator()).tell(running.clock.now_us())
    (one,) = await told(running)
    assert "0 trades closed, 0 won, 0 lost\nWin rate none, break-even none" in plain(one.text)
    assert one.attachment is None


async def test_who_only_collects_hears_of_the_collection_alone(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with running_at(sqlite_url, tmp_path) as running:
        await DaySummary(running, FakeOperator()).tell(running.clock.now_us())
        (one,) = await told(running)
    day = day_before(running.clock.now_us())
    assert plain(one.text).splitlines()[:2] == [
        "Day",
        f"trading day: {day.name}, collection: no hour missing, 2 in all",
    ]


async def test_missing_hours_of_the_day_are_counted() -> None:
    operator = FakeOperator()
    day = day_before(at("2026-11-21T03:00:00"))
    operator.missing_hours = tuple(
        format_seconds(day.begins_us + hour * HOUR_US) for hour in (-1, 0, 23, 24)
    )
    assert collection_line(await operator.gaps(), day) == "2 hours missing, 4 in all"


async def test_the_summary_comes_at_the_operators_time_of_day(
    sqlite_url: str, tmp_path: Path
) -> None:
    changes = {
        "operator": OperatorSection(time_zone="Asia/Tokyo"),
        "alerts": AlertsSection(summary_at="07:30"),
        "collect": CollectSection(reports_dir=tmp_path / "reports"),
    }
    async with running_at(sqlite_url, tmp_path, **changes) as running:
        jobs = Chores(running, FakeOperator(), Epoch(1)).service()
        trigger = jobs._specs["daily_summary"].trigger
        next_us = trigger.following(running.clock.now_us())
    assert format_seconds(next_us)[11:] == "22:30:00Z"
